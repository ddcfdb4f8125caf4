package hnsw

import (
	"math"
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/kernel"
	"github.com/nearcache/nearcache/index/slot"
)

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
	x.every = min(scanBytes/g.rough.size, scanRows)
	if top != nil && top.Full() {
		x.nearer(top.Worst())
	}
	count := g.alloc.Count()
	if o.Allow != nil && o.Allow.Len() < count {
		at := g.labels.Cursor()
		o.Allow.Each(func(l index.Label) bool {
			s := at.Slot(l)
			return s == slot.None || x.add(s, 1)
		})
	} else {
		allowed := 1
		for s := range uint32(count) {
			if o.Allow != nil {
				allowed = int(o.Allow.Bit(g.label(s)))
			}
			if !x.add(s, allowed&int(g.node(s).state.Load()&live)) {
				break
			}
		}
	}
	x.flush()
	x.flush()
}

// scanner is a scan under way. Its slots wait in sc.later, then in sc.batch.
type scanner struct {
	g      *Graph
	sc     *scratch
	top    *slot.Top
	bound  float64 // nothing beyond it is a result
	inside float32 // the same for the walk's distances
	n      int     // slots that wait
	ready  int     // slots whose rows are under way
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

// add takes a slot if take is 1, without a branch on that; false ends the scan.
func (x *scanner) add(s uint32, take int) bool {
	x.sc.later[x.n] = s
	if x.n += take; x.n < chunk {
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

// flush computes the distances of the slots whose rows are under way, and
// fetches those of the slots that wait.
func (x *scanner) flush() {
	g, sc := x.g, x.sc
	slots := sc.batch[:x.ready]
	kernel.Fetch(unsafe.SliceData(sc.later), x.n, g.rough.arena.Base(), g.rough.stride, g.rough.lines)
	sc.batch, sc.later = sc.later, sc.batch
	x.ready, x.n = x.n, 0
	if g.codec != nil && len(slots) > 0 && !math.IsInf(x.bound, 1) {
		d := sc.dist[:len(slots)]
		g.distances(d, sc.query, slots)
		g.lowers(d, sc.query, slots)
		n := 0
		for i, low := range d {
			if low <= x.inside {
				slots[n] = slots[i]
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
