package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/replication"
	"github.com/nearcache/nearcache/resp/session"
	"github.com/nearcache/nearcache/store"
)

// A server is a source while replicas follow it, nearcache or Redis.
//
//	commit ──► sourceObserver ──► replication.Backlog ── Feed ──► attached.stream ──► replica
//	               (shards held)                                     ▲
//	PSYNC ──► Sync ──► the connection leaves its reactor ──► attached.copy: keyspace.Cut, Emit
//	replica ── REPLCONF ACK ──► attached.listen ──► WAIT
//
// # Threading
//
// A replica has two goroutines: one writes, first the copy and then the stream, the other
// reads what it acknowledges. Only these wait for the connection, and hold no lock then.
// Whichever ends closes the connection, which ends the other; so do Kill (CLIENT KILL, limits,
// timeouts) and the end of the server. A replica that takes too little is cut off: while it
// is streamed to at client-output-buffer-limit, in a copy when writers would have to wait
// for it (store.Snapshot.GiveUp).
//
// On a replica that has replicas of its own the stream is the master's. The link then holds
// applying over a command and its bytes, and a cut is made between two.

// source is what a server knows of its replicas.
type source struct {
	backlog  *replication.Backlog
	applying sync.Mutex  // outside of the shards
	strayed  atomic.Bool // a client's write was applied that is not in the stream followed

	fulls, partials, refused atomic.Int64
	list                     atomic.Pointer[[]*attached] // those of mu

	ctx context.Context // of their connections, which outlive those of others: see letReplicasGo
	end context.CancelFunc
	wg  sync.WaitGroup

	lastPing, lastSeen time.Time // of tick

	mu struct { // a leaf
		sync.Mutex
		replicas []*attached
		waits    map[*replicaWait]struct{}
	}
}

// attachedState is how far a replica is, in the words of INFO.
type attachedState int32

const (
	waitsForCopy attachedState = iota
	takesCopy
	online
)

func (s attachedState) String() string {
	return [...]string{"wait_bgsave", "send_bulk", "online"}[s]
}

// attached is a replica of this server.
type attached struct {
	s      *Server
	ses    *session.Session
	conn   net.Conn
	reader *resp.Reader
	host   string
	peer   session.Peer
	want   command.SyncRequest

	at      atomic.Int32 // attachedState
	feed    atomic.Pointer[replication.Feed]
	acked   atomic.Int64 // offset that it has applied
	synced  atomic.Int64 // that is on its disk
	heardAt atomic.Int64 // Unix ms of its last ACK
	readAt  atomic.Int64 // of its last byte
	first   chan struct{}
	once    sync.Once // closes first, at the first ACK
	over    time.Time // of tick: since when it is over the soft limit
}

func (s *Server) initSource() {
	s.source.backlog = replication.New(s.cfg.backlogSize.Int())
	s.source.lastPing = time.Now()
	s.source.backlog.OnStray = func() { s.source.strayed.Store(true) }
	s.source.mu.waits = map[*replicaWait]struct{}{}
	s.source.list.Store(&[]*attached{})
	s.source.ctx, s.source.end = context.WithCancel(context.Background())
}

// sourceObserver adds the effects of every commit to the stream.
type sourceObserver struct{ s *Server }

// Committed implements store.Observer.
func (o sourceObserver) Committed(c *store.Commit) {
	o.s.source.backlog.Append(c.Effects, c.Origin != 0)
}

const (
	errSyncRefused  resp.Error = "ERR PSYNC command not allowed. If the enable-replicas option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server."
	errNoMasterLink resp.Error = "NOMASTERLINK Can't SYNC while not connected with my master"
	errSyncPending  resp.Error = "ERR SYNC and PSYNC are invalid with pending output"
)

// Sync implements command.Server.
func (s *Server) Sync(c *command.Ctx, want command.SyncRequest) error {
	switch l := s.replica.link.Load(); {
	case !s.cfg.ReplicasAllowed(c.S.Local):
		return errSyncRefused
	case l != nil && l.state() != linkConnected:
		return errNoMasterLink
	case c.W.Len() > 0:
		return errSyncPending
	}
	reader := c.Reader
	c.S.TakeOver = func(conn net.Conn) {
		a := &attached{s: s, ses: c.S, conn: conn, reader: reader, peer: c.S.Peer, want: want, first: make(chan struct{})}
		a.serve()
	}
	return nil
}

// Replicas implements command.Server.
func (s *Server) Replicas() (l []command.Replica, offset int64) {
	for _, a := range *s.source.list.Load() {
		if a.state() == online {
			l = append(l, command.Replica{Host: a.host, Port: a.peer.Port, Offset: a.acked.Load()})
		}
	}
	return l, s.source.backlog.Offset()
}

// TellReplicas implements command.Server.
func (s *Server) TellReplicas(args [][]byte) {
	if s.source.backlog.On() {
		s.source.backlog.AppendCommand(args...)
	}
}

