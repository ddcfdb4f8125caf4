package attr

import (
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
	big   *roaring.Bitmap
}

// Add puts id into the set; false if it was there.
func (s *Set) Add(id uint32) bool {
	if s.big != nil {
		return s.big.CheckedAdd(id)
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
		s.big = roaring.BitmapOf(s.small...)
		s.small = nil
	}
	return true
}

// Remove takes id out; false if it was not there.
func (s *Set) Remove(id uint32) bool {
	if s.big != nil {
		ok := s.big.CheckedRemove(id)
		if ok && s.big.GetCardinality() <= smallSet/2 {
			s.small, s.big = s.big.ToArray(), nil
		}
		return ok
	}
	i, found := slices.BinarySearch(s.small, id)
	if found {
		s.small = slices.Delete(s.small, i, i+1)
	}
	return found
}

// Contains reports whether id is in the set.
func (s *Set) Contains(id uint32) bool {
	if s.big != nil {
		return s.big.Contains(id)
	}
	_, found := slices.BinarySearch(s.small, id)
	return found
}

// Ascending returns Contains for ids that ascend from call to call, without a search of the
// whole set for each.
func (s *Set) Ascending() func(id uint32) bool {
	if s.big == nil {
		return s.Contains
	}
	it := s.big.Iterator()
	return func(id uint32) bool {
		it.AdvanceIfNeeded(id)
		return it.HasNext() && it.PeekNext() == id
	}
}

// Len is the number of ids.
func (s *Set) Len() int {
	if s.big != nil {
		return int(s.big.GetCardinality())
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
	if n := s.big.DenseSize(); b.Len() == 0 && s.big.GetCardinality() > uint64(n) {
		b.Write(int(n), s.big.WriteDenseTo)
		return
	}
	var buf [256]uint32
	it := s.big.ManyIterator()
	for n := it.NextMany(buf[:]); n > 0; n = it.NextMany(buf[:]) {
		b.AddMany(buf[:n])
	}
}

// Bytes is the memory held, about.
func (s *Set) Bytes() int64 {
	if s.big != nil {
		return 32 + int64(s.big.GetSizeInBytes())
	}
	return 32 + 4*int64(cap(s.small))
}
