package server

import (
	"errors"
	"net"
	"runtime/debug"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/blocking"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/session"
)

// connection is a client that is served, in the turns of a reactor (turn.go)
// or by a goroutine (goroutine.go). One goroutine at a time owns it.
type connection struct {
	s    *Server
	c    *command.Ctx
	held [][]byte // a command that has been read and waits to run, in memory of its own

	ahead ahead
}

// join makes the session of a connection.
func (k *connection) join(s *Server, link session.Link, local, remote net.Addr, r *resp.Reader) {
	ses := session.New(s.nextID.Add(1), link, local, remote, &s.cfg.outputLimits)
	ses.Local = isLocal(remote)
	k.s, k.c = s, command.NewCtx(&s.env, ses, r)
	s.env.Clients.Add(ses)
	s.stats.Connections.Add(1)
	if s.stopping() { // Run may not have found it among the clients
		ses.Kill()
	}
	if !s.NeedsAuth() {
		s.Authenticated(k.c)
	}
}

// flushAt is how many bytes of replies a pipeline collects before they are sent.
const flushAt = 64 << 10

// unsettledMost is how many documents a turn of a reactor writes before others have theirs. What comes next is done
// away, with the work that the indexes have to do.
const unsettledMost = 8

// state is where a connection stands after its commands were run.
type state uint8

const (
	hungry state = iota // what is buffered is no whole command
	stuck               // it waits for a key, or for the end of a pause
	full                // there is as much to send as there should be at once
	busy                // the next command may take time
	over                // the connection ends when all is sent
	moved               // it is for session.TakeOver
)

// run runs the commands that have arrived whole; with quick only those that
// take no time.
func (k *connection) run(quick bool) state {
	s, c, ses := k.s, k.c, k.c.S
	c.Tick()
	ses.LastUse.Store(c.Now)
	ran := 0
	defer func() {
		if ran > 0 {
			ses.Commands.Add(int64(ran))
			s.stats.Commands.Add(int64(ran))
		}
		c.Meter.Flush()
		s.countHits(c)
		k.ahead.forget()
		c.Tx.Expect(nil)
	}()
	limit, before := ses.ReplyLimit(), ses.Unsent()
	if ses.CloseAfter || ses.Killed() { // the last reply had to wait; or nothing that comes after the kill is run
		return over
	}
	for ses.Proceed() {
		argv, spec := k.held, (*command.Spec)(nil)
		if argv != nil && ses.Killed() { // while it waited
			return over
		}
		if argv == nil {
			k.ahead.look(c)
			var err error
			if argv, err = c.Reader.Next(); err != nil {
				var pe resp.ProtocolError
				if errors.As(err, &pe) {
					c.W.Error("ERR " + pe.Error())
				}
				return over
			}
			if argv == nil {
				if ses.Killed() || s.stopping() {
					return over
				}
				return hungry
			}
			spec = k.ahead.step(&c.Tx)
		}
		if done := s.dispatch(c, spec, argv, quick); done != executed {
			if k.held == nil {
				k.held = command.CopyArgs(argv)
			}
			if done == long {
				return busy
			}
			if !ses.Paused.Swap(true) {
				continue // the pause may have ended before it could be seen who is to be woken
			}
			return stuck
		}
		if k.held != nil {
			k.held = nil
			ses.Paused.Store(false)
		}
		ran++
		if ses.TakeOver != nil {
			return moved
		}
		if ses.CloseAfter {
			return over
		}
		if !quick && c.Unsettled()%(2*unsettledMost) == 2*unsettledMost-1 {
			yield() // to who serves clients, and may have but this one processor
		}
		if limit > 0 && ses.Unsent() > limit {
			ses.Overflow()
			return over
		}
		if ses.Unsent()-before >= flushAt && c.Reader.Buffered() > 0 || quick && c.Unsettled() >= unsettledMost {
			k.ahead.short(ran)
			return full
		}
	}
	if ses.Killed() || s.stopping() {
		return over
	}
	return stuck
}

// hold tells the session what its client's buffers take now, for those who look.
// In a turn it is called when lent memory has been returned.
func (k *connection) hold() {
	n := k.c.Memory() + k.c.S.Room()
	for _, a := range k.held {
		n += cap(a)
	}
	k.c.S.Hold(k.c.Reader.Buffered(), n)
}

// mustWait reports whether replies may not leave yet: under appendfsync always own
// writes have to be on the disk, and so has all that was observed.
func (k *connection) mustWait() bool {
	log := k.s.aof.Load()
	return log != nil && k.c.S.Out.Len() > 0 && log.Pending(log.Appended())
}

// await waits until they may.
func (k *connection) await() error {
	k.c.Settle()
	log := k.s.aof.Load()
	if log == nil || k.c.S.Out.Len() == 0 {
		return nil
	}
	err := log.Wait(log.Appended())
	if err != nil && k.c.S.Wrote.Load() <= log.Durable() && log.Err() != nil {
		// The disk takes nothing more. Those who only read go on, with what is in memory; those who
		// have written what is not on the disk must not hear that it is.
		return nil
	}
	return err
}

// Authenticated implements command.Server: the client may use the full limits.
func (s *Server) Authenticated(c *command.Ctx) {
	c.S.Authed.Store(true)
	c.Reader.SetLimits(s.limits(true))
}

func (s *Server) limits(authenticated bool) resp.Limits {
	return resp.Limits{
		MaxBulk:         s.cfg.MaxBulk(),
		MaxQuery:        s.cfg.QueryBufferLimit(),
		Unauthenticated: !authenticated,
	}
}

// unread says why a client is closed whose bytes cannot be taken.
func (k *connection) unread(err error) {
	if errors.Is(err, resp.ErrQueryLimit) {
		k.s.stats.LongQueries.Add(1)
		k.s.cfg.Logger().Warn("closing a client that reached the query buffer limit", "client", k.c.S.Addr)
	}
}

// countIn counts bytes that were read.
func (k *connection) countIn(n int) {
	k.c.S.NetIn.Add(int64(n))
	k.c.S.Reads.Add(1)
}

// takenOver serves a connection that session.TakeOver has asked for, to its end.
func (k *connection) takenOver(conn net.Conn) {
	defer func() {
		if r := recover(); r != nil {
			k.crashed(r)
		}
		_ = conn.Close()
		k.hangUp()
	}()
	k.c.S.TakeOver(conn)
}

// hangUp takes a session out of every table.
func (k *connection) hangUp() {
	s, c := k.s, k.c
	s.env.Blocking.Release(c.S, blocking.HungUp)
	c.S.Close()
	s.env.Semantic.Release(c.S.ID)
	c.Settle()
	c.Now = s.ks.Now()
	c.Begin()
	c.Discard()
	c.Tx.End()
	if c.S.Monitoring.Load() {
		s.env.Table.Observer.Monitor.Remove(c.S)
	}
	s.leave(c.S) // before Close, so that nobody redirects to it any more
	s.env.Tracking.Close(c.S)
	s.env.PubSub.Drop(c.S)
}

// crashed is called with what a command has panicked with, by the only places
// that recover: a panic ends this client and leaves the others alone.
func (k *connection) crashed(r any) {
	k.s.cfg.Logger().Error("a command has panicked; its client is closed", "client", k.c.S.Addr,
		"command", specName(k.c.Spec), "panic", r, "stack", string(debug.Stack()))
	k.c.InExec = false
	k.c.Tx.Abandon()
}

func specName(s *command.Spec) string {
	if s == nil {
		return ""
	}
	return s.FullName()
}
