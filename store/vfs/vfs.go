package vfs

import (
	"errors"
	"io"
	"time"
)

// ErrLocked is returned by Lock when somebody else holds the lock.
var ErrLocked = errors.New("locked by another process")

// FS is a file system. Errors about missing names satisfy errors.Is(err, fs.ErrNotExist).
type FS interface {
	// Create makes a file, or empties the one that is there, and opens it for reading and writing.
	Create(name string) (File, error)
	// Open opens a file for reading.
	Open(name string) (File, error)
	// OpenAppend opens a file for reading and for writing at its end; it makes the file when there is none.
	OpenAppend(name string) (File, error)
	// Rename gives a file a new name in the same folder; what had that name before is replaced, atomically.
	Rename(from, to string) error
	// Remove deletes a file.
	Remove(name string) error
	// MkdirAll makes a folder and those above it; an existing one is no error.
	MkdirAll(dir string) error
	// List returns the names in a folder, sorted, without their folder.
	List(dir string) ([]string, error)
	// SyncDir makes the names in a folder durable: created, renamed and removed files.
	SyncDir(dir string) error
	// Stat tells about a file or a folder.
	Stat(name string) (Info, error)
	// Lock takes a lock that ends with the process, or ErrLocked. It makes the file, and leaves it there.
	Lock(name string) (io.Closer, error)
}

// Space is implemented by file systems that know how much room is left.
type Space interface {
	// Free is how many bytes may be written to files of a folder.
	Free(dir string) (int64, error)
}

// allocator is implemented by files that can have room made for them without being written.
type allocator interface{ allocate(size int64) error }

// Allocate makes a new file take size bytes of its disk, with zeros.
func Allocate(f File, size int64) error {
	if a, ok := f.(allocator); ok {
		if err := a.allocate(size); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	zeros := make([]byte, min(size, 1<<20))
	for size > 0 {
		n, err := f.Write(zeros[:min(size, int64(len(zeros)))])
		if err != nil {
			return err
		}
		size -= int64(n)
	}
	return f.Sync()
}

// File is an open file.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.Closer
	// Sync makes the file's bytes durable, not its name: see [FS.SyncDir]. After an error the file must not be
	// trusted again; a second Sync may succeed without the bytes that the first one lost.
	Sync() error
	// Truncate cuts the file to size bytes.
	Truncate(size int64) error
	// Size returns the length in bytes.
	Size() (int64, error)
	// Name returns the name that the file was opened with.
	Name() string
}

// Info is what Stat tells.
type Info struct {
	Size    int64
	ModTime time.Time
	Dir     bool
}
