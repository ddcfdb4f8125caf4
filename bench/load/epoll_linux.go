package load

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// driveEpoll runs all connections on one thread: an epoll loop with
// non-blocking sockets, as the servers' own benchmarks have it, so that the
// generator takes no more of the machine than they do. With a pace the loop is
// open, otherwise closed.
func driveEpoll(socks []net.Conn, conns []*conn, p *pace) error {
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	defer syscall.Close(ep)
	l := &loop{ep: ep, conns: conns, fds: make([]int, len(conns)), writing: make([]int, len(conns)), pace: p}
	for i, s := range socks {
		if l.fds[i], err = takeOver(s); err != nil {
			return err
		}
		defer syscall.Close(l.fds[i])
		if err := l.control(syscall.EPOLL_CTL_ADD, i, syscall.EPOLLIN); err != nil {
			return err
		}
	}
	if p != nil {
		// Sleeps end when they should, not up to 50 µs later. Refused, the
		// generator is late, and its latencies show it.
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	}
	return l.run()
}

// takeOver makes a descriptor of its own for a connection, and closes the one that Go's
// poller knows: each reply would wake a thread there too, at the server's expense and
// wherever the system likes to run it.
func takeOver(s net.Conn) (fd int, err error) {
	defer s.Close()
	raw, err := s.(syscall.Conn).SyscallConn()
	if err != nil {
		return -1, err
	}
	if e := raw.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) }); e != nil {
		return -1, e
	}
	return fd, os.NewSyscallError("fcntl", err)
}

type loop struct {
	ep      int
	conns   []*conn
	fds     []int
	writing []int // bytes of the batch that the kernel took, -1: all
	open    int   // connections with a batch under way
	pace    *pace
	free    []int // open loop: connections without a batch, a ring of all of them
	freeAt  int
	freeN   int
}

func (l *loop) control(op, i int, events uint32) error {
	ev := syscall.EpollEvent{Events: events, Fd: int32(i)}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(l.ep, op, l.fds[i], &ev))
}

func (l *loop) run() error {
	win := l.conns[0].win
	if l.pace == nil {
		for i := range l.conns {
			if err := l.send(i, clock()); err != nil {
				return err
			}
		}
	} else {
		l.free = make([]int, len(l.conns))
		for i := range l.free {
			l.free[i] = i
		}
		l.freeN = len(l.free)
	}
	events := make([]syscall.EpollEvent, len(l.conns))
	heard := clock()
	for {
		wait := stall.Nanoseconds()
		if l.pace != nil {
			now, err := l.sendDue(win)
			if err != nil {
				return err
			}
			if l.freeN > 0 && l.pace.next < win.until {
				wait = max(l.pace.next-now, 0)
			}
		}
		if l.open == 0 && (l.pace == nil || l.pace.next >= win.until || clock() >= win.until) {
			break
		}
		n, errno := waitEvents(l.ep, events, wait)
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			return os.NewSyscallError("epoll_pwait", errno)
		}
		if n > 0 || l.open == 0 {
			heard = clock()
		} else if clock()-heard > stall.Nanoseconds() {
			return fmt.Errorf("no reply for %v on %d connections", stall, l.open)
		}
		for _, ev := range events[:n] {
			i := int(ev.Fd)
			if ev.Events&syscall.EPOLLOUT != 0 {
				if err := l.write(i); err != nil {
					return err
				}
			}
			if ev.Events&^syscall.EPOLLOUT != 0 {
				if err := l.read(i); err != nil {
					return err
				}
			}
		}
	}
	if l.pace != nil {
		l.unsent(win)
	}
	return nil
}

// sendDue gives the batches that are due to connections that are free, until
// the window ends.
func (l *loop) sendDue(win window) (now int64, err error) {
	for now = clock(); l.freeN > 0 && l.pace.next <= now && now < win.until; now = clock() {
		i := l.free[l.freeAt]
		l.freeAt = (l.freeAt + 1) % len(l.free)
		l.freeN--
		due := l.pace.next
		l.pace.advance()
		if err := l.send(i, due); err != nil {
			return now, err
		}
	}
	return now, nil
}

