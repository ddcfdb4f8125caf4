package kernel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/nearcache/nearcache/index"
)

// lengths are the vector lengths that every kernel is tested with.
func lengths() []int {
	l := []int{384, 767, 768, 1024, 1536, 3072}
	for i := range 131 {
		l = append(l, i)
	}
	return l
}

// layout says how components of a type lie in memory. Bits lie in bytes, the
// lowest first.
var layout = [...]struct {
	bits, queryBits int  // of a component of a row and of a query's plane
	planes          int  // of a query
	integer         bool // results are int32 and exact
}{
	F32: {32, 32, 1, false}, F64: {64, 64, 1, false}, F16: {16, 32, 1, false}, BF16: {16, 32, 1, false},
	I8: {8, 8, 1, true}, U8: {8, 8, 1, true}, SQ8: {8, 8, 1, true}, Bits: {1, 1, 1, true}, Bits4: {1, 1, 4, true},
}

// component is the value of a row's component i.
func component(t Type, row []byte, i int) float64 {
	switch t {
	case F32:
		return float64(math.Float32frombits(binary.NativeEndian.Uint32(row[4*i:])))
	case F64:
		return math.Float64frombits(binary.NativeEndian.Uint64(row[8*i:]))
	case F16:
		return float64(Float16(binary.NativeEndian.Uint16(row[2*i:])))
	case BF16:
		return float64(BFloat16(binary.NativeEndian.Uint16(row[2*i:])))
	case I8:
		return float64(int8(row[i]))
	case U8, SQ8:
		return float64(row[i])
	}
	return float64(row[i/8] >> (i % 8) & 1)
}

// queryComponent is the value of a query's component i.
func queryComponent(t Type, q []byte, i int) float64 {
	switch t {
	case F16, BF16:
		t = F32
	case SQ8:
		t = I8
	case Bits4:
		size, x := len(q)/4, 0.0
		for j := range 4 {
			x += component(Bits, q[j*size:], i) * float64(int(1)<<j)
		}
		return x
	}
	return component(t, q, i)
}

// Query, rows, dst and slots end where this memory does.
var memQ, memB, memD, memS = newGuard(1 << 20), newGuard(1 << 20), newGuard(1 << 12), newGuard(1 << 12)

// set is a query and rows. There is one at a time, as they share the memory.
type set struct {
	k                  Kernel
	dim, rows          int
	stride, size       int
	query, base        []byte
	bytesDim, bytesDst int // of a row's components; of a result
	magnitudes         map[int]float64
}

// newSet makes a set that holds zeros. gap is the distance of rows beyond
// their size; if negative, they lie as close as their components allow, which
// only products of integers can stand.
func newSet(k Kernel, dim, rows, gap int) *set {
	l := layout[k.Type]
	s := &set{k: k, dim: dim, rows: rows, bytesDim: (dim*l.bits + 7) / 8, bytesDst: 4, magnitudes: map[int]float64{}}
	if k.Type == F64 {
		s.bytesDst = 8
	}
	s.size = (s.bytesDim + RowAlign - 1) &^ (RowAlign - 1)
	s.stride = s.size + gap
	if gap < 0 {
		s.stride = s.bytesDim
	}
	q, b := s.size*l.queryBits/l.bits*l.planes, (rows-1)*s.stride+s.size
	s.query, s.base = memQ[len(memQ)-q:], memB[len(memB)-b:]
	clear(s.query)
	clear(s.base)
	return s
}

func (s *set) row(i int) []byte { return s.base[i*s.stride:][:s.size] }

// fill takes the components of the query and the rows from next, which gets
// the number of bits of one and, of float types, gives those of finite numbers.
func (s *set) fill(next func(t Type) uint64) {
	l := layout[s.k.Type]
	put := func(dst []byte, t Type) { // what lies behind dim in the last byte stays 0
		for i := range s.dim {
			x := next(t)
			switch layout[t].bits {
			case 64:
				binary.NativeEndian.PutUint64(dst[8*i:], x)
			case 32:
				binary.NativeEndian.PutUint32(dst[4*i:], uint32(x))
			case 16:
				binary.NativeEndian.PutUint16(dst[2*i:], uint16(x))
			case 8:
				dst[i] = byte(x)
			case 1:
				dst[i/8] = dst[i/8]&^(1<<(i%8)) | byte(x&1)<<(i%8)
			}
		}
	}
	qt := s.k.Type
	if qt == F16 || qt == BF16 {
		qt = F32
	}
	for j := range l.planes {
		put(s.query[j*(len(s.query)/l.planes):], qt)
	}
	for i := range s.rows {
		put(s.row(i), s.k.Type)
	}
	if l.integer && s.k.Op == Dot { // the query's zeros make up for what lies behind
		for i := range s.rows {
			end := min(s.stride, s.size)
			if i == s.rows-1 {
				end = s.size
			}
			for j := s.bytesDim; j < end; j++ {
				s.row(i)[j] = byte(next(U8))
			}
		}
	}
}

