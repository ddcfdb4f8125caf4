package indextest

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/slot"
)

// Vectors makes n vectors in clusters, as embeddings lie: uniform ones are not
// like anything real.
func Vectors(seed uint64, n, dim int) [][]float64 {
	r := rand.New(rand.NewPCG(seed, 99))
	centers := make([][]float64, 1+n/50)
	for i := range centers {
		centers[i] = gauss(r, dim, nil, 1)
	}
	v := make([][]float64, n)
	for i := range v {
		v[i] = gauss(r, dim, centers[r.IntN(len(centers))], 0.5)
	}
	return v
}

func gauss(r *rand.Rand, dim int, around []float64, spread float64) []float64 {
	v := make([]float64, dim)
	for i := range v {
		// float32's precision, so that both element types hold the same vector.
		x := r.NormFloat64() * spread
		if around != nil {
			x += around[i]
		}
		v[i] = float64(float32(x))
	}
	return v
}

// Fit makes vectors of what the element can hold and returns them: integers
// from its whole range, the nearest halves. [Blob] then changes nothing.
func Fit(e index.Element, vectors [][]float64) [][]float64 {
	for _, v := range vectors {
		if e == index.Int8 || e == index.Uint8 {
			for i := range v {
				v[i] = 30*v[i] + 128*float64(e-index.Int8)
			}
		}
		copy(v, Decode(e, Blob(e, v)))
	}
	return vectors
}

// Clusters makes n vectors around each of so many centers, one cluster after another.
func Clusters(seed uint64, clusters, n, dim int) [][]float64 {
	r := rand.New(rand.NewPCG(seed, 98))
	var v [][]float64
	for range clusters {
		center := gauss(r, dim, nil, 1)
		for range n {
			v = append(v, gauss(r, dim, center, 0.5))
		}
	}
	return v
}

// Blob is the vector as it comes off the wire, each component rounded to the
// nearest that the element can hold.
func Blob(e index.Element, v []float64) []byte {
	b := make([]byte, 0, len(v)*e.Size())
	for _, x := range v {
		switch e {
		case index.Float32:
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(x)))
		case index.Float64:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		case index.Float16:
			b = binary.LittleEndian.AppendUint16(b, half(x, 5, 10))
		case index.BFloat16:
			b = binary.LittleEndian.AppendUint16(b, half(x, 8, 7))
		case index.Int8:
			b = append(b, byte(int8(min(max(math.RoundToEven(x), -128), 127))))
		case index.Uint8:
			b = append(b, byte(min(max(math.RoundToEven(x), 0), 255)))
		}
	}
	return b
}

// Decode is what Blob made of a vector.
func Decode(e index.Element, b []byte) []float64 {
	v := make([]float64, 0, len(b)/e.Size())
	for ; len(b) > 0; b = b[e.Size():] {
		var x float64
		switch e {
		case index.Float32:
			x = float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
		case index.Float64:
			x = math.Float64frombits(binary.LittleEndian.Uint64(b))
		case index.Float16:
			x = unhalf(binary.LittleEndian.Uint16(b), 5, 10)
		case index.BFloat16:
			x = unhalf(binary.LittleEndian.Uint16(b), 8, 7)
		case index.Int8:
			x = float64(int8(b[0]))
		case index.Uint8:
			x = float64(b[0])
		}
		v = append(v, x)
	}
	return v
}

// half rounds x to a floating-point number of 16 bits: a sign, an exponent, a fraction.
func half(x float64, exponent, fraction int) uint16 {
	sign := uint16(0)
	if math.Signbit(x) {
		sign, x = 1<<15, -x
	}
	bias := 1<<(exponent-1) - 1
	infinity := uint16(1<<exponent-1) << fraction
	switch _, e := math.Frexp(x); { // x is at least 2^(e-1)
	case x != x:
		return sign | infinity | 1
	case x == 0:
		return sign
	case math.IsInf(x, 0) || e-1 > bias:
		return sign | infinity
	default:
		e = max(e-1, 1-bias) // below are the subnormals
		n := uint16(math.RoundToEven(math.Ldexp(x, fraction-e)))
		// A fraction that was rounded up to 2 carries into the exponent.
		return sign | min(n+uint16(e+bias-1)<<fraction, infinity)
	}
}

