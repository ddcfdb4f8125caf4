package hnsw

import (
	"errors"
	"math"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/quant"
	"github.com/nearcache/nearcache/index/slot"
	"github.com/nearcache/nearcache/index/space"
)

// RediSearch's defaults.
const (
	defaultM       = 16
	defaultEFC     = 200
	defaultEF      = 10
	defaultEpsilon = 0.01
)

const (
	maxLevel = 24
	stripes  = 1024
	nodeSize = int(unsafe.Sizeof(node{}))
)

// The states of a node, see the package's comment. The level stands above them.
const (
	live    = 1 << iota // the label may be returned
	pending             // being inserted
	linked              // in the graph: its lists stand
	dead                // in the graph, but no label is left
	doomed              // a repair is taking it out
	dup                 // not in the graph: hangs on the node of an equal vector

	levelShift = 8
)

// node is what a slot has besides its vector, label and links. Slots are stored
// plus 1, 0 is none.
type node struct {
	state  atomic.Uint32
	parent atomic.Uint32 // in the tree; of a dup the node it hangs on
	next   atomic.Uint32 // chain of equal vectors, headed by the node in the graph
	prev   atomic.Uint32
	upper  atomic.Uint32 // first row in upper
}

func (n *node) level() int { return int(n.state.Load() >> levelShift) }

func (n *node) has(flags uint32) bool { return n.state.Load()&flags != 0 }

// carries reports whether any label may be returned for the node.
func (n *node) carries() bool { return n.state.Load()&live != 0 || n.next.Load() != 0 }

// Graph is an HNSW index. It implements [index.Index].
type Graph struct {
	params   index.Params
	m, m0    int // links above and at level 0
	children int // tree children of a node, at most
	levelMul float64

	space       *space.Space
	codec       codec         // nil: the walk compares the vectors themselves
	codesOnly   bool          // no vectors are kept
	decoded     *space.Space  // of decoded vectors, if codesOnly
	vectors     rows          // as they came, of space
	codes       rows          // of codec
	sketch      *quant.Binary // nil: none
	sketches    rows
	sketchStats sketchStats
	sketchFrom  int  // bytes of rows from which on sketches are looked at
	onDisk      bool // vectors lie in a file
	disk        disk
	rough       *rows // which of them a walk compares
	fine        *rows // which of them decides who becomes a neighbour
	ident       *rows // which of them tells vectors apart

	links *slot.Arena
	nodes *slot.Arena
	upper *slot.Arena
	names *slot.Arena // labels: a filter asks for many that nothing else is wanted of
	tombs *slot.Arena // a bit for each slot: no label of it may be returned
	heads *slot.Arena // a bit for each slot: a chain of equal vectors hangs or hung on it

	labels slot.Labels
	alloc  slot.Alloc
	pool   slot.Pool[scratch]
	moves  slot.Moves
	equal  equals

	gate     sync.RWMutex  // Save holds it, and every addition and removal shares it
	entry    atomic.Uint64 // (level+1)<<32 | slot, 0 for none
	entryMu  sync.Mutex
	root     atomic.Uint32 // slot+1, written under entryMu
	stripe   [stripes]stripe
	upperMu  sync.Mutex
	upperEnd uint32                 // rows handed out so far, guarded by upperMu
	upperOld [maxLevel + 1][]uint32 // free rows, by number, guarded by upperMu

	live   atomic.Int64 // labels
	random atomic.Uint64
	repair repairer
}

type stripe struct {
	sync.Mutex
	_ [56]byte
}

// New makes an empty graph.
func New(p index.Params) (*Graph, error) { return newGraph(p, splits(p)) }

