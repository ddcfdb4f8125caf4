package expire

import (
	"encoding/binary"
	"math/bits"
	"unsafe"

	"github.com/nearcache/nearcache/store/slab"
)

const (
	groupBits = 6
	slots     = 1 << groupBits
	levels    = 8 // 2^48 ms are 8,900 years

	chunkSize  = 64
	chunkRefs  = 11
	blockSize  = 64 * chunkSize // a page
	refSize    = 5
	headAt     = 56 // of a chunk: next and count
	backAt     = 60 // previous and slot
	placeMask  = 1<<PlaceBits - 1
	countShift = PlaceBits
)

// PlaceBits is how many bits a place takes.
const PlaceBits = 20

// MaxDeadline is the latest deadline that may be filed.
const MaxDeadline = 1<<(levels*groupBits) - 1

// Owner keeps the place of each of its records.
type Owner interface {
	// SetPlace notes where a reference lies; 0 is nowhere.
	SetPlace(ref slab.Ref, place uint32)
}

// Wheel files references by their deadlines. Make it with Init.
type Wheel struct {
	owner Owner
	arena *slab.Arena

	now      int64 // all that was filed for earlier has been handed out
	n        int
	used     int // chunks
	occupied [levels]uint64
	heads    *[levels * slots]uint32 // first chunk of each slot; 0 is none

	blocks []block
	lowest int // no block before it has a free chunk
}

// block is 64 chunks. Chunk number 0 is not used: it is no place.
type block struct {
	ref  slab.Ref
	free uint64
}

// Init makes the wheel, which is empty, take its memory from an arena.
func (w *Wheel) Init(owner Owner, arena *slab.Arena) { *w = Wheel{owner: owner, arena: arena} }

// Len is the number of references filed.
func (w *Wheel) Len() int { return w.n }

// Now is the wheel's time in ms: what it has handed out last was filed for it.
func (w *Wheel) Now() int64 { return w.now }

// Add files a reference, which is not filed, under a deadline in ms. now is the
// time by the clock. Where the wheel is full (2^20 chunks) the place is 0, and
// the reference is not filed.
func (w *Wheel) Add(ref slab.Ref, at, now int64) {
	if w.n == 0 {
		w.now = now // nothing was filed for a time in between
	}
	slot := w.slotOf(at)
	head := w.head(slot)
	if head == 0 || w.count(head) == chunkRefs {
		c := w.alloc()
		if c == 0 {
			w.owner.SetPlace(ref, 0)
			return
		}
		w.link(c, slot, head)
		head = c
	}
	k := w.count(head)
	w.put(head, k, ref)
	w.setCount(head, k+1)
	w.n++
	w.owner.SetPlace(ref, head)
}

// slotOf is the slot of a deadline: 64 times the level, and the slot there.
func (w *Wheel) slotOf(at int64) uint32 {
	at = min(at, MaxDeadline)
	if at <= w.now {
		return uint32(w.now & (slots - 1))
	}
	level := (bits.Len64(uint64(at^w.now)) - 1) / groupBits
	return uint32(level)*slots + uint32(at>>(level*groupBits))&(slots-1)
}

// Late reports whether what lies at place would come up after a deadline, so
// that it has to be filed anew.
func (w *Wheel) Late(place uint32, at int64) bool {
	slot := w.slot(place)
	level := slot / slots
	start := w.now>>(level*groupBits)&^(slots-1) | int64(slot%slots)
	return at < start<<(level*groupBits)
}

// Remove takes out the reference that lies at place.
func (w *Wheel) Remove(ref slab.Ref, place uint32) {
	k := w.find(place, ref)
	slot := w.slot(place)
	head := w.head(slot)
	last, ref2 := w.takeLast(slot, head)
	if head != place || k != last {
		w.put(place, k, ref2)
		w.owner.SetPlace(ref2, place)
	}
	w.n--
}

// takeLast takes the last reference of the first chunk of a slot.
func (w *Wheel) takeLast(slot, head uint32) (k int, ref slab.Ref) {
	k = w.count(head) - 1
	ref = w.get(head, k)
	if k > 0 {
		w.setCount(head, k)
		return k, ref
	}
	next := w.next(head)
	w.heads[slot] = next
	if next == 0 {
		w.occupied[slot/slots] &^= 1 << (slot % slots)
	} else {
		w.setPrev(next, 0)
	}
	w.free(head)
	return k, ref
}

