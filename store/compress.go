package store

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/store/evict"
	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/slab"
	"github.com/nearcache/nearcache/store/squeeze"
	"github.com/nearcache/nearcache/store/types"
	"github.com/nearcache/nearcache/store/types/str"
)

// Values that are text, and that are not read often, lie compressed in their
// records (package squeeze). Commands do not know: a value is decompressed when an
// Entry is asked for it, into a buffer that the Entry has until its Tx ends.
//
// Compress goes over the shards in the background. A shard is held for as long
// as it takes to look at some buckets and to copy what is to be compressed, then
// again to put the results where nothing has changed meanwhile; compressing and
// training happen in between. So a write costs nothing, and a read the
// decompression of what it reads, which MaxSize bounds.
//
// A value that is read again within MinIdle is stored as it is again: it is used
// often. Values that do not shrink are marked (stubborn), so that nobody tries
// them again before there is another dictionary.

// CompressionMode says which values are compressed.
type CompressionMode uint8

// The modes.
const (
	CompressNone CompressionMode = iota
	CompressCold                 // those that were not used for MinIdle
	CompressAll
)

// Compression says what is compressed. The zero value is nothing.
type Compression struct {
	Mode             CompressionMode
	MinSize, MaxSize int    // of values, in bytes
	MinIdle          int64  // ms, of CompressCold
	MinTotal         int64  // bytes that all keys take, below which it is not worth its tables
	Types            uint16 // a bit for each object.ID; only what lies in its record is compressed
}

// Compressible are the types of which Compression.Types may name some.
var Compressible = func() (l []*object.Type) {
	for _, t := range types.All {
		if _, ok := t.New().(object.Packable); ok || t.ID == object.String {
			l = append(l, t)
		}
	}
	return l
}()

// CompressionStats are its figures.
type CompressionStats struct {
	Keys         int64 // whose values are compressed
	Raw, Packed  int64 // bytes of these values, and what they take
	Overhead     int64 // bytes of dictionaries, samples and tables
	Dictionaries int   // in use
	Compressed   uint64
	Decompressed uint64
	Restored     uint64 // stored as they were, because they are read often
}

const (
	// What a Compress looks at and copies while it holds a shard: some 50 µs.
	batchBuckets = 64
	batchBytes   = 64 << 10

	// firstLesson is how many bytes of samples there have to be for the first
	// dictionary; the next is trained when so many bytes of values were compressed,
	// or as many as before again.
	firstLesson = 512 << 10
)

// compression is the keyspace's.
type compression struct {
	setup atomic.Pointer[Compression] // nil before it was set
	codec atomic.Pointer[squeeze.Codec]
	bytes atomic.Int64 // that the codec holds

	keys, raw, packed                  atomic.Int64
	compressed, decompressed, restored atomic.Uint64

	pass struct {
		sync.Mutex
		shard, db int
		from      uint32
		noted     [Shards]passNote
		waits     bool  // something in this shard is to be looked at later
		rounds    int   // over all shards
		retries   int   // shards in which what was stubborn is tried with a new dictionary
		taught    bool  // a first lesson was given, or tried
		lesson    int64 // bytes compressed since the last
		next      int64 // lesson at which there is another
		jobs      []job
		src, dst  []byte
		raw       []byte
		tx        Tx
	}
}

// passNote is what a pass knows of a shard it has gone over.
type passNote struct {
	bytes int64 // what it held
	at    int64 // when, 0 for never
	waits bool
}

// job is a value to be compressed.
type job struct {
	ref      slab.Ref
	tag      uint32
	place    uint32 // where it was
	from, to int    // in the pass's src
	at, end  int    // in its dst
	ok       bool   // it shrinks
}

// SetCompression sets what is compressed from now on. What is compressed already
// stays until it is used.
func (ks *Keyspace) SetCompression(c Compression) {
	t := &ks.text
	t.pass.Lock()
	defer t.pass.Unlock()
	t.setup.Store(&c)
	clear(t.pass.noted[:])
}

