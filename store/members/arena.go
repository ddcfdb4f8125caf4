package members

import (
	"encoding/binary"
	"math/bits"
)

// A Ref counts units: the page's number, and the place in it.
const (
	unit      = 4
	unitBits  = 14 // units of a page
	pageSize  = unit << unitBits
	firstPage = 1 << 10
	ownPage   = pageSize / 4 // records from this size on have a page of their own
	exact     = 64           // sizes up to so many units have a free list each
)

// arena holds records. Freed ones are used again for records of their size.
type arena struct {
	head  int // bytes of a record before the length
	pages [][]byte
	spare []int32        // numbers of pages that are gone
	last  int            // the page that is being filled
	free  map[uint32]Ref // by units: the first of a list that runs through the records
	small [exact + 1]Ref // the same, for few units
	held  int            // bytes of all pages
	live  int            // bytes of records in use
}

// recordUnits is how many units a record takes: exact ones when small, else
// rounded so that there are few sizes.
func (a *arena) recordUnits(member int) uint32 {
	n := uint32((a.head + uvarintLen(member<<1) + member + unit - 1) / unit)
	if n > exact {
		step := uint32(1) << (bits.Len32(n) - 4)
		n = (n + step - 1) &^ (step - 1)
	}
	return n
}

func uvarintLen(n int) int { return (bits.Len64(uint64(n)|1) + 6) / 7 }

// add makes a record.
func (a *arena) add(member []byte, mark bool) Ref {
	u := a.recordUnits(len(member))
	r := a.alloc(u)
	b := a.at(r)
	clear(b[:a.head])
	word := uint64(len(member)) << 1
	if mark {
		word |= 1
	}
	n := a.head + binary.PutUvarint(b[a.head:], word)
	copy(b[n:], member)
	a.live += int(u) * unit
	return r
}

func (a *arena) alloc(u uint32) Ref {
	size := int(u) * unit
	if len(a.pages) == 0 {
		a.pages = append(a.pages, nil) // Ref 0 is none
	}
	if size >= ownPage {
		page := make([]byte, size)
		a.held += size
		if n := len(a.spare); n > 0 {
			i := a.spare[n-1]
			a.spare = a.spare[:n-1]
			a.pages[i] = page
			return Ref(i) << unitBits
		}
		a.pages = append(a.pages, page)
		return Ref(len(a.pages)-1) << unitBits
	}
	if r := a.takeFree(u); r != 0 {
		return r
	}
	if a.last == 0 || len(a.pages[a.last])+size > pageSize {
		room := pageSize
		if a.last == 0 {
			room = firstPage
		}
		room = max(room, size)
		a.pages = append(a.pages, make([]byte, 0, room))
		a.last = len(a.pages) - 1
		a.held += room
	}
	p := a.pages[a.last]
	at := len(p)
	if at+size > cap(p) { // the first page grows
		room := min(max(2*cap(p), at+size), pageSize)
		grown := make([]byte, at, room)
		copy(grown, p)
		a.held += room - cap(p)
		p = grown
	}
	a.pages[a.last] = p[:at+size]
	return Ref(a.last)<<unitBits | Ref(at/unit)
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
	u := a.recordUnits(len(a.member(r)))
	a.live -= int(u) * unit
	switch {
	case int(u)*unit >= ownPage:
		i := int32(r >> unitBits)
		a.held -= len(a.pages[i])
		a.pages[i] = nil
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
func (a *arena) at(r Ref) []byte { return a.pages[r>>unitBits][int(r&(1<<unitBits-1))*unit:] }

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

// is reports whether a record is that of a member.
func (a *arena) is(r Ref, member []byte, mark bool) bool {
	return string(a.member(r)) == string(member) && (a.at(r)[a.head]&1 != 0) == mark
}
