package judge

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Whatever the truth is, what is said comes to it: from above where the model is too sure,
// and back to what the model says where it is right.
func TestDoubtFindsWhatAConfidenceIsWorth(t *testing.T) {
	for _, off := range []float64{0, -1, -3} {
		r := rand.New(rand.NewPCG(3, 4))
		var d Doubt
		if d.LogOdds() != doubtAtFirst {
			t.Fatal(d)
		}
		for range 4000 {
			said := r.NormFloat64()*2 + 2
			right := r.Float64() < 1/(1+math.Exp(-said-off))
			d = d.Seen(1/(1+math.Exp(-said-d.LogOdds())), right)
		}
		if math.Abs(d.LogOdds()-off) > 0.8 {
			t.Errorf("off by %v: %v", off, d.LogOdds())
		}
	}
	for _, right := range []bool{true, false} {
		d, most := Doubt{}, 0.0
		if !right {
			most = doubtLeast
		}
		for range 1000 {
			d = d.Seen(0.9, right)
			if d.LogOdds() > 0 || d.LogOdds() < doubtLeast {
				t.Fatal(d)
			}
		}
		if math.Abs(d.LogOdds()-most) > 1e-9 && !right || d.LogOdds() < -0.1 && right {
			t.Errorf("always %v: %v", right, d.LogOdds())
		}
	}
	if d := (Doubt{}).Seen(0.3, false); d != (Doubt{}) {
		t.Error("a check of what is not served anyway counts", d)
	}
	if d := (Doubt{}).Seen(math.NaN(), false); d != (Doubt{}) {
		t.Error(d)
	}
}
