package stream

import (
	"slices"
	"sort"
)

// order is a sorted list of references to pending entries of a group: by ID, or
// by the time of delivery. It has two levels, like a Value's directory.
type order struct {
	leaves [][]uint32
	n      int
	byTime bool
}

// orderLeaf is the number of references in a leaf: 1 kB is moved at most.
const orderLeaf = 256

// key is what an order is sorted by.
type key struct{ hi, lo uint64 }

func (k key) less(o key) bool { return k.hi < o.hi || k.hi == o.hi && k.lo < o.lo }

func (g *Group) key(ref uint32, byTime bool) key {
	p := g.at(ref)
	if byTime {
		return p.timeKey()
	}
	return p.ID.key()
}

func (id ID) key() key { return key{id.Ms, id.Seq} }

// spot is a place in an order.
type spot struct{ leaf, i int }

// seek is the place of the first reference whose key is not less than k.
func (o *order) seek(g *Group, k key) spot {
	li := sort.Search(len(o.leaves), func(i int) bool { return k.less(g.key(o.leaves[i][0], o.byTime)) })
	if li == 0 {
		return spot{}
	}
	leaf := o.leaves[li-1]
	i := sort.Search(len(leaf), func(i int) bool { return !g.key(leaf[i], o.byTime).less(k) })
	if i == len(leaf) {
		return spot{li, 0}
	}
	return spot{li - 1, i}
}

// get is the reference at a place, 0 behind the last one.
func (o *order) get(s spot) uint32 {
	if s.leaf >= len(o.leaves) {
		return 0
	}
	return o.leaves[s.leaf][s.i]
}

func (o *order) after(s spot) spot {
	if s.i+1 < len(o.leaves[s.leaf]) {
		return spot{s.leaf, s.i + 1}
	}
	return spot{s.leaf + 1, 0}
}

func (o *order) first() uint32 { return o.get(spot{}) }

func (o *order) last() uint32 {
	if len(o.leaves) == 0 {
		return 0
	}
	leaf := o.leaves[len(o.leaves)-1]
	return leaf[len(leaf)-1]
}

func (o *order) insert(g *Group, ref uint32) {
	o.n++
	k := g.key(ref, o.byTime)
	last := len(o.leaves) - 1
	if last < 0 {
		o.leaves = append(o.leaves, append(make([]uint32, 0, 2), ref))
		return
	}
	leaf := o.leaves[last]
	if g.key(leaf[len(leaf)-1], o.byTime).less(k) { // as mostly
		if len(leaf) >= orderLeaf || len(leaf) == cap(leaf) && len(leaf) > orderLeaf/2 {
			o.leaves = append(o.leaves, append(make([]uint32, 0, orderLeaf), ref))
			return
		}
		o.leaves[last] = append(leaf, ref)
		return
	}
	s := o.seek(g, k)
	if s.i == 0 && s.leaf > 0 { // better behind the leaf before
		s.leaf--
		s.i = len(o.leaves[s.leaf])
	}
	leaf = slices.Insert(o.leaves[s.leaf], s.i, ref)
	if len(leaf) > orderLeaf {
		half := len(leaf) / 2
		right := append(make([]uint32, 0, orderLeaf), leaf[half:]...)
		o.leaves = slices.Insert(o.leaves, s.leaf+1, right)
		leaf = leaf[:half:half]
	}
	o.leaves[s.leaf] = leaf
}

// remove takes out a reference that is there.
func (o *order) remove(g *Group, ref uint32) {
	s := o.seek(g, g.key(ref, o.byTime))
	o.n--
	leaf := o.leaves[s.leaf]
	switch {
	case len(leaf) > 1 && s.i == 0:
		o.leaves[s.leaf] = leaf[1:]
	case len(leaf) > 1:
		o.leaves[s.leaf] = slices.Delete(leaf, s.i, s.i+1)
	case s.leaf == 0:
		o.leaves[0] = nil
		if o.leaves = o.leaves[1:]; len(o.leaves) == 0 {
			o.leaves = nil
		}
	default:
		o.leaves = slices.Delete(o.leaves, s.leaf, s.leaf+1)
	}
}
