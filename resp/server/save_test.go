package server

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/store/persist"
	"github.com/nearcache/nearcache/store/vfs"
)

// field is a line of INFO.
func field(t *testing.T, c *client.Conn, section, name string) string {
	t.Helper()
	for line := range strings.Lines(do(t, c, "INFO", section).Str) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return v
		}
	}
	t.Fatalf("INFO %s has no %s", section, name)
	return ""
}

// awaitField waits until a line of INFO says something.
func awaitField(t *testing.T, c *client.Conn, section, name, want string) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); field(t, c, section, name) != want; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s is %q, want %q", name, field(t, c, section, name), want)
		}
	}
}

// TestRewriteWhileServing races clients that do all that can become of a key with
// rewrites of the log, and restarts: nothing of what was there may be lost, and nothing
// that was gone may come back.
func TestRewriteWhileServing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := atomic.Int64{}
	now.Store(1_800_000_000_000)
	flags := []string{"--dir", dir, "--appendfsync", "no"}
	const clients, rounds = 4, 3
	var before map[string]string
	for round := range rounds {
		s, stop := startAt(t, now.Load, nil, flags...)
		c := dial(t, s, client.Options{})
		if round > 0 {
			sameContents(t, contents(t, s, 2), before)
		}
		for i := range 2000 { // so that a rewrite takes a while
			do(t, c, "SET", fmt.Sprintf("fill:%d:%d", round, i), strings.Repeat("text ", 20))
			if i%4 == 0 {
				do(t, c, "HSET", fmt.Sprintf("hash:%d", i), "f", round, "g", i)
			}
		}
		var running, rewrites atomic.Int32
		running.Store(clients)
		var wg sync.WaitGroup
		for i := range clients {
			c := dial(t, s, client.Options{})
			h := &history{Rand: rand.New(rand.NewPCG(uint64(round), uint64(i))), id: i}
			wg.Go(func() {
				defer running.Add(-1)
				for n := 0; n < 20 || rewrites.Load() < 3; n++ {
					h.play(t, c, 40)
					now.Add(int64(h.IntN(8)))
					k := h.IntN(2000)
					_, _ = c.Do("RENAME", fmt.Sprintf("fill:%d:%d", round, k), fmt.Sprintf("renamed:%d", h.IntN(500)))
					_, _ = c.Do("APPEND", fmt.Sprintf("fill:%d:%d", round, h.IntN(2000)), "more")
					_, _ = c.Do("HSET", fmt.Sprintf("hash:%d", 4*h.IntN(500)), "h", k)
					_, _ = c.Do("DEL", fmt.Sprintf("fill:%d:%d", round, h.IntN(2000)))
					_, _ = c.Do("PEXPIRE", fmt.Sprintf("fill:%d:%d", round, h.IntN(2000)), 1+h.IntN(90))
					if h.IntN(30) == 0 {
						_, _ = c.Do("SWAPDB", "0", "1")
					}
				}
			})
		}
		for running.Load() > 0 {
			if err := s.Save(); err != nil {
				t.Error(err)
				rewrites.Store(3)
			}
			rewrites.Add(1)
		}
		wg.Wait()
		before = contents(t, s, 2)
		stop()
		if t.Failed() {
			return
		}
	}
	s, _ := startAt(t, now.Load, nil, flags...)
	sameContents(t, contents(t, s, 2), before)
	if err := s.ks.Validate(); err != nil {
		t.Error(err)
	}
}

// TestRewriteKeepsDefinitions makes and drops indexes and libraries while the log is
// rewritten.
func TestRewriteKeepsDefinitions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, stop := startAt(t, nil, nil, "--dir", dir)
	c := dial(t, s, client.Options{})
	for i := range 300 {
		do(t, c, "HSET", fmt.Sprintf("doc:%d", i), "n", i)
	}
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !done.Load() {
			_ = s.Save()
		}
	})
	for i := range 60 {
		do(t, c, "FT.CREATE", fmt.Sprint("ix", i), "PREFIX", 1, "doc:", "SCHEMA", "n", "NUMERIC")
		do(t, c, "FUNCTION", "LOAD", fmt.Sprintf("#!lua name=lib%d\nredis.register_function('f%d', function() return %d end)", i, i, i))
		if i%3 == 0 {
			do(t, c, "FT.DROPINDEX", fmt.Sprint("ix", i))
			do(t, c, "FUNCTION", "DELETE", fmt.Sprint("lib", i))
		}
		if i == 40 {
			do(t, c, "FLUSHALL")
			do(t, c, "HSET", "doc:after", "n", "1")
		}
	}
	done.Store(true)
	wg.Wait()
	want := do(t, c, "FT._LIST").String()
	libs := do(t, c, "FUNCTION", "LIST", "WITHCODE").String()
	stop()
	s, _ = startAt(t, nil, nil, "--dir", dir)
	c = dial(t, s, client.Options{})
	if got := do(t, c, "FT._LIST").String(); got != want {
		t.Errorf("indexes %s, want %s", got, want)
	}
	if got := do(t, c, "FUNCTION", "LIST", "WITHCODE").String(); got != libs {
		t.Errorf("libraries %s, want %s", got, libs)
	}
	if n := do(t, c, "FT.SEARCH", "ix59", "*", "LIMIT", 0, 0).String(); !strings.Contains(n, "1") {
		t.Errorf("ix59 finds %s", n)
	}
}

