package indextest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/nearcache/nearcache/index"
)

// Options say what may be asked of a kind.
type Options struct {
	Exact bool // finds all; otherwise recall has a floor
	Short bool // fewer vectors: a slow build, as under the race detector
}

type suite struct {
	kind index.Kind
	Options
}

// ef is a pool size with which recall must be good.
const ef = 128

// Run runs the whole suite on a kind.
func Run(t *testing.T, kind index.Kind, o Options) {
	s := &suite{kind, o}
	for _, c := range []struct {
		name string
		f    func(*testing.T)
	}{
		{"DistancesAreTheMetricsDefinitions", s.distances},
		{"RecallAgainstTruth", s.recall},
		{"RecallWithFiltersOfAnySelectivity", s.filters},
		{"FilterFarFromTheQuery", s.farFilter},
		{"RangeFindsAllWithinTheRadius", s.ranges},
		{"OlderVersionsChangeNothing", s.versions},
		{"BadInputIsRefused", s.badInput},
		{"ZeroVectorUnderCosineIsAtDistanceOne", s.zero},
		{"OverflowingDistancesKeepTheirOrder", s.overflow},
		{"ThousandsOfIdenticalVectors", s.duplicates},
		{"IdenticalVectorIsFoundWithKOne", s.identical},
		{"RandomSequenceAgainstAModel", s.random},
		{"ChurnKeepsRecallAndMemory", s.churn},
		{"ReplacingEveryVectorKeepsRecall", s.replaceAll},
		{"DeletingEverythingAndStartingAgain", s.startAgain},
		{"StopEndsASearch", s.stop},
		{"SparseLabels", s.sparse},
		{"SearchDoesNotAllocate", s.allocs},
		{"SearchWhileInserting", s.searchWhileInserting},
		{"SearchWhileRemovingEntryPoint", s.searchWhileRemoving},
		{"SearchNeverMissesAReplacedVector", s.searchWhileReplacing},
		{"WritersOfTheSameLabelsAndVectors", s.racingWriters},
	} {
		t.Run(c.name, c.f)
	}
}

func (s *suite) n(n int) int {
	if s.Short {
		return n / 10
	}
	return n
}

func (s *suite) floor(f float64) float64 {
	if s.Exact {
		return 1
	}
	return f
}

