package slot

import (
	"errors"
	"os"
	"sync/atomic"
	"unsafe"
)

// ErrFull says that an arena cannot grow: its address space or the machine's
// memory is used up.
var ErrFull = errors.New("slot: out of memory for vectors")

const (
	hugePage = 2 << 20
	// largeArena is how large an arena is when a huge page is a small part of it.
	largeArena = 32 << 20
	smallStep  = 64 << 10
)

// HeapArenas, if above 0, makes Reserve take that many bytes from the Go heap
// instead of the operating system. The race detector sees only the heap, so
// tests of concurrency set it. Not to be changed while indexes are in use.
var HeapArenas int

// Arena is a growing array of bytes that never moves. It is zero where nothing
// was written. Growing is for one goroutine at a time; reading within what was
// grown before is free.
type Arena struct {
	base      unsafe.Pointer
	reserved  uintptr
	committed atomic.Uintptr
	heap      []byte   // what base points to if HeapArenas
	huge      uintptr  // bytes for which huge pages are asked
	mapped    uintptr  // bytes at the beginning that are a file's, see Map
	file      *os.File // that holds the bytes, see ReserveFile
}

// Reserve makes an arena that can grow to max bytes, or to as much as the
// operating system lets us reserve. Reserving costs no memory.
func Reserve(max uintptr) (*Arena, error) {
	if HeapArenas > 0 {
		// Aligned to a cache line, as rows are.
		b := make([]byte, HeapArenas+64)
		off := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) & 63
		return &Arena{base: unsafe.Pointer(&b[off]), reserved: uintptr(HeapArenas), heap: b}, nil
	}
	for max = roundUp(max, hugePage); ; max = roundUp(max/2, hugePage) {
		base, err := reserve(max)
		if err == nil {
			return &Arena{base: base, reserved: max}, nil
		}
		if max <= 64<<20 {
			return nil, errors.Join(ErrFull, err)
		}
	}
}

// Base is where the array begins, at the beginning of a huge page.
func (a *Arena) Base() unsafe.Pointer { return a.base }

// Max is how far the arena can grow.
func (a *Arena) Max() uintptr { return a.reserved }

// Committed is how many bytes may be used now.
func (a *Arena) Committed() uintptr { return a.committed.Load() }

// Grow makes at least the first n bytes usable.
func (a *Arena) Grow(n uintptr) error {
	c := a.committed.Load()
	if n <= c {
		return nil
	}
	if n > a.reserved {
		return ErrFull
	}
	if a.file != nil {
		return a.growFile(c, n)
	}
	if c < largeArena {
		return a.growSmall(c, n)
	}
	// In steps of an eighth, whole huge pages.
	want := min(roundUp(max(n, c+c/8), hugePage), a.reserved)
	if a.heap == nil {
		if err := commit(a.base, c, want); err != nil {
			return errors.Join(ErrFull, err)
		}
		a.makeHuge(want)
	}
	a.committed.Store(want)
	return nil
}

// growSmall commits little ahead, in small pages. A huge page at the end of
// each of an index's arrays, half of it unused, would be a good part of a
// small index. The pages before become huge ones when they are full.
func (a *Arena) growSmall(c, n uintptr) error {
	want := min(roundUp(max(n, c+c/32), smallStep), a.reserved)
	if a.heap == nil {
		if err := commit(a.base, c, want); err != nil {
			return errors.Join(ErrFull, err)
		}
		a.makeHuge(want / hugePage * hugePage)
		if at := c / hugePage * hugePage; at < c && at+hugePage <= want && at >= a.mapped {
			collapse(unsafe.Slice((*byte)(unsafe.Add(a.base, at)), hugePage))
		}
	}
	a.committed.Store(want)
	return nil
}

// makeHuge asks for huge pages up to there.
func (a *Arena) makeHuge(to uintptr) {
	if from := max(a.huge, roundUp(a.mapped, hugePage)); to > from {
		adviseHuge(unsafe.Slice((*byte)(unsafe.Add(a.base, from)), to-from))
		a.huge = to
	}
}

// Zero gives the memory back and leaves the arena empty. Nobody may be using it.
func (a *Arena) Zero() {
	c := a.committed.Load()
	if a.file != nil && a.zeroFile(c) == nil {
		return
	}
	if a.mapped > 0 && mapZero(a.base, a.mapped) == nil {
		a.mapped = 0
	}
	if a.heap != nil {
		clear(unsafe.Slice((*byte)(a.base), c))
		return
	}
	if a.file != nil || a.mapped > 0 { // discarded pages would read as the file's
		clear(unsafe.Slice((*byte)(a.base), c))
		return
	}
	discard(a.base, c)
}

// Close returns everything. Nobody may be using the arena, or use it after.
func (a *Arena) Close() error {
	if a.base == nil {
		return nil
	}
	base, heap, file := a.base, a.heap, a.file
	a.base, a.heap, a.file = nil, nil, nil
	a.committed.Store(0)
	if heap != nil {
		return nil
	}
	err := release(base, a.reserved)
	if file != nil {
		err = errors.Join(err, file.Close())
	}
	return err
}

func at(base unsafe.Pointer, n uintptr) unsafe.Pointer { return unsafe.Add(base, n) }

func roundUp(n, to uintptr) uintptr { return (n + to - 1) / to * to }
