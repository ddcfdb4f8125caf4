package store

import (
	"encoding/binary"
	"sync"
	"unsafe"

	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/slab"
)

// What a Tx does to records. Memory that a record leaves is freed when the Tx
// ends: whatever was read from it, keys of events and bytes of values, stays
// valid until then.

// maxOpen is how many entries a Tx keeps from one command to the next, and from
// one Tx to the next.
const maxOpen = 8

// manyOpen is from how many entries on they are found by a map.
const manyOpen = 32

var entryPool = sync.Pool{New: func() any { return new(Entry) }}

// newEntry takes an Entry into use.
func (tx *Tx) newEntry() *Entry {
	if tx.open == len(tx.entries) {
		e := new(Entry)
		if tx.open >= maxOpen {
			e = entryPool.Get().(*Entry)
		}
		tx.entries = append(tx.entries, e)
	}
	e := tx.entries[tx.open]
	tx.open++
	return e
}

// entry is the Entry of a record.
func (tx *Tx) entry(s *space, hash uint64, ref slab.Ref) *Entry {
	r := s.record(ref)
	m := r.meta()
	if m&metaOpen != 0 {
		return tx.opened(ref)
	}
	r.setMeta(m | metaOpen)
	e := tx.newEntry()
	e.s, e.hash, e.ref, e.rec = s, hash, ref, r
	if tx.byRef != nil {
		tx.byRef[ref] = e
	}
	return e
}

// entryOf is the Entry of a record that was not found by its key.
func (tx *Tx) entryOf(s *space, ref slab.Ref) *Entry {
	return tx.entry(s, tx.ks.hash(s.record(ref).key()), ref)
}

// opened finds the Entry that stands on a record already.
func (tx *Tx) opened(ref slab.Ref) *Entry {
	if tx.open > manyOpen {
		if tx.byRef == nil {
			tx.byRef = make(map[slab.Ref]*Entry, 2*tx.open)
			for _, e := range tx.entries[:tx.open] {
				tx.byRef[e.ref] = e
			}
		}
		return tx.byRef[ref]
	}
	for _, e := range tx.entries[:tx.open] {
		if e.ref == ref {
			return e
		}
	}
	panic("store: a record is open and no entry stands on it")
}

// storeAll stores what was changed and not said to be, from entry i on.
func (tx *Tx) storeAll(i int) {
	for ; i < tx.open; i++ {
		if e := tx.entries[i]; e.live() && !e.stored() {
			tx.store(e)
		}
	}
}

// closeAll gives up the entries from i on.
func (tx *Tx) closeAll(i int) {
	if i == 0 {
		tx.byRef = nil
	}
	for _, e := range tx.entries[i:tx.open] {
		if e.live() {
			e.rec.setMeta(e.rec.meta() &^ metaOpen)
		}
		if tx.byRef != nil {
			delete(tx.byRef, e.ref)
		}
		e.reset()
	}
	tx.open, tx.kept = i, 0
	for n := len(tx.entries); n > maxOpen && n > tx.open; n-- {
		entryPool.Put(tx.entries[n-1])
		tx.entries[n-1] = nil
		tx.entries = tx.entries[:n-1]
	}
	if i == 0 && cap(tx.entries) > maxKept {
		tx.entries = append(make([]*Entry, 0, maxOpen), tx.entries...)
	}
}

// trim gives up the entries of the current command that no event names.
func (tx *Tx) trim() {
	tx.storeAll(tx.kept)
	n := tx.kept
	for i := tx.kept; i < tx.open; i++ {
		if e := tx.entries[i]; e.noted || e.gone {
			tx.entries[i], tx.entries[n] = tx.entries[n], e
			n++
		}
	}
	tx.closeAll(n)
	tx.kept = n
}

// settle frees what the Tx has left behind and brings the accounts up to date.
func (tx *Tx) settle() {
	for _, f := range tx.freed {
		if r := f.s.record(f.ref); r.place() == squeezed {
			tx.ks.text.squeezedOut(f.s, r.value())
		}
		if !f.s.whole {
			f.s.free(f.ref, f.s.record(f.ref).size())
		}
	}
	tx.freed = emptied(tx.freed)
	var dead []*space
	for _, s := range tx.touched {
		s.touched = false
		if s.dead {
			tx.ks.account(s.shard, -s.counted, -s.onHeap)
			dead = append(dead, s)
			continue
		}
		n, heap := s.holds()
		tx.ks.account(s.shard, n-s.counted, heap-s.onHeap)
		s.counted, s.onHeap = n, heap
	}
	tx.touched = emptied(tx.touched)
	if len(dead)+len(tx.flushed) > 0 {
		tx.ks.discard(dead, tx.flushed)
		tx.flushed = nil
	}
}

