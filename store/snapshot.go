package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/store/slab"
)

// A Snapshot is the keyspace as it was at one moment, and is read while the
// keyspace goes on changing, without a copy of it (and without fork).
//
//	Cut      all shards are held for a moment: a bit of records changes its meaning
//	Emit     goes over the shards in steps, and saves what has the old bit
//	a write  that finds the old bit saves the old entry first (Tx.save)
//
// To save is to encode an entry, and to set its bit. New records have the bit
// from the start. So each key that was there at the cut is encoded exactly once, as
// it was then, whatever becomes of it: a record that moves keeps its bit, a key that
// is renamed was removed before, a database that is swapped knows its number at the
// cut, and what is flushed is kept until Emit has seen it.
//
// What writes save waits in memory for Emit, which may have to wait for a disk.
// Behind reports that too much waits; who writes then calls CatchUp first, holding
// no shard.
type Snapshot struct {
	At  int64  // the moment, Unix ms; what had to be dead by then is not part of it
	Seq uint64 // of the last commit before it

	// GiveUp is called once, by a writer that holds no shard, when too much waits: who
	// writes then does not wait for the snapshot, which has to end soon. nil where
	// writers wait. It is set in Cut's at, and must not block.
	GiveUp func()

	ks      *Keyspace
	encode  Encoder
	epoch   uint32       // the keyspace's, as long as the snapshot is taken
	waiting atomic.Int64 // bytes that buffers in queue and in shards take
	limit   atomic.Int64 // of waiting
	entries atomic.Int64 // encoded so far
	failed  atomic.Pointer[error]

	// A leaf lock, but for that of cells, which release takes later.
	queue struct {
		sync.Mutex
		full   [][]byte
		free   [][]byte // for keptBlock
		dead   []*space // flushed; to be looked at, then released
		cells  []*cells
		ended  bool
		change sync.Cond // of waiting and ended
	}
}

// Encoder appends an entry of database db in the form that Emit is to hand out. The
// entry's shard is held: it does no I/O, and keeps nothing of the entry.
type Encoder func(b []byte, db int, e *Entry) []byte

var errBehind = errors.New("store: more was written than the snapshot could hold")

// ErrSnapshot is returned by Cut while there is a snapshot already.
var ErrSnapshot = errors.New("store: a snapshot is being taken already")

const (
	// What Emit encodes while it holds a shard: some 50 µs.
	stepBuckets = 64
	stepBytes   = 32 << 10
	// stepRest is what it sleeps then. Others want the processor, too; and who has slept has all of a turn before
	// it. Without, the system takes the processor from Emit in the middle of a step most of the time, and all that
	// want the shard wait for that long: milliseconds.
	stepRest = 50 * time.Microsecond
	// keptBlock is how much of what writes save a shard collects.
	keptBlock = 16 << 10
	// emitBlock is about how much Emit hands out at a time. What is compressed together takes 1 to 3% less room than
	// in quarters of it.
	emitBlock = 1 << 20
	// waitingMin is how much may wait for Emit in any case; otherwise an eighth of what all
	// keys take.
	waitingMin = 64 << 20
)

// Cut begins a snapshot. It calls at, which does no I/O, while all shards are held:
// what at notes belongs to the same moment. Emit or Close must follow.
func (ks *Keyspace) Cut(encode Encoder, at func(*Snapshot)) (*Snapshot, error) {
	s := &Snapshot{ks: ks, encode: encode}
	s.limit.Store(max(waitingMin, ks.Used()/8))
	s.queue.change.L = &s.queue
	if !ks.snap.CompareAndSwap(nil, s) {
		return nil, ErrSnapshot
	}
	var tx Tx
	tx.Begin(ks, 0, 0)
	var all LockSet
	all.AddAll()
	tx.Lock(&all)
	s.At, s.Seq = ks.clock(), ks.seq.Load()
	ks.epoch ^= metaEpoch
	s.epoch = ks.epoch
	for i := range ks.shards {
		sh := &ks.shards[i]
		for db, sp := range sh.dbs {
			if sp != nil && sp.n > 0 {
				sp.snap, sp.cutDB, sp.next, sp.done = s, db, 0, false
				sh.snap = s
			}
		}
	}
	if at != nil {
		at(s)
	}
	tx.End()
	return s, nil
}

// save encodes an entry that the snapshot needs, and that is about to change.
func (tx *Tx) save(e *Entry) {
	sh := e.s.shard
	if sh.snap == nil || e.rec.meta()&metaEpoch == tx.ks.epoch {
		return
	}
	if sh.kept == nil {
		sh.kept = sh.snap.buffer()
	}
	was := cap(sh.kept)
	sh.kept = sh.snap.keep(sh.kept, e.s, e.rec, e.ref, &tx.saver)
	if now := cap(sh.kept); now != was {
		sh.snap.waiting.Add(int64(now - was))
	}
	if len(sh.kept) >= keptBlock {
		sh.snap.push(sh.kept)
		sh.kept = nil
	}
}

