package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/store/vfs"
)

// startOn starts a server whose data folder is on fsys. end stops it, and returns the error of Run.
func startOn(t *testing.T, fsys vfs.FS, flags ...string) (s *Server, end func() error) {
	t.Helper()
	cfg, err := LoadConfig(append([]string{"--port", "0", "--bind", "127.0.0.1", "--dir", "/data"}, flags...), nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Files = fsys
	cfg.SetLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))
	s = New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	end = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { _ = end() })
	select {
	case <-s.Ready():
	case err := <-done:
		done <- err
		return nil, end
	}
	return s, end
}

// numberOf is a number in the environment, or what a test takes without it.
func numberOf(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// TestPowerCutsWhileServing cuts the power at random operations of a whole server, while clients write, the log is
// rewritten and graphs are saved: what was acknowledged is there, and the server starts. NEARCACHE_CUTS says how often.
func TestPowerCutsWhileServing(t *testing.T) {
	t.Parallel()
	cuts := numberOf("NEARCACHE_CUTS", 60)
	if testing.Short() {
		cuts = 10
	}
	const writers, writes, keys = 2, 30, 8
	run := func(fsys *vfs.Mem, seed uint64) (acked, tried [writers][keys]int) {
		s, end := startOn(t, fsys, "--appendfsync", "always")
		if s == nil {
			return acked, tried
		}
		dialled := func() *client.Conn {
			c, err := client.Dial(context.Background(), s.Addr(), client.Options{Proto: 2})
			if err != nil {
				return nil
			}
			return c
		}
		var wg sync.WaitGroup
		for w := range writers {
			c := dialled()
			rnd := rand.New(rand.NewPCG(seed, uint64(w)))
			wg.Go(func() {
				if c == nil {
					return
				}
				defer c.Close()
				for range writes {
					k := rnd.IntN(keys)
					tried[w][k]++
					n := tried[w][k]
					if _, err := c.Do("HSET", fmt.Sprintf("w%d:%d", w, k), "n", n, "v", blob(randomVector(rnd, 4))); err == nil {
						acked[w][k] = n
					}
				}
			})
		}
		if c := dialled(); c != nil {
			_, _ = c.Do("FT.CREATE", "ix", "SCHEMA", "v", "VECTOR", "HNSW", 6, "TYPE", "FLOAT32", "DIM", 4, "DISTANCE_METRIC", "L2")
			for range 3 {
				_, _ = c.Do("SAVE")
			}
			_ = c.Close()
		}
		wg.Wait()
		_ = end()
		return acked, tried
	}
	quiet := vfs.NewMem()
	run(quiet, 1)
	ops := quiet.Ops()
	rnd := rand.New(rand.NewPCG(uint64(cuts), 8))
	for i := range cuts {
		fsys := vfs.NewMem()
		n := rnd.IntN(ops)
		fsys.Inject(vfs.CutAfter(n))
		acked, tried := run(fsys, uint64(i))
		disk := fsys.CrashClone(rnd)
		s, end := startOn(t, disk, "--appendfsync", "always")
		if s == nil {
			t.Fatalf("cut after %d of %d: %v", n, ops, end())
		}
		c := dial(t, s, client.Options{Proto: 2})
		for w := range writers {
			for k := range keys {
				name := fmt.Sprintf("w%d:%d", w, k)
				got, _ := strconv.Atoi(do(t, c, "HGET", name, "n").Str)
				if got < acked[w][k] || got > tried[w][k] {
					t.Fatalf("cut after %d of %d: %s is %d, %d was acknowledged, %d the last tried", n, ops, name, got, acked[w][k], tried[w][k])
				}
				if v := do(t, c, "HGET", name, "v"); got > 0 && len(do(t, c, "FT._LIST").Elems) > 0 {
					if found := nearest(t, c, "ix", "v", v.Str, 1); len(found) != 1 || found[0] != name {
						t.Fatalf("cut after %d of %d: the vector of %s finds %v", n, ops, name, found)
					}
				}
			}
		}
		_ = c.Close()
		if err := end(); err != nil {
			t.Fatal(err)
		}
	}
}

// fullDisk writes until the disk is full, looks at what goes on, frees it and waits until writes are taken again.
// All that was acknowledged is there.
func fullDisk(t *testing.T, s *Server, fill, free func()) {
	t.Helper()
	c := dial(t, s, client.Options{})
	other := dial(t, s, client.Options{})
	acked := map[string]string{}
	value := strings.Repeat("x", 4000)
	set := func(i int) error {
		key, v := fmt.Sprint("k", i%50), fmt.Sprint(i, value)
		_, err := c.Do("SET", key, v)
		if err == nil {
			acked[key] = v
		} else {
			delete(acked, key) // it may be the new one or the old one
		}
		return err
	}
	for i := range 50 {
		if err := set(i); err != nil {
			t.Fatal(err)
		}
	}
	fill()
	var err error
	for i := 0; err == nil; i++ {
		if i == 100_000 {
			t.Fatal("the disk does not get full")
		}
		err = set(i)
	}
	for end := time.Now().Add(30 * time.Second); ; {
		// The connection whose write failed was closed, or told so.
		c = dial(t, s, client.Options{})
		if _, err = c.Do("SET", "a", "b"); err != nil && strings.HasPrefix(err.Error(), "MISCONF ") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("a write on a full disk: %v", err)
		}
	}
	do(t, other, "PING")
	do(t, other, "GET", "k1")
	if got := field(t, other, "persistence", "aof_last_write_status"); got != "err" {
		t.Errorf("aof_last_write_status is %q", got)
	}
	if _, err := other.Do("SAVE"); err == nil {
		t.Error("SAVE succeeds on a full disk")
	}
	free()
	start := time.Now()
	for {
		if _, err := other.Do("SET", "a", "b"); err == nil {
			break
		} else if !strings.HasPrefix(err.Error(), "MISCONF ") {
			t.Fatal(err)
		}
		if time.Since(start) > 30*time.Second {
			t.Fatal("writes are still refused")
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Logf("writes are back after %v", time.Since(start).Round(time.Millisecond))
	for k, v := range acked {
		if got := do(t, other, "GET", k).Str; got != v {
			t.Fatalf("%s was acknowledged and is %.20q", k, got)
		}
	}
}

// TestFullDisk fills the disk of a server and frees it again; NEARCACHE_FULL says how often.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	fsys := vfs.NewMem()
	s, end := startOn(t, fsys, "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0")
	for range numberOf("NEARCACHE_FULL", 2) {
		fullDisk(t, s, func() { fsys.SetCapacity(s.aof.Load().Size() + 200_000) }, func() { fsys.SetCapacity(0) })
	}
	c := dial(t, s, client.Options{})
	n := do(t, c, "DBSIZE").Int
	if err := end(); err != nil {
		t.Fatal(err)
	}
	s, _ = startOn(t, fsys)
	if got := do(t, dial(t, s, client.Options{}), "DBSIZE").Int; got != n {
		t.Errorf("%d keys after a restart, %d before", got, n)
	}
}

// tmpfs mounts a small file system, where one can be mounted.
func tmpfs(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("mount: %v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
	return dir
}

// TestFullTmpfs does it on a real one, where one can be mounted.
func TestFullTmpfs(t *testing.T) {
	dir := tmpfs(t, "8m")
	s, stop := startAt(t, nil, nil, "--dir", filepath.Join(dir, "data"), "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0")
	ballast := filepath.Join(dir, "ballast")
	for range numberOf("NEARCACHE_FULL", 2) {
		fullDisk(t, s, func() {
			if err := os.WriteFile(ballast, make([]byte, 5<<20), 0o600); err != nil {
				t.Log(err)
			}
		}, func() { _ = os.Remove(ballast) })
		do(t, dial(t, s, client.Options{}), "SAVE")
	}
	stop()
}

// makesRoom: a disk that is full of a log's history, with nobody to make room. The log is rewritten in the room that was
// kept, and writes are taken again. fill leaves so many bytes free; it returns what was acknowledged.
func makesRoom(t *testing.T, s *Server, fill func(left int64), free func()) map[string]string {
	t.Helper()
	c := dial(t, s, client.Options{})
	rnd := rand.New(rand.NewPCG(1, 1))
	acked := map[string]string{}
	set := func(i int) error {
		value := make([]byte, 16<<10)
		for k := range value {
			value[k] = byte(rnd.Uint32())
		}
		key := fmt.Sprint("k", i%60)
		_, err := c.Do("SET", key, value)
		if err == nil {
			acked[key] = string(value)
		} else {
			delete(acked, key) // it may be the new one or the old one
		}
		return err
	}
	for cycle := range numberOf("NEARCACHE_FULL", 2) {
		for i := range 400 {
			if err := set(i); err != nil {
				t.Fatal(err)
			}
		}
		for end := time.Now().Add(60 * time.Second); s.reserve.size.Load() == 0 || s.reserve.busy.Load(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("no room is kept")
			}
			if s.aof.Load().Size() <= tightFrom { // a rewrite of the last cycle has ended only now
				if err := set(0); err != nil {
					t.Fatal(err)
				}
			}
			s.reserve.looked.Store(0)
		}
		before := s.aof.Load().Size()
		fill(100_000)
		// Until a write is refused; or nobody is, where the server has seen it come and has made room (diskTight).
		var err error
		for i := 0; err == nil && s.aof.Load().Size() >= before; i++ {
			if i > 1000 {
				t.Fatal("the disk does not get full")
			}
			err = set(i)
		}
		for end := time.Now().Add(60 * time.Second); err != nil; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("cycle %d: writes are still refused: %v", cycle, err)
			}
			c = dial(t, s, client.Options{})
			_, err = c.Do("SET", "a", "b")
		}
		if size := s.aof.Load().Size(); size > 3<<20 {
			t.Errorf("the log has %d bytes, and the data takes %d", size, s.ks.Used())
		}
		free()
	}
	if n := field(t, c, "persistence", "aof_rewrites"); n == "0" {
		t.Error("nothing was rewritten")
	}
	return acked
}

