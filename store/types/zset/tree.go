package zset

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/nearcache/nearcache/store/members"
)

// fan is how many entries a node has; both parts of one then fill what the
// allocator gives, nodeBytes.
const (
	fan       = 72
	nodeBytes = 896
)

// node is a node of a B+-tree. In a leaf an entry is a member; above, it is a
// node below with the first member of that.
type node struct {
	next, prev *node // of leaves
	below      *below
	n          int
	scores     [fan]float64
	refs       [fan]members.Ref
}

type below struct {
	node  [fan]*node
	count [fan]uint32
}

// tree holds members in order.
type tree struct {
	members *members.Table
	root    *node
	n       int
	bytes   int // of the nodes
}

func newTree() *tree {
	return &tree{members: members.New(scoreLen), root: new(node), bytes: nodeBytes}
}

// scoreLen is the head of a member's record: its score.
const scoreLen = 8

func (t *tree) score(r members.Ref) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(t.members.Head(r)))
}

func (t *tree) setScore(r members.Ref, score float64) {
	binary.LittleEndian.PutUint64(t.members.Head(r), math.Float64bits(score))
}

// order compares a member with an entry.
func (t *tree) order(score float64, member []byte, nd *node, i int) int {
	switch s := nd.scores[i]; {
	case score < s:
		return -1
	case score > s:
		return 1
	}
	return bytes.Compare(member, t.members.Member(nd.refs[i]))
}

