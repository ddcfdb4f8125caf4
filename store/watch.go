package store

import "sync/atomic"

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

// Unwatch forgets all keys of w. No shard may be held by the caller.
func (ks *Keyspace) Unwatch(w *Watch) {
	for k := range w.keys {
		sh := &ks.shards[shardOf([]byte(k.key))]
		sh.Lock()
		l := sh.watches[k]
		for i, x := range l {
			if x == w {
				l[i] = l[len(l)-1]
				l[len(l)-1] = nil
				l = l[:len(l)-1]
				break
			}
		}
		if len(l) == 0 {
			delete(sh.watches, k)
		} else {
			sh.watches[k] = l
		}
		sh.Unlock()
	}
	clear(w.keys)
	w.dirty.Store(false)
}

func (sh *shard) touchWatches(db int, key string) {
	for _, w := range sh.watches[watchKey{db, key}] {
		w.dirty.Store(true)
	}
}
