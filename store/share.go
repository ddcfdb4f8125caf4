package store

import (
	"bytes"
	"unsafe"

	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/slab"
)

// A large string can be sent to a client from where it lies, while its shard is not
// held any more: its span is counted as held by the reply too. Nobody writes into such
// a span. What changes the string makes another record of it.

// Share returns the string of an entry where it lies, with a reference: as long as that
// is held the bytes stay as they are, whatever becomes of the key. The span is nil where
// the string has no memory of its own, as it is small or compressed, or where the
// command may change it.
func (tx *Tx) Share(e *Entry) ([]byte, *slab.Span) {
	if !tx.Reads || !e.live() || e.rec.typ() != object.String || e.rec.place() == squeezed || !e.stored() {
		return nil, nil
	}
	span := e.span()
	if span == nil {
		return nil, nil
	}
	span.Retain()
	return e.rec.value(), span
}

// span is where the record lies, nil for a cell.
func (e *Entry) span() *slab.Span {
	if e.rec.size() <= slab.MaxCell {
		return nil
	}
	return e.s.spans[e.ref]
}

// unshare is called before the entry may be changed: its string does not stand on memory
// that others hold.
func (e *Entry) unshare() {
	span := e.span()
	if e.shared || span == nil || !span.Shared() {
		return
	}
	e.shared = true
	if e.value == object.Object(&e.str) && e.stored() {
		e.str.B = bytes.Clone(e.str.B)
		e.base = unsafe.Pointer(unsafe.SliceData(e.str.B))
	}
}
