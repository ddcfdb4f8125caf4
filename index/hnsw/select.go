package hnsw

import (
	"slices"
	"sync/atomic"
	"unsafe"
)

// distances fills dst with the walk's distances from the query form at q to slots.
func (g *Graph) distances(dst []float32, q unsafe.Pointer, slots []uint32) {
	g.rough.dist(unsafe.SliceData(dst), q, g.rough.arena.Base(), unsafe.SliceData(slots), len(slots))
}

// between fills dst with the distances from a node's query form to slots, as
// neighbours are chosen by.
func (g *Graph) between(dst []float32, q unsafe.Pointer, slots []uint32) {
	g.fine.dist(unsafe.SliceData(dst), q, g.fine.arena.Base(), unsafe.SliceData(slots), len(slots))
}

// queryOf is a node's query form for between.
func (g *Graph) queryOf(sc *scratch, s uint32) unsafe.Pointer {
	row := g.fine.at(s)
	if g.fine.query == nil {
		return row
	}
	g.fine.query(sc.other, row)
	return sc.other
}

// tied reports whether the tree ties a to b. It ties none to what is being removed.
func (g *Graph) tied(a, b uint32) bool {
	n := g.node(b)
	return (g.node(a).parent.Load() == b+1 || n.parent.Load() == a+1) && !n.has(doomed)
}

// selectNeighbors is the paper's algorithm 4: of the candidates, nearest
// first, those that are nearer to s than to each one selected before. What the
// tree ties to s is selected in any case (at level 0). The result is sc.kept.
func (g *Graph) selectNeighbors(sc *scratch, cand []uint64, s uint32, level, limit int) []uint32 {
	free := limit
	if level == 0 {
		free -= g.markTied(cand, s)
	}
	return g.selectMarked(sc, cand, free)
}

// bound marks a candidate that is selected in any case.
const bound = 1

// markTied marks the candidates that the tree ties to s, and counts them. Once
// for all: a repair gives s another parent without its stripe, and what is then
// tied and was not counted would take the place of a child.
func (g *Graph) markTied(cand []uint64, s uint32) (n int) {
	for i, k := range cand {
		if g.tied(s, keySlot(k)) {
			cand[i] |= bound
			n++
		}
	}
	return n
}

// selectMarked selects all that is marked and up to free others.
func (g *Graph) selectMarked(sc *scratch, cand []uint64, free int) []uint32 {
	kept := sc.kept[:0]
	for _, k := range cand {
		c := keySlot(k)
		switch {
		case k&bound != 0:
			kept = append(kept, c)
		case free > 0 && g.diverse(sc, kept, c, keyDistance(k)):
			kept = append(kept, c)
			free--
		}
	}
	sc.kept = kept
	return kept
}

// diverse reports whether c is no nearer to any of kept than d.
func (g *Graph) diverse(sc *scratch, kept []uint32, c uint32, d float32) bool {
	if len(kept) == 0 {
		return true
	}
	row := g.queryOf(sc, c)
	for len(kept) > 0 {
		n := min(len(kept), 8) // the nearest decide most, so not all at once
		g.between(sc.cdist, row, kept[:n])
		for _, x := range sc.cdist[:n] {
			if x < d {
				return false
			}
		}
		kept = kept[n:]
	}
	return true
}

// sorted makes keys of slots by their distance from s: sc.cand.
func (g *Graph) sorted(sc *scratch, s uint32, slots []uint32) []uint64 {
	sc.cand = sc.cand[:0]
	row := g.queryOf(sc, s)
	start, all := g.readAhead(slots), len(slots)
	for len(slots) > 0 {
		n := min(len(slots), len(sc.cdist))
		g.between(sc.cdist, row, slots[:n])
		for i, o := range slots[:n] {
			sc.cand = append(sc.cand, toKey(sc.cdist[i], o))
		}
		slots = slots[n:]
	}
	g.haveRead(start, all)
	slices.Sort(sc.cand)
	return sc.cand
}

// writeLocked makes the node's list hold what is in slots.
func (g *Graph) writeLocked(level int, s uint32, slots []uint32) {
	l := g.list(level, s)
	for i, o := range slots {
		atomic.StoreUint32(&l[i], o+1)
	}
	for i := len(slots); i < len(l) && atomic.LoadUint32(&l[i]) != 0; i++ {
		atomic.StoreUint32(&l[i], 0)
	}
}

// linkLocked adds to to from's list. If it is full, the list is selected anew.
// Nothing links to what is doomed: its tree children are the repair's business.
func (g *Graph) linkLocked(sc *scratch, level int, from, to uint32) {
	if g.node(to).has(doomed) {
		return
	}
	l := g.list(level, from)
	all := sc.cslot[:0]
	for i := range l {
		v := atomic.LoadUint32(&l[i])
		switch v {
		case to + 1:
			return
		case 0:
			atomic.StoreUint32(&l[i], to+1)
			return
		}
		all = append(all, v-1)
	}
	all = append(all, to)
	sc.cslot = all
	g.writeLocked(level, from, g.selectNeighbors(sc, g.sorted(sc, from, all), from, level, len(l)))
}