// saved notes that an entry changes which was not saved before: a command that said
// it only reads has written. The snapshot cannot be completed.
func (tx *Tx) saved(e *Entry) {
	if e.rec.meta()&metaEpoch != tx.ks.epoch {
		err := fmt.Errorf("store: key %.100q was changed by a command that only reads", e.Key())
		e.s.shard.snap.failed.CompareAndSwap(nil, &err)
	}
}

// keep encodes a record and marks it as saved. Its shard is held.
func (s *Snapshot) keep(b []byte, sp *space, r record, ref slab.Ref, room **Entry) []byte {
	r.setMeta(r.meta() ^ metaEpoch)
	return s.append(b, sp, r, ref, room)
}

// append encodes a record, of one that is due too: as in Redis that is there until somebody finds it, and the clock
// may be set back before.
func (s *Snapshot) append(b []byte, sp *space, r record, ref slab.Ref, room **Entry) []byte {
	if *room == nil {
		*room = new(Entry)
	}
	e := *room
	e.s, e.ref, e.rec = sp, ref, r
	b = s.encode(b, sp.cutDB, e)
	e.reset()
	s.entries.Add(1)
	return b
}

// buffer is an empty one, for a shard.
func (s *Snapshot) buffer() (b []byte) {
	s.queue.Lock()
	defer s.queue.Unlock()
	if n := len(s.queue.free); n > 0 {
		b = s.queue.free[n-1]
		s.queue.free = s.queue.free[:n-1]
	} else {
		b = make([]byte, 0, keptBlock+keptBlock/4)
	}
	s.waiting.Add(int64(cap(b)))
	return b
}

// recycle takes a buffer back that was handed out. All are kept until the snapshot's end, unless one
// has grown much: else what is saved would leave as much behind again for the collector.
func (s *Snapshot) recycle(b []byte) {
	s.waiting.Add(-int64(cap(b)))
	s.queue.Lock()
	defer s.queue.Unlock()
	if cap(b) <= 2*keptBlock {
		s.queue.free = append(s.queue.free, b[:0])
	}
	s.queue.change.Broadcast()
}

func (s *Snapshot) push(b []byte) {
	s.queue.Lock()
	s.queue.full = append(s.queue.full, b)
	s.queue.Unlock()
}

// take keeps what was flushed until the snapshot has seen it; false after its end.
func (s *Snapshot) take(spaces []*space, all []*cells) bool {
	s.queue.Lock()
	defer s.queue.Unlock()
	if s.queue.ended {
		return false
	}
	s.queue.dead = append(s.queue.dead, spaces...)
	s.queue.cells = append(s.queue.cells, all...)
	return true
}

// Emit hands out all entries, encoded, in blocks of whole ones, and ends the
// snapshot. Each key is in it once; their order is none. No shard may be held. emit
// may wait for a disk; what it is given is valid during the call. An error, of emit
// or the context, is returned when the keyspace is ready for the next Cut.
func (s *Snapshot) Emit(ctx context.Context, emit func(block []byte) error) error {
	err := s.emit(ctx, emit)
	if err != nil {
		s.Close()
	}
	return err
}

// Close gives a snapshot up. After Emit it does nothing.
func (s *Snapshot) Close() {
	if s.ks.snap.Load() != s {
		return
	}
	s.queue.Lock()
	s.queue.full = nil
	s.queue.Unlock()
	s.limit.Store(1 << 62) // nobody waits for one that is given up
	s.wake()
	_ = s.walk(func(b []byte) ([]byte, error) { return b[:0], nil }, true)
	s.end()
}

func (s *Snapshot) emit(ctx context.Context, emit func([]byte) error) error {
	out := func(b []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.failed.Load(); err != nil {
			return *err
		}
		return emit(b)
	}
	// drain hands out what writes have saved, then what was collected.
	drain := func(b []byte) ([]byte, error) {
		for {
			s.queue.Lock()
			full := s.queue.full
			s.queue.full = nil
			s.queue.Unlock()
			if len(full) == 0 {
				break
			}
			for _, k := range full {
				b = append(b, k...)
				s.recycle(k)
				if len(b) >= emitBlock {
					if err := out(b); err != nil {
						return b, err
					}
					b = b[:0]
				}
			}
		}
		if len(b) < emitBlock {
			return b, nil
		}
		err := out(b)
		if cap(b) > 4*emitBlock {
			return nil, err
		}
		return b[:0], err
	}
	var rest []byte
	err := s.walk(func(b []byte) ([]byte, error) {
		b, err := drain(b)
		rest = b
		return b, err
	}, false)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		if err := out(rest); err != nil {
			return err
		}
	}
	if err := s.failed.Load(); err != nil {
		return *err
	}
	s.end()
	return nil
}

