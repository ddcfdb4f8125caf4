package store

import "math/bits"

// dict is a chained hash table of entries. It grows and shrinks whole: with
// 256 shards a table stays small. Scanning uses Redis' reverse-binary cursor,
// so that an entry present from start to end of a scan is returned even when
// the table is resized in between (Pieter Noordhuis, dict.c dictScan).
type dict struct {
	buckets []*Entry // length is a power of two
	n       int
}

const minBuckets = 4

func (d *dict) find(hash uint64, key []byte) *Entry {
	if d.n == 0 {
		return nil
	}
	for e := d.buckets[hash&uint64(len(d.buckets)-1)]; e != nil; e = e.next {
		if e.hash == hash && e.key == string(key) {
			return e
		}
	}
	return nil
}

func (d *dict) insert(e *Entry) {
	if d.n >= len(d.buckets) {
		d.resize(max(minBuckets, 2*len(d.buckets)))
	}
	b := &d.buckets[e.hash&uint64(len(d.buckets)-1)]
	e.next, *b = *b, e
	d.n++
}

func (d *dict) remove(e *Entry) {
	p := &d.buckets[e.hash&uint64(len(d.buckets)-1)]
	for *p != e {
		p = &(*p).next
	}
	*p, e.next = e.next, nil
	d.n--
	if len(d.buckets) > minBuckets && d.n < len(d.buckets)/8 {
		d.resize(len(d.buckets) / 2)
	}
}

func (d *dict) resize(n int) {
	old := d.buckets
	d.buckets = make([]*Entry, n)
	mask := uint64(n - 1)
	for _, e := range old {
		for e != nil {
			next := e.next
			b := &d.buckets[e.hash&mask]
			e.next, *b = *b, e
			e = next
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
	for e := d.buckets[cursor&mask]; e != nil; e = e.next {
		visit(e)
	}
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
	i := rnd() & mask
	for d.buckets[i] == nil {
		i = (i + 1) & mask
	}
	n := 0
	for e := d.buckets[i]; e != nil; e = e.next {
		n++
	}
	e := d.buckets[i]
	for k := int(rnd() % uint64(n)); k > 0; k-- {
		e = e.next
	}
	return e
}
