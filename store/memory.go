package store

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/store/evict"
)

// eviction is what the keyspace knows of it. Sessions evict, each for a bounded
// time before its command; what is left to do then is for EvictLoop's goroutine.
type eviction struct {
	setup    atomic.Pointer[evict.Setup]
	samples  atomic.Int32
	tenacity atomic.Int32
	weights  atomic.Pointer[weights]
	count    atomic.Uint64 // evictions since the start, for weights
	bytes    atomic.Int64  // that the policy's own tables hold
	pressure chan struct{} // holds one while memory is over the limit
	since    func(time.Time) time.Duration
	learn    struct {
		sync.Mutex // taken before those of shards
		l          evict.Learner
	}
}

// Redis' defaults.
const (
	defaultSamples  = 5
	defaultTenacity = 10
)

func (v *eviction) init() {
	v.setup.Store(evict.NewSetup(evict.Find("noeviction")))
	v.samples.Store(defaultSamples)
	v.tenacity.Store(defaultTenacity)
	v.pressure = make(chan struct{}, 1)
	v.since = time.Since
}

// Used is the memory accounted to data in bytes: keys, values and what
// CountMemory added.
func (ks *Keyspace) Used() int64 {
	n := ks.used.Load() + ks.eviction.bytes.Load()
	for _, f := range ks.external {
		n += f()
	}
	return n
}

// SetMaxMemory sets the limit in bytes; 0 is none.
func (ks *Keyspace) SetMaxMemory(n int64) {
	ks.maxMemory.Store(n)
	ks.press()
}

// MaxMemory is the limit in bytes; 0 is none.
func (ks *Keyspace) MaxMemory() int64 { return ks.maxMemory.Load() }

// SetEviction sets what is evicted at the limit: f changes a copy of the setup.
// Access words of another kind mean nothing to a new policy, and begin anew.
func (ks *Keyspace) SetEviction(f func(*evict.Setup)) {
	v := &ks.eviction
	v.learn.Lock()
	defer v.learn.Unlock()
	old := v.setup.Load()
	s := *old
	f(&s)
	v.setup.Store(&s)
	if old.Word == s.Word {
		return
	}
	v.learn.l = evict.Learner{}
	v.bytes.Store(0)
	now := ks.clock()
	for i := range ks.shards {
		sh := &ks.shards[i]
		sh.Lock()
		sh.evict.Reset()
		for db := range sh.dbs {
			sh.dbs[db].each(func(e *Entry) { e.access = sh.evict.New(&s, e.hash, now, sh.keys) })
		}
		sh.Unlock()
	}
}

// Eviction is the policy in force, with its settings.
func (ks *Keyspace) Eviction() *evict.Setup { return ks.eviction.setup.Load() }

// SetSamples sets how many keys an eviction looks at (maxmemory-samples).
func (ks *Keyspace) SetSamples(n int) { ks.eviction.samples.Store(int32(n)) }

// SetTenacity sets how long a command may evict, from 0 to 100
// (maxmemory-eviction-tenacity).
func (ks *Keyspace) SetTenacity(n int) { ks.eviction.tenacity.Store(int32(n)) }

// Learn brings the policy up to date with what shards have seen since the last
// time, where it is one that learns. The server does it a few times a second.
func (ks *Keyspace) Learn() {
	v := &ks.eviction
	v.learn.Lock()
	defer v.learn.Unlock()
	s := v.setup.Load()
	if s.Word != evict.Density {
		return
	}
	keys, bytes := 0, 0
	for i := range ks.shards {
		sh := &ks.shards[i]
		sh.Lock()
		keys += sh.keys
		bytes += sh.evict.Bytes()
		v.learn.l.Take(&sh.evict)
		sh.Unlock()
	}
	v.bytes.Store(int64(bytes))
	v.setup.Store(v.learn.l.Learn(s, keys))
}

// OverLimit reports whether more memory is used than maxmemory allows.
func (ks *Keyspace) OverLimit() bool {
	limit := ks.maxMemory.Load()
	return limit > 0 && ks.Used() > limit
}

// Pressure holds a value once memory is over the limit and more is to be evicted
// than one FreeMemory has done.
func (ks *Keyspace) Pressure() <-chan struct{} { return ks.eviction.pressure }

func (ks *Keyspace) press() {
	select {
	case ks.eviction.pressure <- struct{}{}:
	default:
	}
}

