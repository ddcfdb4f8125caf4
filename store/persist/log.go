package persist

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/store/vfs"
)

// Policy says when appended records are made durable.
type Policy int32

// The policies, named as Redis' appendfsync names them.
const (
	Everysec Policy = iota // in the background, each second; the zero value
	Always                 // before Wait returns
	No                     // when the machine does it by itself, and at the end of a segment
)

var policyNames = [...]string{Everysec: "everysec", Always: "always", No: "no"}

func (p Policy) String() string { return policyNames[p] }

// ParsePolicy reads "always", "everysec" or "no".
func ParsePolicy(s string) (Policy, error) {
	if i := slices.Index(policyNames[:], strings.ToLower(s)); i >= 0 {
		return Policy(i), nil
	}
	return 0, fmt.Errorf("appendfsync %q: want always, everysec or no", s)
}

var (
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("the log is closed")
	// ErrNeedsRewrite is wrapped by [Log.Err] when records were lost between memory and disk, so that nothing can be
	// appended any more. A Rewrite that succeeds heals the log.
	ErrNeedsRewrite = errors.New("the log has a gap and must be rewritten")
	// ErrRewriteRunning is returned by a Rewrite while another one runs.
	ErrRewriteRunning = errors.New("a rewrite of the log is running already")
)

// Options of a log. The zero value works.
type Options struct {
	Fsync       Policy
	SegmentSize int64 // a segment that has grown beyond it is followed by a new one; 0: 64 MB
	MaxBacklog  int64 // bytes in memory, not written or not synced, beyond which Throttle waits; 0: 64 MB
	Logger      *slog.Logger
	// Progress is called while Open loads, about once a megabyte.
	Progress func(done, total int64)
	// Now is the clock for names and durations; nil: time.Now.
	Now func() time.Time
}

const (
	chunkSize = 256 << 10
	// What is written and not on disk is kept in pieces of keptSize, keptMost at most, see hold.
	keptSize = 1 << 20
	keptMost = 4 << 20
	// A record above bigRecord is encoded outside the log's lock, into a chunk of its own.
	bigRecord = 64 << 10
	// linger is how long the first record of a batch waits for others before it is handed to the system.
	linger = 2 * time.Millisecond
)

// chunk is a run of frames. Its first markSize bytes are room for a mark.
type chunk struct {
	buf      []byte
	last     uint64 // LSN of its last record
	bytes    int64  // as appended, before compression: its part of the backlog
	finished bool   // large records are compressed

	// A chunk without records may carry one of these through the queue, in order.
	cut  *cut
	lost error
}

// Log is the log of effects. Make one with [Open]. Its methods are safe for concurrent use.
type Log struct {
	fs   vfs.FS
	dir  string
	o    Options
	lock io.Closer

	policy   atomic.Int32
	durable  atomic.Uint64 // last LSN known to be on disk
	backlog  atomic.Int64  // bytes of chunks that must not be forgotten yet, but for mu.cur
	failed   atomic.Pointer[failure]
	closed   atomic.Bool
	number   atomic.Uint64 // last segment number given
	rewrites atomic.Bool   // one runs
	detached atomic.Bool   // see Detach

	rewriting sync.Mutex // held by a rewrite from its begin to its end, and by nobody else for long

	_        [64]byte      // all threads write what follows, and what is before is read as often
	appended atomic.Uint64 // last LSN given

	// A leaf lock, taken under shard locks and held for a copy of 64 kB at most.
	mu struct {
		sync.Mutex
		cur  *chunk // takes records; nil: the next one takes one from free
		buf  []byte // that of cur, with its records; what else cur says is not so before it is pushed
		due  bool   // the writer looks again before long, unasked
		full []*chunk
		free pool
	}
	_ [64]byte

	// A leaf lock. changed is broadcast when durable, backlog, failed, policy or closed changes.
	waiters struct {
		sync.Mutex
		changed sync.Cond
	}

	stats struct {
		sync.Mutex
		Stats
	}

	kick   chan struct{} // a batch has begun
	urgent chan struct{} // somebody waits for it
	ctl    chan func(*writer)
	done   chan struct{} // the writer has ended
	closer sync.Once
}

type failure struct{ err error }

