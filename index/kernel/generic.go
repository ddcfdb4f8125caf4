package kernel

import "unsafe"

type float interface{ float32 | float64 }

func row[T float](base unsafe.Pointer, slot uint32, stride int) []T {
	var t T
	p := unsafe.Add(base, uintptr(slot)*uintptr(stride))
	return unsafe.Slice((*T)(p), stride/int(unsafe.Sizeof(t)))
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

func batch[T float](f func(a, b []T) T, dst, q, base unsafe.Pointer, slots *uint32, n, stride int) {
	if n <= 0 {
		return
	}
	out, query := unsafe.Slice((*T)(dst), n), row[T](q, 0, stride)
	for i, s := range unsafe.Slice(slots, n) {
		out[i] = f(query, row[T](base, s, stride))
	}
}

func dotF32Generic(dst, q, base unsafe.Pointer, slots *uint32, n, stride int) {
	batch(dotRow[float32], dst, q, base, slots, n, stride)
}

func dotF64Generic(dst, q, base unsafe.Pointer, slots *uint32, n, stride int) {
	batch(dotRow[float64], dst, q, base, slots, n, stride)
}

func l2F32Generic(dst, q, base unsafe.Pointer, slots *uint32, n, stride int) {
	batch(l2Row[float32], dst, q, base, slots, n, stride)
}

func l2F64Generic(dst, q, base unsafe.Pointer, slots *uint32, n, stride int) {
	batch(l2Row[float64], dst, q, base, slots, n, stride)
}
