package server_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/resp/resptest"
)

func number(t testing.TB, v client.Value, name string) int64 {
	t.Helper()
	x, ok := v.Get(name)
	if !ok {
		t.Fatalf("no %s in %v", name, v)
	}
	return x.Int
}

func TestTrackingStats(t *testing.T) {
	s := resptest.Start(t)
	w := newTracker(t, s.Addr())
	a, b := newTracker(t, s.Addr(), "NOLOOP"), newTracker(t, s.Addr(), "NOLOOP")
	for i := range 3200 {
		a.do("GET", fmt.Sprint("user:", i))
		if i < 1000 {
			w.do("SET", fmt.Sprint("user:", i), 1)
		}
	}
	for _, k := range []string{"top:1", "top:1", "top:2"} {
		a.do("GET", k)
	}
	b.do("GET", "top:1")
	w.do("TRACKING.REPORT", "user:", 30, 10, "none:", 0, 0)
	v := w.do("TRACKING.STATS", "TOP", 2)
	for name, want := range map[string]int64{
		"clients": 2, "keys": 2202, "items": 2203, "reads": 3204, "invalidations": 1000, "pushes": 1000, "flushes": 0, "keys-pushed-out": 0, "searches": 0,
	} {
		if got := number(t, v, name); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	if n := number(t, v, "bytes"); n < 2202*30 || n > 1<<20 {
		t.Errorf("%d bytes", n)
	}
	top, _ := v.Get("top-keys")
	if k := top.Elems; len(k) != 4 || k[0].Str != "top:1" || k[1].Int != 2 || k[3].Int != 1 {
		t.Errorf("top keys %v", top)
	}
	prefixes, _ := v.Get("prefixes")
	p := prefixes.Elems[0]
	rate, _ := p.Get("hit-rate")
	// Estimates from one key in 16, by a hash that differs from run to run: these
	// bounds are six standard deviations off.
	if r, d := number(t, p, "reads"), number(t, p, "invalidations"); rate.Str != "0.75" || r < 1600 || r > 4800 || d < 250 || d > 2000 {
		t.Errorf("prefixes %v", prefixes)
	}
	w.do("CONFIG", "SET", "tracking-table-max-keys", 10)
	if n := number(t, w.do("TRACKING.STATS"), "keys-pushed-out"); n != 2192 {
		t.Errorf("%d keys pushed out", n)
	}
	w.do("CONFIG", "RESETSTAT")
	v = w.do("TRACKING.STATS", "TOP", 0)
	if number(t, v, "reads") != 0 || number(t, v, "keys") != 10 {
		t.Errorf("after RESETSTAT: %v", v)
	}
	for _, args := range [][]any{{"TOP"}, {"TOP", -1}, {"TOP", 1001}, {"ALL", 1}} {
		if _, err := w.Do(append([]any{"TRACKING.STATS"}, args...)...); err == nil {
			t.Errorf("TRACKING.STATS %v: no error", args)
		}
	}
	for _, args := range [][]any{{"a", 1}, {"a", 1, -1}, {"a", "x", 1}, {"a", 1, 1, "b"}} {
		if _, err := w.Do(append([]any{"TRACKING.REPORT"}, args...)...); err == nil {
			t.Errorf("TRACKING.REPORT %v: no error", args)
		}
	}
}

func TestTrackingMonitor(t *testing.T) {
	s := resptest.Start(t, "--search-tracking", "yes")
	w, a := newTracker(t, s.Addr()), newTracker(t, s.Addr(), "NOLOOP")
	bcast := newTracker(t, s.Addr(), "BCAST", "PREFIX", "p:")
	c, err := client.Dial(context.Background(), s.Addr(), client.Options{Timeout: 2 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// What comes is one status a line, as of MONITOR: replies to commands that
	// were never sent.
	p := c.Pipeline()
	p.Add("TRACKING.MONITOR")
	if _, err := p.Run(); err != nil {
		t.Fatal(err)
	}
	id := a.do("CLIENT", "ID").Int
	a.do("GET", "k\n")
	w.do("SET", "k\n", 1)
	w.do("SET", "p:1", 1)
	w.do("SET", "d", 1)
	a.do("GET", "d")
	w.do("DEL", "d")
	w.do("FLUSHALL")
	want := []string{
		fmt.Sprintf(`[%d A] "track" "k\n"`, id),
		fmt.Sprintf(`[%d A] "invalidate" "k\n" "set"`, id),
		fmt.Sprintf(`[%d A] "invalidate" "p:1" "prefix"`, bcast.do("CLIENT", "ID").Int),
		fmt.Sprintf(`[%d A] "track" "d"`, id),
		fmt.Sprintf(`[%d A] "invalidate" "d" "del"`, id),
		"flush",
	}
	shape := regexp.MustCompile(`^\d+\.\d{6} (\[\d+ )127\.0\.0\.1:\d+(\] .*)$`)
	for i := 0; i < len(want); {
		q := c.Pipeline()
		q.Add("PING") // its reply comes among them
		v, err := q.Run()
		if err != nil {
			t.Fatal(err)
		}
		line := v[0].Str
		if line == "PONG" {
			continue
		}
		m := shape.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("line %q", line)
		}
		switch got := m[1] + "A" + m[2]; {
		case want[i] == "flush" && strings.HasSuffix(got, `"flush"`), got == want[i]:
			i++
		default:
			t.Fatalf("line %q, want %q", got, want[i])
		}
	}
	if _, err := w.Do("MULTI"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Do("TRACKING.MONITOR"); err == nil {
		t.Error("TRACKING.MONITOR in MULTI: no error")
	}
}
