package command

import (
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/blocking"
	"github.com/nearcache/nearcache/resp/hotkeys"
	"github.com/nearcache/nearcache/resp/observe"
	"github.com/nearcache/nearcache/resp/pubsub"
	"github.com/nearcache/nearcache/resp/script"
	"github.com/nearcache/nearcache/resp/session"
	"github.com/nearcache/nearcache/resp/tracking"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/catalog"
	"github.com/nearcache/nearcache/store/semcache"
	"github.com/nearcache/nearcache/store/types/stream"
)

// Env is what commands may reach beside the keyspace's Tx: the server's parts.
type Env struct {
	Keyspace *store.Keyspace
	Catalog  *catalog.Catalog
	Semantic *semcache.Cache
	Table    *Table
	Clients  *session.Registry
	Tracking *tracking.Table
	PubSub   *pubsub.Broker
	Blocking *blocking.Table
	Clock    *observe.Clock // nil: the keyspace's alone
	HotKeys  hotkeys.Tracker
	Streams  stream.Settings
	Scripts  *script.Engine
	Server   Server
}

// Server is what commands ask of the server itself.
type Server interface {
	// ConfigGet calls f with each parameter that matches a glob pattern.
	ConfigGet(pattern string, f func(name, value string))
	// ConfigSet sets all pairs or none, on behalf of a client.
	ConfigSet(c *Ctx, pairs [][2]string) error
	// ConfigRewrite writes the settings to the configuration file.
	ConfigRewrite() error
	// ConfigResetStat zeroes the counters of INFO.
	ConfigResetStat()
	// Info renders the sections asked for, the default ones for none.
	Info(sections []string) string
	// Authenticate checks a password; user is "default" where none was given.
	Authenticate(user, password []byte) error
	// ReplicaOf makes the server a replica of another, or a master where host is
	// empty; already says that it follows that one. Without wait a former master's
	// command may still run when it returns.
	ReplicaOf(host string, port int, wait bool) (already bool)
	// Master is the master that the server follows, if it does.
	Master() (m Master, ok bool)
	// Sync makes the client a replica: what follows is sent on its connection, and it
	// gets no reply.
	Sync(*Ctx, SyncRequest) error
	// TellReplicas sends them a command that changes no key.
	TellReplicas(args [][]byte)
	// ReplicasAt is how many replicas have the stream up to an offset, or have it on
	// their disks.
	ReplicasAt(offset int64, onDisk bool) int64
	// AwaitReplicas calls end once n of them have, perhaps at once and perhaps again, until
	// stop is called.
	AwaitReplicas(offset, n int64, onDisk bool, end func()) (stop func())
	// Replicas are those that follow this server, and the offset of what they are sent.
	Replicas() (l []Replica, offset int64)
	// NeedsAuth reports whether a password is set.
	NeedsAuth() bool
	// PasswordHash is the password's SHA-256 in hex, empty where none is set.
	PasswordHash() string
	// Authenticated tells the session's reader that its limits may rise.
	Authenticated(*Ctx)
	// DebugAllowed reports whether the client may use DEBUG.
	DebugAllowed(*Ctx) bool
	// ConnectAllowed reports whether the client may have the server connect to
	// others.
	ConnectAllowed(*Ctx) bool
	// Pause holds back commands for a time: all, or writes only.
	Pause(until int64, all bool)
	Unpause()
	// CPUTime is the processor time that the process has taken.
	CPUTime() (user, sys time.Duration)
	// MemoryStats lists what MEMORY STATS tells.
	MemoryStats() []Figure
	// MemoryDoctor is the report of MEMORY DOCTOR.
	MemoryDoctor() string
	// MallocStats is what the allocators know of themselves.
	MallocStats() string
	// PurgeMemory gives back to the system what can be had.
	PurgeMemory()
	// Stale reports whether this is a replica without its master, and does not answer then.
	Stale() bool
	// WriteError is why nothing may be written now, nil if it may.
	WriteError() error
	// Shutdown begins to end the process. failed is called if it goes on after all, unless stop is before.
	Shutdown(how Shutdown, failed func()) (stop func())
	// AbortShutdown takes that back; false if there is nothing to take back.
	AbortShutdown() bool
	// Save writes a snapshot and returns when it is on disk.
	Save() error
	// BackgroundSave begins a snapshot, or where it may be later schedules one; in EXEC it
	// always does. It returns what to reply.
	BackgroundSave(later, inExec bool) (string, error)
	// RewriteLog begins to rewrite the log, or schedules it.
	RewriteLog(inExec bool) (string, error)
	// Durable reports whether all up to a place in the log is on disk, and whether there is a log.
	Durable(lsn uint64) (durable, enabled bool)
	// AwaitDurable calls done once that is so, on another goroutine, unless stop is called before.
	AwaitDurable(lsn uint64, done func()) (stop func())
	// LastSave is when the last snapshot was complete, Unix seconds.
	LastSave() int64
}

