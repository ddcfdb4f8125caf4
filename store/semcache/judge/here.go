package judge

import (
	"math"
	"strconv"
	"strings"
)

// What a confidence is worth was learned of other data. Where answers differ by a time or a place,
// say, far fewer of those that look the same are, and no feedback need come to say so. But each prompt that
// was not served does: the answer that is then stored for it is that of the likeliest entry, or
// is not. [Here] is what has been seen at one place; [Prior] what it can expect.

// Prior is what can be expected of data that nothing is known of: a line from the log odds of
// the model to those that they are worth. Of each trace that was learned from there is one; this is their mean, and how
// far they are apart.
type Prior struct {
	Mean [2]float64 `json:"mean"` // at log odds of 0, and what one of them is worth
	Cov  [3]float64 `json:"cov"`  // of the first, of both, of the second
}

// Here is what confidence is worth at one place. It is a logistic regression that begins with the
// prior and goes on with each check, and says no more than what is likely: as much less than
// the best guess as it is unsure. That only misses are checked does no harm, as what is
// served is chosen by nothing but the log odds that the regression is about. The zero value is no Here: see [Model.NewHere].
type Here struct {
	prior Prior
	mean  [2]float64
	info  [3]float64 // the inverse of the covariance
	most  float64    // from these log odds on it says nothing better
	asked float64
	by    [bins]float32 // how often the likeliest candidate had these log odds
	apart int           // how often answers could be told apart around it, as far as that is counted
}

const (
	// unsure is by how many standard errors less is said than the best guess: it is
	// right five times in six.
	unsure = 1.0
	// memory is after how many checks the first ones count no more than the prior does.
	memory = 400
	// checkedFrom is from what expected log odds on a check counts: what is worth is asked where it decides, not
	// of the many that are far from being served.
	checkedFrom = -1.0

	// The likeliest candidates by their log odds, in bins from firstBin on.
	bins, firstBin, binSize = 64, -4.0, 0.25
	// marginal is how many candidates would have to be sure enough by themselves, before
	// the surer of those that were asked for make up for less sure ones.
	marginal = 10
	// leastRise is what a unit of log odds is worth at least.
	leastRise = 0.05
	maxAsked  = 2000
	// toldFrom is how often answers have to have been told apart: once may be chance, as two refusals in the same words are.
	toldFrom = 10
)

// anyPrior is that of a model without one.
var anyPrior = Prior{Mean: [2]float64{-1, 1}, Cov: [3]float64{1, 0, 0.1}}

// NewHere is what is known at the beginning.
func (m *Model) NewHere() Here {
	p := anyPrior
	if m.Here != nil {
		p = *m.Here
	}
	h := Here{prior: p, mean: p.Mean, info: inverse(p.Cov)}
	h.bound()
	return h
}

func inverse(c [3]float64) [3]float64 {
	det := max(c[0]*c[2]-c[1]*c[1], 1e-9)
	return [3]float64{c[2] / det, -c[1] / det, c[0] / det}
}

// bound finds where what is said would fall again: the unsurer, the farther from what was seen. But
// surer log odds are worth no less.
func (h *Here) bound() {
	h.most = math.Inf(1)
	c := inverse(h.info)
	b, q := h.mean[1], unsure*unsure
	if b*b >= q*c[2] {
		return
	}
	det := max(c[0]*c[2]-c[1]*c[1], 0)
	h.most = (math.Sqrt(b*b*det/(q*c[2]-b*b)) - c[1]) / c[2]
}

// LogOdds is what log odds of the model are worth here.
func (h *Here) LogOdds(z float64) float64 {
	c := inverse(h.info)
	z = min(z, h.most)
	return h.mean[0] + h.mean[1]*z - unsure*math.Sqrt(max(0, c[0]+2*c[1]*z+c[2]*z*z))
}

