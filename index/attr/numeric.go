package attr

import (
	"cmp"
	"math"

	"github.com/nearcache/nearcache/index"
)

type numEntry struct {
	x  float64
	id uint32
}

// Numeric holds a number of each document, or several.
type Numeric struct {
	sorted ordered[numEntry]
	values []float64            // by id: the first; NaN for none
	more   map[uint32][]float64 // of documents that have several: those behind the first
}

// NewNumeric returns an empty index of numbers.
func NewNumeric() *Numeric {
	return &Numeric{sorted: ordered[numEntry]{cmp: func(a, b numEntry) int {
		switch {
		case a.x < b.x:
			return -1
		case a.x > b.x:
			return 1
		}
		return cmp.Compare(a.id, b.id)
	}}}
}

// Put sets the document's numbers, of which none may be NaN.
func (n *Numeric) Put(id uint32, x float64, more ...float64) {
	n.Remove(id)
	for int(id) >= len(n.values) {
		n.values = append(n.values, math.NaN())
	}
	n.values[id] = x
	n.sorted.insert(numEntry{x, id})
	if len(more) == 0 {
		return
	}
	var rest []float64
	for _, x := range more {
		if n.sorted.insert(numEntry{x, id}) {
			rest = append(rest, x)
		}
	}
	if rest == nil {
		return
	}
	if n.more == nil {
		n.more = map[uint32][]float64{}
	}
	n.more[id] = rest
}

// Remove forgets the document's numbers.
func (n *Numeric) Remove(id uint32) {
	x, ok := n.Value(id)
	if !ok {
		return
	}
	n.values[id] = math.NaN()
	n.sorted.remove(numEntry{x, id})
	if len(n.more) == 0 {
		return
	}
	for _, x := range n.more[id] {
		n.sorted.remove(numEntry{x, id})
	}
	delete(n.more, id)
}

// In reports whether one of the document's numbers lies in min..max.
func (n *Numeric) In(id uint32, min, max float64) bool {
	x, ok := n.Value(id)
	if !ok {
		return false
	}
	if x >= min && x <= max {
		return true
	}
	for _, x := range n.more[id] {
		if x >= min && x <= max {
			return true
		}
	}
	return false
}

// Value is the document's number, the first of several.
func (n *Numeric) Value(id uint32) (float64, bool) {
	if int(id) >= len(n.values) {
		return 0, false
	}
	x := n.values[id]
	return x, !math.IsNaN(x)
}

// Len is the number of numbers.
func (n *Numeric) Len() int { return n.sorted.n }

// Range adds the documents with a number in min..max to b. Exclusive bounds
// are left to the caller to express by math.Nextafter.
func (n *Numeric) Range(b *index.Bitmap, min, max float64) {
	n.sorted.from(numEntry{x: min}, func(e numEntry) bool {
		if e.x > max {
			return false
		}
		b.Add(index.Label(e.id))
		return true
	})
}

// Walk calls f with each document that has a number, by its first one, ascending
// or descending, until f returns false.
func (n *Numeric) Walk(desc bool, f func(id uint32, x float64) bool) {
	each := func(e numEntry) bool { return n.values[e.id] != e.x || f(e.id, e.x) }
	if desc {
		n.sorted.back(each)
	} else {
		n.sorted.from(numEntry{x: math.Inf(-1)}, each)
	}
}

// Estimate is about how many documents lie in min..max, in time that does not
// grow with them.
func (n *Numeric) Estimate(min, max float64) int {
	b0, i0 := n.sorted.seek(numEntry{x: min})
	b1, i1 := n.sorted.seek(numEntry{max, math.MaxUint32})
	if b0 == b1 {
		return i1 - i0
	}
	if b1 < b0 {
		return 0
	}
	return (b1-b0)*n.sorted.n/len(n.sorted.blocks) + i1 - i0
}

// Bytes is the memory held, about.
func (n *Numeric) Bytes() int64 {
	return int64(8*cap(n.values) + len(n.sorted.blocks)*16*(blockSize+1) + 64*len(n.more))
}
