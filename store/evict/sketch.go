package evict

import "math/bits"

// sketch is a count-min sketch (Cormode and Muthukrishnan) of counters of four
// bits, all four of a key in one cache line. A counter is a logarithm: the number
// of bits of a count. So it halves by losing one, which it does at intervals, for
// what was popular once is not for ever.
type sketch struct {
	lines [][8]uint64 // a power of two of them
	noted int         // since the counters were halved
	keys  int         // that it is made for
}

const (
	// sketchCounters is how many counters there are to a key: half a byte each.
	sketchCounters = 8
	// sketchLife is after how many notes to a key the counters are halved.
	sketchLife = 4
	// minSketch is the smallest number of keys it is made for: four lines.
	minSketch = 64
)

func newSketch(keys int) sketch {
	keys = max(keys, minSketch)
	n := keys * sketchCounters / 128
	return sketch{lines: make([][8]uint64, 1<<bits.Len(uint(n-1))), keys: keys}
}

// fits reports whether it suits that many keys.
func (s *sketch) fits(keys int) bool {
	return keys <= 2*s.keys && (keys >= s.keys/4 || s.keys <= minSketch)
}

// places are the four counters of a key: the line, and which of each quarter's
// 32 it is.
func (s *sketch) line(hash uint64) *[8]uint64 {
	return &s.lines[hash>>20&uint64(len(s.lines)-1)]
}

func place(hash uint64, quarter int) (word int, shift uint) {
	i := hash >> (5 * quarter) & 31
	return quarter*2 + int(i>>4), uint(i&15) * 4
}

// get returns the key's counter.
func (s *sketch) get(hash uint64) uint8 {
	if len(s.lines) == 0 {
		return 0
	}
	n, l := uint64(15), s.line(hash)
	for q := range 4 {
		w, shift := place(hash, q)
		n = min(n, l[w]>>shift&15)
	}
	return uint8(n)
}

// raise makes the key's counter at least n.
func (s *sketch) raise(hash uint64, n uint8) {
	l := s.line(hash)
	for q := range 4 {
		w, shift := place(hash, q)
		if have := l[w] >> shift & 15; have < uint64(n) {
			l[w] += (uint64(n) - have) << shift
		}
	}
	if s.noted++; s.noted >= sketchLife*s.keys {
		s.noted = 0
		for i := range s.lines {
			s.halve(i)
		}
	}
}

// halve takes one off every counter of a line that has one.
func (s *sketch) halve(line int) {
	for i, w := range s.lines[line] {
		some := w | w>>1
		some |= some >> 2
		s.lines[line][i] = w - some&0x1111111111111111
	}
}
