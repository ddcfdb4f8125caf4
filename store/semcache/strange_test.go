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
		case <-time.After(5 * time.Second):
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
