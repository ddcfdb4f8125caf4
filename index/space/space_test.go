package space

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/indextest"
)

var (
	elements = []index.Element{index.Float32, index.Float64, index.Float16, index.BFloat16, index.Int8, index.Uint8}
	metrics  = []index.Metric{index.L2, index.IP, index.Cosine}
)

// rows is memory as an index has it: 16-aligned, dirty, with a canary behind.
type rows struct {
	*Space
	mem []byte
	n   int
}

const canary = 0xa5

func newRows(s *Space, n int) rows {
	words := make([]uint64, (n*s.Stride+s.QuerySize+192)/8)
	mem := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), 8*len(words))
	for uintptr(unsafe.Pointer(&mem[0]))%64 != 16 { // the least that is promised
		mem = mem[8:]
	}
	for i := range mem {
		mem[i] = canary
	}
	return rows{s, mem, n}
}

func (r rows) row(i int) unsafe.Pointer { return unsafe.Pointer(&r.mem[i*r.Stride]) }
func (r rows) query() unsafe.Pointer    { return unsafe.Pointer(&r.mem[(r.n*r.Stride+63)&^63]) }
func (r rows) base() unsafe.Pointer     { return r.row(0) }

func filled(t testing.TB, s *Space, blobs ...[]byte) rows {
	t.Helper()
	r := newRows(s, len(blobs))
	for i := len(blobs) - 1; i >= 0; i-- {
		before := r.mem[(i+1)*s.Stride]
		if err := s.Parse(r.row(i), blobs[i]); err != nil {
			t.Fatal(err)
		}
		if r.mem[(i+1)*s.Stride] != before {
			t.Fatal("Parse wrote behind the row")
		}
	}
	return r
}

// ask makes the query form of row i and compares it with all.
func (r rows) ask(t testing.TB, i int) ([]float32, []float64) {
	t.Helper()
	behind := r.mem[(r.n*r.Stride+63)&^63+r.QuerySize:]
	r.Query(r.query(), r.row(i))
	walk, exact, slots := make([]float32, r.n+1), make([]float64, r.n+1), make([]uint32, r.n)
	for k := range slots {
		slots[k] = uint32(r.n - 1 - k)
	}
	walk[r.n], exact[r.n] = canary, canary
	r.Walk(&walk[0], r.query(), r.base(), &slots[0], r.n)
	r.Exact(&exact[0], r.query(), r.base(), &slots[0], r.n)
	if walk[r.n] != canary || exact[r.n] != canary || behind[0] != canary {
		t.Fatal("written behind the results or the query")
	}
	w, e := make([]float32, r.n), make([]float64, r.n)
	for k, s := range slots {
		w[s], e[s] = walk[k], exact[k]
	}
	return w, e
}

func each(t *testing.T, f func(t *testing.T, e index.Element, m index.Metric)) {
	for _, e := range elements {
		for _, m := range metrics {
			t.Run(fmt.Sprintf("%v/%v", e, m), func(t *testing.T) { f(t, e, m) })
		}
	}
}

// random is a vector of the element's own range.
func random(r *rand.Rand, e index.Element, dim int) []byte {
	v := make([]float64, dim)
	for i := range v {
		switch e {
		case index.Int8, index.Uint8:
			v[i] = float64(r.IntN(256) - 128*int(index.Uint8-e))
		default:
			v[i] = r.NormFloat64()
		}
	}
	return indextest.Blob(e, v)
}

// walkUnit is Walk's result for a distance.
func walkUnit(m index.Metric, d float64) float64 {
	if m == index.L2 {
		return d
	}
	return d - 1
}

