package quant

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/nearcache/nearcache/index"
)

var (
	dims    = []int{1, 2, 3, 7, 15, 16, 17, 31, 63, 64, 65, 100, 127, 128, 384, 767, 768, 1536}
	metrics = []index.Metric{index.L2, index.IP, index.Cosine}
)

// memory is n zero bytes at a multiple of 64, for rows or a query.
func memory(n int) unsafe.Pointer {
	b := make([]byte, n+64)
	p := unsafe.Pointer(&b[0])
	return unsafe.Add(p, -uintptr(p)&63)
}

// vectors are of all kinds that could hurt a code, then random ones.
func vectors(r *rand.Rand, dim int) map[string][]float32 {
	v := map[string][]float32{}
	make_ := func(name string, f func(i int) float64) {
		x := make([]float32, dim)
		for i := range x {
			x[i] = float32(f(i))
		}
		v[name] = x
	}
	normal := func(s float64) func(int) float64 {
		return func(int) float64 { return s * r.NormFloat64() }
	}
	hot := r.IntN(dim)
	one := func(at, other float64) func(int) float64 {
		return func(i int) float64 {
			if i == hot {
				return at
			}
			return other
		}
	}
	make_("zero", func(int) float64 { return 0 })
	make_("constant", func(int) float64 { return -0.7 })
	make_("one hot", one(1, 0))
	make_("one cold", one(-1, 0))
	make_("one huge", one(1e30, 1e-3))
	make_("normal", normal(1))
	make_("positive", func(int) float64 { return r.Float64() })
	make_("small", normal(1e-18))
	make_("tiny", normal(1e-38))
	make_("denormal", normal(1e-44))
	make_("huge", normal(1e18))
	make_("far", func(int) float64 { return 1000 + r.NormFloat64() })
	make_("bytes", func(int) float64 { return float64(r.IntN(256)) })
	make_("signs", func(int) float64 { return float64(1 - 2*r.IntN(2)) })
	return v
}

// overflowing vectors' products are beyond float32.
func overflowing(r *rand.Rand, dim int) map[string][]float32 {
	v := map[string][]float32{}
	for name, f := range map[string]func() float32{
		"largest":  func() float32 { return math.MaxFloat32 },
		"extremes": func() float32 { return math.MaxFloat32 * float32(r.IntN(3)-1) },
		"random":   func() float32 { return math.MaxFloat32 * (2*r.Float32() - 1) },
	} {
		x := make([]float32, dim)
		for i := range x {
			x[i] = f()
		}
		v[name] = x
	}
	return v
}

// exact is what the row stands for, in float64.
func exact(s *SQ8, row unsafe.Pointer) []float64 {
	h := s.header(row)
	x := make([]float64, s.Dim)
	for i, u := range unsafe.Slice((*byte)(row), s.Dim) {
		x[i] = float64(h.offset) + float64(h.scale)*float64(u)
	}
	return x
}

func wide(v []float32) []float64 {
	x := make([]float64, len(v))
	for i := range v {
		x[i] = float64(v[i])
	}
	return x
}

