package judge

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"sync"
)

// Model is a sum of decision trees over evidence, as in Friedman, "Greedy
// Function Approximation: A Gradient Boosting Machine" (2001).
type Model struct {
	// Signals names what each element of evidence is; it has to be that of this package.
	Signals []string `json:"signals"`
	// Bias is the log odds before any tree has spoken, Prior what a unit of
	// cosine adds to them, at a cosine of Middle nothing.
	Bias   float64 `json:"bias"`
	Prior  float64 `json:"prior"`
	Middle float64 `json:"middle"`
	Trees  []Tree  `json:"trees"`
	// Worth is what the sum is worth for pairs of an origin that the trees have not
	// seen: a line through these points, which rises, as in Zadrozny and Elkan,
	// "Transforming Classifier Scores into Accurate Multiclass Probability Estimates"
	// (2002). Without them the sum is taken for the log odds.
	Worth []Point `json:"worth,omitempty"`
	// Limits say from what confidence on so many of the pairs that are served are wrong, all
	// told: the one that is just served is more often wrong than that. Ascending.
	Limits []Limit `json:"limits,omitempty"`
	// Around are the weights of [Around.Row]; without them the neighbours do not count.
	Around []float64 `json:"around,omitempty"`
	// Context is what the cosine of what came before is worth.
	Context *Line `json:"context,omitempty"`
	// Here is what can be expected where answers can be told apart, before anything of it was seen.
	Here *Prior `json:"here,omitempty"`
	// About says how the weights were made.
	About string `json:"about"`
}

// Line is log odds by a cosine.
type Line struct {
	At   float64 `json:"at"`   // a cosine of 0
	Rise float64 `json:"rise"` // for each unit of it
}

// Point is the log odds that a score is worth.
type Point struct {
	Score   float64 `json:"score"`
	LogOdds float64 `json:"log_odds"`
}

// Limit is a share of wrong ones among those served, and the least confidence that keeps it.
type Limit struct {
	Wrong float64 `json:"wrong"`
	Least float64 `json:"least"`
}

// Tree is a list of nodes, the root first.
type Tree []Node

// Node is a question, or a leaf when Left is 0.
type Node struct {
	Signal int     `json:"s,omitempty"`
	At     float64 `json:"t,omitempty"` // not above it goes left
	Left   int     `json:"l,omitempty"`
	Right  int     `json:"r,omitempty"`
	Value  float64 `json:"v,omitempty"` // of a leaf: what it adds to the log odds
}

// Score is the sum of what the evidence is worth: the more, the surer.
func (m *Model) Score(e Evidence) float64 {
	s := m.Bias + m.Prior*(e[0]-m.Middle)
	for _, t := range m.Trees {
		i := 0
		for t[i].Left != 0 {
			if e[t[i].Signal] <= t[i].At {
				i = t[i].Left
			} else {
				i = t[i].Right
			}
		}
		s += t[i].Value
	}
	return s
}

// Confidence is the probability that the two prompts have the same answer, were one pair in two so.
func (m *Model) Confidence(e Evidence) float64 { return m.Probability(m.Score(e)) }

// Probability is what a score is worth.
func (m *Model) Probability(score float64) float64 { return 1 / (1 + math.Exp(-m.LogOdds(score))) }

// LogOdds is what a score is worth, as log odds.
func (m *Model) LogOdds(score float64) float64 {
	n := len(m.Worth)
	if n < 2 {
		return score
	}
	i := 1
	for i < n-1 && score > m.Worth[i].Score {
		i++
	}
	a, b := m.Worth[i-1], m.Worth[i]
	return a.LogOdds + (score-a.Score)*(b.LogOdds-a.LogOdds)/(b.Score-a.Score)
}

// Least is the confidence from which on a pair is to be served so that no more than a share of those
// served is wrong; above 1 for 0, which is no share that can be promised.
func (m *Model) Least(wrong float64) float64 {
	if wrong <= 0 {
		return 2
	}
	from := Limit{0, 1}
	for _, l := range m.Limits {
		if wrong <= l.Wrong {
			return from.Least + (l.Least-from.Least)*(wrong-from.Wrong)/(l.Wrong-from.Wrong)
		}
		from = l
	}
	return from.Least * (1 - min(1, wrong)) / (1 - from.Wrong)
}

// parseModel reads a model, and refuses one that is not for these signals or whose trees are none.
func parseModel(b []byte) (*Model, error) {
	m := &Model{}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, err
	}
	return m, m.check()
}

func (m *Model) check() error {
	if len(m.Signals) != len(Signals) {
		return fmt.Errorf("judge: a model for %d signals, there are %d", len(m.Signals), len(Signals))
	}
	if n := len(m.Around); n != 0 && n != AroundSize {
		return fmt.Errorf("judge: %d weights for what is around a candidate, want %d", n, AroundSize)
	}
	if c := m.Context; c != nil && !(c.Rise > 0) {
		return fmt.Errorf("judge: a context is worth %v", *c)
	}
	if p := m.Here; p != nil && !(p.Mean[1] > 0 && p.Cov[0] > 0 && p.Cov[2] > 0 && p.Cov[0]*p.Cov[2] > p.Cov[1]*p.Cov[1]) {
		return fmt.Errorf("judge: %v is nothing that can be expected", *p)
	}
	for i := 1; i < len(m.Worth); i++ {
		if a, b := m.Worth[i-1], m.Worth[i]; b.Score <= a.Score || b.LogOdds <= a.LogOdds {
			return fmt.Errorf("judge: point %d of what a score is worth does not rise", i)
		}
	}
	last := Limit{0, 1}
	for _, l := range m.Limits {
		if !(l.Wrong > last.Wrong && l.Wrong < 1 && l.Least <= last.Least && l.Least >= 0) {
			return fmt.Errorf("judge: limit %v behind %v", l, last)
		}
		last = l
	}
	for i, s := range m.Signals {
		if s != Signals[i].Name {
			return fmt.Errorf("judge: signal %d is %q, the model wants %q", i, Signals[i].Name, s)
		}
	}
	for i, t := range m.Trees {
		if len(t) == 0 {
			return fmt.Errorf("judge: tree %d is empty", i)
		}
		for j, n := range t {
			// Children stand behind their parent, so that every walk ends.
			if n.Left != 0 && (n.Left <= j || n.Left >= len(t) || n.Right <= j || n.Right >= len(t) || n.Signal < 0 || n.Signal >= len(Signals)) {
				return fmt.Errorf("judge: tree %d, node %d: out of bounds", i, j)
			}
		}
	}
	return nil
}

//go:embed model.json
var modelFile []byte

// Default is the model that comes with the package.
var Default = sync.OnceValue(func() *Model {
	m, err := parseModel(modelFile)
	if err != nil {
		panic(err) // a test parses it
	}
	return m
})

// CosineLogOdds are the log odds by the cosine alone: what is left where guards are
// switched off.
func CosineLogOdds(cosine float64) float64 { return 20 * (cosine - 0.85) }
