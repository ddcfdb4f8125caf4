package store

import (
	"unsafe"

	"github.com/nearcache/nearcache/store/slab"
)

// table finds records by their keys' hashes: an open-addressing table outside
// of the Go heap, in segments.
//
//	dir ──► segment ──► [bucket][bucket] …      a bucket is a cache line: eight slots
//	                                            a slot is 26 bits of hash and a reference
//
// The upper bits of a hash choose the segment, the bits below them its bucket,
// so that hashes grow through the table from begin to end. A bucket that is full
// goes on in the next. As a slot knows its hash, a table grows, shrinks and
// deletes without a look at the records; and as it grows a segment at a time (by
// a page or two, up to 64 kB, then it splits in two: extendible hashing of Fagin,
// Nievergelt, Pippenger and Strong, 1979), nobody waits longer than some 50 µs for
// that.
//
// A scan goes through the hashes in their order, whatever happens to the table:
// its cursor is a hash. A key that is there throughout is visited once.
type table struct {
	arena *slab.Arena
	dir   []segment // one for each value of the upper depth bits; neighbours may share one
	depth uint8
	n     int
	bytes int64 // of the segments
}

// segment is a part of a table. Of those in dir that are the same one, the
// first keeps n.
type segment struct {
	buckets unsafe.Pointer
	ref     slab.Ref
	size    uint32 // buckets, whole pages of them
	n       uint32 // slots in use
	depth   uint8  // bits of the hash that all have in common
}

// slot is a tag and the reference of a record; 0 is empty.
type slot uint64

const (
	refBits = 38 // 2 TB
	tagBits = 64 - refBits
	maxTag  = 1<<tagBits - 1

	bucketSlots = 8
	bucketSize  = 64
	pageBuckets = slab.PageSize / bucketSize
	maxSegment  = 16 * pageBuckets
	maxDepth    = tagBits - 8 // of a segment

	// A segment that is more than seven eighths full grows; one that is less
	// than a third full shrinks, until it is 80% full. A bucket holds all that
	// belong into it in eight of ten cases then.
	fullNum, fullDen   = 7, 8
	emptyNum, emptyDen = 1, 3
	afterNum, afterDen = 4, 5
)

func tagOf(hash uint64) uint32 { return uint32(hash >> refBits) }

func newSlot(tag uint32, ref slab.Ref) slot { return slot(tag)<<refBits | slot(ref) }
func (s slot) tag() uint32                  { return uint32(s >> refBits) }
func (s slot) ref() slab.Ref                { return slab.Ref(s & (1<<refBits - 1)) }

type bucket [bucketSlots]slot

// full reports whether the bucket may go on in the next: slots fill up in order.
func (b *bucket) full() bool { return b[bucketSlots-1] != 0 }

func (b *bucket) len() int {
	for i, s := range b {
		if s == 0 {
			return i
		}
	}
	return bucketSlots
}

// segmentOf is the segment of a tag and its place in dir.
func (t *table) segmentOf(tag uint32) (*segment, int) {
	i := int(tag >> (tagBits - t.depth))
	return &t.dir[i], i
}

// first is the place in dir of the segment at i that keeps its count.
func (t *table) first(i int) int { return i &^ (1<<(t.depth-t.dir[i].depth) - 1) }

func (s *segment) bucket(i uint32) *bucket {
	return (*bucket)(unsafe.Add(s.buckets, uintptr(i)*bucketSize))
}

// home is the bucket that a tag belongs into.
func (s *segment) home(tag uint32) uint32 {
	rest := uint64(tag) & (maxTag >> s.depth)
	return uint32(rest * uint64(s.size) >> (tagBits - s.depth))
}

// next is the bucket after i.
func (s *segment) next(i uint32) uint32 {
	if i++; i == s.size {
		return 0
	}
	return i
}

func (s *segment) capacity() uint32 { return s.size * bucketSlots }

