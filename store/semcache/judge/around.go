package judge

import "math"

// MaxJudged is how many of the nearest entries are worth a look at their words.
const MaxJudged = 5

// MaxAround is how many of the nearest entries are looked at to judge one of them.
const MaxAround = 10

// Around is what the entries near a prompt say of the one that might answer it. A
// prompt between two answers is near to both; one that has only one answer around
// has most likely that one, even at a lower cosine.
type Around struct {
	// Margin is the candidate's cosine less that of the nearest entry with another
	// answer. 1: there is none.
	Margin float64
	// Others reports whether there is an entry with another answer.
	Others bool
	// Agree is how many of the two nearest others have the candidate's answer, and
	// Disagree how many have another.
	Agree, Disagree int
	// Share is the part of the entries that have the candidate's answer, the nearer
	// the more they count.
	Share float64
}

// sharpness is by how much nearer entries count more: e-fold in a cosine of 1/sharpness.
const sharpness = 15

// LookAround says what is around entry i of the nearest ones. cosines are those of
// the entries to the prompt, the nearest first; same tells whether entry j has the answer of entry i.
func LookAround(i int, cosines []float64, same func(j int) bool) Around {
	cosines = cosines[:min(len(cosines), max(MaxAround, i+1))]
	a := Around{Margin: 1}
	var sameWeight, weight float64
	for j, c := range cosines {
		is := j == i || same(j)
		w := math.Exp(sharpness * (c - cosines[0]))
		weight += w
		if is {
			sameWeight += w
		} else if !a.Others {
			a.Margin, a.Others = cosines[i]-c, true
		}
		if j != i && a.Agree+a.Disagree < 2 {
			if is {
				a.Agree++
			} else {
				a.Disagree++
			}
		}
	}
	a.Share = sameWeight / weight
	return a
}

// AroundSize is the number of rows of [Circumstances].
const AroundSize = 5

// Circumstance is a kind of evidence that is not in the two prompts.
type Circumstance struct {
	Name, What string
	of         func(a Around) float64
}

// Circumstances are what the model looks at beside Signals.
var Circumstances = [AroundSize]Circumstance{
	{"neighbours", "another entry near has the same answer", func(Around) float64 { return 1 }},
	{"agree", "how many of the two nearest others have the same answer", func(a Around) float64 { return float64(a.Agree) }},
	{"disagree", "how many of the two nearest others have another answer", func(a Around) float64 { return float64(a.Disagree) }},
	{"margin", "how much nearer it is than the nearest entry with another answer, less .3 and no more than that", func(a Around) float64 {
		return min(a.Margin, 0.3) - 0.3
	}},
	{"share", "the part of the entries around that have another answer, the nearer the more they count, below 0", func(a Around) float64 {
		return a.Share - 1
	}},
}

// Context is the circumstance of a conversation: what came before the two prompts.
var Context = Circumstance{Name: "context", What: "cosine of what came before, where it is compared by what it means"}

// ContextLogOdds is what the cosine of two contexts is worth, where nothing but their embeddings is there. With
// their texts, see TextContextLogOdds.
func (m *Model) ContextLogOdds(cosine float64) float64 {
	if c := m.Context; c != nil {
		return c.At + c.Rise*cosine
	}
	return CosineLogOdds(cosine)
}

// TextContextLogOdds is what two contexts are worth whose texts are there, too: as much as the pair of texts is, by the log odds
// that it was judged with, but no more than their cosine in a conversation. What came before is seldom the same, and
// the pairs that the model has learned of were, one in two.
func (m *Model) TextContextLogOdds(judged, cosine float64) float64 {
	if cosine > oneText {
		return judged
	}
	return min(judged, m.ContextLogOdds(cosine))
}

// oneText is above the cosine of any two texts of which not one is the other.
const oneText = 0.9999

// InContext is what log odds are where that what came before the two prompts is the same has these log odds: both the
// prompts have to mean the same and what they are about. same reports whether the prompts are one: then it is
// what came before that decides.
func InContext(logOdds, context float64, same bool) float64 {
	// The probability is the product of the two.
	p := 1 / (1 + math.Exp(-context))
	if !same {
		p /= 1 + math.Exp(-logOdds)
	}
	p = max(1e-9, min(p, 1-1e-9))
	return math.Log(p / (1 - p))
}

// Row is what the weights of a model are multiplied with; it is zero where no other entry
// near has the same answer: that all others are far says nothing of this one.
func (a Around) Row() (x [AroundSize]float64) {
	if a.Agree == 0 {
		return x
	}
	for i := range Circumstances {
		x[i] = Circumstances[i].of(a)
	}
	return x
}

// Among is the probability that a candidate with this score has the right answer,
// given what is around it; where nothing is, that of the pair.
func (m *Model) Among(score float64, a Around) float64 {
	return 1 / (1 + math.Exp(-m.LogOddsAmong(m.LogOdds(score), a, 0)))
}

// Left are circumstances that do not count, a bit each.
type Left uint8

// LogOddsAmong is what the log odds of a pair are with what is around it.
func (m *Model) LogOddsAmong(logOdds float64, a Around, without Left) float64 {
	if len(m.Around) == AroundSize {
		for i, x := range a.Row() {
			if without&(1<<i) == 0 {
				logOdds += m.Around[i] * x
			}
		}
	}
	return logOdds
}
