package quant

import (
	"math"
	"unsafe"

	"github.com/viterin/vek/vek32"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/kernel"
)

// SQ8 writes and reads rows of 8 bits a component. Rows begin at any address
// that is a multiple of 16.
type SQ8 struct {
	Dim       int
	Metric    index.Metric
	Stride    int // bytes of a row, a multiple of 16
	QuerySize int // bytes of a query form, a multiple of 64

	size    int // bytes of a row or query that the kernel reads, which may be more than Stride
	head    int // where a row's header is
	dot     kernel.Func
	errUnit float64 // Err = scale * errUnit * the 9 bits in the header
}

// sq8Header stands behind the codes of a row.
type sq8Header struct {
	scale, offset float32
	norm2         float32 // squared length of the decoded vector; infinite where float32 ends
	errSum        uint32  // Err in 9 bits above the sum of the codes in 23
}

const (
	sumBits = 23 // 255*index.MaxDim fits
	sumMask = 1<<sumBits - 1
	// errSteps is what the largest possible Err is in the header. It is
	// scale/2*sqrt(dim), and a little more by rounding: 511 is for that.
	errSteps = 510
	// minScale keeps 1/scale and the products of scales normal numbers.
	minScale = 0x1p-126
)

func (h *sq8Header) sum() float32 { return float32(int32(h.errSum & sumMask)) }

// sq8Query stands behind the codes of a query, which are those of a row less
// 128 and zero up to a multiple of 64.
type sq8Query struct {
	scale, offset float32 // component i is about offset + scale*code i
	sum           float32 // of the decoded components
	norm2         float32 // as in sq8Header
	err           float32 // at least the distance between the query and its decoded form
	rough         float32 // about that distance for the rows. Not err: steps may fit the query, as of images, and not them
}

// NewSQ8 is for vectors of dim components, from 1 to [index.MaxDim].
func NewSQ8(dim int, m index.Metric) *SQ8 {
	size, head := round(dim, 64), round(dim, 16)
	return &SQ8{
		Dim: dim, Metric: m,
		Stride: head + 16, QuerySize: size + 64,
		size: size, head: head, dot: kernel.Best(kernel.Dot, kernel.SQ8).Func,
		errUnit: math.Sqrt(float64(dim)) / 2 / errSteps,
	}
}

func round(n, to int) int { return (n + to - 1) / to * to }

// Overread is how many bytes behind the last row a kernel may read.
const Overread = 64

func (s *SQ8) header(row unsafe.Pointer) *sq8Header {
	return (*sq8Header)(unsafe.Add(row, s.head))
}

func (s *SQ8) queryHeader(q unsafe.Pointer) *sq8Query {
	return (*sq8Query)(unsafe.Add(q, s.QuerySize-64))
}

// Encode writes the row of v, which has Dim finite components: the vector as
// it is stored, normalised under COSINE.
func (s *SQ8) Encode(row unsafe.Pointer, v []float32) {
	v = v[:s.Dim]
	low, high := vek32.Min(v), vek32.Max(v)
	codes := unsafe.Slice((*byte)(row), s.head)
	clear(codes[s.Dim:])
	offset := float64(low)
	scale := float64(max(float32((float64(high)-offset)/255), minScale))
	inverse := 1 / scale
	// In float64 nothing overflows, and what is lost is far below a float32's
	// last bit, so that err is the true distance.
	var sum, sum2 uint64
	var e0, e1 float64
	codes = codes[:len(v)]
	for i, x := range v {
		d := float64(x) - offset
		u := int32(d*inverse + 0.5)
		codes[i] = byte(u)
		e := d - scale*float64(u)
		sum += uint64(u)
		sum2 += uint64(u * u)
		e0, e1 = e1, e0+e*e
	}
	err := min(math.Ceil(math.Sqrt((e0+e1)*(1+1e-9))/(scale*s.errUnit)), 511)
	n := float64(s.Dim)*offset*offset + 2*offset*scale*float64(sum) + scale*scale*float64(sum2)
	*s.header(row) = sq8Header{
		scale: float32(scale), offset: low, norm2: float32(max(n, 0)),
		errSum: uint32(err)<<sumBits | uint32(sum),
	}
}

