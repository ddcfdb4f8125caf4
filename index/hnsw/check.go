package hnsw

import (
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/quant"
	"github.com/nearcache/nearcache/index/slot"
	"github.com/nearcache/nearcache/index/snapshot"
)

// checker goes through the rows of a saved graph, of which nothing is taken
// for granted but that they are there, and makes what is derived from them.
// What it lets pass fulfils Validate. It takes a few bytes a slot, and its time
// is linear in the file's size.
type checker struct {
	*Graph
	f     *snapshot.Reader
	count uint32
	level []uint8  // a slot's level plus 1, 0 where it is not in the graph
	hash  []uint64 // of the rows of nodes that are not dead
	used  []bool   // rows above level 0
	free  []uint32
	dups  int
	top   int // of nodes that are not dead
}

func (g *Graph) check(f *snapshot.Reader, count, upper uint32) error {
	c := &checker{
		Graph: g, f: f, count: count, top: -1,
		level: make([]uint8, count), hash: make([]uint64, count), used: make([]bool, upper),
	}
	for s := range count {
		if err := c.checkNode(s); err != nil {
			return err
		}
	}
	if err := c.checkEntry(); err != nil {
		return err
	}
	if err := c.checkChains(); err != nil {
		return err
	}
	err := snapshot.Parallel(count, func() func(s uint32) error {
		marks, tag := make([]uint32, count), uint32(0)
		return func(s uint32) error { return c.checkLists(s, marks, &tag) }
	})
	if err != nil {
		return err
	}
	if err := c.checkTree(); err != nil {
		return err
	}
	var leave []func()
	err = snapshot.Parallel(count, func() func(s uint32) error {
		ctx := g.pool.Enter()
		leave = append(leave, func() { g.pool.Leave(ctx) })
		return func(s uint32) error { return c.checkRow(&ctx.S, s) }
	})
	for _, f := range leave {
		f()
	}
	if err != nil {
		return err
	}
	return c.derive()
}

// bad is about the node of a slot.
func (c *checker) bad(s uint32, format string, a ...any) error {
	return c.f.Bad("nodes", int(s), format, a...)
}

// checkNode looks at the node alone.
func (c *checker) checkNode(s uint32) error {
	n := c.node(s)
	st := n.state.Load()
	next, prev, parent, upper := n.next.Load(), n.prev.Load(), n.parent.Load(), n.upper.Load()
	if max(next, prev, parent) > c.count {
		return c.bad(s, "slots %d, %d, %d of %d", int64(next)-1, int64(prev)-1, int64(parent)-1, c.count)
	}
	flags, level := st&(1<<levelShift-1), n.level()
	switch {
	case st == 0:
		if next|prev|parent|upper != 0 {
			return c.bad(s, "a free slot is in use")
		}
		c.free = append(c.free, s)
		return nil
	case st == dup|live:
		if upper != 0 || prev == 0 || parent == 0 {
			return c.bad(s, "a slot in a chain: before it %d, head %d, row %d", int64(prev)-1, int64(parent)-1, upper)
		}
		c.dups++
		return nil
	case flags != linked|live && flags != linked|dead && flags != linked, level > maxLevel:
		return c.bad(s, "state %#x", st)
	}
	if (flags == linked|dead) == n.carries() || prev != 0 {
		return c.bad(s, "state %#x with a chain from %d to %d", st, int64(prev)-1, int64(next)-1)
	}
	if (level > 0) != (upper > 0) {
		return c.bad(s, "level %d, row %d", level, upper)
	}
	if level > 0 {
		if uint64(upper)-1+uint64(level) > uint64(len(c.used)) {
			return c.bad(s, "level %d at row %d of %d", level, upper-1, len(c.used))
		}
		for i := range c.used[upper-1:][:level] {
			if c.used[upper-1:][i] {
				return c.bad(s, "row %d above level 0 is used twice", int(upper)-1+i)
			}
			c.used[upper-1:][i] = true
		}
	}
	c.level[s] = uint8(level) + 1
	if flags != linked|dead {
		c.top = max(c.top, level)
	}
	return nil
}

// in reports whether a slot is in the graph, at least at that level.
func (c *checker) in(s uint32, level int) bool { return s < c.count && int(c.level[s]) > level }

