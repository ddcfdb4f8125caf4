package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// pipe is a client without a socket, of which there can be more than a process may
// have files.
type pipe struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

func (s *Server) pipe(t testing.TB) *pipe {
	here, there := net.Pipe()
	s.wg.Go(func() { s.serve(there) })
	return &pipe{t, here, bufio.NewReaderSize(here, 64)}
}

// encode makes a command of words separated by spaces.
func encode(line string) []byte {
	words := strings.Fields(line)
	b := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, w := range words {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b
}

func (p *pipe) send(line string) {
	p.t.Helper()
	if _, err := p.conn.Write(encode(line)); err != nil {
		p.t.Fatal(err)
	}
}

// expect reads as many bytes as want has, which is what they should be.
func (p *pipe) expect(want string) {
	p.t.Helper()
	_ = p.conn.SetReadDeadline(time.Now().Add(time.Minute))
	got := make([]byte, len(want))
	n, err := io.ReadFull(p.r, got)
	at := 0
	for at < n && got[at] == want[at] {
		at++
	}
	if err != nil || at < n {
		p.t.Errorf("%v; after %d bytes: %.60q, want %.60q", err, at, got[at:n], want[at:])
	}
}

// eventually waits for what other goroutines are about to do.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// waiters is how many clients wait at once. The race detector has a limit of 8128
// goroutines.
func waiters() int {
	if raceEnabled {
		return 2000
	}
	return 10_000
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

// TestTenThousandClientsWaitInLine serves clients that wait for few keys, by
// pipelines and by transactions: each gets the element whose turn it is.
func TestTenThousandClientsWaitInLine(t *testing.T) {
	s, stop := start(t, nil, "--appendonly", "no")
	defer stop()
	const keys = 20
	n := waiters()
	clients := make([]*pipe, n)
	want := make([]string, n)
	for i := range clients {
		clients[i] = s.pipe(t)
		key, element := fmt.Sprint("q", i%keys), fmt.Sprint("e", i)
		switch i / keys % 4 {
		case 0:
			clients[i].send("BLPOP other " + key + " 0")
			want[i] = "*2\r\n" + bulk(key) + bulk(element)
		case 1:
			word := "BRPOP "
			if i >= n*3/4-2 { // many elements will come at once, and be served from their first
				word = "BLPOP "
			}
			clients[i].send(word + key + " 0")
			want[i] = "*2\r\n" + bulk(key) + bulk(element)
		case 2:
			clients[i].send("BLMPOP 0 1 " + key + " LEFT COUNT 1")
			want[i] = "*2\r\n" + bulk(key) + "*1\r\n" + bulk(element)
		case 3:
			clients[i].send("BLMOVE " + key + " moved LEFT RIGHT 0")
			want[i] = bulk(element)
		}
		eventually(t, "a client does not wait", func() bool { return s.env.Blocking.Len() == int64(i+1) })
	}
	if all, _ := s.env.Blocking.Keys(); all != keys+1 {
		t.Errorf("%d keys are waited for", all)
	}
	// One element after the other, a hundred commands a write; then three to an
	// EXEC, and at last all that is left in one.
	producer := s.pipe(t)
	replies := make(chan struct{})
	var lines, answers []string
	for i := range n / 2 {
		lines = append(lines, fmt.Sprintf("RPUSH q%d e%d", i%keys, i))
		answers = append(answers, ":1\r\n")
	}
	push := func(from, to int) {
		lines = append(lines, "MULTI")
		answers = append(answers, "+OK\r\n")
		result := fmt.Sprintf("*%d\r\n", to-from)
		for i := from; i < to; i++ {
			lines = append(lines, fmt.Sprintf("RPUSH q%d e%d", i%keys, i))
			answers = append(answers, "+QUEUED\r\n")
			result += fmt.Sprintf(":%d\r\n", (i-from)/keys+1)
		}
		lines = append(lines, "EXEC")
		answers = append(answers, result)
	}
	i := n / 2
	for ; i+3 <= n*3/4; i += 3 {
		push(i, i+3)
	}
	push(i, n)
	go func() {
		defer close(replies)
		producer.expect(strings.Join(answers, ""))
	}()
	for len(lines) > 0 {
		k := min(100, len(lines))
		var b []byte
		for _, line := range lines[:k] {
			b = append(b, encode(line)...)
		}
		if _, err := producer.conn.Write(b); err != nil {
			t.Fatal(err)
		}
		lines = lines[k:]
	}
	<-replies
	for i, c := range clients {
		c.expect(want[i])
	}
	s.expectNobodyWaits(t)
	producer.send("LLEN moved")
	producer.expect(fmt.Sprintf(":%d\r\n", n/4))
}

func (s *Server) expectNobodyWaits(t *testing.T) {
	t.Helper()
	eventually(t, "somebody still waits", func() bool {
		all, gone := s.env.Blocking.Keys()
		return s.env.Blocking.Len() == 0 && all == 0 && gone == 0 && !s.env.Blocking.Wide()
	})
}

// TestWaitsThatEndLeaveNothing ends waits by time, by CLIENT UNBLOCK, by hanging
// up, and by commands that come after.
func TestWaitsThatEndLeaveNothing(t *testing.T) {
	s, stop := start(t, nil, "--appendonly", "no")
	defer stop()
	n := waiters() / 20
	clients := make([]*pipe, n)
	admin := s.pipe(t)
	for i := range clients {
		clients[i] = s.pipe(t)
		clients[i].send("CLIENT ID")
		var id int
		line, err := clients[i].r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscanf(line, ":%d", &id); err != nil {
			t.Fatal(err)
		}
		switch i % 4 {
		case 0:
			clients[i].send("BLPOP a b c 0.01")
			clients[i].expect("*-1\r\n")
		case 1:
			clients[i].send("BLMOVE a b LEFT RIGHT 0")
			eventually(t, "a client does not wait", func() bool { return s.env.Blocking.Len() > 0 })
			admin.send(fmt.Sprint("CLIENT UNBLOCK ", id))
			admin.expect(":1\r\n")
			clients[i].expect("*-1\r\n")
		case 2:
			clients[i].send("BLMPOP 0 2 a b RIGHT")
			eventually(t, "a client does not wait", func() bool { return s.env.Blocking.Len() > 0 })
			_ = clients[i].conn.Close()
		case 3:
			// What is sent while the client waits runs after it.
			both := append(encode("BLPOP a 0"), encode("ECHO after")...)
			if _, err := clients[i].conn.Write(both); err != nil {
				t.Fatal(err)
			}
			eventually(t, "a client does not wait", func() bool { return s.env.Blocking.Len() > 0 })
			admin.send("LPUSH a x")
			admin.expect(":1\r\n")
			clients[i].expect("*2\r\n" + bulk("a") + bulk("x") + bulk("after"))
		}
		s.expectNobodyWaits(t)
	}
}
