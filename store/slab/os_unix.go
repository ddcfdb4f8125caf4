//go:build unix

package slab

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// reserve maps n bytes of address space without access, aligned to a huge page.
func reserve(n uintptr) (unsafe.Pointer, error) {
	p, err := unix.MmapPtr(-1, 0, nil, n+chunkSize, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|mapNoReserve)
	if err != nil {
		return nil, err
	}
	head := -uintptr(p) & (chunkSize - 1)
	base := unsafe.Add(p, head)
	if head > 0 {
		_ = unix.MunmapPtr(p, head)
	}
	if tail := chunkSize - head; tail > 0 {
		_ = unix.MunmapPtr(unsafe.Add(base, n), tail)
	}
	return base, nil
}

// commit makes n bytes usable.
func commit(p unsafe.Pointer, n uintptr) error {
	return unix.Mprotect(unsafe.Slice((*byte)(p), n), unix.PROT_READ|unix.PROT_WRITE)
}

func release(p unsafe.Pointer, n uintptr) { _ = unix.MunmapPtr(p, n) }
