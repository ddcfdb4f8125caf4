package attr

import "sort"

// blockSize is how many entries a block holds before it splits: a block's
// move costs no more than the search for it.
const blockSize = 512

// ordered is a sorted set in blocks: a B-tree of two levels. Inserting moves
// at most a block, and the list of blocks once in blockSize/2 insertions.
type ordered[T any] struct {
	cmp    func(a, b T) int
	blocks [][]T // none empty
	n      int
}

// seek is the position of the first entry that is not below x.
func (o *ordered[T]) seek(x T) (block, i int) {
	block = sort.Search(len(o.blocks), func(b int) bool {
		l := o.blocks[b]
		return o.cmp(l[len(l)-1], x) >= 0
	})
	if block == len(o.blocks) {
		return block, 0
	}
	l := o.blocks[block]
	return block, sort.Search(len(l), func(i int) bool { return o.cmp(l[i], x) >= 0 })
}

// seekBy is the position of the first entry that is not below, where those that are
// stand before all others.
func (o *ordered[T]) seekBy(below func(T) bool) (block, i int) {
	block = sort.Search(len(o.blocks), func(b int) bool {
		l := o.blocks[b]
		return !below(l[len(l)-1])
	})
	if block == len(o.blocks) {
		return block, 0
	}
	l := o.blocks[block]
	return block, sort.Search(len(l), func(i int) bool { return !below(l[i]) })
}

// insert adds x; false if an equal entry is there.
func (o *ordered[T]) insert(x T) bool {
	b, i := o.seek(x)
	if b == len(o.blocks) {
		if b == 0 {
			o.blocks = append(o.blocks, nil)
		} else {
			b--
		}
		i = len(o.blocks[b])
	} else if o.cmp(o.blocks[b][i], x) == 0 {
		return false
	}
	l := append(o.blocks[b], x)
	copy(l[i+1:], l[i:])
	l[i] = x
	o.blocks[b] = l
	o.n++
	if len(l) > blockSize {
		half := len(l) / 2
		if b == len(o.blocks)-1 {
			half = len(l) * 7 / 8 // values that only grow leave fuller blocks
		}
		right := append(make([]T, 0, blockSize+1), l[half:]...)
		clear(l[half:])
		o.blocks[b] = l[:half]
		o.blocks = append(o.blocks, nil)
		copy(o.blocks[b+2:], o.blocks[b+1:])
		o.blocks[b+1] = right
	}
	return true
}

// remove takes x out; false if it was not there.
func (o *ordered[T]) remove(x T) bool {
	b, i := o.seek(x)
	if b == len(o.blocks) || o.cmp(o.blocks[b][i], x) != 0 {
		return false
	}
	l := o.blocks[b]
	copy(l[i:], l[i+1:])
	clear(l[len(l)-1:])
	l = l[:len(l)-1]
	o.blocks[b] = l
	o.n--
	switch {
	case len(l) == 0:
		o.drop(b)
	case b > 0 && len(l)+len(o.blocks[b-1]) <= blockSize/2:
		o.blocks[b-1] = append(o.blocks[b-1], l...)
		o.drop(b)
	}
	return true
}

func (o *ordered[T]) drop(b int) {
	copy(o.blocks[b:], o.blocks[b+1:])
	o.blocks[len(o.blocks)-1] = nil
	o.blocks = o.blocks[:len(o.blocks)-1]
}

// from calls f with the entries from the first that is not below x, ascending,
// until f returns false.
func (o *ordered[T]) from(x T, f func(T) bool) {
	b, i := o.seek(x)
	o.each(b, i, f)
}

// fromBy is from, with seekBy.
func (o *ordered[T]) fromBy(below, f func(T) bool) {
	b, i := o.seekBy(below)
	o.each(b, i, f)
}

func (o *ordered[T]) each(b, i int, f func(T) bool) {
	for ; b < len(o.blocks); b, i = b+1, 0 {
		for _, e := range o.blocks[b][i:] {
			if !f(e) {
				return
			}
		}
	}
}

// back calls f with all entries, descending, until f returns false.
func (o *ordered[T]) back(f func(T) bool) {
	for b := len(o.blocks) - 1; b >= 0; b-- {
		for i := len(o.blocks[b]) - 1; i >= 0; i-- {
			if !f(o.blocks[b][i]) {
				return
			}
		}
	}
}
