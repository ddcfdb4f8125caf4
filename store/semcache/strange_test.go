package semcache_test

import (
	"testing"
	"time"

	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/semcache"
	"github.com/nearcache/nearcache/store/types/hash"
)

// write changes the entry of an id as somebody who writes to keys can: f gets its hash.
func (w *world) write(key string, f func(h *hash.Value)) {
	w.Helper()
	var tx store.Tx
	tx.Begin(w.ks, 0, 0)
	tx.LockKey([]byte(key))
	e := tx.Find([]byte(key))
	if e == nil {
		w.Fatal("no key ", key)
	}
	f(e.Value().(*hash.Value))
	tx.Changed(e, store.ClassHash, "hset")
	store.DoAll(tx.End())
}

// TestEntriesThatOthersHaveWritten: entries are keys that anybody may write to. What is no answer of the prompt
// any more is not served as one, and whoever asks with a lease gets it.
func TestEntriesThatOthersHaveWritten(t *testing.T) {
	for _, x := range []struct {
		what string
		f    func(h *hash.Value)
	}{
		{"no answer", func(h *hash.Value) { h.Delete([]byte("response")) }},
		{"another prompt", func(h *hash.Value) { h.Set([]byte("prompt"), []byte("What is that?")) }},
		{"no prompt", func(h *hash.Value) { h.Delete([]byte("prompt")) }},
		{"no partition", func(h *hash.Value) { h.Delete([]byte("partition")) }},
	} {
		w := newWorld(t)
		n := w.create("ns", semcache.Defaults(2))
		id := w.put(n, semcache.Entry{Prompt: []byte("What is it?"), Answer: []byte("it"), Vector: vec(0)})
		w.write("sem:{ns}:"+id, x.f)
		got := make(chan semcache.Answer)
		go func() {
			got <- w.get(n, semcache.Query{Prompt: []byte("What is it?"), Vector: vec(90), Lease: time.Second})
		}()
		select {
		case a := <-got:
			if a.Status != semcache.Miss || a.Token == "" {
				t.Errorf("%s: %+v", x.what, a)
			}
		case <-time.After(time.Minute):
			t.Fatal(x.what, ": it looks for ever")
		}
	}
}

// TestPromptsAreTheSameHoweverWritten: what is asked of an entry beside its key is asked of its normal form.
func TestPromptsAreTheSameHoweverWritten(t *testing.T) {
	w := newWorld(t)
	n := w.create("ns", semcache.Defaults(2))
	for i, before := range [][]byte{nil, []byte("Tell me of Oslo.")} {
		w.put(n, semcache.Entry{Prompt: []byte("What is  IT, \u00c9mile?"), Answer: []byte("it"), Vector: vec(0), Before: before, BeforeVector: [][]byte{nil, vec(90)}[i]})
		q := semcache.Query{Prompt: []byte(" what is it, e\u0301mile?"), Mode: semcache.OnlyExact, Before: before, BeforeVector: [][]byte{nil, vec(90)}[i]}
		if a := w.get(n, q); a.Status != semcache.Exact {
			t.Errorf("%+v", a)
		}
	}
}

