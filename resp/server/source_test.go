package server_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/resptest"
	"github.com/nearcache/nearcache/store/rdb"
)

func startSource(t *testing.T, settings ...string) *resptest.Server {
	t.Helper()
	return resptest.Start(t, append([]string{"--enable-replicas", "yes", "--enable-outgoing-connections", "yes"}, settings...)...)
}

func followServer(t *testing.T, replica *resptest.Conn, addr string) {
	t.Helper()
	host, port, _ := net.SplitHostPort(addr)
	if r := replica.Do("REPLICAOF", host, port); r.String() != "OK" {
		t.Fatal(r)
	}
}

// TestSource has one server follow another, with what only this server has.
func TestSource(t *testing.T) {
	a, b := startSource(t, "--requirepass", "secret"), startSource(t, "--masterauth", "secret")
	m, r := follower(t, a.Addr(), 2), follower(t, b.Addr(), 2)
	if r := m.Do("PSYNC", "?", "-1").Text; !strings.HasPrefix(r, "NOAUTH") {
		t.Errorf("PSYNC without a password: %s", r)
	}
	m.Do("AUTH", "secret")
	m.Do("SET", "s", "1")
	m.Do("SEM.CREATE", "ns", "DIM", "2")
	m.Do("SEM.SET", "ns", "before", "first", "VEC", "aaaabbbb")
	m.Do("FT.CREATE", "ix", "ON", "HASH", "PREFIX", "1", "h:", "SCHEMA", "t", "TEXT")
	m.Do("HSET", "h:1", "t", "hello")
	m.Do("FT.SUGADD", "sug", "hello", "1")
	followServer(t, r, a.Addr())
	eventually(t, r, "master_link_status:up", "INFO", "replication")
	eventually(t, r, `"1"`, "GET", "s")
	m.Do("SET", "s", "2")
	eventually(t, r, `"2"`, "GET", "s")
	eventually(t, r, `(int) 1`, "FT.SEARCH", "ix", "hello")
	m.Do("SEM.SET", "ns", "behind", "second", "VEC", "ccccdddd")
	for prompt, answer := range map[string]string{"before": "first", "behind": "second"} {
		eventually(t, r, answer, "SEM.GET", "ns", prompt)
	}
	if got, want := r.Do("FT.SUGGET", "sug", "h").String(), `(array) ["hello"]`; got != want {
		t.Errorf("FT.SUGGET: %s, want %s", got, want)
	}
	if r := r.Do("FT.CREATE", "mine", "SCHEMA", "t", "TEXT").Text; !strings.HasPrefix(r, "READONLY") {
		t.Errorf("an index at a replica: %s", r)
	}
	_, port, _ := net.SplitHostPort(b.Addr())
	eventually(t, m, `(array) [(array) ["127.0.0.1", "`+port+`", "`, "ROLE")
	if r := m.Do("CLIENT", "LIST", "TYPE", "replica").Text; !strings.Contains(r, " flags=S ") {
		t.Error(r)
	}
}

// TestReplicaKeepsUp has what is no change of a key arrive as well, and what comes while a
// script of the replica's holds the keys.
func TestReplicaKeepsUp(t *testing.T) {
	a, b := startSource(t), startSource(t, "--busy-reply-threshold", "10")
	m, r, subscriber, scripted := follower(t, a.Addr(), 2), follower(t, b.Addr(), 2), follower(t, b.Addr(), 2), follower(t, b.Addr(), 2)
	m.Do("FUNCTION", "LOAD", "#!lua name=before\nredis.register_function{function_name='f', callback=function() return 'f' end, flags={'no-writes'}}")
	followServer(t, r, a.Addr())
	eventually(t, r, "master_link_status:up", "INFO", "replication")
	m.Do("FUNCTION", "LOAD", "#!lua name=behind\nredis.register_function{function_name='g', callback=function() return 'g' end, flags={'no-writes'}}")
	eventually(t, r, `"f"`, "FCALL_RO", "f", "0")
	eventually(t, r, `"g"`, "FCALL_RO", "g", "0")
	subscriber.Do("SUBSCRIBE", "channel")
	m.Do("PUBLISH", "channel", "message")
	if got := subscriber.Next().String(); !strings.Contains(got, "message") {
		t.Errorf("a subscriber of the replica hears %s", got)
	}
	scripted.Send("EVAL", "#!lua flags=no-writes\nwhile true do redis.call('GET', KEYS[1]) end", "1", "k")
	eventually(t, r, "BUSY", "GET", "k")
	m.Do("SET", "k", "1")
	m.Do("INCR", "k")
	m.Do("MULTI")
	m.Do("INCR", "k")
	m.Do("INCR", "other")
	m.Do("EXEC")
	if got := r.Do("SCRIPT", "KILL").String(); got != "OK" {
		t.Fatal(got)
	}
	eventually(t, r, `"1"`, "GET", "other")
	if got := r.Do("GET", "k").String(); got != `"3"` {
		t.Errorf("k is %s at the replica", got)
	}
	// The end of the server does not wait for a script either.
	scripted.Next()
	scripted.Send("EVAL", "#!lua flags=no-writes\nwhile true do redis.call('GET', KEYS[1]) end", "1", "k")
	eventually(t, r, "BUSY", "GET", "k")
	m.Do("SET", "k", "1")
	ends(t, b)
}

