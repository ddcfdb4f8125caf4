package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/resptest"
)

// master is a master that does as the test says.
type master struct {
	t *testing.T
	l net.Listener
}

// peer is a replica that has come.
type peer struct {
	t    *testing.T
	conn net.Conn
	r    *resp.CommandReader
}

func newMaster(t *testing.T) *master {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &master{t, l}
}

// accept waits for the replica, shakes hands, and returns what it says to PSYNC.
func (m *master) accept() (p *peer, psync string) {
	m.t.Helper()
	_ = m.l.(*net.TCPListener).SetDeadline(time.Now().Add(resptest.Timeout))
	conn, err := m.l.Accept()
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(resptest.Timeout))
	p = &peer{m.t, conn, resp.NewCommandReader(bufio.NewReader(conn))}
	for _, step := range []struct{ want, answer string }{
		{"PING", "+PONG"}, {"AUTH me secret", "+OK"}, {"REPLCONF listening-port ", "+OK"}, {"REPLCONF capa eof capa psync2", "+OK"},
	} {
		if got := p.next(); !strings.HasPrefix(got, step.want) {
			m.t.Fatalf("the replica says %q, not %q", got, step.want)
		}
		p.write(step.answer + "\r\n")
	}
	return p, p.next()
}

func (p *peer) next() string {
	p.t.Helper()
	args, err := p.r.Next()
	if err != nil {
		p.t.Fatal(err)
	}
	var words []string
	for _, a := range args {
		words = append(words, string(a))
	}
	return strings.Join(words, " ")
}

// ack reads what the replica acknowledges until it is so far.
func (p *peer) ack(offset int) {
	p.t.Helper()
	for want := fmt.Sprint("REPLCONF ACK ", offset); ; {
		got := p.next()
		if got == want {
			return
		}
		n, err := strconv.Atoi(strings.TrimPrefix(got, "REPLCONF ACK "))
		if err != nil || n > offset {
			p.t.Fatalf("the replica says %q, want %q", got, want)
		}
	}
}

func (p *peer) write(s string) int {
	p.t.Helper()
	if _, err := io.WriteString(p.conn, s); err != nil {
		p.t.Fatal(err)
	}
	return len(s)
}

func (p *peer) send(lines ...string) (n int) {
	for _, l := range lines {
		n += p.write(resptest.Encode(strings.Fields(l)...))
	}
	return n
}

func follower(t *testing.T, addr string, proto int) *resptest.Conn {
	t.Helper()
	c, err := resptest.Dial(addr, proto)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// eventually waits until a command answers as it should.
func eventually(t *testing.T, c *resptest.Conn, want string, args ...string) {
	t.Helper()
	for end := time.Now().Add(resptest.Timeout); ; time.Sleep(5 * time.Millisecond) {
		got := c.Do(args...).String()
		if strings.Contains(got, want) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%q: %s, want %s", args, got, want)
		}
	}
}

