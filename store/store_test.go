package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nearcache/nearcache/store/evict"
	"github.com/nearcache/nearcache/store/types/str"
)

// testStore is a keyspace with a clock of its own and an observer that notes
// events and effects.
type testStore struct {
	ks  *Keyspace
	now int64
	log []string
}

func newStore(tb testing.TB) *testStore {
	tb.Helper()
	s := &testStore{now: 1_800_000_000_000}
	s.ks = New(Options{Clock: func() int64 { return s.now }})
	s.ks.Observe(s)
	tb.Cleanup(func() {
		if tb.Failed() { // shards may be held
			return
		}
		if err := s.ks.Validate(); err != nil {
			tb.Error(err)
		}
		s.ks.Close()
	})
	return s
}

func (s *testStore) setPolicy(name string) {
	s.ks.SetEviction(func(e *evict.Setup) { e.Policy = evict.Find(name) })
}

// Committed implements Observer.
func (s *testStore) Committed(c *Commit) {
	for _, e := range c.Events {
		name := e.Name
		if e.Key != "" {
			name += " " + e.Key
		}
		s.log = append(s.log, name)
	}
	for _, e := range c.Effects {
		var words []string
		for _, a := range e.Args {
			words = append(words, string(a))
		}
		s.log = append(s.log, strings.Join(words, " "))
	}
}

func (s *testStore) want(tb testing.TB, log ...string) {
	tb.Helper()
	if !slices.Equal(s.log, log) {
		tb.Fatalf("%q, want %q", s.log, log)
	}
}

// update runs f with the key's shard held.
func (s *testStore) update(key string, f func(*Tx)) {
	var tx Tx
	tx.Begin(s.ks, 0, 1)
	tx.LockKey([]byte(key))
	f(&tx)
	tx.End()
}

// all runs f with every shard held.
func (s *testStore) all(f func(*Tx)) {
	var tx Tx
	var set LockSet
	set.AddAll()
	tx.Begin(s.ks, 0, 1)
	tx.Lock(&set)
	f(&tx)
	tx.End()
}

func (s *testStore) put(tx *Tx, key, value string) *Entry {
	e := tx.Put([]byte(key), str.Copy([]byte(value)), false)
	tx.Changed(e, ClassString, "set")
	return e
}

func (s *testStore) set(key, value string) {
	s.update(key, func(tx *Tx) { s.put(tx, key, value) })
}

func (s *testStore) count() (keys, volatile int) {
	var tx Tx
	tx.Begin(s.ks, 0, 1)
	defer tx.End()
	for db := range Databases {
		k, v := tx.Len(db)
		keys, volatile = keys+k, volatile+v
	}
	return keys, volatile
}

// check validates the keyspace.
func (s *testStore) check(tb testing.TB) {
	tb.Helper()
	if err := s.ks.Validate(); err != nil {
		tb.Fatal(err)
	}
}

func TestSlot(t *testing.T) {
	t.Parallel()
	f := func(key string, want int) {
		t.Helper()
		if got := Slot([]byte(key)); got != want {
			t.Fatalf("%q: %d, want %d", key, got, want)
		}
	}
	// As CLUSTER KEYSLOT of Redis answers.
	f("", 0)
	f("123456789", 12739)
	f("foo", 12182)
	f("{foo}bar", 12182)
	f("a{foo}bar{x}", 12182)
	f("foo{}{bar}", 8363)
	f("foo{{bar}}zap", 4015)
	f("foo{bar", 15278)
}

