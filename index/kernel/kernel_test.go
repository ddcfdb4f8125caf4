package kernel

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/nearcache/nearcache/index"
)

// lengths are the vector lengths of the conventions.
func lengths() []int {
	l := []int{384, 767, 768, 1024, 1535, 1536}
	for i := range 131 {
		l = append(l, i)
	}
	return l
}

// set is a query and rows, all at an address shifted by off components.
type set struct {
	e      index.Element
	stride int
	mem    []byte
	q      unsafe.Pointer
	base   unsafe.Pointer
	rows   int
	dim    int
}

func newSet(e index.Element, dim, rows, off int) *set {
	st := Stride(dim, e)
	s := &set{e: e, stride: st, rows: rows, dim: dim, mem: make([]byte, (rows+1)*st+16*e.Size())}
	s.q = unsafe.Pointer(&s.mem[off*e.Size()])
	s.base = unsafe.Add(s.q, st)
	return s
}

func (s *set) put(row, i int, x float64) { // row -1 is the query
	p := unsafe.Add(s.base, row*s.stride+i*s.e.Size())
	if s.e == index.Float64 {
		*(*float64)(p) = x
	} else {
		*(*float32)(p) = float32(x)
	}
}

func (s *set) get(row, i int) float64 {
	p := unsafe.Add(s.base, row*s.stride+i*s.e.Size())
	if s.e == index.Float64 {
		return *(*float64)(p)
	}
	return float64(*(*float32)(p))
}

const canary = 12345.678

// run calls k with a canary on either side of dst.
func (s *set) run(t testing.TB, f Func, slots []uint32) []float64 {
	t.Helper()
	n := len(slots)
	out := make([]float64, n)
	sl := append([]uint32{1 << 30}, slots...) // a read before or behind would be far away
	sl = append(sl, 1<<30)
	if s.e == index.Float64 {
		dst := make([]float64, n+2)
		for i := range dst {
			dst[i] = canary
		}
		f(unsafe.Pointer(&dst[1]), s.q, s.base, &sl[1], n, s.stride, s.stride)
		if dst[0] != canary || dst[n+1] != canary {
			t.Fatalf("wrote outside dst: %v", dst)
		}
		copy(out, dst[1:])
		return out
	}
	dst := make([]float32, n+2)
	for i := range dst {
		dst[i] = canary
	}
	f(unsafe.Pointer(&dst[1]), s.q, s.base, &sl[1], n, s.stride, s.stride)
	if dst[0] != float32(canary) || dst[n+1] != float32(canary) {
		t.Fatalf("wrote outside dst: %v", dst)
	}
	for i := range out {
		out[i] = float64(dst[i+1])
	}
	return out
}

func elementOf(k Kernel) index.Element {
	if k.Type == F64 {
		return index.Float64
	}
	return index.Float32
}

// floats are the rows of the table for float32 and float64.
func floats() []Kernel {
	return slices.DeleteFunc(slices.Clone(All), func(k Kernel) bool { return k.Type > F64 })
}

func generic(k Kernel) Func {
	for _, g := range All {
		if g.ISA == Generic && g.Op == k.Op && g.Type == k.Type {
			return g.Func
		}
	}
	panic("no twin")
}

// tolerance is the rounding error that a sum of dim terms may show: dim+2
// roundings of the sum of magnitudes, on either side.
func (s *set) tolerance(op Op, row int) float64 {
	eps := float64(1) / (1 << 24)
	if s.e == index.Float64 {
		eps = float64(1) / (1 << 53)
	}
	sum := 0.0
	for i := range s.dim {
		a, b := s.get(-1, i), s.get(row, i)
		if op == Dot {
			sum += math.Abs(a * b)
		} else {
			sum += (a - b) * (a - b)
		}
	}
	return 2 * eps * float64(s.dim/2+4) * sum
}

func (s *set) compare(t testing.TB, k Kernel, slots []uint32) {
	t.Helper()
	got, want := s.run(t, k.Func, slots), s.run(t, generic(k), slots)
	for i, sl := range slots {
		g, w := got[i], want[i]
		switch {
		case math.IsNaN(w) || math.IsInf(w, 0):
			// The order of the additions decides where a sum overflows, not whether it is finite.
			if g-g == 0 {
				t.Fatalf("dim %d slot %d: %v, the twin says %v", s.dim, sl, g, w)
			}
		case math.Abs(g-w) > s.tolerance(k.Op, int(sl)):
			t.Fatalf("dim %d slot %d: %v, the twin says %v, tolerance %v", s.dim, sl, g, w, s.tolerance(k.Op, int(sl)))
		}
	}
}

