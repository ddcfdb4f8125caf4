package semcache

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/nearcache/nearcache/store/semcache/judge"
)

// leastNear is the cosine from which on one may be served.
const leastNear = 0.5

// decision is what was known of a candidate when a request came, and what would have become of it.
type decision struct {
	logOdds float64 // what the pair's score is worth
	cosine  float64
	around  judge.Around
	said    float64 // cosine of what came before; NaN: nothing
	about   float64 // …and log odds that it is the same
	alike   bool    // in a conversation: the prompts ask the same of what came before
	repeat  bool    // answers can be told apart among the nearest entries, as two have the same; or what came before counts
	right   bool
}

// among is the log odds with all that is around.
func (d *decision) among(m *judge.Model) float64 {
	z := m.LogOddsAmong(d.logOdds, d.around, 0)
	if !math.IsNaN(d.said) {
		z = judge.InContext(z, d.about, d.cosine > 0.9999)
	}
	return z
}

// outcome is what a policy made of a trace, as shares of all requests.
type outcome struct {
	Hits  float64 `json:"hits"`
	Wrong float64 `json:"wrong"`
}

// policy decides what a cache serves.
type policy interface {
	// serve is the place of the candidate that is served, -1 for none. They stand nearest first.
	serve(l []decision) int
	// missed is told of the same candidates, if none was served: their answers are compared with
	// the one that was made.
	missed(l []decision)
}

// replay serves each request as a policy says.
func replay(s surroundings, m *judge.Model, p policy) outcome {
	stored := make([]bool, len(s.requests))
	var hits, wrong int
	var near []neighbour
	var cosines []float64
	var l []decision
	for i := range s.requests {
		answer := func(k int) string { return s.requests[near[k].of].answer }
		near, cosines = near[:0], cosines[:0]
		repeat := false
		for _, x := range s.near[i] {
			if !stored[x.of] {
				continue
			}
			near = append(near, x)
			cosines = append(cosines, float64(x.cosine))
			for k := range near[:len(near)-1] {
				repeat = repeat || answer(k) == s.requests[x.of].answer
			}
			if len(near) == judge.MaxAround {
				break
			}
		}
		l = l[:0]
		for k, x := range near {
			if x.cosine < leastNear || k >= judge.MaxJudged {
				break
			}
			s.score(m, i, &x) // of the copy
			d := decision{
				logOdds: m.LogOdds(float64(x.score)), cosine: float64(x.own), said: float64(x.said), about: float64(x.about), repeat: repeat || !math.IsNaN(float64(x.said)), right: answer(k) == s.requests[i].answer,
				alike: s.requests[x.of].asks == s.requests[i].asks,
			}
			d.around = judge.LookAround(k, cosines, func(j int) bool { return answer(j) == answer(k) })
			l = append(l, d)
		}
		if at := p.serve(l); at >= 0 {
			hits++
			if !l[at].right {
				wrong++
			}
			continue
		}
		p.missed(l)
		stored[i] = true
	}
	n := float64(max(len(s.requests), 1))
	return outcome{float64(hits) / n, float64(wrong) / n}
}

// threshold serves the candidate that a rule is surest of, if it is as sure as least.
type threshold struct {
	rule  func(d *decision) float64
	least float64
	see   func(d *decision) // told of the one that the rule is surest of, if it is not served; may be nil
}

func (t *threshold) best(l []decision) (best int, sure float64) {
	best, sure = -1, math.Inf(-1)
	for i := range l {
		if x := t.rule(&l[i]); x > sure {
			best, sure = i, x
		}
	}
	return best, sure
}

func (t *threshold) serve(l []decision) int {
	if best, sure := t.best(l); sure >= t.least {
		return best
	}
	return -1
}

func (t *threshold) missed(l []decision) {
	if best, _ := t.best(l); best >= 0 && t.see != nil {
		t.see(&l[best])
	}
}

// bounded is SEM.GET's own way: the confidence is what it is worth here, as the answers of the misses have shown, and
// what is served is bounded by a share of wrong ones, or by a confidence.
type bounded struct {
	m     *judge.Model
	here  judge.Here
	wrong float64
	least float64 // instead of wrong, where it is above 0
}

func newBounded(m *judge.Model, wrong, least float64) *bounded {
	return &bounded{m: m, here: m.NewHere(), wrong: wrong, least: least}
}

func (b *bounded) best(l []decision) (best int, sure, odds float64) {
	best, sure = -1, math.Inf(-1)
	for i := range l {
		z := l[i].among(b.m)
		worth := z
		if l[i].repeat || b.here.Told() {
			worth = b.here.LogOdds(z)
		}
		if worth > sure {
			best, sure, odds = i, worth, z
		}
	}
	return best, sure, odds
}

func (b *bounded) serve(l []decision) int {
	best, sure, odds := b.best(l)
	if best < 0 {
		return -1
	}
	least := b.least
	switch {
	case least > 0:
	case l[best].repeat || b.here.Told():
		b.here.Asked(odds, l[best].repeat)
		least = b.here.Least(b.wrong)
	default:
		least = b.m.Least(b.wrong)
	}
	if 1/(1+math.Exp(-sure)) >= least {
		return best
	}
	return -1
}

func (b *bounded) missed(l []decision) {
	if best, _, odds := b.best(l); best >= 0 && l[best].repeat {
		b.here.Checked(odds, l[best].right)
	}
}

// answered is a rule's outcomes on a trace, from the strictest on.
type answered struct {
	Rule string    `json:"rule"`
	All  []outcome `json:"-"`
	// AtWrong is the most hits with no more than each share of wrong ones of all requests.
	AtWrong []outcome `json:"at_wrong"`
}