func TestMemoryAddsUp(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	rnd := rand.New(rand.NewPCG(11, 12))
	for step := range 30_000 {
		key := []byte(fmt.Sprint("k", rnd.IntN(500)))
		s.update(string(key), func(tx *Tx) {
			tx.DB = rnd.IntN(2)
			e := tx.Find(key)
			switch op := rnd.IntN(8); {
			case e == nil || op < 2:
				s.put(tx, string(key), strings.Repeat("x", rnd.IntN(200)))
			case op < 4:
				v := e.Value().(*str.Value)
				v.B = append(v.B, strings.Repeat("y", rnd.IntN(100))...)
				tx.Changed(e, ClassString, "append")
			case op < 6:
				tx.Delete(key, "del")
			case op < 7:
				tx.SetExpire(e, s.now+int64(rnd.IntN(5)))
			default: // a rename: the object moves on
				o := e.Value()
				tx.Delete(key, "rename_from")
				tx.Changed(tx.Put(key, o, false), ClassGeneric, "rename_to")
			}
		})
		s.now += int64(rnd.IntN(2))
		switch {
		case step%5000 == 4999:
			s.check(t)
		case step%7000 == 6999:
			s.all(func(tx *Tx) { tx.Flush(rnd.IntN(2)) })
			s.check(t)
		}
	}
	s.all(func(tx *Tx) { tx.Flush(-1) })
	if keys, volatile := s.count(); s.ks.Used() != 0 || keys != 0 || volatile != 0 {
		t.Fatalf("%d bytes, %d keys, %d volatile after a flush of all", s.ks.Used(), keys, volatile)
	}
	s.check(t)
}

func TestFlushOfOneDatabaseLeavesTheOthers(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for i := range 100 {
		key := fmt.Sprint("k", i)
		s.update(key, func(tx *Tx) {
			tx.DB = i % 2
			tx.SetExpire(s.put(tx, key, "v"), s.now+10)
		})
	}
	s.all(func(tx *Tx) { tx.Flush(0) })
	if keys, volatile := s.count(); keys != 50 || volatile != 50 {
		t.Fatalf("%d keys, %d volatile", keys, volatile)
	}
	s.check(t)
	s.now += 10
	if n := s.ks.ExpireDue(0); n != 50 {
		t.Fatalf("%d expired", n)
	}
}

func TestSwapExchangesDatabases(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for i := range 100 {
		key := fmt.Sprint("k", i)
		s.update(key, func(tx *Tx) {
			tx.DB = i % 2
			tx.SetExpire(s.put(tx, key, "v"), s.now+10*int64(1+i%2))
		})
	}
	s.all(func(tx *Tx) { tx.Swap(0, 1) })
	s.all(func(tx *Tx) { tx.Swap(1, 5) })
	s.check(t)
	s.all(func(tx *Tx) {
		for db, want := range map[int]int{0: 50, 1: 0, 5: 50} {
			if n, _ := tx.Len(db); n != want {
				t.Errorf("database %d has %d keys, not %d", db, n, want)
			}
		}
	})
	s.now += 10
	if n := s.ks.ExpireDue(0); n != 50 {
		t.Fatalf("%d expired", n)
	}
	s.all(func(tx *Tx) {
		if n, _ := tx.Len(0); n != 50 {
			t.Errorf("%d keys are left", n)
		}
	})
}

func TestCommitHoldsEventsAndEffects(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	words := func(s ...string) (l [][]byte) {
		for _, w := range s {
			l = append(l, []byte(w))
		}
		return l
	}
	s.update("k", func(tx *Tx) {
		s.put(tx, "k", "v")
		tx.FinishCommand(words("SET", "k", "v"))
		tx.FinishCommand(words("GET", "k")) // has changed nothing
		tx.Delete([]byte("k"), "del")
		tx.Effect(words("DEL", "k")...)
		tx.FinishCommand(words("GETDEL", "k"))
		tx.Delete([]byte("k"), "del") // is not there
		tx.FinishCommand(words("DEL", "k"))
		s.put(tx, "k", "v")
		tx.NoEffect()
		tx.FinishCommand(words("SET", "k", "v"))
	})
	s.want(t, "set k", "del k", "set k", "SET k v", "DEL k")
	if s.ks.Seq() != 1 {
		t.Fatalf("%d commits", s.ks.Seq())
	}
	s.update("k", func(tx *Tx) { tx.Get([]byte("k")) })
	if s.ks.Seq() != 1 {
		t.Fatal("a read was committed")
	}
}

