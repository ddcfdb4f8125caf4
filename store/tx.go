package store

import (
	"hash/maphash"
	"math/bits"

	"github.com/nearcache/nearcache/store/evict"
	"github.com/nearcache/nearcache/store/object"
)

// Tx is the view of one command, or of one EXEC, on the keyspace. It belongs
// to one goroutine and is reused: Begin, Lock…, use, End. All times are Unix
// milliseconds.
type Tx struct {
	Now     int64 // one moment for the whole Tx
	DB      int   // database of every key named from now on
	NoTouch bool  // look-ups leave the access words alone (CLIENT NO-TOUCH)

	ks       *Keyspace
	held     [Shards / 64]uint64
	single   int // the one shard held when held is empty, -1 for none
	setup    *evict.Setup
	commit   Commit
	dirty    bool // the current command changed something
	explicit bool // …and said its own effect
	removed  []*Entry
	hits     uint64
	misses   uint64
	inner    *Tx // of With, reused
}

// Begin opens the Tx for a database on behalf of a client (0: the server).
func (tx *Tx) Begin(ks *Keyspace, db int, origin uint64) { tx.BeginAt(ks, db, origin, ks.clock()) }

// BeginAt is Begin for a caller that has just asked the clock: reading it
// costs as much as a look-up.
func (tx *Tx) BeginAt(ks *Keyspace, db int, origin uint64, now int64) {
	tx.ks, tx.DB, tx.Now = ks, db, now
	tx.single = -1
	tx.setup = ks.eviction.setup.Load()
	tx.commit.Origin = origin
	tx.dirty, tx.explicit = false, false
}

// Keyspace is the keyspace the Tx is open on.
func (tx *Tx) Keyspace() *Keyspace { return tx.ks }

// LockKey locks the shard of one key. It is the cheap form of Lock for a Tx
// that holds nothing.
func (tx *Tx) LockKey(key []byte) { tx.lockShard(shardOf(key)) }

func (tx *Tx) lockShard(i int) {
	tx.ks.shards[i].Lock()
	tx.single = i
}

// LockSet is a set of shards to be locked together.
type LockSet [Shards / 64]uint64

// Add puts the shard of key into the set.
func (s *LockSet) Add(key []byte) {
	i := shardOf(key)
	s[i>>6] |= 1 << (i & 63)
}

// AddAll puts every shard into the set.
func (s *LockSet) AddAll() {
	for i := range s {
		s[i] = ^uint64(0)
	}
}

// Lock locks a set of shards in ascending order. The Tx must hold nothing.
func (tx *Tx) Lock(s *LockSet) {
	for w, m := range s {
		for ; m != 0; m &= m - 1 {
			tx.ks.shards[w<<6+bits.TrailingZeros64(m)].Lock()
		}
	}
	tx.held = *s
}

func (tx *Tx) holds(i int) bool { return tx.single == i || tx.held[i>>6]&(1<<(i&63)) != 0 }

// HoldsAll reports whether every shard is held.
func (tx *Tx) HoldsAll() bool {
	for _, m := range tx.held {
		if m != ^uint64(0) {
			return false
		}
	}
	return true
}

// End commits what changed and unlocks. It returns the work that observers
// deferred; the slice is valid until the next Begin.
func (tx *Tx) End() []Deferred {
	d := tx.publish()
	if len(tx.removed) > 0 {
		// Whoever keeps a key's name keeps its entry, but not the value.
		for _, e := range tx.removed {
			e.value = nil
		}
		tx.removed = emptied(tx.removed)
	}
	tx.unlock()
	return d
}

func (tx *Tx) publish() []Deferred {
	c := &tx.commit
	c.deferred = c.deferred[:0]
	if len(c.Events) == 0 && len(c.Effects) == 0 {
		c.Served = false
		return nil
	}
	c.Seq, c.At = tx.ks.seq.Add(1), tx.Now
	for _, o := range tx.ks.observers {
		o.Committed(c)
	}
	c.Events, c.Effects, c.Served = emptied(c.Events), emptied(c.Effects), false
	return c.deferred
}

// maxKept is the longest list a Tx keeps for its next use: a session should not
// hold the room of its largest EXEC for ever.
const maxKept = 1024

func emptied[T any](l []T) []T {
	if cap(l) > maxKept {
		return nil
	}
	clear(l)
	return l[:0]
}

// Preview shows an observer what the Tx has changed so far, and does at once
// what it defers. The observer hears of the same events again at End, under a
// later number. A search inside an EXEC needs it to see the writes before it.
func (tx *Tx) Preview(o Observer) {
	if len(tx.commit.Events) == 0 {
		return
	}
	c := Commit{Seq: tx.ks.seq.Add(1), At: tx.Now, Origin: tx.commit.Origin, Events: tx.commit.Events}
	o.Committed(&c)
	DoAll(c.deferred)
}

