package members

import (
	"encoding/binary"
	"math/bits"
)

// A Ref is the number of a page and the place in it, in units; or, its highest bit
// set, the number of a record with memory of its own.
const (
	unit      = 4
	unitBits  = 14 // units of a page
	pageSize  = unit << unitBits
	firstPage = 1 << 10
	maxPages  = 1 << (31 - unitBits)
	alone     = Ref(1 << 31)
	ownSize   = pageSize / 4 // records from this size on are alone
	exact     = 64           // sizes up to so many units have a free list each
)

// arena holds records. Freed ones are used again for records of their size.
type arena struct {
	head  int  // bytes of a record before the length
	tails bool // behind the member: a length and as many bytes
	pages [][]byte
	lone  [][]byte       // records that are alone
	spare []int32        // numbers of those that are gone
	free  map[uint32]Ref // by units: the first of a list that runs through the records
	small [exact + 1]Ref // the same, for few units
	held  int            // bytes of all pages
	live  int            // bytes of records in use
}

// units is how many units a record takes: exact ones when small, else rounded so
// that there are few sizes.
func (a *arena) units(member, tail int) uint32 {
	size := a.head + uvarintLen(member<<1) + member
	if a.tails {
		size += uvarintLen(tail) + tail
	}
	n := uint32((size + unit - 1) / unit)
	if n > exact {
		step := uint32(1) << (bits.Len32(n) - 4)
		n = (n + step - 1) &^ (step - 1)
	}
	return n
}

func uvarintLen(n int) int { return (bits.Len64(uint64(n)|1) + 6) / 7 }

// add makes a record.
func (a *arena) add(member []byte, mark bool, tail []byte) Ref {
	u := a.units(len(member), len(tail))
	r := a.alloc(u)
	b := a.at(r)
	clear(b[:a.head])
	n := a.head + binary.PutUvarint(b[a.head:], word(len(member), mark))
	n += copy(b[n:], member)
	if a.tails {
		putTail(b[n:], tail)
	}
	a.live += int(u) * unit
	return r
}

// word is what stands before a member.
func word(length int, mark bool) uint64 {
	w := uint64(length) << 1
	if mark {
		w |= 1
	}
	return w
}

func putTail(b, tail []byte) {
	n := binary.PutUvarint(b, uint64(len(tail)))
	copy(b[n:], tail)
}

func (a *arena) alloc(u uint32) Ref {
	size := int(u) * unit
	if size >= ownSize {
		return a.allocAlone(size)
	}
	if r := a.takeFree(u); r != 0 {
		return r
	}
	last := len(a.pages) - 1
	if last < 1 || len(a.pages[last])+size > pageSize {
		if len(a.pages) == 0 {
			a.pages = append(a.pages, nil) // Ref 0 is none
		}
		if len(a.pages) == maxPages {
			return a.allocAlone(size)
		}
		room := pageSize
		if last < 1 {
			room = max(firstPage, size)
		}
		a.pages = append(a.pages, make([]byte, 0, room))
		a.held += room
		last = len(a.pages) - 1
	}
	p := a.pages[last]
	at := len(p)
	if at+size > cap(p) { // the first page grows
		room := min(max(cap(p)+cap(p)/2, at+size), pageSize)
		grown := make([]byte, at, room)
		copy(grown, p)
		a.held += room - cap(p)
		p = grown
	}
	a.pages[last] = p[:at+size]
	return Ref(last)<<unitBits | Ref(at/unit)
}

func (a *arena) allocAlone(size int) Ref {
	b := make([]byte, size)
	a.held += size
	if n := len(a.spare); n > 0 {
		i := a.spare[n-1]
		a.spare = a.spare[:n-1]
		a.lone[i] = b
		return alone | Ref(i)
	}
	a.lone = append(a.lone, b)
	return alone | Ref(len(a.lone)-1)
}

func (a *arena) takeFree(u uint32) Ref {
	if u <= exact {
		r := a.small[u]
		if r != 0 {
			a.small[u] = Ref(binary.LittleEndian.Uint32(a.at(r)))
		}
		return r
	}
	r := a.free[u]
	if r != 0 {
		a.free[u] = Ref(binary.LittleEndian.Uint32(a.at(r)))
	}
	return r
}

// drop gives a record back.
func (a *arena) drop(r Ref) {
	u := a.unitsOf(r)
	a.live -= int(u) * unit
	switch {
	case r&alone != 0:
		i := int32(r &^ alone)
		a.held -= len(a.lone[i])
		a.lone[i] = nil
		a.spare = append(a.spare, i)
	case u <= exact:
		binary.LittleEndian.PutUint32(a.at(r), uint32(a.small[u]))
		a.small[u] = r
	default:
		if a.free == nil {
			a.free = map[uint32]Ref{}
		}
		binary.LittleEndian.PutUint32(a.at(r), uint32(a.free[u]))
		a.free[u] = r
	}
}

// at is the record and what follows it in its page.
func (a *arena) at(r Ref) []byte {
	if r&alone != 0 {
		return a.lone[r&^alone]
	}
	return a.pages[r>>unitBits][int(r&(1<<unitBits-1))*unit:]
}

func (a *arena) member(r Ref) []byte {
	b := a.at(r)[a.head:]
	if w := int(b[0]); w < 0x80 {
		n := 1 + w>>1
		return b[1:n:n]
	}
	w, k := binary.Uvarint(b)
	n := k + int(w>>1)
	return b[k:n:n]
}

// tail is what stands behind the member.
func (a *arena) tail(r Ref) []byte {
	b := a.at(r)[a.head:]
	w, k := uint64(b[0]), 1
	if w >= 0x80 {
		w, k = binary.Uvarint(b)
	}
	b = b[k+int(w>>1):]
	n, k := uint64(b[0]), 1
	if n >= 0x80 {
		n, k = binary.Uvarint(b)
	}
	return b[k : k+int(n) : k+int(n)]
}

func (a *arena) unitsOf(r Ref) uint32 {
	if !a.tails {
		return a.units(len(a.member(r)), 0)
	}
	return a.units(len(a.member(r)), len(a.tail(r)))
}

// setTail changes the tail, and the mark, where it is, if it takes as much room.
func (a *arena) setTail(r Ref, mark bool, tail []byte) bool {
	member := a.member(r)
	if a.unitsOf(r) != a.units(len(member), len(tail)) {
		return false
	}
	b := a.at(r)[a.head:]
	if b[0] &^= 1; mark {
		b[0] |= 1
	}
	putTail(b[uvarintLen(len(member)<<1)+len(member):], tail)
	return true
}

// is reports whether a record is that of a member. Where there are tails the mark
// says something of them.
func (a *arena) is(r Ref, member []byte, mark bool) bool {
	return string(a.member(r)) == string(member) && (a.tails || (a.at(r)[a.head]&1 != 0) == mark)
}

// clone is an arena of the same records under the same Refs.
func (a *arena) clone() arena {
	c := *a
	c.pages = clonePages(a.pages)
	c.lone = clonePages(a.lone)
	c.spare = append([]int32(nil), a.spare...)
	c.free = nil
	for u, r := range a.free {
		if c.free == nil {
			c.free = map[uint32]Ref{}
		}
		c.free[u] = r
	}
	return c
}

func clonePages(pages [][]byte) [][]byte {
	c := make([][]byte, len(pages))
	for i, p := range pages {
		if p != nil {
			c[i] = append(make([]byte, 0, cap(p)), p...)
		}
	}
	return c
}
