package kernel

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/viterin/vek"
	"github.com/viterin/vek/vek32"
)

func vekSupported() bool { return vek.Info().Acceleration }

// vek panics on empty input; its Distance takes the root, so it has no row
// for squared L2.

func dotF32Vek(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int) {
	if size == 0 {
		dotF32Generic(dst, q, base, slots, n, stride, size)
		return
	}
	batch(vek32.Dot, 1, dst, q, base, slots, n, stride, size)
}

func dotF64Vek(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int) {
	if size == 0 {
		dotF64Generic(dst, q, base, slots, n, stride, size)
		return
	}
	batch(vek.Dot, 1, dst, q, base, slots, n, stride, size)
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// Decode32 writes the little-endian components in blob to dst, which has a
// place for each.
func Decode32(dst []float32, blob []byte) {
	if littleEndian {
		copy(bytesOf(dst), blob)
		return
	}
	for i := range len(blob) / 4 {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(blob[4*i:]))
	}
}

// Decode64 writes the little-endian components in blob to dst, which has a
// place for each.
func Decode64(dst []float64, blob []byte) {
	if littleEndian {
		copy(bytesOf(dst), blob)
		return
	}
	for i := range len(blob) / 8 {
		dst[i] = math.Float64frombits(binary.LittleEndian.Uint64(blob[8*i:]))
	}
}

func bytesOf[T float](v []T) []byte {
	var t T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(t)))
}

// Finite32 reports whether v holds neither NaN nor infinity.
func Finite32(v []float32) bool {
	if len(v) == 0 {
		return true
	}
	// A sum of squares is finite only if each is. An infinite sum may be mere overflow.
	if s := vek32.Dot(v, v); s-s == 0 {
		return true
	}
	for _, x := range v {
		if x-x != 0 {
			return false
		}
	}
	return true
}

// Finite64 reports whether v holds neither NaN nor infinity.
func Finite64(v []float64) bool {
	if len(v) == 0 {
		return true
	}
	if s := vek.Dot(v, v); s-s == 0 {
		return true
	}
	for _, x := range v {
		if x-x != 0 {
			return false
		}
	}
	return true
}

// Normalize32 scales v to length 1. A zero vector stays as it is.
func Normalize32(v []float32) {
	if len(v) == 0 {
		return
	}
	// Within these bounds no square lost its digits to underflow or overflow.
	if s := vek32.Dot(v, v); s > 1e-24 && s < 1e36 {
		vek32.MulNumber_Inplace(v, float32(1/math.Sqrt(float64(s))))
		return
	}
	var s float64
	for _, x := range v {
		s += float64(x) * float64(x)
	}
	if s == 0 {
		return
	}
	n := 1 / math.Sqrt(s)
	for i, x := range v {
		v[i] = float32(float64(x) * n)
	}
}

// Normalize64 scales v to length 1. A zero vector stays as it is.
func Normalize64(v []float64) {
	if len(v) == 0 {
		return
	}
	if s := vek.Dot(v, v); s > 1e-200 && s < 1e200 {
		vek.MulNumber_Inplace(v, 1/math.Sqrt(s))
		return
	}
	m := 0.0
	for _, x := range v {
		m = max(m, math.Abs(x))
	}
	if m == 0 {
		return
	}
	// Scaling by a power of two costs no digits and brings the largest near 1.
	_, e := math.Frexp(m)
	for i, x := range v {
		v[i] = math.Ldexp(x, -e)
	}
	vek.MulNumber_Inplace(v, 1/math.Sqrt(vek.Dot(v, v)))
}