// wrongs are the shares of wrong answers at which traces are compared.
var wrongs = []float64{0.005, 0.013, 0.03}

// traced is what became of a trace.
type traced struct {
	Name     string     `json:"name"`
	Requests int        `json:"requests"`
	Trained  []string   `json:"trained_on"` // never the trace itself
	Rules    []answered `json:"rules"`
	Kept     []promise  `json:"kept"`
	Others   []peerRule `json:"others"`
}

// promise is a bound on the share of wrong ones among the hits, and what it came to in several orders of the
// trace.
type promise struct {
	MaxWrong float64 `json:"max_wrong"`
	Hits     float64 `json:"hits"`  // in the mean
	Wrong    float64 `json:"wrong"` // of the hits of all orders
	Worst    float64 `json:"worst"` // of the hits of one
	Over     int     `json:"over"`  // orders with more wrong ones than that
	// Cal is what became of the hits of all orders by their confidence, Off by how much that was off in the mean.
	Cal []calibration `json:"calibration"`
	Off float64       `json:"calibration_error"`
	by  tenths
}

// tallied is a policy whose hits are counted by the confidence they are served with.
type tallied struct {
	*bounded
	by tenths
}

func (t *tallied) serve(l []decision) int {
	at := t.bounded.serve(l)
	if at >= 0 {
		_, sure, _ := t.best(l)
		p := 1 / (1 + math.Exp(-sure))
		t.by.add(p, 1, l[at].right)
	}
	return at
}

// orders is in how many a bound is tried: a few wrong ones more or less are chance.
const orders = 10

// promises are what bounds come to on the first requests of a trace, for each of some numbers.
func promises(t trace, lengths []int, m *judge.Model) [][]promise {
	out := make([][]promise, len(lengths))
	for k := range lengths {
		for _, w := range []float64{0.02, 0.05, 0.10, 0.20} {
			out[k] = append(out[k], promise{MaxWrong: w})
		}
	}
	for seed := range uint64(orders) {
		s := t.order(seed).around(slices.Max(lengths), maxNear).judged(m)
		for k, n := range lengths {
			parallel(len(out[k]), func(i int) { out[k][i].keep(s.first(n), m) })
		}
	}
	for _, l := range out {
		for i := range l {
			l[i].sum()
		}
	}
	return out
}

// keep replays one order.
func (p *promise) keep(s surroundings, m *judge.Model) {
	t := tallied{bounded: newBounded(m, p.MaxWrong, 0)}
	o := replay(s, m, &t)
	p.Hits += o.Hits / orders
	p.Wrong += o.Wrong / orders
	p.Worst = max(p.Worst, o.Wrong/max(o.Hits, 1e-9))
	if o.Wrong > p.MaxWrong*o.Hits {
		p.Over++
	}
	p.by.addAll(&t.by)
}

// sum makes shares of what was counted in all orders.
func (p *promise) sum() {
	p.Wrong /= max(p.Hits, 1e-9)
	p.Cal, p.Off = p.by.calibrations()
}

// follow replays a trace under each rule and threshold.
func follow(name string, s surroundings, m *judge.Model, trained []judged) traced {
	r := traced{Name: name, Requests: len(s.requests), Trained: nameList(trained)}
	s = s.judged(m)
	sigmoid := func(z float64) float64 { return 1 / (1 + math.Exp(-z)) }
	for _, rule := range []struct {
		name string
		of   func(least float64) policy
	}{
		{"cosine", func(least float64) policy {
			return &threshold{rule: func(d *decision) float64 { return d.cosine }, least: least}
		}},
		{"judge", func(least float64) policy {
			return &threshold{rule: func(d *decision) float64 { return sigmoid(d.logOdds) }, least: least}
		}},
		{"judge and neighbours", func(least float64) policy { return newBounded(m, 0, least) }},
	} {
		const steps = 50
		a := answered{rule.name, make([]outcome, steps), nil}
		parallel(steps, func(i int) { a.All[i] = replay(s, m, rule.of(1-float64(i)*0.5/steps)) })
		for _, w := range wrongs {
			best := outcome{}
			for _, o := range a.All {
				if o.Wrong <= w && o.Hits > best.Hits {
					best = o
				}
			}
			a.AtWrong = append(a.AtWrong, best)
		}
		r.Rules = append(r.Rules, a)
	}
	r.Others = others(s, m, rand.New(rand.NewPCG(11, 0)).Float64)
	return r
}

// look gives a model the weights of what is around a candidate, and what it can expect where it
// comes to, learned of all traces but one. Where a set of pairs is of the same origin as a trace, the scores are those of a
// model that has not seen it.
func (c *course) look(m *judge.Model, except ...string) {
	seen := map[string][]decision{}
	var all []decision
	for _, t := range c.traces {
		if slices.Contains(except, t.name) {
			continue
		}
		strange := c.trained(append(slices.Clone(except), t.name)...)
		s := c.near(t).judged(strange)
		// Nothing is served: what is looked at are all sorts of pairs, not those that one rule leaves.
		replay(s, strange, &threshold{rule: func(d *decision) float64 { return d.logOdds }, least: math.Inf(1), see: func(d *decision) {
			seen[t.name] = append(seen[t.name], *d)
		}})
		all = append(all, seen[t.name]...)
	}
	m.Around = fitAround(all)
	m.Here = nil
	var worth [][2]float64
	for _, t := range c.traces {
		if l := slices.DeleteFunc(seen[t.name], func(d decision) bool { return !d.repeat }); len(l) >= leastSeenHere {
			worth = append(worth, fitWorth(m, l))
		}
	}
	m.Here = spread(worth)
	m.Context = c.contextOf(except)
}
