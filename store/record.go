package store

import (
	"unsafe"

	"github.com/nearcache/nearcache/store/expire"
	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/slab"
)

// record is a key with its value, in a cell of the slab:
//
//	access 4 │ meta 4 │ [time 8] │ [key length 8, value length 8] │ key │ value
//
// Lengths stand in meta where they fit; a wide record has words of their own.
// time is there where the key, or a part of its value, has a time to live. A
// record larger than slab.MaxCell lies in a slab.Span.
type record struct{ p unsafe.Pointer }

// Bits of meta.
const (
	metaType   = 0xf // object.ID
	placeShift = 4
	placeMask  = 3 << placeShift
	formShift  = 6
	metaKept   = 0xff     // type, place and form: what describes the value
	metaTimed  = 1 << 8   // there is a word of time
	metaWide   = 1 << 9   // there are words of lengths
	metaParts  = 1 << 10  // parts of the value have times to live of their own
	metaOpen   = 1 << 11  // an Entry of the Tx that holds the shard stands on it
	keyShift   = 12       // 8 bits
	metaEpoch  = 1 << 20  // what a snapshot goes by, see snapshot.go
	valueShift = 21       // 11 bits
	maxKey     = 1<<8 - 1 // of a record that is not wide
	maxValue   = 1<<11 - 1
)

// Places of a value.
const (
	inRecord = 0 // its bytes, or its packed form
	squeezed = 1 // the same, compressed (compress.go)
	onHeap   = 2 // the number of a Go object
	stubborn = 3 // as inRecord; it does not get smaller by compression
)

// The word of time: a deadline of 43 bits (until the year 2248), then the place
// in the wheel. Later ones have the top bit set and the whole rest, and are in
// no wheel: nobody will see them expire.
const (
	farTime    = 1 << 63
	noDeadline = 1<<43 - 1 // the key itself has none
)

const (
	headSize = 8
	timeSize = 8
	wideSize = 16
	timeAt   = 8
)

// recordSize is how many bytes a record takes.
func recordSize(timed bool, key, value int) int {
	n := headSize + key + value
	if timed {
		n += timeSize
	}
	if isWide(key, value) {
		n += wideSize
	}
	return n
}

func isWide(key, value int) bool { return key > maxKey || value > maxValue }

func (r record) access() uint32     { return *(*uint32)(r.p) }
func (r record) setAccess(a uint32) { *(*uint32)(r.p) = a }
func (r record) meta() uint32       { return *(*uint32)(unsafe.Add(r.p, 4)) }
func (r record) setMeta(m uint32)   { *(*uint32)(unsafe.Add(r.p, 4)) = m }
func (r record) typ() object.ID     { return object.ID(r.meta() & metaType) }
func (r record) place() uint32      { return r.meta() >> placeShift & 3 }
func (r record) form() uint8        { return uint8(r.meta() >> formShift & 3) }

func (r record) word() *uint64 { return (*uint64)(unsafe.Add(r.p, timeAt)) }

func (r record) lengths() *[2]uint64 {
	at := uintptr(headSize)
	if r.meta()&metaTimed != 0 {
		at += timeSize
	}
	return (*[2]uint64)(unsafe.Add(r.p, at))
}

// layout is where the key begins, and both lengths.
func (r record) layout() (at, key, value int) {
	m := r.meta()
	at = headSize + int(m&metaTimed)>>8*timeSize
	if m&metaWide == 0 {
		return at, int(m >> keyShift & maxKey), int(m >> valueShift)
	}
	l := (*[2]uint64)(unsafe.Add(r.p, at))
	return at + wideSize, int(l[0]), int(l[1])
}

func (r record) size() int {
	at, key, value := r.layout()
	return at + key + value
}

// key is the key; it points into the record.
func (r record) key() []byte {
	at, n, _ := r.layout()
	return unsafe.Slice((*byte)(unsafe.Add(r.p, at)), n)
}

// value is the value's bytes; they are the record's.
func (r record) value() []byte {
	at, key, n := r.layout()
	return unsafe.Slice((*byte)(unsafe.Add(r.p, at+key)), n)
}

// expireAt is when the key dies in Unix ms, 0 for never.
func (r record) expireAt() int64 {
	if r.meta()&metaTimed == 0 {
		return 0
	}
	w := *r.word()
	if w&farTime != 0 {
		return int64(w &^ farTime)
	}
	if at := int64(w >> expire.PlaceBits); at != noDeadline {
		return at
	}
	return 0
}

// setExpireAt is for a timed record, and leaves the place in the wheel alone.
func (r record) setExpireAt(at int64) {
	w := r.word()
	switch {
	case at == 0:
		at = noDeadline
	case at >= noDeadline:
		*w = farTime | uint64(at)
		return
	}
	*w = uint64(at)<<expire.PlaceBits | uint64(r.wheelPlace())
}

// wheelPlace is where the record lies in the wheel, 0 for nowhere.
func (r record) wheelPlace() uint32 {
	if w := *r.word(); r.meta()&metaTimed != 0 && w&farTime == 0 {
		return uint32(w) & (1<<expire.PlaceBits - 1)
	}
	return 0
}

func (r record) setWheelPlace(place uint32) {
	w := r.word()
	*w = *w>>expire.PlaceBits<<expire.PlaceBits | uint64(place)
}

// sameCell reports whether records of both sizes get cells of the same size.
func sameCell(a, b int) bool {
	return a <= slab.MaxCell && b <= slab.MaxCell && slab.Cell(a) == slab.Cell(b)
}