// find is the reference of the record of key, 0 where there is none.
func (t *table) find(tag uint32, key []byte) slab.Ref {
	if t.n == 0 {
		return 0
	}
	s, _ := t.segmentOf(tag)
	for i := s.home(tag); ; i = s.next(i) {
		b := s.bucket(i)
		for _, x := range b {
			if x == 0 {
				return 0
			}
			if x.tag() != tag {
				continue
			}
			if r := (record{t.arena.Pointer(x.ref())}); string(r.key()) == string(key) {
				return x.ref()
			}
		}
		if !b.full() {
			return 0
		}
	}
}

// findTag is the reference of a record of that tag of which is is true.
func (t *table) findTag(tag uint32, is func(record) bool) slab.Ref {
	if t.n == 0 {
		return 0
	}
	s, _ := t.segmentOf(tag)
	for i := s.home(tag); ; i = s.next(i) {
		b := s.bucket(i)
		for _, x := range b {
			if x != 0 && x.tag() == tag && is(record{t.arena.Pointer(x.ref())}) {
				return x.ref()
			}
		}
		if !b.full() {
			return 0
		}
	}
}

// locate finds the slot of a record.
func (t *table) locate(tag uint32, ref slab.Ref) (s *segment, dir int, i uint32, j int) {
	s, dir, i, j = t.look(tag, ref)
	if s == nil {
		panic("store: a record is not in its table")
	}
	return s, dir, i, j
}

// has reports whether the record is in the table.
func (t *table) has(tag uint32, ref slab.Ref) bool {
	if t.n == 0 {
		return false
	}
	s, _, _, _ := t.look(tag, ref)
	return s != nil
}

func (t *table) look(tag uint32, ref slab.Ref) (s *segment, dir int, i uint32, j int) {
	want := newSlot(tag, ref)
	s, dir = t.segmentOf(tag)
	for i = s.home(tag); ; i = s.next(i) {
		b := s.bucket(i)
		for j, x := range b {
			if x == want {
				return s, dir, i, j
			}
		}
		if !b.full() {
			return nil, 0, 0, 0
		}
	}
}

// replace gives the record of a tag another reference.
func (t *table) replace(tag uint32, old, ref slab.Ref) {
	s, _, i, j := t.locate(tag, old)
	s.bucket(i)[j] = newSlot(tag, ref)
}

// insert adds a record, whose key is not there yet.
func (t *table) insert(tag uint32, ref slab.Ref) {
	if t.dir == nil {
		t.dir = []segment{t.newSegment(pageBuckets, 0)}
	}
	_, dir := t.segmentOf(tag)
	s := &t.dir[t.first(dir)]
	if (s.n+1)*fullDen > s.capacity()*fullNum {
		t.grow(t.first(dir))
		_, dir = t.segmentOf(tag)
		s = &t.dir[t.first(dir)]
	}
	s.put(newSlot(tag, ref))
	s.n++
	t.n++
}

func (s *segment) put(x slot) {
	i := s.home(x.tag())
	for s.bucket(i).full() {
		i = s.next(i)
	}
	b := s.bucket(i)
	b[b.len()] = x
}

// remove takes a record out.
func (t *table) remove(tag uint32, ref slab.Ref) {
	s, dir, i, j := t.locate(tag, ref)
	s.clear(i, j)
	dir = t.first(dir)
	s = &t.dir[dir]
	s.n--
	t.n--
	switch {
	case t.n == 0 && len(t.dir) > 1:
		t.reset()
	case s.n*emptyDen < s.capacity()*emptyNum:
		t.shrink(dir)
	}
}

