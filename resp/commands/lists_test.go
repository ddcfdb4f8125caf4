package commands

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestListsDoNotAllocate holds the promise for queues, small and large.
func TestListsDoNotAllocate(t *testing.T) {
	c := newClient(t, 3)
	for i := range 5000 {
		x := fmt.Sprint("element", i)
		c.run(argv("RPUSH", "large", x, fmt.Sprint(i)))
		if i < 50 {
			c.run(argv("RPUSH", "small", x, fmt.Sprint(i)))
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
	for _, key := range []string{"small", "large"} {
		f("LLEN", key)
		f("LINDEX", key, "40")
		f("LINDEX", key, "-41")
		f("LRANGE", key, "20", "50")
		f("LPOS", key, "element40")
		f("LPOS", key, "40", "COUNT", "0", "RANK", "-1")
		f("LSET", key, "3", "new")
		f("LMOVE", key, key, "LEFT", "RIGHT")
		f("LINSERT", key, "BEFORE", "nothing", "new")
		f("LREM", key, "1", "nothing")
	}
	for _, key := range []string{"small", "large"} {
		push, pop := argv("RPUSH", key, "element"), argv("LPOP", key)
		if n := testing.AllocsPerRun(1000, func() { c.run(push); c.run(pop) }); n >= 1 {
			t.Errorf("a queue of %s: %v allocations", key, n)
		}
	}
}

// TestEffectsRebuildLists runs random commands on one keyspace and their effects
// on another.
func TestEffectsRebuildLists(t *testing.T) {
	a, b := newClient(t, 2), newClient(t, 3)
	var log recorder
	a.Keyspace.Observe(&log)
	rng := rand.New(rand.NewPCG(1, 3))
	pick := func(s ...string) string { return s[rng.IntN(len(s))] }
	key := func() string { return pick("l1", "l2", "l3", "l4", "l5", "l6") }
	element := func() string {
		return pick("a", "b", "c", "1", "2", strings.Repeat("x", rng.IntN(2000)), fmt.Sprint(rng.IntN(1000)))
	}
	side := func() string { return pick("LEFT", "RIGHT") }
	count := func() string { return fmt.Sprint(1 + rng.IntN(4)) }
	push := func() []string {
		l := []string{pick("LPUSH", "RPUSH", "RPUSHX", "LPUSHX"), key()}
		for range 1 + rng.IntN(20) {
			l = append(l, element())
		}
		return l
	}
	commands := []func() []string{
		push, push, push,
		func() []string { return []string{pick("LPOP", "RPOP"), key(), count()} },
		func() []string { return []string{pick("LPOP", "RPOP"), key()} },
		func() []string { return []string{"LMPOP", "2", key(), key(), side(), "COUNT", count()} },
		func() []string { return []string{pick("BLPOP", "BRPOP"), "l1", "l2", "l3", "0"} },
		func() []string { return []string{"BLMPOP", "0", "3", "l1", "l2", "l3", side(), "COUNT", count()} },
		func() []string { return []string{"LMOVE", key(), key(), side(), side()} },
		func() []string { return []string{"BLMOVE", "l1", key(), side(), side(), "0"} },
		func() []string { return []string{"BRPOPLPUSH", "l1", key(), "0"} },
		func() []string {
			return []string{"LMOVEM", key(), key(), side(), side(), pick("COUNT", "EXACTLY"), count(), pick("OBO", "BULK")}
		},
		func() []string {
			return []string{"BLMOVEM", "l1", key(), side(), side(), "0", "COUNT", count(), pick("OBO", "BULK")}
		},
		func() []string { return []string{"LSET", key(), count(), element()} },
		func() []string { return []string{"LINSERT", key(), pick("BEFORE", "AFTER"), element(), element()} },
		func() []string { return []string{"LREM", key(), pick("1", "-1", "2"), element()} },
		func() []string { return []string{"LTRIM", key(), pick("0", "1"), pick("-1", "-2", "60")} },
	}
	for range 5000 {
		args := argv(commands[rng.IntN(len(commands))]()...)
		if args[0][0] == 'B' && string(a.run(argv("EXISTS", "l1"))) == ":0\r\n" {
			continue // it would wait, and nobody serves it
		}
		a.run(args)
		for _, arg := range args {
			clear(arg) // the connection's buffer is used again
		}
	}
	for i := range 6 {
		a.run(argv("RPUSH", fmt.Sprint("l", i+1), "last"))
	}
	for _, e := range log.effects {
		if reply := b.run(e.Args); reply[0] == '-' {
			t.Fatalf("effect %q: %s", e.Args, reply)
		}
	}
	sameContents(t, a, b)
}
