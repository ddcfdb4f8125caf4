package persist

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nearcache/nearcache/store/vfs"
)

const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = time.Second // a disk that is full may have room again: nobody wants to wait for that to be noticed
)

// writer owns the files. All its fields belong to one goroutine, run, and before that to Open.
//
// It is in one of three states:
//
//	writing   cur != nil
//	failed    cur == nil, !lost: held and queue have all that is not on disk; a timer tries a new segment
//	lost      lost: what was on its way to disk is gone. A rewrite makes cur again, in a segment that no manifest
//	          names until the rewrite has ended; only then lost ends.
type writer struct {
	l *Log

	segs    []segment // as in the manifest; the last one is open
	cur     *open
	queue   []*chunk // to be written
	held    []*chunk // written to cur, in order, and not known to be on disk; without their records before held0
	swap    []*chunk // becomes full of the next batch
	kept    pool     // of keptSize
	held0   uint64   // all records from held0 to written are in held
	bytes   int64    // written to cur and not synced
	garbage []string // files that no manifest names once the next one is written

	written uint64 // last LSN written to cur
	durable uint64 // last LSN on disk

	inflight *syncing // everysec: the sync under way
	synced   chan error

	lost    bool
	losses  int // counts how often records were lost
	named   int // how many of segs the manifest names, while lost
	ended   bool
	retry   *time.Timer
	backoff time.Duration
	linger  *time.Timer
	scratch []byte
}

// open is the segment being written.
type open struct {
	segment
	f      vfs.File
	seed   uint32
	end    int64  // of the last whole write
	synced int64  // end, at the last sync
	marked uint64 // last LSN that a mark in it says is on disk
}

type syncing struct {
	end  int64
	last uint64
}

func newWriter(l *Log) *writer {
	w := &writer{l: l, synced: make(chan error, 1), backoff: firstRetry}
	w.retry, w.linger = time.NewTimer(time.Hour), time.NewTimer(time.Hour)
	w.retry.Stop()
	w.linger.Stop()
	return w
}

func (w *writer) path(name string) string { return w.l.dirPath(name) }

// open loads the folder and makes it ready for writing.
func (w *writer) open(replay func(Record) error) (Report, error) {
	l := w.l
	ld := &loader{fs: l.fs, dir: l.dir, o: &l.o, replay: replay, dec: decoder{limit: MaxRecord}}
	names, err := l.fs.List(l.dir)
	if err != nil {
		return ld.report, err
	}
	segs, err := readManifest(l.fs, l.dir)
	fresh := isNotExist(err)
	if err != nil && !fresh {
		return ld.report, err
	}
	var unnamed []string
	for _, name := range names {
		num, ok := parseName(name)
		if !ok {
			continue
		}
		l.number.Store(max(l.number.Load(), num))
		if slices.ContainsFunc(segs, func(s segment) bool { return s.name() == name }) {
			continue
		}
		// Made and not yet named, or named no more: a crash came between. Neither holds anything that was promised.
		unnamed = append(unnamed, name)
		if !fresh {
			continue
		}
		// The first manifest is written before the first record.
		if fi, err := l.fs.Stat(w.path(name)); err != nil {
			return ld.report, err
		} else if fi.Size > headerSize {
			return ld.report, fmt.Errorf("%s is missing, but %s has records: restore it, or the folder from a backup", w.path(manifestName), w.path(name))
		}
	}
	if !fresh {
		if err := ld.load(segs); err != nil {
			return ld.report, err
		}
	}
	if t := ld.report.Torn; t != nil {
		if err := ld.cutTorn(l.o.Now()); err != nil {
			return ld.report, err
		}
		l.o.Logger.Warn("log: cut an unfinished end", "file", t.File, "offset", t.Offset, "bytes", t.Size, "kept", t.Kept, "reason", t.Reason)
	}
	for _, name := range unnamed {
		if err := l.fs.Remove(w.path(name)); err != nil {
			return ld.report, err
		}
		ld.report.Removed = append(ld.report.Removed, name)
	}
	last := ld.report.LastLSN
	w.written, w.durable, w.held0 = last, last, last+1
	l.appended.Store(last)
	l.durable.Store(last)
	if fresh {
		if err := w.start(); err != nil {
			return ld.report, err
		}
	} else {
		s := segs[len(segs)-1]
		f, err := l.fs.OpenAppend(w.path(s.name()))
		if err != nil {
			return ld.report, err
		}
		// What was read may still be in memory only, when the process died and the machine did not.
		if err := f.Sync(); err != nil {
			return ld.report, errors.Join(err, f.Close())
		}
		w.segs = segs
		w.cur = &open{segment: s, f: f, seed: ld.seed, end: ld.end, synced: ld.end, marked: ld.marked}
	}
	w.count(func(s *Stats) { s.BaseSize = s.Size })
	return ld.report, nil
}

