package semcache

import (
	"math"
)

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

// fitAround fits the weights of what is around a candidate, on top of what the pair is
// worth: logistic regression by Newton's method, with a small penalty.
func fitAround(seen []decision) []float64 {
	var rows [][]float64
	for _, d := range seen {
		x := d.around.Row()
		rows = append(rows, x[:])
	}
	n := len(rows[0])
	w := make([]float64, n)
	const ridge = 1e-4
	for range 25 {
		h := make([][]float64, n)
		for i := range h {
			h[i] = make([]float64, n+1)
			h[i][i] = ridge * float64(len(rows))
			h[i][n] = -h[i][i] * w[i]
		}
		for k, x := range rows {
			z := seen[k].logOdds
			for i := range x {
				z += w[i] * x[i]
			}
			q := 1 / (1 + math.Exp(-z))
			y := 0.0
			if seen[k].right {
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
