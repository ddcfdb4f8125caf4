package judge

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

const asked = 6000

// servable is the share of candidates that may be served with so many wrong ones, by a line that is known.
func servable(line [2]float64, wrong float64) float64 {
	var n, bad, best float64
	r := rand.New(rand.NewPCG(7, 8))
	l := make([]float64, 20_000)
	for i := range l {
		l[i] = r.NormFloat64()*2 + 1.5
	}
	slices.Sort(l)
	slices.Reverse(l)
	for _, z := range l {
		n++
		if bad += 1 / (1 + math.Exp(line[0]+line[1]*z)); bad <= wrong*n {
			best = n
		}
	}
	return best / float64(len(l))
}

// Whatever a confidence is worth, it is found out by what is checked, which is only what is not served; and of
// what is served no more is wrong than asked for.
func TestHereFindsWhatAConfidenceIsWorth(t *testing.T) {
	for _, line := range [][2]float64{{0, 1}, {-1.5, 1}, {-1, 0.6}, {0.5, 1.2}} {
		for _, wrong := range []float64{0.05, 0.1, 0.2} {
			r := rand.New(rand.NewPCG(3, 4))
			h := (&Model{}).NewHere()
			var served, bad float64
			for range asked {
				z := r.NormFloat64()*2 + 1.5
				right := r.Float64() < 1/(1+math.Exp(-line[0]-line[1]*z))
				h.Asked(z, true)
				if 1/(1+math.Exp(-h.LogOdds(z))) >= h.Least(wrong) {
					if served++; !right {
						bad++
					}
					continue
				}
				h.Checked(z, right)
			}
			if bad > wrong*served+3*math.Sqrt(wrong*served) { // by chance there are so many once in a thousand times
				t.Errorf("line %v: of %v served %v were wrong, more than %v", line, served, bad, wrong)
			}
			// As many could be served, were the line known.
			if could := servable(line, wrong); served < 0.3*could*asked {
				t.Errorf("line %v, %v wrong: %v served, of %.0f that could be", line, wrong, served, could*asked)
			}
		}
	}
}

// What is said rises, and is below what the prior says, with whatever was seen.
func TestHereRises(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		h := (&Model{}).NewHere()
		share := r.Float64()
		for range r.IntN(300) {
			h.Checked(r.NormFloat64()*3, r.Float64() < share)
			h.Asked(r.NormFloat64()*3, true)
		}
		last := math.Inf(-1)
		for z := -4.0; z < 14; z += 0.1 {
			x := h.LogOdds(z)
			if math.IsNaN(x) || x < last-1e-9 {
				t.Fatalf("at %v: %v behind %v", z, x, last)
			}
			last = x
		}
		before := 2.0
		for _, w := range []float64{0, 0.01, 0.05, 0.2, 0.5, 1} {
			l := h.Least(w)
			if math.IsNaN(l) || l > before {
				t.Fatalf("%v wrong: %v, for less %v", w, l, before)
			}
			before = l
		}
	}
	h := (&Model{}).NewHere()
	if h.Checked(math.NaN(), true); h != (&Model{}).NewHere() {
		t.Error("nothing that can be compared was taken for something")
	}
	if h.Checked(-20, false); h != (&Model{}).NewHere() {
		t.Error("a check of what is not served anyway counts")
	}
}

// The data may change: what was right for long, and is wrong from now on, is not served any more.
func TestHereForgets(t *testing.T) {
	h := (&Model{}).NewHere()
	for range 3000 {
		h.Checked(2, true)
	}
	was := h.LogOdds(2)
	for range 60 {
		h.Checked(2, false)
	}
	if now := h.LogOdds(2); was < 2 || now > 0 {
		t.Errorf("log odds %.2f, then %.2f", was, now)
	}
}

// A few answers that are met twice may be chance; those that are compared make a place known after its restart, too.
func TestHereIsTold(t *testing.T) {
	h := (&Model{}).NewHere()
	for i := range 10 {
		for range 3 {
			h.Asked(1, false)
		}
		if h.Told() {
			t.Fatalf("told after %d", i)
		}
		h.Asked(math.NaN(), true)
	}
	if !h.Told() {
		t.Error("not told after ten")
	}
	back, _ := (&Model{}).ParseHere(string(h.AppendText(nil)))
	if !back.Told() {
		t.Error("forgotten")
	}
}

// What was learned comes back from its text; what is none is not taken for it.
func TestHereIsWrittenAndRead(t *testing.T) {
	m := Default()
	h := m.NewHere()
	r := rand.New(rand.NewPCG(9, 9))
	for range 200 {
		h.Checked(r.NormFloat64()*2+1, r.Float64() < 0.7)
	}
	back, ok := m.ParseHere(string(h.AppendText(nil)))
	if !ok {
		t.Fatal(string(h.AppendText(nil)))
	}
	for z := -3.0; z < 8; z++ {
		if math.Abs(h.LogOdds(z)-back.LogOdds(z)) > 1e-2 {
			t.Errorf("at %v: %v, was %v", z, back.LogOdds(z), h.LogOdds(z))
		}
	}
	for _, s := range []string{"", "1", "0 1 1 0 x", "0 1 NaN 0 1", "0 1 1 0 1 1", "0 1 1 2 1", "0 0 1 0 1", "0 1 1e300 0 1", "0 1 -1 0 -1"} {
		if _, ok := m.ParseHere(s); ok {
			t.Errorf("%q was read", s)
		}
	}
}

// FuzzHere reads what may stand in a namespace's figures: what is taken for something says what rises.
func FuzzHere(f *testing.F) {
	for _, s := range []string{"-0.74 0.94 0.92 -2 22", "0 1 20 0 20", "-5 0.05 1e-6 0 1e6", "1e6 1e6 1e6 -999999 1e6", "0 1 1 1 1", "NaN 1 1 0 1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, ok := Default().ParseHere(text)
		if !ok {
			return
		}
		last := math.Inf(-1)
		for z := -4.0; z < 12; z += 0.25 {
			x := h.LogOdds(z)
			if math.IsNaN(x) || math.IsInf(x, 0) || x < last-1e-6*(1+math.Abs(last)) {
				t.Fatalf("%q: at %v %v, before it %v", text, z, x, last)
			}
			last = x
		}
		for range 20 {
			h.Asked(1, true)
			h.Checked(1, false)
		}
		if l := h.Least(0.05); math.IsNaN(l) || l < 0 || l > 2 {
			t.Fatalf("%q: %v", text, l)
		}
	})
}
