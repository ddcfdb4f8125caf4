package store

import (
	"sync/atomic"
	"unsafe"
)

// Lookup is a look-up that is to come: a key, and where it belongs.
//
// One after the other, look-ups wait for memory twice each: for a bucket of the
// table and for the record that it names, which takes longer than all else that a
// GET does. Several that are known together are prepared in two steps, Look for
// all and then Fetch for all: their waits coincide then.
type Lookup struct {
	key    []byte
	hash   uint64
	shard  int
	bucket *bucket
}

// Look works out where a key belongs, and has the processor fetch its bucket. No
// shard may be held. The key must stay as it is.
func (ks *Keyspace) Look(l *Lookup, db int, key []byte) {
	l.key, l.hash, l.shard, l.bucket = key, ks.hash(key), shardOf(key), nil
	// A shard that somebody holds is not waited for.
	if sh := &ks.shards[l.shard]; sh.TryLock() {
		if s := sh.dbs[db]; sh.lent == nil && s != nil && s.n > 0 {
			tag := tagOf(l.hash)
			seg, _ := s.segmentOf(tag)
			l.bucket = seg.bucket(seg.home(tag))
			prefetch(unsafe.Pointer(l.bucket))
		}
		sh.Unlock()
	}
}

// Fetch has the processor fetch the record that a look-up will find. No lock is
// held: the bucket may be another's by now, but it is memory of the arena, which
// can always be read, and what is not there is fetched in vain.
func (ks *Keyspace) Fetch(l *Lookup) {
	if l.bucket == nil {
		return
	}
	tag := tagOf(l.hash)
	for i := range l.bucket {
		x := slot(atomic.LoadUint64((*uint64)(&l.bucket[i])))
		if x == 0 {
			return
		}
		if x.tag() == tag {
			prefetch2(ks.arena.Pointer(x.ref()))
		}
	}
}

// Expect tells the Tx which look-up comes next, nil for none that is known. Its
// key is not hashed again.
func (tx *Tx) Expect(l *Lookup) { tx.expected = l }

// expects reports whether a key is the one expected. That is the same memory, so
// it need not be compared.
func (tx *Tx) expects(key []byte) bool {
	l := tx.expected
	return l != nil && len(key) == len(l.key) && unsafe.SliceData(key) == unsafe.SliceData(l.key)
}

// home is the shard of a key.
func (tx *Tx) home(key []byte) int {
	if tx.expects(key) {
		return tx.expected.shard
	}
	return shardOf(key)
}

// hash is what the tables go by.
func (tx *Tx) hash(key []byte) uint64 {
	if tx.expects(key) {
		return tx.expected.hash
	}
	return tx.ks.hash(key)
}
