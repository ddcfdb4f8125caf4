package semcache_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearcache/nearcache/index/kinds"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/catalog"
	"github.com/nearcache/nearcache/store/semcache"
	"github.com/nearcache/nearcache/store/types/hash"
)

// world is a keyspace with a semantic cache, a clock that stands, and all that was logged.
type world struct {
	testing.TB
	ks    *store.Keyspace
	cat   *catalog.Catalog
	cache *semcache.Cache
	now   atomic.Int64
	mu    sync.Mutex
	log   []string
}

func (w *world) Committed(c *store.Commit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range c.Effects {
		w.log = append(w.log, fmt.Sprintf("%s %s", e.Args[0], e.Args[1]))
	}
}

func newWorld(t testing.TB) *world {
	w := &world{TB: t}
	w.now.Store(1_700_000_000_000)
	w.ks = store.New(store.Options{Clock: w.now.Load})
	w.cat = catalog.New(w.ks, kinds.All)
	w.cache = semcache.New(w.ks, w.cat)
	w.ks.Observe(w)
	w.cache.Loaded()
	t.Cleanup(func() {
		w.cache.Stop()
		w.cat.Close()
		w.ks.Close()
	})
	return w
}

func (w *world) call() *semcache.Call { return w.cache.Begin(context.Background()) }

func (w *world) create(name string, p semcache.Params) *semcache.Namespace {
	w.Helper()
	if err := w.cache.Make(context.Background(), name, p); err != nil {
		w.Fatal(err)
	}
	n, err := w.cache.Namespace(name)
	if err != nil {
		w.Fatal(err)
	}
	return n
}

func (w *world) put(n *semcache.Namespace, e semcache.Entry) string {
	w.Helper()
	call := w.call()
	id, err := n.Put(call, &e)
	if err != nil {
		w.Fatal(err)
	}
	call.Settle()
	return id
}

func (w *world) get(n *semcache.Namespace, q semcache.Query) semcache.Answer {
	w.Helper()
	return w.keep(n, q, nil)
}

// keep is get for who keeps the answer, and is told by closer.
func (w *world) keep(n *semcache.Namespace, q semcache.Query, closer func(key string)) semcache.Answer {
	w.Helper()
	var a semcache.Answer
	call := w.call()
	call.Closer = closer
	if err := n.Get(call, &q, &a); err != nil {
		w.Fatal(err)
	}
	call.Settle()
	return a
}

// set is an ordinary write of a key by somebody.
func (w *world) set(key string) {
	var tx store.Tx
	tx.Begin(w.ks, 3, 0)
	tx.LockKey([]byte(key))
	h := hash.New()
	h.Set([]byte("f"), []byte("v"))
	tx.Changed(tx.Put([]byte(key), h, false), store.ClassHash, "hset")
	tx.Effect([]byte("HSET"), []byte(key))
	store.DoAll(tx.End())
}

// vec is a unit vector at an angle, in degrees.
func vec(degrees float64) []byte {
	return semcache.Blob([]float32{float32(math.Cos(degrees * math.Pi / 180)), float32(math.Sin(degrees * math.Pi / 180))})
}

