package quant

import (
	"math"
	"math/bits"
	"unsafe"

	"github.com/viterin/vek/vek32"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/kernel"
)

// Binary writes and reads rows of a bit a component: whether it is above the
// vector's mean. A vector stands for mean + spread*(+1 or -1), with the spread
// that makes the estimated dot product right on average, as RaBitQ's is (Gao
// and Long, SIGMOD 2024): |r|^2 over the sum of |r_i|, where r is the vector
// less its mean. Unlike RaBitQ nothing is rotated and no centre is trained, so
// nothing grows wrong when the data drifts; embeddings are spread evenly
// enough over their components for that (measured on MiniLM: the same error).
// Rows begin at multiples of 16.
type Binary struct {
	Dim       int
	Metric    index.Metric
	Stride    int // bytes of a row, a multiple of 16
	QuerySize int // bytes of a query form, a multiple of 64

	size int // bytes of a row or plane that the kernel reads, which may be more than Stride
	dot  kernel.Func
}

// binaryHeader stands behind the bits of a row.
type binaryHeader struct {
	mean, spread float32
	norm2        float32 // squared length
	ones         int32   // bits that are set
}

// binaryQuery stands behind the four planes of a query: component i is about
// low + step*u_i, of which plane j holds bit j of each u.
type binaryQuery struct {
	low, step float32
	sum       float32 // of the components
	norm2     float32 // squared length
}

// NewBinary is for vectors of dim components.
func NewBinary(dim int, m index.Metric) *Binary {
	size := round(dim, 512) / 8
	return &Binary{
		Dim: dim, Metric: m,
		Stride: round((dim+7)/8, 16) + 16, QuerySize: 4*size + 64,
		size: size, dot: kernel.Best(kernel.Dot, kernel.Bits4).Func,
	}
}

func (b *Binary) header(row unsafe.Pointer) *binaryHeader {
	return (*binaryHeader)(unsafe.Add(row, b.Stride-16))
}

func (b *Binary) queryHeader(q unsafe.Pointer) *binaryQuery {
	return (*binaryQuery)(unsafe.Add(q, 4*b.size))
}

// Encode writes the row of v, which has Dim finite components.
func (b *Binary) Encode(row unsafe.Pointer, v []float32) {
	v = v[:b.Dim]
	clear(unsafe.Slice((*byte)(row), b.Stride))
	words := unsafe.Slice((*uint64)(row), (b.Stride-16)/8)
	mean := float32(float64(vek32.Sum(v)) / float64(len(v)))
	if mean-mean != 0 {
		mean = 0
	}
	var sum, abs float64
	ones := 0
	for i := range words {
		var w uint64
		n := min(64, len(v)-64*i)
		if n <= 0 {
			break
		}
		for j, x := range v[64*i : 64*i+n] {
			r := float64(x - mean)
			sum += r * r
			abs += math.Abs(r)
			w |= uint64(^math.Float32bits(x-mean)>>31) << j
		}
		words[i] = w
		ones += bits.OnesCount64(w)
	}
	h := b.header(row)
	*h = binaryHeader{mean: mean, norm2: vek32.Dot(v, v), ones: int32(ones)}
	if abs > 0 {
		h.spread = float32(sum / abs)
	}
}

// Decode writes what the row stands for to v.
func (b *Binary) Decode(v []float32, row unsafe.Pointer) {
	h := b.header(row)
	words := unsafe.Slice((*uint64)(row), (b.Stride-16)/8)
	for i := range v[:b.Dim] {
		v[i] = h.mean - h.spread
		if words[i/64]>>(i%64)&1 != 0 {
			v[i] = h.mean + h.spread
		}
	}
}

// Query writes the query form of v.
func (b *Binary) Query(q unsafe.Pointer, v []float32) {
	v = v[:b.Dim]
	low, high := vek32.Min(v), vek32.Max(v)
	step := (high - low) / 15
	inverse := float32(0)
	if step > 0 {
		inverse = 1 / step
	}
	words := b.size / 8
	planes := unsafe.Slice((*uint64)(q), 4*words)
	for i := range words {
		var p0, p1, p2, p3 uint64
		if n := min(64, len(v)-64*i); n > 0 {
			for j, x := range v[64*i : 64*i+n] {
				u := uint64(int32((x-low)*inverse+0.5)) & 15
				p0 |= u & 1 << j
				p1 |= u >> 1 & 1 << j
				p2 |= u >> 2 & 1 << j
				p3 |= u >> 3 << j
			}
		}
		planes[i], planes[words+i], planes[2*words+i], planes[3*words+i] = p0, p1, p2, p3
	}
	*b.queryHeader(q) = binaryQuery{low: low, step: step, sum: vek32.Sum(v), norm2: vek32.Dot(v, v)}
}

// Walk estimates the distances from a query to n rows: under L2 the squared
// distance, otherwise the negative dot product, and +Inf where that is not a
// number. Up to [Overread] bytes behind a row are read.
func (b *Binary) Walk(dst *float32, q, base unsafe.Pointer, slots *uint32, n int) {
	if n <= 0 {
		return
	}
	b.dot(unsafe.Pointer(dst), q, base, slots, n, b.Stride, b.size)
	h := *b.queryHeader(q)
	base = unsafe.Add(base, b.Stride-16)
	stride := uintptr(b.Stride)
	out := unsafe.Slice(dst, n)
	l2 := b.Metric == index.L2
	for i, s := range unsafe.Slice(slots, n)[:len(out)] {
		r := (*binaryHeader)(unsafe.Add(base, uintptr(s)*stride))
		above := h.low*float32(r.ones) + h.step*product(&out[i]) // sum of the query's components where bits are set
		d := -(r.mean*h.sum + r.spread*(2*above-h.sum))
		if l2 {
			d = max(h.norm2+r.norm2+2*d, 0)
		}
		if d != d {
			d = inf
		}
		out[i] = d
	}
}
