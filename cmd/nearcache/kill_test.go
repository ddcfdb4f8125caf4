package main

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/client"
)

// patience is how long a server may take for what takes it no time, on a machine that stalls.
const patience = time.Minute

// binary builds nearcache once for all tests of the package.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "nearcache")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

var readyLine = regexp.MustCompile(`ready to accept connections.* addr="?(127\.0\.0\.1:\d+)`)

// serve starts the binary and returns its address.
func serve(t *testing.T, flags ...string) (*exec.Cmd, string) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, append([]string{"--port", "0", "--bind", "127.0.0.1"}, flags...)...)
	return cmd, startAndWait(t, cmd)
}

// startAndWait starts a server and returns its address once it is ready.
func startAndWait(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	addr := make(chan string, 1)
	var said []string // until addr is closed
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			said = append(said, s.Text())
			if m := readyLine.FindStringSubmatch(s.Text()); m != nil {
				addr <- m[1]
			}
		}
		close(addr)
	}()
	select {
	case a, ok := <-addr:
		if !ok {
			t.Fatalf("the server has ended before it was ready:\n%s", strings.Join(said, "\n"))
		}
		return a
	case <-time.After(patience):
		t.Fatal("the server is not ready")
	}
	return ""
}

// TestKillLosesNothingAcknowledged kills the process while eight clients write
// under appendfsync always, and reads back every write that was acknowledged.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	flags := []string{"--dir", dir, "--appendfsync", "always"}
	cmd, addr := serve(t, flags...)
	const writers = 8
	var acked [writers]int
	var wg sync.WaitGroup
	for w := range writers {
		c, err := client.Dial(context.Background(), addr, client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer c.Close()
			for i := 1; ; i++ {
				if v, err := c.Do("SET", fmt.Sprintf("w%d:%d", w, i), i); err != nil || v.Err() != nil {
					return
				}
				acked[w] = i
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	_ = cmd.Process.Signal(syscall.SIGKILL)
	_ = cmd.Wait()
	wg.Wait()

	_, addr = serve(t, flags...)
	c, err := client.Dial(context.Background(), addr, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	total := 0
	for w := range writers {
		total += acked[w]
		for i := 1; i <= acked[w]; i++ {
			if v, err := c.Do("GET", fmt.Sprintf("w%d:%d", w, i)); err != nil || v.Str != fmt.Sprint(i) {
				t.Fatalf("w%d:%d was acknowledged and is now %q, %v", w, i, v.Str, err)
			}
		}
	}
	if total == 0 {
		t.Fatal("nothing was acknowledged before the kill")
	}
	t.Logf("%d acknowledged writes, all there", total)
}

// TestKillCycles kills the process again and again while clients write and the log is rewritten: it starts
// every time, and has all that was acknowledged. NEARCACHE_KILLS says how often, 40 times without it.
func TestKillCycles(t *testing.T) {
	cycles := 40
	if n, err := strconv.Atoi(os.Getenv("NEARCACHE_KILLS")); err == nil {
		cycles = n
	} else if testing.Short() {
		cycles = 5
	}
	dir := t.TempDir()
	flags := []string{"--dir", dir, "--appendfsync", "always", "--auto-aof-rewrite-min-size", "200kb"}
	const writers, keys = 4, 60
	var acked, tried [writers][keys]int
	rnd := rand.New(rand.NewPCG(1, 2))
	total := 0
	for cycle := range cycles {
		cmd, addr := serve(t, flags...)
		dial := func() *client.Conn {
			c, err := client.Dial(context.Background(), addr, client.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		c := dial()
		for w := range writers {
			for k := range keys {
				v, err := c.Do("GET", fmt.Sprintf("w%d:%d", w, k))
				if err != nil {
					t.Fatal(err)
				}
				n := 0
				if !v.IsNull() {
					if n, err = strconv.Atoi(strings.TrimSpace(v.Str)); err != nil {
						t.Fatalf("cycle %d: w%d:%d is %.40q", cycle, w, k, v.Str)
					}
				}
				if n < acked[w][k] || n > tried[w][k] {
					t.Fatalf("cycle %d: w%d:%d is %d; %d was acknowledged, %d the last that was sent", cycle, w, k, n, acked[w][k], tried[w][k])
				}
				acked[w][k], tried[w][k] = n, n // what is there was observed
			}
		}
		var wg sync.WaitGroup
		for w := range writers {
			c := dial()
			wg.Go(func() {
				defer c.Close()
				for i := 0; ; i++ {
					k := (i * 7) % keys
					tried[w][k]++
					// Spaces, so that a rewrite has something to do.
					if _, err := c.Do("SET", fmt.Sprintf("w%d:%d", w, k), fmt.Sprintf("%-2000d", tried[w][k])); err != nil {
						return
					}
					acked[w][k] = tried[w][k]
				}
			})
		}
		wg.Go(func() {
			defer c.Close()
			for {
				if _, err := c.Do("SAVE"); err != nil && !strings.Contains(err.Error(), "ERR") {
					return
				}
			}
		})
		time.Sleep(time.Duration(20+rnd.IntN(120)) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		wg.Wait()
	}
	for w := range writers {
		for k := range keys {
			total += acked[w][k]
		}
	}
	if total == 0 {
		t.Fatal("nothing was acknowledged")
	}
	t.Logf("%d kills, %d acknowledged writes", cycles, total)
}
