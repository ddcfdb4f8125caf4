package attr

import (
	"math/bits"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/nearcache/nearcache/index"
)

// smallSet is how many ids a Set keeps in a slice. A roaring bitmap costs
// about 150 bytes before its first id.
const smallSet = 32

// Set is a set of document ids. The zero value is empty.
type Set struct {
	small []uint32 // ascending; unused once big is set
	big   *large
}

// large is a set of more. Blocks of ids that are full enough are bits that a filter's candidates
// ask for one by one, without a search. They take as much memory as a roaring bitmap's.
type large struct {
	sparse *roaring.Bitmap // the ids of the other blocks
	blocks []block         // by id >> 16, up to the last one that is bits
	n      int
}

type block struct {
	bits *[blockWords]uint64 // nil: its ids are in sparse
	n    int                 // ids, if they are bits
}

const (
	blockWords = 1 << 16 / 64
	blockFull  = 4096 // of so many ids a block is bits: 2 bytes each are as much
	blockLook  = 1024 // once in so many insertions it is looked whether the block is full
)

// Add puts id into the set; false if it was there.
func (s *Set) Add(id uint32) bool {
	if s.big != nil {
		return s.big.add(id)
	}
	n := len(s.small)
	if n == 0 || s.small[n-1] < id { // ids mostly grow
		s.small = append(s.small, id)
	} else {
		i, found := slices.BinarySearch(s.small, id)
		if found {
			return false
		}
		s.small = slices.Insert(s.small, i, id)
	}
	if len(s.small) > smallSet {
		s.big = &large{sparse: roaring.New()}
		for _, id := range s.small {
			s.big.add(id)
		}
		s.small = nil
	}
	return true
}

func (l *large) add(id uint32) bool {
	if b := l.block(id); b != nil {
		if !b.flip(id, 0) {
			return false
		}
		b.n++
	} else if !l.sparse.CheckedAdd(id) {
		return false
	}
	if l.n++; l.n%blockLook == 0 && l.n >= blockFull && l.block(id) == nil {
		l.fill(id)
	}
	return true
}

// block is where id is a bit; nil if its block has none.
func (l *large) block(id uint32) *block {
	if i := id >> 16; i < uint32(len(l.blocks)) && l.blocks[i].bits != nil {
		return &l.blocks[i]
	}
	return nil
}

// fill makes the block of id bits if it is full.
func (l *large) fill(id uint32) {
	i := id >> 16
	from, end := uint64(i)<<16, uint64(i+1)<<16
	n := l.sparse.Rank(uint32(end - 1))
	if from > 0 {
		n -= l.sparse.Rank(uint32(from - 1))
	}
	if n < blockFull {
		return
	}
	for i >= uint32(len(l.blocks)) {
		l.blocks = append(l.blocks, block{})
	}
	b := block{new([blockWords]uint64), int(n)}
	it := l.sparse.Iterator()
	for it.AdvanceIfNeeded(uint32(from)); it.HasNext() && it.PeekNext()>>16 == i; {
		b.flip(it.Next(), 0)
	}
	l.sparse.RemoveRange(from, end)
	l.blocks[i] = b
}

// flip makes the bit of id another one than was; false if it is that already.
func (b *block) flip(id uint32, was uint64) bool {
	w := &b.bits[id&0xffff>>6]
	if *w>>(id&63)&1 != was {
		return false
	}
	*w ^= 1 << (id & 63)
	return true
}

// Remove takes id out; false if it was not there.
func (s *Set) Remove(id uint32) bool {
	if s.big != nil {
		ok := s.big.remove(id)
		if ok && s.big.n <= smallSet/2 { // no block is bits any more
			s.small, s.big = s.big.sparse.ToArray(), nil
		}
		return ok
	}
	i, found := slices.BinarySearch(s.small, id)
	if found {
		s.small = slices.Delete(s.small, i, i+1)
	}
	return found
}

func (l *large) remove(id uint32) bool {
	b := l.block(id)
	switch {
	case b == nil:
		if !l.sparse.CheckedRemove(id) {
			return false
		}
	case !b.flip(id, 1):
		return false
	default:
		if b.n--; b.n < blockFull/2 {
			ids := make([]uint32, 0, b.n)
			for w, x := range b.bits {
				for ; x != 0; x &= x - 1 {
					ids = append(ids, id&^0xffff|uint32(w<<6|bits.TrailingZeros64(x)))
				}
			}
			l.sparse.AddMany(ids)
			*b = block{}
		}
	}
	l.n--
	return true
}

// Contains reports whether id is in the set.
func (s *Set) Contains(id uint32) bool {
	if s.big != nil {
		if b := s.big.block(id); b != nil {
			return b.has(id)
		}
		return s.big.sparse.Contains(id)
	}
	_, found := slices.BinarySearch(s.small, id)
	return found
}

func (b *block) has(id uint32) bool { return b.bits[id&0xffff>>6]>>(id&63)&1 != 0 }

// Ascending returns Contains for ids that ascend from call to call, without a search of the
// whole set for each.
func (s *Set) Ascending() func(id uint32) bool {
	l := s.big
	if l == nil {
		return s.Contains
	}
	it := l.sparse.Iterator()
	return func(id uint32) bool {
		if b := l.block(id); b != nil {
			return b.has(id)
		}
		it.AdvanceIfNeeded(id)
		return it.HasNext() && it.PeekNext() == id
	}
}

// Len is the number of ids.
func (s *Set) Len() int {
	if s.big != nil {
		return s.big.n
	}
	return len(s.small)
}

// OrInto adds all ids to b.
func (s *Set) OrInto(b *index.Bitmap) {
	if s.big == nil {
		for _, id := range s.small {
			b.Add(index.Label(id))
		}
		return
	}
	for i := range s.big.blocks {
		if full := s.big.blocks[i].bits; full != nil {
			b.OrWords(i*blockWords, full[:])
		}
	}
	var buf [256]uint32
	it := s.big.sparse.ManyIterator()
	for n := it.NextMany(buf[:]); n > 0; n = it.NextMany(buf[:]) {
		b.AddMany(buf[:n])
	}
}

// Bytes is the memory held, about.
func (s *Set) Bytes() int64 {
	if s.big == nil {
		return 32 + 4*int64(cap(s.small))
	}
	n := 32 + 48 + int64(s.big.sparse.GetSizeInBytes()) + 16*int64(cap(s.big.blocks))
	for i := range s.big.blocks {
		if s.big.blocks[i].bits != nil {
			n += 8 * blockWords
		}
	}
	return n
}