// TestReplica follows a master through both ways of sending all keys, its commands, and
// cuts of the link.
func TestReplica(t *testing.T) {
	dump, err := os.ReadFile("../../store/rdb/testdata/redis-7.0.rdb")
	if err != nil {
		t.Fatal(err)
	}
	m := newMaster(t)
	_, port, _ := net.SplitHostPort(m.l.Addr().String())
	s := resptest.Start(t, "--enable-outgoing-connections", "yes", "--masteruser", "me", "--masterauth", "secret")
	c, tracked, waits := follower(t, s.Addr(), 2), follower(t, s.Addr(), 3), follower(t, s.Addr(), 2)
	c.Do("SET", "old", "1")
	tracked.Do("CLIENT", "TRACKING", "ON", "BCAST")
	waits.Send("BLPOP", "list-of-nobody", "0")
	eventually(t, c, "blocked_clients:1", "INFO", "clients")
	if r := c.Do("REPLICAOF", "127.0.0.1", port); r.String() != "OK" {
		t.Fatal(r)
	}
	if r := c.Do("REPLICAOF", "127.0.0.1", port); r.Text != "OK Already connected to specified master" {
		t.Error(r)
	}
	if r := waits.Next(); r.Text != "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)" {
		t.Errorf("who waits is told %s", r)
	}

	// All keys, of a length that is told.
	p, psync := m.accept()
	if psync != "PSYNC ? -1" {
		t.Errorf("first it says %q", psync)
	}
	const id = "8371b4fb1155b71f4a04d3e1bc3e18c4a990aeeb"
	p.write("+FULLRESYNC " + id + " 1000\r\n\n\n$" + strconv.Itoa(len(dump)) + "\r\n")
	p.write(string(dump[:1000]))
	eventually(t, c, "LOADING", "GET", "s")
	p.write(string(dump[1000:]))
	eventually(t, c, `["slave", "127.0.0.1", (int) `+port+`, "connected", (int) 1000]`, "ROLE")
	for _, x := range [][2]string{{"GET s", `"value"`}, {"GET old", "(null)"}, {"DBSIZE", "(int) 26"}, {"FCALL_RO f 0", ""}} {
		if r := c.Do(strings.Fields(x[0])...).String(); x[1] != "" && r != x[1] {
			t.Errorf("%s: %s", x[0], r)
		}
	}

	// Commands.
	at := 1000 + p.send("SELECT 0", "SET s changed", "PING", "RPUSH l a b", "SELECT 3", "MULTI", "SET s three", "SELECT 0", "INCR n", "EXEC", "SET t 4")
	at += p.send("NOSUCHCOMMAND x")
	p.ack(at)
	at += p.send("REPLCONF GETACK *")
	p.ack(at)
	for _, x := range [][2]string{{"GET s", `"changed"`}, {"LRANGE l 0 -1", `(array) ["a", "b"]`}, {"GET n", `"1"`}, {"GET t", `"4"`}} {
		if r := c.Do(strings.Fields(x[0])...).String(); r != x[1] {
			t.Errorf("%s: %s, want %s", x[0], r, x[1])
		}
	}
	for told := ""; !strings.Contains(told, `"s"`); {
		told = tracked.Next().String()
	}
	for _, line := range []string{"SET s mine", "BLPOP l 0", "EVAL redis.call('set','s','mine') 0", "FUNCTION FLUSH"} {
		if r := c.Do(strings.Fields(line)...).String(); !strings.Contains(r, "READONLY You can't write against a read only replica") {
			t.Errorf("%s: %s", line, r)
		}
	}
	eventually(t, c, "master_link_status:up", "INFO", "replication")

	// The link is cut in a transaction: it is asked for again, from its beginning.
	p.send("MULTI", "SET s never")
	_ = p.conn.Close()
	p, psync = m.accept()
	if want := fmt.Sprint("PSYNC ", id, " ", at+1); psync != want {
		t.Errorf("then it says %q, not %q", psync, want)
	}
	p.write("+CONTINUE\r\n")
	at += p.send("MULTI", "SET s again", "SET u 1", "EXEC")
	p.ack(at)
	if r := c.Do("MGET", "s", "u").String(); r != `(array) ["again", "1"]` {
		t.Error(r)
	}

	// All keys anew, of a length that nobody knows.
	_ = p.conn.Close()
	p, _ = m.accept()
	mark := strings.Repeat("0123456789", 4)
	p.write("+FULLRESYNC " + strings.Repeat("b", 40) + " 5\r\n$EOF:" + mark + "\r\n" + string(dump) + mark)
	at = 5 + p.send("SELECT 0", "SET v 1")
	p.ack(at)
	if r := c.Do("MGET", "s", "u", "v").String(); r != `(array) ["value", (null), "1"]` {
		t.Error(r)
	}

	// What is no RDB leaves everything as it is; what is broken is asked for again.
	_ = p.conn.Close()
	p, _ = m.accept()
	p.write("+FULLRESYNC " + strings.Repeat("b", 40) + " 5\r\n$100\r\nrubbish that is no RDB" + strings.Repeat(" ", 100))
	p, psync = m.accept()
	if psync != "PSYNC ? -1" {
		t.Errorf("after rubbish it says %q", psync)
	}
	if r := c.Do("GET", "s").String(); r != `"value"` {
		t.Error(r)
	}
	bad := []byte(string(dump))
	bad[len(bad)-1] ^= 1
	p.write("+FULLRESYNC " + strings.Repeat("b", 40) + " 5\r\n$" + strconv.Itoa(len(bad)) + "\r\n" + string(bad))
	p, psync = m.accept()
	if psync != "PSYNC ? -1" {
		t.Errorf("after a wrong checksum it says %q", psync)
	}
	p.write("-NOMASTERLINK not now\r\n")

	// A master again.
	if r := c.Do("REPLICAOF", "NO", "ONE").String(); r != "OK" {
		t.Error(r)
	}
	if r := c.Do("SET", "s", "mine").String(); r != "OK" {
		t.Error(r)
	}
	if r := c.Do("ROLE").String(); !strings.Contains(r, "master") {
		t.Error(r)
	}
}

