package thread

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Linux before 6.12 does not know short turns, and ignores them. Where they are not allowed nothing is lost.

// GiveWay ends the thread's turn where another waits for its processor.
func GiveWay() { _, _, _ = syscall.Syscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }

// ShortTurns makes those of the goroutine's thread short until end is called: others that become ready, who serve
// clients and other processes alike, wait for a piece of work, and not for the 3 ms that Linux gives otherwise; and
// what the thread gives away with GiveWay is a short turn, too, so that it has its share of the processor.
func ShortTurns() (end func()) {
	runtime.LockOSThread()
	a, err := unix.SchedGetAttr(0, 0)
	if err != nil || a.Policy != unix.SCHED_NORMAL {
		return runtime.UnlockOSThread
	}
	a.Policy, a.Runtime = unix.SCHED_BATCH, uint64(Turn)
	_ = unix.SchedSetAttr(0, a, 0)
	return func() {
		a.Policy, a.Runtime = unix.SCHED_NORMAL, 0
		_ = unix.SchedSetAttr(0, a, 0)
		runtime.UnlockOSThread()
	}
}

// Lower makes the goroutine's thread, which ends with the goroutine, one that others come before. With a lower
// priority alone it would have the processor seldom, but for milliseconds, and who serves clients would wait for
// them: so its turns are short, too.
//
// Even so others are slower while it runs. So rest, called between two pieces of work, sleeps twice as long as it had the
// processor since the last call, if it had to wait for it: so long the others are among themselves.
func Lower() (rest func()) {
	runtime.LockOSThread()
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Policy: unix.SCHED_BATCH, Nice: 10, Runtime: uint64(Turn)}, 0)
	ran, waited := processor()
	return func() {
		r, w := processor()
		if w-waited > (r-ran)/4 {
			time.Sleep(2 * (r - ran))
		}
		ran, waited = r, w
	}
}

// processor is how long the thread has run, and has waited to run; nothing where the system does not count it.
func processor() (ran, waited time.Duration) {
	if b, err := os.ReadFile("/proc/thread-self/schedstat"); err == nil {
		_, _ = fmt.Sscan(string(b), (*int64)(&ran), (*int64)(&waited))
	}
	return ran, waited
}
