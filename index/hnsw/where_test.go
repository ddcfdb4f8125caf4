package hnsw

import (
	"bytes"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/indextest"
)

func TestSearchWhereAsksForWhatItComesTo(t *testing.T) {
	n, queries := 6000, 30
	if short {
		n = 1500
	}
	const k, ef = 10, 40
	p := index.Params{Dim: 12, Metric: index.Cosine}
	v := indextest.Vectors(7, n+queries, p.Dim)
	g, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	vectors := map[index.Label][]float64{}
	for i, x := range v[queries:] {
		add(t, g, index.Label(i), 1, indextest.Blob(p.Element, x))
		vectors[index.Label(i)] = x
	}
	for i := range 50 { // chains, of which pass may refuse the first
		l := index.Label(n + i)
		add(t, g, l, 1, indextest.Blob(p.Element, v[queries+i]))
		vectors[l] = v[queries+i]
	}
	for _, every := range []int{1, 2, 7, 100} {
		pass := func(l index.Label) bool { return int(l)%every == 0 }
		var allow index.Bitmap
		for l := range vectors {
			if pass(l) {
				allow.Add(l)
			}
		}
		for _, effort := range []int{100, 1000, n / 2, 10 * n} {
			found, wanted := 0.0, 0.0
			for _, q := range v[:queries] {
				asked := 0
				got, err := g.SearchWhere(nil, indextest.Blob(p.Element, q), k, ef, func(l index.Label) bool { asked++; return pass(l) }, effort)
				if err != nil {
					t.Fatal(err)
				}
				for i, nb := range got {
					if !pass(nb.Label) || i > 0 && nb.Distance < got[i-1].Distance {
						t.Fatalf("every %d, effort %d: %v", every, effort, got)
					}
				}
				if len(got) > k {
					t.Fatalf("%d results", len(got))
				}
				// What it found it asks for again, and a step may go beyond.
				if effort < n && asked > effort+3*(2*defaultM+k)+ef {
					t.Errorf("every %d: asked for %d labels, of %d", every, asked, effort)
				}
				truth := indextest.Truth(p.Metric, vectors, q, k, &allow)
				found += indextest.Recall(got, truth)
				wanted++
			}
			if r := found / wanted; effort >= 100*every && r < 0.9 || effort > n && r < 0.99 {
				t.Errorf("every %d, effort %d: recall %v", every, effort, r)
			}
		}
	}
	if err := g.Validate(); err != nil {
		t.Error(err)
	}
}

func TestRowsAndLinks(t *testing.T) {
	for _, e := range []index.Element{index.Float32, index.Int8} {
		p := index.Params{Dim: 70, Element: e, Metric: index.IP, Quant: index.QuantAuto, M: 4}
		g := grown(t, p, 300)
		rows := map[index.Label][]byte{}
		g.EachRow(func(l index.Label, row []byte) bool {
			rows[l] = bytes.Clone(row)
			return true
		})
		if len(rows) != g.Len() {
			t.Fatalf("%d rows of %d labels", len(rows), g.Len())
		}
		for l, row := range rows {
			got, ok := g.Row([]byte("x"), l)
			if !ok || string(got) != "x"+string(row) {
				t.Fatalf("label %d: %v", l, ok)
			}
			if d, ok := g.Distance(row, l); !ok {
				t.Fatalf("label %d: no distance, row %v %v", l, row, d)
			}
			last := -1
			ok = g.Links(l, func(level int, to []index.Label) {
				if last >= 0 && level != last-1 {
					t.Fatalf("level %d after %d", level, last)
				}
				last = level
				for _, o := range to {
					if _, ok := rows[o]; !ok || o == l {
						t.Fatalf("label %d links to %d at level %d", l, o, level)
					}
				}
				if level == 0 && len(to) == 0 {
					t.Fatalf("label %d has no links", l)
				}
			})
			if !ok || last != 0 {
				t.Fatalf("label %d: %v, last level %d", l, ok, last)
			}
		}
		n := 0
		g.EachRow(func(index.Label, []byte) bool { n++; return n < 3 })
		if n != 3 {
			t.Errorf("went on to %d rows", n)
		}
		if _, ok := g.Row(nil, 1<<20); ok || g.Links(1<<20, nil) {
			t.Error("a label that is not there has a row or links")
		}
		g.Close()
	}
}

// TestBits compares with a count of all, and goes through a file.
func TestBits(t *testing.T) {
	const size, n, k = 24, 3000, 10
	p := index.Params{Dim: size, Element: index.Bits, Metric: index.L2}
	g, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	r := rand.New(rand.NewPCG(1, 9))
	near := func(b []byte, flips int) []byte {
		b = bytes.Clone(b)
		for range flips {
			b[r.IntN(size)] ^= 1 << r.IntN(8)
		}
		return b
	}
	var centres, all [][]byte
	for range 20 {
		c := make([]byte, size)
		for i := range c {
			c[i] = byte(r.Uint32())
		}
		centres = append(centres, c)
	}
	for i := range n {
		b := near(centres[r.IntN(len(centres))], 40)
		all = append(all, b)
		if err := g.AddEF(index.Label(i), 1, b, 100); err != nil {
			t.Fatal(err)
		}
	}
	hamming := func(a, b []byte) (d int) {
		for i := range a {
			d += bits.OnesCount8(a[i] ^ b[i])
		}
		return d
	}
	check := func(g *Graph) {
		right := 0
		for range 50 {
			q := near(centres[r.IntN(len(centres))], 40)
			var truth []int
			for _, b := range all {
				truth = append(truth, hamming(q, b))
			}
			sorted := slices.Sorted(slices.Values(truth))
			got := search(t, g, q, k, 64)
			if len(got) != k {
				t.Fatalf("%d results", len(got))
			}
			for _, nb := range got {
				if nb.Distance != float64(truth[nb.Label]) {
					t.Fatalf("label %d at distance %v, want %d", nb.Label, nb.Distance, truth[nb.Label])
				}
				if truth[nb.Label] <= sorted[k-1] {
					right++
				}
			}
		}
		if right < 48*k {
			t.Errorf("%d of %d are right", right, 50*k)
		}
		if err := g.Validate(); err != nil {
			t.Error(err)
		}
	}
	check(g)
	x := loaded(t, saved(t, g), p)
	check(x)
	if _, err := New(index.Params{Dim: size, Element: index.Bits, Metric: index.Cosine}); err == nil {
		t.Error("bits have no cosine")
	}
	if _, err := New(index.Params{Dim: size, Element: index.Bits, Metric: index.L2, Quant: index.QuantSQ8}); err == nil {
		t.Error("bits have no codes")
	}
}
