package expire

import (
	"fmt"

	"github.com/nearcache/nearcache/store/slab"
)

// Validate looks at the whole structure and returns the first thing that is not as
// it should be.
func (w *Wheel) Validate() error {
	n, used := 0, 0
	for slot := range uint32(levels * slots) {
		head := w.head(slot)
		if occupied := w.occupied[slot/slots]>>(slot%slots)&1 != 0; occupied != (head != 0) {
			return fmt.Errorf("slot %d: first chunk %d, occupied %t", slot, head, occupied)
		}
		prev := uint32(0)
		for c := head; c != 0; c = w.next(c) {
			used++
			if w.blocks[c/64].free>>(c%64)&1 != 0 || w.slot(c) != slot || w.prev(c) != prev {
				return fmt.Errorf("chunk %d of slot %d: free, or of slot %d, or after %d instead of %d", c, slot, w.slot(c), w.prev(c), prev)
			}
			k := w.count(c)
			if k < 1 || k > chunkRefs || k < chunkRefs && c != head {
				return fmt.Errorf("chunk %d of slot %d has %d references", c, slot, k)
			}
			n += k
			prev = c
		}
	}
	inUse := 0
	for i := range w.blocks {
		for m := w.inUse(i); m != 0; m &= m - 1 {
			inUse++
		}
		if i < w.lowest && w.blocks[i].free != 0 {
			return fmt.Errorf("block %d has room, the lowest is %d", i, w.lowest)
		}
	}
	if inUse != used || n != w.n || used != w.used {
		return fmt.Errorf("%d references in %d chunks, %d chunks in use; says %d in %d", n, used, inUse, w.n, w.used)
	}
	return nil
}

// Holds reports whether a reference lies at place.
func (w *Wheel) Holds(ref slab.Ref, place uint32) bool {
	if int(place/64) >= len(w.blocks) || w.blocks[place/64].free>>(place%64)&1 != 0 {
		return false
	}
	for i := range w.count(place) {
		if w.get(place, i) == ref {
			return true
		}
	}
	return false
}
