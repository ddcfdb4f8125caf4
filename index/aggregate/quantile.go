package aggregate

import (
	"math"
	"slices"

	"github.com/nearcache/nearcache/index/expr"
)

// quantile is QUANTILE: the summary of a stream by Cormode, Korn, Muthukrishnan and
// Srivastava ("Effective computation of biased quantiles over data streams"), with
// the names of the paper and RediSearch's error of 0.01. Up to a buffer of values
// it is exact but for that error's half.
type quantile struct {
	slot    int
	at      float64
	size    int
	n       int
	buffer  []float64
	samples []sample
	spare   []sample
}

// sample stands for g values up to v; d is by how many its rank may be off.
type sample struct{ v, g, d float64 }

const quantileError = 0.01

func buildQuantile(a *reduceArgs) (func() accumulator, error) {
	q := quantile{size: 500}
	var err error
	if q.slot, err = a.key(); err != nil {
		return nil, err
	}
	if q.at, err = a.number(a.name); err != nil {
		return nil, err
	}
	if !(q.at >= 0 && q.at <= 1) {
		return nil, errorf("Percentage must be between 0.0 and 1.0")
	}
	if a.more() {
		if q.size, err = a.integer("<resolution>"); err != nil {
			return nil, err
		}
		if q.size < 1 || q.size > maxSample {
			return nil, errorf("Invalid resolution")
		}
	}
	return func() accumulator { c := q; return &c }, a.done()
}

func (q *quantile) add(p *Pipeline, r *Row) error {
	before := 8*cap(q.buffer) + 24*(cap(q.samples)+cap(q.spare))
	numbers(r.at(q.slot), func(x float64) {
		if math.IsNaN(x) {
			return
		}
		if q.buffer = append(q.buffer, x); len(q.buffer) == q.size {
			q.flush()
			q.compress()
		}
	})
	return p.hold(8*cap(q.buffer) + 24*(cap(q.samples)+cap(q.spare)) - before)
}

// allowed is the paper's f: how many ranks a sample at rank r may stand for.
func allowed(r float64) float64 { return 2 * quantileError * r }

// flush merges the buffer into the samples.
func (q *quantile) flush() {
	slices.Sort(q.buffer)
	out := q.spare[:0]
	r, i := 0.0, 0
	for _, x := range q.buffer {
		for i < len(q.samples) && q.samples[i].v <= x {
			r += q.samples[i].g
			out = append(out, q.samples[i])
			i++
		}
		s := sample{v: x, g: 1}
		if i < len(q.samples) {
			s.d = math.Floor(allowed(r)) - 1
		}
		out = append(out, s)
	}
	out = append(out, q.samples[i:]...)
	q.samples, q.spare = out, q.samples
	q.n += len(q.buffer)
	q.buffer = q.buffer[:0]
}

// compress merges samples that one may stand for.
func (q *quantile) compress() {
	n := len(q.samples)
	if n < 2 {
		return
	}
	to := n - 1 // where the last one that stays stands
	r := float64(q.n) - 1 - q.samples[to].g
	for i := n - 2; i >= 0; i-- {
		c := q.samples[i]
		if next := &q.samples[to]; c.g+next.g+next.d <= allowed(r) {
			next.g += c.g
		} else {
			to--
			q.samples[to] = c
		}
		r -= c.g
	}
	q.samples = append(q.samples[:0], q.samples[to:]...)
}

func (q *quantile) value() expr.Value {
	q.flush()
	if len(q.samples) == 0 {
		return expr.Num(math.NaN())
	}
	t := math.Ceil(q.at * float64(q.n))
	t += math.Floor(allowed(t) / 2)
	r, last := 0.0, 0
	for i := 1; i < len(q.samples); i++ {
		if r+q.samples[i].g+q.samples[i].d >= t {
			break
		}
		r += q.samples[i].g
		last = i
	}
	return expr.Num(q.samples[last].v)
}
