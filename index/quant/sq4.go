package quant

import (
	"math"
	"unsafe"

	"github.com/viterin/vek/vek32"

	"github.com/nearcache/nearcache/index"
)

// BlockRows is how many rows a block of [SQ4] holds.
const BlockRows = 16

// SQ4 writes and scans blocks of codes of 4 bits a component, for searches
// that go by all rows and must not miss one: [SQ4.Scan] leaves out only those
// that cannot be near enough. Blocks begin at a multiple of 64.
//
// # Why a row may be left out
//
// Let x^ be what the codes of x stand for, e >= |x-x^| what stands in the row's
// header, q^ the query in 8 bits, f >= |q-q^|, and d = |q^-x^|, which is known
// but for rounding.
//
// L2: |q-x| >= d-e-f by the triangle inequality. With t the root of the
// limit, the row may be left out if d > t+e+f. Squared, that compares a sum
// that is linear in the integer product of the codes with a polynomial in e.
//
// COSINE: |q| and |x| are 1 within a known rounding, so that the distance is
// half of |q-x|^2.
//
// IP: q.x = q^.x^ + q^.(x-x^) + (q-q^).x <= q^.x^ + |q^|e + f|x|, by Cauchy
// and Schwarz.
//
// What is compared with the limit later is not the true distance but one that
// was computed in float32, and so is the bound. Both roundings are bounded
// below, in units of 2^-24 and of the largest sums that can occur, and
// widen the limit. A vector or query so long that its square might overflow
// has an e or a limit of infinity: it is never left out.
type SQ4 struct {
	Dim       int
	Metric    index.Metric
	Block     int // bytes of a block of BlockRows rows
	QuerySize int // bytes of a query form, a multiple of 64

	lines int       // cache lines of codes in a block, of 8 components each
	scan  sq4Kernel // nil: the portable one
	gamma float64   // how far a product of lengths 1 may be off by rounding
	rho   float64   // how far est may be off by rounding, relative
	long  float64   // the squared length of a vector that is never left out
}

// sq4Header stands behind the codes of a block, each for all rows.
type sq4Header struct {
	scale, offset [BlockRows]float32
	norm          [BlockRows]float32 // L2, COSINE: |x^|^2; IP: at least |x| and |x^|
	err           [BlockRows]float32
}

const sq4HeaderSize = int(unsafe.Sizeof(sq4Header{}))

// sq4Query stands behind a query's codes. A row's estimate is
// c[0] + c[1]*norm + c[2]*offset + c[3]*scale*product.
type sq4Query struct {
	c       [4]float32
	err     float64 // at least |q-q^|
	length  float64 // of q^
	endless bool    // too long to be bounded
}

// Limit says which rows may be left out: those whose estimate is above
// k[0] + err*(k[1] + err*k[2]), which is where their Lower is above lower.
type Limit struct {
	k     [3]float32
	lower float32
}

// Excludes reports whether a row with that [SQ4.Lower] may be left out.
func (l *Limit) Excludes(lower float32) bool { return lower > l.lower }

// sq4Kernel scans blocks, whose codes are lines cache lines each. est and pass
// are as in Scan, c and k as in sq4Query and Limit.
type sq4Kernel func(est *float32, pass *uint16, codes unsafe.Pointer, c *[4]float32, k *[3]float32, block unsafe.Pointer, blocks, lines int)

// sq4ISA is a kernel in assembly.
type sq4ISA struct {
	isa       string
	supported bool
	scan      sq4Kernel
}

// bestSQ4 is the fastest kernel that this CPU supports, nil if none.
func bestSQ4() sq4Kernel {
	for _, k := range sq4Kernels {
		if k.supported {
			return k.scan
		}
	}
	return nil
}

const ulp = 0x1p-24

// NewSQ4 is for vectors of dim components, from 1 to [index.MaxDim], whose
// distances are computed in float32 or better.
func NewSQ4(dim int, m index.Metric) *SQ4 {
	lines := round(dim, 8) / 8
	s := &SQ4{
		Dim: dim, Metric: m,
		Block: lines*64 + sq4HeaderSize, QuerySize: round(lines*8, 64) + 64,
		lines: lines, scan: bestSQ4(),
		// Any order of dim additions and products, and a few operations around them.
		gamma: float64(dim+32) * ulp * 1.01,
		// Each of the estimate's operations rounds by an ulp of at most
		// (|q^|^2+|x^|^2)(1+sqrt(dim)), as |offset| is at most |x^|, and |sum of q^| at most sqrt(dim)|q^|.
		rho:  32 * ulp * (1 + math.Sqrt(float64(dim))),
		long: 1e30,
	}
	if m == index.Cosine {
		s.long = 1 + 4*s.gamma
	}
	return s
}

