package quant

import (
	"math"
	"unsafe"

	"github.com/nearcache/nearcache/index"
)

// binarySigmas is how many standard deviations of an estimate are believed in.
const binarySigmas = 5

// doubtSigmas is for Doubt, which is about who is nearer: on MiniLM, 3 lose
// nothing against 5, and 2 do.
const doubtSigmas = 3

// deviation is the standard deviation of the estimate of a dot product, if the
// row's error points in a direction that has nothing to do with the query, and
// the query's components are rounded at random.
func (h *binaryQuery) deviation(dim int, r *binaryHeader) float64 {
	n := float64(dim)
	mean2, spread2 := float64(r.mean)*float64(r.mean), float64(r.spread)*float64(r.spread)
	row2 := max(n*(spread2+mean2)-float64(r.norm2), 0) // squared error of the row
	step2 := float64(h.step) * float64(h.step) / 12
	return math.Sqrt(float64(h.norm2)*row2/n + step2*n*(spread2+mean2))
}

// Lower is what the true distance (as Walk counts distances) is not below, but
// for rare cases, where Walk says d for this query and row.
func (b *Binary) Lower(d float32, q, row unsafe.Pointer) float32 {
	e := binarySigmas * b.queryHeader(q).deviation(b.Dim, b.header(row))
	least := math.Inf(-1)
	if b.Metric == index.L2 {
		e, least = 2*e, 0
	}
	if low := float64(d) - e; low > least { // and a number
		return float32(low)
	}
	return float32(least)
}

// Lowers makes d, what Walk says of the rows of slots, what Lower says of them.
func (b *Binary) Lowers(d []float32, q, base unsafe.Pointer, slots []uint32) {
	for i, t := range slots[:len(d)] {
		d[i] = b.Lower(d[i], q, unsafe.Add(base, uintptr(t)*uintptr(b.Stride)))
	}
}

// Doubt is what Walk's estimates near d are off by at most, but for rare cases.
// Rows are taken to be as the query is, normally distributed.
func (b *Binary) Doubt(_ float32, q unsafe.Pointer) float32 {
	h := b.queryHeader(q)
	n := float64(b.Dim)
	mean := float64(h.sum) / n
	r := binaryHeader{mean: float32(mean), norm2: h.norm2}
	r.spread = float32(math.Sqrt(max(float64(h.norm2)/n-mean*mean, 0) * math.Pi / 2))
	e := doubtSigmas * h.deviation(b.Dim, &r)
	if b.Metric == index.L2 {
		e *= 2
	}
	if e != e { // of lengths that float32 does not hold
		return inf
	}
	return float32(e)
}
