package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/store/slab"
	"github.com/nearcache/nearcache/store/types/hash"
	"github.com/nearcache/nearcache/store/types/str"
)

// resident is what the arena holds of the machine's memory.
func resident(ks *Keyspace) int64 {
	st := ks.arena.Stats()
	return st.Mapped + st.Free + st.Meta
}

// TestMemoryStaysWithinItsLimitThroughChurn writes values of sizes that change,
// far more than fit, as bench/memory does for ten minutes with a server.
func TestMemoryStaysWithinItsLimitThroughChurn(t *testing.T) {
	t.Parallel()
	const limit = 24 << 20
	s := newStore(t)
	s.ks.observers = nil
	s.setPolicy("allkeys-lru")
	s.ks.SetMaxMemory(limit)
	s.ks.SetTenacity(100) // whatever time that takes
	rnd := rand.New(rand.NewPCG(1, 2))
	phases := []struct {
		name  string
		keys  int
		bytes func() int
	}{
		{"64 bytes", 250_000, func() int { return 64 }},
		{"up to 4 kB", 30_000, func() int { return rnd.IntN(4000) }},
		{"100 to 300 bytes", 250_000, func() int { return 100 + rnd.IntN(200) }},
		{"around a cell's limit", 3000, func() int { return 15_000 + rnd.IntN(4000) }},
		{"many large", 300, func() int { return 100_000 + rnd.IntN(200_000) }},
		{"all sizes", 20_000, func() int { return 1 << rnd.IntN(17) }},
	}
	var tx Tx
	b := make([]byte, 400_000)
	least := 1.0
	for _, p := range phases {
		for i, written, since := 0, 0, 0; written < limit*3/2 && i < 200_000; i++ {
			if err := s.ks.FreeMemory(); err != nil {
				t.Fatal(err)
			}
			key := fmt.Appendf(nil, "key:%d", rnd.IntN(p.keys))
			n := p.bytes()
			tx.Begin(s.ks, 0, 0)
			tx.LockKey(key)
			if n < 8000 && i%4 == 0 {
				h := hash.New()
				h.Set([]byte("field"), b[:n])
				tx.Changed(tx.Put(key, h, false), ClassHash, "hset")
			} else {
				tx.Changed(tx.PutString(tx.Find(key), key, b[:n], 0), ClassString, "set")
			}
			tx.End()
			written += n + 100
			if written > since+limit/50 {
				since = written
				s.now += 100
				s.ks.Maintain()
				if got := resident(s.ks); got > limit*115/100+spareHoles {
					t.Fatalf("%s: holds %.1f MB of %.1f", p.name, float64(got)/(1<<20), limit/float64(1<<20))
				}
			}
		}
		for range 20 {
			s.ks.Maintain()
		}
		if err := s.ks.Validate(); err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		keys := int64(0)
		for i := range s.ks.shards {
			keys += s.ks.shards[i].bytes.Load()
		}
		full := float64(keys) / float64(resident(s.ks))
		t.Logf("%-22s %5.1f MB of keys in %5.1f MB: %.0f%%", p.name, float64(keys)/(1<<20), float64(resident(s.ks))/(1<<20), 100*full)
		least = min(least, full)
	}
	if least < 0.6 {
		t.Errorf("keys are down to %.0f%% of what is held", 100*least)
	}
}

