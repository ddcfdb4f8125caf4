package semcache

import "math"

// calibration is what became of the pairs, or hits, whose confidence lies in one tenth. Of pairs both labels weigh the same.
type calibration struct {
	Said  float64 `json:"said"`
	Right float64 `json:"right"`
	Pairs int     `json:"pairs"`
}

// tenths counts by confidence: of each tenth the sums of what was said and of what was right, by weight.
type tenths [10]struct {
	said, right, weight float64
	n                   int
}

func (t *tenths) add(confidence, weight float64, right bool) {
	b := &t[min(int(confidence*10), 9)]
	b.n++
	b.weight += weight
	b.said += weight * confidence
	if right {
		b.right += weight
	}
}

func (t *tenths) addAll(of *tenths) {
	for i, x := range of {
		b := &t[i]
		b.n, b.weight, b.said, b.right = b.n+x.n, b.weight+x.weight, b.said+x.said, b.right+x.right
	}
}

// calibrations are the tenths that have some, and by how much the confidence was off in the mean: the expected calibration
// error of Naeini and others, "Obtaining Well Calibrated Probabilities" (2015).
func (t *tenths) calibrations() (out []calibration, off float64) {
	var total float64
	for _, b := range t {
		if b.n > 0 {
			out = append(out, calibration{b.said / b.weight, b.right / b.weight, b.n})
			off += math.Abs(b.said - b.right)
			total += b.weight
		}
	}
	return out, off / max(total, 1e-9)
}
