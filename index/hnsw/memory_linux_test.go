package hnsw

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/indextest"
)

// anonymous is the process's memory that is nobody's file, in bytes.
func anonymous(b *testing.B) int64 {
	b.Helper()
	debug.FreeOSMemory()
	all, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		b.Skip(err)
	}
	for line := range strings.Lines(string(all)) {
		if f := strings.Fields(line); f[0] == "Anonymous:" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return n << 10
		}
	}
	b.Skip("no such line")
	return 0
}

// BenchmarkMemory reports what a vector of 384 dimensions costs, as the system
// counts it and as Stats does, after a build on one core. Links do not depend
// on how well they are chosen, so the build is a quick one.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{29781, 60_000} {
		v := indextest.Vectors(3, n, 384)
		blobs := make([][]byte, n)
		for i := range v {
			blobs[i], v[i] = indextest.Blob(index.Float32, v[i]), nil
		}
		for _, q := range quantised {
			b.Run(fmt.Sprintf("n=%d/%v", n, q), func(b *testing.B) {
				for b.Loop() {
					before := anonymous(b)
					g, err := New(index.Params{Dim: 384, Metric: index.Cosine, Quant: q, EFConstruction: 16})
					if err != nil {
						b.Fatal(err)
					}
					for i, v := range blobs {
						if err := g.Add(index.Label(i), 1, v); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(anonymous(b)-before)/float64(n), "B/vector")
					b.ReportMetric(float64(g.Stats().Bytes)/float64(n), "stats-B/vector")
					if testing.Verbose() {
						for _, a := range g.sections(g.alloc.Count(), int(g.upperEnd)) {
							b.Logf("%8s %10d used %10d committed", a.name, a.row*a.rows, a.arena.Committed())
						}
						b.Logf("labels %d, equal %d", g.labels.Bytes(), g.equal.bytes())
					}
					if err := g.Close(); err != nil {
						b.Fatal(err)
					}
				}
				runtime.KeepAlive(blobs)
			})
		}
	}
}

// quantised are the forms that a float32 vector can have.
var quantised = []index.Quant{index.QuantNone, index.QuantSQ4, index.QuantSQ8, index.QuantSQ8Only, index.QuantBinary}
