package semcache

import (
	"math"
	"slices"

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

// vcache is the rule of Schroeder and others, "vCache: Verified Semantic Prompt Caching" (ICLR 2026), as
// in the authors' code (vcache-project/vCache, VerifiedDecisionPolicy): each entry has a
// logistic curve of its own, which says how likely its answer is right at a similarity, fitted
// to what was seen of it. An entry is served unless a coin says to ask the model anyway; the coin is
// as biased as it takes for no more than a share of delta to be wrong, with the curve at the
// worst end of what is still likely.
type vcache struct {
	delta float64
	coin  func() float64
	seen  map[int32]*entryCurve
}

// entryCurve is what was seen of an entry.
type entryCurve struct {
	sims  []float64
	right []bool
}

// leastSeen: with fewer observations the model is asked. Two of them each entry has from the
// beginning: wrong at a similarity of 0, right at 1.
const leastSeen = 6

func (v *vcache) curve(of int32) *entryCurve {
	c := v.seen[of]
	if c == nil {
		c = &entryCurve{[]float64{0, 1}, []bool{false, true}}
		v.seen[of] = c
	}
	return c
}

// serves decides about the nearest entry.
func (v *vcache) serves(of int32, sim float64) bool {
	c := v.curve(of)
	return len(c.sims) >= leastSeen && v.coin() > c.tau(rounded(sim), v.delta)
}

// learn takes over whether the entry would have been right.
func (v *vcache) learn(of int32, sim float64, right bool) {
	c := v.curve(of)
	c.sims, c.right = append(c.sims, rounded(sim)), append(c.right, right)
}

func rounded(sim float64) float64 { return math.Round(sim*1000) / 1000 }

// steps is how many ways there are to divide the risk between the curve's place and the answer.
const steps = 50

// tau is how likely the model is to be asked at a similarity.
func (c *entryCurve) tau(sim, delta float64) float64 {
	t, steep, spread := c.fit()
	tau := 1.0
	for i := range steps {
		e := 1e-6 + float64(i)*(1-2e-6)/(steps-1)
		worst := max(0, min(1, t+normalQuantile(1-e)*spread))
		alpha := (1 - e) / (1 + math.Exp(-steep*(sim-worst)))
		tau = min(tau, 1-delta/(1-alpha))
	}
	return tau
}

// separated is the variance of the curve's middle where right and wrong do not overlap, so that
// nothing can be said of it by the curve: by the number of observations from leastSeen on, the
// authors' table.
var separated = [...]float64{
	.035445, .028285, .026436, .021349, .019371, .012615, .011433, .010228, .009963, .009253, .011674, .013015, .010897, .011841, .013081,
	.010585, .014255, .012058, .013002, .011715, .00839, .008839, .010628, .009899, .008033, .00457, .007335, .008932, .00729, .007445,
	.00761, .011423, .011233, .006783, .005233, .00872, .010005, .01199, .00977, .01891, .01513, .02109, .01531,
}

// fit is where the curve is at one half, how steep it is, and the standard error of the first.
// It is logistic regression by Newton's method; a very small penalty keeps the curve finite where right and
// wrong are apart, as its end after so many steps does the authors'.
func (c *entryCurve) fit() (t, steep, spread float64) {
	a, b := 0.0, 5.0 // log odds are a + b*(s-0.8)
	var haa, hab, hbb float64
	for range 20 {
		const ridge = 1e-3
		ga, gb := -ridge*a, -ridge*b
		haa, hab, hbb = ridge, 0, ridge
		for i, s := range c.sims {
			x := s - 0.8
			p := 1 / (1 + math.Exp(-(a + b*x)))
			y := 0.0
			if c.right[i] {
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
	if b = max(b, 1e-6); math.IsNaN(a) || math.IsNaN(b) {
		return 1, 1e-6, 1
	}
	t = max(0, min(1, 0.8-a/b))
	leastRight, mostWrong := math.Inf(1), math.Inf(-1)
	for i, s := range c.sims {
		if c.right[i] {
			leastRight = min(leastRight, s)
		} else {
			mostWrong = max(mostWrong, s)
		}
	}
	if leastRight > mostWrong {
		return t, b, math.Sqrt(separated[min(len(c.sims)-leastSeen, len(separated)-1)])
	}
	// The middle is 0.8-a/b: its error by the delta method.
	det := haa*hbb - hab*hab
	da, db := -1/b, a/(b*b)
	v := (da*da*hbb - 2*da*db*hab + db*db*haa) / det
	return t, b, math.Sqrt(max(v, 0))
}

// normalQuantile is the quantile of the normal distribution.
func normalQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }

// replayVCache is replay by the rule of vCache, which looks at the nearest entry alone.
func replayVCache(s surroundings, v *vcache) outcome {
	stored := make([]bool, len(s.requests))
	var hits, wrong int
	for i := range s.requests {
		at := slices.IndexFunc(s.near[i], func(x neighbour) bool { return stored[x.of] })
		if at >= 0 {
			x := s.near[i][at]
			right := s.requests[x.of].answer == s.requests[i].answer
			if v.serves(x.of, float64(x.cosine)) {
				hits++
				if !right {
					wrong++
				}
				continue
			}
			v.learn(x.of, float64(x.cosine), right)
			if right { // the answer is there already
				continue
			}
		}
		stored[i] = true
	}
	n := float64(max(len(s.requests), 1))
	return outcome{float64(hits) / n, float64(wrong) / n}
}

// peerRule is what a rule of others came to on a trace.
type peerRule struct {
	Rule string `json:"rule"`
	outcome
}

// others replays a trace by the rules of others.
func others(s surroundings, m *judge.Model, coin func() float64) (l []peerRule) {
	for _, p := range products {
		l = append(l, peerRule{p.name, replay(s, m, &threshold{rule: func(d *decision) float64 { return d.cosine }, least: p.least})})
	}
	for _, d := range []struct {
		name  string
		delta float64
	}{{"vCache's rule, .02 wrong", 0.02}, {"vCache's rule, .05 wrong", 0.05}} {
		l = append(l, peerRule{d.name, replayVCache(s, &vcache{d.delta, coin, map[int32]*entryCurve{}})})
	}
	return l
}
