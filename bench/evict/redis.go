package evict

import "math/rand/v2"

// poolSize and lruTick are those of Redis' evict.c and server.h.
const (
	poolSize = 16
	lruTick  = 1000 // ms
	lfuInit  = 5
)

// redisCache is eviction as Redis 8 does it: five random keys are offered to a
// pool of 16, in which they are ordered by the score they had when they were
// sampled; the best of it goes, whatever was done with it since then. Redis takes
// neighbours in its hash table for random keys; here they are random.
type redisCache struct {
	residents
	t        *Trace
	capacity int64
	used     int64
	lfu      bool
	word     []uint32
	pool     []pooled // ascending
	now      int64    // requests
	r        *rand.Rand
}

type pooled struct {
	id    uint32
	score uint64
}

func redisPolicy(lfu bool) func(*Trace, int64) cache {
	return func(t *Trace, capacity int64) cache {
		return &redisCache{
			residents: newResidents(len(t.Size)), t: t, capacity: capacity, lfu: lfu,
			word: make([]uint32, len(t.Size)), r: rand.New(rand.NewPCG(1, 2)),
		}
	}
}

func (c *redisCache) ms() int64 { return c.now * 1000 / Rate }

func (c *redisCache) ask(id uint32) bool {
	c.now++
	for c.used > c.capacity { // before the command that comes
		c.evict()
	}
	if c.has(id) {
		c.word[id] = c.touched(c.word[id])
		return true
	}
	c.add(id)
	c.used += int64(c.t.Size[id])
	if c.lfu {
		c.word[id] = uint32(c.ms()/60_000)<<8 | lfuInit
	} else {
		c.word[id] = uint32(c.ms() / lruTick)
	}
	return false
}

// frequency is LFUDecrAndReturn with lfu-decay-time 1.
func (c *redisCache) frequency(w uint32) uint32 {
	n, passed := w&0xff, uint32(c.ms()/60_000)-w>>8
	return n - min(n, passed)
}

func (c *redisCache) touched(w uint32) uint32 {
	if !c.lfu {
		return uint32(c.ms() / lruTick)
	}
	n := c.frequency(w)
	base := 0.0
	if n > lfuInit {
		base = float64(n - lfuInit)
	}
	if n < 255 && c.r.Float64() < 1/(base*10+1) {
		n++
	}
	return uint32(c.ms()/60_000)<<8 | n
}

func (c *redisCache) score(id uint32) uint64 {
	if c.lfu {
		return uint64(255 - c.frequency(c.word[id]))
	}
	return uint64(uint32(c.ms()/lruTick) - c.word[id])
}

func (c *redisCache) evict() {
	for {
		for range 5 {
			id := c.ids[c.r.IntN(len(c.ids))]
			c.offer(pooled{id, c.score(id)})
		}
		for n := len(c.pool) - 1; n >= 0; n-- {
			x := c.pool[n]
			c.pool = c.pool[:n]
			if c.has(x.id) {
				c.remove(x.id)
				c.used -= int64(c.t.Size[x.id])
				return
			}
		}
	}
}

// offer is evictionPoolPopulate: the same key may be in the pool twice.
func (c *redisCache) offer(x pooled) {
	k := 0
	for k < len(c.pool) && c.pool[k].score < x.score {
		k++
	}
	switch {
	case len(c.pool) < poolSize:
		c.pool = append(c.pool, pooled{})
		copy(c.pool[k+1:], c.pool[k:])
		c.pool[k] = x
	case k > 0:
		copy(c.pool, c.pool[1:k])
		c.pool[k-1] = x
	}
}
