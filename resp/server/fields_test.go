package server

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/client"
)

// TestFieldsThatAreOverLeaveIndexCacheAndLog ends a field's time, and asks all that
// know of it: the hash, an index, a client that has read it, and the log.
func TestFieldsThatAreOverLeaveIndexCacheAndLog(t *testing.T) {
	begin := time.Now().UnixMilli()
	for _, look := range []bool{true, false} { // whether a command looks at the hash, or only the server itself
		var now atomic.Int64
		now.Store(begin)
		dir := t.TempDir()
		s, stop := startAt(t, now.Load, nil, "--dir", dir)
		s.ks.SetActiveExpire(false)
		c := dial(t, s, client.Options{})
		createIndex(t, c)
		do(t, c, "HSET", "d:1", "user", "a", "age", 5)
		do(t, c, "HPEXPIRE", "d:1", 1000, "FIELDS", 1, "user")
		var told []string
		reader := dial(t, s, client.Options{OnPush: func(v client.Value) { told = append(told, v.String()) }})
		do(t, reader, "CLIENT", "TRACKING", "ON")
		do(t, reader, "HGETALL", "d:1")
		if n := total(t, c, "@user:{a}"); n != 1 {
			t.Fatalf("found %d times before", n)
		}

		now.Add(1000)
		if look {
			if v := do(t, c, "HGET", "d:1", "user"); v.Kind != client.Null {
				t.Errorf("the field is there: %v", v)
			}
		} else {
			s.ks.SetActiveExpire(true)
		}
		for deadline := time.Now().Add(time.Minute); len(told) == 0 && time.Now().Before(deadline); {
			do(t, reader, "PING")
		}
		if !slices.Equal(told, []string{`>["invalidate" *["d:1"]]`}) {
			t.Errorf("the reader is told %q", told)
		}
		if n := total(t, c, "@user:{a}"); n != 0 {
			t.Errorf("found %d times after", n)
		}
		if n := total(t, c, "@age:[5 5]"); n != 1 {
			t.Errorf("found %d times by the other field", n)
		}
		stop()

		now.Store(begin) // its time is not over any more: only the log says that it is gone
		s, stop = startAt(t, now.Load, nil, "--dir", dir)
		c = dial(t, s, client.Options{})
		if v := do(t, c, "HGETALL", "d:1"); v.String() != `%["age" "5"]` {
			t.Errorf("loaded %v", v)
		}
		stop()
	}
}
