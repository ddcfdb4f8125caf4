package server

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// lowerPriority makes the goroutine's thread, which ends with the goroutine, one that others come before.
func lowerPriority() {
	runtime.LockOSThread()
	// With a lower priority alone it would have the processor seldom, but for milliseconds, and who serves clients
	// would wait for them. Linux before 6.12 does not know slices, and ignores them. Where it is not allowed nothing
	// is lost.
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Policy: unix.SCHED_BATCH, Nice: 10, Runtime: gentleSlice}, 0)
}

// gentleSlice is for how many ns such a thread has the processor.
const gentleSlice = 100_000
