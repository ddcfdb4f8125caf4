//go:build linux && !noepoll

package reactor

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// away is the state of a connection that a goroutine of its own looks after.
const away = 1 << 31

// Conn is a connection of a reactor. Wake and Abort may be called by anybody,
// the rest by its handler, in a turn or away.
type Conn struct {
	r       *reactor
	fd      int
	handler Handler
	state   atomic.Uint32 // away and, while it is, the Ready that came
	woken   atomic.Bool   // a letter is under way
	owes    bool          // its last turn ended in Send; the driver's
	queued  bool          // among those who have more to do; the driver's
	noted   Ready         // what came while it was queued; the driver's
	long    bool          // it had more to do than one turn when it was last asked, or never was; the driver's
	mu      struct {
		sync.Mutex
		closed bool // the descriptor is, and may be another's
	}
}

// FD is the descriptor's number.
func (c *Conn) FD() int { return c.fd }

// Wake has Turn called soon, with Woken. It never blocks.
func (c *Conn) Wake() {
	if c.woken.CompareAndSwap(false, true) {
		c.r.post(letter{c, wakes})
	}
}

// Abort ends the connection: reads see its end, writes fail. The handler has
// another turn.
func (c *Conn) Abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.mu.closed {
		_ = unix.Shutdown(c.fd, unix.SHUT_RDWR) // the other side may have gone already
	}
}

func (c *Conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.closed = true
	_ = unix.Close(c.fd)
}

// Read reads what is there: nothing, without an error, where nothing is. When
// it fills less than b, nothing was left, and Turn is called when more comes.
func (c *Conn) Read(b []byte) (int, error) {
	n, errno := read(c.fd, b)
	switch {
	case errno == unix.EAGAIN:
		return 0, nil
	case errno != 0:
		return 0, os.NewSyscallError("read", errno)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write writes what the socket has room for, in one call. When that is less
// than all, Turn is called with Writable when there is room again.
func (c *Conn) Write(bufs [][]byte) (int, error) {
	var n int
	var errno syscall.Errno
	if len(bufs) == 1 {
		n, errno = write(c.fd, bufs[0])
	} else {
		n, errno = writev(c.fd, bufs)
	}
	if errno == unix.EAGAIN {
		return 0, nil
	}
	if errno != 0 {
		return 0, os.NewSyscallError("write", errno)
	}
	return n, nil
}

// Detach takes the connection out of its reactor, for who serves it in another way. The
// handler calls it away, and then returns Gone.
func (c *Conn) Detach() (net.Conn, error) {
	if err := unix.EpollCtl(c.r.ep, unix.EPOLL_CTL_DEL, c.fd, nil); err != nil {
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	fd, err := unix.FcntlInt(uintptr(c.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	f := os.NewFile(uintptr(fd), "")
	defer f.Close() // FileConn has made another one
	return net.FileConn(f)
}

// finish goes on with a connection outside of its reactor's loop, as its last
// turn, or the last step away, has asked for, and brings it back.
func (c *Conn) finish(next Next) {
	p := c.r.pool
	if next == Await {
		p.awaiting.Add(1)
		defer p.awaiting.Add(-1)
	}
	for next == Leave || next == Await || next == Send {
		if next != Send {
			next = c.handler.Away()
		} else {
			next = c.handler.Send(&Scratch{})
		}
	}
	switch {
	case next == Gone:
		c.r.post(letter{c, ended})
	case next == Wait && c.state.CompareAndSwap(away, 0):
	default:
		c.r.post(letter{c, back})
	}
}
