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

// Numeric holds one number a document.
type Numeric struct {
	sorted ordered[numEntry]
	values []float64 // by id; NaN for none
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

// Put sets the document's number, which must not be NaN.
func (n *Numeric) Put(id uint32, x float64) {
	n.Remove(id)
	for int(id) >= len(n.values) {
		n.values = append(n.values, math.NaN())
	}
	n.values[id] = x
	n.sorted.insert(numEntry{x, id})
}

// Remove forgets the document's number.
func (n *Numeric) Remove(id uint32) {
	if x, ok := n.Value(id); ok {
		n.values[id] = math.NaN()
		n.sorted.remove(numEntry{x, id})
	}
}

// Value is the document's number.
func (n *Numeric) Value(id uint32) (float64, bool) {
	if int(id) >= len(n.values) {
		return 0, false
	}
	x := n.values[id]
	return x, !math.IsNaN(x)
}

// Len is the number of documents that have a number.
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
	return int64(8*cap(n.values) + len(n.sorted.blocks)*16*(blockSize+1))
}
