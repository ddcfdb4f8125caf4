package indextest

import (
	"math"
	"testing"

	"github.com/nearcache/nearcache/index"
)

func TestHalvesRoundToNearestEven(t *testing.T) {
	f := func(e index.Element, x, want float64) {
		t.Helper()
		if got := Decode(e, Blob(e, []float64{x}))[0]; got != want && (got == got || want == want) {
			t.Errorf("%v of %v = %v, want %v", e, x, got, want)
		}
		if got := Decode(e, Blob(e, []float64{-x}))[0]; got != -want && (got == got || want == want) {
			t.Errorf("%v of %v = %v, want %v", e, -x, got, -want)
		}
	}
	for _, e := range []index.Element{index.Float16, index.BFloat16} {
		for _, x := range []float64{0, 1, 0.5, 3, 100, 0x1p-14, 240, math.Inf(1), math.NaN()} {
			f(e, x, x)
		}
	}
	f(index.Float16, 65504, 65504)
	f(index.Float16, 65519, 65504)
	f(index.Float16, 65520, math.Inf(1))
	f(index.Float16, 1e9, math.Inf(1))
	f(index.Float16, 0x1p-24, 0x1p-24)
	f(index.Float16, 0x1p-25, 0)
	f(index.Float16, 0x1.8p-25, 0x1p-24)
	f(index.Float16, 0x1.ff8p-15, 0x1.ff8p-15) // the largest subnormal
	f(index.Float16, 0x1.ffcp-15, 0x1p-14)
	f(index.Float16, 1+0x1p-11, 1)
	f(index.Float16, 1+0x3p-11, 1+0x1p-9)
	f(index.Float16, 0x1.ffep0, 2)
	f(index.BFloat16, 1+0x1p-8, 1)
	f(index.BFloat16, 1+0x3p-8, 1+0x1p-6)
	f(index.BFloat16, 0x1.fep127, 0x1.fep127)
	f(index.BFloat16, 0x1.ffp127, math.Inf(1))
	f(index.BFloat16, 0x1p-133, 0x1p-133)
}

func TestEveryHalfComesBack(t *testing.T) {
	for _, e := range []index.Element{index.Float16, index.BFloat16} {
		for h := range 1 << 16 {
			b := []byte{byte(h), byte(h >> 8)}
			x := Decode(e, b)
			if x[0] != x[0] {
				continue
			}
			if got := Blob(e, x); string(got) != string(b) {
				t.Fatalf("%v %04x: %v comes back as %x", e, h, x, got)
			}
		}
	}
}
