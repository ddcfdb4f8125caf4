// Package session is one client: its connection, its replies, and the pushes
// that others have for it.
//
// # Threading
//
// A session belongs to whoever reads, runs and flushes it, one goroutine at a
// time: its owner. Others may only Push, Resume, Wake, Kill, and read what is
// atomic or behind mu.
//
// Replies go to Out, which only the owner touches, and from there to the client, or
// behind what it has not taken yet (Stash, Flush). Pushes (invalidations,
// messages) from any goroutine go to pending, under box. The owner merges
// pending into Out when it holds the shards of a command's keys, before the
// command reads them, and again before each flush. So a push for a change is
// behind every reply that showed the older value, and before every reply that
// shows the newer one.
//
// Nobody but the owner sends. The first push to a session that has none pending
// wakes the owner ([Link]); it flushes when it gets to it, and with the push all
// that have come until then. Nobody does I/O under box.
//
// A session that waits for a key (see blocked.go) goes on reading: it is how a
// client that hangs up is noticed. Its reply comes from another goroutine by
// Resume.
package session

import (
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/resp"
)

// ReplyMode is what CLIENT REPLY has set.
type ReplyMode uint8

// The modes of CLIENT REPLY.
const (
	ReplyOn ReplyMode = iota
	ReplyOff
	ReplySkipNext // the next command's reply will be skipped
	ReplySkip     // this command's reply is skipped
)

// Peer is what REPLCONF has told of a replica.
type Peer struct {
	Host    string // where it says that it is reached; empty for where it comes from
	Port    int
	EOF     bool // it takes a copy of which nobody knows the length
	PSync2  bool // it takes another ID of the stream
	CopyOne bool // it wants the copy only
}

// Link is a session's connection, as whoever serves it has it.
type Link interface {
	// Write writes the pieces, or as much as can be sent without waiting.
	// Owner only.
	Write(pieces [][]byte) (int, error)
	// Wake makes the owner look: Flush or Proceed has something to do. It must
	// not block, and may come at any time.
	Wake()
	// Abort ends the connection; the owner's next read or write fails. It must
	// not block.
	Abort()
}

// Session is one connected client.
type Session struct {
	ID      uint64
	Addr    string // of the client; the socket's path for a unix socket
	LAddr   string
	Local   bool // the client is on this machine
	FD      int
	Created time.Time

	// Owner only.
	Out        resp.Writer // replies of the commands that run
	waits      backlog     // replies before these: the client has not taken them, or they are large
	DB         int
	NoTouch    bool
	Reply      ReplyMode
	CloseAfter bool // close once the reply is sent
	Peer       Peer // what a replica has said of itself

	// TakeOver has the connection leave whoever serves it, for this function, which ends
	// with it. The command that sets it writes no reply.
	TakeOver func(net.Conn)

	replyStart int

	// Any goroutine.
	Proto     atomic.Int32 // 2 or 3
	Subs      atomic.Int32 // channels subscribed to
	PSubs     atomic.Int32 // patterns
	SSubs     atomic.Int32 // shard channels
	Multi     atomic.Int32 // commands queued, -1 outside of MULTI
	Queued    atomic.Int64 // bytes of their arguments
	Waiting   atomic.Int64 // bytes of the arguments of the command that waits, if one does
	Watching  atomic.Int32 // keys watched
	Queried   atomic.Int32 // bytes in the query buffer
	held      atomic.Int64 // bytes of buffers, of the queue and of what is watched, as the owner last said
	SelectedD atomic.Int32 // DB, for CLIENT LIST
	NoEvict   atomic.Bool
	Authed    atomic.Bool // has authenticated, or need not
	NoTouchFl atomic.Bool
	Paused    atomic.Bool // waits for CLIENT UNPAUSE

	Monitoring atomic.Bool // has called MONITOR
	Replica    atomic.Bool // is a replica of this server

	NetIn     atomic.Int64
	Reads     atomic.Int64 // of the connection
	NetOut    atomic.Int64
	Writes    atomic.Int64 // to the connection
	Commands  atomic.Int64
	Wrote     atomic.Uint64 // place in the log behind its last write
	Sent      atomic.Int64  // place in the stream for replicas behind its last write
	LastUse   atomic.Int64  // Unix ms
	LastCmd   atomic.Pointer[string]
	StalledAt atomic.Int64 // Unix ms, since when the client does not take what is sent, 0 while it does
	unsent    atomic.Int64 // bytes of replies that it does not take
	shared    atomic.Int64 // of these, see Shared
	sole      atomic.Int64 // of these
	killed    atomic.Bool
	overflow  atomic.Bool

	// Tracking and pub/sub keep what they know of this client here.
	TrackingState atomic.Value
	PubSubState   any // guarded by the broker's lock

	// Tracked is set while reads of this client must be registered.
	Tracked atomic.Bool

	mu struct {
		sync.Mutex
		name, libName, libVer, user string
	}
	box struct {
		sync.Mutex
		pending []byte
		closed  bool
		resumed bool // pending holds a reply that only Proceed may take
	}
	blocked    atomic.Bool // waits for a key; set by the owner, cleared by Resume
	hasPending atomic.Bool // pending holds something: the owner was woken for it
	link       Link
	limits     *atomic.Pointer[Limits]
	pieces     [flushPieces][]byte
	softPush   overSince // of Sweep
	softReply  overSince
}

