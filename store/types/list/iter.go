package list

// Iter walks a list from an element on. It is valid until the list changes.
type Iter struct {
	v    *Value
	at   place
	b    []byte // entries of the node
	off  int    // where the next element begins, or for Tail ends
	cur  int    // where the current element begins
	end  End
	raw  bool // the node is plain
	left int  // elements to come, in all nodes
	room [maxIntLen]byte
}

// From walks towards the other end, beginning with the i-th element counted
// from end. Call Next for each.
func (v *Value) From(end End, i int) Iter {
	it := Iter{v: v, end: end, left: v.n - i}
	if it.left <= 0 {
		return it
	}
	if end == Tail {
		i = v.n - 1 - i
	}
	n, b := v.n, v.entries()
	if v.dir != nil {
		var x *node
		it.at, i = v.find(i)
		x = v.node(it.at)
		n, b, it.raw = x.n, x.entries(), x.plain
	}
	it.b = b
	if end == Tail {
		i++
	}
	switch {
	case !it.raw:
		it.off = seek(b, n, i)
	case end == Tail:
		it.off = len(b)
	}
	return it
}

// Next steps to the next element, and reports whether there is one.
func (it *Iter) Next() bool {
	if it.left <= 0 {
		return false
	}
	it.left--
	if it.end == Head {
		if it.off == len(it.b) {
			it.turn(it.v.next(it.at))
			it.off = 0
		}
		it.cur = it.off
		if it.off = len(it.b); !it.raw {
			it.off = entryAfter(it.b, it.cur)
		}
		return true
	}
	if it.off == 0 {
		it.turn(it.v.prev(it.at))
		it.off = len(it.b)
	}
	if it.raw {
		it.off = 0
	} else {
		it.off = entryBefore(it.b, it.off)
	}
	it.cur = it.off
	return true
}

func (it *Iter) turn(p place) {
	it.at = p
	x := it.v.node(p)
	it.b, it.raw = x.entries(), x.plain
}

// Bytes is the current element, valid until the next call and while the list
// does not change.
func (it *Iter) Bytes() []byte {
	if it.raw {
		return it.b
	}
	return elementAt(it.b, it.cur, it.room[:])
}

// Is reports whether the current element is e.
func (it *Iter) Is(e *Element) bool {
	if it.raw {
		return string(it.b) == string(e.b)
	}
	return e.isAt(it.b, it.cur)
}
