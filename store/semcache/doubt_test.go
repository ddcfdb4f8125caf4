package semcache_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/semcache"
	"github.com/nearcache/nearcache/store/semcache/judge"
	"github.com/nearcache/nearcache/store/types/hash"
)

// marks are signs that make a prompt another one, and say nothing: one string for each i.
func marks(i int) string {
	b := []byte{'.'}
	for ; i > 0; i /= 2 {
		b = append(b, "?!"[i%2])
	}
	return string(b)
}

// The answer that is stored after a miss says whether the nearest one would have been right.
func TestDoubtFollowsTheAnswersThatAreStored(t *testing.T) {
	w := newWorld(t)
	n := w.create("ns", semcache.Defaults(2))
	for i, p := range []string{"when do you open your doors on sundays", "is it open on sundays", "is it open on holidays"} {
		w.put(n, semcache.Entry{Prompt: []byte(p), Answer: []byte([]string{"at ten", "no", "no"}[i]), Vector: vec(float64(i))})
	}
	first := n.Stats().Doubt
	if first >= 0 {
		t.Fatal(first)
	}
	asked := 0
	strict := 1e-9 // nothing is served
	ask := func(answer string) {
		asked++
		p := []byte("are you open on a sunday evening" + marks(asked))
		a := w.get(n, semcache.Query{Prompt: p, Vector: vec(25), MaxWrong: &strict})
		if a.Status != semcache.Miss {
			t.Fatalf("%+v", a)
		}
		id := w.put(n, semcache.Entry{Prompt: p, Answer: []byte(answer), Vector: vec(25)})
		call := w.call()
		n.Delete(call, []string{id})
		call.Settle()
	}
	sure := func() float64 {
		return w.get(n, semcache.Query{Prompt: []byte("are you open on a sunday evening then"), Vector: vec(25), MaxWrong: &strict}).Confidence
	}
	before := sure()
	for range 60 {
		ask("no")
	}
	trusted := n.Stats().Doubt
	if trusted < first+0.7 || sure() <= before {
		t.Errorf("always right: doubt %.2f, was %.2f; confidence %.3f, was %.3f", trusted, first, sure(), before)
	}
	for range 5 {
		ask("yes")
	}
	if d := n.Stats().Doubt; d > trusted-0.7 {
		t.Errorf("then wrong: doubt %.2f, was %.2f", d, trusted)
	}
	w.mu.Lock()
	if !slices.Contains(w.log, "HSET sem:{ns}") {
		t.Error("nothing of it is kept")
	}
	w.mu.Unlock()

	// An answer that nobody has asked for here says nothing.
	d := n.Stats().Doubt
	for i := range 30 {
		w.put(n, semcache.Entry{Prompt: fmt.Appendf(nil, "sundays %d", i), Answer: []byte("yes"), Vector: vec(0.5)})
	}
	if n.Stats().Doubt != d {
		t.Errorf("doubt %.2f, was %.2f", n.Stats().Doubt, d)
	}

	// A server that ends keeps all of it.
	ask("yes")
	w.cache.Keep(w.call())
	key := []byte("sem:{ns}")
	var tx store.Tx
	tx.Begin(w.ks, 0, 0)
	tx.LockKey(key)
	kept, _ := tx.Peek(key).Value().(*hash.Value).GetString("doubt")
	text := string(kept)
	store.DoAll(tx.End())
	if here, ok := judge.Default().ParseHere(text); !ok || math.Abs(here.LogOdds(3)-3-n.Stats().Doubt) > 1e-3 {
		t.Errorf("%q is kept of %v", text, n.Stats().Doubt)
	}

	// What is kept comes back, and nothing that cannot have been learned.
	for _, v := range []string{"-1 1 20 0 20", "0.5 0.8 40 -3 50", "-0.5", "NaN 1 20 0 20", "0 1 1 5 1", "0 -1 20 0 20", "1e9 1 20 0 20", "x"} {
		var tx store.Tx
		tx.Begin(w.ks, 0, 0)
		tx.LockKey(key)
		h := hash.New()
		h.Set([]byte("doubt"), []byte(v))
		tx.Changed(tx.Put(key, h, false), store.ClassHash, "hset")
		was := n.Stats().Doubt
		store.DoAll(tx.End())
		got, want := n.Stats().Doubt, was
		if here, ok := judge.Default().ParseHere(v); ok {
			want = here.LogOdds(3) - 3
		}
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: doubt %v, want %v", v, got, want)
		}
	}
}

// Where no two entries have the same answer, that answers differ says nothing, and nothing is lost.
func TestNoDoubtWhereAnswersCannotBeToldApart(t *testing.T) {
	w := newWorld(t)
	n := w.create("ns", semcache.Defaults(2))
	get := func() semcache.Answer {
		return w.get(n, semcache.Query{Prompt: []byte("please is it open on sundays"), Vector: vec(0)})
	}
	w.put(n, semcache.Entry{Prompt: []byte("is it open on sundays"), Answer: []byte("one way to say it"), Vector: vec(0)})
	alone := get()
	w.put(n, semcache.Entry{Prompt: []byte("do you sell apples"), Answer: []byte("another way"), Vector: vec(40)})
	if a := get(); a.Status != semcache.Semantic || a.Confidence != alone.Confidence {
		t.Errorf("%+v, alone %+v", a, alone)
	}
	w.put(n, semcache.Entry{Prompt: []byte("do you sell pears"), Answer: []byte("another way"), Vector: vec(42)})
	if a := get(); a.Confidence >= alone.Confidence {
		t.Errorf("answers are seen to be equal, and the confidence is the same: %+v", a)
	}
}