type deferring struct{ n *atomic.Int32 }

func (d deferring) Committed(c *Commit) { c.Defer(d) }
func (d deferring) Do()                 { d.n.Add(1) }

func TestDeferredWorkOfServersOwnCommitsIsDone(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	d := deferring{new(atomic.Int32)}
	s.ks.Observe(d)
	var work []Deferred
	var tx Tx
	for i := range 10 {
		tx.Begin(s.ks, 0, 1)
		key := []byte(fmt.Sprint("k", i))
		tx.LockKey(key)
		tx.SetExpire(s.put(&tx, string(key), "v"), s.now+1)
		work = append(work, tx.End()...)
	}
	DoAll(work)
	if d.n.Load() != 10 {
		t.Fatalf("%d pieces of work done", d.n.Load())
	}
	s.now++
	if n := s.ks.ExpireDue(0); n != 10 || d.n.Load() <= 10 {
		t.Fatalf("%d expired, %d pieces of work done", n, d.n.Load())
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	f := func(name string, dirty bool, change func(*Tx)) {
		t.Helper()
		s.all(func(tx *Tx) {
			tx.Flush(-1)
			tx.DB = 1
			tx.SetExpire(s.put(tx, "there", "v"), s.now+1000)
		})
		var w Watch
		s.update("there", func(tx *Tx) {
			tx.DB = 1
			tx.Watch(&w, []byte("there"))
			tx.Watch(&w, []byte("there"))
		})
		s.update("missing", func(tx *Tx) {
			tx.DB = 1
			tx.Watch(&w, []byte("missing"))
		})
		if w.Len() != 2 || w.Dirty() {
			t.Fatalf("%s: %d keys watched, dirty %t", name, w.Len(), w.Dirty())
		}
		s.all(func(tx *Tx) {
			tx.DB = 1
			change(tx)
		})
		if w.Dirty() != dirty {
			t.Errorf("%s: dirty %t", name, w.Dirty())
		}
		var tx Tx
		tx.Begin(s.ks, 0, 1)
		tx.Unwatch(&w)
		tx.End()
		if w.Dirty() || w.Len() != 0 {
			t.Fatalf("%s: dirty after unwatch", name)
		}
		s.all(func(tx *Tx) {
			tx.DB = 1
			s.put(tx, "there", "w")
			s.put(tx, "missing", "w")
		})
		if w.Dirty() {
			t.Fatalf("%s: still watched after unwatch", name)
		}
		for i := range s.ks.shards {
			if n := len(s.ks.shards[i].watches); n != 0 {
				t.Fatalf("%s: %d watches left", name, n)
			}
		}
	}
	f("nothing", false, func(*Tx) {})
	f("read", false, func(tx *Tx) { tx.Get([]byte("there")) })
	f("set", true, func(tx *Tx) { s.put(tx, "there", "w") })
	f("create", true, func(tx *Tx) { s.put(tx, "missing", "w") })
	f("delete", true, func(tx *Tx) { tx.Delete([]byte("there"), "del") })
	f("delete of nothing", false, func(tx *Tx) { tx.Delete([]byte("missing"), "del") })
	f("another key", false, func(tx *Tx) { s.put(tx, "other", "w") })
	f("another database", false, func(tx *Tx) { tx.DB = 2; s.put(tx, "there", "w") })
	f("flush", true, func(tx *Tx) { tx.Flush(-1) })
	f("flush of the database", true, func(tx *Tx) { tx.Flush(1) })
	f("flush of another", false, func(tx *Tx) { tx.Flush(2) })
	f("swap", true, func(tx *Tx) { tx.Swap(1, 2) })
	f("swap of others", false, func(tx *Tx) { tx.Swap(0, 2) })
	f("swap with itself", false, func(tx *Tx) { tx.Swap(1, 1) })
	f("expiry", true, func(tx *Tx) { tx.Now += 1000; tx.Peek([]byte("there")) })
}

func TestTwoKeysChangeTogether(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.ks.observers = nil // the log is for one goroutine
	const sum = 1000
	keys := [][]byte{[]byte("a"), []byte("b"), []byte("c"), []byte("d")}
	amount := func(tx *Tx, key []byte) *int {
		e := tx.Find(key)
		if e == nil {
			e = tx.Put(key, &counter{}, false)
			e.Value().(*counter).n = sum
		}
		return &e.Value().(*counter).n
	}
	var wg sync.WaitGroup
	for g := range uint64(4) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(g, 1))
			var tx Tx
			for range 3000 {
				i, j := rnd.IntN(len(keys)), rnd.IntN(len(keys))
				var set LockSet
				if rnd.IntN(100) == 0 {
					set.AddAll()
				} else {
					set.Add(keys[i])
					set.Add(keys[j])
				}
				tx.Begin(s.ks, 0, g)
				tx.Lock(&set)
				*amount(&tx, keys[i])--
				*amount(&tx, keys[j])++
				tx.End()
			}
		})
	}
	wg.Wait()
	total := 0
	s.all(func(tx *Tx) {
		if !tx.HoldsAll() {
			t.Error("does not know that it holds all")
		}
		for _, key := range keys {
			total += *amount(tx, key)
		}
	})
	if total != sum*len(keys) {
		t.Fatalf("%d in the end, want %d", total, sum*len(keys))
	}
}