// walk runs f as a subtest for each row of the table that this CPU supports.
func walk(t *testing.T, f func(t *testing.T, k Kernel)) {
	for _, k := range floats() {
		t.Run(fmt.Sprintf("%v/%v/%s", k.Op, k.Type, k.ISA), func(t *testing.T) {
			if !k.Supported() {
				t.Skipf("this CPU has no %s", k.ISA)
			}
			f(t, annotate(k))
		})
	}
}

func TestKernelAgreesWithItsTwin(t *testing.T) {
	const rows = 11
	walk(t, func(t *testing.T, k Kernel) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, dim := range lengths() {
			s := newSet(elementOf(k), dim, rows, dim%5)
			for row := -1; row < rows; row++ {
				for i := range dim {
					s.put(row, i, r.NormFloat64())
				}
			}
			for n := range rows + 1 {
				slots := make([]uint32, n)
				for i := range slots {
					slots[i] = uint32(r.IntN(rows))
				}
				s.compare(t, k, slots)
			}
		}
	})
}

func TestKernelAgreesWithPlainSum(t *testing.T) {
	walk(t, func(t *testing.T, k Kernel) {
		s := newSet(elementOf(k), 5, 2, 0)
		for i := range 5 {
			s.put(-1, i, float64(i+1)) // 1 2 3 4 5
			s.put(0, i, 2)
			s.put(1, i, float64(-i))
		}
		want := []float64{30, -40}
		if k.Op == SquaredL2 {
			want = []float64{1 + 0 + 1 + 4 + 9, 1 + 9 + 25 + 49 + 81}
		}
		got := s.run(t, k.Func, []uint32{0, 1})
		if got[0] != want[0] || got[1] != want[1] {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestKernelWithNaNInfinityAndZero(t *testing.T) {
	special := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), 3e38, -3e38, 1e-45}
	walk(t, func(t *testing.T, k Kernel) {
		for _, dim := range []int{1, 2, 7, 8, 15, 16, 17, 33, 384} {
			for _, x := range special {
				for at := 0; at < dim; at += 1 + dim/5 {
					s := newSet(elementOf(k), dim, 6, 1)
					for row := range 6 {
						for i := range dim {
							s.put(row, i, float64(row))
							s.put(-1, i, 1)
						}
					}
					s.put(3, at, x)
					s.compare(t, k, []uint32{0, 1, 2, 3, 4, 5})
				}
			}
		}
	})
}

func TestResultDoesNotDependOnPlaceInBatch(t *testing.T) {
	walk(t, func(t *testing.T, k Kernel) {
		r := rand.New(rand.NewPCG(3, 4))
		s := newSet(elementOf(k), 77, 9, 0)
		for row := -1; row < 9; row++ {
			for i := range 77 {
				s.put(row, i, r.NormFloat64())
			}
		}
		all := []uint32{0, 1, 2, 3, 4, 5, 6, 7, 8}
		batch := s.run(t, k.Func, all)
		for i := range all {
			if one := s.run(t, k.Func, all[i:i+1]); one[0] != batch[i] {
				t.Fatalf("row %d alone %v, in the batch %v", i, one[0], batch[i])
			}
		}
	})
}

func TestBestIsInTheTable(t *testing.T) {
	for _, op := range []Op{Dot, SquaredL2} {
		for _, e := range []index.Element{index.Float32, index.Float64} {
			k := Best(op, TypeOf(e))
			if k.Op != op || k.Type != TypeOf(e) || !k.Supported() {
				t.Fatalf("Best(%v, %v) = %+v", op, e, k)
			}
			if len(assembly) > 0 && assembly[0].Supported() && k.ISA == Generic {
				t.Fatalf("Best(%v, %v) is the portable twin on a CPU with %s", op, e, assembly[0].ISA)
			}
		}
	}
}

func FuzzKernels(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9}, uint8(3), uint8(1))
	f.Add(binary.LittleEndian.AppendUint64(nil, math.Float64bits(math.NaN())), uint8(1), uint8(0))
	f.Add([]byte{0xff, 0xff, 0x7f, 0x7f, 0xff, 0xff, 0x7f, 0xff}, uint8(2), uint8(5)) // ±float32 max
	f.Fuzz(func(t *testing.T, data []byte, dim, n uint8) {
		if len(data) == 0 {
			return
		}
		d, rows := int(dim), int(n%13)+1
		for _, k := range floats() {
			if !k.Supported() {
				continue
			}
			s := newSet(elementOf(k), d, rows, int(n)%3)
			at := 0
			for row := -1; row < rows; row++ {
				for i := range d {
					var b [8]byte
					for j := range b {
						b[j] = data[at%len(data)]
						at++
					}
					if k.Type == F64 {
						s.put(row, i, math.Float64frombits(binary.LittleEndian.Uint64(b[:])))
					} else {
						s.put(row, i, float64(math.Float32frombits(binary.LittleEndian.Uint32(b[:]))))
					}
				}
			}
			slots := make([]uint32, rows)
			for i := range slots {
				slots[i] = uint32(i * 7 % rows)
			}
			got, want := s.run(t, k.Func, slots), s.run(t, generic(k), slots)
			for i, sl := range slots {
				tol := s.tolerance(k.Op, int(sl))
				if tol-tol != 0 || tol > 1e30 && k.Type == F32 || want[i]-want[i] != 0 || got[i]-got[i] != 0 {
					continue // near overflow the order of additions decides
				}
				if math.Abs(got[i]-want[i]) > tol+1e-37 {
					t.Fatalf("%v %v %s dim %d: %v, the twin says %v", k.Op, k.Type, k.ISA, d, got[i], want[i])
				}
			}
		}
	})
}

