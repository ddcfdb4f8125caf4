package hnsw

import (
	"fmt"
	"math"
	"sync/atomic"

	"github.com/nearcache/nearcache/index"
)

// Validate checks every invariant of the graph and reports the first that is
// broken. Nobody may be adding or removing meanwhile.
func (g *Graph) Validate() error {
	g.repair.mu.Lock() // a repair at work breaks some for a while
	defer g.repair.mu.Unlock()
	count := uint32(g.alloc.Count())
	free := make([]bool, count)
	var err error
	g.alloc.FreeSlots(func(s uint32) {
		switch {
		case s >= count:
			err = fmt.Errorf("free slot %d of %d", s, count)
		case free[s]:
			err = fmt.Errorf("slot %d is free twice", s)
		default:
			free[s] = true
		}
	})
	if err != nil {
		return err
	}
	var lives, tombs int64
	top := -1
	for s := range count {
		n := g.node(s)
		st := n.state.Load()
		if free[s] {
			continue
		}
		if st&pending != 0 {
			return fmt.Errorf("slot %d is pending", s)
		}
		if st&live != 0 {
			lives++
			if err := g.validateLabel(s); err != nil {
				return err
			}
		}
		switch {
		case st&dup != 0:
			err = g.validateDup(s, st, free)
		case st&linked != 0:
			if st&dead != 0 {
				tombs++
			} else {
				top = max(top, n.level())
			}
			err = g.validateNode(s, st, count, free)
		default:
			err = fmt.Errorf("slot %d is in use but not in the graph: state %#x", s, st)
		}
		if err != nil {
			return err
		}
	}
	if lives != g.live.Load() {
		return fmt.Errorf("%d labels are live, counted %d", lives, g.live.Load())
	}
	if tombs != g.repair.dead.Load() {
		return fmt.Errorf("%d tombstones, counted %d", tombs, g.repair.dead.Load())
	}
	labels := int64(0)
	g.labels.Each(func(l index.Label, s uint32) {
		labels++
		if s >= count || free[s] {
			err = fmt.Errorf("label %d is at free slot %d", l, s)
		} else if n := g.node(s); g.label(s) != l || !n.has(live) {
			err = fmt.Errorf("label %d is at slot %d, which has label %d, state %#x", l, s, g.label(s), n.state.Load())
		}
	})
	if err != nil {
		return err
	}
	if labels != lives {
		return fmt.Errorf("%d labels, %d live slots", labels, lives)
	}
	return g.validateReach(count, free, top)
}

func (g *Graph) validateLabel(s uint32) error {
	l := g.label(s)
	if at := g.labels.Slot(l); at != s {
		return fmt.Errorf("slot %d has label %d, which is at slot %d", s, l, int32(at))
	}
	if g.codesOnly {
		return nil
	}
	v := make([]float32, g.params.Dim)
	g.space.Floats(v, g.vectors.at(s))
	sum := 0.0
	for i, x := range v {
		if x-x != 0 {
			return fmt.Errorf("slot %d: component %d is %v", s, i, x)
		}
		sum += float64(x) * float64(x)
	}
	if g.params.Metric == index.Cosine && sum != 0 && math.Abs(sum-1) > 1e-5 {
		return fmt.Errorf("slot %d: length %v under COSINE", s, math.Sqrt(sum))
	}
	return nil
}

func (g *Graph) validateDup(s, st uint32, free []bool) error {
	n := g.node(s)
	if st != dup|live {
		return fmt.Errorf("slot %d in a chain: state %#x", s, st)
	}
	head := n.parent.Load() - 1
	if head >= uint32(len(free)) || free[head] || !g.node(head).has(linked) || g.node(head).has(dup|dead|doomed) {
		return fmt.Errorf("slot %d hangs on slot %d, which is no living node", s, head)
	}
	if string(g.ident.bytes(head)) != string(g.ident.bytes(s)) {
		return fmt.Errorf("slot %d hangs on slot %d, which has another vector", s, head)
	}
	p := n.prev.Load()
	if p == 0 || g.node(p-1).next.Load() != s+1 {
		return fmt.Errorf("slot %d: the chain is broken before it", s)
	}
	if x := n.next.Load(); x != 0 && (g.node(x-1).prev.Load() != s+1 || g.node(x-1).parent.Load() != head+1 || !g.node(x-1).has(dup)) {
		return fmt.Errorf("slot %d: the chain is broken behind it", s)
	}
	return nil
}

