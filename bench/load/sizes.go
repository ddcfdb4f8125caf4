package load

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// maxValue bounds the length of a value.
const maxValue = 16 << 20

// sizes is how long values are: one of these at random. What is drawn from is
// a table, so that drawing costs the same for all distributions.
type sizes struct {
	spec  string
	table []uint32
	most  int
}

const sizeSteps = 4096

// parseSizes reads "64", "16-1024" (all lengths alike), or
// "lognormal:MEDIAN:SIGMA" (the logarithm of the length is normal with that
// standard deviation, as sizes of real cached objects about are).
func parseSizes(spec string) (*sizes, error) {
	s := &sizes{spec: spec}
	bad := fmt.Errorf("value size %q: N, N-M or lognormal:MEDIAN:SIGMA, 1 to %d bytes", spec, maxValue)
	add := func(v float64) { s.table = append(s.table, uint32(min(max(math.Round(v), 1), maxValue))) }
	if rest, ok := strings.CutPrefix(spec, "lognormal:"); ok {
		m, d, _ := strings.Cut(rest, ":")
		median, err1 := strconv.ParseFloat(m, 64)
		sigma, err2 := strconv.ParseFloat(d, 64)
		if err1 != nil || err2 != nil || !(median >= 1 && median <= maxValue && sigma > 0 && sigma < 10) {
			return nil, bad
		}
		for i := range sizeSteps {
			p := (float64(i) + .5) / sizeSteps
			add(median * math.Exp(sigma*math.Sqrt2*math.Erfinv(2*p-1)))
		}
	} else {
		from, to, isRange := strings.Cut(spec, "-")
		lo, err := strconv.Atoi(from)
		hi := lo
		if isRange && err == nil {
			hi, err = strconv.Atoi(to)
		}
		if err != nil || lo < 1 || hi < lo || hi > maxValue {
			return nil, bad
		}
		if lo == hi {
			add(float64(lo))
		}
		for i := range sizeSteps {
			if lo == hi {
				break
			}
			add(float64(lo) + (float64(hi-lo)+1)*(float64(i)+.5)/sizeSteps - .5)
		}
	}
	for _, n := range s.table {
		s.most = max(s.most, int(n))
	}
	return s, nil
}

func (s *sizes) draw(src *source) int {
	if len(s.table) == 1 {
		return int(s.table[0])
	}
	return int(s.table[src.below(uint64(len(s.table)))])
}
