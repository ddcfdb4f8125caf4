package quant

import (
	"math"
	"unsafe"

	"github.com/viterin/vek/vek32"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/kernel"
)

// SQ4Rows is [SQ8] with 4 bits a component, for walks that are followed by a
// comparison of vectors: half the memory to read. Queries keep 8 bits.
//
// A row's cache line holds 128 components: the first 64 in the low nibbles, the
// others in the high ones. The last line may be short, with half of what is
// left in each. A query has a line of codes for the low nibbles and one for
// the high ones.
type SQ4Rows struct {
	SQ8 // with the row's layout; its kernel takes nibbles

	eight *SQ8 // of queries
	full  int  // components in full lines
	half  int  // bytes of the last, short line
	fast  bool // dot is in assembly
}

// sq4RowsISA is a kernel in assembly.
type sq4RowsISA struct {
	name string
	has  bool
	dot  kernel.Func
}

// NewSQ4Rows is for vectors of dim components, from 1 to [index.MaxDim].
func NewSQ4Rows(dim int, m index.Metric) *SQ4Rows {
	s := &SQ4Rows{SQ8: *NewSQ8(dim, m), eight: NewSQ8(dim, m), full: dim / 128 * 128}
	s.half = round((dim-s.full+1)/2, 16)
	s.head = s.full/2 + s.half
	s.Stride = s.head + 16
	s.size = round(s.full/2+s.half, 64)
	s.QuerySize = 2*s.size + 64
	s.dot, s.fast = dotSQ4Generic, false
	for _, k := range sq4RowsKernels {
		if k.has {
			s.dot, s.fast = k.dot, true
			break
		}
	}
	return s
}

// Fast reports whether this CPU has instructions for Walk. Without them, SQ8 is faster.
func (s *SQ4Rows) Fast() bool { return s.fast }

// Encode is as [SQ8.Encode].
func (s *SQ4Rows) Encode(row unsafe.Pointer, v []float32) {
	v = v[:s.Dim]
	low := vek32.Min(v)
	offset := float64(low)
	scale := float64(max(float32((float64(vek32.Max(v))-offset)/15), minScale))
	e := nibbles{offset: offset, scale: scale, inverse: 1 / scale}
	codes := unsafe.Slice((*byte)(row), s.head)
	for len(v) >= 128 {
		e.encode(codes[:64], v[:64], v[64:128])
		codes, v = codes[64:], v[128:]
	}
	if len(v) > 0 {
		n := min(s.half, len(v))
		e.encode(codes, v[:n], v[n:])
	}
	err := min(math.Ceil(math.Sqrt(e.err2*(1+1e-9))/(scale*s.errUnit)), 511)
	n := float64(s.Dim)*offset*offset + 2*offset*scale*float64(e.sum) + scale*scale*float64(e.sum2)
	*s.header(row) = sq8Header{
		scale: float32(scale), offset: low, norm2: float32(max(n, 0)),
		errSum: uint32(err)<<sumBits | uint32(e.sum),
	}
}

// nibbles encodes the lines of a row and adds up what its header needs.
type nibbles struct {
	offset, scale, inverse float64
	sum, sum2              int
	err2                   float64
}

// encode writes a line: low into the low nibbles, high, which may be shorter,
// into the high ones.
func (e *nibbles) encode(codes []byte, low, high []float32) {
	clear(codes)
	e.part(codes[:len(low)], low, 0)
	e.part(codes[:len(high)], high, 4)
}

func (e *nibbles) part(codes []byte, v []float32, shift int) {
	offset, scale, inverse := e.offset, e.scale, e.inverse
	var sum, sum2 int
	var e0, e1 float64
	codes = codes[:len(v)]
	for i, x := range v {
		d := float64(x) - offset
		u := int(int32(d*inverse + 0.5))
		d -= scale * float64(u)
		sum += u
		sum2 += u * u
		e0, e1 = e1, e0+d*d
		codes[i] |= byte(u << (shift & 7))
	}
	e.sum += sum
	e.sum2 += sum2
	e.err2 += e0 + e1
}

// Decode is as [SQ8.Decode].
func (s *SQ4Rows) Decode(v []float32, row unsafe.Pointer) {
	h := s.header(row)
	for i := range v[:s.Dim] {
		v[i] = float32(float64(h.offset) + float64(h.scale)*float64(s.at(row, i)))
	}
}

// at is component i's code.
func (s *SQ4Rows) at(row unsafe.Pointer, i int) byte {
	half, first := 64, i/128*128
	if first == s.full {
		half = s.half
	}
	line := unsafe.Slice((*byte)(unsafe.Add(row, first/2)), half)
	if i -= first; i < half {
		return line[i] & 15
	}
	return line[i-half] >> 4
}

// Query is as [SQ8.Query].
func (s *SQ4Rows) Query(q unsafe.Pointer, v []float32) {
	s.eight.Query(q, v)
	h := *s.eight.queryHeader(q)
	h.rough = s.roughness(h.scale * (255 / 15))
	codes := unsafe.Slice((*byte)(q), 2*s.size)
	if s.half > 0 {
		last := codes[s.full:]
		n := min(s.half, s.Dim-s.full)
		m := s.Dim - s.full - n
		copy(last[64:], last[n:n+m])
		clear(last[n:64])
		clear(last[64+m:])
	}
	*s.queryHeader(q) = h
}

// QueryOf is as [SQ8.QueryOf]. q and row must not be the same.
func (s *SQ4Rows) QueryOf(q, row unsafe.Pointer) {
	const low = 0x0f0f0f0f0f0f0f0f
	codes := unsafe.Slice((*[16]uint64)(q), s.size/64)
	from := unsafe.Slice((*uint64)(row), s.head/8)
	for i := range codes {
		to := &codes[i]
		if len(from) < 8 {
			clear(to[:])
			for j, u := range from {
				to[j&7], to[8+j&7] = u&low, u>>4&low
			}
			break
		}
		for j, u := range from[:8] {
			to[j], to[8+j] = u&low, u>>4&low
		}
		from = from[8:]
	}
	h, err := s.header(row), s.Err(row)
	*s.queryHeader(q) = sq8Query{
		scale: h.scale, offset: h.offset, norm2: h.norm2, err: err, rough: s.roughness(h.scale),
		sum: float32(float64(s.Dim)*float64(h.offset) + float64(h.scale)*float64(h.sum())),
	}
}

// dotSQ4Generic is a kernel as [kernel.Func], and defines truth.
func dotSQ4Generic(dst, q, base unsafe.Pointer, slots *uint32, n, stride, size int) {
	query := unsafe.Slice((*int8)(q), 2*size)
	size = min(size, stride) // what lies behind the row is multiplied by zero
	out := unsafe.Slice((*int32)(dst), n)
	for i, t := range unsafe.Slice(slots, n) {
		sum := int32(0)
		row := unsafe.Slice((*byte)(unsafe.Add(base, uintptr(t)*uintptr(stride))), size)
		for j, u := range row {
			at := j/64*128 + j%64
			sum += int32(query[at])*int32(u&15) + int32(query[at+64])*int32(u>>4)
		}
		out[i] = sum
	}
}
