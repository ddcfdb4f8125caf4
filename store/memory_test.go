package store

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nearcache/nearcache/store/evict"
	"github.com/nearcache/nearcache/store/types/hash"
	"github.com/nearcache/nearcache/store/types/str"
)

// cacheAside looks a key up and stores it where it is not there, as a client
// would. It reports whether it was.
func (s *testStore) cacheAside(key string, ms int64) bool {
	hit := false
	s.update(key, func(tx *Tx) { hit = tx.Get([]byte(key)) != nil })
	if hit {
		return true
	}
	s.now += ms
	_ = s.ks.FreeMemory()
	s.update(key, func(tx *Tx) {
		tx.Changed(tx.Put([]byte(key), str.New([]byte("v")), false), ClassString, "set")
	})
	return false
}

// keyBytes is what so many small keys take.
func keyBytes(tb testing.TB, n int) int64 {
	s := newStore(tb)
	for i := range n {
		s.set(fmt.Sprint("k", i), "v")
	}
	return s.ks.Used()
}

// policyBytes is what the policy's tables will take once all shards have them.
func (s *testStore) policyBytes() int64 {
	if s.ks.Eviction().Word != evict.Density {
		return 0
	}
	for i := range s.ks.shards {
		s.ks.shards[i].evict.New(s.ks.Eviction(), 0, s.now, 0)
		s.ks.shards[i].evict.Evicted(s.ks.Eviction(), &evict.Candidate{}, 8)
	}
	s.ks.Learn()
	return s.ks.eviction.bytes.Load()
}

// TestLHDKeepsWhatScansWouldPushOut is what the policy is for: popular keys, and
// a scan of others that are never asked for again.
func TestLHDKeepsWhatScansWouldPushOut(t *testing.T) {
	t.Parallel()
	hits := map[string]int{}
	for _, policy := range []string{"allkeys-lru", "allkeys-lhd"} {
		s := newStore(t)
		s.ks.observers = nil
		s.setPolicy(policy)
		s.ks.SetMaxMemory(keyBytes(t, 2000) + s.policyBytes())
		r := rand.New(rand.NewPCG(1, 2))
		z := rand.NewZipf(r, 1.01, 1, 20_000)
		scan := 0
		for i := range 50_000 {
			if i%1000 == 0 {
				s.now++
				s.ks.Learn()
			}
			key := fmt.Sprint("k", z.Uint64())
			if i%4000 < 1500 {
				scan++
				key = fmt.Sprint("scan", scan)
			}
			if s.cacheAside(key, 0) && i >= 20_000 {
				hits[policy]++
			}
		}
		s.check(t)
	}
	lru, lhd := float64(hits["allkeys-lru"])/30_000, float64(hits["allkeys-lhd"])/30_000
	t.Logf("lru %.3f, lhd %.3f", lru, lhd)
	if lhd < lru+0.03 {
		t.Errorf("lhd hits %.3f, lru %.3f", lhd, lru)
	}
}

// TestLHDKeepsWhatIsDear: all keys are as popular, one in ten takes two seconds
// to make.
func TestLHDKeepsWhatIsDear(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"measured", "hinted"} {
		s := newStore(t)
		s.ks.observers = nil
		s.setPolicy("allkeys-lhd")
		if how == "hinted" {
			s.ks.SetEviction(func(e *evict.Setup) { e.Costs = evict.Hinted })
		}
		s.ks.SetMaxMemory(keyBytes(t, 2000) + s.policyBytes())
		r := rand.New(rand.NewPCG(1, 2))
		var hits, asked [2]int
		for i := range 40_000 {
			if i%2000 == 0 {
				s.ks.Learn()
			}
			n := r.IntN(5000)
			dear, ms := 0, int64(5)
			if n%10 == 0 {
				dear, ms = 1, 2000
			}
			key := fmt.Sprint("k", n)
			hit := s.cacheAside(key, ms)
			if !hit && how == "hinted" {
				s.update(key, func(tx *Tx) { tx.SetCost(tx.Peek([]byte(key)), ms) })
			}
			if i >= 20_000 {
				asked[dear]++
				if hit {
					hits[dear]++
				}
			}
		}
		cheap, dear := float64(hits[0])/float64(asked[0]), float64(hits[1])/float64(asked[1])
		t.Logf("%s: cheap %.3f, dear %.3f", how, cheap, dear)
		if dear < 0.8 || dear < cheap+0.3 {
			t.Errorf("%s: hits of what is dear %.3f, of what is cheap %.3f", how, dear, cheap)
		}
	}
}

