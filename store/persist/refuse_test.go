package persist

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nearcache/nearcache/store/vfs"
)

// TestRefusalsSayWhatToDo: whatever a folder is refused for, the error names the file and what to do.
func TestRefusalsSayWhatToDo(t *testing.T) {
	t.Parallel()
	fresh := func() *vfs.Mem {
		fsys := vfs.NewMem()
		l, _, _ := mustOpen(t, fsys, Options{Fsync: Always})
		check(t, l.Wait(l.Append(set("k", "v"))))
		check(t, l.Close())
		return fsys
	}
	const file = testDir + "/nearcache-00000001.log"
	refused := func(fsys *vfs.Mem, is error, words ...string) {
		t.Helper()
		before, err := fsys.List(testDir)
		check(t, err)
		_, _, err = Open(fsys, testDir, Options{}, func(Record) error { return nil })
		for _, w := range words {
			if !errors.Is(err, is) || !strings.Contains(err.Error(), w) {
				t.Errorf("%v, want %q", err, w)
			}
		}
		if after, err := fsys.List(testDir); err != nil || len(after) != len(before) {
			t.Errorf("%v became %v, %v", before, after, err)
		}
	}
	fails := func(k vfs.Kind, err error) *vfs.Mem {
		fsys := fresh()
		fsys.Inject(func(op vfs.Op) error {
			if op.Kind == k {
				return &fs.PathError{Op: string(k), Path: op.Name, Err: err}
			}
			return nil
		})
		return fsys
	}
	refused(fails(vfs.OpLock, syscall.EACCES), fs.ErrPermission, "nearcache.lock", "must be allowed to read and write all of "+testDir)
	refused(fails(vfs.OpOpen, syscall.EACCES), fs.ErrPermission, "must be allowed")
	refused(fails(vfs.OpLock, syscall.EROFS), syscall.EROFS, "nearcache.lock", "for writing")
	refused(fails(vfs.OpOpenAppend, syscall.ENOSPC), syscall.ENOSPC, file, "make room on the disk of "+testDir)

	held := fresh()
	lock, err := held.Lock(testDir + "/nearcache.lock")
	check(t, err)
	refused(held, vfs.ErrLocked, "nearcache.lock", "a folder of its own")
	check(t, lock.Close())

	// A file of a newer program is not damage: neither Check nor Repair takes it for that.
	log := readAll(t, fresh(), file)
	header := append([]byte(nil), log...)
	binary.LittleEndian.PutUint32(header[8:], version+1)
	binary.LittleEndian.PutUint32(header[32:], crc32.Checksum(header[:32], castagnoli))
	record := append([]byte(nil), log...)
	end := headerSize
	for range 2 { // the record, and maybe a mark before it
		if record[end+16] == typeCommit {
			break
		}
		end += markSize
	}
	size := frameHead + int(binary.LittleEndian.Uint32(record[end+4:]))
	record[end+16] = 0x21
	binary.LittleEndian.PutUint32(record[end:], crc32.Update(seedOf(binary.LittleEndian.Uint64(record[16:])), castagnoli, record[end+4:end+size]))
	manifest := []byte(strings.Replace(string(readAll(t, fresh(), testDir+"/"+manifestName)), "manifest 1", "manifest 2", 1))
	for _, x := range []struct {
		name string
		b    []byte
	}{{filepath.Base(file), header}, {filepath.Base(file), record}, {manifestName, manifest}} {
		fsys := fresh()
		check(t, writeFile(fsys, testDir+"/"+x.name, x.b))
		refused(fsys, ErrVersion, x.name, "use the program that wrote "+testDir)
		_, err := Check(fsys, testDir)
		_, rerr := Repair(fsys, testDir, time.Unix(0, 0))
		for _, err := range []error{err, rerr} {
			if !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "use the program that wrote") {
				t.Errorf("%s: %v", x.name, err)
			}
		}
	}

	// A folder whose manifest cannot be asked for is not an empty one.
	if !Exists(fails(vfs.OpStat, syscall.EACCES), testDir) || Exists(vfs.NewMem(), testDir) {
		t.Error("Exists")
	}
}
