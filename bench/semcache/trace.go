package semcache

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/viterin/vek/vek32"

	"github.com/nearcache/nearcache/datasets"
	"github.com/nearcache/nearcache/store/semcache/judge"
)

// The file holds traces. A trace is prompts in the order in which they are asked of a cache that is empty
// at first; a prompt that is not served is stored with its answer (replay.go). It is known which
// answers are equal, as it is from their texts.

// request is one prompt of a trace.
type request struct {
	prompt *judge.Prompt
	vector []float32
	answer string

	// In a conversation vector is between these.
	own, said []float32 // of the prompt, and of what came before
	before    *judge.Prompt
	asks      string // of prompts that ask the same of whatever came before it is the same
}

// trace is the requests of one data set.
type trace struct {
	name     string
	requests []request
	learned  bool // only learned from: too few of its prompts have an answer that another has
}

// traces makes the traces of datasets/, each in a fixed random order.
func traces(m *datasets.Manifest, v vectors) (l []trace, err error) {
	for _, of := range []struct {
		name    string
		read    func(*datasets.Manifest) (texts, answers []string, err error)
		learned bool
	}{
		{"banking", questions, false},
		{"hwu", commands, false},
		{"nq", searches, true},
		{"fow", told, true},
	} {
		texts, answers, err := of.read(m)
		if err != nil {
			return nil, err
		}
		t, err := newTrace(of.name, v, texts, answers)
		if err != nil {
			return nil, err
		}
		t.learned = of.learned
		l = append(l, t)
	}
	return l, nil
}

// questions are a bank's customers', and their intents.
func questions(m *datasets.Manifest) (texts, answers []string, err error) {
	banking, err := m.Banking77()
	for _, q := range banking {
		texts, answers = append(texts, q.Text), append(answers, q.Intent)
	}
	return texts, answers, err
}

// searches are search questions, and their answers.
func searches(m *datasets.Manifest) (texts, answers []string, err error) {
	q, err := rows[searched](m, "nq_open")
	for _, q := range q {
		if len(q.Answers) > 0 {
			texts, answers = append(texts, q.Text), append(answers, plain(q.Answers[0]))
		}
	}
	return texts, answers, err
}

// told are the prompts of fow's pairs; those of a pair with the same answer have it.
func told(m *datasets.Manifest) (texts, answers []string, err error) {
	p, err := rows[pair](m, "fow_pairs")
	of := map[string]string{}
	for i, x := range p {
		for k, text := range []string{x.A, x.B} {
			if of[text] != "" {
				continue
			}
			answer := strconv.Itoa(2*i + k)
			if k == 1 && x.Label == 1 {
				answer = of[x.A]
			}
			of[text] = answer
			texts, answers = append(texts, text), append(answers, answer)
		}
	}
	return texts, answers, err
}

func newTrace(name string, v vectors, texts, answers []string) (trace, error) {
	t := trace{name: name, requests: make([]request, len(texts))}
	for i, text := range texts {
		row, err := v.at(text)
		if err != nil {
			return t, err
		}
		t.requests[i] = request{prompt: judge.Parse(text), vector: v.Row(row), answer: answers[i]}
	}
	return t.order(0), nil
}

// order is the trace in another order.
func (t trace) order(seed uint64) trace {
	t.requests = slices.Clone(t.requests)
	rand.New(rand.NewPCG(7, seed)).Shuffle(len(t.requests), func(i, j int) { t.requests[i], t.requests[j] = t.requests[j], t.requests[i] })
	return t
}

// surroundings are the first requests of a trace, and of each the nearest of those before it. They are
// looked for once, however many rules are replayed.
type surroundings struct {
	requests []request
	near     [][]neighbour // the nearest first
}

// neighbour is an earlier request.
type neighbour struct {
	of     int32
	cosine float32
	own    float32 // cosine of the prompts
	said   float32 // …and of what came before; NaN: nothing
	score  float32 // of the pair, by the model at hand; NaN: not asked for yet
	about  float32 // log odds that what came before is the same
}

// maxNear is how many neighbours are kept: enough to find the ten that a look-up sees among
// those that were stored.
const maxNear = 192

// around looks for the neighbours of the first n requests, k of each.
func (t trace) around(n, k int) surroundings {
	s := surroundings{requests: t.requests[:min(n, len(t.requests))]}
	s.near = make([][]neighbour, len(s.requests))
	nan := float32(math.NaN())
	parallel(len(s.requests), func(i int) {
		near := make([]neighbour, 0, min(k, i))
		b := &s.requests[i]
		for j := range i {
			c := vek32.Dot(s.requests[j].vector, b.vector)
			if len(near) == k && c <= near[k-1].cosine {
				continue
			}
			at, _ := slices.BinarySearchFunc(near, c, func(x neighbour, c float32) int {
				if x.cosine >= c {
					return -1
				}
				return 1
			})
			if len(near) == k {
				near = near[:k-1]
			}
			near = slices.Insert(near, at, neighbour{of: int32(j), cosine: c, own: c, said: nan, score: nan})
		}
		for i := range near {
			x := &near[i]
			if a := &s.requests[x.of]; a.said != nil {
				x.own, x.said = vek32.Dot(a.own, b.own), vek32.Dot(a.said, b.said)
			}
		}
		s.near[i] = near
	})
	return s
}

// first is the surroundings of the first n requests alone.
func (s surroundings) first(n int) surroundings {
	n = min(n, len(s.requests))
	return surroundings{s.requests[:n], s.near[:n]}
}

// maxScored is of how many neighbours the scores are made beforehand: most of the candidates that any rule comes
// to are among them.
const maxScored = 32

// judged fills in the scores of the pairs that a look-up may judge, wherever they are looked up.
func (s surroundings) judged(m *judge.Model) surroundings {
	out := surroundings{s.requests, make([][]neighbour, len(s.near))}
	parallel(len(s.near), func(i int) {
		out.near[i] = slices.Clone(s.near[i])
		for k := range out.near[i][:min(maxScored, len(out.near[i]))] {
			s.score(m, i, &out.near[i][k])
		}
	})
	return out
}

// score asks a model about a request and its neighbour, if that was not done.
func (s surroundings) score(m *judge.Model, i int, x *neighbour) {
	if x.cosine < leastNear || !math.IsNaN(float64(x.score)) {
		return
	}
	e := judge.Compare(s.requests[x.of].prompt, s.requests[i].prompt, float64(x.own), nil)
	x.score = float32(m.Score(e))
	if s.requests[i].before != nil {
		e = judge.Compare(s.requests[x.of].before, s.requests[i].before, float64(x.said), e[:0])
		x.about = float32(m.TextContextLogOdds(m.LogOdds(m.Score(e)), float64(x.said)))
	}
}
