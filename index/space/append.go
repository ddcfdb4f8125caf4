package space

import (
	"encoding/binary"
	"math"

	"github.com/nearcache/nearcache/index"
)

// AppendElement appends a component of a blob; false where x is none of the element type.
func AppendElement(b []byte, e index.Element, x float64) ([]byte, bool) {
	switch e {
	case index.Float32:
		return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(x))), true
	case index.Float64:
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(x)), true
	case index.Float16:
		return binary.LittleEndian.AppendUint16(b, toFloat16(float32(x))), true
	case index.BFloat16:
		return binary.LittleEndian.AppendUint16(b, toBFloat16(float32(x))), true
	case index.Int8:
		return append(b, byte(int8(x))), x == math.Trunc(x) && x >= math.MinInt8 && x <= math.MaxInt8
	case index.Uint8:
		return append(b, byte(x)), x == math.Trunc(x) && x >= 0 && x <= math.MaxUint8
	}
	return b, false
}

// toFloat16 rounds to nearest, ties to even; what is too large becomes infinity.
func toFloat16(x float32) uint16 {
	b := math.Float32bits(x)
	sign, a := uint16(b>>16&0x8000), math.Float32frombits(b&0x7fffffff)
	switch {
	case a != a:
		return sign | 0x7e00
	case a >= 65520: // halfway between the largest and the one that is none
		return sign | 0x7c00
	case a < 0x1p-14: // subnormal: a multiple of 2^-24
		return sign | uint16(math.RoundToEven(float64(a)*0x1p24))
	}
	m := math.Float32bits(a)
	m += 0xfff + m>>13&1
	return sign | uint16((m-(112<<23))>>13)
}
