package hnsw

import (
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/nearcache/nearcache/index/kernel"
)

// A walk compares many rows to take few: most are farther than all of a full
// pool. A sketch, a bit a component, says so of two in three for one cache
// line instead of seven or twelve. That pays where the rows are too many for
// the caches (measured on 384 dimensions, ef=48: 8-bit codes, 31k: 1.0x, 238k:
// 1.3x, and 1.55x at ef=128).
//
// How wrong sketches are depends on the data: in a far cluster without a
// common centre, all estimates of a search may be wrong in the same way. So
// some insertions compare each estimate with the distance, of all rows, and
// note how far beyond the pool's bound the estimates of those rows lie that
// are really nearer. What lies farther beyond is not read by others. Where that
// spares too few rows, sketches are not read either. A search changes none of
// this: asked again, it finds the same.

const (
	// sketchBytes of rows and more are too many for the caches.
	sketchBytes = 12 << 20
	// sketchMiss: of the rows that a walk should take, one in so many may be
	// beyond the margin, in an insertion that is worse than usual
	// (sketchSigmas).
	sketchMiss   = 50
	sketchSigmas = 1
	// sketchLoss is the share of rows that must be read for sketches not to pay.
	sketchLoss = 0.7
	// sketchTry: one insertion in so many learns; one in more where sketches do
	// not pay, as they cost time.
	sketchTry     = 8
	sketchTryLoss = 64
	// sketchSample is how many estimates make an insertion's figures count.
	sketchSample = 32
)

// sketchStats is what the graph knows of the errors of its sketches, or of
// its codes where these have a bit a component. All are float32, 0 for not
// known. Racing updates may be lost: they are averages.
type sketchStats struct {
	variance atomic.Uint32 // of codes: of an estimate less the distance
	margin   atomic.Uint32 // of sketches: how far beyond the bound estimates of near rows lie, but for one in sketchMiss
	spread   atomic.Uint32 // variance of margin between insertions
	passed   atomic.Uint32 // the share of rows that had to be read
	turn     atomic.Uint32
}

func load32(at *atomic.Uint32) float32 { return math.Float32frombits(at.Load()) }

// trusted is the margin behind which rows are not read; +Inf if nothing is known.
func (k *sketchStats) trusted() float32 {
	m := load32(&k.margin)
	if m == 0 {
		return inf32
	}
	return m + sketchSigmas*float32(math.Sqrt(float64(load32(&k.spread))))
}

// save makes two numbers of what must be the same when the graph is loaded.
func (k *sketchStats) save() [2]uint64 {
	trusted := k.trusted()
	if trusted == inf32 {
		trusted = 0
	}
	return [2]uint64{
		uint64(k.variance.Load())<<32 | uint64(k.passed.Load()),
		uint64(math.Float32bits(trusted)),
	}
}

// restore takes what was saved.
func (k *sketchStats) restore(saved [2]uint64) error {
	variance, passed := math.Float32frombits(uint32(saved[0]>>32)), math.Float32frombits(uint32(saved[0]))
	margin := math.Float32frombits(uint32(saved[1]))
	if !(variance >= 0 && variance <= math.MaxFloat32 && passed >= 0 && passed <= 1) || margin-margin != 0 || saved[1]>>32 != 0 {
		return fmt.Errorf("sketches with variance %v, margin %v, of which %v pass", variance, margin, passed)
	}
	k.variance.Store(uint32(saved[0] >> 32))
	k.passed.Store(uint32(saved[0]))
	k.margin.Store(uint32(saved[1]))
	return nil
}

// sketching is what one operation does with sketches.
type sketching struct {
	on     bool
	learns bool
	margin float32 // an estimate beyond the bound and this is trusted; +Inf for none
	// Of an insertion that learns:
	trusted float32   // what others trust
	looked  int       // estimates made with a bound
	passed  int       // of these, what others would read
	beyond  []float32 // how far beyond the bound near rows were estimated
}

// beginSketch decides whether the operation looks at sketches, and whether it
// learns from them.
func (g *Graph) beginSketch(sc *scratch, inserts bool) {
	k, stats := &sc.sketching, &g.sketchStats
	*k = sketching{beyond: k.beyond[:0]}
	if g.sketch == nil || g.Len()*g.rough.size < g.sketchFrom {
		return
	}
	trusted := stats.trusted()
	pays := trusted < inf32 && load32(&stats.passed) <= sketchLoss
	if inserts {
		turn := stats.turn.Add(1)
		k.learns = trusted == inf32 || turn%sketchTryLoss == 0 || pays && turn%sketchTry == 0
	}
	if !pays && !k.learns {
		return
	}
	k.on, k.margin, k.trusted = true, trusted, trusted
	if k.learns {
		k.margin = inf32
	}
	g.sketch.Query(sc.sketchQuery, sc.floats)
}

// endSketch keeps what the operation has learnt.
func (g *Graph) endSketch(sc *scratch) {
	k, stats := &sc.sketching, &g.sketchStats
	if !k.learns || len(k.beyond) < sketchSample || k.looked < sketchSample {
		return
	}
	slices.Sort(k.beyond)
	m := k.beyond[len(k.beyond)-1-len(k.beyond)/sketchMiss]
	if m-m != 0 {
		return
	}
	if old := load32(&stats.margin); old != 0 {
		blend(&stats.spread, (m-old)*(m-old))
	}
	blend(&stats.margin, m)
	if k.trusted < inf32 {
		blend(&stats.passed, float32(k.passed)/float32(k.looked))
	}
}

// blend makes x a sixteenth of an average.
func blend(at *atomic.Uint32, x float32) {
	if old := math.Float32frombits(at.Load()); old != 0 {
		x = old + (x-old)/16
	}
	at.Store(math.Float32bits(x))
}

// learn compares estimates with distances.
func (k *sketching) learn(p *pool, dist, est []float32) {
	if !p.bounded {
		return
	}
	est = est[:len(dist)]
	for i, d := range dist {
		if d < p.bound {
			k.beyond = append(k.beyond, est[i]-p.bound)
		}
		if est[i] < p.bound+k.trusted {
			k.passed++
		}
	}
	k.looked += len(dist)
}

// sift leaves of the first n of sc.after those whose rows must be read, with
// the estimates in sc.estAfter, and fetches their rows ahead.
func (g *Graph) sift(sc *scratch, n int) int {
	p, k := &sc.pool, &sc.sketching
	slots, est := sc.after[:n], sc.estAfter[:n]
	g.sketch.Walk(unsafe.SliceData(est), sc.sketchQuery, g.sketches.arena.Base(), unsafe.SliceData(slots), n)
	m := n
	if p.bounded && k.margin < inf32 {
		limit := p.bound + k.margin
		m = 0
		for i, e := range est {
			s := slots[i]
			slots[m], est[m] = s, e
			if e < limit {
				m++
			}
		}
	}
	kernel.Fetch(unsafe.SliceData(slots), m, g.rough.arena.Base(), g.rough.stride, g.rough.lines)
	return m
}
