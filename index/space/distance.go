package space

import (
	"math"
	"unsafe"

	"github.com/nearcache/nearcache/index"
)

var inf32 = float32(math.Inf(1))

// Walk writes to dst[i] how far the query form q is from row slots[i] of base,
// for i in [0, n): L2's squared distance, -dot for IP and COSINE. Smaller is
// nearer; what overflowed is at infinity, nothing is NaN.
func (s *Space) Walk(dst *float32, q, base unsafe.Pointer, slots *uint32, n int) {
	if n <= 0 {
		return
	}
	if s.finish == wide {
		s.walk64(dst, q, base, slots, n)
		return
	}
	s.kernel(unsafe.Pointer(dst), q, base, slots, n, s.Stride, s.size)
	d, i := unsafe.Slice(dst, n), unsafe.Slice((*int32)(unsafe.Pointer(dst)), n)
	switch s.finish {
	case floatDot:
		for k, x := range d {
			if x != x { // products overflowed to both sides
				x = -inf32
			}
			d[k] = -x
		}
	case floatScaled:
		inv := -headerAt(q, s.qhead).inv
		for k, t := range unsafe.Slice(slots, n) {
			d[k] *= inv * s.header(base, t).inv
		}
	case intL2:
		for k, x := range i {
			d[k] = float32(x)
		}
	case intDot:
		for k, x := range i {
			d[k] = float32(-x)
		}
	case intScaled:
		inv := -headerAt(q, s.qhead).inv
		for k, t := range unsafe.Slice(slots, n) {
			d[k] = float32(i[k]) * (inv * s.header(base, t).inv)
		}
	}
}

func (s *Space) header(base unsafe.Pointer, slot uint32) *header {
	return headerAt(base, int(slot)*s.Stride+s.head)
}

// walk64 computes in float64 and narrows: what lies beyond float32 is at infinity.
func (s *Space) walk64(dst *float32, q, base unsafe.Pointer, slots *uint32, n int) {
	var buf [64]float64
	sign := 1.0
	if s.Metric != index.L2 {
		sign = -1
	}
	out, rows := unsafe.Slice(dst, n), unsafe.Slice(slots, n)
	for len(rows) > 0 {
		m := min(len(rows), len(buf))
		s.kernel(noescape(unsafe.Pointer(&buf)), q, base, &rows[0], m, s.Stride, s.size)
		for k, x := range buf[:m] {
			f := float32(x * sign)
			if f != f {
				f = inf32
			}
			out[k] = f
		}
		out, rows = out[m:], rows[m:]
	}
}

// noescape hides a pointer from escape analysis, which takes all that is
// passed to a function value as lost to the heap. No kernel keeps a pointer.
func noescape(p unsafe.Pointer) unsafe.Pointer {
	x := *(*uintptr)(unsafe.Pointer(&p))
	return *(*unsafe.Pointer)(unsafe.Pointer(&x))
}

// Reach is a bound for Walk: every row whose Exact distance is at most
// distance has a Walk result of at most Reach, and few others do.
func (s *Space) Reach(distance float64) float32 {
	slack := 1e-6 * math.Abs(distance) // float32 rounds by less, and so do a few operations on it
	if s.Metric != index.L2 {
		slack += 1e-6
		distance--
	}
	return float32(distance + slack)
}

// Exact writes to dst[i] the metric's distance of the query form q from row
// slots[i] of base, for i in [0, n), as [index.Neighbor] holds it. A distance
// under COSINE is not below 0; what overflowed is at infinity, nothing is NaN.
func (s *Space) Exact(dst *float64, q, base unsafe.Pointer, slots *uint32, n int) {
	if n <= 0 {
		return
	}
	s.kernel(unsafe.Pointer(dst), q, base, slots, n, s.Stride, s.size)
	// A result of 4 bytes gives way to one of 8: from the last to the first.
	out := unsafe.Slice(dst, n)
	f, i := unsafe.Slice((*float32)(unsafe.Pointer(dst)), n), unsafe.Slice((*int32)(unsafe.Pointer(dst)), n)
	var h header
	if s.head > 0 {
		h = *headerAt(q, s.qhead)
	}
	rows := unsafe.Slice(slots, n)
	for k := n - 1; k >= 0; k-- {
		var d float64
		switch s.finish {
		case floatL2:
			d = float64(f[k])
		case floatDot:
			d = float64(1 - f[k])
		case floatScaled:
			d = 1 - float64(f[k])*float64(h.inv)*float64(s.header(base, rows[k]).inv)
		case intL2:
			d = float64(i[k])
		case intDot:
			d = 1 - float64(i[k])
		case intScaled:
			d = 1
			if norm := float64(h.norm) * float64(s.header(base, rows[k]).norm); norm > 0 {
				d = 1 - float64(i[k])/math.Sqrt(norm)
			}
		case wide:
			d = out[k]
			if s.Metric != index.L2 {
				d = 1 - d
			}
		}
		switch {
		case d != d: // products overflowed to both sides
			d = math.Inf(1)
		case d < 0 && s.Metric == index.Cosine:
			d = 0 // a rounding error: no angle is below 0
		}
		out[k] = d
	}
}
