package semcache_test

import (
	"math"
	"testing"

	"github.com/nearcache/nearcache/store/semcache"
)

// The same words mean something else behind other ones: the prompt alone decides nothing, and one that is asked without what
// came before gets none of the answers.
func TestWhatCameBeforeIsCompared(t *testing.T) {
	w := newWorld(t)
	p := semcache.Defaults(3)
	p.MaxWrong = 0.5
	n := w.create("ns", p)
	b := func(x, y, z float32) []byte { return semcache.Blob([]float32{x, y, z}) }
	sundays, opening, price := b(1, 0, 0), b(0, 1, 0), b(0, 0, 1)
	put := func(before, answer string, said []byte) string {
		return w.put(n, semcache.Entry{
			Prompt: []byte("and on Sundays?"), Answer: []byte(answer), Vector: sundays, Before: []byte(before), BeforeVector: said,
		})
	}
	opens := put("When do you open?", "At noon.", opening)
	costs := put("What does it cost?", "Half of it.", price)
	if opens == costs {
		t.Fatal("one id for two contexts")
	}
	f := func(before string, said []byte, prompt string, vector []byte, status semcache.Status, answer string) {
		t.Helper()
		q := semcache.Query{Prompt: []byte(prompt), Vector: vector, BeforeVector: said}
		if before != "" {
			q.Before = []byte(before)
		}
		if a := w.get(n, q); a.Status != status || string(a.Answer) != answer {
			t.Errorf("%q, %q: %v %q (%s, %.3f), want %v %q", before, prompt, a.Status, a.Answer, a.Reason, a.Confidence, status, answer)
		}
	}
	f("When do you open?", opening, "and on sundays?", sundays, semcache.Exact, "At noon.")
	f("What does it cost?", price, "and on sundays?", sundays, semcache.Exact, "Half of it.")
	f("When does it open?", b(0, 1, 0.05), "and on Sundays?", sundays, semcache.Semantic, "At noon.")
	f("When does it open?", b(0, 1, 0.05), "and on a Sunday?", b(1, 0.05, 0), semcache.Semantic, "At noon.")
	f("How much is it?", b(0, 0.05, 1), "and on Sundays?", sundays, semcache.Semantic, "Half of it.")
	f("Who are you?", b(0, 1, -1), "and on Sundays?", sundays, semcache.Miss, "")
	f("When do you open?", opening, "and in winter?", b(0, 0, -1), semcache.Miss, "")
	f("", nil, "and on Sundays?", sundays, semcache.Miss, "")
	f("", opening, "and on Sundays?", sundays, semcache.Semantic, "At noon.") // the vector alone: another exact prompt
	// An answer of no context is none of a context.
	w.put(n, semcache.Entry{Prompt: []byte("and on Sundays?"), Answer: []byte("What?"), Vector: sundays})
	f("", nil, "and on Sundays?", sundays, semcache.Exact, "What?")
	f("Who are you?", b(0, 1, -1), "and on Sundays?", sundays, semcache.Miss, "")

	l, serve, exact, err := n.Explain(w.call(), &semcache.Query{Prompt: []byte("and on Sundays?"), Vector: sundays, BeforeVector: b(0, 0.6, 0.8)})
	if err != nil || exact || serve >= 0 && l[serve].Context < 0.7 || len(l) != 2 || math.Abs(l[0].Context-0.8) > 1e-3 || math.Abs(l[1].Context-0.6) > 1e-3 || l[0].Sim < 0.999 {
		t.Errorf("%+v, %d, %v, %v", l, serve, exact, err)
	}

	// Feedback is about the prompt in the entry's place, whatever came before exactly.
	call := w.call()
	if err := n.Feedback(call, opens, false, []byte("and on a Sunday?")); err != nil {
		t.Fatal(err)
	}
	call.Settle()
	f("When does it open?", b(0, 1, 0.05), "and on a Sunday?", b(1, 0.05, 0), semcache.Miss, "")
	var a semcache.Answer
	if err := n.Get(w.call(), &semcache.Query{Prompt: []byte("p"), Vector: sundays, BeforeVector: b(0, 0, 0)}, &a); !semcache.IsParamError(err) {
		t.Error(err)
	}
	if err := n.Get(w.call(), &semcache.Query{Prompt: []byte("p"), Vector: sundays, BeforeVector: vec(0)}, &a); !semcache.IsParamError(err) {
		t.Error(err)
	}
}

// Left out, what came before is not looked at.
func TestContextIsSwitchable(t *testing.T) {
	confidence := func(without ...string) float64 {
		w := newWorld(t)
		p := semcache.Defaults(2)
		p.Without = without
		n := w.create("ns", p)
		w.put(n, semcache.Entry{Prompt: []byte("and on Sundays?"), Answer: []byte("no"), Vector: vec(0), BeforeVector: vec(0)})
		l, _, _, err := n.Explain(w.call(), &semcache.Query{Prompt: []byte("and on Sundays?"), Vector: vec(0), BeforeVector: vec(60)})
		if err != nil || len(l) != 1 || math.Abs(l[0].Context-0.5) > 1e-3 {
			t.Fatalf("%+v %v", l, err)
		}
		return l[0].Confidence
	}
	with, without := confidence(), confidence("context")
	if with > 0.2 || without < 2*with {
		t.Errorf("confidence %.3f, without the context %.3f", with, without)
	}
}

// Who asks the same behind other words does not wait for the answer that is computed.
func TestLeasesKnowWhatCameBefore(t *testing.T) {
	w := newWorld(t)
	p := semcache.Defaults(2)
	p.MaxWrong = 0.5
	n := w.create("ns", p)
	ask := func(degrees float64) semcache.Status {
		return w.get(n, semcache.Query{Prompt: []byte("and on Sundays?"), Vector: vec(0), BeforeVector: vec(degrees), Lease: 60e9}).Status
	}
	if s := ask(0); s != semcache.Miss {
		t.Fatal(s)
	}
	if s := ask(1); s != semcache.Leased {
		t.Errorf("a paraphrase: %v", s)
	}
	if s := ask(90); s != semcache.Miss {
		t.Errorf("behind other words: %v", s)
	}
	if w.cache.Leases() != 2 {
		t.Error(w.cache.Leases())
	}
}
