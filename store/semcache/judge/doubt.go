package judge

import "math"

// Doubt is what the confidence loses, in log odds, where answers can be told apart, until the
// data at hand has shown that it is earned. What a score and the entries around are worth was learned
// of other data: where answers differ by a time or a place, far fewer of those that look the same
// are, and no feedback need come to say so. But each prompt that was not served is: the
// answer that is then stored for it is that of the nearest entry, or is not.
//
// The zero value is the doubt of the beginning.
type Doubt struct{ less float64 }

const (
	// doubtAtFirst: of two traces, one unlike the other, the bound is kept on that
	// which the model has not seen, and the other is as often served from the 20th check on.
	doubtAtFirst = -2
	doubtLeast   = -6
	doubtStep    = 0.3 // of log odds, as the step of a logistic regression
	// doubtFrom is the confidence from which on a check counts: what is worth is asked
	// where it decides, not of the many that are far from being served.
	doubtFrom = 0.5
)

// LogOdds is what is to be added.
func (d Doubt) LogOdds() float64 { return doubtAtFirst + d.less }

// DoubtOf is the doubt of these log odds, as far as a doubt may go.
func DoubtOf(logOdds float64) Doubt {
	return Doubt{max(doubtLeast, min(0, logOdds)) - doubtAtFirst}
}

// Counts reports whether a check at this confidence says something.
func (d Doubt) Counts(confidence float64) bool { return confidence >= doubtFrom }

// Seen is the doubt after a check: whether an entry of this confidence, which was not
// served, had the right answer.
func (d Doubt) Seen(confidence float64, right bool) Doubt {
	if !d.Counts(confidence) || math.IsNaN(confidence) {
		return d
	}
	y := 0.0
	if right {
		y = 1
	}
	return DoubtOf(d.LogOdds() + doubtStep*(y-confidence))
}