// count updates the figures.
func (w *writer) count(f func(*Stats)) {
	w.l.stats.Lock()
	defer w.l.stats.Unlock()
	s := &w.l.stats.Stats
	s.Size, s.Segments = 0, len(w.segs)
	for _, seg := range w.segs {
		if seg.size != openEnd {
			s.Size += seg.size
		}
	}
	if w.cur != nil {
		s.Size += w.cur.end
	}
	f(s)
}

func (w *writer) policy() Policy { return Policy(w.l.policy.Load()) }

// run is the writer's goroutine, ended by Close.
func (w *writer) run() {
	defer close(w.l.done)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	defer w.retry.Stop()
	defer w.linger.Stop()
	for !w.ended {
		select {
		case <-w.l.kick:
			w.linger.Reset(linger)
		case <-w.linger.C:
			w.flush()
		case <-w.l.urgent:
			w.flush()
		case <-tick.C:
			w.trim()
			if w.policy() == Everysec && w.flush() {
				w.startSync()
			}
		case err := <-w.synced:
			w.endSync(err)
		case <-w.retry.C:
			if w.cur == nil && !w.lost && w.recover() {
				w.flush()
			}
		case f := <-w.l.ctl:
			f(w)
		}
	}
}

// flush takes what was appended and writes it, and under Always syncs it. It tells whether the log works.
func (w *writer) flush() bool {
	l := w.l
	l.mu.Lock()
	l.pushLocked(nil)
	batch := l.mu.full
	l.mu.full = w.swap[:0]
	l.mu.due = len(batch) > 0
	l.mu.Unlock()
	if len(batch) > 0 {
		w.linger.Reset(linger) // more will come: what does not wake this goroutine costs those nothing who append it
	}
	w.queue = append(w.queue, batch...)
	clear(batch)
	w.swap = batch

	n := 0
	for n < len(w.queue) && w.step(w.queue[n]) {
		n++
	}
	w.queue = slices.Delete(w.queue, 0, n)
	if w.cur == nil {
		w.queue = slices.DeleteFunc(w.queue, func(c *chunk) bool {
			if c.cut != nil {
				c.cut.done <- l.Err() // a rewrite does not wait for a disk that fails
			}
			return c.cut != nil
		})
		if !w.lost && l.backlog.Load() > 4*l.o.MaxBacklog {
			w.lose(fmt.Errorf("too much waits for a disk that fails: %w", l.Err()))
		}
		return false
	}
	switch {
	case w.policy() == Always:
		return w.sync()
	case w.policy() == Everysec && w.inflight == nil && w.bytes > l.o.MaxBacklog/2:
		w.startSync()
	}
	return w.cur != nil
}

// step deals with the first chunk of the queue. It tells whether the chunk may leave the queue.
func (w *writer) step(c *chunk) bool {
	switch {
	case c.lost != nil:
		w.written = c.last
		w.lose(c.lost)
		w.release(c)
		return true
	case c.cut != nil:
		return w.cutAt(c)
	case w.lost && w.cur == nil:
		w.written = c.last
		w.release(c)
		return true
	case w.cur == nil:
		return false
	}
	if w.cur.end >= w.l.o.SegmentSize && !w.rotate() {
		return w.lost && w.step(c)
	}
	c.finish(w.cur.seed, &w.scratch)
	b := c.buf[markSize:]
	mark := w.durable > w.cur.marked
	if mark {
		putMark(c.buf, w.durable, w.cur.seed)
		b = c.buf
	}
	n, err := w.cur.f.Write(b)
	if err != nil {
		w.fail("write", err, c)
		return !w.lost || w.step(c)
	}
	if mark {
		w.cur.marked = w.durable
	}
	w.cur.end += int64(n)
	w.bytes += int64(n)
	w.written = c.last
	w.count(func(s *Stats) { s.Writes++; s.Written += int64(n) })
	w.hold(c)
	return true
}