// unsent counts what was due in the window and never sent with the time it
// waited until the end, the least that it would have taken.
func (l *loop) unsent(win window) {
	c := l.conns[0]
	for ; l.pace.next < win.until; l.pace.advance() {
		for range c.batch {
			c.st.hist.record(win.until - max(l.pace.next, win.from))
			c.st.unsent++
		}
	}
}

// send begins the next batch of connection i.
func (l *loop) send(i int, due int64) error {
	l.conns[i].fill(due)
	l.open++
	l.writing[i] = 0
	n, err := write(l.fds[i], l.conns[i].out)
	if err != nil {
		return err
	}
	if n == len(l.conns[i].out) {
		l.writing[i] = -1
		return nil
	}
	l.writing[i] = n
	return l.control(syscall.EPOLL_CTL_MOD, i, syscall.EPOLLIN|syscall.EPOLLOUT)
}

// write goes on with a batch that the socket did not take whole.
func (l *loop) write(i int) error {
	if l.writing[i] < 0 {
		return nil
	}
	n, err := write(l.fds[i], l.conns[i].out[l.writing[i]:])
	if err != nil {
		return err
	}
	if l.writing[i] += n; l.writing[i] == len(l.conns[i].out) {
		l.writing[i] = -1
		return l.control(syscall.EPOLL_CTL_MOD, i, syscall.EPOLLIN)
	}
	return nil
}

func write(fd int, b []byte) (int, error) {
	n, errno := call(syscall.SYS_WRITE, fd, unsafe.Pointer(&b[0]), len(b), 0)
	if errno == syscall.EAGAIN || errno == syscall.EINTR {
		return 0, nil
	}
	if errno != 0 {
		return 0, os.NewSyscallError("write", errno)
	}
	return n, nil
}

// spin is a wait for which sleeping is not worth it, in nanoseconds.
const spin = 5_000

// waitEvents waits at most so many nanoseconds.
func waitEvents(ep int, events []syscall.EpollEvent, wait int64) (int, syscall.Errno) {
	if wait < spin {
		return call(syscall.SYS_EPOLL_PWAIT, ep, unsafe.Pointer(&events[0]), len(events), 0)
	}
	if wait >= stall.Nanoseconds() {
		return call(syscall.SYS_EPOLL_PWAIT, ep, unsafe.Pointer(&events[0]), len(events), int(wait/1e6))
	}
	t := unix.NsecToTimespec(wait)
	r, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(ep), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(unsafe.Pointer(&t)), 0, 0)
	if errno == syscall.ENOSYS { // before Linux 5.11: whole milliseconds, the rest is spun
		return call(syscall.SYS_EPOLL_PWAIT, ep, unsafe.Pointer(&events[0]), len(events), int(wait/1e6))
	}
	return int(r), errno
}

// call makes a system call without telling the scheduler. That is a third of
// what a round trip costs the generator otherwise. It is safe because the
// sockets do not block, and because epoll_pwait returns as soon as a server
// answers: until then only a garbage collection, which the loop gives no cause
// for, would wait.
func call(trap uintptr, fd int, p unsafe.Pointer, n, timeout int) (int, syscall.Errno) {
	r, _, errno := syscall.RawSyscall6(trap, uintptr(fd), uintptr(p), uintptr(n), uintptr(timeout), 0, 0)
	return int(r), errno
}

func (l *loop) read(i int) error {
	c := l.conns[i]
	room := c.room()
	n, errno := call(syscall.SYS_READ, l.fds[i], unsafe.Pointer(&room[0]), len(room), 0)
	if errno == syscall.EAGAIN || errno == syscall.EINTR {
		return nil
	}
	if errno != 0 {
		return os.NewSyscallError("read", errno)
	}
	if n == 0 {
		return fmt.Errorf("the server closed a connection with %d replies missing", c.want)
	}
	now := clock()
	busy := c.want > 0
	if err := c.consume(n, now); err != nil {
		return err
	}
	if c.want > 0 || !busy {
		return nil
	}
	l.open--
	switch {
	case l.pace != nil:
		l.free[(l.freeAt+l.freeN)%len(l.free)] = i
		l.freeN++
	case now < c.win.until:
		return l.send(i, clock())
	}
	return nil
}

// drive is the engine of this system.
var drive = driveEpoll

// onThread binds the goroutine to a thread of its own until it ends, which the
// binding to cores and the sleeps' precision need.
func onThread() { runtime.LockOSThread() }
