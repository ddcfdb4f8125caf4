package hnsw

import (
	"runtime"
	"sync/atomic"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/slot"
)

// Add inserts the vector or replaces the label's older one.
func (g *Graph) Add(l index.Label, version uint64, v []byte) error {
	return g.AddEF(l, version, v, g.params.EFConstruction)
}

// AddEF is Add with a pool of ef nodes in place of EFConstruction.
func (g *Graph) AddEF(l index.Label, version uint64, v []byte, ef int) error {
	g.repair.keepUp(g)
	g.gate.RLock()
	defer g.gate.RUnlock()
	c := g.pool.Enter()
	defer g.pool.Leave(c)
	sc := &c.S
	if err := g.load(sc, v); err != nil {
		return err
	}
	g.labels.Lock(l)
	defer g.labels.Unlock(l)
	if !g.labels.Newer(l, version) {
		return nil
	}
	g.asRows(sc)
	old := g.labels.Slot(l)
	if old != slot.None && string(g.ident.bytes(old)) == string(g.identity(sc)) {
		g.labels.SetVersion(l, version)
		return nil
	}
	s, err := g.alloc.Take(g.pool.Oldest)
	if err != nil {
		return err
	}
	g.store(sc, s)
	g.bury(s, true)
	n := g.node(s)
	atomic.StoreUint64(g.name(s), uint64(l))
	n.state.Store(pending)
	h := hashRow(g.ident.bytes(s))
	for {
		head, mine := g.equal.claim(g, h, s)
		if mine {
			level, row := g.takeUpper(g.drawLevel())
			n.upper.Store(row)
			n.state.Store(pending | uint32(level)<<levelShift)
			g.insert(sc, s, level, min(ef, maxPool))
			break
		}
		if g.hang(head, s) {
			break
		}
		runtime.Gosched() // the head has died and is leaving the table
	}
	known := g.labels.Version(l) != 0
	g.labels.SetVersion(l, version)
	if old == slot.None {
		publish := func() {
			g.labels.SetSlot(l, s)
			n.state.Or(live)
			g.bury(s, false)
		}
		if known {
			// It was removed: a search that passed its old slot before may reach the new one.
			g.moves.Do(l, publish)
		} else {
			publish()
		}
		g.live.Add(1)
	} else {
		g.moves.Do(l, func() {
			g.labels.SetSlot(l, s)
			n.state.Or(live)
			g.bury(s, false)
			g.node(old).state.And(^uint32(live))
		})
	}
	n.state.And(^uint32(pending))
	if old != slot.None {
		g.release(old)
	}
	return nil
}

// hang puts s into the chain of head, whose vector is equal; false if head is dead.
func (g *Graph) hang(head, s uint32) bool {
	h, n := g.node(head), g.node(s)
	g.lock(head)
	if h.has(dead) {
		g.unlock(head)
		return false
	}
	n.state.Store(dup)
	n.parent.Store(head + 1)
	n.prev.Store(head + 1)
	next := h.next.Load()
	n.next.Store(next)
	if next != 0 {
		g.node(next - 1).prev.Store(s + 1)
	}
	h.next.Store(s + 1)
	setBit(g.heads, head, true)
	g.unlock(head)
	for h.has(pending) { // not to be found before its own insertion is done
		runtime.Gosched()
	}
	return true
}

// insert links the node into the graph, with a pool of ef.
func (g *Graph) insert(sc *scratch, s uint32, level, ef int) {
	n := g.node(s)
	e := g.entry.Load()
	for ; e == 0; e = g.entry.Load() {
		if g.first(s, level) {
			return
		}
	}
	sc.allow, sc.pass, sc.hops, sc.budget = nil, nil, false, 0
	g.asQuery(sc)
	top, cur := int(e>>32)-1, uint32(e)
	cur, d := g.descend(sc, cur, top, level)
	for l := min(level, top); l >= 0; l-- {
		sc.seen.reset(g.alloc.Count())
		sc.seen.add(s)
		sc.seen.add(cur)
		sc.pool.reset(ef)
		sc.pool.insert(d, cur, g.buried(cur))
		g.beginSketch(sc, true)
		g.explore(sc, l, nil)
		g.endSketch(sc)
		sc.near = sc.near[:0]
		for _, k := range sc.pool.keys {
			if k&hidden == 0 {
				sc.near = append(sc.near, k&^expanded)
			}
		}
		if g.fine != g.rough { // so rough that they are compared once more
			g.weigh(sc, s)
		}
		g.setOwn(l, s, g.selectNeighbors(sc, sc.near, s, l, g.m))
		if len(sc.pool.keys) > 0 {
			cur, d = keySlot(sc.pool.keys[0]), keyDistance(sc.pool.keys[0])
		}
	}
	n.state.Or(linked)

	parent := uint32(slot.None)
	for _, o := range g.snapshot(sc, 0, s) {
		g.lock(o)
		if !g.node(o).has(doomed) {
			if parent == slot.None && g.adoptLocked(o, s) {
				parent = o
			}
			g.linkLocked(sc, 0, o, s)
		}
		g.unlock(o)
	}
	for i := 0; parent == slot.None && i < len(sc.near); i++ {
		if o := keySlot(sc.near[i]); g.adopt(sc, o, s) {
			parent = o
		}
	}
	if parent == slot.None {
		g.adoptAnywhere(sc, s)
	} else {
		g.lock(s)
		g.linkLocked(sc, 0, s, parent)
		g.unlock(s)
	}
	for l := min(level, top); l >= 1; l-- {
		for _, o := range g.snapshot(sc, l, s) {
			g.lock(o)
			if !g.node(o).has(doomed) {
				g.linkLocked(sc, l, o, s)
			}
			g.unlock(o)
		}
	}
	if level > 0 { // an entry point is at level 0 at least
		g.offerEntry(s, level)
	}
}