// finish makes the chunk's frames ready for a segment.
func (c *chunk) finish(seed uint32, scratch *[]byte) {
	b := finish(c.buf[markSize:], seed, !c.finished, scratch)
	c.buf = c.buf[:markSize+len(b)]
	if cap(c.buf) > keepBuffer && len(c.buf) < cap(c.buf)/2 { // it waits for the disk, perhaps for a second
		c.buf = slices.Clone(c.buf)
	}
	c.finished = true
}

// hold keeps what a chunk has until it is on disk, where the policy promises that it will be.
//
// Under Everysec that is copied, and the chunk takes the next records while it is in a cache: a record that is encoded
// into memory that is in none costs more than all else that is done for the log, and that under the lock. So does the
// copy where it is larger than caches are, and so keptMost is kept at most: beyond it the file is trusted until the
// next sync, and one that fails means a rewrite, as under No. What waits for the sync is counted all the same.
func (w *writer) hold(c *chunk) {
	switch {
	case w.policy() == No:
		w.forgetHeld(c.last)
		w.releaseHeld(c.last)
		w.release(c)
	case w.policy() == Always || cap(c.buf) != chunkSize:
		w.held = append(w.held, c)
	default:
		b := c.buf[markSize:]
		if w.held0 > w.durable+1 || w.bytes > keptMost {
			w.forgetHeld(c.last)
			b = nil
		}
		k := w.heldFor(b)
		k.buf = append(k.buf, b...)
		k.last = c.last
		k.bytes += c.bytes
		w.recycle(c)
	}
}

// heldFor returns the chunk of held that b is copied to. What one sync covers and what the next one does stay apart: a
// segment that follows a failure begins with the first chunk that is not on disk.
func (w *writer) heldFor(b []byte) *chunk {
	if n := len(w.held); n > 0 {
		k := w.held[n-1]
		if cap(k.buf)-len(k.buf) >= len(b) && (w.inflight == nil || k.last > w.inflight.last) {
			return k
		}
	}
	k := &chunk{}
	if len(b) > 0 {
		if k = w.kept.take(); k == nil {
			k = &chunk{buf: make([]byte, markSize, keptSize)}
		}
		k.finished = true
	}
	w.held = append(w.held, k)
	return k
}

// forgetHeld gives up the records that are held: those up to lsn are in the file only. What they count stays.
func (w *writer) forgetHeld(lsn uint64) {
	w.held0 = lsn + 1
	for _, c := range w.held {
		w.recycle(&chunk{buf: c.buf})
		c.buf = nil
	}
}

func (w *writer) releaseHeld(lsn uint64) {
	n := 0
	for n < len(w.held) && w.held[n].last <= lsn {
		w.release(w.held[n])
		n++
	}
	w.held = slices.Delete(w.held, 0, n)
}

func (w *writer) release(c *chunk) {
	w.l.backlog.Add(-c.bytes)
	w.recycle(c)
	w.l.broadcast()
}

// recycle keeps a chunk's memory for the next one.
func (w *writer) recycle(c *chunk) {
	switch cap(c.buf) {
	case chunkSize:
		w.l.mu.Lock()
		w.l.mu.free.put(c)
		w.l.mu.Unlock()
	case keptSize:
		w.kept.put(c)
	}
}

func (w *writer) trim() {
	w.kept.trim()
	w.l.mu.Lock()
	w.l.mu.free.trim()
	w.l.mu.Unlock()
}

// reached notes that all up to lsn, which ends at end of cur, is on disk.
func (w *writer) reached(lsn uint64, end int64) {
	w.durable = lsn
	w.held0 = max(w.held0, lsn+1)
	if w.cur != nil {
		w.cur.synced = end
		w.bytes = w.cur.end - end
	}
	w.releaseHeld(lsn)
	w.publish()
}

func (w *writer) publish() {
	if !w.lost {
		w.l.durable.Store(w.durable)
		w.l.broadcast()
	}
}