func dot(a, b []float64) (s float64) {
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

func squared(a, b []float64) (s float64) {
	for i := range a {
		s += (a[i] - b[i]) * (a[i] - b[i])
	}
	return s
}

func TestSQ8ErrorIsWithinErr(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, dim := range dims {
		s := NewSQ8(dim, index.L2)
		row := memory(s.Stride)
		f := func(name string, v []float32) {
			t.Helper()
			s.Encode(row, v)
			x := exact(s, row)
			real := math.Sqrt(squared(wide(v), x))
			err := float64(s.Err(row))
			// Err is rounded up to a 510th of what it can be, and to float32.
			step := float64(s.header(row).scale) * s.errUnit
			if real > err || err > real*1.001+step*1.001 {
				t.Errorf("dim %d %s: error %g, Err %g", dim, name, real, err)
			}
			lo, hi := wide(v)[0], wide(v)[0]
			for _, c := range wide(v) {
				lo, hi = min(lo, c), max(hi, c)
			}
			// No component is off by more than half a step.
			half := max((hi-lo)/255, minScale) / 2 * (1 + 1e-4)
			for i := range x {
				if math.Abs(x[i]-float64(v[i])) > half {
					t.Fatalf("dim %d %s: component %d is %g, was %g", dim, name, i, x[i], v[i])
				}
			}
			if n := float64(s.header(row).norm2); n <= math.MaxFloat32 && math.Abs(n-dot(x, x)) > 1e-6*dot(x, x)+1e-37 {
				t.Errorf("dim %d %s: norm2 %g, is %g", dim, name, n, dot(x, x))
			}
			sum := 0
			for _, u := range unsafe.Slice((*byte)(row), s.Stride-16) {
				sum += int(u)
			}
			if int(s.header(row).sum()) != sum {
				t.Errorf("dim %d %s: sum %v, is %d", dim, name, s.header(row).sum(), sum)
			}
			d := make([]float32, dim)
			s.Decode(d, row)
			for i := range d {
				if math.Abs(float64(d[i])-x[i]) > math.Abs(x[i])*0x1p-23+1e-44 {
					t.Fatalf("dim %d %s: decoded %g, is %g", dim, name, d[i], x[i])
				}
			}
		}
		for name, v := range vectors(r, dim) {
			f(name, v)
		}
		for name, v := range overflowing(r, dim) {
			f(name, v)
		}
	}
}

func TestSQ8SumOfTheLargestVectorFits(t *testing.T) {
	s := NewSQ8(index.MaxDim, index.L2)
	row := memory(s.Stride)
	v := make([]float32, index.MaxDim)
	for i := range v {
		v[i] = 255
	}
	v[7] = 0
	s.Encode(row, v)
	if got, want := s.header(row).sum(), float32(255*(index.MaxDim-1)); got != want {
		t.Errorf("sum %v, want %v", got, want)
	}
	if s.Err(row) != 0 {
		t.Errorf("Err %v of what is held without loss", s.Err(row))
	}
}

// rows encodes the vectors one behind the other, from an address that is a
// multiple of 16 but not of 32, with other bytes around them.
func rows(s *SQ8, v [][]float32) unsafe.Pointer {
	n := len(v)*s.Stride + Overread
	p := unsafe.Add(memory(n+16), 16)
	for i := range unsafe.Slice((*byte)(p), n) {
		*(*byte)(unsafe.Add(p, i)) = byte(i*7 + 3)
	}
	for i := range v {
		s.Encode(unsafe.Add(p, i*s.Stride), v[i])
	}
	return p
}

func TestSQ8WalkIsTheDistanceOfTheDecoded(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for _, dim := range dims {
		for _, m := range metrics {
			s := NewSQ8(dim, m)
			var v [][]float32
			var names []string
			for name, x := range vectors(r, dim) {
				v, names = append(v, x), append(names, name)
			}
			base := rows(s, v)
			slots := make([]uint32, 0, 3*len(v))
			for len(slots) < cap(slots) {
				slots = append(slots, uint32(r.IntN(len(v))))
			}
			q := memory(s.QuerySize)
			got := make([]float32, len(slots))
			for i := range v {
				s.Query(q, v[i])
				s.Walk(&got[0], q, base, &slots[0], len(slots))
				a := exact(s, unsafe.Add(base, i*s.Stride))
				for j, slot := range slots {
					row := unsafe.Add(base, int(slot)*s.Stride)
					want, tolerance := truth(s, s.header(unsafe.Add(base, i*s.Stride)), a, row)
					if d := math.Abs(float64(got[j]) - want); !(d <= tolerance) {
						t.Errorf("dim %d %v, from %s to %s: %g, want %g within %g",
							dim, m, names[i], names[slot], got[j], want, tolerance)
					}
				}
			}
		}
	}
}

// truth is the distance from the decoded query a to a row, and what the
// arithmetic in float32 may be off by: each of its dozen operations by 2^-24
// of the largest sum that can stand there, and by the smallest number.
func truth(s *SQ8, q *sq8Header, a []float64, row unsafe.Pointer) (want, tolerance float64) {
	return truthOf(s.Metric, q, s.header(row), a, exact(s, row))
}

func truthOf(m index.Metric, q, h *sq8Header, a, b []float64) (want, tolerance float64) {
	abs := func(f float32) float64 { return math.Abs(float64(f)) }
	largest := float64(len(a)) * (abs(q.offset) + 255*abs(q.scale)) * (abs(h.offset) + 255*abs(h.scale))
	lengths := dot(a, a) + dot(b, b)
	if largest > math.MaxFloat32 || m == index.L2 && lengths > math.MaxFloat32 {
		return 0, math.Inf(1)
	}
	tolerance = 12*0x1p-24*largest + 1e-36
	if m != index.L2 {
		return -dot(a, b), tolerance
	}
	return squared(a, b), 2*tolerance + 4*0x1p-24*lengths
}

func TestSQ8QueryOfLosesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, dim := range dims {
		s := NewSQ8(dim, index.L2)
		for name, v := range vectors(r, dim) {
			row, q, of := memory(s.Stride), memory(s.QuerySize), memory(s.QuerySize)
			s.Encode(row, v)
			s.Query(q, v)
			s.QueryOf(of, row)
			n := s.size + int(unsafe.Sizeof(sq8Query{}))
			if !bytes.Equal(unsafe.Slice((*byte)(q), n), unsafe.Slice((*byte)(of), n)) {
				t.Errorf("dim %d %s: Query and QueryOf differ", dim, name)
			}
			h, want := s.queryHeader(of), exact(s, row)
			sum := 0.0
			for i, c := range unsafe.Slice((*int8)(of), s.size) {
				if i >= dim {
					if c != 0 {
						t.Errorf("dim %d: code %d behind the components", dim, c)
					}
					continue
				}
				sum += want[i]
				x := float64(h.offset) + float64(h.scale)*float64(c)
				if tolerance := 0x1p-23 * (math.Abs(float64(h.offset)) + 128*float64(h.scale)); math.Abs(x-want[i]) > tolerance {
					t.Fatalf("dim %d %s: component %d is %g, was %g", dim, name, i, x, want[i])
				}
			}
			if math.Abs(sum-float64(h.sum)) > 1e-6*float64(dim)*float64(abs32(h.offset)+128*h.scale) {
				t.Errorf("dim %d %s: sum %g, is %g", dim, name, h.sum, sum)
			}
		}
	}
}

