package members

import (
	"hash/maphash"
	"runtime"
)

// Ref is the place of a record; 0 is none. It is valid until the record is removed.
type Ref uint32

// Table is a set of members. Make it with New or NewTailed.
type Table struct {
	arena arena
	index index
	n     int
}

// New makes an empty table of records with heads of so many bytes.
func New(head int) *Table { return &Table{arena: arena{head: head}, index: newIndex()} }

// NewTailed makes an empty table whose members have tails: bytes of any length, the
// values of a hash. The mark then says something of the tail, and a member is what
// its bytes are.
func NewTailed() *Table { return &Table{arena: arena{tails: true}, index: newIndex()} }

// Len is the number of members.
func (t *Table) Len() int { return t.n }

// Size is the memory of pages and tables in bytes.
func (t *Table) Size() int { return t.arena.held + t.index.bytes }

var seed = maphash.MakeSeed()

// HashOf is the hash that Find, Add and Remove want of a member.
func HashOf(member []byte) uint64 { return maphash.Bytes(seed, member) }

// Find returns the record of a member, 0 without one.
func (t *Table) Find(member []byte, mark bool, h uint64) Ref {
	return t.index.find(&t.arena, member, mark, h*t.index.mul)
}

// Add makes a record of a member that is not there, its head of zeros.
func (t *Table) Add(member []byte, mark bool, h uint64) Ref {
	r := t.arena.add(member, mark, nil)
	t.index.insert(&t.arena, r, h*t.index.mul)
	t.n++
	return r
}

// AddTailed is Add with a tail.
func (t *Table) AddTailed(member []byte, mark bool, tail []byte, h uint64) Ref {
	r := t.arena.add(member, mark, tail)
	t.index.insert(&t.arena, r, h*t.index.mul)
	t.n++
	return r
}

// Tail is the tail of a record, which may be written to. It is valid until the
// record changes.
func (t *Table) Tail(r Ref) []byte { return t.arena.tail(r) }

// SetTail gives a record another tail, which is not of the table, and mark. It
// returns the record, which may be another one then.
func (t *Table) SetTail(r Ref, mark bool, tail []byte, h uint64) Ref {
	if t.arena.setTail(r, mark, tail) {
		return r
	}
	by := t.arena.add(t.arena.member(r), mark, tail)
	t.index.replace(r, by, h*t.index.mul)
	t.arena.drop(r)
	return by
}

// Remove takes out a record that is there.
func (t *Table) Remove(r Ref, h uint64) {
	t.index.remove(&t.arena, r, h*t.index.mul)
	t.arena.drop(r)
	t.n--
}

// Head is the head of a record, which may be written to.
func (t *Table) Head(r Ref) []byte {
	b := t.arena.at(r)
	return b[:t.arena.head:t.arena.head]
}

// Member is the member of a record, valid until it is removed.
func (t *Table) Member(r Ref) []byte { return t.arena.member(r) }

// Marked is the mark of a record.
func (t *Table) Marked(r Ref) bool { return t.arena.at(r)[t.arena.head]&1 != 0 }

// Clone is a copy that shares no memory with the table. Its records have the same
// Refs.
func (t *Table) Clone() *Table {
	return &Table{arena: t.arena.clone(), index: t.index.clone(), n: t.n}
}

// minSparse is the size below which nothing is gained by moving to less memory.
const minSparse = 256 << 10

// Sparse reports whether three quarters of the memory are unused. Moving what is
// left to a new Table then costs no more than the removals that led to it.
func (t *Table) Sparse() bool {
	return t.n > 0 && t.arena.held > minSparse && t.arena.live < t.arena.held/4
}

// Each calls f with every record, in no order, until it returns false. The table
// must not change meanwhile.
func (t *Table) Each(f func(Ref) bool) {
	var last *piece
	for _, p := range t.index.dir {
		if p == last { // a piece stands in several places, one behind the other
			continue
		}
		last = p
		// The records lie anywhere: those of a few slots are loaded together
		// before each is looked at.
		for refs := p.refs; len(refs) > 0; refs = refs[min(ahead, len(refs)):] {
			next := refs[:min(ahead, len(refs))]
			var loaded byte
			for _, r := range next {
				if r != 0 {
					loaded ^= t.arena.at(r)[0]
				}
			}
			runtime.KeepAlive(loaded)
			for _, r := range next {
				if r != 0 && !f(r) {
					return
				}
			}
		}
	}
}

// ahead is how many slots Each looks at before it visits their records: about as
// many loads as a processor has under way.
const ahead = 16

// Random returns some record, each with nearly the same chance; the table must
// not be empty. rnd returns random bits.
func (t *Table) Random(rnd func() uint64) Ref {
	for {
		p := t.index.piece(rnd())
		if p.n == 0 {
			continue
		}
		// A piece is chosen as often as it has members, but for their chance
		// differences; in it all are alike.
		for mask := uint64(len(p.refs) - 1); ; {
			if r := p.refs[rnd()&mask]; r != 0 {
				return r
			}
		}
	}
}

// Scan visits the records whose hashes follow a cursor until about count were
// seen, and returns the cursor to go on from, 0 after the last. What is there
// from the first call, with cursor 0, to the last is visited.
func (t *Table) Scan(cursor uint64, count int, visit func(Ref)) uint64 {
	return t.index.scan(&t.arena, t.n, cursor, count, visit)
}