// random gives components of moderate size, with fractions of every length.
func random(r *rand.Rand) func(t Type) uint64 {
	return func(t Type) uint64 {
		switch t {
		case F32:
			return uint64(math.Float32bits(float32(r.NormFloat64())))
		case F64:
			return math.Float64bits(r.NormFloat64())
		case F16:
			return uint64(r.IntN(2)<<15 | r.IntN(18)<<10 | r.IntN(1<<10)) // below 8, with subnormals
		case BF16:
			return uint64(math.Float32bits(float32(r.NormFloat64())) >> 16)
		}
		return r.Uint64()
	}
}

// run calls f. dst and slots lie before a page that faults, behind canaries.
func (s *set) run(t testing.TB, f Func, slots []uint32) []float64 {
	t.Helper()
	const ahead = 64
	n := len(slots)
	dst := memD[len(memD)-n*s.bytesDst-ahead:]
	sl := memS[len(memS)-n*4-ahead:]
	for i := range dst {
		dst[i] = 0xa5
	}
	for i := range sl[:ahead] {
		sl[i] = 0x7f // a slot far away
	}
	for i, x := range slots {
		binary.NativeEndian.PutUint32(sl[ahead+4*i:], x)
	}
	f(end(dst[ahead:], memD), end(s.query, memQ), end(s.base, memB), (*uint32)(end(sl[ahead:], memS)), n, s.stride, s.size)
	for i, c := range dst[:ahead] {
		if c != 0xa5 {
			t.Fatalf("wrote %d bytes before dst", ahead-i)
		}
	}
	out := make([]float64, n)
	for i := range out {
		p := dst[ahead+i*s.bytesDst:]
		switch {
		case layout[s.k.Type].integer:
			out[i] = float64(int32(binary.NativeEndian.Uint32(p)))
		case s.k.Type == F64:
			out[i] = component(F64, p, 0)
		default:
			out[i] = component(F32, p, 0)
		}
	}
	return out
}

// end is the address of b, which ends where mem ends; b may be empty.
func end(b, mem []byte) unsafe.Pointer {
	return unsafe.Add(unsafe.Pointer(unsafe.SliceData(mem)), len(mem)-len(b))
}

// plain is the sum that the operation means and the sum of the magnitudes of
// its terms. Hamming is the squared distance of bits.
func (s *set) plain(row int) (sum, magnitude float64) {
	for i := range s.dim {
		a, b := queryComponent(s.k.Type, s.query, i), component(s.k.Type, s.row(row), i)
		x := a * b
		if s.k.Op != Dot {
			x = (a - b) * (a - b)
		}
		sum += x
		magnitude += math.Abs(x)
	}
	return sum, magnitude
}

// magnitude is that of plain, computed once.
func (s *set) magnitude(row int) float64 {
	m, ok := s.magnitudes[row]
	if !ok {
		_, m = s.plain(row)
		s.magnitudes[row] = m
	}
	return m
}

// tolerance is the rounding error that a result may show: dim/2+4 roundings of
// the sum of magnitudes, on either side, as there are two sums at least; the
// twin of half floats has no more. Integers have none.
func (s *set) tolerance(magnitude float64) float64 {
	switch {
	case layout[s.k.Type].integer:
		return 0
	case s.k.Type == F64:
		return 2*float64(s.dim/2+4)*magnitude/(1<<53) + 1e-300
	}
	return 2*float64(s.dim/2+4)*magnitude/(1<<24) + 1e-37
}

func twin(k Kernel) Func {
	for _, g := range All {
		if g.ISA == Generic && g.Op == k.Op && g.Type == k.Type {
			return g.Func
		}
	}
	panic("no twin")
}

