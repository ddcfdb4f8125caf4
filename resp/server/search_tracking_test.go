package server_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/resp/resptest"
)

// tracker is a client whose searches are tracked.
type tracker struct {
	testing.TB
	*client.Conn
	pushes []string
}

func newTracker(t testing.TB, addr string, tracking ...any) *tracker {
	tr := &tracker{TB: t}
	c, err := client.Dial(context.Background(), addr, client.Options{Timeout: 2 * time.Minute, OnPush: func(v client.Value) {
		if v.Elems[1].IsNull() {
			tr.pushes = append(tr.pushes, "all")
		}
		for _, k := range v.Elems[1].Elems {
			tr.pushes = append(tr.pushes, k.Str)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	tr.Conn = c
	if tracking != nil {
		tr.do(append([]any{"CLIENT", "TRACKING", "ON"}, tracking...)...)
	}
	return tr
}

func (tr *tracker) do(args ...any) client.Value {
	tr.Helper()
	v, err := tr.Do(args...)
	if err != nil {
		tr.Fatalf("%v: %v", args, err)
	}
	return v
}

// search returns the pseudo-key of the reply.
func (tr *tracker) search(args ...any) string {
	tr.Helper()
	v, _ := tr.do(append([]any{"FT.SEARCH"}, args...)...).Get("tracking")
	return v.Str
}

// told returns what has died, in order.
func (tr *tracker) told() string {
	tr.Helper()
	tr.do("PING")
	l := tr.pushes
	tr.pushes = nil
	return strings.Join(l, " ")
}

func TestTrackedSearches(t *testing.T) {
	s := resptest.Start(t, "--search-tracking", "yes")
	w := newTracker(t, s.Addr())
	w.do("FT.CREATE", "ix", "PREFIX", 1, "d:", "SCHEMA", "g", "TAG", "t", "TEXT", "v", "VECTOR", "FLAT", 6, "TYPE", "FLOAT32", "DIM", 2, "DISTANCE_METRIC", "L2")
	put := func(name, g string, x float32) {
		t.Helper()
		w.do("HSET", name, "g", g, "t", "some words", "v", []float32{x, 0})
	}
	for i := range 9 {
		put(fmt.Sprint("d:", i), "a", float32(i))
	}
	a, b, plain := newTracker(t, s.Addr(), "NOLOOP"), newTracker(t, s.Addr(), "OPTIN"), newTracker(t, s.Addr())
	knn := func(x float32) []any {
		return []any{"ix", "@g:{a}=>[KNN 3 @v $q AS d]", "PARAMS", 2, "q", []float32{x, 0}, "SORTBY", "d"}
	}
	near, far := a.search(knn(0)...), a.search(knn(8)...)
	if near == far || !strings.HasPrefix(near, "__ft__:{ix}:") || a.search(knn(0)...) != near {
		t.Fatalf("pseudo-keys %q, %q", near, far)
	}
	put("d:new", "a", 7.5) // near the second query alone
	if got := a.told(); got != far {
		t.Errorf("told of %q, want %q", got, far)
	}
	put("d:other", "b", 0) // does not match
	put("x:1", "a", 0)     // is not in the index
	w.do("EXPIRE", "d:1", 1000)
	if got := a.told(); got != "" {
		t.Errorf("told of %q", got)
	}
	w.do("HSET", "d:1", "more", "x") // among the rows
	if got := a.told(); got != near {
		t.Errorf("told of %q, want %q", got, near)
	}
	w.do("DEL", "d:1")
	if got := a.told(); got != "" { // once, until it is asked again
		t.Errorf("told of %q", got)
	}

	words := a.search("ix", "words", "NOCONTENT")
	if words != "__ft__:{ix}" {
		t.Errorf("pseudo-key of words %q", words)
	}
	put("d:other", "b", 1)
	if got := a.told(); got != words {
		t.Errorf("told of %q", got)
	}

	// OPTIN: only what CACHING YES precedes. Who does not track gets the reply of old.
	if key := b.search(knn(0)...); key != "" {
		t.Errorf("OPTIN has registered %q", key)
	}
	b.do("CLIENT", "CACHING", "YES")
	if key := b.search(knn(0)...); key != near {
		t.Errorf("CACHING YES has registered %q", key)
	}
	if key := plain.search(knn(0)...); key != "" {
		t.Errorf("a client without tracking has registered %q", key)
	}
	a.search(knn(0)...) // takes the watch over; both are told
	put("d:0", "a", 0.5)
	if x, y := a.told(), b.told(); x != near || y != near {
		t.Errorf("told %q and %q", x, y)
	}

	// Inside a transaction the push comes behind its reply; expiry and drops count.
	a.do("MULTI")
	a.do(append([]any{"FT.SEARCH"}, knn(0)...)...)
	a.do("HSET", "d:0", "g", "z")
	v := a.do("EXEC")
	if key, _ := v.Elems[0].Get("tracking"); key.Str != near {
		t.Errorf("EXEC: %v", v)
	}
	if got := a.told(); got != near {
		t.Errorf("told of %q", got)
	}
	a.search(knn(0)...)
	w.do("PEXPIRE", "d:2", 1)
	for got := ""; got != near; got = a.told() {
		if got != "" {
			t.Fatalf("told of %q", got)
		}
		time.Sleep(time.Millisecond)
	}
	a.search(knn(0)...)
	words = a.search("ix", "words")
	w.do("FT.DROPINDEX", "ix")
	got := strings.Fields(a.told())
	if slices.Sort(got); !slices.Equal(got, []string{words, near}) && !slices.Equal(got, []string{near, words}) {
		t.Errorf("a drop has told of %q", got)
	}
	if _, err := a.Do("FT.SEARCH", "ix", "*"); err == nil {
		t.Error("no error")
	}
	w.do("CONFIG", "SET", "search-tracking", "no")
	w.do("FT.CREATE", "ix", "SCHEMA", "g", "TAG")
	if key := a.search("ix", "*"); key != "" {
		t.Errorf("search-tracking no has registered %q", key)
	}
}

// TestTrackedSearchesInRESP2: the reply has no place for a name, so it is the
// index's; it comes to whoever the client redirects to.
func TestTrackedSearchesInRESP2(t *testing.T) {
	s := resptest.Start(t, "--search-tracking", "yes")
	w := newTracker(t, s.Addr())
	w.do("FT.CREATE", "ix", "SCHEMA", "n", "NUMERIC")
	target := newTracker(t, s.Addr())
	id := target.do("CLIENT", "ID").Int
	c, err := client.Dial(context.Background(), s.Addr(), client.Options{Proto: 2, Timeout: 2 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Do("CLIENT", "TRACKING", "ON", "REDIRECT", id); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"@n:[0 1]", "@n:[5 6]"} { // one name for both, and a write of what the first finds
		if v, err := c.Do("FT.SEARCH", "ix", q); err != nil || v.Kind != client.Array || len(v.Elems) != 1 {
			t.Fatal(v, err)
		}
	}
	w.do("HSET", "k", "n", 1)
	if got := target.told(); got != "__ft__:{ix}" {
		t.Errorf("told of %q", got)
	}
}

// TestNoAnswerIsStaleBehindABarrier races clients that keep answers against
// writers: behind a barrier nothing is kept that has another answer by a write
// acknowledged before.
func TestNoAnswerIsStaleBehindABarrier(t *testing.T) {
	s := resptest.Start(t, "--search-tracking", "yes")
	w := newTracker(t, s.Addr())
	w.do("FT.CREATE", "ix", "SCHEMA", "g", "TAG", "n", "NUMERIC", "v", "VECTOR", "FLAT", 6, "TYPE", "FLOAT32", "DIM", 2, "DISTANCE_METRIC", "L2")
	const docs = 40
	var acked [docs]atomic.Int64 // newest version of a document
	var stop atomic.Bool
	var wg sync.WaitGroup
	for n := range 2 {
		c := newTracker(t, s.Addr())
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(n)))
			for v := int64(1); !stop.Load(); v++ {
				i := n + 2*rng.IntN(docs/2)
				if _, err := c.Do("HSET", fmt.Sprint("d", i), "g", fmt.Sprint("g", i%4), "n", v, "v", []float32{float32(i % 8), 1}); err != nil {
					t.Error(err)
					return
				}
				acked[i].Store(v)
				time.Sleep(200 * time.Microsecond)
			}
		})
	}
	var rounds, hits atomic.Int64
	for n := range 2 {
		c := newTracker(t, s.Addr(), "NOLOOP")
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(2, uint64(n)))
			kept := map[string]map[int]int64{} // pseudo-key → document → its version
			drop := func() {
				for _, k := range c.pushes {
					delete(kept, k)
				}
				c.pushes = c.pushes[:0]
			}
			for !stop.Load() {
				for range 4 {
					args := []any{"FT.SEARCH", "ix", fmt.Sprintf("@g:{g%d}", rng.IntN(4)), "LIMIT", 0, 100, "RETURN", 1, "n"}
					if rng.IntN(2) == 0 {
						args = []any{"FT.SEARCH", "ix", "*=>[KNN 5 @v $q]", "PARAMS", 2, "q", []float32{float32(rng.IntN(8)), 1}, "RETURN", 1, "n"}
					}
					v, err := c.Do(args...)
					if err != nil {
						t.Error(err)
						return
					}
					drop() // pushes before the reply
					key, _ := v.Get("tracking")
					rows, _ := v.Get("results")
					answer := map[int]int64{}
					for _, r := range rows.Elems {
						var i int
						var n int64
						id, _ := r.Get("id")
						extra, _ := r.Get("extra_attributes")
						x, _ := extra.Get("n")
						_, _ = fmt.Sscan(id.Str[1:], &i)
						_, _ = fmt.Sscan(x.Str, &n)
						answer[i] = n
					}
					kept[key.Str] = answer
				}
				var before [docs]int64
				for i := range before {
					before[i] = acked[i].Load()
				}
				if _, err := c.Do("PING"); err != nil {
					t.Error(err)
					return
				}
				drop()
				for key, answer := range kept {
					hits.Add(1)
					for i, v := range answer {
						if v < before[i] {
							t.Errorf("%s holds d%d of version %d, acknowledged was %d", key, i, v, before[i])
							stop.Store(true)
						}
					}
				}
				rounds.Add(1)
			}
		})
	}
	for start := time.Now(); !stop.Load() && (time.Since(start) < 700*time.Millisecond || rounds.Load() < 50 && time.Since(start) < 2*time.Minute); {
		time.Sleep(10 * time.Millisecond)
	}
	stop.Store(true)
	wg.Wait()
	if rounds.Load() < 50 || hits.Load() == 0 {
		t.Errorf("%d rounds, %d answers held", rounds.Load(), hits.Load())
	}
}
