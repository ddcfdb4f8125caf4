package store

import (
	"errors"
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/nearcache/nearcache/store/evict"
)

// Databases is the number of databases that SELECT knows.
const Databases = 16

// Errors of the keyspace.
var (
	ErrWrongType   = errors.New("store: operation against a key holding the wrong kind of value")
	ErrOutOfMemory = errors.New("store: maxmemory reached and nothing can be evicted")
)

// Options of a keyspace. The zero value works.
type Options struct {
	Clock Clock // SystemClock by default
}

// Keyspace holds all keys of all databases. Its methods are safe for
// concurrent use.
type Keyspace struct {
	clock     Clock
	seed      maphash.Seed
	seq       atomic.Uint64
	used      atomic.Int64
	maxMemory atomic.Int64
	eviction  eviction
	lazyOnly  atomic.Bool // DEBUG SET-ACTIVE-EXPIRE 0
	expired   atomic.Uint64
	evicted   atomic.Uint64
	observers []Observer     // fixed before the first Tx
	external  []func() int64 // memory held elsewhere; fixed before the first Tx
	shards    [Shards]shard
}

type shard struct {
	sync.Mutex
	dbs        [Databases]dict
	expiry     [Databases]expiry
	used       [Databases]int64 // bytes of the entries
	keys       int              // entries of all databases
	evict      evict.Shard
	watches    map[watchKey][]*Watch
	index      uint8
	nextExpiry atomic.Int64 // soonest expiry of all databases, 0 for none; read without the lock
	_          [64]byte
}

// New makes an empty keyspace.
func New(o Options) *Keyspace {
	ks := &Keyspace{clock: o.Clock, seed: maphash.MakeSeed()}
	if ks.clock == nil {
		ks.clock = SystemClock
	}
	ks.eviction.init()
	for i := range ks.shards {
		ks.shards[i].index = uint8(i)
		ks.shards[i].evict.Seed(rand.Uint64())
	}
	return ks
}

// Observe adds an observer. Call it before the first Tx.
func (ks *Keyspace) Observe(o Observer) { ks.observers = append(ks.observers, o) }

// CountMemory adds a source of memory outside of the keyspace (vector indexes,
// tracking tables) to Used. Call it before the first Tx.
func (ks *Keyspace) CountMemory(f func() int64) { ks.external = append(ks.external, f) }

// Now is the time of the keyspace's clock in Unix milliseconds.
func (ks *Keyspace) Now() int64 { return ks.clock() }

// Seq is the sequence number of the newest commit.
func (ks *Keyspace) Seq() uint64 { return ks.seq.Load() }

// SetSeq continues the numbering after a load.
func (ks *Keyspace) SetSeq(n uint64) { ks.seq.Store(max(n, ks.seq.Load())) }

// Expired and Evicted count keys since the start.
func (ks *Keyspace) Expired() uint64 { return ks.expired.Load() }

// Evicted counts the keys that maxmemory has pushed out since the start.
func (ks *Keyspace) Evicted() uint64 { return ks.evicted.Load() }

// ResetStats sets the counters of expired and evicted keys to zero.
func (ks *Keyspace) ResetStats() {
	ks.expired.Store(0)
	ks.evicted.Store(0)
}

// SetActiveExpire switches the active side of expiry.
func (ks *Keyspace) SetActiveExpire(on bool) { ks.lazyOnly.Store(!on) }

func (sh *shard) publishNextExpiry() {
	next := int64(0)
	for db := range sh.expiry {
		if at := sh.expiry[db].next(); at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	sh.nextExpiry.Store(next)
}

// expireSlice bounds how long one shard is held by active expiry.
const expireSlice = 256

// ExpireDue deletes keys that are due, at most limit of them (0: all), and
// returns how many. Shards without any are not locked.
func (ks *Keyspace) ExpireDue(limit int) int {
	if ks.lazyOnly.Load() {
		return 0
	}
	n, now := 0, ks.clock()
	var tx *Tx // made for the first key that is due: mostly there is none
	for i := range ks.shards {
		sh := &ks.shards[i]
		for {
			if at := sh.nextExpiry.Load(); at == 0 || at > now || limit > 0 && n >= limit {
				break
			}
			if tx == nil {
				tx = new(Tx)
			}
			tx.Begin(ks, 0, 0)
			tx.lockShard(i)
			k := 0
			for db := range sh.expiry {
				tx.DB = db
				for x := &sh.expiry[db]; k < expireSlice && x.next() != 0 && x.next() <= now; k++ {
					tx.expire(sh, x.h[0])
				}
			}
			DoAll(tx.End())
			n += k
			if k == 0 {
				break
			}
		}
	}
	return n
}
