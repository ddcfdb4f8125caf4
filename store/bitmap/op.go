package bitmap

import "encoding/binary"

// Op is an operation of BITOP on sources x, y1, y2, …
type Op uint8

// The operations.
const (
	And   Op = iota // x & y1 & y2 …
	Or              // x | y1 | y2 …
	Xor             // x ^ y1 ^ y2 …
	Not             // ^x
	Diff            // x &^ (y1 | y2 …)
	Diff1           // (y1 | y2 …) &^ x
	AndOr           // x & (y1 | y2 …)
	One             // set in exactly one
)

// block is how many bytes are taken at a time, so that what is made of them stays
// near until all sources have been through.
const block = 8 << 10

// Apply writes the result for sources to dst, which is as long as the longest and
// none of them; what it holds is overwritten. Behind its end a source has zeros.
func (op Op) Apply(dst []byte, sources [][]byte) {
	var scratch [block]byte // for One
	rest := make([][]byte, len(sources))
	copy(rest, sources)
	var y [][]byte
	if op == One {
		y = make([][]byte, len(sources))
	}
	for len(dst) > 0 {
		n := min(block, len(dst))
		d := dst[:n:n]
		dst = dst[n:]
		x := next(rest, 0, n)
		switch op {
		case And:
			fill(d, x)
			for i := range rest[1:] {
				and(d, next(rest, i+1, n))
			}
		case Or, Diff, Diff1, AndOr:
			if op == Or {
				fill(d, x)
			} else {
				clear(d)
			}
			for i := range rest[1:] {
				or(d, next(rest, i+1, n))
			}
			switch op {
			case Diff:
				notAnd(d, x)
			case Diff1:
				andNot(d, x)
			case AndOr:
				and(d, x)
			}
		case Xor:
			fill(d, x)
			for i := range rest[1:] {
				xor(d, next(rest, i+1, n))
			}
		case Not:
			not(d, x) // which is as long
		case One:
			y[0] = x
			for i := range rest[1:] {
				y[i+1] = next(rest, i+1, n)
			}
			one(d, scratch[:], y)
		}
	}
}

// next takes up to n bytes of source i.
func next(rest [][]byte, i, n int) []byte {
	b := rest[i]
	n = min(n, len(b))
	rest[i] = b[n:]
	return b[:n:n]
}

// The functions below are written out, with 128 bytes at a time in assembly where
// there is some, words of 64 bits and bytes for what is left: a function value called for each would cost more than the work. Where a
// source is shorter, it goes on in zeros.

func fill(d, s []byte) { clear(d[copy(d, s):]) }

func and(d, s []byte) {
	clear(d[len(s):])
	d = d[:len(s)]
	if n := wide(len(s)); n > 0 {
		andAVX2(&d[0], &s[0], n)
		d, s = d[n:], s[n:]
	}
	for ; len(s) >= 32; s, d = s[32:], d[32:] {
		put4(d, get(d)&get(s), get(d[8:])&get(s[8:]), get(d[16:])&get(s[16:]), get(d[24:])&get(s[24:]))
	}
	for i, x := range s {
		d[i] &= x
	}
}

func or(d, s []byte) {
	d = d[:len(s)]
	if n := wide(len(s)); n > 0 {
		orAVX2(&d[0], &s[0], n)
		d, s = d[n:], s[n:]
	}
	for ; len(s) >= 32; s, d = s[32:], d[32:] {
		put4(d, get(d)|get(s), get(d[8:])|get(s[8:]), get(d[16:])|get(s[16:]), get(d[24:])|get(s[24:]))
	}
	for i, x := range s {
		d[i] |= x
	}
}

func xor(d, s []byte) {
	d = d[:len(s)]
	if n := wide(len(s)); n > 0 {
		xorAVX2(&d[0], &s[0], n)
		d, s = d[n:], s[n:]
	}
	for ; len(s) >= 32; s, d = s[32:], d[32:] {
		put4(d, get(d)^get(s), get(d[8:])^get(s[8:]), get(d[16:])^get(s[16:]), get(d[24:])^get(s[24:]))
	}
	for i, x := range s {
		d[i] ^= x
	}
}

// andNot clears in d what is set in s.
func andNot(d, s []byte) {
	d = d[:len(s)]
	if n := wide(len(s)); n > 0 {
		andNotAVX2(&d[0], &s[0], n)
		d, s = d[n:], s[n:]
	}
	for ; len(s) >= 32; s, d = s[32:], d[32:] {
		put4(d, get(d)&^get(s), get(d[8:])&^get(s[8:]), get(d[16:])&^get(s[16:]), get(d[24:])&^get(s[24:]))
	}
	for i, x := range s {
		d[i] &^= x
	}
}

// notAnd leaves in d what is set in s and was not in d.
func notAnd(d, s []byte) {
	clear(d[len(s):])
	d = d[:len(s)]
	if n := wide(len(s)); n > 0 {
		notAndAVX2(&d[0], &s[0], n)
		d, s = d[n:], s[n:]
	}
	for ; len(s) >= 32; s, d = s[32:], d[32:] {
		put4(d, get(s)&^get(d), get(s[8:])&^get(d[8:]), get(s[16:])&^get(d[16:]), get(s[24:])&^get(d[24:]))
	}
	for i, x := range s {
		d[i] = x &^ d[i]
	}
}

// orAnd sets in d what is set in both x and y.
func orAnd(d, x, y []byte) {
	d, x = d[:len(y)], x[:len(y)]
	if n := wide(len(y)); n > 0 {
		orAndAVX2(&d[0], &x[0], &y[0], n)
		d, x, y = d[n:], x[n:], y[n:]
	}
	for ; len(y) >= 32; d, x, y = d[32:], x[32:], y[32:] {
		put4(d, get(d)|get(x)&get(y), get(d[8:])|get(x[8:])&get(y[8:]),
			get(d[16:])|get(x[16:])&get(y[16:]), get(d[24:])|get(x[24:])&get(y[24:]))
	}
	for i := range y {
		d[i] |= x[i] & y[i]
	}
}

// one leaves in d what is set in exactly one of the sources, which are used up, with
// the help of scratch: as long as all go on in registers, then source by source.
func one(d, scratch []byte, sources [][]byte) {
	shortest := len(d)
	for _, y := range sources {
		shortest = min(shortest, len(y))
	}
	if n := wide(shortest); n > 0 {
		oneAVX2(&d[0], &sources[0], len(sources), n)
		d = d[n:]
		for i, y := range sources {
			sources[i] = y[n:]
		}
	}
	more := scratch[:len(d)] // what is set in more than one
	clear(more)
	fill(d, sources[0])
	for _, y := range sources[1:] {
		orAnd(more, d, y)
		xor(d, y)
	}
	andNot(d, more)
}

// not writes to d the inverse of s.
func not(d, s []byte) {
	if n := wide(len(s)); n > 0 {
		notAVX2(&d[0], &s[0], n)
		d, s = d[n:], s[n:]
	}
	for ; len(s) >= 32; s, d = s[32:], d[32:] {
		put4(d, ^get(s), ^get(s[8:]), ^get(s[16:]), ^get(s[24:]))
	}
	for i, x := range s {
		d[i] = ^x
	}
}

func get(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

func put4(d []byte, a, b, c, e uint64) {
	_ = d[31]
	binary.LittleEndian.PutUint64(d, a)
	binary.LittleEndian.PutUint64(d[8:], b)
	binary.LittleEndian.PutUint64(d[16:], c)
	binary.LittleEndian.PutUint64(d[24:], e)
}
