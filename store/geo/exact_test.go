package geo

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestExactFunctionsAreNearTheStandardOnes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	near := func(what string, x, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 4e-16*math.Max(math.Abs(want), 0.1) {
			t.Errorf("%s of %v is %v, want %v", what, x, got, want)
		}
	}
	for range 20_000 {
		x := (rng.Float64()*2 - 1) * 2 * math.Pi
		near("sin", x, exactSin(x), math.Sin(x))
		near("cos", x, exactCos(x), math.Cos(x))
		y := rng.Float64() * 0.9 // near 1 the standard one is far off
		near("asin", y, exactAsin(y), math.Asin(y))
	}
	near("sin", math.Pi, exactSin(math.Pi), 1.2246467991473532e-16)
	near("asin", 1, exactAsin(1), math.Pi/2)
	near("asin", 0, exactAsin(0), 0)
}

// Distances that Redis 8.10.2 stores for GEOSEARCHSTORE … STOREDIST in km.
func TestExactDistance(t *testing.T) {
	lon1, lat1 := Decode(float64(Encode(13.361389, 38.115556)))
	lon2, lat2 := Decode(float64(Encode(15.087269, 37.502669)))
	for _, c := range []struct{ got, want float64 }{
		{ExactDistance(15, 37, lon1, lat1) / 1000, 190.44242984775784},
		{ExactDistance(15, 37, lon2, lat2) / 1000, 56.4412578701582},
	} {
		if c.got != c.want {
			t.Errorf("%v, want %v", c.got, c.want)
		}
	}
}

func BenchmarkDistance(b *testing.B) {
	for b.Loop() {
		Distance(15, 37, 13.361389, 38.115556)
	}
}

func BenchmarkExactDistance(b *testing.B) {
	for b.Loop() {
		ExactDistance(15, 37, 13.361389, 38.115556)
	}
}