// Decode writes the components that the row stands for to v.
func (s *SQ8) Decode(v []float32, row unsafe.Pointer) {
	h := s.header(row)
	codes := unsafe.Slice((*byte)(row), s.Dim)
	v = v[:len(codes)]
	for i, u := range codes {
		v[i] = float32(float64(h.offset) + float64(h.scale)*float64(u))
	}
}

// Err is at least the distance between the row's vector and what Decode makes
// of it, but for Decode's own rounding.
func (s *SQ8) Err(row unsafe.Pointer) float32 {
	h := s.header(row)
	return float32(float64(h.scale) * s.errUnit * float64(h.errSum>>sumBits) * (1 + 1e-6))
}

// Query writes the query form of v, which is as in Encode. Its codes are those
// of a row, so that it is at distance 0 from its own.
func (s *SQ8) Query(q unsafe.Pointer, v []float32) {
	// A row and its header fit where the query's codes and header will stand.
	s.Encode(q, v)
	s.QueryOf(q, q)
}

// QueryOf writes the query form of a row, without loss: it stands for the same
// components. q and row may be the same.
func (s *SQ8) QueryOf(q, row unsafe.Pointer) {
	h := *s.header(row)
	err := s.Err(row)
	n := round(s.Dim, 8)
	from, to := unsafe.Slice((*uint64)(row), n/8), unsafe.Slice((*uint64)(q), n/8)
	for i, u := range from {
		to[i] = u ^ 0x8080808080808080
	}
	clear(unsafe.Slice((*byte)(q), s.size)[s.Dim:])
	sum := float64(s.Dim)*float64(h.offset) + float64(h.scale)*float64(h.sum())
	*s.queryHeader(q) = sq8Query{
		scale: h.scale, offset: float32(float64(h.offset) + 128*float64(h.scale)),
		sum: float32(sum), norm2: h.norm2, err: err, rough: s.roughness(h.scale),
	}
}

// roughness is how far vectors are from their codes, which are this apart.
func (s *SQ8) roughness(scale float32) float32 {
	return float32(float64(scale) * math.Sqrt(float64(s.Dim)/12))
}

// Walk estimates the distances from a query to n rows: row slots[i] begins at
// base + slots[i]*Stride. Under L2 dst[i] is the squared distance of the
// decoded vectors, otherwise their negative dot product, and +Inf where that
// is not a number: smaller is nearer. Up to [Overread] bytes behind a row are
// read.
func (s *SQ8) Walk(dst *float32, q, base unsafe.Pointer, slots *uint32, n int) {
	if n <= 0 {
		return
	}
	s.dot(unsafe.Pointer(dst), q, base, slots, n, s.Stride, s.size)
	h := *s.queryHeader(q)
	base = unsafe.Add(base, s.head)
	stride := uintptr(s.Stride)
	out := unsafe.Slice(dst, n)
	rows := unsafe.Slice(slots, n)[:len(out)]
	if s.Metric == index.L2 {
		for i := range out {
			r := (*sq8Header)(unsafe.Add(base, uintptr(rows[i])*stride))
			dot := r.offset*h.sum + r.scale*(h.scale*product(&out[i])+h.offset*r.sum())
			d := h.norm2 + r.norm2 - 2*dot
			if !(d >= 0) { // by rounding, or not a number
				d = belowZero(d)
			}
			out[i] = d
		}
		return
	}
	for i := range out {
		r := (*sq8Header)(unsafe.Add(base, uintptr(rows[i])*stride))
		d := -(r.offset*h.sum + r.scale*(h.scale*product(&out[i])+h.offset*r.sum()))
		if d != d {
			d = inf
		}
		out[i] = d
	}
}

// product is the kernel's integer result, which stands where a float32 will.
func product(at *float32) float32 { return float32(*(*int32)(unsafe.Pointer(at))) }

var inf = float32(math.Inf(1))

func belowZero(d float32) float32 {
	if d != d {
		return inf
	}
	return 0
}
