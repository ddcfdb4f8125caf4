package store

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/store/evict"
	"github.com/nearcache/nearcache/store/slab"
)

// eviction is what the keyspace knows of it. Sessions evict, each for a bounded
// time before its command; what is left to do then is for EvictLoop's goroutine.
type eviction struct {
	setup    atomic.Pointer[evict.Setup]
	tenacity atomic.Int32
	weights  atomic.Pointer[weights]
	count    atomic.Uint64 // evictions since the start, for weights
	bytes    atomic.Int64  // that the policy's own tables hold
	pressure chan struct{} // holds one while memory is over the limit
	over     struct {
		since atomic.Int64 // Unix us from when on it is, 0 while it is not
		total atomic.Int64 // us, of all times before
	}
	since func(time.Time) time.Duration
	learn struct {
		sync.Mutex // taken before those of shards
		l          evict.Learner
	}
}

// defaultTenacity is Redis'.
const defaultTenacity = 10

func (v *eviction) init() {
	v.setup.Store(evict.NewSetup(evict.Find("noeviction")))
	v.tenacity.Store(defaultTenacity)
	v.pressure = make(chan struct{}, 1)
	v.since = time.Since
}

// Used is the memory of all data in bytes: keys and values, what CountMemory
// added, and, as of the last Maintain, the holes between keys.
func (ks *Keyspace) Used() int64 {
	n := ks.external() + ks.holes.Load()
	for i := range ks.shards {
		n += ks.shards[i].bytes.Load()
	}
	return n
}

// external is the memory that is not the shards'.
func (ks *Keyspace) external() int64 {
	n := ks.eviction.bytes.Load() + ks.text.bytes.Load()
	for _, f := range ks.counted {
		n += f()
	}
	return n
}

// account adds to the memory of a shard, which is held; heap of it is on the Go heap.
func (ks *Keyspace) account(sh *shard, n, heap int64) {
	if heap != 0 {
		sh.heap.Add(heap)
	}
	if n == 0 {
		return
	}
	sh.bytes.Add(n)
	// Cores that write different shards do not pass one counter between them.
	if sh.pending += n; sh.pending > ks.grain.Load() || -sh.pending > ks.grain.Load() {
		ks.used.Add(sh.pending)
		sh.pending = 0
	}
}

// maxGrain is the most that a shard keeps to itself; of a small maxmemory it
// is less. OverLimit counts it for all shards, so that Used is never above the
// limit, and at most 1/256 below.
const maxGrain = 4096

// SetMaxMemory sets the limit in bytes; 0 is none.
func (ks *Keyspace) SetMaxMemory(n int64) {
	ks.maxMemory.Store(n)
	grain := int64(maxGrain)
	if n > 0 {
		grain = min(grain, n/Shards/256)
	}
	ks.grain.Store(grain)
	for i := range ks.shards {
		if sh := &ks.shards[i]; sh.try() {
			ks.used.Add(sh.pending)
			sh.pending = 0
			sh.Unlock()
		}
	}
	ks.outside.Store(ks.external())
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
		sh.wait()
		sh.evict.Reset()
		for _, sp := range sh.dbs {
			if sp != nil {
				sp.each(func(ref slab.Ref) {
					r := sp.record(ref)
					r.setAccess(sh.evict.New(&s, ks.hash(r.key()), now, sh.keys))
				})
			}
		}
		sh.Unlock()
	}
}

// EvictionBytes is the memory that the policy's own tables take.
func (ks *Keyspace) EvictionBytes() int64 { return ks.eviction.bytes.Load() }

// Eviction is the policy in force, with its settings.
func (ks *Keyspace) Eviction() *evict.Setup { return ks.eviction.setup.Load() }

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
		if !sh.try() {
			continue
		}
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
	return limit > 0 && ks.used.Load()+Shards*ks.grain.Load()+ks.holes.Load()+ks.outside.Load() > limit
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
	if !ks.OverLimit() || ks.follows.Load() {
		ks.within()
		return nil
	}
	if ks.eviction.setup.Load().None {
		ks.exceeded()
		return ErrOutOfMemory
	}
	var tx Tx
	keys := shardKeys{ks: ks}
	start, limit := time.Now(), evictTime(int(ks.eviction.tenacity.Load()))
	for n := 1; ks.OverLimit(); n++ {
		if !ks.evictOne(&tx, &keys) {
			ks.exceeded()
			return ErrOutOfMemory
		}
		if n%evictBatch == 0 && ks.eviction.since(start) > limit {
			ks.exceeded()
			ks.press()
			return nil
		}
	}
	ks.within()
	return nil
}

