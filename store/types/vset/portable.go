package vset

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/nearcache/nearcache/index"
)

// This file takes a set apart and puts one together, as Redis' files hold it: each
// element with its row, and with the elements it is linked to.

// Node is an element with those it is linked to at each level from 0 up, as
// places among the nodes. Links go both ways, which Redis insists on.
type Node struct {
	Element
	Links [][]uint32
}

// maxLinks is how many links of a node Redis reads at a level.
const maxLinks = 4 * MaxM

// Nodes are all elements, in the order of their names. Those of a set without a
// graph are linked as a graph would link them.
func (v *Value) Nodes() []Node {
	nodes := make([]Node, 0, v.Len())
	places := map[uint32]uint32{}
	v.order.from(&v.elements, "", func(l uint32) bool {
		places[l] = uint32(len(nodes))
		nodes = append(nodes, Node{Element: Element{v, l}})
		return true
	})
	g := v.graph
	if g == nil {
		var err error
		if g, err = v.build(); err != nil {
			g = nil // unlinked, they are read all the same
		}
	}
	var edges [][]edge // by level
	link := func(level int, a, b uint32) {
		for len(edges) <= level {
			edges = append(edges, nil)
		}
		if a != b {
			edges[level] = append(edges[level], edge{min(a, b), max(a, b)})
		}
	}
	for i := range nodes {
		n, at := &nodes[i], uint32(i)
		known := g != nil && g.links(n.label, func(level int, to []index.Label) {
			if n.Links == nil {
				n.Links = make([][]uint32, level+1)
			}
			for _, l := range to {
				if b, ok := places[uint32(l)]; ok {
					link(level, at, b)
				}
			}
		})
		if known {
			continue
		}
		n.Links = make([][]uint32, 1)
		if g == nil {
			continue
		}
		// It is not in the graph yet.
		near, _ := g.search(v.row(n.label), v.M, DefaultEF)
		for _, x := range near {
			if b, ok := places[uint32(x.Label)]; ok {
				link(0, at, b)
			}
		}
	}
	for level, l := range edges {
		slices.SortFunc(l, edge.compare)
		for _, e := range slices.Compact(l) {
			a, b := &nodes[e.a], &nodes[e.b]
			if level >= len(a.Links) || level >= len(b.Links) || len(a.Links[level]) >= maxLinks || len(b.Links[level]) >= maxLinks {
				continue
			}
			a.Links[level] = append(a.Links[level], e.b)
			b.Links[level] = append(b.Links[level], e.a)
		}
	}
	return nodes
}

// edge links two places, the lower one first.
type edge struct{ a, b uint32 }

func (e edge) compare(o edge) int {
	if e.a != o.a {
		return int(int64(e.a) - int64(o.a))
	}
	return int(int64(e.b) - int64(o.b))
}

// RowSize is the length of a row.
func (p Params) RowSize() int { return p.Quant.rowSize(p.Dim) }

// Load enters an element into a set that is being put together, with its row and
// what Raw returns besides. It reports false, and changes nothing, where the element
// is there already or where no vector makes such a row. What Load leaves to be done
// Waiting returns.
func (v *Value) Load(name, attr, row []byte, length, most float32) bool {
	if v.Quant != Q8 {
		most = 0 // Redis leaves what was there before
	}
	if _, twice := v.byName[string(name)]; twice || !v.isRow(row, length, most) {
		return false
	}
	if len(attr) == 0 {
		attr = nil
	}
	v.set(name, attr, bytes.Clone(row), scale{length, most}, DefaultEF)
	return true
}

// isRow reports whether a vector could have become these bytes.
func (p Params) isRow(row []byte, length, most float32) bool {
	if len(row) != p.RowSize() || length != length || most-most != 0 || most < 0 {
		return false
	}
	switch p.Quant {
	case F32:
		for i := 0; i < len(row); i += 4 {
			x := math.Float32frombits(binary.LittleEndian.Uint32(row[i:]))
			if !(x >= -1.001 && x <= 1.001) { // the length is 1, but for rounding
				return false
			}
		}
	case Q8:
		return bytes.IndexByte(row, 0x80) < 0 // -128
	case Bin:
		if over := p.Dim % 64; over != 0 {
			return binary.LittleEndian.Uint64(row[len(row)-8:])>>over == 0
		}
	}
	return true
}

// Waiting are the insertions that are left to be done, of a set that Load has put
// together.
func (v *Value) Waiting() []*Job {
	if v.graph == nil {
		return nil
	}
	var jobs []*Job
	for from := uint32(0); from < v.used; {
		var more []*Job
		more, from = v.jobs(from, int(v.used), int(v.used))
		jobs = append(jobs, more...)
	}
	slices.SortFunc(jobs, func(a, b *Job) int { return cmp.Compare(a.number, b.number) })
	return jobs
}

// AppendMatrix appends what Project multiplies by, as Redis keeps it: float32, a
// row for each of the Dim components.
func (p Params) AppendMatrix(b []byte) []byte {
	p.eachFactor(func(f uint32) bool {
		b = binary.LittleEndian.AppendUint32(b, f)
		return true
	})
	return b
}

// IsMatrix reports whether that is what stands in b.
func (p Params) IsMatrix(b []byte) bool {
	if len(b) != 4*p.Dim*p.Input {
		return false
	}
	same := true
	p.eachFactor(func(f uint32) bool {
		same = binary.LittleEndian.Uint32(b) == f
		b = b[4:]
		return same
	})
	return same
}

func (p Params) eachFactor(f func(bits uint32) bool) {
	by := math.Float32bits(float32(1 / math.Sqrt(float64(p.Input))))
	for i := range p.Dim {
		for j := range p.Input {
			if !f(by ^ sign(i, j)) {
				return
			}
		}
	}
}
