package list

import (
	"slices"
	"unsafe"
)

// node is up to 8 kB of entries, or one long element as it is.
type node struct {
	buf    []byte
	lo, hi int // the entries are buf[lo:hi]
	n      int
	plain  bool
	shared bool // with a copy of the list: nobody may write to buf
}

func (x *node) entries() []byte { return x.buf[x.lo:x.hi] }

func (x *node) len() int { return x.hi - x.lo }

// maxNodes is how many nodes a chunk holds: moving them aside to insert one
// costs less than the node's own 8 kB.
const maxNodes = 128

// chunk is a run of nodes.
type chunk struct {
	nodes []node
	n     int // elements in all of them
}

// place names a node by its chunk and its place in it.
type place struct{ c, i int }

const (
	nodeSize  = int(unsafe.Sizeof(node{}))
	chunkSize = int(unsafe.Sizeof(chunk{}))
)

func (v *Value) node(p place) *node { return &v.dir[p.c].nodes[p.i] }

func (v *Value) next(p place) place {
	if p.i++; p.i == len(v.dir[p.c].nodes) {
		return place{p.c + 1, 0}
	}
	return p
}

func (v *Value) prev(p place) place {
	if p.i == 0 {
		return place{p.c - 1, len(v.dir[p.c-1].nodes) - 1}
	}
	return place{p.c, p.i - 1}
}

func (v *Value) hasNext(p place) bool {
	return p.c < len(v.dir)-1 || p.i < len(v.dir[p.c].nodes)-1
}

func (v *Value) hasPrev(p place) bool { return p.c > 0 || p.i > 0 }

func (v *Value) lastPlace() place {
	c := len(v.dir) - 1
	return place{c, len(v.dir[c].nodes) - 1}
}

// find is the node of the i-th element, and the element's place in it. It
// counts from the nearer end.
func (v *Value) find(i int) (place, int) {
	var p place
	if i < v.n/2 {
		for i >= v.dir[p.c].n {
			i -= v.dir[p.c].n
			p.c++
		}
	} else {
		back := v.n - i // elements from i to the end
		p.c = len(v.dir) - 1
		for back > v.dir[p.c].n {
			back -= v.dir[p.c].n
			p.c--
		}
		i = v.dir[p.c].n - back
	}
	for nodes := v.dir[p.c].nodes; i >= nodes[p.i].n; p.i++ {
		i -= nodes[p.i].n
	}
	return p, i
}

// insertNode puts a node at a place and accounts for it.
func (v *Value) insertNode(p place, x node) place {
	if len(v.dir) == 0 {
		v.dir = append(v.dir, &chunk{})
		v.bytes += chunkSize
	}
	if p.c == len(v.dir) {
		p = place{p.c - 1, len(v.dir[p.c-1].nodes)}
	}
	if ch := v.dir[p.c]; len(ch.nodes) == maxNodes {
		p = v.splitChunk(p)
	}
	ch := v.dir[p.c]
	ch.nodes = slices.Insert(ch.nodes, p.i, x)
	ch.n += x.n
	v.n += x.n
	v.bytes += nodeSize + cap(x.buf)
	return p
}

// splitChunk makes room in a full chunk: at an end by a new chunk, so that
// chunks fill up, otherwise by halving it.
func (v *Value) splitChunk(p place) place {
	v.bytes += chunkSize
	ch := v.dir[p.c]
	switch p.i {
	case 0:
		v.dir = slices.Insert(v.dir, p.c, &chunk{})
		return p
	case maxNodes:
		v.dir = slices.Insert(v.dir, p.c+1, &chunk{})
		return place{p.c + 1, 0}
	}
	const half = maxNodes / 2
	right := &chunk{nodes: slices.Clone(ch.nodes[half:])}
	for i := range right.nodes {
		right.n += right.nodes[i].n
	}
	clear(ch.nodes[half:])
	ch.nodes = ch.nodes[:half]
	ch.n -= right.n
	v.dir = slices.Insert(v.dir, p.c+1, right)
	if p.i > half {
		return place{p.c + 1, p.i - half}
	}
	return p
}

