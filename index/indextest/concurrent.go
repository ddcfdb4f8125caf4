package indextest

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nearcache/nearcache/index"
)

// workers runs f on n goroutines and waits for them.
func workers(n int, f func(w int)) {
	var wg sync.WaitGroup
	for w := range n {
		wg.Go(func() { f(w) })
	}
	wg.Wait()
}

// racing are the elements of the concurrent tests: rows that are compared as
// they are, and rows with a header.
func (s *suite) racing() []index.Element { return s.some(index.Float32, index.Int8) }

func (s *suite) searchWhileInserting(t *testing.T) {
	for _, e := range s.racing() {
		s.searchWhileInsertingOf(t, e)
	}
}

func (s *suite) searchWhileInsertingOf(t *testing.T, e index.Element) {
	p := index.Params{Dim: 16, Metric: index.Cosine, Element: e}
	n := s.n(3000)
	v := Fit(e, Vectors(17, n, p.Dim))
	x := s.make(t, p)
	set := map[index.Label][]float64{}
	for i := range v {
		set[index.Label(i)] = v[i]
	}
	var next, done atomic.Int64
	workers(4, func(w int) {
		if w < 2 {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				b := Blob(p.Element, v[i])
				if err := x.Add(index.Label(i), 1, b); err != nil {
					t.Error(err)
				}
				// A client sees its own write at once.
				if r, err := x.Search(nil, b, 1, index.SearchOptions{}); err != nil || len(r) != 1 || r[0].Distance > s.itself(p.Metric, e) {
					t.Errorf("label %d just inserted: %v %v", i, r, err)
				}
				done.Store(i)
			}
			return
		}
		r := rand.New(rand.NewPCG(uint64(w), 1))
		for next.Load() < int64(n) {
			before := x.Len()
			got, err := x.Search(nil, Blob(p.Element, v[r.IntN(n)]), 10, index.SearchOptions{EF: 20})
			if err != nil || len(got) < min(10, before)*8/10 {
				t.Errorf("found %d of %d: %v", len(got), before, err)
			}
			checkOrder(t, got)
		}
	})
	Validate(t, x)
	if x.Len() != n {
		t.Fatalf("Len = %d, want %d", x.Len(), n)
	}
	if r := s.measured(t, x, p, set, v[:20], 10, index.SearchOptions{EF: ef}); r < s.floor(0.95) {
		t.Errorf("recall@10 = %v", r)
	}
}

func (s *suite) searchWhileRemoving(t *testing.T) {
	for _, e := range s.racing() {
		s.searchWhileRemovingOf(t, e)
	}
}

func (s *suite) searchWhileRemovingOf(t *testing.T, e index.Element) {
	p := index.Params{Dim: s.dim(8), Metric: index.L2, M: 4, EFConstruction: 32, Element: e}
	n := s.n(2000)
	v := Fit(e, Vectors(18, n, p.Dim))
	x, set := s.filled(t, p, v)
	// These stay, and must be found all the time.
	keep := map[index.Label][]float64{}
	for l := index.Label(0); l < index.Label(n); l += 10 {
		keep[l] = set[l]
	}
	var running atomic.Int32
	running.Store(2)
	workers(4, func(w int) {
		r := rand.New(rand.NewPCG(uint64(w), 2))
		if w < 2 {
			defer running.Add(-1)
			for round := range 3 {
				for i := w; i < n; i += 2 {
					l := index.Label(i)
					if _, ok := keep[l]; ok {
						continue
					}
					if e, ok := x.(interface{ Entry() (index.Label, bool) }); ok && i%8 == w {
						// The entry point itself, whichever it is now.
						if el, ok := e.Entry(); ok && el%2 == l%2 && keep[el] == nil {
							x.Remove(el, uint64(3*round+2))
						}
					}
					x.Remove(l, uint64(3*round+2))
				}
				for i := w; i < n; i += 2 {
					if _, ok := keep[index.Label(i)]; !ok {
						if err := x.Add(index.Label(i), uint64(3*round+3), Blob(p.Element, v[i])); err != nil {
							t.Error(err)
						}
					}
				}
			}
			return
		}
		for running.Load() > 0 {
			l := index.Label(r.IntN(n/10) * 10)
			got, err := x.Search(nil, Blob(p.Element, keep[l]), 3, index.SearchOptions{EF: 64})
			if err != nil || len(got) != 3 || got[0].Label != l {
				t.Errorf("label %d: %v %v", l, got, err)
				return
			}
			checkOrder(t, got)
		}
	})
	Settle(x)
	Validate(t, x)
	if x.Len() != n {
		t.Fatalf("Len = %d, want %d", x.Len(), n)
	}
	if r := s.measured(t, x, p, set, v[:20], 10, index.SearchOptions{EF: ef}); r < s.floor(0.95) {
		t.Errorf("recall@10 = %v", r)
	}
}