// exceeded and within note since when memory is over the limit, and that it is no
// more.
func (ks *Keyspace) exceeded() {
	ks.eviction.over.since.CompareAndSwap(0, time.Now().UnixMicro())
}

func (ks *Keyspace) within() {
	o := &ks.eviction.over
	if since := o.since.Load(); since != 0 && o.since.CompareAndSwap(since, 0) {
		o.total.Add(time.Now().UnixMicro() - since)
	}
}

// EvictionExceeded is for how long memory was over the limit, and eviction did not
// keep up: altogether, and now.
func (ks *Keyspace) EvictionExceeded() (total, current time.Duration) {
	o := &ks.eviction.over
	us := o.total.Load()
	if since := o.since.Load(); since != 0 {
		current = time.Duration(time.Now().UnixMicro()-since) * time.Microsecond
	}
	return time.Duration(us)*time.Microsecond + current, current
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
func (ks *Keyspace) evictOne(tx *Tx, keys *shardKeys) bool {
	start := ks.weighShards().pick()
	for k := range Shards {
		i := (start + k) % Shards
		sh := &ks.shards[i]
		tx.Begin(ks, 0, 0)
		if !tx.tryShard(i) {
			continue
		}
		keys.sh = sh
		c, ok := sh.evict.Victim(tx.setup, keys, Databases, tx.Now)
		if ok {
			sh.evict.Evicted(tx.setup, &c, sh.keys)
			s := sh.dbs[c.DB]
			tx.DB = s.db
			tx.drop(tx.entry(s, c.Hash, ks.findHash(s, c.Hash)), ClassEvicted, "evicted")
			ks.evicted.Add(1)
		}
		DoAll(tx.End())
		if ok {
			return true
		}
	}
	return false
}

// shardKeys implements evict.Keys: a shard as eviction sees it.
type shardKeys struct {
	ks *Keyspace
	sh *shard
}

// Sample implements evict.Keys.
func (k *shardKeys) Sample(db int, volatile bool) (evict.Candidate, bool) {
	s := k.sh.dbs[db]
	if s == nil || s.n == 0 || volatile && s.volatile == 0 {
		return evict.Candidate{}, false
	}
	ref := s.sample(volatile, k.sh.evict.Random)
	if ref == 0 {
		return evict.Candidate{}, false
	}
	return k.ks.candidate(s, ref), true
}

// Look implements evict.Keys.
func (k *shardKeys) Look(c *evict.Candidate, volatile bool) (evict.Candidate, bool) {
	s := k.sh.dbs[c.DB]
	ref := k.ks.findHash(s, c.Hash)
	if ref == 0 || volatile && s.record(ref).expireAt() == 0 {
		return evict.Candidate{}, false
	}
	return k.ks.candidate(s, ref), true
}

// sample is some record, 0 where none was found. Of volatile ones, those that
// the wheel files only for a part of their value are left out.
func (s *space) sample(volatile bool, rnd func() uint64) slab.Ref {
	if !volatile {
		return s.random(rnd)
	}
	for range 4 {
		ref, ok := s.wheel.Random(rnd)
		if !ok {
			return 0
		}
		if s.record(ref).expireAt() != 0 {
			return ref
		}
	}
	return 0
}

// findHash is a record of that hash, whatever its key; there hardly ever is a
// second.
func (ks *Keyspace) findHash(s *space, hash uint64) slab.Ref {
	if s == nil {
		return 0
	}
	return s.findTag(tagOf(hash), func(r record) bool { return ks.hash(r.key()) == hash })
}

func (ks *Keyspace) candidate(s *space, ref slab.Ref) evict.Candidate {
	r := s.record(ref)
	return evict.Candidate{
		Hash: ks.hash(r.key()), DB: uint8(s.db), ExpireAt: r.expireAt(), Size: s.sizeOf(ref), Access: r.access(),
	}
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
		sum += sh.bytes.Load()
		if sh.try() {
			keys += sh.keys
			sh.Unlock()
		}
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