// Move says that the record of old, which lies at place, has another reference now.
func (w *Wheel) Move(old, ref slab.Ref, place uint32) { w.put(place, w.find(place, old), ref) }

// Next is a time before which Pop has nothing to hand out, 0 where nothing is filed.
func (w *Wheel) Next() int64 {
	if w.n == 0 {
		return 0
	}
	at, _ := w.next0()
	return at
}

// next0 finds the slot that comes up next, and when it does: at once where the
// time is in it already.
func (w *Wheel) next0() (at int64, slot uint32) {
	for level := levels - 1; level > 0; level-- {
		if cur := w.now >> (level * groupBits) & (slots - 1); w.occupied[level]>>cur&1 != 0 {
			return w.now, uint32(level)*slots + uint32(cur)
		}
	}
	for level := range levels {
		cur := w.now >> (level * groupBits) & (slots - 1)
		if m := w.occupied[level] >> cur << cur; m != 0 {
			s := int64(bits.TrailingZeros64(m))
			if level == 0 && s == cur {
				return w.now, uint32(s)
			}
			upper := w.now >> (level * groupBits) &^ (slots - 1)
			return (upper | s) << (level * groupBits), uint32(level)*slots + uint32(s)
		}
	}
	return 0, 0
}

// Pop takes out a reference that comes up no later than now, the earliest ones
// first; false where there is none. Its place is 0 then. If its deadline is
// after [Wheel.Now], the owner adds it again, for this time.
func (w *Wheel) Pop(now int64) (slab.Ref, bool) {
	if w.n == 0 {
		return 0, false
	}
	at, slot := w.next0()
	if at > now {
		return 0, false
	}
	w.now = max(w.now, at)
	_, ref := w.takeLast(slot, w.heads[slot])
	w.n--
	w.owner.SetPlace(ref, 0)
	return ref, true
}

// Rewind files everything anew, for a clock that was set back to now: what was
// filed since for a time before Now would come up late.
func (w *Wheel) Rewind(now int64, deadline func(slab.Ref) int64) {
	refs := make([]slab.Ref, 0, w.n)
	for slot := range uint32(levels * slots) {
		for head := w.head(slot); head != 0; head = w.head(slot) {
			_, ref := w.takeLast(slot, head)
			refs = append(refs, ref)
		}
	}
	w.n, w.now = 0, now
	for _, ref := range refs {
		w.Add(ref, deadline(ref), now)
	}
}

// Random is some reference; rnd makes random numbers. All are about as likely,
// but where few are filed in many slots. False where nothing is filed.
func (w *Wheel) Random(rnd func() uint64) (slab.Ref, bool) {
	if w.n == 0 {
		return 0, false
	}
	// A chunk is taken as often as it is full.
	for try := 0; ; try++ {
		r := rnd()
		i := int((r >> 40) % uint64(len(w.blocks)))
		used := w.inUse(i)
		n := bits.OnesCount64(used)
		if n == 0 || try < 16 && len(w.blocks) > 1 && int(r%64) >= n {
			continue
		}
		for k := int(r>>8%4096) % n; k > 0; k-- {
			used &= used - 1
		}
		c := uint32(i*64 + bits.TrailingZeros64(used))
		if k := int(r >> 20 % (1 << 20) % chunkRefs); k < w.count(c) {
			return w.get(c, k), true
		} else if try >= 4 {
			return w.get(c, k%w.count(c)), true
		}
	}
}

// Reset forgets everything and gives the memory back.
func (w *Wheel) Reset() {
	for i := range w.blocks {
		w.arena.FreePages(w.blocks[i].ref, 1)
	}
	w.Init(w.owner, w.arena)
}

// Chunks.

func (w *Wheel) chunk(c uint32) unsafe.Pointer {
	return unsafe.Add(w.arena.Pointer(w.blocks[c/64].ref), uintptr(c%64)*chunkSize)
}

func (w *Wheel) bytes(c uint32) *[chunkSize]byte { return (*[chunkSize]byte)(w.chunk(c)) }

func (w *Wheel) word(c uint32, at uintptr) *uint32 { return (*uint32)(unsafe.Add(w.chunk(c), at)) }

func (w *Wheel) next(c uint32) uint32 { return *w.word(c, headAt) & placeMask }
func (w *Wheel) prev(c uint32) uint32 { return *w.word(c, backAt) & placeMask }
func (w *Wheel) slot(c uint32) uint32 { return *w.word(c, backAt) >> PlaceBits }
func (w *Wheel) count(c uint32) int   { return int(*w.word(c, headAt) >> countShift) }