func TestDistancesAreTheMetricsDefinitions(t *testing.T) {
	each(t, func(t *testing.T, e index.Element, m index.Metric) {
		r := rand.New(rand.NewPCG(1, uint64(e)))
		for _, dim := range []int{1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 384, 768, 1025} {
			s := New(dim, e, m)
			blobs := make([][]byte, 70) // more than walk64 takes at once
			for i := range blobs {
				blobs[i] = random(r, e, dim)
			}
			x := filled(t, s, blobs...)
			q := indextest.Decode(e, blobs[0])
			walk, exact := x.ask(t, 0)
			for i := range blobs {
				want := indextest.Distance(m, q, indextest.Decode(e, blobs[i]))
				scale := 1 + math.Abs(want)
				if m == index.IP {
					scale += math.Sqrt(indextest.Distance(index.L2, q, make([]float64, dim)) * indextest.Distance(index.L2, indextest.Decode(e, blobs[i]), make([]float64, dim)))
				}
				tol := 1e-6 * scale
				if e == index.Float64 || e >= index.Int8 {
					tol = 1e-13 * scale
				}
				if e >= index.Int8 && m != index.Cosine {
					tol = 0
				}
				if math.Abs(exact[i]-want) > tol {
					t.Fatalf("dim %d: %v, want %v", dim, exact[i], want)
				}
				if w := walkUnit(m, want); math.Abs(float64(walk[i])-w) > 1e-6*scale {
					t.Fatalf("dim %d: the walk's %v, want %v", dim, walk[i], w)
				}
				if got, most := walk[i], s.Reach(exact[i]); got > most || float64(most) > walkUnit(m, exact[i])+3e-6*(1+math.Abs(exact[i])) {
					t.Fatalf("dim %d: %v is at %v, Reach says %v", dim, exact[i], got, most)
				}
			}
		}
	})
}

// near is what the portable kernels' few sums in float32 may be off.
func near(dim int) float64 { return 1e-6 * (1 + float64(dim)/256) }

func TestVectorIsNotFarFromItself(t *testing.T) {
	each(t, func(t *testing.T, e index.Element, m index.Metric) {
		if m == index.IP {
			t.Skip("IP is no distance")
		}
		r := rand.New(rand.NewPCG(2, uint64(e)))
		for dim := 1; dim < 900; dim = dim*3/2 + 1 {
			for range 20 {
				walk, exact := filled(t, New(dim, e, m), random(r, e, dim)).ask(t, 0)
				zero := m == index.L2 || e == index.Int8 || e == index.Uint8
				if exact[0] < 0 || exact[0] > near(dim) || zero && exact[0] != 0 {
					// A vector of zeros is at 1 from itself; it takes a short one of integers to draw it.
					if m == index.Cosine && exact[0] == 1 && dim < 3 {
						continue
					}
					t.Fatalf("dim %d: %v", dim, exact[0])
				}
				if w := walkUnit(m, 0); math.Abs(float64(walk[0])-w) > near(dim) {
					t.Fatalf("dim %d: the walk's %v", dim, walk[0])
				}
			}
		}
	})
}

func TestZeroVectorUnderCosineIsAtDistanceOne(t *testing.T) {
	for _, e := range elements {
		s := New(5, e, index.Cosine)
		x := filled(t, s, make([]byte, 5*e.Size()), indextest.Blob(e, []float64{1, 2, 3, 4, 5}))
		for i := range 2 {
			walk, exact := x.ask(t, i)
			if exact[0] != 1 || exact[1-i] != 1 || walk[0] != 0 || walk[1-i] != 0 {
				t.Errorf("%v: %v %v", e, exact, walk)
			}
		}
	}
}

