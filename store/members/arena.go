package zset

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// ref is the place of a record in an arena, in units; 0 is none.
type ref uint32

// A record is the score, the member's length and the member.
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
	pages [][]byte
	spare []int32        // numbers of pages that are gone
	last  int            // the page that is being filled
	free  map[uint32]ref // by units: the first of a list that runs through the records
	small [exact + 1]ref // the same, for few units
	held  int            // bytes of all pages
	live  int            // bytes of records in use
}

// recordUnits is how many units a record takes: exact ones when small, else
// rounded so that there are few sizes.
func recordUnits(member int) uint32 {
	n := uint32((8 + uvarintLen(member) + member + unit - 1) / unit)
	if n > exact {
		step := uint32(1) << (bits.Len32(n) - 4)
		n = (n + step - 1) &^ (step - 1)
	}
	return n
}

func uvarintLen(n int) int { return (bits.Len64(uint64(n)|1) + 6) / 7 }

// add makes a record.
func (a *arena) add(member []byte, score float64) ref {
	u := recordUnits(len(member))
	r := a.alloc(u)
	b := a.at(r)
	binary.LittleEndian.PutUint64(b, math.Float64bits(score))
	n := 8 + binary.PutUvarint(b[8:], uint64(len(member)))
	copy(b[n:], member)
	a.live += int(u) * unit
	return r
}

func (a *arena) alloc(u uint32) ref {
	size := int(u) * unit
	if len(a.pages) == 0 {
		a.pages = append(a.pages, nil) // ref 0 is none
	}
	if size >= ownPage {
		page := make([]byte, size)
		a.held += size
		if n := len(a.spare); n > 0 {
			i := a.spare[n-1]
			a.spare = a.spare[:n-1]
			a.pages[i] = page
			return ref(i) << unitBits
		}
		a.pages = append(a.pages, page)
		return ref(len(a.pages)-1) << unitBits
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
	return ref(a.last)<<unitBits | ref(at/unit)
}

func (a *arena) takeFree(u uint32) ref {
	if u <= exact {
		r := a.small[u]
		if r != 0 {
			a.small[u] = ref(binary.LittleEndian.Uint32(a.at(r)))
		}
		return r
	}
	r := a.free[u]
	if r != 0 {
		a.free[u] = ref(binary.LittleEndian.Uint32(a.at(r)))
	}
	return r
}

// drop gives a record back.
func (a *arena) drop(r ref) {
	u := recordUnits(len(a.member(r)))
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
			a.free = map[uint32]ref{}
		}
		binary.LittleEndian.PutUint32(a.at(r), uint32(a.free[u]))
		a.free[u] = r
	}
}

// at is the record and what follows it in its page.
func (a *arena) at(r ref) []byte { return a.pages[r>>unitBits][int(r&(1<<unitBits-1))*unit:] }

func (a *arena) score(r ref) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(a.at(r)))
}

func (a *arena) setScore(r ref, score float64) {
	binary.LittleEndian.PutUint64(a.at(r), math.Float64bits(score))
}

func (a *arena) member(r ref) []byte {
	b := a.at(r)
	if n := int(b[8]); n < 0x80 {
		return b[9 : 9+n : 9+n]
	}
	n, k := binary.Uvarint(b[8:])
	from := 8 + k
	return b[from : from+int(n) : from+int(n)]
}
