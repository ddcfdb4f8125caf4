package slot

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// adviseHuge asks for huge pages. A kernel without them refuses, which is as well.
func adviseHuge(b []byte) { _ = unix.Madvise(b, unix.MADV_HUGEPAGE) }

// collapse makes a huge page of small ones that are in use already. A kernel
// before 6.1 cannot at once, and does it when it finds the time.
func collapse(b []byte) {
	if !hugeNever() {
		_ = unix.Madvise(b, unix.MADV_COLLAPSE)
	}
}

// hugeNever: the machine's owner wants no huge pages. Advice does not ask for
// more than that allows, but MADV_COLLAPSE would.
var hugeNever = sync.OnceValue(func() bool {
	b, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled")
	return err != nil || bytes.Contains(b, []byte("[never]"))
})

// zeroByDiscard drops the pages; on Linux they read as zero afterwards.
func zeroByDiscard(b []byte) bool { return unix.Madvise(b, unix.MADV_DONTNEED) == nil }

// memory is the machine's.
func memory() uint64 {
	var si syscall.Sysinfo_t
	if syscall.Sysinfo(&si) != nil {
		return 0
	}
	return uint64(si.Totalram) * uint64(si.Unit)
}

// allocate makes the disk hold n more bytes of the file.
func allocate(f *os.File, off, n int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, off, n)
		switch {
		case err == nil:
			return nil
		case err == unix.EINTR:
			continue
		case errors.Is(err, errors.ErrUnsupported):
			return fill(f, off, n)
		}
		return &os.PathError{Op: "fallocate", Path: f.Name(), Err: err}
	}
}
