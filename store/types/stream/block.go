package stream

import (
	"encoding/binary"
	"math"
	"strconv"
)

// The limits of a block: Redis' defaults of stream-node-max-entries and
// stream-node-max-bytes, the latter counted in bytes of its listpack.
const (
	MaxBlockEntries = 100
	MaxBlockBytes   = 4096
)

// block is a run of entries. An entry is
//
//	flags   1 byte
//	ms      uvarint, the difference to the entry before; with flagMs
//	seq     uvarint; with flagSeq. After the same ms, how many numbers are left
//	        out; otherwise the number itself
//	n       uvarint, the number of fields; without flagSame
//	values  n times a string; without flagSame each behind its field's name
//
// and a string is a uvarint, of which the lowest bit says that the rest is the
// zigzag of an integer; otherwise it is the length of the bytes that follow.
type block struct {
	first, last ID     // tombstones included
	data        []byte // number and names of fields, then the entries
	listpack    int32  // the size of the same in Redis
	body        int32  // where the entries begin in data
	live, dead  int16  // entries and tombstones
	fields      int32  // of the first entry
}

const (
	flagDead = 1 << iota // a tombstone
	flagSame             // the names of the fields are the block's
	flagMs               // another ms than the entry before
	flagSeq              // another number than the expected one
)

// maxPacked bounds the integers that are kept as such: their zigzag, shifted,
// fits 64 bits.
const maxPacked = 1 << 61

// integer reads a value that is a decimal integer as Redis' listpack does: its
// text can be made again from the number.
func integer(s []byte) (int64, bool) {
	n := len(s)
	if n == 0 || n > 20 {
		return 0, false
	}
	c := s[0]
	neg := c == '-'
	if neg {
		if s = s[1:]; len(s) == 0 {
			return 0, false
		}
		c = s[0]
	}
	if c < '1' || c > '9' {
		return 0, c == '0' && n == 1
	}
	var u uint64
	for _, c := range s {
		d := uint64(c - '0')
		if d > 9 || u > (math.MaxUint64-d)/10 {
			return 0, false
		}
		u = u*10 + d
	}
	if neg {
		return -int64(u), u <= 1<<63
	}
	return int64(u), u <= math.MaxInt64
}

// appendString appends s to the data and returns what it takes in a listpack.
func appendString(b, s []byte) ([]byte, int) {
	if v, ok := integer(s); ok {
		if v > -maxPacked && v < maxPacked {
			return binary.AppendUvarint(b, uint64(v<<1^v>>63)<<1|1), listpackInt(v)
		}
		b = binary.AppendUvarint(b, uint64(len(s))<<1)
		return append(b, s...), listpackInt(v)
	}
	b = binary.AppendUvarint(b, uint64(len(s))<<1)
	n := len(s)
	switch {
	case n < 64:
		n++
	case n < 4096:
		n += 2
	default:
		n += 5
	}
	switch { // the length again, to be read from behind
	case n < 1<<7:
		n++
	case n < 1<<14:
		n += 2
	case n < 1<<21:
		n += 3
	case n < 1<<28:
		n += 4
	default:
		n += 5
	}
	return append(b, s...), n
}

// listpackInt is what an integer takes in a listpack.
func listpackInt(v int64) int {
	switch {
	case v >= 0 && v <= 127:
		return 2
	case v >= -1<<12 && v < 1<<12:
		return 3
	case v >= -1<<15 && v < 1<<15:
		return 4
	case v >= -1<<23 && v < 1<<23:
		return 5
	case v >= -1<<31 && v < 1<<31:
		return 6
	}
	return 10
}

// uvarint reads a number of data at p and returns where it ends.
func uvarint(data []byte, p int) (uint64, int) {
	if x := data[p]; x < 0x80 {
		return uint64(x), p + 1
	}
	x, n := binary.Uvarint(data[p:])
	return x, p + n
}

// skipString returns where the string at p ends.
func skipString(data []byte, p int) int {
	h, p := uvarint(data, p)
	if h&1 == 0 {
		p += int(h >> 1)
	}
	return p
}

// readString returns the string at p, and where it ends. An integer is written
// to buf.
func readString(data []byte, p int, buf []byte) ([]byte, int) {
	h, p := uvarint(data, p)
	if h&1 == 0 {
		n := int(h >> 1)
		return data[p : p+n : p+n], p + n
	}
	h >>= 1
	return strconv.AppendInt(buf, int64(h>>1)^-int64(h&1), 10), p
}

// listpackHead is what a listpack with a master entry takes beside the names:
// header, end, the two counts, the number of fields and the end of the master.
const listpackHead = 6 + 1 + 2 + 2 + 2

