package hnsw

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/indextest"
)

// BenchmarkSnapshot holds a start from a file against building the graph, on
// all cores, with the file in the page cache.
func BenchmarkSnapshot(b *testing.B) {
	for _, n := range []int{30_000, 300_000} {
		for _, q := range []index.Quant{index.QuantNone, index.QuantSQ4, index.QuantSQ8, index.QuantSQ8Only} {
			p := index.Params{Dim: 384, Metric: index.Cosine, Quant: q}
			var build time.Duration
			name := filepath.Join(b.TempDir(), "graph")
			make := sync.OnceFunc(func() {
				g, took := build384(b, p, n)
				defer g.Close()
				build = took
				f, err := os.Create(name)
				if err != nil {
					b.Fatal(err)
				}
				defer f.Close()
				start := time.Now()
				if err := g.Save(f); err != nil {
					b.Fatal(err)
				}
				b.Logf("n=%d %v: built in %v, saved in %v", n, q, build, time.Since(start))
			})
			for how, open := range map[string]func(f *os.File, size int64) (*Graph, error){
				"Load": func(f *os.File, _ int64) (*Graph, error) { return Load(f, p) },
				"Open": func(f *os.File, size int64) (*Graph, error) { return Open(f, size, p) },
			} {
				b.Run(fmt.Sprintf("n=%dk/%v/%s", n/1000, q, how), func(b *testing.B) {
					if n > 100_000 && testing.Short() {
						b.Skip("building it takes minutes")
					}
					make()
					var size int64
					for b.Loop() {
						f, err := os.Open(name)
						if err != nil {
							b.Fatal(err)
						}
						st, err := f.Stat()
						if err != nil {
							b.Fatal(err)
						}
						size = st.Size()
						g, err := open(f, size)
						if err != nil {
							b.Fatal(err)
						}
						b.StopTimer()
						if err := g.Close(); err != nil {
							b.Fatal(err)
						}
						f.Close()
						b.StartTimer()
					}
					b.ReportMetric(float64(size)/float64(n), "B/vector")
					b.ReportMetric(build.Seconds()*float64(b.N)/b.Elapsed().Seconds(), "x-faster-than-build")
				})
			}
		}
	}
}

// BenchmarkSearchAfterStart holds searches of a graph that was built or read
// (huge pages) against one whose pages are the file's.
func BenchmarkSearchAfterStart(b *testing.B) {
	p := index.Params{Dim: 384, Metric: index.Cosine, EFRuntime: 64}
	built, _ := build384(b, p, 30_000)
	defer built.Close()
	name := filepath.Join(b.TempDir(), "graph")
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if err := built.Save(f); err != nil {
		b.Fatal(err)
	}
	st, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	read, err := Load(io.NewSectionReader(f, 0, st.Size()), p)
	if err != nil {
		b.Fatal(err)
	}
	defer read.Close()
	mapped, err := Open(f, st.Size(), p)
	if err != nil {
		b.Fatal(err)
	}
	defer mapped.Close()
	var queries [][]byte
	for _, v := range indextest.Vectors(4, 1000, p.Dim) {
		queries = append(queries, indextest.Blob(p.Element, v))
	}
	var dst []index.Neighbor
	for name, g := range map[string]*Graph{"built": built, "Load": read, "Open": mapped} {
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if dst, err = g.Search(dst[:0], queries[i%len(queries)], 10, index.SearchOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// build384 adds n vectors on all cores.
func build384(b *testing.B, p index.Params, n int) (*Graph, time.Duration) {
	g, err := New(p)
	if err != nil {
		b.Fatal(err)
	}
	v := indextest.Vectors(3, n, p.Dim)
	start := time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := g.Add(index.Label(i), 1, indextest.Blob(p.Element, v[i])); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return g, time.Since(start)
}
