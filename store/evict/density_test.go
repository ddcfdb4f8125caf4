package evict

import (
	"math/bits"
	"math/rand/v2"
	"testing"
)

func TestBins(t *testing.T) {
	t.Parallel()
	sum := 0.0
	for b := range bins {
		lo, hi := uint16(sum), uint16(sum+width(b)-1)
		if bin(lo) != b || bin(hi) != b {
			t.Fatalf("ages %d and %d are in bins %d and %d, want %d", lo, hi, bin(lo), bin(hi), b)
		}
		sum += width(b)
	}
	if sum != 1<<16 {
		t.Fatalf("bins end at %.0f", sum)
	}
}

// TestSketchNeverForgetsTooMuch: a count-min sketch may say too much, never too
// little, between two halvings.
func TestSketchNeverForgetsTooMuch(t *testing.T) {
	t.Parallel()
	const keys = 1000
	s := newSketch(keys)
	r := rand.New(rand.NewPCG(1, 2))
	want := map[uint64]uint8{}
	noted := 0
	for range 20 * keys {
		h, n := r.Uint64N(2000)*0x9e3779b97f4a7c15, uint8(1+r.IntN(7))
		s.raise(h, n)
		want[h] = max(want[h], n)
		if noted++; noted == sketchLife*keys {
			noted = 0
			for h := range want {
				want[h] = max(want[h], 1) - 1
			}
		}
	}
	over := 0
	for h, n := range want {
		switch got := s.get(h); {
		case got < n:
			t.Fatalf("%d, want at least %d", got, n)
		case got > n:
			over++
		}
	}
	strange := 0
	for range 2000 {
		if s.get(r.Uint64()) > 0 {
			strange++
		}
	}
	if over > len(want)/2 || strange > 1900 {
		t.Errorf("%d of %d say too much; %d of 2000 strangers are known", over, len(want), strange)
	}
}

func TestSketchFades(t *testing.T) {
	t.Parallel()
	s := newSketch(64)
	s.raise(1<<40, 7)
	for i := range 8 * sketchLife * 64 {
		s.raise(uint64(i%3)<<50|5<<20, 1)
	}
	if n := s.get(1 << 40); n != 0 {
		t.Errorf("%d is left", n)
	}
}

func TestSketchHalvesEachCounter(t *testing.T) {
	t.Parallel()
	s := newSketch(1)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range s.lines[0] {
		s.lines[0][i] = r.Uint64()
	}
	was := s.lines[0]
	s.halve(0)
	for i, w := range was {
		for shift := 0; shift < 64; shift += 4 {
			n := w >> shift & 15
			if got := s.lines[0][i] >> shift & 15; got != max(n, 1)-1 {
				t.Fatalf("%d becomes %d", n, got)
			}
		}
	}
}

func TestSketchSuitsTheKeys(t *testing.T) {
	t.Parallel()
	f := func(made, keys int, want bool) {
		t.Helper()
		s := newSketch(made)
		if got := s.fits(keys); got != want {
			t.Errorf("made for %d, fits %d: %t", made, keys, got)
		}
	}
	f(0, 0, true)
	f(0, 128, true)
	f(0, 129, false)
	f(1000, 1000, true)
	f(1000, 2000, true)
	f(1000, 2001, false)
	f(1000, 249, false)
	var none sketch
	if none.fits(1) || none.get(5) != 0 {
		t.Error("the zero sketch")
	}
}

func TestAccessWord(t *testing.T) {
	t.Parallel()
	s := NewSetup(Find("allkeys-lhd"))
	var sh Shard
	w := sh.New(s, 99, 0, 1000)
	w, _ = s.WithCost(w, 250)
	for i := range 300 {
		if n := s.Frequency(w, 0); int(n) != min(i, maxUses) {
			t.Fatalf("%d uses, want %d", n, i)
		}
		if ms, ok := s.Cost(w); !ok || ms < 240 || ms > 260 {
			t.Fatalf("costs %d ms", ms)
		}
		if want := bits.Len(uint(min(i, maxUses))); class(w) != want {
			t.Fatalf("class %d after %d uses, want %d", class(w), i, want)
		}
		for range 100 {
			sh.New(s, 98, 0, 1000)
		}
		w = sh.Used(s, w, 0)
	}
	// It goes, and comes back as one that was known.
	sh.Evicted(s, &Candidate{Hash: 99, Access: w}, 1000)
	w = sh.New(s, 99, 0, 1000)
	if w&cameBack == 0 || class(w) != 2*useClasses-1 {
		t.Fatalf("it comes back as %x", w)
	}
	if w = sh.Used(s, w, 0); w&cameBack != 0 || class(w) != useClasses-1 {
		t.Fatalf("once used it is %x", w)
	}
}