// FreeMemory evicts keys until Used is within maxmemory, and returns
// ErrOutOfMemory where the policy leaves no candidate. It stops after a time that
// the tenacity sets, half a millisecond by default, and leaves the rest to the
// next calls and to whoever waits for Pressure: a command evicts more than it
// adds, and none keeps its client waiting. No shard may be held.
func (ks *Keyspace) FreeMemory() error {
	if !ks.OverLimit() {
		return nil
	}
	if ks.eviction.setup.Load().None {
		return ErrOutOfMemory
	}
	var tx Tx
	start, limit := time.Now(), evictTime(int(ks.eviction.tenacity.Load()))
	for n := 1; ks.OverLimit(); n++ {
		if !ks.evictOne(&tx) {
			return ErrOutOfMemory
		}
		if n%evictBatch == 0 && ks.eviction.since(start) > limit {
			ks.press()
			return nil
		}
	}
	return nil
}

// evictBatch is after how many evictions FreeMemory looks at the time.
const evictBatch = 16

// evictTime is how long a command may evict at that tenacity, as in Redis: in
// steps of 50 us up to 10, then 15% longer with each, and without end at 100.
func evictTime(tenacity int) time.Duration {
	if tenacity >= 100 {
		return 1<<63 - 1
	}
	t := 50 * time.Microsecond * time.Duration(min(tenacity, 10))
	for ; tenacity > 10; tenacity-- {
		t += t * 15 / 100
	}
	return t
}

// evictOne evicts the best candidate of a shard, or of the next that has any.
func (ks *Keyspace) evictOne(tx *Tx) bool {
	start := ks.weighShards().pick()
	for k := range Shards {
		i := (start + k) % Shards
		sh := &ks.shards[i]
		tx.Begin(ks, 0, 0)
		tx.lockShard(i)
		e := tx.victim(sh, int(ks.eviction.samples.Load()))
		if e != nil {
			c := e.candidate()
			sh.evict.Evicted(tx.setup, &c, sh.keys)
			tx.DB = int(e.db)
			tx.drop(sh, e, ClassEvicted, "evicted")
			ks.evicted.Add(1)
		}
		DoAll(tx.End())
		if e != nil {
			return true
		}
	}
	return false
}

// victim chooses who goes of a shard, nil where there is none.
func (tx *Tx) victim(sh *shard, samples int) *Entry {
	s := tx.setup
	for db := range sh.dbs {
		for range s.Samples(samples) {
			e := sh.candidate(db, s.Volatile)
			if e == nil {
				break
			}
			sh.evict.Sample(s, e.candidate(), tx.Now)
		}
	}
	for {
		c, ok := sh.evict.Best(s, tx.Now)
		if !ok {
			return nil
		}
		e := sh.dbs[c.DB].findHash(c.Hash)
		if e == nil || s.Volatile && e.expireAt == 0 {
			continue
		}
		if now := e.candidate(); now != c { // weigh it again as it is
			sh.evict.Sample(s, now, tx.Now)
			continue
		}
		return e
	}
}

func (sh *shard) candidate(db int, volatile bool) *Entry {
	if volatile {
		h := sh.expiry[db].h
		if len(h) == 0 {
			return nil
		}
		return h[sh.evict.Random()%uint64(len(h))]
	}
	return sh.dbs[db].random(sh.evict.Random)
}

func (e *Entry) candidate() evict.Candidate {
	return evict.Candidate{Hash: e.hash, DB: e.db, ExpireAt: e.expireAt, Size: e.size, Access: e.access}
}

// weights are the shards' sizes, each with those before it. A shard is chosen for
// an eviction as often as its share of the memory is: with hash tags most keys
// may be in one.
type weights struct {
	upTo [Shards]int64
	till uint64 // that many evictions since the start
}

func (ks *Keyspace) weighShards() *weights {
	n := ks.eviction.count.Add(1)
	if w := ks.eviction.weights.Load(); w != nil && n < w.till {
		return w
	}
	w := &weights{}
	sum, keys := int64(0), 0
	for i := range ks.shards {
		sh := &ks.shards[i]
		sh.Lock()
		for _, u := range sh.used {
			sum += u
		}
		keys += sh.keys
		sh.Unlock()
		w.upTo[i] = sum
	}
	// Until a part of the keys has gone that hardly changes them, and so that
	// weighing stays far below the cost of evicting.
	w.till = n + uint64(min(max(keys/64, 32), 4096))
	ks.eviction.weights.Store(w)
	return w
}

func (w *weights) pick() int {
	sum := w.upTo[Shards-1]
	if sum <= 0 {
		return 0
	}
	x := rand.Int64N(sum)
	lo, hi := 0, Shards-1
	for lo < hi {
		if mid := (lo + hi) / 2; x < w.upTo[mid] {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}
