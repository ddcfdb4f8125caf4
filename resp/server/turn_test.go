package server

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/commands"
	"github.com/nearcache/nearcache/resp/session"
)

// withNap adds a command NAP key that waits for a gate, which no flag tells.
func withNap(gate <-chan struct{}) func(*Server) {
	nap := &command.Spec{
		Name: "nap", Arity: 2, Flags: command.ReadOnly, Keys: command.OneKey,
		Bind: command.Bind((*args.Parser).Bytes, func(c *command.Ctx, _ []byte) error {
			<-gate
			c.W.Status("awake")
			return nil
		}),
	}
	return func(s *Server) { s.env.Table = command.NewTable(append(commands.All(), []*command.Spec{nap})...) }
}

// A command that takes long delays no other client, though all are served by
// one loop, and what its client has sent meanwhile is answered in order.
func TestALongCommandDelaysNobody(t *testing.T) {
	gate := make(chan struct{})
	s, _ := start(t, withNap(gate), "--appendonly", "no", "--io-threads", "1")
	napper, other := dialWire(t, s), dial(t, s, client.Options{Timeout: time.Minute})
	napper.send("SET x 1", "NAP k", "GET x")
	for i := range 200 {
		do(t, other, "SET", fmt.Sprint("key", i), "v")
	}
	napper.send("PING")
	do(t, other, "PING")
	close(gate)
	for _, want := range []string{"+OK\r\n", "+awake\r\n", "$1\r\n1\r\n", "+PONG\r\n"} {
		if raw, _ := napper.frame(); raw != want {
			t.Errorf("got %q, want %q", raw, want)
		}
	}
}

// needReactors skips a test of what only reactors do.
func needReactors(t *testing.T, s *Server) {
	t.Helper()
	if s.reactors == nil {
		t.Skip("a goroutine that writes to a client that does not read just waits")
	}
}

// Clients that read nothing are given no more to read, and cost little; then
// they get everything.
func TestAClientThatDoesNotReadIsNotServed(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	needReactors(t, s)
	c := dial(t, s, client.Options{Timeout: time.Minute})
	value := strings.Repeat("0123456789abcdef", 4<<10)
	do(t, c, "SET", "k", value)
	slow := dialWire(t, s)
	_ = slow.conn.SetDeadline(time.Now().Add(2 * time.Minute))
	const gets = 1000
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := io.WriteString(slow.conn, strings.Repeat("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", gets)); err != nil {
			t.Error(err)
		}
	})
	defer wg.Wait()
	var ses *session.Session
	eventually(t, "the client is never stalled", func() bool {
		s.env.Clients.Each(func(c *session.Session) {
			if c.UnsentLen() > 0 {
				ses = c
			}
		})
		return ses != nil
	})
	for range 100 {
		do(t, c, "PING")
	}
	if n := ses.UnsentLen(); n > 256<<10 {
		t.Errorf("%d bytes wait for a client that does not read", n)
	}
	reply := fmt.Sprintf("$%d\r\n%s\r\n", len(value), value)
	got := make([]byte, len(reply))
	for range gets {
		if _, err := io.ReadFull(slow.conn, got); err != nil || string(got) != reply {
			t.Fatalf("%.20q %v", got, err)
		}
	}
}

// With a limit for replies a client that reads nothing is served until it is
// reached, and then cut.
func TestReplyLimitCutsAClient(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no", "--client-output-buffer-limit", "normal 8mb 0 0")
	needReactors(t, s)
	c := dial(t, s, client.Options{Timeout: time.Minute})
	do(t, c, "SET", "k", strings.Repeat("x", 100<<10))
	slow := dialWire(t, s)
	_, err := io.WriteString(slow.conn, strings.Repeat("GET k\r\n", 10_000))
	if err == nil {
		_, err = io.Copy(io.Discard, readNothing{slow.conn})
	}
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Fatal("the client is still there")
	}
	eventually(t, "nobody was cut for a full buffer", func() bool {
		return strings.Contains(do(t, c, "INFO", "stats").Str, "client_output_buffer_limit_disconnections:1\r\n")
	})
	if do(t, c, "PING").Str != "PONG" {
		t.Error("another client was cut")
	}
}

