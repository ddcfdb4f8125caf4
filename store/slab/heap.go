package slab

import (
	"fmt"
	"math/bits"
)

// Heap hands out the cells of one owner, which locks it.
type Heap struct {
	a      *Arena
	used   int64
	held   int64
	spare  uint8  // class whose current run may be empty, and kept to be used again
	moving uint32 // page of the run under evacuation; 0 is none
	cursor uint8  // class at which Evacuate goes on
	lists  [numClasses]lists
}

// lists are a class' runs. Allocation takes from the current run until it is
// full, then goes on with one of the fullest: half-empty runs get the time to
// become empty.
type lists struct {
	head    [listFull + 1]uint32 // first pages, by list; 0 is none
	current uint32               // page of the run in use, in no list; 0 is none
	cells   int32                // of all runs
	used    int32                // of them
}

// The lists of a class: a run in list n is at least (n-1)/4 full. A run grows
// fuller only while it is the current one, so a listed one only moves down.
const (
	noRun     = 0 // free pages; also of a header that was given back to the system
	listEmpty = 1 // less than a quarter
	listFull  = 5
	unlisted  = 6 // the current run, or the one under evacuation

	quarters = listFull - listEmpty
)

func listOf(used, cells uint32) uint32 { return listEmpty + used*quarters/cells }

// Init makes the heap, which is empty, use a.
func (h *Heap) Init(a *Arena) { h.a = a }

// Used are the bytes of the cells in use.
func (h *Heap) Used() int64 { return h.used }

// Held are the bytes of the pages that the cells lie in.
func (h *Heap) Held() int64 { return h.held }

// Alloc returns a cell of n bytes or a few more, whose content is undefined,
// 0 <= n <= MaxCell. It panics with [ErrFull] if the system refuses memory.
func (h *Heap) Alloc(n int) Ref {
	c := classOf[uint(n+7)>>3]
	cl, l := &classes[c], &h.lists[c]
	if l.current == 0 {
		h.refill(c)
	}
	page := l.current
	r := h.a.run(page)
	w := 0
	for r.free[w] == 0 {
		w++
	}
	at := uint32(w)<<6 + uint32(bits.TrailingZeros64(r.free[w]))
	r.free[w] &= r.free[w] - 1
	r.used++
	l.used++
	h.used += int64(cl.size)
	if r.used == cl.cells {
		l.current = 0
		h.link(l, r, page, listFull)
	}
	return Ref(page)*pageUnits + Ref(at*cl.units)
}

// Free gives a cell back. n is any size that [Cell] rounds to the same one as
// that of Alloc. It panics if there is no such cell in use.
func (h *Heap) Free(ref Ref, n int) {
	c := classOf[uint(n+7)>>3]
	cl, l := &classes[c], &h.lists[c]
	page := uint32(ref / pageUnits)
	if cl.pages > 1 {
		page -= uint32(*h.a.backOf(page))
	}
	r := h.a.run(page)
	off := uint32(ref - Ref(page)*pageUnits)
	at := uint32(uint64(off) * cl.magic >> 32)
	w, b := at>>6&(maxCells/64-1), uint64(1)<<(at&63)
	if r.class != c || r.list == noRun || at*cl.units != off || at >= cl.cells || r.free[w]&b != 0 {
		panic(fmt.Sprintf("slab: no cell of %d bytes in use at %#x", cl.size, ref))
	}
	r.free[w] |= b
	r.used--
	l.used--
	h.used -= int64(cl.size)
	switch {
	case r.used == 0:
		h.emptied(c, page)
	case r.list != unlisted && r.used*quarters < uint32(r.list-listEmpty)*cl.cells:
		h.unlink(l, r, page)
		h.link(l, r, page, listOf(r.used, cl.cells))
	}
}

// refill finds a run with free cells for the class, or takes a new one.
func (h *Heap) refill(c uint8) {
	l := &h.lists[c]
	for i := listFull - 1; i >= listEmpty; i-- {
		if page := l.head[i]; page != 0 {
			r := h.a.run(page)
			h.unlink(l, r, page)
			l.current = page
			return
		}
	}
	cl := &classes[c]
	page, err := h.a.take(int(cl.pages))
	if err != nil {
		panic(err)
	}
	r := h.a.run(page)
	*r = run{class: c, list: unlisted}
	for w := range r.free {
		r.free[w] = mask(w, 0, int(cl.cells))
	}
	for i := range cl.pages {
		*h.a.backOf(page + i) = uint8(i)
	}
	l.current = page
	l.cells += int32(cl.cells)
	h.held += int64(cl.pages) * pageSize
}

// emptied is told of a run whose last cell was freed. It goes back to the arena.
// A current run is kept, lest a single cell that comes and goes takes pages each
// time: one in all the heap, and none when nothing else is left.
func (h *Heap) emptied(c uint8, page uint32) {
	l := &h.lists[c]
	if page != l.current {
		if r := h.a.run(page); r.list != unlisted {
			h.unlink(l, r, page)
		}
		if page == h.moving {
			h.moving = 0
		}
		h.release(c, page)
	} else if h.spare != c {
		h.dropSpare()
		h.spare = c
	}
	if h.used == 0 {
		h.dropSpare()
	}
}

func (h *Heap) dropSpare() {
	l := &h.lists[h.spare]
	if l.current != 0 && h.a.run(l.current).used == 0 {
		h.release(h.spare, l.current)
		l.current = 0
	}
}

// release gives a run's pages back.
func (h *Heap) release(c uint8, page uint32) {
	cl := &classes[c]
	h.a.run(page).list = noRun
	h.lists[c].cells -= int32(cl.cells)
	h.held -= int64(cl.pages) * pageSize
	h.a.give(page, int(cl.pages))
}

func (h *Heap) link(l *lists, r *run, page, list uint32) {
	r.list = uint8(list)
	r.prev, r.next = 0, l.head[list]
	if r.next != 0 {
		h.a.run(r.next).prev = page
	}
	l.head[list] = page
}

func (h *Heap) unlink(l *lists, r *run, page uint32) {
	if r.prev != 0 {
		h.a.run(r.prev).next = r.next
	} else {
		l.head[r.list] = r.next
	}
	if r.next != 0 {
		h.a.run(r.next).prev = r.prev
	}
	r.list = unlisted
}

// Reset gives all cells back.
func (h *Heap) Reset() {
	for c := range h.lists {
		l := &h.lists[c]
		for _, page := range l.head {
			for page != 0 {
				next := h.a.run(page).next
				h.release(uint8(c), page)
				page = next
			}
		}
		if l.current != 0 {
			h.release(uint8(c), l.current)
		}
		*l = lists{}
	}
	h.used = 0
}