// walk goes over all that is not saved. Between two steps, with no shard held, it
// calls each with what it has collected, and goes on with what is returned. With
// drop it only marks.
func (s *Snapshot) walk(each func([]byte) ([]byte, error), drop bool) (err error) {
	var b []byte
	var room *Entry
	encode := s.append
	if drop {
		encode = func(b []byte, _ *space, _ record, _ slab.Ref, _ **Entry) []byte { return b }
	}
	for i := range s.ks.shards {
		sh := &s.ks.shards[i]
		for done := false; !done; {
			sh.wait()
			b, done = s.step(sh, b, func(b []byte, sp *space, ref slab.Ref) []byte {
				r := sp.record(ref)
				if r.meta()&metaEpoch == s.epoch {
					return b
				}
				r.setMeta(r.meta() ^ metaEpoch)
				return encode(b, sp, r, ref, &room)
			})
			sh.Unlock()
			if b, err = each(b); err != nil {
				return err
			}
			if !drop {
				rest(stepRest)
			}
		}
	}
	for {
		s.queue.Lock()
		var sp *space
		if n := len(s.queue.dead); n > 0 {
			sp = s.queue.dead[n-1]
			s.queue.dead = s.queue.dead[:n-1]
		}
		s.queue.Unlock()
		if sp == nil {
			break
		}
		if sp.snap == s && !drop {
			for from, done := sp.next, sp.done; !done && err == nil; {
				from, done = sp.scan(from, func(ref slab.Ref) {
					if r := sp.record(ref); r.meta()&metaEpoch != s.epoch {
						b = encode(b, sp, r, ref, &room)
					}
				})
				if len(b) >= stepBytes || done {
					b, err = each(b)
				}
			}
		}
		release([]*space{sp}, nil)
		if err != nil {
			return err
		}
	}
	b, err = each(b)
	return err
}

// step scans some of a shard, which is held; done when there is nothing left.
func (s *Snapshot) step(sh *shard, b []byte, save func([]byte, *space, slab.Ref) []byte) (_ []byte, done bool) {
	if sh.snap != s {
		return b, true
	}
	start, buckets := len(b), 0
	for _, sp := range sh.dbs {
		for sp != nil && sp.snap == s && !sp.done {
			if buckets++; buckets > stepBuckets || len(b)-start > stepBytes {
				return b, false
			}
			sp.next, sp.done = sp.scan(sp.next, func(ref slab.Ref) { b = save(b, sp, ref) })
		}
	}
	sh.snap = nil
	if sh.kept != nil {
		s.push(sh.kept)
		sh.kept = nil
	}
	return b, true
}

// end makes the keyspace ready for the next Cut.
func (s *Snapshot) end() {
	for {
		s.queue.Lock()
		dead, all := s.queue.dead, s.queue.cells
		s.queue.dead, s.queue.cells = nil, nil
		if s.queue.ended = len(dead)+len(all) == 0; s.queue.ended {
			s.queue.change.Broadcast()
		}
		ended := s.queue.ended
		s.queue.Unlock()
		release(dead, all)
		if ended {
			break
		}
	}
	s.ks.snap.Store(nil)
}

func (s *Snapshot) wake() {
	s.queue.Lock()
	s.queue.change.Broadcast()
	s.queue.Unlock()
}

// Entries is how many are encoded by now.
func (s *Snapshot) Entries() int64 { return s.entries.Load() }

// Waiting is how many bytes are taken by what is saved and not handed out.
func (s *Snapshot) Waiting() int64 { return s.waiting.Load() }

// Pressed reports whether so much waits that Emit had better be fast: long before writers have to wait.
func (s *Snapshot) Pressed() bool { return s.waiting.Load() > s.limit.Load()/8 }

// Snapshot is the one that is being taken, nil for none.
func (ks *Keyspace) Snapshot() *Snapshot { return ks.snap.Load() }

// Behind reports whether so much waits for a snapshot that who writes should wait.
func (ks *Keyspace) Behind() bool {
	s := ks.snap.Load()
	return s != nil && s.waiting.Load() > s.limit.Load()
}

// CatchUp waits while Behind. No shard may be held.
func (ks *Keyspace) CatchUp() {
	s := ks.snap.Load()
	if s == nil || s.waiting.Load() <= s.limit.Load() {
		return
	}
	if s.GiveUp != nil {
		if s.failed.CompareAndSwap(nil, &errBehind) {
			s.limit.Store(1 << 62)
			s.GiveUp()
		}
		return
	}
	s.queue.Lock()
	defer s.queue.Unlock()
	for s.waiting.Load() > s.limit.Load() && !s.queue.ended {
		s.queue.change.Wait()
	}
}
