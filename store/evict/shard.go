package evict

import "math"

// Shard is what each shard of the keyspace keeps for eviction, guarded by its
// lock. The zero value is ready.
type Shard struct {
	pool    pool
	density *density // nil until a policy needs it
	random  uint64   // state of Random
}

// Random is a random number, of Steele, Lea and Flood's SplitMix64.
func (sh *Shard) Random() uint64 {
	sh.random += 0x9e3779b97f4a7c15
	z := sh.random
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Seed sets what Random begins with, so that shards do not choose alike.
func (sh *Shard) Seed(x uint64) { sh.random = x }

// New is the access word of a new entry, of a key with that hash, in a shard
// that has keys of them.
func (sh *Shard) New(s *Setup, hash uint64, now int64, keys int) uint32 {
	switch s.Word {
	case Counter:
		return minutes(now)<<16 | lfuInit
	case Density:
		return sh.learning().insert(s, hash, now, keys)
	}
	return Clock(now)
}

// Used is the access word after a look-up that found the key.
func (sh *Shard) Used(s *Setup, access uint32, now int64) uint32 {
	switch s.Word {
	case LastUse:
		return Clock(now)
	case Counter:
		return minutes(now)<<16 | uint32(s.count(s.Frequency(access, now), sh.Random()))
	case Density:
		return sh.learning().use(access)
	}
	return access
}

// Restored is the access word of an entry of which is known how often it was used,
// as Frequency counts, or how many seconds ago; what is negative is not known.
func (s *Setup) Restored(access uint32, frequency, idle, now int64) uint32 {
	switch {
	case s.Word == Counter && frequency >= 0:
		return minutes(now)<<16 | uint32(min(frequency, math.MaxUint8))
	case (s.Word == LastUse || s.Word == LastChange) && idle >= 0:
		const ticks = 1<<tickShift - 1 // rounded up, so that Idle says as much
		return Clock(now) - uint32((min(idle, now/1000)*1000+ticks)>>tickShift)
	}
	return access
}

// Changed is the access word after a change of the value.
func (s *Setup) Changed(access uint32, now int64) uint32 {
	if s.Word == LastChange {
		return Clock(now)
	}
	return access
}

// Missed notes that a key was looked up and was not there.
func (sh *Shard) Missed(s *Setup, hash uint64, now int64) {
	if s.Word == Density && s.Costs == Measured {
		sh.learning().misses.note(hash, now)
	}
}

// Evicted notes that a candidate was evicted.
func (sh *Shard) Evicted(s *Setup, c *Candidate, keys int) {
	if s.Word == Density {
		sh.learning().evict(c, keys)
	}
}

// learning is the shard's part of lhd, which is made when it is first needed.
func (sh *Shard) learning() *density {
	if sh.density == nil {
		sh.density = &density{}
	}
	return sh.density
}

// Reset forgets everything, for another policy.
func (sh *Shard) Reset() { *sh = Shard{random: sh.random} }

// Bytes is the memory it holds beside itself.
func (sh *Shard) Bytes() int {
	if sh.density == nil {
		return 0
	}
	return sh.density.bytes()
}

func (sh *Shard) moment(now int64) moment {
	m := moment{now: now}
	if sh.density != nil {
		m.ticks = uint16(sh.density.clock)
	}
	return m
}