func newGraph(p index.Params, split bool) (*Graph, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if p.M == 0 {
		p.M = defaultM
	}
	if p.EFConstruction == 0 {
		p.EFConstruction = defaultEFC
	}
	if p.EFRuntime == 0 {
		p.EFRuntime = defaultEF
	}
	if p.Epsilon == 0 {
		p.Epsilon = defaultEpsilon
	}
	g := &Graph{
		params: p, m: p.M, m0: 2 * p.M, children: p.M,
		levelMul: 1 / math.Log(float64(p.M)),
	}
	g.random.Store(p.Seed)
	g.sketchFrom = sketchBytes
	if err := g.layout(split); err != nil {
		return nil, err
	}
	perSlot := 4*g.m0 + nodeSize + 8
	if g.codec != nil {
		perSlot += g.codes.stride
	}
	if !g.codesOnly && !g.onDisk {
		perSlot += g.vectors.stride
	}
	rows := slot.MaxRows(perSlot)
	var err error
	for _, a := range []struct {
		at   **slot.Arena
		size int
		want bool
	}{
		{&g.vectors.arena, rows * g.vectors.stride, !g.codesOnly},
		{&g.sketches.arena, rows*g.sketches.stride + g.sketches.over, g.sketch != nil},
		{&g.codes.arena, rows*g.codes.stride + g.codes.over, g.codec != nil},
		{&g.links, rows * 4 * g.m0, true},
		{&g.nodes, rows * nodeSize, true},
		{&g.names, rows * 8, true},
		{&g.tombs, rows/8 + 8, true},
		{&g.heads, rows/8 + 8, true},
		// The mean is 1/(M-1) rows a slot. Should they run out, nodes stay at level 0.
		{&g.upper, (rows*2/(g.m-1) + 4096) * 4 * g.m, true},
	} {
		if !a.want {
			continue
		}
		if a.at == &g.vectors.arena && g.onDisk {
			*a.at, err = slot.ReserveFile(p.Dir, uintptr(a.size))
		} else {
			*a.at, err = slot.Reserve(uintptr(a.size))
		}
		if err != nil {
			return nil, errors.Join(err, g.Close())
		}
	}
	g.pool.New = g.newScratch
	g.alloc.Grow = g.grow
	g.alloc.Recycle = g.recycle
	g.alloc.Empty = g.empty
	return g, nil
}

func (g *Graph) grow(n int) error {
	return errors.Join(
		g.vectors.grow(n),
		g.codes.grow(n),
		g.sketches.grow(n),
		g.links.Grow(uintptr(n)*uintptr(4*g.m0)),
		g.nodes.Grow(uintptr(n)*uintptr(nodeSize)),
		g.names.Grow(uintptr(n)*8),
		g.tombs.Grow(uintptr(n+63)/64*8),
		g.heads.Grow(uintptr(n+63)/64*8))
}

// arenas are all there are.
func (g *Graph) arenas() []*slot.Arena {
	all := []*slot.Arena{g.vectors.arena, g.codes.arena, g.sketches.arena, g.links, g.nodes, g.upper, g.names, g.tombs, g.heads}
	return slices.DeleteFunc(all, func(a *slot.Arena) bool { return a == nil })
}

// recycle makes a slot that nobody holds as new.
func (g *Graph) recycle(s uint32) {
	n := g.node(s)
	clearList(g.list(0, s))
	g.freeUpper(s, n.level())
	n.state.Store(0)
	n.parent.Store(0)
	n.next.Store(0)
	n.prev.Store(0)
	n.upper.Store(0)
	setBit(g.heads, s, false)
}

// empty is called when no slot is in use or held.
func (g *Graph) empty() {
	for _, r := range []*rows{&g.vectors, &g.codes, &g.sketches} {
		if r.arena != nil {
			r.arena.Zero()
		}
	}
	g.upperMu.Lock()
	defer g.upperMu.Unlock()
	g.upperEnd = 0
	for i := range g.upperOld {
		g.upperOld[i] = nil
	}
}

// Close waits for a repair and returns the off-heap memory.
func (g *Graph) Close() error {
	g.repair.close()
	var errs []error
	for _, a := range g.arenas() {
		errs = append(errs, a.Close())
	}
	return errors.Join(errs...)
}

func (g *Graph) node(s uint32) *node {
	return (*node)(unsafe.Add(g.nodes.Base(), uintptr(s)*uintptr(nodeSize)))
}

// name is where the slot's label stands.
func (g *Graph) name(s uint32) *uint64 {
	return (*uint64)(unsafe.Add(g.names.Base(), uintptr(s)*8))
}

// label is the slot's. Whether it may be returned is another question.
func (g *Graph) label(s uint32) index.Label { return index.Label(atomic.LoadUint64(g.name(s))) }

// list is the node's list at a level: neighbour+1, 0 behind the last. It is
// read and written atomically, written under the node's stripe.
func (g *Graph) list(level int, s uint32) []uint32 {
	if level == 0 {
		return unsafe.Slice((*uint32)(unsafe.Add(g.links.Base(), uintptr(s)*uintptr(4*g.m0))), g.m0)
	}
	row := uintptr(g.node(s).upper.Load()) - 1 + uintptr(level) - 1
	return unsafe.Slice((*uint32)(unsafe.Add(g.upper.Base(), row*uintptr(4*g.m))), g.m)
}

