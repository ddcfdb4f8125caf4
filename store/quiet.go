package store

// ChangedQuietly is Changed for what is no change to those who read the key: who
// has been delivered which entry of a stream, for one. WATCH does not see it,
// cached copies stay valid and nobody waits for it, as in Redis. With an empty
// name it is no keyspace event either, and nothing that an index looks at.
func (tx *Tx) ChangedQuietly(e *Entry, class Class, name string) { tx.quiet(e, class, name, false) }

// ChangedForWaiters is ChangedQuietly for what clients may wait for.
func (tx *Tx) ChangedForWaiters(e *Entry, class Class, name string) { tx.quiet(e, class, name, true) }

func (tx *Tx) quiet(e *Entry, class Class, name string, wakes bool) {
	tx.update(e)
	ev := tx.note(e, class, name, e)
	ev.Quiet, ev.Wakes = true, wakes
}
