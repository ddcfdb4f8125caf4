package store

import (
	"unsafe"

	"github.com/nearcache/nearcache/store/object"
)

// Entry is a key and its value. It is guarded by its shard's lock: use it only
// while the Tx that returned it is open.
type Entry struct {
	hash     uint64
	key      string // short ones lie behind the entry, in the same piece of memory
	value    object.Object
	expireAt int64 // Unix ms; 0 = never
	access   uint32
	heapPos  int32 // position in the shard's expiry heap, valid while expireAt != 0
	next     *Entry
	size     int // bytes accounted to the keyspace
	db       uint8
	shard    uint8
}

// newEntry makes an entry of a copy of key. The sizes fill the allocator's
// size classes.
func newEntry(key []byte) *Entry {
	switch n := len(key); {
	case n == 0:
		return &Entry{}
	case n <= 16:
		x := new(struct {
			Entry
			room [16]byte
		})
		x.key = unsafe.String(&x.room[0], copy(x.room[:], key))
		return &x.Entry
	case n <= 32:
		x := new(struct {
			Entry
			room [32]byte
		})
		x.key = unsafe.String(&x.room[0], copy(x.room[:], key))
		return &x.Entry
	case n <= 48:
		x := new(struct {
			Entry
			room [48]byte
		})
		x.key = unsafe.String(&x.room[0], copy(x.room[:], key))
		return &x.Entry
	}
	return &Entry{key: string(key)}
}

// entryOverhead is the accounted cost of a key beside its bytes and value:
// the Entry, its place in a bucket and the allocator's rounding.
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
