package observe

import (
	"math/bits"
	"sync/atomic"
)

// Histogram counts times in ns: exactly up to 31, then in 32 steps from each power
// of two to the next, so that a value is known to 3%.
type Histogram struct {
	n [(maxBits - stepBits + 1) << stepBits]atomic.Int64
}

const (
	stepBits = 5
	maxBits  = 37 // 2 minutes
)

func bucket(ns int64) int {
	if ns < 1<<stepBits {
		return int(max(ns, 0))
	}
	shift := bits.Len64(uint64(ns)) - stepBits - 1
	return min(shift<<stepBits+int(ns>>shift), len(Histogram{}.n)-1)
}

// upper is the first value above those of a bucket.
func upper(i int) int64 {
	if i < 1<<stepBits {
		return int64(i) + 1
	}
	shift := i>>stepBits - 1
	return (int64(i&(1<<stepBits-1)) + 1<<stepBits + 1) << shift
}

func (h *Histogram) add(ns int64) { h.n[bucket(ns)].Add(1) }

// Count is how many values there are.
func (h *Histogram) Count() (n int64) {
	for i := range h.n {
		n += h.n[i].Load()
	}
	return n
}

// Quantile is a value in ns that p percent of all do not exceed.
func (h *Histogram) Quantile(p float64) int64 {
	want := int64(p/100*float64(h.Count()) + 0.5)
	seen := int64(0)
	last := int64(0)
	for i := range h.n {
		n := h.n[i].Load()
		if n == 0 {
			continue
		}
		seen += n
		last = upper(i) - 1
		if seen >= max(want, 1) {
			break
		}
	}
	return last
}

// Below calls f with powers of two in ns, from 1024 on, and how many values are
// below each, where there are more than below the one before.
func (h *Histogram) Below(f func(ns, n int64)) {
	seen, told := int64(0), int64(0)
	i := 0
	for limit := int64(1024); i < len(h.n); limit *= 2 {
		for ; i < len(h.n) && upper(i) <= limit; i++ {
			seen += h.n[i].Load()
		}
		if seen > told {
			f(limit, seen)
			told = seen
		}
	}
}
