package hash

import (
	"encoding/binary"
	"unsafe"
)

// A small hash is a byte of flags, the number of fields, and the fields in the
// order in which they came: length of the name, name, length of the value,
// value. Lengths are varints. Flags that are not named here are free: a field's
// own time to live would be one, with eight bytes more before each name.
const (
	headLen   = 3
	flagTable = 1 // Redis would call it a hashtable

	maxSmall = 128      // fields
	maxBytes = 16 << 10 // of all
	maxValue = 8 << 10  // of a name or a value
)

// place is where a field of a small hash lies.
type place struct {
	start      int // of the field, the name's length first
	name       int
	value      int // of its length
	valueStart int
	end        int
}

// placeAt reads the field that starts at off.
func placeAt(b []byte, off int) (p place) {
	p.start = off
	n, at := lengthAt(b, off)
	p.name, p.value = at, at+n
	n, p.valueStart = lengthAt(b, p.value)
	p.end = p.valueStart + n
	return p
}

// lengthAt reads a length and returns the offset behind it.
func lengthAt(b []byte, off int) (n, next int) {
	if c := b[off]; c < 0x80 {
		return int(c), off + 1
	}
	u, k := binary.Uvarint(b[off:])
	return int(u), off + k
}

func lengthSize(n int) int {
	if n < 0x80 {
		return 1
	}
	if n < 0x4000 {
		return 2
	}
	return 3
}

// at are the name and value of a place.
func (v *Value) at(p place) (name string, value []byte) {
	b := v.small
	return unsafe.String(unsafe.SliceData(b[p.name:]), p.value-p.name), b[p.valueStart:p.end:p.end]
}

// findSmall looks a field up.
func (v *Value) findSmall(name string) (p place, ok bool) {
	b := v.small
	for off := headLen; off < len(b); off = p.end {
		n, at := lengthAt(b, off)
		if n == len(name) && string(b[at:at+n]) == name {
			return placeAt(b, off), true
		}
		size, start := lengthAt(b, at+n)
		p.end = start + size
	}
	return place{}, false
}

// fits reports whether a small hash may take a new field, or take more bytes for
// one that it has.
func (v *Value) fits(name, value []byte, isNew bool) bool {
	return len(name) <= maxValue && len(value) <= maxValue &&
		len(v.small)+len(name)+len(value)+6 <= maxBytes && (!isNew || v.n < maxSmall)
}

// setSmall is Set for a hash that fits.
func (v *Value) setSmall(name, value []byte, p place, there bool) {
	if there {
		if p.end-p.valueStart == len(value) {
			copy(v.small[p.valueStart:], value)
			return
		}
		gap := v.change(p.value, p.end, lengthSize(len(value))+len(value))
		copy(gap[binary.PutUvarint(gap, uint64(len(value))):], value)
		return
	}
	gap := v.change(len(v.small), len(v.small), lengthSize(len(name))+len(name)+lengthSize(len(value))+len(value))
	n := binary.PutUvarint(gap, uint64(len(name)))
	n += copy(gap[n:], name)
	n += binary.PutUvarint(gap[n:], uint64(len(value)))
	copy(gap[n:], value)
	v.setLen(v.n + 1)
}

func (v *Value) setLen(n int) {
	v.n = n
	binary.LittleEndian.PutUint16(v.small[1:], uint16(n))
}

// change replaces the bytes lo to hi of small by size others, which it returns.
func (v *Value) change(lo, hi, size int) []byte {
	v.last = cursor{}
	all := len(v.small) - (hi - lo) + size
	old := v.small
	if all > cap(v.small) {
		if cap(v.own) < all {
			v.own = make([]byte, 0, max(32, all+all/4))
		}
		v.small = append(v.own[:0], old...)
		v.own = v.small
	}
	v.small = v.small[:all]
	copy(v.small[lo+size:], old[hi:])
	return v.small[lo : lo+size]
}

// cursor remembers the field that At has found last, so that a walk by At costs
// no more than one through the bytes. The zero value remembers nothing.
type cursor struct{ i, off int }

// seek is the place of field i of a small hash.
func (v *Value) seek(i int) place {
	c := v.last
	if c.off == 0 || c.i > i {
		c = cursor{0, headLen}
	}
	p := placeAt(v.small, c.off)
	for ; c.i < i; c.i++ {
		p = placeAt(v.small, p.end)
	}
	v.last = cursor{i, p.start}
	return p
}
