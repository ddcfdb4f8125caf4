package stream

import (
	"errors"
	"math"
	"slices"
	"sort"
	"unsafe"

	"github.com/nearcache/nearcache/store/object"
)

// Type is the descriptor of streams.
var Type = &object.Type{ID: object.Stream, Name: "stream", New: func() object.Object { return New() }}

// Errors of Append.
var (
	ErrSmallID  = errors.New("stream: ID is not greater than the last one")
	ErrTooLarge = errors.New("stream: elements are too large")
)

// maxEntryBytes is what the names and values of an entry may take together.
const maxEntryBytes = 1 << 30

// Value is a stream.
type Value struct {
	leaves [][]block // the blocks in order; no leaf is empty
	blocks int
	length int64
	last   ID // generated last

	first, top           ID // of the entries that are left, unless stale
	staleFirst, staleTop bool

	maxDeleted ID
	added      int64 // entries ever

	groups   []*Group // by name
	minLast  ID       // the least last ID of the groups
	minKnown bool

	bytes   int // of blocks' data
	pending int // in all groups
	names   int // of groups and consumers: bytes, with what these hold

	nodes     int // of Redis' radix tree over the blocks, 0 where it is to be counted
	producers producers
}

const (
	valueSize = int(unsafe.Sizeof(Value{}))
	blockSize = int(unsafe.Sizeof(block{}))

	// leafSize is the number of blocks in a leaf. A leaf that loses or gains one
	// in the middle moves at most 9 kB.
	leafSize = 128
)

// New makes an empty stream.
func New() *Value { return &Value{producers: newProducers()} }

// Len is the number of entries.
func (v *Value) Len() int64 { return v.length }

// Last is the ID generated last.
func (v *Value) Last() ID { return v.last }

// MaxDeleted is the greatest ID of an entry that was deleted (XDEL, not XTRIM).
func (v *Value) MaxDeleted() ID { return v.maxDeleted }

// Added is the number of entries ever added.
func (v *Value) Added() int64 { return v.added }

// Blocks is the number of blocks.
func (v *Value) Blocks() int { return v.blocks }

// First is the ID of the first entry, 0-0 where there is none.
func (v *Value) First() ID {
	if v.staleFirst {
		v.staleFirst = false
		v.first = ID{}
		var it Iter
		if v.Range(&it, MinID, MaxID); it.Next() {
			v.first = it.ID
		}
	}
	return v.first
}

// Top is the ID of the last entry that is left; 0-0 where there is none.
func (v *Value) Top() ID {
	if v.length == 0 {
		return ID{}
	}
	if v.staleTop {
		v.staleTop = false
		li, bi := len(v.leaves)-1, len(v.leaves[len(v.leaves)-1])-1
		for v.leaves[li][bi].live == 0 {
			if bi--; bi < 0 {
				li--
				bi = len(v.leaves[li]) - 1
			}
		}
		b := &v.leaves[li][bi]
		for c := b.begin(); b.next(&c); b.skip(&c) {
			if c.flags&flagDead == 0 {
				v.top = c.id
			}
		}
	}
	return v.top
}

func (v *Value) tail() *block {
	if len(v.leaves) == 0 {
		return nil
	}
	leaf := v.leaves[len(v.leaves)-1]
	return &leaf[len(leaf)-1]
}

// NextID is the ID that follows at now, in Unix ms; false once the last ID there
// is has been given.
func (v *Value) NextID(now int64) (ID, bool) {
	if ms := uint64(now); ms > v.last.Ms {
		return ID{Ms: ms}, true
	}
	return v.last.Next()
}

// NextSeq is the ID that follows within ms; false where there is none.
func (v *Value) NextSeq(ms uint64) (ID, bool) {
	if ms != v.last.Ms {
		return ID{Ms: ms}, true
	}
	return ID{ms, v.last.Seq + 1}, v.last.Seq != math.MaxUint64
}

// Append adds an entry of names and values in turn. It fails with ErrSmallID
// unless id is greater than Last, and with ErrTooLarge.
func (v *Value) Append(id ID, pairs [][]byte) error {
	if !v.last.Less(id) {
		return ErrSmallID
	}
	size := 0
	for _, s := range pairs {
		size += len(s)
	}
	if size > maxEntryBytes {
		return ErrTooLarge
	}
	b := v.tail()
	if b == nil || b.full(size) {
		if b != nil {
			v.bytes -= cap(b.data)
			b.seal()
			v.bytes += cap(b.data)
		}
		b = v.addBlock()
		b.start(id, pairs)
	} else {
		v.bytes -= cap(b.data)
	}
	b.append(id, pairs)
	v.bytes += cap(b.data)
	v.length++
	if v.added < math.MaxInt64 {
		v.added++
	}
	v.last, v.top, v.staleTop = id, id, false
	if v.length == 1 {
		v.first, v.staleFirst = id, false
	}
	return nil
}

