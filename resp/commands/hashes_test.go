package commands

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// TestEffectsRebuildFieldTimes runs random commands on hashes while time passes,
// and their effects, later, on another keyspace.
func TestEffectsRebuildFieldTimes(t *testing.T) {
	a, b := newClient(t, 2), newClient(t, 3)
	var log recorder
	a.Keyspace.Observe(&log)
	rng := rand.New(rand.NewPCG(1, 3))
	pick := func(s ...string) string { return s[rng.IntN(len(s))] }
	key := func() string { return pick("h1", "h2", "h3", "h4", "h5") }
	field := func() string { return fmt.Sprint("f", rng.IntN(200)*rng.IntN(8)) }
	fields := func() []string { return []string{"FIELDS", "2", field(), field()} }
	ms := func() string { return strconv.Itoa(rng.IntN(60_000)) }
	words := func(head []string, tail ...string) []string { return append(head, tail...) }
	commands := []func() []string{
		func() []string {
			l := []string{"HSET", key()}
			for range 1 + rng.IntN(20) {
				l = append(l, field(), strings.Repeat("v", rng.IntN(80)))
			}
			return l
		},
		func() []string {
			return words([]string{"HPEXPIRE", key(), ms(), pick("NX", "XX", "GT", "LT")}, fields()...)
		},
		func() []string { return words([]string{"HEXPIRE", key(), pick("0", "5", "30")}, fields()...) },
		func() []string { return words([]string{"HPERSIST", key()}, fields()...) },
		func() []string { return words([]string{"HGETEX", key(), "PX", ms()}, fields()...) },
		func() []string { return words([]string{"HGETEX", key(), "PERSIST"}, fields()...) },
		func() []string {
			return words([]string{"HSETEX", key(), "PX", ms(), "FIELDS", "2"}, field(), "x", field(), "y")
		},
		func() []string { return []string{"HSETEX", key(), "KEEPTTL", "FIELDS", "1", field(), "z"} },
		func() []string { return []string{"HSETEX", key(), "FNX", "PXAT", "5", "FIELDS", "1", field(), "z"} },
		func() []string { return words([]string{"HGETDEL", key()}, fields()...) },
		func() []string { return []string{"HDEL", key(), field(), field()} },
		func() []string { return []string{"HSET", key(), "n", "1"} },
		func() []string { return []string{"HINCRBY", key(), "n", "1"} },
		func() []string { return []string{"HINCRBYFLOAT", key(), "n", "0.5"} },
		func() []string { return []string{"HPEXPIRE", key(), ms(), "FIELDS", "1", "n"} },
		func() []string { return []string{"COPY", key(), key(), "REPLACE"} },
		func() []string { return []string{"RENAME", key(), key()} },
		func() []string { return []string{"HGETALL", key()} },
	}
	for range 8000 {
		args := argv(commands[rng.IntN(len(commands))]()...)
		a.run(args)
		for _, arg := range args {
			clear(arg) // the connection's buffer is used again
		}
		a.now += int64(rng.IntN(500))
		if rng.IntN(50) == 0 {
			a.Keyspace.ExpireDue(0)
		}
	}
	for i := range 5 {
		a.run(argv("HSET", fmt.Sprint("h", i+1), "last", "v"))
	}
	a.Keyspace.ExpireDue(0)
	gone := false
	for _, e := range log.effects {
		gone = gone || string(e.Args[0]) == "HDEL"
		if reply := b.run(e.Args); reply[0] == '-' {
			t.Fatalf("effect %q: %s", e.Args, reply)
		}
	}
	if !gone {
		t.Fatal("no field has expired: the test says nothing")
	}
	sameContents(t, a, b)
}

// TestFieldsThatAreDueAreSeenByNobody looks by each command, while nothing removes
// them in the background.
func TestFieldsThatAreDueAreSeenByNobody(t *testing.T) {
	for _, size := range []int{3, 1000} {
		for _, look := range []string{
			"HGET h f0", "HMGET h f0 f1", "HGETALL h", "HKEYS h", "HVALS h", "HLEN h", "HEXISTS h f0", "HSTRLEN h f0",
			"HRANDFIELD h 10", "HSCAN h 0", "HTTL h FIELDS 1 f0", "HDEL h f0", "HSETNX h f0 v", "HINCRBY h f0 1",
			"HGETEX h FIELDS 1 f0", "HGETDEL h FIELDS 1 f0", "HSETEX h FNX FIELDS 1 f0 v", "HEXPIRE h 10 FIELDS 1 f0",
		} {
			if size > 512 && strings.HasPrefix(look, "HSCAN") {
				continue // which looks at a part only
			}
			c, fresh := newClient(t, 2), newClient(t, 2)
			for i := range size {
				line := fmt.Sprintf("HSET h f%d v%d", i, i)
				c.do(line)
				if i > 0 && i%2 == 0 {
					fresh.do(line)
				}
			}
			for i := range size {
				if i == 0 || i%2 == 1 {
					c.do(fmt.Sprintf("HPEXPIRE h 10 FIELDS 1 f%d", i))
				}
			}
			c.now += 10
			fresh.do("HPEXPIRE h 10 FIELDS 1 missing") // so that both have room for times
			got, want := c.do(look), fresh.do(look)
			if strings.HasPrefix(look, "HSCAN") || strings.HasPrefix(look, "HRAND") || size > 512 && strings.Fields(look)[0] != "HLEN" {
				got, want = fmt.Sprint(len(strings.Fields(got))), fmt.Sprint(len(strings.Fields(want)))
			}
			if got != want {
				t.Errorf("%d fields, %s: %.200q, want %.200q", size, look, got, want)
			}
		}
	}
}
