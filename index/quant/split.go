package quant

import (
	"math"
	"unsafe"

	"github.com/viterin/vek/vek32"

	"github.com/nearcache/nearcache/index"
)

// Split writes and reads rows of float32 in two parts: a row of [SQ8], which is
// all that a walk reads, and what the vector's components differ from it. Both
// together take 32 bits a component and are the vector.
//
//	codes  header  mid                    low
//	u8     16      u8, signed, above ...  u16    of 24 bits, below the code's point
//
// The steps of the codes are a power of two, and their offset is a multiple of
// it, so that component i is step*(offset/step + u_i + r_i/2^24), exactly: r_i
// has the bits that a float32 has below a step. Only where the code stands for
// zero, floats have more of them. There r_i is the component as a float32 of
// 17 bits, cut. Such a component is smaller than a 254th of the vector's range,
// and what is cut off is less than the last bit of the largest component, if
// that is half of the range.
type Split struct {
	SQ8

	fine *SQ8 // of queries, whose steps may be smaller
	mid  int  // where the upper bytes of r are in a row
	low  int  // and the others
}

// NewSplit is for vectors of dim components.
func NewSplit(dim int, m index.Metric) *Split {
	s := &Split{SQ8: *NewSQ8(dim, m), fine: NewSQ8(dim, m)}
	s.mid = s.Stride
	s.low = s.mid + round(dim, 16)
	s.Stride = s.low + 2*round(dim, 16)
	return s
}

// WalkSize is how many bytes of a row Walk reads.
func (s *Split) WalkSize() int { return s.mid }

// Encode writes the row of v, which has Dim finite components.
func (s *Split) Encode(row unsafe.Pointer, v []float32) {
	v = v[:s.Dim]
	low, high := float64(vek32.Min(v)), float64(vek32.Max(v))
	step := stepOf(low, high)
	s.encode(row, v, step, math.Floor(low/step))
}

// stepOf is the smallest power of two of which 254 are the range from low to
// high, but a float32 in its normal range, and not below the last bit of the
// largest component.
func stepOf(low, high float64) float64 {
	step := max((high-low)/254, max(-low, high)*0x1p-23, minScale)
	f, e := math.Frexp(step)
	if f == 0.5 { // a power of two already
		e--
	}
	return math.Ldexp(1, e)
}

// encode writes the row with codes for step*(offset+u), of which offset is
// whole.
func (s *Split) encode(row unsafe.Pointer, v []float32, step, offset float64) {
	codes := unsafe.Slice((*byte)(row), s.head)
	mids, lows := s.rest(row)
	clear(codes[len(v):])
	clear(mids[len(v):])
	clear(lows[len(v):])
	// Scaling by a power of two loses nothing, or what is cut off anyway.
	inverse := float32(1 / step)
	n := len(v) &^ 7
	sums := part(unsafe.Pointer(unsafe.SliceData(v)), row, unsafe.Add(row, s.mid), unsafe.Add(row, s.low), n, inverse, int32(offset))
	rest := partGeneric(v[n:], codes[n:], mids[n:], lows[n:], inverse, int32(offset))
	sum, sum2, err2 := sums.codes+rest.codes, sums.squares+rest.squares, sums.errors+rest.errors
	err := min(math.Ceil(math.Sqrt(float64(err2)*(1+1e-9))/(256*s.errUnit)), 511)
	// Rounded alike everywhere: what a row is must not depend on the machine.
	norm2 := step * step * (float64(float64(s.Dim)*offset*offset) + float64(2*offset*float64(sum)) + float64(sum2))
	*s.header(row) = sq8Header{
		scale: float32(step), offset: float32(offset * step), norm2: float32(max(norm2, 0)),
		errSum: uint32(err)<<sumBits | sum,
	}
}

// partSums are made of a row's codes; each fits 32 bits.
type partSums struct {
	codes, squares uint32
	errors         uint32 // squares of what the codes miss, rounded up to a 256th of a step
}

