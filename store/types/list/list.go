package list

import (
	"encoding/binary"
	"slices"
	"unsafe"

	"github.com/nearcache/nearcache/store/object"
)

// Type is the descriptor of lists.
var Type = &object.Type{ID: object.List, Name: "list", New: func() object.Object { return New() }}

// End is one of the two ends of a list.
type End uint8

// The ends: index 0 is at the head.
const (
	Head End = iota
	Tail
)

// Value is a list. The zero value is empty and small.
type Value struct {
	n     int
	small []byte // count and entries, while dir is nil
	own   []byte // the buffer that small moves to when it outgrows its place
	dir   []*chunk
	spare []byte // the buffer of a node that has gone from an end: queues need it again
	bytes int    // of dir and spare: buffers and nodes
	large bool   // Redis would call it a quicklist
}

const (
	// countLen is the length of the count that a small list begins with.
	countLen = 2
	// maxSmall is the largest small list in bytes. A list that Redis calls a
	// listpack is mostly below 8 kB, but one command may push many short elements.
	maxSmall = 16 << 10
	// lpFrame is the length of a listpack's header and end mark, which are not kept.
	lpFrame = 7
	// nodeLimit is the size of a node with list-max-listpack-size -2.
	nodeLimit = 8192
	// entryEstimate is what Redis adds to an element to guess its entry.
	entryEstimate = 8
)

// New makes an empty list.
func New() *Value { return new(Value) }

// Len is the number of elements.
func (v *Value) Len() int { return v.n }

// Type implements object.Object.
func (v *Value) Type() *object.Type { return Type }

// Encoding implements object.Object.
func (v *Value) Encoding() string {
	if v.large {
		return "quicklist"
	}
	return "listpack"
}

// Size implements object.Object.
func (v *Value) Size() int {
	return int(unsafe.Sizeof(*v)) + cap(v.small) + v.bytes + 8*cap(v.dir)
}

// Pack implements object.Packable.
func (v *Value) Pack() ([]byte, bool) {
	if v.dir != nil {
		return nil, false
	}
	if len(v.small) == 0 {
		v.small = append(v.small, 0, 0)
	}
	return v.small, true
}

// Unpack implements object.Packable.
func (v *Value) Unpack(b []byte) {
	*v = Value{n: int(binary.LittleEndian.Uint16(b)), small: b, own: v.own}
}

// Clone implements object.Object. The nodes of both have the same buffers until one
// writes to them: a copy costs no more than the table of nodes.
func (v *Value) Clone() object.Object {
	c := &Value{n: v.n, small: slices.Clone(v.small), bytes: v.bytes - len(v.spare), large: v.large}
	for _, ch := range v.dir {
		for i := range ch.nodes {
			ch.nodes[i].shared = true
		}
		c.dir = append(c.dir, &chunk{nodes: slices.Clone(ch.nodes), n: ch.n})
	}
	return c
}

// rebuildElements and rebuildBytes bound one command of Rebuild.
const (
	rebuildElements = 1024
	rebuildBytes    = 64 << 10
)

// Rebuild implements object.Object.
func (v *Value) Rebuild(key []byte, emit func(args ...[]byte)) {
	args := [][]byte{[]byte("RPUSH"), key}
	bytes := 0
	for it := v.From(Head, 0); it.Next(); {
		x := slices.Clone(it.Bytes())
		args = append(args, x)
		if bytes += len(x); bytes >= rebuildBytes || len(args) >= rebuildElements {
			emit(args...)
			args, bytes = [][]byte{args[0], key}, 0
		}
	}
	if len(args) > 2 {
		emit(args...)
	}
}

// entries are the entries of a small list.
func (v *Value) entries() []byte {
	if len(v.small) == 0 {
		return nil
	}
	return v.small[countLen:]
}

// Grow says that elements of so many bytes together are to be added. It must
// be called once before them: it is where Redis looks whether a list remains a
// listpack. Grow reports whether it does not.
func (v *Value) Grow(bytes int) bool {
	if v.large {
		return false
	}
	size := lpFrame + len(v.entries())
	for _, ch := range v.dir {
		for i := range ch.nodes {
			size += ch.nodes[i].len()
		}
	}
	if size+bytes <= nodeLimit {
		return false
	}
	v.large = true
	v.spread()
	return true
}

// Shrunk says that elements have been removed or replaced: where Redis looks
// whether a quicklist becomes a listpack again. The value stays what it is.
func (v *Value) Shrunk() {
	if !v.large || len(v.dir) != 1 || len(v.dir[0].nodes) != 1 {
		return
	}
	if x := &v.dir[0].nodes[0]; !x.plain && x.len()+lpFrame <= nodeLimit/2 {
		v.large = false
		v.bytes -= len(v.spare)
		v.spare = nil
	}
}

