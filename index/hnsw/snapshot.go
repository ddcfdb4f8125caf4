package hnsw

import (
	"io"
	"runtime"
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/slot"
	"github.com/nearcache/nearcache/index/snapshot"
)

// A saved graph is its arrays as they are, between two writes and without a
// repair under way. See snapshot/FORMAT.md for what is in each section, and
// check.go for what a file has to fulfil.

const savedKind = "HNSW"

// The numbers in a saved graph's header.
const (
	savedEntry  = iota // (level+1)<<32 | slot, 0 for none
	savedRoot          // slot+1, 0 for none
	savedRandom        // of the level generator
	savedSplit         // splitParts: vectors lie in two parts
	savedSketch        // variance and share read of sketches, as float32 one above the other
	savedMargin        // of sketches, as float32
	savedState
)

// splitParts is 2, as 1 was halves.
const splitParts = 2

// section is an arena with rows.
type section struct {
	name      string
	arena     *slot.Arena
	row, rows int
}

func (s *section) bytes() []byte {
	return unsafe.Slice((*byte)(s.arena.Base()), s.row*s.rows)
}

// sections are what is saved of a graph of count slots with upper rows above
// level 0, but for the labels' versions.
func (g *Graph) sections(count, upper int) []section {
	all := []section{
		{"nodes", g.nodes, nodeSize, count},
		{"names", g.names, 8, count},
		{"links", g.links, 4 * g.m0, count},
		{"upper", g.upper, 4 * g.m, upper},
	}
	if g.vectors.arena != nil {
		all = append(all, section{"vectors", g.vectors.arena, g.vectors.stride, count})
	}
	if g.codes.arena != nil {
		all = append(all, section{"codes", g.codes.arena, g.codes.stride, count})
	}
	if g.sketch != nil {
		all = append(all, section{"sketches", g.sketches.arena, g.sketches.stride, count})
	}
	return all
}

// Save writes the graph, as it is at one moment, for [Load] and [Open].
// Searches go on meanwhile. Additions and removals wait until it is written,
// and it waits for those under way, for a repair, and for searches that began
// before a removal.
func (g *Graph) Save(w io.Writer) error {
	g.repair.mu.Lock()
	defer g.repair.mu.Unlock()
	g.gate.Lock()
	defer g.gate.Unlock()
	for {
		g.alloc.Reclaim(g.pool.Oldest)
		if unused, free := g.alloc.Unused(); unused == free {
			break
		}
		runtime.Gosched() // a search holds slots that have to be saved as free
	}
	state := make([]uint64, savedState)
	state[savedEntry] = g.entry.Load()
	state[savedRoot] = uint64(g.root.Load())
	state[savedRandom] = g.random.Load()
	if g.splits() {
		state[savedSplit] = splitParts
	}
	sketches := g.sketchStats.save()
	state[savedSketch], state[savedMargin] = sketches[0], sketches[1]
	g.upperMu.Lock()
	upper := int(g.upperEnd)
	g.upperMu.Unlock()

	all := []snapshot.Section{snapshot.Versions(&g.labels)}
	for _, s := range g.sections(g.alloc.Count(), upper) {
		all = append(all, snapshot.Section{Name: s.name, Row: s.row, Rows: s.rows, Data: snapshot.One(s.bytes())})
	}
	return snapshot.Write(w, snapshot.Header{Kind: savedKind, Params: g.params, State: state}, all)
}

// Load reads a graph that Save wrote. It has p's parameters; index.ErrParams
// if they are not those that it was saved with, where they decide about what
// is stored. An [index.ErrCorrupt] names section and offset.
func Load(r io.Reader, p index.Params) (*Graph, error) {
	f, err := snapshot.Read(r)
	if err != nil {
		return nil, err
	}
	return load(f, p)
}

// Open is [Load] of a file of size bytes whose pages become the graph's
// memory, see [snapshot.Map]. What is written later is written to a copy of
// the page. The whole file is read once, to check it.
func Open(r io.ReaderAt, size int64, p index.Params) (*Graph, error) {
	f, err := snapshot.Map(r, size)
	if err != nil {
		return nil, err
	}
	return load(f, p)
}

func load(f *snapshot.Reader, p index.Params) (*Graph, error) {
	if p.M == 0 {
		p.M = defaultM
	}
	if err := f.Is(savedKind, p); err != nil {
		return nil, err
	}
	p.Quant = f.Params.Quant
	split := f.State[savedSplit] == splitParts
	if p.Quant == index.QuantAuto || !split && f.State[savedSplit] != 0 || split && (p.Quant != index.QuantNone || p.Element != index.Float32) {
		return nil, snapshot.Corrupt("header", 0, "vectors of %v, %v, in parts: %d", p.Element, p.Quant, f.State[savedSplit])
	}
	g, err := newGraph(p, split)
	if err != nil {
		return nil, err
	}
	if err := g.restore(f); err != nil {
		g.Close()
		return nil, err
	}
	g.repair.start(g)
	return g, nil
}

// restore fills the new graph.
func (g *Graph) restore(f *snapshot.Reader) error {
	count, err := f.Rows("nodes", nodeSize)
	if err != nil {
		return err
	}
	upper, err := f.Rows("upper", 4*g.m)
	if err != nil {
		return err
	}
	if count > slot.MaxSlots || upper > slot.MaxSlots {
		return f.Bad("nodes", 0, "%d slots, %d rows above level 0", count, upper)
	}
	if err := f.Versions(&g.labels); err != nil {
		return err
	}
	for _, s := range g.sections(count, upper) {
		if err := f.Fill(s.arena, s.name, s.row, s.rows); err != nil {
			return err
		}
	}
	if err := f.End(); err != nil {
		return err
	}
	if err := g.grow(count); err != nil { // the arrays that are derived
		return err
	}
	g.random.Store(f.State[savedRandom])
	if err := g.sketchStats.restore([2]uint64{f.State[savedSketch], f.State[savedMargin]}); err != nil {
		return snapshot.Corrupt("header", 0, "%v", err)
	}
	return g.check(f, uint32(count), uint32(upper))
}

var _ index.Saver = (*Graph)(nil)
