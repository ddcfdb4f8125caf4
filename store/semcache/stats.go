package semcache

import (
	"math"
	"sync/atomic"

	"github.com/nearcache/nearcache/store/catalog"
)

// counters are what has happened in a namespace since the server began.
type counters struct {
	exact, semantic, miss, leases, leased, waited, timedOut atomic.Int64
	sets, stale, evicted, good, bad                         atomic.Int64
	tokens, latency                                         atomic.Int64
	dollars                                                 atomic.Uint64 // float64 bits
	confidence                                              atomic.Uint64 // float64 bits: sum over semantic hits
}

func addFloat(to *atomic.Uint64, x float64) {
	for {
		old := to.Load()
		if to.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+x)) {
			return
		}
	}
}

// hit counts a hit and what it has saved.
func (s *counters) hit(kind *atomic.Int64, g *getting) {
	kind.Add(1)
	if kind == &s.semantic {
		addFloat(&s.confidence, g.a.Confidence)
	}
	x := g.n.c.side.used(string(g.from), g.call.Tx.Now)
	if x.tokens > 0 {
		s.tokens.Add(x.tokens)
	}
	if x.latency > 0 {
		s.latency.Add(x.latency)
	}
	if x.cost > 0 {
		addFloat(&s.dollars, x.cost)
	}
}

// Stats are the figures of a namespace since the server began.
type Stats struct {
	Entries                       int
	Exact, Semantic, Misses       int64   // how SEM.GET ended
	Leases, Leased, Waited, Timed int64   // misses with a lease; refused to others; hits and time-outs after waiting
	Sets, Stale, Evicted          int64   // answers stored, refused as stale, evicted by MAXENTRIES
	Good, Bad                     int64   // feedback
	ExpectedWrong                 float64 // of the semantic hits, by their confidence
	Bias                          float64
	Doubt                         float64 // that its own misses have left, see judge.Doubt
	Tokens, LatencyMS             int64   // saved
	Cost                          float64
}

// Stats reads the figures.
func (n *Namespace) Stats() Stats {
	s := &n.stats
	st := Stats{
		Entries: n.Len(), Exact: s.exact.Load(), Semantic: s.semantic.Load(), Misses: s.miss.Load(),
		Leases: s.leases.Load(), Leased: s.leased.Load(), Waited: s.waited.Load(), Timed: s.timedOut.Load(),
		Sets: s.sets.Load(), Stale: s.stale.Load(), Evicted: s.evicted.Load(), Good: s.good.Load(), Bad: s.bad.Load(),
		Bias: n.learnedBias(), Doubt: n.doubts.logOdds(), Tokens: s.tokens.Load(), LatencyMS: s.latency.Load(),
		Cost: math.Float64frombits(s.dollars.Load()),
	}
	st.ExpectedWrong = float64(st.Semantic) - math.Float64frombits(s.confidence.Load())
	return st
}

// HitRate is the share of look-ups that were answered.
func (s *Stats) HitRate() float64 {
	hits := s.Exact + s.Semantic
	if all := hits + s.Misses + s.Leased + s.Timed; all > 0 {
		return float64(hits) / float64(all)
	}
	return 0
}

// all are the namespaces.
func (c *Cache) all() (l []*Namespace) {
	_ = c.cat.Each(func(ix *catalog.Index) error {
		if n, ok := ix.Owner.(*Namespace); ok {
			l = append(l, n)
		}
		return nil
	})
	return l
}