type counter struct {
	str.Value
	n int
}

func TestWithHoldsTheKey(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.set("k", "v")
	s.log = nil
	look := func(tx *Tx) {
		if !tx.holds(shardOf([]byte("k"))) || tx.Find([]byte("k")) == nil {
			t.Error("not held, or not there")
		}
		tx.Delete([]byte("k"), "del")
	}
	var tx Tx
	tx.Begin(s.ks, 0, 1)
	tx.With([]byte("k"), look) // takes and commits it by itself
	s.want(t, "del k")
	tx.End()
	s.set("k", "v")
	s.log = nil
	s.all(func(tx *Tx) {
		tx.With([]byte("k"), look)
		s.want(t) // is committed with the rest
	})
	s.want(t, "del k")
}

// TestScanMissesNothingWhileKeysComeAndGo grows and shrinks the tables during a
// scan, and moves the records.
func TestScanMissesNothingWhileKeysComeAndGo(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.ks.observers = nil
	rnd := rand.New(rand.NewPCG(13, 14))
	stay := map[string]int{}
	for i := range 2000 {
		key := fmt.Sprint("stay", i)
		s.set(key, "v")
		stay[key] = 0
	}
	var others []string
	var tx Tx
	cursor, calls := uint64(0), 0
	for {
		tx.Begin(s.ks, 0, 1)
		seen := 0
		cursor = tx.Scan(cursor, 50, func(e *Entry) {
			seen++
			if _, ok := stay[e.Key()]; ok {
				stay[e.Key()]++
			}
		})
		tx.End()
		if seen > 200 {
			t.Fatalf("%d keys for a count of 50", seen)
		}
		if calls++; cursor == 0 || calls > 10_000 {
			break
		}
		s.ks.Maintain() // moves records
		if rnd.IntN(3) == 0 {
			for range rnd.IntN(2000) {
				key := fmt.Sprint("other", rnd.Uint64())
				s.set(key, "v")
				others = append(others, key)
			}
		} else {
			for range rnd.IntN(len(others) + 1) {
				key := others[len(others)-1]
				others = others[:len(others)-1]
				s.update(key, func(tx *Tx) { tx.Delete([]byte(key), "del") })
			}
		}
	}
	for key, seen := range stay {
		if seen != 1 {
			t.Fatalf("%s was there from start to end and visited %d times", key, seen)
		}
	}
}

