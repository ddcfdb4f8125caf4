package commands

import (
	"fmt"
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
