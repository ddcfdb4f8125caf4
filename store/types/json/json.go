package json

import (
	"slices"
	"unsafe"

	"github.com/nearcache/nearcache/store/object"
)

// Type is the descriptor of documents.
var Type = &object.Type{ID: object.JSON, Name: "ReJSON-RL", New: func() object.Object { return &Value{} }}

// Value is a document. Make it with New.
type Value struct {
	b   []byte // root, waste, blocks
	own []byte // the buffer that b moves to when it outgrows its place
}

// New makes a document of a value.
func New(d *Doc) *Value { return &Value{b: slices.Clone(d.b)} }

// Root is the whole document.
func (v *Value) Root() Node { return Node{v.b, 0} }

// Type implements object.Object.
func (v *Value) Type() *object.Type { return Type }

// Encoding implements object.Object: Redis knows nothing of a module's.
func (v *Value) Encoding() string { return "raw" }

// Size implements object.Object.
func (v *Value) Size() int { return int(unsafe.Sizeof(*v)) + cap(v.b) }

// maxPacked is the largest document that lies in its key's record.
const maxPacked = 16 << 10

// Pack implements object.Packable.
func (v *Value) Pack() ([]byte, bool) { return v.b, len(v.b) <= maxPacked }

// Unpack implements object.Packable.
func (v *Value) Unpack(b []byte) { v.b = b }

// Clone implements object.Object.
func (v *Value) Clone() object.Object {
	c := &Value{b: slices.Clone(v.b)}
	c.compact()
	return c
}

// Rebuild implements object.Object.
func (v *Value) Rebuild(key []byte, emit func(args ...[]byte)) {
	emit([]byte("JSON.SET"), key, []byte("$"), v.Root().Append(nil))
}

// Reset makes the document another one.
func (v *Value) Reset(d *Doc) {
	v.b = v.b[:0]
	v.extend(len(d.b))
	copy(v.b, d.b)
}

// extend makes the document longer by n bytes, which hold anything, and returns
// where they are.
func (v *Value) extend(n int) int {
	at := len(v.b)
	if at+n <= cap(v.b) {
		v.b = v.b[:at+n]
		return at
	}
	if cap(v.own) < at+n {
		v.own = make([]byte, at+n, at+n+(at+n)/4)
	}
	v.own = v.own[:at+n]
	copy(v.own, v.b)
	v.b = v.own
	return at
}

func (v *Value) waste() int { return uint32At(v.b, wordSize) }

func (v *Value) wasted(n int) { putUint32(v.b, wordSize, v.waste()+n) }

// Settle makes the document compact where that is worth it. Call it when a command
// has made its changes.
func (v *Value) Settle() {
	if w := v.waste(); w > 64 && 2*w > len(v.b) {
		v.compact()
	}
}

// compact writes the document anew. Blocks have no spare room then.
func (v *Value) compact() {
	if v.waste() == 0 {
		return
	}
	old := v.Root()
	c := Value{b: make([]byte, docHead, len(v.b)-v.waste()+entrySize)}
	putWord(c.b, 0, c.graft(old))
	v.b, v.own = c.b, c.b
}

// graft copies a value of another document, or of an older state of this one, into
// the document and returns its word.
func (v *Value) graft(n Node) word {
	w := n.word()
	switch w.tag() {
	case tagInt64, tagUint64:
		at := v.extend(wordSize)
		putWord(v.b, at, wordAt(n.b, w.place()))
		return w&^payload | word(at)
	case tagString:
		s := n.Bytes()
		from := w.place()
		size := cap(s) + offset(n.b, s) - from
		at := v.extend(size)
		copy(v.b[at:], n.b[from:from+size])
		return w&^payload | word(at)
	case tagArray:
		count := n.Len()
		at := v.extend(arraySize(count))
		putUint32(v.b, at, count)
		putUint32(v.b, at+4, count)
		for i := range count {
			e := v.graft(n.Elem(i))
			putWord(v.b, at+headLen+i*wordSize, e)
		}
		return w&^payload | word(at)
	case tagObject:
		count := n.Len()
		at := v.newObject(count)
		putUint32(v.b, at, count)
		entries := w.place() + headLen
		for i := range count {
			from, to := entries+i*entrySize, at+headLen+i*entrySize
			key := v.graft(Node{n.b, from})
			putWord(v.b, to, key)
			value := v.graft(Node{n.b, from + wordSize})
			putWord(v.b, to+wordSize, value)
			if count > indexMin {
				indexKey(v.b, at, count, i)
			}
		}
		return w&^payload | word(at)
	}
	return w
}

// offset is where s, a part of b, begins in it.
func offset(b, s []byte) int {
	return int(uintptr(unsafe.Pointer(unsafe.SliceData(s))) - uintptr(unsafe.Pointer(unsafe.SliceData(b))))
}

// newObject makes the block of an empty object.
func (v *Value) newObject(room int) int {
	at := v.extend(objectSize(room))
	putUint32(v.b, at, 0)
	putUint32(v.b, at+4, room)
	clear(v.b[indexAt(at, room):])
	return at
}

// sizeOf is what the blocks of a value take.
func sizeOf(n Node) int {
	w := n.word()
	switch w.tag() {
	case tagInt64, tagUint64:
		return wordSize
	case tagString:
		return stringSize(n.Len())
	case tagArray:
		size := arraySize(uint32At(n.b, w.place()+4))
		for i := range n.Len() {
			size += sizeOf(n.Elem(i))
		}
		return size
	case tagObject:
		size := objectSize(uint32At(n.b, w.place()+4))
		for i := range n.Len() {
			key, e := n.Member(i)
			size += stringSize(len(key)) + sizeOf(e)
		}
		return size
	}
	return 0
}

// Memory is about how many bytes the value takes in the document.
func (n Node) Memory() int { return wordSize + sizeOf(n) }

// depthOf is how deeply arrays and objects lie in each other in a value.
func depthOf(n Node) int {
	k := n.Kind()
	if k != Array && k != Object {
		return 0
	}
	deepest := 0
	for i := range n.Len() {
		_, c := n.child(k, i)
		deepest = max(deepest, depthOf(c))
	}
	return deepest + 1
}