// Counts reports whether a check at these log odds says something.
func (h *Here) Counts(z float64) bool { return h.prior.Mean[0]+h.prior.Mean[1]*z >= checkedFrom }

// Checked is told whether a candidate with these log odds, which was not served, had the right answer.
func (h *Here) Checked(z float64, right bool) {
	if !h.Counts(z) || math.IsNaN(z) {
		return
	}
	z = max(firstBin, min(z, firstBin+bins*binSize))
	// What was seen long ago fades into the prior.
	first := inverse(h.prior.Cov)
	for i := range h.info {
		h.info[i] += (first[i] - h.info[i]) / memory
	}
	y := 0.0
	if right {
		y = 1
	}
	p := 1 / (1 + math.Exp(-(h.mean[0] + h.mean[1]*z)))
	w := max(p*(1-p), 1e-3)
	h.info[0] += w
	h.info[1] += w * z
	h.info[2] += w * z * z
	c := inverse(h.info)
	h.mean[0] += (c[0] + c[1]*z) * (y - p)
	// Surer log odds are worth more, if only a little.
	h.mean[1] = max(h.mean[1]+(c[1]+c[2]*z)*(y-p), leastRise)
	h.bound()
}

// Told reports whether answers can be told apart at this place. Then what was learned is worth something of
// a candidate, too, around which no answer is met twice: with but one entry to each answer, all the less is right.
func (h *Here) Told() bool { return h.apart >= toldFrom }

// Asked is told the log odds of a likeliest candidate, whether it is served or not, and whether answers
// can be told apart around it.
func (h *Here) Asked(z float64, apart bool) {
	if apart && h.apart < toldFrom {
		h.apart++
	}
	if math.IsNaN(z) || z < firstBin {
		return
	}
	h.by[min(bins-1, int((z-firstBin)/binSize))]++
	if h.asked++; h.asked > maxAsked {
		h.asked = 0
		for i := range h.by {
			h.by[i] /= 2
			h.asked += float64(h.by[i])
		}
	}
}

// Least is the confidence from which on a candidate is to be served so that no more than a share of
// those served is wrong: as many of those that were asked for are sure, as much less sure may the last
// one be. Above 1 where there is no such confidence.
func (h *Here) Least(wrong float64) float64 {
	if wrong <= 0 {
		return 2
	}
	var n, bad float64
	least := 2.0
	for i := bins - 1; i >= 0; i-- {
		right := 1 / (1 + math.Exp(-h.LogOdds(firstBin+float64(i)*binSize)))
		n += float64(h.by[i])
		bad += float64(h.by[i]) * (1 - right)
		if bad+marginal*(1-right) > wrong*(n+marginal) {
			break
		}
		least = right
	}
	return least
}

// AppendText appends what was learned as text, for [Model.ParseHere]. What was asked for is not part of it.
func (h *Here) AppendText(b []byte) []byte {
	for i, x := range [...]float64{h.mean[0], h.mean[1], h.info[0], h.info[1], h.info[2]} {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendFloat(b, x, 'g', 6, 64)
	}
	return b
}

// ParseHere reads what AppendText has written; false where it is nothing that can have been learned.
func (m *Model) ParseHere(text string) (Here, bool) {
	h := m.NewHere()
	words := strings.Fields(text)
	if len(words) != 5 {
		return h, false
	}
	for i, to := range [...]*float64{&h.mean[0], &h.mean[1], &h.info[0], &h.info[1], &h.info[2]} {
		x, err := strconv.ParseFloat(words[i], 64)
		if err != nil || math.IsNaN(x) || math.Abs(x) > 1e6 {
			return m.NewHere(), false
		}
		*to = x
	}
	if h.mean[1] < leastRise || h.info[0] <= 0 || h.info[2] <= 0 || h.info[0]*h.info[2] <= h.info[1]*h.info[1] {
		return m.NewHere(), false
	}
	h.apart = toldFrom // nothing is learned elsewhere
	h.bound()
	return h, true
}
