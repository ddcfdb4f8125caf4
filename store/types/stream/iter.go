package stream

// Iter walks over the entries of a stream that are not deleted. It is made by
// Range and void once the stream changes.
//
//	for v.Range(&it, from, to); it.Next(); {
//		for range it.Fields {
//			name, value := it.Field()
//		}
//	}
//
// Not all fields need be read.
type Iter struct {
	ID     ID  // of the entry
	Fields int // how many it has

	v        *Value
	b        *block
	c        cursor
	at       place
	from, to ID
	left     int // fields of the entry that have not been read
	name     int // where the next name is, with flagSame
	numbers  [2][20]byte
}

// Find goes to the entry of an ID; false where there is none. IDs that ascend and
// are near each other cost one walk over their blocks. The Iter must be new, or
// have been used for Find on the same Value before.
func (it *Iter) Find(v *Value, id ID) bool {
	if b := it.b; b == nil || b.last.Less(id) || !it.ID.Less(id) {
		v.Range(it, id, MaxID)
	}
	it.from = id
	return it.Next() && it.ID == id
}

// Range makes it walk over the entries from one ID to another, both included.
func (v *Value) Range(it *Iter, from, to ID) {
	it.v, it.from, it.to = v, from, to
	it.at = v.seek(from)
	if it.b = v.at(it.at); it.b != nil {
		it.c = it.b.begin()
	}
	it.left = 0
}

// Next goes to the next entry; false where there is none.
func (it *Iter) Next() bool {
	b := it.b
	for b != nil {
		it.rest()
		if !b.next(&it.c) {
			it.at = it.v.after(it.at)
			if b = it.v.at(it.at); b != nil {
				it.c = b.begin()
			}
			it.b = b
			continue
		}
		if it.to.Less(it.c.id) {
			it.b = nil
			return false
		}
		if it.c.flags&flagDead != 0 || it.c.id.Less(it.from) {
			b.skip(&it.c)
			continue
		}
		it.enter()
		return true
	}
	return false
}

// enter makes the cursor's entry the current one.
func (it *Iter) enter() {
	it.ID, it.Fields, it.left = it.c.id, it.c.n, it.c.n
	it.c.pos = it.c.values
	it.name = 0
}

// rest skips the fields that have not been read.
func (it *Iter) rest() {
	if it.left == 0 {
		return
	}
	n := it.left
	if it.c.flags&flagSame == 0 {
		n *= 2
	}
	p := it.c.pos
	for range n {
		p = skipString(it.b.data, p)
	}
	it.c.pos, it.left = p, 0
}

// Field returns the name and value of the entry's next field, valid until the
// next call.
func (it *Iter) Field() (name, value []byte) {
	data := it.b.data
	if it.c.flags&flagSame != 0 {
		name, it.name = readString(data, it.name, it.numbers[0][:0])
	} else {
		name, it.c.pos = readString(data, it.c.pos, it.numbers[0][:0])
	}
	value, it.c.pos = readString(data, it.c.pos, it.numbers[1][:0])
	it.left--
	return name, value
}

// Reverse is an Iter that goes backwards. It is made by [Value.Reverse].
type Reverse struct {
	Iter
	block [MaxBlockEntries]cursor // the entries of the current block
	n     int                     // how many of them are left
}

// Reverse is Range from the greatest to the least.
func (v *Value) Reverse(it *Reverse, from, to ID) {
	it.v, it.from, it.to = v, from, to
	it.at = v.seek(to)
	it.b = v.at(it.at)
	it.gather()
}

// gather notes where the entries of the current block are.
func (it *Reverse) gather() {
	it.n = 0
	if it.b == nil {
		return
	}
	for c := it.b.begin(); it.b.next(&c); it.b.skip(&c) {
		if it.to.Less(c.id) {
			break
		}
		if c.flags&flagDead == 0 && !c.id.Less(it.from) {
			it.block[it.n] = c
			it.n++
		}
	}
}

// Next goes to the entry before; false where there is none.
func (it *Reverse) Next() bool {
	for it.n == 0 {
		if it.b == nil || !it.from.Less(it.b.first) {
			it.b = nil
			return false
		}
		it.at = it.v.before(it.at)
		it.b = it.v.at(it.at)
		it.gather()
	}
	it.n--
	it.c = it.block[it.n]
	it.enter()
	return true
}

// Count is the number of entries from one ID to another, both included, but at
// most limit where that is greater than 0. It looks into the first and last
// block only.
func (v *Value) Count(from, to ID, limit int64) int64 {
	n := int64(0)
	for p := v.seek(from); limit <= 0 || n < limit; p = v.after(p) {
		b := v.at(p)
		if b == nil || to.Less(b.first) {
			break
		}
		if !b.first.Less(from) && !to.Less(b.last) {
			n += int64(b.live)
			continue
		}
		for c := b.begin(); b.next(&c); b.skip(&c) {
			if to.Less(c.id) {
				break
			}
			if c.flags&flagDead == 0 && !c.id.Less(from) {
				n++
			}
		}
	}
	if limit > 0 {
		n = min(n, limit)
	}
	return n
}
