package store

import (
	"sync"

	"github.com/nearcache/nearcache/store/slab"
)

// What the keyspace does in the background, in small steps: it moves records
// out of pages that are nearly empty, gives pages back to the system, and looks
// at what it holds beside what is accounted to keys.

const (
	// moveStep is how many bytes of records are moved while a shard is held:
	// some 100 µs.
	moveStep = 32 << 10
	// moveBudget is how many are moved in one Maintain, and moveMore where more
	// than an eighth of all memory is holes.
	moveBudget = 1 << 20
	moveMore   = 16 << 20

	// keepFree is how much free memory stays with the process, for what comes
	// next: a 64th of what is in use, and so much at least.
	keepFree = 4 << 20
	// trimBudget is how much one Maintain gives back.
	trimBudget = 32 << 20
)

// clockBack is how far the clock may be set back, in ms, before what expires is
// filed anew.
const clockBack = 2000

// upkeep is what Maintain goes on with.
type upkeep struct {
	sync.Mutex
	next int // group of shards

	dead struct {
		sync.Mutex
		spaces []*space // flushed, too large to be released by the command
		cells  []*cells
	}
}

// Maintain does a bounded piece of what is to be done in the background, and
// brings Used up to date with what is not accounted to keys. The server calls it
// ten times a second. No shard may be held.
func (ks *Keyspace) Maintain() {
	ks.upkeep.Lock()
	defer ks.upkeep.Unlock()
	ks.bury()
	ks.defragment()
	st := ks.arena.Stats()
	if free := st.Free - max(keepFree, st.Mapped/64); free > 0 {
		ks.arena.Trim(int(min(free, trimBudget)))
	}
	ks.measure()
}

// defragment goes through the shards, each time some of them.
func (ks *Keyspace) defragment() {
	budget := moveBudget
	if st := ks.arena.Stats(); ks.holes.Load() > st.Mapped/8 {
		budget = moveMore
	}
	for range groups {
		g := ks.upkeep.next
		ks.upkeep.next = (g + 1) % groups
		for i := g * groupShards; i < (g+1)*groupShards; i++ {
			if sh := &ks.shards[i]; sh.try() {
				ks.tidy(sh)
				sh.Unlock()
			}
		}
		for more := true; more && budget > 0; {
			var moved int
			moved, more = ks.evacuate(g)
			budget -= moved
		}
		if budget <= 0 {
			return
		}
	}
}

// tidy looks after the tables and wheels of a shard, which is held.
func (ks *Keyspace) tidy(sh *shard) {
	now := ks.clock()
	for db, s := range sh.dbs {
		switch {
		case s == nil:
		case s.n == 0: // what it has kept for its next key
			sh.dbs[db] = nil
			s.release(false)
		default:
			if s.wheel.Now() > now+clockBack {
				s.wheel.Rewind(now, s.deadline)
				sh.publishNextExpiry()
			}
			for i := 0; i < 4 && s.wheel.Compact(); i++ {
			}
		}
	}
}

// evacuate moves some records of a group of shards closer together. It returns
// how many bytes, and whether there is more to do. Where one of the shards is
// lent nothing is moved.
func (ks *Keyspace) evacuate(g int) (moved int, more bool) {
	shards := ks.shards[g*groupShards : (g+1)*groupShards]
	for i := range shards {
		if !shards[i].try() {
			return 0, false
		}
		defer shards[i].Unlock()
	}
	c := ks.cells[g]
	c.Lock()
	if used, held := c.heap.Used(), c.heap.Held(); held-used > held/16 {
		more = c.heap.Evacuate(moveStep, func(ref slab.Ref, size int) {
			moved += size
			ks.moveRecord(c, ref)
		})
	}
	c.Unlock()
	return moved, more && moved > 0
}

// moveRecord puts a record into another cell. One that was flushed, and that
// nobody has freed yet, stays. All that may know of it is held.
func (ks *Keyspace) moveRecord(c *cells, ref slab.Ref) {
	r := record{ks.arena.Pointer(ref)}
	key := r.key()
	tag := tagOf(ks.hash(key))
	for _, s := range ks.shards[shardOf(key)].dbs {
		if s == nil || !s.has(tag, ref) {
			continue
		}
		n := r.size()
		to := c.heap.Alloc(n)
		copy(ks.arena.Bytes(to, n), ks.arena.Bytes(ref, n))
		s.replace(tag, ref, to)
		if place := r.wheelPlace(); place != 0 {
			s.wheel.Move(ref, to, place)
		}
		c.heap.Free(ref, n)
		return
	}
}

// discard gives back the memory of what was flushed. That of many keys takes a
// while, in which nobody should have to wait.
func (ks *Keyspace) discard(spaces []*space, all []*cells) {
	if snap := ks.snap.Load(); snap != nil && snap.take(spaces, all) {
		return
	}
	keys := 0
	for _, s := range spaces {
		keys += s.n
	}
	if keys <= smallFlush {
		release(spaces, all)
		return
	}
	d := &ks.upkeep.dead
	d.Lock()
	d.spaces = append(d.spaces, spaces...)
	d.cells = append(d.cells, all...)
	d.Unlock()
}

// smallFlush is how many keys are released at once: less than a millisecond.
const smallFlush = 4096

// bury releases what was flushed. Nobody knows it any more.
func (ks *Keyspace) bury() {
	d := &ks.upkeep.dead
	d.Lock()
	spaces, all := d.spaces, d.cells
	d.spaces, d.cells = nil, nil
	d.Unlock()
	release(spaces, all)
}

func release(spaces []*space, all []*cells) {
	for _, s := range spaces {
		s.release(s.whole)
	}
	for _, c := range all {
		c.Lock()
		c.heap.Reset()
		c.Unlock()
	}
}

// spareHoles is how much of the holes is not counted: each of the shards has some
// pages that are not full, whatever maxmemory is.
const spareHoles = 16 << 20

// Slack is memory that the process holds for keys and that Used does not count:
// free pages for what comes next, and the first holes.
func (ks *Keyspace) Slack() int64 {
	keys := int64(0)
	for i := range ks.shards {
		sh := &ks.shards[i]
		keys += sh.bytes.Load() - sh.heap.Load()
	}
	st := ks.arena.Stats()
	return max(0, st.Mapped+st.Meta+st.Free-keys-ks.holes.Load())
}

// measure samples the memory that is not accounted to keys.
func (ks *Keyspace) measure() {
	keys := int64(0) // in the arena
	for i := range ks.shards {
		sh := &ks.shards[i]
		keys += sh.bytes.Load() - sh.heap.Load()
	}
	st := ks.arena.Stats()
	ks.holes.Store(max(0, st.Mapped+st.Meta-keys-spareHoles))
	ks.outside.Store(ks.external())
}