func unhalf(h uint16, exponent, fraction int) float64 {
	bias := 1<<(exponent-1) - 1
	n, e := h&(1<<fraction-1), int(h>>fraction)&(1<<exponent-1)
	x := math.Ldexp(float64(n), 1-bias-fraction)
	switch {
	case e == 1<<exponent-1 && n != 0:
		x = math.NaN()
	case e == 1<<exponent-1:
		x = math.Inf(1)
	case e > 0:
		x = math.Ldexp(float64(n+1<<fraction), e-bias-fraction)
	}
	return math.Copysign(x, 1-2*float64(h>>15))
}

// Distance is the metric's definition, in float64.
func Distance(m index.Metric, a, b []float64) float64 {
	var dot, l2, aa, bb float64
	for i := range a {
		d := a[i] - b[i]
		l2 += d * d
		dot += a[i] * b[i]
		aa += a[i] * a[i]
		bb += b[i] * b[i]
	}
	switch {
	case m == index.L2:
		return l2
	case m == index.IP:
		return 1 - dot
	case aa == 0 || bb == 0:
		return 1
	}
	return 1 - dot/math.Sqrt(aa)/math.Sqrt(bb)
}

// Truth is the k nearest of the vectors that allow allows (nil: all).
func Truth(m index.Metric, vectors map[index.Label][]float64, q []float64, k int, allow *index.Bitmap) []index.Neighbor {
	var top slot.Top
	top.Reset(k)
	for l, v := range vectors {
		if allow == nil || allow.Contains(l) {
			top.Offer(index.Neighbor{Label: l, Distance: Distance(m, q, v)})
		}
	}
	return top.AppendTo(nil)
}

// Recall is the share of truth that got holds. A vector as near as the
// farthest of truth counts too: between equals there is no right choice.
func Recall(got, truth []index.Neighbor) float64 {
	if len(truth) == 0 {
		return 1
	}
	far := truth[len(truth)-1].Distance
	hits := 0
	for _, g := range got {
		if g.Distance <= far+1e-5*(1+math.Abs(far)) {
			hits++
		}
	}
	return float64(min(hits, len(truth))) / float64(len(truth))
}

func mustAdd(t testing.TB, x index.Index, l index.Label, version uint64, b []byte) {
	t.Helper()
	if err := x.Add(l, version, b); err != nil {
		t.Fatalf("Add(%d): %v", l, err)
	}
}

func mustSearch(t testing.TB, x index.Index, q []byte, k int, o index.SearchOptions) []index.Neighbor {
	t.Helper()
	r, err := x.Search(nil, q, k, o)
	if err != nil {
		t.Fatalf("Search: %v", err)
	}
	checkOrder(t, r)
	if len(r) > k {
		t.Fatalf("Search for %d returned %d", k, len(r))
	}
	return r
}

// checkOrder wants ascending distances and no label twice.
func checkOrder(t testing.TB, r []index.Neighbor) {
	t.Helper()
	seen := make(map[index.Label]bool, len(r))
	for i, n := range r {
		if seen[n.Label] {
			t.Fatalf("label %d twice in %d results", n.Label, len(r))
		}
		seen[n.Label] = true
		if n.Distance != n.Distance || i > 0 && n.Distance < r[i-1].Distance {
			t.Fatalf("result %d of %d is out of order: %v", i, len(r), n)
		}
	}
}

// Validate checks the index's invariants, where it can check them itself.
func Validate(t testing.TB, x index.Index) {
	t.Helper()
	if v, ok := x.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			t.Fatalf("invariant broken: %v", err)
		}
	}
}

// Settle waits for background work, where the index has any.
func Settle(x index.Index) {
	if f, ok := x.(interface{ Flush() }); ok {
		f.Flush()
	}
}
