package index

import "math/bits"

// Bitmap is a dense set of labels (document ids). It is not safe for
// concurrent writing. The zero value is empty.
type Bitmap struct {
	words []uint64
	n     int // cardinality
}

// Add puts l into the set.
func (b *Bitmap) Add(l Label) {
	w := int(l >> 6)
	if w >= len(b.words) {
		b.grow(w + 1)
	}
	if m := uint64(1) << (l & 63); b.words[w]&m == 0 {
		b.words[w] |= m
		b.n++
	}
}

// Remove takes l out of the set.
func (b *Bitmap) Remove(l Label) {
	w := int(l >> 6)
	if w >= len(b.words) {
		return
	}
	if m := uint64(1) << (l & 63); b.words[w]&m != 0 {
		b.words[w] &^= m
		b.n--
	}
}

// Contains reports whether l is in the set.
func (b *Bitmap) Contains(l Label) bool {
	w := l >> 6
	return w < Label(len(b.words)) && b.words[w]&(1<<(l&63)) != 0
}

// Len is the number of labels in the set.
func (b *Bitmap) Len() int { return b.n }

// Reset empties the set and keeps its memory.
func (b *Bitmap) Reset() {
	clear(b.words)
	b.n = 0
}

// And keeps only what o holds too.
func (b *Bitmap) And(o *Bitmap) {
	for i := range b.words {
		if i < len(o.words) {
			b.words[i] &= o.words[i]
		} else {
			b.words[i] = 0
		}
	}
	b.recount()
}

// Or adds all of o.
func (b *Bitmap) Or(o *Bitmap) {
	if len(o.words) > len(b.words) {
		b.grow(len(o.words))
	}
	for i, w := range o.words {
		b.words[i] |= w
	}
	b.recount()
}

// AndNot takes all of o out.
func (b *Bitmap) AndNot(o *Bitmap) {
	for i := range min(len(b.words), len(o.words)) {
		b.words[i] &^= o.words[i]
	}
	b.recount()
}

// Each calls f with every label in ascending order until f returns false.
func (b *Bitmap) Each(f func(Label) bool) {
	for i, w := range b.words {
		for w != 0 {
			if !f(Label(i<<6 + bits.TrailingZeros64(w))) {
				return
			}
			w &= w - 1
		}
	}
}

func (b *Bitmap) grow(n int) {
	if n <= cap(b.words) {
		b.words = b.words[:n]
		return
	}
	w := make([]uint64, n, n+n/4)
	copy(w, b.words)
	b.words = w
}

func (b *Bitmap) recount() {
	b.n = 0
	for _, w := range b.words {
		b.n += bits.OnesCount64(w)
	}
}
