package semcache

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/nearcache/nearcache/store/semcache/judge"
	"github.com/nearcache/nearcache/store/types/hash"
)

// Candidate is an entry that might answer, and what speaks for and against it.
type Candidate struct {
	Key        string
	Prompt     string
	Sim        float64
	Context    float64 // cosine of what came before; NaN where it is not compared by what it means
	Margin     float64 // to the nearest entry with another answer, as far as it was looked for; NaN: there is none
	Confidence float64
	Shift      float64 // log odds that feedback has added
	Guards     []string
	Evidence   judge.Evidence
	Around     judge.Around // zero where answers cannot be told apart
	Reason     string       // why it is not served; "" if it may be

	near     float64 // cosine as the index has it: of the prompts, or between them and their contexts
	answer   answer
	class    int     // the place of the first candidate with the same answer
	odds     float64 // log odds of the model, before all that was learned here
	before   string
	same     bool // the very prompt, behind what is compared by what it means
	judged   bool
	here     bool // the odds were worth what the namespace has learned of other answers
	inserted int64
	verdict  int8 // on this very prompt: 1 accepted by feedback, or it is the entry's own; -1 refused by feedback
}

// candidate takes what the decision needs out of an entry; false where it is not of
// the partition.
func (n *Namespace) candidate(x *Candidate, h *hash.Value, partition, id []byte) bool {
	if p, ok := h.GetString(fieldPartition); !ok || string(p) != string(partition) {
		return false
	}
	p, ok := h.GetString(fieldPrompt)
	if !ok {
		return false
	}
	x.Prompt = string(p)
	if x.answer, ok = n.answerOf(h); !ok {
		return false
	}
	x.inserted = insertedAt(h)
	x.Shift = floatField(h, fieldShift)
	if refused(h, id) {
		x.verdict = -1
	} else if l, ok := h.GetString(fieldAccepted); ok && holds(l, id) {
		x.verdict = 1
	} else if n.id(x.Key) == string(id) && bytes.Equal(n.idIn(partition, p), id) { // the key alone may be another's, by RENAME
		x.verdict, x.Sim = 1, 1
	}
	return true
}

// holds reports whether a list of ids, with spaces between, holds one.
func holds(list, id []byte) bool { return strings.Contains(string(list), string(id)) }

// hashMark begins the id of an answer that nobody has given one.
const hashMark = "#"

// answerHash tells answers apart by their text.
func answerHash(a []byte) string {
	return fmt.Sprintf(hashMark+"%016x", xxh3.Hash(a))
}

func insertedAt(h *hash.Value) int64 { return int64(math.Round(floatField(h, fieldInserted) * 1000)) }

// bounds are what a query wants of a hit: the least cosine, and the share of wrong ones that is put up with.
type bounds struct{ minSim, wrong float64 }

func (n *Namespace) bounds(q *Query) bounds {
	b := bounds{n.MinSim, n.MaxWrong}
	if q.MinSim != nil {
		b.minSim = *q.MinSim
	}
	if q.MaxWrong != nil {
		b.wrong = *q.MaxWrong
	}
	return b
}

// decide judges candidates, which stand nearest first, and returns the place of the one
// to serve, -1 for none. before is what came before the prompt, nil for nothing. With all, it judges each of them.
func (n *Namespace) decide(p, before *judge.Prompt, l []Candidate, b bounds, now int64, all bool) int {
	best := -1
	var room [neighbours]float64
	sims := room[:0]
	for i := range l {
		sims = append(sims, l[i].near)
	}
	n.classes(l)
	apart := n.Guard != Off && doubtful(l)
	t := n.trial(b, now, before, apart)
	for i := range l {
		x := &l[i]
		if !all && (i >= judge.MaxJudged || x.Sim < b.minSim && math.IsNaN(x.Context)) {
			if i == 0 {
				x.Reason = tooFar(x.Sim, b.minSim)
			}
			break
		}
		if !all && best >= 0 && x.class == l[best].class {
			continue // it would be the same answer
		}
		around := judge.LookAround(i, sims, func(j int) bool { return l[j].class == x.class })
		if x.Margin = around.Margin; !around.Others {
			x.Margin = math.NaN()
		}
		if !apart {
			around = judge.Around{}
		}
		x.Around = around
		var of *judge.Prompt
		if n.Guard != Off {
			of = judge.Parse(x.Prompt)
		}
		n.judge(p, of, x, &t)
		if x.Reason == "" && (best < 0 || x.Confidence > l[best].Confidence) {
			best = i
		}
	}
	return best
}

func tooFar(sim, least float64) string {
	return fmt.Sprintf("similarity %.3f is below %.3f", sim, least)
}