// TestWordsWithWhiteSpaceAround: the index leaves it out of tags, but who names a word means it.
func TestWordsWithWhiteSpaceAround(t *testing.T) {
	for _, word := range []string{"x", " x", "x ", "\nx", "x y", " ", "\t", "a,b", "{x}", "*", `\`} {
		w := newWorld(t)
		n := w.create("ns", semcache.Defaults(2))
		scope := []semcache.Pair{{Field: "f", Value: word}}
		for what, remove := range map[string]func() (int, error){
			"tag":   func() (int, error) { return n.Invalidate(w.call(), &semcache.Target{Tag: word}) },
			"dep":   func() (int, error) { return n.Invalidate(w.call(), &semcache.Target{Dep: word}) },
			"model": func() (int, error) { return n.Invalidate(w.call(), &semcache.Target{Model: word}) },
			"scope": func() (int, error) { return n.Invalidate(w.call(), &semcache.Target{Scope: &scope[0]}) },
			"clear": func() (int, error) { return n.Clear(w.call(), scope) },
		} {
			w.put(n, semcache.Entry{
				Prompt: []byte("What is it?"), Answer: []byte("it"), Vector: vec(0),
				Scope: []semcache.Pair{{Field: "f", Value: word}, {Field: "g", Value: "1"}}, Tags: []string{"other", word}, Deps: []string{word}, Model: word,
			})
			w.put(n, semcache.Entry{Prompt: []byte("What else?"), Answer: []byte("else"), Vector: vec(90), Tags: []string{"other"}})
			if l, err := n.Find(w.call(), &semcache.Query{Prompt: []byte("What is it?"), Vector: vec(0), Scope: scope}, 1); len(l) != 1 || err != nil {
				t.Errorf("%q is not found: %v", word, err)
			}
			if removed, err := remove(); removed != 1 || err != nil {
				t.Errorf("%s %q: %d removed, %v", what, word, removed, err)
			}
		}
	}
}

// TestStaleByModelAndMeaning: what is invalidated while it is computed is not stored, however it was named.
func TestStaleByModelAndMeaning(t *testing.T) {
	for _, x := range []struct {
		what  string
		t     semcache.Target
		stale bool
	}{
		{"the scope's model", semcache.Target{Model: "m"}, true},
		{"another model", semcache.Target{Model: "m2"}, false},
		{"near", semcache.Target{Near: []byte("What?"), Vector: vec(10), MinSim: 0.9}, true},
		{"the very vector", semcache.Target{Near: []byte("What?"), Vector: vec(0), MinSim: 1}, true},
		{"far", semcache.Target{Near: []byte("What?"), Vector: vec(40), MinSim: 0.9}, false},
	} {
		w := newWorld(t)
		n, other := w.create("ns", semcache.Defaults(2)), w.create("other", semcache.Defaults(2))
		scope := []semcache.Pair{{Field: "model", Value: "m"}}
		for _, in := range []*semcache.Namespace{n, other} {
			a := w.get(in, semcache.Query{Prompt: []byte("What is it?"), Vector: vec(0), Scope: scope, Lease: time.Minute})
			if _, err := n.Invalidate(w.call(), &x.t); err != nil {
				t.Fatal(err)
			}
			id := w.put(in, semcache.Entry{Prompt: []byte("What is it?"), Answer: []byte("it"), Vector: vec(0), Scope: scope, Lease: a.Token})
			if in == n && (id == "") != x.stale || in == other && x.t.Model == "" && id == "" {
				t.Errorf("%s: stored as %q in %s", x.what, id, in.Name)
			}
		}
	}
}

// TestManyInvalidationsByMeaning: those that are forgotten count for everything.
func TestManyInvalidationsByMeaning(t *testing.T) {
	w := newWorld(t)
	n := w.create("ns", semcache.Defaults(2))
	a := w.get(n, semcache.Query{Prompt: []byte("What is it?"), Vector: vec(0), Lease: time.Minute})
	for i := range 70 {
		if _, err := n.Invalidate(w.call(), &semcache.Target{Near: []byte("What?"), Vector: vec(float64(i)), MinSim: 0.9999}); err != nil {
			t.Fatal(err)
		}
	}
	if w.put(n, semcache.Entry{Prompt: []byte("What is it?"), Answer: []byte("it"), Vector: vec(0), Lease: a.Token}) != "" {
		t.Error("stored")
	}
}

// TestDropTakesWhatTheIndexHasNot: entries of an index that was dropped by hand do not come back.
func TestDropTakesWhatTheIndexHasNot(t *testing.T) {
	w := newWorld(t)
	n := w.create("ns", semcache.Defaults(2))
	w.put(n, semcache.Entry{Prompt: []byte("What is it?"), Answer: []byte("it"), Vector: vec(0)})
	if err := w.cat.Drop(n.Index()); err != nil {
		t.Fatal(err)
	}
	w.create("ns", semcache.Defaults(3))
	call := w.call()
	var all store.LockSet
	all.AddAll()
	call.Tx.Lock(&all)
	err := w.cache.Drop(call, "ns")
	call.After(call.Tx.End())
	call.Settle()
	if err != nil {
		t.Fatal(err)
	}
	n = w.create("ns", semcache.Defaults(2))
	if a := w.get(n, semcache.Query{Prompt: []byte("What is it?"), Mode: semcache.OnlyExact}); a.Status != semcache.Miss || n.Len() != 0 {
		t.Errorf("%+v, %d entries", a, n.Len())
	}
}

// TestNoLeaseOfWhatHasGone: who still holds the namespace gets none, which nobody would end.
func TestNoLeaseOfWhatHasGone(t *testing.T) {
	w := newWorld(t)
	n := w.create("ns", semcache.Defaults(2))
	if err := w.cat.Drop(n.Index()); err != nil {
		t.Fatal(err)
	}
	var a semcache.Answer
	err := n.Get(w.call(), &semcache.Query{Prompt: []byte("What is it?"), Mode: semcache.OnlyExact, Lease: time.Hour}, &a)
	if err != semcache.ErrNoNamespace || a.Token != "" || w.cache.Leases() != 0 {
		t.Errorf("%v, %+v, %d leases", err, a, w.cache.Leases())
	}
}

// TestALeaseWhoseAnswerIsOfAnotherPrompt: those who wait judge what was stored, not what was asked.
func TestALeaseWhoseAnswerIsOfAnotherPrompt(t *testing.T) {
	w := newWorld(t)
	p := semcache.Defaults(2)
	p.Guard, p.MaxWrong = semcache.Off, 1
	n := w.create("ns", p)
	q := semcache.Query{Prompt: []byte("What is it?"), Vector: vec(0), Lease: time.Minute, Wait: time.Minute}
	first := w.get(n, q)
	got := make(chan semcache.Answer)
	go func() { got <- w.get(n, q) }()
	for w.cache.Leases() != 1 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(20 * time.Millisecond) // it waits
	w.put(n, semcache.Entry{Prompt: []byte("Who are you?"), Answer: []byte("Bob."), Vector: vec(90), Lease: first.Token})
	if a := <-got; a.Status != semcache.Miss || a.Token == "" {
		t.Errorf("%+v", a)
	}
}
