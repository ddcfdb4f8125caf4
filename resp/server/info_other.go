//go:build !linux

package server

import "runtime"

// residentBytes is what Go has taken from the system: elsewhere than on Linux
// the resident part of it is not known.
func residentBytes() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys - m.HeapReleased)
}

func systemMemory() int64 { return 0 }

func cpuSeconds() (user, sys float64) { return 0, 0 }

func osName() string { return runtime.GOOS }
