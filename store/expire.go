package store

import (
	"sync/atomic"

	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/slab"
)

// expired counts what is gone: keys, and parts of values; active are those that
// ExpireDue has found.
type expired struct{ keys, keysActive, parts, partsActive atomic.Uint64 }

func (x *expired) reset() {
	for _, n := range []*atomic.Uint64{&x.keys, &x.keysActive, &x.parts, &x.partsActive} {
		n.Store(0)
	}
}

// publishNextExpiry tells those who do not hold the shard when to look again.
func (sh *shard) publishNextExpiry() {
	next := int64(0)
	for _, s := range sh.dbs {
		if s == nil {
			continue
		}
		if at := s.wheel.Next(); at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	sh.nextExpiry.Store(next)
}

// NextDue is a time before which nothing is due, 0 where nothing has a time to live.
func (ks *Keyspace) NextDue() int64 { return ks.nextDue(&LockSet{}) }

// nextDue leaves out some shards.
func (ks *Keyspace) nextDue(but *LockSet) int64 {
	next := int64(0)
	for i := range ks.shards {
		if at := ks.shards[i].nextExpiry.Load(); at != 0 && (next == 0 || at < next) && !but.has(i) {
			next = at
		}
	}
	return next
}

// expireSlice bounds how long one shard is held by active expiry.
const expireSlice = 64

// ExpireDue deletes keys, and parts of values, that are due, the earliest
// first, at most limit of them (0: all), and returns how many. Shards without any
// are not locked.
func (ks *Keyspace) ExpireDue(limit int) int {
	if ks.lazyOnly.Load() || ks.follows.Load() {
		return 0
	}
	n, now := 0, ks.clock()
	var tx *Tx // made for the first key that is due: mostly there is none
	var lent LockSet
	for limit == 0 || n < limit {
		// Each millisecond in all shards before the next one in any.
		first := ks.nextDue(&lent)
		if first == 0 || first > now {
			break
		}
		if tx == nil {
			tx = new(Tx)
		}
		for i := range ks.shards {
			sh := &ks.shards[i]
			for at := sh.nextExpiry.Load(); at != 0 && at <= first && (limit == 0 || n < limit); at = sh.nextExpiry.Load() {
				tx.Begin(ks, 0, 0)
				if !tx.tryShard(i) {
					lent.put(i)
					break
				}
				n += tx.expireDue(sh, first)
				sh.publishNextExpiry()
				DoAll(tx.End())
			}
		}
	}
	return n
}

// expireDue deletes some of what is due in a shard up to a moment, and returns
// how many keys and parts.
func (tx *Tx) expireDue(sh *shard, until int64) (n int) {
	for _, s := range sh.dbs {
		if s == nil {
			continue
		}
		tx.DB = s.db
		for range expireSlice {
			ref, ok := s.wheel.Pop(until)
			if !ok {
				break
			}
			n += tx.comeUp(s, ref)
		}
	}
	return n
}

// comeUp deals with a record that the wheel has handed out: it is due, or parts
// of its value are, or it is filed anew.
func (tx *Tx) comeUp(s *space, ref slab.Ref) (n int) {
	r := s.record(ref)
	if at := r.expireAt(); at != 0 && at <= s.wheel.Now() {
		tx.expire(tx.entryOf(s, ref))
		tx.ks.expired.keysActive.Add(1)
		return 1
	}
	at := s.deadline(ref)
	if at != 0 && at <= s.wheel.Now() {
		e := tx.entryOf(s, ref)
		n = tx.expireParts(e, e.Value().(object.Expiring))
		tx.ks.expired.partsActive.Add(uint64(n))
		return n
	}
	if at != 0 {
		s.wheel.Add(ref, at, s.wheel.Now())
	}
	return 0
}

// deadline is when something of a record is due: it, or the next part of its
// value; 0 for never.
func (s *space) deadline(ref slab.Ref) int64 {
	r := s.record(ref)
	at := r.expireAt()
	if r.meta()&metaParts == 0 {
		return at
	}
	e := Entry{s: s, ref: ref, rec: r}
	if x, ok := e.Value().(object.Expiring); ok {
		if next := x.NextExpiry(); next != 0 && (at == 0 || next < at) {
			at = next
		}
	}
	e.reset()
	return at
}

var wordHDel = []byte("HDEL")

// expireParts removes the parts of a value that are due, and the key with the
// last of them. Only fields of hashes have a time to live of their own.
func (tx *Tx) expireParts(e *Entry, x object.Expiring) (n int) {
	tx.save(e)
	effect := [][]byte{wordHDel, e.rec.key()}
	x.Expire(tx.Now, func(part []byte) {
		effect = append(effect, append([]byte(nil), part...))
		n++
	})
	tx.ks.expired.parts.Add(uint64(n))
	tx.commit.Effects = append(tx.commit.Effects, Effect{DB: e.s.db, Args: effect})
	tx.Changed(e, ClassHash, "hexpired")
	tx.Fields(effect[2:], 1)
	if x.Len() == 0 {
		tx.remove(e)
		tx.event(e, ClassGeneric, "del", nil)
	}
	return n
}
