package store

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/types/hash"
	"github.com/nearcache/nearcache/store/types/str"
)

// forced compresses whatever shrinks.
var forced = Compression{Mode: CompressAll, MinIdle: 1 << 30, MinSize: 1, MaxSize: 1 << 20, Types: 1<<object.IDs - 1}

// cold compresses strings and hashes that were not used for a minute.
var cold = Compression{Mode: CompressCold, MinSize: 256, MaxSize: 128 << 10, MinIdle: 60_000, Types: 1<<object.String | 1<<object.Hash}

// compress goes over everything.
func (s *testStore) compress() {
	for s.ks.Compress(time.Hour) {
	}
}

// retrain has the next Compress make another dictionary, and use it for all.
func (s *testStore) retrain() {
	p := &s.ks.text.pass
	p.Lock()
	p.lesson = p.next
	p.Unlock()
}

// answer is a text of some n bytes.
func answer(rnd *rand.Rand, n int) string {
	words := strings.Fields("the cache keeps what a model has answered before so that nobody has to ask it again and again for an answer that costs money time or patience which is why values are text most of the time")
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(words[rnd.IntN(len(words))])
		b.WriteByte(' ')
		if rnd.IntN(8) == 0 {
			fmt.Fprint(&b, rnd.IntN(1000), " ")
		}
	}
	return b.String()[:n]
}

// stats fails where the keyspace has not as many compressed values.
func (s *testStore) wantCompressed(tb testing.TB, keys int) CompressionStats {
	tb.Helper()
	st := s.ks.CompressionStats()
	if st.Keys != int64(keys) || st.Raw < st.Packed || keys == 0 && st.Raw+st.Packed != 0 {
		tb.Fatalf("%+v, want %d keys", st, keys)
	}
	values := int64(0)
	if c := s.ks.text.codec.Load(); c != nil { // nil before the first Compress
		for _, g := range c.Stats().Generations {
			values += g.Values
		}
	}
	if values != st.Keys {
		tb.Fatalf("%d keys, %d references to dictionaries", st.Keys, values)
	}
	if err := s.ks.Validate(); err != nil {
		tb.Fatal(err)
	}
	return st
}

func TestCompressedKeyspaceIsAMap(t *testing.T) {
	t.Parallel()
	const steps = 1500
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := newRandom(t, seed+100)
			c := forced
			if seed == 2 { // reads store again what was compressed
				c = cold
				c.MinIdle = 1000
			}
			r.ks.SetCompression(c)
			var tx Tx
			for i := range steps {
				r.step(t, &tx)
				switch r.rnd.IntN(16) {
				case 0:
					r.ks.ExpireDue(0)
				case 1:
					r.ks.Maintain()
				case 2, 3, 4:
					if seed == 2 {
						r.now += 1000
					}
					r.ks.Compress(time.Hour)
				}
				if i%500 == 499 {
					r.all(t)
					r.retrain()
				}
			}
			r.all(t)
			st := r.ks.CompressionStats()
			if st.Compressed < steps/10 || st.Decompressed == 0 {
				t.Errorf("hardly anything was compressed: %+v", st)
			}
			r.testStore.all(func(tx *Tx) { tx.Flush(-1) })
			r.ks.Maintain()
			r.wantCompressed(t, 0)
			if st := r.ks.arena.Stats(); st.Mapped != 0 {
				t.Fatalf("an empty keyspace holds %d bytes", st.Mapped)
			}
		})
	}
}

