package store

import (
	"cmp"
	"slices"

	"github.com/nearcache/nearcache/store/object"
)

// What the largest keys are is known without a look at all of them: whenever a
// key is changed and is large, its shard keeps it among the largest it has seen.
// Those that went or shrank since then are left out when somebody asks.

const (
	// bigKeyMin is the size in bytes from which on a key is large.
	bigKeyMin = 4096
	// bigKept is how many of a type a shard keeps. The largest of all are among
	// them, unless more of these are in one shard.
	bigKept = 8
)

// bigKeys are the largest keys of a shard by type, in no order. It is made for
// the first one.
type bigKeys [object.IDs][bigKept]struct {
	hash uint64
	size int
	db   uint8
}

// noteBig remembers the entry if it is large.
func (sh *shard) noteBig(e *Entry) {
	if r := e.rec; r.place() != onHeap && r.size() < bigKeyMin/2 { // what a cell has beyond that is less
		return
	}
	n := e.Size()
	if n < bigKeyMin {
		return
	}
	if sh.big == nil {
		sh.big = new(bigKeys)
	}
	l := &sh.big[e.rec.typ()]
	least := 0
	for i := range l {
		if l[i].hash == e.hash && int(l[i].db) == e.s.db {
			l[i].size = n
			return
		}
		if l[i].size < l[least].size {
			least = i
		}
	}
	if x := &l[least]; x.size < n {
		x.hash, x.db, x.size = e.hash, uint8(e.s.db), n
	}
}

// BigKey is a key that BigKeys has found.
type BigKey struct {
	DB   int
	Key  string
	Type string // as TYPE answers
	Size int    // bytes, as MEMORY USAGE answers
}

// BigKeys returns the n largest keys of each type, the largest first; keys of
// less than 4 kB are not among them, nor those of shards that are lent. No shard
// may be held.
func (ks *Keyspace) BigKeys(n int) []BigKey {
	var found [object.IDs][]BigKey
	for i := range ks.shards {
		sh := &ks.shards[i]
		if !sh.try() {
			continue
		}
		if sh.big == nil {
			sh.Unlock()
			continue
		}
		for t := range sh.big {
			for j := range sh.big[t] {
				x := &sh.big[t][j]
				if x.size == 0 {
					continue
				}
				s := sh.dbs[x.db]
				ref := ks.findHash(s, x.hash)
				if ref == 0 || int(s.record(ref).typ()) != t || s.sizeOf(ref) < bigKeyMin {
					x.size = 0
					continue
				}
				x.size = s.sizeOf(ref)
				found[t] = append(found[t], BigKey{s.db, string(s.record(ref).key()), typeOf[t].Name, x.size})
			}
		}
		sh.Unlock()
	}
	var all []BigKey
	for _, l := range found {
		slices.SortFunc(l, func(a, b BigKey) int { return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Key, b.Key)) })
		all = append(all, l[:min(n, len(l))]...)
	}
	return all
}
