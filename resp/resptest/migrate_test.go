package resptest_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nearcache/nearcache/resp/resptest"
)

// count is the integer that a command answers.
func count(c *resptest.Conn, args ...string) int {
	n, _ := strconv.Atoi(c.Do(args...).Text)
	return n
}

// TestMigrate moves keys from one server to another: from ours, and where
// NEARCACHE_REDIS names one from a real Redis, which must answer the same.
func TestMigrate(t *testing.T) {
	f := func(t *testing.T, source *resptest.Conn) {
		open, secured := resptest.Start(t), resptest.Start(t, "--requirepass", "secret")
		to, toSecured := dial(t, open.Addr(), 2), dial(t, secured.Addr(), 2)
		toSecured.Do("AUTH", "secret")
		_, port, _ := net.SplitHostPort(open.Addr())
		_, securedPort, _ := net.SplitHostPort(secured.Addr())

		conns := map[string]*resptest.Conn{"": source, "to": to, "secured": toSecured}
		step := func(line, want string) {
			t.Helper()
			who, line, named := strings.Cut(line, "> ")
			if !named {
				who, line = "", who
			}
			args := strings.Fields(strings.NewReplacer("PORT2", securedPort, "PORT0", "1", "PORT", port).Replace(line))
			for i, a := range args {
				if a == `""` {
					args[i] = ""
				}
			}
			if got := conns[who].Do(args...).String(); got != want {
				t.Errorf("%s\n got %s\nwant %s", line, got, want)
			}
		}
		const ok = "OK"
		step("FLUSHALL", ok)
		step("MIGRATE 127.0.0.1 PORT none 0 100000", "NOKEY")
		step("SET k v PX 100000", ok)
		step("MIGRATE 127.0.0.1 PORT k 0 100000", ok)
		step("EXISTS k", "(int) 0")
		step("to> GET k", `"v"`)
		if ttl := count(to, "PTTL", "k"); ttl <= 0 || ttl > 100000 {
			t.Errorf("the time to live is %d", ttl)
		}
		step("SET k w", ok)
		step("MIGRATE 127.0.0.1 PORT k 0 100000", "(error) ERR Target instance replied with error: BUSYKEY Target key name already exists.")
		step("GET k", `"w"`)
		step("MIGRATE 127.0.0.1 PORT k 0 100000 COPY REPLACE", ok)
		step("GET k", `"w"`)
		step("to> GET k", `"w"`)
		step("to> PTTL k", "(int) -1")
		step("MIGRATE 127.0.0.1 PORT k 3 100000", ok)
		step("to> SELECT 3", ok)
		step("to> GET k", `"w"`)
		step("to> SELECT 0", ok)

		// Several keys, one of which is there already.
		step("RPUSH l a b", "(int) 2")
		step("HSET h f v", "(int) 1")
		step("ZADD k 1 m", "(int) 1")
		step(`MIGRATE 127.0.0.1 PORT "" 0 100000 KEYS l none k h`, "(error) ERR Target instance replied with error: BUSYKEY Target key name already exists.")
		step("EXISTS l h", "(int) 0")
		step("EXISTS k", "(int) 1")
		step("to> LRANGE l 0 -1", `(array) ["a", "b"]`)
		step("to> HGET h f", `"v"`)
		step(`MIGRATE 127.0.0.1 PORT "" 0 100000 REPLACE KEYS k l`, ok)
		step("to> ZSCORE k m", `"1"`)
		step(`MIGRATE 127.0.0.1 PORT "" 0 100000 KEYS k l`, "NOKEY")

		// Passwords.
		step("SET k v", ok)
		step("MIGRATE 127.0.0.1 PORT2 k 0 100000", "(error) ERR Target instance replied with error: NOAUTH Authentication required.")
		step("MIGRATE 127.0.0.1 PORT2 k 0 100000 AUTH wrong", "(error) ERR Target instance replied with error: WRONGPASS invalid username-password pair or user is disabled.")
		step("MIGRATE 127.0.0.1 PORT2 k 0 100000 COPY AUTH secret", ok)
		step("secured> GET k", `"v"`)
		step("MIGRATE 127.0.0.1 PORT2 k 0 100000 REPLACE AUTH2 default secret", ok)
		step("EXISTS k", "(int) 0")

		// What cannot be.
		step("SET k v", ok)
		step("MIGRATE 127.0.0.1 PORT0 k 0 100000", "(error) IOERR error or timeout writing to target instance")
		step("MIGRATE 127.0.0.1 PORT k 77 100000 REPLACE", "(error) ERR Target instance replied with error: ERR DB index is out of range")
		step("MIGRATE 127.0.0.1 PORT k x 100000", "(error) ERR value is not an integer or out of range")
		step("MIGRATE 127.0.0.1 PORT k 0 x", "(error) ERR value is not an integer or out of range")
		step("MIGRATE 127.0.0.1 PORT k 0 100000 AUTH", "(error) ERR syntax error")
		step("MIGRATE 127.0.0.1 PORT k 0 100000 AUTH2 x", "(error) ERR syntax error")
		step("MIGRATE 127.0.0.1 PORT k 0 100000 WHAT", "(error) ERR syntax error")
		step("MIGRATE 127.0.0.1 PORT k 0 100000 KEYS a", "(error) ERR When using MIGRATE KEYS option, the key argument must be set to the empty string")
		step("MIGRATE 127.0.0.1 PORT k 0", "(error) ERR wrong number of arguments for 'migrate' command")
		step("GET k", `"v"`)
		step("COMMAND GETKEYS MIGRATE h 1 k 0 5", `(array) ["k"]`)
		step(`COMMAND GETKEYS MIGRATE h 1 "" 0 5 AUTH keys KEYS a b`, `(array) ["a", "b"]`)
		step("DEL k", "(int) 1")
	}
	t.Run("nearcache", func(t *testing.T) {
		f(t, dial(t, resptest.Start(t, "--enable-outgoing-connections", "local").Addr(), 2))
	})
	t.Run("Redis", func(t *testing.T) { f(t, dial(t, redisAddr(t), 2)) })
}

