package hnsw

import (
	"math"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/slot"
)

// walkCost is how many rows a walk compares for each place in its pool,
// measured as time in units of a scan's row. BenchmarkFilter on 30,000 x 384:
// with a fifth allowed, ef=32 walks in 0.75 of the scan's time, ef=64 in 1.3.
const walkCost = 24

// worthAWalk reports whether a walk to ef nodes that the filter lets through
// costs less than a scan of them, and sets the walk's budget.
func (g *Graph) worthAWalk(sc *scratch, ef, size int) bool {
	// A walk goes through size/allowed nodes for each that counts.
	m := sc.allow.Len()
	if m*m <= walkCost*ef*size {
		return false
	}
	sc.budget = m + walkCost*ef // what is allowed lies far from the query
	return true
}

// filtered reports whether the filter lets none of the node's labels through.
func (g *Graph) filtered(sc *scratch, s uint32) bool {
	if !hasBit(g.heads, s) {
		return !sc.allow.Contains(g.label(s)) || g.buried(s)
	}
	for {
		n := g.node(s)
		if n.has(live) && sc.allow.Contains(g.label(s)) {
			return false
		}
		next := n.next.Load()
		if next == 0 {
			return true
		}
		s = next - 1
	}
}

// A scan asks whether to stop after so many rows, or so many bytes of them:
// that is a millisecond at most.
const (
	scanRows  = 4096
	scanBytes = 4 << 20
)

// scan offers every allowed vector within radius to top, or collects it in
// sc.found if top is nil. Where there are codes, it computes exactly what they
// cannot prove to lie outside.
func (g *Graph) scan(sc *scratch, o index.SearchOptions, radius float64, top *slot.Top) {
	x := scanner{g: g, sc: sc, top: top, bound: radius, inside: g.space.Reach(radius), stop: o.Stop}
	x.every = min(scanBytes/g.rough.stride, scanRows)
	if top != nil && top.Full() {
		x.nearer(top.Worst())
	}
	count := g.alloc.Count()
	if o.Allow != nil && o.Allow.Len() < count/lookUpShare {
		at := g.labels.Cursor()
		o.Allow.Each(func(l index.Label) bool {
			s := at.Slot(l)
			return s == slot.None || x.add(s)
		})
	} else {
		for s := range uint32(count) {
			if (o.Allow == nil || o.Allow.Contains(g.label(s))) && g.node(s).has(live) && !x.add(s) {
				break
			}
		}
	}
	x.flush()
}

// lookUpShare: where less than this part of all is allowed, to look each label
// up is cheaper than to go by all slots.
const lookUpShare = 4

// scanner is a scan under way. Its slots wait in sc.batch.
type scanner struct {
	g      *Graph
	sc     *scratch
	top    *slot.Top
	bound  float64 // nothing beyond it is a result
	inside float32 // the same for the walk's distances
	n      int     // slots that wait
	rows   int     // read since stop was asked
	every  int     // rows after which it is
	stop   func() bool
}

// nearer brings the bound in.
func (x *scanner) nearer(d float64) {
	if d < x.bound {
		x.bound, x.inside = d, x.g.space.Reach(d)
	}
}

// add takes a slot whose label is allowed; false ends the scan.
func (x *scanner) add(s uint32) bool {
	x.sc.batch[x.n] = s
	if x.n++; x.n < chunk {
		return true
	}
	x.rows += x.n
	x.flush()
	if x.rows < x.every || x.stop == nil {
		return true
	}
	x.rows = 0
	return !x.stop()
}

// flush computes the distances of the slots that wait.
func (x *scanner) flush() {
	g, sc, slots := x.g, x.sc, x.sc.batch[:x.n]
	x.n = 0
	if g.codec != nil && len(slots) > 0 && !math.IsInf(x.bound, 1) {
		g.distances(sc.dist, sc.query, slots)
		n := 0
		for i, d := range sc.dist[:len(slots)] {
			slots[n] = slots[i]
			if g.lower(d, sc.query, slots[i]) <= x.inside {
				n++
			}
		}
		slots = slots[:n]
	}
	g.exactly(sc, sc.wdist, slots)
	for i, s := range slots {
		d := sc.wdist[i]
		if !(d <= x.bound) {
			continue
		}
		nb := index.Neighbor{Label: g.label(s), Distance: d}
		if x.top == nil {
			sc.found = append(sc.found, nb)
			continue
		}
		x.top.Offer(nb)
		if x.top.Full() {
			x.nearer(x.top.Worst())
		}
	}
}
