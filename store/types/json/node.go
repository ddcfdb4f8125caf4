package json

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// Kind is what a value is. RedisJSON's names of them are in its String.
type Kind uint8

// The kinds.
const (
	Null Kind = iota
	Bool
	Integer
	Number // with a point or an exponent
	String
	Array
	Object
)

var kindNames = [...]string{"null", "boolean", "integer", "number", "string", "array", "object"}

func (k Kind) String() string { return kindNames[k] }

// Node is a value in a document, a place in its bytes. It is valid until the
// document changes. The zero Node is none.
type Node struct {
	b  []byte
	at int // of its word
}

// Valid reports whether the node is one.
func (n Node) Valid() bool { return n.b != nil }

func (n Node) word() word { return wordAt(n.b, n.at) }

// Kind is what the value is.
func (n Node) Kind() Kind { return kindOf(n.word()) }

func kindOf(w word) Kind {
	if w.isFloat() {
		return Number
	}
	switch t := w.tag(); t {
	case tagConst:
		if w == wordNull {
			return Null
		}
		return Bool
	case tagInt, tagInt64, tagUint64:
		return Integer
	case tagArray:
		return Array
	case tagObject:
		return Object
	}
	return String
}

// Bool is a truth value.
func (n Node) Bool() bool { return n.word() == wordTrue }

// Int is an integer; false where the value is none, or lies beyond an int64.
func (n Node) Int() (int64, bool) { return intOf(n.b, n.word()) }

func intOf(b []byte, w word) (int64, bool) {
	switch w.tag() {
	case tagInt:
		return int64(w) << (64 - tagShift) >> (64 - tagShift), true
	case tagInt64:
		return int64(wordAt(b, w.place())), true
	}
	return 0, false
}

// Uint is an integer that is not negative.
func (n Node) Uint() (uint64, bool) {
	w := n.word()
	if w.tag() == tagUint64 {
		return uint64(wordAt(n.b, w.place())), true
	}
	i, ok := intOf(n.b, w)
	return uint64(i), ok && i >= 0
}

// Float is a number of either kind; false where the value is none.
func (n Node) Float() (float64, bool) {
	w := n.word()
	if w.isFloat() {
		return w.float(), true
	}
	if w.tag() == tagUint64 {
		return float64(uint64(wordAt(n.b, w.place()))), true
	}
	i, ok := intOf(n.b, w)
	return float64(i), ok
}

// Bytes is a string; nil where the value is none.
func (n Node) Bytes() []byte { return stringAt(n.b, n.at) }

// stringAt is the string whose word is at a place.
func stringAt(b []byte, at int) []byte {
	w := wordAt(b, at)
	if w.isShort() {
		return b[at : at+w.shortLen() : at+w.shortLen()]
	}
	if w.tag() != tagString {
		return nil
	}
	from := w.place()
	n := int(b[from])
	if n < 0x80 {
		from++
		return b[from : from+n : from+n]
	}
	long, k := binary.Uvarint(b[from:])
	from += k
	return b[from : from+int(long) : from+int(long)]
}

// Len is the number of elements of an array, of members of an object, of bytes of
// a string; 0 for others.
func (n Node) Len() int {
	w := n.word()
	switch kindOf(w) {
	case Array, Object:
		return uint32At(n.b, w.place())
	case String:
		return len(n.Bytes())
	}
	return 0
}

const (
	headLen   = 8 // of a block
	entrySize = 2 * wordSize
	// indexMin is the room of an object up to which its keys are looked through.
	indexMin = 16
)

// Elem is element i of an array.
func (n Node) Elem(i int) Node {
	return Node{n.b, n.word().place() + headLen + i*wordSize}
}

// Member is member i of an object.
func (n Node) Member(i int) (key []byte, value Node) {
	at := n.word().place() + headLen + i*entrySize
	return stringAt(n.b, at), Node{n.b, at + wordSize}
}

// child is value i of an array or object, and the step that leads to it.
func (n Node) child(k Kind, i int) (Step, Node) {
	if k == Array {
		return Step{Index: i}, n.Elem(i)
	}
	key, v := n.Member(i)
	return Step{Key: key}, v
}

// Get is the value of a key of an object; false where there is none.
func (n Node) Get(key []byte) (Node, bool) {
	w := n.word()
	if w.tag() != tagObject {
		return Node{}, false
	}
	i := findKey(n.b, w.place(), key)
	if i < 0 {
		return Node{}, false
	}
	return Node{n.b, w.place() + headLen + i*entrySize + wordSize}, true
}