func TestOverflowIsInfinitelyFarAndNeverNaN(t *testing.T) {
	big := map[index.Element]float64{index.Float32: math.MaxFloat32, index.Float64: math.MaxFloat64, index.BFloat16: 0x1.fep127, index.Float16: 65504}
	for e, b := range big {
		for _, m := range metrics {
			s := New(4, e, m)
			x := filled(t, s,
				indextest.Blob(e, []float64{b, b, -b, b}),
				indextest.Blob(e, []float64{b, -b, b, b}),
				indextest.Blob(e, []float64{-b, -b, b, -b}),
				indextest.Blob(e, []float64{1, 1, 1, 1}))
			for i := range 4 {
				walk, exact := x.ask(t, i)
				for k := range walk {
					if walk[k] != walk[k] || exact[k] != exact[k] {
						t.Fatalf("%v %v: NaN", e, m)
					}
				}
				if m == index.Cosine {
					want := indextest.Distance(m, indextest.Decode(e, indextest.Blob(e, []float64{1, 1, -1, 1})), []float64{1, 1, 1, 1})
					if _, exact := x.ask(t, 0); math.Abs(exact[3]-want) > 2e-3 || exact[0] > 1e-6 || math.Abs(exact[2]-2) > 1e-6 {
						t.Fatalf("%v: %v, want %v for the last", e, exact, want)
					}
				}
			}
			if _, exact := x.ask(t, 0); e != index.Float16 && m != index.Cosine && !math.IsInf(exact[2], 1) {
				t.Errorf("%v %v: %v", e, m, exact)
			}
		}
	}
}

func TestTinyVectorsKeepTheirAngle(t *testing.T) {
	for e, b := range map[index.Element]float64{index.Float32: 1e-38, index.Float64: 1e-300, index.BFloat16: 0x1p-100, index.Float16: 0x1p-20} {
		x := filled(t, New(3, e, index.Cosine), indextest.Blob(e, []float64{b, 0, 0}), indextest.Blob(e, []float64{b, b, 0}), indextest.Blob(e, []float64{0, b, 0}))
		_, exact := x.ask(t, 0)
		for i, want := range []float64{0, 1 - math.Sqrt(0.5), 1} {
			if math.Abs(exact[i]-want) > 2e-3 {
				t.Errorf("%v: %v, want %v", e, exact[i], want)
			}
		}
	}
}

func TestBadVectorsAreRefused(t *testing.T) {
	each(t, func(t *testing.T, e index.Element, m index.Metric) {
		s := New(3, e, m)
		x := newRows(s, 1)
		good := indextest.Blob(e, []float64{1, 2, 3})
		for _, b := range [][]byte{nil, good[:len(good)-1], append(good[:len(good):len(good)], 0), good[:2*e.Size()]} {
			if err := s.Parse(x.row(0), b); !errors.Is(err, index.ErrDim) {
				t.Errorf("%d bytes: %v", len(b), err)
			}
		}
		if e >= index.Int8 {
			return
		}
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			for at := range 3 {
				v := []float64{1, 2, 3}
				v[at] = bad
				if err := s.Parse(x.row(0), indextest.Blob(e, v)); !errors.Is(err, index.ErrNotFin) {
					t.Errorf("%v at %d: %v", bad, at, err)
				}
			}
		}
	})
}

func TestFloatsAreTheVectorAsTheMetricSeesIt(t *testing.T) {
	each(t, func(t *testing.T, e index.Element, m index.Metric) {
		r := rand.New(rand.NewPCG(3, uint64(e)))
		for _, dim := range []int{1, 30, 64, 384} {
			blob := random(r, e, dim)
			x := filled(t, New(dim, e, m), blob)
			v := make([]float32, dim)
			x.Floats(v, x.row(0))
			want := indextest.Decode(e, blob)
			length := 1.0
			if m == index.Cosine {
				length = math.Sqrt(indextest.Distance(index.L2, want, make([]float64, dim)))
			}
			for i := range v {
				if w := want[i] / max(length, 1e-300); math.Abs(float64(v[i])-w) > 1e-6*(1+math.Abs(w)) {
					t.Fatalf("dim %d: %v, want %v", dim, v[i], w)
				}
			}
		}
	})
}

