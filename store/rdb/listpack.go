package rdb

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/nearcache/nearcache/store/decimal"
)

// A listpack is the total number of bytes, the number of elements, the elements
// and an end mark. Behind each element stands its length, to be read backwards.
const (
	listpackHead = 6
	listpackEnd  = 0xff
	manyElements = math.MaxUint16 // there are more than can be told
)

// element is an element of a listpack, intset, ziplist or zipmap.
type element struct {
	b     []byte // the text, nil for an integer
	n     int64
	isInt bool
}

// bytes is the element's text, written to room for an integer.
func (e *element) bytes(room *[24]byte) []byte {
	if e.isInt {
		return strconv.AppendInt(room[:0], e.n, 10)
	}
	return e.b
}

// int is the element as an integer, which it may also be in its printed form.
func (e *element) int() (int64, bool) {
	if e.isInt {
		return e.n, true
	}
	return decimal.ParseInt(e.b)
}

// elements walks over the elements of a run of bytes, checking each of them.
type elements struct {
	b    []byte // the elements that are left, without an end mark
	next func(b []byte) (e element, rest []byte, ok bool)
	n    int // how many were read
	want int // how many there must be, -1 where that is not known
	bad  bool
}

// read reads the next element; false at the end, or where something is wrong:
// then done returns false.
func (w *elements) read() (e element, ok bool) {
	if len(w.b) == 0 || w.bad {
		return e, false
	}
	e, w.b, ok = w.next(w.b)
	w.bad = !ok
	w.n++
	return e, ok
}

// done reports whether everything was as it should be.
func (w *elements) done() bool { return !w.bad && len(w.b) == 0 && (w.want < 0 || w.n == w.want) }

// listpack walks over the elements of a listpack.
func listpack(b []byte) elements {
	n := len(b)
	if n < listpackHead+1 || uint64(binary.LittleEndian.Uint32(b)) != uint64(n) || b[n-1] != listpackEnd {
		return elements{bad: true}
	}
	return elements{b: b[listpackHead : n-1], next: listpackElement, want: known(binary.LittleEndian.Uint16(b[4:]))}
}

func known(n uint16) int {
	if n == manyElements {
		return -1
	}
	return int(n)
}

func listpackElement(b []byte) (e element, rest []byte, ok bool) {
	c := b[0]
	size := 1 // of encoding and contents
	str := func(head, n int) {
		if size = head + n; n >= 0 && size <= len(b) {
			e.b = b[head:size:size]
		}
	}
	switch {
	case c < 0x80:
		e.n, e.isInt = int64(c), true
	case c < 0xc0:
		str(1, int(c&0x3f))
	case len(b) < 2:
		return e, nil, false
	case c < 0xe0:
		size, e.isInt = 2, true
		e.n = int64(c&0x1f)<<8 | int64(b[1])
		e.n = e.n << (64 - 13) >> (64 - 13)
	case c < 0xf0:
		str(2, int(c&0xf)<<8|int(b[1]))
	case c == 0xf0 && len(b) >= 5:
		n := binary.LittleEndian.Uint32(b[1:])
		if uint64(n) > uint64(len(b)) {
			return e, nil, false
		}
		str(5, int(n))
	case c >= 0xf1 && c <= 0xf4:
		width := [...]int{2, 3, 4, 8}[c-0xf1]
		if size = 1 + width; size > len(b) {
			return e, nil, false
		}
		e.n, e.isInt = littleEndian(b[1:size]), true
	default:
		return e, nil, false
	}
	if size > len(b) {
		return e, nil, false
	}
	for back := backLen(size); ; back++ {
		if size+back > len(b) {
			return e, nil, false
		}
		if isBack(b[size:size+back], size) {
			return e, b[size+back:], true
		}
		// Before 8.10 the greatest length of so many bytes took one more.
		if size&(size+1) != 0 || back > backLen(size) {
			return e, nil, false
		}
	}
}

// littleEndian reads a signed integer of 1 to 8 bytes.
func littleEndian(b []byte) int64 {
	var n uint64
	for i := len(b) - 1; i >= 0; i-- {
		n = n<<8 | uint64(b[i])
	}
	shift := 64 - 8*len(b)
	return int64(n<<shift) >> shift
}

// backLen is how many bytes a length behind an element takes.
func backLen(n int) int {
	switch {
	case n < 1<<7:
		return 1
	case n < 1<<14:
		return 2
	case n < 1<<21:
		return 3
	case n < 1<<28:
		return 4
	}
	return 5
}

// appendBack appends a length to be read backwards: seven bits a byte, the last
// ones at the end; all but the first byte say that there are more before it.
func appendBack(b []byte, n int) []byte { return appendBackOf(b, n, backLen(n)) }

func appendBackOf(b []byte, n, k int) []byte {
	for i := k - 1; i >= 0; i-- {
		c := byte(n>>(7*i)) & 0x7f
		if i < k-1 {
			c |= 0x80
		}
		b = append(b, c)
	}
	return b
}

func isBack(b []byte, n int) bool {
	var room [6]byte
	return string(appendBackOf(room[:0], n, len(b))) == string(b)
}

// listpackWriter makes a listpack at the end of b.
type listpackWriter struct {
	b    []byte
	from int
	n    int
}

func newListpack(b []byte) listpackWriter {
	return listpackWriter{b: append(b, 0, 0, 0, 0, 0, 0), from: len(b)}
}

func (w *listpackWriter) int(n int64) {
	w.n++
	at := len(w.b)
	switch {
	case n >= 0 && n <= 127:
		w.b = append(w.b, byte(n))
	case n >= -1<<12 && n < 1<<12:
		w.b = append(w.b, 0xc0|byte(n>>8)&0x1f, byte(n))
	case n >= math.MinInt16 && n <= math.MaxInt16:
		w.b = binary.LittleEndian.AppendUint16(append(w.b, 0xf1), uint16(n))
	case n >= -1<<23 && n < 1<<23:
		w.b = append(w.b, 0xf2, byte(n), byte(n>>8), byte(n>>16))
	case n >= math.MinInt32 && n <= math.MaxInt32:
		w.b = binary.LittleEndian.AppendUint32(append(w.b, 0xf3), uint32(n))
	default:
		w.b = binary.LittleEndian.AppendUint64(append(w.b, 0xf4), uint64(n))
	}
	w.b = appendBack(w.b, len(w.b)-at)
}

// add appends a text: as an integer, where it is one.
func (w *listpackWriter) add(s []byte) {
	if n, ok := decimal.ParseInt(s); ok {
		w.int(n)
		return
	}
	w.n++
	at := len(w.b)
	switch n := len(s); {
	case n < 1<<6:
		w.b = append(w.b, 0x80|byte(n))
	case n < 1<<12:
		w.b = append(w.b, 0xe0|byte(n>>8), byte(n))
	default:
		w.b = binary.LittleEndian.AppendUint32(append(w.b, 0xf0), uint32(n))
	}
	w.b = append(w.b, s...)
	w.b = appendBack(w.b, len(w.b)-at)
}

// end finishes the listpack and returns b with it.
func (w *listpackWriter) end() []byte {
	w.b = append(w.b, listpackEnd)
	binary.LittleEndian.PutUint32(w.b[w.from:], uint32(len(w.b)-w.from))
	binary.LittleEndian.PutUint16(w.b[w.from+4:], uint16(min(w.n, manyElements)))
	return w.b
}
