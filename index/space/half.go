package space

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/kernel"
)

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

func decode16(v []uint16, blob []byte) {
	if littleEndian {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), 2*len(v)), blob)
		return
	}
	for i := range v {
		v[i] = binary.LittleEndian.Uint16(blob[2*i:])
	}
}

// topExponent is the exponent of infinity and NaN, in place.
var topExponent = [...]uint16{index.Float16: 0x7c00, index.BFloat16: 0x7f80}

func finite16(v []uint16, top uint16) bool {
	for _, x := range v {
		if x&top == top {
			return false
		}
	}
	return true
}

// widen writes a row of halves as float32, zeros behind the last.
func (s *Space) widen(dst []float32, row unsafe.Pointer) {
	v := view[uint16](row, s.Dim)
	clear(dst[len(v):])
	dst = dst[:len(v)]
	if s.Element == index.Float16 {
		for i, h := range v {
			dst[i] = kernel.Float16(h)
		}
		return
	}
	for i, h := range v {
		dst[i] = kernel.BFloat16(h)
	}
}

// scale16 makes the header of a vector of halves.
func (s *Space) scale16(v []uint16, h *header) {
	n := s.norm16(v)
	// Beyond these bounds, BFLOAT16's alone, products would overflow or lose
	// their digits: such a vector is scaled and rounded again.
	if n != 0 && !(n > 1e-24 && n < 1e36) {
		inv := 1 / math.Sqrt(n)
		for i, x := range v {
			v[i] = toBFloat16(float32(float64(kernel.BFloat16(x)) * inv))
		}
		n = s.norm16(v)
	}
	*h = header{}
	if n != 0 {
		h.inv = float32(1 / math.Sqrt(n))
	}
}

// norm16 is the squared length. A float64 holds it of any half.
func (s *Space) norm16(v []uint16) float64 {
	var n float64
	if s.Element == index.Float16 {
		for _, x := range v {
			f := float64(kernel.Float16(x))
			n += f * f
		}
		return n
	}
	for _, x := range v {
		f := float64(kernel.BFloat16(x))
		n += f * f
	}
	return n
}

// toBFloat16 rounds to nearest, ties to even. x is finite.
func toBFloat16(x float32) uint16 {
	b := math.Float32bits(x)
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}
