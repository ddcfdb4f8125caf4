package set

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"unsafe"

	"github.com/nearcache/nearcache/store/decimal"
	"github.com/nearcache/nearcache/store/members"
	"github.com/nearcache/nearcache/store/object"
)

// Type is the descriptor of sets.
var Type = &object.Type{ID: object.Set, Name: "set", New: func() object.Object { return new(Value) }}

// Redis' defaults of set-max-intset-entries, set-max-listpack-entries and
// set-max-listpack-value.
const (
	maxInts    = 512
	maxEntries = 128
	maxLen     = 64
)

// kind is what a set is. The names of all but small tables are Redis' own.
type kind uint8

const (
	intset    kind = iota // integers in order
	listpack              // entries in the order in which they came
	hashtable             // entries in any order, or a table
)

var encodings = [...]string{intset: "intset", listpack: "listpack", hashtable: "hashtable"}

// Value is a set. The zero value is empty and an intset.
type Value struct {
	kind  kind
	n     int
	small []byte // head and contents, while t is nil
	own   []byte // the buffer that small moves to when it outgrows its place
	t     *members.Table

	bits [8]byte       // the integer that is being looked at
	text [maxText]byte // the same, printed
}

// New makes an empty set to which so many members are to be added, of which this
// is the first: Redis guesses the encoding from both.
func New(first []byte, count int) *Value {
	_, isInt := decimal.ParseInt(first)
	switch {
	case isInt && count <= maxInts:
		return &Value{}
	case count <= maxEntries:
		return NewListpack()
	}
	v := &Value{}
	v.spread()
	return v
}

// NewListpack makes an empty set that takes members in their order.
func NewListpack() *Value { return &Value{kind: listpack} }

// NewTable makes an empty set that is large at once, for what is thrown away.
func NewTable() *Value {
	v := &Value{}
	v.spread()
	return v
}

// Len is the number of members.
func (v *Value) Len() int { return v.n }

// Type implements object.Object.
func (v *Value) Type() *object.Type { return Type }

// Encoding implements object.Object.
func (v *Value) Encoding() string { return encodings[v.kind] }

// Ordered reports whether members have an order that Redis defines.
func (v *Value) Ordered() bool { return v.kind != hashtable }

// IsIntset reports whether the set is an array of integers.
func (v *Value) IsIntset() bool { return v.kind == intset }

// Size implements object.Object.
func (v *Value) Size() int {
	n := int(unsafe.Sizeof(*v)) + cap(v.small)
	if v.t != nil {
		n += int(unsafe.Sizeof(*v.t)) + v.t.Size()
	}
	return n
}

// Pack implements object.Packable.
func (v *Value) Pack() ([]byte, bool) {
	if v.t != nil {
		return nil, false
	}
	v.begin()
	return v.small, true
}

// Unpack implements object.Packable.
func (v *Value) Unpack(b []byte) {
	*v = Value{kind: kind(b[0] & kindMask), n: int(binary.LittleEndian.Uint16(b[1:])), small: b, own: v.own}
}

// Clone implements object.Object.
func (v *Value) Clone() object.Object {
	c := &Value{kind: v.kind, n: v.n}
	if v.t == nil {
		c.small = slices.Clone(v.small)
		return c
	}
	c.t = v.t.Clone()
	return c
}

// copyTable is a table that holds the same and takes no more than it needs.
func copyTable(t *members.Table) *members.Table {
	c := members.New(0)
	t.Each(func(r members.Ref) bool {
		m := t.Member(r)
		c.Add(m, t.Marked(r), members.HashOf(m))
		return true
	})
	return c
}

// Rebuild implements object.Object.
func (v *Value) Rebuild(key []byte, emit func(args ...[]byte)) {
	const perCommand = 512
	words := [][]byte{[]byte("SADD"), key}
	v.Each(func(m []byte) bool {
		if words = append(words, slices.Clone(m)); len(words) > perCommand {
			emit(words...)
			words = [][]byte{words[0], key}
		}
		return true
	})
	if len(words) > 2 {
		emit(words...)
	}
}

// spread makes a small set a table.
func (v *Value) spread() {
	t := members.New(0)
	v.eachWord(func(w word) bool {
		t.Add(w.b, w.isInt, members.HashOf(w.b))
		return true
	})
	*v = Value{kind: hashtable, n: v.n, t: t}
}

// Expect says that one command will try to add so many members. It is where
// Redis may give up the small encodings before the first.
func (v *Value) Expect(count int) {
	if v.kind == listpack && count > maxEntries || v.kind == intset && count > maxInts {
		v.spread()
	}
}

// Has reports whether there is such a member.
func (v *Value) Has(member []byte) bool {
	if v.kind == intset {
		n, ok := decimal.ParseInt(member)
		return ok && v.hasInt(n)
	}
	var room [8]byte
	return v.hasWord(makeWord(member, &room))
}

func (v *Value) hasWord(w word) bool {
	if v.t != nil {
		return v.t.Find(w.b, w.isInt, members.HashOf(w.b)) != 0
	}
	_, _, ok := v.find(w)
	return ok
}

// Add adds a copy of a member and reports whether it is new.
func (v *Value) Add(member []byte) bool {
	if v.kind == intset {
		if n, ok := decimal.ParseInt(member); ok {
			return v.addInt(n)
		}
		// It is new, and no integer.
		if v.n < maxEntries && len(member) <= maxLen {
			v.toEntries(listpack)
		} else {
			v.toEntries(hashtable)
		}
	}
	var room [8]byte
	return v.addWord(makeWord(member, &room), len(member))
}

