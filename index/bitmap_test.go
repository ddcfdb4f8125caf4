package index_test

import (
	"math/rand/v2"
	"testing"

	"github.com/nearcache/nearcache/index"
)

func TestBitmapBit(t *testing.T) {
	var b index.Bitmap
	for _, l := range []index.Label{0, 5, 63, 64, 200} {
		b.Add(l)
	}
	for l := range index.Label(1000) {
		if got := b.Bit(l) != 0; got != b.Contains(l) || b.Bit(l) > 1 {
			t.Errorf("bit %d is %d", l, b.Bit(l))
		}
	}
	if b.Bit(1<<63) != 0 {
		t.Error("a label beyond all is in the set")
	}
}

func TestBitmapSample(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 2, 40, 3000, 100_000} {
		var b index.Bitmap
		for range n {
			b.Add(index.Label(r.IntN(100_000)))
		}
		seen := map[index.Label]bool{}
		const want = 32
		b.Sample(want, 7, func(l index.Label) {
			if !b.Contains(l) || seen[l] {
				t.Fatalf("%d labels: %d is not in the set or comes twice", n, l)
			}
			seen[l] = true
		})
		if n > 0 && len(seen) == 0 || n >= 3000 && len(seen) != want {
			t.Errorf("%d labels: a sample of %d", n, len(seen))
		}
	}
	// A set in few words gives one of each.
	var few index.Bitmap
	for l := range index.Label(192) {
		few.Add(l)
	}
	n := 0
	few.Sample(32, 0, func(index.Label) { n++ })
	if n != 3 {
		t.Errorf("3 words give a sample of %d", n)
	}
}

func TestOrWordsAddsBitsOfWords(t *testing.T) {
	var b index.Bitmap
	b.Add(500)
	b.Reset() // what is kept of it is longer than what is added
	b.Add(64)
	b.OrWords(1, []uint64{1<<3 | 1, 1 << 63, 0})
	if !b.Contains(64) || !b.Contains(67) || !b.Contains(191) || b.Contains(500) || b.Len() != 3 {
		t.Fatal(b.Len())
	}
	var c index.Bitmap
	c.OrWords(2, []uint64{5})
	c.OrWords(0, nil)
	if c.Len() != 2 || !c.Contains(128) || !c.Contains(130) {
		t.Fatal(c.Len())
	}
}

func TestBitmapKeep(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, oneIn := range []int{1, 2, 60, 1000} {
		var b, want index.Bitmap
		var asked []index.Label
		for l := range index.Label(5000) {
			if r.IntN(oneIn) > 0 {
				continue
			}
			b.Add(l)
			asked = append(asked, l)
			if l%3 > 0 {
				want.Add(l)
			}
		}
		b.Keep(func(l index.Label) bool {
			if len(asked) == 0 || l != asked[0] {
				t.Fatalf("asked for %d", l)
			}
			asked = asked[1:]
			return l%3 > 0
		})
		for l := range index.Label(5100) {
			if b.Contains(l) != want.Contains(l) {
				t.Fatalf("one in %d: %d is wrong", oneIn, l)
			}
		}
		if len(asked) > 0 || b.Len() != want.Len() {
			t.Fatalf("one in %d: %d labels, not %d; %d not asked for", oneIn, b.Len(), want.Len(), len(asked))
		}
	}
}
