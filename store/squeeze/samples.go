package squeeze

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// maxSample is how much of a value is kept: what comes later in a long one is
// compressed well by what stands before it.
const maxSample = 16 << 10

// samples is a random choice of the values offered since the last Train, with
// those of before it: reservoir sampling, bounded in bytes.
type samples struct {
	skip atomic.Int64 // values to let pass before the next is taken

	mu struct {
		sync.Mutex
		rng    *rand.Rand
		values [][]byte
		bytes  int
		max    int
		seen   int64 // values offered
	}
}

func (s *samples) init(max int) {
	s.mu.rng = rand.New(rand.NewPCG(1, 2))
	s.mu.max = max
}

// Sample offers a value to learn from, of which a copy may be kept. It costs
// nearly nothing for most values.
func (c *Codec) Sample(value []byte) {
	if len(value) < MinLen || c.samples.skip.Add(-1) >= 0 {
		return
	}
	c.samples.take(value[:min(len(value), maxSample)])
}

func (s *samples) take(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &s.mu
	if m.bytes+len(b) <= m.max {
		m.values = append(m.values, append([]byte(nil), b...))
		m.bytes += len(b)
		m.seen++
		s.skip.Store(0)
		return
	}
	// One in seen/len(values) is taken, and takes another's place.
	n := int64(len(m.values))
	m.seen = max(m.seen, n)
	gap := m.rng.Int64N(2*m.seen/n + 1)
	m.seen += gap + 1
	s.skip.Store(gap)
	i := m.rng.IntN(len(m.values))
	m.bytes += len(b) - len(m.values[i])
	m.values[i] = append(m.values[i][:0], b...)
	for m.bytes > m.max && len(m.values) > 1 {
		i := m.rng.IntN(len(m.values))
		last := len(m.values) - 1
		m.bytes -= len(m.values[i])
		m.values[i], m.values[last] = m.values[last], nil
		m.values = m.values[:last]
	}
}

func (s *samples) size() (values int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mu.values), int64(s.mu.bytes)
}

// snapshot copies the samples in random order, and makes those that come next
// count more than those from before.
func (s *samples) snapshot() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &s.mu
	out := make([][]byte, len(m.values))
	all := make([]byte, 0, m.bytes)
	for i, j := range m.rng.Perm(len(m.values)) {
		at := len(all)
		all = append(all, m.values[j]...)
		out[i] = all[at:len(all):len(all)]
	}
	m.seen = int64(len(m.values))
	s.skip.Store(0)
	return out
}