func TestEqualVectorsHaveEqualRows(t *testing.T) {
	each(t, func(t *testing.T, e index.Element, m index.Metric) {
		r := rand.New(rand.NewPCG(4, uint64(e)))
		for _, dim := range []int{1, 5, 64, 100} {
			blob := random(r, e, dim)
			odd := append(make([]byte, 1, 1+len(blob)), blob...)[1:] // at another alignment
			x := filled(t, New(dim, e, m), blob, odd)
			if string(view[byte](x.row(0), x.Stride)) != string(view[byte](x.row(1), x.Stride)) {
				t.Fatalf("dim %d: rows differ", dim)
			}
		}
	})
}

func TestNothingIsAllocated(t *testing.T) {
	each(t, func(t *testing.T, e index.Element, m index.Metric) {
		r := rand.New(rand.NewPCG(5, 5))
		blob := random(r, e, 100)
		x := filled(t, New(100, e, m), blob, blob)
		walk, exact, slots, v := make([]float32, 2), make([]float64, 2), []uint32{0, 1}, make([]float32, 100)
		if n := testing.AllocsPerRun(20, func() {
			if err := x.Parse(x.row(1), blob); err != nil {
				t.Fatal(err)
			}
			x.Query(x.query(), x.row(0))
			x.Walk(&walk[0], x.query(), x.base(), &slots[0], 2)
			x.Exact(&exact[0], x.query(), x.base(), &slots[0], 2)
			x.Floats(v, x.row(0))
		}); n > 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

func BenchmarkWalk(b *testing.B) {
	const n, batch = 50_000, 32
	r := rand.New(rand.NewPCG(6, 6))
	for _, dim := range []int{384} {
		for _, e := range elements {
			for _, m := range metrics {
				b.Run(fmt.Sprintf("d=%d/%v/%v", dim, e, m), func(b *testing.B) {
					s := New(dim, e, m)
					x := newRows(s, n)
					blob := random(r, e, dim)
					for i := range n {
						if err := s.Parse(x.row(i), blob); err != nil {
							b.Fatal(err)
						}
					}
					s.Query(x.query(), x.row(0))
					slots := make([]uint32, 1<<16)
					for i := range slots {
						slots[i] = uint32(r.IntN(n))
					}
					var dst [batch]float32
					i := 0
					for b.Loop() {
						s.Walk(&dst[0], x.query(), x.base(), &slots[i], batch)
						i = (i + batch) % len(slots)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/row")
				})
			}
		}
	}
}

func BenchmarkParseAndQuery(b *testing.B) {
	for _, e := range elements {
		for _, m := range []index.Metric{index.L2, index.Cosine} {
			b.Run(fmt.Sprintf("%v/%v", e, m), func(b *testing.B) {
				s := New(384, e, m)
				x := newRows(s, 1)
				blob := random(rand.New(rand.NewPCG(7, 7)), e, 384)
				for b.Loop() {
					if err := s.Parse(x.row(0), blob); err != nil {
						b.Fatal(err)
					}
					s.Query(x.query(), x.row(0))
				}
			})
		}
	}
}

func TestWidenIsEveryHalfsValue(t *testing.T) {
	src := make([]uint16, 1<<16)
	for i := range src {
		src[i] = uint16(i)
	}
	for _, e := range []index.Element{index.Float16, index.BFloat16} {
		for _, n := range []int{0, 1, 7, 8, 9, 31, 1 << 16} {
			for first := range min(9, 1<<16-n+1) {
				dst := make([]float32, n+1)
				dst[n] = canary
				widen(dst[:n], src[first:first+n], e)
				if dst[n] != canary {
					t.Fatal("written behind the end")
				}
				for i, got := range dst[:n] {
					h := src[first+i]
					want := indextest.Decode(e, []byte{byte(h), byte(h >> 8)})[0]
					if float64(got) != want && (got == got || want == want) || math.Signbit(float64(got)) != math.Signbit(want) && want == want {
						t.Fatalf("%v %04x: %v, want %v", e, h, got, want)
					}
				}
			}
		}
	}
}