// TestEvictionIsFairToShards: with a hash tag most keys are in one shard; those
// elsewhere must not pay for it.
func TestEvictionIsFairToShards(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.ks.observers = nil
	s.setPolicy("allkeys-lru")
	const tagged, others = 8000, 2000
	value := strings.Repeat("v", 100)
	for i := range tagged {
		s.set(fmt.Sprint("{tag}", i), value)
	}
	for i := range others {
		s.set(fmt.Sprint("k", i), value)
	}
	s.ks.SetMaxMemory(s.ks.Used() / 2)
	for s.ks.OverLimit() {
		if err := s.ks.FreeMemory(); err != nil {
			t.Fatal(err)
		}
	}
	left := 0
	for i := range others {
		s.update(fmt.Sprint("k", i), func(tx *Tx) {
			if tx.Peek(fmt.Append(nil, "k", i)) != nil {
				left++
			}
		})
	}
	if left < others*4/10 || left > others*6/10 {
		t.Errorf("%d of %d keys of other shards are left", left, others)
	}
}

func TestAnotherKindOfPolicyBeginsAnew(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.set("k", "v")
	s.now += 100_000
	access := func() (w uint32) {
		s.update("k", func(tx *Tx) { w = tx.Peek([]byte("k")).Access() })
		return w
	}
	clock := access()
	s.setPolicy("volatile-ttl")
	if access() != clock {
		t.Error("a policy with the same clock has reset it")
	}
	s.setPolicy("volatile-lfu")
	if n := s.ks.Eviction().Frequency(access(), s.now); n != 5 {
		t.Errorf("the counter begins with %d", n)
	}
	s.setPolicy("allkeys-lhd")
	if n := s.ks.Eviction().Frequency(access(), s.now); n != 0 {
		t.Errorf("the uses begin with %d", n)
	}
	s.setPolicy("allkeys-lru")
	if n := evict.Idle(access(), s.now); n != 0 {
		t.Errorf("idle for %d s", n)
	}
}

// TestEvictingWhileThePolicyChanges races sessions, the learner and CONFIG SET.
func TestEvictingWhileThePolicyChanges(t *testing.T) {
	t.Parallel()
	ks := New(Options{})
	ks.SetMaxMemory(4 << 20) // room for the tables of lhd, and for a third of the keys
	value := make([]byte, 4000)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			var tx Tx
			for i := range 1500 {
				_ = ks.FreeMemory()
				key := fmt.Append(nil, "k", g, i%700)
				tx.Begin(ks, 0, 0)
				tx.LockKey(key)
				if tx.Get(key) == nil {
					tx.Changed(tx.Put(key, str.Copy(value), false), ClassString, "set")
				}
				DoAll(tx.End())
			}
		})
	}
	wg.Go(func() {
		for i := range 5 * len(evict.All) {
			ks.SetEviction(func(s *evict.Setup) { s.Policy = evict.All[i%len(evict.All)] })
			ks.Learn()
		}
	})
	wg.Wait()
	ks.SetEviction(func(s *evict.Setup) { s.Policy = evict.Find("allkeys-lhd") })
	for ks.OverLimit() {
		if err := ks.FreeMemory(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBigKeys(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.ks.observers = nil
	if l := s.ks.BigKeys(5); len(l) != 0 {
		t.Fatalf("%v of nothing", l)
	}
	for i := range 60 {
		s.set(fmt.Sprint("k", i), strings.Repeat("v", int(100*math.Pow(1.15, float64(i)))))
	}
	s.update("h", func(tx *Tx) {
		h := hash.New()
		h.Set([]byte("f"), make([]byte, 50_000))
		tx.Changed(tx.Put([]byte("h"), h, false), ClassHash, "hset")
	})
	s.update("k59", func(tx *Tx) { tx.Delete([]byte("k59"), "del") })
	s.set("k58", "small now")
	s.update("k57", func(tx *Tx) {
		h := hash.New()
		h.Set([]byte("f"), []byte("v"))
		tx.Changed(tx.Put([]byte("k57"), h, false), ClassHash, "hset")
	})
	var got []string
	for _, k := range s.ks.BigKeys(3) {
		got = append(got, k.Type+" "+k.Key)
		s.update(k.Key, func(tx *Tx) {
			if n := tx.Peek([]byte(k.Key)).Size(); n != k.Size || n < bigKeyMin {
				t.Errorf("%s: %d bytes, really %d", k.Key, k.Size, n)
			}
		})
	}
	if want := []string{"string k56", "string k55", "string k54", "hash h"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	s.all(func(tx *Tx) { tx.Flush(-1) })
	if l := s.ks.BigKeys(5); len(l) != 0 {
		t.Fatalf("%v after a flush", l)
	}
}
