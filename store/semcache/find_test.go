package semcache_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nearcache/nearcache/store/semcache"
)

// TestWhoHasWaitedInVainIsToldWhy: with Once, a failure of the first does not put the
// others in a queue.
func TestWhoHasWaitedInVainIsToldWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.create("ns", semcache.Defaults(2))
		q := semcache.Query{Prompt: []byte("p"), Vector: vec(0), Lease: time.Minute, Wait: time.Minute, Once: true}
		first, vain := w.get(n, q), semcache.Vain{Why: semcache.Failed, Failure: "no money"}
		if first.Status != semcache.Miss || first.Token == "" {
			t.Fatalf("%+v", first)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		var told semcache.Vain
		for range 4 {
			wg.Go(func() {
				q := q
				var a semcache.Answer
				if err := n.Get(w.cache.Begin(t.Context()), &q, &a); err != nil || a.Status != semcache.Miss || a.Token != "" || a.Vain.Why != vain.Why || a.Vain.Failure != vain.Failure {
					t.Errorf("%+v, %v", a, err)
				}
				mu.Lock()
				defer mu.Unlock()
				told = a.Vain
			})
		}
		synctest.Wait()
		if !n.End(w.call(), first.Token, vain) {
			t.Error("the lease has ended")
		}
		wg.Wait()

		// A failure behind the one that was told is told at once, though it has ended already; and once only.
		var a semcache.Answer
		again := q
		again.Vain = told
		second := w.get(n, again)
		if second.Token == "" || !n.End(w.call(), second.Token, vain) {
			t.Fatalf("%+v", second)
		}
		again.Vain = told
		if err := n.Get(w.cache.Begin(t.Context()), &again, &a); err != nil || a.Token != "" || a.Vain.Failure != "no money" {
			t.Errorf("%+v, %v", a, err)
		}
		again.Vain = a.Vain
		if third := w.get(n, again); third.Token == "" {
			t.Errorf("%+v", third)
		}
	})
}

func TestFindLooksInEveryScopeThatHoldsThePairs(t *testing.T) {
	w := newWorld(t)
	n := w.create("ns", semcache.Defaults(2))
	pair := func(l ...string) (scope []semcache.Pair) {
		for i := 0; i < len(l); i += 2 {
			scope = append(scope, semcache.Pair{Field: l[i], Value: l[i+1]})
		}
		return scope
	}
	put := func(prompt, answer string, angle float64, scope ...string) string {
		return w.put(n, semcache.Entry{Prompt: []byte(prompt), Answer: []byte(answer), Vector: vec(angle), Scope: pair(scope...)})
	}
	put("what is it", "1", 0, "user", "ann", "team", "red")
	put("what is it", "2", 0, "user", "bob", "team", "red")
	put("what is it", "3", 0)
	put("what is it then", "4", 0.01, "user", "ann")
	f := func(want string, limit int, mode semcache.Mode, scope ...string) {
		t.Helper()
		all := 1.0 // the other answers speak against each other
		q := semcache.Query{Prompt: []byte("What is  it"), Vector: vec(0), Scope: pair(scope...), Mode: mode, MaxWrong: &all}
		l, err := n.Find(w.call(), &q, limit)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for i, x := range l {
			got[string(x.Answer.Answer)] = true
			if exact := x.Prompt == "what is it"; exact != (x.Status == semcache.Exact) && mode == semcache.Both || i > 0 && l[i-1].Sim < x.Sim {
				t.Errorf("%+v", l)
			}
		}
		if len(got) != len(want) || len(l) != len(want) {
			t.Errorf("%v: %v, want %s", scope, got, want)
		}
		for _, x := range want {
			if !got[string(x)] {
				t.Errorf("%v: %v, want %s", scope, got, want)
			}
		}
	}
	f("14", 9, semcache.Both, "user", "ann")
	f("1", 1, semcache.Both, "user", "ann")
	f("12", 9, semcache.Both, "team", "red")
	f("1", 9, semcache.Both, "team", "red", "user", "ann")
	f("123", 9, semcache.OnlyExact)
	f("1234", 9, semcache.Both)
	f("1234", 9, semcache.OnlySemantic)
	f("", 9, semcache.Both, "user", "eve")
	f("", 9, semcache.Both, "user", "an")
	f("", 9, semcache.Both, "use", "rann")
	if removed, err := n.Clear(w.call(), pair("user", "ann", "team", "red")); err != nil || removed != 1 {
		t.Errorf("%d, %v", removed, err)
	}
	f("4", 9, semcache.Both, "user", "ann")
	if removed, err := n.Clear(w.call(), nil); err != nil || removed != 3 || n.Len() != 0 {
		t.Errorf("%d, %v", removed, err)
	}
}

