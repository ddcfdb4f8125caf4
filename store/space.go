package store

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/nearcache/nearcache/store/expire"
	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/slab"
)

// space is what one shard holds of one database: a table of records, their
// cells, and the wheel of those that have a time to live. It is made with its
// first key, and its shard's lock guards it.
//
//	table ──► record in a cell of the slab: header, key, value
//	            │ value is one of
//	            ├── bytes           strings, and whatever packs (object.Packable)
//	            └── a number ──► objects: Go objects that do not pack
type space struct {
	table
	wheel     expire.Wheel
	cells     *cells // of records
	cellBytes int64

	objects     []held
	freeObjects []uint32
	objectBytes int64 // their sizes

	spans     map[slab.Ref]*slab.Span // of records larger than a cell
	spanBytes int64

	squeezed int // keys whose values are compressed
	volatile int // keys with a time to live
	partial  int // keys of which parts have one

	ks      *Keyspace
	shard   *shard
	db      int
	counted int64 // bytes accounted to the shard
	onHeap  int64 // likewise
	touched bool  // by the Tx that holds the shard: is to be accounted
	dead    bool  // flushed
	whole   bool  // with all others of its cells

	snap  *Snapshot // at whose cut it was there
	cutDB int       // the number of its database then
	next  uint32    // tag that the snapshot's scan goes on from
	done  bool      // the scan has seen all
}

// held is a Go object and the size that is accounted for it.
type held struct {
	object object.Object
	size   int
}

func newSpace(ks *Keyspace, sh *shard, db int) *space {
	s := &space{ks: ks, shard: sh, db: db, cells: ks.cells[sh.index/groupShards]}
	s.table = table{arena: ks.arena}
	s.wheel.Init(s, ks.arena)
	return s
}

// SetPlace implements expire.Owner.
func (s *space) SetPlace(ref slab.Ref, place uint32) { s.record(ref).setWheelPlace(place) }

func (s *space) record(ref slab.Ref) record { return record{s.arena.Pointer(ref)} }

// holds is the memory that the space's keys take, in bytes, and how much of it is
// on the Go heap. What is held beyond that is sampled by Keyspace.measure: pages
// of cells that are not full, chunks of the wheel likewise, and the first page of
// the table, which all shards have.
func (s *space) holds() (n, heap int64) {
	if s.n == 0 {
		return 0, 0
	}
	heap = s.objectBytes + int64(cap(s.objects))*int64(unsafe.Sizeof(held{})) + int64(cap(s.dir))*int64(unsafe.Sizeof(segment{}))
	return s.cellBytes + s.table.bytes - slab.PageSize + int64(s.wheel.Len())*wheelShare + s.spanBytes + heap, heap
}

// alloc returns memory for a record of n bytes, and if it is a large one for room
// more of them where there is so much.
func (s *space) alloc(n, room int) slab.Ref {
	if n <= slab.MaxCell {
		s.cellBytes += int64(slab.Cell(n))
		return s.cells.alloc(n)
	}
	span, err := s.arena.NewSpan(n + room)
	if err != nil && room > 0 {
		span, err = s.arena.NewSpan(n)
	}
	if err != nil {
		panic(err)
	}
	if s.spans == nil {
		s.spans = map[slab.Ref]*slab.Span{}
	}
	s.spans[span.Ref()] = span
	s.spanBytes += int64(span.Cap())
	return span.Ref()
}

// free gives it back. n is the record's size.
func (s *space) free(ref slab.Ref, n int) {
	if n <= slab.MaxCell {
		s.cellBytes -= int64(slab.Cell(n))
		s.cells.free(ref, n)
		return
	}
	span := s.spans[ref]
	if span == nil {
		panic(fmt.Sprintf("store: no span of %d bytes at %#x", n, ref))
	}
	delete(s.spans, ref)
	s.spanBytes -= int64(span.Cap())
	span.Release()
}