// asReplica connects as a replica would, and says PSYNC.
func asReplica(t *testing.T, addr, id string, offset int64) (*peer, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(2 * resptest.Timeout))
	r := bufio.NewReader(conn)
	p := &peer{t, conn, resp.NewCommandReader(r)}
	p.write(resptest.Encode("REPLCONF", "capa", "eof", "capa", "psync2"))
	if line, _ := r.ReadString('\n'); line != "+OK\r\n" {
		t.Fatalf("REPLCONF answers %q", line)
	}
	p.write(resptest.Encode("PSYNC", id, strconv.FormatInt(offset, 10)))
	return p, r
}

// takeCopy reads a whole copy and returns where the stream goes on.
func takeCopy(t *testing.T, r *bufio.Reader) (id string, offset int64) {
	t.Helper()
	line, _ := r.ReadString('\n')
	if _, err := fmt.Sscanf(line, "+FULLRESYNC %s %d", &id, &offset); err != nil {
		t.Fatalf("PSYNC answers %q", line)
	}
	head, _ := r.ReadString('\n')
	mark, ok := strings.CutPrefix(strings.TrimSpace(head), "$EOF:")
	if !ok || len(mark) != 40 {
		t.Fatalf("a copy begins with %q", head)
	}
	var all []byte
	for !bytes.HasSuffix(all, []byte(mark)) {
		c, err := r.ReadByte()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return id, offset
}

// TestWaitForReplica has WAIT count a replica that acknowledges late, or not at all, and
// goes on with it where it was when it comes back.
func TestWaitForReplica(t *testing.T) {
	s := startSource(t)
	c, w := follower(t, s.Addr(), 2), follower(t, s.Addr(), 2)
	c.Do("SET", "a", "1")
	p, r := asReplica(t, s.Addr(), "?", -1)
	id, offset := takeCopy(t, r)
	p.send("REPLCONF ACK " + strconv.FormatInt(offset, 10))
	eventually(t, c, "state=online", "INFO", "replication")
	c.Do("SET", "b", "1")
	if got := c.Do("WAIT", "1", "50").String(); got != "(int) 0" {
		t.Errorf("WAIT for a replica that says nothing: %s", got)
	}
	w.Do("SET", "c", "1")
	w.Send("WAIT", "1", "0")
	at := offset
	for got := ""; got != "SET c 1"; {
		got = p.next()
	}
	at = offset + p.r.Offset()
	eventually(t, c, "blocked_clients:1", "INFO", "clients")
	p.send("REPLCONF ACK " + strconv.FormatInt(at, 10))
	if got := w.Next().String(); got != "(int) 1" {
		t.Errorf("WAIT for one that has acknowledged: %s", got)
	}

	// It goes, and comes back to the very next byte.
	_ = p.conn.Close()
	eventually(t, c, "connected_slaves:0", "INFO", "replication")
	c.Do("MULTI")
	c.Do("SELECT", "1")
	c.Do("SET", "d", "1")
	c.Do("SPOP", "nothing")
	c.Do("EXEC")
	c.Do("SELECT", "0")
	p, r = asReplica(t, s.Addr(), id, at+1)
	if line, _ := r.ReadString('\n'); line != "+CONTINUE "+id+"\r\n" {
		t.Fatalf("PSYNC of what is there answers %q", line)
	}
	var got []string
	for len(got) < 2 {
		if x := p.next(); x != "REPLCONF GETACK *" && x != "PING" {
			got = append(got, x)
		}
	}
	if want := "SELECT 1|SET d 1"; strings.Join(got, "|") != want {
		t.Errorf("then comes %q, want %q", got, want)
	}
	stats := c.Do("INFO", "stats").Text
	if resptest.Figure(stats, "sync_full") != 1 || resptest.Figure(stats, "sync_partial_ok") != 1 || resptest.Figure(stats, "sync_partial_err") != 0 {
		t.Error(stats)
	}
	_, r = asReplica(t, s.Addr(), id, 1<<40)
	if line, _ := r.ReadString('\n'); !strings.HasPrefix(line, "+FULLRESYNC "+id+" ") {
		t.Errorf("PSYNC of what is not there answers %q", line)
	}
}

// large fills a server with more than what a connection holds.
func large(t *testing.T, c *resptest.Conn) {
	t.Helper()
	v := strings.Repeat("x", 1<<20)
	for i := range 24 {
		if r := c.Do("SET", "large:"+strconv.Itoa(i), v); r.IsError() {
			t.Fatal(r)
		}
	}
}

// TestCopyThatNobodyReads is ended by CLIENT KILL, by a limit, and by the end of the
// server, and hangs none of them.
func TestCopyThatNobodyReads(t *testing.T) {
	s := startSource(t, "--client-output-buffer-limit", "replica 2mb 0 0")
	c := follower(t, s.Addr(), 2)
	large(t, c)
	stuck := func() {
		asReplica(t, s.Addr(), "?", -1)
		eventually(t, c, "state=send_bulk", "INFO", "replication")
	}
	gone := func() {
		t.Helper()
		eventually(t, c, "connected_slaves:0", "INFO", "replication")
		eventually(t, c, "rdb_bgsave_in_progress:0", "INFO", "persistence")
	}
	stuck()
	if r := c.Do("SAVE").String(); !strings.Contains(r, "in progress") {
		t.Errorf("SAVE: %s", r)
	}
	if r := c.Do("CLIENT", "KILL", "TYPE", "replica").String(); r != "(int) 1" {
		t.Errorf("CLIENT KILL: %s", r)
	}
	gone()

	stuck()
	v := strings.Repeat("y", 1<<20)
	for range 8 {
		c.Do("SET", "large:0", v)
	}
	gone()
	eventually(t, c, "client_output_buffer_limit_disconnections:1\\r", "INFO", "stats")
	if n := resptest.Figure(c.Do("INFO", "memory").Text, "mem_total_replication_buffers"); n > 8<<20 {
		t.Errorf("%d bytes are kept for replicas", n)
	}

	stuck()
	asReplica(t, s.Addr(), "?", -1) // which waits for the other's copy to end
	eventually(t, c, "state=wait_bgsave", "INFO", "replication")
	ends(t, s)
}

// TestPromotion makes one of two replicas the master. The other one, and the old master,
// go on with its stream.
func TestPromotion(t *testing.T) {
	quiet := []string{"--repl-ping-replica-period", "100000"} // of two replicas one may have a PING more
	a, b, d := startSource(t, quiet...), startSource(t, quiet...), startSource(t, quiet...)
	ca, cb, cd := follower(t, a.Addr(), 2), follower(t, b.Addr(), 2), follower(t, d.Addr(), 2)
	ca.Do("SET", "k", "1")
	for _, c := range []*resptest.Conn{cb, cd} {
		followServer(t, c, a.Addr())
		eventually(t, c, "master_link_status:up", "INFO", "replication")
	}
	ca.Do("SET", "k", "2")
	if r := ca.Do("WAIT", "2", "0").String(); r != "(int) 2" {
		t.Fatal(r)
	}
	old := ca.Do("INFO", "replication").Text
	for _, c := range []*resptest.Conn{cb, cd} {
		eventually(t, c, fmt.Sprintf("master_repl_offset:%d\\r", resptest.Figure(old, "master_repl_offset")), "INFO", "replication")
	}
	if r := cb.Do("REPLICAOF", "NO", "ONE").String(); r != "OK" {
		t.Fatal(r)
	}
	for _, c := range []*resptest.Conn{cd, ca} {
		followServer(t, c, b.Addr())
		eventually(t, c, "master_link_status:up", "INFO", "replication")
	}
	cb.Do("SET", "k", "3")
	eventually(t, cd, `"3"`, "GET", "k")
	eventually(t, ca, `"3"`, "GET", "k")
	info := cb.Do("INFO", "replication").Text
	id := func(info, name string) string {
		_, rest, _ := strings.Cut(info, name+":")
		return rest[:40]
	}
	if id(info, "master_replid2") != id(old, "master_replid") || id(info, "master_replid") == id(old, "master_replid") {
		t.Errorf("the IDs of the new master are not new and old: %s", info)
	}
	if got := cd.Do("INFO", "replication").Text; id(got, "master_replid") != id(info, "master_replid") {
		t.Errorf("the replica has not the new ID: %s", got)
	}
	if stats := cb.Do("INFO", "stats").Text; resptest.Figure(stats, "sync_full") != 0 || resptest.Figure(stats, "sync_partial_ok") != 2 {
		t.Error(stats)
	}
}

// TestChain has a replica of a replica, and reads what is past its time at none.
func TestChain(t *testing.T) {
	a, b, d := startSource(t, "--enable-debug-command", "yes"), startSource(t), startSource(t)
	ca, cb, cd := follower(t, a.Addr(), 2), follower(t, b.Addr(), 2), follower(t, d.Addr(), 3)
	cd.Do("CLIENT", "TRACKING", "ON")
	followServer(t, cb, a.Addr())
	eventually(t, cb, "master_link_status:up", "INFO", "replication")
	ca.Do("SELECT", "3")
	ca.Do("SET", "k", "1")
	cb.Do("SELECT", "3")
	eventually(t, cb, `"1"`, "GET", "k")
	followServer(t, cd, b.Addr())
	eventually(t, cd, "master_link_status:up", "INFO", "replication")
	cd.Do("SELECT", "3")
	eventually(t, cd, `"1"`, "GET", "k")
	ca.Do("APPEND", "k", "2")
	for told := ""; !strings.Contains(told, `"k"`); {
		told = cd.Next().String()
	}
	if r := cd.Do("GET", "k").String(); r != `"12"` {
		t.Error(r)
	}
	// The source keeps what is past its time: so do the others, and show it to nobody.
	if r := ca.Do("DEBUG", "SET-ACTIVE-EXPIRE", "0").String(); r != "OK" {
		t.Fatal(r)
	}
	ca.Do("SET", "short", "1", "PX", "1")
	ca.Do("SET", "last", "1")
	eventually(t, cd, `"1"`, "GET", "last")
	eventually(t, cd, "(null)", "GET", "short")
	for _, c := range []*resptest.Conn{cb, cd} {
		if r := c.Do("DBSIZE").String(); r != "(int) 3" {
			t.Errorf("DBSIZE: %s", r)
		}
	}
	ca.Do("GET", "short")
	eventually(t, cd, "(int) 2", "DBSIZE")
	if r := cd.Do("WAIT", "0", "0").Text; !strings.HasPrefix(r, "ERR WAIT cannot be used with replica instances") {
		t.Error(r)
	}
}

// TestWaitForDisks waits until a write is on the disks of both servers.
func TestWaitForDisks(t *testing.T) {
	a, b := startSource(t, "--appendonly", "yes"), startSource(t, "--appendonly", "yes")
	c, r := follower(t, a.Addr(), 2), follower(t, b.Addr(), 2)
	followServer(t, r, a.Addr())
	eventually(t, c, "state=online", "INFO", "replication")
	c.Do("SET", "k", "1")
	if got := c.Do("WAITAOF", "1", "1", "0").String(); got != "(array) [(int) 1, (int) 1]" {
		t.Errorf("WAITAOF: %s", got)
	}
	if got := c.Do("WAITAOF", "0", "2", "1").String(); !strings.HasSuffix(got, "(int) 1]") {
		t.Errorf("WAITAOF for more than there are: %s", got)
	}
	if got := r.Do("WAITAOF", "0", "0", "0").Text; !strings.HasPrefix(got, "ERR WAITAOF cannot be used with replica instances") {
		t.Error(got)
	}
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
}

func TestMinReplicas(t *testing.T) {
	s := startSource(t, "--min-replicas-to-write", "1")
	c := follower(t, s.Addr(), 2)
	const refused = "NOREPLICAS Not enough good replicas to write."
	if r := c.Do("SET", "k", "1").Text; r != refused {
		t.Error(r)
	}
	if r := c.Do("EVAL", "return redis.call('SET','k','1')", "0").Text; !strings.Contains(r, "NOREPLICAS") {
		t.Error(r)
	}
	d := follower(t, startSource(t).Addr(), 2)
	followServer(t, d, s.Addr())
	eventually(t, c, "min_slaves_good_slaves:1", "INFO", "replication")
	if r := c.Do("SET", "k", "1").String(); r != "OK" {
		t.Error(r)
	}
}

// TestCopyOfKnownLength gives an old replica its copy, which has to know its length, by SYNC and by PSYNC.
func TestCopyOfKnownLength(t *testing.T) {
	s := startSource(t, "--repl-ping-replica-period", "100000")
	c := follower(t, s.Addr(), 2)
	for i := range 3000 {
		c.Do("SET", fmt.Sprint("key", i), strings.Repeat("x", i))
	}
	for _, words := range []string{"SYNC", "PSYNC ? -1"} {
		conn, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(resptest.Timeout))
		if _, err := io.WriteString(conn, resptest.Encode(strings.Fields(words)...)); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(conn)
		line := func() string {
			for {
				l, err := r.ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				if l = strings.TrimSpace(l); l != "" {
					return l
				}
			}
		}
		head := line()
		if full := strings.HasPrefix(head, "+FULLRESYNC "); full != (words != "SYNC") {
			t.Fatalf("%s is answered with %q", words, head)
		} else if full {
			head = line()
		}
		n, err := strconv.Atoi(strings.TrimPrefix(head, "$"))
		if err != nil {
			t.Fatalf("%s: a copy begins with %q", words, head)
		}
		c.Do("SET", "behind", "1") // it comes behind the copy, which it is no part of
		f := rdb.NewFile(io.LimitReader(r, int64(n)))
		keys := 0
		for {
			it, err := f.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if it.Kind == rdb.Key {
				keys++
			}
		}
		if rest, err := io.Copy(io.Discard, f.Rest()); err != nil || rest != 0 || keys < 3000 {
			t.Fatalf("%s: %d keys, and %d bytes behind them: %v", words, keys, rest, err)
		}
		for want := "behind"; line() != want; {
		}
		if l, err := filepath.Glob(filepath.Join(s.Dir, "nearcache-copy-*")); err != nil || len(l) > 0 {
			t.Fatal("left behind: ", l, err)
		}
	}
}

