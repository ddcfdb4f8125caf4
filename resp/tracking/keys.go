package tracking

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/nearcache/nearcache/store/slab"
)

// keys is the table of default mode: which clients hold a copy of which key. It
// lies outside of the Go heap: a key of 20 bytes with one reader takes 32 bytes
// for its record and about 12 for its slot, each further reader 4.
type keys struct {
	arena   *slab.Arena
	stripes [stripes]stripe
	n       atomic.Int64 // keys
	items   atomic.Int64 // (key, client) pairs
	bytes   atomic.Int64 // held
}

const stripes = 64

// stripe is a part of the keys, with an open-addressing table. A slot is the
// upper bits of the key's hash, which also say where it wants to be, and the
// Ref of its record; 0 is none. So the table changes its size without looking
// at records.
//
// A record is [readers u32][length of the key u16][key][numbers of the readers,
// u32 each, ascending]. What does not fit into a cell stands in big.
type stripe struct {
	mu struct {
		sync.Mutex
		heap  slab.Heap
		slots []uint64 // a power of two
		n     int      // slots in use
		big   map[string][]number
	}
	_ [24]byte
}

// number names a client in records; see clients.
type number = uint32

const (
	refBits  = 40
	tagBits  = 64 - refBits
	headSize = 6
	minSlots = 16
	bigCost  = 100 // of an entry in big, beside its key and numbers
)

// recordSize is the size of a record; false where it does not fit into a cell.
func recordSize(key, readers int) (int, bool) {
	n := headSize + key + 4*readers
	return n, key < 1<<16 && n <= slab.MaxCell
}

func refOf(slot uint64) slab.Ref { return slab.Ref(slot & (1<<refBits - 1)) }

func (k *keys) stripe(hash uint64) (st *stripe, tag uint64) {
	return &k.stripes[hash%stripes], hash >> refBits
}

// record is a key and its readers' numbers.
func (k *keys) record(slot uint64) (key, readers []byte) {
	head := k.arena.Bytes(refOf(slot), headSize)
	n, l := int(binary.LittleEndian.Uint32(head)), int(binary.LittleEndian.Uint16(head[4:]))
	b := k.arena.Bytes(refOf(slot), headSize+l+4*n)
	return b[headSize : headSize+l], b[headSize+l:]
}

// findLocked returns the slot of a key, or the one where it belongs.
func (k *keys) findLocked(st *stripe, tag uint64, key string) (i int, found bool) {
	if len(st.mu.slots) == 0 {
		return 0, false
	}
	for i = st.home(tag); st.mu.slots[i] != 0; i = (i + 1) & (len(st.mu.slots) - 1) {
		if st.mu.slots[i]>>refBits == tag {
			if name, _ := k.record(st.mu.slots[i]); string(name) == key {
				return i, true
			}
		}
	}
	return i, false
}

func (st *stripe) home(tag uint64) int {
	return int(tag >> (tagBits - bits.TrailingZeros(uint(len(st.mu.slots)))))
}

// search is where c stands among numbers, or belongs.
func search(numbers []byte, c number) (at int, found bool) {
	n := len(numbers) / 4
	if n == 0 || binary.LittleEndian.Uint32(numbers[4*n-4:]) < c {
		return n, false
	}
	at = sort.Search(n, func(i int) bool { return binary.LittleEndian.Uint32(numbers[4*i:]) >= c })
	return at, binary.LittleEndian.Uint32(numbers[4*at:]) == c
}

// add registers a reader of a key.
func (k *keys) add(hash uint64, key []byte, c number) {
	st, tag := k.stripe(hash)
	name := unsafe.String(unsafe.SliceData(key), len(key))
	st.mu.Lock()
	defer st.mu.Unlock()
	if l, ok := st.mu.big[name]; ok {
		if at, known := slices.BinarySearch(l, c); !known {
			k.setBigLocked(st, name, slices.Insert(l, at, c))
			k.items.Add(1)
		}
		return
	}
	var numbers []byte
	i, found := k.findLocked(st, tag, name)
	if found {
		_, numbers = k.record(st.mu.slots[i])
	}
	at, known := search(numbers, c)
	if known {
		return
	}
	if !found { // within the lock: the counters never run behind the table
		k.n.Add(1)
	}
	k.items.Add(1)
	old, _ := recordSize(len(key), len(numbers)/4)
	size, fits := recordSize(len(key), len(numbers)/4+1)
	switch {
	case !fits:
		l := slices.Insert(decode(numbers), at, c)
		if found {
			k.cutLocked(st, i, old)
		}
		k.setBigLocked(st, string(key), l)
	case found && slab.Cell(size) == slab.Cell(old):
		b := k.arena.Bytes(refOf(st.mu.slots[i]), size)
		b = k.headLocked(b, len(key), len(numbers)/4+1)[len(key):]
		copy(b[4*at+4:], b[4*at:len(numbers)])
		binary.LittleEndian.PutUint32(b[4*at:], c)
	default:
		ref := st.mu.heap.Alloc(size)
		k.bytes.Add(int64(slab.Cell(size)))
		b := k.headLocked(k.arena.Bytes(ref, size), len(key), len(numbers)/4+1)
		b = b[copy(b, key):]
		b = b[copy(b, numbers[:4*at]):]
		binary.LittleEndian.PutUint32(b, c)
		copy(b[4:], numbers[4*at:])
		slot := tag<<refBits | uint64(ref)
		if found {
			k.freeLocked(st, st.mu.slots[i], old)
			st.mu.slots[i] = slot
		} else {
			k.insertLocked(st, i, slot)
		}
	}
}

