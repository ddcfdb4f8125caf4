package indextest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/nearcache/nearcache/index"
)

func (s *suite) recall(t *testing.T) {
	for _, p := range s.spaces() {
		t.Run(fmt.Sprintf("%v/%v", p.Metric, p.Element), func(t *testing.T) {
			p.Dim = 25
			v := Fit(p.Element, Vectors(uint64(p.Metric), s.n(2000)+20, p.Dim))
			x, set := s.filled(t, p, v[20:])
			Validate(t, x)
			if r := s.measured(t, x, p, set, v[:20], 10, index.SearchOptions{EF: ef}); r < s.floor(0.97) {
				t.Fatalf("recall@10 = %v", r)
			}
			// As many as there are, and more.
			if r := s.measured(t, x, p, set, v[:3], len(v), index.SearchOptions{}); r < 1 {
				t.Fatalf("recall of all = %v", r)
			}
		})
	}
}

func (s *suite) filters(t *testing.T) {
	p := index.Params{Dim: 24, Metric: index.Cosine}
	v := Vectors(5, s.n(10000)+20, p.Dim)
	x, set := s.filled(t, p, v[20:])
	r := rand.New(rand.NewPCG(5, 5))
	for _, share := range []float64{0, 0.0001, 0.001, 0.01, 0.03, 0.1, 0.2, 0.5, 0.9, 1} {
		var allow index.Bitmap
		for l := range set {
			if r.Float64() < share {
				allow.Add(l)
			}
		}
		allow.Add(1 << 20) // allowed, but not there
		if got := s.measured(t, x, p, set, v[:20], 10, index.SearchOptions{EF: ef, Allow: &allow}); got < s.floor(0.95) {
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
		if got := s.measured(t, x, p, set, v[:1], 10, index.SearchOptions{EF: ef, Allow: &allow}); got < s.floor(0.9) {
			t.Errorf("recall@10 = %v with the %d farthest allowed", got, n)
		}
	}
}

// clusterFilter allows one cluster: the query's own, or one that lies far from it.
func (s *suite) clusterFilter(t *testing.T) {
	for _, m := range []index.Metric{index.L2, index.Cosine} {
		for _, clusters := range []int{10, 100} {
			p := index.Params{Dim: 16, Metric: m}
			n := s.n(4000) / clusters
			v := Clusters(uint64(clusters), clusters, n, p.Dim)
			x, set := s.filled(t, p, v)
			near, far := 0.0, 0.0
			const queries = 10
			for c := range queries {
				q := v[c*n : c*n+1] // of its own cluster c, and not of the farthest
				farthest := int(Truth(m, set, q[0], len(set), nil)[len(set)-1].Label) / n
				near += s.measured(t, x, p, set, q, 10, index.SearchOptions{EF: ef, Allow: labels(c*n, n)})
				far += s.measured(t, x, p, set, q, 10, index.SearchOptions{EF: ef, Allow: labels(farthest*n, n)})
			}
			if near, far = near/queries, far/queries; near < s.floor(0.95) || far < s.floor(0.95) {
				t.Errorf("%v: recall@10 = %v with the query's own of %d clusters allowed, %v with the farthest", m, near, clusters, far)
			}
		}
	}
}

func labels(from, n int) *index.Bitmap {
	var b index.Bitmap
	for l := range n {
		b.Add(index.Label(from + l))
	}
	return &b
}

func (s *suite) ranges(t *testing.T) {
	most := 1.0
	if s.quant == index.QuantSQ8Only { // what lies a little outside looks inside
		most = 1.02
	}
	for _, p := range s.spaces() {
		p.Dim = 16
		m, e := p.Metric, p.Element
		v := Fit(e, Vectors(7, s.n(1500)+15, p.Dim))
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
				for all[within].Distance <= radius { // of integers many are equally far
					within++
				}
				got, err := x.Range(nil, Blob(e, q), radius, index.SearchOptions{EF: 64})
				if err != nil {
					t.Fatal(err)
				}
				checkOrder(t, got)
				for _, g := range got {
					if g.Distance > radius || !s.close(p, g.Distance, q, set[g.Label]) {
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
		if share := float64(found) / float64(wanted); share < s.floor(0.95) || share > most {
			t.Fatalf("%v %v: found %d of %d", m, e, found, wanted)
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
	if r := s.measured(t, x, p, set, q, 10, index.SearchOptions{EF: ef}); r < s.floor(0.95) {
		t.Errorf("recall@10 = %v", r)
	}
	if r := mustSearch(t, x, Blob(p.Element, same), n/2, index.SearchOptions{}); len(r) != n/2 || r[n/2-1].Distance > s.itself(p.Metric, p.Element) {
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
	Settle(x)
	Validate(t, x)
	for k := 1; k <= 4; k++ {
		for _, g := range mustSearch(t, x, Blob(p.Element, same), k, index.SearchOptions{}) {
			if g.Distance > s.itself(p.Metric, p.Element) || set[g.Label] == nil {
				t.Errorf("k = %d: %v", k, g)
			}
		}
	}
	if r := s.measured(t, x, p, set, q, 10, index.SearchOptions{EF: ef}); r < s.floor(0.95) {
		t.Errorf("recall@10 = %v after the removals", r)
	}
}
