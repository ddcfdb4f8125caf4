package evict

import "math"

// Costs says what is taken for the cost of a key.
type Costs uint8

// The ways to tell the cost of a key. A client's own word (NC.COST) counts more
// than what was measured.
const (
	Measured Costs = iota // the time from a miss to the key's insertion
	Hinted                // what clients say
	Ignored               // all keys cost the same
)

// A cost is kept in 8 bits: 0 where it is not known, otherwise its logarithm, in
// steps of 9%, from 1 ms to 50 days.
const (
	costSteps = 8 // to each doubling
	maxCost   = 255
)

// missCost is what any miss costs in milliseconds beside what was measured: two
// round trips more, and a client that has to be told. It keeps the noise of a
// measurement of a few milliseconds from counting for much.
const missCost = 4

// maxMeasured is the longest time from a miss to an insertion that is taken for
// the cost of the key, in milliseconds: after that the two have little to do
// with each other.
const maxMeasured = 10 * 60_000

func encodeCost(ms int64) uint8 {
	if ms <= 1 {
		return 1
	}
	return uint8(min(maxCost, 1+math.Round(costSteps*math.Log2(float64(ms)))))
}

func decodeCost(c uint8) float64 { return math.Exp2(float64(c-1) / costSteps) }

// WithCost is the access word with what a client says that the key costs, in
// milliseconds; false where the policy does not weigh it.
func (s *Setup) WithCost(access uint32, ms int64) (uint32, bool) {
	if s.Word != Density || s.Costs == Ignored {
		return access, false
	}
	return access&^(0xff<<costShift) | uint32(encodeCost(ms))<<costShift, true
}

// Cost is what the key costs in milliseconds; false where it is not known.
func (s *Setup) Cost(access uint32) (ms int64, ok bool) {
	c := uint8(access >> costShift)
	if s.Word != Density || c == 0 {
		return 0, false
	}
	return int64(math.Round(decodeCost(c))), true
}

// missSlots is how many misses a shard remembers. With 256 shards and values
// that take a second to make, that is 65,000 misses a second.
const missSlots = 256

// misses remembers when keys were asked for in vain: a table of hashes with one
// place for each. Two that meet in a place measure nothing wrong, one of them is
// forgotten.
type misses [missSlots]struct {
	tag uint32
	at  uint32 // ms, 0 where there is none
}

func (m *misses) note(hash uint64, now int64) {
	x := &m[hash%missSlots]
	tag := uint32(hash >> 32)
	if x.at != 0 && x.tag == tag && uint32(now)-x.at < maxMeasured {
		return // it is being made already; others ask meanwhile
	}
	x.tag, x.at = tag, max(1, uint32(now))
}

// take returns the time since the key was missed; false where that is not known.
func (m *misses) take(hash uint64, now int64) (ms int64, ok bool) {
	x := &m[hash%missSlots]
	if x.at == 0 || x.tag != uint32(hash>>32) {
		return 0, false
	}
	ms = int64(uint32(now) - x.at)
	x.at = 0
	return ms, ms < maxMeasured
}
