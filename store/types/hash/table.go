package hash

import (
	"encoding/binary"
	"slices"
	"unsafe"

	"github.com/nearcache/nearcache/store/members"
)

// table is a large hash. A field is a member with its value as tail; of one with a
// time to live, which is marked, the tail begins with when it dies and its place in
// due.
type table struct {
	m       *members.Table
	due     []members.Ref // a heap, the soonest first
	scratch []byte        // tails that are being made
}

// timedLen is what comes before the value of a field with a time to live: when,
// and its place in due.
const timedLen = 12

func newTable() *table { return &table{m: members.NewTailed()} }

func (t *table) find(name []byte) (r members.Ref, h uint64) {
	h = members.HashOf(name)
	return t.m.Find(name, false, h), h
}

func (t *table) value(r members.Ref) []byte {
	tail := t.m.Tail(r)
	if t.m.Marked(r) {
		return tail[timedLen:]
	}
	return tail
}

func (t *table) get(name []byte) ([]byte, bool) {
	r, _ := t.find(name)
	if r == 0 {
		return nil, false
	}
	return t.value(r), true
}

func (t *table) set(name, value []byte, keep bool) (isNew bool) {
	r, h := t.find(name)
	switch {
	case r == 0:
		t.m.AddTailed(name, false, value, h)
		return true
	case !t.m.Marked(r):
		t.m.SetTail(r, false, value, h)
	case keep:
		place := t.place(r)
		t.scratch = append(append(t.scratch[:0], t.m.Tail(r)[:timedLen]...), value...)
		t.due[place] = t.m.SetTail(r, true, t.scratch, h)
		t.trim()
	default:
		t.forget(t.place(r))
		t.m.SetTail(r, false, value, h)
	}
	return false
}

// trim gives back what a large value has made of scratch.
func (t *table) trim() {
	if cap(t.scratch) > 1<<10 {
		t.scratch = nil
	}
}

func (t *table) delete(name []byte) bool {
	r, h := t.find(name)
	if r != 0 {
		t.remove(r, h)
	}
	return r != 0
}

func (t *table) remove(r members.Ref, h uint64) {
	if t.m.Marked(r) {
		t.forget(t.place(r))
	}
	if t.m.Remove(r, h); t.m.Sparse() {
		*t = *t.compact()
	}
}

// compact is a table that holds the same and takes no more than it needs.
func (t *table) compact() *table {
	c := newTable()
	t.m.Each(func(r members.Ref) bool {
		name := t.m.Member(r)
		c.m.AddTailed(name, t.m.Marked(r), t.m.Tail(r), members.HashOf(name))
		return true
	})
	c.due = make([]members.Ref, len(t.due))
	for i, r := range t.due { // their places stand in the tails
		name := t.m.Member(r)
		c.due[i] = c.m.Find(name, false, members.HashOf(name))
	}
	return c
}

func (t *table) clone() *table { return &table{m: t.m.Clone(), due: slices.Clone(t.due)} }

func (t *table) each(f func(name string, value []byte) bool) {
	t.m.Each(func(r members.Ref) bool { return f(stringOf(t.m.Member(r)), t.value(r)) })
}

func (t *table) scan(cursor uint64, count int, visit func(name string, value []byte)) uint64 {
	return t.m.Scan(cursor, count, func(r members.Ref) { visit(stringOf(t.m.Member(r)), t.value(r)) })
}

func (t *table) size() int {
	return int(unsafe.Sizeof(*t)) + t.m.Size() + 4*cap(t.due) + cap(t.scratch)
}

// ---- times to live

func (t *table) when(r members.Ref) int64 { return int64(binary.LittleEndian.Uint64(t.m.Tail(r))) }

func (t *table) place(r members.Ref) int {
	return int(binary.LittleEndian.Uint32(t.m.Tail(r)[8:]))
}

func (t *table) setPlace(i int) {
	binary.LittleEndian.PutUint32(t.m.Tail(t.due[i])[8:], uint32(i))
}

// setExpiry gives a field that there is a time to live, 0 for none.
func (t *table) setExpiry(name []byte, at int64) {
	r, h := t.find(name)
	switch marked := t.m.Marked(r); {
	case !marked && at == 0:
	case !marked:
		t.scratch = binary.LittleEndian.AppendUint64(t.scratch[:0], uint64(at))
		t.scratch = binary.LittleEndian.AppendUint32(t.scratch, uint32(len(t.due)))
		t.scratch = append(t.scratch, t.m.Tail(r)...)
		t.due = append(t.due, t.m.SetTail(r, true, t.scratch, h))
		t.trim()
		t.up(len(t.due) - 1)
	case at == 0:
		t.forget(t.place(r))
		t.scratch = append(t.scratch[:0], t.m.Tail(r)[timedLen:]...)
		t.m.SetTail(r, false, t.scratch, h)
		t.trim()
	default:
		binary.LittleEndian.PutUint64(t.m.Tail(r), uint64(at))
		t.fix(t.place(r))
	}
}

// forget takes a field out of due.
func (t *table) forget(i int) {
	last := len(t.due) - 1
	t.due[i] = t.due[last]
	t.due = t.due[:last]
	if i < last {
		t.setPlace(i)
		t.fix(i)
	}
	if c := cap(t.due); c > 1024 && last < c/4 {
		t.due = append(make([]members.Ref, 0, c/2), t.due...)
	}
}

func (t *table) fix(i int) {
	if !t.down(i) {
		t.up(i)
	}
}

func (t *table) up(i int) {
	for i > 0 {
		p := (i - 1) / 2
		if t.when(t.due[p]) <= t.when(t.due[i]) {
			return
		}
		t.swap(i, p)
		i = p
	}
}

func (t *table) down(i int) bool {
	start := i
	for {
		c := 2*i + 1
		if c >= len(t.due) {
			break
		}
		if c+1 < len(t.due) && t.when(t.due[c+1]) < t.when(t.due[c]) {
			c++
		}
		if t.when(t.due[i]) <= t.when(t.due[c]) {
			break
		}
		t.swap(i, c)
		i = c
	}
	return i > start
}

func (t *table) swap(i, j int) {
	t.due[i], t.due[j] = t.due[j], t.due[i]
	t.setPlace(i)
	t.setPlace(j)
}
