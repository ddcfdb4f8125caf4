//go:build !linux

package thread

import "runtime"

// GiveWay lets other goroutines run first.
func GiveWay() { runtime.Gosched() }

// ShortTurns does nothing: turns are as long as the system makes them.
func ShortTurns() (end func()) { return func() {} }

// Lower does nothing, nor does rest: threads have no priority of their own here.
func Lower() (rest func()) { return func() {} }
