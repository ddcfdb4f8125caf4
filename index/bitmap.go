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

// AddMany puts the labels, which ascend, into the set.
func (b *Bitmap) AddMany(labels []uint32) {
	if len(labels) == 0 {
		return
	}
	if w := int(labels[len(labels)-1] >> 6); w >= len(b.words) {
		b.grow(w + 1)
	}
	words, n := b.words, b.n
	for _, l := range labels {
		w := words[l>>6]
		n += int(^w >> (l & 63) & 1)
		words[l>>6] = w | 1<<(l&63)
	}
	b.n = n
}

// OrWords adds labels, 64 in each word, the first of which stands for those from 64*at on.
func (b *Bitmap) OrWords(at int, words []uint64) {
	for len(words) > 0 && words[len(words)-1] == 0 {
		words = words[:len(words)-1]
	}
	if end := at + len(words); end > len(b.words) {
		b.grow(end)
	}
	n := 0
	for i, w := range words {
		old := b.words[at+i]
		b.words[at+i] = old | w
		n += bits.OnesCount64(w &^ old)
	}
	b.n += n
}

// Words are the labels, 64 to a word. The caller must not change them.
func (b *Bitmap) Words() []uint64 { return b.words }

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

// Bit is 1 if l is in the set and 0 if not, without a branch on what is in it.
func (b *Bitmap) Bit(l Label) uint64 {
	if w := l >> 6; w < Label(len(b.words)) {
		return b.words[w] >> (l & 63) & 1
	}
	return 0
}

// Sample calls f with up to n labels of the set, spread over the range of its
// labels: in each n-th part of it, the first one behind a random place, chosen
// by seed.
func (b *Bitmap) Sample(n int, seed uint64, f func(Label)) {
	words := len(b.words)
	for i := range n {
		from, to := i*words/n, (i+1)*words/n
		if from == to {
			continue
		}
		// splitmix64
		seed += 0x9e3779b97f4a7c15
		z := seed
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		z ^= z >> 31
		at, _ := bits.Mul64(z, uint64(to-from))
		for j := range to - from {
			k := from + (int(at)+j)%(to-from)
			if w := b.words[k]; w != 0 {
				w = bits.RotateLeft64(w, -int(z&63))
				f(Label(k<<6 | (bits.TrailingZeros64(w)+int(z&63))&63))
				break
			}
		}
	}
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

// Keep takes out every label that f refuses; f is asked in ascending order. Nothing branches
// on what f says, so the processor goes on to the next labels while it waits for the memory
// that f looks at.
func (b *Bitmap) Keep(f func(Label) bool) {
	for i, w := range b.words {
		if w == 0 {
			continue
		}
		var kept uint64
		n := 0
		for ; w != 0; w &= w - 1 {
			k := bits.TrailingZeros64(w)
			var bit uint64
			if f(Label(i<<6 + k)) {
				bit = 1
			}
			kept |= bit << (k & 63)
			n += 1 - int(bit)
		}
		b.words[i] = kept
		b.n -= n
	}
}

// Next is the first label of the set that is not below from; false if there is none.
func (b *Bitmap) Next(from Label) (Label, bool) {
	i := from >> 6
	if i >= Label(len(b.words)) {
		return 0, false
	}
	w := b.words[i] &^ (1<<(from&63) - 1)
	for w == 0 {
		if i++; i == Label(len(b.words)) {
			return 0, false
		}
		w = b.words[i]
	}
	return i<<6 + Label(bits.TrailingZeros64(w)), true
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
