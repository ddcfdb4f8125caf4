package flat

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/nearcache/nearcache/datasets"
	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/quant"
)

// embeddings makes n vectors like those of MiniLM, and queries to them: its
// own, then each a mixture of two.
func embeddings(b *testing.B, n, queries int) (v, q [][]float32) {
	b.Helper()
	dir, err := datasets.Dir()
	if err != nil {
		b.Fatal(err)
	}
	m, err := datasets.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	e, err := m.MiniLM()
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	order := r.Perm(e.Rows)
	all := make([][]float32, n+queries)
	for i := range all {
		row := e.Row(order[i%e.Rows])
		if i >= e.Rows {
			other := e.Row(order[r.IntN(e.Rows)])
			row = slices.Clone(row)
			for j := range row {
				row[j] += 0.6 * other[j]
			}
		}
		all[i] = row
	}
	return all[queries:], all[:queries]
}

func blob32(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// BenchmarkTop1 asks an index with codes and one without in turn. The metrics
// are for one thread; op is both together.
func BenchmarkTop1(b *testing.B) { benchmarkPair(b, 1, 0) }

// BenchmarkTop10 is BenchmarkTop1 with k=10.
func BenchmarkTop10(b *testing.B) { benchmarkPair(b, 10, 0) }

// BenchmarkTop100 is BenchmarkTop1 with k=100.
func BenchmarkTop100(b *testing.B) { benchmarkPair(b, 100, 0) }

// BenchmarkRange is BenchmarkTop1 with a search for all within 0.2.
func BenchmarkRange(b *testing.B) { benchmarkPair(b, 0, 0.2) }

func benchmarkPair(b *testing.B, k int, radius float64) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, n := range []int{1000, 10000, 100000} {
		b.Run(fmt.Sprintf("n=%dk/d=384", n/1000), func(b *testing.B) {
			v, q := embeddings(b, n, 200)
			p := index.Params{Dim: 384, Metric: index.Cosine}
			pair(b, p, k, radius, blobs(v), blobs(q))
		})
	}
}

func blobs(v [][]float32) [][]byte {
	r := make([][]byte, len(v))
	for i := range v {
		r[i] = blob32(v[i])
	}
	return r
}

// pair measures searches of a plain and of a coded index, and that their
// results are the same.
func pair(b *testing.B, p index.Params, k int, radius float64, v, q [][]byte) {
	var x [2]*Index
	for i, codes := range []*quant.SQ4{nil, quant.NewSQ4(p.Dim, p.Metric)} {
		var err error
		if x[i], err = newIndex(p, codes); err != nil {
			b.Fatal(err)
		}
		defer x[i].Close()
		for l, blob := range v {
			if err := x[i].Add(index.Label(l), 1, blob); err != nil {
				b.Fatal(err)
			}
		}
	}
	var got [2][]index.Neighbor
	var took [2]time.Duration
	n := 0
	for b.Loop() {
		for i := range x {
			begin := time.Now()
			if k > 0 {
				got[i], _ = x[i].Search(got[i][:0], q[n%len(q)], k, index.SearchOptions{})
			} else {
				got[i], _ = x[i].Range(got[i][:0], q[n%len(q)], radius, index.SearchOptions{})
			}
			took[i] += time.Since(begin)
		}
		n++
		if !slices.Equal(got[0], got[1]) {
			b.Fatalf("plain %v, coded %v", got[0], got[1])
		}
	}
	b.ReportMetric(float64(took[0].Microseconds())/float64(n), "plain-us")
	b.ReportMetric(float64(took[1].Microseconds())/float64(n), "coded-us")
	b.ReportMetric(float64(took[0])/float64(took[1]), "speedup")
}
