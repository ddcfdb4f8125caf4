package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// TestBothFileSystemsBehaveAlike runs one script on OS and on Mem.
func TestBothFileSystemsBehaveAlike(t *testing.T) {
	run := func(f FS, root string) func(*testing.T) {
		return func(t *testing.T) {
			dir := filepath.Join(root, "a", "b")
			name := filepath.Join(dir, "x")
			if err := f.MkdirAll(dir); err != nil {
				t.Fatal(err)
			}
			if err := f.MkdirAll(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Open(name); !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("Open of nothing: %v", err)
			}
			if _, err := f.Stat(name); !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("Stat of nothing: %v", err)
			}
			if err := f.Remove(name); !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("Remove of nothing: %v", err)
			}
			if err := f.Rename(name, name+"2"); !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("Rename of nothing: %v", err)
			}
			w := must[File](t)(f.Create(name))
			must[int](t)(w.Write([]byte("hello, ")))
			must[int](t)(w.Write([]byte("world")))
			check(t, w.Sync())
			check(t, w.Close())
			w = must[File](t)(f.OpenAppend(name))
			must[int](t)(w.Write([]byte("!!")))
			check(t, w.Truncate(13))
			must[int](t)(w.Write([]byte("?")))
			if n, err := w.Size(); n != 14 || err != nil {
				t.Fatal(n, err)
			}
			check(t, w.Close())
			if _, err := w.Write([]byte("x")); err == nil {
				t.Fatal("write to a closed file")
			}
			r := must[File](t)(f.Open(name))
			if b := must[[]byte](t)(io.ReadAll(r)); string(b) != "hello, world!?" {
				t.Fatalf("%q", b)
			}
			var at [5]byte
			if n, err := r.ReadAt(at[:], 7); n != 5 || err != nil || string(at[:]) != "world" {
				t.Fatal(n, err)
			}
			if n, err := r.ReadAt(at[:], 12); n != 2 || err != io.EOF {
				t.Fatal(n, err)
			}
			if _, err := r.Write([]byte("x")); err == nil {
				t.Fatal("write to a file opened for reading")
			}
			check(t, r.Close())
			other := filepath.Join(dir, "y")
			check(t, must[File](t)(f.Create(other)).Close())
			check(t, f.Rename(name, other))
			check(t, f.SyncDir(dir))
			if l := must[[]string](t)(f.List(dir)); !slices.Equal(l, []string{"y"}) {
				t.Fatal(l)
			}
			if i := must[Info](t)(f.Stat(other)); i.Size != 14 || i.Dir {
				t.Fatalf("%+v", i)
			}
			if i := must[Info](t)(f.Stat(dir)); !i.Dir {
				t.Fatalf("%+v", i)
			}
			check(t, f.Remove(other))
			lock := filepath.Join(dir, "lock")
			l := must[io.Closer](t)(f.Lock(lock))
			if _, err := f.Lock(lock); !errors.Is(err, ErrLocked) {
				t.Fatalf("second Lock: %v", err)
			}
			check(t, l.Close())
			check(t, must[io.Closer](t)(f.Lock(lock)).Close())
		}
	}
	t.Run("os", run(OS, t.TempDir()))
	t.Run("mem", run(NewMem(), "/data"))
}

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		check(t, err)
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, f FS, name string) []byte {
	t.Helper()
	r, err := f.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	check(t, err)
	defer r.Close()
	return must[[]byte](t)(io.ReadAll(r))
}

// TestCrashKeepsWhatWasSynced makes many crashes of one history: the synced part is always there, the rest in every
// way that a disk allows.
func TestCrashKeepsWhatWasSynced(t *testing.T) {
	m := NewMem()
	f := must[File](t)(m.Create("a"))
	synced := bytes.Repeat([]byte("s"), 700)
	must[int](t)(f.Write(synced))
	check(t, f.Sync())
	check(t, m.SyncDir("."))
	all := slices.Concat(synced, bytes.Repeat([]byte("u"), 2000))
	must[int](t)(f.Write(all[700:]))
	check(t, must[File](t)(m.Create("unsynced")).Close())

	rng := rand.New(rand.NewPCG(1, 2))
	var none, whole, torn, hole, named int
	for range 500 {
		c := m.CrashClone(rng)
		b := content(t, c, "a")
		if !bytes.HasPrefix(b, synced) || len(b) > len(all) {
			t.Fatalf("synced bytes are gone: %d", len(b))
		}
		for i, x := range b {
			if x != all[i] && x != 0 {
				t.Fatalf("byte %d is %q", i, x)
			}
		}
		switch {
		case len(b) == 700:
			none++
		case bytes.Equal(b, all):
			whole++
		case bytes.IndexByte(b, 0) >= 0:
			hole++
		default:
			torn++
			if len(b)%sector != 0 {
				t.Fatalf("torn inside a sector: %d", len(b))
			}
		}
		if _, err := c.Stat("unsynced"); err == nil {
			named++
		}
	}
	if none == 0 || whole == 0 || torn == 0 || hole == 0 || named == 0 || named == 500 {
		t.Fatalf("a kind of crash is missing: none %d whole %d torn %d hole %d named %d", none, whole, torn, hole, named)
	}
}