// Stats are figures for INFO.
type Stats struct {
	Policy          Policy
	Appended        uint64 // last LSN
	Durable         uint64 // last LSN known to be on disk
	Backlog         int64  // bytes in memory, not written or not synced
	Size            int64  // bytes of all live segments
	BaseSize        int64  // Size after the last rewrite, or at Open
	Segments        int
	Written         int64 // bytes since Open
	Writes          uint64
	Syncs           uint64
	SyncTime        time.Duration // total
	SlowestSync     time.Duration
	DelayedSyncs    uint64 // everysec: the last one had not ended when the next was due
	Failures        uint64 // writes and syncs that failed
	Rewriting       bool
	Rewrites        uint64
	LastRewrite     time.Duration
	LastRewriteFail bool
}

// Open loads the log in dir, which it makes where there is none, and starts it. replay gets every record in order; the
// record's slices are valid during the call. A torn end is cut, kept beside and reported; any other damage is an error
// (see [CorruptError]) and leaves the files as they are. A folder in use elsewhere is refused with [vfs.ErrLocked], one
// of a newer program with [ErrVersion]. What is refused says what to do.
func Open(fsys vfs.FS, dir string, o Options, replay func(Record) error) (*Log, Report, error) {
	l, report, err := openLog(fsys, dir, o, replay)
	return l, report, refused(dir, err)
}

func openLog(fsys vfs.FS, dir string, o Options, replay func(Record) error) (*Log, Report, error) {
	if o.SegmentSize <= 0 {
		o.SegmentSize = 64 << 20
	}
	if o.MaxBacklog <= 0 {
		o.MaxBacklog = 64 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	start := o.Now()
	if err := makeDir(fsys, dir); err != nil {
		return nil, Report{}, err
	}
	lock, err := fsys.Lock(filepath.Join(dir, "nearcache.lock"))
	if err != nil {
		return nil, Report{}, fmt.Errorf("data folder %s: %w", dir, err)
	}
	l := &Log{
		fs: fsys, dir: dir, o: o, lock: lock,
		kick:   make(chan struct{}, 1),
		urgent: make(chan struct{}, 1),
		ctl:    make(chan func(*writer)),
		done:   make(chan struct{}),
	}
	l.policy.Store(int32(o.Fsync))
	l.waiters.changed.L = &l.waiters
	w := newWriter(l)
	report, err := w.open(replay)
	report.Took = o.Now().Sub(start)
	if err != nil {
		return nil, report, errors.Join(err, lock.Close())
	}
	go w.run()
	return l, report, nil
}

// makeDir makes a folder whose name survives a power cut.
func makeDir(fsys vfs.FS, dir string) error {
	var missing []string
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := fsys.Stat(d); err == nil || d == filepath.Dir(d) {
			break
		} else if !isNotExist(err) {
			return err
		}
		missing = append(missing, d)
	}
	if err := fsys.MkdirAll(dir); err != nil {
		return err
	}
	for _, d := range missing {
		if err := fsys.SyncDir(filepath.Dir(d)); err != nil {
			return err
		}
	}
	return nil
}

// Append adds a record and returns its LSN. It copies what it needs, does no I/O, and does not wait for any. Called
// under the locks of the record's keys, it gives the log the keys' order. A record that cannot be written (see
// [MaxRecord]) fails the log.
func (l *Log) Append(r *Record) uint64 {
	if len(r.Commands) == 0 || l.closed.Load() {
		return l.appended.Load()
	}
	size := r.bound()
	if size > bigRecord {
		return l.appendBig(r)
	}
	l.mu.Lock()
	c := l.mu.cur
	var wake chan struct{}
	if c == nil {
		if !l.mu.due {
			l.mu.due, wake = true, l.kick
		}
	} else if cap(l.mu.buf)-len(l.mu.buf) < size {
		l.pushLocked(nil)
		c, wake = nil, l.urgent
	}
	if c == nil {
		c = l.chunkLocked()
		l.mu.cur, l.mu.buf = c, c.buf
	}
	lsn := l.appended.Load() + 1
	end := len(l.mu.buf)
	l.mu.buf = l.mu.buf[:end+r.putFrame(l.mu.buf[end:cap(l.mu.buf)], lsn)]
	l.appended.Store(lsn)
	l.mu.Unlock()
	if wake != nil {
		signal(wake)
	}
	return lsn
}