// room is how many bytes a record of n bytes may grow to where it is.
func (s *space) room(ref slab.Ref, n int) int {
	if n <= slab.MaxCell {
		return slab.Cell(n)
	}
	return s.spans[ref].Cap()
}

// fits reports whether a record of n bytes may become one of size bytes without
// moving and without wasting what others could use. One that is shared stays as it is.
func (s *space) fits(ref slab.Ref, n, size int) bool {
	if n <= slab.MaxCell {
		return sameCell(n, size)
	}
	span := s.spans[ref]
	room := span.Cap()
	return size > slab.MaxCell && size <= room && size > room/2 && !span.Shared()
}

// hold keeps a Go object and returns its number.
func (s *space) hold(o object.Object) uint32 {
	i := uint32(len(s.objects))
	if n := len(s.freeObjects); n > 0 {
		i = s.freeObjects[n-1]
		s.freeObjects = s.freeObjects[:n-1]
	} else {
		s.objects = append(s.objects, held{})
	}
	s.objects[i].object = o
	s.measure(i)
	return i
}

// measure accounts an object's size as it is now.
func (s *space) measure(i uint32) {
	h := &s.objects[i]
	n := h.object.Size()
	s.objectBytes += int64(n - h.size)
	h.size = n
}

func (s *space) drop(i uint32) {
	s.objectBytes -= int64(s.objects[i].size)
	s.objects[i] = held{}
	if len(s.freeObjects)+1 == len(s.objects) {
		s.objects, s.freeObjects = nil, nil
		return
	}
	s.freeObjects = append(s.freeObjects, i)
}

// objectOf is the number of the object that a record's value is.
func objectOf(r record) uint32 { return binary.LittleEndian.Uint32(r.value()) }

// sizeOf is the memory that a record takes, with its share of table and wheel.
func (s *space) sizeOf(ref slab.Ref) int {
	r := s.record(ref)
	n := s.room(ref, r.size()) + slotShare
	if r.meta()&metaTimed != 0 {
		n += wheelShare
	}
	if r.place() == onHeap {
		n += s.objects[objectOf(r)].size + int(unsafe.Sizeof(held{}))
	}
	return n
}

// A record's share of table and wheel, on average.
const (
	slotShare  = 10
	wheelShare = 6
)

// schedule has the wheel hand out the record at a time in ms, or earlier; 0 for never.
func (s *space) schedule(ref slab.Ref, at, now int64) {
	r := s.record(ref)
	place := r.wheelPlace()
	switch {
	case at == 0:
		if place != 0 {
			s.wheel.Remove(ref, place)
			r.setWheelPlace(0)
		}
		return
	case place != 0:
		if !s.wheel.Late(place, at) {
			return
		}
		s.wheel.Remove(ref, place)
	}
	s.wheel.Add(ref, at, now)
	if next := s.shard.nextExpiry.Load(); next == 0 || at < next {
		s.shard.publishNextExpiry()
	}
}

// count adds n for a record to the figures of those that have a time to live.
func (s *space) count(r record, n int) {
	m := r.meta()
	if m&metaTimed == 0 {
		return
	}
	if r.expireAt() != 0 {
		s.volatile += n
	}
	if m&metaParts != 0 {
		s.partial += n
	}
}

// release gives all memory back, but the cells of records where whole is set:
// those go with all others of their heap. Nobody may use the space after.
func (s *space) release(whole bool) {
	if s.squeezed > 0 {
		s.each(func(ref slab.Ref) {
			if r := s.record(ref); r.place() == squeezed {
				s.ks.text.squeezedOut(s, r.value())
			}
		})
	}
	for _, span := range s.spans {
		span.Release()
	}
	if !whole {
		s.each(func(ref slab.Ref) {
			if n := s.record(ref).size(); n <= slab.MaxCell {
				s.cells.free(ref, n)
			}
		})
	}
	s.table.reset()
	s.wheel.Reset()
	s.objects, s.spans = nil, nil
}
