package hnsw

import (
	"math"
	"unsafe"
)

// Codes of a bit a component are so rough that the vectors decide who becomes
// a neighbour. How wrong they are depends on the data: on embeddings they are
// as wrong as if errors were random, on images twice that. So insertions
// measure it, in sketchStats.variance.

const (
	// roughSigmas: of nodes whose estimates are farther than this many standard
	// deviations behind the last that is wanted, no vector is read.
	roughSigmas = 3
	// rangeSigmas is the same for what a range search or a scan leaves out.
	rangeSigmas = 5
	// roughTry: one insertion in so many measures.
	roughTry = 8
)

// weigh puts sc.near, which codes have sorted, into the order of the distances
// from s.
func (g *Graph) weigh(sc *scratch, s uint32) {
	sc.hits = sc.hits[:0]
	for _, k := range sc.near {
		sc.hits = append(sc.hits, keySlot(k))
	}
	k := &g.sketchStats
	if n := min(len(sc.near), chunk); n >= sketchSample && (k.variance.Load() == 0 || k.turn.Add(1)%roughTry == 0) {
		g.between(sc.cdist, g.queryOf(sc, s), sc.hits[:n])
		sum := float32(0)
		for i, d := range sc.cdist[:n] {
			e := d - keyDistance(sc.near[i])
			sum += e * e
		}
		if v := sum / float32(n); v-v == 0 {
			blend(&k.variance, v)
		}
	}
	sc.near = append(sc.near[:0], g.sorted(sc, s, sc.hits)...)
}

// doubt is how far the walk's distances near d may be from the vectors', but
// for rare cases.
func (g *Graph) doubt(d float32, q unsafe.Pointer) float32 {
	if g.fine == g.rough {
		return g.codec.Doubt(d, q)
	}
	return g.error(roughSigmas)
}

// lower is a distance that the slot's vector is not below where the walk says
// d, for rough codes but for rare cases.
func (g *Graph) lower(d float32, q unsafe.Pointer, s uint32) float32 {
	low := g.codec.Lower(d, q, g.codes.at(s))
	if g.fine != g.rough {
		low = min(low, d-g.error(rangeSigmas))
	}
	return low
}

// lowers makes d, what the walk says of slots, what lower says of them or less.
func (g *Graph) lowers(d []float32, q unsafe.Pointer, slots []uint32) {
	if g.fine != g.rough {
		for i, s := range slots {
			d[i] = g.lower(d[i], q, s)
		}
		return
	}
	g.codec.Lowers(d, q, g.codes.arena.Base(), slots)
}

// error is so many standard deviations of rough codes' errors; +Inf if nothing
// is known of them.
func (g *Graph) error(sigmas float32) float32 {
	v := load32(&g.sketchStats.variance)
	if v == 0 {
		return inf32
	}
	return sigmas * float32(math.Sqrt(float64(v)))
}
