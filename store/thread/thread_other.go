//go:build !linux

package thread

import (
	"runtime"
	"time"
)

// GiveWay lets other goroutines run first.
func GiveWay() { runtime.Gosched() }

// Lower does nothing, nor does Rests: threads have no priority of their own here.
func Lower(time.Duration) {}

// Rests gives a function that does nothing.
func Rests() (rest func()) { return func() {} }
