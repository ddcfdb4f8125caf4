package store

// ChangedQuietly is Changed for what is no change to those who read the key: who
// has been delivered which entry of a stream, for one. WATCH does not see it
// and cached copies stay valid, as in Redis. With an empty name it is no keyspace
// event either.
func (tx *Tx) ChangedQuietly(e *Entry, class Class, name string) {
	tx.resize(&tx.ks.shards[e.shard], e)
	e.access = tx.setup.Changed(e.access, tx.Now)
	tx.dirty = true
	tx.commit.Events = append(tx.commit.Events, Event{DB: int(e.db), Key: e.key, Class: class, Name: name, Entry: e, Quiet: true})
}