func TestMigrateIsOffUnlessEnabled(t *testing.T) {
	c := dial(t, resptest.Start(t).Addr(), 2)
	c.Do("SET", "k", "v")
	if r := c.Do("MIGRATE", "127.0.0.1", "1", "k", "0", "10"); !strings.HasPrefix(r.Text, "ERR MIGRATE command not allowed") {
		t.Error(r)
	}
	on := dial(t, resptest.Start(t, "--enable-outgoing-connections", "yes").Addr(), 2)
	on.Do("MULTI")
	on.Do("MIGRATE", "127.0.0.1", "1", "k", "0", "10")
	if r := on.Do("EXEC"); r.String() != `(array) [(error) "ERR MIGRATE is not allowed in transactions and scripts"]` {
		t.Error(r)
	}
	if r := on.Do("EVAL", "return redis.call('MIGRATE', '127.0.0.1', '1', KEYS[1], '0', '10')", "1", "k"); !strings.Contains(r.Text, "not allowed in transactions and scripts") {
		t.Error(r)
	}
}

// TestMigrateLosesNoWrite writes to a key while it moves to and fro.
func TestMigrateLosesNoWrite(t *testing.T) {
	a, b := resptest.Start(t, "--enable-outgoing-connections", "yes"), resptest.Start(t, "--enable-outgoing-connections", "yes")
	var stop atomic.Bool
	counted := make(chan int)
	go func() {
		c, err := resptest.Dial(a.Addr(), 2)
		if err != nil {
			counted <- -1
			return
		}
		defer c.Close()
		n := 0
		for ; !stop.Load(); n++ {
			c.Do("RPUSH", "l", strconv.Itoa(n))
		}
		counted <- n
	}()
	ca, cb := dial(t, a.Addr(), 2), dial(t, b.Addr(), 2)
	_, port, _ := net.SplitHostPort(b.Addr())
	// What has arrived is set aside, so that the next one finds the place free.
	moved := 0
	raced := 0
	for range 100 {
		switch r := ca.Do("MIGRATE", "127.0.0.1", port, "l", "0", "100000", "REPLACE"); {
		case r.Text == "OK":
			moved += count(cb, "LLEN", "l")
			cb.Do("DEL", "l")
		case strings.HasPrefix(r.Text, "ERR a key is changed"):
			raced++
		case r.Text != "NOKEY":
			t.Fatal(r)
		}
	}
	stop.Store(true)
	n := <-counted
	if left := count(ca, "LLEN", "l"); moved+left != n {
		t.Errorf("%d were moved and %d are left of %d", moved, left, n)
	}
	t.Logf("%d of %d were moved; %d times the key changed too often", moved, n, raced)
}

// TestMigratedKeysStayAway restarts the source.
func TestMigratedKeysStayAway(t *testing.T) {
	to := resptest.Start(t)
	_, port, _ := net.SplitHostPort(to.Addr())
	s := resptest.Start(t, "--enable-outgoing-connections", "yes", "--appendonly", "yes")
	c := dial(t, s.Addr(), 2)
	for i := range 300 {
		c.Do("SET", fmt.Sprint("k", i), "v")
	}
	args := []string{"MIGRATE", "127.0.0.1", port, "", "0", "100000", "KEYS"}
	for i := range 299 {
		args = append(args, fmt.Sprint("k", i))
	}
	if r := c.Do(args...); r.Text != "OK" {
		t.Fatal(r)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "data"), os.DirFS(s.Dir)); err != nil {
		t.Fatal(err)
	}
	again := dial(t, resptest.Start(t, "--dir", filepath.Join(dir, "data"), "--appendonly", "yes").Addr(), 2)
	if r := again.Do("KEYS", "*"); r.String() != `(array) ["k299"]` {
		t.Error(r)
	}
	if n := count(dial(t, to.Addr(), 2), "DBSIZE"); n != 299 {
		t.Errorf("%d keys arrived", n)
	}
}
