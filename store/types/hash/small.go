package hash

import "encoding/binary"

// A small hash is a byte of flags, the number of fields, and the fields: with
// flagTimed when each dies (Unix ms, 0 for never), then length of the name, name,
// length of the value, value. Lengths are varints.
const (
	headLen   = 3
	flagTable = 1 // Redis would call it a hashtable
	flagTimed = 2 // fields may have a time to live

	timeLen  = 8
	maxSmall = 128      // fields of one in a record, or with long fields
	maxBytes = 16 << 10 // of all of these
	maxValue = 8 << 10  // of a name or a value
)

func (v *Value) timed() bool { return v.small[0]&flagTimed != 0 }

// place is where a field of a small hash lies.
type place struct {
	at         int64 // when it dies
	start      int
	name       int
	value      int // of its length
	valueStart int
	end        int
}

// placeAt reads the field that starts at off.
func (v *Value) placeAt(off int) (p place) {
	b := v.small
	p.start = off
	if v.timed() {
		p.at = int64(binary.LittleEndian.Uint64(b[off:]))
		off += timeLen
	}
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
	return stringOf(v.small[p.name:p.value]), v.small[p.valueStart:p.end:p.end]
}

// findSmall looks a field up.
func (v *Value) findSmall(name []byte) (p place, ok bool) {
	b := v.small
	skip := 0
	if v.timed() {
		skip = timeLen
	}
	for off := headLen; off < len(b); {
		n, at := lengthAt(b, off+skip)
		if n == len(name) && string(b[at:at+n]) == string(name) {
			return v.placeAt(off), true
		}
		size, start := lengthAt(b, at+n)
		off = start + size
	}
	return place{}, false
}

// fits reports whether a small hash may take a new field, or another value for one
// that it has.
func (v *Value) fits(name, value []byte, isNew bool) bool {
	if v.small[0]&flagTable == 0 {
		return !isNew || v.n < MaxListpackFields
	}
	return len(name) <= maxValue && len(value) <= maxValue && v.n <= maxSmall &&
		len(v.small)+len(name)+len(value)+timeLen+6 <= maxBytes && (!isNew || v.n < maxSmall)
}

// setSmall is set for a hash that fits.
func (v *Value) setSmall(name, value []byte, p place, there, keep bool) {
	switch {
	case !there:
		v.insert(len(v.small), 0, name, value)
	case p.at != 0 && !keep: // behind those that have a time
		v.change(p.start, p.end, 0)
		v.setLen(v.n - 1)
		v.insert(len(v.small), 0, name, value)
	case p.end-p.valueStart == len(value):
		copy(v.small[p.valueStart:], value)
	default:
		gap := v.change(p.value, p.end, lengthSize(len(value))+len(value))
		copy(gap[binary.PutUvarint(gap, uint64(len(value))):], value)
	}
}

// insert puts a field at an offset.
func (v *Value) insert(off int, at int64, name, value []byte) {
	size := lengthSize(len(name)) + len(name) + lengthSize(len(value)) + len(value)
	if v.timed() {
		size += timeLen
	}
	gap := v.change(off, off, size)
	if v.timed() {
		binary.LittleEndian.PutUint64(gap, uint64(at))
		gap = gap[timeLen:]
	}
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

// offsets appends where the fields of a small hash start.
func (v *Value) offsets(dst []int32) []int32 {
	for off := headLen; off < len(v.small); {
		dst = append(dst, int32(off))
		off = v.placeAt(off).end
	}
	return dst
}

// time makes room for a time to live in each field.
func (v *Value) time() {
	if v.timed() {
		return
	}
	old := v.small
	b := make([]byte, headLen, len(old)+timeLen*v.n+32)
	copy(b, old)
	b[0] |= flagTimed
	for off := headLen; off < len(old); {
		p := v.placeAt(off)
		b = append(b, make([]byte, timeLen)...)
		b = append(b, old[off:p.end]...)
		off = p.end
	}
	v.small, v.own = b, b
}

// setExpirySmall gives the field at a place a time to live, and the place that
// goes with it.
func (v *Value) setExpirySmall(p place, at int64) {
	if p.at == at {
		return
	}
	var room [2 * MaxListpackBytes]byte
	field := append(room[:0], v.small[p.name-lengthSize(p.value-p.name):p.end]...)
	v.change(p.start, p.end, 0)
	off := len(v.small)
	if at != 0 {
		for off = headLen; off < len(v.small); {
			q := v.placeAt(off)
			if q.at == 0 || q.at >= at {
				break
			}
			off = q.end
		}
	}
	gap := v.change(off, off, timeLen+len(field))
	binary.LittleEndian.PutUint64(gap, uint64(at))
	copy(gap[timeLen:], field)
}
