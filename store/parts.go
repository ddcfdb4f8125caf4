package store

import "github.com/nearcache/nearcache/store/object"

// ExpireParts removes the parts of the entry's value that are past their time, on
// the server's own account, and reports whether there are others. Commands call it
// before they look at a value of which parts may be due.
func (tx *Tx) ExpireParts(e *Entry) (left bool) {
	x, ok := e.Value().(object.Expiring)
	if !ok {
		return true
	}
	if next := x.NextExpiry(); next == 0 || !tx.Past(next) || tx.ks.follows.Load() {
		return true
	}
	dirty := tx.dirty // by the command itself
	tx.expireParts(e, x)
	tx.dirty = dirty
	return x.Len() > 0
}
