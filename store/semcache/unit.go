package semcache

import (
	"math"

	"github.com/nearcache/nearcache/index/kernel"
	"github.com/viterin/vek/vek32"
)

// Shorten makes a vector's length 1, and reports whether it had one. It is counted here: the length that vek gives is
// an estimate, which processors of different makers round otherwise, and that of large components is none.
func Shorten(v []float32) bool {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 {
		return false
	}
	inverse := 1 / math.Sqrt(sum)
	for i, x := range v {
		v[i] = float32(float64(x) * inverse)
	}
	return true
}

// unitOf is the vector of a blob, of length 1; nil where it is none of that dimension.
func unitOf(blob []byte, dim int) []float32 {
	if len(blob) != 4*dim {
		return nil
	}
	v := make([]float32, dim)
	kernel.Decode32(v, blob)
	if !kernel.Finite32(v) || !Shorten(v) {
		return nil
	}
	return v
}

// cosine is that of two vectors of length 1.
func cosine(a, b []float32) float64 { return min(max(float64(vek32.Dot(a, b)), -1), 1) }