func (l *Log) appendBig(r *Record) uint64 {
	size := r.Size()
	// One record fills half of the backlog at most: a large value alone must not make the next writer wait for the disk.
	c := &chunk{bytes: min(size, l.o.MaxBacklog/2)}
	switch {
	case size > MaxRecord:
		c.lost = fmt.Errorf("a commit of %d bytes: a record may have %d", size, MaxRecord)
		c.bytes = 0
	case r.bound() <= chunkSize-markSize:
		l.mu.Lock()
		c = l.chunkLocked()
		l.mu.Unlock()
		c.bytes = size
	default:
		c.buf = make([]byte, markSize, markSize+r.bound())
	}
	if c.lost == nil {
		c.buf = r.appendFrame(c.buf, 0)
	}
	l.mu.Lock()
	lsn := l.appended.Load() + 1
	if c.lost == nil {
		binary.LittleEndian.PutUint64(c.buf[markSize+frameHead:], lsn)
	}
	c.last = lsn
	l.pushLocked(c)
	l.appended.Store(lsn)
	l.mu.Unlock()
	signal(l.urgent)
	return lsn
}

// pushLocked queues what takes records, and then c, where there is one. What is queued belongs to the backlog.
func (l *Log) pushLocked(c *chunk) {
	if cur := l.mu.cur; cur != nil {
		cur.buf, cur.last, cur.bytes = l.mu.buf, l.appended.Load(), int64(len(l.mu.buf)-markSize)
		l.backlog.Add(cur.bytes)
		l.mu.full = append(l.mu.full, cur)
		l.mu.cur, l.mu.buf = nil, nil
	}
	if c != nil {
		l.backlog.Add(c.bytes)
		l.mu.full = append(l.mu.full, c)
	}
}

func (l *Log) chunkLocked() *chunk {
	if c := l.mu.free.take(); c != nil {
		return c
	}
	return &chunk{buf: make([]byte, markSize, chunkSize)}
}

// pool is chunks of one size that nobody uses. The one that was used last is taken first: caches may still have it.
type pool struct {
	free   []*chunk
	unused int // the fewest there were since the last trim
}

// take returns a chunk without records, or nil where there is none.
func (p *pool) take() *chunk {
	n := len(p.free)
	if n == 0 {
		return nil
	}
	c := p.free[n-1]
	p.free = p.free[:n-1]
	p.unused = min(p.unused, n-1)
	return c
}

func (p *pool) put(c *chunk) {
	*c = chunk{buf: c.buf[:markSize]}
	p.free = append(p.free, c)
}

// trim forgets half of those that nobody has wanted since the last time.
func (p *pool) trim() {
	n := len(p.free) - (p.unused+1)/2
	clear(p.free[n:])
	p.free = p.free[:n]
	p.unused = n
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Appended returns the LSN of the last record appended.
func (l *Log) Appended() uint64 { return l.appended.Load() }

// Wait returns when all records up to lsn are durable, under the policy Always; under the others it returns nil at
// once. An error means that they are in memory but not on disk: the reply must not leave. Hold no lock.
func (l *Log) Wait(lsn uint64) error {
	if Policy(l.policy.Load()) != Always || l.durable.Load() >= lsn {
		return nil
	}
	signal(l.urgent)
	l.waiters.Lock()
	defer l.waiters.Unlock()
	for {
		if Policy(l.policy.Load()) != Always || l.durable.Load() >= lsn {
			return nil
		}
		if err := l.Err(); err != nil {
			return err
		}
		if l.closed.Load() {
			return ErrClosed
		}
		l.waiters.changed.Wait()
	}
}

// Await waits until all records up to lsn are durable, whatever the policy. Under No it makes
// them so. It goes on waiting while the log has failed, and ends with Close or the context.
func (l *Log) Await(ctx context.Context, lsn uint64) error {
	if l.durable.Load() >= lsn && !l.detached.Load() {
		return nil
	}
	if Policy(l.policy.Load()) == No {
		_ = l.Flush() // else it is waited for
	}
	signal(l.urgent)
	defer context.AfterFunc(ctx, l.broadcast)()
	l.waiters.Lock()
	defer l.waiters.Unlock()
	for l.durable.Load() < lsn || l.detached.Load() {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case l.closed.Load():
			return ErrClosed
		}
		l.waiters.changed.Wait()
	}
	return nil
}