// TestCrashLosesNamesWithoutSyncDir: a synced file in an unsynced folder may be gone, and a rename is all or nothing.
func TestCrashLosesNamesWithoutSyncDir(t *testing.T) {
	m := NewMem()
	write := func(name, text string) {
		f := must[File](t)(m.Create(name))
		must[int](t)(f.Write([]byte(text)))
		check(t, f.Sync())
		check(t, f.Close())
	}
	write("manifest", "old")
	check(t, m.SyncDir("."))
	write("tmp", "new")
	check(t, m.Rename("tmp", "manifest"))
	seen := map[string]int{}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		seen[string(content(t, m.CrashClone(rng), "manifest"))]++
	}
	if len(seen) != 2 || seen["old"] == 0 || seen["new"] == 0 {
		t.Fatal(seen)
	}
	check(t, m.SyncDir("."))
	for range 50 {
		if b := content(t, m.CrashClone(rng), "manifest"); string(b) != "new" {
			t.Fatalf("%q after SyncDir", b)
		}
	}
}

// TestSecondSyncDoesNotSaveWhatTheFirstLost is the behaviour of Linux that makes a failed fsync final.
func TestSecondSyncDoesNotSaveWhatTheFirstLost(t *testing.T) {
	m := NewMem()
	f := must[File](t)(m.Create("a"))
	check(t, m.SyncDir("."))
	must[int](t)(f.Write([]byte("lost")))
	boom := errors.New("boom")
	m.Inject(FailKind(OpSync, 1, boom))
	if err := f.Sync(); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	check(t, f.Sync())
	rng := rand.New(rand.NewPCG(5, 6))
	lost := 0
	for range 100 {
		if len(content(t, m.CrashClone(rng), "a")) == 0 {
			lost++
		}
	}
	if lost == 0 {
		t.Fatal("a failed sync lost nothing")
	}
	if b := content(t, m, "a"); string(b) != "lost" {
		t.Fatalf("%q: the page cache still shows it", b)
	}
}

func TestInjectedFaults(t *testing.T) {
	m := NewMem()
	f := must[File](t)(m.Create("a"))
	m.Inject(FailKind(OpWrite, 2, &ShortWrite{Written: 3, Err: syscall.EIO}))
	must[int](t)(f.Write([]byte("0123")))
	if n, err := f.Write([]byte("4567")); n != 3 || !errors.Is(err, syscall.EIO) {
		t.Fatal(n, err)
	}
	m.Inject(nil)
	m.SetCapacity(10)
	if n, err := f.Write([]byte("789abc")); n != 3 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(n, err)
	}
	if b := content(t, m, "a"); string(b) != "0123456789" {
		t.Fatalf("%q", b)
	}
	m.Inject(CutAfter(m.Ops()))
	if _, err := m.Create("b"); !errors.Is(err, ErrPowerCut) {
		t.Fatal(err)
	}
	if err := f.Sync(); !errors.Is(err, ErrPowerCut) {
		t.Fatal(err)
	}
}

// TestSameSeedSameCrash: a failure that a seed found can be found again.
func TestSameSeedSameCrash(t *testing.T) {
	m := NewMem()
	for i := range 5 {
		f := must[File](t)(m.Create(fmt.Sprint(i)))
		must[int](t)(f.Write(bytes.Repeat([]byte{byte(i + 1)}, 3000)))
	}
	digest := func() string {
		c := m.CrashClone(rand.New(rand.NewPCG(9, 9)))
		var s string
		for _, n := range must[[]string](t)(c.List(".")) {
			s += fmt.Sprintf("%s=%x ", n, content(t, c, n))
		}
		return s
	}
	want := digest()
	for range 20 {
		if got := digest(); got != want {
			t.Fatal("two crashes of one seed differ")
		}
	}
}

// TestLostBytesDoNotOverwriteLaterOnes: what a failed sync lost is gone once the file was emptied and synced.
func TestLostBytesDoNotOverwriteLaterOnes(t *testing.T) {
	m := NewMem()
	f := must[File](t)(m.Create("a"))
	must[int](t)(f.Write([]byte("lost")))
	m.Inject(FailKind(OpSync, 1, errors.New("boom")))
	if f.Sync() == nil {
		t.Fatal("no error")
	}
	f = must[File](t)(m.Create("a"))
	must[int](t)(f.Write([]byte("kept")))
	check(t, f.Sync())
	check(t, m.SyncDir("."))
	rng := rand.New(rand.NewPCG(7, 8))
	for range 50 {
		if b := content(t, m.CrashClone(rng), "a"); string(b) != "kept" {
			t.Fatalf("%q", b)
		}
	}
}
