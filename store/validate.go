package store

import (
	"errors"
	"fmt"

	"github.com/nearcache/nearcache/store/slab"
)

// Validate walks over everything that the keyspace holds and returns the first
// thing that is not as it should be. It locks shard after shard, each for as
// long as its keys take; no Tx may hold one meanwhile that waits for this one.
func (ks *Keyspace) Validate() error {
	for i := range ks.shards {
		sh := &ks.shards[i]
		sh.wait()
		err := ks.validate(i, sh)
		sh.Unlock()
		if err != nil {
			return fmt.Errorf("shard %d: %w", i, err)
		}
	}
	for g := range ks.cells {
		if err := ks.validateCells(g); err != nil {
			return fmt.Errorf("group %d: %w", g, err)
		}
	}
	return nil
}

// validateCells compares the cells of a group of shards with what its records take.
func (ks *Keyspace) validateCells(g int) error {
	shards := ks.shards[g*groupShards : (g+1)*groupShards]
	sum := int64(0)
	for i := range shards {
		shards[i].Lock()
		defer shards[i].Unlock()
		for _, s := range shards[i].dbs {
			if s != nil {
				sum += s.cellBytes
				if s.cells != ks.cells[g] {
					return errors.New("a space has cells of another group")
				}
			}
		}
	}
	ks.upkeep.dead.Lock()
	defer ks.upkeep.dead.Unlock()
	for _, s := range ks.upkeep.dead.spaces {
		if s.cells == ks.cells[g] {
			sum += s.cellBytes
		}
	}
	if used, _ := ks.cells[g].sizes(); used != sum {
		return fmt.Errorf("%d bytes of cells are in use, records take %d", used, sum)
	}
	return nil
}

