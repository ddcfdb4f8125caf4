package store

import "github.com/nearcache/nearcache/store/object"

// Entry is a key and its value. It is guarded by its shard's lock: use it only
// while the Tx that returned it is open.
type Entry struct {
	next     *Entry
	hash     uint64
	key      string
	value    object.Object
	expireAt int64 // Unix ms; 0 = never
	size     int   // bytes accounted to the keyspace
	heapPos  int32 // position in the shard's expiry heap, valid while expireAt != 0
	access   uint32
	db       uint8
	shard    uint8
}

// entryOverhead is the accounted cost of a key beside its bytes and value:
// the Entry, its bucket pointer and the allocator's rounding.
const entryOverhead = 120

// Key is the entry's name.
func (e *Entry) Key() string { return e.key }

// Value is the entry's object.
func (e *Entry) Value() object.Object { return e.value }

// ExpireAt is when the entry dies in Unix milliseconds, 0 for never.
func (e *Entry) ExpireAt() int64 { return e.expireAt }

// Size is the memory accounted to the entry in bytes.
func (e *Entry) Size() int { return e.size }

// Access is the entry's access word, see package evict.
func (e *Entry) Access() uint32 { return e.access }

func (e *Entry) measure() int { return entryOverhead + len(e.key) + e.value.Size() }
