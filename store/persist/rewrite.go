package persist

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"

	"github.com/nearcache/nearcache/store/vfs"
)

// cut asks for a segment that begins after all that was appended before it.
type cut struct {
	done   chan error // buffered
	num    uint64     // of the segment
	losses int
}

// Rewrite replaces all that was appended so far by the records that emit gives to w, which may keep nothing of them.
// Appends go on meanwhile, to segments that follow. It is [Log.RewriteAt] with a cut of its own: state that emit reads
// may then have seen records that are replayed after it, and so effects must bear to be repeated (SET and DEL do,
// APPEND does not).
func (l *Log) Rewrite(ctx context.Context, emit func(w func(Record) error) error) error {
	return l.RewriteAt(ctx, func(mark func()) { mark() }, func(b *Base) error { return emit(b.Add) })
}

// RewriteAt is Rewrite for a caller that emits the state of one moment: cut locks all keys, calls mark, which does no
// I/O, notes what it needs to emit that state later, and unlocks. Records appended before mark are replaced; those
// appended after it are replayed after what emit wrote.
//
// The new segments are written beside, synced, and named in the manifest at once; before that, a crash or an error
// leaves the old ones in force. Their files go when nothing names them.
func (l *Log) RewriteAt(ctx context.Context, cutAt func(mark func()), emit func(*Base) error) (err error) {
	if !l.rewriting.TryLock() {
		return ErrRewriteRunning
	}
	defer l.rewriting.Unlock()
	l.rewrites.Store(true)
	start := l.o.Now()
	defer func() {
		l.stats.Lock()
		l.stats.LastRewrite = l.o.Now().Sub(start)
		l.stats.LastRewriteFail = err != nil
		if err == nil {
			l.stats.Rewrites++
		}
		l.stats.Unlock()
		l.rewrites.Store(false)
	}()
	c := &cut{done: make(chan error, 1)}
	mark := sync.OnceFunc(func() {
		l.mu.Lock()
		l.pushLocked(&chunk{cut: c, last: l.appended.Load()})
		l.mu.Unlock()
	})
	cutAt(mark)
	mark()
	signal(l.urgent)
	select {
	case err := <-c.done:
		if err != nil {
			return fmt.Errorf("rewrite: begin a segment: %w", err)
		}
	case <-ctx.Done():
		return ctx.Err()
	case <-l.done:
		return ErrClosed
	}
	b := &Base{l: l, ctx: ctx, next: 1}
	err = emit(b)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = b.finish()
	}
	if err != nil {
		err = errors.Join(fmt.Errorf("rewrite: %w", err), b.close())
		return errors.Join(err, l.control(func(w *writer) { w.abort(b.files(), c) }))
	}
	if cerr := l.control(func(w *writer) { err = w.adopt(b.segs, b.files(), c) }); cerr != nil {
		return cerr
	}
	return err
}

// cutAt begins a segment for what was appended after the cut. It tells whether the chunk may leave the queue.
func (w *writer) cutAt(c *chunk) bool {
	switch {
	case w.lost && w.cur == nil:
		w.written, w.durable, w.held0 = c.last, c.last, c.last+1
		if err := w.start(); err != nil {
			c.cut.done <- err
			return true
		}
	case w.lost:
		c.cut.done <- errors.New("another rewrite begins")
		return true
	}
	// More than once, when a sync fails and the segment that follows begins with what the last one may have lost.
	for w.cur != nil && w.written >= w.cur.first {
		if !w.rotate() && w.lost {
			return w.cutAt(c)
		}
	}
	if w.cur == nil {
		return false
	}
	c.cut.num, c.cut.losses = w.cur.num, w.losses
	c.cut.done <- nil
	return true
}