// addWord adds a member that is length bytes long as text to what is no intset.
func (v *Value) addWord(w word, length int) bool {
	if v.t == nil {
		if _, _, there := v.find(w); there {
			return false
		}
		if v.kind == listpack && (v.n >= maxEntries || length > maxLen) {
			v.kind = hashtable
			v.setHead()
		}
		if v.fits(w) {
			v.appendWord(w)
			return true
		}
		v.spread()
	}
	h := members.HashOf(w.b)
	if v.t.Find(w.b, w.isInt, h) != 0 {
		return false
	}
	v.t.Add(w.b, w.isInt, h)
	v.n++
	return true
}

// addInt adds an integer to an intset.
func (v *Value) addInt(n int64) bool {
	i, there := v.searchInt(n)
	if there {
		return false
	}
	v.insertInt(i, n)
	if v.n > maxInts {
		v.spread()
	}
	return true
}

// Remove takes a member out and reports whether it was there.
func (v *Value) Remove(member []byte) bool {
	if v.kind == intset {
		n, ok := decimal.ParseInt(member)
		if !ok {
			return false
		}
		i, there := v.searchInt(n)
		if there {
			v.removeInt(i)
		}
		return there
	}
	var room [8]byte
	w := makeWord(member, &room)
	if v.t != nil {
		h := members.HashOf(w.b)
		r := v.t.Find(w.b, w.isInt, h)
		if r != 0 {
			v.removeRef(r, h)
		}
		return r != 0
	}
	lo, hi, there := v.find(w)
	if there {
		v.change(lo, hi, 0, -1)
	}
	return there
}

func (v *Value) removeRef(r members.Ref, h uint64) {
	v.t.Remove(r, h)
	if v.n--; v.t.Sparse() {
		v.t = copyTable(v.t)
	}
}

// Settle makes an intset of a result, as Redis does with an intersection that it
// stores: if there are but integers.
func (v *Value) Settle() {
	if v.kind == intset || v.n > maxInts {
		return
	}
	ints := make([]int64, 0, v.n)
	if !v.eachWord(func(w word) bool {
		if w.isInt {
			ints = append(ints, w.int())
		}
		return w.isInt
	}) {
		return
	}
	slices.Sort(ints)
	*v = Value{own: v.own}
	for i, n := range ints {
		v.insertInt(i, n)
	}
}

// Each calls f with every member until it returns false, in Redis' order where
// there is one. The set must not change meanwhile.
func (v *Value) Each(f func(member []byte) bool) {
	v.eachWord(func(w word) bool { return f(w.text(&v.text)) })
}

// eachWord is Each for words. It reports whether f has seen all of them.
func (v *Value) eachWord(f func(word) bool) bool {
	if v.t != nil {
		more := true
		v.t.Each(func(r members.Ref) bool {
			more = f(word{v.t.Member(r), v.t.Marked(r)})
			return more
		})
		return more
	}
	for it := v.walk(); it.next(); {
		if !f(it.word(&v.bits)) {
			return false
		}
	}
	return true
}

// Random is a random member.
func (v *Value) Random() []byte {
	if v.t != nil {
		r := v.t.Random(rand.Uint64)
		return word{v.t.Member(r), v.t.Marked(r)}.text(&v.text)
	}
	it := v.walk()
	it.skip(rand.IntN(v.n))
	it.next()
	return it.word(&v.bits).text(&v.text)
}

// Sample calls f with n different members at random, n being at most Len, until
// it returns false.
func (v *Value) Sample(n int, f func(member []byte) bool) {
	if v.t != nil && n < v.n/3 {
		taken := make(map[members.Ref]struct{}, n)
		for len(taken) < n {
			r := v.t.Random(rand.Uint64)
			if _, twice := taken[r]; twice {
				continue
			}
			taken[r] = struct{}{}
			if !f(word{v.t.Member(r), v.t.Marked(r)}.text(&v.text)) {
				return
			}
		}
		return
	}
	// Knuth's algorithm S: each member is taken with the chance that leaves n in
	// the end.
	of := v.n
	v.eachWord(func(w word) bool {
		if n > 0 && rand.IntN(of) < n {
			n--
			if !f(w.text(&v.text)) {
				return false
			}
		}
		of--
		return n > 0
	})
}

// Repeat calls f with n members at random, each chosen from all, until it returns
// false.
func (v *Value) Repeat(n int, f func(member []byte) bool) {
	if v.t != nil {
		for ; n > 0; n-- {
			r := v.t.Random(rand.Uint64)
			if !f(word{v.t.Member(r), v.t.Marked(r)}.text(&v.text)) {
				return
			}
		}
		return
	}
	var places [maxInts]uint16 // of entries, which are walked but once
	it := v.walk()
	for i := 0; it.next(); i++ {
		places[i] = uint16(it.at)
	}
	for ; n > 0; n-- {
		it.at = int(places[rand.IntN(v.n)])
		if !f(it.word(&v.bits).text(&v.text)) {
			return
		}
	}
}

// Scan visits members for SSCAN: some of about count of them, from cursor 0 on,
// and returns the cursor to go on from, 0 at the end. A small set is visited as
// a whole. What is there from the first call to the last is visited.
func (v *Value) Scan(cursor uint64, count int, visit func(member []byte)) uint64 {
	if v.t == nil {
		v.Each(func(m []byte) bool { visit(m); return true })
		return 0
	}
	return v.t.Scan(cursor, count, func(r members.Ref) {
		visit(word{v.t.Member(r), v.t.Marked(r)}.text(&v.text))
	})
}