func abs32(f float32) float32 { return float32(math.Abs(float64(f))) }

func TestSQ8OverflowIsNeverNaN(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for _, dim := range dims {
		for _, m := range metrics {
			s := NewSQ8(dim, m)
			var v [][]float32
			for _, x := range overflowing(r, dim) {
				v = append(v, x)
			}
			for _, x := range vectors(r, dim) {
				v = append(v, x)
			}
			base := rows(s, v)
			slots, got, q := make([]uint32, len(v)), make([]float32, len(v)), memory(s.QuerySize)
			for i := range slots {
				slots[i] = uint32(i)
			}
			for i := range v {
				s.Query(q, v[i])
				s.Walk(&got[0], q, base, &slots[0], len(v))
				for j, d := range got {
					if d != d || m == index.L2 && d < 0 {
						t.Errorf("dim %d %v: %v from %v to %v", dim, m, d, i, j)
					}
				}
			}
		}
	}
}

func TestSQ8WritesOnlyItsRow(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for _, dim := range dims {
		s := NewSQ8(dim, index.Cosine)
		v := vectors(r, dim)["normal"]
		f := func(size int, write func(p unsafe.Pointer)) {
			t.Helper()
			p := memory(size + 128)
			all := unsafe.Slice((*byte)(p), size+128)
			for i := range all {
				all[i] = 0xa5
			}
			write(unsafe.Add(p, 64))
			for i, b := range all {
				if (i < 64 || i >= 64+size) && b != 0xa5 {
					t.Fatalf("dim %d: byte %d of %d written", dim, i-64, size)
				}
			}
		}
		f(s.Stride, func(p unsafe.Pointer) { s.Encode(p, v) })
		f(s.QuerySize, func(p unsafe.Pointer) { s.Query(p, v) })
		row := memory(s.Stride)
		s.Encode(row, v)
		f(s.QuerySize, func(p unsafe.Pointer) { s.QueryOf(p, row) })
		dst := make([]float32, 3)
		slots := []uint32{0, 0}
		q := memory(s.QuerySize)
		s.Query(q, v)
		dst[2] = 42
		s.Walk(&dst[0], q, rows(s, [][]float32{v}), &slots[0], 2)
		if dst[2] != 42 || dst[0] != dst[1] {
			t.Errorf("dim %d: %v", dim, dst)
		}
		s.Walk(&dst[0], q, row, &slots[0], 0)
	}
}