// New makes the session of a connection between two addresses. limits is where
// those in force stand, nil for none. Without a link nothing is ever sent.
func New(id uint64, link Link, local, remote net.Addr, limits *atomic.Pointer[Limits]) *Session {
	s := &Session{ID: id, Created: time.Now(), link: link, limits: limits}
	s.Addr, s.LAddr = address(remote), address(local)
	if local != nil && local.Network() == "unix" {
		s.Addr = s.LAddr + ":0"
		s.LAddr = s.Addr
	}
	s.Proto.Store(2)
	s.Multi.Store(-1)
	s.LastUse.Store(s.Created.UnixMilli())
	s.mu.user = "default"
	return s
}

func address(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

// SetProto switches between RESP2 and RESP3. What PushIn has queued until then
// is in the version before; merge it before the reply that confirms the switch.
func (s *Session) SetProto(v int) {
	s.Out.SetProto(v)
	s.box.Lock()
	s.Proto.Store(int32(v))
	s.box.Unlock()
}

// Select switches the database.
func (s *Session) Select(db int) {
	s.DB = db
	s.SelectedD.Store(int32(db))
}

// Name is what CLIENT SETNAME has set.
func (s *Session) Name() string { s.mu.Lock(); defer s.mu.Unlock(); return s.mu.name }

// SetName sets the name.
func (s *Session) SetName(v string) { s.mu.Lock(); s.mu.name = v; s.mu.Unlock() }

// User is the name the client has authenticated with.
func (s *Session) User() string { s.mu.Lock(); defer s.mu.Unlock(); return s.mu.user }

// SetUser sets it.
func (s *Session) SetUser(v string) { s.mu.Lock(); s.mu.user = v; s.mu.Unlock() }

// Lib is what CLIENT SETINFO has set.
func (s *Session) Lib() (name, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.libName, s.mu.libVer
}

// SetLib sets the library's name or version; empty arguments change nothing.
func (s *Session) SetLib(name, version *string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name != nil {
		s.mu.libName = *name
	}
	if version != nil {
		s.mu.libVer = *version
	}
}

// Unix reports whether the client is connected by a unix socket.
func (s *Session) Unix() bool { return s.Addr != "" && s.Addr == s.LAddr }

// Hold says how many bytes wait in the query buffer, and how many all of the
// owner's buffers take. Owner only.
func (s *Session) Hold(queried, all int) {
	if int32(queried) != s.Queried.Load() { // the line stays clean where nothing changes
		s.Queried.Store(int32(queried))
	}
	if int64(all) != s.held.Load() {
		s.held.Store(int64(all))
	}
}

// baseMemory is what an idle client takes: the session, its context and what
// tables keep for it.
const baseMemory = 4 << 10

// Memory is how much memory the client takes, in bytes.
func (s *Session) Memory() int64 {
	s.box.Lock()
	n := cap(s.box.pending)
	s.box.Unlock()
	return baseMemory + s.held.Load() + int64(n)
}

// InPubSub reports whether the client is subscribed to anything.
func (s *Session) InPubSub() bool { return s.Subs.Load()+s.PSubs.Load()+s.SSubs.Load() > 0 }

// BeginReply marks where the reply of the next command begins.
func (s *Session) BeginReply() { s.replyStart = s.Out.Len() }

// DropReply takes back what the command has written since BeginReply.
func (s *Session) DropReply() { s.Out.Truncate(s.replyStart) }

// EndReply ends a command: CLIENT REPLY may take its reply back.
func (s *Session) EndReply() {
	switch s.Reply {
	case ReplyOff:
		s.DropReply()
	case ReplySkip:
		s.DropReply()
		s.Reply = ReplyOn
	case ReplySkipNext:
		s.DropReply()
		s.Reply = ReplySkip
	}
}

// Push queues a complete frame for the client. It never blocks on the client;
// a client that lets too much wait is closed, which tells it that it has
// missed something. Any locks but this session's own may be held.
func (s *Session) Push(frame []byte) {
	s.box.Lock()
	defer s.box.Unlock()
	s.pushLocked(frame)
}

// PushIn is Push for a frame in protocol version proto. It queues nothing and
// returns false where the client has switched to another one.
func (s *Session) PushIn(proto int32, frame []byte) bool {
	s.box.Lock()
	defer s.box.Unlock()
	if s.Proto.Load() != proto {
		return false
	}
	s.pushLocked(frame)
	return true
}

func (s *Session) pushLocked(frame []byte) {
	if s.box.closed {
		return
	}
	if hard := s.limit().Push.Hard; hard > 0 && len(s.box.pending)+len(frame) > hard {
		s.box.closed = true
		s.box.pending = nil
		s.Overflow()
		return
	}
	s.box.pending = append(s.box.pending, frame...)
	s.wakeLocked()
}

// wakeLocked wakes the owner for what is pending, once until it has taken it.
func (s *Session) wakeLocked() {
	if !s.hasPending.Swap(true) && s.link != nil {
		s.link.Wake()
	}
}

// PendingLen is how many bytes of pushes wait for the client.
func (s *Session) PendingLen() int {
	s.box.Lock()
	defer s.box.Unlock()
	return len(s.box.pending)
}

// UnsentLen is how many bytes of replies the client has not taken.
func (s *Session) UnsentLen() int { return int(s.unsent.Load()) }

// Unsent is that with what has been written since the last Flush. Owner only.
func (s *Session) Unsent() int { return s.waits.bytes + s.Out.Len() }

// Shared is how many of these bytes are values that are sent from where they lie, and
// how many of those are no key's any more, and so the client's, at its last turn.
func (s *Session) Shared() (all, sole int64) { return s.shared.Load(), s.sole.Load() }

// Room is the memory of the replies that the client has not taken. Owner only.
func (s *Session) Room() int {
	sole := s.waits.sole()
	if int64(sole) != s.sole.Load() {
		s.sole.Store(int64(sole))
	}
	return s.waits.room + sole
}

// MergePushes moves what others have queued into Out, before the reply of the
// command that is about to run. Owner only.
func (s *Session) MergePushes() {
	if !s.hasPending.Load() {
		return
	}
	s.box.Lock()
	defer s.box.Unlock()
	if !s.box.resumed {
		s.mergeLocked()
	}
}

func (s *Session) mergeLocked() {
	s.Out.Raw(s.box.pending)
	if cap(s.box.pending) > maxKept {
		s.box.pending = nil
	}
	s.box.pending = s.box.pending[:0]
	s.hasPending.Store(false)
	s.replyStart = s.Out.Len()
}

// maxKept is the largest buffer a session keeps for the next batch, in bytes.
const maxKept = 64 << 10

// flushPieces is how many pieces one write has. Together they are about what a
// socket takes at once.
const flushPieces = 8

// Flush sends replies and pushes, and reports whether all have left: the client
// may be slow, and the rest goes with a later Flush. What is pushed meanwhile
// stays pending, where its limit counts. Owner only, no shard held.
func (s *Session) Flush() (all bool, err error) {
	if s.waits.bytes == 0 {
		s.MergePushes()
	}
	for {
		if s.waits.bytes == 0 && s.Out.Len() == 0 {
			s.note()
			if s.MergePushes(); s.Out.Len() == 0 {
				return true, nil
			}
		}
		p := s.waits.unsent(s.pieces[:])
		if len(p) < cap(p) && s.Out.Len() > 0 {
			p = append(p, s.Out.Bytes())
		}
		size := 0
		for _, b := range p {
			size += len(b)
		}
		n, err := s.link.Write(p)
		clear(p) // it may be much memory
		s.NetOut.Add(int64(n))
		s.Writes.Add(1)
		s.replyStart = 0
		old := min(n, s.waits.bytes)
		s.waits.discard(old)
		if n < size || err != nil {
			s.stash(n - old)
			return false, err
		}
		if n > old {
			s.Out.Reset()
		}
	}
}

// Stash puts what has been written behind what the client has not taken yet: it
// goes with the next Flush. Owner only.
func (s *Session) Stash() { s.stash(0) }

// stash is Stash without the first bytes, which were sent.
func (s *Session) stash(sent int) {
	s.setAside(sent)
	s.note()
}

// setAside moves what has been written, but for the first bytes, behind what goes before it.
func (s *Session) setAside(sent int) {
	if b := s.Out.Detach(pieceSize); b != nil {
		s.waits.adopt(b)
		s.waits.discard(sent)
	} else {
		s.waits.add(s.Out.Bytes()[sent:])
		s.Out.Reset()
	}
	s.replyStart = 0
}

// ShareFrom is the length from which on a string is worth Share, in bytes. Below that a
// copy costs no more than to hand out one more piece.
const ShareFrom = 32 << 10

// Shares reports whether Share may be called: no reply is taken back.
func (s *Session) Shares() bool { return s.Reply == ReplyOn }

// Share writes a string of bytes, as Out.Bulk does, that is sent from where it is.
// hold is released when it was, or the session ends. Owner only.
func (s *Session) Share(b []byte, hold Holder) {
	s.Out.BulkHead(len(b))
	s.setAside(0)
	s.waits.share(b, hold)
	s.Out.Raw(crlf)
}

var crlf = []byte("\r\n")

// note says how much the client has not taken, for those who look.
func (s *Session) note() {
	if n := int64(s.waits.shared); n != s.shared.Load() {
		s.shared.Store(n)
	}
	n := int64(s.waits.bytes)
	switch old := s.unsent.Load(); {
	case n == old:
		return
	case n == 0:
		s.StalledAt.Store(0)
	case old == 0:
		s.StalledAt.Store(time.Now().UnixMilli())
	}
	s.unsent.Store(n)
}

// SetUnsent says how many bytes wait for a client that is sent to in another way than by
// Flush.
func (s *Session) SetUnsent(n int64) { s.unsent.Store(n) }

// Wake has the owner look after the session soon.
func (s *Session) Wake() {
	if s.link != nil {
		s.link.Wake()
	}
}

// Kill closes the connection; the owner's next read or write fails.
func (s *Session) Kill() {
	s.killed.Store(true)
	if s.link != nil {
		s.link.Abort()
	}
}

// Killed reports whether the connection was closed from this side.
func (s *Session) Killed() bool { return s.killed.Load() }

// Overflow kills a client that lets more wait than its limit.
func (s *Session) Overflow() {
	s.overflow.Store(true)
	s.Kill()
}

// Overflowed reports whether the client was closed because too much waited for it.
func (s *Session) Overflowed() bool { return s.overflow.Load() }

// Close ends the session: later pushes are dropped, and what was not sent. Owner
// only.
func (s *Session) Close() {
	s.waits.clear()
	s.note()
	s.box.Lock()
	s.box.closed = true
	s.box.pending = nil
	s.box.Unlock()
	s.Kill()
}

// AppendInfo appends the session's line of CLIENT LIST. flags and redir come
// from tracking; running are the bytes of the command's arguments that runs.
func (s *Session) AppendInfo(b []byte, now int64, trackingFlags string, redir, running int64) []byte {
	if s.Blocked() {
		running += s.Waiting.Load()
	}
	flags := ""
	for _, x := range []struct {
		is     bool
		letter string
	}{{s.Replica.Load(), "S"}, {s.Monitoring.Load(), "O"}, {s.InPubSub(), "P"}, {s.Multi.Load() >= 0, "x"}, {s.Blocked(), "b"}} {
		if x.is {
			flags += x.letter
		}
	}
	flags += trackingFlags
	if s.NoEvict.Load() {
		flags += "e"
	}
	if s.NoTouchFl.Load() {
		flags += "T"
	}
	if flags == "" {
		flags = "N"
	}
	libName, libVer := s.Lib()
	cmd := "NULL"
	if p := s.LastCmd.Load(); p != nil {
		cmd = *p
	}
	pending := s.PendingLen() + s.UnsentLen()
	field := func(name, v string) {
		b = append(b, ' ')
		b = append(append(append(b, name...), '='), v...)
	}
	num := func(name string, v int64) {
		b = append(b, ' ')
		b = strconv.AppendInt(append(append(b, name...), '='), v, 10)
	}
	b = strconv.AppendUint(append(b, "id="...), s.ID, 10)
	field("addr", s.Addr)
	field("laddr", s.LAddr)
	num("fd", int64(s.FD))
	field("name", s.Name())
	num("age", max(0, now-s.Created.UnixMilli())/1000)
	num("idle", max(0, now-s.LastUse.Load())/1000)
	field("flags", flags)
	num("db", int64(s.SelectedD.Load()))
	num("sub", int64(s.Subs.Load()))
	num("psub", int64(s.PSubs.Load()))
	num("ssub", int64(s.SSubs.Load()))
	num("multi", int64(s.Multi.Load()))
	num("watch", int64(s.Watching.Load()))
	num("qbuf", int64(s.Queried.Load()))
	num("qbuf-free", 0)
	num("argv-mem", running)
	num("multi-mem", s.Queued.Load())
	num("rbs", 0)
	num("rbp", 0)
	num("obl", int64(pending))
	num("oll", 0)
	num("omem", int64(pending))
	shared, sole := s.Shared()
	num("omem-shared", shared)
	num("omem-unshared", sole)
	num("tot-mem", s.Memory())
	field("events", "r")
	field("cmd", cmd)
	field("user", s.User())
	num("redir", redir)
	num("resp", int64(s.Proto.Load()))
	field("lib-name", libName)
	field("lib-ver", libVer)
	num("io-thread", 0)
	num("tot-net-in", s.NetIn.Load())
	num("tot-net-out", s.NetOut.Load())
	num("tot-cmds", s.Commands.Load())
	num("read-events", s.Reads.Load())
	num("avg-pipeline-len-sum", s.Commands.Load())
	num("avg-pipeline-len-cnt", s.Reads.Load())
	return b
}
