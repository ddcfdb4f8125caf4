package slab

import (
	"math/bits"
)

// pages knows which pages are free: a bitmap for each chunk, and above it a
// tree of the longest row of free pages, to find the first that is long enough
// (low addresses fill up, high ones become empty and can be given back).
type pages struct {
	huge   bool // the system was asked for huge pages
	chunks []chunk
	tree   [treeLevels][]uint16 // tree[0]: of each chunk; tree[n]: the maximum of fan of tree[n-1]

	taken   int64 // pages handed out
	dirty   int64 // pages free and resident
	touched int64 // chunks whose headers may be resident
	split   int64 // chunks that do not want huge pages
}

const (
	fan        = 64
	treeLevels = 3
)

// chunk is the state of 512 pages.
type chunk struct {
	free    [chunkPages / 64]uint64
	dirty   [chunkPages / 64]uint64 // those of free that are resident
	nfree   uint16
	ndirty  uint16
	split   bool // some were given back, so no huge page is wanted here
	touched bool
}

func (s *pages) grow(n int) {
	for range n {
		c := chunk{nfree: chunkPages}
		for w := range c.free {
			c.free[w] = ^uint64(0)
		}
		s.chunks = append(s.chunks, c)
		s.setLongest(len(s.chunks)-1, chunkPages)
	}
}

// longest is the length of the longest row of free pages of chunk i.
func (s *pages) longest(i int) int { return int(s.tree[0][i]) }

func (s *pages) setLongest(i, n int) {
	v := uint16(n)
	for l := range s.tree {
		t := &s.tree[l]
		if i >= len(*t) {
			*t = append(*t, 0)
		}
		if l > 0 {
			below := s.tree[l-1]
			v = 0
			for _, x := range below[i*fan : min(i*fan+fan, len(below))] {
				v = max(v, x)
			}
		}
		if (*t)[i] == v && v != 0 {
			return
		}
		(*t)[i] = v
		i /= fan
	}
}

// find returns the first of n free pages in a row.
func (s *pages) find(n int) (page int, ok bool) {
	if n > chunkPages {
		return s.findLong(n)
	}
	i := 0
	for l := treeLevels - 1; l >= 0; l-- {
		t := s.tree[l]
		end := len(t)
		if l < treeLevels-1 {
			i *= fan
			end = min(i+fan, end)
		}
		for i < end && int(t[i]) < n {
			i++
		}
		if i == end {
			return 0, false
		}
	}
	c := &s.chunks[i]
	for at := 0; ; {
		at = next(&c.free, at, 0)
		end := next(&c.free, at, ^uint64(0))
		if end-at >= n {
			return i*chunkPages + at, true
		}
		at = end
	}
}

// findLong finds more than a chunk: whole ones, and the beginning of the next.
func (s *pages) findLong(n int) (page int, ok bool) {
	whole, rest := n/chunkPages, n%chunkPages
	row := 0
	for i := 0; i < len(s.chunks); i++ {
		if row == 0 && i%fan == 0 && s.tree[1][i/fan] < chunkPages {
			i += fan - 1
			continue
		}
		if row >= whole && (rest == 0 || next(&s.chunks[i].free, 0, ^uint64(0)) >= rest) {
			return (i - row) * chunkPages, true
		}
		if s.longest(i) < chunkPages {
			row = 0
			continue
		}
		row = min(row+1, whole)
		if row == whole && rest == 0 {
			return (i + 1 - row) * chunkPages, true
		}
	}
	return 0, false
}

// next is the first position from at on whose bit, exclusive-or flip, is set.
func next(b *[chunkPages / 64]uint64, at int, flip uint64) int {
	if at >= chunkPages {
		return chunkPages
	}
	w := at / 64
	x := (b[w] ^ flip) >> (at % 64) << (at % 64)
	for x == 0 {
		if w++; w == len(b) {
			return chunkPages
		}
		x = b[w] ^ flip
	}
	return w*64 + bits.TrailingZeros64(x)
}

// each calls f with the part of the pages that lies in each chunk.
func each(page, n int, f func(i, from, to int)) {
	for n > 0 {
		i, from := page/chunkPages, page%chunkPages
		to := min(from+n, chunkPages)
		f(i, from, to)
		page, n = page+to-from, n-(to-from)
	}
}

// mask has the bits of word w that lie in [from, to).
func mask(w, from, to int) uint64 {
	lo, hi := max(from-w*64, 0), min(to-w*64, 64)
	if lo >= hi {
		return 0
	}
	return ^uint64(0) >> (64 - (hi - lo)) << lo
}

// take marks free pages as used.
func (s *pages) take(page, n int) {
	s.taken += int64(n)
	each(page, n, func(i, from, to int) {
		c := &s.chunks[i]
		if !c.touched {
			c.touched = true
			s.touched++
		}
		// The row it is cut from: was it the longest?
		start := from
		for start > 0 && c.free[(start-1)/64]>>((start-1)%64)&1 != 0 {
			start--
		}
		row := next(&c.free, to, ^uint64(0)) - start
		for w := from / 64; w <= (to-1)/64; w++ {
			m := mask(w, from, to)
			d := bits.OnesCount64(c.dirty[w] & m)
			c.ndirty -= uint16(d)
			s.dirty -= int64(d)
			c.dirty[w] &^= m
			c.free[w] &^= m
		}
		c.nfree -= uint16(to - from)
		if s.huge && !c.split && c.nfree != c.ndirty {
			// The first page that is touched makes all of them resident.
			s.dirty += int64(c.nfree - c.ndirty)
			c.dirty, c.ndirty = c.free, c.nfree
		}
		if row == s.longest(i) {
			s.measure(i)
		}
	})
}

// measure finds the longest row of a chunk.
func (s *pages) measure(i int) {
	c := &s.chunks[i]
	n := 0
	for at := 0; at < chunkPages-n; {
		at = next(&c.free, at, 0)
		end := next(&c.free, at, ^uint64(0))
		n = max(n, end-at)
		at = end
	}
	s.setLongest(i, n)
}

// give marks used pages as free.
func (s *pages) give(page, n int, dirty bool) {
	s.taken -= int64(n)
	each(page, n, func(i, from, to int) {
		c := &s.chunks[i]
		for w := from / 64; w <= (to-1)/64; w++ {
			m := mask(w, from, to)
			if c.free[w]&m != 0 {
				panic("slab: pages given back twice")
			}
			c.free[w] |= m
			if dirty {
				c.dirty[w] |= m
			}
		}
		c.nfree += uint16(to - from)
		if dirty {
			c.ndirty += uint16(to - from)
			s.dirty += int64(to - from)
		}
		start := from
		for start > 0 && c.free[(start-1)/64]>>((start-1)%64)&1 != 0 {
			start--
		}
		if row := next(&c.free, to, ^uint64(0)) - start; row > s.longest(i) {
			s.setLongest(i, row)
		}
	})
}