func (tx *Tx) unlock() {
	if tx.single >= 0 {
		tx.ks.shards[tx.single].Unlock()
		tx.single = -1
		return
	}
	for w, m := range tx.held {
		for ; m != 0; m &= m - 1 {
			tx.ks.shards[w<<6+bits.TrailingZeros64(m)].Unlock()
		}
		tx.held[w] = 0
	}
}

// Abandon unlocks whatever a panicking command left locked and commits what it
// had changed up to there, so that observers and keys agree.
func (tx *Tx) Abandon() {
	if tx.inner != nil {
		tx.inner.Abandon()
	}
	if tx.ks != nil {
		tx.End()
	}
}

// With runs f while the key's shard is held: at once if the Tx holds it,
// otherwise in a short Tx of its own on the same database. A Tx that holds
// some shards but not this one must not call it.
func (tx *Tx) With(key []byte, f func(*Tx)) []Deferred {
	if i := shardOf(key); !tx.holds(i) {
		if tx.inner == nil {
			tx.inner = new(Tx)
		}
		t := tx.inner
		t.BeginAt(tx.ks, tx.DB, tx.commit.Origin, tx.Now)
		t.NoTouch = tx.NoTouch
		t.lockShard(i)
		f(t)
		return t.End()
	}
	f(tx)
	return nil
}

// shard is the shard of a key that the Tx holds.
func (tx *Tx) shard(key []byte) *shard {
	if tx.single >= 0 {
		return &tx.ks.shards[tx.single] // it can be no other
	}
	return &tx.ks.shards[shardOf(key)]
}

// FinishCommand ends one command of the Tx: where it changed something and
// named no effect of its own, its arguments are the effect.
func (tx *Tx) FinishCommand(args [][]byte) {
	if tx.dirty && !tx.explicit {
		tx.commit.Effects = append(tx.commit.Effects, Effect{DB: tx.DB, Args: args})
	}
	tx.dirty, tx.explicit = false, false
}

// Effect names a command that repeats the change, where the client's own would
// not: relative times, random choices. The arguments must stay valid until End.
func (tx *Tx) Effect(args ...[]byte) {
	tx.explicit = true
	tx.commit.Effects = append(tx.commit.Effects, Effect{DB: tx.DB, Args: args})
}

// NoEffect says that the change needs no entry in the log (it is an effect of
// a command that was named already).
func (tx *Tx) NoEffect() { tx.explicit = true }

// Dirty reports whether the current command has changed anything yet.
func (tx *Tx) Dirty() bool { return tx.dirty }

// TakeHits returns and resets the look-ups that found and missed a key.
func (tx *Tx) TakeHits() (hits, misses uint64) {
	hits, misses = tx.hits, tx.misses
	tx.hits, tx.misses = 0, 0
	return hits, misses
}

func (tx *Tx) lookup(key []byte) (*shard, *Entry) {
	sh := tx.shard(key)
	d := &sh.dbs[tx.DB]
	if d.n == 0 {
		return sh, nil
	}
	e := d.find(maphash.Bytes(tx.ks.seed, key), key)
	if e != nil && e.expireAt != 0 && e.expireAt <= tx.Now {
		tx.expire(sh, e)
		e = nil
	}
	return sh, e
}

// Get looks a key up for reading and counts the hit or miss; nil where there
// is none.
func (tx *Tx) Get(key []byte) *Entry {
	e := tx.Find(key)
	if e == nil {
		tx.misses++
		if tx.setup.Word == evict.Density {
			tx.shard(key).evict.Missed(tx.setup, maphash.Bytes(tx.ks.seed, key), tx.Now)
		}
	} else {
		tx.hits++
	}
	return e
}

// Find looks a key up and marks it as used.
func (tx *Tx) Find(key []byte) *Entry {
	sh, e := tx.lookup(key)
	if e != nil && !tx.NoTouch {
		tx.touch(sh, e)
	}
	return e
}

// Peek looks a key up and leaves no trace (OBJECT, TYPE, TTL).
func (tx *Tx) Peek(key []byte) *Entry {
	_, e := tx.lookup(key)
	return e
}

func (tx *Tx) touch(sh *shard, e *Entry) { e.access = sh.evict.Used(tx.setup, e.access, tx.Now) }

// SetCost sets what the entry costs to make again, in milliseconds; false where
// the eviction policy does not weigh it.
func (tx *Tx) SetCost(e *Entry, ms int64) (ok bool) {
	e.access, ok = tx.setup.WithCost(e.access, ms)
	return ok
}

