package indextest

import (
	"math/rand/v2"
	"testing"

	"github.com/nearcache/nearcache/index"
)

// random does what comes, and compares with a map after each batch.
func (s *suite) random(t *testing.T) {
	for seed := range len(metrics) * len(s.Elements) {
		if s.Short && seed%4 != 0 { // 3 and 4: each metric and each element still has its turn
			continue
		}
		r := rand.New(rand.NewPCG(uint64(seed), 13))
		p := index.Params{
			Dim: 1 + r.IntN(20), Metric: metrics[seed%3], Element: s.Elements[seed/3],
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
				v := Fit(p.Element, [][]float64{gauss(r, p.Dim, nil, 1)})[0]
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
				q := Fit(p.Element, [][]float64{gauss(r, p.Dim, nil, 1)})[0]
				for _, g := range mustSearch(t, x, Blob(p.Element, q), 5, index.SearchOptions{EF: 40}) {
					v, ok := model[g.Label]
					if d := Distance(p.Metric, q, v2(v, q)); !ok || !s.close(p, g.Distance, q, v) {
						t.Fatalf("seed %d step %d: %v, really %v %v", seed, step, g, d, ok)
					}
				}
			}
			if step%50 == 49 {
				if step%100 == 99 {
					Settle(x)
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
	Settle(x)
	fresh := s.measured(t, x, p, set, q, 10, index.SearchOptions{EF: 48})
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
	Settle(x)
	Validate(t, x)
	after := s.measured(t, x, p, set, q, 10, index.SearchOptions{EF: 48})
	t.Logf("recall@10 %.3f fresh, %.3f after everything was replaced seven times; %d B, then %d B", fresh, after, before, x.Stats().Bytes)
	s.selfFound(t, x, p, set)
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
	fresh := s.measured(t, x, p, set, q, 10, index.SearchOptions{EF: 48})
	for i := n; i < 4*n; i++ {
		l := index.Label(i % n)
		mustAdd(t, x, l, uint64(1+i/n), Blob(p.Element, v[i]))
		set[l] = v[i]
	}
	if x.Len() != n {
		t.Fatalf("Len = %d", x.Len())
	}
	Settle(x)
	Validate(t, x)
	s.selfFound(t, x, p, set)
	if after := s.measured(t, x, p, set, q, 10, index.SearchOptions{EF: 48}); after < s.floor(fresh-0.03) {
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
			Settle(x)
		}
		Validate(t, x)
		if r := mustSearch(t, x, Blob(p.Element, v[0]), 10, index.SearchOptions{}); x.Len() != 0 || len(r) != 0 {
			t.Fatalf("Len %d, found %v", x.Len(), r)
		}
		for i := range n {
			mustAdd(t, x, index.Label(i), version+1, Blob(p.Element, v[20+i]))
		}
		Validate(t, x)
		if r := s.measured(t, x, p, set, v[:20], 10, index.SearchOptions{EF: ef}); r < s.floor(0.97) {
			t.Errorf("round %d: recall@10 = %v", round, r)
		}
	}
}