// trial is what all candidates of a decision are judged by.
type trial struct {
	bounds
	measure
	now    int64
	before *judge.Prompt // what came before, nil where that is not known
}

func (n *Namespace) trial(b bounds, now int64, before *judge.Prompt, apart bool) trial {
	return trial{b, n.measure(b.wrong, apart), now, before}
}

// measure is what odds are worth, and what is enough, by what the namespace has learned.
type measure struct {
	here  *judge.Here // of other answers; nil where it does not count
	least float64     // confidence
}

// measure is that of a share of wrong answers that is put up with. apart reports whether answers are told apart around
// what is judged: with that, or where they were often enough before, what was learned of other answers counts.
func (n *Namespace) measure(wrong float64, apart bool) measure {
	if apart || n.comparesAnswers() {
		here := n.doubts.now()
		return measure{&here, here.Least(wrong)}
	}
	return measure{nil, judge.Default().Least(wrong)}
}

// confidence is that of an answer's log odds, and of the shift by feedback beside it.
func (n *Namespace) confidence(m *measure, odds, shift float64) float64 {
	if m.here != nil {
		odds = m.here.LogOdds(odds)
	}
	return 1 / (1 + math.Exp(-(odds + shift + n.learnedBias())))
}

// comparesAnswers reports whether what was learned of other answers counts for every candidate.
func (n *Namespace) comparesAnswers() bool { return n.Guard != Off && n.doubts.told.Load() }

// judge sets a candidate's confidence, and the reason if it is not to be served. of is its
// prompt, taken apart.
func (n *Namespace) judge(p, of *judge.Prompt, x *Candidate, t *trial) {
	odds := 0.0
	if n.Guard == Off {
		odds = judge.CosineLogOdds(x.Sim)
	} else {
		x.Evidence = judge.Compare(p, of, x.Sim, x.Evidence[:0])
		for _, s := range n.without.signals {
			x.Evidence[s] = 0
		}
		x.Guards = judge.Fired(x.Evidence)
		m := judge.Default()
		odds = m.LogOddsAmong(m.LogOdds(m.Score(x.Evidence)), x.Around, n.without.circumstances)
	}
	odds = n.contextual(odds, x, t.before)
	x.judged, x.odds, x.here = true, odds, t.here != nil
	x.Confidence = n.confidence(&t.measure, odds, x.Shift)
	switch {
	case x.verdict > 0:
		x.Confidence = 1
	case x.verdict < 0:
		x.Confidence = 0
	}
	switch {
	case x.verdict < 0:
		x.Reason = "feedback has refused it for this prompt"
	case n.MaxAge > 0 && t.now-x.inserted >= n.MaxAge:
		x.Reason = "older than MAXAGE"
	case x.Sim < t.minSim:
		x.Reason = tooFar(x.Sim, t.minSim)
	case x.verdict > 0:
	case n.Guard == Strict && len(x.Guards) > 0:
		x.Reason = "guard: " + strings.Join(x.Guards, ", ")
	case n.Margin > 0 && x.Margin < n.Margin:
		x.Reason = fmt.Sprintf("margin %.3f is below %.3f", x.Margin, n.Margin)
	case x.Confidence < t.least:
		x.Reason = fmt.Sprintf("confidence %.3f is below %.3f", x.Confidence, min(1, t.least))
		if len(x.Guards) > 0 {
			x.Reason += ", guard: " + strings.Join(x.Guards, ", ")
		}
	}
}

// without is what does not count in a namespace.
type without struct {
	context       bool
	signals       []int // of judge.Signals
	circumstances judge.Left
}

// leftOut finds what is named: signals, guards by which they fire, and circumstances. Of the signals only what
// speaks against a hit can be left out.
func leftOut(names []string) (w without, err error) {
	for _, name := range names {
		if strings.EqualFold(name, judge.Context.Name) {
			w.context = true
			continue
		}
		if i := slices.IndexFunc(judge.Circumstances[:], func(c judge.Circumstance) bool { return strings.EqualFold(c.Name, name) }); i >= 0 {
			w.circumstances |= 1 << i
			continue
		}
		by := name
		for _, g := range judge.Guards {
			if strings.EqualFold(g.Name, name) {
				by = g.By
			}
		}
		i := slices.IndexFunc(judge.Signals, func(s judge.Signal) bool { return strings.EqualFold(s.Name, by) })
		if i < 0 {
			return w, paramErrorf("there is no guard or signal %s", name)
		}
		if judge.Signals[i].Sense >= 0 {
			return w, paramErrorf("%s speaks for a hit, too, and cannot be left out", name)
		}
		w.signals = append(w.signals, i)
	}
	return w, nil
}