func TestEntriesEndWithTheirTime(t *testing.T) {
	w := newWorld(t)
	p := semcache.Defaults(2)
	p.PX, p.MaxAge = 60_000, 100_000
	n := w.create("ns", p)
	f := func(px, lives int64) {
		t.Helper()
		prompt := []byte(fmt.Sprint("prompt of ", px))
		w.put(n, semcache.Entry{Prompt: prompt, Answer: []byte("yes"), Vector: vec(0), PX: px})
		a := w.get(n, semcache.Query{Prompt: prompt})
		if a.Status != semcache.Exact || a.PTTL != lives || a.Age != 0 {
			t.Errorf("PX %d: %+v", px, a)
		}
		w.now.Add(lives - 1)
		if a = w.get(n, semcache.Query{Prompt: prompt}); a.Status != semcache.Exact || a.PTTL != 1 || a.Age != lives-1 {
			t.Errorf("PX %d, 1 ms before: %+v", px, a)
		}
		w.now.Add(1)
		if a = w.get(n, semcache.Query{Prompt: prompt, Vector: vec(0)}); a.Status != semcache.Miss {
			t.Errorf("PX %d, after it: %+v", px, a)
		}
	}
	f(0, 60_000)
	f(5_000, 5_000)
	f(500_000, 100_000)
	f(-1, 100_000)

	// Whoever extends the key does not extend the age.
	id := w.put(n, semcache.Entry{Prompt: []byte("p"), Answer: []byte("yes"), Vector: vec(0)})
	var tx store.Tx
	tx.Begin(w.ks, 0, 0)
	key := []byte("sem:{ns}:" + id)
	tx.LockKey(key)
	e := tx.Find(key)
	tx.SetExpire(e, 0)
	tx.Changed(e, store.ClassGeneric, "persist")
	tx.NoEffect()
	store.DoAll(tx.End())
	w.now.Add(99_999)
	if a := w.get(n, semcache.Query{Prompt: []byte("p")}); a.Status != semcache.Exact || a.PTTL != 1 {
		t.Errorf("%+v", a)
	}
	w.now.Add(1)
	for _, m := range []semcache.Mode{semcache.OnlyExact, semcache.OnlySemantic} {
		if a := w.get(n, semcache.Query{Prompt: []byte("p"), Vector: vec(0), Mode: m}); a.Status != semcache.Miss {
			t.Errorf("older than MAXAGE, mode %d: %+v", m, a)
		}
	}
}

// TestNothingCrossesScopes plays random operations against a model that knows
// whose each answer is. NEARCACHE_LONG makes it a million.
func TestNothingCrossesScopes(t *testing.T) {
	steps := 6000
	if os.Getenv("NEARCACHE_LONG") != "" {
		steps = 1_000_000
	}
	w := newWorld(t)
	p := semcache.Defaults(2)
	p.MaxWrong, p.MinSim = 1, -1 // whatever is near, so that only the scope holds it back
	p.MaxEntries = 300
	n := w.create("ns", p)
	r := rand.New(rand.NewPCG(9, 1))
	tenants := []string{"", "a", "b", "ab", "a=b", "\x00", "é", strings.Repeat("x", 300), "true"}
	fields := []string{"tenant", "user", "t"}
	place := func() ([]semcache.Pair, string, string) {
		var l []semcache.Pair
		for _, f := range fields[:r.IntN(3)] {
			l = append(l, semcache.Pair{Field: f, Value: tenants[r.IntN(len(tenants))]})
		}
		r.Shuffle(len(l), func(i, k int) { l[i], l[k] = l[k], l[i] })
		ctx := []string{"", "", "c1", "c2"}[r.IntN(4)]
		sorted := slices.Clone(l)
		slices.SortFunc(sorted, func(a, b semcache.Pair) int { return strings.Compare(a.Field, b.Field) })
		return l, ctx, fmt.Sprintf("%q %q", sorted, ctx)
	}
	var ids []string
	hits := 0
	for range steps {
		scope, ctx, owner := place()
		prompt := []byte(fmt.Sprint("prompt ", r.IntN(40)))
		v := vec(float64(r.IntN(90)))
		switch r.IntN(8) {
		case 0, 1:
			ids = append(ids, w.put(n, semcache.Entry{Prompt: prompt, Answer: []byte(owner), Vector: v, Scope: scope, Context: ctx, PX: int64(1 + r.IntN(100_000))}))
		case 2:
			if len(ids) > 0 {
				n.Delete(w.call(), []string{ids[r.IntN(len(ids))]})
			}
			w.now.Add(int64(r.IntN(500)))
		default:
			var a semcache.Answer
			a = w.get(n, semcache.Query{Prompt: prompt, Vector: v, Scope: scope, Context: ctx, Mode: semcache.Mode(r.IntN(3))})
			if !a.Status.Hit() {
				continue
			}
			if hits++; string(a.Answer) != owner {
				t.Fatalf("%s got the answer of %s", owner, a.Answer)
			}
		}
	}
	if hits < steps/20 {
		t.Errorf("%d hits in %d steps: the test sees little", hits, steps)
	}
}

