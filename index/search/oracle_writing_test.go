package search_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearcache/nearcache/index/query"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/index/search/searchtest"
)

// history is what a document has been since the last search began: of the states
// from seen on any may be what a search finds that begins now.
type history struct {
	sync.Mutex
	states []state
	seen   int
}

type state struct {
	d        searchtest.Doc // nil: there is none
	expireAt int64
}

// TestOracleWhileWriting holds that a search finds every document that matches in
// all states it may have seen, and none that matches in none of them, whatever is
// written, deleted and expires meanwhile.
func TestOracleWhileWriting(t *testing.T) {
	seed := searchtest.Seed()
	g := searchtest.NewGenerator(3+seed, 9)
	ix, o := newOracle(t, g.Schema(false))
	for i := range 3 {
		o.Synonyms[fmt.Sprint(i)] = []string{g.Word(), g.Word(), g.Word()}
		ix.AddSynonyms(fmt.Sprint(i), o.Synonyms[fmt.Sprint(i)])
	}
	// Looking at the states of a search takes longer than to write them: without a bound
	// each search would have more of them than the one before.
	const docs, writers, maxStates = 90, 3, 6
	var all [docs]history
	var version atomic.Uint64
	var now atomic.Int64
	now.Store(1000)
	for i := range all {
		all[i].states = []state{{}}
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			g := searchtest.NewGenerator(seed*writers+uint64(w), 10)
			for !stop.Load() {
				i := g.IntN(docs/writers)*writers + w
				h, name, v := &all[i], fmt.Sprint("k", i), version.Add(1)
				next := state{}
				h.Lock()
				last, full := h.states[len(h.states)-1], len(h.states) == maxStates // nobody else writes it
				h.Unlock()
				if full {
					runtime.Gosched()
					continue
				}
				expiry := last.d != nil && g.IntN(5) == 0
				if expiry {
					next = state{last.d, now.Load() + int64(g.IntN(4))}
				} else if g.IntN(4) > 0 {
					next.d = g.Doc(true)
					if g.IntN(3) == 0 {
						next.expireAt = now.Load() + int64(g.IntN(4))
					}
				}
				h.Lock()
				h.states = append(h.states, next)
				h.Unlock()
				switch {
				case expiry:
					ix.Expire(name, v, next.expireAt)
				case next.d == nil:
					ix.Delete(name, v)
				default:
					if err := put(ix, name, v, next.expireAt, next.d); err != nil {
						t.Error(err)
						return
					}
				}
				h.Lock()
				h.seen = len(h.states) - 1
				h.Unlock()
			}
		})
	}
	deadline := time.Now().Add(2 * time.Second) // only bounds the work
	n := searchtest.Queries(1500)
	for range n {
		if os.Getenv("NEARCACHE_ORACLE") == "" && time.Now().After(deadline) {
			break
		}
		text := g.Query(o.Schema, g.IntN(3), g.IntN(3) == 0)
		q, err := query.Parse([]byte(text), query.Options{Params: g.Params(), StopWord: o.Schema.StopWord})
		if err != nil {
			t.Fatal(text, err)
		}
		if q.Root == nil {
			continue
		}
		for i := range all {
			h := &all[i]
			h.Lock()
			h.states, h.seen = slices.Clone(h.states[h.seen:]), 0 // what is past is forgotten
			h.Unlock()
		}
		at := now.Add(int64(g.IntN(2)))
		res, err := ix.Search(q, search.Options{Num: -1, Now: at, SortBy: "__key"})
		if err != nil {
			t.Fatal(text, err)
		}
		found := map[string]bool{}
		for _, r := range res.Rows {
			found[r.Name] = true
		}
		if len(found) != len(res.Rows) || res.Total != len(res.Rows) {
			t.Fatalf("%s: total %d of %d rows, %d different", text, res.Total, len(res.Rows), len(found))
		}
		res.Release()
		for i := range all {
			name := fmt.Sprint("k", i)
			h := &all[i]
			h.Lock()
			states := slices.Clone(h.states)
			h.Unlock()
			yes, no := 0, 0
			for _, s := range states {
				o.Docs = map[string]searchtest.Doc{name: s.d}
				if s.d == nil || s.expireAt > 0 && s.expireAt <= at {
					no++
					continue
				}
				o.Count()
				if _, ok := o.Match(q.Root, name); ok {
					yes++
				} else {
					no++
				}
			}
			if found[name] && yes == 0 || !found[name] && no == 0 {
				t.Fatalf("%s at %d: %s found: %t, of %d states %d match: %v", text, at, name, found[name], len(states), yes, states)
			}
		}
	}
	stop.Store(true)
	wg.Wait()
}
