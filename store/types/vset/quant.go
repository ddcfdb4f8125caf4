package vset

import (
	"encoding/binary"
	"math"
	"math/bits"
	"unsafe"

	"github.com/nearcache/nearcache/index/kernel"
)

// Quant says what is kept of a vector.
type Quant uint8

// The quantisations, with the words of VINFO.
const (
	F32 Quant = iota // NOQUANT
	Q8
	Bin
)

// String is what VINFO and VEMB RAW call it.
func (q Quant) String() string { return [...]string{F32: "f32", Q8: "int8", Bin: "bin"}[q] }

// rowSize is the bytes of a row of dim components, as VEMB RAW shows it.
func (q Quant) rowSize(dim int) int {
	switch q {
	case F32:
		return 4 * dim
	case Q8:
		return dim
	}
	return (dim + 63) / 64 * 8
}

// scale is what a row has besides: the vector's length, and the largest component
// of the vector at length 1 (Q8).
type scale struct{ length, most float32 }

// All arithmetic below is in float32, in Redis' order, as a C compiler without
// fused operations has it: conversions keep Go from fusing.

// normalize makes v's length 1 and returns what it was: 1 for a vector of zeros,
// which stays as it is.
func normalize(v []float32) float32 {
	sum := float32(0)
	i := 0
	for ; i+3 < len(v); i += 4 {
		four := float32(float32(v[i]*v[i]) + float32(v[i+1]*v[i+1]))
		four = float32(four + float32(v[i+2]*v[i+2]))
		sum = float32(sum + float32(four+float32(v[i+3]*v[i+3])))
	}
	for ; i < len(v); i++ {
		sum = float32(sum + float32(v[i]*v[i]))
	}
	if sum == 0 {
		return 1
	}
	length := float32(math.Sqrt(float64(sum)))
	for i := range v {
		v[i] /= length
	}
	return length
}

// encode appends the row of v, which it brings to length 1. ok is false for a
// vector that is none: NOQUANT keeps no NaN.
func (q Quant) encode(row []byte, v []float32) (_ []byte, s scale, ok bool) {
	s.length = normalize(v)
	switch q {
	case F32:
		for _, x := range v {
			if x-x != 0 {
				return row, s, false
			}
			row = binary.LittleEndian.AppendUint32(row, math.Float32bits(x))
		}
	case Q8:
		for _, x := range v {
			s.most = max32(max32(s.most, x), -x)
		}
		if s.most == 0 {
			return append(row, make([]byte, len(v))...), s, true
		}
		by := 127 / s.most
		for _, x := range v {
			row = append(row, byte(int8(math.Round(float64(float32(x*by))))))
		}
	case Bin:
		for len(v) > 0 {
			var w uint64
			n := min(len(v), 64)
			for i, x := range v[:n] {
				if x > 0 {
					w |= 1 << i
				}
			}
			row = binary.LittleEndian.AppendUint64(row, w)
			v = v[n:]
		}
	}
	return row, s, true
}

// max32 is b where it is larger: a NaN is not.
func max32(a, b float32) float32 {
	if b > a {
		return b
	}
	return a
}

// decode appends what a row stands for, at its own length but for Bin.
func (q Quant) decode(v []float32, row []byte, dim int, s scale) []float32 {
	switch q {
	case F32:
		for i := range dim {
			x := math.Float32frombits(binary.LittleEndian.Uint32(row[4*i:]))
			v = append(v, float32(x*s.length))
		}
	case Q8:
		for _, c := range row[:dim] {
			x := float32(float32(float32(int8(c))*s.most) / 127)
			v = append(v, float32(x*s.length))
		}
	case Bin:
		for i := range dim {
			x := float32(-1)
			if row[i/8]>>(i%8)&1 != 0 {
				x = 1
			}
			v = append(v, x)
		}
	}
	return v
}

// A probe compares one row with others. It is for one goroutine.
type probe struct {
	quant Quant
	dim   int
	row   []byte // zeros behind it, up to a multiple of 64 bytes
	scale
}

// padded is how many bytes of a row a kernel reads.
func padded(n int) int { return (n + kernel.RowAlign - 1) / kernel.RowAlign * kernel.RowAlign }

func newProbe(q Quant, dim int, row []byte, s scale) *probe {
	p := &probe{quant: q, dim: dim, scale: s, row: make([]byte, padded(len(row)))}
	p.row = p.row[:copy(p.row, row)]
	return p
}

var (
	dotF32 = kernel.Best(kernel.Dot, kernel.F32).Func
	dotI8  = kernel.Best(kernel.Dot, kernel.I8).Func
)

// distance is Redis' from 0 to 2. The row's capacity is a multiple of 64 bytes;
// what is behind its length is zero for F32.
func (p *probe) distance(row []byte, s scale) float32 {
	switch p.quant {
	case F32:
		dot := float32(0)
		if p.dim < scalar {
			dot = dotScalar(p.row, row[:len(p.row)])
		} else {
			p.dot(dotF32, unsafe.Pointer(&dot), row)
		}
		return 1 - dot
	case Q8:
		if p.most == 0 || s.most == 0 {
			return 1
		}
		dot := int32(0)
		p.dot(dotI8, unsafe.Pointer(&dot), row)
		by := float32(float32(p.most/127) * float32(s.most/127))
		return min(max(1-float32(float32(dot)*by), 0), 2)
	}
	differ, a := 0, p.row
	for b := row[:len(a)]; len(b) > 0; a, b = a[8:], b[8:] {
		differ += bits.OnesCount64(binary.LittleEndian.Uint64(a) ^ binary.LittleEndian.Uint64(b))
	}
	return float32(differ) * 2 / float32(p.dim)
}

// scalar is the dimension below which Redis computes one component after the other.
// From there on, its sums depend on the processor, as ours do.
const scalar = 16

func dotScalar(a, b []byte) float32 {
	product := func(i int) float32 {
		x, y := binary.LittleEndian.Uint32(a[4*i:]), binary.LittleEndian.Uint32(b[4*i:])
		return math.Float32frombits(x) * math.Float32frombits(y)
	}
	four := func(i int) float32 {
		s := float32(float32(product(i)) + float32(product(i+1)))
		s = float32(s + float32(product(i+2)))
		return float32(s + float32(product(i+3)))
	}
	var s0, s1 float32
	i, n := 0, len(a)/4
	for ; i+7 < n; i += 8 {
		s0, s1 = float32(s0+four(i)), float32(s1+four(i+4))
	}
	for ; i < n; i++ {
		s0 = float32(s0 + float32(product(i)))
	}
	return s0 + s1
}

func (p *probe) dot(f kernel.Func, dst unsafe.Pointer, row []byte) {
	size := padded(len(p.row))
	_ = row[:size]
	slot := uint32(0)
	f(dst, unsafe.Pointer(unsafe.SliceData(p.row)), unsafe.Pointer(unsafe.SliceData(row)), &slot, 1, size, size)
}
