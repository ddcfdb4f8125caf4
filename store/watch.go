package store

import (
	"slices"
	"sync/atomic"
)

// Watch is the set of keys one client watches. Keys are added under their
// shard's lock; any change to one of them makes the watch dirty.
type Watch struct {
	dirty atomic.Bool
	keys  map[watchKey]struct{}
}

type watchKey struct {
	db  int
	key string
}

// Dirty reports whether a watched key has changed.
func (w *Watch) Dirty() bool { return w.dirty.Load() }

// Len is the number of keys watched.
func (w *Watch) Len() int { return len(w.keys) }

// Each calls f with every watched key, in no order.
func (w *Watch) Each(f func(db int, key string)) {
	for k := range w.keys {
		f(k.db, k.key)
	}
}

// Watch adds the key in the Tx's database to w. The Tx must hold the key. A
// key that is past its time is removed first, so that it counts as missing.
func (tx *Tx) Watch(w *Watch, key []byte) {
	tx.Peek(key)
	k := watchKey{tx.DB, string(key)}
	if _, ok := w.keys[k]; ok {
		return
	}
	if w.keys == nil {
		w.keys = map[watchKey]struct{}{}
	}
	w.keys[k] = struct{}{}
	sh := tx.shard(key)
	if sh.watches == nil {
		sh.watches = map[watchKey][]*Watch{}
	}
	sh.watches[k] = append(sh.watches[k], w)
}

// Unwatch forgets all keys of w. The Tx must hold all of their shards or nothing.
func (tx *Tx) Unwatch(w *Watch) {
	for k := range w.keys {
		tx.visit(shardOf([]byte(k.key)), func(sh *shard) { sh.unwatch(k, w) })
	}
	clear(w.keys)
	w.dirty.Store(false)
}

func (sh *shard) unwatch(k watchKey, w *Watch) {
	l := sh.watches[k]
	if i := slices.Index(l, w); i >= 0 {
		l = slices.Delete(l, i, i+1)
	}
	if len(l) == 0 {
		delete(sh.watches, k)
	} else {
		sh.watches[k] = l
	}
}

func (sh *shard) touchWatches(db int, key string) {
	for _, w := range sh.watches[watchKey{db, key}] {
		w.dirty.Store(true)
	}
}
