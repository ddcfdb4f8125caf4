package semcache

import (
	"cmp"
	"math"
	"slices"

	"github.com/nearcache/nearcache/store/semcache/judge"
)

// scored is a pair by its score.
type scored struct {
	score, weight float64
	same          bool
}

// weighted gives the pairs their scores. Sets, and the labels within them, weigh the same.
func weighted(sets []judged, scores [][]float64) (rows []scored) {
	for i, s := range sets {
		same, other := s.count()
		for k, p := range s.pairs {
			w := 1 / float64(max(other, 1))
			if p.Label == 1 {
				w = 1 / float64(max(same, 1))
			}
			rows = append(rows, scored{scores[i][k], w, p.Label == 1})
		}
	}
	return rows
}

// levels is into how many parts of equal weight the scores are cut to see what they are worth.
const levels = 16

// calibrate sees what scores are worth: by parts of equal weight the share of pairs with
// the same answer, made to rise by pooling neighbours that do not.
func calibrate(sets []judged, scores [][]float64) []judge.Point {
	rows := weighted(sets, scores)
	slices.SortFunc(rows, func(a, b scored) int { return cmp.Compare(a.score, b.score) })
	total := 0.0
	for _, r := range rows {
		total += r.weight
	}
	type part struct{ score, same, weight float64 }
	var parts []part
	var p part
	for i, r := range rows {
		p.weight += r.weight
		p.score += r.weight * r.score
		if r.same {
			p.same += r.weight
		}
		if i < len(rows)-1 && (p.weight < total/levels || rows[i+1].score == r.score) {
			continue
		}
		parts = append(parts, p)
		p = part{}
		for n := len(parts); n > 1 && parts[n-1].same*parts[n-2].weight <= parts[n-2].same*parts[n-1].weight; n-- {
			a, b := parts[n-2], parts[n-1]
			parts[n-2] = part{a.score + b.score, a.same + b.same, a.weight + b.weight}
			parts = parts[:n-1]
		}
	}
	// No part is all right or all wrong for certain: one pair in fifty of a full part may yet be otherwise.
	smooth := total / levels / 50
	var worth []judge.Point
	for _, p := range parts {
		x := judge.Point{Score: p.score / p.weight, LogOdds: math.Log((p.same + smooth) / (p.weight - p.same + smooth))}
		if n := len(worth); n > 0 && (x.Score <= worth[n-1].Score || x.LogOdds <= worth[n-1].LogOdds) {
			continue
		}
		worth = append(worth, x)
	}
	return worth
}

// limits are the least confidences at which so many of the pairs served are wrong, by the
// scores of models that have not seen them.
func limits(m *judge.Model, sets []judged, scores [][]float64) (l []judge.Limit) {
	rows := weighted(sets, scores)
	slices.SortStableFunc(rows, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	for _, most := range []float64{0.01, 0.02, 0.03, 0.05, 0.07, 0.10, 0.15, 0.20, 0.30, 0.40} {
		var wrong, all float64
		least := math.Inf(1)
		for _, r := range rows {
			if all += r.weight; !r.same {
				wrong += r.weight
			}
			if wrong <= most*all {
				least = r.score
			}
		}
		l = append(l, judge.Limit{Wrong: most, Least: m.Probability(least)})
	}
	return l
}

// fitAround fits the weights of what is around a candidate, on top of what the pair is
// worth.
func fitAround(seen []decision) []float64 {
	rows, offset, right := make([][]float64, len(seen)), make([]float64, len(seen)), make([]bool, len(seen))
	for i := range seen {
		x := seen[i].around.Row()
		rows[i], offset[i], right[i] = x[:], seen[i].logOdds, seen[i].right
	}
	return logistic(rows, offset, right, make([]float64, judge.AroundSize), 1e-4*float64(len(seen)))
}

// leastSeenHere is how many candidates, where answers can be told apart, say something of a trace.
const leastSeenHere = 100

// fitWorth is the line by which what a model says, in log odds, comes to what it is worth on a trace.
func fitWorth(m *judge.Model, seen []decision) [2]float64 {
	rows, right := make([][]float64, len(seen)), make([]bool, len(seen))
	for i := range seen {
		rows[i], right[i] = []float64{1, seen[i].among(m)}, seen[i].right
	}
	w := logistic(rows, make([]float64, len(seen)), right, []float64{0, 1}, 1)
	return [2]float64{w[0], w[1]}
}

// The least that lines are taken to differ by, as standard deviations: with a few traces, the next may
// well be unlike each of them.
const (
	leastApart = 0.5
	leastSteep = 0.15
)

// spread is the mean of the lines of some traces, and by how much they differ: what is to be
// expected of the next one. nil: there are too few.
func spread(lines [][2]float64) *judge.Prior {
	n := float64(len(lines))
	if n < 1 {
		return nil
	}
	p := &judge.Prior{}
	for _, l := range lines {
		p.Mean[0] += l[0] / n
		p.Mean[1] += l[1] / n
	}
	for _, l := range lines {
		a, b := l[0]-p.Mean[0], l[1]-p.Mean[1]
		p.Cov[0] += a * a / max(n-1, 1)
		p.Cov[1] += a * b / max(n-1, 1)
		p.Cov[2] += b * b / max(n-1, 1)
	}
	p.Cov[0] += leastApart * leastApart
	p.Cov[2] += leastSteep * leastSteep
	return p
}

// logistic is logistic regression by Newton's method, beginning with w, from which a penalty keeps it.
func logistic(rows [][]float64, offset []float64, right []bool, begin []float64, ridge float64) []float64 {
	w, n := slices.Clone(begin), len(begin)
	for range 25 {
		h := make([][]float64, n)
		for i := range h {
			h[i] = make([]float64, n+1)
			h[i][i] = ridge
			h[i][n] = -ridge * (w[i] - begin[i])
		}
		for k, x := range rows {
			z := offset[k]
			for i := range x {
				z += w[i] * x[i]
			}
			q := 1 / (1 + math.Exp(-z))
			y := 0.0
			if right[k] {
				y = 1
			}
			for i := range x {
				for j := range x {
					h[i][j] += q * (1 - q) * x[i] * x[j]
				}
				h[i][n] += (y - q) * x[i]
			}
		}
		step := solve(h)
		size := 0.0
		for i := range w {
			w[i] += step[i]
			size += math.Abs(step[i])
		}
		if size < 1e-8 {
			break
		}
	}
	return w
}

// solve is Gauss' elimination on rows that end in the right-hand side; the matrix is positive definite.
func solve(a [][]float64) []float64 {
	n := len(a)
	for i := range a {
		for r := i + 1; r < n; r++ {
			f := a[r][i] / a[i][i]
			for c := i; c <= n; c++ {
				a[r][c] -= f * a[i][c]
			}
		}
	}
	x := make([]float64, n)
	for i := n - 1; i >= 0; i-- {
		x[i] = a[i][n]
		for c := i + 1; c < n; c++ {
			x[i] -= a[i][c] * x[c]
		}
		x[i] /= a[i][i]
	}
	return x
}