// compare compares the kernel with its twin, whose results for the same slots
// are twins, or nil.
func (s *set) compare(t testing.TB, slots []uint32, twins []float64) {
	t.Helper()
	want := twins
	if want == nil {
		want = s.run(t, twin(s.k), slots)
	}
	got := s.run(t, s.k.Func, slots)
	for i, sl := range slots {
		g, w := got[i], want[i]
		if g == w {
			continue
		}
		mag := s.magnitude(int(sl))
		limit := math.MaxFloat32 / 4
		if s.k.Type == F64 {
			limit = math.MaxFloat64 / 4
		}
		switch {
		case math.IsNaN(mag):
			if g-g == 0 {
				t.Fatalf("dim %d slot %d: %v, the twin says %v", s.dim, sl, g, w)
			}
		case !layout[s.k.Type].integer && mag > limit:
			// The order of the additions decides where a sum overflows. Infinity stays, and becomes NaN if it meets its opposite.
			if g-g == 0 && math.IsInf(mag, 0) && w-w != 0 && s.infinite(int(sl)) {
				t.Fatalf("dim %d slot %d: %v, the twin says %v", s.dim, sl, g, w)
			}
		case !(math.Abs(g-w) <= s.tolerance(mag)):
			t.Fatalf("dim %d size %d stride %d, %d rows, slot %d: %v, the twin says %v, tolerance %v",
				s.dim, s.size, s.stride, len(slots), sl, g, w, s.tolerance(mag))
		}
	}
}

// infinite reports whether a component of the row or the query is infinite.
func (s *set) infinite(row int) bool {
	for i := range s.dim {
		if math.IsInf(queryComponent(s.k.Type, s.query, i), 0) || math.IsInf(component(s.k.Type, s.row(row), i), 0) {
			return true
		}
	}
	return false
}

// gaps are the distances between rows to test with.
func gaps(k Kernel) []int {
	if layout[k.Type].integer && k.Op == Dot {
		return []int{0, 16, 7, -1}
	}
	return []int{0, 16, 7} // the second and third leave the rows unaligned
}

// walk runs f as a subtest for each row of the table that this CPU supports.
func walk(t *testing.T, f func(t *testing.T, k Kernel)) {
	for _, k := range All {
		t.Run(fmt.Sprintf("%v/%v/%s", k.Op, k.Type, k.ISA), func(t *testing.T) {
			if !k.Supported() {
				t.Skipf("this CPU has no %s", k.ISA)
			}
			f(t, annotate(k))
		})
	}
}

func TestKernelAgreesWithItsTwin(t *testing.T) {
	const rows = 13
	walk(t, func(t *testing.T, k Kernel) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, dim := range lengths() {
			for _, gap := range gaps(k) {
				s := newSet(k, dim, rows, gap)
				s.fill(random(r))
				slots := make([]uint32, rows)
				for i := range slots {
					slots[i] = uint32(r.IntN(rows))
				}
				slots[r.IntN(rows)] = rows - 1 // the one at the end of the memory
				query, base := bytes.Clone(s.query), bytes.Clone(s.base)
				twins := s.run(t, twin(k), slots)
				for n := range rows + 1 {
					s.compare(t, slots[rows-n:], twins[rows-n:])
				}
				if !bytes.Equal(query, s.query) || !bytes.Equal(base, s.base) {
					t.Fatal("wrote to the query or the rows")
				}
			}
		}
	})
}

func TestKernelAgreesWithPlainSum(t *testing.T) {
	walk(t, func(t *testing.T, k Kernel) {
		r := rand.New(rand.NewPCG(5, 6))
		for _, dim := range []int{0, 1, 2, 5, 63, 64, 65, 130, 768} {
			s := newSet(k, dim, 5, 16)
			s.fill(random(r))
			slots := []uint32{4, 0, 2, 2, 1}
			for i, got := range s.run(t, k.Func, slots) {
				want, mag := s.plain(int(slots[i]))
				if !(math.Abs(got-want) <= s.tolerance(mag)) {
					t.Fatalf("dim %d: %v, the plain sum is %v, tolerance %v", dim, got, want, s.tolerance(mag))
				}
			}
		}
	})
}

// No sum of products may saturate: the largest magnitudes, all of one sign.
func TestIntegerKernelAtItsLimits(t *testing.T) {
	walk(t, func(t *testing.T, k Kernel) {
		if !layout[k.Type].integer {
			t.Skip("not an integer type")
		}
		for _, dim := range []int{64, 3072, index.MaxDim} {
			for _, extreme := range [][2]byte{{0x80, 0x80}, {0x80, 0x7f}, {0x7f, 0xff}, {0x80, 0xff}, {0xff, 0xff}, {0xff, 0}, {0, 0xff}} {
				s := newSet(k, dim, 5, 0)
				for i := range s.query {
					s.query[i] = extreme[0]
				}
				for i := range s.base {
					s.base[i] = extreme[1]
				}
				s.dim = s.size * 8 / layout[k.Type].bits
				slots := []uint32{0, 1, 2, 3, 4}
				for i, got := range s.run(t, k.Func, slots) {
					if want, _ := s.plain(i); got != want {
						t.Fatalf("dim %d, %x: %v, the plain sum is %v", dim, extreme, got, want)
					}
				}
			}
		}
	})
}

