package server

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/catalog"
	"github.com/nearcache/nearcache/store/persist"
	"github.com/nearcache/nearcache/store/thread"
	"github.com/nearcache/nearcache/store/types/str"
)

// To save is to write the state of one moment as the base of the data folder, in
// place of the log before it, while the server goes on serving (see store.Snapshot and
// persist.Base). SAVE, BGSAVE and the schedule of save do that, and so does
// BGREWRITEAOF: there is one format, and a log, if there is one, goes on behind the
// base. INFO tells them apart as Redis does.

// saveKind is who has asked for it.
type saveKind uint8

const (
	noSave      saveKind = iota
	saveRDB              // SAVE, BGSAVE, save
	saveRewrite          // BGREWRITEAOF, auto-aof-rewrite-percentage
	saveCopy             // for a replica, which is no save but a snapshot too; see source_copy.go
)

func (k saveKind) String() string {
	return [...]string{"nothing", "snapshot", "rewrite of the log", "copy for a replica"}[k]
}

// saver is the state of saving. One save runs at a time.
type saver struct {
	now         atomic.Uint32 // a saveKind
	lastSave    atomic.Int64  // Unix seconds
	savedSeq    atomic.Uint64 // the last commit that is in the last save
	savedOffset atomic.Int64  // the place of the stream that it has
	savedCount  atomic.Int64  // the changes that it has
	broken      atomic.Bool   // the last save of saveRDB failed

	open sync.Mutex // held while files is opened after the start

	mu struct {
		sync.Mutex
		started   time.Time
		keys      int // there were
		done      chan struct{}
		scheduled [4]bool // by saveKind
		figures   [4]saveFigures
	}
}

// saveFigures are what INFO tells of a kind.
type saveFigures struct {
	err      error
	took     time.Duration // of the last one, -1 before it
	tried    time.Time
	count    int // that succeeded
	failures int // since the last success
}

func (s *Server) initSaver() {
	s.saves.lastSave.Store(command.Started.Unix())
	for i := range s.saves.mu.figures {
		s.saves.mu.figures[i].took = -1
	}
}

// Replies of Redis.
const (
	errSaveRuns     resp.Error = "ERR Background save already in progress"
	errRewriteRuns  resp.Error = "ERR Background append only file rewriting already in progress"
	errOtherSave    resp.Error = "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible."
	errSave         resp.Error = "ERR"
	savingStarted              = "Background saving started"
	savingScheduled            = "Background saving scheduled"
	rewriteStarted             = "Background append only file rewriting started"
	rewriteLater               = "Background append only file rewriting scheduled"
)

// Save implements command.Server: it returns when everything is on disk.
func (s *Server) Save() error {
	for {
		run, busy, wait := s.beginSave(saveRDB)
		switch {
		case run != nil:
			if run() != nil {
				return errSave
			}
			return nil
		case busy == saveRDB || busy == saveCopy:
			return errSaveRuns
		}
		<-wait // a rewrite, or the end of the server
		if s.stopping() {
			return errSave
		}
	}
}

// BackgroundSave implements command.Server. later says that it may be scheduled.
func (s *Server) BackgroundSave(later, inExec bool) (string, error) {
	if inExec {
		if saveKind(s.saves.now.Load()) == saveRDB {
			return "", errSaveRuns
		}
		s.scheduleSave(saveRDB)
		return savingScheduled, nil
	}
	run, busy, _ := s.beginSave(saveRDB)
	switch {
	case run != nil:
		s.spawn(func() { _ = run() })
		return savingStarted, nil
	case busy == saveRDB || busy == saveCopy && !later:
		return "", errSaveRuns
	case later:
		s.scheduleSave(saveRDB)
		return savingScheduled, nil
	}
	return "", errOtherSave
}

// RewriteLog implements command.Server.
func (s *Server) RewriteLog(inExec bool) (string, error) {
	if !inExec {
		run, busy, _ := s.beginSave(saveRewrite)
		if run != nil {
			s.spawn(func() { _ = run() })
			return rewriteStarted, nil
		}
		if busy == saveRewrite {
			return "", errRewriteRuns
		}
	}
	s.scheduleSave(saveRewrite)
	return rewriteLater, nil
}

// LastSave implements command.Server.
func (s *Server) LastSave() int64 { return s.saves.lastSave.Load() }

// Durable implements command.Server.
func (s *Server) Durable(lsn uint64) (durable, enabled bool) {
	log := s.aof.Load()
	if log == nil {
		return false, s.cfg.AppendOnly()
	}
	return !log.Detached() && log.Durable() >= lsn, true
}

