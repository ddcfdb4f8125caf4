//go:build !noasm

package bitmap

import (
	"math/bits"
	"math/rand/v2"
	"testing"
)

func TestBothCountsAgree(t *testing.T) {
	if !hasAVX2 {
		t.Skip("no AVX2")
	}
	rng := rand.New(rand.NewPCG(1, 3))
	for n := 128; n < 3000; n += 128 {
		b := randomBytes(rng, n+1)[1:]
		if n%256 == 0 { // all set: no sum of bytes may overflow
			for i := range b {
				b[i] = 0xff
			}
		}
		want := int64(0)
		for _, x := range b {
			want += int64(bits.OnesCount8(x))
		}
		if got := countAVX2(&b[0], n); got != want {
			t.Errorf("AVX2: %d of %d, want %d", got, n, want)
		}
		if !hasAVX512 {
			continue
		}
		if got := countAVX512(&b[0], n); got != want {
			t.Errorf("AVX-512: %d of %d, want %d", got, n, want)
		}
	}
}
