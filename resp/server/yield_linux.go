package server

import (
	"runtime"
	"syscall"
)

// yield lets others run first: goroutines, and threads that the system has waiting
// for this one's processor.
func yield() {
	runtime.Gosched()
	_, _, _ = syscall.Syscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
}
