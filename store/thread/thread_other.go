//go:build !linux

package thread

import (
	"runtime"
	"time"
)

// GiveWay lets other goroutines run first.
func GiveWay() { runtime.Gosched() }

// Shorten does nothing, nor do Lower and Rests: threads have no turns and no priority of their own here.
func Shorten(time.Duration) {}

// Lower does nothing.
func Lower() {}

// Rests gives a function that does nothing.
func Rests() (rest func()) { return func() {} }
