package semcache

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/viterin/vek/vek32"

	"github.com/nearcache/nearcache/store/semcache"
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
		{prompt: judge.Parse("one"), vector: []float32{1, 0}, answer: "1"},
		{prompt: judge.Parse("one again"), vector: []float32{0.8, 0.6}, answer: "1"},
		{prompt: judge.Parse("two"), vector: []float32{0.6, 0.8}, answer: "2"},
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

// Of a conversation what is right is what was said before, and whoever sees the last message alone does not know it.
func TestConversations(t *testing.T) {
	p := judge.Parse("explain further")
	x := trace{}
	for i := range 40 {
		said := []float32{1, 0}
		if i%2 == 1 {
			said = []float32{0, 1}
		}
		own := []float32{0.6, 0.8}
		between := vek32.Add(own, said)
		semcache.Shorten(between)
		x.requests = append(x.requests, request{prompt: p, vector: between, own: own, said: said, before: judge.Parse("when do you open"), asks: "more", answer: fmt.Sprint(i % 2)})
	}
	m := &judge.Model{Prior: 10, Middle: 0.5}
	for _, s := range judge.Signals {
		m.Signals = append(m.Signals, s.Name)
	}
	least := func() policy { return &threshold{rule: func(d *decision) float64 { return d.among(m) }, least: 2} }
	if o := replay(x.around(40, maxNear).judged(m), m, least()); o.Wrong != 0 || o.Hits < 0.9 {
		t.Errorf("%+v", o)
	}
	if o := replay(x.lastOnly().around(40, maxNear).judged(m), m, least()); o.Wrong < 0.4 {
		t.Errorf("the last message alone: %+v", o)
	}
}
