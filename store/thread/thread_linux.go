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

// Lower makes the goroutine's thread, which ends with the goroutine, one that others come before, and that takes the
// processor from nobody. Its turns are of the length given, 0 for as long as the system makes them; Linux before 6.12
// does not know that, and ignores it. Where it is not allowed nothing is lost.
func Lower(turn time.Duration) {
	runtime.LockOSThread()
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Policy: unix.SCHED_BATCH, Nice: 10, Runtime: uint64(turn)}, 0)
}

// Rests is for work that slows others down even on a thread of low priority. The function that it gives, called between
// two pieces of work, sleeps twice as long as the thread had the processor since the last call, if it had to
// wait for it: so long the others are among themselves. The goroutine must be locked to its thread, see Lower.
func Rests() (rest func()) {
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
