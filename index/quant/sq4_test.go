package quant

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/viterin/vek/vek32"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/space"
)

// set is vectors as an index holds them, with their codes.
type set struct {
	*SQ4
	space *space.Space
	v     [][]float32 // normalised under COSINE
	rows  unsafe.Pointer
	codes unsafe.Pointer
	words int
}

func newSet(dim int, m index.Metric, v [][]float32) *set {
	s := &set{SQ4: NewSQ4(dim, m), space: space.New(dim, index.Float32, m), v: v, words: (len(v) + 63) / 64}
	s.rows = memory(len(v) * s.space.Stride)
	s.codes = memory(s.words * 64 / BlockRows * s.Block)
	for i := range v {
		row := unsafe.Add(s.rows, i*s.space.Stride)
		copy(unsafe.Slice((*float32)(row), dim), v[i])
		s.normalize(row)
		v[i] = unsafe.Slice((*float32)(row), dim)
		s.Encode(s.codes, uint32(i), v[i])
	}
	return s
}

func (s *set) normalize(row unsafe.Pointer) {
	if s.space.Metric != index.Cosine {
		return
	}
	blob := append([]byte(nil), unsafe.Slice((*byte)(row), 4*s.space.Dim)...)
	if err := s.space.Parse(row, blob); err != nil {
		panic(err)
	}
}

// query makes both query forms of v.
func (s *set) query(v []float32) (exact, coded unsafe.Pointer) {
	exact = memory(s.space.Stride)
	copy(unsafe.Slice((*float32)(exact), len(v)), v)
	s.normalize(exact)
	coded = memory(s.QuerySize)
	s.SQ4.Query(coded, unsafe.Slice((*float32)(exact), len(v)))
	return exact, coded
}

func (s *set) distance(q unsafe.Pointer, i int) float64 {
	d := make([]float64, 1)
	slots := []uint32{uint32(i)}
	s.space.Exact(&d[0], q, s.rows, &slots[0], 1)
	return d[0]
}

// mustPass checks that row i passes by the limit of its own distance.
func (s *set) mustPass(t *testing.T, q, coded unsafe.Pointer, i int, what string) {
	t.Helper()
	d := s.distance(q, i)
	l := s.Limit(coded, d)
	est, pass := make([]float32, s.words*64), make([]uint64, s.words)
	s.Scan(&est[0], &pass[0], coded, &l, s.codes, s.words)
	if pass[i/64]>>(i%64)&1 == 0 || l.Excludes(s.Lower(coded, est[i], s.codes, uint32(i))) {
		t.Errorf("dim %d %v: row %d (%s) at %v is left out", s.Dim, s.Metric, i, what, d)
	}
}

func TestSQ4LeavesOutNoRowWithinTheLimit(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 11))
	for _, dim := range dims {
		for _, m := range metrics {
			var v [][]float32
			var names []string
			for range 3 {
				for name, x := range vectors(r, dim) {
					v, names = append(v, x), append(names, name)
				}
				for name, x := range overflowing(r, dim) {
					v, names = append(v, x), append(names, name)
				}
			}
			s := newSet(dim, m, v)
			for i := range v {
				q, coded := s.query(v[i])
				for j := range v {
					s.mustPass(t, q, coded, j, names[i]+" to "+names[j])
				}
			}
		}
	}
}

// The worst query for a row is one in the direction of its code's error: then
// the inequalities that the bound is made of are equalities.
func TestSQ4BoundHoldsWhereItIsTight(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 12))
	for _, dim := range dims {
		for _, m := range metrics {
			v := make([][]float32, 64)
			for i := range v {
				v[i] = vectors(r, dim)[[]string{"normal", "positive", "far", "one hot", "small"}[i%5]]
			}
			s := newSet(dim, m, v)
			for i := range v {
				x, decoded := v[i], s.decode(uint32(i))
				for _, step := range []float32{-1, 1, 1e-3, 0.3, -0.3, 10, 1e4} {
					q := make([]float32, dim)
					for j := range q {
						q[j] = step * (x[j] - float32(decoded[j]))
						if m != index.IP {
							q[j] += x[j]
						}
					}
					exact, coded := s.query(q)
					s.mustPass(t, exact, coded, i, fmt.Sprint(step))
				}
			}
		}
	}
}

