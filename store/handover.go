package store

// What one client's command has changed may be what another waits for. The
// other's command then runs in the same Tx, before anybody else sees the keys,
// but as a commit of its own.

// Changes lists what the Tx has changed since it began, or since the last
// Next. The slice and its keys are valid until the next call of the Tx.
func (tx *Tx) Changes() []Event { return tx.commit.Events }

// Served says of all changes up to here that those who wait for the keys have been
// served, or are about to be: the commit needs not ask for them again.
func (tx *Tx) Served() { tx.commit.Served = true }

// Next commits what has changed so far and goes on, with the same shards held,
// for another client and its database. It returns the work that observers
// deferred, valid until the next commit.
func (tx *Tx) Next(db int, origin uint64) []Deferred {
	d := tx.publish()
	tx.DB, tx.commit.Origin = db, origin
	tx.dirty, tx.explicit, tx.extra, tx.changes = false, false, 0, 0
	return d
}

// HoldsSet reports whether every shard of the set is held.
func (tx *Tx) HoldsSet(s *LockSet) bool {
	for i, m := range s {
		held := tx.held[i]
		if tx.single >= 0 && tx.single>>6 == i {
			held |= 1 << (tx.single & 63)
		}
		if m&^held != 0 {
			return false
		}
	}
	return true
}

// AddSet puts the shards of o into the set.
func (s *LockSet) AddSet(o *LockSet) {
	for i := range s {
		s[i] |= o[i]
	}
}
