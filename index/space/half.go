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

// topExponent is the exponent of infinity and NaN, in place, four times.
var topExponent = [...]uint64{index.Float16: 0x7c007c007c007c00, index.BFloat16: 0x7f807f807f807f80}

// finite16 looks at four halves at once: where the exponent is the highest,
// nothing is left of its complement, so that 0x7fff more does not reach the
// sign's bit.
func finite16(v []uint64, top uint64) bool {
	const sign = 0x8000800080008000
	all := uint64(sign)
	for _, x := range v {
		all &= ^x&top + 0x7fff7fff7fff7fff
	}
	return all == sign
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

// norm16 is the squared length. A float64 holds it, and the square of any half
// without rounding.
func (s *Space) norm16(v []uint16) float64 {
	var buf [128]float32
	var n0, n1, n2, n3 float64
	for len(v) > 0 {
		f := buf[:min(len(v), len(buf))]
		widen(f, v[:len(f)], s.Element)
		v = v[len(f):]
		for ; len(f) >= 4; f = f[4:] {
			n0 += float64(f[0]) * float64(f[0])
			n1 += float64(f[1]) * float64(f[1])
			n2 += float64(f[2]) * float64(f[2])
			n3 += float64(f[3]) * float64(f[3])
		}
		for _, x := range f {
			n0 += float64(x) * float64(x)
		}
	}
	return n0 + n1 + n2 + n3
}

// toBFloat16 rounds to nearest, ties to even. x is finite.
func toBFloat16(x float32) uint16 {
	b := math.Float32bits(x)
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}
