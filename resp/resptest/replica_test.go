package resptest_test

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/resptest"
)

// proxy passes bytes on to a server. It cuts its connections when it is told, and each of
// the first ones behind a number of bytes from the server.
type proxy struct {
	l     net.Listener
	mu    sync.Mutex
	open  []net.Conn
	after []int64
}

func newProxy(t *testing.T, to string, after ...int64) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{l: l, after: after}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		p.cut()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", to)
			if err != nil {
				_ = a.Close()
				continue
			}
			limit := p.opened(a, b)
			pass := func(from io.Reader, to io.Writer) {
				_, _ = io.Copy(to, from)
				_, _ = a.Close(), b.Close()
			}
			wg.Go(func() { pass(a, b) })
			wg.Go(func() { pass(io.LimitReader(b, limit), a) })
		}
	})
	return p
}

// opened returns how many bytes come from the server until the connection is cut.
func (p *proxy) opened(conns ...net.Conn) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = append(p.open, conns...)
	if len(p.after) == 0 {
		return math.MaxInt64
	}
	n := p.after[0]
	p.after = p.after[1:]
	return n
}

// left is how many connections are still to be cut by themselves.
func (p *proxy) left() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.after)
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		_ = c.Close()
	}
	p.open = nil
}

func (p *proxy) port() string {
	_, port, _ := net.SplitHostPort(p.l.Addr().String())
	return port
}

// writes returns a function that makes so many changes.
func writes(c *resptest.Conn, rng *rand.Rand, changes func(rng *rand.Rand, i int) [][]string) func(n int) {
	return func(n int) {
		for i := range n {
			for _, words := range changes(rng, i) {
				c.Do(words...)
			}
		}
	}
}

// changes are commands of all kinds that a master replicates otherwise than it has got
// them, or as they are.
func changes(rng *rand.Rand, i int) [][]string {
	key := func(kind string) string { return kind + strconv.Itoa(rng.IntN(6)) }
	n := strconv.Itoa(rng.IntN(100))
	one := func(words ...string) [][]string { return [][]string{words} }
	switch rng.IntN(30) {
	case 0:
		return one("SET", key("s"), "v"+n)
	case 1:
		return one("SET", key("s"), n, "EX", "1000")
	case 2:
		return one("INCRBYFLOAT", key("f"), "0.5")
	case 3:
		return one("APPEND", key("a"), n)
	case 4:
		return one("LPUSH", key("l"), n, "x"+n)
	case 5:
		return one("RPOPLPUSH", key("l"), key("l"))
	case 6:
		return one("LTRIM", key("l"), "0", "50")
	case 7:
		return one("SADD", key("t"), n, "m"+n)
	case 8:
		return one("SPOP", key("t"), "2")
	case 9:
		return one("ZADD", key("z"), n, "m"+strconv.Itoa(rng.IntN(20)))
	case 10:
		return one("ZPOPMIN", key("z"))
	case 11:
		return one("HSET", key("h"), "f"+n, n, "g", "x")
	case 12:
		return one("HEXPIRE", key("h"), "1000", "FIELDS", "1", "f"+n)
	case 13:
		return one("HDEL", key("h"), "f"+n)
	case 14:
		return one("XADD", key("x"), "*", "f", n)
	case 15:
		return one("XGROUP", "CREATE", key("x"), "g", "0", "MKSTREAM")
	case 16:
		return one("XREADGROUP", "GROUP", "g", "c"+strconv.Itoa(rng.IntN(2)), "COUNT", "2", "STREAMS", key("x"), ">")
	case 17:
		return one("XTRIM", key("x"), "MAXLEN", "40")
	case 18:
		return one("PFADD", key("p"), n)
	case 19:
		return one("SETBIT", key("b"), n, "1")
	case 20:
		return one("EVAL", "redis.call('INCR', KEYS[1]); redis.call('LPUSH', KEYS[2], redis.call('TIME')[1]); return 1", "2", key("n"), key("l"))
	case 21:
		return [][]string{{"MULTI"}, {"SET", key("s"), "m" + n}, {"INCR", key("n")}, {"SELECT", "2"}, {"SET", key("s"), n}, {"SELECT", "0"}, {"RPUSH", key("l"), n}, {"EXEC"}}
	case 22: // Redis does not replicate another vector of an element that is there
		k, e := key("v"), "e"+strconv.Itoa(rng.IntN(30))
		return [][]string{{"VREM", k, e}, {"VADD", k, "VALUES", "3", n, "1", strconv.Itoa(i), e}}
	case 23:
		return one("VREM", key("v"), "e"+strconv.Itoa(rng.IntN(30)))
	case 24:
		return one("SET", key("short"), n, "PX", "5")
	case 25:
		return one("GETEX", key("s"), "EX", "2000")
	case 26:
		return one("COPY", key("z"), key("zz"), "REPLACE")
	case 27:
		return one("XADD", key("x"), "IDMP", "p", n, "MAXLEN", "~", "90", "*", "f", n)
	case 28:
		return one("XAUTOCLAIM", key("x"), "g", "c"+strconv.Itoa(rng.IntN(2)), "0", "0")
	}
	return one("DEL", key([]string{"s", "l", "t", "z", "h", "x", "v"}[rng.IntN(7)]))
}

