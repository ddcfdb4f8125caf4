package server_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/resp/resptest"
	"github.com/nearcache/nearcache/resp/server"
	"github.com/nearcache/nearcache/store/vfs"
)

// contents are all keys of the first databases, as text.
func contents(c *resptest.Conn) string {
	var all []string
	for db := range 3 {
		c.Do("SELECT", fmt.Sprint(db))
		for _, k := range c.Do("KEYS", "*").Elems {
			v := map[string][]string{"string": {"GET", k.Text}, "list": {"LRANGE", k.Text, "0", "-1"}}[c.Do("TYPE", k.Text).Text]
			all = append(all, fmt.Sprint(db, k.Text, c.Do("PEXPIRETIME", k.Text), c.Do(v...)))
		}
	}
	c.Do("SELECT", "0")
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// change does n things that, done twice, would be seen.
func change(t *testing.T, c *resptest.Conn, r *rand.Rand, n int) {
	t.Helper()
	for i := range n {
		key := fmt.Sprint(r.IntN(20))
		switch r.IntN(8) {
		case 0, 1:
			c.Do("INCR", "n"+key)
		case 2:
			c.Do("APPEND", "s"+key, "x")
		case 3:
			c.Do("RPUSH", "l"+key, fmt.Sprint(i))
		case 4:
			c.Do("LPOP", "l"+key)
		case 5:
			c.Do("MULTI")
			c.Do("INCR", "n"+key)
			c.Do("SELECT", fmt.Sprint(r.IntN(3)))
			c.Do("RPUSH", "l"+key, "in", "exec")
			if got := c.Do("EXEC").String(); !strings.HasPrefix(got, "(array)") {
				t.Fatal(got)
			}
		case 6:
			c.Do("SELECT", fmt.Sprint(r.IntN(3)))
		default:
			c.Do("PUBLISH", "nobody", "hears") // of the stream, and changes no key
		}
	}
	c.Do("SELECT", "0")
}

// lastLog is the segment that is written, and its size.
func lastLog(t *testing.T, dir string) (name string, size int64) {
	t.Helper()
	l, err := filepath.Glob(filepath.Join(dir, "nearcache-*.log"))
	if err != nil || len(l) == 0 {
		t.Fatal("no log", err)
	}
	name = slices.Max(l)
	st, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return name, st.Size()
}

// TestReplicaGoesOnAfterItsRestart restarts a replica from what a crash might have left of its log, cut anywhere, and after
// clean ends with a log or with snapshots only: each time it goes on with the stream, and is equal to the source then.
func TestReplicaGoesOnAfterItsRestart(t *testing.T) {
	t.Parallel()
	a := startSource(t, "--repl-backlog-size", "16mb", "--repl-ping-replica-period", "100000")
	m := follower(t, a.Addr(), 2)
	r := rand.New(rand.NewPCG(1, 2))
	change(t, m, r, 200)
	host, port, _ := net.SplitHostPort(a.Addr())
	start := func(settings ...string) (*resptest.Server, *resptest.Conn) {
		t.Helper()
		s := startSource(t, append([]string{"--replicaof", host + " " + port}, settings...)...)
		c := follower(t, s.Addr(), 2)
		eventually(t, c, "master_link_status:up", "INFO", "replication")
		return s, c
	}
	fulls, partials := 0, 0
	same := func(how string, c *resptest.Conn, full, partial int) {
		t.Helper()
		fulls, partials = fulls+full, partials+partial
		if got := m.Do("WAIT", "1", "0").String(); got == "(int) 0" {
			t.Fatal("the replica is not there")
		}
		stats := m.Do("INFO", "stats").Text
		if resptest.Figure(stats, "sync_full") != int64(fulls) || resptest.Figure(stats, "sync_partial_ok") != int64(partials) {
			t.Fatalf("%s: not %d copies, %d times gone on: %s", how, fulls, partials, stats)
		}
		offset := resptest.Figure(m.Do("INFO", "replication").Text, "master_repl_offset")
		if x := resptest.Figure(c.Do("INFO", "replication").Text, "slave_repl_offset"); x < offset {
			eventually(t, c, fmt.Sprintf("slave_repl_offset:%d\\r", offset), "INFO", "replication")
		}
		if got, want := contents(c), contents(m); got != want {
			t.Fatalf("%s: there is\n%s\nwant\n%s", how, got, want)
		}
	}
	stop := func(s *resptest.Server) {
		t.Helper()
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}

	dir := t.TempDir()
	logged := []string{"--dir", dir, "--appendonly", "yes", "--appendfsync", "always"}
	s, c := start(logged...)
	change(t, m, r, 30)
	same("at first", c, 1, 0)
	_, least := lastLog(t, dir)
	change(t, m, r, 200)
	same("later", c, 0, 0)
	crashed := t.TempDir()
	copyFiles(t, dir, crashed)
	stop(s)
	change(t, m, r, 20)
	s, c = start(logged...)
	same("after a clean end", c, 0, 1)
	if got := c.Do("BGREWRITEAOF").Text; !strings.HasPrefix(got, "Background") {
		t.Fatal(got)
	}
	eventually(t, c, "aof_rewrite_in_progress:0", "INFO", "persistence")
	change(t, m, r, 20)
	same("behind a rewrite", c, 0, 0)
	stop(s)
	change(t, m, r, 20)
	s, c = start(logged...)
	same("after a rewrite", c, 0, 1)
	stop(s)
	name, size := lastLog(t, crashed)
	for range 6 {
		size = least + r.Int64N(size-least+1)
		if err := os.Truncate(name, size); err != nil {
			t.Fatal(err)
		}
		image := t.TempDir()
		copyFiles(t, crashed, image)
		s, c := start("--dir", image, "--appendonly", "yes")
		same(fmt.Sprint("cut at ", size), c, 0, 1)
		change(t, m, r, 10)
		same("it goes on", c, 0, 0)
		stop(s)
	}
	snapshots := []string{"--dir", t.TempDir(), "--save", "3600 1"}
	s, c = start(snapshots...)
	change(t, m, r, 20)
	same("with snapshots", c, 1, 0)
	stop(s)
	change(t, m, r, 20)
	s, c = start(snapshots...)
	same("from a snapshot", c, 0, 1)
	stop(s)
	// A folder that was repaired has no place.
	image := t.TempDir()
	copyFiles(t, crashed, image)
	if err := server.ForgetPlace(vfs.OS, image); err != nil {
		t.Fatal(err)
	}
	s, c = start("--dir", image, "--appendonly", "yes")
	same("repaired", c, 1, 0)
	stop(s)
	// What is not of the stream: there is no place.
	s = startSource(t, snapshots...)
	c = follower(t, s.Addr(), 2)
	c.Do("SET", "mine", "1")
	followServer(t, c, a.Addr())
	eventually(t, c, "master_link_status:up", "INFO", "replication")
	same("after a write of its own", c, 1, 0)
}

// TestSourceKeepsItsStreamOverARestart restarts a source: who has had all of its stream needs no copy.
func TestSourceKeepsItsStreamOverARestart(t *testing.T) {
	t.Parallel()
	for how, settings := range map[string][]string{"log": {"--appendonly", "yes"}, "snapshot": {"--save", "3600 1"}} {
		dir := t.TempDir()
		settings = append(settings, "--dir", dir, "--repl-ping-replica-period", "100000", "--bind", resptest.OwnAddress()) // its port is free when it starts again
		a, b := startSource(t, settings...), startSource(t)
		m, c := follower(t, a.Addr(), 2), follower(t, b.Addr(), 2)
		m.Do("SET", "k", "1")
		followServer(t, c, a.Addr())
		eventually(t, c, "master_link_status:up", "INFO", "replication")
		m.Do("INCR", "k")
		if got := m.Do("WAIT", "1", "0").String(); got != "(int) 1" {
			t.Fatal(got)
		}
		_, port, _ := net.SplitHostPort(a.Addr())
		if err := a.Stop(); err != nil {
			t.Fatal(err)
		}
		again := startSource(t, append(settings, "--port", port)...)
		m = follower(t, again.Addr(), 2)
		eventually(t, c, "master_link_status:up", "INFO", "replication")
		m.Do("INCR", "k")
		eventually(t, c, `"3"`, "GET", "k")
		if stats := m.Do("INFO", "stats").Text; resptest.Figure(stats, "sync_full") != 0 || resptest.Figure(stats, "sync_partial_ok") != 1 {
			t.Errorf("%s: %s", how, stats)
		}
		// A crash: what is on the disk may be less than what the replica has.
		image := t.TempDir()
		copyFiles(t, dir, image)
		if err := again.Stop(); err != nil {
			t.Fatal(err)
		}
		crashed := startSource(t, append(slices.Clone(settings), "--dir", image, "--port", port)...)
		eventually(t, c, "master_link_status:up", "INFO", "replication")
		m = follower(t, crashed.Addr(), 2)
		eventually(t, m, "sync_full:1", "INFO", "stats")
	}
}

func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
