package server_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/nearcache/nearcache/resp/resptest"
)

// press writes to a server, and reads replies, until it ends.
func press(t *testing.T, wg *sync.WaitGroup, addr string, i int) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	var b bytes.Buffer
	for n := range 50 {
		b.WriteString(resptest.Encode("INCR", fmt.Sprintf("n%d-%d", i, n%7)))
		b.WriteString(resptest.Encode("APPEND", fmt.Sprint("s", n%3), "x"))
		b.WriteString(resptest.Encode("RPUSH", "l", fmt.Sprint(i)))
		b.WriteString(resptest.Encode("LPOP", "l"))
		b.WriteString(resptest.Encode("SET", fmt.Sprint("short", n%5), "v", "PX", "3"))
	}
	wg.Go(func() {
		for err := error(nil); err == nil; {
			_, err = conn.Write(b.Bytes())
		}
	})
	wg.Go(func() {
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	})
}

// TestSourceThatEndsUnderLoad ends a source while clients write as fast as they can, and starts it again: its replica
// goes on without a copy, and is equal.
func TestSourceThatEndsUnderLoad(t *testing.T) {
	for _, x := range []struct {
		how      string
		settings []string
	}{
		{"SHUTDOWN", []string{"--appendonly", "yes"}},
		{"SHUTDOWN SAVE", nil},
		{"SIGTERM", []string{"--appendonly", "yes"}},
		{"SIGTERM", []string{"--save", "3600 1"}},
	} {
		t.Run(x.how+" "+strings.Join(x.settings, " "), func(t *testing.T) {
			t.Parallel()
			settings := append(x.settings, "--dir", t.TempDir(), "--shutdown-timeout", "100000", "--bind", resptest.OwnAddress()) // its port is free when it starts again
			a, b := startSource(t, settings...), startSource(t)
			m, c := follower(t, a.Addr(), 2), follower(t, b.Addr(), 2)
			followServer(t, c, a.Addr())
			eventually(t, c, "master_link_status:up", "INFO", "replication")
			var writers sync.WaitGroup
			for i := range 3 {
				press(t, &writers, a.Addr(), i)
			}
			eventually(t, c, "(int) 1", "EXISTS", "n2-6")
			_, port, _ := net.SplitHostPort(a.Addr())
			end := a.Stop
			if words := strings.Fields(x.how); words[0] == "SHUTDOWN" {
				m.Send(words...)
				end = a.Ended
			}
			if err := end(); err != nil {
				t.Fatal(err)
			}
			writers.Wait()
			again := startSource(t, append(settings, "--port", port)...)
			m = follower(t, again.Addr(), 2)
			m.Do("SET", "behind", "1")
			eventually(t, c, `"1"`, "GET", "behind")
			if stats := m.Do("INFO", "stats").Text; resptest.Figure(stats, "sync_full") != 0 || resptest.Figure(stats, "sync_partial_ok") != 1 {
				t.Error(stats)
			}
			m.Do("WAIT", "1", "0")
			for i := range 5 { // what is over, but lies there still
				m.Do("DEL", fmt.Sprint("short", i))
			}
			m.Do("SET", "behind", "2")
			eventually(t, c, `"2"`, "GET", "behind")
			if got, want := contents(c), contents(m); got != want {
				t.Errorf("the replica has\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestShutdownWaits has a replica that lags keep the server from ending, until it does not any more.
func TestShutdownWaits(t *testing.T) {
	t.Parallel()
	s := startSource(t, "--shutdown-timeout", "100000")
	c, ending, writer := follower(t, s.Addr(), 2), follower(t, s.Addr(), 2), follower(t, s.Addr(), 2)
	c.Do("SET", "k", "1")
	p, r := asReplica(t, s.Addr(), "?", -1)
	_, offset := takeCopy(t, r)
	p.write(resptest.Encode("REPLCONF", "ACK", fmt.Sprint(offset)))
	c.Do("SET", "k", "2")
	number := strings.TrimPrefix(ending.Do("CLIENT", "ID").String(), "(int) ")
	ending.Send("SHUTDOWN")
	eventually(t, c, "shutdown_in_milliseconds:", "INFO", "server")
	writer.Send("SET", "k", "3")
	ending2 := follower(t, s.Addr(), 2)
	ending2.Send("SHUTDOWN", "NOW") // one is under way
	if got := c.Do("CLIENT", "UNBLOCK", number).String(); got != "(int) 0" {
		t.Errorf("CLIENT UNBLOCK of SHUTDOWN: %s", got)
	}
	if got := c.Do("GET", "k").String(); got != `"2"` {
		t.Errorf("written meanwhile: %s", got)
	}
	eventually(t, c, "blocked_clients:2", "INFO", "clients")
	if got := c.Do("SHUTDOWN", "ABORT").String(); got != "OK" {
		t.Errorf("ABORT: %s", got)
	}
	for _, x := range []*resptest.Conn{ending, ending2} {
		if got := x.Next().Text; got != "ERR Errors trying to SHUTDOWN. Check logs." {
			t.Errorf("SHUTDOWN that was taken back: %s", got)
		}
	}
	if got := writer.Next().String(); got != "OK" {
		t.Errorf("the write: %s", got)
	}
	if got := c.Do("SHUTDOWN", "ABORT").String(); got != "(error) ERR No shutdown in progress." {
		t.Errorf("ABORT of nothing: %s", got)
	}
	if got := c.Do("INFO", "server").Text; strings.Contains(got, "shutdown_in") {
		t.Errorf("INFO: %s", got)
	}

	ending.Send("SHUTDOWN")
	eventually(t, c, "shutdown_in_milliseconds:", "INFO", "server")
	for acks := 0; acks < 2; { // of this end and of that before
		if p.next() == "REPLCONF GETACK *" {
			acks++
		}
	}
	p.write(resptest.Encode("REPLCONF", "ACK", fmt.Sprint(resptest.Figure(c.Do("INFO", "replication").Text, "master_repl_offset"))))
	if err := s.Ended(); err != nil {
		t.Error(err)
	}
}

// TestShutdownWaitsNoLonger: a replica that lags does not keep a server that has waited, or is not to wait.
func TestShutdownWaitsNoLonger(t *testing.T) {
	t.Parallel()
	for words, timeout := range map[string]string{"SHUTDOWN": "1", "SHUTDOWN NOSAVE": "0", "SHUTDOWN NOW": "100000"} {
		s := startSource(t, "--shutdown-timeout", timeout)
		c := follower(t, s.Addr(), 2)
		_, r := asReplica(t, s.Addr(), "?", -1)
		takeCopy(t, r)
		c.Do("SET", "k", "1")
		c.Send(strings.Fields(words)...)
		if err := s.Ended(); err != nil {
			t.Errorf("%s: %v", words, err)
		}
	}
}

// TestShutdownThatCannotSave has the server go on when its last snapshot fails, unless it is forced to end.
func TestShutdownThatCannotSave(t *testing.T) {
	t.Parallel()
	s := startSource(t, "--save", "3600 1")
	c := follower(t, s.Addr(), 2)
	if err := os.RemoveAll(s.Dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.Dir, nil, 0o600); err != nil { // where a folder should be
		t.Fatal(err)
	}
	c.Do("SET", "k", "1")
	for _, words := range [][]string{{"SHUTDOWN"}, {"SHUTDOWN", "SAVE"}} {
		if got := c.Do(words...).Text; got != "ERR Errors trying to SHUTDOWN. Check logs." {
			t.Errorf("%q: %s", words, got)
		}
	}
	if got := c.Do("GET", "k").String(); got != `"1"` {
		t.Errorf("then GET says %s", got)
	}
	c.Send("SHUTDOWN", "SAVE", "FORCE")
	if err := s.Ended(); err != nil {
		t.Error(err)
	}
}
