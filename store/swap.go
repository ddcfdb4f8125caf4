package store

// Swap exchanges two databases: who has selected one sees the keys of the other
// from then on. Every shard must be held.
func (tx *Tx) Swap(a, b int) {
	if a == b {
		return
	}
	for i := range tx.ks.shards {
		sh := &tx.ks.shards[i]
		x, y := sh.dbs[a], sh.dbs[b]
		for k := range sh.watches {
			if (k.db == a || k.db == b) && (x.exists(tx.ks, k.key) || y.exists(tx.ks, k.key)) {
				sh.touchWatches(k.db, k.key)
			}
		}
		sh.dbs[a], sh.dbs[b] = y, x
		if x != nil {
			x.db = b
		}
		if y != nil {
			y.db = a
		}
	}
	tx.dirty = true
	tx.commit.Events = append(tx.commit.Events, Event{DB: min(a, b), Class: ClassGeneric, Name: "swapdb", Flush: true, Swap: true})
}

// exists reports whether the space, which may be nil, has a key.
func (s *space) exists(ks *Keyspace, key string) bool {
	return s != nil && s.find(tagOf(ks.hash([]byte(key))), []byte(key)) != 0
}
