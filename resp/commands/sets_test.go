package commands

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// TestSetsDoNotAllocate holds the promise for sets of each kind.
func TestSetsDoNotAllocate(t *testing.T) {
	c := newClient(t, 3)
	for i := range 1000 {
		n, member := strconv.Itoa(i), fmt.Sprint("member", i)
		c.run(argv("SADD", "large", n, member))
		if i < 50 {
			c.run(argv("SADD", "small", n, member))
			c.run(argv("SADD", "ints", n, n+"000"))
		}
	}
	f := func(words ...string) {
		t.Helper()
		args := argv(words...)
		c.run(args)
		if n := testing.AllocsPerRun(100, func() { c.run(args) }); n != 0 {
			t.Errorf("%s: %v allocations", words, n)
		}
	}
	for _, key := range []string{"small", "large", "ints"} {
		f("SISMEMBER", key, "member7")
		f("SISMEMBER", key, "7")
		f("SMISMEMBER", key, "member7", "7", "missing")
		f("SCARD", key)
		f("SMEMBERS", key)
		f("SRANDMEMBER", key)
		f("SRANDMEMBER", key, "-10")
		f("SADD", key, "7", "8")
		f("SREM", key, "missing")
	}
}

// TestEffectsRebuildSets runs random commands on one keyspace and their effects
// on another.
func TestEffectsRebuildSets(t *testing.T) {
	a, b := newClient(t, 2), newClient(t, 3)
	var log recorder
	a.Keyspace.Observe(&log)
	rng := rand.New(rand.NewPCG(1, 3))
	pick := func(s ...string) string { return s[rng.IntN(len(s))] }
	key := func() string { return pick("s1", "s2", "s3", "s4", "s5") }
	member := func() string {
		if n := rng.IntN(500); n%3 > 0 {
			return strconv.Itoa(n)
		} else {
			return fmt.Sprint("m", n)
		}
	}
	members := func(name string) func() []string {
		return func() []string {
			l := []string{name, key()}
			for range 1 + rng.IntN(60) {
				l = append(l, member())
			}
			return l
		}
	}
	commands := []func() []string{
		members("SADD"), members("SADD"), members("SREM"),
		func() []string { return []string{"SMOVE", key(), key(), member()} },
		func() []string { return []string{"SPOP", key()} },
		func() []string { return []string{"SPOP", key(), pick("1", "5", "100", "250")} },
		func() []string {
			return []string{pick("SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"), key(), key(), key()}
		},
	}
	for range 5000 {
		args := argv(commands[rng.IntN(len(commands))]()...)
		if reply := a.run(args); reply[0] == '-' {
			t.Fatalf("%q: %s", args, reply)
		}
		for _, arg := range args {
			clear(arg) // the connection's buffer is used again
		}
	}
	for i := range 5 {
		a.run(argv("SADD", fmt.Sprint("s", i+1), "last"))
	}
	for _, e := range log.effects {
		if reply := b.run(e.Args); reply[0] == '-' {
			t.Fatalf("effect %q: %s", e.Args, reply)
		}
	}
	sameContents(t, a, b)
}

// TestPoppedMembersWereThere pops of sets of each kind in each way: what goes and
// what stays are what was there, and the time to live stays too.
func TestPoppedMembersWereThere(t *testing.T) {
	for _, size := range []int{20, 400, 3000} {
		for _, prefix := range []string{"", "m"} {
			for _, count := range []int{1, size / 3, size - 2, size - 1} {
				c := newClient(t, 2)
				args := []string{"SADD", "s"}
				for i := range size {
					args = append(args, prefix+strconv.Itoa(i))
				}
				c.run(argv(args...))
				c.do("EXPIRE s 100")
				was := c.do("OBJECT ENCODING s")
				popped := strings.Fields(c.do(fmt.Sprint("SPOP s ", count)))
				left := strings.Fields(c.do("SMEMBERS s"))
				seen := map[string]bool{}
				for _, l := range [][]string{popped[2:], left[2:]} {
					for i := 0; i < len(l); i += 2 { // $3 m17 $3 …
						seen[l[i]] = true
					}
				}
				if len(popped) != 1+2*count || len(left) != 1+2*(size-count) || len(seen) != size {
					t.Errorf("%d of %d: %d popped, %d left, %d different", count, size, len(popped)/2, len(left)/2, len(seen))
				}
				if got := c.do("TTL s"); got != ":100\r\n" {
					t.Errorf("%d of %d: time to live %s", count, size, got)
				}
				now := c.do("OBJECT ENCODING s")
				if want := strings.Contains(was, "hashtable") && count >= size-2; want != (now != was) {
					t.Errorf("%d of %d: was %q, is %q", count, size, was, now)
				}
			}
		}
	}
}