// add and remove keep the list of replicas.
func (r *source) add(a *attached) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.replicas = append(r.mu.replicas, a)
	r.publishLocked()
}

func (r *source) remove(a *attached) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.replicas = slices.DeleteFunc(r.mu.replicas, func(x *attached) bool { return x == a })
	r.publishLocked()
}

func (r *source) publishLocked() {
	l := slices.Clone(r.mu.replicas)
	r.list.Store(&l)
}

func (a *attached) state() attachedState { return attachedState(a.at.Load()) }

// serve is the life of a replica's connection.
func (a *attached) serve() {
	ctx, cancel := context.WithCancelCause(a.source().ctx)
	defer cancel(nil)
	if a.s.stopping() {
		cancel(nil)
	}
	context.AfterFunc(ctx, func() { _ = a.conn.Close() })
	_ = a.conn.SetDeadline(time.Time{})
	if a.host = a.peer.Host; a.host == "" {
		a.host, _, _ = net.SplitHostPort(a.ses.Addr)
	}
	a.ses.Replica.Store(true)
	a.readAt.Store(time.Now().UnixMilli())
	a.source().add(a)
	defer a.s.replicaMoved()
	defer a.source().remove(a)
	var reads sync.WaitGroup
	reads.Go(func() { cancel(a.listen()) })
	err := a.run(ctx)
	cancel(err)
	reads.Wait()
	if why := context.Cause(ctx); !a.s.stopping() && err != nil {
		a.s.cfg.Logger().Info("a replica has gone", "replica", net.JoinHostPort(a.host, strconv.Itoa(a.peer.Port)), "why", why)
	}
}

func (a *attached) source() *source { return &a.s.source }

// replicaLimits bound what a replica may say: it is REPLCONF ACK, and little else.
var replicaLimits = resp.Limits{MaxBulk: 4 << 10, MaxArgs: 64, MaxInline: 4 << 10, MaxQuery: 64 << 10}

// listen reads what the replica says, until the connection ends.
func (a *attached) listen() error {
	a.reader.SetLimits(replicaLimits)
	for {
		argv, err := a.reader.Next()
		if err != nil {
			return err
		}
		if argv != nil {
			a.said(argv)
			continue
		}
		switch err := a.reader.Fill(); {
		case errors.Is(err, os.ErrDeadlineExceeded): // somebody has woken the session
			_ = a.conn.SetReadDeadline(time.Time{})
		case err != nil:
			return err
		}
		now := time.Now().UnixMilli()
		a.readAt.Store(now)
		a.ses.LastUse.Store(a.s.ks.Now())
	}
}

// said takes what a replica acknowledges. Nothing that one says has a reply, and all else
// is passed over.
func (a *attached) said(argv [][]byte) {
	if len(argv) < 3 || !args.EqualFold(argv[0], "replconf") || !args.EqualFold(argv[1], "ack") {
		return
	}
	offset, ok := resp.ParseInt(argv[2])
	if !ok {
		return
	}
	raise(&a.acked, offset)
	if len(argv) > 4 && args.EqualFold(argv[3], "fack") {
		if offset, ok := resp.ParseInt(argv[4]); ok {
			raise(&a.synced, offset)
		}
	}
	a.heardAt.Store(time.Now().UnixMilli())
	a.once.Do(func() { close(a.first) })
	a.s.acknowledged()
}

func raise(v *atomic.Int64, to int64) {
	if to > v.Load() {
		v.Store(to)
	}
}

// run sends the replica what it wants.
func (a *attached) run(ctx context.Context) error {
	src := a.source()
	if a.want.PSync {
		feed, id, ok := src.backlog.Resume(a.want.ID, a.want.Offset, a.limit(), a.end)
		if ok {
			src.partials.Add(1)
			defer feed.Close()
			line := "+CONTINUE"
			if a.peer.PSync2 {
				line += " " + id
			}
			a.heardAt.Store(time.Now().UnixMilli())
			if err := a.write([]byte(line + "\r\n")); err != nil {
				return err
			}
			return a.stream(ctx, feed)
		}
		if a.want.ID != "?" {
			src.refused.Add(1)
		}
	}
	src.fulls.Add(1)
	feed, err := a.copy(ctx)
	if feed != nil {
		defer feed.Close()
	}
	if err != nil || a.peer.CopyOne {
		return err
	}
	if a.want.PSync && a.peer.EOF {
		if err := a.awaitFirst(ctx); err != nil {
			return err
		}
	}
	return a.stream(ctx, feed)
}

var errTimeout = errors.New("nothing was heard of it for longer than repl-timeout")

// awaitFirst waits for the first ACK behind a copy. Redis finds the end of one only where
// nothing follows it.
func (a *attached) awaitFirst(ctx context.Context) error {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-a.first:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.C:
			if time.Since(time.UnixMilli(a.readAt.Load())) > a.s.cfg.ReplTimeout() {
				return errTimeout
			}
		}
	}
}

