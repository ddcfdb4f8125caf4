package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// driveEpoll runs all connections on one thread: an epoll loop with
// non-blocking sockets, as the servers' own benchmarks have it, so that the
// generator takes no more of the machine than they do.
func driveEpoll(socks []net.Conn, conns []*conn) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	defer syscall.Close(ep)
	l := &loop{ep: ep, conns: conns, fds: make([]int, len(conns)), writing: make([]int, len(conns))}
	for i, s := range socks {
		f, err := s.(interface{ File() (*os.File, error) }).File() // a duplicate
		if err != nil {
			return err
		}
		defer f.Close()
		l.fds[i] = int(f.Fd())
		if err := syscall.SetNonblock(l.fds[i], true); err != nil {
			return os.NewSyscallError("setnonblock", err)
		}
		if err := l.control(syscall.EPOLL_CTL_ADD, i, syscall.EPOLLIN); err != nil {
			return err
		}
	}
	return l.run()
}

type loop struct {
	ep      int
	conns   []*conn
	fds     []int
	writing []int // bytes of the batch that the kernel took, -1: all
	open    int   // connections with a batch under way
}

func (l *loop) control(op, i int, events uint32) error {
	ev := syscall.EpollEvent{Events: events, Fd: int32(i)}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(l.ep, op, l.fds[i], &ev))
}

func (l *loop) run() error {
	for i := range l.conns {
		l.open++
		if err := l.send(i); err != nil {
			return err
		}
	}
	events := make([]syscall.EpollEvent, len(l.conns))
	for l.open > 0 {
		n, errno := call(syscall.SYS_EPOLL_PWAIT, l.ep, unsafe.Pointer(&events[0]), len(events), int(stall.Milliseconds()))
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			return os.NewSyscallError("epoll_pwait", errno)
		}
		if n == 0 {
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
	return nil
}

// send begins the next batch of connection i.
func (l *loop) send(i int) error {
	l.conns[i].batch()
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
	if err := c.consume(n, now); err != nil {
		return err
	}
	if c.want > 0 {
		return nil
	}
	if now >= c.win.until {
		l.open--
		return nil
	}
	return l.send(i)
}

// drive is the engine of this system.
var drive = driveEpoll