func TestScanTakesAnyCursor(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for i := range 500 {
		s.set(fmt.Sprint("k", i), "v")
	}
	rnd := rand.New(rand.NewPCG(15, 16))
	for range 2000 {
		var tx Tx
		tx.Begin(s.ks, 0, 1)
		tx.Scan(rnd.Uint64()>>rnd.IntN(64), 1+rnd.IntN(100), func(*Entry) {})
		tx.End()
	}
}

func TestScanEachAndRandomKeyHideWhatIsDue(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for i := range 100 {
		key := fmt.Sprint("k", i)
		s.update(key, func(tx *Tx) {
			e := s.put(tx, key, "v")
			if i%2 == 0 {
				tx.SetExpire(e, s.now+1)
			}
		})
	}
	s.now++
	var tx Tx
	tx.Begin(s.ks, 0, 1)
	defer tx.End()
	scanned, each := map[string]bool{}, 0
	for cursor := uint64(0); ; {
		if cursor = tx.Scan(cursor, 7, func(e *Entry) { scanned[strings.Clone(e.Key())] = true }); cursor == 0 {
			break
		}
	}
	tx.Each(func(e *Entry) bool { each++; return true })
	if len(scanned) != 50 || each != 50 {
		t.Fatalf("scanned %d, each %d", len(scanned), each)
	}
	found := map[string]bool{}
	for range 5000 {
		key, ok := tx.RandomKey()
		if !ok || !scanned[key] {
			t.Fatalf("random key %q, %t", key, ok)
		}
		found[key] = true
	}
	if len(found) < 45 {
		t.Fatalf("%d of 50 keys are ever chosen", len(found))
	}
	n := 0
	tx.Each(func(*Entry) bool { n++; return n < 10 })
	if n != 10 {
		t.Fatalf("each went on to %d", n)
	}
	tx.DB = 5
	if _, ok := tx.RandomKey(); ok {
		t.Fatal("a key out of an empty database")
	}
}

// TestEveryPolicyEvictsItsOwn fills a keyspace, touches half of the keys, and
// looks who is gone.
func TestEveryPolicyEvictsItsOwn(t *testing.T) {
	t.Parallel()
	for _, p := range evict.All {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			s.ks.observers = nil
			s.setPolicy(p.Name)
			s.ks.SetEviction(func(e *evict.Setup) { e.Samples = 10 })
			const n = 8000
			for i := range n {
				key := fmt.Sprint("k", i)
				s.update(key, func(tx *Tx) {
					e := s.put(tx, key, "v")
					if i%2 == 0 { // even keys are volatile, the first of them longest
						tx.SetExpire(e, s.now+int64(2*n-i)*1000)
					}
				})
			}
			s.now += 600_000
			for i := range n / 2 { // the first half is used again and again
				key := fmt.Sprint("k", i)
				for range 5 {
					s.update(key, func(tx *Tx) { tx.Get([]byte(key)) })
				}
				s.update(key, func(tx *Tx) { tx.Changed(tx.Peek([]byte(key)), ClassString, "set") })
			}
			used := s.ks.Used()
			s.ks.SetMaxMemory(used * 9 / 10)
			err := s.ks.FreeMemory()
			for range 1000 {
				if p.None || err != nil || !s.ks.OverLimit() {
					break
				}
				err = s.ks.FreeMemory()
			}
			if p.None {
				if !errors.Is(err, ErrOutOfMemory) || s.ks.Evicted() != 0 {
					t.Fatalf("%v, %d evicted", err, s.ks.Evicted())
				}
				return
			}
			if err != nil || s.ks.Used() > s.ks.MaxMemory() {
				t.Fatalf("%v: %d bytes of %d", err, s.ks.Used(), s.ks.MaxMemory())
			}
			gone, volatile, hot := 0, 0, 0
			for i := range n {
				key := fmt.Sprint("k", i)
				s.update(key, func(tx *Tx) {
					if tx.Peek([]byte(key)) != nil {
						return
					}
					gone++
					if i%2 == 0 {
						volatile++
					}
					if i < n/2 {
						hot++
					}
				})
			}
			if uint64(gone) != s.ks.Evicted() || gone < n/20 || gone > n/5 {
				t.Fatalf("%d gone, %d evicted", gone, s.ks.Evicted())
			}
			if p.Volatile && volatile != gone {
				t.Fatalf("%d of %d evicted keys have no time to live", gone-volatile, gone)
			}
			if !p.Volatile && (volatile < gone/5 || volatile > gone*4/5) { // half, but for what a policy learns by chance
				t.Fatalf("%d of %d evicted keys are volatile", volatile, gone)
			}
			choosy := !strings.HasSuffix(p.Name, "random") // ttl: the first half lives longest
			if choosy && hot > gone/15 {
				t.Fatalf("%d of %d evicted keys were the ones to keep", hot, gone)
			}
			if !choosy && (hot < gone/4 || hot > gone*3/4) {
				t.Fatalf("%d of %d evicted keys are of the first half", hot, gone)
			}
			s.check(t)
			if !p.Volatile {
				return
			}
			// Without volatile keys there is nothing to evict.
			for i := 0; i < n; i += 2 {
				key := fmt.Sprint("k", i)
				s.update(key, func(tx *Tx) { tx.Delete([]byte(key), "del") })
			}
			s.ks.SetMaxMemory(1)
			if err := s.ks.FreeMemory(); !errors.Is(err, ErrOutOfMemory) {
				t.Fatalf("%v with nothing volatile", err)
			}
		})
	}
}

