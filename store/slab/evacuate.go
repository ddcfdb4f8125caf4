package slab

const (
	maxLoose  = 8 // a class is left alone while 1/maxLoose of its cells or less are free
	lookAhead = 8 // runs of a list that are compared to find the emptiest
)

// Evacuate empties some of the emptiest runs, where a size has more free cells
// than it needs, so that their pages can be used for others. For each cell it
// calls move, which should allocate another (never in the run under
// evacuation), copy size bytes, and free r; it must not call Evacuate or Reset.
// A cell that move does not free stays.
//
// Evacuate stops after it has moved budget bytes of cells, or a few more, as a
// run is evacuated as a whole: at most 256 cells and 128 kB. It returns true if
// there is more to do.
func (h *Heap) Evacuate(budget int, move func(r Ref, size int)) (more bool) {
	for range numClasses {
		for {
			page := h.emptiest(h.cursor)
			if page == 0 {
				break
			}
			if budget <= 0 {
				return true
			}
			n, ok := h.evacuate(h.cursor, page, move)
			budget -= n
			if !ok {
				break
			}
		}
		h.cursor = (h.cursor + 1) % numClasses
	}
	return false
}

// emptiest is a run of the class worth evacuating, or 0.
func (h *Heap) emptiest(c uint8) uint32 {
	l, cells := &h.lists[c], classes[c].cells
	free := uint32(l.cells - l.used)
	if free <= uint32(l.cells)/maxLoose || free < cells {
		return 0
	}
	for list := listEmpty; list < listFull; list++ {
		best, page := cells, uint32(0)
		p := l.head[list]
		for i := 0; p != 0 && i < lookAhead; i++ {
			r := h.a.run(p)
			if r.used < best {
				best, page = r.used, p
			}
			p = r.next
		}
		if page != 0 {
			return page
		}
	}
	return 0
}

// evacuate moves the cells of a run. It returns the bytes moved, and whether
// the run is gone.
func (h *Heap) evacuate(c uint8, page uint32, move func(r Ref, size int)) (moved int, ok bool) {
	l, cl, r := &h.lists[c], &classes[c], h.a.run(page)
	h.unlink(l, r, page)
	h.moving = page
	for at := uint32(0); at < cl.cells && h.moving != 0; at++ { // with its last cell the header is another's
		if r.free[at>>6]>>(at&63)&1 == 0 {
			move(Ref(page)*pageUnits+Ref(at*cl.units), cl.size)
			moved += cl.size
		}
	}
	if h.moving != 0 {
		h.moving = 0
		h.link(l, r, page, listOf(r.used, cl.cells))
		return moved, false
	}
	return moved, true
}