func (c *checker) checkEntry() error {
	e, root := c.f.State[savedEntry], c.f.State[savedRoot]
	if e == 0 || root == 0 {
		if e != 0 || root != 0 || len(c.free) != int(c.count) {
			return snapshot.Corrupt("header", 0, "entry %#x, root %d, %d slots in use", e, root, int(c.count)-len(c.free))
		}
		return nil
	}
	level := int64(e>>32) - 1
	if s := uint32(e); level < int64(c.top) || level > maxLevel || s >= c.count || int64(c.level[s]) != level+1 {
		return snapshot.Corrupt("header", 0, "entry point %d at level %d", s, level)
	}
	if root > uint64(c.count) || !c.in(uint32(root-1), 0) || c.node(uint32(root-1)).parent.Load() != 0 {
		return snapshot.Corrupt("header", 0, "root %d", root-1)
	}
	c.entry.Store(e)
	c.root.Store(uint32(root))
	return nil
}

// checkChains goes along every chain of equal vectors. It comes to an end: a
// slot is where the slot before it says, so none is come to twice.
func (c *checker) checkChains() error {
	found := 0
	for head := range c.count {
		if c.level[head] == 0 {
			continue
		}
		before := head
		for x := c.node(head).next.Load(); x != 0; x = c.node(x - 1).next.Load() {
			n := c.node(x - 1)
			if !n.has(dup) || n.parent.Load() != head+1 || n.prev.Load() != before+1 {
				return c.bad(x-1, "it is not of the chain of slot %d behind slot %d", head, before)
			}
			if string(c.ident.bytes(x-1)) != string(c.ident.bytes(head)) {
				return c.bad(x-1, "its vector is not that of slot %d, on which it hangs", head)
			}
			found++
			before = x - 1
		}
	}
	if found != c.dups {
		return c.bad(0, "%d slots are in chains, %d should be", found, c.dups)
	}
	return nil
}

// checkLists looks at the lists of links of a slot.
func (c *checker) checkLists(s uint32, marks []uint32, tag *uint32) error {
	if c.level[s] == 0 {
		for _, v := range c.list(0, s) {
			if v != 0 {
				return c.f.Bad("links", int(s), "a slot that is not in the graph has links")
			}
		}
		return nil
	}
	for l := range int(c.level[s]) {
		name, row := "links", int(s)
		if l > 0 {
			name, row = "upper", int(c.node(s).upper.Load())-1+l-1
		}
		*tag++
		list := c.list(l, s)
		ended := false
		for _, v := range list {
			switch {
			case v == 0:
				ended = true
				continue
			case ended:
				return c.f.Bad(name, row, "a link behind the end of slot %d's list", s)
			case v-1 == s || !c.in(v-1, l):
				return c.f.Bad(name, row, "a link from slot %d to slot %d, which is not at level %d", s, v-1, l)
			case marks[v-1] == *tag:
				return c.f.Bad(name, row, "two links from slot %d to slot %d", s, v-1)
			}
			marks[v-1] = *tag
		}
	}
	return nil
}

// checkTree wants every node to hang on the root, by links. So every node can
// be reached from every node.
func (c *checker) checkTree() error {
	const under = 1 // come to on the way up from a node that is being looked at
	const hangs = 2
	state := make([]uint8, c.count)
	children := make([]int32, c.count)
	var path []uint32
	for s := range c.count {
		if c.level[s] == 0 {
			continue
		}
		path = path[:0]
		for x := s; state[x] != hangs; {
			if state[x] == under {
				return c.bad(x, "the tree is a ring")
			}
			state[x] = under
			path = append(path, x)
			p := c.node(x).parent.Load()
			if p == 0 {
				if c.root.Load() != x+1 {
					return c.bad(x, "no parent, and it is not the root")
				}
				break
			}
			if !c.in(p-1, 0) || !c.linksTo(x, p-1) || !c.linksTo(p-1, x) {
				return c.bad(x, "it and its parent %d do not link to each other", p-1)
			}
			if children[p-1]++; int(children[p-1]) > c.children {
				return c.bad(p-1, "more than %d tree children", c.children)
			}
			x = p - 1
		}
		for _, x := range path {
			state[x] = hangs
		}
	}
	return nil
}

