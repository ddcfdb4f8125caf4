package evict

import "math"

// Policy is a row of All.
type Policy struct {
	Name     string
	None     bool // never evicts: writes are refused instead
	Volatile bool // only keys with a time to live are candidates
	Word     Word // what the access word is

	score func(*Setup, *Candidate, moment) uint64 // the highest goes first; nil where any is as good
}

// Word says what the access word of an entry is.
type Word uint8

// The kinds of access words.
const (
	LastUse    Word = iota // a clock
	LastChange             // a clock
	Counter                // Redis' logarithmic counter
	Density                // of lhd
)

// All lists the policies, Redis' in the order of redis.conf.
var All = []*Policy{
	{Name: "noeviction", None: true},
	{Name: "volatile-lru", Volatile: true, score: idle},
	{Name: "allkeys-lru", score: idle},
	{Name: "volatile-lrm", Volatile: true, Word: LastChange, score: idle},
	{Name: "allkeys-lrm", Word: LastChange, score: idle},
	{Name: "volatile-lfu", Volatile: true, Word: Counter, score: unpopular},
	{Name: "allkeys-lfu", Word: Counter, score: unpopular},
	{Name: "volatile-random", Volatile: true},
	{Name: "allkeys-random"},
	{Name: "volatile-ttl", Volatile: true, score: soonest},
	{Name: "volatile-lhd", Volatile: true, Word: Density, score: worthless},
	{Name: "allkeys-lhd", Word: Density, score: worthless},
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

// Setup is a policy with its settings and with what it has learned: what a
// keyspace goes by. It is not changed once it is in use; who wants another
// changes a copy.
type Setup struct {
	*Policy
	Samples   int // maxmemory-samples: how many random keys an eviction looks at
	LogFactor int // lfu-log-factor: how much use a point of the counter takes
	DecayTime int // lfu-decay-time: after how many minutes a point is lost, 0 for never
	Costs     Costs

	table *Table
}

// NewSetup is a policy with Redis' settings.
func NewSetup(p *Policy) *Setup {
	return &Setup{Policy: p, Samples: 5, LogFactor: 10, DecayTime: 1, table: newTable()}
}

// Candidate is what a policy sees of an entry.
type Candidate struct {
	Hash     uint64 // of the key
	ExpireAt int64  // Unix ms, 0 = never
	Size     int    // bytes
	Access   uint32
	DB       uint8
}

// moment is when a candidate is looked at, in the clocks there are.
type moment struct {
	now   int64  // Unix ms
	ticks uint16 // of the shard, see density
}

func idle(_ *Setup, c *Candidate, m moment) uint64 { return uint64(Clock(m.now) - c.Access) }

func unpopular(s *Setup, c *Candidate, m moment) uint64 {
	return math.MaxUint8 - uint64(s.Frequency(c.Access, m.now))
}

func soonest(_ *Setup, c *Candidate, _ moment) uint64 { return ^uint64(c.ExpireAt) }

const tickShift = 7 // 128 ms

// Clock is the LRU clock at a moment. Differences are right for 17 years.
func Clock(now int64) uint32 { return uint32(now >> tickShift) }

// Idle is how long ago the clock of an access word was set, in seconds.
func Idle(access uint32, now int64) int64 {
	return int64(Clock(now)-access) << tickShift / 1000
}

// lfuInit is the counter of a new key, so that it is not the first to go.
const lfuInit = 5

func minutes(now int64) uint32 { return uint32(now/60000) & 0xffff }

// Frequency is how often a key was used, 0 to 255, as OBJECT FREQ answers: the
// logarithmic counter with what it has lost by now, or the uses that lhd counts.
func (s *Setup) Frequency(access uint32, now int64) uint8 {
	if s.Word == Density {
		return uint8(access & maxUses)
	}
	n := access & 0xff
	if s.DecayTime == 0 {
		return uint8(n)
	}
	periods := (minutes(now) - access>>16) & 0xffff / uint32(s.DecayTime)
	if periods >= n {
		return 0
	}
	return uint8(n - periods)
}

// count is the counter after another use: the more there are, the less likely
// one more is to count. r is a random number.
func (s *Setup) count(n uint8, r uint64) uint8 {
	if n == math.MaxUint8 {
		return n
	}
	base := 0.0
	if n > lfuInit {
		base = float64(n - lfuInit)
	}
	if float64(r>>11)/(1<<53) < 1/(base*float64(s.LogFactor)+1) {
		n++
	}
	return n
}

// samples is how many random keys an eviction looks at. Under lhd it is twice as
// many as is said: what a byte is worth differs far more from key to key than
// ages do, and the worst are rare.
func (s *Setup) samples() int {
	switch {
	case s.score == nil:
		return 1
	case s.Word == Density:
		return 2 * s.Samples
	}
	return s.Samples
}