func TestFreeMemoryLeavesWorkToTheNextCall(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.ks.observers = nil
	s.setPolicy("allkeys-random")
	const n = 5000
	for i := range n {
		s.set(fmt.Sprint("k", i), "v")
	}
	// Each call has time for one batch, whatever the machine's clock says.
	s.ks.eviction.since = func(time.Time) time.Duration { return time.Second }
	s.ks.SetMaxMemory(1)
	calls := 0
	for ; s.ks.OverLimit(); calls++ {
		select {
		case <-s.ks.Pressure():
		default:
			t.Fatalf("no pressure after %d calls", calls)
		}
		before := s.ks.Evicted()
		if err := s.ks.FreeMemory(); err != nil {
			t.Fatal(err)
		}
		if k := s.ks.Evicted() - before; k == 0 || k > evictBatch {
			t.Fatalf("%d evicted in one call", k)
		}
	}
	if s.ks.Evicted() != n || calls != (n+evictBatch-1)/evictBatch {
		t.Fatalf("%d evicted in %d calls", s.ks.Evicted(), calls)
	}
	select {
	case <-s.ks.Pressure():
		t.Fatal("pressure within the limit")
	default:
	}
}

func TestEvictTime(t *testing.T) {
	t.Parallel()
	f := func(tenacity int, want time.Duration) {
		t.Helper()
		if got := evictTime(tenacity).Round(time.Millisecond / 20); got != want {
			t.Errorf("tenacity %d: %v, want %v", tenacity, got, want)
		}
	}
	f(0, 0)
	f(1, 50*time.Microsecond)
	f(10, 500*time.Microsecond)
	f(11, 600*time.Microsecond)
	f(36, 18950*time.Microsecond)
	if d := evictTime(99); d < 100*time.Second || d > 200*time.Second {
		t.Errorf("tenacity 99: %v", d)
	}
	f(100, evictTime(100))
	if d := evictTime(100); d < time.Hour {
		t.Errorf("tenacity 100: %v", d)
	}
}

func TestCountMemoryIsUsed(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.ks.CountMemory(func() int64 { return 1000 })
	s.ks.SetMaxMemory(999)
	if s.ks.Used() != 1000 || !s.ks.OverLimit() {
		t.Fatalf("%d used", s.ks.Used())
	}
	if err := s.ks.FreeMemory(); !errors.Is(err, ErrOutOfMemory) {
		t.Fatal(err)
	}
}

