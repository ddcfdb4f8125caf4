package hnsw

import (
	"math"
	"slices"
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/kernel"
	"github.com/nearcache/nearcache/index/slot"
)

// maxPool is the pool size from which on a scan is better: a sorted pool pays
// for its length at each insertion.
const maxPool = 1 << 14

// gather collects the neighbours of s that were not seen yet in dst, and
// fetches the beginnings of their rows ahead.
func (g *Graph) gather(r *rows, sc *scratch, dst []uint32, level int, s uint32) int {
	l := g.list(level, s)
	return kernel.Gather(unsafe.SliceData(dst), unsafe.SliceData(l), len(l), unsafe.SliceData(sc.seen.mark), len(sc.seen.mark), sc.seen.tag,
		r.arena.Base(), r.stride, r.lines)
}

// descend walks greedily from cur, a node of level from, to the nearest it
// finds above level to.
func (g *Graph) descend(sc *scratch, cur uint32, from, to int) (uint32, float32) {
	d := g.walkDistance(sc, cur)
	for l := from; l > to; l-- {
		sc.seen.reset(g.alloc.Count())
		sc.seen.add(cur)
		for moved := true; moved; {
			moved = false
			n := g.gather(g.rough, sc, sc.batch, l, cur)
			g.distances(sc.dist, sc.query, sc.batch[:n])
			sc.evals += n
			for i, x := range sc.dist[:n] {
				if x < d {
					d, cur, moved = x, sc.batch[i], true
				}
			}
		}
	}
	return cur, d
}

// walkDistance is the walk's distance from the query to one slot.
func (g *Graph) walkDistance(sc *scratch, s uint32) float32 {
	sc.one[0] = s
	g.distances(sc.dist, sc.query, sc.one[:])
	return sc.dist[0]
}

// explore expands the pool's nodes, nearest first, until all are. It gives up
// and returns false when stop says so, or when more than sc.budget distances
// were computed.
//
// It works on several nodes' neighbours at once, so that hardly anything waits
// for memory: while the rows of one node's neighbours are on their way, the
// next node is chosen and its neighbours are gathered, and where there are
// sketches, a node between the two has its neighbours sifted by them. A choice
// does not know the distances that are under way, which costs a few expansions
// more; so there is none while the best of the pool are still to be expanded.
func (g *Graph) explore(sc *scratch, level int, stop func() bool) bool {
	p, sketch := &sc.pool, &sc.sketching
	walk, base := g.rough.dist, g.rough.arena.Base()
	from, ahead := g.rough, 1 // where gathered rows are first looked at, and how many nodes are under way
	if sketch.on {
		from, ahead = &g.sketches, 2
	}
	n := 0 // rows under way, in sc.batch
	m := 0 // neighbours gathered and not sifted, in sc.after
	for turn := 1; ; turn++ {
		found := 0
		for found == 0 && (n+m == 0 || p.next >= ahead) && !(sc.hops && sc.arrived()) {
			s, ok := p.nearest()
			if !ok {
				break
			}
			if sc.hops {
				found = g.gatherAllowed(from, sc, sc.later, s)
			} else {
				found = g.gather(from, sc, sc.later, level, s)
			}
		}
		if n+m+found == 0 {
			return true
		}
		if m > 0 {
			m = g.sift(sc, m)
		}
		if n > 0 {
			walk(unsafe.SliceData(sc.dist), sc.query, base, unsafe.SliceData(sc.batch), n)
			sc.evals += n
			if sketch.learns {
				sketch.learn(p, sc.dist[:n], sc.est)
			}
			for i, d := range sc.dist[:n] {
				if p.bounded && !(d < p.bound) {
					continue
				}
				s := sc.batch[i]
				p.insert(d, s, !sc.hops && g.hides(sc, s))
				if level == 0 { // it may soon be expanded
					kernel.Prefetch(unsafe.Pointer(unsafe.SliceData(g.list(0, s))))
				}
			}
		}
		if sc.pass != nil && sc.asked >= sc.effort {
			return true
		}
		if sketch.on {
			n, m = m, found
			sc.batch, sc.after, sc.later = sc.after, sc.later, sc.batch
			sc.est, sc.estAfter = sc.estAfter, sc.est
		} else {
			n = found
			sc.batch, sc.later = sc.later, sc.batch
		}
		if turn%32 == 0 && (sc.evals > sc.budget && sc.budget > 0 || stop != nil && stop()) {
			return false
		}
	}
}

