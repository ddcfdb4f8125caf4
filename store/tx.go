package store

import (
	"hash/maphash"
	"math/bits"

	"github.com/nearcache/nearcache/store/evict"
	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/slab"
)

// Tx is the view of one command, or of one EXEC, on the keyspace. It belongs
// to one goroutine and is reused: Begin, Lock…, use, End. All times are Unix
// milliseconds.
type Tx struct {
	Now     int64 // one moment for the whole Tx
	DB      int   // database of every key named from now on
	NoTouch bool  // look-ups leave the access words alone (CLIENT NO-TOUCH)
	NoMiss  bool  // look-ups that find nothing are no event (OBJECT)
	Reads   bool  // the current command changes nothing that it looks up: a snapshot may save it later
	Source  bool  // what a source says is applied: nothing is past its time, see Keyspace.Follow

	ks       *Keyspace
	held     [Shards / 64]uint64
	single   int // the one shard held when held is empty, -1 for none
	setup    *evict.Setup
	commit   Commit
	late     []Deferred // by commands
	dirty    bool       // the current command changed something
	explicit bool       // …and said its own effect
	extra    int        // …and made so many changes beside the one, see Count
	changes  int        // by all commands so far
	hits     uint64
	misses   uint64
	inner    *Tx     // of With, reused
	saver    *Entry  // of save, reused
	lease    *lease  // the shards are held without their mutexes
	expected *Lookup // by the next command

	entries []*Entry            // those that look-ups have returned, then some to be used again
	open    int                 // how many of entries are in use
	kept    int                 // of these, from commands before the current one
	byRef   map[slab.Ref]*Entry // of entries, where there are many
	freed   []freed             // memory of records, to be freed when nobody looks at it any more
	touched []*space            // have changed
	flushed []*cells            // all of their spaces were flushed
	visited *Entry              // what Scan shows, reused
}

// freed is a record that is in no table any more.
type freed struct {
	s   *space
	ref slab.Ref
}

// Begin opens the Tx for a database on behalf of a client (0: the server).
func (tx *Tx) Begin(ks *Keyspace, db int, origin uint64) { tx.BeginAt(ks, db, origin, ks.clock()) }

// BeginAt is Begin for a caller that has just asked the clock: reading it
// costs as much as a look-up.
func (tx *Tx) BeginAt(ks *Keyspace, db int, origin uint64, now int64) {
	tx.ks, tx.DB, tx.Now = ks, db, now
	tx.single = -1
	tx.setup = ks.eviction.setup.Load()
	tx.commit.Origin, tx.commit.Source = origin, tx.Source
	tx.dirty, tx.explicit, tx.extra, tx.changes = false, false, 0, 0
}

// Keyspace is the keyspace the Tx is open on.
func (tx *Tx) Keyspace() *Keyspace { return tx.ks }

// LockKey locks the shard of one key. It is the cheap form of Lock for a Tx
// that holds nothing.
func (tx *Tx) LockKey(key []byte) { tx.lockShard(tx.home(key)) }

func (tx *Tx) lockShard(i int) {
	tx.ks.shards[i].wait()
	tx.single = i
}

// LockSet is a set of shards to be locked together.
type LockSet [Shards / 64]uint64

// Add puts the shard of key into the set.
func (s *LockSet) Add(key []byte) { s.put(shardOf(key)) }

func (s *LockSet) put(i int)      { s[i>>6] |= 1 << (i & 63) }
func (s *LockSet) has(i int) bool { return s[i>>6]&(1<<(i&63)) != 0 }

// AddAll puts every shard into the set.
func (s *LockSet) AddAll() {
	for i := range s {
		s[i] = ^uint64(0)
	}
}

// Lock locks a set of shards in ascending order. The Tx must hold nothing.
// Where a shard is lent it waits, and holds nothing meanwhile.
func (tx *Tx) Lock(s *LockSet) {
	for l := tx.lock(s); l != nil; l = tx.lock(s) {
		<-l.done
	}
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
	tx.storeAll(0)
	d := tx.publish()
	tx.closeAll(0)
	if len(tx.touched) > 0 {
		tx.settle()
	}
	tx.unlock()
	return d
}