// headLocked writes a record's head, and returns the rest of it.
func (k *keys) headLocked(b []byte, key, readers int) []byte {
	binary.LittleEndian.PutUint32(b, uint32(readers))
	binary.LittleEndian.PutUint16(b[4:], uint16(key))
	return b[headSize:]
}

func decode(numbers []byte) []number {
	l := make([]number, len(numbers)/4)
	for i := range l {
		l[i] = binary.LittleEndian.Uint32(numbers[4*i:])
	}
	return l
}

// setBigLocked stores the readers of a key that has no record.
func (k *keys) setBigLocked(st *stripe, key string, l []number) {
	if st.mu.big == nil {
		st.mu.big = map[string][]number{}
	}
	if old, ok := st.mu.big[key]; ok {
		k.bytes.Add(int64(4 * (cap(l) - cap(old))))
	} else {
		k.bytes.Add(int64(bigCost + len(key) + 4*cap(l)))
	}
	st.mu.big[key] = l
}

// cutBigLocked forgets a key that has no record.
func (k *keys) cutBigLocked(st *stripe, key string) {
	k.bytes.Add(-int64(bigCost + len(key) + 4*cap(st.mu.big[key])))
	delete(st.mu.big, key)
}

// insertLocked puts a slot at i, where it belongs, or makes room first.
func (k *keys) insertLocked(st *stripe, i int, slot uint64) {
	if 8*(st.mu.n+1) > 7*len(st.mu.slots) {
		k.resizeLocked(st, max(minSlots, 2*len(st.mu.slots)))
		st.put(slot)
	} else {
		st.mu.slots[i] = slot
	}
	st.mu.n++
}

func (st *stripe) put(slot uint64) {
	i := st.home(slot >> refBits)
	for st.mu.slots[i] != 0 {
		i = (i + 1) & (len(st.mu.slots) - 1)
	}
	st.mu.slots[i] = slot
}

func (k *keys) resizeLocked(st *stripe, n int) {
	old := st.mu.slots
	st.mu.slots = make([]uint64, n)
	k.bytes.Add(int64(8 * (n - len(old))))
	for _, slot := range old {
		if slot != 0 {
			st.put(slot)
		}
	}
}

// cutLocked removes the slot i and its record of that size. Those behind it
// move up, so that the slot may hold another one afterwards.
func (k *keys) cutLocked(st *stripe, i, size int) {
	k.freeLocked(st, st.mu.slots[i], size)
	mask := len(st.mu.slots) - 1
	for j := (i + 1) & mask; st.mu.slots[j] != 0; j = (j + 1) & mask {
		// It may move to i unless it wants to be between i and j.
		if home := st.home(st.mu.slots[j] >> refBits); (j-home)&mask >= (j-i)&mask {
			st.mu.slots[i] = st.mu.slots[j]
			i = j
		}
	}
	st.mu.slots[i] = 0
	st.mu.n--
}

func (k *keys) freeLocked(st *stripe, slot uint64, size int) {
	st.mu.heap.Free(refOf(slot), size)
	k.bytes.Add(-int64(slab.Cell(size)))
}

// shrinkLocked gives room back that is hardly used.
func (k *keys) shrinkLocked(st *stripe) {
	n := len(st.mu.slots)
	for n > minSlots && 8*st.mu.n < n {
		n /= 2
	}
	if n < len(st.mu.slots) {
		k.resizeLocked(st, n)
	}
}

// take removes a key and appends its readers to l.
func (k *keys) take(hash uint64, key string, l []number) []number {
	st, tag := k.stripe(hash)
	st.mu.Lock()
	defer st.mu.Unlock()
	return k.takeLocked(st, tag, key, l)
}