// lower is the first entry of a node that is not before the member.
func (t *tree) lower(nd *node, score float64, member []byte) int {
	lo, hi := 0, nd.n
	for lo < hi {
		if m := (lo + hi) / 2; t.order(score, member, nd, m) > 0 {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// child is the entry of an inner node below which the member is or belongs.
func (t *tree) child(nd *node, score float64, member []byte) int {
	i := t.lower(nd, score, member)
	if i < nd.n && t.order(score, member, nd, i) == 0 {
		return i
	}
	return max(i-1, 0)
}

// first copies the first entry of the node below into entry i.
func (nd *node) first(i int) {
	k := nd.below.node[i]
	nd.scores[i], nd.refs[i] = k.scores[0], k.refs[0]
}

// gap makes room for an entry.
func (nd *node) gap(i int) {
	copy(nd.scores[i+1:nd.n+1], nd.scores[i:nd.n])
	copy(nd.refs[i+1:nd.n+1], nd.refs[i:nd.n])
	if b := nd.below; b != nil {
		copy(b.node[i+1:nd.n+1], b.node[i:nd.n])
		copy(b.count[i+1:nd.n+1], b.count[i:nd.n])
	}
	nd.n++
}

// cut takes out entry i.
func (nd *node) cut(i int) {
	copy(nd.scores[i:], nd.scores[i+1:nd.n])
	copy(nd.refs[i:], nd.refs[i+1:nd.n])
	nd.n--
	if b := nd.below; b != nil {
		copy(b.node[i:], b.node[i+1:nd.n+1])
		copy(b.count[i:], b.count[i+1:nd.n+1])
		b.node[nd.n] = nil
	}
}

// split moves the entries from i on to a new node, which comes next.
func (t *tree) split(nd *node, i int) *node {
	k := &node{n: nd.n - i}
	t.bytes += nodeBytes
	copy(k.scores[:], nd.scores[i:nd.n])
	copy(k.refs[:], nd.refs[i:nd.n])
	if b := nd.below; b != nil {
		t.bytes += nodeBytes
		k.below = new(below)
		copy(k.below.node[:], b.node[i:nd.n])
		copy(k.below.count[:], b.count[i:nd.n])
		clear(b.node[i:nd.n])
	} else {
		k.next, k.prev, nd.next = nd.next, nd, k
		if k.next != nil {
			k.next.prev = k
		}
	}
	nd.n = i
	return k
}

// total is the number of members below a node.
func (nd *node) total() uint32 {
	if nd.below == nil {
		return uint32(nd.n)
	}
	var n uint32
	for _, c := range nd.below.count[:nd.n] {
		n += c
	}
	return n
}

// where to split a full node at whose place i something is added: in the middle,
// but at an end of the whole tree so that what comes in order leaves full nodes.
func splitAt(i int, last bool) int {
	if last && i == fan {
		return fan
	}
	return fan / 2
}

// insert adds a record in its place.
func (t *tree) insert(score float64, r members.Ref) {
	k := t.insertIn(t.root, score, t.members.Member(r), r, true)
	t.n++
	if k == nil {
		return
	}
	root := &node{below: new(below), n: 2}
	t.bytes += 2 * nodeBytes
	for i, x := range []*node{t.root, k} {
		root.below.node[i], root.below.count[i] = x, x.total()
		root.first(i)
	}
	t.root = root
}

// insertIn returns the node that was split off.
func (t *tree) insertIn(nd *node, score float64, member []byte, r members.Ref, last bool) (split *node) {
	if nd.below == nil {
		i := t.lower(nd, score, member)
		if nd.n == fan {
			at := splitAt(i, last)
			split = t.split(nd, at)
			if i > at || at == fan {
				nd, i = split, i-at
			}
		}
		nd.gap(i)
		nd.scores[i], nd.refs[i] = score, r
		return split
	}
	i := t.child(nd, score, member)
	k := t.insertIn(nd.below.node[i], score, member, r, last && i == nd.n-1)
	nd.below.count[i]++
	nd.first(i)
	if k == nil {
		return nil
	}
	moved := k.total()
	nd.below.count[i] -= moved
	i++
	if nd.n == fan {
		at := splitAt(i, last)
		split = t.split(nd, at)
		if i > at || at == fan {
			nd, i = split, i-at
		}
	}
	nd.gap(i)
	nd.below.node[i], nd.below.count[i] = k, moved
	nd.first(i)
	return split
}

// remove takes out the entry of a record that is there.
func (t *tree) remove(score float64, member []byte) {
	t.removeIn(t.root, score, member)
	t.n--
	t.lowerRoot()
}

// lowerRoot takes away roots that have nothing to choose.
func (t *tree) lowerRoot() {
	for t.root.below != nil && t.root.n == 1 {
		t.root = t.root.below.node[0]
		t.bytes -= 2 * nodeBytes
	}
	if t.n == 0 {
		t.root, t.bytes = new(node), nodeBytes
	}
}

func (t *tree) removeIn(nd *node, score float64, member []byte) {
	if nd.below == nil {
		nd.cut(t.lower(nd, score, member))
		return
	}
	i := t.child(nd, score, member)
	t.removeIn(nd.below.node[i], score, member)
	t.mend(nd, i, 1)
}

// removeRun takes out members from a rank on, all of one leaf and no more than
// limit. It calls gone with each and returns how many.
func (t *tree) removeRun(rank, limit int, gone func(members.Ref)) int {
	n := t.removeRunIn(t.root, rank, limit, gone)
	t.n -= n
	t.lowerRoot()
	return n
}

func (t *tree) removeRunIn(nd *node, rank, limit int, gone func(members.Ref)) (n int) {
	if nd.below == nil {
		n = min(limit, nd.n-rank)
		for _, r := range nd.refs[rank : rank+n] {
			gone(r)
		}
		copy(nd.scores[rank:], nd.scores[rank+n:nd.n])
		copy(nd.refs[rank:], nd.refs[rank+n:nd.n])
		nd.n -= n
		return n
	}
	i := 0
	for rank >= int(nd.below.count[i]) {
		rank -= int(nd.below.count[i])
		i++
	}
	n = t.removeRunIn(nd.below.node[i], rank, limit, gone)
	t.mend(nd, i, n)
	return n
}

// mend puts entry i of an inner node right after so many members below it went.
func (t *tree) mend(nd *node, i, gone int) {
	k := nd.below.node[i]
	nd.below.count[i] -= uint32(gone)
	if k.n > 0 {
		nd.first(i)
	}
	if k.n >= fan/4 {
		return
	}
	// Too few: it joins a neighbour that has room.
	switch {
	case i+1 < nd.n && k.n+nd.below.node[i+1].n <= fan*3/4:
		t.join(nd, i)
	case i > 0 && k.n+nd.below.node[i-1].n <= fan*3/4:
		t.join(nd, i-1)
	case k.n == 0:
		t.unlink(k)
		nd.cut(i)
	}
}

// join moves what the node below entry i+1 has to the one below entry i.
func (t *tree) join(nd *node, i int) {
	a, b := nd.below.node[i], nd.below.node[i+1]
	copy(a.scores[a.n:], b.scores[:b.n])
	copy(a.refs[a.n:], b.refs[:b.n])
	if b.below != nil {
		copy(a.below.node[a.n:], b.below.node[:b.n])
		copy(a.below.count[a.n:], b.below.count[:b.n])
	}
	a.n += b.n
	nd.below.count[i] += nd.below.count[i+1]
	t.unlink(b)
	nd.cut(i + 1)
	if a.n > 0 {
		nd.first(i)
	}
}

func (t *tree) unlink(nd *node) {
	if nd.below != nil {
		t.bytes -= 2 * nodeBytes
		return
	}
	t.bytes -= nodeBytes
	if nd.prev != nil {
		nd.prev.next = nd.next
	}
	if nd.next != nil {
		nd.next.prev = nd.prev
	}
}

// move gives a record another score in place where its neighbours allow it, and
// reports whether they do.
func (t *tree) move(old, score float64, member []byte) bool {
	nd := t.root
	for nd.below != nil {
		nd = nd.below.node[t.child(nd, old, member)]
	}
	i := t.lower(nd, old, member)
	if i == 0 || i == nd.n-1 || t.order(score, member, nd, i-1) <= 0 || t.order(score, member, nd, i+1) >= 0 {
		return false
	}
	nd.scores[i] = score
	return true
}

// rank is the number of members before one.
func (t *tree) rank(score float64, member []byte) int {
	nd, rank := t.root, 0
	for nd.below != nil {
		i := t.child(nd, score, member)
		for _, c := range nd.below.count[:i] {
			rank += int(c)
		}
		nd = nd.below.node[i]
	}
	return rank + t.lower(nd, score, member)
}

// count is the number of members for which before is true, given that these come
// before all others.
func (t *tree) count(before func(score float64, r members.Ref) bool) int {
	nd, n := t.root, 0
	for {
		lo, hi := 0, nd.n
		for lo < hi {
			if m := (lo + hi) / 2; before(nd.scores[m], nd.refs[m]) {
				lo = m + 1
			} else {
				hi = m
			}
		}
		if nd.below == nil {
			return n + lo
		}
		lo = max(lo-1, 0)
		for _, c := range nd.below.count[:lo] {
			n += int(c)
		}
		nd = nd.below.node[lo]
	}
}

// at is the leaf and place of the member at a rank that there is.
func (t *tree) at(rank int) (*node, int) {
	nd := t.root
	for nd.below != nil {
		i := 0
		for rank >= int(nd.below.count[i]) {
			rank -= int(nd.below.count[i])
			i++
		}
		nd = nd.below.node[i]
	}
	return nd, rank
}

func (t *tree) size() int { return t.bytes + t.members.Size() }