// offerEntry makes s, which is linked, the entry point, if that is at a lower
// level. It looks under the lock only: a repair that is choosing another one
// may have passed s by before it was linked.
func (g *Graph) offerEntry(s uint32, level int) {
	g.entryMu.Lock()
	defer g.entryMu.Unlock()
	if e := g.entry.Load(); level > int(e>>32)-1 {
		g.entry.Store(entryOf(s, level))
	}
}

func entryOf(s uint32, level int) uint64 { return uint64(level+1)<<32 | uint64(s) }

// first makes s the first node of an empty graph; false if it is not empty any more.
func (g *Graph) first(s uint32, level int) bool {
	g.entryMu.Lock()
	defer g.entryMu.Unlock()
	if g.entry.Load() != 0 {
		return false
	}
	g.node(s).state.Or(linked)
	g.root.Store(s + 1)
	g.entry.Store(entryOf(s, level))
	return true
}

// setOwn writes a new node's list at a level.
func (g *Graph) setOwn(level int, s uint32, sel []uint32) {
	g.lock(s)
	defer g.unlock(s)
	n := 0
	for _, o := range sel {
		if !g.node(o).has(doomed) {
			sel[n] = o
			n++
		}
	}
	g.writeLocked(level, s, sel[:n])
}

// snapshot copies a node's list to sc.front.
func (g *Graph) snapshot(sc *scratch, level int, s uint32) []uint32 {
	sc.front = sc.front[:0]
	l := g.list(level, s)
	for i := range l {
		v := atomic.LoadUint32(&l[i])
		if v == 0 {
			break
		}
		sc.front = append(sc.front, v-1)
	}
	return sc.front
}

// adoptLocked makes o the tree parent of s, which is in no tree or is moved by
// the repair; false if o has no room or is not in the tree itself.
func (g *Graph) adoptLocked(o, s uint32) bool {
	n := g.node(o)
	if n.has(doomed) || n.parent.Load() == 0 && g.root.Load() != o+1 {
		return false
	}
	l := g.list(0, o)
	count := 0
	for i := range l {
		v := atomic.LoadUint32(&l[i])
		if v == 0 {
			break
		}
		if c := g.node(v - 1); c.parent.Load() == o+1 && !c.has(doomed) {
			count++
		}
	}
	if count >= g.children {
		return false
	}
	g.node(s).parent.Store(o + 1)
	return true
}

// adopt makes o the tree parent of s and links the two.
func (g *Graph) adopt(sc *scratch, o, s uint32) bool {
	g.lock(o)
	ok := g.adoptLocked(o, s)
	if ok {
		g.linkLocked(sc, 0, o, s)
	}
	g.unlock(o)
	if ok {
		g.lock(s)
		g.linkLocked(sc, 0, s, o)
		g.unlock(s)
	}
	return ok
}

// adoptAnywhere finds s a place in the tree, or makes it the root if there is no tree.
func (g *Graph) adoptAnywhere(sc *scratch, s uint32) {
	for {
		g.entryMu.Lock()
		r := g.root.Load()
		if r == 0 || g.node(r-1).has(doomed) {
			g.node(s).parent.Store(0)
			g.root.Store(s + 1)
			if g.entry.Load() == 0 { // a doomed one is the repair's business: others may be higher
				g.entry.Store(entryOf(s, g.node(s).level()))
			}
			g.entryMu.Unlock()
			return
		}
		g.entryMu.Unlock()
		if g.adoptBelow(sc, r-1, s) {
			return
		}
	}
}

// adoptBelow finds s a parent in the tree below a: the nearest level with room.
func (g *Graph) adoptBelow(sc *scratch, a, s uint32) bool {
	queue := []uint32{a}
	for len(queue) > 0 {
		x := queue[0]
		queue = queue[1:]
		if x == s {
			continue
		}
		if g.adopt(sc, x, s) {
			return true
		}
		l := g.list(0, x)
		for i := range l {
			v := atomic.LoadUint32(&l[i])
			if v == 0 {
				break
			}
			if g.node(v-1).parent.Load() == x+1 && !g.node(v-1).has(doomed) {
				queue = append(queue, v-1)
			}
		}
	}
	return false
}
