package store

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/nearcache/nearcache/store/evict"
	"github.com/nearcache/nearcache/store/slab"
)

// eventCount counts the events that an observer is told of.
type eventCount struct {
	sync.Mutex
	n map[string]int
}

func (h *eventCount) Committed(c *Commit) {
	h.Lock()
	defer h.Unlock()
	for _, e := range c.Events {
		h.n[fmt.Sprint(e.DB, e.Name, e.Key)]++
	}
}

func dumpAll(ks *Keyspace) map[string]string {
	all := map[string]string{}
	for i := range ks.shards {
		for db, s := range ks.shards[i].dbs {
			if s == nil {
				continue
			}
			s.each(func(ref slab.Ref) {
				r := s.record(ref)
				all[fmt.Sprint(db, "/", string(r.key()))] = fmt.Sprint(string(r.value()), r.expireAt(), r.typ(), r.place(), r.form(), r.access(), s.sizeOf(ref))
			})
		}
	}
	return all
}

// values are the bytes of a shard but for its tables, whose room depends on how they have grown.
func values(sh *shard) (n int64) {
	for _, s := range sh.dbs {
		if s != nil {
			n += s.cellBytes + s.spanBytes + int64(s.wheel.Len())*wheelShare
		}
	}
	return n
}

// TestFillerDoesAsSetDoes stores the same strings with a Filler and one by one: keys,
// times, memory and figures must be the same.
func TestFillerDoesAsSetDoes(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"noeviction", "allkeys-lru", "allkeys-lfu"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(3, uint64(len(policy))))
			a, b := newStore(t), newStore(t)
			told := &eventCount{n: map[string]int{}}
			a.ks.observers = []Observer{told}
			a.setPolicy(policy)
			b.setPolicy(policy)
			f := NewFiller(a.ks)
			again := 0
			there := map[string]bool{}
			for _, n := range []int{0, 1, 5, 6000, 300, 2} {
				for range n {
					db := rnd.IntN(3) * rnd.IntN(2)
					key := fmt.Sprintf("key:%d", rnd.IntN(8000))
					size := rnd.IntN(40)
					if n == 6000 && rnd.IntN(3) == 0 { // a shard of many keys
						key = "{tag}" + key
					}
					switch rnd.IntN(60) {
					case 0:
						key = strings.Repeat("long", 70) + key
					case 1:
						size = 2000 + rnd.IntN(3000)
					case 2:
						size = 100_000 + rnd.IntN(100_000)
					case 3:
						key, size = "", 0
					}
					value := []byte(strings.Repeat(string(rune('a'+rnd.IntN(26))), size))
					at := int64(0)
					switch rnd.IntN(4) {
					case 0:
						at = a.now + 1 + rnd.Int64N(1<<rnd.IntN(40))
					case 1:
						if rnd.IntN(20) == 0 {
							at = noDeadline + rnd.Int64N(1<<50)
						}
					}
					f.Add(db, []byte(key), value, at)
					if name := fmt.Sprint(db, "set", key); there[name] {
						again++
					} else {
						there[name] = true
					}
					var tx Tx
					tx.Begin(b.ks, db, 0)
					tx.LockKey([]byte(key))
					tx.Changed(tx.PutString(tx.Find([]byte(key)), []byte(key), value, at), ClassString, "set")
					tx.End()
				}
				f.Flush(a.now)
				if len(f.list) != 0 {
					t.Fatal("Flush leaves something over")
				}
			}
			got, want := dumpAll(a.ks), dumpAll(b.ks)
			if len(got) != len(want) || len(want) != len(there) {
				t.Errorf("%d keys, want %d", len(got), len(want))
			}
			// How often a key is counted as used is chance.
			lucky := a.ks.Eviction().Word == evict.Counter
			for k, v := range want {
				if got[k] != v && !lucky {
					t.Errorf("%.60q is %.200q, want %.200q", k, got[k], v)
				}
			}
			for k := range want {
				if _, ok := got[k]; !ok {
					t.Errorf("%.60q is missing", k)
				}
			}
			for i := range a.ks.shards {
				x, y := &a.ks.shards[i], &b.ks.shards[i]
				if x.keys != y.keys || x.nextExpiry.Load() != y.nextExpiry.Load() || (x.big == nil) != (y.big == nil) || values(x) != values(y) {
					t.Fatalf("shard %d: %d keys, %d bytes, due %d; want %d, %d, %d", i, x.keys, values(x), x.nextExpiry.Load(), y.keys, values(y), y.nextExpiry.Load())
				}
			}
			n := 0
			for _, k := range told.n {
				n += k
			}
			if n != again {
				t.Errorf("observers have heard of %d changes; %d keys were there before", n, again)
			}
			if fmt.Sprint(a.ks.BigKeys(3)) != fmt.Sprint(b.ks.BigKeys(3)) {
				t.Error("other keys are the largest")
			}
			for range 3 {
				a.now += 1 << 20
				b.now = a.now
				if x, y := a.ks.ExpireDue(0), b.ks.ExpireDue(0); x != y {
					t.Errorf("%d keys expire, want %d", x, y)
				}
			}
			if x, y := len(dumpAll(a.ks)), len(dumpAll(b.ks)); x != y {
				t.Errorf("%d keys are left, want %d", x, y)
			}
		})
	}
}

// TestFillerTouchesWatchedKeys: a client may have watched a key before it is loaded.
func TestFillerTouchesWatchedKeys(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var w Watch
	s.update("a", func(tx *Tx) { tx.Watch(&w, []byte("a")) })
	f := NewFiller(s.ks)
	f.Add(0, []byte("b"), nil, 0)
	f.Flush(s.now)
	if w.Dirty() {
		t.Error("another key is not watched")
	}
	f.Add(0, []byte("a"), nil, 0)
	f.Flush(s.now)
	if !w.Dirty() {
		t.Error("the key has come, and who watches it is not told")
	}
	s.update("a", func(tx *Tx) { tx.Unwatch(&w) })
}

func BenchmarkFiller(b *testing.B) {
	const n = 10_000
	keys := make([][]byte, 100*n)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key:%09d", i)
	}
	value := []byte("8 bytes.")
	b.ReportAllocs()
	for b.Loop() {
		ks := New(Options{})
		f := NewFiller(ks)
		for i, k := range keys {
			f.Add(0, k, value, 0)
			if i%n == n-1 {
				f.Flush(1)
			}
		}
		ks.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(keys)), "ns/key")
}
