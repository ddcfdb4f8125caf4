package semcache

import (
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
	Margin     float64 // to the nearest entry with another answer, as far as it was looked for; NaN: there is none
	Confidence float64
	Shift      float64 // log odds that feedback has added
	Guards     []string
	Evidence   judge.Evidence
	Reason     string // why it is not served; "" if it may be

	answer   string // of entries with the same answer it is the same
	inserted int64
	verdict  int8 // of feedback on this very prompt: 1 accepted, -1 refused
}

// read takes what the decision needs out of an entry; false where it is not of
// the partition.
func (x *Candidate) read(h *hash.Value, partition, id []byte) bool {
	if p, ok := h.GetString(fieldPartition); !ok || string(p) != string(partition) {
		return false
	}
	p, ok := h.GetString(fieldPrompt)
	if !ok {
		return false
	}
	x.Prompt = string(p)
	if a, ok := h.GetString(fieldAnswerID); ok && len(a) > 0 {
		x.answer = string(a)
	} else if a, ok := h.GetString(fieldAnswer); ok {
		x.answer = answerHash(a)
	} else {
		return false
	}
	x.inserted = insertedAt(h)
	x.Shift = floatField(h, fieldShift)
	if l, ok := h.GetString(fieldRefused); ok && holds(l, id) {
		x.verdict = -1
	} else if l, ok := h.GetString(fieldAccepted); ok && holds(l, id) {
		x.verdict = 1
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

// bounds are the least that a query wants of a hit: the cosine, and the confidence.
type bounds struct{ minSim, least float64 }

func (n *Namespace) bounds(q *Query) bounds {
	b, wrong := bounds{minSim: n.MinSim}, n.MaxWrong
	if q.MinSim != nil {
		b.minSim = *q.MinSim
	}
	if q.MaxWrong != nil {
		wrong = *q.MaxWrong
	}
	b.least = judge.Default().Least(wrong)
	return b
}

// decide judges candidates, which stand nearest first, and returns the place of the one
// to serve, -1 for none. With all, it judges each of them.
func (n *Namespace) decide(p *judge.Prompt, l []Candidate, b bounds, now int64, all bool) int {
	best := -1
	var room [neighbours]float64
	sims := room[:0]
	for i := range l {
		sims = append(sims, l[i].Sim)
	}
	speak, doubt := n.Guard != Off && answersRepeat(l), 0.0
	if speak {
		doubt = n.doubts.logOdds()
	}
	for i := range l {
		x := &l[i]
		if !all && (i >= judge.MaxJudged || x.Sim < b.minSim) {
			if i == 0 {
				x.Reason = tooFar(x.Sim, b.minSim)
			}
			break
		}
		x.Margin = margin(l, i)
		around := judge.Around{}
		if speak {
			around = judge.LookAround(i, sims, func(j int) bool { return l[j].answer == x.answer })
		}
		var of *judge.Prompt
		if n.Guard != Off {
			of = judge.Parse(x.Prompt)
		}
		n.judge(p, of, x, around, doubt, b, now)
		if x.Reason == "" && (best < 0 || x.Confidence > l[best].Confidence) {
			best = i
		}
	}
	return best
}

// answersRepeat reports whether answers can be told apart here: two entries have the same. Where
// a model has written each of them anew, that two differ says nothing.
func answersRepeat(l []Candidate) bool {
	for i := range l {
		for k := range l[:i] {
			if l[i].answer == l[k].answer {
				return true
			}
		}
	}
	return false
}

// margin is how much nearer a candidate is than any with another answer.
func margin(l []Candidate, i int) float64 {
	for k := range l {
		if l[k].answer != l[i].answer {
			return l[i].Sim - l[k].Sim
		}
	}
	return math.NaN()
}

func tooFar(sim, least float64) string {
	return fmt.Sprintf("similarity %.3f is below %.3f", sim, least)
}

// judge sets a candidate's confidence, and the reason if it is not to be served. of is its
// prompt, taken apart; doubt what the confidence loses here.
func (n *Namespace) judge(p, of *judge.Prompt, x *Candidate, around judge.Around, doubt float64, b bounds, now int64) {
	odds := 0.0
	if n.Guard == Off {
		odds = judge.CosineLogOdds(x.Sim)
	} else {
		x.Evidence = judge.Compare(p, of, x.Sim, x.Evidence[:0])
		for _, s := range n.neutral {
			x.Evidence[s] = 0
		}
		x.Guards = judge.Fired(x.Evidence)
		m := judge.Default()
		odds = m.LogOddsAmong(m.Score(x.Evidence), around)
	}
	x.Confidence = 1 / (1 + math.Exp(-(odds + x.Shift + n.learnedBias() + doubt)))
	switch {
	case x.verdict > 0:
		x.Confidence = 1
	case x.verdict < 0:
		x.Confidence = 0
	}
	switch {
	case x.verdict < 0:
		x.Reason = "feedback has refused it for this prompt"
	case n.MaxAge > 0 && now-x.inserted >= n.MaxAge:
		x.Reason = "older than MAXAGE"
	case x.Sim < b.minSim:
		x.Reason = tooFar(x.Sim, b.minSim)
	case x.verdict > 0:
	case n.Guard == Strict && len(x.Guards) > 0:
		x.Reason = "guard: " + strings.Join(x.Guards, ", ")
	case n.Margin > 0 && x.Margin < n.Margin:
		x.Reason = fmt.Sprintf("margin %.3f is below %.3f", x.Margin, n.Margin)
	case x.Confidence < b.least:
		x.Reason = fmt.Sprintf("confidence %.3f is below %.3f", x.Confidence, min(1, b.least))
		if len(x.Guards) > 0 {
			x.Reason += ", guard: " + strings.Join(x.Guards, ", ")
		}
	}
}

// neutral are the signals that do not count: those named, and those by which the
// guards named fire. Only what speaks against a hit can be left out.
func neutral(names []string) (signals []int, err error) {
	for _, name := range names {
		by := name
		for _, g := range judge.Guards {
			if strings.EqualFold(g.Name, name) {
				by = g.By
			}
		}
		i := slices.IndexFunc(judge.Signals, func(s judge.Signal) bool { return strings.EqualFold(s.Name, by) })
		if i < 0 {
			return nil, paramErrorf("there is no guard or signal %s", name)
		}
		if judge.Signals[i].Sense >= 0 {
			return nil, paramErrorf("%s speaks for a hit, too, and cannot be left out", name)
		}
		signals = append(signals, i)
	}
	return signals, nil
}