var inf32 = float32(math.Inf(1))

// hides reports whether no label of the node may be returned.
func (g *Graph) hides(sc *scratch, s uint32) bool {
	switch {
	case sc.pass != nil:
		return g.refused(sc, s)
	case sc.allow != nil:
		return g.filtered(sc, s)
	}
	return g.buried(s)
}

// startShare: level 1 is searched for one in so many of ef nodes, all of which
// the search of level 0 begins with. A single one ends up in the wrong cluster
// too often: of 100 clusters of 784 dimensions, recall at ef=16 went from 0.961
// to 0.977 for 2% of the time.
const startShare = 8

// enter collects nodes near the query in sc.near, whatever the filter lets
// through; false if the graph is empty.
func (g *Graph) enter(sc *scratch, ef int) bool {
	e := g.entry.Load()
	if e == 0 {
		return false
	}
	top := int(e>>32) - 1
	level := min(top, 1)
	cur, d := g.descend(sc, uint32(e), top, level)
	sc.near = append(sc.near[:0], toKey(d, cur))
	if level == 0 {
		return true
	}
	allow, pass := sc.allow, sc.pass
	sc.allow, sc.pass = nil, nil
	sc.seen.reset(g.alloc.Count())
	sc.pool.reset(ef)
	sc.seen.add(cur)
	sc.pool.insert(d, cur, g.hides(sc, cur))
	sc.sketching = sketching{beyond: sc.sketching.beyond}
	g.explore(sc, level, nil)
	sc.near = append(sc.near[:0], sc.pool.keys...)
	sc.allow, sc.pass = allow, pass
	return true
}

// start puts the search's first nodes into the pool.
func (g *Graph) start(sc *scratch, ef, begin int) {
	sc.seen.reset(g.alloc.Count())
	sc.pool.reset(ef)
	for i, k := range sc.near {
		hide := g.hides(sc, keySlot(k))
		if hide && i >= max(begin, 1) {
			continue // it was only asked for what the filter lets through
		}
		sc.seen.add(keySlot(k))
		sc.pool.insert(keyDistance(k), keySlot(k), hide)
	}
	// An equal vector is found without a walk, whatever the graph is like.
	id := g.identity(sc)
	sc.same = slot.None
	if s, ok := g.equal.find(g, hashRow(id), id); ok && g.node(s).has(linked) {
		sc.same = s
		if sc.seen.add(s) {
			sc.pool.insert(g.walkDistance(sc, s), s, g.hides(sc, s))
		}
	}
}

