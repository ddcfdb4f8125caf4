package slot

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

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

// A page becomes part of a huge one while it is read and written.
func TestFullPagesBecomeHugeOnesInUse(t *testing.T) {
	a, err := Reserve(1 << 30)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	const size = 40 << 20 // through all ways of growing
	words := unsafe.Slice((*uint64)(a.Base()), size/8)
	var upTo atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := upTo.Load(); n < size/8; n = upTo.Load() {
			for i := int64(0); i < n; i += 509 {
				if v := atomic.LoadUint64(&words[i]); v != uint64(i)+1 {
					t.Errorf("word %d is %d", i, v)
					return
				}
			}
		}
	})
	for i := range words {
		if err := a.Grow(uintptr(8 * (i + 1))); err != nil {
			t.Fatal(err)
		}
		atomic.StoreUint64(&words[i], uint64(i)+1)
		upTo.Store(int64(i) + 1)
	}
	wg.Wait()
	if c := a.Committed(); c > size+size/8+hugePage {
		t.Errorf("%d bytes committed for %d", c, size)
	}
	for i := range words {
		if words[i] != uint64(i)+1 {
			t.Fatalf("word %d is %d", i, words[i])
		}
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
