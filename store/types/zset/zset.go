package zset

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"unsafe"

	"github.com/nearcache/nearcache/store/members"
	"github.com/nearcache/nearcache/store/object"
)

// Type is the descriptor of sorted sets.
var Type = &object.Type{ID: object.ZSet, Name: "zset", New: func() object.Object { return New(0, 0) }}

// Value is a sorted set. Make it with New.
type Value struct {
	n     int
	small []byte // while t is nil
	own   []byte // the buffer that small moves to when it outgrows its place
	t     *tree
}

// New makes an empty set to which members elements are to be added, the first of
// which is length bytes long; from both Redis guesses its encoding.
func New(members, length int) *Value {
	v := &Value{small: make([]byte, headLen, 32)}
	if members > maxSmall {
		v.spread()
	} else if length > maxLen {
		v.small[0] |= flagLarge
	}
	return v
}

// Len is the number of members.
func (v *Value) Len() int { return v.n }

// Type implements object.Object.
func (v *Value) Type() *object.Type { return Type }

func (v *Value) skiplist() bool { return v.t != nil || v.small[0]&flagLarge != 0 }

// Encoding implements object.Object.
func (v *Value) Encoding() string {
	if v.skiplist() {
		return "skiplist"
	}
	return "listpack"
}

// Size implements object.Object.
func (v *Value) Size() int {
	n := int(unsafe.Sizeof(*v)) + cap(v.small)
	if v.t != nil {
		n += int(unsafe.Sizeof(*v.t)) + v.t.size()
	}
	return n
}

// Pack implements object.Packable.
func (v *Value) Pack() ([]byte, bool) { return v.small, v.t == nil }

// Unpack implements object.Packable.
func (v *Value) Unpack(b []byte) {
	*v = Value{n: int(binary.LittleEndian.Uint16(b[1:])), small: b, own: v.own}
}

// Clone implements object.Object.
func (v *Value) Clone() object.Object {
	if v.t == nil {
		return &Value{n: v.n, small: slices.Clone(v.small)}
	}
	return &Value{n: v.n, t: v.t.copy()}
}

// copy is a tree of the same members, its nodes full.
func (t *tree) copy() *tree {
	c := newTree()
	for nd, i := t.at(0); nd != nil; nd, i = nd.next, 0 {
		for ; i < nd.n; i++ {
			c.add(t.members.Member(nd.refs[i]), nd.scores[i])
		}
	}
	return c
}

func (t *tree) add(member []byte, score float64) { t.addNew(member, score, members.HashOf(member)) }

// addNew is add for a member whose hash is known.
func (t *tree) addNew(member []byte, score float64, h uint64) {
	r := t.members.Add(member, false, h)
	t.setScore(r, score)
	t.insert(score, r)
}

// Rebuild implements object.Object.
func (v *Value) Rebuild(key []byte, emit func(args ...[]byte)) {
	const perCommand = 512
	words := [][]byte{[]byte("ZADD"), key}
	for it := v.From(0, false); it.Next(); {
		words = append(words, appendText(nil, it.Score()), slices.Clone(it.Member()))
		if len(words) > 2*perCommand {
			emit(words...)
			words = [][]byte{words[0], key}
		}
	}
	if len(words) > 2 {
		emit(words...)
	}
}

// appendText appends a score so that it reads back as the same.
func appendText(b []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(b, "inf"...)
	case math.IsInf(f, -1):
		return append(b, "-inf"...)
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}

// spread makes a small set a tree.
func (v *Value) spread() {
	t := newTree()
	for it := v.From(0, false); it.Next(); {
		t.add(it.Member(), it.Score())
	}
	*v = Value{n: v.n, t: t}
}

// Expect says that one command will try to add so many members. It is where
// Redis may give up the listpack before the first.
func (v *Value) Expect(members int) {
	if v.t == nil && !v.skiplist() && members > maxSmall {
		v.spread()
	}
}

// Settle makes a result as small as it can be, as Redis does with what it
// stores under a destination: a skiplist that fits becomes a listpack.
func (v *Value) Settle() {
	if !v.skiplist() || v.n > maxSmall {
		return
	}
	c := New(0, 0)
	for it := v.From(0, false); it.Next(); {
		if len(it.Member()) > maxLen {
			return
		}
		c.Set(it.Member(), it.Score())
	}
	*v = *c
}

// Score is the score of a member.
func (v *Value) Score(member []byte) (float64, bool) {
	if v.t == nil {
		_, s, _, _, ok := v.findSmall(member)
		return s, ok
	}
	r := v.t.members.Find(member, false, members.HashOf(member))
	if r == 0 {
		return 0, false
	}
	return v.t.score(r), true
}

// Rank is the number of members before one, and its score.
func (v *Value) Rank(member []byte) (rank int, score float64, ok bool) {
	if v.t == nil {
		rank, score, _, _, ok = v.findSmall(member)
		return rank, score, ok
	}
	if score, ok = v.Score(member); !ok {
		return 0, 0, false
	}
	return v.t.rank(score, member), score, true
}

