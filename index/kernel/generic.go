package kernel

import (
	"math"
	"math/bits"
	"unsafe"
)

type float interface{ float32 | float64 }

// batch calls f for each row. The query has width components for each of a row.
func batch[D, Q, R any](f func(q []Q, r []R) D, width int, dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int) {
	if n <= 0 {
		return
	}
	var r R
	dim := size / int(unsafe.Sizeof(r))
	out, query := unsafe.Slice((*D)(dst), n), unsafe.Slice((*Q)(q), dim*width)
	for i, s := range unsafe.Slice(slots, n) {
		out[i] = f(query, unsafe.Slice((*R)(unsafe.Add(base, uintptr(s)*uintptr(stride))), dim))
	}
}

// dotRow has four sums, so that the additions of one do not wait for another.
func dotRow[T float](a, b []T) T {
	var s0, s1, s2, s3 T
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}

func l2Row[T float](a, b []T) T {
	var s0, s1, s2, s3 T
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		d0, d1, d2, d3 := a[i]-b[i], a[i+1]-b[i+1], a[i+2]-b[i+2], a[i+3]-b[i+3]
		s0 += d0 * d0
		s1 += d1 * d1
		s2 += d2 * d2
		s3 += d3 * d3
	}
	for ; i < len(a); i++ {
		d := a[i] - b[i]
		s0 += d * d
	}
	return (s0 + s1) + (s2 + s3)
}

// Float16 is the value of an IEEE 754 half precision number. Each has one.
func Float16(h uint16) float32 {
	m := uint32(h&0x7fff) << 13
	f := math.Float32frombits(m) * 0x1p112 // moves the bias of the exponent from 15 to 127; right for subnormals too
	if m >= 0x7c00<<13 {
		f = math.Float32frombits(m | 0x7f800000) // infinity or NaN
	}
	return math.Float32frombits(math.Float32bits(f) | uint32(h&0x8000)<<16)
}

// BFloat16 is the value of a bfloat16, the upper half of a float32.
func BFloat16(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// Two sums and loops of their own for each half type: a conversion passed as
// an argument would not be inlined.

func dotF16Row(q []float32, r []uint16) float32 {
	var s0, s1 float32
	q = q[:len(r)]
	for i := 0; i+2 <= len(r); i += 2 {
		s0 += q[i] * Float16(r[i])
		s1 += q[i+1] * Float16(r[i+1])
	}
	return s0 + s1
}

func l2F16Row(q []float32, r []uint16) float32 {
	var s0, s1 float32
	q = q[:len(r)]
	for i := 0; i+2 <= len(r); i += 2 {
		d0, d1 := q[i]-Float16(r[i]), q[i+1]-Float16(r[i+1])
		s0 += d0 * d0
		s1 += d1 * d1
	}
	return s0 + s1
}

func dotBF16Row(q []float32, r []uint16) float32 {
	var s0, s1 float32
	q = q[:len(r)]
	for i := 0; i+2 <= len(r); i += 2 {
		s0 += q[i] * BFloat16(r[i])
		s1 += q[i+1] * BFloat16(r[i+1])
	}
	return s0 + s1
}

func l2BF16Row(q []float32, r []uint16) float32 {
	var s0, s1 float32
	q = q[:len(r)]
	for i := 0; i+2 <= len(r); i += 2 {
		d0, d1 := q[i]-BFloat16(r[i]), q[i+1]-BFloat16(r[i+1])
		s0 += d0 * d0
		s1 += d1 * d1
	}
	return s0 + s1
}

func dotInt[Q, R int8 | uint8](q []Q, r []R) int32 {
	var s int32
	q = q[:len(r)]
	for i, x := range r {
		s += int32(q[i]) * int32(x)
	}
	return s
}

func l2Int[T int8 | uint8](q, r []T) int32 {
	var s int32
	q = q[:len(r)]
	for i, x := range r {
		d := int32(q[i]) - int32(x)
		s += d * d
	}
	return s
}

func hammingRow(q, r []uint64) int32 {
	s := 0
	q = q[:len(r)]
	for i, x := range r {
		s += bits.OnesCount64(q[i] ^ x)
	}
	return int32(s)
}

func dotBits4Row(q, r []uint64) int32 {
	s, n := 0, len(r)
	for i, x := range r {
		s += bits.OnesCount64(q[i]&x) + bits.OnesCount64(q[n+i]&x)<<1 +
			bits.OnesCount64(q[2*n+i]&x)<<2 + bits.OnesCount64(q[3*n+i]&x)<<3
	}
	return int32(s)
}

func dotF32Generic(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int) {
	batch(dotRow[float32], 1, dst, q, base, slots, n, stride, size)
}

func dotF64Generic(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int) {
	batch(dotRow[float64], 1, dst, q, base, slots, n, stride, size)
}

func dotF16Generic(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int) {
	batch(dotF16Row, 1, dst, q, base, slots, n, stride, size)
}

func dotBF16Generic(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int) {
	batch(dotBF16Row, 1, dst, q, base, slots, n, stride, size)
}

func dotI8Generic(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int) {
	batch(dotInt[int8, int8], 1, dst, q, base, slots, n, stride, size)
}

func dotU8Generic(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int) {
	batch(dotInt[uint8, uint8], 1, dst, q, base, slots, n, stride, size)
}

func dotSQ8Generic(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int) {
	batch(dotInt[int8, uint8], 1, dst, q, base, slots, n, stride, size)
}

func dotBits4Generic(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int) {
	batch(dotBits4Row, 4, dst, q, base, slots, n, stride, size)
}

func l2F32Generic(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int) {
	batch(l2Row[float32], 1, dst, q, base, slots, n, stride, size)
}

func l2F64Generic(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int) {
	batch(l2Row[float64], 1, dst, q, base, slots, n, stride, size)
}

func l2F16Generic(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int) {
	batch(l2F16Row, 1, dst, q, base, slots, n, stride, size)
}

func l2BF16Generic(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int) {
	batch(l2BF16Row, 1, dst, q, base, slots, n, stride, size)
}

func l2I8Generic(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int) {
	batch(l2Int[int8], 1, dst, q, base, slots, n, stride, size)
}

func l2U8Generic(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int) {
	batch(l2Int[uint8], 1, dst, q, base, slots, n, stride, size)
}

func hammingGeneric(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int) {
	batch(hammingRow, 1, dst, q, base, slots, n, stride, size)
}