func clearList(l []uint32) {
	for i := range l {
		atomic.StoreUint32(&l[i], 0)
	}
}

// bury sets a slot's bit among the tombs, or takes it back.
func (g *Graph) bury(s uint32, bit bool) { setBit(g.tombs, s, bit) }

// buried reports whether no label of the slot may be returned.
func (g *Graph) buried(s uint32) bool { return hasBit(g.tombs, s) }

func setBit(a *slot.Arena, s uint32, bit bool) {
	w := (*uint64)(unsafe.Add(a.Base(), s/64*8))
	if bit {
		atomic.OrUint64(w, 1<<(s%64))
	} else {
		atomic.AndUint64(w, ^(uint64(1) << (s % 64)))
	}
}

func hasBit(a *slot.Arena, s uint32) bool {
	w := (*uint64)(unsafe.Add(a.Base(), s/64*8))
	return atomic.LoadUint64(w)>>(s%64)&1 != 0
}

func (g *Graph) lock(s uint32)   { g.stripe[s%stripes].Lock() }
func (g *Graph) unlock(s uint32) { g.stripe[s%stripes].Unlock() }

// takeUpper reserves rows for a node of that level; the level may become 0.
func (g *Graph) takeUpper(level int) (int, uint32) {
	if level == 0 {
		return 0, 0
	}
	g.upperMu.Lock()
	defer g.upperMu.Unlock()
	if old := g.upperOld[level]; len(old) > 0 {
		row := old[len(old)-1]
		g.upperOld[level] = old[:len(old)-1]
		return level, row + 1
	}
	end := g.upperEnd + uint32(level)
	if g.upper.Grow(uintptr(end)*uintptr(4*g.m)) != nil {
		return 0, 0
	}
	row := g.upperEnd
	g.upperEnd = end
	return level, row + 1
}

func (g *Graph) freeUpper(s uint32, level int) {
	if level == 0 {
		return
	}
	for l := 1; l <= level; l++ {
		clearList(g.list(l, s))
	}
	g.upperMu.Lock()
	defer g.upperMu.Unlock()
	g.upperOld[level] = append(g.upperOld[level], g.node(s).upper.Load()-1)
}

// drawLevel draws a node's level: l with a probability of M^-l.
func (g *Graph) drawLevel() int {
	// splitmix64
	z := g.random.Add(0x9e3779b97f4a7c15)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	u := (float64(z>>11) + 1) / (1 << 53) // above 0, at most 1
	return min(int(-math.Log(u)*g.levelMul), maxLevel)
}

// Len is the number of labels.
func (g *Graph) Len() int { return int(g.live.Load()) }

// Stats returns the index's figures.
func (g *Graph) Stats() index.Stats {
	unused, free := g.alloc.Unused()
	st := index.Stats{
		Len:     g.Len(),
		Deleted: unused - free + int(g.repair.dead.Load()),
		Bytes:   g.labels.Bytes() + g.equal.bytes(),
	}
	for _, a := range g.arenas() {
		if a.OnDisk() {
			st.DiskBytes += int64(a.Committed())
		} else {
			st.Bytes += int64(a.Committed())
		}
	}
	if e := g.entry.Load(); e != 0 {
		st.Levels = int(e >> 32)
	}
	return st
}

// Entry is the label of the node where searches begin; false where there is none.
func (g *Graph) Entry() (index.Label, bool) {
	c := g.pool.Enter()
	defer g.pool.Leave(c)
	e := g.entry.Load()
	if e == 0 {
		return 0, false
	}
	return g.label(uint32(e)), g.node(uint32(e)).has(live)
}

// toKey makes a distance and a slot one number that sorts by both; the two
// lowest bits are for marks.
func toKey(d float32, s uint32) uint64 {
	b := math.Float32bits(d)
	if b>>31 != 0 {
		b = ^b
	} else {
		b |= 1 << 31
	}
	return uint64(b)<<32 | uint64(s)<<2
}

func keySlot(k uint64) uint32 { return uint32(k) >> 2 }

func keyDistance(k uint64) float32 {
	b := uint32(k >> 32)
	if b>>31 != 0 {
		return math.Float32frombits(b &^ (1 << 31))
	}
	return math.Float32frombits(^b)
}

func nextPow2(n int) int { return 1 << bits.Len(uint(n-1)) }
