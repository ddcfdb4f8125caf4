//go:build !linux

package server

import "runtime"

// yield lets other goroutines run first.
func yield() { runtime.Gosched() }
