package store

import "github.com/nearcache/nearcache/store/object"

// Wanted says what keyspace notifications want to know.
type Wanted uint32

// What they may want.
const (
	WantMisses      Wanted = 1 << iota // look-ups that found nothing
	WantNew                            // keys that were not there before
	WantOverwritten                    // values that were replaced as a whole
	WantRetyped                        // …by one of another type
	WantFields                         // which fields of a hash an event is about
	WantEvents                         // commits, whatever they hold
)

// Noticer hears of every commit after the observers, where it wants to, and of notices
// without a commit, which then has no events and no number of its own. As for an Observer,
// shard locks are held.
type Noticer interface{ Noticed(*Commit) }

// Notify sets who is told of notices. Call it before the first Tx.
func (ks *Keyspace) Notify(n Noticer) { ks.noticer = n }

// SetNotices sets what is noted for the Noticer; nothing else is computed.
func (ks *Keyspace) SetNotices(w Wanted) { ks.wanted.Store(uint32(w)) }

func (tx *Tx) wants(w Wanted) bool { return Wanted(tx.ks.wanted.Load())&w != 0 }

func (tx *Tx) notice(w Wanted, class Class, name string, key []byte) {
	if tx.wants(w) {
		c := &tx.commit
		c.Notices = append(c.Notices, Notice{At: len(c.Events), DB: tx.DB, Key: string(key), Class: class, Name: name})
	}
}

func (tx *Tx) publishNotices() {
	if n := tx.ks.noticer; n != nil {
		n.Noticed(&tx.commit)
	}
	tx.commit.Notices = emptied(tx.commit.Notices)
}

// Overwritten notes that the entry has replaced a value of type was, nil for
// none. Put does so itself.
func (tx *Tx) Overwritten(e *Entry, was *object.Type) {
	if was == nil || !tx.wants(WantOverwritten|WantRetyped) {
		return
	}
	db := tx.DB
	tx.DB = e.s.db
	tx.notice(WantOverwritten, ClassOver, "overwritten", e.rec.key())
	if was != e.Type() {
		tx.notice(WantRetyped, ClassRetyped, "type_changed", e.rec.key())
	}
	tx.DB = db
}

// PutAnew is Put for commands to which a key that is there goes before the new
// one comes (RENAME, COPY, RESTORE): it is noted as new. They say with
// Overwritten, after what has happened, that it replaced one of type was.
func (tx *Tx) PutAnew(key []byte, o object.Object) (e *Entry, was *object.Type) {
	e, was = tx.put(key, o, false)
	if was != nil {
		tx.notice(WantNew, ClassNew, "new", key)
	}
	return e, was
}

// Fields says which fields of a hash the last event is about: all of names, or
// every step-th. The names must stay valid until End.
func (tx *Tx) Fields(names [][]byte, step int) {
	if len(names) == 0 || !tx.wants(WantFields) {
		return
	}
	e := &tx.commit.Events[len(tx.commit.Events)-1]
	for i := 0; i < len(names); i += step {
		e.Fields = append(e.Fields, names[i])
	}
}
