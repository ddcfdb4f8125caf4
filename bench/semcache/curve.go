package semcache

import "slices"

// point is a rule's place on its curve.
type point struct {
	Hits      float64 `json:"hits"`
	Wrong     float64 `json:"wrong"`
	Threshold float64 `json:"threshold"`
}

// curve is hits and wrong at every threshold, from the strictest on. Pairs with the same score are served together.
func curve(s set, score func(i int) float64) []point {
	order, sc := make([]int, len(s.pairs)), make([]float64, len(s.pairs))
	var total [2]float64
	for i, p := range s.pairs {
		order[i], sc[i] = i, score(i)
		total[p.Label]++
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case sc[a] > sc[b]:
			return -1
		case sc[a] < sc[b]:
			return 1
		}
		return 0
	})
	var out []point
	var n [2]float64
	for k, i := range order {
		n[s.pairs[i].Label]++
		if k+1 < len(order) && sc[order[k+1]] == sc[i] {
			continue
		}
		out = append(out, point{n[1] / max(total[1], 1), n[0] / max(total[0], 1), sc[i]})
	}
	return out
}

// at is the point with most hits of those with no more than this share of wrong ones.
func at(c []point, wrong float64) point {
	var best point
	for _, p := range c {
		if p.Wrong <= wrong && p.Hits >= best.Hits {
			best = p
		}
	}
	return best
}

// served is the point of a rule that says yes or no.
func served(s set, yes func(i int) bool) point {
	var n, total [2]float64
	for i, p := range s.pairs {
		total[p.Label]++
		if yes(i) {
			n[p.Label]++
		}
	}
	return point{Hits: n[1] / max(total[1], 1), Wrong: n[0] / max(total[0], 1)}
}
