package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/commands"
	"github.com/nearcache/nearcache/resp/session"
	"github.com/nearcache/nearcache/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a server until the test ends, or until the returned stop.
func start(t testing.TB, prepare func(*Server), flags ...string) (*Server, func()) {
	t.Helper()
	return startWith(t, nil, io.Discard, prepare, flags...)
}

// startAt is start with a clock that the test controls.
func startAt(t testing.TB, clock store.Clock, prepare func(*Server), flags ...string) (*Server, func()) {
	t.Helper()
	return startWith(t, clock, io.Discard, prepare, flags...)
}

// startWith is start with a clock, nil for the system's, and a place for what
// the server logs.
func startWith(t testing.TB, clock store.Clock, log io.Writer, prepare func(*Server), flags ...string) (*Server, func()) {
	t.Helper()
	cfg, err := LoadConfig(append([]string{"--port", "0", "--bind", "127.0.0.1"}, flags...), nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Clock = clock
	cfg.SetLogger(slog.New(slog.NewTextHandler(log, nil)))
	s := New(cfg)
	if prepare != nil {
		prepare(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	select {
	case <-s.Ready():
	case err := <-done:
		cancel()
		t.Fatalf("start: %v", err)
	}
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	t.Cleanup(stop)
	return s, stop
}

func dial(t testing.TB, s *Server, o client.Options) *client.Conn {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Minute // a machine may do much else
	}
	c, err := client.Dial(context.Background(), s.Addr(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func do(t testing.TB, c *client.Conn, args ...any) client.Value {
	t.Helper()
	v, err := c.Do(args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return v
}

func TestRestartKeepsKeysAndTimes(t *testing.T) {
	dir := t.TempDir()
	flags := []string{"--dir", dir, "--appendfsync", "always"}
	s, stop := start(t, nil, flags...)
	c := dial(t, s, client.Options{})
	do(t, c, "SET", "a", "1")
	do(t, c, "INCRBY", "a", 41)
	do(t, c, "SET", "short", "x", "PX", 60)
	do(t, c, "SET", "long", "x", "EX", 1000)
	do(t, c, "MULTI")
	do(t, c, "APPEND", "a", "0")
	do(t, c, "SELECT", 3)
	do(t, c, "SET", "three", "3")
	do(t, c, "EXEC")
	do(t, c, "DEL", "long2")
	stop()
	time.Sleep(70 * time.Millisecond) // short dies while nobody serves

	s, _ = start(t, nil, flags...)
	c = dial(t, s, client.Options{})
	for cmd, want := range map[string]string{"GET a": "420", "GET short": "", "EXISTS long": "1"} {
		f := strings.Fields(cmd)
		if got := text(do(t, c, f[0], f[1])); got != want && !(want == "" && do(t, c, f[0], f[1]).IsNull()) {
			t.Errorf("after a restart %s = %q, want %q", cmd, got, want)
		}
	}
	if ttl := do(t, c, "TTL", "long").Int; ttl < 800 || ttl > 1000 {
		t.Errorf("TTL long = %d", ttl)
	}
	do(t, c, "SELECT", 3)
	if got := text(do(t, c, "GET", "three")); got != "3" {
		t.Errorf("GET three in db 3 = %q", got)
	}
}

// TestCompactionKeepsTheState rewrites a log that is mostly history and loads
// what is left.
func TestCompactionKeepsTheState(t *testing.T) {
	dir := t.TempDir()
	s, stop := start(t, nil, "--dir", dir)
	c := dial(t, s, client.Options{})
	do(t, c, "FT.CREATE", "idx", "SCHEMA", "tag", "TAG")
	do(t, c, "HSET", "h", "tag", "blue", "other", "1")
	do(t, c, "PEXPIREAT", "h", time.Now().UnixMilli()+100000)
	value := strings.Repeat("x", 1<<20)
	for range 80 {
		do(t, c, "SET", "k", value)
	}
	stop()
	_, stop = start(t, nil, "--dir", dir) // compacts
	stop()
	var size int64
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, f := range files {
		if st, err := os.Stat(f); err == nil {
			size += st.Size()
		}
	}
	if size > 8<<20 {
		t.Errorf("the folder holds %d bytes after compaction", size)
	}
	s, _ = start(t, nil, "--dir", dir)
	c = dial(t, s, client.Options{})
	if got := do(t, c, "GET", "k").Str; got != value {
		t.Errorf("k has %d bytes", len(got))
	}
	if got := do(t, c, "TTL", "h").Int; got < 50 || got > 100 {
		t.Errorf("TTL h = %d", got)
	}
	if v, _ := do(t, c, "FT.SEARCH", "idx", "@tag:{blue}", "NOCONTENT").Get("total_results"); v.Int != 1 {
		t.Errorf("FT.SEARCH = %v", v)
	}
}

func TestFolderServesOneServer(t *testing.T) {
	dir := t.TempDir()
	start(t, nil, "--dir", dir)
	cfg, err := LoadConfig([]string{"--port", "0", "--dir", dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.SetLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err := New(cfg).Run(context.Background()); err == nil {
		t.Error("a second server has opened the same folder")
	}
}

// TestPanicEndsOneClient: the client that met the bug is closed, its locks are
// given back, and everybody else goes on.
func TestPanicEndsOneClient(t *testing.T) {
	boom := &command.Spec{
		Name: "boom", Arity: 2, Flags: command.Write, Keys: command.OneKey,
		Bind: command.Bind(func(a *args.Parser) []byte { return a.Bytes() }, func(*command.Ctx, []byte) error { panic("boom") }),
	}
	s, _ := start(t, func(s *Server) {
		s.env.Table = command.NewTable(append(commands.All(), []*command.Spec{boom})...)
	}, "--appendonly", "no")
	victim, other := dial(t, s, client.Options{}), dial(t, s, client.Options{})
	if v, err := victim.Do("BOOM", "k"); err == nil {
		t.Errorf("the panicking command has answered %v", v)
	}
	if got := text(do(t, other, "SET", "k", "v")); got != "OK" {
		t.Errorf("SET after the panic = %q", got)
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	start(t, nil, "--appendonly", "no", "--unixsocket", path)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "SET a 1\r\nGET a\r\n")
	buf := make([]byte, 64)
	n, err := io.ReadAtLeast(conn, buf, len("+OK\r\n$1\r\n1\r\n"))
	if got := string(buf[:n]); err != nil || got != "+OK\r\n$1\r\n1\r\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestSlowSubscriberIsCut(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no", "--client-output-buffer-limit", "pubsub 1mb 0 0")
	slow, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	fmt.Fprint(slow, "SUBSCRIBE ch\r\n")
	c := dial(t, s, client.Options{})
	message := strings.Repeat("x", 100<<10)
	for i := range 1000 {
		if text(do(t, c, "PUBLISH", "ch", message)) == "0" && i > 0 {
			return // it was cut
		}
	}
	eventually(t, "a subscriber that reads nothing is still connected after 100 MB of messages", func() bool {
		return text(do(t, c, "PUBLISH", "ch", "x")) == "0"
	})
}

func TestWatchSeesChange(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	a, b := dial(t, s, client.Options{}), dial(t, s, client.Options{})
	f := func(change ...any) bool {
		t.Helper()
		do(t, a, "SET", "k", "1")
		do(t, a, "WATCH", "k")
		if len(change) > 0 {
			do(t, b, change...)
		}
		do(t, a, "MULTI")
		do(t, a, "SET", "k", "2")
		return !do(t, a, "EXEC").IsNull()
	}
	if !f() {
		t.Error("EXEC failed although nothing has changed")
	}
	if f("SET", "k", "1") {
		t.Error("EXEC ran although the key was written")
	}
	if f("DEL", "k") {
		t.Error("EXEC ran although the key was deleted")
	}
	if f("FLUSHALL") {
		t.Error("EXEC ran although the keyspace was flushed")
	}
	if !f("SET", "other", "1") {
		t.Error("EXEC failed because of another key")
	}
}

// text is a reply as a person would write it.
func text(v client.Value) string {
	if v.Kind == client.Int {
		return strconv.FormatInt(v.Int, 10)
	}
	return v.Str
}

// TestStrangerThatDoesNotReadIsCut is CVE-2025-21605: replies to a client that
// has not authenticated must not pile up.
func TestStrangerThatDoesNotReadIsCut(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no", "--requirepass", "secret")
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	pipeline := strings.Repeat("GET x\r\n", 10000)
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	for err == nil {
		_, err = io.WriteString(conn, pipeline)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the stranger is still there")
	}
}

// TestTimeoutClosesTheIdle and nobody else: not subscribers, and nobody after
// the setting is taken back.
func TestTimeoutClosesTheIdle(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no", "--timeout", "3600")
	idle, admin, subscriber := dialWire(t, s), dialWire(t, s), dialWire(t, s)
	for _, w := range []*wire{idle, admin} {
		w.do("PING")
	}
	subscriber.do("SUBSCRIBE c")
	twoHours := func(clients ...*wire) { // pass for some clients
		s.env.Clients.Each(func(c *session.Session) {
			for _, w := range clients {
				if c.Addr == w.conn.LocalAddr().String() {
					c.LastUse.Add(-2 * time.Hour.Milliseconds())
				}
			}
		})
	}
	twoHours(idle, subscriber)
	if b, err := io.ReadAll(idle.conn); err != nil || len(b) > 0 {
		t.Errorf("idle: %q, %v", b, err)
	}
	if raw, _ := subscriber.do("PING"); raw != "*2\r\n$4\r\npong\r\n$0\r\n\r\n" {
		t.Errorf("subscriber: %q", raw)
	}
	admin.do("CONFIG SET timeout 0")
	twoHours(admin)
	s.sweep(time.Now())
	if raw, _ := admin.do("PING"); raw != "+PONG\r\n" {
		t.Errorf("admin: %q", raw)
	}
}
