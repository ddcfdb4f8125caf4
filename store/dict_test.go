package store

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"testing"
)

func newTestEntry(seed maphash.Seed, key string) *Entry {
	return &Entry{key: key, hash: maphash.String(seed, key)}
}

func TestDictIsAMap(t *testing.T) {
	t.Parallel()
	seed := maphash.MakeSeed()
	rnd := rand.New(rand.NewPCG(1, 2))
	var d dict
	model := map[string]*Entry{}
	for i := range 40_000 {
		limit := 1 + i%9000 // the table grows, shrinks, and grows again
		if i%18_000 >= 9000 {
			limit = 9000 - i%9000
		}
		key := fmt.Sprint(rnd.IntN(limit))
		e := d.find(maphash.String(seed, key), []byte(key))
		if e != model[key] {
			t.Fatalf("step %d: find %s: %v, want %v", i, key, e, model[key])
		}
		switch {
		case e == nil && len(model) < limit:
			e = newTestEntry(seed, key)
			d.insert(e)
			model[key] = e
		case e != nil:
			d.remove(e)
			delete(model, key)
		}
		if d.n != len(model) {
			t.Fatalf("step %d: %d entries, want %d", i, d.n, len(model))
		}
		if len(d.buckets) > minBuckets && float64(d.n) < emptyAt*float64(len(d.buckets)) {
			t.Fatalf("step %d: %d entries in %d buckets", i, d.n, len(d.buckets))
		}
		if i%1000 == 0 {
			n := 0
			d.each(func(e *Entry) {
				n++
				if model[e.key] != e {
					t.Fatalf("step %d: %s is no more", i, e.key)
				}
			})
			if n != d.n {
				t.Fatalf("step %d: %d entries visited of %d", i, n, d.n)
			}
		}
	}
	for key := range model {
		d.remove(model[key])
	}
	if d.n != 0 || d.random(rnd.Uint64) != nil {
		t.Fatal("not empty in the end")
	}
}

func TestDictScanMissesNothingWhileResized(t *testing.T) {
	t.Parallel()
	seed := maphash.MakeSeed()
	for round := range uint64(6) {
		rnd := rand.New(rand.NewPCG(round, 3))
		var d dict
		stay := map[string]bool{}
		var others []*Entry
		for i := range 1000 {
			e := newTestEntry(seed, fmt.Sprint("stay", i))
			d.insert(e)
			stay[e.key] = false
		}
		resizes := 0
		for cursor, steps := uint64(0), 0; ; steps++ {
			if steps > 100_000 {
				t.Fatal("the scan does not end")
			}
			cursor = d.scan(cursor, func(e *Entry) {
				if _, ok := stay[e.key]; ok {
					stay[e.key] = true
				}
			})
			if cursor == 0 {
				break
			}
			before := len(d.buckets)
			switch rnd.IntN(40) {
			case 0:
				for range rnd.IntN(6000) {
					e := newTestEntry(seed, fmt.Sprint("other", rnd.Uint64()))
					d.insert(e)
					others = append(others, e)
				}
			case 1:
				for range rnd.IntN(len(others) + 1) {
					d.remove(others[len(others)-1])
					others = others[:len(others)-1]
				}
			}
			if len(d.buckets) != before {
				resizes++
			}
		}
		for key, seen := range stay {
			if !seen {
				t.Fatalf("round %d: %s was there from start to end and not visited; %d resizes", round, key, resizes)
			}
		}
		if resizes == 0 {
			t.Fatalf("round %d: nothing was resized, the test says nothing", round)
		}
	}
}

func TestDictRandomReachesEveryEntry(t *testing.T) {
	t.Parallel()
	seed := maphash.MakeSeed()
	rnd := rand.New(rand.NewPCG(5, 6))
	var d dict
	for i := range 50 {
		d.insert(newTestEntry(seed, fmt.Sprint(i)))
	}
	seen := map[string]bool{}
	for range 5000 {
		seen[d.random(rnd.Uint64).key] = true
	}
	if len(seen) != 50 {
		t.Fatalf("%d of 50 entries", len(seen))
	}
}

// TestBucketChain fills one bucket far beyond its slots and empties it in
// every order.
func TestBucketChain(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 17))
		var b bucket
		var in []*Entry
		for step := range 200 {
			if len(in) == 0 || rnd.IntN(3) > step/100 {
				e := &Entry{hash: rnd.Uint64() << 4}
				b.insert(e)
				in = append(in, e)
			} else {
				i := rnd.IntN(len(in))
				b.remove(in[i])
				if in[i].next != nil {
					t.Fatal("a removed entry holds on to the chain")
				}
				in[i] = in[len(in)-1]
				in = in[:len(in)-1]
			}
			seen := map[*Entry]bool{}
			b.each(func(e *Entry) { seen[e] = true })
			if len(seen) != len(in) {
				t.Fatalf("step %d: %d entries, want %d", step, len(seen), len(in))
			}
			for i, e := range b.entries {
				if (e == nil) != (b.tags[i] == 0) || e != nil && b.tags[i] != tag(e.hash) {
					t.Fatalf("step %d: slot %d has tag %d", step, i, b.tags[i])
				}
				if e != nil && i < slots-1 && e.next != nil {
					t.Fatalf("step %d: slot %d has a chain", step, i)
				}
			}
			for _, e := range in {
				if !seen[e] {
					t.Fatalf("step %d: an entry is lost", step)
				}
			}
		}
	}
}

func BenchmarkDictFind(b *testing.B) {
	seed := maphash.MakeSeed()
	for _, n := range []int{400, 100_000, 2_000_000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			var d dict
			keys := make([][]byte, n)
			for i := range keys {
				key := fmt.Sprintf("key:%012d", i)
				d.insert(newTestEntry(seed, key))
				keys[i] = []byte(key)
			}
			var k [16]byte
			i := 0
			for b.Loop() {
				copy(k[:], keys[i])
				if d.find(maphash.Bytes(seed, k[:]), k[:]) == nil {
					b.Fatal("lost")
				}
				if i += 7919; i >= n {
					i %= n
				}
			}
		})
	}
}
