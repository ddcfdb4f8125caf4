package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
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
	for range 1000 { // 64 MB
		if do(t, pub, "PUBLISH", "c", message).Int == 0 {
			break
		}
	}
	eventually(t, "the slow subscriber is still there", func() bool { return do(t, pub, "PUBLISH", "c", "x").Int == 0 })
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

// TestInfoCountsWhatExpires tells what somebody has looked at from what went by
// itself.
func TestInfoCountsWhatExpires(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no", "--enable-debug-command", "yes")
	c := dial(t, s, client.Options{Timeout: time.Minute})
	counts := func(keys, keysActive, parts, partsActive int) func() bool {
		return func() bool {
			info := do(t, c, "INFO", "stats").Str
			return strings.Contains(info, fmt.Sprintf("expired_subkeys:%d\r\nexpired_subkeys_active:%d\r\nexpired_keys:%d\r\nexpired_keys_active:%d\r\n",
				parts, partsActive, keys, keysActive))
		}
	}
	do(t, c, "DEBUG", "SET-ACTIVE-EXPIRE", 0)
	do(t, c, "HSET", "h", "f", "v", "g", "v")
	do(t, c, "HPEXPIRE", "h", 1, "FIELDS", 1, "f")
	do(t, c, "SET", "a", "v", "PX", 1)
	eventually(t, "they do not expire", func() bool {
		return do(t, c, "EXISTS", "a").Int == 0 && do(t, c, "HEXISTS", "h", "f").Int == 0
	})
	eventually(t, "what was looked at is not counted", counts(1, 0, 1, 0))
	do(t, c, "DEBUG", "SET-ACTIVE-EXPIRE", 1)
	do(t, c, "HPEXPIRE", "h", 1, "FIELDS", 1, "g")
	do(t, c, "SET", "b", "v", "PX", 1)
	eventually(t, "what went by itself is not counted", counts(2, 1, 2, 1))
	do(t, c, "CONFIG", "RESETSTAT")
	eventually(t, "they are not reset", counts(0, 0, 0, 0))
}

func TestInfoOfClients(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	c := dial(t, s, client.Options{Timeout: time.Minute})
	says := func(line string) {
		t.Helper()
		eventually(t, "INFO does not say "+line, func() bool { return strings.Contains(do(t, c, "INFO", "clients").Str, line+"\r\n") })
	}
	w, forEver := dialWire(t, s), dialWire(t, s)
	forEver.send("BLPOP k 0")
	says("blocked_clients:1")
	says("clients_in_timeout_table:0")
	w.send("BLPOP k 1000")
	says("blocked_clients:2")
	says("clients_in_timeout_table:1")
	do(t, c, "RPUSH", "k", "a", "b")
	says("clients_in_timeout_table:0")
	says("blocked_clients:0")
	sendPart(t, dialWire(t, s), 20_000)
	eventually(t, "the input buffer is not seen", func() bool {
		_, after, _ := strings.Cut(do(t, c, "INFO", "clients").Str, "client_recent_max_input_buffer:")
		n, _ := strconv.Atoi(strings.Split(after, "\r\n")[0])
		return n >= 20_000 && n < 30_000
	})
}

func TestPeaksAreForgotten(t *testing.T) {
	t.Parallel()
	var p peaks
	f := func(ms, wantIn, wantOut int64) {
		t.Helper()
		if in, out := p.recent(ms); in != wantIn || out != wantOut {
			t.Errorf("at %d: %d and %d, want %d and %d", ms, in, out, wantIn, wantOut)
		}
	}
	p.saw(1_000_000, 5, 1)
	p.saw(1_000_100, 3, 2)
	p.saw(1_003_000, 4, 0)
	f(1_003_500, 5, 2)
	f(1_007_999, 5, 2)
	f(1_008_000, 4, 0)
	f(1_011_000, 0, 0)
	p.saw(1_008_000, 1, 1)
	f(1_008_000, 4, 1)
}
