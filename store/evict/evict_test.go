package evict

import (
	"math"
	"math/rand/v2"
	"testing"
)

const aDay = 24 * 3600 * 1000

func TestFind(t *testing.T) {
	t.Parallel()
	for _, p := range All {
		if Find(p.Name) != p {
			t.Errorf("%s is not found", p.Name)
		}
		if p.None && (p.score != nil || p.Volatile) {
			t.Errorf("%s scores", p.Name)
		}
	}
	if Find("lru") != nil {
		t.Error("there is no policy named lru")
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	f := func(at, now, want int64) {
		t.Helper()
		if got := Idle(Clock(at), now); got != want {
			t.Errorf("used at %d, idle at %d for %d s, want %d", at, now, got, want)
		}
	}
	f(1_800_000_000_000, 1_800_000_000_000, 0)
	f(1_800_000_000_000, 1_800_000_010_240, 10)
	f(1<<39-128, 1<<39+9984, 10) // the clock wraps
}

// TestCounter holds the figures of redis.conf: what the counter is after so many
// uses with a factor.
func TestCounter(t *testing.T) {
	t.Parallel()
	f := func(factor, uses int, lo, hi uint8) {
		t.Helper()
		s := NewSetup(Find("allkeys-lfu"))
		s.LogFactor = factor
		var sh Shard
		w := sh.New(s, 1, aDay, 1)
		for range uses {
			w = sh.Used(s, w, aDay)
		}
		if n := s.Frequency(w, aDay); n < lo || n > hi {
			t.Errorf("factor %d: %d after %d uses, want %d to %d", factor, n, uses, lo, hi)
		}
	}
	f(0, 100, 105, 105)
	f(0, 1000, 255, 255)
	f(1, 1000, 45, 55)
	f(10, 100, 8, 13)
	f(10, 1000, 15, 23)
	f(10, 100_000, 125, 165)
	f(100, 100_000, 42, 56)
	f(100, 10_000_000, 255, 255)
}

func TestCounterDecays(t *testing.T) {
	t.Parallel()
	s := NewSetup(Find("allkeys-lfu"))
	word := minutes(aDay)<<16 | 100
	f := func(decay int, later int64, want uint8) {
		t.Helper()
		s.DecayTime = decay
		if got := s.Frequency(word, aDay+later*60_000); got != want {
			t.Errorf("decay %d: %d after %d minutes, want %d", decay, got, later, want)
		}
	}
	f(1, 0, 100)
	f(1, 30, 70)
	f(1, 101, 0)
	f(10, 99, 91)
	f(0, 30_000, 100)
}

func TestWordsByPolicy(t *testing.T) {
	t.Parallel()
	var sh Shard
	now := int64(aDay)
	for _, name := range []string{"allkeys-lru", "allkeys-lrm"} {
		s := NewSetup(Find(name))
		w := sh.New(s, 1, now, 1)
		used, changed := sh.Used(s, w, now+10_000), s.Changed(w, now+10_000)
		if (Idle(used, now+10_000) == 0) != (name == "allkeys-lru") {
			t.Errorf("%s: idle for %d s after a use", name, Idle(used, now+10_000))
		}
		if (Idle(changed, now+10_000) == 0) != (name == "allkeys-lrm") {
			t.Errorf("%s: idle for %d s after a change", name, Idle(changed, now+10_000))
		}
	}
}

// TestPoolGivesTheBest offers random candidates and compares with all of them.
func TestPoolGivesTheBest(t *testing.T) {
	t.Parallel()
	s := NewSetup(Find("volatile-ttl"))
	var sh Shard
	r := rand.New(rand.NewPCG(1, 2))
	have := map[uint64]Candidate{}
	for range 10_000 {
		c := Candidate{Hash: r.Uint64N(100), ExpireAt: int64(1 + r.IntN(1000)), DB: uint8(r.IntN(2))}
		sh.offer(s, c, 0)
		have[c.Hash<<8|uint64(c.DB)] = c
		if len(have) > poolSize { // the one that dies last has left the pool
			last := c
			for _, x := range have {
				if x.ExpireAt > last.ExpireAt {
					last = x
				}
			}
			n := 0
			for _, x := range have {
				if x.ExpireAt == last.ExpireAt {
					n++
				}
			}
			if n > 1 { // any of them may have: begin anew
				clear(have)
				sh.Reset()
				continue
			}
			delete(have, last.Hash<<8|uint64(last.DB))
		}
		if sh.pool.n != len(have) {
			t.Fatalf("%d in the pool, want %d", sh.pool.n, len(have))
		}
		if r.IntN(3) > 0 {
			continue
		}
		best, ok := sh.best(s, 0)
		if want, there := have[best.Hash<<8|uint64(best.DB)]; !ok || !there || want != best {
			t.Fatalf("%+v, %t is not in the pool", best, ok)
		}
		for _, x := range have {
			if x.ExpireAt < best.ExpireAt {
				t.Fatalf("%+v was taken before %+v", best, x)
			}
		}
		delete(have, best.Hash<<8|uint64(best.DB))
	}
	for range poolSize {
		sh.best(s, 0)
	}
	if _, ok := sh.best(s, 0); ok {
		t.Fatal("a candidate out of an empty pool")
	}
}

func TestPoolOfARandomPolicyIsTheNewest(t *testing.T) {
	t.Parallel()
	s := NewSetup(Find("allkeys-random"))
	var sh Shard
	for i := range uint64(100) {
		sh.offer(s, Candidate{Hash: i}, 0)
	}
	if c, ok := sh.best(s, 0); !ok || c.Hash != 99 {
		t.Fatalf("%+v, %t", c, ok)
	}
}

func TestCost(t *testing.T) {
	t.Parallel()
	s := NewSetup(Find("allkeys-lhd"))
	last := uint8(0)
	for _, ms := range []int64{0, 1, 2, 3, 10, 99, 1000, 12_345, 600_000, 1 << 31, 1 << 40, math.MaxInt64} {
		c := encodeCost(ms)
		if c == 0 || c < last {
			t.Errorf("%d ms: cost %d after %d", ms, c, last)
		}
		last = c
		w, ok := s.WithCost(0xffff00ff, ms)
		got, known := s.Cost(w)
		if !ok || !known || w&0xffff00ff != 0xffff00ff {
			t.Fatalf("%d ms: %x, %t, %t", ms, w, ok, known)
		}
		if want := max(1, float64(ms)); ms < 1<<31 && math.Abs(float64(got)/want-1) > 0.07 && math.Abs(float64(got)-want) > 0.5 {
			t.Errorf("%d ms are kept as %d", ms, got)
		}
	}
	if _, ok := s.Cost(0xffff00ff); ok {
		t.Error("a cost that nobody has told")
	}
	s.Costs = Ignored
	if _, ok := s.WithCost(0, 5); ok {
		t.Error("a cost is kept that is ignored")
	}
	if _, ok := NewSetup(Find("allkeys-lru")).WithCost(0, 5); ok {
		t.Error("a cost is kept in a clock")
	}
}

func TestCostIsMeasuredFromTheMiss(t *testing.T) {
	t.Parallel()
	f := func(name string, set func(*Setup), misses []int64, insert int64, want int64) {
		t.Helper()
		s := NewSetup(Find("allkeys-lhd"))
		if set != nil {
			set(s)
		}
		var sh Shard
		for _, at := range misses {
			sh.Missed(s, 42, at)
		}
		w := sh.New(s, 42, insert, 1)
		ms, ok := s.Cost(w)
		if ok != (want > 0) || ok && math.Abs(float64(ms-want)) > float64(want)*0.07 {
			t.Errorf("%s: %d ms, %t; want %d", name, ms, ok, want)
		}
		if w := sh.New(s, 42, insert+5, 1); w>>costShift&0xff != 0 {
			t.Errorf("%s: a miss counts twice", name)
		}
	}
	const at = 1_800_000_000_000
	f("one miss", nil, []int64{at}, at+1000, 1000)
	f("others ask while it is made", nil, []int64{at, at + 500, at + 900}, at+1000, 1000)
	f("no miss", nil, nil, at, 0)
	f("long ago", nil, []int64{at}, at+maxMeasured, 0)
	f("long ago, and again", nil, []int64{at, at + maxMeasured}, at+maxMeasured+1000, 1000)
	f("only hints", func(s *Setup) { s.Costs = Hinted }, []int64{at}, at+1000, 0)
	f("ignored", func(s *Setup) { s.Costs = Ignored }, []int64{at}, at+1000, 0)

	// Two keys that meet in one place forget one, and measure nothing wrong.
	s := NewSetup(Find("allkeys-lhd"))
	var sh Shard
	sh.Missed(s, 7, at)
	sh.Missed(s, 7|1<<40, at+100)
	if _, ok := s.Cost(sh.New(s, 7, at+200, 1)); ok {
		t.Error("the miss of another key is taken")
	}
	if ms, _ := s.Cost(sh.New(s, 7|1<<40, at+200, 1)); ms != 99 { // 100 to the next step
		t.Errorf("measured %d", ms)
	}
}

// someKeys are keys for Victim: by hash, with the access word of each.
type someKeys struct {
	words map[uint64]uint32
	next  []uint64 // what Sample gives, in turns
	looks int
}

func (k *someKeys) Sample(db int, volatile bool) (Candidate, bool) {
	if db > 0 || volatile || len(k.next) == 0 {
		return Candidate{}, false
	}
	h := k.next[0]
	k.next = append(k.next[1:], h)
	return Candidate{Hash: h, Access: k.words[h]}, true
}

func (k *someKeys) Look(c *Candidate, _ bool) (Candidate, bool) {
	k.looks++
	w, there := k.words[c.Hash]
	return Candidate{Hash: c.Hash, Access: w}, there
}

// TestVictimIsWeighedAnew: the pool remembers keys that are gone, and that were
// used since.
func TestVictimIsWeighedAnew(t *testing.T) {
	t.Parallel()
	s := NewSetup(Find("allkeys-lru"))
	now := int64(1_800_000_000_000)
	var sh Shard
	k := &someKeys{words: map[uint64]uint32{}}
	for i := range uint64(5) { // key 0 is the oldest
		k.words[i] = Clock(now) - uint32(100-10*i)
		k.next = append(k.next, i)
	}
	f := func(want uint64) {
		t.Helper()
		if c, ok := sh.Victim(s, k, 2, now); !ok || c.Hash != want {
			t.Fatalf("%+v, %t, want %d", c, ok, want)
		}
		delete(k.words, want)
		k.next = nil // from here on only the pool is asked
	}
	f(0)
	k.words[1] = Clock(now) // used
	delete(k.words, 2)      // deleted
	f(3)
	f(4)
	f(1)
	if c, ok := sh.Victim(s, k, 2, now); ok {
		t.Fatalf("%+v of no keys", c)
	}
	if k.looks > 10 {
		t.Errorf("looked %d times", k.looks)
	}
}

// TestRestoredIsIdleAsLongAsItWas: the clock of an access word is coarser than a second,
// and what RESTORE IDLETIME says is what OBJECT IDLETIME answers.
func TestRestoredIsIdleAsLongAsItWas(t *testing.T) {
	t.Parallel()
	s := NewSetup(Find("allkeys-lru"))
	for now := int64(1_800_000_000_000); now < 1_800_000_000_000+1<<tickShift; now++ {
		for _, idle := range []int64{0, 1, 9, 10, 59, 3600, 1_000_000} {
			if got := Idle(s.Restored(0, -1, idle, now), now); got != idle {
				t.Fatalf("at %d: idle for %d s, restored with %d", now, got, idle)
			}
		}
	}
	if got := Idle(s.Restored(0, -1, 1<<62, 2_000_000), 2_000_000); got != 2000 {
		t.Errorf("idle since before there was time: %d s", got)
	}
}
