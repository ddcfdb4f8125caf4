package slab

import (
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"unsafe"
)

const (
	pageShift  = 12
	pageSize   = 1 << pageShift
	pageUnits  = pageSize / 8
	chunkPages = 512 // a huge page
	chunkSize  = chunkPages * pageSize

	maxReserve = 1 << (29 + 11*(^uint(0)>>63)) // 1 TB; 512 MB with 32 bits of addresses
	minReserve = 64 << 20
	maxGrow    = 256 << 20 // committed at once, beyond what is asked for
)

// ErrFull says that the arena's addresses are used up, or that the system
// refuses memory.
var ErrFull = errors.New("slab: out of memory")

// Ref names a cell: its address in 8-byte units from the arena's base. It fits
// into 40 bits. 0 is no cell.
type Ref uint64

// Arena hands out runs of 4 kB pages of one reserved range of addresses. It is
// safe for concurrent use.
type Arena struct {
	base unsafe.Pointer // of the pages; page 0 is never handed out, so that no Ref is 0
	runs unsafe.Pointer // of the headers, one for each page: those of a run's first page count
	back unsafe.Pointer // one byte for each page: how many pages before it its run begins

	whole    unsafe.Pointer // what was reserved: pages, headers, back
	wholeLen uintptr
	chunks   int // that fit into what was reserved

	mu struct {
		sync.Mutex
		pages
	}
}

// Stats are sizes in bytes.
type Stats struct {
	Reserved int64 // addresses
	Mapped   int64 // pages given to heaps and spans
	Free     int64 // pages that are free and still resident: what Trim can give back
	Meta     int64 // memory of the arena's own tables
}

// run is the header of a run: one cache line, so that two shards never share one.
type run struct {
	free       [maxCells / 64]uint64 // a bit for each cell
	next, prev uint32                // pages of the runs of the same list; 0 is none
	used       uint32                // cells
	class      uint8
	list       uint8
	_          [18]byte
}

const runSize = 64

var _ [0]struct{} = [unsafe.Sizeof(run{}) - runSize]struct{}{}

// NewArena reserves a range of addresses: eight times the machine's memory, where
// that is known, up to 1 TB, or as much as the system grants. That costs no memory.
// Less than 64 MB is an error.
func NewArena() (*Arena, error) {
	size := maxReserve
	if n := physicalMemory(); n > 0 && n < maxReserve/8 {
		// A power of two. Not more than can be of use: a process has 128 TB for
		// all of its arenas, and tests make hundreds.
		size = max(minReserve, 1<<bits.Len(uint(8*n-1)))
	}
	return newArena(size)
}

func newArena(size int) (*Arena, error) {
	for ; ; size /= 2 {
		if size < minReserve {
			return nil, fmt.Errorf("%w: cannot reserve %d bytes of addresses", ErrFull, minReserve)
		}
		n := size / chunkSize
		headers := n * chunkPages * runSize
		total := uintptr(size + headers + roundUp(n*chunkPages, chunkSize))
		whole, err := reserve(total)
		if err != nil {
			continue
		}
		a := &Arena{whole: whole, wholeLen: total, chunks: n}
		a.base = whole
		a.runs = unsafe.Add(a.base, size)
		a.back = unsafe.Add(a.runs, headers)
		a.mu.huge = hugePages()
		a.mu.Lock()
		_, err = a.takeLocked(1) // page 0
		a.mu.Unlock()
		if err != nil {
			a.Close()
			return nil, err
		}
		return a, nil
	}
}

// Close gives everything back. Nobody may be using the arena, or use it after.
func (a *Arena) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.whole == nil {
		return
	}
	release(a.whole, a.wholeLen)
	a.whole, a.base, a.runs, a.back = nil, nil, nil, nil
	a.chunks = 0
	a.mu.pages = pages{}
}

// Bytes are the first n bytes of a cell. Nothing is checked.
func (a *Arena) Bytes(r Ref, n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(a.base, r*8)), n)
}

// Pointer is a cell's address.
func (a *Arena) Pointer(r Ref) unsafe.Pointer { return unsafe.Add(a.base, r*8) }

func (a *Arena) run(page uint32) *run {
	return (*run)(unsafe.Add(a.runs, uintptr(page)*runSize))
}

func (a *Arena) backOf(page uint32) *uint8 {
	return (*uint8)(unsafe.Add(a.back, page))
}

// Stats are the sizes now.
func (a *Arena) Stats() Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	return Stats{
		Reserved: int64(a.chunks) * chunkSize,
		Mapped:   max(0, a.mu.taken-1) * pageSize,
		Free:     a.mu.dirty * pageSize,
		Meta:     a.mu.touched * chunkPages * (runSize + 1),
	}
}

// take hands out n pages in a row and returns the first.
func (a *Arena) take(n int) (uint32, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.takeLocked(n)
}

func (a *Arena) takeLocked(n int) (uint32, error) {
	p, ok := a.mu.find(n)
	if !ok {
		if err := a.growLocked(n); err != nil {
			return 0, err
		}
		if p, ok = a.mu.find(n); !ok {
			return 0, ErrFull
		}
	}
	a.mu.take(p, n)
	return uint32(p), nil
}

// give takes n pages back.
func (a *Arena) give(page uint32, n int) {
	a.mu.Lock()
	a.mu.give(int(page), n, true)
	a.mu.Unlock()
}

// growLocked makes more chunks usable: at least as many as n pages in a row
// need, else an eighth of what there is, so that the system is seldom called.
func (a *Arena) growLocked(n int) error {
	have := len(a.mu.chunks)
	need := (n + chunkPages - 1) / chunkPages
	if need > a.chunks-have {
		return ErrFull
	}
	more := min(max(need, min(have/8, maxGrow/chunkSize)), a.chunks-have)
	end := have + more
	data := unsafe.Add(a.base, have*chunkSize)
	err := errors.Join(
		commit(data, uintptr(more)*chunkSize),
		commit(unsafe.Add(a.runs, have*chunkPages*runSize), uintptr(more)*chunkPages*runSize),
		// Whole pages of it, some of them once more.
		commit(unsafe.Add(a.back, have*chunkPages/pageSize*pageSize),
			uintptr(roundUp(end*chunkPages, pageSize)-have*chunkPages/pageSize*pageSize)),
	)
	if err != nil {
		return errors.Join(ErrFull, err)
	}
	if a.mu.huge {
		adviseHuge(data, uintptr(more)*chunkSize)
	}
	a.mu.grow(more)
	return nil
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }
