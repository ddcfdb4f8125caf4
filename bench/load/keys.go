package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
)

// maxKeys bounds the table of the Zipf distribution (8 bytes a key while it is
// made).
const maxKeys = 1 << 24

// sampler gives numbers of keys, 0 to n-1.
type sampler struct {
	n     uint64
	drawn []uint32 // Zipf: numbers drawn in advance; nil: uniform
}

// newSampler makes a sampler. dist is "uniform", or "zipf" with exponent s: the
// key of rank r is drawn in proportion to 1/r^s. Which key has which rank is
// mixed, so that popular keys are not neighbours.
func newSampler(dist string, n int, s float64, seed uint64) (*sampler, error) {
	if n < 1 || n > maxKeys {
		return nil, fmt.Errorf("%d keys, 1 to %d are possible", n, maxKeys)
	}
	switch dist {
	case "uniform":
		return &sampler{n: uint64(n)}, nil
	case "zipf":
	default:
		return nil, fmt.Errorf("key distribution %q, known are uniform and zipf", dist)
	}
	if !(s > 0 && s <= 10) {
		return nil, fmt.Errorf("exponent %v of the Zipf distribution, it must be over 0 and at most 10", s)
	}
	cum := make([]float64, n)
	sum := 0.0
	for i := range cum {
		sum += math.Pow(float64(i+1), -s)
		cum[i] = sum
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	mul := uint64(2654435761) // a prime near 2^32 divided by the golden ratio
	for gcd(mul, uint64(n)) != 1 {
		mul += 2
	}
	drawn := make([]uint32, 1<<20)
	for i := range drawn {
		rank := sort.SearchFloat64s(cum, rng.Float64()*sum)
		drawn[i] = uint32(uint64(min(rank, n-1)) * mul % uint64(n))
	}
	return &sampler{n: uint64(n), drawn: drawn}, nil
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// source is one connection's randomness and its place in the sampler.
type source struct {
	s     *sampler
	state uint64
	at    int
}

func newSource(s *sampler, seed uint64) source {
	src := source{s: s, state: seed}
	if s.drawn != nil {
		src.at = int(src.random() % uint64(len(s.drawn)))
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
	if s.s.drawn == nil {
		return s.below(s.s.n)
	}
	k := s.s.drawn[s.at]
	if s.at++; s.at == len(s.s.drawn) {
		s.at = 0
	}
	return uint64(k)
}
