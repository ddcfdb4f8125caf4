package store

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/nearcache/nearcache/store/object"
)

// A Filler stores strings that were saved, many at a time, when a keyspace is
// loaded: Add some, then Flush. What becomes of the keys is what SET makes of them
// one after the other. But the strings go in shard by shard, which the processor's
// caches like and which takes a lock and an account for many keys; on several
// cores, as no two shards depend on each other; and of a key that was not there
// nobody is told, no observer and nobody who wants notices: it has not changed.
//
// It belongs to one goroutine.
type Filler struct {
	ks     *Keyspace
	list   []saved
	order  []int32 // of list, by shard
	begins [Shards + 1]int32
	lanes  []lane
}

// saved is a string that was added and not flushed.
type saved struct {
	key, value []byte
	expireAt   int64
	db         int32
	shard      int32
}

// lane is what a goroutine of Flush works with.
type lane struct {
	tx Tx
	e  Entry
}

const (
	// fillLane is how many strings are worth a goroutine.
	fillLane = 1024
	// fillKept is the most strings that a Filler keeps room for: blocks of a
	// snapshot have less.
	fillKept = 1 << 17
)

// NewFiller makes one.
func NewFiller(ks *Keyspace) *Filler { return &Filler{ks: ks} }

// Add takes a string. The slices are used until Flush. expireAt is in Unix ms, 0 for
// never, and later than the moment of Flush.
func (f *Filler) Add(db int, key, value []byte, expireAt int64) {
	f.list = append(f.list, saved{key, value, expireAt, int32(db), int32(shardOf(key))})
}

// Flush stores what was added, at a moment in Unix ms. No shard may be held.
func (f *Filler) Flush(now int64) {
	if len(f.list) == 0 {
		return
	}
	f.sort()
	var next atomic.Int32
	work := func(l *lane) {
		// The cells of a group have one lock.
		for g := int(next.Add(1)) - 1; g < groups; g = int(next.Add(1)) - 1 {
			for i := g * groupShards; i < (g+1)*groupShards; i++ {
				if at, end := f.begins[i], f.begins[i+1]; at < end {
					l.fill(f, i, f.order[at:end], now)
				}
			}
		}
	}
	n := max(1, min(len(f.list)/fillLane, runtime.GOMAXPROCS(0), runtime.NumCPU(), groups))
	for len(f.lanes) < n {
		f.lanes = append(f.lanes, lane{})
	}
	var wg sync.WaitGroup
	for i := 1; i < n; i++ {
		wg.Go(func() { work(&f.lanes[i]) })
	}
	work(&f.lanes[0])
	wg.Wait()
	clear(f.list)
	f.list = f.list[:0]
	if cap(f.list) > fillKept {
		f.list, f.order = nil, nil
	}
}

// sort puts list in the order of shards, and leaves that of each shard as it is.
func (f *Filler) sort() {
	if cap(f.order) < len(f.list) {
		f.order = make([]int32, cap(f.list))
	}
	f.order = f.order[:len(f.list)]
	var at [Shards]int32
	for i := range f.list {
		at[f.list[i].shard]++
	}
	sum := int32(0)
	for i, n := range at {
		f.begins[i], at[i] = sum, sum
		sum += n
	}
	f.begins[Shards] = sum
	for i := range f.list {
		n := &at[f.list[i].shard]
		f.order[*n] = int32(i)
		*n++
	}
}

// fill stores the strings of a shard.
func (l *lane) fill(f *Filler, shard int, order []int32, now int64) {
	tx := &l.tx
	begin := func() {
		tx.BeginAt(f.ks, 0, 0, now)
		tx.lockShard(shard)
	}
	begin()
	for _, i := range order {
		x := &f.list[i]
		tx.DB = int(x.db)
		if tx.fill(&l.e, x) {
			continue
		}
		// The key is there: this one changes, and observers hear of it.
		DoAll(tx.End())
		begin()
		tx.DB = int(x.db)
		tx.Changed(tx.PutString(tx.Find(x.key), x.key, x.value, x.expireAt), ClassString, "set")
		DoAll(tx.End())
		begin()
	}
	DoAll(tx.End())
}

// fill is PutString for a key that is not there; false where it is. e is to work with.
func (tx *Tx) fill(e *Entry, x *saved) bool {
	sh := tx.shard(x.key)
	hash := tx.ks.hash(x.key)
	if s := sh.dbs[tx.DB]; s != nil && s.find(tagOf(hash), x.key) != 0 {
		return false
	}
	tx.add(e, sh, hash, x.key, shape{meta: uint32(object.String) | inRecord<<placeShift, size: len(x.value), expireAt: x.expireAt})
	r := e.rec
	copy(r.value(), x.value)
	r.setMeta(r.meta() &^ metaOpen)
	sh.noteBig(e)
	if len(sh.watches) > 0 {
		sh.touchWatches(tx.DB, e.Key())
	}
	return true
}
