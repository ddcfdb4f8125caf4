package hnsw

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/nearcache/nearcache/datasets"
	"github.com/nearcache/nearcache/index"
)

// minilm is the first n of the embeddings in datasets, as blobs.
func minilm(t testing.TB, n int) (blobs [][]byte, dim int) {
	t.Helper()
	dir, err := datasets.Dir()
	if err != nil {
		t.Fatal(err)
	}
	man, err := datasets.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	set, err := man.MiniLM()
	if err != nil {
		t.Fatal(err)
	}
	m := set.Matrix
	for i := range n {
		var b []byte
		for _, x := range m.Row(i * 6 % m.Rows) { // of all kinds of texts
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
		blobs = append(blobs, b)
	}
	return blobs, m.Dim
}

func TestSketchesSpareRowsAndCostNoRecall(t *testing.T) {
	n, queries := 4000, 200
	if short {
		n, queries = 300, 40
	}
	blobs, dim := minilm(t, n+queries)
	asked := blobs[n:]
	for _, q := range []index.Quant{index.QuantNone, index.QuantSQ4, index.QuantSQ8} {
		found := map[bool][][]index.Neighbor{}
		for _, sketches := range []bool{false, true} {
			g, err := New(index.Params{Dim: dim, Metric: index.Cosine, Quant: q})
			if err != nil {
				t.Fatal(err)
			}
			if g.sketch == nil {
				g.Close()
				t.Skip("no kernel for this walk here")
			}
			g.sketchFrom = math.MaxInt
			if sketches {
				g.sketchFrom = 0
			}
			for i, b := range blobs[:n] {
				if err := g.Add(index.Label(i), 1, b); err != nil {
					t.Fatal(err)
				}
			}
			if passed := math.Float32frombits(g.sketchStats.passed.Load()); !short && sketches != (passed > 0 && passed < 0.6) {
				t.Errorf("%v, sketches %v: %v of the rows are read", q, sketches, passed)
			}
			for _, v := range asked {
				r, err := g.Search(nil, v, 10, index.SearchOptions{EF: 64})
				if err != nil {
					t.Fatal(err)
				}
				again, err := g.Search(nil, v, 10, index.SearchOptions{EF: 64})
				if err != nil || !slices.Equal(r, again) {
					t.Fatalf("asked again: %v, %v; at first %v", again, err, r)
				}
				found[sketches] = append(found[sketches], r)
			}
			if err := g.Validate(); err != nil {
				t.Error(err)
			}
			g.Close()
		}
		same := 0
		for i, with := range found[true] {
			for _, x := range with {
				if x.Distance <= found[false][i][9].Distance {
					same++
				}
			}
		}
		if share := float64(same) / float64(10*queries); share < 0.98 {
			t.Errorf("%v: with sketches a search finds %v of what it finds without", q, share)
		}
	}
}
