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
// Its place follows from that half, so that a new table is made without
// reading rows, and any size will do: it grows by little more than is needed.
type table struct{ entries []atomic.Uint64 }

// place is where the search for a hash begins.
func (t *table) place(h uint64) int { return int(h >> 32 * uint64(len(t.entries)) >> 32) }

// after is the place behind i.
func (t *table) after(i int) int {
	if i++; i < len(t.entries) {
		return i
	}
	return 0
}

// A table is at most 4/5 full, and a new one 16/25.
const fullNum, fullDen, growNum, growDen = 4, 5, 25, 16

const gone = 1<<32 - 1 // an entry that was deleted; the search goes on behind it

var seed = maphash.MakeSeed()

func hashRow(row []byte) uint64 { return maphash.Bytes(seed, row) }

// find is the node whose row is equal.
func (e *equals) find(g *Graph, h uint64, row []byte) (uint32, bool) {
	t := e.table.Load()
	if t == nil {
		return 0, false
	}
	for i := t.place(h); ; i = t.after(i) {
		v := t.entries[i].Load()
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
	if t == nil || fullDen*(e.mu.used+1) > fullNum*len(t.entries) {
		t = e.growLocked(t)
	}
	t.put(h>>32<<32 | uint64(s+1))
	e.mu.used++
	e.mu.live++
	return s, true
}

// reserve makes an empty table for n entries.
func (e *equals) reserve(n int) {
	e.table.Store(newTable(n))
}

func newTable(n int) *table {
	return &table{entries: make([]atomic.Uint64, max(growNum*(n+1)/growDen, 64))}
}

// put adds an entry that is not there.
func (t *table) put(v uint64) {
	i := t.place(v)
	for t.entries[i].Load() != 0 {
		i = t.after(i)
	}
	t.entries[i].Store(v)
}

func (e *equals) growLocked(old *table) *table {
	t := newTable(e.mu.live)
	e.mu.used = e.mu.live
	if old != nil {
		for i := range old.entries {
			if v := old.entries[i].Load(); v != 0 && uint32(v) != gone {
				t.put(v)
			}
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
	for i := t.place(h); ; i = t.after(i) {
		switch v := t.entries[i].Load(); {
		case v == 0:
			return
		case v>>32 == h>>32 && uint32(v) == s+1:
			t.entries[i].Store(h>>32<<32 | gone)
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
