package vfs

import (
	"os"
	"syscall"
)

// allocate implements allocator.
func (f osFile) allocate(size int64) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var aerr error
	if err := c.Control(func(fd uintptr) {
		for {
			if aerr = syscall.Fallocate(int(fd), 0, 0, size); aerr != syscall.EINTR {
				return
			}
		}
	}); err != nil {
		return err
	}
	if aerr != nil { // EOPNOTSUPP is errors.ErrUnsupported
		return &os.PathError{Op: "fallocate", Path: f.Name(), Err: aerr}
	}
	return nil
}

// syncFile uses fdatasync: bytes and length, not the time of the last change.
func syncFile(f *os.File) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	if err := c.Control(func(fd uintptr) {
		for {
			if serr = syscall.Fdatasync(int(fd)); serr != syscall.EINTR {
				return
			}
		}
	}); err != nil {
		return err
	}
	if serr != nil {
		return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: serr}
	}
	return nil
}
