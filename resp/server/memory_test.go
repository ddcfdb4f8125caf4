package server

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/resp/session"
)

// large is what a client holds in the tests below, in bytes.
const large = 4 << 20

// part is the beginning of a command that never ends.
func part(bytes int) []byte {
	return fmt.Appendf(nil, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s", 4*bytes, strings.Repeat("x", bytes))
}

func sendPart(t *testing.T, w *wire, bytes int) {
	t.Helper()
	if _, err := w.conn.Write(part(bytes)); err != nil {
		t.Fatal(err)
	}
}

// TestMemoryOfClientsIsCounted: what waits to be read, to be run and to be sent.
func TestMemoryOfClientsIsCounted(t *testing.T) {
	for name, hold := range map[string]func(t *testing.T, w *wire, other *client.Conn){
		"half a command": func(t *testing.T, w *wire, _ *client.Conn) { sendPart(t, w, large) },
		"a queue": func(_ *testing.T, w *wire, _ *client.Conn) {
			w.do("MULTI")
			for range 8 {
				w.do("SET k " + strings.Repeat("x", large/8))
			}
		},
		"messages": func(t *testing.T, w *wire, other *client.Conn) {
			w.do("SUBSCRIBE ch")
			for range 12 { // more than sockets hold, and less than the limit of 32 MB
				do(t, other, "PUBLISH", "ch", strings.Repeat("x", large/2))
			}
		},
		"replies": func(t *testing.T, w *wire, other *client.Conn) {
			do(t, other, "RPUSH", "list", strings.Repeat("x", 8*large))
			w.send("LRANGE list 0 -1")
		},
		"a value that was the key's": func(t *testing.T, w *wire, other *client.Conn) {
			do(t, other, "SET", "large", strings.Repeat("x", 8*large))
			w.send("GET large")
			eventually(t, "it is not shared", func() bool {
				return strings.Contains(do(t, other, "CLIENT", "LIST").Str, fmt.Sprint(" omem-shared=", 8*large))
			})
			do(t, other, "DEL", "large")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := start(t, nil, "--appendonly", "no")
			if name == "replies" || name == "a value that was the key's" {
				needReactors(t, s)
			}
			c := dial(t, s, client.Options{Timeout: time.Minute})
			w := dialWire(t, s)
			hold(t, w, c)
			eventually(t, "it is not counted", func() bool { return s.clients.bytes.Load() >= large })
			if n := s.ks.Used(); n < large {
				t.Errorf("%d bytes are used", n)
			}
			if list := do(t, c, "CLIENT", "LIST").Str; !strings.Contains(list, "tot-mem=") {
				t.Error(list)
			}
			_ = w.conn.Close()
			eventually(t, "it is counted when the client is gone", func() bool { return s.clients.bytes.Load() < large/4 })
		})
	}
}

// TestMaxMemoryCountsAll: what is beside the keys and grows with them.
func TestMaxMemoryCountsAll(t *testing.T) {
	const n, dim = 1000, 64
	f := func(name string, least int64, fill func(c *client.Conn)) {
		t.Helper()
		s, _ := start(t, nil, "--appendonly", "no")
		c := dial(t, s, client.Options{Timeout: time.Minute})
		before := s.ks.Used()
		fill(c)
		eventually(t, fmt.Sprintf("%s is not counted: %d bytes more, want %d", name, s.ks.Used()-before, least), func() bool { return s.ks.Used()-before >= least })
	}
	vector := func(i int) string {
		v := make([]float32, dim)
		for j := range v {
			v[j] = float32((i*31+j*17)%97) - 48
		}
		return f32(v...)
	}
	hashes := func(c *client.Conn) {
		for i := range n {
			do(t, c, "HSET", fmt.Sprint("h", i), "v", vector(i), "t", "some words of text")
		}
	}
	const raw = n * dim * 4
	for _, kind := range []string{"FLAT", "HNSW"} {
		f("a vector index "+kind, 2*raw, func(c *client.Conn) { // the hashes hold the vectors once
			do(t, c, "FT.CREATE", "i", "SCHEMA", "v", "VECTOR", kind, 6, "TYPE", "FLOAT32", "DIM", dim, "DISTANCE_METRIC", "L2")
			hashes(c)
		})
	}
	f("an index of text", n*(100+40), func(c *client.Conn) {
		do(t, c, "FT.CREATE", "i", "SCHEMA", "t", "TEXT")
		for i := range n {
			do(t, c, "HSET", fmt.Sprint("h", i), "t", fmt.Sprintf("word%d other%d", i, i*7))
		}
	})
	f("the table of tracking", n*20, func(c *client.Conn) {
		do(t, c, "HELLO", 3)
		do(t, c, "CLIENT", "TRACKING", "ON")
		for i := range n {
			do(t, c, "GET", fmt.Sprint("key", i)) // that it is not there is worth knowing, too
		}
	})
	f("what is hot", 20*50, func(c *client.Conn) {
		do(t, c, "HOTKEYS", "START", "METRICS", 1, "NET")
		for range 50 {
			do(t, c, "GET", "k")
		}
	})
}

