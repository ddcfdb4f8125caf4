package store

import "time"

// Clock tells the time in Unix milliseconds. Tests give one they control.
type Clock func() int64

// SystemClock is the machine's clock.
func SystemClock() int64 { return time.Now().UnixMilli() }
