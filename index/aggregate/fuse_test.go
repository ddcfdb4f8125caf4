package aggregate_test

import (
	"math"
	"testing"

	"github.com/nearcache/nearcache/index/aggregate"
)

func TestFuse(t *testing.T) {
	lists := [2][]aggregate.Ranked{
		{{Name: "a", Score: 3}, {Name: "b", Score: 2}, {Name: "c", Score: 1}},
		{{Name: "d", Score: 0.9}, {Name: "b", Score: 0.8}, {Name: "e", Score: 0.1}},
	}
	written := func(name string) uint64 { return 200 - uint64(name[0]) } // e first
	for _, c := range []struct {
		name  string
		f     aggregate.Fusion
		order string
		best  float64
	}{
		{"ranks", aggregate.Fusion{Constant: 60, Window: 20}, "bdaec", 2.0 / 62},
		{"few", aggregate.Fusion{Constant: 60, Window: 1}, "da", 1.0 / 61},
		{"sum", aggregate.Fusion{Linear: true, Weights: [2]float64{1, 10}, Window: 20}, "bdaec", 10},
		{"text alone", aggregate.Fusion{Linear: true, Weights: [2]float64{1, 0}, Window: 20}, "abced", 3},
	} {
		got, order := c.f.Fuse(lists, written), ""
		for _, d := range got {
			order += d.Name
		}
		if order != c.order || math.Abs(got[0].Score-c.best) > 1e-12 {
			t.Errorf("%s: %s with %v, want %s with %v", c.name, order, got[0].Score, c.order, c.best)
		}
	}
	all := (&aggregate.Fusion{Constant: 60, Window: 20}).Fuse(lists, written)
	if b := all[0]; b.Ranks != [2]int{2, 2} || b.Scores != [2]float64{2, 0.8} {
		t.Errorf("b stands at %v with %v", b.Ranks, b.Scores)
	}
	if d := all[1]; d.Ranks != [2]int{0, 1} {
		t.Errorf("d stands at %v", d.Ranks)
	}
}