// Detach is for a log that has not followed what it is the log of: what it has stays as it is, and is loaded, until a
// rewrite has ended. What is appended from the mark of that on follows its base, is durable with it, and not before.
// Nothing may be appended between.
func (l *Log) Detach() error {
	return l.control(func(w *writer) {
		if w.flush() {
			w.sync()
		}
		l.detached.Store(true)
		w.forget()
	})
}

// Detached reports whether that is so.
func (l *Log) Detached() bool { return l.detached.Load() }

// Durable returns the LSN of the last record known to be on disk.
func (l *Log) Durable() uint64 { return l.durable.Load() }

// Throttle waits while the backlog is full. A session calls it before a write, holding no lock. It does not wait when
// the log has failed: see [Log.Err].
func (l *Log) Throttle() {
	if l.backlog.Load() <= l.o.MaxBacklog {
		return
	}
	signal(l.urgent)
	l.waiters.Lock()
	defer l.waiters.Unlock()
	for l.backlog.Load() > l.o.MaxBacklog && l.failed.Load() == nil && !l.closed.Load() {
		l.waiters.changed.Wait()
	}
}

// Pending reports whether Wait would wait.
func (l *Log) Pending(lsn uint64) bool {
	return Policy(l.policy.Load()) == Always && l.durable.Load() < lsn
}

// Full reports whether Throttle would wait.
func (l *Log) Full() bool { return l.backlog.Load() > l.o.MaxBacklog }

// Err returns why the log cannot write, or nil. It goes away by itself when writing works again, except for
// [ErrNeedsRewrite]. While it is there, writes should be refused.
func (l *Log) Err() error {
	if f := l.failed.Load(); f != nil {
		return f.err
	}
	return nil
}

// SetFsync changes the policy. What was appended so far is synced first.
func (l *Log) SetFsync(p Policy) {
	l.o.Logger.Debug("log policy", "appendfsync", p)
	if err := l.control(func(w *writer) { w.setPolicy(p) }); err != nil {
		l.policy.Store(int32(p))
	}
}

// Flush hands all that was appended to the system and makes it durable, whatever the policy.
func (l *Log) Flush() error {
	var ok bool
	if err := l.control(func(w *writer) { ok = w.flush() && w.sync() }); err != nil {
		return err
	}
	if !ok {
		return l.Err()
	}
	return nil
}

// Retry has a log that cannot write try again now, instead of some time later. It returns why it still cannot.
func (l *Log) Retry() error {
	if err := l.control(func(w *writer) {
		if w.cur == nil && !w.lost && w.recover() {
			w.flush()
		}
	}); err != nil {
		return err
	}
	return l.Err()
}

// Size returns the bytes of all live segments.
func (l *Log) Size() int64 {
	l.stats.Lock()
	defer l.stats.Unlock()
	return l.stats.Size
}

// Stats returns figures for INFO.
func (l *Log) Stats() Stats {
	l.stats.Lock()
	s := l.stats.Stats
	l.stats.Unlock()
	s.Policy = Policy(l.policy.Load())
	s.Appended = l.appended.Load()
	s.Durable = l.durable.Load()
	s.Backlog = l.backlog.Load()
	s.Rewriting = l.rewrites.Load()
	return s
}

// Close makes everything durable, ends the log and unlocks the folder. Its error says what could not be saved.
// Appends that come later are dropped.
func (l *Log) Close() error {
	err := ErrClosed
	l.closer.Do(func() {
		l.closed.Store(true)
		// The error of control cannot be: only this function ends the writer.
		_ = l.control(func(w *writer) { err = w.close() })
		<-l.done
		l.broadcast()
		l.rewriting.Lock() // a rewrite ends at its next record
		defer l.rewriting.Unlock()
		err = errors.Join(err, l.lock.Close())
	})
	return err
}

// control runs f on the writer's goroutine and waits for its end.
func (l *Log) control(f func(*writer)) error {
	ran := make(chan struct{})
	select {
	case l.ctl <- func(w *writer) { f(w); close(ran) }:
		<-ran
		return nil
	case <-l.done:
		return ErrClosed
	}
}

func (l *Log) broadcast() {
	l.waiters.Lock()
	l.waiters.changed.Broadcast()
	l.waiters.Unlock()
}

func newSalt() uint64 { return rand.Uint64() }

func (l *Log) dirPath(name string) string { return filepath.Join(l.dir, name) }