// TestMaintainGivesBackWhatIsNotUsed deletes nine keys of ten at random.
func TestMaintainGivesBackWhatIsNotUsed(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.ks.observers = nil
	const n = 60_000
	value := make([]byte, 100)
	var tx Tx
	for i := range n {
		key := fmt.Appendf(nil, "k%d", i)
		tx.Begin(s.ks, 0, 0)
		tx.LockKey(key)
		tx.Changed(tx.PutString(nil, key, value, s.now+1000_000), ClassString, "set")
		tx.End()
	}
	full := resident(s.ks)
	for i := range n {
		if i%10 == 0 {
			continue
		}
		key := fmt.Appendf(nil, "k%d", i)
		tx.Begin(s.ks, 0, 0)
		tx.LockKey(key)
		tx.Delete(key, "del")
		tx.End()
	}
	for range 100 {
		s.ks.Maintain()
	}
	s.check(t)
	if got := resident(s.ks); got > full/5+keepFree+2*Shards*slab.PageSize { // of tables and wheels
		t.Errorf("%d kB for a tenth of what took %d", got>>10, full>>10)
	}
	for i := 0; i < n; i += 10 {
		s.update(fmt.Sprint("k", i), func(tx *Tx) {
			if e := tx.Find(fmt.Appendf(nil, "k%d", i)); e == nil || e.ExpireAt() != s.now+1000_000 {
				t.Fatalf("k%d is lost", i)
			}
		})
	}
}

// TestALargeFlushIsFreedInTheBackground and its memory is not accounted meanwhile.
func TestALargeFlushIsFreedInTheBackground(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.ks.observers = nil
	const n = 3 * smallFlush
	for i := range n {
		s.set(fmt.Sprintf("{tag}%d", i), "value")
	}
	s.all(func(tx *Tx) {
		e := tx.Find([]byte("{tag}1"))
		tx.Flush(-1)
		s.put(tx, "{tag}2", "another")
		if e.Key() != "{tag}1" {
			t.Error("its key is gone before the Tx")
		}
	})
	if keys, _ := s.count(); keys != 1 || s.ks.Used() > 1000 {
		t.Fatalf("%d keys, %d bytes after a flush", keys, s.ks.Used())
	}
	held := s.ks.arena.Stats().Mapped
	s.ks.Maintain()
	if now := s.ks.arena.Stats().Mapped; now > held/4 {
		t.Fatalf("%d of %d bytes are held still", now, held)
	}
	s.check(t)
}

// TestLargeRecordsAreSpans: a value, or a key, beyond a cell.
func TestLargeRecordsAreSpans(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	before := s.ks.arena.Stats().Mapped
	for _, n := range []int{slab.MaxCell, 1 << 20, 64 << 20} {
		b := make([]byte, n)
		b[n-1] = 1
		s.update("k", func(tx *Tx) {
			tx.Changed(tx.PutString(tx.Find([]byte("k")), []byte("k"), b, 0), ClassString, "set")
		})
		if got := s.ks.arena.Stats().Mapped - before; got > int64(n)+64<<10 {
			t.Fatalf("%d bytes hold %d", n, got)
		}
		s.check(t)
	}
	s.update("k", func(tx *Tx) { tx.Delete([]byte("k"), "del") })
	if got := s.ks.arena.Stats().Mapped - before; got > 64<<10 {
		t.Fatalf("%d bytes are left", got)
	}
}

// TestAValueThatGrowsMovesSeldom appends to a large value, which has to be copied
// where it moves.
func TestAValueThatGrowsMovesSeldom(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.set("k", strings.Repeat("x", 64<<10))
	const n = 100_000
	piece := []byte("0123456789abcdef")
	moves, where := 0, slab.Ref(0)
	for range n {
		s.update("k", func(tx *Tx) {
			e := tx.Find([]byte("k"))
			v := e.Value().(*str.Value)
			v.B = append(v.B, piece...)
			tx.Changed(e, ClassString, "append")
			if e.ref != where {
				moves, where = moves+1, e.ref
			}
		})
	}
	if moves > 25 { // a quarter more each time
		t.Errorf("moved %d times", moves)
	}
	s.update("k", func(tx *Tx) {
		if b := tx.Find([]byte("k")).Value().(*str.Value).B; len(b) != 64<<10+n*len(piece) || !bytes.HasSuffix(b, piece) || b[0] != 'x' {
			t.Errorf("%d bytes, %.20q", len(b), b)
		}
	})
	s.check(t)
}
