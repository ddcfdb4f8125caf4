package judge

import (
	"math"
	"testing"
)

func TestLookAround(t *testing.T) {
	answers := "aabacc"
	cosines := []float64{0.9, 0.85, 0.8, 0.7, 0.6, 0.5}
	look := func(i, n int) Around {
		return LookAround(i, cosines[:n], func(j int) bool { return answers[j] == answers[i] })
	}
	a := look(0, 6)
	if math.Abs(a.Margin-0.1) > 1e-9 || a.Agree != 1 || a.Disagree != 1 || a.Share <= 0.5 || a.Share >= 1 {
		t.Errorf("%+v", a)
	}
	if a := look(0, 2); a.Margin != 1 || a.Agree != 1 || a.Disagree != 0 || a.Share != 1 {
		t.Errorf("with one answer only: %+v", a)
	}
	if a := look(2, 6); math.Abs(a.Margin+0.1) > 1e-9 || a.Agree != 0 || a.Disagree != 2 || a.Share >= 0.5 {
		t.Errorf("another answer is nearer: %+v", a)
	}
	for what, x := range map[string]Around{"alone": look(0, 1), "no other has the answer": look(2, 6)} {
		if x.Row() != [AroundSize]float64{} {
			t.Errorf("%s: %v", what, x.Row())
		}
	}
}

// Entries of the same answer around raise the confidence, those of another lower it, and alone it is that of the pair.
func TestAmong(t *testing.T) {
	m := Default()
	score := 0.5
	alone := m.Among(score, Around{Margin: 1, Share: 1})
	if alone != m.Probability(score) {
		t.Errorf("alone %v, the pair %v", alone, m.Probability(score))
	}
	with := m.Among(score, Around{Margin: 0.3, Agree: 2, Share: 0.95})
	between := m.Among(score, Around{Margin: 0.01, Agree: 1, Disagree: 1, Share: 0.3})
	if !(with > alone && between < alone) {
		t.Errorf("the same around %.3f, alone %.3f, others around %.3f", with, alone, between)
	}
	cosines := make([]float64, MaxAround)
	if n := testing.AllocsPerRun(100, func() {
		m.Among(score, LookAround(0, cosines, func(j int) bool { return j%2 == 0 }))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
