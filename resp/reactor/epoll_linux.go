//go:build !noepoll

package reactor

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of a turn do not block, and are made without telling the
// scheduler, which for calls as short as these costs a tenth of the call.

// epollAdd adds a descriptor, of which changes are told once each.
func epollAdd(ep, fd int, events uint32) error {
	return unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events | unix.EPOLLET, Fd: int32(fd)})
}

func epollPoll(ep int, ev []unix.EpollEvent) int {
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(ep), uintptr(unsafe.Pointer(&ev[0])), uintptr(len(ev)), 0, 0, 0)
	if errno != 0 { // EINTR
		return 0
	}
	return int(n)
}

func epollWait(ep int, ev []unix.EpollEvent) int {
	n, err := unix.EpollWait(ep, ev, -1)
	if err != nil { // EINTR
		return 0
	}
	return n
}

func readiness(events uint32) (r Ready) {
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		r |= Readable
	}
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		r |= HungUp
	}
	if events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		r |= Writable
	}
	return r
}

// read and write make the calls of sockets: those of files do more on their way, two or three hundredths of
// what a request and its reply take.

func read(fd int, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// maxPieces is how many pieces one call writes.
const maxPieces = 64

func write(fd int, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

func writev(fd int, bufs [][]byte) (int, syscall.Errno) {
	var vec [maxPieces]unix.Iovec
	k := 0
	for _, b := range bufs[:min(len(bufs), maxPieces)] {
		if len(b) > 0 {
			vec[k].Base = &b[0]
			vec[k].SetLen(len(b))
			k++
		}
	}
	for {
		n, _, errno := syscall.RawSyscall(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&vec[0])), uintptr(k))
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}