// adopt puts a base in the place of the segments before the cut.
func (w *writer) adopt(bases []segment, files []string, c *cut) error {
	if c.losses != w.losses {
		w.abort(files, c)
		return fmt.Errorf("rewrite: the log failed meanwhile: %w", w.l.Err())
	}
	i := slices.IndexFunc(w.segs, func(s segment) bool { return s.num == c.num })
	segs := slices.Concat(bases, w.segs[i:])
	if err := w.writeManifest(segs); err != nil {
		// The new manifest may be in force or not: either way all files that it or the old one names must stay,
		// until a manifest is known to be on disk.
		w.garbage = append(w.garbage, files...)
		w.fails(c)
		if !w.lost && w.cur != nil {
			if err := w.writeManifest(w.segs); err == nil {
				w.collect()
			}
		}
		return fmt.Errorf("rewrite: %w", err)
	}
	for _, s := range w.segs[:i] {
		w.garbage = append(w.garbage, w.path(s.name()))
	}
	w.segs = segs
	if w.lost {
		w.lost = false
		if w.l.failed.Swap(nil) != nil {
			w.l.o.Logger.Info("log: the rewrite healed it")
		}
		w.l.detached.Store(false)
		w.publish()
	}
	w.collect()
	w.count(func(s *Stats) { s.BaseSize = s.Size })
	return nil
}

// abort removes the files of a rewrite, which no manifest has ever named. They go at once: the disk may be full of them.
func (w *writer) abort(files []string, c *cut) {
	w.garbage = append(w.garbage, w.remove(files)...)
	w.fails(c)
}

// fails ends a rewrite: what it was to heal is not healed.
func (w *writer) fails(c *cut) {
	if w.lost && w.cur != nil && c.losses == w.losses {
		w.lose(errors.New("a rewrite failed"))
	}
}

// Base is what a rewrite writes: the state of one moment, in segments of their own. Any
// number of goroutines may write it at once; their records are in no order.
type Base struct {
	l   *Log
	ctx context.Context

	mu       sync.Mutex // of all below, and held while the file is written
	segs     []segment
	f        vfs.File
	seed     uint32
	next     uint64
	buf      []byte
	rooms    []*room // free ones
	made     int     // rooms
	size     int64   // written to f
	total    int64   // written at all
	unsynced int64
}

// room is what a block is made in.
type room struct {
	packer        int // of packers
	plain, packed []byte
}

const (
	baseBuffer = 1 << 20
	// A rewrite syncs as it goes, so that the disk is not handed everything at its end, when appends want it too.
	baseSync = 32 << 20
)

func (b *Base) files() []string {
	var names []string
	for _, s := range b.segs {
		names = append(names, b.l.dirPath(s.name()))
	}
	return names
}