// TestLargestClientsAreClosed is maxmemory-clients: the largest go, unless they are
// exempt.
func TestLargestClientsAreClosed(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no", "--maxmemory-clients", "1mb")
	c := dial(t, s, client.Options{Timeout: time.Minute})
	exempt, greedy := dialWire(t, s), dialWire(t, s)
	exempt.do("CLIENT NO-EVICT ON")
	sendPart(t, exempt, large)
	eventually(t, "the exempt client is not counted", func() bool { return s.clients.bytes.Load() >= large })
	_, _ = greedy.conn.Write(part(2 << 20)) // it may be closed while it sends
	eventually(t, "nobody was closed", func() bool {
		return strings.Contains(do(t, c, "INFO", "stats").Str, "evicted_clients:1\r\n")
	})
	if _, err := io.ReadAll(greedy.conn); err == nil {
		eventually(t, "the client is still there", func() bool { return s.env.Clients.Len() == 2 })
	}
	still := false
	s.env.Clients.Each(func(c *session.Session) { still = still || c.NoEvict.Load() && !c.Killed() })
	if !still || do(t, c, "PING").Str != "PONG" {
		t.Error("another client was closed")
	}
}

func TestClientLimit(t *testing.T) {
	s := New(load(t, nil, "--maxmemory", "100mb"))
	f := func(setting string, want int64) {
		t.Helper()
		if err := s.cfg.Set([][2]string{{"maxmemory-clients", setting}}, true); err != nil {
			t.Fatal(err)
		}
		if got := s.clientLimit(); got != want {
			t.Errorf("%s: %d bytes, want %d", setting, got, want)
		}
	}
	f("0", 0)
	f("5%", 5<<20)
	f("0%", 0)
	f("1mb", 1<<20)
	f("1", minClientLimit)
}

// TestDoctor: each complaint for its illness.
func TestDoctor(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no", "--maxmemory", "200mb")
	c := dial(t, s, client.Options{Timeout: time.Minute})
	says := func(want string) {
		t.Helper()
		eventually(t, "the doctor does not say "+want, func() bool { return strings.Contains(s.MemoryDoctor(), want) })
	}
	says("this instance is empty")
	do(t, c, "SETRANGE", "big", 20<<20, "x")
	says(`A big key: the string "big" in database 0 takes 2`)
	info := do(t, c, "INFO", "bigkeys").Str
	if !strings.Contains(info, "bigkey_string_1:db=0,bytes=2") || !strings.Contains(info, `,key="big"`) {
		t.Error(info)
	}
	do(t, c, "SET", "big", strings.Repeat("x", 7<<20))
	says("Peak memory: In the past this instance used ")
	w := dialWire(t, s)
	sendPart(t, w, large)
	says("Big client buffers: Each of 2 clients")
	do(t, c, "CONFIG", "SET", "maxmemory", 12<<20)
	says("Near maxmemory: ")
}