// TestLogRewritesItself lets the log grow by its own history.
func TestLogRewritesItself(t *testing.T) {
	t.Parallel()
	s, _ := startAt(t, nil, nil, "--dir", t.TempDir(), "--auto-aof-rewrite-min-size", "100kb", "--appendfsync", "no")
	c := dial(t, s, client.Options{})
	value := strings.Repeat("v", 1000)
	for i := range 600 {
		do(t, c, "SET", fmt.Sprint("k", i%10), value+fmt.Sprint(i))
	}
	awaitField(t, c, "persistence", "aof_rewrite_in_progress", "0")
	for end := time.Now().Add(60 * time.Second); field(t, c, "persistence", "aof_rewrites") == "0"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the log does not rewrite itself")
		}
	}
	if st := s.aof.Load().Stats(); st.Size >= st.Written {
		t.Errorf("the log has %d bytes, all that was written: %+v", st.Size, st)
	}
	do(t, c, "CONFIG", "SET", "auto-aof-rewrite-percentage", 0)
}

// TestSnapshotsWithoutALog saves at request and at the end, and loads what was saved.
func TestSnapshotsWithoutALog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	flags := []string{"--dir", dir, "--appendonly", "no"}
	s, stop := startAt(t, nil, nil, flags...)
	c := dial(t, s, client.Options{})
	do(t, c, "SET", "saved", "1")
	do(t, c, "SAVE")
	do(t, c, "SET", "not saved", "1")
	stop()

	s, stop = startAt(t, nil, nil, append(flags, "--save", "1 1")...)
	c = dial(t, s, client.Options{})
	if got := do(t, c, "KEYS", "*").String(); strings.Contains(got, "not") || !strings.Contains(got, "saved") {
		t.Fatalf("loaded %s", got)
	}
	do(t, c, "SET", "by schedule", "1")
	for end := time.Now().Add(60 * time.Second); field(t, c, "persistence", "rdb_saves") == "0"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing is saved by schedule")
		}
	}
	do(t, c, "CONFIG", "SET", "save", "1000 1")
	do(t, c, "SET", "at the end", "1")
	stop()

	s, stop = startAt(t, nil, nil, flags...)
	c = dial(t, s, client.Options{})
	if n := do(t, c, "DBSIZE").Int; n != 3 {
		t.Fatalf("%d keys: %s", n, do(t, c, "KEYS", "*"))
	}
	stop()
}

// TestFolderOfAnother has a server save that could not load what another one has in the folder: that stays.
func TestFolderOfAnother(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	flags := []string{"--dir", dir, "--appendonly", "no"}
	first, stop := startAt(t, nil, nil, flags...)
	second, stopSecond := startAt(t, nil, nil, flags...) // neither finds anything
	do(t, dial(t, first, client.Options{}), "SET", "first", "1")
	do(t, dial(t, first, client.Options{}), "SAVE")
	c := dial(t, second, client.Options{})
	do(t, c, "SET", "second", "1")
	save := func() {
		t.Helper()
		if v, err := c.Do("SAVE"); err == nil {
			t.Errorf("saved over the other's data: %s", v)
		}
	}
	save()
	stop()
	save()
	stopSecond()
	third, _ := startAt(t, nil, nil, flags...)
	if got := do(t, dial(t, third, client.Options{}), "KEYS", "*").String(); !strings.Contains(got, "first") || strings.Contains(got, "second") {
		t.Errorf("the folder has %s", got)
	}
}