// Replies that come one by one count together.
func TestReplyLimitCountsWhatWaits(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no", "--client-output-buffer-limit", "normal 2mb 0 0")
	needReactors(t, s)
	c := dial(t, s, client.Options{Timeout: time.Minute})
	do(t, c, "SET", "k", strings.Repeat("x", 1000))
	slow := dialWire(t, s)
	slow.do("PING")
	var ses *session.Session
	s.env.Clients.Each(func(c *session.Session) {
		if c.Addr == slow.conn.LocalAddr().String() {
			ses = c
		}
	})
	get, most := []byte(strings.Repeat("GET k\r\n", 10)), 0
	eventually(t, "the client is still there", func() bool {
		for range 1000 {
			most = max(most, ses.UnsentLen())
			if _, err := slow.conn.Write(get); err != nil {
				break
			}
		}
		return ses.Overflowed()
	})
	if most > 2<<20+1100 { // with the reply that was too much
		t.Errorf("%d bytes have waited", most)
	}
}

// slowClient asks for a large value n times, without reading, and returns when what it
// takes is all that its socket takes.
func slowClient(t *testing.T, s *Server, size, n int) (*wire, *session.Session) {
	t.Helper()
	do(t, dial(t, s, client.Options{Timeout: time.Minute}), "SET", "k", strings.Repeat("x", size))
	slow := dialWire(t, s)
	_ = slow.conn.SetDeadline(time.Now().Add(2 * time.Minute))
	if _, err := io.WriteString(slow.conn, strings.Repeat("GET k\r\n", n)); err != nil {
		t.Fatal(err)
	}
	var ses *session.Session
	eventually(t, "the client is never stalled", func() bool {
		s.env.Clients.Each(func(c *session.Session) {
			if c.UnsentLen() > 0 {
				ses = c
			}
		})
		return ses != nil
	})
	return slow, ses
}

// A client that has said all it has to say and reads later costs nothing until then,
// though a limit lets it pile up what it has asked for, and gets everything.
func TestASlowClientThatIsHalfClosedCostsNothing(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no", "--client-output-buffer-limit", "normal 100mb 0 0")
	needReactors(t, s)
	const size, gets = 100 << 10, 200
	slow, ses := slowClient(t, s, size, gets)
	_ = slow.conn.(*net.TCPConn).CloseWrite()
	c := dial(t, s, client.Options{Timeout: time.Minute})
	reply := fmt.Sprintf("$%d\r\n%s\r\n", size, strings.Repeat("x", size))
	eventually(t, "what it has asked for is not ready", func() bool {
		return ses.UnsentLen()+int(ses.NetOut.Load()) == gets*len(reply)
	})
	eventually(t, "it is looked at again and again", func() bool {
		before := ses.Reads.Load()
		for range 100 {
			do(t, c, "PING")
		}
		return ses.Reads.Load() == before
	})
	if b, err := io.ReadAll(slow.conn); string(b) != strings.Repeat(reply, gets) {
		t.Errorf("%d bytes, want %d, %v", len(b), gets*len(reply), err)
	}
}

// What a client does not read waits here, where it counts: the kernel gets little of it.
func TestASocketTakesLittleOfWhatNobodyReads(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	needReactors(t, s)
	if runtime.GOOS != "linux" {
		t.Skip("only Linux knows the setting")
	}
	if _, ses := slowClient(t, s, 100<<10, 100); ses.NetOut.Load() > 1<<20 {
		t.Errorf("the kernel has taken %d bytes", ses.NetOut.Load())
	}
}

// readNothing is a connection of which only the end is wanted: a write fails
// when the other side has closed it.
type readNothing struct{ net.Conn }

func (r readNothing) Read([]byte) (int, error) {
	time.Sleep(10 * time.Millisecond)
	_, err := r.Write([]byte("PING\r\n"))
	return 0, err
}

// A client over its soft limit is cut when it stays there, not before.
func TestSoftLimitCutsAClient(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no", "--client-output-buffer-limit", "pubsub 0 64kb 1")
	c := dial(t, s, client.Options{Timeout: time.Minute})
	slow := dialWire(t, s)
	slow.do("SUBSCRIBE ch")
	var ses *session.Session
	s.env.Clients.Each(func(c *session.Session) {
		if c.InPubSub() {
			ses = c
		}
	})
	message := strings.Repeat("x", 64<<10)
	under := time.Now() // when it was last under the limit
	eventually(t, "the subscriber is still there", func() bool {
		at, n := time.Now(), ses.PendingLen()
		if ses.Overflowed() {
			return true
		}
		if n <= 64<<10 {
			under = at
		}
		if n < 8<<20 {
			do(t, c, "PUBLISH", "ch", message)
		}
		return false
	})
	if d := time.Since(under); d < 900*time.Millisecond {
		t.Errorf("cut after %v", d)
	}
}