func TestColdTextIsCompressed(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.ks.observers = nil
	s.ks.SetCompression(cold)
	rnd := rand.New(rand.NewPCG(1, 2))
	const n = 400
	texts := make([]string, n)
	for i := range texts {
		texts[i] = answer(rnd, 300+rnd.IntN(700))
		s.set(fmt.Sprint("answer:", i), texts[i])
	}
	s.set("short", texts[0][:255])
	s.set("long", strings.Repeat("x", cold.MaxSize+1))
	s.update("hash", func(tx *Tx) {
		h := hash.New()
		for i := range 8 {
			h.Set(fmt.Append(nil, "field", i), []byte(texts[i][:60]))
		}
		tx.Changed(tx.Put([]byte("hash"), h, false), ClassHash, "hset")
	})
	s.compress()
	s.wantCompressed(t, 0)
	noise := make([]byte, 1000) // after the training: a dictionary of so few values may hold it
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	s.set("noise", string(noise))
	before := s.ks.shardBytes()
	s.now += cold.MinIdle + 200 // clocks tick every 128 ms
	used := func(key string) {
		s.update(key, func(tx *Tx) { tx.Get([]byte(key)).Value() })
	}
	used("answer:0") // it is not cold
	s.compress()
	st := s.wantCompressed(t, n-1+1)
	if st.Packed*5 > st.Raw*2 || st.Dictionaries != 1 {
		t.Errorf("%+v", st)
	}
	if after := s.ks.shardBytes(); before-after < (st.Raw-st.Packed)*9/10 {
		t.Errorf("%d bytes of %d are left, %d were saved", after, before, st.Raw-st.Packed)
	}
	size := func(key string) (n int) {
		s.update(key, func(tx *Tx) { n = tx.Peek([]byte(key)).Size() })
		return n
	}
	if got := size("answer:1"); got > len(texts[1])*2/3 {
		t.Errorf("a key of %d bytes takes %d", len(texts[1]), got)
	}

	// What is not read stays: its length, its time to live, its name.
	s.update("answer:1", func(tx *Tx) {
		e := tx.Get([]byte("answer:1"))
		if got := e.StringLen(); got != len(texts[1]) {
			t.Errorf("length %d, want %d", got, len(texts[1]))
		}
		tx.SetExpire(e, s.now+100_000)
		tx.SetExpire(e, 0)
		tx.SetExpire(e, s.now+50_000)
	})
	if d := s.ks.CompressionStats().Decompressed; d != 0 {
		t.Errorf("%d values were decompressed", d)
	}
	s.wantCompressed(t, n)

	// The first use leaves it compressed, one soon after does not.
	s.now += cold.MinIdle + 200
	read := func(i, compressed int) {
		t.Helper()
		key := fmt.Sprint("answer:", i)
		s.update(key, func(tx *Tx) {
			if got := tx.Get([]byte(key)).Value().(*str.Value); string(got.B) != texts[i] {
				t.Fatalf("%s is another", key)
			}
		})
		s.wantCompressed(t, compressed)
	}
	read(2, n)
	s.now += 1000
	read(2, n-1)
	read(2, n-1)
	if got := size("answer:2"); got < len(texts[2]) {
		t.Errorf("a key of %d bytes takes %d", len(texts[2]), got)
	}
	s.ks.SetMaxMemory(1) // noeviction: who reads does not add to it
	read(3, n-1)
	read(3, n-1)
	s.ks.SetMaxMemory(0)
	read(3, n-2)

	// A change, a deletion, an expiry.
	s.update("answer:4", func(tx *Tx) {
		e := tx.Get([]byte("answer:4"))
		v := e.Value().(*str.Value)
		v.B = append(v.B, "!"...)
		tx.Changed(e, ClassString, "append")
	})
	s.wantCompressed(t, n-3)
	s.update("answer:5", func(tx *Tx) {
		e := tx.Get([]byte("answer:5"))
		tx.Delete([]byte("answer:5"), "del")
		if got := e.Value().(*str.Value); string(got.B) != texts[5] {
			t.Error("what was deleted cannot be read before the end")
		}
	})
	s.wantCompressed(t, n-4)
	s.now += 50_000
	s.ks.ExpireDue(0)
	s.wantCompressed(t, n-5)
	s.update("hash", func(tx *Tx) {
		h := tx.Get([]byte("hash")).Value().(*hash.Value)
		if v, ok := h.Get([]byte("field3")); !ok || string(v) != texts[3][:60] {
			t.Errorf("field3 is %q", v)
		}
	})

	// Once it is switched off values come back as they are read.
	s.ks.SetCompression(Compression{})
	read(6, n-6)
	s.compress()
	s.wantCompressed(t, n-6)
	s.all(func(tx *Tx) { tx.Flush(0) })
	s.ks.Maintain()
	s.wantCompressed(t, 0)
}

// shardBytes is what is accounted to keys.
func (ks *Keyspace) shardBytes() (n int64) {
	for i := range ks.shards {
		n += ks.shards[i].bytes.Load()
	}
	return n
}

func TestPoliciesThatKnowNoUseCompressNothingCold(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]bool{"allkeys-lru": true, "allkeys-lfu": true, "volatile-ttl": true, "allkeys-lrm": false} {
		s := newStore(t)
		s.setPolicy(policy)
		s.ks.SetCompression(cold)
		s.set("key", strings.Repeat("a text ", 100))
		s.now += 2 * cold.MinIdle
		s.compress()
		s.compress()
		if got := s.ks.CompressionStats().Keys == 1; got != want {
			t.Errorf("%s: compressed: %t", policy, got)
		}
	}
}

