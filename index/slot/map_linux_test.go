package slot

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A write to a hole of a mapped file on a full disk would end the process. The
// limit on a file's size is a full disk that every test can have.
func TestFullDiskIsAnError(t *testing.T) {
	a, err := ReserveFile(t.TempDir(), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.Grow(1 << 20); err != nil {
		t.Fatal(err)
	}
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 2 << 20, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	err = a.Grow(100 << 20)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, ErrFull) || !errors.Is(err, unix.EFBIG) {
		t.Fatalf("no room: %v", err)
	}
	clear(bytesOf(a)) // what there was is still there to be written
	if err := a.Grow(50 << 20); err != nil {
		t.Fatalf("with room again: %v", err)
	}
	clear(bytesOf(a))
	var st unix.Stat_t
	if err := unix.Fstat(int(a.file.Fd()), &st); err != nil || st.Blocks*512 < 50<<20 {
		t.Fatalf("%d bytes are allocated: %v", st.Blocks*512, err)
	}
}

func TestFillAllocates(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := fill(f, 100, 200_000); err != nil {
		t.Fatal(err)
	}
	if st, err := f.Stat(); err != nil || st.Size() != 200_100 {
		t.Fatalf("%v %v", st.Size(), err)
	}
}
