package indextest

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nearcache/nearcache/index"
)

// random does what comes, and compares with a map after each batch.
func (s *suite) random(t *testing.T) {
	seeds := 6
	if s.Short {
		seeds = 2
	}
	for seed := range seeds {
		r := rand.New(rand.NewPCG(uint64(seed), 13))
		p := index.Params{
			Dim: 1 + r.IntN(20), Metric: metrics[seed%3], Element: elements[seed/3%2],
			M: 2 + r.IntN(8), EFConstruction: 10 + r.IntN(60),
		}
		x := s.make(t, p)
		model := map[index.Label][]float64{}
		labels := 20 + r.IntN(300)
		version := uint64(0)
		var used [][]float64 // vectors given before, so that identical ones come again
		for step := range 1500 {
			version++
			l := index.Label(r.IntN(labels))
			switch op := r.IntN(100); {
			case op < 50 || op < 75 && step/300%2 == 0:
				v := gauss(r, p.Dim, nil, 1)
				if len(used) > 0 && r.IntN(4) == 0 {
					v = used[r.IntN(len(used))]
				}
				used = append(used, v)
				mustAdd(t, x, l, version, Blob(p.Element, v))
				model[l] = v
			case op < 90:
				_, there := model[l]
				if x.Remove(l, version) != there {
					t.Fatalf("seed %d step %d: Remove(%d) is wrong", seed, step, l)
				}
				delete(model, l)
			default:
				q := gauss(r, p.Dim, nil, 1)
				for _, g := range mustSearch(t, x, Blob(p.Element, q), 5, index.SearchOptions{EF: 40}) {
					v, ok := model[g.Label]
					if d := Distance(p.Metric, q, v2(v, q)); !ok || math.Abs(d-g.Distance) > 1e-4*(1+math.Abs(d)) {
						t.Fatalf("seed %d step %d: %v, really %v %v", seed, step, g, d, ok)
					}
				}
			}
			if step%50 == 49 {
				if step%100 == 99 {
					settle(x)
				}
				Validate(t, x)
				if x.Len() != len(model) {
					t.Fatalf("seed %d step %d: Len %d, want %d", seed, step, x.Len(), len(model))
				}
				all := mustSearch(t, x, Blob(p.Element, gauss(r, p.Dim, nil, 1)), len(model)+5, index.SearchOptions{})
				if len(all) != len(model) {
					t.Fatalf("seed %d step %d: found %d of %d", seed, step, len(all), len(model))
				}
			}
		}
	}
}

func v2(v, q []float64) []float64 {
	if v == nil {
		return q
	}
	return v
}

// churn keeps n vectors alive out of many, as entries with a TTL come and go.
func (s *suite) churn(t *testing.T) {
	p := index.Params{Dim: 24, Metric: index.Cosine}
	n := s.n(2000)
	v := Vectors(14, 8*n, p.Dim)
	q := Vectors(14, 8*n+20, p.Dim)[8*n:]
	x, set := s.filled(t, p, v[:n])
	settle(x)
	fresh := measured(t, x, p, set, q, 10, index.SearchOptions{EF: 48})
	before := x.Stats().Bytes
	for i := n; i < len(v); i++ {
		old := index.Label(i - n)
		if !x.Remove(old, 2) {
			t.Fatalf("label %d was not there", old)
		}
		delete(set, old)
		mustAdd(t, x, index.Label(i), 1, Blob(p.Element, v[i]))
		set[index.Label(i)] = v[i]
		if i%n == 0 {
			Validate(t, x)
		}
	}
	settle(x)
	Validate(t, x)
	after := measured(t, x, p, set, q, 10, index.SearchOptions{EF: 48})
	t.Logf("recall@10 %.3f fresh, %.3f after everything was replaced seven times; %d B, then %d B", fresh, after, before, x.Stats().Bytes)
	if after < s.floor(fresh-0.02) {
		t.Errorf("recall@10 fell from %v to %v", fresh, after)
	}
	// Labels never used again cost 12 bytes each, a page at a time.
	if got, most := x.Stats().Bytes, before*17/10+12*8*int64(n)+1<<17; got > most {
		t.Errorf("memory grew from %d to %d", before, got)
	}
}