// CompressionStats are the figures now.
func (ks *Keyspace) CompressionStats() CompressionStats {
	t := &ks.text
	s := CompressionStats{
		Keys: t.keys.Load(), Raw: t.raw.Load(), Packed: t.packed.Load(), Overhead: t.bytes.Load(),
		Compressed: t.compressed.Load(), Decompressed: t.decompressed.Load(), Restored: t.restored.Load(),
	}
	if c := t.codec.Load(); c != nil {
		for _, g := range c.Stats().Generations {
			if g.Dictionary > 0 {
				s.Dictionaries++
			}
		}
	}
	return s
}

// often reports whether a compressed value that is about to be used should be
// stored as it is: it was used a short time ago.
func (ks *Keyspace) often(tx *Tx, e *Entry, access uint32) bool {
	c := ks.text.setup.Load()
	switch c.Mode {
	case CompressAll:
		return false
	case CompressCold:
		idle, ok := e.s.shard.evict.IdleTime(tx.setup, access, tx.Now)
		if !ok || idle >= c.MinIdle {
			return false
		}
	}
	// Who reads may not push the memory over its limit.
	return ks.maxMemory.Load() == 0 || !tx.setup.None && !ks.OverLimit()
}

// wants reports whether a record's value is to be compressed, now or later.
func (c *Compression) wants(r record) bool {
	_, _, n := r.layout()
	return r.place() != onHeap && n >= c.MinSize && n <= c.MaxSize && c.Types>>r.typ()&1 != 0
}

// squeezedIn counts a compressed value that a record of the space has.
func (t *compression) squeezedIn(s *space, b []byte) {
	n, err := t.codec.Load().Len(b)
	if err != nil {
		panic(err)
	}
	s.squeezed++
	t.keys.Add(1)
	t.raw.Add(int64(n))
	t.packed.Add(int64(len(b)))
}

// squeezedOut is its opposite, and gives up the reference to its dictionary.
func (t *compression) squeezedOut(s *space, b []byte) {
	c := t.codec.Load()
	n, err := c.Len(b)
	if err != nil {
		panic(err)
	}
	s.squeezed--
	t.keys.Add(-1)
	t.raw.Add(-int64(n))
	t.packed.Add(-int64(len(b)))
	c.Release(b)
}

// inflated are buffers for what Entries decompress.
var inflated = sync.Pool{New: func() any { return new([]byte) }}

// maxInflated is the largest buffer that is kept.
const maxInflated = 256 << 10

// inflate is the value that a compressed record has. The entry has a buffer for it.
func (e *Entry) inflate(b []byte) []byte {
	t := &e.s.ks.text
	c := t.codec.Load()
	t.decompressed.Add(1)
	if e.room == nil {
		e.room = inflated.Get().(*[]byte)
	}
	out, err := c.Decompress((*e.room)[:0], b)
	if err != nil {
		panic(err) // nobody but Compress writes them
	}
	*e.room = out
	return out
}

// StringLen is the length of an entry's string. A compressed one tells without
// being decompressed.
func (e *Entry) StringLen() int {
	if e.value == nil && e.rec.place() == squeezed {
		n, err := e.s.ks.text.codec.Load().Len(e.rec.value())
		if err != nil {
			panic(err)
		}
		return n
	}
	return len(e.Value().(*str.Value).B)
}

// Compress works for about d on what is to be compressed, and reports whether it
// has left something to do. The server calls it in the background. No shard may be
// held.
func (ks *Keyspace) Compress(d time.Duration) (more bool) {
	t := &ks.text
	t.pass.Lock()
	defer t.pass.Unlock()
	c := t.setup.Load()
	if c == nil || c.Mode == CompressNone || !ks.worthCompressing(c) {
		return false
	}
	if t.codec.Load() == nil {
		codec, err := squeeze.New(squeeze.Options{})
		if err != nil {
			panic(err) // of the default options
		}
		t.codec.Store(codec)
	}
	start := time.Now()
	for ends := 0; ends < Shards; {
		if ks.compressSome(c) {
			ends++
		}
		ks.learnTexts()
		if time.Since(start) > d {
			more = true
			break
		}
	}
	t.measure()
	return more
}

func (ks *Keyspace) worthCompressing(c *Compression) bool {
	n := int64(0)
	for i := range ks.shards {
		n += ks.shards[i].bytes.Load()
	}
	return n >= c.MinTotal
}

// compressSome goes on with the pass by a batch, and reports whether it is done
// with a shard. The pass is locked, here and below.
func (ks *Keyspace) compressSome(c *Compression) (end bool) {
	p := &ks.text.pass
	sh := &ks.shards[p.shard]
	note := &p.noted[p.shard]
	now := ks.clock()
	if p.db == 0 && p.from == 0 {
		p.waits = false
		// Where nothing of the size has come since the last time there is nothing.
		note.bytes = min(note.bytes, sh.bytes.Load())
		grown := sh.bytes.Load()-note.bytes >= int64(c.MinSize)
		rests := c.Mode == CompressCold && now >= note.at && now-note.at < c.MinIdle/4
		if note.at != 0 && (!note.waits && !grown || rests) {
			ks.nextShard()
			return true
		}
	}
	if s := ks.collect(sh, c, now); len(p.jobs) > 0 {
		ks.squeezeJobs(s, now)
	}
	if p.db < Databases {
		return false
	}
	*note = passNote{bytes: sh.bytes.Load(), at: max(now, 1), waits: p.waits}
	ks.nextShard()
	return true
}

func (ks *Keyspace) nextShard() {
	p := &ks.text.pass
	p.db, p.from = 0, 0
	p.retries = max(0, p.retries-1)
	if p.shard++; p.shard == Shards {
		p.shard = 0
		p.rounds++
	}
}

// collect looks at some of a shard's records and copies the values that are to
// be compressed. They are all of the space that it returns.
func (ks *Keyspace) collect(sh *shard, c *Compression, now int64) *space {
	p := &ks.text.pass
	p.jobs, p.src = p.jobs[:0], p.src[:0]
	if !sh.try() { // who has it takes long: another time
		p.db, p.waits = Databases, true
		return nil
	}
	defer sh.Unlock()
	for p.db < Databases && sh.dbs[p.db] == nil {
		p.db, p.from = p.db+1, 0
	}
	if p.db == Databases {
		return nil
	}
	s := sh.dbs[p.db]
	setup := ks.eviction.setup.Load()
	for i := 0; i < batchBuckets && len(p.src) < batchBytes; i++ {
		from, done := s.scan(p.from, func(ref slab.Ref) {
			if r := s.record(ref); ks.due(sh, setup, c, r, now) {
				ks.copyJob(ref, r)
			}
		})
		if p.from = from; done {
			p.db, p.from = p.db+1, 0
			break
		}
	}
	return s
}

// due reports whether a record's value is to be compressed now. Those that are not
// yet are noted; of all a sample is learned from.
func (ks *Keyspace) due(sh *shard, setup *evict.Setup, c *Compression, r record, now int64) bool {
	p, codec := &ks.text.pass, ks.text.codec.Load()
	switch {
	case r.place() == squeezed:
		if !codec.Stale(r.value()) {
			return false
		}
	case !c.wants(r) || r.place() == stubborn && p.retries == 0:
		return false
	default:
		codec.Sample(r.value())
	}
	if !p.taught {
		p.waits = true
		return false
	}
	if at := r.expireAt(); at != 0 && at <= now {
		return false
	}
	if c.Mode == CompressAll {
		return true
	}
	idle, ok := sh.evict.IdleTime(setup, r.access(), now)
	if ok && idle < c.MinIdle {
		p.waits = true
		return false
	}
	return ok
}

func (ks *Keyspace) copyJob(ref slab.Ref, r record) {
	p := &ks.text.pass
	j := job{ref: ref, tag: tagOf(ks.hash(r.key())), place: r.place(), from: len(p.src)}
	p.src = append(p.src, r.value()...)
	j.to = len(p.src)
	if j.place == squeezed { // it may be released before it is decompressed
		ks.text.codec.Load().Retain(p.src[j.from:j.to])
	}
	p.jobs = append(p.jobs, j)
}

