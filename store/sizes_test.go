package store

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/nearcache/nearcache/store/slab"
	"github.com/nearcache/nearcache/store/types/hash"
	"github.com/nearcache/nearcache/store/types/zset"
)

// TestSizesAreTrue holds the sizes of entries, which MEMORY USAGE answers, and
// what is accounted for all of them, which INFO answers, against what the arena
// holds of the machine's memory.
func TestSizesAreTrue(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(7, 8))
	value := make([]byte, 100_000)
	put := func(tx *Tx, key []byte, n int, at int64) {
		tx.Changed(tx.PutString(nil, key, value[:n], at), ClassString, "set")
	}
	kinds := []struct {
		name string
		n    int
		put  func(tx *Tx, key []byte)
	}{
		{"64 bytes", 200_000, func(tx *Tx, key []byte) { put(tx, key, 64, 0) }},
		{"64 bytes with a time to live", 200_000, func(tx *Tx, key []byte) { put(tx, key, 64, tx.Now+1000+rnd.Int64N(100_000)) }},
		{"1 to 2000 bytes", 15_000, func(tx *Tx, key []byte) { put(tx, key, rnd.IntN(2000), 0) }},
		{"16 to 100 kB", 300, func(tx *Tx, key []byte) { put(tx, key, 16_000+rnd.IntN(84_000), 0) }},
		{"hash of 5 fields", 100_000, func(tx *Tx, key []byte) {
			h := hash.New()
			for i := range 5 {
				h.Set(fmt.Append(nil, "field", i), value[:rnd.IntN(16)])
			}
			tx.Changed(tx.Put(key, h, false), ClassHash, "hset")
		}},
		{"sorted set of 10 members", 50_000, func(tx *Tx, key []byte) {
			z := zset.New(1, 1)
			for i := range 10 {
				z.Set(fmt.Append(nil, "member", i), rnd.Float64())
			}
			tx.Changed(tx.Put(key, z, false), ClassZSet, "zadd")
		}},
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			s := newStore(t)
			s.ks.observers = nil
			var tx Tx
			for i := range k.n {
				key := fmt.Appendf(nil, "key:%012d", i)
				tx.Begin(s.ks, 0, 0)
				tx.LockKey(key)
				k.put(&tx, key)
				tx.End()
			}
			s.ks.Maintain()
			sum := int64(0)
			tx.Begin(s.ks, 0, 0)
			tx.Each(func(e *Entry) bool { sum += int64(e.Size()); return true })
			tx.End()
			used, held := s.ks.Used(), resident(s.ks)
			t.Logf("sizes %d kB, used %d, held %d", sum>>10, used>>10, held>>10)
			// The first page of a table is nobody's.
			const first = Shards * slab.PageSize
			if used < sum*95/100-first || used > sum*105/100 {
				t.Errorf("entries take %d kB, %d are accounted", sum>>10, used>>10)
			}
			// Beside it are pages that are not full, of every size in each group of
			// shards, and what is free for the next key.
			if slack := int64(spareHoles + keepFree); held < used*95/100 || held > used*105/100+slack {
				t.Errorf("%d kB are held for %d", held>>10, used>>10)
			}
		})
	}
}
