package semcache_test

import (
	"testing"

	"github.com/nearcache/nearcache/store/semcache"
)

// Which answers are the same: by the caller's id, by the text, by what they mean.
func TestAnswersAreCompared(t *testing.T) {
	ask := func(answers semcache.Answers, without ...string) []semcache.Candidate {
		t.Helper()
		w := newWorld(t)
		p := semcache.Defaults(2)
		p.Answers, p.AnswerSim, p.Without = answers, 0.95, without
		n := w.create("ns", p)
		for i, e := range []struct {
			prompt, answer, id string
			meaning            float64
		}{
			{"is it open on sundays", "No, it is closed.", "closed", 0},
			{"are you open on a sunday", "It is closed then.", "closed", 5},
			{"is it open at weekends", "No, it is closed.", "weekend", 90},
			{"when does it open", "At ten.", "ten", 180},
		} {
			w.put(n, semcache.Entry{
				Prompt: []byte(e.prompt), Answer: []byte(e.answer), AnswerID: e.id, Vector: vec(float64(i)), AnswerVector: vec(e.meaning),
			})
		}
		l, _, _, err := n.Explain(w.call(), &semcache.Query{Prompt: []byte("open on sundays?"), Vector: vec(0)})
		if err != nil || len(l) != 4 {
			t.Fatal(err, l)
		}
		return l
	}
	// The first has the answer of the second by id and by meaning, that of the third by its text.
	for _, c := range []struct {
		answers         semcache.Answers
		agree, disagree int
	}{{semcache.ByID, 1, 1}, {semcache.ByText, 1, 1}, {semcache.ByMeaning, 1, 1}} {
		x := ask(c.answers)[0]
		if x.Around.Agree != c.agree || x.Around.Disagree != c.disagree || x.Margin <= 0 {
			t.Errorf("%s: %+v, margin %v", semcache.AnswersNames[c.answers], x.Around, x.Margin)
		}
	}
	id, text, meaning := ask(semcache.ByID)[0], ask(semcache.ByText)[0], ask(semcache.ByMeaning)[0]
	if id.Margin != meaning.Margin || text.Margin >= id.Margin {
		t.Errorf("margins by id %v, by text %v, by meaning %v", id.Margin, text.Margin, meaning.Margin)
	}
	// Left out, a circumstance is worth nothing.
	without := ask(semcache.ByMeaning, "neighbours", "agree", "disagree", "margin", "share")[0]
	if without.Confidence == meaning.Confidence || without.Around != meaning.Around {
		t.Errorf("%v, without neighbours %v", meaning.Confidence, without.Confidence)
	}
}

// A miss is checked by what the answer means, too.
func TestMissesAreCheckedByMeaning(t *testing.T) {
	doubt := func(answers semcache.Answers) float64 {
		w := newWorld(t)
		p := semcache.Defaults(2)
		p.Answers, p.AnswerSim = answers, 0.95
		n := w.create("ns", p)
		for i, prompt := range []string{"is it open on sundays", "is it open on a sunday", "are you open on sundays"} {
			w.put(n, semcache.Entry{Prompt: []byte(prompt), Answer: []byte("no"), AnswerVector: vec(0), Vector: vec(float64(i))})
		}
		strict := 1e-9
		for i := range 40 {
			p := []byte("are you open on a sunday" + marks(i+1))
			w.get(n, semcache.Query{Prompt: p, Vector: vec(3), MaxWrong: &strict})
			id := w.put(n, semcache.Entry{Prompt: p, Answer: []byte("no, said otherwise" + marks(i)), AnswerVector: vec(4), Vector: vec(3)})
			call := w.call()
			n.Delete(call, []string{id})
			call.Settle()
		}
		return n.Stats().Doubt
	}
	if text, meaning := doubt(semcache.ByText), doubt(semcache.ByMeaning); meaning <= text+0.5 {
		t.Errorf("doubt by text %.2f, by meaning %.2f", text, meaning)
	}
}
