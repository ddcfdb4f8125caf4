//go:build !linux

package store

import "runtime"

func shortTurns() (end func()) { return func() {} }

// giveWay lets other goroutines run first.
func giveWay() { runtime.Gosched() }
