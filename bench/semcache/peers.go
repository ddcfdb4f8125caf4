package semcache

import (
	"math"

	"github.com/viterin/vek/vek32"

	"github.com/nearcache/nearcache/store/semcache/judge"
)

// The file holds the rules by which other semantic caches decide, on the same embeddings. The
// products themselves need a model of their own, or torch; what they decide by is small.

// product is a cache that serves the nearest entry from a cosine on, and the one
// that it comes with.
type product struct {
	name  string
	least float64
}

var products = []product{
	{"GPTCache (cosine .60)", 0.60},
	{"LangChain, LiteLLM (cosine .80)", 0.80},
	{"RedisVL, betterdb (cosine .90)", 0.90},
}

// vcache is the rule of Schroeder and others, "vCache: Verified Semantic Prompt Caching" (2025),
// as published: each entry has a logistic curve of its own, which says how likely its answer
// is right at a similarity, fitted to what was seen of it. An entry is served unless a
// coin says to ask the model anyway; the coin is as biased as it takes for no more than a
// share of delta to be wrong, with the curve at the worst end of what is still likely.
type vcache struct {
	delta float64
	coin  func() float64
	seen  map[*request]*entryCurve
}

// entryCurve is what was seen of an entry.
type entryCurve struct {
	sims  []float64
	right []bool
}

// leastSeen: with fewer observations the model is asked, as in the authors' code.
const leastSeen = 6

// serves decides about the nearest entry.
func (v *vcache) serves(of *request, sim float64) bool {
	c := v.seen[of]
	if c == nil || len(c.sims) < leastSeen {
		return false
	}
	return v.coin() > c.tau(sim, v.delta)
}

// learn takes over whether the entry would have been right.
func (v *vcache) learn(of *request, sim float64, right bool) {
	c := v.seen[of]
	if c == nil {
		c = &entryCurve{}
		v.seen[of] = c
	}
	c.sims, c.right = append(c.sims, sim), append(c.right, right)
}

// tau is how likely the model is to be asked at a similarity.
func (c *entryCurve) tau(sim, delta float64) float64 {
	t, steep, spread := c.fit()
	tau := 1.0
	for e := 0.005; e < 0.5; e += 0.01 {
		worst := t + normalQuantile(1-e)*spread
		alpha := (1 - e) / (1 + math.Exp(-steep*(sim-worst)))
		tau = min(tau, 1-delta/(1-alpha+1e-12))
	}
	return max(0, tau)
}

// fit is where the curve is at one half, how steep it is, and the standard error of the first.
// Logistic regression by Newton's method; a small penalty keeps the curve finite where
// right and wrong are apart. One observation of each kind at the ends, as in the authors' code,
// keeps it from having no middle.
func (c *entryCurve) fit() (t, steep, spread float64) {
	sims, right := append([]float64{0, 1}, c.sims...), append([]bool{false, true}, c.right...)
	a, b := 0.0, 5.0 // log odds are a + b*(s-0.8)
	var haa, hab, hbb float64
	for range 20 {
		const ridge = 1e-3
		ga, gb := -ridge*a, -ridge*b
		haa, hab, hbb = ridge, 0, ridge
		for i, s := range sims {
			x := s - 0.8
			p := 1 / (1 + math.Exp(-(a + b*x)))
			y := 0.0
			if right[i] {
				y = 1
			}
			ga, gb = ga+y-p, gb+(y-p)*x
			w := p * (1 - p)
			haa, hab, hbb = haa+w, hab+w*x, hbb+w*x*x
		}
		det := haa*hbb - hab*hab
		da, db := (hbb*ga-hab*gb)/det, (haa*gb-hab*ga)/det
		// A step too far would leave the curve flat for good.
		k := 1 / max(1, math.Abs(da)/2, math.Abs(db)/20)
		a, b = a+k*da, b+k*db
	}
	if b = max(b, 1e-3); math.IsNaN(a) || math.IsNaN(b) {
		return 1, 1, 1
	}
	// The middle is 0.8-a/b: its error by the delta method.
	det := haa*hbb - hab*hab
	da, db := -1/b, a/(b*b)
	v := (da*da*hbb - 2*da*db*hab + db*db*haa) / det
	return 0.8 - a/b, b, math.Sqrt(max(v, 0))
}

// normalQuantile is the quantile of the normal distribution.
func normalQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }

// nearestOf is the stored request that is nearest to one, nil without any.
func nearestOf(stored []*request, r *request) (best *request, sim float64) {
	for _, s := range stored {
		if c := float64(vek32.Dot(s.vector, r.vector)); best == nil || c > sim {
			best, sim = s, c
		}
	}
	return best, sim
}

// replayVCache is replay by the rule of vCache.
func replayVCache(requests []request, v *vcache) outcome {
	var stored []*request
	var hits, wrong int
	for i := range requests {
		r := &requests[i]
		best, sim := nearestOf(stored, r)
		if best != nil {
			right := best.answer == r.answer
			if v.serves(best, sim) {
				hits++
				if !right {
					wrong++
				}
				continue
			}
			v.learn(best, sim, right)
			if right { // the answer is there already
				continue
			}
		}
		stored = append(stored, r)
	}
	n := float64(max(len(requests), 1))
	return outcome{float64(hits) / n, float64(wrong) / n}
}

// peerRule is what a rule of others came to on a trace.
type peerRule struct {
	Rule string `json:"rule"`
	outcome
}

// others replays a trace by the rules of others.
func others(requests []request, m *judge.Model, coin func() float64) (l []peerRule) {
	for _, p := range products {
		l = append(l, peerRule{p.name, replay(requests, m, func(d decision) float64 { return d.cosine }, p.least, nil)})
	}
	for _, d := range []struct {
		name  string
		delta float64
	}{{"vCache's rule, .02 wrong", 0.02}, {"vCache's rule, .05 wrong", 0.05}} {
		l = append(l, peerRule{d.name, replayVCache(requests, &vcache{d.delta, coin, map[*request]*entryCurve{}})})
	}
	return l
}