// spread makes a small list one of nodes.
func (v *Value) spread() {
	if v.dir != nil {
		return
	}
	b := v.entries()
	n := v.n
	v.small, v.own, v.n = nil, nil, 0
	v.dir = []*chunk{}
	if n > 0 {
		v.insertNode(place{}, node{buf: append([]byte(nil), b...), hi: len(b), n: n})
	}
}

// change replaces the bytes lo to hi of a small list's entries by a gap of size
// bytes, which it returns, empty, and adds to the count.
func (v *Value) change(lo, hi, size, n int) []byte {
	if len(v.small) == 0 {
		v.small = append(v.own[:0], 0, 0)
	}
	lo, hi = lo+countLen, hi+countLen
	all := len(v.small) - (hi - lo) + size
	if all > cap(v.small) {
		if cap(v.own) < all {
			v.own = append(make([]byte, 0, max(32, all+all/2)), v.small...)
		} else {
			v.own = append(v.own[:0], v.small...)
		}
		v.small = v.own
	}
	old := v.small
	v.small = v.small[:all]
	copy(v.small[lo+size:], old[hi:])
	v.n += n
	binary.LittleEndian.PutUint16(v.small, uint16(v.n))
	return v.small[lo : lo : lo+size]
}

// fits reports whether a small list can take an element of so many bytes.
func (v *Value) fits(bytes int) bool {
	return v.dir == nil && len(v.small)+bytes+entryEstimate+countLen <= maxSmall
}

// Push adds a copy of an element at an end.
func (v *Value) Push(end End, elem []byte) {
	if !v.fits(len(elem)) {
		v.spread()
	}
	if v.dir != nil {
		v.pushLarge(end, elem)
		return
	}
	at := 0
	if end == Tail {
		at = len(v.entries())
	}
	appendEntry(v.change(at, at, entryLen(elem), 1), elem)
}

// Cut removes the n elements at an end; no more than there are.
func (v *Value) Cut(end End, n int) {
	switch n = min(n, v.n); {
	case n <= 0:
	case v.dir != nil:
		v.cutLarge(end, n)
	case end == Head:
		v.change(0, seek(v.entries(), v.n, n), 0, -n)
	default:
		b := v.entries()
		v.change(seek(b, v.n, v.n-n), len(b), 0, -n)
	}
}

// Find is the index of the first element that is equal, -1 without one.
func (v *Value) Find(elem []byte) int {
	e := Sought(elem)
	it := v.From(Head, 0)
	for i := 0; it.Next(); i++ {
		if it.Is(&e) {
			return i
		}
	}
	return -1
}

// Set replaces the element at an index that the list has.
func (v *Value) Set(i int, elem []byte) {
	if v.dir == nil && !v.fits(len(elem)) {
		v.spread()
	}
	if v.dir != nil {
		v.setLarge(i, elem)
		return
	}
	b := v.entries()
	lo := seek(b, v.n, i)
	appendEntry(v.change(lo, entryAfter(b, lo), entryLen(elem), 0), elem)
}

// Insert adds a copy of an element before or after the one at an index.
func (v *Value) Insert(i int, after bool, elem []byte) {
	if v.dir == nil && !v.fits(len(elem)) {
		v.spread()
	}
	if v.dir != nil {
		v.insertLarge(i, after, elem)
		return
	}
	if after {
		i++
	}
	at := seek(v.entries(), v.n, i)
	appendEntry(v.change(at, at, entryLen(elem), 1), elem)
}

// Remove removes elements that are equal, count of them (0: all) from an end
// on, and returns how many.
func (v *Value) Remove(end End, elem []byte, count int) (removed int) {
	if count <= 0 {
		count = v.n
	}
	e := Sought(elem)
	if v.dir != nil {
		return v.removeLarge(end, &e, count)
	}
	b := v.entries()
	b, removed = filter(b, &e, end, count)
	if removed > 0 {
		v.n -= removed
		v.small = v.small[:countLen+len(b)]
		binary.LittleEndian.PutUint16(v.small, uint16(v.n))
	}
	return removed
}

// filter takes the entries of an element out of b, up to limit from an end on.
func filter(b []byte, e *Element, end End, limit int) ([]byte, int) {
	matches := 0
	for off := 0; off < len(b) && (end == Tail || matches < limit); off = entryAfter(b, off) {
		if e.isAt(b, off) {
			matches++
		}
	}
	if matches == 0 {
		return b, 0
	}
	limit = min(limit, matches)
	skip := 0 // matches to be kept before the first that goes
	if end == Tail {
		skip = matches - limit
	}
	out := b[:0]
	left := limit
	for off := 0; off < len(b); {
		next := entryAfter(b, off)
		switch match := left > 0 && e.isAt(b, off); {
		case match && skip == 0:
			left--
		default:
			if match {
				skip--
			}
			out = append(out, b[off:next]...)
		}
		off = next
	}
	return out, limit
}
