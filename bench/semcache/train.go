package semcache

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/nearcache/nearcache/bench/semcache/boost"
	"github.com/nearcache/nearcache/store/semcache/judge"
)

// judged is the evidence about the pairs of a set.
type judged struct {
	set
	evidence []judge.Evidence
}

func weigh(s set) judged {
	j := judged{s, make([]judge.Evidence, len(s.pairs))}
	parallel(len(s.pairs), func(i int) {
		p := s.pairs[i]
		j.evidence[i] = judge.Compare(judge.Parse(p.A), judge.Parse(p.B), p.Cosine, nil)
	})
	return j
}

// The recipe. The rates and sizes are the usual ones of the literature; none was tuned to a set.
const (
	trees   = 150
	rate    = 0.05
	leaves  = 8
	minRows = 40
	lambda  = 5
	// prior is how much a unit of cosine adds to the log odds before any tree
	// speaks. The trees of one set take the cosine for worth much, of another for
	// worth little (where pairs were made to be near); this keeps it in the sum.
	prior  = 10
	middle = 0.85
)

// train makes a model of the sets, and with more than one calibrates it: what a
// score is worth is learned of each set from the scores of a model of the others.
func train(sets []judged, progress func(tree int, loss float64)) *judge.Model {
	m := grow(sets, progress)
	if len(sets) < 2 {
		return m
	}
	scores := make([][]float64, len(sets))
	parallel(len(sets), func(i int) {
		strange := grow(slices.Delete(slices.Clone(sets), i, i+1), nil)
		for _, e := range sets[i].evidence {
			scores[i] = append(scores[i], strange.Score(e))
		}
	})
	m.Scale, m.Shift = calibrate(sets, scores)
	return m
}

// calibrate fits the log odds scale·score + shift by Newton's method, a step being
// halved until it gains. Sets, and the labels within them, weigh the same.
func calibrate(sets []judged, scores [][]float64) (scale, shift float64) {
	type row struct{ x, y, w float64 }
	var rows []row
	for i, s := range sets {
		same, other := s.count()
		for k, p := range s.pairs {
			w := 1 / float64(max(other, 1))
			if p.Label == 1 {
				w = 1 / float64(max(same, 1))
			}
			rows = append(rows, row{scores[i][k], float64(p.Label), w})
		}
	}
	loss := func(scale, shift float64) (l float64) {
		for _, r := range rows {
			z := scale*r.x + shift
			l += r.w * (max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) - r.y*z)
		}
		return l
	}
	scale = 1
	best := loss(scale, shift)
	for range 50 {
		var g0, g1, h00, h01, h11 float64
		for _, r := range rows {
			q := 1 / (1 + math.Exp(-scale*r.x-shift))
			d, h := r.w*(q-r.y), r.w*q*(1-q)
			g0, g1 = g0+d, g1+d*r.x
			h00, h01, h11 = h00+h, h01+h*r.x, h11+h*r.x*r.x
		}
		det := h00*h11 - h01*h01
		if det < 1e-12 {
			break
		}
		dShift, dScale := (h01*g1-h11*g0)/det, (h01*g0-h00*g1)/det
		step := 1.0
		for step > 1e-6 && !(loss(scale+step*dScale, shift+step*dShift) < best) {
			step /= 2
		}
		if step <= 1e-6 {
			break
		}
		scale, shift = scale+step*dScale, shift+step*dShift
		best = loss(scale, shift)
	}
	return max(scale, 0.01), shift
}

// grow makes the trees.
func grow(sets []judged, progress func(tree int, loss float64)) *judge.Model {
	var rows []boost.Row
	var all int
	for _, s := range sets {
		all += len(s.pairs)
	}
	for _, s := range sets {
		var count [2]int
		count[1], count[0] = s.count()
		for i, p := range s.pairs {
			w := float64(all) / float64(2*len(sets)*count[p.Label])
			rows = append(rows, boost.Row{Evidence: s.evidence[i], Same: p.Label == 1, Weight: w})
		}
	}
	o := boost.Options{Trees: trees, Rate: rate, Leaves: leaves, MinRows: minRows, Lambda: lambda, Progress: progress}
	m := &judge.Model{Prior: prior, Middle: middle}
	for _, s := range judge.Signals {
		o.Sense = append(o.Sense, s.Sense)
		m.Signals = append(m.Signals, s.Name)
	}
	m.Trees, m.Bias = boost.Train(rows, o)
	return m
}

// write puts the model where the package judge embeds it.
func write(path string, m *judge.Model, sets []judged) error {
	m.About = "made by `nearcache bench semcache -train` of"
	for _, s := range sets {
		m.About += fmt.Sprintf(" %s (%d pairs)", s.name, len(s.pairs))
	}
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// parallel calls f for 0 … n-1 on all cores.
func parallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	k := runtime.GOMAXPROCS(0)
	for w := range k {
		wg.Go(func() {
			for i := w; i < n; i += k {
				f(i)
			}
		})
	}
	wg.Wait()
}