func (g *Graph) validateNode(s, st, count uint32, free []bool) error {
	n := g.node(s)
	if st&doomed != 0 {
		return fmt.Errorf("slot %d is doomed, and no repair is running", s)
	}
	if (st&dead == 0) != n.carries() {
		return fmt.Errorf("slot %d: state %#x with chain %d", s, st, n.next.Load())
	}
	if g.buried(s) != (st&dead != 0) {
		return fmt.Errorf("slot %d: state %#x, but buried is %v", s, st, g.buried(s))
	}
	found, ok := g.equal.find(g, hashRow(g.ident.bytes(s)), g.ident.bytes(s))
	if st&dead == 0 && (!ok || found != s) {
		return fmt.Errorf("slot %d is not found by its own vector: %d %v", s, found, ok)
	}
	if x := n.next.Load(); x != 0 && (!g.node(x-1).has(dup) || g.node(x-1).parent.Load() != s+1 || g.node(x-1).prev.Load() != s+1) {
		return fmt.Errorf("slot %d: its chain begins with slot %d, which is not in it", s, x-1)
	}
	if n.next.Load() != 0 && !hasBit(g.heads, s) {
		return fmt.Errorf("slot %d: its chain is not marked", s)
	}
	if (n.level() > 0) != (n.upper.Load() != 0) {
		return fmt.Errorf("slot %d: level %d, upper row %d", s, n.level(), n.upper.Load())
	}
	for l := range n.level() + 1 {
		list := g.list(l, s)
		ended := false
		seen := map[uint32]bool{}
		for i := range list {
			v := atomic.LoadUint32(&list[i])
			if v == 0 {
				ended = true
				continue
			}
			v--
			switch {
			case ended:
				return fmt.Errorf("slot %d level %d: a gap before link %d", s, l, i)
			case v >= count || free[v]:
				return fmt.Errorf("slot %d level %d links to free slot %d", s, l, v)
			case v == s:
				return fmt.Errorf("slot %d level %d links to itself", s, l)
			case seen[v]:
				return fmt.Errorf("slot %d level %d links to slot %d twice", s, l, v)
			case !g.node(v).has(linked) || g.node(v).has(dup):
				return fmt.Errorf("slot %d level %d links to slot %d, which is not in the graph", s, l, v)
			case g.node(v).level() < l:
				return fmt.Errorf("slot %d level %d links to slot %d of level %d", s, l, v, g.node(v).level())
			}
			seen[v] = true
		}
	}
	p := n.parent.Load()
	if p == 0 {
		if g.root.Load() != s+1 {
			return fmt.Errorf("slot %d has no parent and is not the root", s)
		}
		return nil
	}
	if p-1 >= count || free[p-1] || !g.node(p-1).has(linked) {
		return fmt.Errorf("slot %d has parent %d, which is not in the graph", s, p-1)
	}
	if !g.linksTo(s, p-1) || !g.linksTo(p-1, s) {
		return fmt.Errorf("slot %d and its parent %d do not link to each other", s, p-1)
	}
	return nil
}

func (g *Graph) linksTo(from, to uint32) bool {
	l := g.list(0, from)
	for i := range l {
		if atomic.LoadUint32(&l[i]) == to+1 {
			return true
		}
	}
	return false
}

// validateReach wants every node to be reachable from the entry point at level 0.
func (g *Graph) validateReach(count uint32, free []bool, top int) error {
	e := g.entry.Load()
	if e == 0 {
		if g.root.Load() != 0 {
			return fmt.Errorf("no entry point, but root %d", g.root.Load()-1)
		}
		for s := range count {
			if !free[s] {
				return fmt.Errorf("no entry point, but slot %d is in use", s)
			}
		}
		return nil
	}
	s := uint32(e)
	if s >= count || free[s] || !g.node(s).has(linked) || g.node(s).level() != int(e>>32)-1 {
		return fmt.Errorf("entry point %d at level %d is no such node", s, int(e>>32)-1)
	}
	if int(e>>32)-1 < top {
		return fmt.Errorf("entry point at level %d, a node is at level %d", int(e>>32)-1, top)
	}
	seen := make([]bool, count)
	seen[s] = true
	queue := []uint32{s}
	for len(queue) > 0 {
		x := queue[0]
		queue = queue[1:]
		l := g.list(0, x)
		for i := range l {
			v := atomic.LoadUint32(&l[i])
			if v != 0 && !seen[v-1] {
				seen[v-1] = true
				queue = append(queue, v-1)
			}
		}
	}
	for s := range count {
		if !free[s] && !seen[s] && g.node(s).has(linked) {
			return fmt.Errorf("slot %d is not reachable", s)
		}
	}
	return nil
}

var _ index.Index = (*Graph)(nil)
