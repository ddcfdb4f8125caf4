package hnsw

import (
	"math"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/slot"
)

// SearchWhere is Search among the labels that pass lets through, where to know
// them all in advance would cost too much. It walks through the others, asks
// pass for what it comes to, and ends when it has asked for effort labels: with
// the nearest k of those that it found, fewer if there are not more.
//
// pass is called by this goroutine only, at times twice for a label. It may be
// asked for a label that is removed meanwhile.
func (g *Graph) SearchWhere(dst []index.Neighbor, q []byte, k, ef int, pass func(index.Label) bool, effort int) ([]index.Neighbor, error) {
	// A sorted pool pays for what is hidden, too.
	ef, effort = max(ef, k), min(effort, maxPool)
	if size := g.Len(); ef >= size/4 || ef >= maxPool || effort >= size {
		var allow index.Bitmap
		g.eachLabel(func(l index.Label) {
			if pass(l) {
				allow.Add(l)
			}
		})
		return g.Search(dst, q, k, index.SearchOptions{EF: ef, Allow: &allow})
	}
	c := g.pool.Enter()
	defer g.pool.Leave(c)
	sc := &c.S
	if err := g.load(sc, q); err != nil {
		return dst, err
	}
	if k <= 0 {
		return dst, nil
	}
	g.asSearch(sc)
	ef = g.poolSize(ef)
	sc.allow, sc.pass, sc.effort = nil, pass, effort
	defer func() { sc.pass = nil }()
	return g.moves.Search(dst, k, func(dst []index.Neighbor) []index.Neighbor {
		sc.evals, sc.budget, sc.hops, sc.asked = 0, 0, false, 0
		if !g.enter(sc, max(ef/startShare, 1)) {
			return dst
		}
		g.start(sc, ef, len(sc.near))
		g.beginSketch(sc, false)
		g.explore(sc, 0, nil)
		return g.results(dst, sc, k)
	}, g.allowed(sc, math.Inf(1))), nil
}

// refused reports whether pass lets none of the node's labels through.
func (g *Graph) refused(sc *scratch, s uint32) bool {
	for {
		n := g.node(s)
		if n.has(live) {
			if sc.asked++; sc.pass(g.label(s)) {
				return false
			}
		}
		next := n.next.Load()
		if next == 0 {
			return true
		}
		s = next - 1
	}
}

// eachLabel calls f with every label.
func (g *Graph) eachLabel(f func(index.Label)) {
	c := g.pool.Enter()
	defer g.pool.Leave(c)
	for s := range uint32(g.alloc.Count()) {
		if g.node(s).has(live) {
			f(g.label(s))
		}
	}
}

// Row appends the components of the label's vector to dst, as they are kept: as
// they came, under COSINE those of floats at length 1. false where there is no
// such label, or where the vectors are not kept as they came (SQ8ONLY, and
// FLOAT32 with NONE).
func (g *Graph) Row(dst []byte, l index.Label) ([]byte, bool) {
	if g.codesOnly {
		return dst, false
	}
	c := g.pool.Enter()
	defer g.pool.Leave(c)
	s := g.labels.Slot(l)
	if s == slot.None {
		return dst, false
	}
	return append(dst, g.components(s)...), true
}

func (g *Graph) components(s uint32) []byte {
	return g.vectors.bytes(s)[:g.params.Dim*g.params.Element.Size()]
}

// EachRow calls f with every label and its row, see Row, until f returns false.
// The row must not be kept. What is added meanwhile may be missing.
func (g *Graph) EachRow(f func(l index.Label, row []byte) bool) {
	if g.codesOnly {
		return
	}
	c := g.pool.Enter()
	defer g.pool.Leave(c)
	for s := range uint32(g.alloc.Count()) {
		if g.node(s).has(live) && !f(g.label(s), g.components(s)) {
			return
		}
	}
}

// Links calls f with the labels that the label's node links to at each level,
// from its highest down to 0; false where there is no such label. Of equal
// vectors, which share a node, one is named, and at level 0 also those of the
// label's own node.
func (g *Graph) Links(l index.Label, f func(level int, to []index.Label)) bool {
	c := g.pool.Enter()
	defer g.pool.Leave(c)
	own := g.labels.Slot(l)
	if own == slot.None {
		return false
	}
	head := own
	if n := g.node(own); n.has(dup) {
		head = n.parent.Load() - 1
	}
	sc := &c.S
	sc.allow, sc.pass = nil, nil
	var to []index.Label
	for level := g.node(head).level(); level >= 0; level-- {
		to = to[:0]
		if level == 0 {
			g.emit(sc, head, func(x index.Label, s uint32) bool {
				if s != own {
					to = append(to, x)
				}
				return true
			})
		}
		for _, s := range g.snapshot(sc, level, head) {
			g.emit(sc, s, func(x index.Label, _ uint32) bool {
				to = append(to, x)
				return false
			})
		}
		f(level, to)
	}
	return true
}