func TestOneComputesTheOthersWait(t *testing.T) {
	w := newWorld(t)
	n := w.create("ns", semcache.Defaults(2))
	prompts := []string{"How do I reset my password?", "how do I reset my password", "How can I reset my password?", "How do i reset my password please?"}
	var upstream, served atomic.Int64
	var wg sync.WaitGroup
	const clients = 200
	computing, all := make(chan struct{}), make(chan struct{})
	for i := range clients {
		wg.Go(func() {
			prompt := []byte(prompts[i%len(prompts)])
			v := vec(float64(i%len(prompts)) / 2)
			call := w.call()
			var a semcache.Answer
			if i > 0 {
				<-computing
			}
			err := n.Get(call, &semcache.Query{Prompt: prompt, Vector: v, Lease: time.Minute, Wait: time.Minute}, &a)
			switch {
			case err != nil:
				t.Error(err)
			case a.Token != "":
				if upstream.Add(1) == 1 {
					close(computing)
				}
				<-all
				if id, err := n.Put(call, &semcache.Entry{Prompt: prompt, Answer: []byte("Click."), Vector: v, Lease: a.Token}); id == "" || err != nil {
					t.Error(id, err)
				}
				call.Settle()
			case a.Status.Hit() && string(a.Answer) == "Click.":
				served.Add(1)
			default:
				t.Errorf("%+v", a)
			}
		})
	}
	<-computing
	close(all)
	wg.Wait()
	if u := upstream.Load(); u != 1 || served.Load() != clients-1 {
		t.Errorf("%d computed it, %d were served", u, served.Load())
	}
	if s := n.Stats(); s.Leases != 1 || s.Exact+s.Semantic != clients-1 {
		t.Errorf("%+v", s)
	}
}

