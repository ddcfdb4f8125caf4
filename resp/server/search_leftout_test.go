package server

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"testing"

	"github.com/nearcache/nearcache/resp/client"
)

// TestWhatWasThereBeforeStaysLeftOut writes documents before and after an index that skips
// what exists, and holds that rewrites of the log, restarts and a replica know which are which.
func TestWhatWasThereBeforeStaysLeftOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	flags := []string{"--dir", dir, "--appendonly", "yes", "--appendfsync", "no", "--auto-aof-rewrite-percentage", "0", "--enable-replicas", "yes"}
	const docs = 3000
	r := rand.New(rand.NewPCG(8, 8))
	indexed := map[string]bool{}
	name := func(i int) string { return fmt.Sprintf("%s:%d", []string{"h", "x"}[i%2], i) } // half of them are the index's
	write := func(c *client.Conn, n int, in bool) {
		t.Helper()
		p := c.Pipeline()
		for range n {
			k := name(r.IntN(docs))
			if in && r.IntN(4) == 0 {
				p.Add("DEL", k)
				delete(indexed, k)
				continue
			}
			p.Add("HSET", k, "f", r.IntN(9))
			if in && k[0] == 'h' {
				indexed[k] = true
			}
		}
		if _, err := p.Run(); err != nil {
			t.Fatal(err)
		}
	}
	check := func(c *client.Conn, when string) {
		t.Helper()
		v := do(t, c, "FT.SEARCH", "idx", "*", "NOCONTENT", "LIMIT", 0, docs)
		var got, want []string
		for _, e := range v.Elems[1:] {
			got = append(got, e.Str)
		}
		for k := range indexed {
			want = append(want, k)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("%s: %d documents, want %d", when, len(got), len(want))
		}
	}
	s, stop := startAt(t, nil, nil, flags...)
	c := dial(t, s, client.Options{Proto: 2})
	write(c, docs, false)
	do(t, c, "SET", "h:text", "no document")
	do(t, c, "FT.CREATE", "all", "PREFIX", 1, "h:", "SCHEMA", "f", "NUMERIC")
	do(t, c, "FT.CREATE", "idx", "PREFIX", 1, "h:", "SKIPINITIALSCAN", "SCHEMA", "f", "NUMERIC")
	check(c, "new")
	write(c, docs/4, true)
	check(c, "written")
	for i := range 4 {
		if i%2 == 1 {
			do(t, c, "SAVE")
			write(c, docs/8, true) // behind the copy
			check(c, "saved")
		}
		stop()
		s, stop = startAt(t, nil, nil, flags...)
		c = dial(t, s, client.Options{Proto: 2})
		check(c, fmt.Sprint("restart ", i))
		write(c, 50, true)
	}
	host, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	follower, _ := startAt(t, nil, nil, "--appendonly", "no", "--replicaof", host+" "+port)
	f := dial(t, follower, client.Options{Proto: 2})
	awaitField(t, f, "replication", "master_link_status", "up")
	do(t, c, "HSET", "h:last", "f", 1)
	indexed["h:last"] = true
	if n := do(t, c, "WAIT", 1, 0).Int; n != 1 {
		t.Fatal(n)
	}
	check(f, "replica")
}