// clear empties a slot and closes the gaps that this leaves in buckets which go
// on in others.
func (s *segment) clear(i uint32, j int) {
	for {
		b := s.bucket(i)
		full := b.full()
		last := b.len() - 1
		b[j], b[last] = b[last], 0
		if !full {
			return
		}
		// Something from further on may belong here, or before.
		k := i
		for moved := false; !moved; {
			if k = s.next(k); k == i {
				return
			}
			c := s.bucket(k)
			for l, x := range c {
				if x == 0 {
					return // c is not full: nothing goes on beyond it
				}
				if s.distance(s.home(x.tag()), k) >= s.distance(i, k) {
					b[last] = x
					i, j, moved = k, l, true
					break
				}
			}
		}
	}
}

// distance is how many buckets after a b is.
func (s *segment) distance(a, b uint32) uint32 {
	if b >= a {
		return b - a
	}
	return b + s.size - a
}

// newSegment makes an empty one.
func (t *table) newSegment(size uint32, depth uint8) segment {
	n := int(size) * bucketSize
	ref := t.arena.AllocPages(n / slab.PageSize)
	t.bytes += int64(n)
	clear(t.arena.Bytes(ref, n))
	return segment{buckets: t.arena.Pointer(ref), ref: ref, size: size, depth: depth}
}

func (t *table) freeSegment(s *segment) {
	n := int(s.size) * bucketSize
	t.arena.FreePages(s.ref, n/slab.PageSize)
	t.bytes -= int64(n)
}

// sizeFor is how many buckets n slots should have.
func sizeFor(n uint32) uint32 {
	const slots = pageBuckets * bucketSlots * afterNum
	return max(1, (n*afterDen+slots-1)/slots) * pageBuckets
}

// eachSlot calls f with every slot in use.
func (s *segment) eachSlot(f func(slot)) {
	for i := range s.size {
		for _, x := range s.bucket(i) {
			if x == 0 {
				break
			}
			f(x)
		}
	}
}

// grow makes room in the segment at dir, the first of its neighbours.
func (t *table) grow(dir int) {
	old := t.dir[dir]
	if old.size < maxSegment {
		t.rebuild(dir, min(maxSegment, old.size+pageBuckets+old.size/8/pageBuckets*pageBuckets))
		return
	}
	t.split(dir, old.n)
}

// split makes two of the segment at dir, which have room for n records together, or
// as many of them as two may have. It returns the place of the first.
func (t *table) split(dir int, n uint32) int {
	old := t.dir[dir]
	if old.depth == maxDepth { // 2^18 segments: half a billion records
		panic("store: table is full")
	}
	if old.depth == t.depth {
		t.double()
		dir *= 2
	}
	size := min(maxSegment, sizeFor(n/2))
	low, high := t.newSegment(size, old.depth+1), t.newSegment(size, old.depth+1)
	bit := uint32(1) << (tagBits - 1 - old.depth)
	old.eachSlot(func(x slot) {
		if s := &low; x.tag()&bit == 0 {
			s.put(x)
			s.n++
		} else {
			high.put(x)
			high.n++
		}
	})
	half := 1 << (t.depth - old.depth - 1)
	for i := range half {
		t.dir[dir+i], t.dir[dir+half+i] = low, high
	}
	t.freeSegment(&old)
	return dir
}

// reserve makes room for so many more records, which are about to come. Each segment
// is made as large as it will have to be at once; its hashes say how many belong into it.
func (t *table) reserve(more int) {
	if t.dir == nil {
		t.dir = []segment{t.newSegment(min(maxSegment, sizeFor(uint32(more))), 0)}
	}
	for dir := 0; dir < len(t.dir); {
		s := &t.dir[dir]
		n := s.n + uint32(more>>s.depth)
		switch size := sizeFor(n); {
		case n*fullDen <= s.capacity()*fullNum, s.depth == maxDepth:
			dir += 1 << (t.depth - s.depth)
		case size <= maxSegment:
			t.rebuild(dir, size)
		default:
			dir = t.split(dir, n)
		}
	}
}

// double makes dir twice as long.
func (t *table) double() {
	dir := make([]segment, 2*len(t.dir))
	for i := range dir {
		dir[i] = t.dir[i/2]
	}
	t.dir = dir
	t.depth++
}