// ShutdownMode is what SHUTDOWN says of a last snapshot.
type ShutdownMode int32

// The modes.
const (
	ShutdownDefault ShutdownMode = iota // where the setting save asks for snapshots
	ShutdownSave
	ShutdownNoSave
	ShutdownSaved // there is one already
)

// Shutdown is how a process is to end.
type Shutdown struct {
	Mode  ShutdownMode
	Now   bool // replicas that lag are not waited for
	Force bool // errors do not keep it from ending
	Firm  bool // nor does anything else: it is not SHUTDOWN that says so
}

// Master is whom a replica follows.
type Master struct {
	Host   string
	Port   int
	State  string // in the words of ROLE
	Offset int64  // what has been applied of the master's stream, -1 while it is not connected
}

// SyncRequest is what PSYNC or SYNC asks for.
type SyncRequest struct {
	PSync  bool
	ID     string // of the stream that the replica has
	Offset int64  // from which on it wants it
}

// Replica is one that is up to date, or nearly.
type Replica struct {
	Host   string
	Port   int
	Offset int64 // that it has acknowledged
}

// Figure is a name with an integer, a float64, or figures of its own.
type Figure struct {
	Name  string
	Value any // int64, float64 or []Figure
}

// Ctx is a session's place to run commands. It is reused from command to command.
type Ctx struct {
	*Env
	S    *session.Session
	W    *resp.Writer
	Tx   store.Tx
	Spec *Spec    // the row that runs
	Args [][]byte // its arguments, the name first; valid until the command ends

	Queue  Queue       // MULTI
	InExec bool        // EXEC runs the queue: shards are held already
	Watch  store.Watch // WATCH
	Reader *resp.Reader

	Now   int64 // Unix ms, read from the clock a few times per pipeline
	Meter observe.Meter
	Mute  bool // nothing is counted or shown: the log is loaded
	Full  bool // memory was full when the command began
	shown bool // monitors have seen the command already

	Script   any  // what the commands of scripts keep from one to the next
	InScript bool // a script runs the command

	parser  args.Parser
	pending []store.Deferred // work of earlier commands of this pipeline

	guest *guest // the client whose command runs in place of this one's own
}

// Queue is what MULTI has collected.
type Queue struct {
	Open  bool // between MULTI and EXEC
	Abort bool // a command was refused: EXEC will fail
	Cmds  []Queued
	Bytes int
}

// Queued is a command waiting for EXEC.
type Queued struct {
	Spec  *Spec
	Args  [][]byte
	Flags Flags // of the row with these arguments
}

// NewCtx makes the context of a session.
func NewCtx(env *Env, s *session.Session, r *resp.Reader) *Ctx {
	return &Ctx{Env: env, S: s, W: &s.Out, Reader: r}
}

// Tick reads the clock, before a batch of commands.
func (c *Ctx) Tick() {
	at := observe.Nanos()
	c.Now = c.Clock.At(at)
	c.Meter.Begin(at)
}

// Memory is what the client's buffers take, MULTI and WATCH included, in bytes.
func (c *Ctx) Memory() int {
	n := c.Reader.Size() + c.W.Size()
	if c.Queue.Open {
		n += c.Queue.Bytes + cap(c.Queue.Cmds)*queuedSize
	}
	return n + c.Watch.Len()*watchedSize
}

// queuedSize and watchedSize are what a command of MULTI, and a key of WATCH, take
// beside their bytes.
const (
	queuedSize  = 80
	watchedSize = 150
)

// Run executes a row on argv, which has passed arity. The error, if any, is
// the reply that is still to be written.
func (c *Ctx) Run(s *Spec, argv [][]byte) error {
	switch {
	case c.Mute:
		return c.exec(s, argv)
	case !c.Meter.Skips(s.row, len(argv)):
		return c.runObserved(s, argv)
	}
	err := c.exec(s, argv)
	c.Meter.Count(s.row)
	if err != nil {
		s.row.Failed(resp.ErrorText(err))
	}
	return err
}

func (c *Ctx) exec(s *Spec, argv [][]byte) error {
	c.Spec, c.Args = s, argv
	c.Tx.Reads = s.Flags&(Write|MayReplicate) == 0
	if h := c.HotKeys.Active(); h != nil && !c.InScript { // the script's own command counts it all
		return c.runCounted(h)
	}
	return c.bound()
}