// TestReplicaOfRedis follows a real Redis that is written to, over a link that is cut
// again and again, and ends with the same keys.
func TestReplicaOfRedis(t *testing.T) {
	addr := resptest.StartRedis(t)
	master := dial(t, addr, 2)
	for _, line := range []string{"FLUSHALL", "CONFIG SET repl-diskless-sync-delay 0", "CONFIG SET repl-backlog-size 10mb"} {
		if r := master.Do(strings.Fields(line)...); r.IsError() {
			t.Fatalf("%s: %s", line, r)
		}
	}
	p := newProxy(t, addr)
	s := resptest.Start(t, "--enable-outgoing-connections", "yes")
	replica := dial(t, s.Addr(), 2)
	rng := rand.New(rand.NewPCG(3, 3))
	write := writes(master, rng, changes)
	write(500)
	for round, diskless := range []string{"yes", "no"} {
		if r := master.Do("CONFIG", "SET", "repl-diskless-sync", diskless); r.IsError() {
			t.Fatal(r)
		}
		if r := replica.Do("REPLICAOF", "127.0.0.1", p.port()); r.IsError() {
			t.Fatal(r)
		}
		for range 12 { // cuts, some of them while all keys are taken
			write(100 + rng.IntN(300))
			p.cut()
			if rng.IntN(3) == 0 {
				time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
			}
		}
		write(300)
		master.Do("SET", "the last", fmt.Sprint(round))
		for end := time.Now().Add(patience); replica.Do("GET", "the last").Text != fmt.Sprint(round); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the replica does not come after: %s", replica.Do("INFO", "replication"))
			}
		}
		compareServers(t, replica, master)
		if r := replica.Do("INFO", "replication").Text; !strings.Contains(r, "nearcache_replication_errors:0\r\n") || !strings.Contains(r, "master_link_status:up") {
			t.Error(r)
		}
		if r := replica.Do("REPLICAOF", "NO", "ONE"); r.Text != "OK" {
			t.Fatal(r)
		}
	}
}

// compareServers compares all keys of a server with those of a real Redis, which
// computes both digests.
func compareServers(t *testing.T, ours, redis *resptest.Conn) {
	t.Helper()
	compared := 0
	for _, db := range []string{"0", "2"} {
		keys := func(c *resptest.Conn) (l []string) {
			c.Do("SELECT", db)
			for _, k := range c.Do("KEYS", "*").Elems {
				if !strings.HasPrefix(k.Text, "short") {
					l = append(l, k.Text)
				}
			}
			slices.Sort(l)
			return l
		}
		a, b := keys(ours), keys(redis)
		if !slices.Equal(a, b) {
			t.Errorf("database %s: keys %q, the master has %q", db, a, b)
		}
		for _, k := range b {
			compared++
			redis.Do("SELECT", db)
			at := redis.Do("PEXPIRETIME", k)
			if got := ours.Do("PEXPIRETIME", k); got.String() != at.String() {
				t.Errorf("database %s: %s lives until %s, at the master until %s", db, k, got, at)
			}
			if k[0] == 'v' { // Redis' digest is of its graph, too
				for e := range 30 {
					for _, words := range [][]string{{"VEMB", k, "e" + strconv.Itoa(e), "RAW"}, {"VCARD", k}} {
						if got, want := ours.Do(words...).String(), redis.Do(words...).String(); got != want {
							t.Errorf("%q: %s, the master says %s", words, got, want)
						}
					}
				}
				continue
			}
			want := redis.Do("DEBUG", "DIGEST-VALUE", k).String()
			redis.Do("SELECT", "9")
			redis.Do("RESTORE", k, strconv.Itoa(max(count(ours, "PEXPIRETIME", k), 0)), ours.Do("DUMP", k).Text, "REPLACE", "ABSTTL")
			if got := redis.Do("DEBUG", "DIGEST-VALUE", k).String(); got != want {
				t.Errorf("database %s: the digest of %s is %s, the master's %s", db, k, got, want)
			}
			redis.Do("DEL", k)
		}
		redis.Do("SELECT", "0")
		ours.Do("SELECT", "0")
	}
	if compared < 40 {
		t.Errorf("only %d keys were compared", compared)
	}
}
