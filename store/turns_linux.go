package store

import (
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// shortTurns makes those of the goroutine's thread short until end is called: others that become ready, who serve
// clients and other processes alike, wait for a piece of work, and not for the 3 ms that Linux gives otherwise; and
// what the thread gives away with giveWay is a short turn, too, so that it has its share of the processor. Linux
// before 6.12 does not know such turns, and ignores them.
func shortTurns() (end func()) {
	runtime.LockOSThread()
	a, err := unix.SchedGetAttr(0, 0)
	if err != nil || a.Policy != unix.SCHED_NORMAL {
		return runtime.UnlockOSThread
	}
	a.Policy, a.Runtime = unix.SCHED_BATCH, uint64(shortTurn)
	_ = unix.SchedSetAttr(0, a, 0)
	return func() {
		a.Policy, a.Runtime = unix.SCHED_NORMAL, 0
		_ = unix.SchedSetAttr(0, a, 0)
		runtime.UnlockOSThread()
	}
}

// giveWay ends the thread's turn where another waits for its processor.
func giveWay() { _, _, _ = syscall.Syscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }
