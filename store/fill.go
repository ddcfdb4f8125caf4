package store

import "github.com/nearcache/nearcache/store/object"

// A Filler stores strings that were saved, many at a time, when a keyspace is
// loaded: Add some, then Flush. What becomes of the keys is what SET makes of them
// one after the other. But the strings go in shard by shard, which the processor's
// caches like, and which takes one lock, one account and one table that grows for
// many keys (a snapshot is written in the order of shards: a block of it has most of
// a shard's keys, if not all). And of a key that was not there nobody is told, no
// observer and nobody who wants notices: it has not changed.
//
// It belongs to one goroutine.
type Filler struct {
	ks     *Keyspace
	list   []saved
	order  []int32 // of list, by shard
	begins [Shards + 1]int32
	tx     Tx
	e      Entry // to work with
}

// saved is a string that was added and not flushed.
type saved struct {
	key, value []byte
	expireAt   int64
	db         int32
	shard      int32
}

// fillReserve is from how many strings on room is made for all of them at once. Of fewer
// it is not worth it, and keys that are there already need none.
const fillReserve = 64

// fillKept is the most strings that a Filler keeps room for: a block of a snapshot has
// less.
const fillKept = 1 << 17

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
	for i := range Shards {
		if at, end := f.begins[i], f.begins[i+1]; at < end {
			f.fill(i, f.order[at:end], now)
		}
	}
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
func (f *Filler) fill(shard int, order []int32, now int64) {
	tx := &f.tx
	begin := func() {
		tx.BeginAt(f.ks, 0, 0, now)
		tx.lockShard(shard)
	}
	begin()
	var more [Databases]int
	for _, i := range order {
		more[f.list[i].db]++
	}
	for db, n := range more {
		if n >= fillReserve {
			tx.DB = db
			tx.space(&f.ks.shards[shard]).reserve(n)
		}
	}
	for _, i := range order {
		x := &f.list[i]
		tx.DB = int(x.db)
		if tx.fill(&f.e, x) {
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
