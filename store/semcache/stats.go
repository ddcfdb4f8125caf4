package semcache

import (
	"math"
	"strconv"
	"sync/atomic"

	"github.com/nearcache/nearcache/store/catalog"
	"github.com/nearcache/nearcache/store/types/hash"
)

// counters are what has happened in a namespace. They are written now and then, see use.go.
type counters struct {
	exact, semantic, miss, leases, leased, waited, timedOut atomic.Int64
	sets, stale, evicted, good, bad                         atomic.Int64
	tokens, latency                                         atomic.Int64
	dollars                                                 atomic.Uint64 // float64 bits
	confidence                                              atomic.Uint64 // float64 bits: sum over semantic hits
	written                                                 atomic.Int64  // Unix ms
}

// figures are the counters as they are written, by the names that SEM.STATS has.
func (s *counters) figures() []struct {
	name string
	n    *atomic.Int64
} {
	return []struct {
		name string
		n    *atomic.Int64
	}{
		{"hits_exact", &s.exact},
		{"hits_semantic", &s.semantic},
		{"misses", &s.miss},
		{"leases", &s.leases},
		{"leased_to_others", &s.leased},
		{"hits_waited", &s.waited},
		{"waits_timed_out", &s.timedOut},
		{"sets", &s.sets},
		{"sets_stale", &s.stale},
		{"evicted", &s.evicted},
		{"feedback_good", &s.good},
		{"feedback_bad", &s.bad},
		{"tokens_saved", &s.tokens},
		{"latency_saved_ms", &s.latency},
	}
}

// sums are those that are no whole numbers.
func (s *counters) sums() []struct {
	name string
	x    *atomic.Uint64
} {
	return []struct {
		name string
		x    *atomic.Uint64
	}{{"cost_saved", &s.dollars}, {"confidence", &s.confidence}}
}

// idle reports whether nothing has happened yet.
func (s *counters) idle() bool {
	for _, f := range s.figures() {
		if f.n.Load() != 0 {
			return false
		}
	}
	return true
}

// pairs are the fields that hold the counters.
func (s *counters) pairs() (l [][]byte) {
	for _, f := range s.figures() {
		l = append(l, []byte(f.name), strconv.AppendInt(nil, f.n.Load(), 10))
	}
	for _, f := range s.sums() {
		l = append(l, []byte(f.name), strconv.AppendFloat(nil, math.Float64frombits(f.x.Load()), 'g', 12, 64))
	}
	return l
}

// know takes over what was written.
func (s *counters) know(h *hash.Value) {
	for _, f := range s.figures() {
		f.n.Store(max(f.n.Load(), intField(h, f.name)))
	}
	for _, f := range s.sums() {
		f.x.Store(math.Float64bits(max(math.Float64frombits(f.x.Load()), floatField(h, f.name))))
	}
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
	s.save(&g.saved)
}

// save counts what a hit has saved.
func (s *counters) save(x *side) {
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

// Stats are the figures of a namespace.
type Stats struct {
	Entries                       int
	Exact, Semantic, Misses       int64   // how SEM.GET ended
	Leases, Leased, Waited, Timed int64   // misses with a lease; refused to others; hits and time-outs after waiting
	Sets, Stale, Evicted          int64   // answers stored, refused as stale, evicted by MAXENTRIES
	Good, Bad                     int64   // feedback
	ExpectedWrong                 float64 // of the semantic hits, by their confidence
	Bias                          float64
	Doubt                         float64 // what a high confidence loses by what was seen here, see judge.Here
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
		Bias: n.learnedBias(), Doubt: n.doubts.loss(), Tokens: s.tokens.Load(), LatencyMS: s.latency.Load(),
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