func (ks *Keyspace) validate(i int, sh *shard) error {
	sum := int64(0)
	next := int64(0)
	for db, s := range sh.dbs {
		if s == nil {
			continue
		}
		if s.shard != sh || s.db != db || s.dead || s.touched {
			return fmt.Errorf("db %d: of db %d, dead %t, touched %t", db, s.db, s.dead, s.touched)
		}
		if err := s.validate(ks, i); err != nil {
			return fmt.Errorf("db %d: %w", db, err)
		}
		if n, heap := s.holds(); n != s.counted || heap != s.onHeap {
			return fmt.Errorf("db %d: holds %d bytes, %d on the Go heap; %d and %d are accounted", db, n, heap, s.counted, s.onHeap)
		}
		sum += s.counted
		if at := s.wheel.Next(); at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	if sum != sh.bytes.Load() {
		return fmt.Errorf("holds %d bytes, %d are accounted", sum, sh.bytes.Load())
	}
	if at := sh.nextExpiry.Load(); next != 0 && (at == 0 || at > next) {
		return fmt.Errorf("something is due at %d, it says %d", next, at)
	}
	return nil
}

func (s *space) validate(ks *Keyspace, shard int) error {
	index, err := s.table.validate()
	if err != nil {
		return err
	}
	if err := s.wheel.Validate(); err != nil {
		return err
	}
	if index != s.table.bytes {
		return fmt.Errorf("the table takes %d bytes, %d are accounted", index, s.table.bytes)
	}
	var cells, spans, objects int64
	var volatile, partial, filed, held, compressed int
	seen := map[uint32]bool{}
	s.each(func(ref slab.Ref) {
		r := s.record(ref)
		fail := func(format string, args ...any) {
			if err == nil {
				err = fmt.Errorf("key %.100q: %w", r.key(), fmt.Errorf(format, args...))
			}
		}
		m := r.meta()
		if m&metaOpen != 0 {
			fail("is open")
		}
		if ks.snap.Load() == nil && m&metaEpoch != ks.epoch {
			fail("is not saved, and there is no snapshot")
		}
		if shardOf(r.key()) != shard || s.find(tagOf(ks.hash(r.key())), r.key()) != ref {
			fail("is not found")
		}
		at, key, value := r.layout()
		if isWide(key, value) != (m&metaWide != 0) {
			fail("of %d and %d bytes, wide: %t", key, value, m&metaWide != 0)
		}
		if n := at + key + value; n <= slab.MaxCell {
			cells += int64(slab.Cell(n))
		} else if span := s.spans[ref]; span == nil || span.Cap() < n {
			fail("has no span of %d bytes", n)
		} else {
			spans += int64(span.Cap())
		}
		if m&metaTimed != 0 {
			if r.expireAt() == 0 && m&metaParts == 0 {
				fail("has room for a time, and none")
			}
			place := r.wheelPlace()
			if place != 0 {
				filed++
				if !s.wheel.Holds(ref, place) {
					fail("is not in the wheel")
				}
			} else if t := r.expireAt(); t < noDeadline {
				fail("of a time to live is in no wheel")
			}
			if t := r.expireAt(); t != 0 {
				volatile++
				if place != 0 && t < noDeadline && s.wheel.Late(place, t) {
					fail("comes up too late for %d", t)
				}
			}
		}
		if m&metaParts != 0 {
			partial++
		}
		switch r.place() {
		case onHeap:
			i := objectOf(r)
			if value != numberSize || int(i) >= len(s.objects) || s.objects[i].object == nil || seen[i] {
				fail("has object %d of %d", i, len(s.objects))
				return
			}
			seen[i] = true
			held++
			h := &s.objects[i]
			if h.size != h.object.Size() || h.object.Type().ID != r.typ() {
				fail("a %s of %d bytes, %d accounted", h.object.Type().Name, h.object.Size(), h.size)
			}
			objects += int64(h.size)
		case squeezed:
			compressed++
			if b, err := ks.text.codec.Load().Decompress(nil, r.value()); err != nil {
				fail("is compressed: %w", err)
			} else if len(b) <= value {
				fail("is compressed from %d bytes to %d", len(b), value)
			}
		default:
			if t := typeOf[r.typ()]; t == nil {
				fail("is of no type")
			}
		}
	})
	if err != nil {
		return err
	}
	if n := s.cellBytes; n != cells || s.spanBytes != spans || s.objectBytes != objects {
		return fmt.Errorf("records take %d bytes in cells, %d in spans, %d as objects; accounted are %d, %d, %d",
			cells, spans, objects, n, s.spanBytes, s.objectBytes)
	}
	if held+len(s.freeObjects) != len(s.objects) || filed != s.wheel.Len() {
		return fmt.Errorf("%d objects and %d free of %d; %d in the wheel of %d", held, len(s.freeObjects), len(s.objects), filed, s.wheel.Len())
	}
	if compressed != s.squeezed {
		return fmt.Errorf("%d values are compressed, it says %d", compressed, s.squeezed)
	}
	if volatile != s.volatile || partial != s.partial {
		return fmt.Errorf("%d keys are volatile and %d in part, it says %d and %d", volatile, partial, s.volatile, s.partial)
	}
	if len(s.spans) > s.n {
		return errors.New("spans are left over")
	}
	return nil
}

// validate looks at the structure of a table and returns the bytes that it takes.
func (t *table) validate() (used int64, err error) {
	n := 0
	for i := 0; i < len(t.dir); {
		s := &t.dir[i]
		if s.depth > t.depth || t.first(i) != i {
			return 0, fmt.Errorf("segment at %d has depth %d of %d", i, s.depth, t.depth)
		}
		span := 1 << (t.depth - s.depth)
		for k := range span {
			if o := &t.dir[i+k]; o.ref != s.ref || o.size != s.size || o.depth != s.depth {
				return 0, fmt.Errorf("segment at %d is not the one at %d", i+k, i)
			}
		}
		in := uint32(0)
		for b := range s.size {
			for j, x := range s.bucket(b) {
				if x == 0 {
					continue
				}
				in++
				if j > 0 && s.bucket(b)[j-1] == 0 {
					return 0, fmt.Errorf("segment at %d, bucket %d: a hole before slot %d", i, b, j)
				}
				if got, _ := t.segmentOf(x.tag()); got.ref != s.ref {
					return 0, fmt.Errorf("segment at %d holds a tag of another", i)
				}
				for h := s.home(x.tag()); h != b; h = s.next(h) {
					if !s.bucket(h).full() {
						return 0, fmt.Errorf("segment at %d: a slot in bucket %d of home %d, bucket %d is not full", i, b, s.home(x.tag()), h)
					}
				}
			}
		}
		if in != s.n || in*fullDen > s.capacity()*fullNum {
			return 0, fmt.Errorf("segment at %d: %d slots in use of %d, says %d", i, in, s.capacity(), s.n)
		}
		n += int(in)
		used += int64(s.size) * bucketSize
		i += span
	}
	if n != t.n {
		return 0, fmt.Errorf("%d records, says %d", n, t.n)
	}
	return used, nil
}