func (v *Value) addBlock() *block {
	v.blocks++
	v.nodes = 0
	n := len(v.leaves)
	if n == 0 || len(v.leaves[n-1]) >= leafSize || len(v.leaves[n-1]) == cap(v.leaves[n-1]) && len(v.leaves[n-1]) > leafSize/2 {
		room := leafSize
		if n == 0 {
			room = 1
		}
		v.leaves = append(v.leaves, make([]block, 1, room))
		return &v.leaves[n][0]
	}
	leaf := append(v.leaves[n-1], block{})
	v.leaves[n-1] = leaf
	return &leaf[len(leaf)-1]
}

// place is where a block is.
type place struct{ leaf, block int }

// seek is the place of the last block that begins at id or before, or of the first.
func (v *Value) seek(id ID) place {
	li := sort.Search(len(v.leaves), func(i int) bool { return id.Less(v.leaves[i][0].first) })
	if li == 0 {
		return place{}
	}
	leaf := v.leaves[li-1]
	bi := sort.Search(len(leaf), func(i int) bool { return id.Less(leaf[i].first) })
	return place{li - 1, bi - 1}
}

// at is the block of a place, nil behind the last one.
func (v *Value) at(p place) *block {
	if p.leaf < 0 || p.leaf >= len(v.leaves) {
		return nil
	}
	return &v.leaves[p.leaf][p.block]
}

func (v *Value) after(p place) place {
	if p.block+1 < len(v.leaves[p.leaf]) {
		return place{p.leaf, p.block + 1}
	}
	return place{p.leaf + 1, 0}
}

func (v *Value) before(p place) place {
	if p.block > 0 {
		return place{p.leaf, p.block - 1}
	}
	if p.leaf == 0 {
		return place{-1, 0}
	}
	return place{p.leaf - 1, len(v.leaves[p.leaf-1]) - 1}
}

// drop removes a block and returns the place of the next one.
func (v *Value) drop(p place) place {
	leaf := v.leaves[p.leaf]
	v.bytes -= cap(leaf[p.block].data)
	v.blocks--
	v.nodes = 0
	switch {
	case len(leaf) == 1 && p.leaf == 0:
		v.leaves[0] = nil
		v.leaves = v.leaves[1:]
		if len(v.leaves) == 0 {
			v.leaves = nil
		}
		return p
	case len(leaf) == 1:
		v.leaves = slices.Delete(v.leaves, p.leaf, p.leaf+1)
		return place{p.leaf, 0}
	case p.block == 0:
		leaf[0] = block{}
		v.leaves[p.leaf] = leaf[1:]
		return p
	}
	leaf = slices.Delete(leaf, p.block, p.block+1)
	v.leaves[p.leaf] = leaf
	if p.block == len(leaf) {
		return place{p.leaf + 1, 0}
	}
	return p
}

// Has reports whether there is an entry of that ID.
func (v *Value) Has(id ID) bool {
	b := v.at(v.seek(id))
	if b == nil || b.last.Less(id) || id.Less(b.first) {
		return false
	}
	_, ok := b.find(id)
	return ok
}

// Delete removes an entry; false where there is none.
func (v *Value) Delete(id ID) bool {
	p := v.seek(id)
	b := v.at(p)
	if b == nil || b.last.Less(id) || id.Less(b.first) {
		return false
	}
	c, ok := b.find(id)
	if !ok {
		return false
	}
	v.bury(b, &c)
	if b.live == 0 {
		v.drop(p)
	}
	if v.maxDeleted.Less(id) {
		v.maxDeleted = id
	}
	return true
}

// bury marks an entry as deleted.
func (v *Value) bury(b *block, c *cursor) {
	b.data[c.at] |= flagDead
	b.live--
	b.dead++
	v.length--
	if c.id == v.first {
		v.staleFirst = true
	}
	if c.id == v.top {
		v.staleTop = true
	}
}

// SetIDs sets what XSETID does: the last ID, the number of entries ever added
// unless it is negative, and the greatest deleted ID unless it is 0-0.
func (v *Value) SetIDs(last ID, added int64, maxDeleted ID) {
	v.last = last
	if added >= 0 {
		v.added = added
	}
	if !maxDeleted.IsZero() {
		v.maxDeleted = maxDeleted
	}
}

// Type implements object.Object.
func (v *Value) Type() *object.Type { return Type }

// Encoding implements object.Object.
func (v *Value) Encoding() string { return "stream" }

// Size implements object.Object.
func (v *Value) Size() int {
	return valueSize + v.bytes + v.blocks*blockSize + len(v.leaves)*24 + v.names + v.pending*pendingCost + v.producers.bytes
}

// Clone implements object.Object.
func (v *Value) Clone() object.Object {
	c := *v
	c.leaves = make([][]block, len(v.leaves))
	c.bytes = 0
	for i, leaf := range v.leaves {
		l := make([]block, len(leaf))
		copy(l, leaf)
		for j := range l {
			l[j].data = append(make([]byte, 0, len(l[j].data)), l[j].data...)
			c.bytes += cap(l[j].data)
		}
		c.leaves[i] = l
	}
	c.groups = make([]*Group, len(v.groups))
	for i, g := range v.groups {
		c.groups[i] = g.clone(&c)
	}
	c.producers = v.producers.clone()
	return &c
}