// Put stores o under key, replacing whatever is there. The time to live goes
// unless keepTTL. Call Changed to tell the world.
func (tx *Tx) Put(key []byte, o object.Object, keepTTL bool) *Entry {
	sh, e := tx.lookup(key)
	if e == nil {
		e = newEntry(key)
		e.hash, e.db, e.shard = maphash.Bytes(tx.ks.seed, key), uint8(tx.DB), sh.index
		e.access = sh.evict.New(tx.setup, e.hash, tx.Now, sh.keys)
		sh.dbs[tx.DB].insert(e)
		sh.keys++
	} else {
		if !keepTTL && e.expireAt != 0 {
			tx.setExpire(sh, e, 0)
		}
		if !tx.NoTouch {
			tx.touch(sh, e)
		}
	}
	e.value = o
	tx.resize(sh, e)
	return e
}

// Delete removes a key; false where there is none. It commits event name
// ("del" where the caller has no better word).
func (tx *Tx) Delete(key []byte, name string) bool {
	sh, e := tx.lookup(key)
	if e == nil {
		return false
	}
	tx.remove(sh, e)
	tx.dirty = true
	tx.event(sh, Event{DB: tx.DB, Key: e.key, Class: ClassGeneric, Name: name})
	return true
}

// SetExpire gives the entry a time to live, 0 for none. Call Changed to tell.
func (tx *Tx) SetExpire(e *Entry, at int64) {
	tx.setExpire(&tx.ks.shards[e.shard], e, at)
}

func (tx *Tx) setExpire(sh *shard, e *Entry, at int64) {
	x := &sh.expiry[e.db]
	before := x.next()
	x.set(e, at)
	if x.next() != before {
		sh.publishNextExpiry()
	}
}

// Changed tells observers that the entry was changed by the current command,
// and accounts its new size.
func (tx *Tx) Changed(e *Entry, class Class, name string) {
	sh := &tx.ks.shards[e.shard]
	tx.resize(sh, e)
	e.access = tx.setup.Changed(e.access, tx.Now)
	tx.dirty = true
	tx.event(sh, Event{DB: int(e.db), Key: e.key, Class: class, Name: name, Entry: e})
}

func (tx *Tx) resize(sh *shard, e *Entry) {
	if n := e.measure(); n != e.size {
		sh.used[e.db] += int64(n - e.size)
		tx.ks.used.Add(int64(n - e.size))
		e.size = n
	}
}

func (tx *Tx) event(sh *shard, ev Event) {
	tx.commit.Events = append(tx.commit.Events, ev)
	if len(sh.watches) > 0 {
		sh.touchWatches(ev.DB, ev.Key)
	}
}

func (tx *Tx) remove(sh *shard, e *Entry) {
	if e.expireAt != 0 {
		tx.setExpire(sh, e, 0)
	}
	sh.dbs[e.db].remove(e)
	sh.keys--
	sh.used[e.db] -= int64(e.size)
	tx.ks.used.Add(-int64(e.size))
	tx.removed = append(tx.removed, e)
}

// expire removes an entry that is past its time.
func (tx *Tx) expire(sh *shard, e *Entry) {
	tx.ks.expired.Add(1)
	tx.drop(sh, e, ClassExpired, "expired")
}

// drop removes an entry on the server's own account: the log gets a DEL.
func (tx *Tx) drop(sh *shard, e *Entry, class Class, name string) {
	tx.remove(sh, e)
	tx.commit.Effects = append(tx.commit.Effects, Effect{DB: int(e.db), Args: [][]byte{[]byte("DEL"), []byte(e.key)}})
	tx.event(sh, Event{DB: int(e.db), Key: e.key, Class: class, Name: name})
}

// Flush empties database db, or all for -1. Every shard must be held.
func (tx *Tx) Flush(db int) {
	for i := range tx.ks.shards {
		sh := &tx.ks.shards[i]
		for d := range sh.dbs {
			if db >= 0 && d != db {
				continue
			}
			for k := range sh.watches {
				if k.db == d && sh.dbs[d].find(maphash.String(tx.ks.seed, k.key), []byte(k.key)) != nil {
					sh.touchWatches(d, k.key)
				}
			}
			tx.ks.used.Add(-sh.used[d])
			sh.keys -= sh.dbs[d].n
			sh.dbs[d], sh.expiry[d], sh.used[d] = dict{}, expiry{}, 0
		}
		sh.publishNextExpiry()
	}
	tx.dirty = true
	tx.commit.Events = append(tx.commit.Events, Event{DB: db, Class: ClassGeneric, Name: "flush", Flush: true})
}
