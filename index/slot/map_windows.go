package slot

import (
	"errors"
	"os"
	"unsafe"
)

// No view of a file can be put into the middle of reserved address space here.

func mapFile(unsafe.Pointer, uintptr, uintptr, int64, bool) error { return errors.ErrUnsupported }

func mapZero(unsafe.Pointer, uintptr) error { return errors.ErrUnsupported }

func unmap(unsafe.Pointer, uintptr) error { return errors.ErrUnsupported }

func anonymousFile(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func allocate(*os.File, int64, int64) error { return errors.ErrUnsupported }

func want(unsafe.Pointer, uintptr) {}