// TestLogBeginsAndEnds turns appendonly on and off while clients write: what a copy of the folder has, as after a kill,
// is what was there when the log ended, or all, or before the first base is whole, what was saved last.
func TestLogBeginsAndEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, _ := startAt(t, nil, nil, "--dir", dir, "--appendonly", "no", "--appendfsync", "always", "--save", "")
	c, w := dial(t, s, client.Options{}), dial(t, s, client.Options{})
	killed := func(want string) {
		t.Helper()
		to := t.TempDir()
		if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		again, stop := startAt(t, nil, nil, "--dir", to, "--appendonly", "no")
		defer stop()
		if got := do(t, dial(t, again, client.Options{}), "MGET", "saved", "between", "logged", "n").String(); got != want {
			t.Errorf("the folder has %s, want %s", got, want)
		}
	}
	waits := func(want string) {
		t.Helper()
		v, err := c.Do("WAITAOF", "1", "0", "0")
		got := v.String()
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("WAITAOF: %s, want %s", got, want)
		}
	}
	const off = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
	do(t, c, "SET", "saved", "1")
	do(t, c, "SAVE")
	do(t, c, "SET", "between", "1")
	waits(off)
	for i := range 20000 {
		do(t, c, "SET", fmt.Sprint("fill", i), "x")
	}
	for round := 1; round <= 3; round++ {
		s.saves.claim(saveCopy) // as one that takes long
		do(t, c, "CONFIG", "SET", "appendonly", "yes")
		do(t, c, "INCR", "n")
		if round == 1 {
			killed(`*["1" (nil) (nil) (nil)]`)
		}
		end := make(chan struct{})
		go func() {
			defer close(end)
			for range 500 {
				do(t, w, "SET", "logged", fmt.Sprint(round))
			}
		}()
		s.saves.mu.Lock()
		s.saves.endLocked()
		s.saves.mu.Unlock()
		waits(`*[1 0]`)
		<-end
		all := fmt.Sprintf(`*["1" "1" "%d" "%d"]`, round, 2*round-1)
		waits(`*[1 0]`)
		killed(all)
		if got := field(t, c, "persistence", "aof_enabled") + field(t, c, "persistence", "aof_last_write_status"); got != "1ok" {
			t.Error(got)
		}
		do(t, c, "CONFIG", "SET", "appendonly", "no")
		do(t, c, "INCR", "n")
		killed(all)
		waits(off)
	}
	do(t, c, "CONFIG", "SET", "appendonly", "yes") // and the end of the server comes at once
	do(t, c, "SET", "logged", "last")
	_, _ = c.Do("SHUTDOWN")
	<-s.ctx.Done()
	lockName := filepath.Join(dir, "nearcache.lock")
	lock, err := vfs.OS.Lock(lockName)
	for end := time.Now().Add(60 * time.Second); err != nil && time.Now().Before(end); lock, err = vfs.OS.Lock(lockName) {
		time.Sleep(5 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = lock.Close()
	again, _ := startAt(t, nil, nil, "--dir", dir)
	if got := do(t, dial(t, again, client.Options{}), "GET", "logged").String(); got != `"last"` {
		t.Errorf("after SHUTDOWN: %s", got)
	}
}

// TestDataOfRedis is told of, where a data folder is new.
func TestDataOfRedis(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]string{"dump.rdb": "nearcache import rdb ", "appendonlydir": "nearcache import aof "} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, log := range []string{"no", "yes", "yes"} {
			logs := &logLines{}
			known := persist.Exists(vfs.OS, dir)
			_, stop := startWith(t, nil, logs, nil, "--dir", dir, "--appendonly", log)
			stop()
			if told := logs.has(command + filepath.Join(dir, name)); told == known {
				t.Errorf("%s, appendonly %s: %s", name, log, logs.text())
			}
		}
	}
}