// Once answers were told apart here, what was learned counts for a candidate with none of its kind around it, too;
// its own checks say nothing.
func TestDoubtWhereAnswersWereToldApart(t *testing.T) {
	w := newWorld(t)
	n := w.create("ns", semcache.Defaults(2))
	acme, other := []semcache.Pair{{Field: "tenant", Value: "acme"}}, []semcache.Pair{{Field: "tenant", Value: "other"}}
	w.put(n, semcache.Entry{Prompt: []byte("is it open on sundays"), Answer: []byte("no"), Vector: vec(0), Scope: other})
	strict := 1e-9
	sure := func(i int) float64 {
		return w.get(n, semcache.Query{Prompt: []byte("please is it open on sundays" + marks(i)), Vector: vec(0), Scope: other, MaxWrong: &strict}).Confidence
	}
	alone := sure(0)
	for i := range 3 {
		w.put(n, semcache.Entry{Prompt: []byte("do you sell apples" + marks(i)), Answer: []byte("yes"), Vector: vec(float64(i)), Scope: acme})
	}
	for i := range 10 {
		if now := sure(i); now != alone {
			t.Fatalf("confidence %v after %d, was %v", now, i, alone)
		}
		w.get(n, semcache.Query{Prompt: []byte("do you sell pears" + marks(i)), Vector: vec(1), Scope: acme, MaxWrong: &strict})
	}
	told := sure(10)
	if told >= alone {
		t.Errorf("confidence %v, was %v", told, alone)
	}
	doubt := n.Stats().Doubt
	w.put(n, semcache.Entry{Prompt: []byte("please is it open on sundays" + marks(10)), Answer: []byte("it is not"), Vector: vec(0), Scope: other})
	if d := n.Stats().Doubt; d != doubt {
		t.Errorf("doubt %v, was %v", d, doubt)
	}
}

// Who means the same as what is being computed waits for it only where that answer would be served, by what was learned here.
func TestParaphrasesWaitForWhatTheyWouldBeServed(t *testing.T) {
	w := newWorld(t)
	p := semcache.Defaults(2)
	p.MaxWrong = 0.2
	n := w.create("ns", p)
	in := func(tenant string) []semcache.Pair { return []semcache.Pair{{Field: "tenant", Value: tenant}} }
	prompt, like := []byte("Do you sell apples?"), []byte("do you sell some apples?")
	w.put(n, semcache.Entry{Prompt: prompt, Answer: []byte("yes"), Vector: vec(0), Scope: in("answered")})
	if a := w.get(n, semcache.Query{Prompt: prompt, Vector: vec(0), Scope: in("asked"), Lease: time.Hour}); a.Token == "" {
		t.Fatalf("%+v", a)
	}
	for i := range 3 {
		w.put(n, semcache.Entry{Prompt: []byte("is it open on sundays" + marks(i)), Answer: []byte("no"), Vector: vec(float64(i)), Scope: in("other")})
	}
	strict := 1e-9 // nothing is served
	for i := range 10 {
		served := w.get(n, semcache.Query{Prompt: like, Vector: vec(1), Scope: in("answered")}).Status == semcache.Semantic
		waits := w.get(n, semcache.Query{Prompt: like, Vector: vec(1), Scope: in("asked"), Lease: time.Hour}).Status == semcache.Leased
		if served != waits || !served {
			t.Fatalf("after %d: served %v, waits %v", i, served, waits)
		}
		w.get(n, semcache.Query{Prompt: []byte("is it open on holidays" + marks(i)), Vector: vec(1), Scope: in("other"), MaxWrong: &strict})
	}
	if a := w.get(n, semcache.Query{Prompt: like, Vector: vec(1), Scope: in("answered")}); a.Status != semcache.Miss {
		t.Fatalf("%+v", a)
	}
	if a := w.get(n, semcache.Query{Prompt: like, Vector: vec(1), Scope: in("asked"), Lease: time.Hour}); a.Token == "" {
		t.Errorf("it waits for what it would not be served: %+v", a)
	}
}

// Misses that wait for their answers are bounded.
func TestManyMissesWithoutAnswers(t *testing.T) {
	w := newWorld(t)
	n := w.create("ns", semcache.Defaults(2))
	for i := range 3 {
		w.put(n, semcache.Entry{Prompt: []byte("is it open on sundays" + marks(i)), Answer: []byte("no"), Vector: vec(float64(i))})
	}
	strict := 1e-9
	for i := range 3000 {
		w.get(n, semcache.Query{Prompt: []byte("is it open on sundays" + marks(i+9)), Vector: vec(0.5), MaxWrong: &strict})
	}
	if l := n.Checks(); l == 0 || l > 1024 {
		t.Error(l)
	}
}
