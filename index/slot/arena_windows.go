package slot

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

func commit(base unsafe.Pointer, from, to uintptr) error {
	_, err := windows.VirtualAlloc(uintptr(base)+from, to-from, windows.MEM_COMMIT, windows.PAGE_READWRITE)
	return err
}

func discard(base unsafe.Pointer, n uintptr) { clear(unsafe.Slice((*byte)(base), n)) }

func release(base unsafe.Pointer, _ uintptr) error {
	return windows.VirtualFree(uintptr(base), 0, windows.MEM_RELEASE)
}

func memory() uint64 { return 0 }

func adviseHuge([]byte) {}

func collapse([]byte) {}
