package store

import (
	"math/bits"
	"unsafe"
)

// dict is a hash table of entries. A bucket is one cache line: seven entries
// and a byte of each one's hash, so that a look-up touches the bucket, the
// entry it finds, and nothing else (as the tables of Valkey 8.1 do). What does
// not fit is chained to the last entry.
//
// The table grows and shrinks whole: with 256 shards it stays small. Scanning
// uses Redis' reverse-binary cursor, so that an entry present from start to end
// of a scan is returned even when the table is resized in between (Pieter
// Noordhuis, dict.c dictScan).
type dict struct {
	buckets []bucket // length is a power of two
	n       int
}

const slots = 7

type bucket struct {
	tags    [8]uint8 // of the entries' hashes, 0 where there is none; the last is not used
	entries [slots]*Entry
}

var _ [64 - unsafe.Sizeof(bucket{})]struct{} // it does fit a cache line

const (
	minBuckets = 1
	// fullAt and emptyAt are entries per bucket at which the table grows and
	// shrinks. Of random hashes at 4.5 a bucket, one in eight has an entry too many.
	fullAt  = 4.5
	emptyAt = 0.5
)

// tag is the byte of a hash that a bucket keeps: from the end that does not
// choose the bucket.
func tag(hash uint64) uint8 { return uint8(hash>>56) | 1 }

func (d *dict) bucket(hash uint64) *bucket { return &d.buckets[hash&uint64(len(d.buckets)-1)] }

func (d *dict) find(hash uint64, key []byte) *Entry {
	if d.n == 0 {
		return nil
	}
	b := d.bucket(hash)
	t := tag(hash)
	for i, e := range b.entries {
		if b.tags[i] == t && e.hash == hash && e.key == string(key) {
			return e
		}
	}
	if last := b.entries[slots-1]; last != nil {
		for e := last.next; e != nil; e = e.next {
			if e.hash == hash && e.key == string(key) {
				return e
			}
		}
	}
	return nil
}

// findHash returns an entry of that hash, whatever its key; there hardly ever is
// a second.
func (d *dict) findHash(hash uint64) *Entry {
	if d.n == 0 {
		return nil
	}
	b := d.bucket(hash)
	for _, e := range b.entries {
		if e != nil && e.hash == hash {
			return e
		}
	}
	if last := b.entries[slots-1]; last != nil {
		for e := last.next; e != nil; e = e.next {
			if e.hash == hash {
				return e
			}
		}
	}
	return nil
}

func (d *dict) insert(e *Entry) {
	if float64(d.n) >= fullAt*float64(len(d.buckets)) {
		d.resize(max(minBuckets, 2*len(d.buckets)))
	}
	d.bucket(e.hash).insert(e)
	d.n++
}

func (b *bucket) insert(e *Entry) {
	for i := range b.entries {
		if b.entries[i] == nil {
			b.entries[i], b.tags[i] = e, tag(e.hash)
			return
		}
	}
	last := b.entries[slots-1]
	e.next, last.next = last.next, e
}

func (d *dict) remove(e *Entry) {
	b := d.bucket(e.hash)
	d.n--
	b.remove(e)
	if len(d.buckets) > minBuckets && float64(d.n) < emptyAt*float64(len(d.buckets)) {
		d.resize(len(d.buckets) / 2)
	}
}

func (b *bucket) remove(e *Entry) {
	last := b.entries[slots-1]
	for i := range b.entries {
		if b.entries[i] != e {
			continue
		}
		// The first of the chain takes the place; the rest stays with the last entry.
		var heir *Entry
		if last != nil {
			heir = last.next
		}
		switch {
		case heir == nil:
			b.entries[i], b.tags[i] = nil, 0
			return
		case e != last:
			last.next, heir.next = heir.next, nil
		}
		b.entries[i], b.tags[i] = heir, tag(heir.hash)
		e.next = nil
		return
	}
	p := &last.next
	for *p != e {
		p = &(*p).next
	}
	*p, e.next = e.next, nil
}

// each visits the bucket's entries. visit may not change the bucket.
func (b *bucket) each(visit func(*Entry)) {
	for _, e := range b.entries {
		if e != nil {
			visit(e)
		}
	}
	if last := b.entries[slots-1]; last != nil {
		for e := last.next; e != nil; e = e.next {
			visit(e)
		}
	}
}

// each visits all entries. visit may not change the dict.
func (d *dict) each(visit func(*Entry)) {
	for i := range d.buckets {
		d.buckets[i].each(visit)
	}
}

func (d *dict) resize(n int) {
	old := d.buckets
	d.buckets = make([]bucket, n)
	for i := range old {
		b := &old[i]
		var chain *Entry
		if last := b.entries[slots-1]; last != nil {
			chain, last.next = last.next, nil
		}
		for _, e := range b.entries {
			if e != nil {
				d.bucket(e.hash).insert(e)
			}
		}
		for chain != nil {
			e := chain
			chain, e.next = e.next, nil
			d.bucket(e.hash).insert(e)
		}
	}
}

// scan visits the bucket of the cursor and returns the next cursor, 0 at the
// end. visit must not change the dict.
func (d *dict) scan(cursor uint64, visit func(*Entry)) uint64 {
	if len(d.buckets) == 0 {
		return 0
	}
	mask := uint64(len(d.buckets) - 1)
	d.buckets[cursor&mask].each(visit)
	cursor |= ^mask
	cursor = bits.Reverse64(cursor)
	cursor++
	return bits.Reverse64(cursor)
}

// random returns an entry, roughly uniformly; nil when empty.
func (d *dict) random(rnd func() uint64) *Entry {
	if d.n == 0 {
		return nil
	}
	mask := uint64(len(d.buckets) - 1)
	for i := rnd() & mask; ; i = (i + 1) & mask {
		// Each entry of the bucket replaces the one before with falling chance.
		var chosen *Entry
		n := uint64(0)
		r := rnd()
		d.buckets[i].each(func(e *Entry) {
			n++
			if r%n == 0 {
				chosen = e
			}
			r = r*6364136223846793005 + 1442695040888963407 // Knuth's MMIX
			r ^= r >> 33
		})
		if chosen != nil {
			return chosen
		}
	}
}