// Fast reports whether this CPU has instructions for Scan, without which it is
// slower than to compute all distances.
func (s *SQ4) Fast() bool { return s.scan != nil }

func (s *SQ4) header(block unsafe.Pointer) *sq4Header {
	return (*sq4Header)(unsafe.Add(block, s.lines*64))
}

func (s *SQ4) queryHeader(q unsafe.Pointer) *sq4Query {
	return (*sq4Query)(unsafe.Add(q, s.QuerySize-64))
}

// block is where the block of a slot begins, and the slot's place in it.
func (s *SQ4) block(base unsafe.Pointer, slot uint32) (unsafe.Pointer, int) {
	return unsafe.Add(base, uintptr(slot/BlockRows)*uintptr(s.Block)), int(slot % BlockRows)
}

// Encode writes the codes of v, normalised under COSINE, as row slot of the
// blocks at base. Other rows of its block may be read and written meanwhile.
func (s *SQ4) Encode(base unsafe.Pointer, slot uint32, v []float32) {
	block, lane := s.block(base, slot)
	v = v[:s.Dim]
	low := vek32.Min(v)
	offset := float64(low)
	scale := float64(max(float32((float64(vek32.Max(v))-offset)/15), minScale))
	inverse := 1 / scale
	word := (*uint32)(unsafe.Add(block, 4*lane))
	var sum, sum2 int
	var e2, x2 float64
	for len(v) > 0 {
		part := v[:min(len(v), 8)]
		w := uint32(0)
		for i, x := range part {
			d := float64(x) - offset
			u := int(int32(d*inverse+0.5)) & 15
			e := d - scale*float64(u)
			e2 += e * e
			x2 += float64(x) * float64(x)
			sum += u
			sum2 += u * u
			w |= uint32(u) << (i%4*8 + i/4*4)
		}
		*word = w
		word = (*uint32)(unsafe.Add(unsafe.Pointer(word), 64))
		v = v[len(part):]
	}
	h := s.header(block)
	if !(x2 < s.long) {
		h.scale[lane], h.offset[lane], h.norm[lane], h.err[lane] = 0, 0, 0, inf
		return
	}
	n := float64(s.Dim)*offset*offset + 2*offset*scale*float64(sum) + scale*scale*float64(sum2)
	if s.Metric == index.IP {
		n = math.Sqrt(max(n, x2)) * (1 + 1e-6)
	}
	h.scale[lane], h.offset[lane], h.norm[lane] = float32(scale), low, float32(max(n, 0))
	// Components that came from float64, or were scaled, are rounded themselves.
	h.err[lane] = float32((math.Sqrt(e2)+2*ulp*math.Sqrt(x2))*(1+1e-6) + minScale)
}

// Query writes the query form of v, which is as in Encode.
func (s *SQ4) Query(q unsafe.Pointer, v []float32) {
	v = v[:s.Dim]
	codes := unsafe.Slice((*int8)(q), s.QuerySize-64)
	clear(codes[s.Dim:])
	scale := float64(max(max(vek32.Max(v), -vek32.Min(v))/127, minScale))
	inverse := 1 / scale
	var sum, sum2 int
	var e2, x2 float64
	for i, x := range v {
		c := math.RoundToEven(float64(x) * inverse)
		codes[i] = int8(c)
		e := float64(x) - scale*c
		e2 += e * e
		x2 += float64(x) * float64(x)
		sum += int(codes[i])
		sum2 += int(codes[i]) * int(codes[i])
	}
	h := sq4Query{
		err:     (math.Sqrt(e2) + 2*ulp*math.Sqrt(x2)) * (1 + 1e-6),
		length:  scale * math.Sqrt(float64(sum2)),
		endless: !(x2 < s.long),
	}
	total := scale * float64(sum)
	if s.Metric == index.IP {
		h.c = [4]float32{
			1: float32(-(h.err + 2*(s.gamma+s.rho)*(h.length+h.err)) * (1 + 1e-6)),
			2: float32(-total),
			3: float32(-scale),
		}
	} else {
		h.c = [4]float32{
			float32(h.length * h.length * (1 - s.rho)),
			float32(1 - s.rho),
			float32(-2 * total),
			float32(-2 * scale),
		}
	}
	*s.queryHeader(q) = h
}