// AwaitDurable implements command.Server.
func (s *Server) AwaitDurable(lsn uint64, done func()) (stop func()) {
	ctx, stop := context.WithCancel(s.ctx)
	s.spawn(func() {
		log := s.aof.Load()
		for ; log == nil && s.cfg.AppendOnly(); log = s.aof.Load() { // it is about to begin
			select {
			case <-ctx.Done():
				return
			case <-time.After(lookEvery):
			}
		}
		if log == nil || log.Await(ctx, lsn) == nil {
			done()
		}
	})
	return stop
}

func (s *Server) scheduleSave(k saveKind) {
	s.saves.mu.Lock()
	s.saves.mu.scheduled[k] = true
	s.saves.mu.Unlock()
}

// beginSave makes the caller the one who saves, and must call run. Otherwise it tells
// what runs, and returns a channel that is closed at its end.
func (s *Server) beginSave(k saveKind) (run func() error, busy saveKind, wait <-chan struct{}) {
	if busy, wait = s.saves.claim(k); busy != noSave {
		return nil, busy, wait
	}
	return func() error { return s.runSave(k) }, noSave, nil
}

// saveBehind saves when no other save runs any more, if ctx does not end before.
func (s *Server) saveBehind(ctx context.Context, k saveKind) error {
	for {
		run, _, wait := s.beginSave(k)
		if run != nil {
			return run()
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// claim begins to save, unless another does: then it tells what runs, and returns a
// channel that is closed at its end.
func (v *saver) claim(k saveKind) (busy saveKind, wait <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.now.CompareAndSwap(uint32(noSave), uint32(k)) {
		return saveKind(v.now.Load()), v.mu.done
	}
	v.mu.scheduled[k] = false
	v.mu.started, v.mu.done = time.Now(), make(chan struct{})
	return noSave, nil
}

// endLocked ends what claim has begun.
func (v *saver) endLocked() {
	v.now.Store(uint32(noSave))
	close(v.mu.done)
}

// moment is what a save has.
type moment struct {
	seq    uint64 // the last commit
	offset int64  // the place of the stream
	count  int64  // the changes
}

func (s *Server) runSave(k saveKind) error {
	v := &s.saves
	at, err := s.writeState()
	s.collectSaved()
	if err == nil {
		s.saveGraphs()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	f := &v.mu.figures[k]
	f.took, f.tried, f.err = time.Since(v.mu.started), time.Now(), err
	if err == nil {
		f.count, f.failures = f.count+1, 0
		v.lastSave.Store(time.Now().Unix())
		v.savedSeq.Store(at.seq)
		v.savedOffset.Store(at.offset)
		v.savedCount.Store(at.count)
		s.cfg.Logger().Info("saved", "what", k, "dir", s.cfg.Dir(), "bytes", s.files.Load().Stats().BaseSize, "took", f.took.Round(time.Millisecond))
	} else {
		f.failures++
		if !s.stopping() {
			s.cfg.Logger().Error("saving failed", "what", k, "dir", s.cfg.Dir(), "error", err)
		}
	}
	if k == saveRDB || err == nil {
		v.broken.Store(err != nil)
	}
	v.endLocked()
	return err
}

// writeState saves the state of one moment and returns which that is: functions, definitions of
// indexes, then keys, and which of them indexes leave out.
func (s *Server) writeState() (saved moment, err error) {
	files, err := s.openFiles()
	begins := s.logBegins()
	if err == nil && begins {
		err = files.Detach()
	}
	if err != nil {
		return moment{}, err
	}
	var snap *store.Snapshot
	var cutErr error
	var definitions []persist.Record
	var indexes *catalog.Cut
	err = files.RewriteAt(s.ctx, func(mark func()) {
		snap, cutErr = s.ks.Cut(encodeEntry, func(at *store.Snapshot) {
			mark()
			if begins && s.cfg.AppendOnly() {
				s.aof.Store(files)
			}
			saved = moment{at.Seq, s.source.backlog.Offset(), s.ks.Changes()}
			definitions = append(s.basePlace(at), s.definitions(at)...)
			indexes = s.env.Catalog.Cut()
		})
	}, func(b *persist.Base) error {
		if cutErr != nil {
			return cutErr
		}
		for _, r := range definitions {
			if err := b.Add(r); err != nil {
				return err
			}
		}
		if err := emitGently(s.ctx, snap, b); err != nil {
			return err
		}
		return indexes.LeftOut(s.ctx, func(args ...[]byte) error {
			return b.Add(persist.Record{Seq: snap.Seq, At: snap.At, Commands: []persist.Command{{Args: args}}})
		})
	})
	if snap == nil {
		return moment{}, errors.Join(err, cutErr)
	}
	snap.Close()
	return saved, err
}

// saveGraphs writes the graphs of indexes into the data folder. Without them a start takes
// longer, and loses nothing.
func (s *Server) saveGraphs() {
	if err := s.env.Catalog.Save(s.fs(), s.cfg.Dir()); err != nil {
		s.cfg.Logger().Warn("saving graphs failed", "dir", s.cfg.Dir(), "error", err)
	}
}

// patience is how long a block waits for the thread that gives way to others. Under load that takes a sixth of it to
// compress one, and rests for a third: another thread joins only where that one has hardly had a processor.
const patience = 200 * time.Millisecond

// emitGently writes the blocks of a snapshot to b. They are compressed on a thread that gets out of the way of those that
// serve clients; it holds no lock. Where it is too slow, as other programs have all processors or as clients change so
// much that it would be memory's turn next, one that gets out of nobody's way joins it.
func emitGently(ctx context.Context, snap *store.Snapshot, b *persist.Base) error {
	gentle, quick := make(chan []byte), make(chan []byte)
	free := make(chan []byte, 3)
	ended := make(chan error, 2)
	var broken atomic.Bool
	compress := func(blocks <-chan []byte, rest func()) {
		var err error
		for block := range blocks {
			if err == nil {
				err = b.Block(snap.Seq, snap.At, block)
				if err != nil {
					broken.Store(true)
				}
				rest()
			}
			free <- block
		}
		ended <- err
	}
	go func() {
		thread.Lower()
		compress(gentle, thread.Rests())
	}()
	go compress(quick, func() {})
	for range cap(free) {
		free <- nil
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	err := snap.Emit(ctx, func(block []byte) error {
		if broken.Load() {
			return errBroken
		}
		block = append((<-free)[:0], block...)
		if !snap.Pressed() {
			late.Reset(patience)
			select {
			case gentle <- block:
				return nil
			case <-late.C:
			}
		}
		select {
		case gentle <- block:
		case quick <- block:
		}
		return nil
	})
	close(gentle)
	close(quick)
	if why := errors.Join(<-ended, <-ended); why != nil {
		return why
	}
	return err
}

var errBroken = errors.New("a block could not be written")

// definitions are commands that make what is no key. All shards are held.
func (s *Server) definitions(at *store.Snapshot) (l []persist.Record) {
	add := func(args [][]byte) {
		l = append(l, persist.Record{Seq: at.Seq, At: at.At, Commands: []persist.Command{{Args: args}}})
	}
	for _, lib := range s.env.Scripts.Libraries() {
		add([][]byte{[]byte("FUNCTION"), []byte("LOAD"), []byte(lib.Code)})
	}
	_ = s.env.Catalog.Rebuild(func(args ...[]byte) error {
		add(args)
		return nil
	})
	return l
}

var (
	wordSet       = []byte("SET")
	wordPXAt      = []byte("PXAT")
	wordPExpireAt = []byte("PEXPIREAT")
)

// encodeEntry is a store.Encoder: commands that make the entry.
func encodeEntry(b []byte, db int, e *store.Entry) []byte {
	key := e.KeyBytes()
	var digits [20]byte
	at := e.ExpireAt()
	when := strconv.AppendInt(digits[:0], at, 10)
	v := e.Value()
	if v, ok := v.(*str.Value); ok {
		if at == 0 {
			return persist.AppendCommand(b, db, wordSet, key, v.B)
		}
		return persist.AppendCommand(b, db, wordSet, key, v.B, wordPXAt, when)
	}
	v.Rebuild(key, func(args ...[]byte) { b = persist.AppendCommand(b, db, args...) })
	if at != 0 {
		b = persist.AppendCommand(b, db, wordPExpireAt, key, when)
	}
	return b
}

var errOthersData = errors.New("the folder has data that this server has not loaded, as another one used it: it is not replaced")

// openFiles is the data folder, which a server without a log opens when it saves for the
// first time. What others have put there since the start is not to be replaced.
func (s *Server) openFiles() (*persist.Log, error) {
	if f := s.files.Load(); f != nil {
		return f, nil
	}
	s.saves.open.Lock()
	defer s.saves.open.Unlock()
	if f := s.files.Load(); f != nil {
		return f, nil
	}
	f, _, err := persist.Open(s.fs(), s.cfg.Dir(), persist.Options{Fsync: s.fsyncPolicy(), Logger: s.cfg.Logger()}, func(persist.Record) error { return errOthersData })
	if err != nil {
		return nil, err
	}
	s.files.Store(f)
	return f, nil
}

// saveTick starts what is due. The server calls it ten times a second.
func (s *Server) saveTick() {
	s.reserveTick()
	v := &s.saves
	if saveKind(v.now.Load()) != noSave {
		return
	}
	v.mu.Lock()
	k := noSave
	rdb, aof := v.mu.figures[saveRDB], v.mu.figures[saveRewrite]
	scheduled := v.mu.scheduled
	v.mu.Unlock()
	switch {
	case scheduled[saveRewrite]:
		k = saveRewrite
	case scheduled[saveRDB]:
		k = saveRDB
	case (s.rewriteDue(aof) || s.logBegins()) && rested(aof):
		k = saveRewrite
	case s.saveDue() && rested(rdb):
		k = saveRDB
	default:
		return
	}
	if run, _, _ := s.beginSave(k); run != nil {
		s.spawn(func() { _ = run() })
	}
}

// rested reports whether it is time to try again after failures: each takes twice as
// long as the one before, up to a minute.
func rested(f saveFigures) bool {
	if f.failures == 0 {
		return true
	}
	return time.Since(f.tried) > min(time.Minute, time.Second/2<<min(f.failures-1, 10))
}

// saveDue reports whether one of the intervals of save is over, with as many changes.
func (s *Server) saveDue() bool {
	words := strings.Fields(s.cfg.save.String())
	changes, since := s.changes(), time.Now().Unix()-s.saves.lastSave.Load()
	for ; len(words) >= 2; words = words[2:] {
		seconds, _ := resp.ParseInt([]byte(words[0]))
		least, _ := resp.ParseInt([]byte(words[1]))
		if changes >= least && changes > 0 && since > seconds {
			return true
		}
	}
	return false
}

// changes is how many changes commands have made since the last save, as Redis counts
// them.
func (s *Server) changes() int64 { return max(s.ks.Changes()-s.saves.savedCount.Load(), 0) }

// unsaved reports whether there were commits since the last save, be they the server's own.
func (s *Server) unsaved() bool { return s.ks.Seq() != s.saves.savedSeq.Load() }

// rewriteDue reports whether the log is to be rewritten: it has grown by
// auto-aof-rewrite-percentage, or nothing else makes it whole again. last is what is known of rewrites before.
func (s *Server) rewriteDue(last saveFigures) bool {
	log := s.aof.Load()
	if log == nil {
		return false
	}
	if errors.Is(log.Err(), persist.ErrNeedsRewrite) {
		return true
	}
	percent := s.cfg.rewritePercent.Int()
	st := log.Stats()
	if percent > 0 && s.diskTight(st.Size) {
		return true
	}
	rest := rewriteRest * last.took
	if st.Size < smallLog {
		rest *= smallRest
	}
	if percent == 0 || st.Size < s.cfg.rewriteMin.Int() || time.Since(last.tried) < rest {
		return false
	}
	return st.Size*100/max(st.BaseSize, 1)-100 >= percent
}

// rewriteRest is how many times as long as a rewrite took there is none after it. Few keys that are written all the
// time double their log in a second or two, and to rewrite it for each of these takes a sixth of the processor. A log
// below smallLog, which a start reads in two seconds or three, waits smallRest times as long: at ten times
// the rewrites of 100,000 keys under full load still took as much of the processor as the log itself.
const (
	rewriteRest = 10
	smallRest   = 4
	smallLog    = 512 << 20
)

// saveFailure is the error of writes after a snapshot that was due has failed.
func (s *Server) saveFailure() error {
	if s.saves.broken.Load() && s.cfg.stopOnSaveError.Bool() && s.cfg.save.String() != "" {
		return resp.ErrMisconfRDB
	}
	return nil
}

// savesAtEnd reports whether there is to be a snapshot when the server ends, as SHUTDOWN or the setting save says.
func (s *Server) savesAtEnd(mode command.ShutdownMode) bool {
	switch mode {
	case command.ShutdownSave:
		return true
	case command.ShutdownSaved:
		return s.unsaved() || s.source.backlog.On() && s.source.backlog.Offset() != s.saves.savedOffset.Load()
	case command.ShutdownDefault:
		log := s.aof.Load()
		return s.unsaved() && (s.cfg.save.String() != "" && log == nil || s.logBegins() || log != nil && log.Detached())
	}
	return false
}

// saveAtEnd saves when the server ends. Nobody is connected any more.
func (s *Server) saveAtEnd() error {
	if !s.savesAtEnd(command.ShutdownMode(s.ending.mode.Load())) {
		return nil
	}
	s.ctx = context.WithoutCancel(s.ctx)
	run, _, _ := s.beginSave(saveRDB)
	return run()
}