// keeps looks for what was acknowledged.
func keeps(t *testing.T, s *Server, acked map[string]string) {
	t.Helper()
	c := dial(t, s, client.Options{})
	for k, v := range acked {
		if got := do(t, c, "GET", k).Str; got != v {
			t.Fatalf("%s was acknowledged and is %.20q", k, got)
		}
	}
}

func TestFullDiskMakesRoomForItself(t *testing.T) {
	t.Parallel()
	fsys := vfs.NewMem()
	s, end := startOn(t, fsys, "--appendfsync", "always", "--compression", "no")
	acked := makesRoom(t, s, func(left int64) {
		fsys.SetCapacity(s.aof.Load().Size() + s.reserve.size.Load() + left)
	}, func() { fsys.SetCapacity(0) })
	_ = end()
	s, _ = startOn(t, fsys, "--appendfsync", "always")
	keeps(t, s, acked)
}

// TestFullTmpfsMakesRoomForItself does it on a real one.
func TestFullTmpfsMakesRoomForItself(t *testing.T) {
	dir := tmpfs(t, "32m")
	settings := []string{"--dir", filepath.Join(dir, "data"), "--appendfsync", "always", "--compression", "no"}
	s, stop := startAt(t, nil, nil, settings...)
	ballast := filepath.Join(dir, "ballast")
	acked := makesRoom(t, s, func(left int64) {
		n, err := s.fs().(vfs.Space).Free(dir)
		if err == nil {
			err = os.WriteFile(ballast, make([]byte, max(n-left, 0)), 0o600)
		}
		if err != nil {
			t.Log(err) // it is full then
		}
	}, func() { _ = os.Remove(ballast) })
	stop()
	s, _ = startAt(t, nil, nil, settings...)
	keeps(t, s, acked)
}

