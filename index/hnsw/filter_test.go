package hnsw

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/indextest"
)

// Each way to search under a filter is taken where it is the cheapest, finds
// what it should, also what lies far from the query, and allocates nothing.
func TestFilterWays(t *testing.T) {
	n, queries := 24000, 20
	if short {
		n = 9000
	}
	const ef, k = 10, 10
	p := index.Params{Dim: 16, Metric: index.L2, EFConstruction: 60}
	v := indextest.Vectors(3, n+queries, p.Dim)
	g, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for i, x := range v[queries:] {
		if err := g.Add(index.Label(i), 1, indextest.Blob(p.Element, x)); err != nil {
			t.Fatal(err)
		}
	}
	// Chains of equal vectors, of which a filter may hide the first.
	for i := range 100 {
		if err := g.Add(index.Label(n+i), 1, indextest.Blob(p.Element, v[queries+i])); err != nil {
			t.Fatal(err)
		}
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	taken := map[way]int{}
	for _, kind := range []string{"random", "near", "far"} {
		for _, share := range []float64{0.001, 0.01, 0.05, 0.08, 0.1, 0.12, 0.15, 0.3, 0.5, 0.9, 1} {
			found, wanted := 0, 0
			for _, q := range v[:queries] {
				blob := indextest.Blob(p.Element, q)
				all, err := g.Search(nil, blob, g.Len(), index.SearchOptions{})
				if err != nil || len(all) != n+100 {
					t.Fatal(len(all), err)
				}
				order := slices.Clone(all)
				switch kind {
				case "random":
					rnd.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
				case "far":
					slices.Reverse(order)
				}
				var allow index.Bitmap
				for _, nb := range order[:int(share*float64(len(order)))] {
					allow.Add(nb.Label)
				}
				truth := slices.DeleteFunc(all, func(nb index.Neighbor) bool { return !allow.Contains(nb.Label) })
				truth = truth[:min(k, len(truth))]
				o := index.SearchOptions{EF: ef, Allow: &allow}
				got, err := g.Search(nil, blob, k, o)
				if err != nil || len(got) != len(truth) {
					t.Fatalf("%s %v: %d of %d, %v", kind, share, len(got), len(truth), err)
				}
				for i, nb := range got {
					if !allow.Contains(nb.Label) || slices.ContainsFunc(got[:i], func(o index.Neighbor) bool { return o.Label == nb.Label }) {
						t.Fatalf("%s %v: label %d is hidden or comes twice", kind, share, nb.Label)
					}
					if nb.Distance <= truth[len(truth)-1].Distance {
						found++
					}
				}
				wanted += len(truth)
				taken[chosen(t, g, blob, ef, &allow)]++
				// What the runtime allocates meanwhile counts as well, once; what the search does comes again.
				a := 1.0
				for try := 0; a > 0 && try < 10 && !short; try++ {
					a = testing.AllocsPerRun(1, func() { got, _ = g.Search(got[:0], blob, k, o) })
				}
				if a > 0 && !short {
					t.Fatalf("%s %v: %v allocations", kind, share, a)
				}
			}
			if r := float64(found) / float64(wanted); r < 0.95 {
				t.Errorf("%s %v: recall %v", kind, share, r)
			}
		}
	}
	for w, name := range map[way]string{scan: "scan", hops: "hops", plain: "plain"} {
		if taken[w] < 20 && !short {
			t.Errorf("%s: %d times", name, taken[w])
		}
	}
}

// chosen is the way that a search goes.
func chosen(t *testing.T, g *Graph, q []byte, ef int, allow *index.Bitmap) way {
	t.Helper()
	c := g.pool.Enter()
	defer g.pool.Leave(c)
	if err := g.load(&c.S, q); err != nil {
		t.Fatal(err)
	}
	g.asSearch(&c.S)
	c.S.allow, c.S.hops, c.S.budget = allow, false, 0
	return g.choose(&c.S, ef, g.Len())
}

// Where what the filter lets through does not hang together, hops do not fill
// their pool, and a scan finds it.
func TestHopsThatDoNotHangTogether(t *testing.T) {
	const clusters, each, dim = 40, 200, 16
	p := index.Params{Dim: dim, Metric: index.L2}
	v := indextest.Clusters(4, clusters, each, dim)
	g, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	var allow index.Bitmap
	for i, x := range v {
		if err := g.Add(index.Label(i), 1, indextest.Blob(p.Element, x)); err != nil {
			t.Fatal(err)
		}
		if i/each%4 == 1 { // every fourth cluster
			allow.Add(index.Label(i))
		}
	}
	for c := range clusters {
		q := indextest.Blob(p.Element, v[c*each])
		exact, err := g.Search(nil, q, 10, index.SearchOptions{EF: 1 << 20, Allow: &allow})
		if err != nil {
			t.Fatal(err)
		}
		got, err := g.Search(nil, q, 10, index.SearchOptions{EF: 16, Allow: &allow})
		if err != nil || len(got) != 10 {
			t.Fatal(len(got), err)
		}
		right := 0
		for _, nb := range got {
			if nb.Distance <= exact[9].Distance {
				right++
			}
		}
		if right < 9 {
			t.Errorf("query in cluster %d: %d of 10", c, right)
		}
	}
}
