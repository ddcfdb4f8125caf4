package hnsw

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// equals finds the node of a vector by a hash of its row. Finding takes no
// lock; what is found stays while the operation is in the pool.
type equals struct {
	table atomic.Pointer[table]
	mu    struct {
		sync.Mutex
		used int // entries, live or gone
		live int
	}
}

// table has open addressing. An entry is the hash's upper half over slot+1.
type table struct {
	mask    uint64
	entries []atomic.Uint64
}

const gone = 1<<32 - 1 // an entry that was deleted; the search goes on behind it

var seed = maphash.MakeSeed()

func hashRow(row []byte) uint64 { return maphash.Bytes(seed, row) }

// find is the node whose row is equal.
func (e *equals) find(g *Graph, h uint64, row []byte) (uint32, bool) {
	t := e.table.Load()
	if t == nil {
		return 0, false
	}
	for i := h; ; i++ {
		v := t.entries[i&t.mask].Load()
		if v == 0 {
			return 0, false
		}
		if v>>32 == h>>32 && uint32(v) != gone && string(g.ident.bytes(uint32(v)-1)) == string(row) {
			return uint32(v) - 1, true
		}
	}
}

// claim puts s in as the node of its row, or returns the one that is in.
func (e *equals) claim(g *Graph, h uint64, s uint32) (uint32, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if o, ok := e.find(g, h, g.ident.bytes(s)); ok {
		return o, false
	}
	t := e.table.Load()
	if t == nil || 4*(e.mu.used+1) > 3*len(t.entries) {
		t = e.growLocked(g, t)
	}
	i := h
	for t.entries[i&t.mask].Load() != 0 {
		i++
	}
	t.entries[i&t.mask].Store(h>>32<<32 | uint64(s+1))
	e.mu.used++
	e.mu.live++
	return s, true
}

// reserve makes an empty table for n entries.
func (e *equals) reserve(n int) {
	size := nextPow2(max(4*(n+1)/3, 64))
	e.table.Store(&table{mask: uint64(size - 1), entries: make([]atomic.Uint64, size)})
}

func (e *equals) growLocked(g *Graph, old *table) *table {
	n := nextPow2(max(2*(e.mu.live+1), 64))
	t := &table{mask: uint64(n - 1), entries: make([]atomic.Uint64, n)}
	e.mu.used = e.mu.live
	if old != nil {
		for i := range old.entries {
			v := old.entries[i].Load()
			if v == 0 || uint32(v) == gone {
				continue
			}
			j := hashRow(g.ident.bytes(uint32(v) - 1))
			for t.entries[j&t.mask].Load() != 0 {
				j++
			}
			t.entries[j&t.mask].Store(v)
		}
	}
	e.table.Store(t)
	return t
}

// drop takes s out.
func (e *equals) drop(g *Graph, s uint32) {
	h := hashRow(g.ident.bytes(s))
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.table.Load()
	for i := h; ; i++ {
		switch v := t.entries[i&t.mask].Load(); {
		case v == 0:
			return
		case v>>32 == h>>32 && uint32(v) == s+1:
			t.entries[i&t.mask].Store(h>>32<<32 | gone)
			e.mu.live--
			return
		}
	}
}

func (e *equals) bytes() int64 {
	if t := e.table.Load(); t != nil {
		return int64(8 * len(t.entries))
	}
	return 0
}