// stream sends the stream as it comes.
func (a *attached) stream(ctx context.Context, feed *replication.Feed) error {
	a.feed.Store(feed)
	a.at.Store(int32(online))
	var room [][]byte
	for {
		room = feed.Next(room[:0])
		if len(room) == 0 {
			select {
			case <-feed.Ready:
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		n, err := a.send(room)
		feed.Sent(n)
		clear(room)
		if err != nil {
			return err
		}
	}
}

// send writes pieces. What takes longer than repl-timeout fails.
func (a *attached) send(pieces [][]byte) (int64, error) {
	_ = a.conn.SetWriteDeadline(time.Now().Add(a.s.cfg.ReplTimeout()))
	b := net.Buffers(slices.Clone(pieces)) // which WriteTo empties
	n, err := b.WriteTo(a.conn)
	a.ses.NetOut.Add(n)
	a.ses.Writes.Add(1)
	return n, err
}

func (a *attached) write(b []byte) error {
	_, err := a.send([][]byte{b})
	return err
}

// Write implements io.Writer.
func (a *attached) Write(b []byte) (int, error) {
	n, err := a.send([][]byte{b})
	return int(n), err
}

// end cuts the replica off.
func (a *attached) end(slow bool) {
	if slow {
		a.ses.Overflow()
	} else {
		a.ses.Kill()
	}
}

// limit is how much may wait for the replica. As in Redis one that is below the backlog's
// size means that: what waits is kept in any case.
func (a *attached) limit() int64 {
	hard := int64(0)
	if l := a.s.cfg.outputLimits.Load(); l != nil {
		hard = int64(l.Stream.Hard)
	}
	if hard > 0 {
		hard = max(hard, a.s.cfg.backlogSize.Int())
	}
	return hard
}

// newMark makes a line of 40 letters that no copy contains.
func newMark() string {
	var b [markLen / 2]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// tickReplicas looks after replicas, ten times a second.
func (s *Server) tickReplicas(now time.Time) {
	src := &s.source
	l := *src.list.Load()
	if len(l) > 0 || src.lastSeen.IsZero() {
		src.lastSeen = now
	}
	if ttl := s.cfg.backlogTTL.Int(); ttl > 0 && len(l) == 0 && src.backlog.On() && now.Sub(src.lastSeen) > time.Duration(ttl)*time.Second {
		src.backlog.Drop()
	}
	if len(l) == 0 {
		src.lastPing = now
	}
	if len(l) > 0 && !s.ending.holds.Load() && now.Sub(src.lastPing) >= time.Duration(s.cfg.pingPeriod.Int())*time.Second {
		src.lastPing = now
		src.backlog.AppendCommand([]byte("PING"))
	}
	for _, a := range l {
		feed := a.feed.Load()
		if feed == nil {
			continue
		}
		waits := feed.Waiting()
		a.ses.SetUnsent(waits)
		feed.SetLimit(a.limit())
		if a.state() == online && a.want.PSync && now.Sub(time.UnixMilli(a.heardAt.Load())) > s.cfg.ReplTimeout() {
			s.cfg.Logger().Warn("a replica is cut off: "+errTimeout.Error(), "replica", a.ses.Addr)
			a.ses.Kill()
		}
		soft := session.Limit{}
		if l := s.cfg.outputLimits.Load(); l != nil {
			soft = l.Stream
		}
		switch {
		case soft.Soft <= 0 || waits <= max(int64(soft.Soft), s.cfg.backlogSize.Int()):
			a.over = time.Time{}
		case a.over.IsZero():
			a.over = now
		case now.Sub(a.over) > soft.For:
			a.ses.Overflow()
		}
	}
}

// goodReplicas is how many count for min-replicas-to-write.
func (s *Server) goodReplicas() (n int64) {
	oldest := time.Now().UnixMilli() - 1000*s.cfg.maxLag.Int()
	for _, a := range *s.source.list.Load() {
		if a.state() == online && a.heardAt.Load() >= oldest {
			n++
		}
	}
	return n
}

// tooFewReplicas is why nothing may be written while min-replicas-to-write are not there.
// What is written to a replica is none of theirs.
func (s *Server) tooFewReplicas() error {
	least := s.cfg.minReplicas.Int()
	if least > 0 && s.cfg.maxLag.Int() > 0 && s.replica.link.Load() == nil && s.goodReplicas() < least {
		return resp.ErrNoReplicas
	}
	return nil
}

// replicaMemory is what the stream takes: what is kept in any case, and what replicas have
// not been sent beyond that.
func (s *Server) replicaMemory() (kept, waiting int64) {
	st := s.source.backlog.State()
	kept = min(st.Memory, st.Size)
	return kept, st.Memory - kept
}
