package list

import (
	"encoding/binary"
	"slices"
)

// EachNode calls f with the elements in groups, as they lie together, for those
// who write a list down. The entries are what stands in a listpack. A plain node
// has one long element: its bytes, as they are.
func (v *Value) EachNode(f func(entries []byte, n int, plain bool)) {
	if v.dir == nil {
		f(v.entries(), v.n, false)
		return
	}
	for _, ch := range v.dir {
		for i := range ch.nodes {
			x := &ch.nodes[i]
			f(x.entries(), x.n, x.plain)
		}
	}
}

// Loader makes a list of what was written down. The zero value is ready.
type Loader struct {
	v   Value
	buf []byte // the entries of a node
	n   int
}

// Add adds a copy of an element behind all others.
func (l *Loader) Add(elem []byte) {
	if len(elem) > nodeLimit {
		l.EndNode()
		l.insert(node{buf: slices.Clone(elem), n: 1, plain: true})
		return
	}
	if l.n > 0 && len(l.buf)+lpFrame+len(elem)+entryEstimate > nodeLimit {
		l.EndNode()
	}
	l.buf = appendEntry(l.buf, elem)
	l.n++
}

// AddPlain adds an element that was a node of its own, whatever its length.
func (l *Loader) AddPlain(elem []byte) {
	l.EndNode()
	l.insert(node{buf: slices.Clone(elem), n: 1, plain: true})
}

// EndNode says that what follows lies in another node.
func (l *Loader) EndNode() {
	if l.n > 0 {
		l.insert(node{buf: append(make([]byte, 0, len(l.buf)), l.buf...), n: l.n})
		l.buf, l.n = l.buf[:0], 0
	}
}

func (l *Loader) insert(x node) {
	x.hi = len(x.buf)
	l.v.insertNode(place{len(l.v.dir), 0}, x)
}

// End returns the list. As in Redis it is a listpack where there is one node that
// is not too large.
func (l *Loader) End() *Value {
	if len(l.v.dir) == 0 && lpFrame+len(l.buf) <= nodeLimit {
		small := binary.LittleEndian.AppendUint16(make([]byte, 0, countLen+len(l.buf)), uint16(l.n))
		return &Value{n: l.n, small: append(small, l.buf...)}
	}
	l.EndNode()
	v := l.v
	v.large = true
	return &v
}