// decode is what a row's codes stand for.
func (s *set) decode(slot uint32) []float64 {
	block, lane := s.block(s.codes, slot)
	h := s.header(block)
	x := make([]float64, s.Dim)
	for i := range x {
		w := *(*uint32)(unsafe.Add(block, i/8*64+lane*4))
		x[i] = float64(h.offset[lane]) + float64(h.scale[lane])*float64(w>>(i%4*8+i%8/4*4)&15)
	}
	return x
}

func TestSQ4ErrIsTheErrorAndLittleMore(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 13))
	for _, dim := range dims {
		var v [][]float32
		for _, x := range vectors(r, dim) {
			v = append(v, x)
		}
		s := newSet(dim, index.L2, v)
		for i := range v {
			block, lane := s.block(s.codes, uint32(i))
			err, x := float64(s.header(block).err[lane]), wide(v[i])
			if dot(x, x) >= s.long {
				if !math.IsInf(err, 1) {
					t.Errorf("dim %d: err %v of a vector of %g", dim, err, dot(x, x))
				}
				continue
			}
			real := math.Sqrt(squared(x, s.decode(uint32(i))))
			if real > err || err > 1.0001*real+1e-6*math.Sqrt(dot(x, x))+2*minScale {
				t.Errorf("dim %d: err %v, really %v", dim, err, real)
			}
		}
	}
}

// A limit that few are within leaves out the others: the bound is of use.
func TestSQ4LeavesOutMostOfTheRest(t *testing.T) {
	r := rand.New(rand.NewPCG(14, 14))
	const n, dim = 2048, 384
	for _, m := range metrics {
		v := make([][]float32, n)
		for i := range v {
			v[i] = make([]float32, dim)
			for j := range v[i] {
				v[i][j] = float32(r.NormFloat64()) / 19.6
			}
		}
		s := newSet(dim, m, v)
		near := append([]float32(nil), v[77]...)
		for j := range near {
			near[j] += 0.02 * float32(r.NormFloat64())
		}
		q, coded := s.query(near)
		l := s.Limit(coded, s.distance(q, 77))
		est, pass := make([]float32, n), make([]uint64, n/64)
		s.Scan(&est[0], &pass[0], coded, &l, s.codes, s.words)
		left := 0
		for i := range n {
			left += int(pass[i/64] >> (i % 64) & 1)
		}
		if left < 1 || left > 4 {
			t.Errorf("%v: %d of %d rows pass", m, left, n)
		}
	}
}

