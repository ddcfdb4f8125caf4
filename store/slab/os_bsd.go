//go:build unix && !linux

package slab

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const mapNoReserve = 0 // what is without access is not counted

func hugePages() bool { return false }

func physicalMemory() int { return 0 }

func adviseHuge(unsafe.Pointer, uintptr) {}

func adviseSmall(unsafe.Pointer, uintptr) {}

// discard lets the system take n bytes of memory when it needs some. They stay usable.
func discard(p unsafe.Pointer, n uintptr) {
	_ = unix.Madvise(unsafe.Slice((*byte)(p), n), unix.MADV_FREE)
}
