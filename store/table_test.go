package store

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"testing"

	"github.com/nearcache/nearcache/store/slab"
)

// testTable is a table with records that have nothing but keys.
type testTable struct {
	table
	records slab.Heap
	seed    maphash.Seed
}

func newTestTable(tb testing.TB) *testTable {
	tb.Helper()
	a, err := slab.NewArena()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(a.Close)
	t := &testTable{seed: maphash.MakeSeed()}
	t.records.Init(a)
	t.arena = a
	return t
}

func (t *testTable) tag(key string) uint32 { return tagOf(maphash.String(t.seed, key)) }

func (t *testTable) add(key string) slab.Ref {
	ref := t.records.Alloc(recordSize(false, len(key), 0))
	r := record{t.arena.Pointer(ref)}
	r.setMeta(uint32(len(key)) << keyShift)
	copy(r.key(), key)
	t.insert(t.tag(key), ref)
	return ref
}

func (t *testTable) del(key string, ref slab.Ref) {
	t.remove(t.tag(key), ref)
	t.records.Free(ref, recordSize(false, len(key), 0))
}

// check validates the table; what the arena has given out is its, or the records'.
func (t *testTable) check() error {
	used, err := t.validate()
	if held := t.arena.Stats().Mapped - t.records.Held(); err == nil && (used != held || used != t.bytes) {
		err = fmt.Errorf("takes %d bytes, %d are held, says %d", used, held, t.bytes)
	}
	return err
}

func (t *testTable) key(ref slab.Ref) string { return string(record{t.arena.Pointer(ref)}.key()) }

func TestTableIsAMap(t *testing.T) {
	t.Parallel()
	d := newTestTable(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	model := map[string]slab.Ref{}
	for i := range 120_000 {
		limit := 1 + i%20_000 // the table grows, shrinks, and grows again
		if i%40_000 >= 20_000 {
			limit = 20_000 - i%20_000
		}
		key := fmt.Sprint(rnd.IntN(limit))
		ref := d.find(d.tag(key), []byte(key))
		if ref != model[key] {
			t.Fatalf("step %d: find %s: %d, want %d", i, key, ref, model[key])
		}
		switch {
		case ref == 0 && len(model) < limit:
			model[key] = d.add(key)
		case ref != 0 && rnd.IntN(4) == 0: // moves
			other := d.records.Alloc(recordSize(false, len(key), 0))
			copy(d.arena.Bytes(other, recordSize(false, len(key), 0)), d.arena.Bytes(ref, recordSize(false, len(key), 0)))
			d.replace(d.tag(key), ref, other)
			d.records.Free(ref, recordSize(false, len(key), 0))
			model[key] = other
		case ref != 0:
			d.del(key, ref)
			delete(model, key)
		}
		if i%2000 == 0 {
			if err := d.check(); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
			n := 0
			d.each(func(ref slab.Ref) {
				n++
				if model[d.key(ref)] != ref {
					t.Fatalf("step %d: %s is no more", i, d.key(ref))
				}
			})
			if n != d.n || n != len(model) {
				t.Fatalf("step %d: %d visited of %d, want %d", i, n, d.n, len(model))
			}
		}
	}
	for key, ref := range model {
		d.del(key, ref)
	}
	if d.n != 0 || d.random(rnd.Uint64) != 0 || d.bytes > slab.PageSize {
		t.Fatalf("%d records and %d bytes in the end", d.n, d.bytes)
	}
}

// TestTableHasNoSlackAtAnySize grows a table far beyond a segment and shrinks it.
func TestTableHasNoSlackAtAnySize(t *testing.T) {
	t.Parallel()
	d := newTestTable(t)
	const n = 60_000
	refs := make([]slab.Ref, n)
	sum := 0.0
	for i := range refs {
		refs[i] = d.add(fmt.Sprint("key", i))
		if i%100 == 99 && i > 1000 {
			per := float64(d.bytes) / float64(i+1)
			if sum += per; per > 13.5 {
				t.Fatalf("%d records: %.1f bytes each", i+1, per)
			}
		}
	}
	t.Logf("%.1f bytes a record on average, %d segments", sum/(n-1000)*100, len(d.dir))
	if err := d.check(); err != nil {
		t.Fatal(err)
	}
	for i := range n - 10 {
		d.del(fmt.Sprint("key", i), refs[i])
		if left := n - 1 - i; left > 200 && i%100 == 0 {
			if per := float64(d.bytes) / float64(left); per > 40 {
				t.Fatalf("%d records are left: %.1f bytes each", left, per)
			}
		}
	}
	if err := d.check(); err != nil {
		t.Fatal(err)
	}
	if len(d.dir) > 2 {
		t.Fatalf("%d segments for 10 records", len(d.dir))
	}
}

// TestTableScanVisitsOnceWhatStays resizes the table under a scan.
// TestTableReserves: room that was made for records is enough for them, and little more.
func TestTableReserves(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		d := newTestTable(t)
		for step := range 4 {
			for range rnd.IntN(3) * rnd.IntN(4000) {
				d.add(fmt.Sprint("one by one ", d.n))
			}
			more := 1 + rnd.IntN(1<<(4+rnd.IntN(12)))
			d.reserve(more)
			if err := d.check(); err != nil {
				t.Fatalf("seed %d, step %d: %v with room for %d more", seed, step, err, more)
			}
			room := d.bytes
			before := d.n
			for d.n < before+more {
				d.add(fmt.Sprint("together ", d.n))
			}
			if err := d.check(); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
			// By chance one or the other segment gets more than its share.
			if grown := d.bytes - room; grown > room/8+slab.PageSize {
				t.Errorf("seed %d, step %d: %d bytes were enough for %d of %d, then came %d", seed, step, room, before, d.n, grown)
			}
			if most := int64(d.n*8)*3/2 + int64(len(d.dir)+1)*slab.PageSize; d.bytes > most {
				t.Errorf("seed %d, step %d: %d bytes for %d records", seed, step, d.bytes, d.n)
			}
		}
	}
}

