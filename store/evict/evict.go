// Package evict decides which key goes when memory is short. Policies are
// rows of [All], with Redis' names; the keyspace samples candidates and removes
// the one with the highest score.
//
// An entry carries one access word of 32 bits. Under the LRU policies it is a
// clock of 128 ms ticks. Under the LFU policies it is Redis' logarithmic
// counter: 16 bits of minutes, 8 unused, 8 of counter (redis.conf, lfu-log-factor).
package evict

// Candidate is what a policy sees of an entry.
type Candidate struct {
	Access   uint32
	ExpireAt int64 // Unix ms, 0 = never
	Now      int64 // Unix ms
	Random   uint64
}

// Policy is a row of All.
type Policy struct {
	Name     string
	None     bool                   // never evicts: writes are refused instead
	Volatile bool                   // only keys with a time to live are candidates
	LFU      bool                   // the access word is a counter, not a clock
	Score    func(Candidate) uint64 // the highest goes first
}

// All lists the policies, in the order of redis.conf.
var All = []*Policy{
	{Name: "noeviction", None: true},
	{Name: "volatile-lru", Volatile: true, Score: idle},
	{Name: "allkeys-lru", Score: idle},
	{Name: "volatile-lfu", Volatile: true, LFU: true, Score: unpopular},
	{Name: "allkeys-lfu", LFU: true, Score: unpopular},
	{Name: "volatile-random", Volatile: true, Score: random},
	{Name: "allkeys-random", Score: random},
	{Name: "volatile-ttl", Volatile: true, Score: soonest},
}

// Find returns the policy of that name, nil if there is none.
func Find(name string) *Policy {
	for _, p := range All {
		if p.Name == name {
			return p
		}
	}
	return nil
}

func idle(c Candidate) uint64      { return uint64(Clock(c.Now) - c.Access) }
func unpopular(c Candidate) uint64 { return 255 - uint64(Frequency(c.Access, c.Now)) }
func random(c Candidate) uint64    { return c.Random }
func soonest(c Candidate) uint64   { return ^uint64(c.ExpireAt) }

const tickShift = 7 // 128 ms

// Clock is the LRU clock at a moment. Differences are right for 17 years.
func Clock(now int64) uint32 { return uint32(now >> tickShift) }

// Idle is how long ago the LRU access word was set, in seconds.
func Idle(access uint32, now int64) int64 {
	return int64(Clock(now)-access) << tickShift / 1000
}

// Redis' defaults of the logarithmic counter.
const (
	lfuInit      = 5
	lfuLogFactor = 10
	lfuDecayMin  = 1
)

func minutes(now int64) uint32 { return uint32(now/60000) & 0xffff }

// NewAccess is the access word of a new entry.
func (p *Policy) NewAccess(now int64) uint32 {
	if p.LFU {
		return minutes(now)<<16 | lfuInit
	}
	return Clock(now)
}

// Touch is the access word after a read or write. rnd is a random number.
func (p *Policy) Touch(access uint32, now int64, rnd func() uint64) uint32 {
	if !p.LFU {
		return Clock(now)
	}
	n := Frequency(access, now)
	if n < 255 {
		base := 0.0
		if n > lfuInit {
			base = float64(n - lfuInit)
		}
		if float64(rnd()>>11)/(1<<53) < 1/(base*lfuLogFactor+1) {
			n++
		}
	}
	return minutes(now)<<16 | uint32(n)
}

// Frequency is the decayed LFU counter, 0 to 255, as OBJECT FREQ answers.
func Frequency(access uint32, now int64) uint8 {
	n := access & 0xff
	periods := (minutes(now) - access>>16) & 0xffff / lfuDecayMin
	if periods >= n {
		return 0
	}
	return uint8(n - periods)
}