func (w *writer) timeSync(f vfs.File) error {
	start := w.l.o.Now()
	err := f.Sync()
	took := w.l.o.Now().Sub(start)
	w.l.stats.Lock()
	defer w.l.stats.Unlock()
	s := &w.l.stats.Stats
	s.Syncs++
	s.SyncTime += took
	s.SlowestSync = max(s.SlowestSync, took)
	return err
}

// sync makes durable what was written. It tells whether the log works.
func (w *writer) sync() bool {
	w.awaitSync()
	if w.cur == nil {
		return false
	}
	if w.cur.end == w.cur.synced {
		return true
	}
	if err := w.timeSync(w.cur.f); err != nil {
		return w.fail("sync", err, nil)
	}
	w.reached(w.written, w.cur.end)
	return true
}

// startSync does what sync does, beside the writes that follow.
func (w *writer) startSync() {
	if w.inflight != nil {
		w.count(func(s *Stats) { s.DelayedSyncs++ })
		return
	}
	if w.cur == nil || w.cur.end == w.cur.synced {
		return
	}
	w.inflight = &syncing{end: w.cur.end, last: w.written}
	f := w.cur.f
	go func() { w.synced <- w.timeSync(f) }()
}

func (w *writer) endSync(err error) {
	s := w.inflight
	w.inflight = nil
	if err != nil {
		w.fail("sync", err, nil)
		return
	}
	w.reached(s.last, s.end)
}

func (w *writer) awaitSync() {
	if w.inflight != nil {
		w.endSync(<-w.synced)
	}
}

// rotate ends the segment and begins the next. It tells whether the log works.
func (w *writer) rotate() bool {
	old := w.cur
	if !w.sync() {
		return false
	}
	if w.cur != old {
		return true // sync failed, and went on in a new one
	}
	w.seal()
	return w.recover()
}

// seal ends the segment at what is known to be on disk.
func (w *writer) seal() {
	_ = w.cur.f.Close() // it was synced, or is not trusted anyway
	w.segs[len(w.segs)-1].size = w.cur.synced
	w.cur = nil
	w.bytes = 0
}

// fail deals with a write or a sync that failed. The file is never used again. What it may have lost is written to a
// new segment from memory, together with c, the chunk whose write failed, if any; the manifest says where the old one
// ends. It tells whether the log works. When the log is lost, c is still the caller's.
func (w *writer) fail(op string, err error, c *chunk) bool {
	name := w.cur.name()
	w.count(func(s *Stats) { s.Failures++ })
	w.l.o.Logger.Error("log: "+op+" failed", "file", name, "err", err)
	if w.inflight != nil {
		s := w.inflight
		w.inflight = nil
		if serr := <-w.synced; serr == nil {
			w.reached(s.last, s.end)
		} else {
			op, err = "sync", errors.Join(err, serr)
		}
	}
	if w.lost {
		w.lose(err) // the rewrite that is under way cannot heal it
		return false
	}
	if w.held0 > w.durable+1 {
		// Policy No, or not long ago: the file is the only place where these records are.
		if op == "sync" {
			w.lose(err)
			return false
		}
		if serr := w.cur.f.Sync(); serr != nil {
			w.lose(errors.Join(err, serr))
			return false
		}
		w.reached(w.written, w.cur.end)
	}
	if c != nil {
		w.held = append(w.held, c)
	}
	w.seal()
	return w.recover()
}

// recover begins a segment, first with what is held. It tells whether that worked; a timer tries again where not.
func (w *writer) recover() bool {
	err := w.start()
	if err == nil {
		w.backoff = firstRetry
		if w.l.failed.Swap(nil) != nil {
			w.l.o.Logger.Info("log: works again", "file", w.cur.name())
			w.l.broadcast()
		}
		return true
	}
	w.setErr(err)
	w.l.o.Logger.Error("log: cannot begin a segment", "err", err, "retry", w.backoff)
	w.retry.Reset(w.backoff)
	w.backoff = min(2*w.backoff, lastRetry)
	return false
}

func (w *writer) setErr(err error) {
	w.l.failed.Store(&failure{err})
	w.l.broadcast()
}

