package server

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// lowerPriority makes the goroutine's thread, which ends with the goroutine, one that others come before.
func lowerPriority() {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 10) // where it is not allowed nothing is lost
}
