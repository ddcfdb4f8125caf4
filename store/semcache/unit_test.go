package semcache

import (
	"math"
	"testing"
)

// TestCosineOfTheSameIsOne: on every processor, and of vectors of any size.
func TestCosineOfTheSameIsOne(t *testing.T) {
	t.Parallel()
	for _, v := range [][]float32{{0, 1, 0, 0}, {1, 1, 1}, {1e30, 0}, {3e38, 3e38, 3e38}, {1e-30, 1e-30}, {math.SmallestNonzeroFloat32}, {0.1, -0.7, 0.3, 0.2, 0.9}} {
		if !Shorten(v) {
			t.Fatalf("%v has no length", v)
		}
		if got := cosine(v, v); got > 1 || got < 1-1e-6 {
			t.Errorf("cosine(%v, %v) = %.9f", v, v, got)
		}
	}
	if one := []float32{0, 1, 0, 0}; !Shorten(one) || cosine(one, one) != 1 {
		t.Errorf("%v is not of length 1", one)
	}
	if Shorten([]float32{0, 0}) {
		t.Error("zeros have a length")
	}
}