// squeezeJobs compresses what collect has copied, with no shard held, and stores
// it where it is still what it was.
func (ks *Keyspace) squeezeJobs(s *space, now int64) {
	p, codec := &ks.text.pass, ks.text.codec.Load()
	p.dst = p.dst[:0]
	for i := range p.jobs {
		j := &p.jobs[i]
		text := p.src[j.from:j.to]
		if j.place == squeezed {
			var err error
			p.raw, err = codec.Decompress(p.raw[:0], text)
			codec.Release(text)
			if err != nil {
				panic(err) // nobody but this wrote it
			}
			text = p.raw
		}
		j.at = len(p.dst)
		p.dst, j.ok = codec.Compress(slices.Grow(p.dst, squeeze.Room(len(text))), text)
		if !j.ok && j.place == squeezed { // the newer dictionary has unlearned it
			p.dst = append(p.dst, text...)
		}
		j.end = len(p.dst)
		if j.ok && j.place != squeezed {
			p.lesson += int64(len(text))
		}
	}
	tx := &p.tx
	tx.BeginAt(ks, 0, 0, now)
	held := tx.tryShard(s.shard.index)
	p.waits = p.waits || !held
	for i := range p.jobs {
		j := &p.jobs[i]
		b := p.dst[j.at:j.end]
		same := held && s.shard.dbs[s.db] == s && s.has(j.tag, j.ref)
		if same {
			r := s.record(j.ref)
			same = r.place() == j.place && bytes.Equal(r.value(), p.src[j.from:j.to])
		}
		switch {
		case same:
			tx.squeeze(s, j, b)
		case j.ok:
			codec.Release(b)
		}
	}
	DoAll(tx.End())
	if cap(p.src) > 4*batchBytes { // of large values
		p.src, p.dst, p.raw = nil, nil, nil
	}
}

// squeeze stores a compressed value, or marks one that does not shrink.
func (tx *Tx) squeeze(s *space, j *job, b []byte) {
	t := &tx.ks.text
	r := s.record(j.ref)
	place := uint32(squeezed)
	if !j.ok {
		place = stubborn
	}
	meta := r.meta()&(metaKept|metaParts)&^placeMask | place<<placeShift
	if !j.ok && j.place != squeezed {
		r.setMeta(r.meta()&^placeMask | place<<placeShift)
		return
	}
	if j.ok && j.place == squeezed {
		t.squeezedOut(s, r.value())
	}
	e := tx.entryOf(s, j.ref)
	tx.reshape(e, shape{meta: meta, size: len(b), expireAt: r.expireAt()})
	copy(e.rec.value(), b)
	if j.ok {
		t.squeezedIn(s, b)
		t.compressed.Add(1)
	}
}

// learnTexts trains a dictionary where it is time to.
func (ks *Keyspace) learnTexts() {
	t := &ks.text
	p, codec := &t.pass, t.codec.Load()
	switch {
	case !p.taught:
		if codec.Stats().SampleBytes < firstLesson && p.rounds == 0 {
			return
		}
		p.next = firstLesson
	case p.lesson < p.next:
		return
	default:
		p.next = max(firstLesson, t.raw.Load())
	}
	// Without an error: where there are too many dictionaries the values of older
	// ones are being compressed anew already.
	learned, _ := codec.Train()
	if learned {
		p.retries = Shards + 1
	}
	if learned || !p.taught {
		clear(p.noted[:]) // all may be done better now
	}
	p.taught, p.lesson = true, 0
}

// measure brings up to date what the codec takes.
func (t *compression) measure() {
	const coders = 1 << 20
	st := t.codec.Load().Stats()
	n := st.SampleBytes
	if t.compressed.Load() > 0 {
		n += coders
	}
	for _, g := range st.Generations {
		n += 2 * int64(g.Dictionary)
	}
	p := &t.pass
	t.bytes.Store(n + int64(cap(p.src)+cap(p.dst)+cap(p.raw)))
}
