package hnsw

import (
	"fmt"
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/kernel"
	"github.com/nearcache/nearcache/index/quant"
	"github.com/nearcache/nearcache/index/slot"
	"github.com/nearcache/nearcache/index/space"
)

// codec makes small rows that stand for vectors. Rows are compared with query
// forms, as in [space.Space].
type codec interface {
	Encode(row unsafe.Pointer, v []float32)
	Decode(v []float32, row unsafe.Pointer)
	Query(q unsafe.Pointer, v []float32)
	Walk(dst *float32, q, base unsafe.Pointer, slots *uint32, n int)
	// Doubt is how far Walk's distances near d may be from the vectors', but for
	// rare cases.
	Doubt(d float32, q unsafe.Pointer) float32
	// Lower is a distance that the row's vector is not below, for a query and
	// what Walk says of it.
	Lower(d float32, q, row unsafe.Pointer) float32
	// Lowers makes d, what Walk says of the rows of slots, what Lower says of
	// them or less.
	Lowers(d []float32, q, base unsafe.Pointer, slots []uint32)
}

// rows is an array with a row for each slot, and what compares them.
type rows struct {
	arena     *slot.Arena
	stride    int
	size      int // bytes of a row that a walk reads, from its beginning; 0: all
	lines     int // cache lines of a row that are worth a prefetch
	querySize int
	over      int // bytes that are read behind a row
	dist      func(dst *float32, q, base unsafe.Pointer, slots *uint32, n int)
	query     func(q, row unsafe.Pointer) // makes a row's query form; nil if the row is its own
}

func (r *rows) at(s uint32) unsafe.Pointer {
	return unsafe.Add(r.arena.Base(), uintptr(s)*uintptr(r.stride))
}

func (r *rows) bytes(s uint32) []byte { return unsafe.Slice((*byte)(r.at(s)), r.stride) }

func (r *rows) grow(n int) error {
	if r.arena == nil {
		return nil
	}
	return r.arena.Grow(uintptr(n)*uintptr(r.stride) + uintptr(r.over))
}

// layout chooses what the graph holds of a vector. split: without quantisation,
// vectors lie in two parts.
func (g *Graph) layout(split bool) error {
	p := g.params
	g.space = space.New(p.Dim, p.Element, p.Metric)
	g.vectors = rows{
		stride: g.space.Stride, querySize: g.space.QuerySize,
		dist: g.space.Walk, query: g.space.Query,
	}
	if p.Element == index.Float32 || p.Element == index.Float64 {
		g.vectors.query = nil
	}
	q := p.Quant
	if q == index.QuantAuto {
		q = auto(p)
	}
	if q != index.QuantNone && p.Element >= index.Int8 {
		return fmt.Errorf("%w: quantisation %v of element type %v", index.ErrParams, q, p.Element)
	}
	g.params.Quant = q
	switch q {
	case index.QuantNone:
		g.rough = &g.vectors
		if split {
			c := quant.NewSplit(p.Dim, p.Metric)
			g.encode(c, rows{stride: c.Stride, size: c.WalkSize(), querySize: c.QuerySize, over: quant.Overread, dist: c.Walk, query: c.QueryOf})
			g.codesOnly = true // they are the vectors
			g.addSketches()
		}
	case index.QuantSQ8, index.QuantSQ8Only:
		c := quant.NewSQ8(p.Dim, p.Metric)
		g.encode(c, rows{stride: c.Stride, querySize: c.QuerySize, over: quant.Overread, dist: c.Walk, query: c.QueryOf})
		g.codesOnly = q == index.QuantSQ8Only
		if !g.codesOnly { // for little memory
			g.addSketches()
		}
	case index.QuantSQ4:
		c := quant.NewSQ4Rows(p.Dim, p.Metric)
		g.encode(c, rows{stride: c.Stride, querySize: c.QuerySize, over: quant.Overread, dist: c.Walk, query: c.QueryOf})
		g.addSketches()
	case index.QuantBinary:
		c := quant.NewBinary(p.Dim, p.Metric)
		g.encode(c, rows{stride: c.Stride, querySize: c.QuerySize, over: quant.Overread, dist: c.Walk})
		g.fine = &g.vectors
		g.onDisk = true
	default:
		return fmt.Errorf("%w: quantisation %v", index.ErrParams, q)
	}
	if g.fine == nil {
		g.fine = g.rough
	}
	g.ident = &g.vectors
	if g.codesOnly {
		g.ident = &g.codes
		g.decoded = space.New(p.Dim, index.Float32, p.Metric)
	}
	if g.rough.size == 0 {
		g.rough.size = g.rough.stride
	}
	g.rough.lines = min((g.rough.size+63)/64, maxLines)
	return nil
}

func (g *Graph) addSketches() {
	g.sketch = quant.NewBinary(g.params.Dim, g.params.Metric)
	g.sketches = rows{
		stride: g.sketch.Stride, querySize: g.sketch.QuerySize, over: quant.Overread,
		lines: (g.sketch.Stride + 63) / 64,
	}
}

