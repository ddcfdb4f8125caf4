package thread

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// GiveWay ends the thread's turn where another waits for its processor.
func GiveWay() { _, _, _ = syscall.Syscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }

// Shorten gives the turns of all threads of the process, and of those that they start, the length given. Who waits for the
// processor of a thread that has much to do waits no longer than that. Linux before 6.12 does not know it, and ignores it.
func Shorten(turn time.Duration) {
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, t := range tasks {
		id, _ := strconv.Atoi(t.Name())
		if a, err := unix.SchedGetAttr(id, 0); err == nil && a.Policy == unix.SCHED_NORMAL {
			a.Runtime = uint64(turn)
			_ = unix.SchedSetAttr(id, a, 0)
		}
	}
}

// longTurn is the longest that Linux takes.
const longTurn = 100 * time.Millisecond

// Lower makes the goroutine's thread, which ends with the goroutine, one that others come before. Its turns are long: where
// who wakes up has shorter ones, as has every other thread, Linux from 6.12 on gives it the processor at once, and not at
// the next tick, up to 4 ms later. Where it is not allowed nothing is lost.
//
// At nice 12 such a thread waits for up to 60 ms after a turn where other programs take all processors, and Go's
// collector, which stops all threads for a moment, waits with it. At nice 19 it would be a quarter of a second.
func Lower() {
	runtime.LockOSThread()
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Policy: unix.SCHED_BATCH, Nice: 12, Runtime: uint64(longTurn)}, 0)
}

// Rests is for work that slows others down even on a thread that they come before. The function that it gives, called between
// two pieces of work, sleeps six times as long as the thread had the processor since the last call, if it had to
// wait for it: so long the others are among themselves. The goroutine must be locked to its thread, see Lower.
func Rests() (rest func()) {
	ran, waited := processor()
	return func() {
		r, w := processor()
		if w-waited > (r-ran)/4 {
			time.Sleep(6 * (r - ran))
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
