package search

import "sync/atomic"

// epochs tells when no search can still hold what was retired.
//
// A reader counts itself in the current generation. The generation moves on
// from g to g+1 only when nobody of g-1 is left, so what was retired in g is
// out of everybody's hands in g+2.
type epochs struct {
	gen     atomic.Uint64
	readers [2]struct {
		atomic.Int64
		_ [56]byte // a cache line each
	}
}

func (e *epochs) enter() uint64 {
	for {
		g := e.gen.Load()
		e.readers[g&1].Add(1)
		if e.gen.Load() == g {
			return g
		}
		e.readers[g&1].Add(-1)
	}
}

func (e *epochs) leave(g uint64) { e.readers[g&1].Add(-1) }

// advance moves the generation on if it can. Calls must not overlap.
func (e *epochs) advance() uint64 {
	g := e.gen.Load()
	if e.readers[(g+1)&1].Load() == 0 {
		g++
		e.gen.Store(g)
	}
	return g
}
