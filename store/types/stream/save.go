package stream

import (
	"maps"
	"slices"
)

// What follows is for those who write a stream down, block by block with its
// tombstones, and read it back.

// Block is a run of entries as they lie together.
type Block struct{ b *block }

// EachBlock calls f with the blocks in order.
func (v *Value) EachBlock(f func(Block)) {
	for _, leaf := range v.leaves {
		for i := range leaf {
			f(Block{&leaf[i]})
		}
	}
}

// First is the ID of the first entry, which may be deleted.
func (b Block) First() ID { return b.b.first }

// Live is the number of entries that are not deleted.
func (b Block) Live() int { return int(b.b.live) }

// Dead is the number of tombstones.
func (b Block) Dead() int { return int(b.b.dead) }

// Names calls f with the names of the first entry's fields.
func (b Block) Names(f func(name []byte)) {
	var number [20]byte
	var name []byte
	for p := 0; p < int(b.b.body); {
		name, p = readString(b.b.data, p, number[:0])
		f(name)
	}
}

// Fields is how many names there are.
func (b Block) Fields() int { return int(b.b.fields) }

// BlockIter walks over the entries of a block, those deleted included.
type BlockIter struct {
	Iter
	Deleted bool
	Same    bool // the names are those of the block
}

// Walk makes the iterator walk over the block.
func (b Block) Walk(it *BlockIter) {
	it.b, it.c, it.left = b.b, b.b.begin(), 0
}

// Next goes to the next entry; false where there is none.
func (it *BlockIter) Next() bool {
	it.rest()
	if !it.b.next(&it.c) {
		return false
	}
	it.Deleted, it.Same = it.c.flags&flagDead != 0, it.c.flags&flagSame != 0
	it.enter()
	return true
}

// Load adds an entry as it was saved, behind all others: as the first one of a
// block, or as a tombstone. It returns false unless the ID is greater. After the
// last one LoadEnd must be called.
func (v *Value) Load(id ID, pairs [][]byte, first, deleted bool) bool {
	b := v.tail()
	if b != nil && !b.last.Less(id) || id.IsZero() {
		return false
	}
	if b != nil && (first || int(b.live)+int(b.dead) >= MaxBlockEntries) {
		v.closeBlock(b)
		b = nil
	}
	if b == nil {
		b = v.addBlock()
		b.start(id, pairs)
	} else {
		v.bytes -= cap(b.data)
	}
	at := len(b.data)
	b.append(id, pairs)
	v.bytes += cap(b.data)
	if deleted {
		b.data[at] |= flagDead
		b.live--
		b.dead++
	} else {
		v.length++
	}
	return true
}

// closeBlock ends the last block: it gives room back, or goes where it holds only
// tombstones.
func (v *Value) closeBlock(b *block) {
	if b.live == 0 {
		leaf := len(v.leaves) - 1
		v.drop(place{leaf, len(v.leaves[leaf]) - 1})
		return
	}
	v.bytes -= cap(b.data)
	b.seal()
	v.bytes += cap(b.data)
}

// LoadEnd says what else there is to know of a stream: the last ID, the greatest
// deleted one, and how many entries there ever were. It returns false where that
// cannot be.
func (v *Value) LoadEnd(last, maxDeleted ID, added int64) bool {
	if b := v.tail(); b != nil {
		if last.Less(b.last) {
			return false
		}
		v.closeBlock(b)
	}
	v.last, v.maxDeleted, v.added = last, maxDeleted, added
	v.staleFirst, v.staleTop = true, true
	return added >= v.length
}

// EachProducer calls f with the producers by name, and how many of their
// idempotent IDs are remembered; each calls its function with these, the oldest
// first.
func (v *Value) EachProducer(f func(pid string, n int, each func(func(iid string, id ID)))) {
	for _, pid := range slices.Sorted(maps.Keys(v.producers.by)) {
		p := v.producers.by[pid]
		f(pid, len(p.iids), func(g func(iid string, id ID)) {
			for _, iid := range p.iids {
				g(iid, p.ids[iid])
			}
		})
	}
}

// SetProducerCounts sets how many idempotent IDs there ever were, and how many
// entries were not added a second time.
func (v *Value) SetProducerCounts(added, repeated int64) {
	v.producers.Added, v.producers.Repeated = added, repeated
}
