package semcache

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/viterin/vek/vek32"

	"github.com/nearcache/nearcache/store/semcache"
	"github.com/nearcache/nearcache/store/semcache/judge"
)

// The file makes conversations of the traces. There are no real ones whose answers are known to be the same; but
// there are real questions, and real follow-ups, which ask for more, or for the same again. Of a follow-up behind a
// question the answer is the same if both are about the same.

// talkative are the intents of HWU64 that are about what was said before.
var talkative = []string{"general_explain", "general_repeat", "general_confirm"}

// phrases is in how many ways people ask for each.
const phrases = 20

// talks is how many requests a conversation's trace has.
const talks = 3000

// conversation puts follow-ups behind the questions of a trace.
func (c *course) conversation(of string) trace {
	var about, follow []request
	said := map[string]int{}
	for _, t := range c.traces {
		for _, r := range t.requests {
			intent := strings.TrimSpace(r.answer)
			switch {
			case t.name == "hwu" && slices.Contains(talkative, intent):
				if r.asks = intent; said[intent] < phrases {
					said[intent]++
					follow = append(follow, r)
				}
			case t.name == of && !strings.HasPrefix(intent, "general_"):
				about = append(about, r)
			}
		}
	}
	t := trace{name: of}
	if len(follow) == 0 {
		return t
	}
	rnd := rand.New(rand.NewPCG(13, 0))
	for _, a := range about[:min(len(about), talks)] {
		f := follow[rnd.IntN(len(follow))]
		between := vek32.Add(f.vector, a.vector)
		semcache.Shorten(between)
		t.requests = append(t.requests, request{
			prompt: f.prompt, vector: between, own: f.vector, said: a.vector, before: a.prompt, asks: f.asks, answer: a.answer + ", " + f.asks,
		})
	}
	return t
}

// lastOnly is a conversation of which a cache sees the last message alone.
func (t trace) lastOnly() trace {
	t.requests = slices.Clone(t.requests)
	for i := range t.requests {
		r := &t.requests[i]
		r.vector, r.own, r.said = r.own, nil, nil
	}
	return t
}

// contextOf learns what the cosine of two contexts is worth, of conversations about all traces but some.
func (c *course) contextOf(except []string) *judge.Line {
	var rows [][]float64
	var right []bool
	for _, of := range []string{"banking", "hwu"} {
		if slices.Contains(except, of) {
			continue
		}
		t := c.conversation(of)
		s := t.around(talks, judge.MaxAround)
		replay(s, &judge.Model{}, seen(func(l []decision) {
			for _, d := range l {
				if d.alike {
					rows, right = append(rows, []float64{1, d.said}), append(right, d.right)
				}
			}
		}))
	}
	if len(rows) < leastSeenHere {
		return nil
	}
	w := logistic(rows, make([]float64, len(rows)), right, []float64{-10, 15}, 1e-2)
	return &judge.Line{At: w[0], Rise: w[1]}
}

// seen is a policy that serves nothing, and sees all candidates.
type seen func(l []decision)

func (seen) serve([]decision) int  { return -1 }
func (f seen) missed(l []decision) { f(l) }

// talked is what became of a conversation's trace.
type talked struct {
	About    string     `json:"about"`
	Requests int        `json:"requests"`
	Rules    []talkRule `json:"rules"`
}

// talkRule is a rule, the share of requests that it serves, and the wrong ones of those, in the mean of some orders.
type talkRule struct {
	Rule  string  `json:"rule"`
	Hits  float64 `json:"hits"`
	Wrong float64 `json:"wrong"`
}

// talk replays conversations about the questions of a trace, by a model that has seen neither them nor the
// follow-ups.
func (c *course) talk(about string) talked {
	except := []string{"hwu"}
	if about != "hwu" {
		except = append(except, about)
	}
	m := c.trained(except...)
	c.look(m, except...)
	m.Context = c.contextOf([]string{about}) // contexts alone: what the others' are worth
	t := c.conversation(about)
	r := talked{About: about, Requests: len(t.requests)}
	bound := func(wrong float64) func() policy { return func() policy { return newBounded(m, wrong, 0) } }
	cosine := func(of func(d *decision) float64) func() policy {
		return func() policy { return &threshold{rule: of, least: 0.80} }
	}
	rules := []struct {
		name string
		last bool
		p    func() policy
	}{
		{"last message alone, cosine .80", true, cosine(func(d *decision) float64 { return d.cosine })},
		{"last message alone, MAXWRONG .05", true, bound(0.05)},
		{"both embedded, cosine .80", false, cosine(func(d *decision) float64 { return min(d.cosine, d.said) })},
		{"context embedded, MAXWRONG .02", false, bound(0.02)},
		{"context embedded, MAXWRONG .05", false, bound(0.05)},
		{"context embedded, MAXWRONG .10", false, bound(0.10)},
		{"context embedded, MAXWRONG .20", false, bound(0.20)},
	}
	for _, rule := range rules {
		r.Rules = append(r.Rules, talkRule{Rule: rule.name})
	}
	for seed := range uint64(orders) {
		t := t.order(seed)
		with, last := t.around(talks, maxNear).judged(m), t.lastOnly().around(talks, maxNear).judged(m)
		parallel(len(rules), func(i int) {
			s := with
			if rules[i].last {
				s = last
			}
			o := replay(s, m, rules[i].p())
			r.Rules[i].Hits += o.Hits / orders
			r.Rules[i].Wrong += o.Wrong / orders
		})
	}
	for i := range r.Rules {
		r.Rules[i].Wrong /= math.Max(r.Rules[i].Hits, 1e-9)
	}
	return r
}
