package slab

import (
	"bytes"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

const mapNoReserve = unix.MAP_NORESERVE

// hugePages says whether the system gives huge pages to who asks for them.
func hugePages() bool {
	b, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled")
	return err == nil && !bytes.Contains(b, []byte("[never]"))
}

func adviseHuge(p unsafe.Pointer, n uintptr) { advise(p, n, unix.MADV_HUGEPAGE) }

func adviseSmall(p unsafe.Pointer, n uintptr) { advise(p, n, unix.MADV_NOHUGEPAGE) }

// discard gives n bytes of memory back to the system. They stay usable.
func discard(p unsafe.Pointer, n uintptr) { advise(p, n, unix.MADV_DONTNEED) }

// advise ignores errors: a kernel may not know the advice, or have no room to
// remember it; nothing depends on it.
func advise(p unsafe.Pointer, n uintptr, advice int) {
	_ = unix.Madvise(unsafe.Slice((*byte)(p), n), advice)
}

// physicalMemory is what the machine has in bytes, 0 where that is not known.
func physicalMemory() int {
	var i unix.Sysinfo_t
	if unix.Sysinfo(&i) != nil {
		return 0
	}
	return int(uint64(i.Totalram) * uint64(i.Unit))
}