func (tx *Tx) publish() []Deferred {
	c := &tx.commit
	c.deferred = c.deferred[:0]
	if len(tx.late) > 0 {
		c.deferred = append(c.deferred, tx.late...)
		tx.late = emptied(tx.late)
	}
	if len(c.Events) == 0 && len(c.Effects) == 0 {
		c.Served = false
		if len(c.Notices) > 0 {
			tx.publishNotices()
		}
		return c.deferred
	}
	c.Seq, c.At = tx.ks.seq.Add(1), tx.Now
	if tx.changes != 1 {
		tx.ks.extra.Add(int64(tx.changes - 1))
	}
	for _, o := range tx.ks.observers {
		o.Committed(c)
	}
	if len(c.Notices) > 0 || tx.wants(WantEvents) {
		tx.publishNotices()
	}
	c.Events, c.Effects, c.Served = emptied(c.Events), emptied(c.Effects), false
	return c.deferred
}

// Defer hands over work of the current command that is to be done when the shards
// are unlocked and before the client gets its reply. In an EXEC the commands that
// follow do not see it done, unless they do it themselves.
func (tx *Tx) Defer(d Deferred) { tx.late = append(tx.late, d) }

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
	tx.ks.extra.Add(-1)
	o.Committed(&c)
	DoAll(c.deferred)
}

