package aggregate

import (
	"math"
	"math/bits"

	"github.com/zeebo/xxh3"

	"github.com/nearcache/nearcache/index/expr"
)

// distinctish is COUNT_DISTINCTISH: exact for some values, and then a HyperLogLog
// of 4096 registers, whose error is 1.6%.
type distinctish struct {
	slot int
	key  []byte
	seen map[uint64]struct{}
	regs []uint8
}

const (
	exactUpTo    = 256
	registerBits = 12
)

func (d *distinctish) add(p *Pipeline, r *Row) error {
	v := r.at(d.slot)
	if v.IsNull() {
		return nil
	}
	d.key = v.AppendKey(d.key[:0])
	h := xxh3.Hash(d.key)
	if d.regs != nil {
		d.put(h)
		return nil
	}
	if d.seen == nil {
		d.seen = map[uint64]struct{}{}
	}
	if d.seen[h] = struct{}{}; len(d.seen) <= exactUpTo {
		return nil
	}
	d.regs = make([]uint8, 1<<registerBits)
	for h := range d.seen {
		d.put(h)
	}
	d.seen = nil
	return p.hold(len(d.regs))
}

func (d *distinctish) put(h uint64) {
	i := h >> (64 - registerBits)
	rank := uint8(bits.LeadingZeros64(h<<registerBits|1<<(registerBits-1)) + 1)
	d.regs[i] = max(d.regs[i], rank)
}

func (d *distinctish) value() expr.Value {
	if d.regs == nil {
		return expr.Num(float64(len(d.seen)))
	}
	const m = 1 << registerBits
	sum, empty := 0.0, 0
	for _, r := range d.regs {
		sum += math.Ldexp(1, -int(r))
		if r == 0 {
			empty++
		}
	}
	n := 0.7213 / (1 + 1.079/m) * m * m / sum
	if n <= 2.5*m && empty > 0 {
		n = m * math.Log(float64(m)/float64(empty)) // linear counting
	}
	return expr.Num(math.Round(n))
}
