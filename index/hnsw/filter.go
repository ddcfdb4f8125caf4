package hnsw

import (
	"sync/atomic"
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/kernel"
	"github.com/nearcache/nearcache/index/slot"
)

// A search under a filter goes one of three ways, by what they will cost:
//
//	scan   all that the filter lets through, exactly
//	hops   walks only among what it lets through: from a node to its neighbours,
//	       and through those that the filter hides to theirs (as ACORN does, Patel
//	       et al., 2024). No distance of a hidden node is computed.
//	plain  walks as without a filter, through what is hidden
//
// What a plain walk costs depends on the share that the filter lets through near
// the query, which is not that of all where the filter has to do with the
// vectors. So the nearest nodes of level 1, in which a walk begins, are asked.
//
// Where it lets none of them through, what is wanted lies at the rim of what is
// hidden. If that is far on one side, hops find it with a larger pool. If it is
// all around the query, it is in many places, and they find that near where
// they began. So they walk twice, from other nodes, and a scan it is unless
// both find the same.
type way int

const (
	scan way = iota
	hops
	plain
)

// What the ways cost, in rows of a scan. Measured as time on 29,000 x 384
// (cosine) and 99,000 x 128 (L2) for 1% to 95% let through, at random, near the
// query, far from it and around it: a row of a scan takes 25 to 30 ns, an
// expansion in a plain walk 0.5 to 0.6 us, and one of hops 2.5 to 3.5 us.
const (
	plainCost = 20
	hopCost   = 120
)

const (
	// probes is how many nodes near the query are asked.
	probes = 16
	// leastShare: of fewer, hops do not reach enough. At 2% their recall@10 is
	// 0.90 to 0.94 at ef=32.
	leastShare = 0.02
	// thinShare: of fewer, a pool for hops is half as large again. At 5%, that is
	// a recall of 0.99 and not 0.96.
	thinShare = 0.15
	// farPool and farMost are how much larger a pool is for what lies far, in
	// times and in nodes. At 20%, that is a recall of 0.96 and not 0.87.
	farPool, farMost = 3, 256
	// holeShare: of more, but none near the query, what is hidden is taken to be a
	// hole. The walk goes through it, and gives up after holeEvals times ef distances.
	holeShare, holeEvals = 0.9, 64
	// hopRows: where so many neighbours are let through, no more hidden ones are
	// looked through.
	hopRows = 64
	// hopSeeds is how many of what is let through are in the pool from the start.
	hopSeeds = 32
)

// choose says which way the search goes. Where that is a plain walk, it has put
// the first nodes into the pool.
func (g *Graph) choose(sc *scratch, ef, size int) way {
	m := min(sc.allow.Len(), size)
	// To ask costs half of what a plain walk does at best.
	if m <= 2*plainCost*ef || !g.enter(sc, max(ef/startShare, probes)) {
		return scan
	}
	passed := 0
	for _, k := range sc.near {
		if !g.filtered(sc, keySlot(k)) {
			passed++
		}
	}
	share := float64(m) / float64(size)
	local := (float64(passed) + share) / float64(len(sc.near)+1)
	plainAll := int(plainCost * float64(ef) / local)

	want := ef
	if share < thinShare {
		want += ef / 2
	}
	most := want + min(farPool*want, farMost)
	hopAll := hopCost * want
	if passed == 0 {
		hopAll = 3 * hopCost * most // they walk twice, and one in three times in vain
		if share >= holeShare {
			// What is hidden is perhaps just a hole around the query.
			sc.budget = holeEvals * ef
			g.start(sc, 2*ef, ef/startShare)
			return plain
		}
	}
	switch {
	case passed > 0 && plainAll <= min(hopAll, m):
		sc.budget = min(4*plainAll, m)
		g.start(sc, ef, ef/startShare)
		return plain
	case hopAll <= m && share >= leastShare:
		sc.want, sc.most = want, most
		return hops
	}
	return scan
}

// walkHops searches by hops for the nearest k; false for a scan.
func (g *Graph) walkHops(sc *scratch, ef, k int, stop func() bool) bool {
	p := &sc.pool
	sc.hops, sc.first = true, sc.first[:0]
	for turn := range 2 {
		if turn == 1 {
			sc.near = sc.near[:0]
		}
		// Hidden ones lead to the query. More of them than a few cost too much.
		g.start(sc, sc.most, max(ef/startShare, 4))
		g.seed(sc, turn)
		g.beginSketch(sc, false)
		if !g.explore(sc, 0, stop) {
			return true
		}
		if len(p.keys)-p.hiding < sc.want {
			return false // there is more where they did not get
		}
		if turn == 0 && !p.far() {
			return true
		}
		if turn == 0 {
			for _, key := range p.keys {
				if key&hidden == 0 {
					sc.first = append(sc.first, key&^expanded)
				}
			}
		}
	}
	return sc.agree(k)
}

