package server

import (
	"errors"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/blocking"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/session"
)

// flushAt is how many bytes of replies a pipeline collects before they are sent.
const flushAt = 64 << 10

// serve is the life of one client. It is the only place with a recover: a
// panic ends this client and leaves the others alone.
func (s *Server) serve(conn net.Conn) {
	ses := session.New(s.nextID.Add(1), conn, s.cfg.PushLimit(), &s.wg)
	c := command.NewCtx(&s.env, ses, resp.NewReader(&meter{conn, ses, s}, s.limits(false)))
	ses.OnResume(func() { _ = conn.SetReadDeadline(longAgo) })
	s.env.Clients.Add(ses)
	s.stats.Connections.Add(1)
	defer s.hangUp(c)
	if !s.NeedsAuth() {
		s.Authenticated(c)
	} else {
		_ = conn.SetDeadline(time.Now().Add(handshakeTime))
	}
	for ran := int64(0); s.runBuffered(c); {
		if s.awaitDurable(c) != nil {
			return
		}
		s.setIdleDeadline(c)
		sleep, err := ses.Idle()
		if err != nil {
			return
		}
		if !sleep {
			continue
		}
		if n := ses.Commands.Load(); n-ran >= yieldAfter {
			ran = n
			runtime.Gosched()
		}
		err = c.Reader.Fill()
		if ses.Busy() { // the client no longer waits: a read that was ended is no error
			_ = conn.SetReadDeadline(time.Time{})
			if errors.Is(err, os.ErrDeadlineExceeded) {
				continue
			}
		}
		if err != nil {
			if errors.Is(err, resp.ErrQueryLimit) {
				s.stats.LongQueries.Add(1)
				s.cfg.Logger().Warn("closing a client that reached the query buffer limit", "client", ses.Addr)
			}
			return
		}
	}
}

// yieldAfter is after how many commands a session lets others run. One whose
// client answers fast never sleeps in a read, and would keep its processor
// until it is preempted, 10 ms later; its neighbours' p99 would show it.
const yieldAfter = 64

// longAgo is a deadline that ends a read at once.
var longAgo = time.Unix(1, 0)

// handshakeTime is how long a client may take until it has authenticated, and
// strangerWrite how long it may refuse to read until then.
const (
	handshakeTime = 60 * time.Second
	strangerWrite = time.Second
)

// commandsPerTick is how many quick commands of a pipeline share one reading of
// the clock.
const commandsPerTick = 16

// runBuffered runs every command that has arrived whole, and reports whether
// the connection goes on.
func (s *Server) runBuffered(c *command.Ctx) bool {
	ses := c.S
	c.Now = s.ks.Now()
	ses.LastUse.Store(c.Now)
	if !ses.Authenticated { // a stranger that does not read its errors is cut early
		_ = ses.Conn.SetWriteDeadline(time.Now().Add(strangerWrite))
	}
	n := ses.Commands.Load()
	defer func() { s.stats.Commands.Add(ses.Commands.Load() - n) }()
	for i := 1; ses.Proceed(); i++ {
		argv, err := c.Reader.Next()
		if err != nil {
			var pe resp.ProtocolError
			if errors.As(err, &pe) {
				c.W.Error("ERR " + pe.Error())
			}
			ses.CloseAfter = true
		}
		if argv == nil && err == nil {
			break
		}
		if err == nil {
			if i%commandsPerTick == 0 || c.Spec != nil && c.Spec.MayTakeTime() {
				c.Now = s.ks.Now()
			}
			s.dispatch(c, argv)
		}
		if ses.CloseAfter {
			if s.awaitDurable(c) == nil {
				_ = ses.Flush()
			}
			return false
		}
		if ses.Out.Len() >= flushAt {
			if s.awaitDurable(c) != nil || ses.Flush() != nil {
				return false
			}
		}
	}
	ses.Queried.Store(int32(c.Reader.Buffered()))
	return !ses.Killed() && !s.stopping()
}

// awaitDurable is called before replies leave: own writes are in the indexes,
// and under appendfsync always on the disk, and so is all that was observed.
func (s *Server) awaitDurable(c *command.Ctx) error {
	c.Settle()
	if s.log == nil || c.S.Out.Len() == 0 {
		return nil
	}
	return s.awaitLog()
}

// setIdleDeadline applies the setting timeout to the read that follows.
// Subscribers, and those who wait for a key, may be silent for as long as they like.
func (s *Server) setIdleDeadline(c *command.Ctx) {
	if !c.S.Authenticated { // has the deadline of the handshake
		return
	}
	t := s.cfg.Timeout()
	switch limited := t > 0 && !c.S.InPubSub() && !c.S.Blocked(); {
	case limited:
		_ = c.S.Conn.SetReadDeadline(time.Now().Add(t))
		c.S.IdleLimited = true
	case c.S.IdleLimited:
		_ = c.S.Conn.SetReadDeadline(time.Time{})
		c.S.IdleLimited = false
	}
}

// Authenticated implements command.Server: the client may use the full limits.
func (s *Server) Authenticated(c *command.Ctx) {
	if !c.S.Authenticated {
		c.S.Authenticated = true
		_ = c.S.Conn.SetDeadline(time.Time{})
	}
	c.Reader.SetLimits(s.limits(true))
}

func (s *Server) limits(authenticated bool) resp.Limits {
	return resp.Limits{
		MaxBulk:         s.cfg.MaxBulk(),
		MaxQuery:        s.cfg.QueryBufferLimit(),
		Unauthenticated: !authenticated,
	}
}

// hangUp takes a session out of every table.
func (s *Server) hangUp(c *command.Ctx) {
	if r := recover(); r != nil {
		s.cfg.Logger().Error("a command has panicked; its client is closed", "client", c.S.Addr,
			"command", specName(c.Spec), "panic", r, "stack", string(debug.Stack()))
		c.InExec = false
		c.Tx.Abandon()
	}
	s.env.Blocking.Release(c.S, blocking.HungUp)
	c.S.Close()
	c.Settle()
	c.Now = s.ks.Now()
	c.Begin()
	c.Discard()
	c.Tx.End()
	s.stats.leave(c.S)
	s.env.Clients.Remove(c.S) // before Close, so that nobody redirects to it any more
	s.env.Tracking.Close(c.S)
	s.env.PubSub.Drop(c.S)
}

func specName(s *command.Spec) string {
	if s == nil {
		return ""
	}
	return s.FullName()
}

// meter counts the bytes read from a connection.
type meter struct {
	net.Conn
	ses *session.Session
	s   *Server
}

// Read implements io.Reader.
func (m *meter) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	m.ses.NetIn.Add(int64(n))
	m.s.stats.NetIn.Add(int64(n))
	return n, err
}
