package slab

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

func reserve(n uintptr) (unsafe.Pointer, error) {
	p, err := windows.VirtualAlloc(0, n, windows.MEM_RESERVE, windows.PAGE_NOACCESS)
	if err != nil {
		return nil, err
	}
	return *(*unsafe.Pointer)(unsafe.Pointer(&p)), nil
}

func commit(p unsafe.Pointer, n uintptr) error {
	_, err := windows.VirtualAlloc(uintptr(p), n, windows.MEM_COMMIT, windows.PAGE_READWRITE)
	return err
}

func release(p unsafe.Pointer, _ uintptr) {
	_ = windows.VirtualFree(uintptr(p), 0, windows.MEM_RELEASE)
}

func hugePages() bool { return false }

func physicalMemory() int { return 0 }

func adviseHuge(unsafe.Pointer, uintptr) {}

func adviseSmall(unsafe.Pointer, uintptr) {}

// discard gives n bytes of memory back to the system, for as long as they are
// not used.
func discard(p unsafe.Pointer, n uintptr) {
	const reset = 0x80000 // MEM_RESET: the content is of no interest any more
	_, _ = windows.VirtualAlloc(uintptr(p), n, reset, windows.PAGE_READWRITE)
}
