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

// What is about prompts goes by these alone, whatever came before them.
func TestPromptsAreFoundWhateverCameBefore(t *testing.T) {
	w := newWorld(t)
	n := w.create("ns", semcache.Defaults(2))
	all, least := 1.0, 0.99
	find := func(at float64, want string) {
		t.Helper()
		l, err := n.Find(w.call(), &semcache.Query{Prompt: []byte("what?"), Vector: vec(at), MaxWrong: &all, MinSim: &least}, 9)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, x := range l {
			if x.Sim < 0.999 {
				t.Errorf("at %v: %q by a cosine of %v", at, x.Answer.Answer, x.Sim)
			}
			got += string(x.Answer.Answer)
		}
		if got != want {
			t.Errorf("at %v: %q, want %q", at, got, want)
		}
	}
	invalidate := func(at float64, want int) {
		t.Helper()
		if removed, err := n.Invalidate(w.call(), &semcache.Target{Near: []byte("what?"), Vector: vec(at), MinSim: 0.99}); err != nil || removed != want {
			t.Errorf("at %v: %d removed, %v, want %d", at, removed, err, want)
		}
	}
	// The one is between both, as the other is.
	w.put(n, semcache.Entry{Prompt: []byte("and on Sundays?"), Answer: []byte("a"), Vector: vec(0), BeforeVector: vec(90)})
	w.put(n, semcache.Entry{Prompt: []byte("and in winter?"), Answer: []byte("b"), Vector: vec(90), BeforeVector: vec(0)})
	w.put(n, semcache.Entry{Prompt: []byte("when?"), Answer: []byte("c"), Vector: vec(180)})
	find(0, "a")
	find(90, "b")
	find(45, "")
	find(180, "c")
	invalidate(45, 0)
	invalidate(0, 1)
	find(0, "")
	find(90, "b")
	invalidate(180, 1)
	invalidate(90, 1)
	if n.Len() != 0 {
		t.Errorf("%d entries are left", n.Len())
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