// encode makes the walk compare codes.
func (g *Graph) encode(c codec, r rows) {
	g.codec, g.codes, g.rough = c, r, &g.codes
}

// maxLines of a row are fetched ahead when it is gathered; the kernel fetches
// the rest, while it is at the rows before.
const maxLines = 8

// minCoded is the dimension from which on a walk on codes is faster.
const minCoded = 64

func auto(p index.Params) index.Quant {
	// Where only one of the two has a kernel for this processor, that one.
	if p.Element <= index.Float64 && p.Dim >= minCoded && (assembly(kernel.SQ8) || !assembly(kernel.F32)) {
		return index.QuantSQ8
	}
	return index.QuantNone
}

// splits reports whether a walk is faster if vectors lie in two parts.
func splits(p index.Params) bool {
	return p.Element == index.Float32 && p.Dim >= minCoded && p.Dim <= index.MaxDim && assembly(kernel.SQ8)
}

func assembly(t kernel.Type) bool { return kernel.Best(kernel.Dot, t).ISA != kernel.Generic }

// poolSize is how many nodes a walk keeps where ef are asked for. By small
// codes the nearest come later: with these, recall on MiniLM is that of a walk
// on 8-bit codes or better, at any ef.
func (g *Graph) poolSize(ef int) int {
	if ef < maxPool {
		switch g.params.Quant {
		case index.QuantSQ4:
			return ef + ef/8 + 2
		case index.QuantBinary:
			return ef + ef/2 + 16
		}
	}
	return ef
}

// load checks v and makes it the operation's vector.
func (g *Graph) load(sc *scratch, v []byte) error {
	return g.space.Parse(sc.row, v)
}

// asQuery makes the query forms of the loaded vector.
func (g *Graph) asQuery(sc *scratch) {
	if g.codec == nil {
		g.space.Query(sc.query, sc.row)
		return
	}
	g.space.Floats(sc.floats, sc.row)
	g.codec.Query(sc.query, sc.floats)
	if !g.codesOnly {
		g.space.Query(sc.exact, sc.row)
	}
}

// asSearch makes what a search needs of the loaded vector.
func (g *Graph) asSearch(sc *scratch) {
	g.asQuery(sc)
	if g.codesOnly {
		g.codec.Encode(sc.code, sc.floats)
	}
}

// asRows makes the rows that are to be stored of the loaded vector.
func (g *Graph) asRows(sc *scratch) {
	if g.codec != nil {
		g.space.Floats(sc.floats, sc.row)
		g.codec.Encode(sc.code, sc.floats)
	}
	if g.sketch != nil {
		if g.splits() { // who loads the graph has the vector as it is kept
			g.codec.Decode(sc.floats, sc.code)
		}
		g.sketch.Encode(sc.sketchRow, sc.floats)
	}
}

// store writes the loaded vector to a slot.
func (g *Graph) store(sc *scratch, s uint32) {
	if !g.codesOnly {
		copy(g.vectors.bytes(s), sc.rowBytes(g.vectors.stride))
	}
	if g.codec != nil {
		copy(g.codes.bytes(s), unsafe.Slice((*byte)(sc.code), g.codes.stride))
	}
	if g.sketch != nil {
		copy(g.sketches.bytes(s), unsafe.Slice((*byte)(sc.sketchRow), g.sketches.stride))
	}
}

// identity is what the loaded vector is told apart by: its row or its code.
func (g *Graph) identity(sc *scratch) []byte {
	if g.codesOnly {
		return unsafe.Slice((*byte)(sc.code), g.codes.stride)
	}
	return sc.rowBytes(g.vectors.stride)
}

// exactly fills dst with the metric's distances from the query to slots, in
// the element's precision.
func (g *Graph) exactly(sc *scratch, dst []float64, slots []uint32) {
	if len(slots) == 0 {
		return
	}
	if !g.codesOnly {
		q := sc.exact
		if g.codec == nil {
			q = sc.query
		}
		g.space.Exact(unsafe.SliceData(dst), q, g.vectors.arena.Base(), unsafe.SliceData(slots), len(slots))
		return
	}
	sc.one[0] = 0
	r := &g.codes
	rest, lines := unsafe.Add(r.arena.Base(), r.size), (r.stride-r.size+63)/64 // what a walk has not read
	for i, s := range slots {
		if i+1 < len(slots) {
			kernel.Fetch(&slots[i+1], 1, rest, r.stride, lines)
		}
		g.codec.Decode(sc.decoded, g.codes.at(s))
		g.decoded.Exact(&dst[i], unsafe.Pointer(&sc.floats[0]), unsafe.Pointer(&sc.decoded[0]), &sc.one[0], 1)
	}
}

// exactlyOne is the same for one slot.
func (g *Graph) exactlyOne(sc *scratch, s uint32) float64 {
	sc.two[0] = s
	g.exactly(sc, sc.wdist[:1], sc.two[:])
	return sc.wdist[0]
}
