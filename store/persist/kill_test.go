package persist

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/store/vfs"
)

// TestKilledProcess kills a process that appends, on real files: what it was promised is there, its lock is not.
func TestKilledProcess(t *testing.T) {
	const env = "PERSIST_TEST_KILLED_IN"
	if dir := os.Getenv(env); dir != "" {
		l, _, err := Open(vfs.OS, dir, Options{Fsync: Always, SegmentSize: 10_000}, func(Record) error { return nil })
		check(t, err)
		for i := 0; ; i++ {
			check(t, l.Wait(l.Append(set("k", strings.Repeat("x", i%500)+strconv.Itoa(i)))))
			fmt.Println(i)
		}
	}
	dir := filepath.Join(t.TempDir(), "log")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledProcess$")
	cmd.Env = append(os.Environ(), env+"="+dir)
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	promised := -1
	for in := bufio.NewScanner(out); in.Scan(); {
		if n, err := strconv.Atoi(in.Text()); err == nil {
			promised = n
		}
		if promised >= 300 { // of some segments; it goes on until the signal comes
			_ = cmd.Process.Kill()
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the process was not killed")
	}
	n := 0
	l, rep, err := Open(vfs.OS, dir, Options{}, func(r Record) error {
		if !strings.HasSuffix(text(r), strconv.Itoa(n)) {
			t.Errorf("record %d: %s", n, text(r))
		}
		n++
		return nil
	})
	check(t, err)
	check(t, l.Close())
	if promised < 0 || n <= promised {
		t.Fatalf("%d records, %d promised, %+v", n, promised, rep)
	}
}
