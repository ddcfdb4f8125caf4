package resp

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// Digits that Redis 8.10.2 prints and that are not the fewest.
func TestDoublesAsRedisPrintsThem(t *testing.T) {
	f := func(in float64, want string) {
		t.Helper()
		if got := string(AppendDouble(nil, in)); got != want {
			t.Errorf("%v: %s, want %s", in, got, want)
		}
	}
	f(39.73109894721836, "39.731098947218364")
	f(5e-324, "5e-324")
	f(math.MaxFloat64, "1.7976931348623157e+308")
	f(2.2250738585072014e-308, "2.2250738585072014e-308")
}

func TestDigitsReadBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	longer := 0
	for range 100_000 {
		f := math.Abs(math.Float64frombits(rng.Uint64()))
		if math.IsNaN(f) || math.IsInf(f, 0) || f == 0 {
			continue
		}
		digits, k := appendDigits(nil, f)
		text := string(digits) + "e" + strconv.Itoa(k)
		if back, err := strconv.ParseFloat(text, 64); err != nil || back != f {
			t.Fatalf("%v: %s", f, text)
		}
		if fewest := strconv.FormatFloat(f, 'e', -1, 64); len(digits) > len(fewest) {
			longer++
		}
	}
	if longer > 1000 {
		t.Errorf("%d of 100,000 numbers have far too many digits", longer)
	}
}

func BenchmarkAppendDouble(b *testing.B) {
	var room [32]byte
	b.ReportAllocs()
	for b.Loop() {
		AppendDouble(room[:0], 13.361389338970184)
	}
}
