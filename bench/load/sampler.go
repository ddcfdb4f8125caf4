package load

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
)

// maxKeys bounds the table of the Zipf distribution (8 bytes a key while it is
// made).
const maxKeys = 1 << 24

// keyDist is how keys are chosen.
type keyDist struct {
	name    string  // uniform, zipf or sequential
	zipf    float64 // exponent
	scans   float64 // share of all keys that belong to scans
	scanLen int     // keys of one scan, neighbours
}

// sampler gives numbers of keys, 0 to n-1.
type sampler struct {
	n          uint64
	drawn      []uint32 // Zipf: numbers drawn in advance; nil: uniform
	sequential bool
	scanLen    uint64
	scanStarts uint64 // of 2^32 keys that are not of a scan, how many begin one
}

// newSampler makes a sampler. Under zipf with exponent s the key of rank r is
// drawn in proportion to 1/r^s; which key has which rank is mixed, so that
// popular keys are not neighbours.
func newSampler(d keyDist, n int, seed uint64) (*sampler, error) {
	if n < 1 || n > maxKeys {
		return nil, fmt.Errorf("%d keys, 1 to %d are possible", n, maxKeys)
	}
	s := &sampler{n: uint64(n)}
	if d.scans != 0 {
		if !(d.scans > 0 && d.scans < 1) || d.scanLen < 1 {
			return nil, fmt.Errorf("scans of %d keys as %v of all: the share must be below 1", d.scanLen, d.scans)
		}
		l := float64(d.scanLen)
		s.scanLen = uint64(d.scanLen)
		s.scanStarts = uint64(d.scans / (l - d.scans*l + d.scans) * (1 << 32))
	}
	switch d.name {
	case "uniform":
		return s, nil
	case "sequential":
		s.sequential = true
		return s, nil
	case "zipf":
	default:
		return nil, fmt.Errorf("key distribution %q, known are uniform, zipf and sequential", d.name)
	}
	if !(d.zipf > 0 && d.zipf <= 10) {
		return nil, fmt.Errorf("exponent %v of the Zipf distribution, it must be over 0 and at most 10", d.zipf)
	}
	cum := make([]float64, n)
	sum := 0.0
	for i := range cum {
		sum += math.Pow(float64(i+1), -d.zipf)
		cum[i] = sum
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	mul := uint64(2654435761) // a prime near 2^32 divided by the golden ratio
	for gcd(mul, uint64(n)) != 1 {
		mul += 2
	}
	s.drawn = make([]uint32, 1<<20)
	for i := range s.drawn {
		rank := sort.SearchFloat64s(cum, rng.Float64()*sum)
		s.drawn[i] = uint32(uint64(min(rank, n-1)) * mul % uint64(n))
	}
	return s, nil
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// source is one connection's randomness and its place in the sampler.
type source struct {
	s        *sampler
	state    uint64
	at       uint64 // in drawn, or the next key in sequence
	scan     uint64 // the next key of a scan
	scanLeft uint64
}

func newSource(s *sampler, seed uint64) source {
	src := source{s: s, state: seed}
	switch {
	case s.drawn != nil:
		src.at = src.below(uint64(len(s.drawn)))
	case s.sequential:
		src.at = src.below(s.n)
	}
	return src
}

// random is SplitMix64.
func (s *source) random() uint64 {
	s.state += 0x9e3779b97f4a7c15
	z := s.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below is a number from 0 to n-1; n is under 2^32.
func (s *source) below(n uint64) uint64 { return s.random() >> 32 * n >> 32 }

func (s *source) key() uint64 {
	if s.s.scanLen > 0 {
		if s.scanLeft == 0 && s.random()>>32 < s.s.scanStarts {
			s.scanLeft, s.scan = s.s.scanLen, s.below(s.s.n)
		}
		if s.scanLeft > 0 {
			k := s.scan
			s.scanLeft--
			if s.scan++; s.scan == s.s.n {
				s.scan = 0
			}
			return k
		}
	}
	switch {
	case s.s.drawn != nil:
		k := s.s.drawn[s.at]
		if s.at++; s.at == uint64(len(s.s.drawn)) {
			s.at = 0
		}
		return uint64(k)
	case s.s.sequential:
		k := s.at
		if s.at++; s.at == s.s.n {
			s.at = 0
		}
		return k
	}
	return s.below(s.s.n)
}
