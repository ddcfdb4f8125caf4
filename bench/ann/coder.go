//go:build !windows

package ann

import (
	"math"
	"math/rand"
	"runtime/debug"
	"time"

	coderhnsw "github.com/coder/hnsw"

	"github.com/nearcache/nearcache/index"
)

// coder is github.com/coder/hnsw, in this process. It has one EfSearch, used
// for building too, and is not made for several threads.
type coder struct {
	o *options
	g *coderhnsw.Graph[int32]
}

func openCoder(o *options, _ *set) (engine, error) { return &coder{o: o}, nil }

func (e *coder) version() string { return moduleVersion("github.com/coder/hnsw") }
func (e *coder) exact() bool     { return false }
func (e *coder) pid() int        { return 0 }
func (e *coder) close()          { e.g = nil }

func (e *coder) build(s *set, threads int) (b built, err error) {
	if threads > 1 {
		return b, errThreads
	}
	e.g = nil
	debug.FreeOSMemory()
	before := memoryOf(0)
	b.timing, err = timed(func() error {
		e.g = coderhnsw.NewGraph[int32]()
		e.g.M, e.g.EfSearch, e.g.Ml = e.o.m, e.o.efc, 1/math.Log(float64(e.o.m))
		e.g.Distance = coderhnsw.CosineDistance
		switch e.o.metric {
		case index.L2:
			e.g.Distance = coderhnsw.EuclideanDistance
		case index.IP:
			e.g.Distance = func(a, b []float32) float32 { return 1 - dot(a, b) }
		}
		e.g.Rng = rand.New(rand.NewSource(int64(e.o.seed)))
		for i := range s.n {
			e.g.Add(coderhnsw.MakeNode(int32(i), s.row(i)))
		}
		return nil
	})
	debug.FreeOSMemory()
	b.Memory = memoryOf(0).minus(before)
	b.Memory.Anon += int64(4 * len(s.train)) // it keeps the caller's vectors
	return b, err
}

func (e *coder) search(s *set, ef, threads int) (p pass, err error) {
	if threads > 1 {
		return p, errThreads
	}
	k := e.o.k
	p.queries = s.queries
	p.labels, p.micros = make([]int32, s.queries*k), make([]float32, s.queries)
	e.g.EfSearch = ef
	for q := range warmUp(s) {
		e.g.Search(s.queryAt(q), k)
	}
	p.timing, err = timed(func() error {
		for q := range s.queries {
			at := time.Now()
			got := e.g.Search(s.queryAt(q), k)
			for i := range k {
				p.labels[q*k+i] = -1
				if i < len(got) {
					p.labels[q*k+i] = got[i].Key
				}
			}
			p.micros[q] = float32(time.Since(at).Nanoseconds()) / 1000
		}
		return nil
	})
	return p, err
}