// emit calls f with every label that may be returned for the node.
func (g *Graph) emit(sc *scratch, s uint32, f func(l index.Label, s uint32) bool) bool {
	for {
		n := g.node(s)
		if n.has(live) {
			if l := g.label(s); (sc.allow == nil || sc.allow.Contains(l)) && (sc.pass == nil || sc.pass(l)) && !f(l, s) {
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

// results appends the k nearest of what the pool found.
func (g *Graph) results(dst []index.Neighbor, sc *scratch, k int) []index.Neighbor {
	n := len(dst)
	for want := k; ; want *= 2 {
		dst = g.nearest(dst[:n], sc, k, want)
		if len(dst)-n >= k || len(sc.hits) < want {
			return dst
		}
		// Some have died since they were found.
	}
}

// nearest appends the k nearest of the first want nodes in the pool and, as
// codes put them in an order that is only nearly right, of those behind that
// may be as near.
func (g *Graph) nearest(dst []index.Neighbor, sc *scratch, k, want int) []index.Neighbor {
	sc.hits = sc.hits[:0]
	last := inf32
	for _, key := range sc.pool.keys {
		if keyDistance(key) > last {
			break
		}
		if key&hidden != 0 {
			continue
		}
		if sc.hits = append(sc.hits, keySlot(key)); len(sc.hits) == want {
			last = keyDistance(key)
			if g.codec != nil {
				last += g.doubt(last, sc.query)
			} else {
				break
			}
		}
	}
	g.hitSame(sc)
	sc.found = sc.found[:0]
	start := g.readAhead(sc.hits)
	for rest := sc.hits; len(rest) > 0; {
		n := min(len(rest), len(sc.wdist))
		g.exactly(sc, sc.wdist, rest[:n])
		for i, d := range sc.wdist[:n] {
			sc.found = append(sc.found, index.Neighbor{Label: index.Label(rest[i]), Distance: d})
		}
		rest = rest[n:]
	}
	g.haveRead(start, len(sc.hits))
	slot.Sort(sc.found)
	n := len(dst)
	for _, node := range sc.found {
		more := g.emit(sc, uint32(node.Label), func(l index.Label, _ uint32) bool {
			dst = append(dst, index.Neighbor{Label: l, Distance: node.Distance})
			return len(dst)-n < k
		})
		if !more {
			break
		}
	}
	slot.Sort(dst[n:])
	return dst
}

// hitSame makes the node of an equal vector a hit: by their codes, others may
// be nearer.
func (g *Graph) hitSame(sc *scratch) {
	if g.codec != nil && sc.same != slot.None && !slices.Contains(sc.hits, sc.same) {
		sc.hits = append(sc.hits, sc.same)
	}
}

// Search appends the k nearest to dst, nearest first.
func (g *Graph) Search(dst []index.Neighbor, q []byte, k int, o index.SearchOptions) ([]index.Neighbor, error) {
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
	ef := o.EF
	if ef <= 0 {
		ef = g.params.EFRuntime
	}
	ef = g.poolSize(max(ef, k))
	sc.allow, sc.pass = o.Allow, nil
	return g.moves.Search(dst, k, func(dst []index.Neighbor) []index.Neighbor {
		if g.walk(sc, k, ef, o) {
			return g.results(dst, sc, k)
		}
		sc.top.Reset(k)
		g.scan(sc, o, math.Inf(1), &sc.top)
		return sc.top.AppendTo(dst)
	}, g.allowed(sc, math.Inf(1))), nil
}

// walk searches the graph, or returns false if a scan does better.
func (g *Graph) walk(sc *scratch, k, ef int, o index.SearchOptions) bool {
	size := g.Len()
	if ef >= maxPool || ef >= size/4 {
		return false
	}
	sc.evals, sc.budget, sc.hops = 0, 0, false
	if o.Allow == nil {
		if !g.enter(sc, max(ef/startShare, 1)) {
			return false
		}
		g.start(sc, ef, len(sc.near))
	} else if way := g.choose(sc, ef, size); way != plain {
		return way == hops && g.walkHops(sc, ef, k, o.Stop)
	}
	g.beginSketch(sc, false)
	// Stopped is not over budget.
	return g.explore(sc, 0, o.Stop) || sc.budget == 0 || sc.evals <= sc.budget
}

// allowed is the distance of a label that the search may return.
func (g *Graph) allowed(sc *scratch, radius float64) func(index.Label) (float64, bool) {
	return func(l index.Label) (float64, bool) {
		if sc.allow != nil && !sc.allow.Contains(l) || sc.pass != nil && !sc.pass(l) {
			return 0, false
		}
		s := g.labels.Slot(l)
		if s == slot.None {
			return 0, false
		}
		d := g.exactlyOne(sc, s)
		return d, d <= radius
	}
}

// Has implements index.Index.
func (g *Graph) Has(l index.Label) bool { return g.labels.Slot(l) != slot.None }

// Distance is the distance from the query to the label's vector.
func (g *Graph) Distance(q []byte, l index.Label) (float64, bool) {
	c := g.pool.Enter()
	defer g.pool.Leave(c)
	if g.load(&c.S, q) != nil {
		return 0, false
	}
	s := g.labels.Slot(l)
	if s == slot.None {
		return 0, false
	}
	g.asSearch(&c.S)
	return g.exactlyOne(&c.S, s), true
}

// Range appends all within radius (inclusive) to dst, nearest first. As
// RediSearch does, it explores epsilon beyond the radius.
func (g *Graph) Range(dst []index.Neighbor, q []byte, radius float64, o index.SearchOptions) ([]index.Neighbor, error) {
	c := g.pool.Enter()
	defer g.pool.Leave(c)
	sc := &c.S
	if err := g.load(sc, q); err != nil {
		return dst, err
	}
	if math.IsNaN(radius) || math.IsInf(radius, -1) {
		return dst, nil
	}
	g.asSearch(sc)
	sc.allow, sc.pass = o.Allow, nil
	dst = g.moves.Search(dst, -1, func(dst []index.Neighbor) []index.Neighbor {
		n := len(dst)
		sc.found = sc.found[:0]
		if !g.walkRange(sc, radius, o) {
			sc.found = sc.found[:0]
			g.scan(sc, o, radius, nil)
		}
		dst = append(dst, sc.found...)
		slot.Sort(dst[n:])
		return dst
	}, g.allowed(sc, radius))
	if cap(sc.found) > 1<<16 {
		sc.found = nil
	}
	return dst, nil
}

// minRangePool: the walk that leads a range search to the query needs a pool
// that does not get stuck, whatever ef was chosen for the nearest few.
const minRangePool = 32

// walkRange collects in sc.found, or returns false if a scan does better.
func (g *Graph) walkRange(sc *scratch, radius float64, o index.SearchOptions) bool {
	ef := o.EF
	if ef <= 0 {
		ef = g.params.EFRuntime
	}
	ef = min(max(ef, minRangePool), maxPool)
	size := g.Len()
	if ef >= size/4 || o.Allow != nil && o.Allow.Len() < plainCost*ef {
		return false
	}
	// The walk goes everywhere within reach, whatever the filter lets through.
	sc.allow = nil
	defer func() { sc.allow = o.Allow }()
	eps := o.Epsilon
	if !(eps > 0) {
		eps = g.params.Epsilon
	}
	// In the walk's own unit, rounded outwards; what is found is compared exactly.
	inside, near := g.space.Reach(radius), g.space.Reach(radius+math.Abs(radius)*eps)

	sc.evals, sc.budget, sc.hops = 0, 0, false
	if !g.enter(sc, ef/startShare) {
		return true
	}
	g.start(sc, ef, ef/startShare)
	sc.front, sc.hits = sc.front[:0], sc.hits[:0]
	for _, k := range sc.pool.keys {
		g.reached(sc, keyDistance(k), keySlot(k), inside, near)
	}
	p := &sc.pool
	// First to the query, as Search does; then outwards, until nothing within reach is left.
	for turn := 1; ; turn++ {
		var s uint32
		switch {
		case p.next < len(p.keys):
			k := p.keys[p.next]
			p.keys[p.next] |= expanded
			p.next++
			if k&expanded != 0 {
				continue
			}
			s = keySlot(k)
		case len(sc.front) > 0:
			// Expanded before, perhaps: then its neighbours are seen, which costs little.
			s = sc.front[len(sc.front)-1]
			sc.front = sc.front[:len(sc.front)-1]
		default:
			s = slot.None
		}
		if s == slot.None || turn%32 == 0 && o.Stop != nil && o.Stop() {
			break
		}
		n := g.gather(g.rough, sc, sc.batch, 0, s)
		if sc.evals += n; o.Allow != nil && sc.evals > o.Allow.Len() {
			return false
		}
		g.distances(sc.dist, sc.query, sc.batch[:n])
		for i, d := range sc.dist[:n] {
			g.reached(sc, d, sc.batch[i], inside, near)
			if p.bounded && !(d < p.bound) {
				continue
			}
			p.insert(d, sc.batch[i], g.hides(sc, sc.batch[i]))
		}
	}
	g.hitSame(sc)
	if sc.allow = o.Allow; o.Allow != nil {
		sc.hits = slices.DeleteFunc(sc.hits, func(s uint32) bool { return g.filtered(sc, s) })
	}
	for rest := sc.hits; len(rest) > 0; {
		n := min(len(rest), len(sc.wdist))
		g.exactly(sc, sc.wdist, rest[:n])
		for i, d := range sc.wdist[:n] {
			if d > radius {
				continue
			}
			g.emit(sc, rest[i], func(l index.Label, _ uint32) bool {
				sc.found = append(sc.found, index.Neighbor{Label: l, Distance: d})
				return true
			})
		}
		rest = rest[n:]
	}
	if cap(sc.hits) > 1<<16 {
		sc.hits, sc.front = nil, nil
	}
	return true
}

func (g *Graph) reached(sc *scratch, d float32, s uint32, inside, near float32) {
	if d <= near {
		sc.front = append(sc.front, s)
	}
	if g.codec != nil {
		d = g.lower(d, sc.query, s)
	}
	if d <= inside {
		sc.hits = append(sc.hits, s)
	}
}