// TestAgeIsCountedInInsertions: as many as there are keys make a turnover.
func TestAgeIsCountedInInsertions(t *testing.T) {
	t.Parallel()
	s := NewSetup(Find("allkeys-lhd"))
	for _, keys := range []int{1, 3, 64, 100, 5000} {
		var sh Shard
		w := sh.New(s, 1, 0, keys)
		for range 10 * keys {
			sh.New(s, 2, 0, keys)
		}
		if age := int(sh.density.age(w)); age < 10*turnover-10 || age > 10*turnover+1 {
			t.Errorf("%d keys: age %d after ten turnovers", keys, age)
		}
	}
}

// TestLearnsWhoIsUsedAgain: keys of two kinds, used twice and then either for
// ever or never again.
func TestLearnsWhoIsUsedAgain(t *testing.T) {
	t.Parallel()
	s := NewSetup(Find("allkeys-lhd"))
	var l Learner
	if l.Learn(s, 100) != s {
		t.Error("something was learned from nothing")
	}
	var sh Shard
	r := rand.New(rand.NewPCG(1, 2))
	var words [100]uint32
	for i := range words {
		words[i] = sh.New(s, uint64(i), 0, len(words))
	}
	for range 20_000 {
		i := r.IntN(len(words))
		switch n := s.Frequency(words[i], 0); {
		case n >= 4 || n < 2: // strangers and regulars are used
			words[i] = sh.Used(s, words[i], 0)
		case r.IntN(4) == 0: // of those between few are
			words[i] = sh.Used(s, words[i], 0)
		default:
			sh.Evicted(s, &Candidate{Hash: uint64(i), Access: words[i]}, len(words))
			words[i] = sh.New(s, r.Uint64(), 0, len(words))
		}
	}
	l.Take(&sh)
	learned := l.Learn(s, len(words))
	if learned == s || l.Learn(learned, len(words)) != learned {
		t.Fatal("learned nothing, or twice")
	}
	score := func(uses uint32) uint64 {
		return learned.score(learned, &Candidate{Size: 1, Access: sh.density.clock<<ageShift | uses}, sh.moment(0))
	}
	if score(2) <= score(1) || score(2) <= score(64) || score(3) <= score(64) {
		t.Errorf("scores %x of a stranger, %x and %x between, %x of a regular", score(1), score(2), score(3), score(64))
	}
	// Size and cost.
	base := Candidate{Size: 100, Access: sh.density.clock<<ageShift | 64}
	big, dear := base, base
	big.Size = 1000
	dear.Access, _ = learned.WithCost(dear.Access, 10_000)
	f := func(c Candidate) uint64 { return learned.score(learned, &c, sh.moment(0)) }
	if f(big) <= f(base) || f(dear) >= f(base) {
		t.Errorf("%x, with ten times the size %x, with a cost %x", f(base), f(big), f(dear))
	}
	learned.Costs = Ignored
	if f(dear) != f(base) {
		t.Error("an ignored cost counts")
	}
}

func TestOfTheWorthlessTheYoungestGoes(t *testing.T) {
	t.Parallel()
	s := NewSetup(Find("allkeys-lhd"))
	s.table = &Table{}
	m := moment{ticks: 1000}
	f := func(age uint32) uint64 {
		return s.score(s, &Candidate{Size: 1, Access: (1000 - age) << ageShift}, m)
	}
	if f(5) <= f(6) || f(6) <= f(900) {
		t.Errorf("%x, %x, %x", f(5), f(6), f(900))
	}
}

func TestUnknownCostIsTheAverage(t *testing.T) {
	t.Parallel()
	s := NewSetup(Find("allkeys-lhd"))
	var sh Shard
	var l Learner
	for i := range uint64(100) {
		sh.Missed(s, i, 1_000_000)
		sh.Used(s, sh.New(s, i, 1_001_000, 100), 0)
	}
	l.Take(&sh)
	s = l.Learn(s, 100)
	if s.table.cost < 900 || s.table.cost > 1100 {
		t.Errorf("average cost %.0f ms", s.table.cost)
	}
	if n := sh.Bytes(); n < 4*classes*bins || n > 20_000 {
		t.Errorf("%d bytes", n)
	}
	sh.Reset()
	if sh.Bytes() != 0 {
		t.Error("reset keeps what was learned")
	}
}
