package evict

import (
	"math/rand/v2"

	"github.com/nearcache/nearcache/store/evict"
)

// shards are as many as the keyspace has.
const shards = 256

// ourCache is store/evict in shards, as the keyspace uses it.
type ourCache struct {
	t        *Trace
	capacity int64
	used     int64
	n        int
	setup    *evict.Setup
	learner  evict.Learner
	shards   [shards]ourShard
	word     []uint32
	at       []int32 // place in the shard, -1 where it is not there
	now      int64   // requests
	r        *rand.Rand
}

type ourShard struct {
	evict.Shard
	c    *ourCache
	ids  []uint32
	used int64
}

// ourPolicy is a policy of store/evict. costs says whether clients tell what a
// key costs.
func ourPolicy(name string, samples int, costs bool) func(*Trace, int64) cache {
	return func(t *Trace, capacity int64) cache {
		s := evict.NewSetup(evict.Find(name))
		s.Samples = samples
		s.Costs = evict.Ignored
		if costs {
			s.Costs = evict.Hinted
		}
		c := &ourCache{
			t: t, capacity: capacity, setup: s, word: make([]uint32, len(t.Size)), at: make([]int32, len(t.Size)),
			r: rand.New(rand.NewPCG(3, 4)),
		}
		for i := range c.at {
			c.at[i] = -1
		}
		for i := range c.shards {
			c.shards[i].c = c
			c.shards[i].Seed(uint64(i))
		}
		return c
	}
}

// hashOf spreads numbers as the hash of a key would be.
func hashOf(id uint32) uint64 {
	x := uint64(id) + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (c *ourCache) shard(id uint32) *ourShard { return &c.shards[hashOf(id)>>3%shards] }

func (c *ourCache) ms() int64 { return c.now * 1000 / Rate }

// learnEvery is how many requests pass between two lessons: a tenth of a second,
// as in the server.
const learnEvery = Rate / 10

func (c *ourCache) ask(id uint32) bool {
	if c.now++; c.now%learnEvery == 0 && c.setup.Word == evict.Density {
		for i := range c.shards {
			c.learner.Take(&c.shards[i].Shard)
		}
		c.setup = c.learner.Learn(c.setup, c.n)
	}
	for c.used > c.capacity {
		c.evict()
	}
	sh := c.shard(id)
	if c.at[id] >= 0 {
		c.word[id] = sh.Used(c.setup, c.word[id], c.ms())
		return true
	}
	c.word[id] = sh.New(c.setup, hashOf(id), c.ms(), len(sh.ids))
	c.word[id], _ = c.setup.WithCost(c.word[id], int64(c.t.Cost[id]))
	c.at[id] = int32(len(sh.ids))
	sh.ids = append(sh.ids, id)
	sh.used += int64(c.t.Size[id])
	c.used += int64(c.t.Size[id])
	c.n++
	return false
}

// evict chooses a shard by its share of the memory, and the victim there.
func (c *ourCache) evict() {
	x, i := c.r.Int64N(c.used), 0
	for ; x >= c.shards[i].used; i++ {
		x -= c.shards[i].used
	}
	sh := &c.shards[i]
	v, ok := sh.Victim(c.setup, sh, 1, c.ms())
	if !ok {
		panic("a shard that has keys gives none")
	}
	id := uint32(v.ExpireAt)
	sh.Evicted(c.setup, &v, len(sh.ids))
	at, last := c.at[id], len(sh.ids)-1
	sh.ids[at] = sh.ids[last]
	c.at[sh.ids[at]] = at
	sh.ids = sh.ids[:last]
	c.at[id] = -1
	sh.used -= int64(c.t.Size[id])
	c.used -= int64(c.t.Size[id])
	c.n--
}

// candidate carries the object's number where a key's expiry would stand: no
// policy that is measured looks at that.
func (sh *ourShard) candidate(id uint32) evict.Candidate {
	return evict.Candidate{Hash: hashOf(id), ExpireAt: int64(id), Size: int(sh.c.t.Size[id]), Access: sh.c.word[id]}
}

// Sample implements evict.Keys.
func (sh *ourShard) Sample(int, bool) (evict.Candidate, bool) {
	return sh.candidate(sh.ids[sh.Random()%uint64(len(sh.ids))]), true
}

// Look implements evict.Keys.
func (sh *ourShard) Look(c *evict.Candidate, _ bool) (evict.Candidate, bool) {
	if id := uint32(c.ExpireAt); sh.c.at[id] >= 0 {
		return sh.candidate(id), true
	}
	return evict.Candidate{}, false
}
