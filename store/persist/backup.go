package persist

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/nearcache/nearcache/store/vfs"
)

// Backup copies a data folder, which may be in use, to another, which is new or empty: a folder that
// Open loads, with all that was on disk when Backup began. Rewrites that replace files meanwhile make it begin
// again.
func Backup(fsys vfs.FS, from, to string) (CheckReport, error) {
	if err := makeDir(fsys, to); err != nil {
		return CheckReport{}, err
	}
	if names, err := fsys.List(to); err != nil || len(names) > 0 {
		return CheckReport{}, errors.Join(err, fmt.Errorf("%s is not empty", to))
	}
	for tries := 0; ; tries++ {
		err := copyFolder(fsys, from, to)
		if err == nil {
			return Check(fsys, to)
		}
		if !isNotExist(err) || tries == 10 {
			return CheckReport{}, refused(from, err)
		}
		if names, lerr := fsys.List(to); lerr == nil { // of the manifest that is no more
			for _, n := range names {
				_ = fsys.Remove(filepath.Join(to, n))
			}
		}
	}
}

func copyFolder(fsys vfs.FS, from, to string) error {
	segs, err := readManifest(fsys, from)
	if err != nil {
		return err
	}
	for i := range segs {
		s := &segs[i]
		name := filepath.Join(from, s.name())
		size := s.size
		if size == openEnd {
			fi, err := fsys.Stat(name)
			if err != nil {
				return err
			}
			size = fi.Size
		}
		if err := copyFile(fsys, name, filepath.Join(to, s.name()), size); err != nil {
			return err
		}
	}
	if err := fsys.SyncDir(to); err != nil {
		return err
	}
	return writeManifest(fsys, to, segs)
}