// Limit is for the rows at most distance from the query, as
// [index.Neighbor] holds it.
func (s *SQ4) Limit(q unsafe.Pointer, distance float64) Limit {
	h := s.queryHeader(q)
	if h.endless || distance > math.MaxFloat32 {
		return Limit{[3]float32{0: inf}, inf}
	}
	const (
		up   = 1 + 1e-6 // what the limit's own arithmetic may round
		tiny = 1e-35    // and where float32 has no digits left
	)
	t := max(distance, 0)
	switch s.Metric {
	case index.IP:
		l := float32(distance - 1 + 8*ulp*(1+math.Abs(distance)) + tiny)
		return Limit{[3]float32{l, float32(h.length * up)}, l}
	case index.Cosine:
		t = 2 * (t + s.long - 1 + s.gamma*s.long + 8*ulp*(1+t))
	case index.L2:
		t /= 1 - 2*s.gamma
	}
	t = (math.Sqrt(t+tiny) + h.err) * up
	return Limit{[3]float32{float32(t*t*up + tiny), float32(2 * t * up), up}, float32(t * up)}
}

// Scan looks at words*64 rows, whose blocks begin at block: bit i%64 of
// pass[i/64] is 0 if row i is farther than the limit, and est[i] is then
// smaller for a nearer row, about what its distance is but for a constant.
// Both are undefined for rows that were never written.
func (s *SQ4) Scan(est *float32, pass *uint64, q unsafe.Pointer, l *Limit, block unsafe.Pointer, words int) {
	scan := s.scan
	if scan == nil {
		scan = scanGeneric
	}
	scan(est, (*uint16)(unsafe.Pointer(pass)), q, &s.queryHeader(q).c, &l.k, block, words*64/BlockRows, s.lines)
}

// Lower is how near the row may be, by its estimate, in a unit of its own:
// for [Limit.Excludes], and for comparing rows.
func (s *SQ4) Lower(q unsafe.Pointer, est float32, base unsafe.Pointer, slot uint32) float32 {
	block, lane := s.block(base, slot)
	e, l := float64(s.header(block).err[lane]), float64(est)
	if s.Metric == index.IP {
		l -= e * s.queryHeader(q).length
	} else {
		l = math.Sqrt(max(l, 0)) - e
	}
	if l != l {
		return -inf
	}
	return float32(l)
}

// scanGeneric defines truth for the kernels in assembly, but for rounding.
func scanGeneric(est *float32, pass *uint16, codes unsafe.Pointer, c *[4]float32, k *[3]float32, block unsafe.Pointer, blocks, lines int) {
	query := unsafe.Slice((*int8)(codes), lines*8)
	for b := range blocks {
		mask := uint16(0)
		h := (*sq4Header)(unsafe.Add(block, lines*64))
		for lane := range BlockRows {
			sum := int32(0)
			for line := range lines {
				w := *(*uint32)(unsafe.Add(block, line*64+lane*4))
				q := query[line*8:][:8]
				for i := range 4 {
					sum += int32(q[i])*int32(w>>(8*i)&15) + int32(q[i+4])*int32(w>>(8*i+4)&15)
				}
			}
			v := c[0] + c[1]*h.norm[lane] + c[2]*h.offset[lane] + c[3]*(h.scale[lane]*float32(sum))
			e := h.err[lane]
			if !(v > k[0]+e*(k[1]+e*k[2])) {
				mask |= 1 << lane
			}
			*(*float32)(unsafe.Add(unsafe.Pointer(est), (b*BlockRows+lane)*4)) = v
		}
		*(*uint16)(unsafe.Add(unsafe.Pointer(pass), 2*b)) = mask
		block = unsafe.Add(block, lines*64+sq4HeaderSize)
	}
}
