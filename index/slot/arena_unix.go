//go:build unix

package slot

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// reserve maps n bytes of address space without access, aligned to a huge page.
func reserve(n uintptr) (unsafe.Pointer, error) {
	p, err := unix.MmapPtr(-1, 0, nil, n+hugePage, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, err
	}
	head := -uintptr(p) & (hugePage - 1)
	if head > 0 {
		if err := unix.MunmapPtr(p, head); err != nil {
			return nil, err
		}
	}
	base := unsafe.Add(p, head)
	if tail := hugePage - head; tail > 0 {
		if err := unix.MunmapPtr(unsafe.Add(base, n), tail); err != nil {
			return nil, err
		}
	}
	return base, nil
}

// commit makes bytes from to to of the mapping usable.
func commit(base unsafe.Pointer, from, to uintptr) error {
	return unix.Mprotect(unsafe.Slice((*byte)(unsafe.Add(base, from)), to-from), unix.PROT_READ|unix.PROT_WRITE)
}

func discard(base unsafe.Pointer, n uintptr) {
	if n > 0 && !zeroByDiscard(unsafe.Slice((*byte)(base), n)) {
		clear(unsafe.Slice((*byte)(base), n))
	}
}

func release(base unsafe.Pointer, n uintptr) error { return unix.MunmapPtr(base, n) }
