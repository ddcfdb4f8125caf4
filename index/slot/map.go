package slot

import (
	"errors"
	"os"
)

// Map makes an empty arena begin with n bytes of an open file, from off on: a
// private copy, whose pages are read when they are touched and become memory
// of their own when they are written. Behind them the arena grows as any
// other. The file may be closed; its content must not change as long as the
// arena is open. off and n are multiples of the machine's page size, and the
// file is as long as that. [errors.ErrUnsupported]: nothing has happened, the
// bytes have to be read.
func (a *Arena) Map(fd uintptr, off int64, n uintptr) error {
	page := uintptr(os.Getpagesize())
	if a.heap != nil || a.file != nil || a.Committed() != 0 || uintptr(off)%page != 0 || n%page != 0 {
		return errors.ErrUnsupported
	}
	if n > a.reserved {
		return ErrFull
	}
	if n == 0 {
		return nil
	}
	if err := mapFile(a.base, n, fd, off, false); err != nil {
		return err
	}
	a.mapped = n
	a.committed.Store(n)
	return nil
}

// diskStep is the least that an arena on disk grows by.
const diskStep = 1 << 20

// ReserveFile makes an arena like [Reserve] whose bytes lie in a file in dir,
// without a name there, so that it goes with the process. The system keeps in
// memory what is used, and writes back and drops the rest when memory is
// wanted. Space on the disk is allocated before it is used: a full disk is
// ErrFull from Grow. An empty dir is [os.TempDir].
func ReserveFile(dir string, max uintptr) (*Arena, error) {
	a, err := Reserve(max)
	if err != nil || a.heap != nil {
		return a, err
	}
	if a.file, err = anonymousFile(dir); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// OnDisk reports whether the arena's bytes lie in a file.
func (a *Arena) OnDisk() bool { return a.file != nil }

func (a *Arena) growFile(c, n uintptr) error {
	want := min(roundUp(max(n, c+c/8), diskStep), a.reserved)
	if err := allocate(a.file, int64(c), int64(want-c)); err != nil {
		return errors.Join(ErrFull, err)
	}
	if err := mapFile(at(a.base, c), want-c, a.file.Fd(), int64(c), true); err != nil {
		return errors.Join(ErrFull, err)
	}
	a.committed.Store(want)
	return nil
}

// zeroFile gives the disk's space back. What is used next is allocated anew.
func (a *Arena) zeroFile(c uintptr) error {
	if err := unmap(a.base, c); err != nil {
		return err
	}
	a.committed.Store(0)
	return a.file.Truncate(0)
}

// Want asks for bytes of an arena on disk that are about to be read, without
// waiting for them.
func (a *Arena) Want(off, n uintptr) {
	if a.file != nil {
		page := uintptr(os.Getpagesize())
		from := off / page * page
		want(at(a.base, from), min(roundUp(off+n, page), a.Committed())-from)
	}
}