func TestSyncIsRefused(t *testing.T) {
	off := follower(t, resptest.Start(t).Addr(), 2)
	if r := off.Do("PSYNC", "?", "-1").Text; !strings.HasPrefix(r, "ERR PSYNC command not allowed") {
		t.Error(r)
	}
	s := startSource(t)
	c := follower(t, s.Addr(), 2)
	for _, x := range [][2]string{
		{"PSYNC ? x", "ERR value is not an integer or out of range"},
		{"REPLCONF capa", "ERR syntax error"},
		{"REPLCONF nonsense 1", "ERR Unrecognized REPLCONF option: nonsense"},
		{"REPLCONF rdb-only 2", "ERR value is out of range, value must between 0 and 1"},
		{"REPLCONF listening-port 7000 ip-address host capa any", "OK"},
	} {
		if r := c.Do(strings.Fields(x[0])...).Text; !strings.HasPrefix(r, x[1]) {
			t.Errorf("%s: %s", x[0], r)
		}
	}
	p, r := asReplica(t, s.Addr(), "?", -1)
	takeCopy(t, r)
	p.send("REPLCONF ACK 1 FACK 1", "PING", "REPLCONF ACK -5", "REPLCONF ACK x", "SET k v")
	eventually(t, c, "state=online,offset=1,", "INFO", "replication")
	if r := c.Do("GET", "k").String(); r != "(null)" {
		t.Error("a replica has written")
	}
	p.write("*1\r\n$99999999\r\n")
	eventually(t, c, "connected_slaves:0", "INFO", "replication")
}
