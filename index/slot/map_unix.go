//go:build unix

package slot

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapFile puts n bytes of a file at base: shared, or a private copy.
func mapFile(base unsafe.Pointer, n, fd uintptr, off int64, shared bool) error {
	flags := unix.MAP_PRIVATE
	if shared {
		flags = unix.MAP_SHARED
	}
	if _, err := unix.MmapPtr(int(fd), off, base, n, unix.PROT_READ|unix.PROT_WRITE, flags|unix.MAP_FIXED); err != nil {
		return err
	}
	if shared { // rows are asked for one by one; to read their neighbours with them is in vain
		_ = unix.Madvise(unsafe.Slice((*byte)(base), n), unix.MADV_RANDOM)
	}
	return nil
}

// mapZero puts n zero bytes at base, in place of what was mapped there.
func mapZero(base unsafe.Pointer, n uintptr) error {
	_, err := unix.MmapPtr(-1, 0, base, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED)
	return err
}

// unmap makes n bytes at base address space without access again.
func unmap(base unsafe.Pointer, n uintptr) error {
	if n == 0 {
		return nil
	}
	_, err := unix.MmapPtr(-1, 0, base, n, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED)
	return err
}

// anonymousFile makes a file that has no name, in dir, which is made if it is
// not there; empty is the system's folder for such files.
func anonymousFile(dir string) (*os.File, error) {
	if dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	f, err := os.CreateTemp(dir, "nearcache-vectors-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// fill writes zeros where a file system cannot allocate, so that the disk has
// a place for each page before it is mapped.
func fill(f *os.File, off, n int64) error {
	zeros := make([]byte, 64<<10)
	for n > 0 {
		m, err := f.WriteAt(zeros[:min(n, int64(len(zeros)))], off)
		if err != nil {
			return err
		}
		off, n = off+int64(m), n-int64(m)
	}
	return nil
}

// want begins to read pages of a file.
func want(base unsafe.Pointer, n uintptr) {
	_ = unix.Madvise(unsafe.Slice((*byte)(base), n), unix.MADV_WILLNEED)
}
