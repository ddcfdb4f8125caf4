package slab

import (
	"sync/atomic"
	"unsafe"
)

// Span is one piece of memory of any size, held by all who have a reference.
// Who made it has the first.
type Span struct {
	a     *Arena
	page  uint32
	pages uint32
	n     int
	refs  atomic.Int32
}

// AllocPages returns n pages of 4 kB in a row, whose content is undefined; the
// reference is that of their first byte. It panics with [ErrFull] if the system
// refuses memory.
func (a *Arena) AllocPages(n int) Ref {
	page, err := a.take(n)
	if err != nil {
		panic(err)
	}
	return Ref(page) * pageUnits
}

// FreePages gives the pages back that AllocPages has returned.
func (a *Arena) FreePages(r Ref, n int) { a.give(uint32(r/pageUnits), n) }

// PageSize is the size of a page in bytes.
const PageSize = pageSize

// NewSpan returns n bytes, n >= 0, whose content is undefined. The error wraps
// [ErrFull].
func (a *Arena) NewSpan(n int) (*Span, error) {
	if n > a.chunks*chunkSize {
		return nil, ErrFull
	}
	pages := max(1, (n+pageSize-1)/pageSize)
	page, err := a.take(pages)
	if err != nil {
		return nil, err
	}
	s := &Span{a: a, page: page, pages: uint32(pages), n: n}
	s.refs.Store(1)
	return s, nil
}

// Bytes are the n bytes asked for; the slice's capacity is Cap.
func (s *Span) Bytes() []byte {
	p := (*byte)(unsafe.Add(s.a.base, uintptr(s.page)*pageSize))
	return unsafe.Slice(p, s.Cap())[:s.n]
}

// Ref names the first byte, as if the span were a cell.
func (s *Span) Ref() Ref { return Ref(s.page) * pageUnits }

// Shared reports whether others hold a reference, too.
func (s *Span) Shared() bool { return s.refs.Load() > 1 }

// Len is how many bytes were asked for.
func (s *Span) Len() int { return s.n }

// Cap is how many bytes there are: whole pages.
func (s *Span) Cap() int { return int(s.pages) * pageSize }

// Retain adds a reference, which another must be holding meanwhile.
func (s *Span) Retain() { s.refs.Add(1) }

// Release drops a reference. With the last one the memory goes back to the
// arena. It panics if there was none.
func (s *Span) Release() {
	switch n := s.refs.Add(-1); {
	case n == 0:
		s.a.give(s.page, int(s.pages))
	case n < 0:
		panic("slab: span released once too often")
	}
}