// partGeneric writes a row's parts. It defines truth.
func partGeneric(v []float32, codes, mids []byte, lows []uint16, inverse float32, offset int32) (sums partSums) {
	codes, mids, lows = codes[:len(v)], mids[:len(v)], lows[:len(v)]
	for i, x := range v {
		y := x * inverse
		t := float32(math.RoundToEven(float64(y)))
		e := y - t
		if e == 0.5 { // to the even one below; r is to fit 24 bits
			t, e = t+1, -0.5
		}
		r, u := int32(e*(1<<24)), uint32(int32(t)-offset)
		miss := uint32(r>>16^r>>31) + 1
		if t == 0 {
			b := math.Float32bits(y)
			r = int32(b>>31<<23 | b&^(1<<31)>>7)
		}
		codes[i], mids[i], lows[i] = byte(u), byte(r>>16), uint16(r)
		sums.codes += u
		sums.squares += u * u
		sums.errors += miss * miss
	}
	return sums
}

// rest is what a row has behind its codes and their header.
func (s *Split) rest(row unsafe.Pointer) (mids []byte, lows []uint16) {
	n := round(s.Dim, 16)
	return unsafe.Slice((*byte)(unsafe.Add(row, s.mid)), n), unsafe.Slice((*uint16)(unsafe.Add(row, s.low)), n)
}

// offsetOf is the offset of a row's codes, in steps. Of the largest vectors it
// is beyond float32.
func offsetOf(h *sq8Header) float64 {
	if math.IsInf(float64(h.offset), -1) {
		return -0x1p128 / float64(h.scale)
	}
	return float64(h.offset) / float64(h.scale)
}

// Decode writes the vector of a row to v.
func (s *Split) Decode(v []float32, row unsafe.Pointer) {
	h := s.header(row)
	step, offset := h.scale, int32(offsetOf(h))
	n := s.Dim &^ 7
	join(unsafe.Pointer(unsafe.SliceData(v)), row, unsafe.Add(row, s.mid), unsafe.Add(row, s.low), n, step, offset)
	mids, lows := s.rest(row)
	joinGeneric(v[n:s.Dim], unsafe.Slice((*byte)(row), s.Dim)[n:], mids[n:], lows[n:], step, offset)
}

func joinGeneric(v []float32, codes, mids []byte, lows []uint16, step float32, offset int32) {
	codes, mids, lows = codes[:len(v)], mids[:len(v)], lows[:len(v)]
	for i := range v {
		u := int32(codes[i]) + offset
		r := int32(int8(mids[i]))<<16 | int32(lows[i])
		if u == 0 {
			v[i] = step * math.Float32frombits(uint32(r)&(1<<31)|uint32(r)&(1<<23-1)<<7)
			continue
		}
		v[i] = step * (float32(u) + float32(r)*0x1p-24)
	}
}

// Holds reports whether the row is one that Encode makes, of the vector that
// it stands for. That is left in v, and another row of it in again.
func (s *Split) Holds(row unsafe.Pointer, v []float32, again unsafe.Pointer) bool {
	h := s.header(row)
	step, offset := float64(h.scale), offsetOf(h)
	if f, _ := math.Frexp(step); f != 0.5 || offset != math.Trunc(offset) || math.Abs(offset) > 1<<24 {
		return false
	}
	s.Decode(v, row)
	low, high := math.Inf(1), math.Inf(-1)
	for _, x := range v[:s.Dim] {
		low, high = min(low, float64(x)), max(high, float64(x))
	}
	if !(low/step-offset >= -0.5 && high/step-offset < 255.5) { // or not a number
		return false
	}
	s.encode(again, v[:s.Dim], step, offset)
	return string(unsafe.Slice((*byte)(row), s.Stride)) == string(unsafe.Slice((*byte)(again), s.Stride))
}

// Query writes the query form of v. Its steps are those of an [SQ8] row.
func (s *Split) Query(q unsafe.Pointer, v []float32) {
	s.fine.Query(q, v)
	low, high := float64(vek32.Min(v)), float64(vek32.Max(v))
	s.queryHeader(q).rough = s.roughness(float32(stepOf(low, high)))
}