func (s *suite) make(t testing.TB, p index.Params) index.Index {
	t.Helper()
	x, err := s.kind.New(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// filled makes an index of the vectors under labels 0, 1, 2 …
func (s *suite) filled(t testing.TB, p index.Params, vectors [][]float64) (index.Index, map[index.Label][]float64) {
	t.Helper()
	x := s.make(t, p)
	m := make(map[index.Label][]float64, len(vectors))
	for i, v := range vectors {
		mustAdd(t, x, index.Label(i), 1, Blob(p.Element, v))
		m[index.Label(i)] = v
	}
	if x.Len() != len(vectors) {
		t.Fatalf("Len = %d, want %d", x.Len(), len(vectors))
	}
	return x, m
}

// measured is the mean recall@k over the queries.
func measured(t testing.TB, x index.Index, p index.Params, m map[index.Label][]float64, queries [][]float64, k int, o index.SearchOptions) float64 {
	t.Helper()
	sum := 0.0
	for _, q := range queries {
		truth := Truth(p.Metric, m, q, k, o.Allow)
		got := mustSearch(t, x, Blob(p.Element, q), k, o)
		if len(got) != len(truth) {
			t.Fatalf("%d results of %d", len(got), len(truth))
		}
		for _, g := range got {
			v, ok := m[g.Label]
			if !ok || o.Allow != nil && !o.Allow.Contains(g.Label) {
				t.Fatalf("label %d is not in the set", g.Label)
			}
			if d := Distance(p.Metric, q, v); math.Abs(d-g.Distance) > 1e-4*(1+math.Abs(d)) {
				t.Fatalf("label %d at %v, really at %v", g.Label, g.Distance, d)
			}
		}
		sum += Recall(got, truth)
	}
	return sum / float64(len(queries))
}

var (
	metrics  = []index.Metric{index.L2, index.IP, index.Cosine}
	elements = []index.Element{index.Float32, index.Float64}
)

func (s *suite) distances(t *testing.T) {
	a, b := []float64{1, 2, 3}, []float64{-2, 0.5, 4}
	for _, m := range metrics {
		for _, e := range elements {
			x := s.make(t, index.Params{Dim: 3, Metric: m, Element: e})
			mustAdd(t, x, 7, 1, Blob(e, b))
			want := Distance(m, a, b)
			tol := 1e-6
			if e == index.Float64 {
				tol = 1e-14
			}
			r := mustSearch(t, x, Blob(e, a), 5, index.SearchOptions{})
			if len(r) != 1 || r[0].Label != 7 || math.Abs(r[0].Distance-want) > tol {
				t.Fatalf("%v %v: %v, want %v", m, e, r, want)
			}
			if d, ok := x.Distance(Blob(e, a), 7); !ok || d != r[0].Distance {
				t.Fatalf("%v %v: Distance %v %v, Search %v", m, e, d, ok, r[0].Distance)
			}
			if _, ok := x.Distance(Blob(e, a), 8); ok {
				t.Fatal("a distance to nothing")
			}
			if r := mustSearch(t, x, Blob(e, b), 1, index.SearchOptions{}); m != index.IP && r[0].Distance > tol {
				t.Fatalf("%v %v: a vector is %v from itself", m, e, r[0].Distance)
			}
		}
	}
}

func (s *suite) recall(t *testing.T) {
	for _, m := range metrics {
		for _, e := range elements {
			t.Run(fmt.Sprintf("%v/%v", m, e), func(t *testing.T) {
				p := index.Params{Dim: 25, Metric: m, Element: e}
				v := Vectors(uint64(m), s.n(2000)+20, p.Dim)
				x, set := s.filled(t, p, v[20:])
				Validate(t, x)
				if r := measured(t, x, p, set, v[:20], 10, index.SearchOptions{EF: ef}); r < s.floor(0.97) {
					t.Fatalf("recall@10 = %v", r)
				}
				// As many as there are, and more.
				if r := measured(t, x, p, set, v[:3], len(v), index.SearchOptions{}); r < 1 {
					t.Fatalf("recall of all = %v", r)
				}
			})
		}
	}
}

func (s *suite) filters(t *testing.T) {
	p := index.Params{Dim: 24, Metric: index.Cosine}
	v := Vectors(5, s.n(5000)+20, p.Dim)
	x, set := s.filled(t, p, v[20:])
	r := rand.New(rand.NewPCG(5, 5))
	for _, share := range []float64{0, 0.001, 0.01, 0.03, 0.1, 0.2, 0.5, 0.9, 1} {
		var allow index.Bitmap
		for l := range set {
			if r.Float64() < share {
				allow.Add(l)
			}
		}
		allow.Add(1 << 20) // allowed, but not there
		if got := measured(t, x, p, set, v[:20], 10, index.SearchOptions{EF: ef, Allow: &allow}); got < s.floor(0.95) {
			t.Errorf("recall@10 = %v with %v allowed", got, share)
		}
	}
}

// farFilter allows only what is far from the query: a search that stays near the query never gets there.
func (s *suite) farFilter(t *testing.T) {
	p := index.Params{Dim: 8, Metric: index.L2}
	v := Vectors(6, s.n(3000), p.Dim)
	x, set := s.filled(t, p, v)
	for _, n := range []int{5, 50, 500} {
		var allow index.Bitmap
		far := Truth(p.Metric, set, v[0], len(v), nil)
		for _, f := range far[max(0, len(far)-n):] {
			allow.Add(f.Label)
		}
		if got := measured(t, x, p, set, v[:1], 10, index.SearchOptions{EF: ef, Allow: &allow}); got < s.floor(0.9) {
			t.Errorf("recall@10 = %v with the %d farthest allowed", got, n)
		}
	}
}

func (s *suite) ranges(t *testing.T) {
	for _, m := range metrics {
		for _, e := range elements {
			p := index.Params{Dim: 16, Metric: m, Element: e}
			v := Vectors(7, s.n(2000)+15, p.Dim)
			x, set := s.filled(t, p, v[15:])
			var odd index.Bitmap
			for l := range set {
				if l%2 == 1 {
					odd.Add(l)
				}
			}
			found, wanted := 0, 0
			for _, q := range v[:15] {
				all := Truth(m, set, q, len(set), nil)
				for _, within := range []int{0, 1, 10, 100} {
					radius := all[0].Distance - 1
					if within > 0 {
						radius = (all[within-1].Distance + all[within].Distance) / 2
					}
					got, err := x.Range(nil, Blob(e, q), radius, index.SearchOptions{EF: 64})
					if err != nil {
						t.Fatal(err)
					}
					checkOrder(t, got)
					for _, g := range got {
						if g.Distance > radius || Distance(m, q, set[g.Label]) > radius+1e-4 {
							t.Fatalf("%v is outside %v", g, radius)
						}
					}
					found += len(got)
					wanted += within
					half, err := x.Range(nil, Blob(e, q), radius, index.SearchOptions{EF: 64, Allow: &odd})
					if err != nil {
						t.Fatal(err)
					}
					for _, g := range half {
						if g.Label%2 == 0 {
							t.Fatalf("%v is not allowed", g)
						}
					}
					for _, a := range all[:within] {
						if a.Label%2 == 1 {
							wanted++
						}
					}
					found += len(half)
				}
			}
			if share := float64(found) / float64(wanted); share < s.floor(0.95) || share > 1 {
				t.Fatalf("%v %v: found %d of %d", m, e, found, wanted)
			}
		}
	}
}

func (s *suite) versions(t *testing.T) {
	p := index.Params{Dim: 2}
	x := s.make(t, p)
	at := func(want float64) {
		t.Helper()
		d, ok := x.Distance(Blob(p.Element, []float64{0, 0}), 3)
		if want < 0 {
			if ok || x.Len() != 0 {
				t.Fatalf("found at %v, Len %d", d, x.Len())
			}
		} else if !ok || d != want || x.Len() != 1 {
			t.Fatalf("distance %v %v, want %v; Len %d", d, ok, want, x.Len())
		}
		Validate(t, x)
	}
	one, two := Blob(p.Element, []float64{1, 0}), Blob(p.Element, []float64{2, 0})
	if x.Remove(3, 5) {
		t.Fatal("removed what is not there")
	}
	mustAdd(t, x, 3, 4, one) // older than the removal
	at(-1)
	mustAdd(t, x, 3, 6, one)
	at(1)
	mustAdd(t, x, 3, 6, two) // not newer
	at(1)
	mustAdd(t, x, 3, 8, two)
	at(4)
	mustAdd(t, x, 3, 7, one)
	at(4)
	if x.Remove(3, 8) {
		t.Fatal("removed by a version that is not newer")
	}
	at(4)
	mustAdd(t, x, 3, 9, two) // the same vector again: the version counts
	if x.Remove(3, 9) {
		t.Fatal("removed by a version that is not newer")
	}
	at(4)
	if !x.Remove(3, 10) {
		t.Fatal("not removed")
	}
	at(-1)
	if x.Remove(3, 11) {
		t.Fatal("removed twice")
	}
	mustAdd(t, x, 3, 11, one)
	at(-1)
	mustAdd(t, x, 3, 12, one)
	at(1)
	y := s.make(t, p)
	mustAdd(t, y, 0, 0, one) // a label not seen before takes any version
	if y.Len() != 1 {
		t.Fatal("version 0 of a new label")
	}
}

func (s *suite) badInput(t *testing.T) {
	for _, p := range []index.Params{
		{},
		{Dim: -1},
		{Dim: index.MaxDim + 1},
		{Dim: 3, Metric: 9},
		{Dim: 3, Element: 9},
		{Dim: 3, M: -1},
		{Dim: 3, M: index.MaxM + 1},
		{Dim: 3, M: 1},
		{Dim: 3, EFConstruction: -1},
		{Dim: 3, EFRuntime: -1},
		{Dim: 3, Epsilon: math.NaN()},
		{Dim: 3, Epsilon: -1},
	} {
		if x, err := s.kind.New(p); !errors.Is(err, index.ErrParams) {
			if err == nil {
				x.Close()
			}
			t.Errorf("%+v: %v", p, err)
		}
	}
	for _, e := range elements {
		x := s.make(t, index.Params{Dim: 3, Element: e, M: 2, EFConstruction: 1, EFRuntime: 1})
		good := Blob(e, []float64{1, 2, 3})
		mustAdd(t, x, 1, 1, good)
		bad := func(b []byte, want error) {
			t.Helper()
			if err := x.Add(1, 2, b); !errors.Is(err, want) {
				t.Errorf("Add: %v, want %v", err, want)
			}
			if _, err := x.Search(nil, b, 1, index.SearchOptions{}); !errors.Is(err, want) {
				t.Errorf("Search: %v, want %v", err, want)
			}
			if _, err := x.Range(nil, b, 1, index.SearchOptions{}); !errors.Is(err, want) {
				t.Errorf("Range: %v, want %v", err, want)
			}
			if _, ok := x.Distance(b, 1); ok {
				t.Error("Distance of a bad query")
			}
		}
		bad(nil, index.ErrDim)
		bad(good[:len(good)-1], index.ErrDim)
		bad(append(good[:len(good):len(good)], 0), index.ErrDim)
		bad(Blob(e, []float64{1, 2, 3, 4}), index.ErrDim)
		bad(Blob(e, []float64{1, math.NaN(), 3}), index.ErrNotFin)
		bad(Blob(e, []float64{1, math.Inf(1), 3}), index.ErrNotFin)
		bad(Blob(e, []float64{math.Inf(-1), 2, 3}), index.ErrNotFin)
		if d, ok := x.Distance(good, 1); !ok || d != 0 {
			t.Errorf("a refused vector changed something: %v %v", d, ok)
		}
		for _, k := range []int{0, -1, math.MinInt} {
			if r := mustSearch0(t, x, good, k); len(r) != 0 {
				t.Errorf("k = %d: %v", k, r)
			}
		}
		for _, k := range []int{1, 1000, 5_000_000, math.MaxInt} {
			if r := mustSearch0(t, x, good, k); len(r) != 1 {
				t.Errorf("k = %d: %v", k, r)
			}
		}
		for _, f := range []int{-1, math.MinInt, math.MaxInt} {
			if r := mustSearch(t, x, good, 1, index.SearchOptions{EF: f}); len(r) != 1 {
				t.Errorf("ef = %d: %v", f, r)
			}
		}
		for _, radius := range []float64{math.NaN(), math.Inf(-1), -1} {
			if r, err := x.Range(nil, good, radius, index.SearchOptions{}); err != nil || len(r) != 0 {
				t.Errorf("radius %v: %v %v", radius, r, err)
			}
		}
		for _, eps := range []float64{0, 1e300, math.Inf(1), math.NaN(), -5} {
			if r, err := x.Range(nil, good, math.Inf(1), index.SearchOptions{Epsilon: eps}); err != nil || len(r) != 1 {
				t.Errorf("infinite radius: %v %v", r, err)
			}
		}
		// The results go behind what dst holds.
		dst := []index.Neighbor{{Label: 42}}
		dst, err := x.Search(dst, good, 3, index.SearchOptions{})
		if err != nil || len(dst) != 2 || dst[0].Label != 42 || dst[1].Label != 1 {
			t.Errorf("appended: %v %v", dst, err)
		}
		Validate(t, x)
	}
	empty := s.make(t, index.Params{Dim: 1})
	if r := mustSearch(t, empty, Blob(index.Float32, []float64{1}), 3, index.SearchOptions{}); len(r) != 0 {
		t.Errorf("an empty index found %v", r)
	}
	Validate(t, empty)
}

func mustSearch0(t testing.TB, x index.Index, q []byte, k int) []index.Neighbor {
	t.Helper()
	r, err := x.Search(nil, q, k, index.SearchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (s *suite) zero(t *testing.T) {
	for _, e := range elements {
		p := index.Params{Dim: 4, Metric: index.Cosine, Element: e}
		x := s.make(t, p)
		zero := Blob(e, make([]float64, 4))
		mustAdd(t, x, 1, 1, zero)
		mustAdd(t, x, 2, 1, Blob(e, []float64{1, 2, 3, 4}))
		mustAdd(t, x, 3, 1, Blob(e, []float64{-1, -2, -3, -4}))
		mustAdd(t, x, 4, 1, zero)
		for _, n := range mustSearch(t, x, zero, 9, index.SearchOptions{}) {
			if n.Distance != 1 {
				t.Errorf("%v: the zero vector finds %v", e, n)
			}
		}
		r := mustSearch(t, x, Blob(e, []float64{2, 4, 6, 8}), 9, index.SearchOptions{})
		if len(r) != 4 || r[0].Label != 2 || r[3].Label != 3 || r[1].Distance != 1 || r[2].Distance != 1 {
			t.Errorf("%v: %v", e, r)
		}
		Validate(t, x)
	}
}

func (s *suite) overflow(t *testing.T) {
	for _, m := range metrics {
		for _, e := range elements {
			big := math.MaxFloat32
			if e == index.Float64 {
				big = math.MaxFloat64
			}
			x := s.make(t, index.Params{Dim: 4, Metric: m, Element: e})
			r := rand.New(rand.NewPCG(8, 8))
			n := 300
			if s.Short {
				n = 90
			}
			for i := range n {
				v := make([]float64, 4)
				for j := range v {
					switch i % 3 {
					case 0:
						v[j] = big * float64(r.IntN(3)-1)
					case 1:
						v[j] = big * (2*r.Float64() - 1)
					default:
						v[j] = r.NormFloat64()
					}
				}
				mustAdd(t, x, index.Label(i), 1, Blob(e, v))
			}
			Validate(t, x)
			for _, q := range [][]float64{{1, 1, 1, 1}, {big, big, -big, big}, {0, 0, 0, 0}} {
				if got := mustSearch(t, x, Blob(e, q), n, index.SearchOptions{}); len(got) != n {
					t.Errorf("%v %v: found %d of %d", m, e, len(got), n)
				}
				if got := mustSearch(t, x, Blob(e, q), 10, index.SearchOptions{}); len(got) != 10 {
					t.Errorf("%v %v: found %d of 10", m, e, len(got))
				}
			}
			for i := range n {
				if !x.Remove(index.Label(i), 2) {
					t.Fatalf("label %d was not there", i)
				}
			}
			settle(x)
			Validate(t, x)
		}
	}
}

func (s *suite) duplicates(t *testing.T) {
	p := index.Params{Dim: 12, Metric: index.Cosine}
	n := s.n(3000)
	v := Vectors(9, n+20, p.Dim)
	q, v := v[:20], v[20:]
	same := v[0]
	for i := range v {
		if i%3 != 0 { // two thirds are one vector, between the others
			v[i] = same
		}
	}
	x, set := s.filled(t, p, v)
	Validate(t, x)
	if r := measured(t, x, p, set, q, 10, index.SearchOptions{EF: ef}); r < s.floor(0.95) {
		t.Errorf("recall@10 = %v", r)
	}
	if r := mustSearch(t, x, Blob(p.Element, same), n/2, index.SearchOptions{}); len(r) != n/2 || r[n/2-1].Distance > 1e-6 {
		t.Errorf("of the identical ones: %d, the last at %v", len(r), r[len(r)-1].Distance)
	}
	var allow index.Bitmap
	allow.Add(4)
	if r := mustSearch(t, x, Blob(p.Element, same), 3, index.SearchOptions{Allow: &allow}); len(r) != 1 || r[0].Label != 4 {
		t.Errorf("one allowed: %v", r)
	}
	// All but a few of the identical ones go, in an order that takes the first early.
	for i := range v {
		if i%3 != 0 && i > 5 || i == 0 {
			if !x.Remove(index.Label(i), 2) {
				t.Fatalf("label %d was not there", i)
			}
			delete(set, index.Label(i))
		}
	}
	Validate(t, x)
	settle(x)
	Validate(t, x)
	for k := 1; k <= 4; k++ {
		for _, g := range mustSearch(t, x, Blob(p.Element, same), k, index.SearchOptions{}) {
			if g.Distance > 1e-6 || set[g.Label] == nil {
				t.Errorf("k = %d: %v", k, g)
			}
		}
	}
	if r := measured(t, x, p, set, q, 10, index.SearchOptions{EF: ef}); r < s.floor(0.95) {
		t.Errorf("recall@10 = %v after the removals", r)
	}
}

func (s *suite) identical(t *testing.T) {
	for _, m := range []index.Metric{index.L2, index.Cosine} {
		for _, e := range elements {
			p := index.Params{Dim: 48, Metric: m, Element: e, M: 4, EFConstruction: 16}
			x, set := s.filled(t, p, Vectors(10, s.n(1500), p.Dim))
			for l, v := range set {
				if r := mustSearch(t, x, Blob(e, v), 1, index.SearchOptions{}); len(r) != 1 || r[0].Label != l {
					t.Fatalf("%v %v: label %d not found by its own vector: %v", m, e, l, r)
				}
			}
		}
	}
}

func (s *suite) stop(t *testing.T) {
	p := index.Params{Dim: 4}
	x, _ := s.filled(t, p, Vectors(11, s.n(20000), p.Dim))
	asked := 0
	o := index.SearchOptions{EF: 100000, Stop: func() bool { asked++; return true }}
	q := Blob(p.Element, make([]float64, 4))
	if r := mustSearch(t, x, q, 100000, o); asked != 1 || len(r) >= x.Len() && !s.Short {
		if !s.Short { // few vectors may be done before it is asked
			t.Errorf("asked %d times, found %d", asked, len(r))
		}
	}
	asked = 0
	if _, err := x.Range(nil, q, math.Inf(1), o); err != nil || asked > 1 {
		t.Errorf("range: asked %d times, %v", asked, err)
	}
}

func (s *suite) sparse(t *testing.T) {
	p := index.Params{Dim: 2}
	x := s.make(t, p)
	labels := []index.Label{0, 1 << 12, 1 << 31, 1 << 32, 1 << 40, 1 << 63, math.MaxUint64}
	for i, l := range labels {
		mustAdd(t, x, l, 1, Blob(p.Element, []float64{float64(i), 1}))
	}
	Validate(t, x)
	for i, l := range labels {
		if r := mustSearch(t, x, Blob(p.Element, []float64{float64(i), 1}), 1, index.SearchOptions{}); r[0].Label != l {
			t.Errorf("label %d: %v", l, r)
		}
		if !x.Remove(l, 2) {
			t.Errorf("label %d was not there", l)
		}
	}
	if x.Len() != 0 {
		t.Errorf("Len = %d", x.Len())
	}
}

func (s *suite) allocs(t *testing.T) {
	if s.Short {
		t.Skip("the race detector allocates")
	}
	p := index.Params{Dim: 32, Metric: index.Cosine}
	v := Vectors(12, 2000, p.Dim)
	x, _ := s.filled(t, p, v)
	var allow index.Bitmap
	for l := index.Label(0); l < 2000; l += 2 {
		allow.Add(l)
	}
	dst := make([]index.Neighbor, 0, 2100)
	blobs := make([][]byte, 100)
	for i := range blobs {
		blobs[i] = Blob(p.Element, v[i*7])
		blobs[i][0] ^= 1 // near, not identical
	}
	for _, o := range []index.SearchOptions{{}, {EF: 100}, {EF: 50, Allow: &allow}} {
		i := 0
		run := func() {
			var err error
			if dst, err = x.Search(dst[:0], blobs[i%100], 10, o); err != nil || len(dst) != 10 {
				t.Fatal(err, len(dst))
			}
			if dst, err = x.Range(dst[:0], blobs[i%100], 0.3, o); err != nil {
				t.Fatal(err)
			}
			i++
		}
		for range 100 {
			run()
		}
		if n := testing.AllocsPerRun(100, run); n > 0 {
			t.Errorf("%v allocations a query", n)
		}
	}
}