// touchSpace notes that the space is to be accounted.
func (tx *Tx) touchSpace(s *space) {
	if !s.touched {
		s.touched = true
		tx.touched = append(tx.touched, s)
	}
}

// shape is what a record is to be like, beside its key and the value's bytes.
type shape struct {
	meta     uint32 // type, place and form, metaParts
	size     int    // of the value
	room     int    // to grow, where a large value moves
	expireAt int64  // 0 for never
	partsAt  int64  // when the next part of the value dies, where metaParts is set; 0: as it was
}

// create makes the record of a key that there is none of. The value's bytes are
// undefined.
func (tx *Tx) create(e *Entry, key []byte, h shape) {
	tx.add(e, tx.shard(key), tx.hash(key), key, h)
	if tx.byRef != nil {
		tx.byRef[e.ref] = e
	}
	tx.notice(WantNew, ClassNew, "new", key)
}

// add is create for an entry that need not be one of the Tx, in the key's shard.
func (tx *Tx) add(e *Entry, sh *shard, hash uint64, key []byte, h shape) {
	s := tx.space(sh)
	e.s, e.hash = s, hash
	e.ref, e.rec = s.make(key, h, sh.evict.New(tx.setup, hash, tx.Now, sh.keys))
	s.insert(tagOf(hash), e.ref)
	sh.keys++
	s.count(e.rec, 1)
	tx.schedule(e, h)
}

// space is where the keys of the Tx's database are that belong into a shard, for who
// changes them.
func (tx *Tx) space(sh *shard) *space {
	s := sh.dbs[tx.DB]
	if s == nil {
		s = newSpace(tx.ks, sh, tx.DB)
		sh.dbs[tx.DB] = s
	}
	tx.touchSpace(s)
	return s
}

// make allocates a record and writes its header and key.
func (s *space) make(key []byte, h shape, access uint32) (slab.Ref, record) {
	timed := h.expireAt != 0 || h.meta&metaParts != 0
	n := recordSize(timed, len(key), h.size)
	ref := s.alloc(n, h.room)
	r := s.record(ref)
	r.setAccess(access)
	m := h.meta | metaOpen | s.ks.epoch
	if timed {
		m |= metaTimed
		*r.word() = 0
	}
	r.setMeta(m)
	r.setLengths(len(key), h.size)
	if timed {
		r.setExpireAt(h.expireAt)
	}
	copy(r.key(), key)
	return ref, r
}

// reshape makes the record of an entry another one, where it is if it fits. The
// value's bytes are undefined if it moves, and it reports whether it does. A Go
// object that is not to be one any more is dropped.
func (tx *Tx) reshape(e *Entry, h shape) (moves bool) {
	s, r := e.s, e.rec
	tx.touchSpace(s)
	if h.meta&metaParts != 0 && h.partsAt == 0 {
		h.partsAt = noDeadline // it is in the wheel as early as it has to be
	}
	if r.place() == squeezed && h.meta>>placeShift&3 != squeezed {
		tx.ks.text.squeezedOut(s, r.value())
		r.setMeta(r.meta() &^ placeMask)
	}
	object, was := uint32(0), r.place() == onHeap && h.meta>>placeShift&3 != onHeap
	if was {
		object = objectOf(r)
	}
	timed := h.expireAt != 0 || h.meta&metaParts != 0
	at, key, size := r.layout()
	n := recordSize(timed, key, h.size)
	s.count(r, -1)
	m := r.meta()
	if timed == (m&metaTimed != 0) && isWide(key, h.size) == (m&metaWide != 0) && s.fits(e.ref, at+key+size, n) {
		r.setMeta(m&^(metaKept|metaParts) | h.meta)
		if size != h.size {
			r.setLengths(key, h.size)
		}
		if timed {
			tx.setTime(e, h)
		}
	} else {
		tx.move(e, h, timed)
		moves = true
	}
	s.count(e.rec, 1)
	if was {
		s.drop(object)
	}
	return moves
}