// checkRow looks at the vector and the code of a slot.
func (c *checker) checkRow(sc *scratch, s uint32) error {
	st := c.node(s).state.Load()
	if st == 0 {
		return nil
	}
	if c.vectors.arena != nil {
		if err := c.space.Check(c.vectors.at(s)); err != nil {
			return c.f.Bad("vectors", int(s), "%v", err)
		}
	}
	if c.codec != nil {
		if err := c.checkCode(sc, s); err != nil {
			return err
		}
	}
	if c.sketch != nil { // of the floats that checkCode has left
		c.sketch.Encode(sc.sketchRow, sc.floats)
		made := unsafe.Slice((*byte)(sc.sketchRow), c.sketches.stride)
		if sketch := c.sketches.bytes(s); string(made) != string(sketch) {
			copy(sketch, made)
		}
	}
	if st&linked != 0 && st&dead == 0 {
		c.hash[s] = hashRow(c.ident.bytes(s))
	}
	return nil
}

func (c *checker) checkCode(sc *scratch, s uint32) error {
	code := c.codes.bytes(s)
	made := unsafe.Slice((*byte)(sc.code), len(code))
	switch {
	case c.splits(): // the vector itself
		if !c.codec.(*quant.Split).Holds(c.codes.at(s), sc.floats, sc.code) {
			return c.f.Bad("codes", int(s), "it is not how its vector is written")
		}
		row := unsafe.Slice((*float32)(sc.row), c.space.Stride/4)
		clear(row[copy(row, sc.floats):])
		if err := c.space.Check(sc.row); err != nil {
			return c.f.Bad("codes", int(s), "%v", err)
		}
	case c.codesOnly:
		c.codec.Decode(sc.floats, c.codes.at(s))
		for i, x := range sc.floats {
			if x-x != 0 {
				return c.f.Bad("codes", int(s), "component %d is %v", i, x)
			}
		}
	default:
		c.space.Floats(sc.floats, c.vectors.at(s))
		if c.codec.Encode(sc.code, sc.floats); string(made) != string(code) {
			// Another machine may round otherwise; as the vector is here, its code is too.
			copy(code, made)
		}
	}
	return nil
}

// splits reports whether vectors lie in two parts.
func (g *Graph) splits() bool {
	_, ok := g.codec.(*quant.Split)
	return ok
}

// derive makes what is not in the file.
func (c *checker) derive() error {
	g := c.Graph
	g.equal.reserve(int(c.count) - len(c.free) - c.dups)
	for s := range c.count {
		n := g.node(s)
		st := n.state.Load()
		if st == 0 {
			continue
		}
		if st&live != 0 {
			l := g.label(s)
			if o := g.labels.Slot(l); o != slot.None {
				return c.f.Bad("names", int(s), "label %d is at slot %d too", l, o)
			}
			if g.labels.Version(l) == 0 {
				return c.f.Bad("names", int(s), "label %d has no version", l)
			}
			g.labels.SetSlot(l, s)
			g.live.Add(1)
		}
		switch {
		case st&dup != 0:
		case st&dead != 0:
			g.bury(s, true)
			g.repair.add(s)
		default:
			setBit(g.heads, s, n.next.Load() != 0)
			if o, mine := g.equal.claim(g, c.hash[s], s); !mine {
				return c.f.Bad(g.identName(), int(s), "slot %d has the same vector and is not in its chain", o)
			}
		}
	}
	g.upperEnd = uint32(len(c.used))
	for row, used := range c.used {
		if used {
			continue
		}
		for _, v := range unsafe.Slice((*uint32)(unsafe.Add(g.upper.Base(), row*4*g.m)), g.m) {
			if v != 0 {
				return c.f.Bad("upper", row, "links of a row that is not used")
			}
		}
		g.upperOld[1] = append(g.upperOld[1], uint32(row))
	}
	g.alloc.Restore(int(c.count), c.free)
	return nil
}

func (g *Graph) identName() string {
	if g.codesOnly {
		return "codes"
	}
	return "vectors"
}

var _ index.Index = (*Graph)(nil)
