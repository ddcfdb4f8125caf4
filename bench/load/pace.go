package load

import "math"

// pace is the clock of an open loop: when the next batch is due, whatever the
// server does. A batch that finds no connection free waits, and its latency
// runs from when it was due: nothing is omitted.
type pace struct {
	next    int64   // nanoseconds of clock
	gap     float64 // mean, nanoseconds
	frac    float64 // of a nanosecond that next lacks
	poisson bool
	src     source
}

// newPace begins at a moment with so many batches a second.
func newPace(from int64, perSecond float64, poisson bool, seed uint64) *pace {
	p := &pace{next: from, gap: 1e9 / perSecond, poisson: poisson, src: source{state: seed}}
	p.frac = p.gap * float64(p.src.random()>>11) / (1 << 53) // workers are not in step
	return p
}

func (p *pace) advance() {
	g := p.gap
	if p.poisson {
		g *= -math.Log1p(-float64(p.src.random()>>11) / (1 << 53))
	}
	g += p.frac
	whole := math.Floor(g)
	p.frac = g - whole
	p.next += int64(whole)
}