func (w *Wheel) setNext(c, next uint32) {
	p := w.word(c, headAt)
	*p = *p&^placeMask | next
}

func (w *Wheel) setPrev(c, prev uint32) {
	p := w.word(c, backAt)
	*p = *p&^placeMask | prev
}

func (w *Wheel) setCount(c uint32, n int) {
	p := w.word(c, headAt)
	*p = *p&placeMask | uint32(n)<<countShift
}

func (w *Wheel) get(c uint32, i int) slab.Ref {
	b := w.bytes(c)[i*refSize:]
	return slab.Ref(binary.LittleEndian.Uint32(b)) | slab.Ref(b[4])<<32
}

func (w *Wheel) put(c uint32, i int, ref slab.Ref) {
	b := w.bytes(c)[i*refSize:]
	binary.LittleEndian.PutUint32(b, uint32(ref))
	b[4] = byte(ref >> 32)
}

// find is where in its chunk a reference lies.
func (w *Wheel) find(c uint32, ref slab.Ref) int {
	for i := range w.count(c) {
		if w.get(c, i) == ref {
			return i
		}
	}
	panic("expire: a reference is not where its record says")
}

func (w *Wheel) head(slot uint32) uint32 {
	if w.heads == nil {
		w.heads = new([levels * slots]uint32)
	}
	return w.heads[slot]
}

// link puts a chunk, which is empty, before the first one of a slot.
func (w *Wheel) link(c, slot, head uint32) {
	*w.word(c, headAt) = head
	*w.word(c, backAt) = slot << PlaceBits
	if head != 0 {
		w.setPrev(head, c)
	}
	w.heads[slot] = c
	w.occupied[slot/slots] |= 1 << (slot % slots)
}

func (w *Wheel) alloc() uint32 {
	for w.lowest < len(w.blocks) && w.blocks[w.lowest].free == 0 {
		w.lowest++
	}
	if w.lowest == len(w.blocks) {
		if w.lowest == 1<<PlaceBits/64 {
			return 0
		}
		free := ^uint64(0)
		if w.lowest == 0 {
			free &^= 1 // number 0
		}
		w.blocks = append(w.blocks, block{w.arena.AllocPages(1), free})
	}
	b := &w.blocks[w.lowest]
	i := bits.TrailingZeros64(b.free)
	b.free &^= 1 << i
	w.used++
	return uint32(w.lowest*64 + i)
}

func (w *Wheel) free(c uint32) {
	i := int(c / 64)
	w.blocks[i].free |= 1 << (c % 64)
	w.lowest = min(w.lowest, i)
	w.used--
	w.dropBlocks()
}

// dropBlocks gives the last blocks back while two of them are empty: a single
// record that comes and goes should not take one each time.
func (w *Wheel) dropBlocks() {
	for n := len(w.blocks); n > 1 && w.inUse(n-1) == 0 && w.inUse(n-2) == 0; n-- {
		w.dropLast()
	}
}

func (w *Wheel) dropLast() {
	last := len(w.blocks) - 1
	w.arena.FreePages(w.blocks[last].ref, 1)
	w.blocks = w.blocks[:last]
	w.lowest = min(w.lowest, last)
}

// inUse has a bit for each chunk of a block that is in use.
func (w *Wheel) inUse(i int) uint64 {
	used := ^w.blocks[i].free
	if i == 0 {
		used &^= 1
	}
	return used
}

// Compact moves the chunks of the last block to free places before it, where
// half of all places or more are free; so the block can be given back. It
// returns true if there is more to do.
func (w *Wheel) Compact() (more bool) {
	last := len(w.blocks) - 1
	if last < 2 || w.used*2 > last*64 {
		return false
	}
	for left := w.inUse(last); left != 0; left &= left - 1 {
		from := uint32(last*64 + bits.TrailingZeros64(left))
		to := w.alloc() // there is one before
		*w.bytes(to) = *w.bytes(from)
		slot, next, prev := w.slot(to), w.next(to), w.prev(to)
		if prev != 0 {
			w.setNext(prev, to)
		} else {
			w.heads[slot] = to
		}
		if next != 0 {
			w.setPrev(next, to)
		}
		for i := range w.count(to) {
			w.owner.SetPlace(w.get(to, i), to)
		}
		w.used--
	}
	w.dropLast()
	return true
}