func TestNoTouchLeavesTheAccessWord(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.set("k", "v")
	s.now += 60_000
	idle := func() (n int64) {
		s.update("k", func(tx *Tx) { n = evict.Idle(tx.Peek([]byte("k")).Access(), s.now) })
		return n
	}
	s.update("k", func(tx *Tx) {
		tx.NoTouch = true
		tx.Get([]byte("k"))
		tx.Put([]byte("k"), str.New(nil), false)
	})
	if got := idle(); got < 59 || got > 61 {
		t.Fatalf("idle for %d s after reads that do not touch", got)
	}
	s.update("k", func(tx *Tx) { tx.Get([]byte("k")) })
	if got := idle(); got != 0 {
		t.Fatalf("idle for %d s after a read", got)
	}
}

// TestExpiryByTheMachinesClock runs the ticker as the server does, in bubble
// time.
func TestExpiryByTheMachinesClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &testStore{ks: New(Options{})}
		s.ks.Observe(s)
		stop := make(chan struct{})
		go func() {
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
					s.ks.ExpireDue(0)
				}
			}
		}()
		s.update("k", func(tx *Tx) { tx.SetExpire(s.put(tx, "k", "v"), tx.Now+1500) })
		time.Sleep(1450 * time.Millisecond)
		synctest.Wait()
		if n, _ := s.count(); n != 1 {
			t.Fatal("gone before its time")
		}
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if n, _ := s.count(); n != 0 {
			t.Fatal("there after its time, though nobody looks")
		}
		close(stop)
	})
}

func TestChangingThePolicyResetsAccess(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.set("k", "v")
	s.setPolicy("allkeys-lfu")
	s.update("k", func(tx *Tx) {
		if n := s.ks.Eviction().Frequency(tx.Peek([]byte("k")).Access(), s.now); n != 5 {
			t.Fatalf("frequency %d", n)
		}
	})
	for range 10_000 {
		s.update("k", func(tx *Tx) { tx.Get([]byte("k")) })
	}
	var hot uint8
	s.update("k", func(tx *Tx) { hot = s.ks.Eviction().Frequency(tx.Peek([]byte("k")).Access(), s.now) })
	if hot < 20 || hot > 100 { // the counter is logarithmic
		t.Fatalf("frequency %d after 10000 reads", hot)
	}
	s.now += 5 * 60_000
	s.update("k", func(tx *Tx) {
		if n := s.ks.Eviction().Frequency(tx.Peek([]byte("k")).Access(), s.now); n != hot-5 {
			t.Fatalf("frequency %d five minutes after %d", n, hot)
		}
	})
}

// TestEntriesCanBeReadUntilTheTxEnds reads what was removed, replaced and moved.
func TestEntriesCanBeReadUntilTheTxEnds(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for _, n := range []int{0, 1, 7, 8, 70, 255, 256, 5000, 40_000} {
		key := []byte(strings.Repeat("k", n))
		value := strings.Repeat("v", 3*n)
		s.update(string(key), func(tx *Tx) {
			e := s.put(tx, string(key), value)
			if tx.Find(key) != e || tx.Peek(key) != e {
				t.Fatalf("key of %d bytes has two entries", n)
			}
		})
		s.update(string(key), func(tx *Tx) {
			e := tx.Find(key)
			old := e.Key()
			b := e.Value().(*str.Value).B
			tx.SetExpire(e, s.now+1000) // makes it longer
			tx.Changed(tx.PutString(e, key, []byte(value+value+"x"), 0), ClassString, "set")
			tx.Delete(key, "del")
			s.put(tx, string(key), "other")
			if old != string(key) || e.Key() != string(key) || n > 0 && string(b) != value {
				t.Fatalf("key of %d bytes: %.10q and %.10q of %.10q are gone before the Tx", n, old, e.Key(), b)
			}
			if got := tx.Find(key).Value().(*str.Value).B; string(got) != "other" {
				t.Fatalf("%.10q", got)
			}
		})
	}
	s.check(t)
}
