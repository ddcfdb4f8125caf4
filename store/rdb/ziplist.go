package rdb

import (
	"encoding/binary"
	"math"

	"github.com/nearcache/nearcache/store/decimal"
	"github.com/nearcache/nearcache/store/types/set"
)

// What came before listpacks. An intset is the width of its integers, their
// number and themselves in order. A ziplist is three numbers (bytes, the place of
// the last element, elements), the elements, each behind the length of the one
// before it, and an end mark. A zipmap is a number, strings in turn names and
// values, and an end mark.

// intset walks over the integers of an intset, which must ascend.
func intset(b []byte) elements {
	if len(b) < 8 {
		return elements{bad: true}
	}
	width, n := int(binary.LittleEndian.Uint32(b)), binary.LittleEndian.Uint32(b[4:])
	b = b[8:]
	if width != 2 && width != 4 && width != 8 || uint64(len(b)) != uint64(n)*uint64(width) {
		return elements{bad: true}
	}
	first, last := true, int64(0)
	return elements{b: b, want: int(n), next: func(b []byte) (e element, rest []byte, ok bool) {
		e = element{n: littleEndian(b[:width]), isInt: true}
		ok = first || last < e.n
		first, last = false, e.n
		return e, b[width:], ok
	}}
}

// appendIntset appends the members of a set, integers in order, as an intset.
func appendIntset(b []byte, v *set.Value) []byte {
	width := 2
	v.Each(func(m []byte) bool {
		n, _ := decimal.ParseInt(m)
		switch {
		case n < math.MinInt32 || n > math.MaxInt32:
			width = 8
		case width == 2 && (n < math.MinInt16 || n > math.MaxInt16):
			width = 4
		}
		return width < 8
	})
	b = binary.LittleEndian.AppendUint32(b, uint32(width))
	b = binary.LittleEndian.AppendUint32(b, uint32(v.Len()))
	v.Each(func(m []byte) bool {
		n, _ := decimal.ParseInt(m)
		var x [8]byte
		binary.LittleEndian.PutUint64(x[:], uint64(n))
		b = append(b, x[:width]...)
		return true
	})
	return b
}

const (
	ziplistHead = 10
	zipLong     = 254 // the length takes four more bytes
	zipEnd      = 255
)

// ziplist walks over the elements of a ziplist.
func ziplist(b []byte) elements {
	n := len(b)
	if n < ziplistHead+1 || uint64(binary.LittleEndian.Uint32(b)) != uint64(n) || b[n-1] != zipEnd {
		return elements{bad: true}
	}
	before, whole := 0, n
	tail := int(binary.LittleEndian.Uint32(b[4:]))
	return elements{b: b[ziplistHead : n-1], want: known(binary.LittleEndian.Uint16(b[8:])), next: func(b []byte) (e element, rest []byte, ok bool) {
		e, size, ok := ziplistElement(b, before)
		before = size
		if ok && size == len(b) { // the last one
			ok = whole-1-size == tail
		}
		if !ok {
			return e, nil, false
		}
		return e, b[size:], true
	}}
}

// ziplistElement reads an element and how many bytes it takes. The element before
// it took so many.
func ziplistElement(b []byte, before int) (e element, size int, ok bool) {
	at := 1
	prev := int(b[0])
	if prev == zipLong && len(b) >= 5 {
		prev, at = int(binary.LittleEndian.Uint32(b[1:])), 5
	}
	if prev != before || at >= len(b) {
		return e, 0, false
	}
	c := b[at]
	head, n := 1, 0 // of a string
	width := 0      // of an integer
	switch {
	case c < 0x40:
		n = int(c)
	case c < 0x80 && at+1 < len(b):
		head, n = 2, int(c&0x3f)<<8|int(b[at+1])
	case c < 0xc0 && at+4 < len(b):
		head, n = 5, int(binary.BigEndian.Uint32(b[at+1:]))
	case c == 0xc0:
		width = 2
	case c == 0xd0:
		width = 4
	case c == 0xe0:
		width = 8
	case c == 0xf0:
		width = 3
	case c == 0xfe:
		width = 1
	case c > 0xf0 && c < 0xfe:
		return element{n: int64(c&0xf) - 1, isInt: true}, at + 1, true
	default:
		return e, 0, false
	}
	if width > 0 {
		if size = at + 1 + width; size > len(b) {
			return e, 0, false
		}
		return element{n: littleEndian(b[at+1 : size]), isInt: true}, size, true
	}
	if n < 0 || n > len(b) || at+head+n > len(b) {
		return e, 0, false
	}
	size = at + head + n
	return element{b: b[at+head : size : size]}, size, true
}

// zipmap walks over the names and values of a zipmap.
func zipmap(b []byte) elements {
	n := len(b)
	if n < 2 || b[n-1] != zipEnd {
		return elements{bad: true}
	}
	want := -1
	if b[0] < zipLong {
		want = 2 * int(b[0])
	}
	value := false
	return elements{b: b[1 : n-1], want: want, next: func(b []byte) (e element, rest []byte, ok bool) {
		n, at := int(b[0]), 1
		if n == zipLong && len(b) >= 5 {
			n, at = int(binary.LittleEndian.Uint32(b[1:])), 5
		} else if n >= zipLong {
			return e, nil, false
		}
		free := 0
		if value { // room to grow behind it
			if at >= len(b) {
				return e, nil, false
			}
			free = int(b[at])
			at++
		}
		value = !value
		if n < 0 || n > len(b) || at+n+free > len(b) {
			return e, nil, false
		}
		return element{b: b[at : at+n : at+n]}, b[at+n+free:], true
	}}
}
