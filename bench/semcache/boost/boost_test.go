package boost

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/nearcache/nearcache/store/semcache/judge"
)

// made is rows whose label depends on the first signal, less on the second, and with noise; the third tells nothing.
func made(n int) []Row {
	r := rand.New(rand.NewPCG(1, 2))
	rows := make([]Row, n)
	for i := range rows {
		e := judge.Evidence{r.Float64(), float64(r.IntN(2)), r.Float64()}
		z := 6*(e[0]-0.5) - 2*e[1]
		rows[i] = Row{Evidence: e, Same: r.Float64() < 1/(1+math.Exp(-z)), Weight: 1}
	}
	return rows
}

func score(trees []judge.Tree, bias float64, e judge.Evidence) float64 {
	return (&judge.Model{Bias: bias, Trees: trees}).Score(e)
}

func TestTreesLearn(t *testing.T) {
	o := Options{Trees: 60, Rate: 0.1, Leaves: 6, MinRows: 20, Lambda: 1, Sense: []int{1, -1, 0}}
	trees, bias := Train(made(4000), o)
	var loss float64
	test := made(6000)[4000:]
	for _, r := range test {
		z := score(trees, bias, r.Evidence)
		if r.Same {
			z = -z
		}
		loss += math.Log1p(math.Exp(z)) / float64(len(test))
	}
	// A constant has 0.68; the process that made the rows 0.50.
	if loss > 0.53 {
		t.Errorf("loss %.3f", loss)
	}
}

func TestMonotoneConstraintsHold(t *testing.T) {
	rows := made(3000)
	for i := range rows { // noise against the sense of the first signal
		if rows[i].Evidence[0] > 0.8 {
			rows[i].Same = i%2 == 0
		}
	}
	trees, bias := Train(rows, Options{Trees: 40, Rate: 0.1, Leaves: 8, MinRows: 10, Lambda: 1, Sense: []int{1, -1, 0}})
	for _, b := range []float64{0, 1} {
		for _, c := range []float64{0.1, 0.5, 0.9} {
			last := math.Inf(-1)
			for a := 0.0; a <= 1; a += 0.01 {
				s := score(trees, bias, judge.Evidence{a, b, c})
				if s < last-1e-12 {
					t.Fatalf("the score falls from %v to %v at %v", last, s, a)
				}
				last = s
				if b == 0 && score(trees, bias, judge.Evidence{a, 1, c}) > s+1e-12 {
					t.Fatal("the second signal raises the score")
				}
			}
		}
	}
	free, bias := Train(rows, Options{Trees: 40, Rate: 0.1, Leaves: 8, MinRows: 10, Lambda: 1, Sense: []int{0, 0, 0}})
	if score(free, bias, judge.Evidence{0.75, 0, 0.5}) <= score(free, bias, judge.Evidence{0.9, 0, 0.5}) {
		t.Error("without constraints the noise is not learned: this test shows nothing")
	}
}

func TestTheSameRowsMakeTheSameTrees(t *testing.T) {
	o := Options{Trees: 5, Rate: 0.1, Leaves: 8, MinRows: 10, Lambda: 1, Sense: []int{1, -1, 0}}
	a, _ := Train(made(1000), o)
	b, _ := Train(made(1000), o)
	for i := range a {
		for j := range a[i] {
			if a[i][j] != b[i][j] {
				t.Fatalf("tree %d differs", i)
			}
		}
	}
}