func TestTableScanVisitsOnceWhatStays(t *testing.T) {
	t.Parallel()
	for round := range uint64(6) {
		rnd := rand.New(rand.NewPCG(round, 3))
		d := newTestTable(t)
		stay := map[string]int{}
		for i := range 1000 {
			key := fmt.Sprint("stay", i)
			d.add(key)
			stay[key] = 0
		}
		type other struct {
			key string
			ref slab.Ref
		}
		var others []other
		resizes := 0
		for cursor, steps := uint32(0), 0; ; steps++ {
			if steps > 100_000 {
				t.Fatal("the scan does not end")
			}
			next, done := d.scan(cursor, func(ref slab.Ref) {
				if _, ok := stay[d.key(ref)]; ok {
					stay[d.key(ref)]++
				}
			})
			if done {
				break
			}
			if next <= cursor {
				t.Fatalf("from %d to %d", cursor, next)
			}
			cursor = next
			before := d.bytes
			switch rnd.IntN(40) {
			case 0:
				for range rnd.IntN(9000) {
					key := fmt.Sprint("other", rnd.Uint64())
					others = append(others, other{key, d.add(key)})
				}
			case 1:
				for range rnd.IntN(len(others) + 1) {
					o := others[len(others)-1]
					d.del(o.key, o.ref)
					others = others[:len(others)-1]
				}
			}
			if d.bytes != before {
				resizes++
			}
		}
		for key, n := range stay {
			if n != 1 {
				t.Fatalf("round %d: %s was there from start to end and visited %d times; %d resizes", round, key, n, resizes)
			}
		}
		if resizes == 0 {
			t.Fatalf("round %d: nothing was resized, the test says nothing", round)
		}
	}
}

func TestTableScanTakesAnyTag(t *testing.T) {
	t.Parallel()
	d := newTestTable(t)
	for i := range 5000 {
		d.add(fmt.Sprint(i))
	}
	rnd := rand.New(rand.NewPCG(15, 16))
	for range 20_000 {
		d.scan(rnd.Uint32()&maxTag, func(slab.Ref) {})
	}
	d.scan(maxTag, func(slab.Ref) {})
}

func TestTableRandomReachesEveryRecord(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 50, 4000} {
		d := newTestTable(t)
		for i := range n {
			d.add(fmt.Sprint(i))
		}
		rnd := rand.New(rand.NewPCG(5, 6))
		seen := map[slab.Ref]int{}
		for range 100 * n {
			seen[d.random(rnd.Uint64)]++
		}
		if len(seen) != n {
			t.Fatalf("%d of %d records", len(seen), n)
		}
		for _, k := range seen {
			if k < 30 || k > 300 {
				t.Fatalf("of %d, one comes %d times in %d", n, k, 100*n)
			}
		}
	}
}

// TestTableTellsEqualTagsApart by their keys.
func TestTableTellsEqualTagsApart(t *testing.T) {
	t.Parallel()
	d := newTestTable(t)
	for _, tag := range []uint32{0, 7, maxTag} {
		var refs []slab.Ref
		for i := range 200 { // far more than a bucket
			key := fmt.Sprint(tag, ":", i)
			ref := d.records.Alloc(recordSize(false, len(key), 0))
			r := record{d.arena.Pointer(ref)}
			r.setMeta(uint32(len(key)) << keyShift)
			copy(r.key(), key)
			d.insert(tag, ref)
			refs = append(refs, ref)
		}
		for i, ref := range refs {
			key := fmt.Sprint(tag, ":", i)
			if d.find(tag, []byte(key)) != ref {
				t.Fatalf("%s is lost", key)
			}
			if i%2 == 0 {
				d.remove(tag, ref)
				if d.find(tag, []byte(key)) != 0 {
					t.Fatalf("%s is still there", key)
				}
			}
		}
		if d.find(tag, nil) != 0 {
			t.Fatal("the empty key is found")
		}
		if err := d.check(); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkTableFind(b *testing.B) {
	for _, n := range []int{400, 100_000, 2_000_000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			d := newTestTable(b)
			keys := make([][]byte, n)
			for i := range keys {
				key := fmt.Sprintf("key:%012d", i)
				d.add(key)
				keys[i] = []byte(key)
			}
			var k [16]byte
			i := 0
			for b.Loop() {
				copy(k[:], keys[i])
				if d.find(tagOf(maphash.Bytes(d.seed, k[:])), k[:]) == 0 {
					b.Fatal("lost")
				}
				if i += 7919; i >= n {
					i %= n
				}
			}
		})
	}
}
