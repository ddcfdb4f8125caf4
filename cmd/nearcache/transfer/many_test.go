package transfer

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/resp/resptest"
)

// many is how many keys TestManyKeys of all types are entered: NEARCACHE_IMPORT, or few.
func many(t *testing.T) int {
	n := 10_000
	if s := os.Getenv("NEARCACHE_IMPORT"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// fillAll enters n keys of all types that a real Redis has, in all encodings, some to die in a far future. An older one
// does not know all the commands.
func fillAll(t *testing.T, c *client.Conn, n int) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	p := c.Pipeline()
	waits := 0
	flush := func() {
		t.Helper()
		err := p.Each(func(_ int, v client.Value) {
			if err := v.Err(); err != nil && !strings.HasPrefix(err.Error(), "ERR unknown command") {
				t.Fatal(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		waits = 0
	}
	add := func(args ...any) {
		p.Add(args...)
		if waits++; waits == 500 {
			flush()
		}
	}
	text := func(most int) string {
		b := make([]byte, r.IntN(most))
		for i := range b {
			b[i] = "abcdefgh\x00\xff"[r.IntN(10)]
		}
		return string(b)
	}
	list := func(size, each int) (l []any) {
		for range size {
			switch r.IntN(3) {
			case 0:
				l = append(l, r.IntN(1<<40)-1<<39)
			default:
				l = append(l, text(each))
			}
		}
		return l
	}
	numbers := func(size int) (l []any) {
		for range size {
			l = append(l, r.IntN(1<<(8+r.IntN(40))))
		}
		return l
	}
	for i := range n {
		size, each := 1+r.IntN(12), 20
		if i%250 == 0 {
			size, each = 100+r.IntN(700), 200
		}
		key := fmt.Sprint("key:", i)
		switch i % 12 {
		case 0:
			add("SET", key, r.IntN(1<<50))
		case 1:
			add("SET", key, text(40))
		case 2:
			add("SET", key, strings.Repeat(text(30), size))
		case 3:
			add(append([]any{"RPUSH", key}, list(size, each)...)...)
		case 4:
			add(append([]any{"SADD", key}, numbers(size)...)...)
		case 5:
			add(append([]any{"SADD", key}, list(size, each)...)...)
		case 6:
			args := []any{"ZADD", key}
			for _, m := range list(size, each) {
				args = append(args, r.NormFloat64()*1e6, m)
			}
			add(args...)
		case 7, 8:
			args := []any{"HSET", key}
			for j, m := range list(size, each) {
				args = append(args, fmt.Sprint("f", j), m)
			}
			add(args...)
			if i%12 == 8 {
				add("HPEXPIREAT", key, 4_000_000_000_000+int64(i), "FIELDS", 1, "f0")
			}
		case 9:
			for j, m := range list(size, each) {
				add("XADD", key, fmt.Sprint(1+j, "-", 1+i), "field", m, "f2", j)
			}
			if i%24 == 9 {
				add("XGROUP", "CREATE", key, "group", "0")
				add("XREADGROUP", "GROUP", "group", "consumer", "COUNT", 1+size/2, "STREAMS", key, ">")
				add("XACK", key, "group", fmt.Sprint("1-", 1+i))
				add("XDEL", key, fmt.Sprint("2-", 1+i))
			}
		case 10:
			add(append([]any{"PFADD", key}, list(size, each)...)...)
		case 11:
			if i%600 == 11 { // what digest Redis has of one is of its graph, too: see vectors
				for j := range size {
					add("VADD", key, "VALUES", 3, r.NormFloat64(), r.NormFloat64(), r.NormFloat64(), fmt.Sprint("e", j), "SETATTR", `{"n":1}`)
				}
			} else {
				add("SETBIT", key, r.IntN(3000), 1)
			}
		}
		if i%7 == 0 {
			add("PEXPIREAT", key, 4_000_000_000_000+int64(i))
		}
	}
	add("FUNCTION", "LOAD", "REPLACE", "#!lua name=l\nredis.register_function('f', function() return 1 end)")
	flush()
}

// sum is what a real Redis holds: the digest of all but vector sets, the elements of these, and when a part of the keys dies.
func sum(t *testing.T, c *client.Conn, n int) string {
	t.Helper()
	do := func(args ...any) client.Value {
		t.Helper()
		v, err := c.Do(args...)
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		return v
	}
	var b bytes.Buffer
	fmt.Fprintln(&b, do("DBSIZE"), do("FUNCTION", "LIST", "WITHCODE"))
	for i := 11; i < n; i += 600 {
		key := fmt.Sprint("key:", i)
		if do("TYPE", key).Str != "vectorset" {
			continue
		}
		fmt.Fprintln(&b, key, do("VCARD", key), do("PTTL", key).Int > 0)
		for _, e := range do("VRANGE", key, "-", "+").Elems {
			fmt.Fprintln(&b, e, do("VEMB", key, e.Str, "RAW"), do("VGETATTR", key, e.Str))
		}
		do("DEL", key)
	}
	for i := 0; i < n; i += 1 + n/2000 {
		key := fmt.Sprint("key:", i)
		fmt.Fprintln(&b, key, do("PEXPIRETIME", key))
		if do("TYPE", key).Str == "hash" {
			if v, err := c.Do("HPEXPIRETIME", key, "FIELDS", 1, "f0"); err == nil {
				fmt.Fprintln(&b, v)
			}
		}
	}
	fmt.Fprintln(&b, "digest", do("DEBUG", "DIGEST"))
	return b.String()
}

// TestManyKeys takes a dump of a real Redis, of this version and, where NEARCACHE_REDIS_OLD names one, of another, by
// import and, of this version, by REPLICAOF; what is exported then a real Redis loads, and finds its own digest.
func TestManyKeys(t *testing.T) {
	n := many(t)
	addr := resptest.StartRedis(t)
	redis := dial(t, addr)
	do := func(c *client.Conn, args ...any) string {
		t.Helper()
		v, err := c.Do(args...)
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		return v.Str
	}
	setting := func(c *client.Conn, name string) string {
		t.Helper()
		v, err := c.Do("CONFIG", "GET", name)
		if err != nil || len(v.Elems) != 2 {
			t.Fatal(v, err)
		}
		return v.Elems[1].Str
	}
	// load has the real Redis load a file in place of all it has.
	load := func(file string) {
		t.Helper()
		b, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(setting(redis, "dir"), setting(redis, "dbfilename")), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		do(redis, "DEBUG", "RELOAD", "NOSAVE")
	}
	compare := func(how, want string, ours *resptest.Server) {
		t.Helper()
		start := time.Now()
		out := filepath.Join(t.TempDir(), "out.rdb")
		run(t, Export, "rdb", "-from", ours.Addr(), out)
		t.Logf("%s: exported in %v", how, time.Since(start).Round(time.Millisecond))
		load(out)
		got := sum(t, redis, n)
		if a, b := strings.Split(got, "\n"), strings.Split(want, "\n"); got != want {
			for i := range min(len(a), len(b)) {
				if a[i] != b[i] {
					t.Fatalf("%s: there is\n%.300s\nwant\n%.300s", how, a[i], b[i])
				}
			}
			t.Fatalf("%s: %d lines, want %d", how, len(a), len(b))
		}
		if err := ours.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	imported := func(how, dump string) {
		t.Helper()
		load(dump)
		want := sum(t, redis, n)
		start := time.Now()
		ours := resptest.Start(t)
		out := run(t, Import, "rdb", "-quiet", "-to", ours.Addr(), dump)
		t.Logf("%s: %s in %v", how, strings.TrimSpace(out), time.Since(start).Round(time.Millisecond))
		compare(how, want, ours)
	}
	saved := func(c *client.Conn) string {
		t.Helper()
		do(c, "FLUSHALL")
		fillAll(t, c, n)
		do(c, "SAVE")
		file := filepath.Join(t.TempDir(), "dump.rdb")
		b, err := os.ReadFile(filepath.Join(setting(c, "dir"), setting(c, "dbfilename")))
		if err == nil {
			err = os.WriteFile(file, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	dump := saved(redis)
	ours := resptest.Start(t, "--enable-outgoing-connections", "yes")
	c := dial(t, ours.Addr())
	host, port, _ := net.SplitHostPort(addr)
	start := time.Now()
	do(redis, "CONFIG", "SET", "repl-diskless-sync-delay", 0)
	do(c, "REPLICAOF", host, port)
	for end := start.Add(max(resptest.Timeout, time.Duration(n)*100*time.Microsecond)); !strings.Contains(do(c, "INFO", "replication"), "master_link_status:up"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(do(c, "INFO", "replication"))
		}
	}
	t.Logf("followed: %d keys in %v", n, time.Since(start).Round(time.Millisecond))
	if info := do(c, "INFO", "replication"); !strings.Contains(info, "nearcache_replication_errors:0") {
		t.Error(info)
	}
	do(c, "REPLICAOF", "NO", "ONE")
	load(dump)
	compare("followed", sum(t, redis, n), ours)
	imported("of this version", dump)
	if old := os.Getenv("NEARCACHE_REDIS_OLD"); old != "" {
		c := dial(t, old)
		imported("of "+old, saved(c))
	}
}
