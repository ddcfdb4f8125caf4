package quant

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/nearcache/nearcache/index"
)

// decoded4 is what the row stands for, in float64.
func decoded4(s *SQ4Rows, row unsafe.Pointer) []float64 {
	h := s.header(row)
	x := make([]float64, s.Dim)
	for i := range x {
		x[i] = float64(h.offset) + float64(h.scale)*float64(s.at(row, i))
	}
	return x
}

// rows4 is as rows.
func rows4(s *SQ4Rows, v [][]float32) unsafe.Pointer {
	n := len(v)*s.Stride + Overread
	p := unsafe.Add(memory(n+16), 16)
	for i := range n {
		*(*byte)(unsafe.Add(p, i)) = byte(i*7 + 3)
	}
	for i := range v {
		s.Encode(unsafe.Add(p, i*s.Stride), v[i])
	}
	return p
}

func TestSQ4RowsErrorIsWithinErr(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 21))
	for _, dim := range dims {
		s := NewSQ4Rows(dim, index.L2)
		row := memory(s.Stride)
		f := func(name string, v []float32) {
			t.Helper()
			s.Encode(row, v)
			x := decoded4(s, row)
			real, err := math.Sqrt(squared(wide(v), x)), float64(s.Err(row))
			step := float64(s.header(row).scale) * s.errUnit
			if real > err || err > real*1.001+step*1.001 && !(math.IsInf(err, 1) && real > 0.99*math.MaxFloat32) {
				t.Errorf("dim %d %s: error %g, Err %g", dim, name, real, err)
			}
			if n := float64(s.header(row).norm2); n <= math.MaxFloat32 && math.Abs(n-dot(x, x)) > 1e-6*dot(x, x)+1e-37 {
				t.Errorf("dim %d %s: norm2 %g, is %g", dim, name, n, dot(x, x))
			}
			d, sum := make([]float32, dim), 0
			s.Decode(d, row)
			for i := range d {
				sum += int(s.at(row, i))
				if math.Abs(float64(d[i])-x[i]) > math.Abs(x[i])*0x1p-23+1e-44 {
					t.Fatalf("dim %d %s: decoded %g, is %g", dim, name, d[i], x[i])
				}
			}
			if int(s.header(row).sum()) != sum {
				t.Errorf("dim %d %s: sum %v, is %d", dim, name, s.header(row).sum(), sum)
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

func TestSQ4RowsWalkIsTheDistanceOfTheDecoded(t *testing.T) {
	r := rand.New(rand.NewPCG(22, 22))
	for _, dim := range dims {
		for _, m := range metrics {
			s := NewSQ4Rows(dim, m)
			var v [][]float32
			var names []string
			for name, x := range vectors(r, dim) {
				v, names = append(v, x), append(names, name)
			}
			base := rows4(s, v)
			slots := make([]uint32, 0, 70)
			for len(slots) < cap(slots) {
				slots = append(slots, uint32(r.IntN(len(v))))
			}
			q, got := memory(s.QuerySize), make([]float32, len(slots))
			eight := memory(s.eight.Stride)
			check := func(i int, what string, h *sq8Header, a []float64) {
				t.Helper()
				s.Walk(&got[0], q, base, &slots[0], len(slots))
				for j, slot := range slots {
					row := unsafe.Add(base, int(slot)*s.Stride)
					want, tolerance := truthOf(m, h, s.header(row), a, decoded4(s, row))
					if d := math.Abs(float64(got[j]) - want); !(d <= tolerance) {
						t.Errorf("dim %d %v, %s %s to %s: %g, want %g within %g", dim, m, what, names[i], names[slot], got[j], want, tolerance)
					}
				}
			}
			for i := range v {
				s.Query(q, v[i])
				s.eight.Encode(eight, v[i])
				check(i, "Query", s.eight.header(eight), exact(s.eight, eight))
				row := unsafe.Add(base, i*s.Stride)
				s.QueryOf(q, row)
				check(i, "QueryOf", s.header(row), decoded4(s, row))
			}
		}
	}
}

// Lower always holds, and Doubt for data like real ones.
func TestSQ4RowsLowerAndDoubtHold(t *testing.T) {
	r := rand.New(rand.NewPCG(27, 27))
	for _, dim := range []int{100, 384, 768} {
		for i, m := range append(metrics, metrics...) {
			s := NewSQ4Rows(dim, m)
			v := make([][]float32, 200)
			for j := range v {
				v[j] = vectors(r, dim)[[]string{"normal", "bytes"}[i/len(metrics)]] // 8 bits hold the latter exactly
			}
			base, q := rows4(s, v), memory(s.QuerySize)
			got, slots := make([]float32, len(v)), make([]uint32, len(v))
			for i := range slots {
				slots[i] = uint32(i)
			}
			off, most := 0.0, 0.0
			check := func(a []float64) {
				t.Helper()
				s.Walk(&got[0], q, base, &slots[0], len(v))
				for j, d := range got {
					want := -dot(a, wide(v[j]))
					if m == index.L2 {
						want = squared(a, wide(v[j]))
					}
					if low := s.Lower(d, q, unsafe.Add(base, j*s.Stride)); float64(low) > want {
						t.Errorf("dim %d %v: Lower %v of %v", dim, m, low, want)
					}
					e, doubt := math.Abs(float64(d)-want), float64(s.Doubt(d, q))
					if m == index.L2 {
						e = max(e-float64(s.Err(unsafe.Add(base, j*s.Stride)))*float64(s.Err(unsafe.Add(base, j*s.Stride))), 0) // which all rows have
					}
					if e > doubt {
						t.Errorf("dim %d %v: off by %v, Doubt %v", dim, m, e, doubt)
					}
					off, most = off+e, most+doubt
				}
			}
			for i := range 20 {
				s.Query(q, v[i])
				check(wide(v[i]))
			}
			if off < most/100 {
				t.Errorf("dim %d %v: off by %v, Doubt %v on average", dim, m, off, most)
			}
		}
	}
}

// Every kernel in assembly computes what the portable one does: of vectors, and
// of bytes that are as large as can be, for each number of rows, with anything
// behind the rows and nothing written behind the results.
func TestSQ4RowsKernelsAreTheTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 23))
	for dim := 1; dim < 1100; dim += 1 + dim/40 {
		s := NewSQ4Rows(dim, index.L2)
		v := make([][]float32, 9)
		for i := range v {
			v[i] = vectors(r, dim)["normal"]
		}
		base, q := rows4(s, v), memory(s.QuerySize)
		slots := make([]uint32, 131)
		for i := range slots {
			slots[i] = uint32(r.IntN(len(v)))
		}
		compare := func(what string) {
			t.Helper()
			for n := range len(slots) + 1 {
				if n > 70 && n < 127 {
					continue
				}
				got, want := make([]int32, n+1), make([]int32, n+1)
				got[n], want[n] = 42, 42
				dotSQ4Generic(unsafe.Pointer(&want[0]), q, base, &slots[0], n, s.Stride, s.size)
				for _, k := range sq4RowsKernels {
					if !k.has {
						continue
					}
					k.dot(unsafe.Pointer(&got[0]), q, base, &slots[0], n, s.Stride, s.size)
					if !slices.Equal(got, want) {
						t.Fatalf("%s, dim %d, %s: %d rows are %d, want %d", k.name, dim, what, n, got, want)
					}
				}
			}
		}
		s.Query(q, v[0])
		compare("Query")
		s.QueryOf(q, unsafe.Add(base, s.Stride))
		compare("QueryOf")
		for i, c := range unsafe.Slice((*int8)(q), 2*s.size) {
			if c != 0 {
				*(*int8)(unsafe.Add(q, i)) = -128
			}
		}
		all := unsafe.Slice((*byte)(base), len(v)*s.Stride+Overread)
		for i := range all {
			all[i] = 255
		}
		compare("the largest codes")
	}
}

