package stream

import (
	"cmp"
	"encoding/binary"
	"maps"
	"math/bits"
	"slices"
	"sync/atomic"

	"github.com/zeebo/xxh3"
)

// The defaults and bounds of how long, in seconds, and how many of a producer's
// idempotent IDs are remembered: Redis' stream-idmp-duration and -maxsize.
const (
	DefaultDuration = 100
	MaxDuration     = 86400
	DefaultMaxIIDs  = 100
	MaxMaxIIDs      = 10000
)

// Settings are what streams are made with. The zero value is the defaults.
type Settings struct{ duration, maxIIDs atomic.Int64 }

// Set changes them for streams that are made from then on.
func (s *Settings) Set(duration, maxIIDs int64) {
	s.duration.Store(duration)
	s.maxIIDs.Store(maxIIDs)
}

// New makes an empty stream; odd says that it is not as the defaults have it.
func (s *Settings) New() (v *Value, odd bool) {
	v = New()
	return v, v.Configure(cmp.Or(s.duration.Load(), -1), cmp.Or(s.maxIIDs.Load(), -1))
}

// producers remembers the idempotent IDs of producers: which entry each one added.
type producers struct {
	Duration int64 // seconds
	MaxIIDs  int64 // of a producer
	Added    int64 // idempotent IDs ever
	Repeated int64 // entries that were not added a second time
	by       map[string]*producer
	sweepAt  int // number of producers at which all are looked at
	bytes    int
}

// producer is a map and the order of its keys, the oldest first.
type producer struct {
	ids  map[string]ID
	iids []string
}

const (
	iidCost      = 80 // of an idempotent ID, beside its bytes
	producerCost = 160
	firstSweep   = 16
)

func newProducers() producers {
	return producers{Duration: DefaultDuration, MaxIIDs: DefaultMaxIIDs, sweepAt: firstSweep}
}

// Lookup finds the entry that a producer added under an idempotent ID not longer
// ago than is remembered at now (Unix ms).
func (v *Value) Lookup(pid, iid []byte, now int64) (ID, bool) {
	s := &v.producers
	p := s.by[string(pid)]
	if p == nil {
		return ID{}, false
	}
	s.expire(string(pid), p, now)
	id, ok := p.ids[string(iid)]
	return id, ok
}

// Repeated counts an entry that was not added again.
func (v *Value) Repeated() { v.producers.Repeated++ }

// Remember notes which entry a producer has added under an idempotent ID, in place of another one that is known.
func (v *Value) Remember(pid, iid []byte, id ID, now int64) {
	s := &v.producers
	if len(s.by) >= s.sweepAt {
		v.ExpireIIDs(now)
		s.sweepAt = max(firstSweep, 2*len(s.by))
	}
	p := s.by[string(pid)]
	if p == nil {
		if s.by == nil {
			s.by = map[string]*producer{}
		}
		p = &producer{ids: map[string]ID{}}
		s.by[string(pid)] = p
		s.bytes += producerCost + len(pid)
	}
	name := string(iid)
	if _, known := p.ids[name]; known {
		i := slices.Index(p.iids, name)
		p.iids = slices.Delete(p.iids, i, i+1)
		s.bytes -= iidCost + len(name)
	}
	p.ids[name] = id
	p.iids = append(p.iids, name)
	s.bytes += iidCost + len(name)
	s.Added++
	if int64(len(p.ids)) > s.MaxIIDs {
		s.forget(p)
	}
}

// forget removes a producer's oldest ID.
func (s *producers) forget(p *producer) {
	name := p.iids[0]
	p.iids[0] = ""
	p.iids = p.iids[1:]
	delete(p.ids, name)
	s.bytes -= iidCost + len(name)
}

func (s *producers) expire(pid string, p *producer, now int64) {
	due := uint64(max(now-s.Duration*1000, 0))
	for len(p.iids) > 0 && p.ids[p.iids[0]].Ms <= due {
		s.forget(p)
	}
	if len(p.iids) == 0 {
		delete(s.by, pid)
		s.bytes -= producerCost + len(pid)
	}
}

// ExpireIIDs forgets the idempotent IDs that are too old at now.
func (v *Value) ExpireIIDs(now int64) {
	for pid, p := range v.producers.by {
		v.producers.expire(pid, p, now)
	}
}

// Configure sets how long and how many idempotent IDs are remembered, where the
// number is not negative. Another one than before forgets them all; Configure
// reports whether that is so.
func (v *Value) Configure(duration, maxIIDs int64) bool {
	s := &v.producers
	changed := duration >= 0 && duration != s.Duration || maxIIDs >= 0 && maxIIDs != s.MaxIIDs
	if duration >= 0 {
		s.Duration = duration
	}
	if maxIIDs >= 0 {
		s.MaxIIDs = maxIIDs
	}
	if changed {
		s.by, s.bytes, s.sweepAt = nil, 0, firstSweep
	}
	return changed
}

// Producers tells about idempotent IDs.
type Producers struct {
	Duration, MaxIIDs int64 // as configured
	PIDs, IIDs        int   // remembered
	Added, Repeated   int64 // ever
}

// Producers tells about the idempotent IDs that are remembered.
func (v *Value) Producers() Producers {
	s := &v.producers
	p := Producers{Duration: s.Duration, MaxIIDs: s.MaxIIDs, PIDs: len(s.by), Added: s.Added, Repeated: s.Repeated}
	for _, x := range s.by {
		p.IIDs += len(x.ids)
	}
	return p
}

func (s *producers) clone() producers {
	c := *s
	if s.by != nil {
		c.by = make(map[string]*producer, len(s.by))
		for pid, p := range s.by {
			c.by[pid] = &producer{ids: maps.Clone(p.ids), iids: slices.Clone(p.iids)}
		}
	}
	return c
}

// AutoIID appends the idempotent ID that IDMPAUTO makes of names and values,
// whatever their order: each pair's XXH3 of 128 bits, summed and xored.
func AutoIID(b []byte, pairs [][]byte) []byte {
	var sumLo, sumHi, xorLo, xorHi uint64
	var h xxh3.Hasher
	var length [8]byte
	for i := 0; i < len(pairs); i += 2 {
		h.Reset()
		_, _ = h.Write(pairs[i])
		binary.LittleEndian.PutUint64(length[:], uint64(len(pairs[i])))
		_, _ = h.Write(length[:])
		_, _ = h.Write(pairs[i+1])
		s := h.Sum128()
		sumLo += s.Lo
		sumHi += s.Hi
		xorLo ^= s.Lo
		xorHi ^= s.Hi
	}
	b = binary.LittleEndian.AppendUint64(b, sumLo^bits.RotateLeft64(xorHi, 1))
	return binary.LittleEndian.AppendUint64(b, sumHi^bits.RotateLeft64(xorLo, 1))
}