// dropNode takes a node out. The place then names the node behind it, if any.
func (v *Value) dropNode(p place) place {
	ch := v.dir[p.c]
	x := &ch.nodes[p.i]
	ch.n -= x.n
	v.n -= x.n
	v.bytes -= nodeSize + cap(x.buf)
	ch.nodes = slices.Delete(ch.nodes, p.i, p.i+1)
	if len(ch.nodes) == 0 {
		v.dir = slices.Delete(v.dir, p.c, p.c+1)
		v.bytes -= chunkSize
		return place{p.c, 0}
	}
	if p.i == len(ch.nodes) {
		return place{p.c + 1, 0}
	}
	return p
}

// count adds to the number of elements of a node and all above it.
func (v *Value) count(p place, n int) {
	v.node(p).n += n
	v.dir[p.c].n += n
	v.n += n
}

// allows reports whether Redis would put an element of so many bytes into the
// node. A list that is called a listpack stays one piece as long as it is.
func (v *Value) allows(x *node, bytes int) bool {
	switch {
	case x.plain || bytes > nodeLimit:
		return false
	case !v.large && len(v.dir) == 1 && len(v.dir[0].nodes) == 1:
		return x.len()+bytes <= maxSmall
	}
	return x.len()+lpFrame+bytes+entryEstimate <= nodeLimit
}

// gap opens a gap of size bytes at an offset of a node's entries, and returns
// it, empty. What is before or behind it moves, whichever is less and has room.
func (v *Value) gap(p place, at, size int) []byte {
	x := v.node(p)
	v.unshare(x)
	before, behind := at, x.len()-at
	front, back := x.lo, len(x.buf)-x.hi
	// At an end the room is wanted on that side, so that the next ones find it.
	atHead, atTail := before == 0 && behind > 0, behind == 0
	switch short := atHead && front < size || atTail && back < size || front < size && back < size; {
	case !short:
	case front+back >= size:
		n := x.len()
		x.lo, x.hi = 0, copy(x.buf, x.entries())
		if atHead {
			copy(x.buf[len(x.buf)-n:], x.buf[:n])
			x.lo, x.hi = len(x.buf)-n, len(x.buf)
		}
	case atHead: // a buffer as large as that of a full node
		v.rebuffer(x, max(size, nodeLimit-x.len()), 0)
	default:
		v.rebuffer(x, 0, max(size, nodeLimit-x.len()))
	}
	front, back = x.lo, len(x.buf)-x.hi
	if back < size || front >= size && before < behind {
		copy(x.buf[x.lo-size:], x.buf[x.lo:x.lo+at])
		x.lo -= size
	} else {
		copy(x.buf[x.lo+at+size:], x.buf[x.lo+at:x.hi])
		x.hi += size
	}
	at += x.lo
	return x.buf[at : at : at+size]
}

// rebuffer gives a node a buffer with room at both sides.
func (v *Value) rebuffer(x *node, front, back int) {
	buf := make([]byte, front+x.len()+back)
	n := copy(buf[front:], x.entries())
	v.bytes += cap(buf) - cap(x.buf)
	x.buf, x.lo, x.hi = buf, front, front+n
	x.shared = false
}

// unshare gives a node that is to be written to a buffer that no other list has.
func (v *Value) unshare(x *node) {
	if x.shared {
		v.rebuffer(x, x.lo, len(x.buf)-x.hi)
	}
}

// add puts an element into a node as its i-th.
func (v *Value) add(p place, i int, elem []byte) {
	x := v.node(p)
	appendEntry(v.gap(p, seek(x.entries(), x.n, i), entryLen(elem)), elem)
	v.count(p, 1)
}