func TestSQ4RowsOverflowIsNeverNaN(t *testing.T) {
	r := rand.New(rand.NewPCG(24, 24))
	for _, dim := range dims {
		for _, m := range metrics {
			s := NewSQ4Rows(dim, m)
			var v [][]float32
			for _, x := range overflowing(r, dim) {
				v = append(v, x)
			}
			for _, x := range vectors(r, dim) {
				v = append(v, x)
			}
			base := rows4(s, v)
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

func TestSQ4RowsWriteOnlyWhatIsTheirs(t *testing.T) {
	r := rand.New(rand.NewPCG(25, 25))
	for _, dim := range dims {
		s := NewSQ4Rows(dim, index.Cosine)
		v := vectors(r, dim)["normal"]
		row := memory(s.Stride)
		s.Encode(row, v)
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
		f(s.QuerySize, func(p unsafe.Pointer) { s.QueryOf(p, row) })
	}
}

func TestSQ4RowsDoNotAllocate(t *testing.T) {
	s := NewSQ4Rows(100, index.L2)
	v := vectors(rand.New(rand.NewPCG(26, 26)), 100)["normal"]
	base, q := rows4(s, [][]float32{v, v}), memory(s.QuerySize)
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

func BenchmarkSQ4RowsEncode(b *testing.B) {
	s := NewSQ4Rows(384, index.Cosine)
	v := vectors(rand.New(rand.NewPCG(7, 7)), 384)["normal"]
	row, q := memory(s.Stride), memory(s.QuerySize)
	b.Run("row", func(b *testing.B) {
		for b.Loop() {
			s.Encode(row, v)
		}
	})
	b.Run("query", func(b *testing.B) {
		for b.Loop() {
			s.Query(q, v)
		}
	})
}

// BenchmarkWalks compares the codes by the batches of a graph's walk, from
// rows at random in memory.
func BenchmarkWalks(b *testing.B) {
	type walker interface {
		Encode(row unsafe.Pointer, v []float32)
		Query(q unsafe.Pointer, v []float32)
		Walk(dst *float32, q, base unsafe.Pointer, slots *uint32, n int)
	}
	s8, s4, b1 := NewSQ8(384, index.Cosine), NewSQ4Rows(384, index.Cosine), NewBinary(384, index.Cosine)
	for _, n := range []int{31000, 115000} {
		for _, c := range []struct {
			name   string
			w      walker
			stride int
			query  int
		}{{"sq8", s8, s8.Stride, s8.QuerySize}, {"sq4", s4, s4.Stride, s4.QuerySize}, {"binary", b1, b1.Stride, b1.QuerySize}} {
			b.Run(fmt.Sprintf("n=%d/%s", n, c.name), func(b *testing.B) {
				r := rand.New(rand.NewPCG(8, 8))
				base, q := memory(n*c.stride+Overread), memory(c.query)
				v := vectors(r, 384)["normal"]
				for i := range n {
					c.w.Encode(unsafe.Add(base, i*c.stride), v)
				}
				c.w.Query(q, v)
				slots := make([]uint32, 1<<18)
				for i := range slots {
					slots[i] = uint32(r.IntN(n))
				}
				const batch = 32
				var dst [batch]float32
				i := 0
				for b.Loop() {
					c.w.Walk(&dst[0], q, base, &slots[i], batch)
					i = (i + batch) % len(slots)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/row")
			})
		}
	}
}
