package space

import (
	"math"
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/kernel"
)

// Space knows the rows of one element type, dimension and metric. Rows and
// query forms lie at addresses that are multiples of 16.
type Space struct {
	Dim       int
	Element   index.Element
	Metric    index.Metric
	Stride    int // bytes of a row; a multiple of 64 for FLOAT32 and FLOAT64, else of 16
	QuerySize int // bytes of a query form; a multiple of 64

	kernel kernel.Func
	finish finish
	size   int // bytes of a row that the kernel reads, never more than Stride
	head   int // where a row's header is, 0 if it has none
	qhead  int // and a query form's
}

// header stands behind the components under COSINE, where they are not scaled.
type header struct {
	inv  float32 // 1/length; 0 for a zero vector, which makes its distances 1
	norm uint32  // squared length, exact; INT8 and UINT8 only
}

const headerSize = int(unsafe.Sizeof(header{}))

// finish is what makes distances of a kernel's results.
type finish uint8

const (
	floatL2     finish = iota // squared distances: nothing to do
	floatDot                  // dots of float32
	floatScaled               // dots of float32 and headers
	intL2                     // squared distances, int32
	intDot                    // dots, int32
	intScaled                 // dots, int32, and headers
	wide                      // float64
)

func round(n, to int) int { return (n + to - 1) / to * to }

// New makes the space of an index. The parameters are as [index.Params.Validate] wants them.
func New(dim int, e index.Element, m index.Metric) *Space {
	s := &Space{
		Dim: dim, Element: e, Metric: m,
		kernel: kernel.Best(kernel.OpOf(m, e), kernel.TypeOf(e)).Func,
		size:   kernel.Stride(dim, e),
	}
	s.Stride, s.QuerySize = s.size, s.size
	scaled := m == index.Cosine
	switch e {
	case index.Float32:
		s.finish = choose(m, floatL2, floatDot, floatDot)
	case index.Float64:
		s.finish = wide
	case index.Float16, index.BFloat16:
		s.finish = choose(m, floatL2, floatDot, floatScaled)
		s.QuerySize = 2 * s.size
		if scaled { // the kernel wants zeros up to size
			s.head = s.size
			s.Stride = s.size + 16
		}
	case index.Int8, index.Uint8:
		s.finish = choose(m, intL2, intDot, intScaled)
		if scaled { // the query is zero where the header stands
			s.head = round(dim, 4)
			s.Stride = max(s.size, round(s.head+headerSize, 16))
		}
	case index.Bits:
		s.finish = intL2
	}
	if s.head > 0 {
		s.qhead = s.QuerySize
		s.QuerySize += 64
	}
	return s
}

func choose(m index.Metric, l2, ip, cosine finish) finish {
	return [...]finish{index.L2: l2, index.IP: ip, index.Cosine: cosine}[m]
}

func headerAt(p unsafe.Pointer, at int) *header { return (*header)(unsafe.Add(p, at)) }

func view[T any](p unsafe.Pointer, n int) []T { return unsafe.Slice((*T)(p), n) }

// Parse checks the blob of a vector as it comes off the wire, little-endian
// and at any alignment, and makes a row of it, all Stride bytes. With ErrDim
// or ErrNotFin the row's content is undefined.
func (s *Space) Parse(row unsafe.Pointer, blob []byte) error {
	if len(blob) != s.Dim*s.Element.Size() {
		return index.ErrDim
	}
	clear(view[byte](row, s.Stride)[len(blob):])
	switch s.Element {
	case index.Float32:
		v := view[float32](row, s.Dim)
		kernel.Decode32(v, blob)
		if !kernel.Finite32(v) {
			return index.ErrNotFin
		}
		if s.Metric == index.Cosine {
			kernel.Normalize32(v)
		}
	case index.Float64:
		v := view[float64](row, s.Dim)
		kernel.Decode64(v, blob)
		if !kernel.Finite64(v) {
			return index.ErrNotFin
		}
		if s.Metric == index.Cosine {
			kernel.Normalize64(v)
		}
	case index.Float16, index.BFloat16:
		v := view[uint16](row, s.Dim)
		decode16(v, blob)
		if !finite16(view[uint64](row, s.size/8), topExponent[s.Element]) {
			return index.ErrNotFin
		}
		if s.head > 0 {
			s.scale16(v, headerAt(row, s.head))
		}
	case index.Int8, index.Uint8, index.Bits:
		copy(view[byte](row, s.Dim), blob)
		if s.head > 0 {
			// Zero behind the components, the row is its own query.
			var norm int32
			var self uint32
			s.kernel(noescape(unsafe.Pointer(&norm)), row, row, (*uint32)(noescape(unsafe.Pointer(&self))), 1, s.Stride, s.size)
			*headerAt(row, s.head) = headerOfNorm(int64(norm))
		}
	}
	return nil
}

// headerOf is what Parse makes for a row; it reads nothing but the components.
func headerOf[T int8 | uint8](v []T) header {
	var n int64
	for _, x := range v {
		n += int64(x) * int64(x)
	}
	return headerOfNorm(n)
}

func headerOfNorm(n int64) header {
	if n == 0 {
		return header{}
	}
	return header{inv: float32(1 / math.Sqrt(float64(n))), norm: uint32(n)}
}

// Query makes the query form of a row: of a query that was parsed or of a
// vector that is stored. The query form of FLOAT32 and FLOAT64 is the row.
func (s *Space) Query(q, row unsafe.Pointer) {
	switch s.Element {
	case index.Float16, index.BFloat16:
		widen(view[float32](q, s.size/2), view[uint16](row, s.size/2), s.Element) // zeros behind the last, too
	default:
		n := copy(view[byte](q, s.size), view[byte](row, s.Dim*s.Element.Size()))
		clear(view[byte](q, s.size)[n:])
	}
	if s.head > 0 {
		*headerAt(q, s.qhead) = *headerAt(row, s.head)
	}
}

// Floats writes the vector of a row, as the metric sees it, to v, which has a
// place for each component: of COSINE at length 1. Components of FLOAT64 that
// a float32's square cannot hold are cut.
func (s *Space) Floats(v []float32, row unsafe.Pointer) {
	v = v[:s.Dim]
	switch s.Element {
	case index.Float32:
		copy(v, view[float32](row, s.Dim))
	case index.Float64:
		for i, x := range view[float64](row, s.Dim) {
			v[i] = float32(min(max(x, -tooLarge), tooLarge))
		}
	case index.Float16, index.BFloat16:
		widen(v, view[uint16](row, s.Dim), s.Element)
	case index.Int8:
		for i, x := range view[int8](row, s.Dim) {
			v[i] = float32(x)
		}
	case index.Uint8:
		for i, x := range view[uint8](row, s.Dim) {
			v[i] = float32(x)
		}
	}
	if s.head > 0 {
		inv := headerAt(row, s.head).inv
		for i := range v {
			v[i] *= inv
		}
	}
}

// tooLarge for float32's squares to be summed.
const tooLarge = 1e16