// TestTheVeryPromptIsFoundByWhatItMeans: a cosine with itself that is counted as less than 1, a prompt too short to be judged and other
// answers nearby speak against others only.
func TestTheVeryPromptIsFoundByWhatItMeans(t *testing.T) {
	w := newWorld(t)
	p := semcache.Defaults(2)
	p.Guard = semcache.Strict
	n := w.create("ns", p)
	one, none := 1.0, 0.0
	for i := range 50 {
		prompt := []byte(fmt.Sprint("x", i))
		id := w.put(n, semcache.Entry{Prompt: prompt, Answer: prompt, Vector: vec(float64(i))})
		q := semcache.Query{Prompt: prompt, Vector: vec(float64(i)), Mode: semcache.OnlySemantic, MinSim: &one, MaxWrong: &none}
		if a := w.get(n, q); a.Status != semcache.Semantic || string(a.ID) != id || a.Sim != 1 || a.Confidence != 1 {
			t.Errorf("%s: %+v", prompt, a)
		}
		l, err := n.Find(w.call(), &q, 1)
		if err != nil || len(l) != 1 || l[0].Status != semcache.Semantic || string(l[0].ID) != id || l[0].Sim != 1 {
			t.Errorf("%s: %+v, %v", prompt, l, err)
		}
		q.Prompt = append(prompt, 'y')
		if a := w.get(n, q); a.Status != semcache.Miss {
			t.Errorf("%s: %+v", q.Prompt, a)
		}
	}
	// Feedback may refuse it all the same.
	if err := n.Feedback(w.call(), w.put(n, semcache.Entry{Prompt: []byte("x1"), Answer: []byte("no"), Vector: vec(0)}), false, []byte("x1")); err != nil {
		t.Fatal(err)
	}
	if a := w.get(n, semcache.Query{Prompt: []byte("x1"), Vector: vec(0), Mode: semcache.OnlySemantic, MinSim: &one, MaxWrong: &none}); a.Status != semcache.Miss {
		t.Errorf("%+v", a)
	}
}

// TestTheVeryPromptIsRefusedByFeedback: an answer that was called wrong for the entry's own prompt is not served for it, until there is
// another one.
func TestTheVeryPromptIsRefusedByFeedback(t *testing.T) {
	w := newWorld(t)
	n := w.create("ns", semcache.Defaults(2))
	prompt := []byte("How many?")
	put := func(answer string) string {
		return w.put(n, semcache.Entry{Prompt: prompt, Answer: []byte(answer), Vector: vec(0)})
	}
	look := func(want semcache.Status) {
		t.Helper()
		for _, mode := range []semcache.Mode{semcache.Both, semcache.OnlyExact} {
			q := semcache.Query{Prompt: prompt, Vector: vec(0), Mode: mode}
			if a := w.get(n, q); a.Status != want {
				t.Errorf("%+v", a)
			}
			if l, err := n.Find(w.call(), &q, 5); err != nil || (len(l) > 0) != want.Hit() || len(l) > 0 && l[0].Status != want {
				t.Errorf("%+v, %v", l, err)
			}
		}
	}
	id := put("seven")
	look(semcache.Exact)
	if err := n.Feedback(w.call(), id, false, []byte("How much?")); err != nil {
		t.Fatal(err)
	}
	look(semcache.Exact)
	if err := n.Feedback(w.call(), id, false, prompt); err != nil {
		t.Fatal(err)
	}
	look(semcache.Miss)
	if err := n.Feedback(w.call(), id, true, prompt); err != nil {
		t.Fatal(err)
	}
	look(semcache.Exact)
	if err := n.Feedback(w.call(), id, false, prompt); err != nil {
		t.Fatal(err)
	}
	put("eight")
	look(semcache.Exact)
}