func (s *suite) searchWhileReplacing(t *testing.T) {
	p := index.Params{Dim: s.dim(8), Metric: index.L2}
	n := s.n(500)
	v := Vectors(19, n, p.Dim)
	x, _ := s.filled(t, p, v)
	var stop atomic.Bool
	const rounds = 2000
	workers(3, func(w int) {
		if w == 0 {
			defer stop.Store(true)
			r := rand.New(rand.NewPCG(3, 3))
			for i := range s.n(rounds) {
				l := r.IntN(n)
				moved := append([]float64(nil), v[l]...)
				moved[i%8] += 1e-3
				if err := x.Add(index.Label(l), uint64(i+2), Blob(p.Element, moved)); err != nil {
					t.Error(err)
				}
			}
			return
		}
		r := rand.New(rand.NewPCG(uint64(w), 4))
		for !stop.Load() {
			got, err := x.Search(nil, Blob(p.Element, v[r.IntN(n)]), n, index.SearchOptions{EF: 2 * n})
			if err != nil || len(got) != n {
				t.Errorf("found %d of %d: %v", len(got), n, err)
				return
			}
			checkOrder(t, got)
			l := r.IntN(n)
			got, err = x.Search(nil, Blob(p.Element, v[l]), 1, index.SearchOptions{EF: 64})
			if err != nil || len(got) != 1 || got[0].Label != index.Label(l) {
				t.Errorf("label %d: %v %v", l, got, err)
				return
			}
		}
	})
	Settle(x)
	Validate(t, x)
}

func (s *suite) racingWriters(t *testing.T) {
	for _, e := range s.racing() {
		s.racingWritersOf(t, e)
	}
}

func (s *suite) racingWritersOf(t *testing.T, e index.Element) {
	p := index.Params{Dim: 4, Metric: index.L2, M: 4, EFConstruction: 20, Element: e}
	x := s.make(t, p)
	v := Fit(e, Vectors(20, 40, p.Dim)) // few vectors under few labels: many identical ones
	var version atomic.Uint64
	last := [100]struct {
		sync.Mutex
		version uint64
		v       []float64
	}{}
	workers(4, func(w int) {
		r := rand.New(rand.NewPCG(uint64(w), 5))
		for range s.n(3000) {
			l, ver := r.IntN(len(last)), version.Add(1)
			var vec []float64
			if r.IntN(3) > 0 {
				vec = v[r.IntN(len(v))]
				if err := x.Add(index.Label(l), ver, Blob(p.Element, vec)); err != nil {
					t.Error(err)
				}
			} else {
				x.Remove(index.Label(l), ver)
			}
			last[l].Lock()
			if ver > last[l].version {
				last[l].version, last[l].v = ver, vec
			}
			last[l].Unlock()
		}
	})
	Settle(x)
	Validate(t, x)
	n := 0
	for l := range last {
		want := last[l].v
		if has := x.Has(index.Label(l)); has != (want != nil) {
			t.Errorf("Has(%d) = %v", l, has)
		}
		if want != nil {
			n++
			if d, ok := x.Distance(Blob(p.Element, want), index.Label(l)); !ok || d > s.itself(p.Metric, e) {
				t.Errorf("label %d: the newest version did not win: %v %v", l, d, ok)
			}
		} else if _, ok := x.Distance(Blob(p.Element, v[0]), index.Label(l)); ok {
			t.Errorf("label %d is there, the newest version removed it", l)
		}
	}
	if x.Len() != n {
		t.Errorf("Len = %d, want %d", x.Len(), n)
	}
}