func (s *suite) replaceAll(t *testing.T) {
	p := index.Params{Dim: 24, Metric: index.L2}
	n := s.n(1500)
	v := Vectors(15, 4*n+20, p.Dim)
	q := v[4*n:]
	x, set := s.filled(t, p, v[:n])
	fresh := measured(t, x, p, set, q, 10, index.SearchOptions{EF: 48})
	for i := n; i < 4*n; i++ {
		l := index.Label(i % n)
		mustAdd(t, x, l, uint64(1+i/n), Blob(p.Element, v[i]))
		set[l] = v[i]
	}
	if x.Len() != n {
		t.Fatalf("Len = %d", x.Len())
	}
	settle(x)
	Validate(t, x)
	if after := measured(t, x, p, set, q, 10, index.SearchOptions{EF: 48}); after < s.floor(fresh-0.03) {
		t.Errorf("recall@10 fell from %v to %v", fresh, after)
	}
}

func (s *suite) startAgain(t *testing.T) {
	p := index.Params{Dim: 16, Metric: index.L2}
	n := s.n(1000)
	v := Vectors(16, n+20, p.Dim)
	x, set := s.filled(t, p, v[20:])
	for round := range 3 {
		version := uint64(2*round + 2)
		for i := range n {
			if !x.Remove(index.Label(i), version) {
				t.Fatalf("label %d was not there", i)
			}
			if i%(n/4) == 0 {
				Validate(t, x)
			}
		}
		if round < 2 { // once without a pause
			settle(x)
		}
		Validate(t, x)
		if r := mustSearch(t, x, Blob(p.Element, v[0]), 10, index.SearchOptions{}); x.Len() != 0 || len(r) != 0 {
			t.Fatalf("Len %d, found %v", x.Len(), r)
		}
		for i := range n {
			mustAdd(t, x, index.Label(i), version+1, Blob(p.Element, v[20+i]))
		}
		Validate(t, x)
		if r := measured(t, x, p, set, v[:20], 10, index.SearchOptions{EF: ef}); r < s.floor(0.97) {
			t.Errorf("round %d: recall@10 = %v", round, r)
		}
	}
}

// workers runs f on n goroutines and waits for them.
func workers(n int, f func(w int)) {
	var wg sync.WaitGroup
	for w := range n {
		wg.Go(func() { f(w) })
	}
	wg.Wait()
}

func (s *suite) searchWhileInserting(t *testing.T) {
	p := index.Params{Dim: 16, Metric: index.Cosine}
	n := s.n(4000)
	v := Vectors(17, n, p.Dim)
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
				if r, err := x.Search(nil, b, 1, index.SearchOptions{}); err != nil || len(r) != 1 || r[0].Distance > 1e-6 {
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
	if r := measured(t, x, p, set, v[:20], 10, index.SearchOptions{EF: ef}); r < s.floor(0.95) {
		t.Errorf("recall@10 = %v", r)
	}
}

func (s *suite) searchWhileRemoving(t *testing.T) {
	p := index.Params{Dim: 8, Metric: index.L2, M: 4, EFConstruction: 32}
	n := s.n(2000)
	v := Vectors(18, n, p.Dim)
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
	settle(x)
	Validate(t, x)
	if x.Len() != n {
		t.Fatalf("Len = %d, want %d", x.Len(), n)
	}
	if r := measured(t, x, p, set, v[:20], 10, index.SearchOptions{EF: ef}); r < s.floor(0.95) {
		t.Errorf("recall@10 = %v", r)
	}
}

func (s *suite) searchWhileReplacing(t *testing.T) {
	p := index.Params{Dim: 8, Metric: index.L2}
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
	settle(x)
	Validate(t, x)
}

func (s *suite) racingWriters(t *testing.T) {
	p := index.Params{Dim: 4, Metric: index.L2, M: 4, EFConstruction: 20}
	x := s.make(t, p)
	v := Vectors(20, 40, p.Dim) // few vectors under few labels: many identical ones
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
	settle(x)
	Validate(t, x)
	n := 0
	for l := range last {
		want := last[l].v
		if want != nil {
			n++
			if d, ok := x.Distance(Blob(p.Element, want), index.Label(l)); !ok || d != 0 {
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
