package quant

import (
	"math"
	"unsafe"
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
	if s.Metric.String() == "L2" {
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
