package space

import (
	"math"
	"testing"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/kernel"
)

// TestToFloat16RoundsToTheNearestHalf compares with all halves: each is its own,
// and a number between two goes to the nearer, or to the even one.
func TestToFloat16RoundsToTheNearestHalf(t *testing.T) {
	for h := range uint16(0x7c00) {
		x := kernel.Float16(h)
		if got := toFloat16(x); got != h {
			t.Fatalf("%v became %#x, want %#x", x, got, h)
		}
		if got := toFloat16(-x); got != h|0x8000 {
			t.Fatalf("%v became %#x, want %#x", -x, got, h|0x8000)
		}
		if h == 0x7bff {
			break
		}
		between := (x + kernel.Float16(h+1)) / 2
		if got, want := toFloat16(between), h+h&1; got != want {
			t.Fatalf("%v became %#x, want %#x", between, got, want)
		}
		if got := toFloat16(math.Nextafter32(between, 0)); got != h {
			t.Fatalf("a bit below %v became %#x, want %#x", between, got, h)
		}
		if got := toFloat16(math.Nextafter32(between, 1e9)); got != h+1 {
			t.Fatalf("a bit above %v became %#x, want %#x", between, got, h+1)
		}
	}
	if toFloat16(65519) != 0x7bff || toFloat16(65520) != 0x7c00 || toFloat16(float32(math.Inf(-1))) != 0xfc00 {
		t.Error("the largest half and infinity")
	}
}

func TestAppendElement(t *testing.T) {
	f := func(e index.Element, x float64, want string, ok bool) {
		t.Helper()
		if got, good := AppendElement(nil, e, x); good != ok || ok && string(got) != want {
			t.Errorf("%v of %v is %q %v, want %q %v", e, x, got, good, want, ok)
		}
	}
	f(index.Float32, 1, "\x00\x00\x80\x3f", true)
	f(index.Float64, 1, "\x00\x00\x00\x00\x00\x00\xf0\x3f", true)
	f(index.Float16, 1, "\x00\x3c", true)
	f(index.BFloat16, 1, "\x80\x3f", true)
	f(index.Int8, -1, "\xff", true)
	f(index.Int8, 128, "", false)
	f(index.Int8, 0.5, "", false)
	f(index.Uint8, 255, "\xff", true)
	f(index.Uint8, -1, "", false)
	f(index.Uint8, math.NaN(), "", false)
}