// taken removes a key and calls tell with its readers while the stripe is held:
// for a key that has no shard of its own to be held.
func (k *keys) taken(hash uint64, key string, tell func(key string, readers []number)) {
	st, tag := k.stripe(hash)
	st.mu.Lock()
	defer st.mu.Unlock()
	tell(key, k.takeLocked(st, tag, key, nil))
}

func (k *keys) takeLocked(st *stripe, tag uint64, key string, l []number) []number {
	if i, found := k.findLocked(st, tag, key); found {
		_, numbers := k.record(st.mu.slots[i])
		l = append(l, decode(numbers)...)
		k.forgetLocked(st, i)
		k.shrinkLocked(st)
	} else if big, ok := st.mu.big[key]; ok {
		l = append(l, big...)
		k.forgetBigLocked(st, key)
	}
	return l
}

func (k *keys) forgetLocked(st *stripe, i int) {
	key, numbers := k.record(st.mu.slots[i])
	k.n.Add(-1)
	k.items.Add(-int64(len(numbers) / 4))
	k.cutLocked(st, i, headSize+len(key)+len(numbers))
}

func (k *keys) forgetBigLocked(st *stripe, key string) {
	k.n.Add(-1)
	k.items.Add(-int64(len(st.mu.big[key])))
	k.cutBigLocked(st, key)
}

// evict removes some key of a stripe, the first from a place on, and calls tell
// with it and its readers while the stripe is held.
func (k *keys) evict(st *stripe, place uint64, tell func(key string, readers []number)) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for key, l := range st.mu.big {
		tell(key, l)
		k.forgetBigLocked(st, key)
		return
	}
	if st.mu.n == 0 {
		return
	}
	i := int(place % uint64(len(st.mu.slots)))
	for st.mu.slots[i] == 0 {
		i = (i + 1) & (len(st.mu.slots) - 1)
	}
	key, numbers := k.record(st.mu.slots[i])
	tell(string(key), decode(numbers))
	k.forgetLocked(st, i)
	k.shrinkLocked(st)
}

// clear forgets everything.
func (k *keys) clear() {
	for i := range k.stripes {
		st := &k.stripes[i]
		st.mu.Lock()
		for key := range st.mu.big {
			k.forgetBigLocked(st, key)
		}
		for j, slot := range st.mu.slots {
			if slot != 0 {
				key, numbers := k.record(slot)
				k.n.Add(-1)
				k.items.Add(-int64(len(numbers) / 4))
				k.freeLocked(st, slot, headSize+len(key)+len(numbers))
				st.mu.slots[j] = 0
			}
		}
		st.mu.n = 0
		k.resizeLocked(st, 0)
		st.mu.Unlock()
	}
}

// drop takes the readers out of a stripe that gone says, and returns how many
// slots it has looked at.
func (k *keys) drop(st *stripe, gone func(number) bool) (slots int) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for key, l := range st.mu.big {
		left := slices.DeleteFunc(l, gone)
		k.items.Add(-int64(len(l) - len(left)))
		if len(left) == 0 {
			k.n.Add(-1)
			k.cutBigLocked(st, key)
		} else {
			st.mu.big[key] = left
		}
	}
	for i := 0; i < len(st.mu.slots); {
		if st.mu.slots[i] == 0 || !k.dropReadersLocked(st, i, gone) {
			i++
		}
	}
	slots = len(st.mu.slots)
	k.shrinkLocked(st)
	return slots
}

// dropReadersLocked takes readers out of a slot's record, and reports whether
// it went with the last of them.
func (k *keys) dropReadersLocked(st *stripe, i int, gone func(number) bool) (all bool) {
	key, numbers := k.record(st.mu.slots[i])
	n := 0
	for j := 0; j < len(numbers); j += 4 {
		if c := binary.LittleEndian.Uint32(numbers[j:]); !gone(c) {
			binary.LittleEndian.PutUint32(numbers[n:], c)
			n += 4
		}
	}
	if n == len(numbers) {
		return false
	}
	k.items.Add(-int64((len(numbers) - n) / 4))
	old := headSize + len(key) + len(numbers)
	if n == 0 {
		k.n.Add(-1)
		k.cutLocked(st, i, old)
		return true
	}
	size := headSize + len(key) + n
	if slab.Cell(size) == slab.Cell(old) {
		binary.LittleEndian.PutUint32(k.arena.Bytes(refOf(st.mu.slots[i]), 4), uint32(n/4))
		return false
	}
	ref := st.mu.heap.Alloc(size)
	k.bytes.Add(int64(slab.Cell(size)))
	b := k.headLocked(k.arena.Bytes(ref, size), len(key), n/4)
	copy(b[copy(b, key):], numbers[:n])
	k.freeLocked(st, st.mu.slots[i], old)
	st.mu.slots[i] = st.mu.slots[i]>>refBits<<refBits | uint64(ref)
	return false
}