func (tx *Tx) unlock() {
	if tx.lease != nil {
		tx.reclaim()
	}
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
		DoAll(tx.End())
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
		t.NoTouch, t.Reads, t.Source = tx.NoTouch, tx.Reads, tx.Source
		t.BeginAt(tx.ks, tx.DB, tx.commit.Origin, tx.Now)
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
// named no effect of its own, its arguments are the effect. Entries that it has
// looked up, and not changed, may not be used any more.
func (tx *Tx) FinishCommand(args [][]byte) {
	if tx.dirty {
		tx.changes += 1 + tx.extra
		if !tx.explicit {
			tx.commit.Effects = append(tx.commit.Effects, Effect{DB: tx.DB, Args: args})
		}
	}
	tx.dirty, tx.explicit, tx.extra = false, false, 0
	tx.Trim()
}

// Count says how many changes the current command makes, where that is not one: as many
// as the keys, fields, members or elements that are other than before.
func (tx *Tx) Count(n int) { tx.extra = n - 1 }

// Trim gives up the entries that the current command has looked up and not
// changed, once there are many of them. They may not be used any more.
func (tx *Tx) Trim() {
	if tx.open > tx.kept+maxOpen {
		tx.trim()
	}
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

// Forget drops the effects of the Tx so far: the log is not to have them.
func (tx *Tx) Forget() {
	tx.commit.Effects = emptied(tx.commit.Effects)
	tx.explicit = true
}

// Holds reports whether the key's shard is held.
func (tx *Tx) Holds(key []byte) bool { return tx.holds(shardOf(key)) }

// Dirty reports whether the current command has changed anything yet.
func (tx *Tx) Dirty() bool { return tx.dirty }

// TakeHits returns and resets the look-ups that found and missed a key.
func (tx *Tx) TakeHits() (hits, misses uint64) {
	hits, misses = tx.hits, tx.misses
	tx.hits, tx.misses = 0, 0
	return hits, misses
}

// hash is what the tables go by.
func (ks *Keyspace) hash(key []byte) uint64 { return maphash.Bytes(ks.seed, key) }

// lookup finds a live key.
func (tx *Tx) lookup(key []byte) *Entry {
	sh := tx.shard(key)
	s := sh.dbs[tx.DB]
	if s == nil || s.n == 0 {
		return nil
	}
	hash := tx.hash(key)
	ref := s.find(tagOf(hash), key)
	if ref == 0 {
		return nil
	}
	e := tx.entry(s, hash, ref)
	if !tx.Reads {
		if sh.snap != nil {
			tx.save(e)
		}
		if e.rec.meta()&metaWide != 0 {
			e.unshare()
		}
	}
	if at := e.rec.expireAt(); at != 0 && tx.Past(at) {
		if !tx.Reads || !tx.ks.follows.Load() {
			tx.expire(e)
		}
		return nil
	}
	return e
}

// Past reports whether a time is over for who uses the Tx.
func (tx *Tx) Past(at int64) bool { return at <= tx.Now && !tx.Source }

// Get looks a key up for reading and counts the hit or miss; nil where there
// is none.
func (tx *Tx) Get(key []byte) *Entry {
	e := tx.Find(key)
	if e == nil {
		tx.misses++
		if !tx.NoMiss {
			tx.notice(WantMisses, ClassMiss, "keymiss", key)
		}
		if tx.setup.Word == evict.Density {
			tx.shard(key).evict.Missed(tx.setup, tx.ks.hash(key), tx.Now)
		}
	} else {
		tx.hits++
	}
	return e
}

// Find looks a key up and marks it as used.
func (tx *Tx) Find(key []byte) *Entry {
	e := tx.lookup(key)
	if e != nil && !tx.NoTouch {
		tx.touch(e)
	}
	return e
}

// Peek looks a key up and leaves no trace (OBJECT, TYPE, TTL).
func (tx *Tx) Peek(key []byte) *Entry { return tx.lookup(key) }

func (tx *Tx) touch(e *Entry) {
	was := e.rec.access()
	if e.rec.place() == squeezed {
		e.often = tx.ks.often(tx, e, was)
	}
	if now := e.s.shard.evict.Used(tx.setup, was, tx.Now); now != was { // else the cache line stays clean
		e.rec.setAccess(now)
	}
}

// SetCost sets what the entry costs to make again, in milliseconds; false where
// the eviction policy does not weigh it.
func (tx *Tx) SetCost(e *Entry, ms int64) (ok bool) {
	access, ok := tx.setup.WithCost(e.rec.access(), ms)
	e.rec.setAccess(access)
	return ok
}

// Restored notes what is known of the use of an entry from elsewhere: how often,
// as OBJECT FREQ answers, or how many seconds ago. What is negative is not known.
func (tx *Tx) Restored(e *Entry, frequency, idle int64) {
	e.rec.setAccess(tx.setup.Restored(e.rec.access(), frequency, idle, tx.Now))
}

// Put stores o under key, replacing whatever is there. The time to live goes
// unless keepTTL. Call Changed to tell the world. The object is the entry's
// value for as long as the Tx lasts; after, its bytes may be in the record, and
// only those.
func (tx *Tx) Put(key []byte, o object.Object, keepTTL bool) *Entry {
	e, was := tx.put(key, o, keepTTL)
	tx.Overwritten(e, was)
	return e
}

// put is Put without a word about what was there before: its type, nil for
// nothing.
func (tx *Tx) put(key []byte, o object.Object, keepTTL bool) (e *Entry, was *object.Type) {
	if e = tx.lookup(key); e != nil {
		was = e.Type()
		if !tx.NoTouch {
			tx.touch(e)
		}
		e.value, e.fresh = o, true
		if !keepTTL && e.rec.expireAt() != 0 {
			tx.SetExpire(e, 0)
		}
		return e, was
	}
	e = tx.newEntry()
	e.value = o
	b, place, form := e.packed()
	h := shape{meta: uint32(o.Type().ID) | place<<placeShift | uint32(form)<<formShift, size: len(b)}
	if place == onHeap {
		h.size = numberSize
	}
	tx.create(e, key, h)
	if place == onHeap {
		e.rec.setNumber(e.s.hold(o))
	} else {
		e.fresh = true
	}
	return e, nil
}

// KeepTTL is the expiry of PutString that leaves it as it is.
const KeepTTL = -1

// PutString stores a copy of b, as a whole string, and gives the key a time to
// live: expireAt is in Unix milliseconds, 0 is none, KeepTTL the one it has. e is the
// key's entry, nil where there is no such key. It is Put and SetExpire without
// an object in between.
func (tx *Tx) PutString(e *Entry, key, b []byte, expireAt int64) *Entry {
	h := shape{meta: uint32(object.String) | inRecord<<placeShift, size: len(b), expireAt: max(expireAt, 0)}
	if e == nil {
		e = tx.newEntry()
		tx.create(e, key, h)
	} else {
		if expireAt == KeepTTL {
			h.expireAt = e.rec.expireAt()
		}
		e.value = nil
		tx.reshape(e, h)
	}
	copy(e.rec.value(), b)
	e.fresh = false
	return e
}

// Delete removes a key; false where there is none. It commits event name
// ("del" where the caller has no better word).
func (tx *Tx) Delete(key []byte, name string) bool {
	e := tx.lookup(key)
	if e == nil {
		return false
	}
	tx.remove(e)
	tx.dirty = true
	tx.event(e, ClassGeneric, name, nil)
	return true
}

// SetExpire gives the entry a time to live, 0 for none. Call Changed to tell.
func (tx *Tx) SetExpire(e *Entry, at int64) {
	if e.rec.expireAt() == at {
		return
	}
	if !e.stored() {
		tx.store(e)
	}
	value := e.rec.value()
	if tx.reshape(e, shape{meta: e.rec.meta() & (metaKept | metaParts), size: len(value), expireAt: at}) {
		copy(e.rec.value(), value)
	}
}

// Changed tells observers that the entry was changed by the current command,
// and stores what its value is now.
func (tx *Tx) Changed(e *Entry, class Class, name string) {
	tx.update(e)
	tx.event(e, class, name, e)
}

// update stores what the entry's value is now.
func (tx *Tx) update(e *Entry) {
	if e.s.shard.snap != nil {
		tx.saved(e)
	}
	tx.store(e)
	e.s.shard.noteBig(e)
	if was := e.rec.access(); tx.setup.Word == evict.LastChange {
		e.rec.setAccess(tx.setup.Changed(was, tx.Now))
	}
	tx.dirty = true
	e.noted = true
}

// event notes a change of a key, of which now is there after it, nil where that is gone.
func (tx *Tx) event(e *Entry, class Class, name string, now *Entry) {
	tx.note(e, class, name, now)
	if sh := e.s.shard; len(sh.watches) > 0 {
		sh.touchWatches(e.s.db, e.Key())
	}
}

// note is event without a word to those who watch the key. It writes an Event where that
// stays: one made elsewhere is copied by wider reads than it was written, and the processor
// has those wait until all has reached the cache.
func (tx *Tx) note(e *Entry, class Class, name string, now *Entry) *Event {
	tx.commit.Events = append(tx.commit.Events, Event{})
	ev := &tx.commit.Events[len(tx.commit.Events)-1]
	ev.DB, ev.Key, ev.Class, ev.Name, ev.Entry = e.s.db, e.Key(), class, name, now
	return ev
}

// expire removes an entry that is past its time.
func (tx *Tx) expire(e *Entry) {
	tx.ks.expired.keys.Add(1)
	tx.drop(e, ClassExpired, "expired")
}

var wordDel = []byte("DEL")

// drop removes an entry on the server's own account: the log gets a DEL.
func (tx *Tx) drop(e *Entry, class Class, name string) {
	tx.remove(e)
	tx.commit.Effects = append(tx.commit.Effects, Effect{DB: e.s.db, Args: [][]byte{wordDel, e.rec.key()}})
	tx.event(e, class, name, nil)
}

// Flush empties database db, or all for -1. Every shard must be held.
func (tx *Tx) Flush(db int) {
	// Where nothing else is there the cells go as they are, which takes no look
	// at their records.
	whole, keys := true, 0
	for i := range tx.ks.shards {
		for d, s := range tx.ks.shards[i].dbs {
			switch {
			case s == nil:
			case db < 0 || d == db:
				keys += int(s.n)
			default:
				whole = whole && s.n == 0
			}
		}
	}
	tx.Count(keys)
	for i := range tx.ks.shards {
		sh := &tx.ks.shards[i]
		for d, s := range sh.dbs {
			if db >= 0 && d != db && !whole || s == nil {
				continue
			}
			for k := range sh.watches {
				if k.db == d && s.exists(tx.ks, k.key) {
					sh.touchWatches(d, k.key)
				}
			}
			tx.unlink(s, whole)
		}
		sh.publishNextExpiry()
	}
	if whole {
		for i, c := range tx.ks.cells {
			tx.flushed = append(tx.flushed, c)
			tx.ks.cells[i] = newCells(tx.ks.arena)
		}
	}
	tx.dirty = true
	tx.commit.Events = append(tx.commit.Events, Event{DB: db, Class: ClassGeneric, Name: "flush", Flush: true})
}