// rebuild gives the segment at dir another size.
func (t *table) rebuild(dir int, size uint32) {
	old := t.dir[dir]
	s := t.newSegment(size, old.depth)
	old.eachSlot(s.put)
	s.n = old.n
	for i := range 1 << (t.depth - old.depth) {
		t.dir[dir+i] = s
	}
	t.freeSegment(&old)
}

// shrink makes the segment at dir smaller, or one with its other half.
func (t *table) shrink(dir int) {
	s := t.dir[dir]
	if s.depth > 0 {
		span := 1 << (t.depth - s.depth)
		other := t.dir[dir^span]
		if other.depth == s.depth && (s.n+other.n)*afterDen < maxSegment*bucketSlots*afterNum/2 {
			t.merge(min(dir, dir^span), &s, &other)
			return
		}
	}
	if size := sizeFor(s.n); size < s.size {
		t.rebuild(dir, size)
	}
}

// merge makes two segments one, and dir as short as it can be.
func (t *table) merge(dir int, a, b *segment) {
	s := t.newSegment(sizeFor(a.n+b.n), a.depth-1)
	a.eachSlot(s.put)
	b.eachSlot(s.put)
	s.n = a.n + b.n
	for i := range 1 << (t.depth - s.depth) {
		t.dir[dir+i] = s
	}
	t.freeSegment(a)
	t.freeSegment(b)
	for t.depth > 0 {
		for i := range t.dir {
			if t.dir[i].depth == t.depth {
				return
			}
		}
		half := make([]segment, len(t.dir)/2)
		for i := range half {
			half[i] = t.dir[2*i]
		}
		t.dir = half
		t.depth--
	}
}

// reset gives up everything.
func (t *table) reset() {
	for i := 0; i < len(t.dir); i += 1 << (t.depth - t.dir[i].depth) {
		t.freeSegment(&t.dir[i])
	}
	t.dir, t.depth, t.n = nil, 0, 0
}

// scan visits the records of one bucket from a tag on and returns the tag to go
// on from; done at the end. visit must not change the table.
func (t *table) scan(from uint32, visit func(slab.Ref)) (next uint32, done bool) {
	if t.n == 0 {
		return 0, true
	}
	s, dir := t.segmentOf(from)
	home := s.home(from)
	for i, steps := home, uint32(0); steps < s.size; i, steps = s.next(i), steps+1 {
		b := s.bucket(i)
		for _, x := range b {
			if x == 0 {
				break
			}
			if tag := x.tag(); tag >= from && s.home(tag) == home {
				visit(x.ref())
			}
		}
		if !b.full() {
			break
		}
	}
	if home+1 < s.size { // the first tag of the next bucket
		width := tagBits - s.depth
		rest := (uint64(home+1)<<width + uint64(s.size) - 1) / uint64(s.size)
		return from&^(maxTag>>s.depth) | uint32(rest), false
	}
	dir = t.first(dir) + 1<<(t.depth-s.depth)
	if dir == len(t.dir) {
		return 0, true
	}
	return uint32(dir) << (tagBits - t.depth), false
}

// each visits all records. visit must not change the table.
func (t *table) each(visit func(slab.Ref)) {
	for i := 0; i < len(t.dir); i += 1 << (t.depth - t.dir[i].depth) {
		t.dir[i].eachSlot(func(x slot) { visit(x.ref()) })
	}
}

// random is some record; 0 where there is none.
func (t *table) random(rnd func() uint64) slab.Ref {
	if t.n == 0 {
		return 0
	}
	for {
		r := rnd()
		s, _ := t.segmentOf(uint32(r) & maxTag)
		// An empty slot asks again, so that none is preferred.
		i := uint32(r >> 32 * uint64(s.capacity()) >> 32)
		if x := s.bucket(i / bucketSlots)[i%bucketSlots]; x != 0 {
			return x.ref()
		}
	}
}