func TestNormalize(t *testing.T) {
	f := func(in []float64) {
		t.Helper()
		v32, v64 := make([]float32, len(in)), append([]float64(nil), in...)
		for i, x := range in {
			v32[i] = float32(x)
		}
		Normalize32(v32)
		Normalize64(v64)
		var s32, s64 float64
		for i := range in {
			s32 += float64(v32[i]) * float64(v32[i])
			s64 += v64[i] * v64[i]
		}
		if math.Abs(s32-1) > 1e-6 || math.Abs(s64-1) > 1e-12 {
			t.Fatalf("%v: squared lengths %v, %v", in, s32, s64)
		}
	}
	f([]float64{1})
	f([]float64{3, 4})
	f([]float64{1e-30, 0, 1e-30})
	f([]float64{1e-44})
	f([]float64{3e38, -3e38, 3e38})
	f([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17})

	v := []float64{1e300, 5e-324, -1e300}
	Normalize64(v)
	if math.Abs(v[0]-math.Sqrt(0.5)) > 1e-12 {
		t.Fatalf("huge components: %v", v)
	}
	v = []float64{5e-324}
	if Normalize64(v); v[0] != 1 {
		t.Fatalf("the smallest number: %v", v)
	}
	zero := []float32{0, 0}
	if Normalize32(zero); zero[0] != 0 || zero[1] != 0 {
		t.Fatalf("zero vector became %v", zero)
	}
	Normalize32(nil)
	Normalize64(nil)
}

func TestFinite(t *testing.T) {
	f := func(v []float32, want bool) {
		t.Helper()
		w := make([]float64, len(v))
		for i := range v {
			w[i] = float64(v[i])
		}
		if Finite32(v) != want || Finite64(w) != want {
			t.Fatalf("%v: want %v", v, want)
		}
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	f(nil, true)
	f([]float32{0}, true)
	f([]float32{3e38, 3e38}, true)
	f([]float32{1, nan}, false)
	f([]float32{inf, -inf}, false)
	f([]float32{1, 2, 3, 4, 5, 6, 7, 8, -inf}, false)
	if !Finite64([]float64{1e308, -1e308}) {
		t.Fatal("large but finite")
	}
}

func TestDecodeUnaligned(t *testing.T) {
	for off := range 9 {
		b := make([]byte, off+24)
		for i := range 3 {
			binary.LittleEndian.PutUint64(b[off+8*i:], math.Float64bits(float64(i)+0.5))
		}
		v := make([]float64, 3)
		Decode64(v, b[off:])
		if v[0] != 0.5 || v[2] != 2.5 {
			t.Fatalf("offset %d: %v", off, v)
		}
		for i := range 6 {
			binary.LittleEndian.PutUint32(b[off+4*i:], math.Float32bits(float32(i)+0.25))
		}
		w := make([]float32, 8)
		Decode32(w, b[off:])
		if w[0] != 0.25 || w[5] != 5.25 || w[6] != 0 {
			t.Fatalf("offset %d: %v", off, w)
		}
	}
}

func BenchmarkKernel(b *testing.B) {
	const rows = 64
	for _, dim := range []int{384, 768, 1536} {
		for _, k := range floats() {
			if !k.Supported() {
				continue
			}
			b.Run(fmt.Sprintf("%v/%v/d=%d/%s", k.Op, k.Type, dim, k.ISA), func(b *testing.B) {
				s := newSet(elementOf(k), dim, rows, 0)
				dst := make([]float64, rows)
				slots := make([]uint32, rows)
				for i := range slots {
					slots[i] = uint32(i * 37 % rows)
				}
				for b.Loop() {
					k.Func(unsafe.Pointer(&dst[0]), s.q, s.base, &slots[0], rows, s.stride, s.stride)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
			})
		}
	}
}
