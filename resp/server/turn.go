package server

import (
	"errors"
	"net"
	"sync/atomic"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/reactor"
)

// turns is a connection of a reactor: a reactor.Handler, the reader's source
// and the session's link.
type turns struct {
	connection
	conn     *reactor.Conn
	moved    atomic.Pointer[net.Conn] // where it is since it has left the reactor
	readable bool                     // bytes may be there
	ended    bool                     // and behind them the end
	choked   bool                     // the client does not take what is sent
	closing  bool                     // and is closed when it has
	st       state
}

// openReactors starts the reactors, where the system has what they need.
func (s *Server) openReactors() error {
	var err error
	if s.reactors, err = reactor.New(s.cfg.IOThreads()); errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// adopt gives a connection to a reactor.
func (s *Server) adopt(nc net.Conn) error {
	local, remote := nc.LocalAddr(), nc.RemoteAddr()
	return s.reactors.Adopt(nc, func(conn *reactor.Conn) reactor.Handler {
		k := &turns{conn: conn}
		k.join(s, k, local, remote, resp.NewReader(k, s.limits(false)))
		k.c.S.FD = conn.FD()
		return k
	})
}

// Write implements session.Link.
func (k *turns) Write(pieces [][]byte) (int, error) { return k.conn.Write(pieces) }

// Wake implements session.Link.
func (k *turns) Wake() { k.conn.Wake() }

// Abort implements session.Link.
func (k *turns) Abort() {
	k.conn.Abort()
	if c := k.moved.Load(); c != nil {
		_ = (*c).Close()
	}
}

var errNothing = errors.New("nothing to read")

// Read implements io.Reader.
func (k *turns) Read(b []byte) (int, error) {
	if c := k.moved.Load(); c != nil {
		n, err := (*c).Read(b)
		k.countIn(n)
		return n, err
	}
	n, err := k.conn.Read(b)
	if n < len(b) && !k.ended {
		k.readable = false
	}
	if n == 0 && err == nil {
		return 0, errNothing
	}
	k.countIn(n)
	return n, err
}

// Turn implements reactor.Handler.
func (k *turns) Turn(ready reactor.Ready, lent *reactor.Scratch) (next reactor.Next) {
	defer k.caught(&next)
	ses := k.c.S
	k.readable = k.readable || ready&reactor.Readable != 0
	k.ended = k.ended || ready&reactor.HungUp != 0
	if k.choked {
		switch {
		case ready&reactor.Writable != 0:
			all, err := ses.Flush()
			if err != nil || all && k.closing {
				return k.end()
			}
			k.choked = !all
		case ses.Killed():
			return k.end()
		}
		// As long as the client takes nothing, nothing is run for it, unless a
		// limit says how long that may go on.
		if k.closing || k.stalled() {
			k.hold()
			return reactor.Wait
		}
	}
	k.c.Reader.Lend(lent.In)
	ses.Out.Lend(lent.Out)
	next = k.work()
	k.c.Reader.Return()
	if next == reactor.Send {
		lent.Out = ses.Out.Seal(lent.Out)
	} else {
		lent.Out = ses.Out.Return(lent.Out)
	}
	k.hold()
	return next
}

// work runs what has been read, reads once, and runs that.
func (k *turns) work() reactor.Next {
	st := hungry
	if k.held != nil || k.c.Reader.Buffered() > 0 || !k.readable {
		st = k.run(true)
	}
	if (st == hungry || st == stuck && k.held == nil) && k.readable && !k.stalled() {
		switch err := k.c.Reader.Fill(); {
		case err == nil, errors.Is(err, errNothing):
			st = k.run(true)
		case k.c.S.Unsent() == 0:
			k.unread(err)
			return k.end()
		default: // it ends when all is sent; away it meets that again
			st, k.readable = over, true
		}
	}
	switch k.st = st; {
	case st == busy || k.c.Unsettled() > 0:
		return reactor.Leave
	case k.mustWait():
		return reactor.Await
	case k.choked:
		k.c.S.Stash()
		return k.next()
	}
	return reactor.Send
}

// Send implements reactor.Handler.
func (k *turns) Send(lent *reactor.Scratch) (next reactor.Next) {
	defer k.caught(&next)
	out := &k.c.S.Out
	out.Lend(lent.Out) // for pushes, where nothing was sealed
	next = k.flush()
	if lent.Out = out.Return(lent.Out); next != reactor.Gone {
		k.hold()
	}
	return next
}

// Away implements reactor.Handler: it does what a turn must not do, and what
// has been read behind it.
func (k *turns) Away() (next reactor.Next) {
	defer k.caught(&next)
	if k.st = k.run(false); k.st == moved {
		return k.move()
	}
	if k.await() != nil {
		return k.end()
	}
	if k.choked {
		k.c.S.Stash()
		next = k.next()
	} else {
		next = k.flush()
	}
	k.hold()
	return next
}

// flush sends what there is to send.
func (k *turns) flush() reactor.Next {
	all, err := k.c.S.Flush()
	if err != nil || all && k.st == over {
		return k.end()
	}
	k.choked = !all
	return k.next()
}

// stalled reports whether nothing more is run for a client that does not take what
// is sent.
func (k *turns) stalled() bool { return k.choked && k.c.S.ReplyLimit() == 0 }

// next is what follows when all was run and sent that could be.
func (k *turns) next() reactor.Next {
	k.closing = k.st == over
	switch {
	case k.closing, k.held != nil, k.stalled():
		return reactor.Wait
	case k.st != full && !k.readable:
	case k.choked:
		return reactor.Hoard
	default:
		return reactor.Again
	}
	return reactor.Wait
}

// move takes the connection out of the reactor, for who takes it over.
func (k *turns) move() reactor.Next {
	conn, err := k.conn.Detach()
	if err != nil {
		return k.end()
	}
	k.moved.Store(&conn)
	if k.c.S.Killed() { // which may have missed it
		_ = conn.Close()
	}
	k.s.spawnIn(&k.s.source.wg, func() { k.takenOver(conn) })
	return reactor.Gone
}

func (k *turns) end() reactor.Next {
	k.hangUp()
	return reactor.Gone
}

func (k *turns) caught(next *reactor.Next) {
	if r := recover(); r != nil {
		k.crashed(r)
		*next = k.end()
	}
}
