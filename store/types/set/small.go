package set

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/nearcache/nearcache/store/decimal"
)

// A small set is a byte of its kind and, for integers, their width; the number of
// members; and the members: integers of that width in ascending order, or entries,
// each a number that tells length and whether it is an integer, and the bytes.
const (
	headLen    = 3
	kindMask   = 3
	widthShift = 2

	maxBytes   = 16 << 10
	maxElement = 4 << 10
	maxText    = 20 // of an integer
)

// word is a member as it is kept: bytes, or an integer in as few as it needs, the
// lowest first.
type word struct {
	b     []byte
	isInt bool
}

// makeWord is the word of a member. An integer is written into room.
func makeWord(member []byte, room *[8]byte) word {
	if n, ok := decimal.ParseInt(member); ok {
		return intWord(n, room)
	}
	return word{b: member}
}

func intWord(n int64, room *[8]byte) word {
	binary.LittleEndian.PutUint64(room[:], uint64(n))
	k := 1
	for m := n; m < math.MinInt8 || m > math.MaxInt8; m >>= 8 {
		k++
	}
	return word{room[:k], true}
}

func (w word) int() int64 {
	var n int64
	for i := len(w.b) - 1; i >= 0; i-- {
		n = n<<8 | int64(w.b[i])
	}
	shift := 64 - 8*len(w.b)
	return n << shift >> shift
}

// text is the member; an integer is printed into room.
func (w word) text(room *[maxText]byte) []byte {
	if w.isInt {
		return strconv.AppendInt(room[:0], w.int(), 10)
	}
	return w.b
}

// begin gives a set without a buffer its head.
func (v *Value) begin() {
	if len(v.small) == 0 {
		if v.own == nil {
			v.own = make([]byte, 0, 32)
		}
		v.small = append(v.own[:0], byte(v.kind)|2<<widthShift, 0, 0)
	}
}

func (v *Value) setHead() {
	v.begin()
	v.small[0] = v.small[0]&^kindMask | byte(v.kind)
	binary.LittleEndian.PutUint16(v.small[1:], uint16(v.n))
}

// change replaces the bytes lo to hi of small by size others, which it returns,
// and adds to the number of members.
func (v *Value) change(lo, hi, size, count int) []byte {
	all := len(v.small) - (hi - lo) + size
	if all > cap(v.small) {
		if cap(v.own) < all {
			v.own = make([]byte, 0, max(32, all+all/4))
		}
		v.own = append(v.own[:0], v.small...)
		v.small = v.own
	}
	old := v.small
	v.small = v.small[:all]
	copy(v.small[lo+size:], old[hi:])
	v.n += count
	binary.LittleEndian.PutUint16(v.small[1:], uint16(v.n))
	return v.small[lo : lo+size]
}

// ---- integers

func (v *Value) width() int {
	if len(v.small) == 0 {
		return 2
	}
	return int(v.small[0] >> widthShift)
}

func widthOf(n int64) int {
	switch {
	case n == int64(int16(n)):
		return 2
	case n == int64(int32(n)):
		return 4
	}
	return 8
}

func intAt(b []byte, width int) int64 {
	switch width {
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(b)))
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(b)))
	}
	return int64(binary.LittleEndian.Uint64(b))
}

func putInt(b []byte, width int, n int64) {
	switch width {
	case 2:
		binary.LittleEndian.PutUint16(b, uint16(n))
	case 4:
		binary.LittleEndian.PutUint32(b, uint32(n))
	default:
		binary.LittleEndian.PutUint64(b, uint64(n))
	}
}

// searchInt is the place of an integer, or where it belongs.
func (v *Value) searchInt(n int64) (int, bool) {
	width := v.width()
	lo, hi := 0, v.n
	if hi > 0 && intAt(v.small[headLen+(hi-1)*width:], width) < n { // as they often come
		return hi, false
	}
	for lo < hi {
		m := (lo + hi) / 2
		switch x := intAt(v.small[headLen+m*width:], width); {
		case x == n:
			return m, true
		case x < n:
			lo = m + 1
		default:
			hi = m
		}
	}
	return lo, false
}