func TestKernelWithNaNInfinityAndZero(t *testing.T) {
	walk(t, func(t *testing.T, k Kernel) {
		if layout[k.Type].integer {
			t.Skip("an integer type")
		}
		special := map[Type][]uint64{
			F32:  {0x7fc00000, 0x7f800001, 0xffc00000, 0x7f800000, 0xff800000, 0, 1 << 31, 1, 0x807fffff, 0x7f7fffff, 0xff7fffff},
			F64:  {0x7ff8 << 48, 0x7ff0<<48 + 1, 0x7ff0 << 48, 0xfff0 << 48, 0, 1 << 63, 1, 0x7fefffffffffffff, 0xffefffffffffffff},
			F16:  {0x7e00, 0x7c01, 0xfe00, 0x7c00, 0xfc00, 0, 0x8000, 1, 0x83ff, 0x7bff, 0xfbff},
			BF16: {0x7fc0, 0x7f81, 0xffc0, 0x7f80, 0xff80, 0, 0x8000, 1, 0x807f, 0x7f7f, 0xff7f},
		}[k.Type]
		r := rand.New(rand.NewPCG(7, 8))
		for _, dim := range []int{1, 2, 7, 8, 15, 16, 17, 33, 384} {
			for _, x := range special {
				for at := 0; at < dim; at += 1 + dim/5 {
					s := newSet(k, dim, 6, 0)
					s.fill(random(r))
					row := s.row(3)
					switch layout[k.Type].bits {
					case 16:
						binary.NativeEndian.PutUint16(row[2*at:], uint16(x))
					case 32:
						binary.NativeEndian.PutUint32(row[4*at:], uint32(x))
					case 64:
						binary.NativeEndian.PutUint64(row[8*at:], x)
					}
					s.compare(t, []uint32{0, 1, 2, 3, 4, 5}, nil)
				}
			}
		}
	})
}

func TestResultDoesNotDependOnPlaceInBatch(t *testing.T) {
	walk(t, func(t *testing.T, k Kernel) {
		r := rand.New(rand.NewPCG(3, 4))
		for _, dim := range []int{77, 768} {
			s := newSet(k, dim, 37, 0)
			s.fill(random(r))
			all := make([]uint32, s.rows)
			for i := range all {
				all[i] = uint32(i)
			}
			batch := s.run(t, k.Func, all)
			for i := range all {
				for n := 1; n <= min(9, len(all)-i); n++ {
					for j, x := range s.run(t, k.Func, all[i:i+n]) {
						if x != batch[i+j] {
							t.Fatalf("row %d alone %v, in the batch %v", i+j, x, batch[i+j])
						}
					}
				}
			}
		}
	})
}

func TestEveryPairHasATwinAndItsBest(t *testing.T) {
	pairs := 0
	for _, k := range All {
		if k.ISA == Generic {
			pairs++
		}
		twin(k)
		b := Best(k.Op, k.Type)
		if b.Op != k.Op || b.Type != k.Type || !b.Supported() {
			t.Errorf("Best(%v, %v) = %+v", k.Op, k.Type, b)
		}
	}
	if pairs != 15 {
		t.Errorf("%d pairs of operation and type", pairs)
	}
	for e := index.Float32; e <= index.Uint8; e++ {
		if layout[TypeOf(e)].bits != 8*e.Size() {
			t.Errorf("TypeOf(%v) = %v", e, TypeOf(e))
		}
	}
}

func TestHalfFloats(t *testing.T) {
	f := func(got float32, want float64) {
		t.Helper()
		if float64(got) != want || math.Signbit(float64(got)) != math.Signbit(want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	f(Float16(0), 0)
	f(Float16(0x8000), math.Copysign(0, -1))
	f(Float16(1), 0x1p-24)
	f(Float16(0x83ff), -0x3ffp-24)
	f(Float16(0x0400), 0x1p-14)
	f(Float16(0x3c00), 1)
	f(Float16(0xc001), -2-0x1p-9)
	f(Float16(0x7bff), 65504)
	f(Float16(0x7c00), math.Inf(1))
	f(Float16(0xfc00), math.Inf(-1))
	f(BFloat16(0x3f80), 1)
	f(BFloat16(0xc049), -3.140625)
	f(BFloat16(0xff80), math.Inf(-1))
	for _, h := range []uint16{0x7c01, 0x7e00, 0xffff} {
		if x := Float16(h); x == x {
			t.Errorf("%#x is %v", h, x)
		}
	}
}
