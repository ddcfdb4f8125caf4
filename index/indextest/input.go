package indextest

import (
	"errors"
	"math"
	"testing"

	"github.com/nearcache/nearcache/index"
)

func (s *suite) versions(t *testing.T) {
	p := index.Params{Dim: 2} // whose codes of 8 bits are exact
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

func (s *suite) badParams(t *testing.T) {
	for _, p := range []index.Params{
		{},
		{Dim: -1},
		{Dim: index.MaxDim + 1},
		{Dim: 3, Metric: 9},
		{Dim: 3, Element: 9},
		{Dim: 3, Quant: 99},
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
}

func (s *suite) badInput(t *testing.T) {
	for _, e := range s.Elements {
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
		bad(make([]byte, 1<<20), index.ErrDim)
		if e != index.Int8 && e != index.Uint8 {
			bad(Blob(e, []float64{1, math.NaN(), 3}), index.ErrNotFin)
			bad(Blob(e, []float64{1, math.Inf(1), 3}), index.ErrNotFin)
			bad(Blob(e, []float64{math.Inf(-1), 2, 3}), index.ErrNotFin)
		}
		if d, ok := x.Distance(good, 1); !ok || d > s.itself(index.L2, e) || x.Len() != 1 {
			t.Errorf("a refused vector changed something: %v %v, Len %d", d, ok, x.Len())
		}
		if !x.Remove(1, 2) { // the refused Add's version
			t.Error("a refused vector left its version")
		}
		mustAdd(t, x, 1, 3, good)
		for _, k := range []int{0, -1, math.MinInt} {
			if r := mustSearch0(t, x, good, k); len(r) != 0 {
				t.Errorf("k = %d: %v", k, r)
			}
		}
		for _, k := range []int{1, 1000, 1_000_000_000, math.MaxInt} {
			if r := mustSearch0(t, x, good, k); len(r) != 1 {
				t.Errorf("k = %d: %v", k, r)
			}
		}
		for _, f := range []int{-1, math.MinInt, 1_000_000_000, math.MaxInt} {
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

func (s *suite) stop(t *testing.T) {
	p := index.Params{Dim: 4}
	x, _ := s.filled(t, p, Vectors(11, s.n(13000), p.Dim))
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
