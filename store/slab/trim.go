package slab

import (
	"math/bits"
	"unsafe"
)

const (
	// A huge page is broken up only for this many pages: breaking it costs its
	// users a TLB entry for each page.
	minSplit = chunkPages / 16
	// Chunks with and without huge pages are areas of their own to the kernel,
	// which allows 65,530 of them to a process.
	maxSplit = 16 << 10
)

// Trim gives up to max bytes of free pages back to the system, whole chunks
// first, and returns how many bytes it gave back, which may be more than max by
// less than 2 MB. Pages scattered so thinly that a huge page would be broken up
// for little stay. The arena is not locked while the system is called.
func (a *Arena) Trim(max int) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	given := 0
	for _, whole := range []bool{true, false} {
		// From above: high addresses are the last to be used again.
		for i := len(a.mu.chunks) - 1; i >= 0 && given < max && a.mu.dirty+a.mu.split > 0; i-- {
			c := &a.mu.chunks[i]
			switch {
			case c.ndirty == 0:
				a.mu.mend(a, i)
			case whole != (c.nfree == chunkPages):
			case !whole && a.mu.huge && !c.split && (c.ndirty < minSplit || a.mu.split >= maxSplit):
			default:
				given += a.discardLocked(i)
			}
			if i%256 == 0 { // of a large arena there is much to look through
				a.mu.Unlock()
				a.mu.Lock()
			}
		}
	}
	return given
}

// discardLocked gives the free pages of a chunk back to the system. They are
// held meanwhile, so that the lock need not be; it is again in the end.
func (a *Arena) discardLocked(i int) (bytes int) {
	s := &a.mu.pages
	c := &s.chunks[i]
	whole, split := c.nfree == chunkPages, c.split
	rows := c.dirty
	if whole {
		rows = c.free // nobody may write a header, either
	}
	bytes = int(c.ndirty) * pageSize
	s.hold(i, &rows)
	if want := !whole && s.huge; want != split {
		s.setSplit(i, want)
	}
	a.mu.Unlock()

	base := unsafe.Add(a.base, i*chunkSize)
	if !whole && s.huge && !split {
		adviseSmall(base, chunkSize) // else the kernel makes it whole again in the background
	}
	for at := next(&rows, 0, 0); at < chunkPages; {
		end := next(&rows, at, ^uint64(0))
		discard(unsafe.Add(base, at*pageSize), uintptr(end-at)*pageSize)
		at = next(&rows, end, 0)
	}
	if whole {
		discard(unsafe.Add(a.runs, i*chunkPages*runSize), chunkPages*runSize)
		if split {
			adviseHuge(base, chunkSize)
		}
	}

	a.mu.Lock()
	if whole {
		s.chunks[i].touched = false
		s.touched--
	}
	s.unhold(i, &rows)
	return bytes
}

// hold makes free pages unavailable.
func (s *pages) hold(i int, rows *[chunkPages / 64]uint64) {
	c := &s.chunks[i]
	s.dirty -= int64(c.ndirty)
	c.ndirty = 0
	clear(c.dirty[:])
	for w, m := range rows {
		c.free[w] &^= m
		c.nfree -= uint16(bits.OnesCount64(m))
	}
	s.measure(i)
}

// unhold makes them available again; they are not resident any more.
func (s *pages) unhold(i int, rows *[chunkPages / 64]uint64) {
	c := &s.chunks[i]
	for w, m := range rows {
		c.free[w] |= m
		c.nfree += uint16(bits.OnesCount64(m))
	}
	s.measure(i)
}

func (s *pages) setSplit(i int, split bool) {
	s.chunks[i].split = split
	if split {
		s.split++
	} else {
		s.split--
	}
}

// mend wants huge pages again where nearly every page is in use again.
func (s *pages) mend(a *Arena, i int) {
	if c := &s.chunks[i]; c.split && c.nfree < minSplit/2 {
		s.setSplit(i, false)
		adviseHuge(unsafe.Add(a.base, i*chunkSize), chunkSize)
	}
}