// TestRepliesOfSaving are Redis' own, while something else is saved, too.
func TestRepliesOfSaving(t *testing.T) {
	t.Parallel()
	s, _ := startAt(t, nil, nil, "--dir", t.TempDir())
	c := dial(t, s, client.Options{})
	want := func(want string, args ...any) {
		t.Helper()
		v, err := c.Do(args...)
		got := v.Str
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%v: %q, want %q", args, got, want)
		}
	}
	run, _, _ := s.beginSave(saveRewrite) // as one that takes long
	want("ERR Background append only file rewriting already in progress", "BGREWRITEAOF")
	want("ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.", "BGSAVE")
	want("Background saving scheduled", "BGSAVE", "SCHEDULE")
	want("ERR syntax error", "BGSAVE", "LATER")
	want("ERR syntax error", "BGSAVE", "SCHEDULE", "SCHEDULE")
	if err := run(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(60 * time.Second); field(t, c, "persistence", "rdb_saves") == "0"; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what was scheduled does not begin")
		}
	}
	awaitField(t, c, "persistence", "rdb_bgsave_in_progress", "0")
	run, _, _ = s.beginSave(saveRDB)
	want("ERR Background save already in progress", "BGSAVE")
	want("ERR Background save already in progress", "BGSAVE", "SCHEDULE")
	want("ERR Background save already in progress", "SAVE")
	do(t, c, "MULTI")
	do(t, c, "BGSAVE")
	if got := do(t, c, "EXEC").String(); !strings.Contains(got, "Background save already in progress") {
		t.Errorf("BGSAVE in EXEC: %s", got)
	}
	want("Background append only file rewriting scheduled", "BGREWRITEAOF")
	if err := run(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(60 * time.Second); field(t, c, "persistence", "aof_rewrites") != "2"; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the rewrite that was scheduled does not begin")
		}
	}
	awaitField(t, c, "persistence", "aof_rewrite_in_progress", "0")
	want("Background append only file rewriting started", "BGREWRITEAOF")
	awaitField(t, c, "persistence", "aof_rewrite_in_progress", "0")
	want("Background saving started", "BGSAVE")
	awaitField(t, c, "persistence", "rdb_bgsave_in_progress", "0")
	do(t, c, "MULTI")
	want("QUEUED", "BGSAVE")
	want("QUEUED", "BGREWRITEAOF")
	want("ERR Command not allowed inside a transaction", "SAVE")
	do(t, c, "DISCARD")
}

