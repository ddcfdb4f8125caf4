// Package evict decides which keys go when memory is short. Policies are rows of
// [All]: Redis' own by their names, and one that learns, allkeys-lhd.
//
//	look-up, insertion, change, miss          memory is short
//	       │                                      │
//	       ▼                                      ▼
//	Shard: access word of 32 bits a key,    a few random keys → Pool of the best
//	       histograms, ghosts, misses             │ the worst of all by Setup.score
//	       │ Learner, a few times a second        ▼
//	       └──────────► Setup ──────────────► Evicted
//
// # Access words
//
// All that a key carries for eviction are 32 bits. What they mean is for the
// policy to say ([Word]):
//
//   - the clock, in ticks of 128 ms, of the last use (lru) or change (lrm);
//   - Redis' logarithmic counter (lfu): 16 bits of minutes, 8 unused, 8 of counter;
//   - for lhd 16 bits of clock, 8 of cost, 1 that says "came back", 7 of uses.
//
// # Sampling
//
// No list orders the keys. An eviction looks at a few random ones
// (maxmemory-samples) and keeps the best candidates it did not take in a pool of
// 16, as Redis does; see redis.conf. Two things differ from Redis: each shard of
// the keyspace has a pool of its own, and a candidate is weighed anew when its
// turn comes, so that a key that was used since then stays.
//
// # LHD: least hit density
//
// A cache earns most if each byte is given to the key that will be asked for
// most, per byte and per time that it will stay. That is its hit density
// (Beckmann, Chen and Cidon, "LHD: Improving Cache Hit Rate by Maximizing Hit
// Density", NSDI 2018). It is not assumed but learned: keys are put into classes
// by how often they were used, for each class a histogram counts at which age,
// since the last use, keys were used again or were evicted, and from these follow
// the hits to be expected of a key of that class and age, and how long it will
// stay for them. Scans, loops, and keys that are popular for an hour only, show
// in the histograms; there is nothing to be tuned.
//
// Four things are added to the paper:
//
//   - What a key costs to make again: the time from a miss to the SET of that key
//     by whichever client ([Shard.Missed], [Shard.New]), or what a client says
//     itself. Density is weighted with it, as in GreedyDual-Size-Frequency.
//   - Ghosts: a count-min sketch remembers how often keys were used that are gone,
//     as in TinyLFU. A key that comes back is not a stranger; keys that came back
//     have classes of their own until they are used.
//   - Age is counted in insertions, 64 ticks for as many as there are keys. So it
//     needs no tuning to the size of the cache or to its speed, and stands still
//     with the traffic.
//   - Classes of which little is known are drawn towards the average of all.
//
// The paper's explorers, keys that are kept in order to see what happens at
// greater ages, are not needed: among candidates of no value the youngest goes
// first.
//
// # Concurrency
//
// A [Setup] is never changed. A [Shard] is guarded by the lock of its shard of
// the keyspace. A [Learner] belongs to one goroutine at a time.
package evict
