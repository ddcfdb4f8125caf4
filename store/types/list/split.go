package list

// maxGrown is the size of a node beyond which Set splits it: Redis lets nodes
// grow without limit by replaced elements, and every change would cost as much.
const maxGrown = 64 << 10

// setLarge follows Redis' quicklistReplaceEntry.
func (v *Value) setLarge(i int, elem []byte) {
	p, j := v.find(i)
	x := v.node(p)
	long := len(elem) > nodeLimit
	switch {
	case !x.plain && !long:
		v.unshare(x)
		lo := seek(x.entries(), x.n, j)
		hi := entryAfter(x.entries(), lo)
		copy(x.buf[x.lo+lo:], x.buf[x.lo+hi:x.hi])
		x.hi -= hi - lo
		appendEntry(v.gap(p, lo, entryLen(elem)), elem)
		if x = v.node(p); x.len() > maxGrown && x.n > 1 {
			v.split(p, x.n/2)
		}
	case x.plain:
		p = v.dropNode(p)
		if !long && p.c < len(v.dir) && v.allows(v.node(p), len(elem)) {
			v.add(p, 0, elem)
			return
		}
		v.insertNode(p, v.oneNode(elem, false, Tail))
	default:
		if x.n == 1 {
			p = v.dropNode(p)
			v.insertNode(p, v.oneNode(elem, false, Tail))
			return
		}
		// The part before the element, without it, then the element, then the rest.
		switch {
		case j == 0:
			x.lo += entryAfter(x.entries(), 0)
			v.count(p, -1)
		default:
			if j < x.n-1 {
				p, _ = v.split(p, j+1)
				x = v.node(p)
			}
			x.hi = x.lo + seek(x.entries(), x.n, x.n-1)
			v.count(p, -1)
			p = v.next(p)
		}
		v.merge(v.insertNode(p, v.oneNode(elem, false, Tail)))
	}
}

// insertLarge follows Redis' _quicklistInsert.
func (v *Value) insertLarge(i int, after bool, elem []byte) {
	p, j := v.find(i)
	x := v.node(p)
	atTail, atHead := after && j == x.n-1, !after && j == 0
	behind := p // where a node goes that is to stand on this side of the node
	if after {
		behind = v.next(p)
		j++
	}
	switch {
	case v.allows(x, len(elem)):
		v.add(p, j, elem)
	case len(elem) > nodeLimit && (x.plain || atTail || atHead):
		v.insertNode(behind, v.oneNode(elem, false, Tail))
	case len(elem) > nodeLimit:
		_, right := v.split(p, j)
		v.insertNode(right, v.oneNode(elem, false, Tail))
	case atTail && v.hasNext(p) && v.allows(v.node(behind), len(elem)):
		v.add(behind, 0, elem)
	case atHead && v.hasPrev(p) && v.allows(v.node(v.prev(p)), len(elem)):
		p = v.prev(p)
		v.add(p, v.node(p).n, elem)
	case atTail || atHead || x.plain:
		v.insertNode(behind, v.oneNode(elem, false, Tail))
	default:
		left, right := v.split(p, j)
		if after {
			v.add(right, 0, elem)
			v.merge(left)
		} else {
			v.add(left, j, elem)
			v.merge(right)
		}
	}
}

// split moves the elements from the j-th on into a node of their own behind. It
// returns the places of both: an insertion may move others.
func (v *Value) split(p place, j int) (left, right place) {
	x := v.node(p)
	at := x.lo + seek(x.entries(), x.n, j)
	y := node{buf: append([]byte(nil), x.buf[at:x.hi]...), n: x.n - j}
	y.hi = len(y.buf)
	x.hi = at
	v.count(p, -y.n)
	right = v.insertNode(v.next(p), y)
	return v.prev(right), right
}

// joinable reports whether the nodes at p and behind it fit into one.
func (v *Value) joinable(p place) bool {
	if !v.hasNext(p) {
		return false
	}
	a, b := v.node(p), v.node(v.next(p))
	return !a.plain && !b.plain && a.len()+b.len()+lpFrame <= nodeLimit
}

// join appends the node behind p to the one at p.
func (v *Value) join(p place) {
	q := v.next(p)
	b := v.node(q)
	entries, n := b.entries(), b.n
	v.dropNode(q)
	x := v.node(p)
	gap := v.gap(p, x.len(), len(entries))
	copy(gap[:len(entries)], entries)
	v.count(p, n)
}

// merge joins small nodes around one, as Redis' _quicklistMergeNodes: the two
// before it, the two behind it, then it with its neighbours.
func (v *Value) merge(p place) {
	if v.hasNext(p) {
		if q := v.next(p); v.joinable(q) {
			v.join(q)
		}
	}
	if v.hasPrev(p) {
		prev := v.prev(p)
		if v.hasPrev(prev) {
			if q := v.prev(prev); v.joinable(q) {
				v.join(q)
				prev, p = q, v.next(q)
			}
		}
		if v.joinable(prev) {
			v.join(prev)
			p = prev
		}
	}
	if v.joinable(p) {
		v.join(p)
	}
}