// bound is what the row's binding does with Args.
func (c *Ctx) bound() error {
	argv := c.Args
	if c.Spec.full != c.Spec.Name {
		argv = argv[1:] // the parser skips one name
	}
	c.parser.Reset(argv)
	return c.Spec.Bind.Exec(c, &c.parser)
}

// runCounted is exec for HOTKEYS: what the command takes, and sends both ways, is
// its keys'.
func (c *Ctx) runCounted(h *hotkeys.Session) error {
	s, argv := c.Spec, c.Args
	was, start := c.written(), time.Now()
	err := c.bound()
	took := time.Since(start)
	if s.Keys.None() || c.S.Blocked() {
		return err
	}
	bytes := max(0, c.written()-was) + resp.CommandSize(argv)
	h.Command(func(f func(key []byte)) { s.Keys.Each(argv, f) }, uint64(took.Microseconds()), uint64(bytes))
	return err
}

// written is how many bytes of replies there are.
func (c *Ctx) written() int {
	if c.W == &c.S.Out {
		return c.S.Unsent()
	}
	return c.W.Len()
}

// runObserved is Run with a look at the clock, and for those who want to see it.
func (c *Ctx) runObserved(s *Spec, argv [][]byte) error {
	again := c.guest != nil // a client that has waited: the command was shown then
	c.shown = false
	start := c.Meter.Start()
	err := c.exec(s, argv)
	row := s.row
	if s.Flags&Blocking != 0 && (c.S.Blocked() || again && c.guest.again) {
		row = nil // it will be counted when it has run
	}
	at, took := c.Meter.End(row, start)
	if c.Clock != nil && !c.InExec {
		c.Now = c.Clock.At(at)
	}
	if err != nil {
		s.row.Failed(resp.ErrorText(err))
	}
	if row != nil && s.row.Alarm(took) {
		s.row.Observer().Slowed(c.event(s, argv), took, s.Flags&SkipSlowlog != 0)
	}
	if !again && !c.shown {
		c.monitor(s, argv)
	}
	return err
}

// RunQuick executes a row that may take time if on these arguments it does not, and
// reports whether it has.
func (c *Ctx) RunQuick(s *Spec, argv [][]byte) bool {
	if s.Quick == nil || c.Mute || s.row.Watched() || c.HotKeys.Active() != nil {
		return false
	}
	c.Spec, c.Args = s, argv
	c.parser.Reset(argv)
	start := c.Meter.Start()
	if !s.Quick(c, &c.parser) {
		return false
	}
	at, took := c.Meter.End(s.row, start)
	if c.Clock != nil {
		c.Now = c.Clock.At(at)
	}
	if s.row.Alarm(took) {
		s.row.Observer().Slowed(c.event(s, argv), took, s.Flags&SkipSlowlog != 0)
	}
	return true
}

// Close ends what Begin has begun, for a row's Quick.
func (c *Ctx) Close() { c.close() }

// monitor shows a command to the clients of MONITOR, if it is one for them, and reports whether it has.
func (c *Ctx) monitor(s *Spec, argv [][]byte) bool {
	if !s.row.Watched() || s.Flags&(SkipMonitor|Admin) != 0 {
		return false
	}
	c.Show(s, argv)
	return true
}

// Show shows a command to the clients of MONITOR, whatever its flags.
func (c *Ctx) Show(s *Spec, argv [][]byte) {
	if s.row.Watched() {
		s.row.Observer().Monitor.Show(c.event(s, argv))
	}
}

func (c *Ctx) event(s *Spec, argv [][]byte) *observe.Event {
	return &observe.Event{Row: s.row, Args: argv, DB: c.S.DB, Addr: c.S.Addr, Name: c.S.Name(), Unix: c.S.Unix(), Script: c.InScript}
}

// open locks the shards of the command's keys; an EXEC holds them already. It
// fails where a script has them that takes long.
func (c *Ctx) open() error {
	if c.InExec {
		c.Tx.DB = c.S.DB
		return nil
	}
	if c.Spec.Flags&ScriptRunner != 0 {
		c.Settle() // as EXEC does
	}
	c.Begin()
	if err := c.lock(); err != nil {
		return err
	}
	// Under the lock: whatever was queued for a change that this command may
	// see goes out before its reply.
	c.S.MergePushes()
	return nil
}