// Add writes a record.
func (b *Base) Add(r Record) error {
	if len(r.Commands) == 0 {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.ready()
	}
	if size := r.Size(); size > MaxRecord {
		return fmt.Errorf("a record of %d bytes: it may have %d", size, MaxRecord)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.ready(); err != nil {
		return err
	}
	m := b.room()
	start := len(b.buf)
	b.buf = r.appendFrame(b.buf, b.next)
	b.next++
	b.buf = b.buf[:start+len(finish(b.buf[start:], b.seed, true, &m.packed))]
	b.leave(m)
	return b.spill()
}

// room gives a free one. b.mu is held.
func (b *Base) room() *room {
	if n := len(b.rooms); n > 0 {
		m := b.rooms[n-1]
		b.rooms = b.rooms[:n-1]
		return m
	}
	b.made++
	return &room{packer: b.made - 1}
}

// leave gives a room back. b.mu is held.
func (b *Base) leave(m *room) {
	if cap(m.plain)+cap(m.packed) > keepBuffer {
		m.plain, m.packed = nil, nil
	}
	b.rooms = append(b.rooms, m)
}

// maxBlock is how much is compressed in one piece, unless a single command is longer: more than a snapshot hands out
// at a time, or a little would be left over each time.
const maxBlock = 2 << 20

// Block writes many commands, encoded one after the other by [AppendCommand], as
// one record: a block that is compressed, and has a checksum. Larger ones are split.
func (b *Base) Block(seq uint64, at int64, commands []byte) error {
	for len(commands) > 0 {
		n, size, err := splitCommands(commands, maxBlock)
		if err != nil {
			return err
		}
		if err := b.block(seq, at, n, commands[:size]); err != nil {
			return err
		}
		commands = commands[size:]
	}
	return nil
}

func (b *Base) block(seq uint64, at int64, n int, commands []byte) error {
	b.mu.Lock()
	m := b.room()
	b.mu.Unlock()
	p := binary.AppendUvarint(m.plain[:0], seq)
	p = binary.AppendUvarint(p, zigzag(at))
	p = append(binary.AppendUvarint(p, uint64(n)), commands...)
	m.plain = p
	if frameMin+len(p) > MaxRecord {
		return fmt.Errorf("a record of %d bytes: it may have %d", frameMin+len(p), MaxRecord)
	}
	typ := byte(typeCommit)
	if packed := packBlock(m.packed, p, m.packer); packed != nil {
		p, typ = packed, typ|flagZstd
		m.packed = packed
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.ready(); err != nil {
		return err
	}
	start := len(b.buf)
	b.buf = append(b.buf, 0, 0, 0, 0)
	b.buf = binary.LittleEndian.AppendUint32(b.buf, uint32(bodyHead+len(p)))
	b.buf = binary.LittleEndian.AppendUint64(b.buf, b.next)
	b.buf = append(append(b.buf, typ), p...)
	b.next++
	binary.LittleEndian.PutUint32(b.buf[start:], crc32.Update(b.seed, castagnoli, b.buf[start+4:]))
	b.leave(m)
	return b.spill()
}

// ready makes sure that there is a segment, and that anybody wants it. b.mu is held.
func (b *Base) ready() error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	if b.l.closed.Load() {
		return ErrClosed
	}
	if b.f == nil {
		return b.begin()
	}
	return nil
}

// spill writes the buffer once it is large, and ends a segment that is.
func (b *Base) spill() error {
	if len(b.buf) < baseBuffer {
		return nil
	}
	if err := b.write(); err != nil {
		return err
	}
	if b.size >= b.l.o.SegmentSize {
		return b.end()
	}
	return nil
}

func (b *Base) begin() error {
	s := segment{num: b.l.number.Add(1), kind: kindBase, first: b.next}
	b.segs = append(b.segs, s)
	f, err := b.l.fs.Create(b.l.dirPath(s.name()))
	if err != nil {
		return err
	}
	salt := newSalt()
	b.f, b.seed, b.size = f, seedOf(salt), 0
	b.buf = s.appendHeader(b.buf[:0], salt)
	return nil
}

func (b *Base) write() error {
	n, err := b.f.Write(b.buf)
	b.size += int64(n)
	b.total += int64(n)
	b.unsynced += int64(n)
	b.buf = b.buf[:0]
	if cap(b.buf) > keepBuffer {
		b.buf = nil
	}
	if err == nil && b.unsynced >= baseSync {
		b.unsynced = 0
		err = b.f.Sync()
	}
	return err
}

func (b *Base) end() error {
	err := b.write()
	if err == nil {
		err = b.f.Sync()
	}
	b.segs[len(b.segs)-1].size = b.size
	return errors.Join(err, b.close())
}

func (b *Base) close() error {
	if b.f == nil {
		return nil
	}
	f := b.f
	b.f = nil
	return f.Close()
}

func (b *Base) finish() error {
	if len(b.segs) == 0 { // of nothing: it still says that the log before is replaced
		if err := b.begin(); err != nil {
			return err
		}
	}
	if b.f != nil {
		if err := b.end(); err != nil {
			return err
		}
	}
	return b.l.fs.SyncDir(b.l.dir)
}
