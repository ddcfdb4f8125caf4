package quant

import (
	"math"
	"unsafe"

	"github.com/viterin/vek/vek32"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/kernel"
)

// Split writes and reads rows of float32 in two halves: first the upper 16
// bits of every component, rounded, which are a bfloat16, then what the lower
// 16 bits differ from that. A walk reads the first half of a row only; both
// together are the vector, bit for bit. So it takes no more memory than the
// vectors, and moves half of it. Rows begin at multiples of 64.
type Split struct {
	Dim       int
	Metric    index.Metric
	Stride    int // bytes of a row, a multiple of 128
	QuerySize int // bytes of a query form: the vector in float32, and its length

	half   int // bytes of a half
	kernel kernel.Func
}

type splitQuery struct{ norm float32 }

// NewSplit is for vectors of dim components.
func NewSplit(dim int, m index.Metric) *Split {
	half := round(2*dim, 64)
	return &Split{
		Dim: dim, Metric: m,
		Stride: 2 * half, QuerySize: 2*half + 64,
		half: half, kernel: kernel.Best(kernel.OpOf(m), kernel.BF16).Func,
	}
}

// splitError is the largest relative error of a component in the first half.
const splitError = 1.0 / (1 << 8)

func (s *Split) queryHeader(q unsafe.Pointer) *splitQuery {
	return (*splitQuery)(unsafe.Add(q, 2*s.half))
}

// Encode writes the row of v, which has Dim finite components.
func (s *Split) Encode(row unsafe.Pointer, v []float32) {
	high, low := s.halves(row)
	for i, x := range v[:s.Dim] {
		b := math.Float32bits(x)
		high[i] = uint16((b + 1<<15) >> 16)
		low[i] = uint16(b)
	}
	clear(high[s.Dim:])
	clear(low[s.Dim:])
}

func (s *Split) halves(row unsafe.Pointer) (high, low []uint16) {
	n := s.half / 2
	return unsafe.Slice((*uint16)(row), n), unsafe.Slice((*uint16)(unsafe.Add(row, s.half)), n)
}

// Decode writes the vector of a row to v, as it was.
func (s *Split) Decode(v []float32, row unsafe.Pointer) {
	high, low := s.halves(row)
	n := s.Dim &^ 15
	join(unsafe.Pointer(unsafe.SliceData(v)), row, unsafe.Add(row, s.half), n)
	joinGeneric(v[n:s.Dim], high[n:], low[n:])
}

func joinGeneric(v []float32, high, low []uint16) {
	high, low = high[:len(v)], low[:len(v)]
	for i := range v {
		v[i] = math.Float32frombits(uint32(high[i])<<16 + uint32(int16(low[i])))
	}
}

func widenGeneric(v []float32, high []uint16) {
	high = high[:len(v)]
	for i := range v {
		v[i] = math.Float32frombits(uint32(high[i]) << 16)
	}
}

// Query writes the query form of v.
func (s *Split) Query(q unsafe.Pointer, v []float32) {
	f := unsafe.Slice((*float32)(q), s.half/2)
	clear(f[copy(f, v[:s.Dim]):])
	s.queryHeader(q).norm = float32(math.Sqrt(float64(vek32.Dot(v[:s.Dim], v[:s.Dim]))))
}

// QueryOf writes the query form of a row as a walk sees it, of its first half.
func (s *Split) QueryOf(q, row unsafe.Pointer) {
	widen(q, row, s.half/2)
	s.queryHeader(q).norm = 0 // nobody asks a row for Doubt or Lower
}

// Walk estimates the distances from a query to n rows by their first halves:
// under L2 the squared distance, otherwise the negative dot product, and +Inf
// where that is not a number.
func (s *Split) Walk(dst *float32, q, base unsafe.Pointer, slots *uint32, n int) {
	if n <= 0 {
		return
	}
	s.kernel(unsafe.Pointer(dst), q, base, slots, n, s.Stride, s.half)
	out := unsafe.Slice(dst, n)
	if s.Metric == index.L2 {
		for i, d := range out {
			if d != d {
				out[i] = inf
			}
		}
		return
	}
	for i, d := range out {
		if d != d {
			d = -inf
		}
		out[i] = -d
	}
}

// Doubt is what Walk's estimates near d are off by at most, but for rare
// cases, see [SQ8.Doubt]. Vectors are taken to be as long as the query.
func (s *Split) Doubt(d float32, q unsafe.Pointer) float32 {
	const sigmas = 12 // much of a sum may come from few components
	n := float64(s.queryHeader(q).norm)
	e := sigmas * splitError / math.Sqrt(12*float64(s.Dim)) * n // evenly distributed
	if s.Metric == index.L2 {
		return float32(2*e*math.Sqrt(max(float64(d), 0)) + e*e)
	}
	return float32(e * n)
}

// Lowers makes d, what Walk says of the rows of slots, what Lower says of them.
func (s *Split) Lowers(d []float32, q, base unsafe.Pointer, slots []uint32) {
	for i, t := range slots[:len(d)] {
		d[i] = s.Lower(d[i], q, unsafe.Add(base, uintptr(t)*uintptr(s.Stride)))
	}
}

// Lower is what the true distance is not below where Walk says d.
func (s *Split) Lower(d float32, q, row unsafe.Pointer) float32 {
	nq := float64(s.queryHeader(q).norm)
	if s.Metric == index.L2 {
		// The row's vector is no longer than the query and what lies between them.
		e := splitError * (nq + math.Sqrt(float64(d))) * (1 + 2*splitError)
		low := math.Sqrt(float64(d))*(1-1e-5) - e
		if !(low > 0) {
			return 0
		}
		return float32(low * low)
	}
	nx := 1.0
	if s.Metric == index.IP {
		high, _ := s.halves(row)
		sum := 0.0
		for _, h := range high {
			x := float64(kernel.BFloat16(h))
			sum += x * x
		}
		nx = math.Sqrt(sum)
	}
	low := float64(d) - (splitError+1e-5)*nq*nx
	if low != low {
		return -inf
	}
	return float32(low)
}
