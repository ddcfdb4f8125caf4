package server

import (
	"runtime"

	"github.com/nearcache/nearcache/store/thread"
)

// yield lets others run first: goroutines, and threads that the system has waiting
// for this one's processor.
func yield() {
	runtime.Gosched()
	thread.GiveWay()
}
