package store

import (
	"errors"
	"hash/maphash"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/nearcache/nearcache/store/evict"
	"github.com/nearcache/nearcache/store/slab"
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
	shards    [Shards]shard // first, so that what a look-up reads of one is one cache line
	clock     Clock
	seed      maphash.Seed
	arena     *slab.Arena    // of all records
	cells     [groups]*cells // changed by who holds all shards
	seq       atomic.Uint64
	extra     atomic.Int64 // changes that commands have made beside one for each of seq
	used      atomic.Int64 // of all shards, but for what they have pending
	grain     atomic.Int64 // how much a shard may have pending
	holes     atomic.Int64 // memory of the arena that is not keys', as of the last measure
	outside   atomic.Int64 // memory that counted says, likewise
	maxMemory atomic.Int64
	eviction  eviction
	lazyOnly  atomic.Bool // DEBUG SET-ACTIVE-EXPIRE 0
	follows   atomic.Bool // see Follow
	expired   expired
	evicted   atomic.Uint64
	upkeep    upkeep
	text      compression
	observers []Observer     // fixed before the first Tx
	noticer   Noticer        // fixed before the first Tx
	wanted    atomic.Uint32  // a Wanted
	counted   []func() int64 // memory held elsewhere; fixed before the first Tx
	leases    leases
	epoch     uint32                   // metaEpoch, or 0: what records have that no snapshot needs; changed by who holds all shards
	snap      atomic.Pointer[Snapshot] // nil while there is none
}

type shard struct {
	sync.Mutex
	lent       *lease            // held by a Tx without the mutex, see lend.go
	snap       *Snapshot         // to which it has not given all yet, nil for none
	dbs        [Databases]*space // nil without a key
	index      int
	keys       int // of all databases
	evict      evict.Shard
	big        *bigKeys // nil without one
	watches    map[watchKey][]*Watch
	kept       []byte       // saved for the snapshot ahead of its scan
	nextExpiry atomic.Int64 // nothing of all databases is due before, 0 for nothing at all; read without the lock
	bytes      atomic.Int64 // that the spaces hold; read without the lock
	heap       atomic.Int64 // of these, what lies on the Go heap
	pending    int64        // of bytes, not yet in Keyspace.used
	_          [56]byte     // to whole cache lines, and none that two share
}

// New makes an empty keyspace. It panics where the system has no addresses for it.
func New(o Options) *Keyspace {
	ks := &Keyspace{clock: o.Clock, seed: maphash.MakeSeed()}
	if ks.clock == nil {
		ks.clock = SystemClock
	}
	ks.eviction.init()
	for i := range ks.shards {
		ks.shards[i].index = i
		ks.shards[i].evict.Seed(rand.Uint64())
	}
	ks.grain.Store(maxGrain)
	arena, err := slab.NewArena()
	if err != nil {
		panic(err)
	}
	ks.arena = arena
	for i := range ks.cells {
		ks.cells[i] = newCells(arena)
	}
	// For keyspaces that nobody closes: tests make many of them.
	runtime.AddCleanup(ks, (*slab.Arena).Close, arena)
	return ks
}

// Close gives the memory of all keys back. Nobody may use the keyspace any more.
func (ks *Keyspace) Close() { ks.arena.Close() }

// Observe adds an observer. Call it before the first Tx.
func (ks *Keyspace) Observe(o Observer) { ks.observers = append(ks.observers, o) }

// CountMemory adds a source of memory outside of the keyspace (vector indexes,
// tracking tables) to Used. Call it before the first Tx.
func (ks *Keyspace) CountMemory(f func() int64) { ks.counted = append(ks.counted, f) }

// Now is the time of the keyspace's clock in Unix milliseconds.
func (ks *Keyspace) Now() int64 { return ks.clock() }

// Seq is the sequence number of the newest commit.
func (ks *Keyspace) Seq() uint64 { return ks.seq.Load() }

// Changes counts the changes that commands have made, see [Tx.Count]: what is of use
// is the difference of two answers. Commits of one change, which most are, have their
// number counted and cost nothing more.
func (ks *Keyspace) Changes() int64 { return int64(ks.seq.Load()) + ks.extra.Load() }

// NextSeq takes a number, for a change that is no commit.
func (ks *Keyspace) NextSeq() uint64 { return ks.seq.Add(1) }

// SetSeq continues the numbering after a load.
func (ks *Keyspace) SetSeq(n uint64) { ks.seq.Store(max(n, ks.seq.Load())) }

// Expired and Evicted count keys since the start.
func (ks *Keyspace) Expired() uint64 { return ks.expired.keys.Load() }

// ExpiredActive is how many of them nobody had to look at for that.
func (ks *Keyspace) ExpiredActive() uint64 { return ks.expired.keysActive.Load() }

// ExpiredParts is how many parts of values have expired, and how many of them
// without a look at them.
func (ks *Keyspace) ExpiredParts() (all, active uint64) {
	return ks.expired.parts.Load(), ks.expired.partsActive.Load()
}

// Evicted counts the keys that maxmemory has pushed out since the start.
func (ks *Keyspace) Evicted() uint64 { return ks.evicted.Load() }

// ResetStats sets the counters of expired and evicted keys to zero.
func (ks *Keyspace) ResetStats() {
	ks.expired.reset()
	ks.evicted.Store(0)
}

// Follow says whether the keys are a copy of those of a source, which alone decides
// when one is gone: what is past its time is hidden from readers, and stays until the
// source says so; nothing is evicted. Only a command that writes, where that is
// allowed, removes what it finds past its time.
func (ks *Keyspace) Follow(on bool) { ks.follows.Store(on) }

// Follows reports what Follow has said.
func (ks *Keyspace) Follows() bool { return ks.follows.Load() }

// SetActiveExpire switches the active side of expiry.
func (ks *Keyspace) SetActiveExpire(on bool) { ks.lazyOnly.Store(!on) }
