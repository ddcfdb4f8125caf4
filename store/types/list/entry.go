package list

import (
	"encoding/binary"
	"strconv"

	"github.com/nearcache/nearcache/store/decimal"
)

// An entry is a header that tells type and length, the data, and the length of
// both written so that it can be read from its end.

// maxIntLen is the length of the longest integer, -9223372036854775808.
const maxIntLen = 20

// IsInt reports whether an element is kept as a number.
func IsInt(elem []byte) bool {
	_, ok := decimal.ParseInt(elem)
	return ok
}

// appendEntry appends the entry of an element.
func appendEntry(dst, elem []byte) []byte {
	from := len(dst)
	if n, ok := decimal.ParseInt(elem); ok {
		dst = appendInt(dst, n)
	} else {
		switch l := len(elem); {
		case l < 1<<6:
			dst = append(dst, 0x80|byte(l))
		case l < 1<<12:
			dst = append(dst, 0xe0|byte(l>>8), byte(l))
		default:
			dst = binary.LittleEndian.AppendUint32(append(dst, 0xf0), uint32(l))
		}
		dst = append(dst, elem...)
	}
	return appendBack(dst, len(dst)-from)
}

func appendInt(dst []byte, n int64) []byte {
	switch {
	case 0 <= n && n < 1<<7:
		return append(dst, byte(n))
	case -1<<12 <= n && n < 1<<12:
		return append(dst, 0xc0|byte(n>>8)&0x1f, byte(n))
	case -1<<15 <= n && n < 1<<15:
		return append(dst, 0xf1, byte(n), byte(n>>8))
	case -1<<23 <= n && n < 1<<23:
		return append(dst, 0xf2, byte(n), byte(n>>8), byte(n>>16))
	case -1<<31 <= n && n < 1<<31:
		return binary.LittleEndian.AppendUint32(append(dst, 0xf3), uint32(n))
	}
	return binary.LittleEndian.AppendUint64(append(dst, 0xf4), uint64(n))
}

// entryLen is the length of the entry of an element.
func entryLen(elem []byte) int {
	n := len(elem) + 5
	if i, ok := decimal.ParseInt(elem); ok {
		var room [9]byte
		n = len(appendInt(room[:0], i))
	} else if len(elem) < 1<<6 {
		n = len(elem) + 1
	} else if len(elem) < 1<<12 {
		n = len(elem) + 2
	}
	return n + backLen(n)
}

// appendBack appends the length of an entry so that it is read backwards: seven
// bits a byte, the highest first, all but the first with the top bit set.
func appendBack(dst []byte, n int) []byte {
	k := backLen(n)
	for i := k - 1; i >= 0; i-- {
		c := byte(n>>(7*i)) & 0x7f
		if i < k-1 {
			c |= 0x80
		}
		dst = append(dst, c)
	}
	return dst
}

// backLen is how many bytes appendBack takes; the odd limits are Redis'.
func backLen(n int) int {
	switch {
	case n <= 127:
		return 1
	case n < 16383:
		return 2
	case n < 2097151:
		return 3
	case n < 268435455:
		return 4
	}
	return 5
}

// entryHead reads the head of the entry at off: the data's place, and for an
// integer its value.
func entryHead(b []byte, off int) (data, length int, n int64, isInt bool) {
	switch c := b[off]; {
	case c < 0x80:
		return off, 1, int64(c), true
	case c < 0xc0:
		return off + 1, int(c & 0x3f), 0, false
	case c < 0xe0:
		u := int64(c&0x1f)<<8 | int64(b[off+1])
		return off, 2, u << 51 >> 51, true
	case c < 0xf0:
		return off + 2, int(c&0x0f)<<8 | int(b[off+1]), 0, false
	case c == 0xf0:
		return off + 5, int(binary.LittleEndian.Uint32(b[off+1:])), 0, false
	case c == 0xf1:
		return off, 3, int64(int16(binary.LittleEndian.Uint16(b[off+1:]))), true
	case c == 0xf2:
		u := int64(b[off+1]) | int64(b[off+2])<<8 | int64(b[off+3])<<16
		return off, 4, u << 40 >> 40, true
	case c == 0xf3:
		return off, 5, int64(int32(binary.LittleEndian.Uint32(b[off+1:]))), true
	default:
		return off, 9, int64(binary.LittleEndian.Uint64(b[off+1:])), true
	}
}

// entryAfter is the offset behind the entry at off.
func entryAfter(b []byte, off int) int {
	data, length, _, _ := entryHead(b, off)
	end := data + length
	return end + backLen(end-off)
}

// entryBefore is the offset of the entry that ends at off.
func entryBefore(b []byte, off int) int {
	n, shift, i := 0, 0, off-1
	for {
		c := b[i]
		n |= int(c&0x7f) << shift
		if c&0x80 == 0 {
			break
		}
		shift += 7
		i--
	}
	return i - n
}

// seek is the offset of the i-th of n entries, len(b) for i = n.
func seek(b []byte, n, i int) int {
	if i <= n/2 {
		off := 0
		for range i {
			off = entryAfter(b, off)
		}
		return off
	}
	off := len(b)
	for range n - i {
		off = entryBefore(b, off)
	}
	return off
}

// Element is an element that is looked for. Make it with Sought.
type Element struct {
	b     []byte
	n     int64
	isInt bool
}

// Sought prepares an element to be compared with many.
func Sought(elem []byte) Element {
	n, ok := decimal.ParseInt(elem)
	return Element{elem, n, ok}
}

// isAt reports whether the entry at off is the element.
func (e *Element) isAt(b []byte, off int) bool {
	data, length, n, isInt := entryHead(b, off)
	if isInt || e.isInt {
		return isInt && e.isInt && n == e.n
	}
	return string(b[data:data+length]) == string(e.b)
}

// elementAt is the element of the entry at off. An integer is printed into room.
func elementAt(b []byte, off int, room []byte) []byte {
	data, length, n, isInt := entryHead(b, off)
	if isInt {
		return strconv.AppendInt(room[:0], n, 10)
	}
	return b[data : data+length]
}