// TestAnotherDictionaryReplacesTheFirst has values of another kind than those
// that were learned from.
func TestAnotherDictionaryReplacesTheFirst(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.ks.observers = nil
	s.ks.SetCompression(forced)
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range 300 {
		s.set(fmt.Sprint("a", i), answer(rnd, 500))
	}
	s.compress()
	s.compress()
	first := s.wantCompressed(t, 300)
	for i := range 700 {
		s.set(fmt.Sprint("b", i), fmt.Sprintf(`{"customer":%d,"order":{"number":%d,"state":"delivered","currency":"EUR","total":%d.%02d},"ip":"10.0.%d.%d"}`,
			rnd.IntN(1e6), rnd.IntN(1e8), rnd.IntN(1000), rnd.IntN(100), rnd.IntN(256), rnd.IntN(256)))
	}
	s.compress()
	s.retrain()
	s.compress()
	s.compress()
	second := s.wantCompressed(t, 1000)
	if second.Dictionaries != 1 || second.Compressed < first.Compressed+1000 {
		t.Errorf("%+v, then %+v", first, second)
	}
}

// TestCompressWhileReadingAndWriting races those who use keys with those who
// compress them.
func TestCompressWhileReadingAndWriting(t *testing.T) {
	t.Parallel()
	s := &testStore{now: 1_800_000_000_000}
	s.ks = New(Options{Clock: func() int64 { return 1_800_000_000_000 }})
	t.Cleanup(s.ks.Close)
	s.ks.SetCompression(forced)
	const keys, steps = 300, 1500
	var users, rest sync.WaitGroup
	stop := make(chan struct{})
	for i := range 2 {
		rest.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				switch {
				case i == 0:
					s.ks.Compress(time.Millisecond)
					if n%128 == 127 {
						s.retrain()
					}
				case n%64 == 0:
					s.all(func(tx *Tx) { tx.Flush(1) })
				default:
					s.ks.Maintain()
				}
			}
		})
	}
	for g := range 3 {
		users.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(g), 5))
			var tx Tx
			for step := range steps {
				key := fmt.Append(nil, "key:", rnd.IntN(keys))
				tx.Begin(s.ks, rnd.IntN(2), 1)
				tx.LockKey(key)
				e := tx.Find(key)
				if e != nil {
					v := e.Value().(*str.Value)
					if n := len(v.B); n < 8 || string(v.B[:len(key)]) != string(key) || v.B[n-1] != '.' {
						t.Errorf("step %d: %s is %.30q", step, key, v.B)
					}
				}
				switch rnd.IntN(4) {
				case 0:
					tx.Changed(tx.PutString(e, key, fmt.Append(nil, string(key), answer(rnd, 50+rnd.IntN(3000)), "."), 0), ClassString, "set")
				case 1:
					if e != nil {
						v := e.Value().(*str.Value)
						v.B = append(v.B[:len(v.B)/2+len(key)/2], "more."...)
						if len(v.B) > len(key)+5 {
							tx.Changed(e, ClassString, "append")
						} else {
							tx.Delete(key, "del")
						}
					}
				}
				tx.End()
			}
		})
	}
	users.Wait()
	close(stop)
	rest.Wait()
	s.compress()
	s.ks.Maintain()
	if st := s.wantCompressed(t, int(s.ks.CompressionStats().Keys)); st.Compressed == 0 {
		t.Errorf("nothing was compressed: %+v", st)
	}
}

// TestCompressLeavesLentShardsAlone: a Tx that takes long changes its shards
// without their mutexes.
func TestCompressLeavesLentShardsAlone(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.ks.observers = nil
	s.ks.SetCompression(forced)
	rnd := rand.New(rand.NewPCG(1, 2))
	const n = 300
	for i := range n {
		s.set(fmt.Sprint("k", i), answer(rnd, 1000))
	}
	var long Tx
	long.Begin(s.ks, 0, 1)
	var all LockSet
	all.AddAll()
	long.Lock(&all)
	long.Lend(errScript)
	for range 3 {
		s.ks.Compress(time.Hour)
	}
	if st := s.ks.CompressionStats(); st.Keys != 0 {
		t.Errorf("%d keys of others were compressed", st.Keys)
	}
	long.End()
	s.compress()
	s.compress()
	s.wantCompressed(t, n)
	s.check(t)
}
