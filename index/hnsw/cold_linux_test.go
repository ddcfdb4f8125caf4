package hnsw

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/indextest"
)

// BenchmarkColdVectors searches with vectors that have to come from the disk,
// as if memory had been wanted for something else since the last search.
func BenchmarkColdVectors(b *testing.B) {
	p := index.Params{Dim: 384, Metric: index.Cosine, Quant: index.QuantBinary, EFRuntime: 64}
	g, _ := build384(b, p, 20_000)
	defer g.Close()
	a := g.vectors.arena
	all := unsafe.Slice((*byte)(a.Base()), a.Committed())
	var queries [][]byte
	for _, v := range indextest.Vectors(4, 1000, p.Dim) {
		queries = append(queries, indextest.Blob(p.Element, v))
	}
	if err := unix.Msync(all, unix.MS_SYNC); err != nil {
		b.Fatal(err)
	}
	var dst []index.Neighbor
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		if err := unix.Madvise(all, unix.MADV_PAGEOUT); err != nil {
			b.Skip(err)
		}
		b.StartTimer()
		var err error
		if dst, err = g.Search(dst[:0], queries[i%len(queries)], 10, index.SearchOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