// TestLogIsRewrittenBeforeTheDiskIsFull: a log that is mostly history, on a disk that has just room for what it
// says.
func TestLogIsRewrittenBeforeTheDiskIsFull(t *testing.T) {
	t.Parallel()
	fsys := vfs.NewMem()
	s, _ := startOn(t, fsys, "--appendfsync", "no", "--compression", "no", "--disk-reserve", "0")
	c := dial(t, s, client.Options{})
	value := make([]byte, 16<<10)
	rnd := rand.New(rand.NewPCG(1, 1))
	for i := range 400 {
		for k := range value {
			value[k] = byte(rnd.Uint32())
		}
		do(t, c, "SET", fmt.Sprint("k", i%60), value)
	}
	if err := s.aof.Load().Flush(); err != nil {
		t.Fatal(err)
	}
	before := s.aof.Load().Size()
	fsys.SetCapacity(before + s.ks.Used()*3/2)
	for end := time.Now().Add(60 * time.Second); field(t, c, "persistence", "aof_rewrites") == "0"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d bytes are not rewritten: %d are left, the data takes %d", before, s.diskFree(), s.ks.Used())
		}
	}
	if after := s.aof.Load().Size(); after > before/2 {
		t.Errorf("the log had %d bytes and has %d", before, after)
	}
}
