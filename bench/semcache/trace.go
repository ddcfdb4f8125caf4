package semcache

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/viterin/vek/vek32"

	"github.com/nearcache/nearcache/datasets"
	"github.com/nearcache/nearcache/store/semcache/judge"
)

// The file replays traces. A trace is prompts in the order in which they are asked of a cache that is empty
// at first; a prompt that is not served is stored with its answer. Here the answer
// is an intent: it is known which are equal, as it is from their texts.

// request is one prompt of a trace.
type request struct {
	prompt *judge.Prompt
	vector []float32
	answer string
}

// trace is the requests of one data set.
type trace struct {
	name     string
	requests []request
}

// leastNear is the cosine from which on one may be served.
const leastNear = 0.5

// decision is what was known when a request came, and what would have become of it.
type decision struct {
	score   float64
	logOdds float64 // what the pair's score is worth
	cosine  float64
	around  judge.Around
	repeat  bool // answers can be told apart among the nearest entries: two have the same
	doubt   judge.Doubt
	right   bool
}

// among is the confidence with all that SEM.GET knows.
func (d *decision) among(m *judge.Model) float64 {
	z := m.LogOddsAmong(d.score, d.around)
	if d.repeat {
		z += d.doubt.LogOdds()
	}
	return 1 / (1 + math.Exp(-z))
}

// traces makes the traces of datasets/, each in a fixed random order.
func traces(m *datasets.Manifest, v vectors) ([]trace, error) {
	banking, err := m.Banking77()
	if err != nil {
		return nil, err
	}
	texts, answers := make([]string, 0, len(banking)), make([]string, 0, len(banking))
	for _, q := range banking {
		texts, answers = append(texts, q.Text), append(answers, q.Intent)
	}
	a, err := newTrace("banking", v, texts, answers)
	if err != nil {
		return nil, err
	}
	if texts, answers, err = commands(m); err != nil {
		return nil, err
	}
	b, err := newTrace("hwu", v, texts, answers)
	return []trace{a, b}, err
}

func newTrace(name string, v vectors, texts, answers []string) (trace, error) {
	t := trace{name, make([]request, len(texts))}
	for i, text := range texts {
		row, err := v.at(text)
		if err != nil {
			return t, err
		}
		t.requests[i] = request{judge.Parse(text), v.Row(row), answers[i]}
	}
	rand.New(rand.NewPCG(7, 0)).Shuffle(len(t.requests), func(i, j int) { t.requests[i], t.requests[j] = t.requests[j], t.requests[i] })
	return t, nil
}

// outcome is what a policy made of a trace, as shares of all requests.
type outcome struct {
	Hits  float64 `json:"hits"`
	Wrong float64 `json:"wrong"`
}

// replay serves each request by the candidate that a rule is surest of, if it is as sure
// as least. see may be nil.
func replay(requests []request, m *judge.Model, rule func(decision) float64, least float64, see func(decision)) outcome {
	var stored []*request
	var hits, wrong int
	var e judge.Evidence
	type neighbour struct {
		of     *request
		cosine float64
	}
	var near []neighbour
	var cosines []float64
	var doubt judge.Doubt
	for i := range requests {
		r := &requests[i]
		near = near[:0]
		for _, s := range stored {
			c := float64(vek32.Dot(s.vector, r.vector))
			if len(near) == judge.MaxAround && c <= near[judge.MaxAround-1].cosine {
				continue
			}
			at, _ := slices.BinarySearchFunc(near, c, func(n neighbour, c float64) int {
				if n.cosine >= c {
					return -1
				}
				return 1
			})
			if len(near) == judge.MaxAround {
				near = near[:judge.MaxAround-1]
			}
			near = slices.Insert(near, at, neighbour{s, c})
		}
		cosines = cosines[:0]
		repeat := false
		for k, n := range near {
			cosines = append(cosines, n.cosine)
			repeat = repeat || slices.ContainsFunc(near[:k], func(o neighbour) bool { return o.of.answer == n.of.answer })
		}
		best, sure, found := decision{}, math.Inf(-1), false
		for k, n := range near {
			if n.cosine < leastNear || k >= judge.MaxJudged {
				break
			}
			e = judge.Compare(n.of.prompt, r.prompt, n.cosine, e[:0])
			s := m.Score(e)
			d := decision{score: s, logOdds: m.LogOdds(s), cosine: n.cosine, repeat: repeat, doubt: doubt, right: n.of.answer == r.answer}
			d.around = judge.LookAround(k, cosines, func(j int) bool { return near[j].of.answer == n.of.answer })
			if x := rule(d); x > sure {
				best, sure, found = d, x, true
			}
		}
		if found && see != nil {
			see(best)
		}
		if found && sure >= least {
			hits++
			if !best.right {
				wrong++
			}
			continue
		}
		if found && repeat {
			doubt = doubt.Seen(best.among(m), best.right)
		}
		stored = append(stored, r)
	}
	n := float64(max(len(requests), 1))
	return outcome{float64(hits) / n, float64(wrong) / n}
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

// promise is a bound on the share of wrong ones among the hits, and what it came to.
type promise struct {
	MaxWrong float64 `json:"max_wrong"`
	Hits     float64 `json:"hits"`
	Wrong    float64 `json:"wrong"` // of the hits
}

// follow replays the first n requests of a trace under each rule and threshold.
func follow(t trace, n int, m *judge.Model, trained []judged) traced {
	r := traced{Name: t.name, Requests: min(n, len(t.requests)), Trained: nameList(trained)}
	requests := t.requests[:r.Requests]
	for _, rule := range []struct {
		name  string
		value func(decision) float64
	}{
		{"cosine", func(d decision) float64 { return d.cosine }},
		{"judge", func(d decision) float64 { return m.Probability(d.score) }},
		{"judge and neighbours", func(d decision) float64 { return d.among(m) }},
	} {
		const steps = 25
		a := answered{rule.name, make([]outcome, steps), nil}
		parallel(steps, func(i int) {
			least := 1 - float64(i)*0.5/steps
			a.All[i] = replay(requests, m, rule.value, least, nil)
		})
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
	for _, w := range []float64{0.02, 0.05, 0.10, 0.20} {
		o := replay(requests, m, func(d decision) float64 { return d.among(m) }, m.Least(w), nil)
		r.Kept = append(r.Kept, promise{w, o.Hits, o.Wrong / max(o.Hits, 1e-9)})
	}
	r.Others = others(requests, m, rand.New(rand.NewPCG(11, 0)).Float64)
	return r
}
