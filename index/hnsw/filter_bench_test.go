package hnsw_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/nearcache/nearcache/datasets"
	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/flat"
	"github.com/nearcache/nearcache/index/hnsw"
)

// BenchmarkFilter is a search for 10 among a random share of the MiniLM
// embeddings: time and recall. scan is the exact index under the same filter,
// the price that a walk has to beat.
func BenchmarkFilter(b *testing.B) {
	dir, err := datasets.Dir()
	if err != nil {
		b.Skip(err)
	}
	man, err := datasets.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	set, err := man.MiniLM()
	if err != nil {
		b.Fatal(err)
	}
	m := set.Matrix
	blob := func(i int) []byte {
		v := make([]byte, 0, 4*m.Dim)
		for _, x := range m.Data[i*m.Dim : (i+1)*m.Dim] {
			v = binary.LittleEndian.AppendUint32(v, math.Float32bits(x))
		}
		return v
	}
	const queries = 200
	params := index.Params{Dim: m.Dim, Metric: index.Cosine, EFConstruction: 100}
	graph, err := hnsw.New(params)
	if err != nil {
		b.Fatal(err)
	}
	defer graph.Close()
	exact, err := flat.New(params)
	if err != nil {
		b.Fatal(err)
	}
	defer exact.Close()
	var asked [][]byte
	rnd := rand.New(rand.NewPCG(1, 2))
	for i, p := range rnd.Perm(m.Rows) {
		v := blob(p)
		if i < queries {
			asked = append(asked, v)
			continue
		}
		for _, x := range []index.Index{graph, exact} {
			if err := x.Add(index.Label(p), 1, v); err != nil {
				b.Fatal(err)
			}
		}
	}
	for _, percent := range []float64{0.1, 0.5, 1, 2, 5, 10, 20, 50, 100} {
		var allow index.Bitmap
		for i := range m.Rows {
			if rnd.Float64()*100 < percent {
				allow.Add(index.Label(i))
			}
		}
		truth := make([]map[index.Label]bool, queries)
		for i, q := range asked {
			nn, err := exact.Search(nil, q, 10, index.SearchOptions{Allow: &allow})
			if err != nil {
				b.Fatal(err)
			}
			truth[i] = map[index.Label]bool{}
			for _, n := range nn {
				truth[i][n.Label] = true
			}
		}
		for _, x := range []struct {
			name string
			index.Index
			ef int
		}{{"scan", exact, 0}, {"ef=32", graph, 32}, {"ef=64", graph, 64}} {
			b.Run(fmt.Sprintf("allowed=%g%%/%s", percent, x.name), func(b *testing.B) {
				var dst []index.Neighbor
				found, all := 0, 0
				for n := 0; b.Loop(); n++ {
					var err error
					dst, err = x.Search(dst[:0], asked[n%queries], 10, index.SearchOptions{EF: x.ef, Allow: &allow})
					if err != nil {
						b.Fatal(err)
					}
					for _, nb := range dst {
						if truth[n%queries][nb.Label] {
							found++
						}
					}
					all += len(truth[n%queries])
				}
				b.ReportMetric(float64(found)/float64(max(1, all)), "recall")
			})
		}
	}
}
