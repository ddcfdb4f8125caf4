package hnsw

import (
	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/slot"
)

// Remove deletes the label's vector; false where there is none or version is
// older. The node stays as a tombstone until a repair takes it out.
func (g *Graph) Remove(l index.Label, version uint64) bool {
	g.gate.RLock()
	defer g.gate.RUnlock()
	c := g.pool.Enter()
	defer g.pool.Leave(c)
	g.labels.Lock(l)
	defer g.labels.Unlock(l)
	if !g.labels.Newer(l, version) {
		return false
	}
	g.labels.SetVersion(l, version)
	s := g.labels.Slot(l)
	if s == slot.None {
		return false
	}
	g.labels.SetSlot(l, slot.None)
	g.node(s).state.And(^uint32(live))
	g.live.Add(-1)
	g.release(s)
	return true
}

// release lets go of a slot whose label is not live any more.
func (g *Graph) release(s uint32) {
	n := g.node(s)
	if !n.has(dup) {
		g.lock(s)
		g.killLocked(s)
		g.unlock(s)
		g.repair.start(g)
		return
	}
	head := n.parent.Load() - 1
	g.lock(head)
	prev, next := n.prev.Load(), n.next.Load()
	// n keeps its own next: a search may stand on it.
	g.node(prev - 1).next.Store(next)
	if next != 0 {
		g.node(next - 1).prev.Store(prev)
	}
	g.killLocked(head)
	g.unlock(head)
	g.alloc.Retire(g.pool.Retire(), s)
	g.repair.start(g)
}

// killLocked makes the node a tombstone if no label is left on it.
func (g *Graph) killLocked(s uint32) {
	n := g.node(s)
	if n.carries() || n.has(pending|dead) {
		return
	}
	n.state.Or(dead)
	g.bury(s, true)
	g.equal.drop(g, s)
	g.repair.add(s)
}