// A pause that ends while a client comes to it does not keep the client.
func TestPauseEndsAtAnyMoment(t *testing.T) {
	var left atomic.Int64 // times that the clock is looked at before the pause ends
	var s *Server
	s, _ = startAt(t, func() int64 {
		if left.Load() > 0 && left.Add(-1) == 0 {
			s.Unpause()
		}
		return time.Now().UnixMilli()
	}, nil, "--appendonly", "no")
	w := dialWire(t, s)
	for n := range int64(10) {
		_ = w.conn.SetDeadline(time.Now().Add(time.Minute))
		s.Pause(s.ks.Now()+time.Hour.Milliseconds(), false)
		left.Store(n + 1)
		t.Logf("the pause ends at look %d at the clock", n+1)
		w.send("SET k v")
		for deadline := time.Now().Add(20 * time.Millisecond); left.Load() > 0; { // those of the client come first
			if time.Now().After(deadline) {
				s.ks.Now()
			} else {
				time.Sleep(time.Millisecond)
			}
		}
		if raw, _ := w.frame(); raw != "+OK\r\n" {
			t.Fatal(raw)
		}
	}
}

// A pause that begins while another ends is not taken for that one.
func TestPauseBeginsWhileAnotherEnds(t *testing.T) {
	var begins atomic.Bool // at the next look at the clock
	var s *Server
	until := time.Now().Add(time.Hour).UnixMilli()
	s, _ = startAt(t, func() int64 {
		if begins.CompareAndSwap(true, false) {
			s.Pause(until, true)
		}
		return time.Now().UnixMilli()
	}, nil, "--appendonly", "no")
	for range 20 {
		s.Unpause()
		s.Pause(time.Now().UnixMilli()-1, false)
		begins.Store(true)
		s.endPause()
		if got, all := s.pause.until.Load(), s.pause.all.Load(); got != until || !all {
			t.Fatalf("the pause has ended: until %d, all %v", got, all)
		}
	}
}

func TestPauseEndsInEveryWay(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	c := dial(t, s, client.Options{Timeout: time.Minute})
	paused := func(n int) {
		t.Helper()
		eventually(t, "nobody is paused", func() bool {
			k := 0
			s.env.Clients.Each(func(c *session.Session) {
				if c.Paused.Load() {
					k++
				}
			})
			return k == n
		})
	}
	a := dialWire(t, s)
	do(t, c, "CLIENT", "PAUSE", 60_000, "WRITE")
	a.send("GET k", "SET k 1", "GET k")
	if raw, _ := a.frame(); raw != "$-1\r\n" { // reads go on
		t.Error(raw)
	}
	paused(1)
	do(t, c, "CLIENT", "UNPAUSE")
	for _, want := range []string{"+OK\r\n", "$1\r\n1\r\n"} {
		if raw, _ := a.frame(); raw != want {
			t.Errorf("%q, want %q", raw, want)
		}
	}
	do(t, c, "CLIENT", "PAUSE", 200, "ALL") // ends by itself
	if raw, _ := a.do("PING"); raw != "+PONG\r\n" {
		t.Error(raw)
	}
	do(t, c, "CLIENT", "PAUSE", 60_000, "WRITE")
	a.send("SET k 2")
	paused(1)
	do(t, c, "CLIENT", "KILL", "SKIPME", "yes")
	if b, err := io.ReadAll(a.conn); len(b) > 0 {
		t.Errorf("a client that was killed got %q, %v", b, err)
	}
	paused(0)
	do(t, c, "CLIENT", "UNPAUSE")
	if got := do(t, c, "GET", "k").Str; got != "1" {
		t.Errorf("a client that was killed has written %q", got)
	}
}

// A pipeline that ends with QUIT, and one that is half closed, are answered to
// the end.
func TestAllIsAnsweredBeforeTheEnd(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	do(t, dial(t, s, client.Options{}), "SET", "k", strings.Repeat("x", 10_000))
	for _, quit := range []bool{true, false} {
		w := dialWire(t, s)
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := w.conn.Write(bytes.Repeat([]byte("GET k\r\n"), 2000))
			if quit && err == nil {
				_, err = w.conn.Write([]byte("QUIT\r\nGET k\r\n"))
			} else if err == nil {
				err = w.conn.(*net.TCPConn).CloseWrite()
			}
			if err != nil {
				t.Error(err)
			}
		})
		time.Sleep(10 * time.Millisecond) // so that the client is stalled
		want := 2000 * (8 + 10_000 + 2)
		if quit {
			want += 5
		}
		if b, err := io.ReadAll(w.conn); len(b) != want {
			t.Errorf("quit %v: %d bytes, want %d, %v", quit, len(b), want, err)
		}
		wg.Wait()
	}
}