func (v *Value) hasInt(n int64) bool {
	_, ok := v.searchInt(n)
	return ok
}

// insertInt puts an integer in its place.
func (v *Value) insertInt(i int, n int64) {
	v.begin()
	if w := widthOf(n); w > v.width() {
		v.widen(w)
	}
	width := v.width()
	at := headLen + i*width
	putInt(v.change(at, at, width, 1), width, n)
}

// widen makes all integers wider, the last one first.
func (v *Value) widen(width int) {
	old := v.width()
	v.change(len(v.small), len(v.small), v.n*(width-old), 0)
	for i := v.n - 1; i >= 0; i-- {
		putInt(v.small[headLen+i*width:], width, intAt(v.small[headLen+i*old:], old))
	}
	v.small[0] = v.small[0]&kindMask | byte(width)<<widthShift
}

func (v *Value) removeInt(i int) {
	width := v.width()
	at := headLen + i*width
	v.change(at, at+width, 0, -1)
}

// ---- entries

// toEntries makes the integers entries.
func (v *Value) toEntries(k kind) {
	ints, n, width := v.small, v.n, v.width()
	if n > maxEntries {
		v.spread()
		return
	}
	*v = Value{kind: k}
	v.begin()
	var room [8]byte
	for i := range n {
		v.appendWord(intWord(intAt(ints[headLen+i*width:], width), &room))
	}
}

func (w word) head() uint64 {
	h := uint64(len(w.b)) << 1
	if w.isInt {
		h |= 1
	}
	return h
}

// fits reports whether a small set can take one more entry.
func (v *Value) fits(w word) bool {
	return v.n < maxEntries && len(w.b) <= maxElement && len(v.small)+len(w.b)+binary.MaxVarintLen16 <= maxBytes
}

func (v *Value) appendWord(w word) {
	v.begin()
	var room [binary.MaxVarintLen64]byte
	k := binary.PutUvarint(room[:], w.head())
	gap := v.change(len(v.small), len(v.small), k+len(w.b), 1)
	copy(gap[copy(gap, room[:k]):], w.b)
}

// find looks an entry up and returns its bounds.
func (v *Value) find(w word) (lo, hi int, ok bool) {
	b := v.small
	if head := w.head(); head < 0x80 {
		for lo = headLen; lo < len(b); lo = hi {
			if h := b[lo]; h < 0x80 {
				hi = lo + 1 + int(h>>1)
				if h == byte(head) && string(b[lo+1:hi]) == string(w.b) {
					return lo, hi, true
				}
				continue
			}
			h, k := binary.Uvarint(b[lo:])
			hi = lo + k + int(h>>1)
		}
		return 0, 0, false
	}
	for lo = headLen; lo < len(b); lo = hi {
		h, k := binary.Uvarint(b[lo:])
		hi = lo + k + int(h>>1)
		if h == w.head() && string(b[lo+k:hi]) == string(w.b) {
			return lo, hi, true
		}
	}
	return 0, 0, false
}

// walker goes over the members of a small set.
type walker struct {
	b     []byte
	width int // of integers, 0 for entries
	at    int // of the current member
	to    int // behind it
}

func (v *Value) walk() walker {
	it := walker{b: v.small, to: headLen}
	if v.kind == intset {
		it.width = v.width()
	}
	return it
}

func (it *walker) next() bool {
	if it.to >= len(it.b) {
		return false
	}
	if it.at = it.to; it.width > 0 {
		it.to += it.width
	} else {
		h, k := binary.Uvarint(it.b[it.at:])
		it.to += k + int(h>>1)
	}
	return true
}

// skip goes over n members.
func (it *walker) skip(n int) {
	if it.width > 0 {
		it.to += n * it.width
		return
	}
	for range n {
		it.next()
	}
}

// word is the current member.
func (it *walker) word(room *[8]byte) word {
	if it.width > 0 {
		return intWord(intAt(it.b[it.at:], it.width), room)
	}
	h, k := binary.Uvarint(it.b[it.at:])
	from := it.at + k
	return word{it.b[from : from+int(h>>1)], h&1 != 0}
}