func (c *Ctx) lock() error {
	switch k := c.Spec.Keys; {
	case c.Spec.Flags&OwnLock != 0:
		return nil
	case c.Spec.Flags&AllShards != 0:
		var set store.LockSet
		set.AddAll()
		return c.Tx.TryLock(&set)
	case c.Spec.Locks != nil:
		var set store.LockSet
		return c.lockWith(set)
	case k.None():
		if c.Spec.Flags&Keyless == 0 {
			return c.Keyspace.Lent()
		}
		return nil
	case c.Spec.Flags&Write != 0 && c.Blocking.Wide():
		return c.Lock(store.LockSet{}, func(f func(key []byte)) { k.Each(c.Args, f) })
	case k.Single():
		return c.Tx.TryLockKey(c.Args[k.First])
	default:
		var set store.LockSet
		k.Each(c.Args, set.Add)
		return c.Tx.TryLock(&set)
	}
}

// lockWith locks for a row with Locks.
func (c *Ctx) lockWith(set store.LockSet) error {
	n, last := 0, []byte(nil)
	one := func(key []byte) { n, last = n+1, key }
	if c.Spec.Locks(c, c.Args, one) {
		set.AddAll()
		return c.Tx.TryLock(&set)
	}
	c.Spec.Keys.Each(c.Args, one)
	switch {
	case n == 0:
		return nil
	case n == 1 && !c.Blocking.Wide():
		return c.Tx.TryLockKey(last)
	}
	return c.Lock(set, func(f func(key []byte)) {
		c.Spec.Locks(c, c.Args, f)
		c.Spec.Keys.Each(c.Args, f)
	})
}

// LockOwn locks the shard of an OwnLock row's key. The returned function lets go of
// it, and reports whether it has: where the lock is not this command's, or what is
// read must be tracked before a change of it can be, it is held to the end. It
// fails where a script has the shard that takes long.
func (c *Ctx) LockOwn(key []byte) (unlock func() bool, err error) {
	if c.InExec {
		return func() bool { return false }, nil
	}
	if err := c.Tx.TryLockKey(key); err != nil {
		return nil, err
	}
	c.S.MergePushes()
	return func() bool {
		if c.S.Tracked.Load() {
			return false
		}
		c.After(c.Tx.End())
		return true
	}, nil
}

// Begin opens the Tx for the session. Commands with keys need not call it.
func (c *Ctx) Begin() {
	c.Tx.NoTouch = c.S.NoTouch
	if c.Now == 0 {
		c.Now = c.Keyspace.Now()
	}
	c.Tx.BeginAt(c.Keyspace, c.S.DB, c.S.ID, c.Now)
}

func (c *Ctx) close() {
	c.FinishCommand()
	if c.InExec {
		return
	}
	late := c.wake()
	c.After(c.Tx.End())
	if len(late) > 0 {
		c.serveLate(late)
	}
}

// Share makes the string of an entry the whole reply, without copying it, and reports
// whether it has: there may be somebody who takes the reply back, or the string does not
// lie alone.
func (c *Ctx) Share(e *store.Entry) bool {
	if c.InExec || c.Mute || c.W != &c.S.Out || !c.S.Shares() {
		return false
	}
	b, span := c.Tx.Share(e)
	if span == nil {
		return false
	}
	c.S.Share(b, span)
	return true
}

// FinishCommand ends one command while its shards are still held: what it has
// read is tracked, what it has changed becomes an effect.
func (c *Ctx) FinishCommand() {
	if c.S.Tracked.Load() && c.Spec.Flags&(ReadOnly|ScriptRunner) == ReadOnly && !c.Spec.Keys.None() {
		c.Tracking.Read(c.S, func(f func(key []byte)) { c.Spec.Keys.Each(c.Args, f) })
	}
	c.Tx.FinishCommand(c.Args)
}

// maxPending bounds the work that waits: each piece holds a copy of a document.
const maxPending = 512

// After takes over work that observers have deferred. No shard may be held.
func (c *Ctx) After(d []store.Deferred) {
	if c.pending = append(c.pending, d...); len(c.pending) >= maxPending {
		c.Settle()
	}
}

// Settle does the deferred work of all commands so far, so that the client
// sees its own writes: before a search, and before replies leave.
func (c *Ctx) Settle() {
	if len(c.pending) == 0 {
		return
	}
	store.DoAll(c.pending)
	clear(c.pending)
	c.pending = c.pending[:0]
}

// Unsettled is for how many documents Settle has something to do.
func (c *Ctx) Unsettled() int { return len(c.pending) }

// Discard ends MULTI and WATCH without running anything. The Tx must be open;
// it holds nothing, or every key watched.
func (c *Ctx) Discard() {
	c.Queue = Queue{}
	c.S.Multi.Store(-1)
	c.S.Queued.Store(0)
	c.Tx.Unwatch(&c.Watch)
	c.S.Watching.Store(0)
}
