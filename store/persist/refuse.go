package persist

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/nearcache/nearcache/store/vfs"
)

// ErrVersion is wrapped by what is refused because a newer program has written it. It is not damage.
var ErrVersion = errors.New("this program does not know it")

// errCorrupt is what a [CorruptError] is.
var errCorrupt = errors.New("damaged")

// Is reports whether target is what all of these errors are.
func (e *CorruptError) Is(target error) bool { return target == errCorrupt }

// advice is what to do about a folder that is refused.
var advice = []struct {
	err error
	do  string // DIR is the folder
}{
	{vfs.ErrLocked, "end that process, or give this one a folder of its own"},
	{fs.ErrPermission, "whoever runs this must be allowed to read and write all of DIR"},
	{syscall.EROFS, "mount the disk of DIR for writing, or use a copy of it"},
	{syscall.ENOSPC, "make room on the disk of DIR; nothing in it is lost"},
	{syscall.ENOTDIR, "DIR is no folder: name one"},
	{ErrVersion, "use the program that wrote DIR, or a newer one"},
	{errCorrupt, "'nearcache check DIR' tells how much of it holds, and with --repair keeps that"},
}

// refused adds to why the folder dir cannot be used what to do about it.
func refused(dir string, err error) error {
	for _, a := range advice {
		if errors.Is(err, a.err) {
			return fmt.Errorf("%w; %s", err, strings.ReplaceAll(a.do, "DIR", dir))
		}
	}
	return err
}