// findKey is the number of a key's entry in the object block at a place, -1 for
// none.
func findKey(b []byte, block int, key []byte) int {
	n, room := uint32At(b, block), uint32At(b, block+4)
	if room > indexMin {
		return findIndexed(b, block, room, key)
	}
	at := block + headLen
	if w, ok := shortWord(key); ok {
		for i := range n {
			if wordAt(b, at+i*entrySize) == w {
				return i
			}
		}
		return -1
	}
	for i := range n {
		if w := wordAt(b, at+i*entrySize); w.tag() == tagString && bytes.Equal(stringAt(b, at+i*entrySize), key) {
			return i
		}
	}
	return -1
}

// The index of an object is an open table of entry numbers, one more than they
// are, after its entries.

var seed = maphash.MakeSeed()

// slots is the number of places in the index of an object with so much room.
func slots(room int) int {
	if room <= indexMin {
		return 0
	}
	return 1 << bits.Len(uint(room+room/2-1))
}

// objectSize is the size of an object's block.
func objectSize(room int) int { return headLen + room*entrySize + 4*slots(room) }

func arraySize(room int) int { return headLen + room*wordSize }

func indexAt(block, room int) int { return block + headLen + room*entrySize }

func findIndexed(b []byte, block, room int, key []byte) int {
	mask := slots(room) - 1
	table := indexAt(block, room)
	w, short := shortWord(key)
	for h := int(maphash.Bytes(seed, key)) & mask; ; h = (h + 1) & mask {
		e := uint32At(b, table+4*h) - 1
		if e < 0 {
			return -1
		}
		at := block + headLen + e*entrySize
		if short && wordAt(b, at) == w || !short && bytes.Equal(stringAt(b, at), key) {
			return e
		}
	}
}

// indexKey puts entry e into the index.
func indexKey(b []byte, block, room, e int) {
	mask := slots(room) - 1
	table := indexAt(block, room)
	h := int(maphash.Bytes(seed, stringAt(b, block+headLen+e*entrySize))) & mask
	for uint32At(b, table+4*h) != 0 {
		h = (h + 1) & mask
	}
	putUint32(b, table+4*h, e+1)
}

// slotOf is the place in the index that holds entry e.
func slotOf(b []byte, block, room, e int) int {
	mask := slots(room) - 1
	table := indexAt(block, room)
	h := int(maphash.Bytes(seed, stringAt(b, block+headLen+e*entrySize))) & mask
	for uint32At(b, table+4*h) != e+1 {
		h = (h + 1) & mask
	}
	return h
}

// unindex takes what is at place h out of the index and closes the gap.
func unindex(b []byte, block, room, h int) {
	mask := slots(room) - 1
	table := indexAt(block, room)
	for next := (h + 1) & mask; ; next = (next + 1) & mask {
		e := uint32At(b, table+4*next)
		if e == 0 {
			break
		}
		home := int(maphash.Bytes(seed, stringAt(b, block+headLen+(e-1)*entrySize))) & mask
		if (next-home)&mask >= (next-h)&mask {
			putUint32(b, table+4*h, e)
			h = next
		}
	}
	putUint32(b, table+4*h, 0)
}

// Equal reports whether two values are the same as JSON.ARRINDEX sees it: 1 is
// not 1.0, and the order of keys does not matter.
func Equal(x, y Node) bool {
	v, w := x.word(), y.word()
	k := kindOf(v)
	if k != kindOf(w) {
		return false
	}
	switch k {
	case Null:
		return true
	case Bool:
		return v == w
	case Number:
		return v.float() == w.float()
	case Integer:
		i, ok := x.Int()
		j, ok2 := y.Int()
		if ok != ok2 {
			return false
		}
		if !ok {
			i, j := wordAt(x.b, v.place()), wordAt(y.b, w.place())
			return i == j
		}
		return i == j
	case String:
		return bytes.Equal(x.Bytes(), y.Bytes())
	}
	return equalDeep(x, y, k, Equal)
}

// equalDeep compares arrays or objects whose values are compared by equal.
func equalDeep(x, y Node, k Kind, equal func(x, y Node) bool) bool {
	n := x.Len()
	if n != y.Len() {
		return false
	}
	for i := range n {
		if k == Array {
			if !equal(x.Elem(i), y.Elem(i)) {
				return false
			}
			continue
		}
		key, v := x.Member(i)
		if w, ok := y.Get(key); !ok || !equal(v, w) {
			return false
		}
	}
	return true
}
