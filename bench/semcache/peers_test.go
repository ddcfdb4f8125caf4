package semcache

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/nearcache/nearcache/store/semcache/judge"
)

// An entry that has been right from a similarity on, and wrong below it, is served there and
// hardly ever below; with little seen it is never served.
func TestVCacheLearnsWhereAnEntryIsRight(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	v := &vcache{0.05, r.Float64, map[int32]*entryCurve{}}
	const of = 7
	for range leastSeen - 3 { // two are there from the beginning
		v.learn(of, 0.95, true)
		if v.serves(of, 0.99) {
			t.Fatal("served on too little")
		}
	}
	for range 300 {
		s := 0.6 + 0.4*r.Float64()
		v.learn(of, s, r.Float64() < 1/(1+math.Exp(-80*(s-0.8))))
	}
	high, low := 0, 0
	for range 1000 {
		if v.serves(of, 0.97) {
			high++
		}
		if v.serves(of, 0.65) {
			low++
		}
	}
	if high < 900 || low > 100 {
		t.Errorf("of 1000 served: %d where it is right, %d where it is wrong", high, low)
	}
	if m, steep, spread := v.seen[of].fit(); math.Abs(m-0.8) > 0.03 || steep < 10 || spread > 0.1 {
		t.Errorf("middle %.3f, steepness %.1f, error %.3f", m, steep, spread)
	}
	// All right, all wrong and nonsense have finite curves.
	for _, right := range []bool{true, false} {
		c := v.curve(of + 1)
		for range 50 {
			c.sims, c.right = append(c.sims, 0.9), append(c.right, right)
		}
		if tau := c.tau(0.9, 0.05); math.IsNaN(tau) || !right && tau < 0.5 {
			t.Errorf("always %v: %v", right, tau)
		}
	}
	if q := normalQuantile(0.975); math.Abs(q-1.96) > 0.01 {
		t.Error(q)
	}
}

// The rules of others serve nothing wrong where nothing is near, and all of them are there.
func TestOthersReplay(t *testing.T) {
	x := trace{requests: []request{
		{judge.Parse("one"), []float32{1, 0}, "1"},
		{judge.Parse("one again"), []float32{0.8, 0.6}, "1"},
		{judge.Parse("two"), []float32{0.6, 0.8}, "2"},
	}}
	got := others(x.around(3, maxNear).judged(judge.Default()), judge.Default(), func() float64 { return 0.5 })
	if len(got) != len(products)+2 {
		t.Fatal(got)
	}
	if o := got[0].outcome; math.Abs(o.Hits-2./3) > 1e-9 || math.Abs(o.Wrong-1./3) > 1e-9 { // .60 serves all
		t.Error(o)
	}
	if o := got[2].outcome; math.Abs(o.Hits-1./3) > 1e-9 || math.Abs(o.Wrong-1./3) > 1e-9 { // .96 of the second
		t.Error(o)
	}
	if o := got[3].outcome; o.Hits != 0 {
		t.Error(o)
	}
}