// lose gives up what is not on disk. From here only a rewrite helps.
func (w *writer) lose(err error) {
	w.forget()
	w.setErr(fmt.Errorf("%w: %w", ErrNeedsRewrite, err))
	w.l.o.Logger.Error("log: records are lost; writes are refused until a rewrite", "after", w.durable, "err", err)
}

// forget drops what is not on disk, and what comes until a rewrite.
func (w *writer) forget() {
	if w.inflight != nil {
		<-w.synced // its file is not trusted, whatever it says
		w.inflight = nil
	}
	if w.lost {
		// The segments of the rewrite that would have healed it.
		for _, s := range w.segs[w.named:] {
			w.garbage = append(w.garbage, w.path(s.name()))
		}
		w.segs = w.segs[:w.named]
	}
	w.lost = true
	w.losses++
	w.named = len(w.segs)
	if w.cur != nil {
		_ = w.cur.f.Close()
		w.cur = nil
	}
	w.bytes = 0
	for _, c := range w.held {
		w.written = c.last
		w.release(c)
	}
	w.held = nil
}

// start makes a segment that begins with what is held, durable before the manifest names it.
func (w *writer) start() error {
	l := w.l
	s := segment{num: l.number.Add(1), kind: kindLog, first: w.durable + 1, size: openEnd}
	name := w.path(s.name())
	w.garbage = append(w.garbage, name)
	f, err := l.fs.Create(name)
	if err != nil {
		return err
	}
	salt := newSalt()
	o := &open{segment: s, f: f, seed: seedOf(salt), marked: w.durable}
	write := func(b []byte) {
		if err == nil {
			var n int
			n, err = f.Write(b)
			o.end += int64(n)
		}
	}
	write(s.appendHeader(nil, salt))
	for _, c := range w.held {
		c.finish(o.seed, &w.scratch)
		write(c.buf[markSize:])
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = l.fs.SyncDir(l.dir)
	}
	if err != nil {
		// It must go at once: the disk may be full of it.
		err = errors.Join(err, f.Close())
		if l.fs.Remove(name) == nil {
			w.garbage = without(w.garbage, name)
		}
		return err
	}
	segs := append(slices.Clip(w.segs), s)
	if !w.lost {
		if err := w.writeManifest(segs); err != nil {
			return errors.Join(err, f.Close()) // the manifest on disk may name the file, and so it stays
		}
	}
	w.segs, w.cur = segs, o
	w.garbage = without(w.garbage, name)
	if !w.lost {
		w.collect()
	}
	last := w.durable
	if n := len(w.held); n > 0 {
		last = w.held[n-1].last
	}
	w.written = max(w.written, last)
	w.reached(last, o.end)
	w.count(func(s *Stats) { s.Writes++; s.Written += o.end })
	return nil
}

func without(names []string, name string) []string {
	return slices.DeleteFunc(names, func(n string) bool { return n == name })
}

func (w *writer) writeManifest(segs []segment) error {
	return writeManifest(w.l.fs, w.l.dir, segs)
}

// collect removes files that the manifest on disk does not name.
func (w *writer) collect() { w.garbage = w.remove(w.garbage) }

// remove removes files, and returns those that are left.
func (w *writer) remove(names []string) (left []string) {
	return slices.DeleteFunc(names, func(name string) bool {
		err := w.l.fs.Remove(name)
		if err != nil && !isNotExist(err) {
			w.l.o.Logger.Warn("log: cannot remove an old file", "file", name, "err", err)
			return false
		}
		return true
	})
}

func (w *writer) setPolicy(p Policy) {
	if w.flush() {
		w.sync()
	}
	w.l.policy.Store(int32(p))
	w.l.broadcast()
}

// close saves everything, and says in the file that it did.
func (w *writer) close() error {
	ok := w.flush() && w.sync()
	if !ok && w.cur == nil && !w.lost {
		ok = w.recover() && w.flush() && w.sync()
	}
	var err error
	if !ok {
		err = w.l.Err()
	} else if w.cur.marked < w.durable {
		var b [markSize]byte
		putMark(b[:], w.durable, w.cur.seed)
		if _, err = w.cur.f.Write(b[:]); err == nil {
			err = w.cur.f.Sync()
		}
	}
	if w.cur != nil {
		err = errors.Join(err, w.cur.f.Close())
	}
	w.cur, w.held, w.ended = nil, nil, true
	return err
}
