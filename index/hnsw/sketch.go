package hnsw

import (
	"fmt"
	"math"
	"sync/atomic"
	"unsafe"

	"github.com/nearcache/nearcache/index/kernel"
)

// A walk compares many rows to take few: most are farther than all of a full
// pool. A sketch, a bit a component, says so of two in three for one cache
// line instead of seven or twelve. That pays where the rows are too many for
// the caches (measured on 384 dimensions, ef=48: halves of float32, 31k: 1.4x;
// 8-bit codes, 31k: 1.0x, 238k: 1.3x, and 1.55x at ef=128). How wrong sketches are depends on the data, so insertions
// measure it: where an estimate is beyond the pool's bound by some standard
// deviations, the row is not read. Where that spares too few rows, sketches
// are not read either, but for a try now and then. A search changes none of
// this: asked again, it finds the same.

const (
	// sketchBytes of rows and more are too many for the caches.
	sketchBytes = 24 << 20
	// sketchSigmas is how many standard deviations beyond the bound an estimate
	// must be. On MiniLM, 1 to 1.5 are equally fast at equal recall.
	sketchSigmas = 1.3
	// sketchLoss is the share of rows that must be read for sketches not to pay.
	sketchLoss = 0.75
	// sketchTry: one insertion in so many looks at sketches where they do not pay.
	sketchTry = 64
	// sketchSample is how many estimates make an insertion's figures count.
	sketchSample = 32
)

// sketchStats is what the graph knows of its sketches' errors. Racing updates
// may be lost: it is an average.
type sketchStats struct {
	variance atomic.Uint32 // float32, of an estimate less the distance
	passed   atomic.Uint32 // float32, the share of rows that had to be read
	turn     atomic.Uint32
}

// restore takes what was saved, variance over share.
func (k *sketchStats) restore(saved uint64) error {
	variance, passed := math.Float32frombits(uint32(saved>>32)), math.Float32frombits(uint32(saved))
	if !(variance >= 0 && variance <= math.MaxFloat32 && passed >= 0 && passed <= 1) {
		return fmt.Errorf("sketches with variance %v, of which %v pass", variance, passed)
	}
	k.variance.Store(uint32(saved >> 32))
	k.passed.Store(uint32(saved))
	return nil
}

// sketching is what one operation does with sketches.
type sketching struct {
	on      bool
	learns  bool
	margin  float32 // an estimate beyond the bound and this is trusted; +Inf while nothing is known
	looked  int     // estimates made with a bound
	passed  int
	errors  float32 // sum of squared errors
	counted int
}

// beginSketch decides whether the operation looks at sketches, and whether it
// learns from them.
func (g *Graph) beginSketch(sc *scratch, learns bool) {
	k := &sc.sketching
	*k = sketching{}
	if g.sketch == nil || g.Len()*g.rough.stride < g.sketchFrom {
		return
	}
	passed := math.Float32frombits(g.sketchStats.passed.Load())
	if passed > sketchLoss && !(learns && g.sketchStats.turn.Add(1)%sketchTry == 0) {
		return
	}
	v := math.Float32frombits(g.sketchStats.variance.Load())
	if v == 0 && !learns {
		return
	}
	k.on, k.learns = true, learns
	g.sketch.Query(sc.sketchQuery, sc.floats)
	k.margin = inf32
	if v > 0 {
		k.margin = sketchSigmas * float32(math.Sqrt(float64(v)))
	}
}

// endSketch keeps what the operation has seen.
func (g *Graph) endSketch(sc *scratch) {
	k := &sc.sketching
	if !k.learns {
		return
	}
	if k.counted >= sketchSample {
		if v := k.errors / float32(k.counted); v-v == 0 {
			blend(&g.sketchStats.variance, v)
		}
	}
	if k.looked >= sketchSample {
		blend(&g.sketchStats.passed, float32(k.passed)/float32(k.looked))
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
func (k *sketching) learn(dist, est []float32) {
	est = est[:len(dist)]
	for i, d := range dist {
		e := d - est[i]
		k.errors += e * e
	}
	k.counted += len(dist)
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
		k.looked += n
		k.passed += m
	}
	kernel.Fetch(unsafe.SliceData(slots), m, g.rough.arena.Base(), g.rough.stride, g.rough.lines)
	return m
}
