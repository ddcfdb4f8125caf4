package store

import (
	"time"

	"golang.org/x/sys/unix"
)

// rest sleeps, for times that timers of the runtime round up to a millisecond.
func rest(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil) // a signal makes it shorter
}