func TestSQ4KernelsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 15))
	for _, dim := range append([]int{index.MaxDim}, dims...) {
		v := make([][]float32, 128)
		for i := range v {
			v[i] = make([]float32, dim)
			for j := range v[i] {
				v[i][j] = float32(r.NormFloat64())
			}
			if i == 5 {
				v[i][0] = math.MaxFloat32
			}
		}
		for j := range v[6] { // the largest products
			v[6][j], v[7][j], v[8][j] = 1, 1, -1
		}
		v[7][0], v[8][0] = -1, 1
		for _, m := range metrics {
			s := newSet(dim, m, v)
			for _, i := range []int{0, 6} {
				q, coded := s.query(v[i])
				l := s.Limit(coded, s.distance(q, 3))
				scan := func(f sq4Kernel) ([]float32, []uint64) {
					est, pass := make([]float32, len(v)+1), make([]uint64, s.words+1)
					est[len(v)], pass[s.words] = 42, 42
					f(&est[0], (*uint16)(unsafe.Pointer(&pass[0])), coded, &s.queryHeader(coded).c, &l.k, s.codes, s.words*4, s.lines)
					if est[len(v)] != 42 || pass[s.words] != 42 {
						t.Fatalf("dim %d: written behind the results", dim)
					}
					return est, pass
				}
				want, passed := scan(scanGeneric)
				for _, k := range sq4Kernels {
					if !k.supported {
						continue
					}
					got, pass := scan(k.scan)
					for i := range v {
						tolerance := 2 * s.rho * float64(dot(wide(v[i]), wide(v[i]))+dot(wide(v[0]), wide(v[0]))+1)
						if i != 5 && math.Abs(float64(got[i]-want[i])) > tolerance {
							t.Errorf("%s, dim %d %v: estimate %v, want %v within %v", k.isa, dim, m, got[i], want[i], tolerance)
						}
						bit := uint64(1) << (i % 64)
						block, lane := s.block(s.codes, uint32(i))
						e := s.header(block).err[lane]
						limit := l.k[0] + e*(l.k[1]+e*l.k[2])
						if (pass[i/64]^passed[i/64])&bit != 0 && math.Abs(float64(want[i]-limit)) > tolerance {
							t.Errorf("%s, dim %d %v: row %d passes %v, want %v", k.isa, dim, m, i, pass[i/64]&bit != 0, passed[i/64]&bit != 0)
						}
					}
				}
			}
		}
	}
}

func TestSQ4RowsOfABlockAreApart(t *testing.T) {
	r := rand.New(rand.NewPCG(16, 16))
	for _, dim := range dims {
		s := NewSQ4(dim, index.L2)
		v := vectors(r, dim)["normal"]
		codes := memory(s.Block)
		all := unsafe.Slice((*byte)(codes), s.Block)
		for lane := range BlockRows {
			for i := range all {
				all[i] = 0xa5
			}
			s.Encode(codes, uint32(lane), v)
			for i, b := range all {
				if i/4%BlockRows != lane && b != 0xa5 {
					t.Fatalf("dim %d: row %d wrote byte %d", dim, lane, i)
				}
			}
		}
	}
}

func TestSQ4DoesNotAllocate(t *testing.T) {
	v := vectors(rand.New(rand.NewPCG(17, 17)), 100)["normal"]
	s := newSet(100, index.L2, [][]float32{v, v})
	_, q := s.query(v)
	est, pass, l := make([]float32, 64), make([]uint64, 1), new(Limit)
	if n := testing.AllocsPerRun(10, func() {
		s.Encode(s.codes, 1, v)
		s.SQ4.Query(q, v)
		*l = s.Limit(q, 1)
		s.Scan(&est[0], &pass[0], q, l, s.codes, 1)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSQ4Encode(b *testing.B) {
	s := NewSQ4(384, index.Cosine)
	v := vectors(rand.New(rand.NewPCG(7, 7)), 384)["normal"]
	codes := memory(s.Block)
	for b.Loop() {
		s.Encode(codes, 3, v)
	}
}

func BenchmarkSQ4Scan(b *testing.B) {
	for _, n := range []int{1 << 10, 100000 &^ 63} {
		b.Run(fmt.Sprintf("d=384/n=%d", n), func(b *testing.B) {
			s := NewSQ4(384, index.Cosine)
			v := vectors(rand.New(rand.NewPCG(7, 7)), 384)["normal"]
			vek32.DivNumber_Inplace(v, vek32.Norm(v))
			codes := memory(n / BlockRows * s.Block)
			for i := range n {
				s.Encode(codes, uint32(i), v)
			}
			q := memory(s.QuerySize)
			s.Query(q, v)
			l := s.Limit(q, 0.1)
			var est [1024]float32
			var pass [16]uint64
			for b.Loop() {
				for w := 0; w < n/64; w += 16 {
					s.Scan(&est[0], &pass[0], q, &l, unsafe.Add(codes, w*4*s.Block), min(16, n/64-w))
				}
			}
			b.SetBytes(int64(n / BlockRows * s.Block))
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/row")
		})
	}
}