// start makes the block ready for its first entry.
func (b *block) start(id ID, pairs [][]byte) {
	n := len(pairs) / 2
	b.first, b.last = id, ID{id.Ms, id.Seq - 1}
	b.fields = int32(n)
	size := listpackHead + listpackInt(int64(n))
	for i := 0; i < len(pairs); i += 2 {
		var k int
		b.data, k = appendString(b.data, pairs[i])
		size += k
	}
	b.body, b.listpack = int32(len(b.data)), int32(size)
}

// sameFields reports whether the names are the block's own.
func (b *block) sameFields(pairs [][]byte) bool {
	if len(pairs) != 2*int(b.fields) {
		return false
	}
	var buf [20]byte
	p := 0
	for i := 0; i < len(pairs); i += 2 {
		var name []byte
		if name, p = readString(b.data, p, buf[:0]); string(name) != string(pairs[i]) {
			return false
		}
	}
	return true
}

// full reports whether an entry of that many bytes begins a block of its own.
func (b *block) full(size int) bool {
	return int(b.listpack)+size >= MaxBlockBytes || int(b.live)+int(b.dead) >= MaxBlockEntries
}

// append adds an entry behind the last one.
func (b *block) append(id ID, pairs [][]byte) {
	head := len(b.data)
	flags := byte(0)
	b.data = append(b.data, 0)
	if id.Ms != b.last.Ms {
		flags |= flagMs
		b.data = binary.AppendUvarint(b.data, id.Ms-b.last.Ms)
		if id.Seq != 0 {
			flags |= flagSeq
			b.data = binary.AppendUvarint(b.data, id.Seq)
		}
	} else if skipped := id.Seq - b.last.Seq - 1; skipped != 0 {
		flags |= flagSeq
		b.data = binary.AppendUvarint(b.data, skipped)
	}
	n := len(pairs) / 2
	size := 2 + listpackInt(int64(id.Ms-b.first.Ms)) + listpackInt(int64(id.Seq-b.first.Seq))
	count := n + 3
	if b.sameFields(pairs) {
		flags |= flagSame
		for i := 1; i < len(pairs); i += 2 {
			var k int
			b.data, k = appendString(b.data, pairs[i])
			size += k
		}
	} else {
		b.data = binary.AppendUvarint(b.data, uint64(n))
		size += listpackInt(int64(n))
		count += n + 1
		for _, s := range pairs {
			var k int
			b.data, k = appendString(b.data, s)
			size += k
		}
	}
	b.data[head] = flags
	b.listpack += int32(size + listpackInt(int64(count)))
	b.last = id
	b.live++
}

// seal gives back the room to grow: nothing comes behind the last entry again.
func (b *block) seal() {
	if cap(b.data) > len(b.data)+len(b.data)/16 {
		b.data = append(make([]byte, 0, len(b.data)), b.data...)
	}
}

// cursor walks over the entries of a block.
type cursor struct {
	pos    int // of the next entry
	id     ID  // of the entry, before the first call of next: of the one before
	at     int // where its flags are
	values int // where its fields and values, or its values, begin
	n      int // fields
	flags  byte
}

// begin puts the cursor before the block's first entry.
func (b *block) begin() cursor {
	return cursor{pos: int(b.body), id: ID{b.first.Ms, b.first.Seq - 1}}
}

// next reads the head of the next entry; false at the end. The fields of the
// entry before must have been skipped.
func (b *block) next(c *cursor) bool {
	p := c.pos
	if p >= len(b.data) {
		return false
	}
	c.at = p
	flags := b.data[p]
	c.flags = flags
	p++
	var x uint64
	if flags&flagMs != 0 {
		x, p = uvarint(b.data, p)
		c.id.Ms += x
		c.id.Seq = 0
		if flags&flagSeq != 0 {
			c.id.Seq, p = uvarint(b.data, p)
		}
	} else {
		c.id.Seq++
		if flags&flagSeq != 0 {
			x, p = uvarint(b.data, p)
			c.id.Seq += x
		}
	}
	if flags&flagSame != 0 {
		c.n = int(b.fields)
	} else {
		x, p = uvarint(b.data, p)
		c.n = int(x)
	}
	c.values = p
	return true
}

// skip moves the cursor behind the entry's fields.
func (b *block) skip(c *cursor) {
	n := c.n
	if c.flags&flagSame == 0 {
		n *= 2
	}
	p := c.values
	for range n {
		p = skipString(b.data, p)
	}
	c.pos = p
}

// find looks for an entry that is not deleted.
func (b *block) find(id ID) (cursor, bool) {
	c := b.begin()
	for b.next(&c) {
		if !c.id.Less(id) {
			return c, c.id == id && c.flags&flagDead == 0
		}
		b.skip(&c)
	}
	return c, false
}
