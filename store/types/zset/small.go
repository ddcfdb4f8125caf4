package zset

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

// A small set is a byte of flags, the number of members, and the entries: score,
// length of the member, member. A score is a byte below wideInt, or wideInt and
// eight bytes of an integer …, or a float64.
const (
	headLen   = 3
	flagLarge = 1 // Redis would call it a skiplist

	tagInt   = 0xf0 // + bytes of a little-endian integer, 1 to 8
	tagFloat = 0xff
	zeroTag  = 0x40 // scores -64 to 175 are one byte

	maxSmall   = 128
	maxBytes   = 16 << 10
	maxLen     = 64 // longest member of a listpack
	maxElement = 4 << 10
)

// appendScore appends a score; -0 keeps its sign.
func appendScore(b []byte, f float64) []byte {
	n := int64(f)
	if float64(n) != f || f == 0 && math.Signbit(f) || n > 1<<53 || n < -1<<53 {
		return binary.LittleEndian.AppendUint64(append(b, tagFloat), math.Float64bits(f))
	}
	if -zeroTag <= n && n < tagInt-zeroTag {
		return append(b, byte(n+zeroTag))
	}
	k := 1
	for m := n; m < -128 || m > 127; m >>= 8 {
		k++
	}
	b = append(b, tagInt+byte(k))
	for range k {
		b = append(b, byte(n))
		n >>= 8
	}
	return b
}

// scoreAt reads a score and returns the offset behind it.
func scoreAt(b []byte, off int) (float64, int) {
	switch c := b[off]; {
	case c < tagInt:
		return float64(int(c) - zeroTag), off + 1
	case c == tagFloat:
		return math.Float64frombits(binary.LittleEndian.Uint64(b[off+1:])), off + 9
	default:
		k := int(c - tagInt)
		var n int64
		for i := k; i > 0; i-- {
			n = n<<8 | int64(b[off+i])
		}
		shift := 64 - 8*k
		return float64(n << shift >> shift), off + 1 + k
	}
}

// memberAt reads a member and returns the offset behind it.
func memberAt(b []byte, off int) ([]byte, int) {
	if n := int(b[off]); n < 0x80 {
		return b[off+1 : off+1+n : off+1+n], off + 1 + n
	}
	n, k := binary.Uvarint(b[off:])
	off += k
	return b[off : off+int(n) : off+int(n)], off + int(n)
}

// skip is the offset behind the entry at off.
func skip(b []byte, off int) int {
	if c := b[off]; c < tagInt {
		off++
	} else if c == tagFloat {
		off += 9
	} else {
		off += 1 + int(c-tagInt)
	}
	if n := int(b[off]); n < 0x80 {
		return off + 1 + n
	}
	n, k := binary.Uvarint(b[off:])
	return off + k + int(n)
}

func compare(s1 float64, m1 []byte, s2 float64, m2 []byte) int {
	switch {
	case s1 < s2:
		return -1
	case s1 > s2:
		return 1
	}
	return bytes.Compare(m1, m2)
}

// findSmall looks a member up: its rank, score, and the bounds of its entry.
func (v *Value) findSmall(member []byte) (rank int, score float64, lo, hi int, ok bool) {
	b := v.small
	for lo = headLen; lo < len(b); lo = hi {
		s, off := scoreAt(b, lo)
		var m []byte
		if m, hi = memberAt(b, off); string(m) == string(member) {
			return rank, s, lo, hi, true
		}
		rank++
	}
	return 0, 0, 0, 0, false
}

// insertSmall adds an entry in its place.
func (v *Value) insertSmall(member []byte, score float64) {
	if !v.skiplist() && score == 0 {
		score = 0 // a listpack has no -0
	}
	var room [16]byte
	head := appendScore(room[:0], score)
	head = binary.AppendUvarint(head, uint64(len(member)))
	b := v.small
	at := headLen
	for at < len(b) {
		s, off := scoreAt(b, at)
		m, next := memberAt(b, off)
		if compare(score, member, s, m) < 0 {
			break
		}
		at = next
	}
	gap := v.change(at, at, len(head)+len(member))
	copy(gap[copy(gap, head):], member)
	v.setLen(v.n + 1)
}

func (v *Value) setLen(n int) {
	v.n = n
	binary.LittleEndian.PutUint16(v.small[1:], uint16(n))
}

// change replaces the bytes lo to hi of small by size others, which it returns.
func (v *Value) change(lo, hi, size int) []byte {
	all := len(v.small) - (hi - lo) + size
	if all > cap(v.small) {
		if cap(v.own) < all {
			v.own = slices.Grow([]byte(nil), max(32, all+all/4)) // with the capacity that the allocator gives anyway
		}
		v.own = append(v.own[:0], v.small...)
		v.small = v.own
	}
	old := v.small
	v.small = v.small[:all]
	copy(v.small[lo+size:], old[hi:])
	return v.small[lo : lo+size]
}

// seek is the offset of the entry at a rank.
func (v *Value) seek(rank int) int {
	off := headLen
	for range rank {
		off = skip(v.small, off)
	}
	return off
}
