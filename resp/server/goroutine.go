package server

import (
	"errors"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/resp"
)

// netLink is the link of a client that a goroutine serves.
type netLink struct {
	net.Conn
	k     *connection
	woken atomic.Bool
}

// Write implements session.Link. It waits until all is sent, and so does the
// client's next command.
func (l *netLink) Write(pieces [][]byte) (int, error) {
	b := net.Buffers(pieces)
	n, err := b.WriteTo(l.Conn)
	return int(n), err
}

// Wake implements session.Link: it ends a read, or the next one.
func (l *netLink) Wake() {
	l.woken.Store(true)
	_ = l.SetReadDeadline(longAgo)
}

// longAgo is a deadline that ends a read at once.
var longAgo = time.Unix(1, 0)

// Abort implements session.Link.
func (l *netLink) Abort() { _ = l.Close() }

// Read implements io.Reader.
func (l *netLink) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	l.k.countIn(n)
	return n, err
}

// yieldAfter is after how many commands a session lets others run. One whose
// client answers fast never sleeps in a read, and would keep its processor
// until it is preempted, 10 ms later; its neighbours' p99 would show it.
const yieldAfter = 64

// serve is the life of a client that has a goroutine of its own, where there
// are no reactors.
func (s *Server) serve(conn net.Conn) {
	k := &connection{}
	link := &netLink{Conn: conn, k: k}
	k.join(s, link, conn.LocalAddr(), conn.RemoteAddr(), resp.NewReader(link, s.limits(false)))
	ses := k.c.S
	gone := false
	defer func() {
		if r := recover(); r != nil {
			k.crashed(r)
		}
		if !gone {
			k.hangUp()
		}
	}()
	for last := int64(0); ; {
		if link.woken.Swap(false) {
			_ = conn.SetReadDeadline(time.Time{})
		}
		st := k.run(false)
		if st == moved {
			gone = true
			s.spawnIn(&s.source.wg, func() { k.takenOver(conn) })
			return
		}
		if k.await() != nil {
			return
		}
		if !ses.Authed.Load() { // a stranger that does not read its errors is cut early
			_ = conn.SetWriteDeadline(time.Now().Add(strangerWrite))
		} else {
			_ = conn.SetWriteDeadline(time.Time{})
		}
		if _, err := ses.Flush(); err != nil || st == over {
			return
		}
		switch {
		case st == full:
			continue
		case k.held != nil:
			s.pause.await()
			continue
		}
		if n := ses.Commands.Load(); n-last >= yieldAfter {
			last = n
			runtime.Gosched()
		}
		k.hold()
		switch err := k.c.Reader.Fill(); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			link.woken.Store(true) // if it has been cleared before the deadline was set
		case err != nil:
			k.unread(err)
			return
		}
	}
}