// TestWaitAOF waits for the disk under everysec, and answers as Redis does.
func TestWaitAOF(t *testing.T) {
	t.Parallel()
	s, _ := startAt(t, nil, nil, "--dir", t.TempDir())
	c := dial(t, s, client.Options{})
	acks := func(local, replicas int64, args ...any) {
		t.Helper()
		if v := do(t, c, args...); len(v.Elems) != 2 || v.Elems[0].Int != local || v.Elems[1].Int != replicas {
			t.Errorf("%v: %s", args, v)
		}
	}
	acks(1, 0, "WAITAOF", 1, 0, 0) // nothing was written
	do(t, c, "SET", "a", "1")
	acks(1, 0, "WAITAOF", 1, 0, 0)
	if d, _ := s.Durable(s.aof.Load().Appended()); !d {
		t.Error("it has not waited for the disk")
	}
	acks(1, 0, "WAITAOF", 1, 1, 20) // there is no replica
	do(t, c, "CONFIG", "SET", "appendfsync", "no")
	do(t, c, "SET", "a", "2")
	acks(1, 0, "WAITAOF", 1, 0, 0)
	for want, bad := range map[string][]any{
		"ERR value is out of range, value must between 0 and 1": {"WAITAOF", 2, 0, 0},
		"ERR value is not an integer or out of range":           {"WAITAOF", "x", 0, 0},
		"ERR value is out of range, must be positive":           {"WAITAOF", 1, -1, 0},
		"ERR timeout is negative":                               {"WAITAOF", 1, 0, -1},
		"ERR timeout is not an integer or out of range":         {"WAITAOF", 1, 0, "x"},
	} {
		if _, err := c.Do(bad...); err == nil || err.Error() != want {
			t.Errorf("%v: %v, want %s", bad, err, want)
		}
	}
	// A client that waits can be unblocked, and closed.
	other := dial(t, s, client.Options{})
	id := do(t, other, "CLIENT", "ID").Int
	got := make(chan string, 1)
	go func() {
		v, err := other.Do("WAITAOF", 0, 1, 0)
		got <- fmt.Sprint(v.String(), err)
	}()
	awaitField(t, c, "clients", "blocked_clients", "1")
	do(t, c, "CLIENT", "UNBLOCK", id)
	if v := <-got; !strings.Contains(v, "1") {
		t.Errorf("unblocked with %s", v)
	}
	third, err := client.Dial(context.Background(), s.Addr(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := third.Pipeline()
	p.Add("WAITAOF", 0, 1, 0)
	go func() { _, _ = p.Run() }()
	awaitField(t, c, "clients", "blocked_clients", "1")
	_ = third.Close()
	awaitField(t, c, "clients", "blocked_clients", "0")
}

// TestLoadingRefusesAndTells has a server that says it is still loading: INFO, and who asks for keys, hear of it.
func TestLoadingRefusesAndTells(t *testing.T) {
	t.Parallel()
	s, _ := startAt(t, nil, nil, "--dir", t.TempDir())
	c := dial(t, s, client.Options{})
	s.loading.begin()
	s.loading.progress(50, 100)
	// What Redis 8.10 answers to these, with key-load-delay.
	for reply, cmds := range map[string][]string{
		"LOADING Redis is loading the dataset in memory": {
			"GET a", "SET a b", "PING", "DBSIZE", "EVAL return 0", "EVAL_RO return 0", "FCALL f 0", "SCRIPT EXISTS a", "FUNCTION LIST",
			"FUNCTION STATS", "BLPOP a 0", "XREAD BLOCK 0 STREAMS a $", "REPLICAOF a 1", "REPLICAOF NO ONE", "PSYNC ? -1", "SYNC", "SAVE",
			"BGSAVE", "BGREWRITEAOF", "WAIT 0 1", "WAITAOF 0 0 1", "FLUSHALL", "SWAPDB 0 1", "MEMORY USAGE a", "LOLWUT", "MODULE LIST",
			"COPY a b", "FT._LIST", "SEM.LIST",
		},
		"OK":                          {"CONFIG SET maxmemory 0", "CLIENT TRACKING ON", "CLIENT TRACKING OFF", "WATCH a", "UNWATCH", "SELECT 0", "MULTI"},
		`"a"`:                         {"ECHO a"},
		"0":                           {"PUBLISH a b", "LATENCY RESET"},
		"*[]":                         {"PUBSUB CHANNELS", "SLOWLOG GET"},
		`*["master" 0 *[]]`:           {"ROLE"},
		"ERR No shutdown in progress": {"SHUTDOWN ABORT"},
		"ERR unknown command":         {"NOSUCH"},
		"ERR wrong number of":         {"GET"},
	} {
		for _, cmd := range cmds {
			var words []any
			for _, w := range strings.Fields(cmd) {
				words = append(words, w)
			}
			v, err := c.Do(words...)
			got := v.String()
			if err != nil {
				got = err.Error()
			}
			if !strings.HasPrefix(got, reply) {
				t.Errorf("%s: %s, want %s", cmd, got, reply)
			}
			if cmd == "MULTI" {
				if _, err := c.Do("GET", "a"); err == nil {
					t.Error("GET is queued")
				}
				if _, err := c.Do("EXEC"); err == nil || !strings.HasPrefix(err.Error(), "EXECABORT") {
					t.Errorf("EXEC: %v", err)
				}
			}
		}
	}
	if on, share := field(t, c, "persistence", "loading"), field(t, c, "persistence", "loading_loaded_perc"); on != "1" || share != "50.00" {
		t.Errorf("loading:%s, loading_loaded_perc:%s", on, share)
	}
	s.loading.end()
	do(t, c, "SET", "a", "b")
	if strings.Contains(do(t, c, "INFO", "persistence").Str, "loading_loaded_perc") {
		t.Error("INFO still tells of loading")
	}
}

// TestChangesAreCountedAsInRedis: rdb_changes_since_last_save, and with it the setting
// save, counts keys, fields, members and elements. The figures are those of Redis 8.10.
func TestChangesAreCountedAsInRedis(t *testing.T) {
	t.Parallel()
	now := atomic.Int64{}
	now.Store(1_800_000_000_000)
	s, stop := startAt(t, now.Load, nil, "--dir", t.TempDir(), "--appendonly", "no", "--save", "100000 100000")
	defer stop()
	c := dial(t, s, client.Options{})
	count := func() int {
		n, err := strconv.Atoi(field(t, c, "persistence", "rdb_changes_since_last_save"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, step := range []struct {
		want int
		line string
	}{
		{0, "FLUSHALL"},
		{1, "SET a 1"},
		{0, "GET a"},
		{3, "MSET a 1 b 2 c 3"},
		{2, "MSETNX x 1 y 2"},
		{2, "MSETEX 2 a 1 b 2 EX 100"},
		{2, "DEL a b none"},
		{0, "DEL none"},
		{2, "UNLINK x y"},
		{2, "BITFIELD bits SET u8 0 1 INCRBY u8 8 1"},
		{3, "HSET h f1 1 f2 2 f3 3"},
		{1, "HSET h f1 1"},
		{2, "HSETEX h EX 100 FIELDS 2 k1 1 k2 2"},
		{2, "HEXPIRE h 50 FIELDS 3 k1 k2 none"},
		{2, "HGETEX h PERSIST FIELDS 2 k1 k2"},
		{2, "HGETDEL h FIELDS 2 k1 k2"},
		{3, "HDEL h f1 f2 f3 none"},
		{4, "SADD s 1 2 3 4"},
		{1, "SADD s 4 5"},
		{0, "SADD s 5"},
		{2, "SMOVE s other 5"},
		{2, "SREM s 1 2 none"},
		{2, "SORT s STORE sorted"},
		{1, "SUNIONSTORE union s other"},
		{2, "SPOP s 100"},
		{5, "RPUSH l 1 2 3 4 5"},
		{1, "LMOVE l l LEFT RIGHT"},
		{1, "LPOP l"},
		{2, "LMPOP 1 l LEFT COUNT 2"},
		{1, "LTRIM l 0 0"},
		{3, "ZADD z 1 a 2 b 3 c"},
		{2, "ZADD z 1 a 5 b 6 d"},
		{2, "ZREM z a b none"},
		{2, "ZPOPMIN z 5"},
		{2, "GEOADD g 1 1 a 2 2 b"},
		{2, "GEOSEARCHSTORE near g FROMLONLAT 1 1 BYRADIUS 1000 km"},
		{4, "PFADD p a b c"},
		{0, "PFADD p a"},
		{1, "XADD x 1-1 f v"},
		{1, "XADD x 2-1 f v"},
		{1, "XADD y 1-1 f v"},
		{1, "XGROUP CREATE x g 0"},
		{1, "XGROUP CREATE y g 0"},
		{4, "XREADGROUP GROUP g a STREAMS x y > >"},
		{0, "XREADGROUP GROUP g a STREAMS x y 0 0"},
		{2, "XREADGROUP GROUP g b STREAMS x y 0 0"},
		{4, "XREADGROUP GROUP g c CLAIM 0 COUNT 1 STREAMS x y > >"},
		{3, "XCLAIM x g d 0 1-1 2-1"},
		{1, "XCLAIM x g d 0 1-1 9-9 JUSTID"},
		{1, "XCLAIM x g d 0 9-9 LASTID 5-1"},
		{3, "XAUTOCLAIM x g e 0 0"},
		{0, "XAUTOCLAIM x g e 10000 0"},
		{2, "XDEL x 1-1 2-1 9-9"},
		{2, "XAUTOCLAIM x g e 0 0"},
		{5, "EVAL redis.call('set','a','1');redis.call('mset','b','1','c','2');redis.call('sadd','t','1','2') 0"},
		{3, "MSET due 1 due2 2 stays 3"},
		{1, "PEXPIRE due 10"},
		{1, "PEXPIRE due2 10"},
	} {
		before := count()
		var words []any
		for _, w := range strings.Fields(step.line) {
			words = append(words, w)
		}
		if v := do(t, c, words...); v.Err() != nil {
			t.Fatalf("%s: %v", step.line, v.Err())
		}
		if n := count() - before; n != step.want {
			t.Errorf("%s counts as %d changes, want %d", step.line, n, step.want)
		}
	}

	before := count()
	now.Add(1000)
	do(t, c, "GET", "due") // a key that is over is no change of a command
	awaitField(t, c, "stats", "expired_keys", "2")
	if n := count() - before; n != 0 {
		t.Errorf("expiry counts as %d changes", n)
	}

	before = count()
	for _, words := range [][]any{{"MULTI"}, {"SET", "m", 1}, {"SADD", "ms", 1, 2, 3}, {"DEL", "m"}, {"EXEC"}} {
		do(t, c, words...)
	}
	if n := count() - before; n != 5 {
		t.Errorf("EXEC counts as %d changes, want 5", n)
	}

	before = count()
	keys := int(do(t, c, "DBSIZE").Int)
	do(t, c, "FLUSHDB")
	if n := count() - before; n != keys {
		t.Errorf("FLUSHDB of %d keys counts as %d changes", keys, n)
	}

	do(t, c, "MSET", "a", 1, "b", 2)
	do(t, c, "SAVE")
	if n := count(); n != 0 {
		t.Errorf("%d changes right after SAVE", n)
	}
}