// move makes an entry stand on a new record.
func (tx *Tx) move(e *Entry, h shape, timed bool) {
	s, r := e.s, e.rec
	place := r.wheelPlace()
	ref, moved := s.make(r.key(), h, r.access())
	moved.setMeta(moved.meta()&^metaEpoch | r.meta()&metaEpoch) // saved or not, as it was
	s.replace(tagOf(e.hash), e.ref, ref)
	switch {
	case place == 0:
	case timed && h.expireAt < noDeadline:
		s.wheel.Move(e.ref, ref, place)
		moved.setWheelPlace(place)
	default:
		s.wheel.Remove(e.ref, place)
	}
	if r.place() == squeezed { // the value is the new one's
		r.setMeta(r.meta() &^ placeMask)
	}
	tx.freed = append(tx.freed, freed{s, e.ref})
	e.ref, e.rec = ref, moved
	if tx.byRef != nil {
		tx.byRef[ref] = e
	}
	tx.schedule(e, h)
}

// setTime gives a timed record another deadline.
func (tx *Tx) setTime(e *Entry, h shape) {
	r := e.rec
	if h.expireAt >= noDeadline { // in no wheel
		e.s.schedule(e.ref, 0, tx.Now)
	}
	r.setExpireAt(h.expireAt)
	tx.schedule(e, h)
}

// schedule has the wheel know the record's deadline, or its next part's.
func (tx *Tx) schedule(e *Entry, h shape) {
	if e.rec.meta()&metaTimed == 0 || h.expireAt >= noDeadline {
		return
	}
	at := h.expireAt
	if h.meta&metaParts != 0 && (at == 0 || h.partsAt < at) {
		at = h.partsAt
	}
	e.s.schedule(e.ref, at, tx.Now)
}

// setLengths is for a record whose word of time, if any, is announced by meta.
func (r record) setLengths(key, value int) {
	m := r.meta() &^ (metaWide | maxKey<<keyShift | maxValue<<valueShift)
	if isWide(key, value) {
		r.setMeta(m | metaWide)
		*r.lengths() = [2]uint64{uint64(key), uint64(value)}
		return
	}
	r.setMeta(m | uint32(key)<<keyShift | uint32(value)<<valueShift)
}

// numberSize is how many bytes the number of a Go object takes.
const numberSize = 4

func (r record) setNumber(i uint32) { binary.LittleEndian.PutUint32(r.value(), i) }

// maxRoom is the room that a large value which grows may get. What it costs to move
// what is there is then paid once for many times.
const maxRoom = 1 << 20

// store writes the entry's value into its record.
func (tx *Tx) store(e *Entry) {
	if e.value == nil || !e.live() {
		return
	}
	b, place, form := e.packed()
	h := shape{
		meta:     uint32(e.value.Type().ID) | place<<placeShift | uint32(form)<<formShift,
		size:     len(b),
		expireAt: e.rec.expireAt(),
	}
	if x, ok := e.value.(object.Expiring); ok {
		if h.partsAt = x.NextExpiry(); h.partsAt != 0 {
			h.meta |= metaParts
		}
	}
	if place == onHeap {
		h.size = numberSize
		tx.storeObject(e, h)
	} else {
		if !e.fresh && e.base != nil && len(b) > e.size { // it has grown, and will again
			h.room = min(len(b)/4, maxRoom)
		}
		tx.reshape(e, h)
		if at := e.rec.value(); len(b) > 0 && &at[0] != &b[0] {
			copy(at, b)
		}
		e.base = unsafe.Pointer(unsafe.SliceData(b))
	}
	e.fresh, e.form, e.size = false, form, len(b)
}

// storeObject keeps the value as the Go object it is.
func (tx *Tx) storeObject(e *Entry, h shape) {
	i := uint32(0)
	if e.rec.place() == onHeap {
		i = objectOf(e.rec)
		e.s.objects[i].object = e.value
		e.s.measure(i)
	} else {
		i = e.s.hold(e.value)
	}
	tx.reshape(e, h)
	e.rec.setNumber(i)
}

// remove takes an entry out of the keyspace. Its record can be read until the
// Tx ends.
func (tx *Tx) remove(e *Entry) {
	tx.save(e)
	s := e.s
	tx.touchSpace(s)
	if place := e.rec.wheelPlace(); place != 0 {
		s.wheel.Remove(e.ref, place)
	}
	if e.rec.place() == onHeap {
		e.Value() // for those who look at it yet
		s.drop(objectOf(e.rec))
	}
	s.count(e.rec, -1)
	s.remove(tagOf(e.hash), e.ref)
	s.shard.keys--
	e.gone = true
	tx.freed = append(tx.freed, freed{s, e.ref})
}

// unlink takes a space out of its shard. Its records can be read until the Tx ends.
func (tx *Tx) unlink(s *space, whole bool) {
	s.shard.keys -= s.n
	s.shard.dbs[s.db] = nil
	s.dead, s.whole = true, whole
	tx.touchSpace(s)
}