// agree reports whether the nearest k of the pool are nearly those of sc.first,
// and puts those in that are not.
func (sc *scratch) agree(k int) bool {
	p, both, i := &sc.pool, 0, 0
	first := sc.first[:min(k, len(sc.first))]
	for _, key := range p.keys {
		key &^= expanded
		for i < len(first) && first[i] < key {
			i++
		}
		if i < len(first) && first[i] == key {
			both++
		}
	}
	if both*10 < len(first)*9 {
		return false
	}
	for _, key := range sc.first {
		if s := keySlot(key); sc.seen.add(s) {
			p.insert(keyDistance(key), s, false)
		}
	}
	return true
}

// arrived reports whether a walk by hops may end before its pool is expanded.
func (sc *scratch) arrived() bool {
	p := &sc.pool
	return p.next >= sc.want+p.hiding && !p.far()
}

// far reports whether all that the filter lets through lies farther from the
// query than the nodes near it.
func (p *pool) far() bool {
	n := max(p.hiding/2, 4)
	if len(p.keys) < n {
		return true
	}
	for _, k := range p.keys[:n] {
		if k&hidden == 0 {
			return false
		}
	}
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

// gatherAllowed is gather for hops: it collects the neighbours of s that the
// filter lets through, and those of the neighbours that it hides.
func (g *Graph) gatherAllowed(r *rows, sc *scratch, dst []uint32, s uint32) int {
	marks, tag := sc.seen.mark, sc.seen.tag
	found, closed := 0, 0
	l := g.list(0, s)
	for i := range l {
		v := atomic.LoadUint32(&l[i]) - 1
		if v == slot.None {
			break
		}
		if int(v) >= len(marks) || marks[v] == tag {
			continue
		}
		if g.filtered(sc, v) {
			sc.closed[closed] = v
			closed++
			kernel.Prefetch(unsafe.Pointer(unsafe.SliceData(g.list(0, v))))
			continue
		}
		marks[v] = tag
		dst[found] = v
		found++
	}
	for _, u := range sc.closed[:closed] {
		if found >= hopRows {
			break
		}
		marks[u] = tag
		found = g.through(sc, dst, found, u)
	}
	kernel.Fetch(unsafe.SliceData(dst), found, r.arena.Base(), r.stride, r.lines)
	return found
}

// through adds those neighbours of u that the filter lets through. It has no branch
// on what that is, which would be a coin toss.
func (g *Graph) through(sc *scratch, dst []uint32, found int, u uint32) int {
	marks, tag, allow := sc.seen.mark, sc.seen.tag, sc.allow
	names, heads := g.names.Base(), g.heads.Base()
	l := g.list(0, u)
	first := found
	for i := range l {
		v := atomic.LoadUint32(&l[i]) - 1
		if int(v) >= len(marks) { // none, or newer than the search
			if v == slot.None {
				break
			}
			continue
		}
		dst[found] = v
		label := index.Label(atomic.LoadUint64((*uint64)(unsafe.Add(names, uintptr(v)*8))))
		chain := atomic.LoadUint64((*uint64)(unsafe.Add(heads, v/64*8))) >> (v % 64)
		take := int(allow.Bit(label)|chain) & 1
		if marks[v] == tag {
			take = 0
		}
		found += take
	}
	n := first
	for _, v := range dst[first:found] {
		dst[n] = v
		if !g.filtered(sc, v) {
			marks[v] = tag
			n++
		}
	}
	return n
}

// seed puts some of what the filter lets through into the pool: it may let
// through nothing near the query. Each turn takes others.
func (g *Graph) seed(sc *scratch, turn int) {
	n := 0
	sc.allow.Sample(hopSeeds, uint64(turn)<<32, func(l index.Label) {
		s := g.labels.Slot(l)
		if s != slot.None && g.node(s).has(linked) && !g.filtered(sc, s) && sc.seen.add(s) {
			sc.batch[n] = s
			n++
		}
	})
	g.distances(sc.dist, sc.query, sc.batch[:n])
	for i, s := range sc.batch[:n] {
		sc.pool.insert(sc.dist[i], s, false)
	}
}
