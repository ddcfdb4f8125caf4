package slot

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"unsafe"
)

func bytesOf(a *Arena) []byte { return unsafe.Slice((*byte)(a.Base()), a.Committed()) }

func isZero(b []byte) bool { return len(bytes.TrimLeft(b, "\x00")) == 0 }

func TestMappedArenaGrowsAndIsWrittenAndLeavesTheFileAlone(t *testing.T) {
	page := os.Getpagesize()
	content := bytes.Repeat([]byte("0123456789abcdef"), 3*page/16)
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Reserve(64 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	switch err := a.Map(f.Fd(), int64(page), uintptr(2*page)); {
	case errors.Is(err, errors.ErrUnsupported) && runtime.GOOS == "windows":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	f.Close()
	want := content[page:]
	if !bytes.Equal(bytesOf(a), want) {
		t.Fatal("the arena does not hold the file's bytes")
	}
	bytesOf(a)[5] = 'x'
	for _, n := range []uintptr{uintptr(2*page) + 1, 100_000, 5 << 20} {
		if err := a.Grow(n); err != nil {
			t.Fatal(err)
		}
		b := bytesOf(a)
		if b[5] != 'x' || !bytes.Equal(b[6:2*page], want[6:]) || !isZero(b[2*page:]) {
			t.Fatalf("grown to %d: bytes have changed", n)
		}
	}
	bytesOf(a)[4<<20] = 1
	if b, err := os.ReadFile(name); err != nil || !bytes.Equal(b, content) {
		t.Fatalf("the file has changed: %v", err)
	}
	a.Zero()
	if !isZero(bytesOf(a)) {
		t.Fatal("not zero after Zero")
	}
	if err := a.Map(f.Fd(), 0, uintptr(page)); !errors.Is(err, errors.ErrUnsupported) {
		t.Fatalf("mapped twice: %v", err)
	}
}

func TestMapRefusesWhatIsNotWholePages(t *testing.T) {
	a, err := Reserve(64 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for _, c := range [][2]uintptr{{1, 1 << 16}, {0, 100}} {
		if err := a.Map(0, int64(c[0]), c[1]); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%v: %v", c, err)
		}
	}
	if err := a.Map(0, 0, 1<<62); !errors.Is(err, ErrFull) && !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("too large: %v", err)
	}
}

func TestArenaOnDisk(t *testing.T) {
	dir := t.TempDir()
	a, err := ReserveFile(dir, 64<<20)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 0 {
		t.Fatalf("left in the folder: %v %v", names, err)
	}
	for range 2 {
		for n := uintptr(1); n < 30<<20; n = n*3 + 7 {
			if err := a.Grow(n); err != nil {
				t.Fatal(err)
			}
			b := bytesOf(a)
			if uintptr(len(b)) < n || b[n-1] != 0 {
				t.Fatalf("grown to %d, asked for %d", len(b), n)
			}
			b[n-1] = 7
			if b[0] != 7 {
				t.Fatal("growing has lost a byte")
			}
		}
		a.Zero()
		if a.Committed() != 0 {
			t.Fatalf("%d bytes after Zero", a.Committed())
		}
	}
	if err := a.Grow(a.Max() + 1); !errors.Is(err, ErrFull) {
		t.Fatalf("beyond its end: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReserveFile(filepath.Join(file, "below"), 1<<20); err == nil {
		t.Error("a file is taken for a folder")
	}
}