func TestSQ8DoesNotAllocate(t *testing.T) {
	s := NewSQ8(100, index.L2)
	v := vectors(rand.New(rand.NewPCG(6, 6)), 100)["normal"]
	base, q := rows(s, [][]float32{v, v}), memory(s.QuerySize)
	dst, slots := make([]float32, 2), []uint32{1, 0}
	if n := testing.AllocsPerRun(10, func() {
		s.Encode(base, v)
		s.Decode(v, base)
		s.Query(q, v)
		s.QueryOf(q, base)
		s.Walk(&dst[0], q, base, &slots[0], 2)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSQ8Encode(b *testing.B) {
	for _, dim := range []int{384, 1536} {
		b.Run(fmt.Sprintf("d=%d", dim), func(b *testing.B) {
			s := NewSQ8(dim, index.Cosine)
			v := vectors(rand.New(rand.NewPCG(7, 7)), dim)["normal"]
			row := memory(s.Stride)
			for b.Loop() {
				s.Encode(row, v)
			}
		})
	}
}

// BenchmarkSQ8Walk is a walk's batch, from rows at random in memory.
func BenchmarkSQ8Walk(b *testing.B) {
	for _, c := range []struct{ dim, n int }{{384, 1000}, {384, 100000}} {
		for _, m := range []index.Metric{index.L2, index.Cosine} {
			b.Run(fmt.Sprintf("d=%d/n=%d/%v", c.dim, c.n, m), func(b *testing.B) {
				r := rand.New(rand.NewPCG(8, 8))
				s := NewSQ8(c.dim, m)
				base := memory(c.n*s.Stride + Overread)
				v := vectors(r, c.dim)["normal"]
				for i := range c.n {
					s.Encode(unsafe.Add(base, i*s.Stride), v)
				}
				q := memory(s.QuerySize)
				s.Query(q, v)
				slots := make([]uint32, 1<<16)
				for i := range slots {
					slots[i] = uint32(r.IntN(c.n))
				}
				const batch = 32
				var dst [batch]float32
				i := 0
				for b.Loop() {
					s.Walk(&dst[0], q, base, &slots[i], batch)
					i = (i + batch) % len(slots)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/row")
			})
		}
	}
}

// Doubt holds for data like real ones, and where codes fit the query and not the rows.
func TestSQ8DoubtHolds(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 31))
	for _, m := range metrics {
		for _, dim := range []int{100, 384, 784} {
			s := NewSQ8(dim, m)
			row, q, slot, d := memory(s.Stride+Overread), memory(s.QuerySize), uint32(0), float32(0)
			for _, k := range []struct {
				name      string
				query, of func() float64
			}{
				{"normal", r.NormFloat64, r.NormFloat64},
				{"bytes", func() float64 { return float64(r.IntN(256)) }, func() float64 { return float64(r.IntN(201)) }},
			} {
				off, most := 0.0, 0.0
				for range 100 {
					a, b := make([]float32, dim), make([]float32, dim)
					for i := range a {
						a[i], b[i] = float32(k.query()), float32(k.of())
					}
					if k.name == "bytes" {
						a[0], a[1] = 0, 255
					}
					s.Query(q, a)
					s.Encode(row, b)
					s.Walk(&d, q, row, &slot, 1)
					want := -dot(wide(a), wide(b))
					if m == index.L2 {
						want = squared(wide(a), wide(b))
					}
					e, doubt := math.Abs(float64(d)-want), float64(s.Doubt(d, q))
					if e > doubt {
						t.Errorf("dim %d %v, %s: off by %v, Doubt %v", dim, m, k.name, e, doubt)
					}
					off, most = off+e, most+doubt
				}
				if off < most/100 {
					t.Errorf("dim %d %v, %s: off by %v, Doubt %v on average", dim, m, k.name, off, most)
				}
			}
		}
	}
}

func TestLowersAreAtMostLower(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	const n = 70
	for _, dim := range []int{1, 17, 64, 384} {
		for _, m := range []index.Metric{index.L2, index.IP, index.Cosine} {
			sq8, split, binary := NewSQ8(dim, m), NewSplit(dim, m), NewBinary(dim, m)
			for _, c := range []struct {
				codec interface {
					Encode(row unsafe.Pointer, v []float32)
					Query(q unsafe.Pointer, v []float32)
					Lower(d float32, q, row unsafe.Pointer) float32
					Lowers(d []float32, q, base unsafe.Pointer, slots []uint32)
				}
				stride, query int
			}{{sq8, sq8.Stride, sq8.QuerySize}, {split, split.Stride, split.QuerySize}, {binary, binary.Stride, binary.QuerySize}} {
				base, q := memory(n*c.stride+Overread), memory(c.query)
				v := make([]float32, dim)
				vector := func() []float32 {
					long := math.Exp(4 * r.NormFloat64())
					for i := range v {
						v[i] = float32(long * r.NormFloat64())
					}
					return v
				}
				for i := range n {
					c.codec.Encode(unsafe.Add(base, i*c.stride), vector())
				}
				c.codec.Query(q, vector())
				slots, d := r.Perm(n), make([]float32, n)
				at := make([]uint32, n)
				for i, s := range slots {
					at[i], d[i] = uint32(s), float32(r.NormFloat64()*10)
				}
				d[0], d[1] = inf, -inf
				got := append([]float32(nil), d...)
				c.codec.Lowers(got, q, base, at)
				for i, low := range got {
					want := c.codec.Lower(d[i], q, unsafe.Add(base, slots[i]*c.stride))
					if low != want && !(low < want && float64(want-low) <= 1e-5*(math.Abs(float64(want))+math.Abs(float64(d[i])))) {
						t.Errorf("%T %v, dim %d: Lowers %v, Lower %v of %v", c.codec, m, dim, low, want, d[i])
					}
				}
			}
		}
	}
}