// TestReplicaTrustsItsMaster has a master say what no client may: which entry an idempotent ID has been given to, and
// that something was delivered in what is the future here.
func TestReplicaTrustsItsMaster(t *testing.T) {
	m := newMaster(t)
	_, port, _ := net.SplitHostPort(m.l.Addr().String())
	dir := t.TempDir()
	settings := []string{"--replicaof", "127.0.0.1 " + port, "--masteruser", "me", "--masterauth", "secret", "--dir", dir, "--appendonly", "yes"}
	s := resptest.Start(t, settings...)
	dump, err := os.ReadFile("../../store/rdb/testdata/redis-7.0.rdb")
	if err != nil {
		t.Fatal(err)
	}
	p, _ := m.accept()
	p.write("+FULLRESYNC " + strings.Repeat("b", 40) + " 0\r\n$" + strconv.Itoa(len(dump)) + "\r\n" + string(dump))
	now := fmt.Sprint(time.Now().UnixMilli()) // of entries whose idempotent IDs are not forgotten yet
	in := func(line string) string { return strings.ReplaceAll(line, "NOW", now) }
	at := p.send("SELECT 5", in("XADD x IDMP p i NOW-1 f v"), in("XADD x IDMPAUTO q NOMKSTREAM MAXLEN = 9 NOW-2 f v"), "XADD x IDMPAUTO q * f v",
		in("XADD x IDMP p i NOW-3 f v"), "XADD x IDMP p gone * f v", "XGROUP CREATE x g 0", "PING",
		"MULTI", in("XCLAIM x g c 0 NOW-1 TIME 9999999999999 RETRYCOUNT 1 FORCE JUSTID LASTID 0-0"), in("XGROUP SETID x g NOW-1 ENTRIESREAD 1"), "EXEC")
	first := follower(t, s.Addr(), 2)
	eventually(t, first, fmt.Sprint("slave_repl_offset:", at), "INFO", "replication")
	look := func(c *resptest.Conn) {
		t.Helper()
		c.Do("SELECT", "5")
		for _, x := range [][2]string{
			{"XRANGE x - +", `[ (array) ["NOW-1", (array) ["f", "v"]], (array) ["NOW-2", (array) ["f", "v"]], (array) ["NOW-3", (array) ["f", "v"]] ]`},
			{"XINFO STREAM x", `"pids-tracked", (int) 2, "iids-tracked", (int) 2, "iids-added", (int) 3`},
			{"XINFO STREAM x FULL", `"pending", (array) [(array) ["NOW-1", "c", (int) 9999999999999, (int) 1]]`},
		} {
			if got := strings.Join(strings.Fields(c.Do(strings.Fields(x[0])...).String()), " "); !strings.Contains(got, in(x[1])) {
				t.Errorf("%s: %s, want %s", x[0], got, x[1])
			}
		}
		if got := c.Do("INFO", "replication").Text; strings.Contains(got, "nearcache_replication_errors:") && !strings.Contains(got, "nearcache_replication_errors:0\r\n") {
			t.Error(got)
		}
	}
	look(first)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	c := follower(t, resptest.Start(t, settings...).Addr(), 2)
	c.Do("REPLICAOF", "NO", "ONE")
	look(c)
	if got := c.Do("XADD", "x", "IDMP", "p", "j", "3-1", "f", "v").Text; got != "ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs" {
		t.Error(got)
	}
}

func TestReplicaOfSettings(t *testing.T) {
	m := newMaster(t)
	_, port, _ := net.SplitHostPort(m.l.Addr().String())
	resptest.Start(t, "--replicaof", "127.0.0.1 "+port, "--masteruser", "me", "--masterauth", "secret")
	if _, psync := m.accept(); psync != "PSYNC ? -1" {
		t.Error(psync)
	}
	off := follower(t, resptest.Start(t).Addr(), 2)
	if r := off.Do("REPLICAOF", "127.0.0.1", port).Text; !strings.HasPrefix(r, "ERR REPLICAOF command not allowed") {
		t.Error(r)
	}
}