// oneNode makes a node of one element. A short one gets room on the side of end
// for those that will follow, if they will.
func (v *Value) oneNode(elem []byte, follow bool, end End) node {
	if len(elem) > nodeLimit {
		return node{buf: append([]byte(nil), elem...), hi: len(elem), n: 1, plain: true}
	}
	size := entryLen(elem)
	room := size
	if follow {
		room = max(size, nodeLimit)
	}
	x := node{hi: size, n: 1}
	if room == nodeLimit && v.spare != nil {
		x.buf, v.spare = v.spare, nil
		v.bytes -= nodeLimit
	} else {
		x.buf = make([]byte, room)
	}
	if end == Head {
		x.lo, x.hi = room-size, room
	}
	appendEntry(x.buf[x.lo:x.lo:x.hi], elem)
	return x
}

// clipBelow is the length of a full node below which its buffer is changed for
// a smaller one: of the allocator's sizes the next smaller than 8 kB but one.
const clipBelow = 6528

// seal is called for a node at an end before another takes its place there.
func (v *Value) seal(x *node) {
	if !x.plain && x.len() <= clipBelow && len(x.buf) >= nodeLimit {
		v.bytes -= cap(x.buf)
		x.buf = append([]byte(nil), x.entries()...)
		x.lo, x.hi, x.shared = 0, len(x.buf), false
		v.bytes += cap(x.buf)
	}
}

func (v *Value) pushLarge(end End, elem []byte) {
	var p place
	if len(v.dir) > 0 {
		if end == Tail {
			p = v.lastPlace()
		}
		x := v.node(p)
		if v.allows(x, len(elem)) {
			at := 0
			if end == Tail {
				at = x.len()
			}
			appendEntry(v.gap(p, at, entryLen(elem)), elem)
			v.count(p, 1)
			return
		}
		v.seal(x)
		if end == Tail {
			p = v.next(p)
		}
	}
	v.insertNode(p, v.oneNode(elem, true, end))
}

func (v *Value) cutLarge(end End, n int) {
	chunks := 0
	for ; chunks < len(v.dir); chunks++ { // whole chunks at once
		ch := v.dir[chunks]
		if end == Tail {
			ch = v.dir[len(v.dir)-1-chunks]
		}
		if ch.n > n {
			break
		}
		n -= ch.n
		v.n -= ch.n
		v.bytes -= chunkSize
		for i := range ch.nodes {
			v.bytes -= nodeSize + cap(ch.nodes[i].buf)
		}
	}
	if end == Head {
		v.dir = slices.Delete(v.dir, 0, chunks)
	} else {
		v.dir = slices.Delete(v.dir, len(v.dir)-chunks, len(v.dir))
	}
	for n > 0 {
		var p place
		if end == Tail {
			p = v.lastPlace()
		}
		x := v.node(p)
		if x.n <= n {
			n -= x.n
			if buf := x.buf; len(buf) == nodeLimit && v.spare == nil && !x.shared {
				v.spare = buf
				v.bytes += nodeLimit
			}
			v.dropNode(p)
			continue
		}
		if end == Head {
			x.lo += seek(x.entries(), x.n, n)
		} else {
			x.hi = x.lo + seek(x.entries(), x.n, x.n-n)
		}
		v.count(p, -n)
		n = 0
	}
}

func (v *Value) removeLarge(end End, e *Element, count int) (removed int) {
	var p place
	if end == Tail {
		p = v.lastPlace()
	}
	for removed < count {
		var before place
		more := v.hasPrev(p)
		if end == Tail && more {
			before = v.prev(p)
		}
		x, k := v.node(p), 0
		if x.plain {
			if string(x.buf) == string(e.b) {
				k = 1
			}
		} else {
			v.unshare(x)
			var b []byte
			b, k = filter(x.entries(), e, end, count-removed)
			x.hi = x.lo + len(b)
		}
		removed += k
		v.count(p, -k)
		switch gone := x.n == 0; {
		case gone:
			p = v.dropNode(p)
		case end == Head:
			p = v.next(p)
		}
		if end == Tail {
			if !more {
				break
			}
			p = before
		} else if p.c == len(v.dir) {
			break
		}
	}
	return removed
}
