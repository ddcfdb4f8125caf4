package commands

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestSortedSetsDoNotAllocate holds the promise for leaderboards, small and
// large.
func TestSortedSetsDoNotAllocate(t *testing.T) {
	c := newClient(t, 3)
	for i := range 1000 {
		member := fmt.Sprint("member", i)
		c.run(argv("ZADD", "large", fmt.Sprint(i), member))
		if i < 50 {
			c.run(argv("ZADD", "small", fmt.Sprint(i), member))
		}
	}
	c.run(argv("GEOADD", "geo", "13.361389", "38.115556", "a", "15.087269", "37.502669", "b"))
	c.run(argv("PFADD", "h", "a", "b"))
	f := func(words ...string) {
		t.Helper()
		args := argv(words...)
		c.run(args)
		if n := testing.AllocsPerRun(100, func() { c.run(args) }); n != 0 {
			t.Errorf("%s: %v allocations", words, n)
		}
	}
	for _, key := range []string{"small", "large"} {
		f("ZSCORE", key, "member7")
		f("ZSCORE", key, "missing")
		f("ZMSCORE", key, "member7", "missing")
		f("ZRANK", key, "member7", "WITHSCORE")
		f("ZCARD", key)
		f("ZRANGE", key, "0", "9", "WITHSCORES")
		f("ZREVRANGE", key, "0", "9")
		f("ZRANGE", key, "(3", "40", "BYSCORE", "LIMIT", "2", "5")
		f("ZCOUNT", key, "-inf", "(20")
		f("ZADD", key, "7.5", "member7")
		f("ZINCRBY", key, "0.25", "member9")
		f("ZRANDMEMBER", key)
	}
	f("GEOPOS", "geo", "a", "b")
	f("GEODIST", "geo", "a", "b", "km")
	f("PFADD", "h", "a")
	f("PFCOUNT", "h")
}

// TestEffectsRebuildSortedSets runs random commands on one keyspace and their
// effects on another.
func TestEffectsRebuildSortedSets(t *testing.T) {
	a, b := newClient(t, 2), newClient(t, 3)
	var log recorder
	a.Keyspace.Observe(&log)
	rng := rand.New(rand.NewPCG(1, 3))
	pick := func(s ...string) string { return s[rng.IntN(len(s))] }
	key := func() string { return pick("z1", "z2", "z3", "z4", "z5") }
	member := func() string { return fmt.Sprint("m", rng.IntN(400)) }
	score := func() string {
		return pick("inf", "-inf", "0.1", fmt.Sprint(rng.IntN(50)), fmt.Sprint(rng.NormFloat64()))
	}
	count := func() string { return fmt.Sprint(rng.IntN(5)) }
	commands := []func() []string{
		func() []string {
			l := []string{"ZADD", key()}
			for range 1 + rng.IntN(60) {
				l = append(l, score(), member())
			}
			return l
		},
		func() []string { return []string{"ZADD", key(), "GT", "CH", score(), member()} },
		func() []string { return []string{"ZINCRBY", key(), score(), member()} },
		func() []string { return []string{"ZREM", key(), member(), member()} },
		func() []string { return []string{pick("ZPOPMIN", "ZPOPMAX"), key(), count()} },
		func() []string { return []string{"ZMPOP", "2", key(), key(), pick("MIN", "MAX"), "COUNT", "3"} },
		func() []string { return []string{pick("BZPOPMIN", "BZPOPMAX"), "z1", "z2", "z3", "z4", "z5", "0"} },
		func() []string { return []string{"BZMPOP", "0", "3", "z1", "z2", "z3", "MIN", "COUNT", "2"} },
		func() []string { return []string{"ZREMRANGEBYRANK", key(), count(), count()} },
		func() []string { return []string{"ZREMRANGEBYSCORE", key(), "(3", "4"} },
		func() []string { return []string{"ZRANGESTORE", key(), key(), "0", "100"} },
		func() []string {
			return []string{pick("ZUNIONSTORE", "ZINTERSTORE"), key(), "2", key(), key(), "AGGREGATE", "MIN"}
		},
		func() []string { return []string{"ZDIFFSTORE", key(), "2", key(), key()} },
		func() []string {
			return []string{"GEOADD", "geo", fmt.Sprint(rng.IntN(360) - 180), fmt.Sprint(rng.IntN(160) - 80), member()}
		},
		func() []string {
			return []string{"GEOSEARCHSTORE", "near", "geo", "FROMLONLAT", "10", "40", "BYRADIUS", "4000", "km", "STOREDIST"}
		},
		func() []string {
			return []string{"GEORADIUS", "geo", "10", "40", "4000", "km", "COUNT", "5", "ANY", "STORE", "some"}
		},
		func() []string { return []string{"PFADD", pick("h1", "h2"), member(), member()} },
		func() []string { return []string{"PFMERGE", "h3", "h1", "h2"} },
		func() []string { return []string{"PFCOUNT", pick("h1", "h2", "h3")} },
	}
	for range 5000 {
		args := argv(commands[rng.IntN(len(commands))]()...)
		if strings.HasPrefix(string(args[0]), "BZ") && string(a.run(argv("EXISTS", "z1", "z2", "z3"))) == ":0\r\n" {
			continue // it would wait, and nobody serves it
		}
		a.run(args)
		for _, arg := range args {
			clear(arg) // the connection's buffer is used again
		}
	}
	for _, e := range log.effects {
		if reply := b.run(e.Args); reply[0] == '-' {
			t.Fatalf("effect %q: %s", e.Args, reply)
		}
	}
	sameContents(t, a, b)
}
