package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/client"
)

// TestSlowSubscriberIsClosedAndCounted: a client that reads nothing must not
// cost memory without limit, nor delay who publishes.
func TestSlowSubscriberIsClosedAndCounted(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no", "--client-output-buffer-limit", "pubsub 1mb 0 0")
	slow, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	const confirmed = "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"
	b := make([]byte, len(confirmed))
	if _, err := slow.Write([]byte("SUBSCRIBE c\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(slow, b); err != nil || string(b) != confirmed {
		t.Fatalf("SUBSCRIBE: %q %v", b, err)
	}
	pub := dial(t, s, client.Options{})
	message := strings.Repeat("x", 64<<10)
	gone := false
	for range 1000 { // 64 MB
		if gone = do(t, pub, "PUBLISH", "c", message).Int == 0; gone {
			break
		}
	}
	if !gone {
		t.Fatal("the slow subscriber is still there")
	}
	eventually(t, "INFO does not tell", func() bool {
		info := do(t, pub, "INFO", "stats", "clients").Str
		return strings.Contains(info, "client_output_buffer_limit_disconnections:1\r\n") && strings.Contains(info, "connected_clients:1\r\n")
	})
}

func TestConfigSetOverTheWire(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no", "--requirepass", "secret")
	c := dial(t, s, client.Options{Password: "secret"})
	if do(t, c, "ACL", "WHOAMI").Str != "default" {
		t.Error("not the default user")
	}
	do(t, c, "CONFIG", "SET", "requirepass", "")
	if v := do(t, dial(t, s, client.Options{}), "PING"); v.Str != "PONG" {
		t.Errorf("without a password: %v", v)
	}
	do(t, c, "CONFIG", "SET", "notify-keyspace-events", "KEA")
	sub, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	r := bufio.NewReader(sub)
	lines := func(n int) string {
		var l []string
		for range n {
			_ = sub.SetReadDeadline(time.Now().Add(time.Minute))
			line, err := r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			l = append(l, strings.TrimSpace(line))
		}
		return strings.Join(l, " ")
	}
	if _, err := sub.Write([]byte("PSUBSCRIBE __key*@0__:*\r\n")); err != nil {
		t.Fatal(err)
	}
	lines(6)
	do(t, c, "SET", "k", "v")
	do(t, c, "DEL", "k", "none")
	do(t, c, "FLUSHALL")
	message := func(channel, text string) string {
		return fmt.Sprintf("*4 $8 pmessage $12 __key*@0__:* $%d %s $%d %s", len(channel), channel, len(text), text)
	}
	for _, want := range []string{
		message("__keyspace@0__:k", "set"), message("__keyevent@0__:set", "k"),
		message("__keyspace@0__:k", "del"), message("__keyevent@0__:del", "k"),
	} {
		if got := lines(9); got != want {
			t.Errorf("notified of %q, want %q", got, want)
		}
	}
}
