package semcache

import (
	"strconv"

	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/hash"
)

// The use of entries, and the figures of a namespace, are counted in memory. So that eviction and
// SEM.STATS go on where they were after a restart, they are written now and then: the use of an entry into its own
// hash, whenever it was served twice as often as what is written says, and not more often than usedEvery otherwise; the
// figures under the key that is the index's name, every figuresEvery and when the server ends. These are ordinary
// effects, so a log's rewrite, a copy and a replica have them, too. What was counted since is lost with a
// server that is killed.
const (
	usedEvery    = 10 * 60_000 // ms
	figuresEvery = 10_000      // ms
)

// remember takes over what is written of an entry's use.
func (x *side) remember(h *hash.Value, old *side, now int64) {
	x.hits = intField(h, fieldHits)
	x.last = int64(floatField(h, fieldUsed) * 1000)
	x.kept = x.last
	if x.last == 0 {
		x.last = insertedAt(h)
	}
	if x.last <= 0 || x.last > now {
		x.last = now
	}
	if old != nil {
		x.hits, x.last, x.kept = max(x.hits, old.hits), max(x.last, old.last), max(x.kept, old.kept)
	}
}

// used notes a hit, and returns what is known of the entry; write reports whether it is to be written.
func (s *sides) used(key []byte, now int64) (x side, write bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.mu.of[string(key)]
	if of == nil {
		return x, false
	}
	of.last = now
	of.hits++
	if write = of.hits&(of.hits-1) == 0 || now-of.kept >= usedEvery; write {
		of.kept = now
	}
	return *of, write
}

// served notes that an entry was served, with the shard held, and returns what that has saved. The
// entry's fields may have moved afterwards.
func (n *Namespace) served(tx *store.Tx, key []byte) side {
	x, write := n.c.side.used(key, tx.Now)
	if n.c.ks.Follows() { // the source's are written there
		return x
	}
	if e := tx.Peek(key); write && e != nil {
		if h, ok := hashOf(e); ok {
			n.jot(tx, e, h, key, [][]byte{
				[]byte(fieldHits), strconv.AppendInt(nil, x.hits, 10),
				[]byte(fieldUsed), strconv.AppendFloat(nil, float64(x.last)/1000, 'f', 3, 64),
			})
		}
	}
	n.writeFigures(tx, figuresEvery)
	return x
}

// jot sets fields that neither readers nor indexes look at.
func (n *Namespace) jot(tx *store.Tx, e *store.Entry, h *hash.Value, key []byte, pairs [][]byte) {
	h.SetPairs(pairs)
	tx.ChangedQuietly(e, store.ClassHash, "")
	tx.Effect(append([][]byte{[]byte("HSET"), key}, pairs...)...)
}

// writeFigures writes the figures, if that was so long ago and something has happened. The shard is held.
func (n *Namespace) writeFigures(tx *store.Tx, every int64) {
	s := &n.stats
	if was := s.written.Load(); tx.Now-was < every || !s.written.CompareAndSwap(was, tx.Now) {
		return
	}
	key := []byte(indexName(n.Name))
	e := tx.Peek(key)
	h, ok := hashOf(e)
	if e != nil && !ok {
		return // somebody's own key
	}
	pairs := s.pairs()
	if text := n.doubts.unwritten(); text != nil {
		pairs = append(pairs, []byte(fieldDoubt), text)
	}
	if e == nil {
		h = hash.New()
		h.SetPairs(pairs)
		e = tx.Put(key, h, false)
	}
	n.jot(tx, e, h, key, pairs)
}

// Keep writes the figures of all namespaces: the server ends. No shard may be held.
func (c *Cache) Keep(call *Call) {
	if c.ks.Follows() {
		return
	}
	for _, n := range c.all() {
		call.now(c)
		if n.stats.idle() {
			continue
		}
		call.with([]byte(indexName(n.Name)), func(tx *store.Tx) { n.writeFigures(tx, 0) })
	}
	call.Settle()
}
