package quant

import (
	"math"
	"unsafe"

	"github.com/nearcache/nearcache/index"
)

// Lower is what the true distance (of the vectors before they were encoded,
// as Walk counts distances) is not below, where Walk says d for this query
// and row: by Cauchy and Schwarz for the dot product, by the triangle
// inequality for L2.
func (s *SQ8) Lower(d float32, q, row unsafe.Pointer) float32 {
	h, r := s.queryHeader(q), s.header(row)
	ex, eq := float64(s.Err(row)), float64(h.err)
	nq, nx := math.Sqrt(float64(h.norm2)), math.Sqrt(float64(r.norm2))
	// The estimate itself is rounded, in float32.
	round := 1e-5 * (nq*nx + eq + ex)
	if s.Metric == index.L2 {
		round = 1e-5 * (float64(h.norm2) + float64(r.norm2))
		low := math.Sqrt(max(float64(d)-round, 0)) - (eq + ex)
		if !(low > 0) {
			return 0
		}
		return float32(low * low * (1 - 1e-6))
	}
	low := float64(d) - (eq*nx + (nq+eq)*ex) - round
	if low != low {
		return float32(math.Inf(-1))
	}
	return float32(low)
}

// Lowers makes d, what Walk says of the rows of slots, what Lower says of them
// or a little less.
func (s *SQ8) Lowers(d []float32, q, base unsafe.Pointer, slots []uint32) {
	slots = slots[:len(d)]
	if s.Metric == index.L2 {
		for i, t := range slots {
			d[i] = s.Lower(d[i], q, unsafe.Add(base, uintptr(t)*uintptr(s.Stride)))
		}
		return
	}
	// Lower's sum, by what depends on the row.
	h := s.queryHeader(q)
	eq, nq := float64(h.err), math.Sqrt(float64(h.norm2))
	perNorm, perErr, always := eq+1e-5*nq, nq+eq+1e-5, 1e-5*eq
	perErr *= s.errUnit * (1 + 2e-6)
	base = unsafe.Add(base, s.head)
	for i, t := range slots {
		r := (*sq8Header)(unsafe.Add(base, uintptr(t)*uintptr(s.Stride)))
		low := float64(d[i]) - perNorm*math.Sqrt(float64(r.norm2)) - perErr*float64(r.scale)*float64(r.errSum>>sumBits) - always
		if low != low {
			low = math.Inf(-1)
		}
		d[i] = float32(low)
	}
}

// Doubt is what Walk's estimates near d are off by at most, but for rare
// cases: the errors of the components are independent, so their sum is about
// the error's length over the root of their number, not its length. Rows are
// taken to have steps as wide as the query's.
func (s *SQ8) Doubt(d float32, q unsafe.Pointer) float32 {
	const sigmas = 6
	h := s.queryHeader(q)
	e := sigmas * math.Hypot(float64(h.err), float64(h.rough)) / math.Sqrt(float64(s.Dim))
	if s.Metric == index.L2 {
		return float32(2 * e * math.Sqrt(max(float64(d), 0)))
	}
	return float32(e * math.Sqrt(float64(h.norm2)))
}