// Set gives a member a score, which is not NaN, and reports whether it is new or
// had another.
func (v *Value) Set(member []byte, score float64) (added, updated bool) {
	if v.t == nil {
		_, old, lo, hi, there := v.findSmall(member)
		if there {
			if old == score {
				return false, false
			}
			v.change(lo, hi, 0)
			v.n--
		} else if v.n >= maxSmall || len(member) > maxElement || len(v.small)+len(member)+16 > maxBytes {
			v.spread()
			v.t.add(member, score)
			v.n++
			return true, false
		} else if len(member) > maxLen {
			v.small[0] |= flagLarge
		}
		v.insertSmall(member, score)
		return !there, there
	}
	t := v.t
	h := members.HashOf(member)
	r := t.members.Find(member, false, h)
	if r == 0 {
		t.addNew(member, score, h)
		v.n++
		return true, false
	}
	old := t.score(r)
	if old == score {
		return false, false
	}
	if !t.move(old, score, member) {
		t.remove(old, member)
		t.insert(score, r)
	}
	t.setScore(r, score)
	return false, true
}

// Remove takes a member out and reports whether it was there.
func (v *Value) Remove(member []byte) bool {
	if v.t == nil {
		_, _, lo, hi, ok := v.findSmall(member)
		if ok {
			v.change(lo, hi, 0)
			v.setLen(v.n - 1)
		}
		return ok
	}
	h := members.HashOf(member)
	r := v.t.members.Find(member, false, h)
	if r == 0 {
		return false
	}
	v.drop(r, h)
	v.shrink()
	return true
}

func (v *Value) drop(r members.Ref, h uint64) {
	t := v.t
	t.remove(t.score(r), t.members.Member(r))
	t.members.Remove(r, h)
	v.n--
}

// RemoveRange takes out the members at ranks lo to hi, hi excluded.
func (v *Value) RemoveRange(lo, hi int) {
	if lo >= hi {
		return
	}
	if v.t == nil {
		from := v.seek(lo)
		to := from
		for range hi - lo {
			to = skip(v.small, to)
		}
		v.change(from, to, 0)
		v.setLen(v.n - (hi - lo))
		return
	}
	if lo == 0 && hi == v.n {
		v.t, v.n = newTree(), 0
		return
	}
	t := v.t
	for left := hi - lo; left > 0; {
		n := t.removeRun(lo, left, func(r members.Ref) {
			t.members.Remove(r, members.HashOf(t.members.Member(r)))
		})
		left -= n
		v.n -= n
	}
	v.shrink()
}

// shrink moves what is left to new memory when three quarters are unused, which
// costs no more than the removals that led to it.
func (v *Value) shrink() {
	if v.t.members.Sparse() {
		v.t = v.t.copy()
	}
}

// Scan visits members for ZSCAN: some of about count of them, from cursor 0 on,
// and returns the cursor to go on from, 0 at the end. A small set is visited as
// a whole. What is there from the first call to the last is visited.
func (v *Value) Scan(cursor uint64, count int, visit func(member []byte, score float64)) uint64 {
	if v.t == nil {
		for it := v.From(0, false); it.Next(); {
			visit(it.Member(), it.Score())
		}
		return 0
	}
	a := v.t.members
	return a.Scan(cursor, count, func(r members.Ref) { visit(a.Member(r), v.t.score(r)) })
}

// Iter walks over members in order. Make it with From.
type Iter struct {
	v     *Value
	rev   bool
	score float64
	m     []byte

	off int // small
	nd  *node
	i   int // in nd, or in back
	// back are the places of entries that are still to come when a small set is
	// walked backward.
	back [maxSmall]uint16
}

// From is an iterator that begins at a rank (0 is the lowest member) and goes up
// or, reversed, down.
func (v *Value) From(rank int, reverse bool) Iter {
	it := Iter{v: v, rev: reverse, i: -1}
	switch {
	case rank < 0 || rank >= v.n:
		it.off = len(v.small)
	case v.t != nil:
		it.nd, it.i = v.t.at(rank)
	case reverse:
		off := headLen
		for it.i < rank {
			it.i++
			it.back[it.i] = uint16(off)
			off = skip(v.small, off)
		}
	default:
		it.off = v.seek(rank)
	}
	return it
}

// Next goes to the next member and reports whether there is one.
func (it *Iter) Next() bool {
	if it.v.t != nil {
		return it.nextLarge()
	}
	b := it.v.small
	if it.rev {
		if it.i < 0 {
			return false
		}
		it.score, it.off = scoreAt(b, int(it.back[it.i]))
		it.m, _ = memberAt(b, it.off)
		it.i--
		return true
	}
	if it.off >= len(b) {
		return false
	}
	it.score, it.off = scoreAt(b, it.off)
	it.m, it.off = memberAt(b, it.off)
	return true
}

func (it *Iter) nextLarge() bool {
	nd := it.nd
	if nd == nil {
		return false
	}
	it.score, it.m = nd.scores[it.i], it.v.t.members.Member(nd.refs[it.i])
	if !it.rev {
		if it.i++; it.i == nd.n {
			it.nd, it.i = nd.next, 0
		}
		return true
	}
	if it.i--; it.i < 0 {
		if it.nd = nd.prev; it.nd != nil {
			it.i = it.nd.n - 1
		}
	}
	return true
}

// Member is the member, valid until the set changes.
func (it *Iter) Member() []byte { return it.m }

// Score is its score.
func (it *Iter) Score() float64 { return it.score }
