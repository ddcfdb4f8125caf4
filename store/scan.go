package store

import "math/rand/v2"

// visit runs f with shard i held, taking and committing it where the Tx does
// not hold it.
func (tx *Tx) visit(i int, f func(*shard)) {
	sh := &tx.ks.shards[i]
	if tx.holds(i) {
		f(sh)
		return
	}
	sh.Lock()
	f(sh)
	sh.Unlock()
}

// Scan visits live entries of the Tx's database from a cursor on until at
// least count were seen, and returns the next cursor; 0 starts and ends. Every
// key that is there from start to end is visited, some perhaps twice. The Tx
// must hold all shards or none; visit is called with the entry's shard held
// and must not change anything.
func (tx *Tx) Scan(cursor uint64, count int, visit func(*Entry)) uint64 {
	seen := 0
	for i := int(cursor % Shards); i < Shards; i++ {
		c := cursor / Shards
		tx.visit(i, func(sh *shard) {
			d := &sh.dbs[tx.DB]
			for steps := 0; ; steps++ {
				c = d.scan(c, func(e *Entry) {
					seen++
					if e.expireAt == 0 || e.expireAt > tx.Now {
						visit(e)
					}
				})
				if c == 0 || seen >= count || steps >= 10*count {
					return
				}
			}
		})
		if c != 0 {
			return c*Shards + uint64(i)
		}
		if seen >= count && i+1 < Shards {
			return uint64(i + 1)
		}
		cursor = 0
	}
	return 0
}

// Each visits every live entry of the Tx's database, shard by shard, until f
// returns false. The Tx must hold all shards or none.
func (tx *Tx) Each(f func(*Entry) bool) {
	more := true
	for i := 0; i < Shards && more; i++ {
		tx.visit(i, func(sh *shard) {
			sh.dbs[tx.DB].each(func(e *Entry) {
				if more && (e.expireAt == 0 || e.expireAt > tx.Now) {
					more = f(e)
				}
			})
		})
	}
}

// Len is the number of keys in database db, and how many of them have a time
// to live.
func (tx *Tx) Len(db int) (keys, volatile int) {
	for i := range Shards {
		tx.visit(i, func(sh *shard) {
			keys += sh.dbs[db].n
			volatile += len(sh.expiry[db].h)
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
				if e := sh.dbs[tx.DB].random(rand.Uint64); e != nil {
					found = true
					key, ok = e.key, e.expireAt == 0 || e.expireAt > tx.Now
				}
			})
		}
		if !found || ok {
			return key, ok
		}
	}
	return key, false
}
