package store

import (
	"bytes"
	"sync"
	"unsafe"

	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/slab"
	"github.com/nearcache/nearcache/store/types"
	"github.com/nearcache/nearcache/store/types/str"
)

// Entry is a key and its value, as a Tx sees them: what stands on the key's
// record. It is guarded by its shard's lock, and belongs to the Tx that returned
// it, or to the visit of a scan: nothing of it may be used after, neither its key
// nor what its value returns. A Tx has one Entry for a key, however often it
// looks it up.
type Entry struct {
	s   *space
	ref slab.Ref
	rec record

	hash uint64 // of the key

	// value is the object, once it was asked for or put. It stands on the record,
	// or on bytes of its own until they are stored (Tx.store).
	value object.Object
	str   str.Value       // the place for a string
	spare object.Packable // the place for another type that packs, from its pool

	// The value's bytes as they are in the record: what it was made of, or what
	// was stored last. Where it says other bytes it has changed.
	base unsafe.Pointer
	size int
	form uint8

	room  *[]byte // where a compressed value is decompressed to
	often bool    // it is used often, and not to be compressed any more

	shared bool // others hold the record's memory, and the value may be changed: it stands on a copy

	gone  bool // removed; key and value can be read until the Tx ends
	fresh bool // the record has room for the value, and not its bytes
	noted bool // an event of the commit names it
}

// Key is the entry's name. It points into the record: whoever keeps it for
// longer than the Tx, or the visit, clones it.
func (e *Entry) Key() string {
	k := e.rec.key()
	return unsafe.String(unsafe.SliceData(k), len(k))
}

// KeyBytes is Key as bytes, which must not be changed.
func (e *Entry) KeyBytes() []byte { return e.rec.key() }

// Value is the entry's object. Changes to it count once Tx.Changed says so.
func (e *Entry) Value() object.Object {
	if e.value == nil {
		e.unpack()
	}
	return e.value
}

// Type is the descriptor of the entry's value, which need not be unpacked for it.
func (e *Entry) Type() *object.Type {
	if e.value != nil {
		return e.value.Type()
	}
	return typeOf[e.rec.typ()]
}

// ExpireAt is when the entry dies in Unix milliseconds, 0 for never.
func (e *Entry) ExpireAt() int64 { return e.rec.expireAt() }

// Size is the memory accounted to the entry in bytes: its record, what its
// value holds beside it, and its share of the keyspace's tables.
func (e *Entry) Size() int { return e.s.sizeOf(e.ref) }

// Access is the entry's access word, see package evict.
func (e *Entry) Access() uint32 { return e.rec.access() }

var (
	typeOf [object.IDs]*object.Type
	spares [object.IDs]sync.Pool // of object.Packable
)

func init() {
	for _, t := range types.All {
		typeOf[t.ID] = t
		spares[t.ID].New = func() any { return t.New() }
	}
}

// unpack makes the value of what the record holds.
func (e *Entry) unpack() {
	r := e.rec
	at, key, n := r.layout()
	p := unsafe.Add(r.p, at+key)
	switch r.place() {
	case onHeap:
		e.value = e.s.objects[objectOf(r)].object
		return
	default:
		var b []byte
		if r.place() == squeezed {
			b = e.inflate(unsafe.Slice((*byte)(p), n))
			p, n = unsafe.Pointer(unsafe.SliceData(b)), len(b)
			if e.often {
				e.fresh = true // it is stored like this when the Tx ends
				e.s.ks.text.restored.Add(1)
			}
		} else {
			// What the cell has behind the value is room to grow.
			b = unsafe.Slice((*byte)(p), e.s.room(e.ref, at+key+n)-at-key)[:n]
			if e.shared {
				b = bytes.Clone(b)
				p = unsafe.Pointer(unsafe.SliceData(b))
			}
		}
		if id := r.typ(); id == object.String {
			e.form = r.form()
			e.str.Stand(b, e.form)
			e.value = &e.str
		} else {
			if e.spare == nil || e.spare.Type().ID != id {
				e.spare = spares[id].Get().(object.Packable)
			}
			e.spare.Unpack(b)
			e.value = e.spare
		}
	}
	e.base, e.size = p, n
}

// packed is what a record is to keep of the value: its bytes, its place and
// its form. Where the place is onHeap there are no bytes.
func (e *Entry) packed() (b []byte, place uint32, form uint8) {
	switch v := e.value.(type) {
	case *str.Value:
		return v.B, inRecord, v.Form()
	case object.Packable:
		if b, ok := v.Pack(); ok {
			return b, inRecord, 0
		}
	}
	return nil, onHeap, 0
}

// stored reports whether the record holds the value as it is, going by where
// its bytes lie: who changes them in place has to say so.
func (e *Entry) stored() bool {
	if e.value == nil {
		return true
	}
	b, place, form := e.packed()
	return !e.fresh && (place == onHeap) == (e.rec.place() == onHeap) && (place == onHeap ||
		len(b) == e.size && form == e.form && (len(b) == 0 || unsafe.Pointer(unsafe.SliceData(b)) == e.base))
}

// live reports whether the entry stands on a record that is in its table. One
// whose record could not be made does not.
func (e *Entry) live() bool { return e.rec.p != nil && !e.gone && !e.s.dead }

// reset lets go of the record and gives the value's place back.
func (e *Entry) reset() {
	if e.spare != nil {
		if _, ok := e.spare.Pack(); ok { // else it is the keyspace's now
			spares[e.spare.Type().ID].Put(e.spare)
		}
	}
	if e.room != nil && cap(*e.room) <= maxInflated {
		inflated.Put(e.room)
	}
	*e = Entry{}
}