func TestLeases(t *testing.T) {
	w := newWorld(t)
	n := w.create("ns", semcache.Defaults(2))
	ask := func(owner uint64, degrees float64, wait time.Duration) semcache.Answer {
		t.Helper()
		call := w.call()
		call.Owner = owner
		var a semcache.Answer
		if err := n.Get(call, &semcache.Query{Prompt: []byte("What is it?"), Vector: vec(degrees), Lease: time.Second, Wait: wait}, &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	first := ask(1, 0, 0)
	if first.Status != semcache.Miss || first.Token == "" {
		t.Fatalf("%+v", first)
	}
	if a := ask(2, 0, 0); a.Status != semcache.Leased || a.Token != "" {
		t.Errorf("without WAIT: %+v", a)
	}
	if a := ask(2, 0, time.Millisecond); a.Status != semcache.Waited || a.Token != "" {
		t.Errorf("waited in vain: %+v", a)
	}
	// It ends with its time …
	w.now.Add(999)
	if !n.Renew(w.call(), first.Token, 0) {
		t.Error("a lease of which a ms is left cannot be renewed")
	}
	w.now.Add(999)
	if a := ask(2, 0, 0); a.Status != semcache.Leased {
		t.Errorf("renewed: %+v", a)
	}
	w.now.Add(1)
	second := ask(2, 0, time.Minute)
	if second.Status != semcache.Miss || second.Token == "" || second.Token == first.Token {
		t.Errorf("after its time: %+v", second)
	}
	if id := w.put(n, semcache.Entry{Prompt: []byte("What is it?"), Answer: []byte("late"), Vector: vec(0), Lease: first.Token}); id != "" {
		t.Error("an answer was stored under a lease that had ended")
	}
	// … with its holder's session …
	got := make(chan semcache.Answer)
	go func() { got <- ask(3, 0, time.Minute) }()
	w.cache.Release(2)
	third := <-got
	if third.Status != semcache.Miss || third.Token == "" {
		t.Errorf("after its holder is gone: %+v", third)
	}
	// … or by its holder's word.
	go func() { got <- ask(4, 0, time.Minute) }()
	if !n.Abort(w.call(), third.Token) || n.Abort(w.call(), third.Token) {
		t.Error("it ends once")
	}
	fourth := <-got
	if fourth.Status != semcache.Miss || fourth.Token == "" {
		t.Errorf("after it was given up: %+v", fourth)
	}
	if id := w.put(n, semcache.Entry{Prompt: []byte("What is it?"), Answer: []byte("it"), Vector: vec(0), Lease: fourth.Token}); id == "" {
		t.Error("not stored")
	}
	if a := ask(5, 0, 0); a.Status != semcache.Exact {
		t.Errorf("%+v", a)
	}
}

// TestStaleAnswers: what depends on a key is gone when the key's writer gets its reply,
// and what was computed before the write is not stored after it.
// TestNoLeaseOutlivesItsIndex: FT.DROPINDEX is enough to end who holds a lease, and who waits for it.
func TestNoLeaseOutlivesItsIndex(t *testing.T) {
	w := newWorld(t)
	n := w.create("ns", semcache.Defaults(2))
	ask := func() (a semcache.Answer, err error) {
		err = n.Get(w.call(), &semcache.Query{Prompt: []byte("What is it?"), Vector: vec(0), Lease: time.Hour, Wait: time.Minute}, &a)
		return a, err
	}
	if a, err := ask(); err != nil || a.Token == "" {
		t.Fatal(a, err)
	}
	if got := w.cache.Leases(); got != 1 {
		t.Fatalf("%d leases", got)
	}
	if err := w.cat.Drop(n.Index()); err != nil {
		t.Fatal(err)
	}
	if got := w.cache.Leases(); got != 0 {
		t.Errorf("%d leases of an index that is gone", got)
	}
}

func TestStaleAnswers(t *testing.T) {
	w := newWorld(t)
	n := w.create("ns", semcache.Defaults(2))
	prompt := []byte("What does it cost?")
	lease := func() string {
		t.Helper()
		a := w.get(n, semcache.Query{Prompt: prompt, Vector: vec(0), Lease: time.Minute})
		if a.Token == "" {
			t.Fatalf("%+v", a)
		}
		return a.Token
	}
	put := func(e semcache.Entry) string {
		e.Prompt, e.Answer, e.Vector = prompt, []byte("9.99"), vec(0)
		return w.put(n, e)
	}
	put(semcache.Entry{Deps: []string{"a", "price:1"}})
	w.set("price:1")
	if a := w.get(n, semcache.Query{Prompt: prompt, Vector: vec(0)}); a.Status != semcache.Miss {
		t.Errorf("%+v", a)
	}
	token := lease()
	w.set("price:1")
	if put(semcache.Entry{Deps: []string{"a", "price:1"}, Lease: token}) != "" {
		t.Error("stored, though price:1 has changed since the lease began")
	}
	token = lease()
	w.set("price:2")
	if put(semcache.Entry{Deps: []string{"a", "price:1"}, Lease: token}) == "" {
		t.Error("not stored, though only price:2 has changed")
	}
	if removed, err := n.Invalidate(w.call(), &semcache.Target{Dep: "a"}); removed != 1 || err != nil {
		t.Error(removed, err)
	}
	token = lease()
	if _, err := n.Invalidate(w.call(), &semcache.Target{Tag: "prices"}); err != nil {
		t.Error(err)
	}
	if put(semcache.Entry{Tags: []string{"prices"}, Lease: token}) != "" {
		t.Error("stored, though its tag was invalidated since the lease began")
	}
	token = lease()
	if put(semcache.Entry{Tags: []string{"prices"}, Lease: token}) == "" {
		t.Error("not stored, though its tag was invalidated before the lease began")
	}
	if got := n.Stats().Stale; got != 2 {
		t.Errorf("%d refused", got)
	}
	// The key of an entry may be what another depends on.
	id := put(semcache.Entry{})
	w.put(n, semcache.Entry{Prompt: []byte("And in total?"), Answer: []byte("19.98"), Vector: vec(90), Deps: []string{"sem:{ns}:" + id}})
	put(semcache.Entry{})
	if a := w.get(n, semcache.Query{Prompt: []byte("And in total?"), Mode: semcache.OnlyExact}); a.Status != semcache.Miss {
		t.Errorf("%+v", a)
	}
}

// TestALogThatEndsBetweenAChangeAndWhatItKills: the entry does not come back.
func TestALogThatEndsBetweenAChangeAndWhatItKills(t *testing.T) {
	w := &world{TB: t}
	w.now.Store(1)
	w.ks = store.New(store.Options{Clock: w.now.Load})
	w.cat = catalog.New(w.ks, kinds.All)
	w.cache = semcache.New(w.ks, w.cat)
	t.Cleanup(func() { w.cat.Close(); w.ks.Close() })
	n := w.create("ns", semcache.Defaults(2))
	for _, p := range []string{"one", "two", "three"} {
		w.put(n, semcache.Entry{Prompt: []byte(p), Answer: []byte(p), Vector: vec(0), Deps: []string{p}})
	}
	w.set("one")
	w.set("two")
	w.put(n, semcache.Entry{Prompt: []byte("two"), Answer: []byte("new"), Vector: vec(0), Deps: []string{"two"}})
	w.cache.Loaded()
	for p, there := range map[string]bool{"one": false, "two": true, "three": true} {
		if a := w.get(n, semcache.Query{Prompt: []byte(p), Mode: semcache.OnlyExact}); a.Status.Hit() != there {
			t.Errorf("%s: %+v", p, a)
		}
	}
}

func TestFeedbackIsLocal(t *testing.T) {
	w := newWorld(t)
	p := semcache.Defaults(2)
	p.MaxWrong = 0.2
	n := w.create("ns", p)
	id := w.put(n, semcache.Entry{Prompt: []byte("Is it open on Sundays?"), Answer: []byte("no"), Vector: vec(0)})
	w.put(n, semcache.Entry{Prompt: []byte("Is it open on holidays?"), Answer: []byte("never"), Vector: vec(20)})
	w.put(n, semcache.Entry{Prompt: []byte("Do you sell apples?"), Answer: []byte("yes"), Vector: vec(90)})
	near, far := semcache.Query{Prompt: []byte("is it open on a sunday"), Vector: vec(1)}, semcache.Query{Prompt: []byte("do you sell some apples?"), Vector: vec(89)}
	before, other := w.get(n, near), w.get(n, far)
	if before.Status != semcache.Semantic || string(before.ID) != id || other.Status != semcache.Semantic {
		t.Fatalf("%+v %+v", before, other)
	}
	if err := n.Feedback(w.call(), id, false, near.Prompt); err != nil {
		t.Fatal(err)
	}
	if a := w.get(n, near); a.Status != semcache.Miss {
		t.Errorf("the very prompt that it was wrong for: %+v", a)
	}
	if a := w.get(n, semcache.Query{Prompt: []byte("is it open on some sunday"), Vector: vec(1)}); a.Confidence >= before.Confidence {
		t.Errorf("beside it: %.3f, was %.3f", a.Confidence, before.Confidence)
	}
	if a := w.get(n, far); a.Status != semcache.Semantic || math.Abs(a.Confidence-other.Confidence) > 0.02 {
		t.Errorf("far from it: %+v, was %+v", a, other)
	}
	if err := n.Feedback(w.call(), id, true, near.Prompt); err != nil {
		t.Fatal(err)
	}
	if a := w.get(n, near); a.Status != semcache.Semantic || a.Confidence != 1 {
		t.Errorf("confirmed: %+v", a)
	}
	if err := n.Feedback(w.call(), "nosuch", true, nil); !errors.Is(err, semcache.ErrNotFound) {
		t.Error(err)
	}
	for range 200 { // whatever is served, it is wrong: the namespace gets careful
		if err := n.Feedback(w.call(), id, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	if a := w.get(n, far); a.Status != semcache.Miss || n.Stats().Bias > -4 {
		t.Errorf("%+v, bias %.2f", a, n.Stats().Bias)
	}
}

// TestCopiesThatWouldNotBeServedAnyMoreAreTold: feedback about an entry makes the whole namespace careful.
func TestCopiesThatWouldNotBeServedAnyMoreAreTold(t *testing.T) {
	w := newWorld(t)
	p := semcache.Defaults(2)
	p.MaxWrong = 0.2
	n := w.create("ns", p)
	id := w.put(n, semcache.Entry{Prompt: []byte("Is it open on Sundays?"), Answer: []byte("no"), Vector: vec(0)})
	w.put(n, semcache.Entry{Prompt: []byte("Do you sell apples?"), Answer: []byte("yes"), Vector: vec(90)})
	sure := semcache.Query{Prompt: []byte("Do you sell apples?"), Vector: vec(90), Track: true} // the very prompt
	like := semcache.Query{Prompt: []byte("do you sell some apples?"), Vector: vec(89), Track: true}
	var told []string
	tell := func(key string) { told = append(told, key) }
	if a, b := w.keep(n, sure, tell), w.keep(n, like, tell); a.Status != semcache.Exact || b.Status != semcache.Semantic {
		t.Fatalf("%+v %+v", a, b)
	}
	for i := range 200 {
		if err := n.Feedback(w.call(), id, false, nil); err != nil {
			t.Fatal(err)
		}
		served := w.get(n, like).Status == semcache.Semantic
		if served != (len(told) == 0) {
			t.Fatalf("after %d: served %v, told %q", i+1, served, told)
		}
		if !served {
			if len(told) != 1 || !strings.HasPrefix(told[0], "sem:{ns}:") || i == 0 {
				t.Errorf("after %d: %q", i+1, told)
			}
			return
		}
	}
	t.Error("it is served still")
}

// TestCopiesOfAPromptThatFeedbackGivesToAnother: they are told, and no others.
func TestCopiesOfAPromptThatFeedbackGivesToAnother(t *testing.T) {
	w := newWorld(t)
	p := semcache.Defaults(2)
	p.MaxWrong = 0.5
	n := w.create("ns", p)
	near := w.put(n, semcache.Entry{Prompt: []byte("Do you sell apples?"), Answer: []byte("yes"), Vector: vec(0)})
	far := w.put(n, semcache.Entry{Prompt: []byte("Do you sell many apples?"), Answer: []byte("no"), Vector: vec(9)})
	var told []string
	keep := func(prompt, want string) {
		t.Helper()
		a := w.keep(n, semcache.Query{Prompt: []byte(prompt), Vector: vec(1), Track: true}, func(key string) { told = append(told, key) })
		if string(a.Answer) != want || a.Status != semcache.Semantic {
			t.Fatalf("%s: %+v", prompt, a)
		}
	}
	const prompt = "do you sell some apples?"
	keep("do you sell any apples?", "yes")
	keep(prompt, "yes")
	for range 2 {
		if err := n.Feedback(w.call(), far, true, []byte(prompt)); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(told, []string{"sem:{ns}:" + near}) {
		t.Errorf("told %q", told)
	}
	keep(prompt, "no")
}

func TestMaxEntries(t *testing.T) {
	for _, by := range []semcache.Evict{semcache.LRU, semcache.LFU, semcache.ByCost} {
		w := newWorld(t)
		p := semcache.Defaults(2)
		p.MaxEntries, p.Evict = 50, by
		n := w.create("ns", p)
		dear := []byte("the one that is used")
		w.put(n, semcache.Entry{Prompt: dear, Answer: []byte("yes"), Vector: vec(0), Cost: 1})
		for i := range 300 {
			w.now.Add(10)
			w.put(n, semcache.Entry{Prompt: []byte(fmt.Sprint("prompt ", i)), Answer: []byte("yes"), Vector: vec(float64(i)), Cost: 0.001})
			if a := w.get(n, semcache.Query{Prompt: dear}); a.Status != semcache.Exact {
				t.Fatalf("policy %d: gone after %d others", by, i)
			}
		}
		if n.Len() > 50 {
			t.Errorf("policy %d: %d entries", by, n.Len())
		}
	}
}

// model embeds texts of "angle N".
type model struct{}

func (m *model) Dim() int     { return 2 }
func (m *model) Name() string { return "angles" }
func (m *model) Embed(_ context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, s := range texts {
		if s == "fail" {
			return nil, errors.New("the model is out")
		}
		var a float64
		_, _ = fmt.Sscanf(s, "angle %f", &a)
		out[i] = []float32{float32(math.Cos(a)), float32(math.Sin(a))}
	}
	return out, nil
}

func TestTheServerEmbeds(t *testing.T) {
	w := newWorld(t)
	m := &model{}
	w.cache.SetEmbedders(func(name string) (semcache.Embedder, error) {
		if name == "" || name == "angles" {
			return m, nil
		}
		return nil, fmt.Errorf("no embedder %s", name)
	})
	p := semcache.Defaults(3)
	p.Embed = "angles"
	if err := w.cache.Make(context.Background(), "x", p); err == nil {
		t.Error("a namespace of 3 dimensions for vectors of 2")
	}
	p = semcache.Defaults(2)
	p.Embed = "other"
	if err := w.cache.Make(context.Background(), "x", p); err == nil {
		t.Error("an embedder that is not there")
	}
	n := w.create("ns", semcache.Defaults(2))
	if _, err := n.Put(w.call(), &semcache.Entry{Prompt: []byte("fail"), Answer: []byte("x")}); err == nil {
		t.Error("stored without a vector")
	}
	w.put(n, semcache.Entry{Prompt: []byte("angle 1"), Answer: []byte("one")})
	if a := w.get(n, semcache.Query{Prompt: []byte("angle 1"), Mode: semcache.OnlySemantic}); a.Status != semcache.Semantic {
		t.Errorf("%+v", a)
	}
}

// TestEffectsAreOrdinaryCommands: what is logged needs nothing but hashes.
func TestEffectsAreOrdinaryCommands(t *testing.T) {
	w := newWorld(t)
	p := semcache.Defaults(2)
	p.PX = 1000
	n := w.create("ns", p)
	e := semcache.Entry{Prompt: []byte("p"), Answer: []byte("a"), Vector: vec(0), Deps: []string{"d"}}
	id := w.put(n, e)
	w.put(n, e)
	_ = n.Feedback(w.call(), id, true, nil)
	w.set("d")
	key := "sem:{ns}:" + id
	want := []string{
		"SEM.CREATE ns", "HSET " + key, "PEXPIREAT " + key, "DEL " + key, "HSET " + key, "PEXPIREAT " + key,
		"HSET " + key, "HSET sem:{ns}", "HSET d", "DEL " + key,
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.log, want) {
		t.Errorf("%q", w.log)
	}
}

// TestCopiesHearOfWhatIsFarther where it has a say: by a margin, or as answers around it are told apart. Elsewhere they hear of what is
// nearer alone.
func TestCopiesHearOfWhatIsFarther(t *testing.T) {
	for _, c := range []struct {
		name   string
		margin float64
		second string // the answer of the second entry
		want   bool
	}{
		{"margin", 0.05, "at nine", true},
		{"answers told apart", 0, "yes", true},
		{"nothing", 0, "at nine", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			p := semcache.Defaults(2)
			p.MaxWrong, p.Margin = 0.5, c.margin
			n := w.create("ns", p)
			w.put(n, semcache.Entry{Prompt: []byte("Do you sell apples?"), Answer: []byte("yes"), Vector: vec(0)})
			w.put(n, semcache.Entry{Prompt: []byte("Do you have apples to sell?"), Answer: []byte(c.second), Vector: vec(30)})
			told := 0
			q := semcache.Query{Prompt: []byte("do you sell some apples?"), Vector: vec(1), Track: true}
			if a := w.keep(n, q, func(string) { told++ }); a.Status != semcache.Semantic || string(a.Answer) != "yes" {
				t.Fatalf("%+v", a)
			}
			w.put(n, semcache.Entry{Prompt: []byte("Do you sell pears?"), Answer: []byte("no"), Vector: vec(12)})
			if (told > 0) != c.want {
				t.Errorf("told %d times", told)
			}
			if a := w.get(n, q); c.margin > 0 && a.Status != semcache.Miss {
				t.Errorf("%+v", a)
			}
		})
	}
}
