package store

import (
	"math/rand/v2"

	"github.com/nearcache/nearcache/store/slab"
)

// visit runs f with shard i held, taking and committing it where the Tx does
// not hold it.
func (tx *Tx) visit(i int, f func(*shard)) {
	sh := &tx.ks.shards[i]
	if tx.holds(i) {
		f(sh)
		return
	}
	sh.wait()
	f(sh)
	sh.Unlock()
}

// show calls visit with a record, unless its time has come.
func (tx *Tx) show(s *space, ref slab.Ref, visit func(*Entry)) {
	r := s.record(ref)
	if at := r.expireAt(); at != 0 && at <= tx.Now {
		return
	}
	if r.meta()&metaOpen != 0 {
		visit(tx.opened(ref)) // the Tx may have changed it
		return
	}
	e := tx.visited
	if e == nil {
		e = new(Entry)
		tx.visited = e
	}
	e.s, e.ref, e.rec = s, ref, r
	visit(e)
	e.reset()
}

// A cursor is the number of a shard, and in the bits above a hash (see table.scan).

// Scan visits live entries of the Tx's database from a cursor on until at
// least count were seen, and returns the next cursor; 0 starts and ends. Every
// key that is there from start to end is visited, and none twice that was not put
// anew. The Tx must hold all shards or none; visit is called with the entry's
// shard held and must not change anything.
func (tx *Tx) Scan(cursor uint64, count int, visit func(*Entry)) uint64 {
	seen := 0
	from := uint32(min(cursor/Shards, maxTag))
	for i := int(cursor % Shards); i < Shards; i++ {
		done := false
		tx.visit(i, func(sh *shard) {
			s := sh.dbs[tx.DB]
			if s == nil {
				done = true
				return
			}
			for steps := 0; ; steps++ {
				from, done = s.scan(from, func(ref slab.Ref) {
					seen++
					tx.show(s, ref, visit)
				})
				if done || seen >= count || steps >= 10*count {
					return
				}
			}
		})
		if !done {
			return uint64(from)*Shards + uint64(i)
		}
		if seen >= count && i+1 < Shards {
			return uint64(i + 1)
		}
		from = 0
	}
	return 0
}

// Each visits every live entry of the Tx's database, shard by shard, until f
// returns false. The Tx must hold all shards or none.
func (tx *Tx) Each(f func(*Entry) bool) {
	more := true
	for i := 0; i < Shards && more; i++ {
		tx.visit(i, func(sh *shard) {
			s := sh.dbs[tx.DB]
			if s == nil {
				return
			}
			for from, done := uint32(0), false; more && !done; {
				from, done = s.scan(from, func(ref slab.Ref) {
					tx.show(s, ref, func(e *Entry) { more = more && f(e) })
				})
			}
		})
	}
}

// Len is the number of keys in database db, and how many of them have a time
// to live.
func (tx *Tx) Len(db int) (keys, volatile int) {
	for i := range Shards {
		tx.visit(i, func(sh *shard) {
			if s := sh.dbs[db]; s != nil {
				keys += s.n
				volatile += s.volatile
			}
		})
	}
	return keys, volatile
}

// RandomKey returns some live key of the Tx's database; false when it is empty.
func (tx *Tx) RandomKey() (key string, ok bool) {
	for range 100 { // as many tries as Redis gives a database full of expired keys
		start := rand.IntN(Shards)
		found := false
		for k := 0; k < Shards && !found; k++ {
			tx.visit((start+k)%Shards, func(sh *shard) {
				s := sh.dbs[tx.DB]
				if s == nil || s.n == 0 {
					return
				}
				r := s.record(s.random(rand.Uint64))
				at := r.expireAt()
				found = true
				key, ok = string(r.key()), at == 0 || at > tx.Now
			})
		}
		if !found || ok {
			return key, ok
		}
	}
	return key, false
}
