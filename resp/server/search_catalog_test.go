package server

import (
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nearcache/nearcache/resp/client"
)

// TestWhatSearchKnowsSurvives restarts a server, and rewrites its log: indexes with the
// fields that they got later, on hashes and on JSON, aliases, synonyms, dictionaries.
func TestWhatSearchKnowsSurvives(t *testing.T) {
	dir := t.TempDir()
	flags := []string{"--dir", dir, "--appendonly", "yes", "--appendfsync", "always"}
	s, stop := start(t, nil, flags...)
	c := dial(t, s, client.Options{})
	for _, line := range strings.Split(strings.TrimSpace(`
		HSET d:1 t "a brown fox" g x
		JSON.SET j:1 $ "{\"t\":\"a red fox\",\"n\":[1,7]}"
		FT.CREATE idx PREFIX 1 d: SCHEMA t TEXT
		FT.ALTER idx SCHEMA ADD g TAG
		FT.CREATE json ON JSON PREFIX 1 j: SCHEMA $.t AS t TEXT
		FT.ALIASADD docs json
		FT.ALTER docs SCHEMA ADD $.n AS n NUMERIC
		FT.ALIASADD hashes idx
		FT.ALIASADD gone idx
		FT.ALIASDEL gone
		FT.SYNUPDATE idx 1 dog fox
		FT.DICTADD words one two three
		FT.DICTDEL words two
		FT.DICTADD none a
		FT.DICTDEL none a`), "\n") {
		do(t, c, split(strings.TrimSpace(line))...)
	}
	check := func(what string, s *Server) {
		t.Helper()
		c := dial(t, s, client.Options{})
		for _, x := range [][3]string{
			{"idx", "@t:fox @g:{x}", "d:1"},
			{"hashes", "dog", "d:1"},
			{"json", "fox @n:[7 7]", "j:1"},
			{"docs", "@n:[1 1]", "j:1"},
		} {
			eventually(t, what+": "+x[1]+" finds nothing", func() bool { return foundIn(t, c, x[0], x[1]) == x[2] })
		}
		if v := do(t, c, "FT.DICTDUMP", "words"); len(v.Elems) != 2 || v.Elems[0].Str != "one" || v.Elems[1].Str != "three" {
			t.Errorf("%s: the dictionary holds %v", what, v)
		}
		if v, err := c.Do("FT.SEARCH", "gone", "*"); err == nil && v.Err() == nil {
			t.Errorf("%s: an alias is back: %v", what, v)
		}
	}
	check("at first", s)
	stop()
	s, stop = start(t, nil, flags...)
	check("after a restart", s)

	c = dial(t, s, client.Options{})
	do(t, c, "BGREWRITEAOF")
	awaitField(t, c, "persistence", "aof_rewrite_in_progress", "0")
	stop()
	s, _ = start(t, nil, flags...)
	check("rewritten", s)
}

// others are clients that do something again and again, each its own, until end.
func others(t *testing.T, s *Server) (work func(f func(c *client.Conn, i int)), end func()) {
	var stop atomic.Bool
	var wg sync.WaitGroup
	work = func(f func(c *client.Conn, i int)) {
		c := dial(t, s, client.Options{})
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				f(c, i)
			}
		})
	}
	return work, func() {
		stop.Store(true)
		wg.Wait()
	}
}

// TestAlterWhileSearchesAndWritesGoOn gives an index fields while others search it, in
// and outside of an EXEC, and write to it.
func TestAlterWhileSearchesAndWritesGoOn(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	c := dial(t, s, client.Options{})
	do(t, c, split("FT.CREATE idx PREFIX 1 d: SCHEMA g TAG")...)
	work, end := others(t, s)
	key := func(i int) string { return "d:" + string(rune('a'+i%20)) }
	work(func(c *client.Conn, i int) {
		do(t, c, "HSET", key(i), "g", "x", "n", i, "t", "word", "v", f32(float32(i), 0))
	})
	work(func(c *client.Conn, i int) { do(t, c, "DEL", key(i)) })
	work(func(c *client.Conn, _ int) { do(t, c, "FT.SEARCH", "idx", "@g:{x}", "SORTBY", "g") }) // loads g of each
	work(func(c *client.Conn, _ int) {
		p := c.Pipeline()
		p.Add("MULTI")
		p.Add("HSET", "d:exec", "g", "y", "n", 1)
		p.Add("FT.SEARCH", "idx", "@g:{y}")
		p.Add("EXEC")
		if _, err := p.Run(); err != nil {
			t.Error(err)
		}
	})
	for _, field := range []string{"n NUMERIC", "t TEXT", "v VECTOR HNSW 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2", "more TAG"} {
		do(t, c, split("FT.ALTER idx SCHEMA ADD "+field)...)
		do(t, c, "HSET", "d:mine", "g", "x", "n", -5, "t", "own", "more", "m")
		if strings.HasPrefix(field, "n ") {
			if got := foundIn(t, c, "idx", "@n:[-5 -5]"); got != "d:mine" {
				t.Errorf("found [%s]", got)
			}
		}
	}
	end()
	do(t, c, "HSET", "d:a", "g", "last", "n", 3, "t", "word", "v", f32(1, 1))
	waitIndexed(t, c)
	if got := foundIn(t, c, "idx", "@g:{last} @n:[3 3] @t:word"); got != "d:a" {
		t.Errorf("found [%s]", got)
	}
	if got := foundIn(t, c, "idx", "@t:own @more:{m}"); got != "d:mine" {
		t.Errorf("found [%s]", got)
	}
}

// TestSearchBehindAlterInTheSameExec gives an index fields in an EXEC that searches by them, while
// others search it for documents that the EXEC holds, write to it, and do the same.
func TestSearchBehindAlterInTheSameExec(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	c := dial(t, s, client.Options{})
	do(t, c, split("FT.CREATE idx PREFIX 1 d: SCHEMA g TAG")...)
	do(t, c, split("FT.CREATE other PREFIX 1 d: SCHEMA g TAG")...)
	work, end := others(t, s)
	alter := func(c *client.Conn, index, field string, i int) {
		p := c.Pipeline()
		p.Add("MULTI")
		p.Add("HSET", "d:"+field, "g", "x", field, i)
		p.Add("FT.SEARCH", index, "@g:{x}", "NOCONTENT")
		p.Add("FT.ALTER", index, "SCHEMA", "ADD", field, "NUMERIC")
		p.Add("FT.SEARCH", index, "@"+field+":["+strconv.Itoa(i)+" "+strconv.Itoa(i)+"]", "NOCONTENT")
		p.Add("FT.ALTER", index, "SCHEMA", "ADD", field+"t", "TEXT")
		p.Add("HSET", "d:"+field, field+"t", "word")
		p.Add("FT.AGGREGATE", index, "@"+field+"t:word", "LOAD", 1, "@"+field)
		p.Add("EXEC")
		l, err := p.Run()
		if err != nil {
			t.Error(err)
			return
		}
		replies := l[len(l)-1].Elems
		for _, at := range []int{3, 6} {
			if n, _ := replies[at].Get("total_results"); n.Int != 1 {
				t.Errorf("%s behind FT.ALTER: %v", field, replies[at])
			}
		}
	}
	key := func(i int) string { return "d:" + string(rune('a'+i%20)) }
	work(func(c *client.Conn, i int) { do(t, c, "HSET", key(i), "g", "x", "f0", -1, "o1", -1) })
	work(func(c *client.Conn, i int) { do(t, c, "DEL", key(i)) })
	work(func(c *client.Conn, _ int) { do(t, c, "FT.SEARCH", "idx", "@g:{x}", "SORTBY", "g") }) // loads g of each
	second := dial(t, s, client.Options{})
	var altered sync.WaitGroup
	altered.Go(func() {
		for i := range 10 {
			alter(second, "other", "o"+strconv.Itoa(i), i)
		}
	})
	for i := range 10 {
		alter(c, "idx", "f"+strconv.Itoa(i), i)
	}
	end()
	altered.Wait()
	waitIndexed(t, c)
	if got := foundIn(t, c, "idx", "@f3:[3 3] @f3t:word"); got != "d:f3" {
		t.Errorf("found [%s]", got)
	}
}

// TestTemporaryIndexGoesWithItsDocuments lets the time pass after which nobody has used
// it, and restarts.
func TestTemporaryIndexGoesWithItsDocuments(t *testing.T) {
	var now atomic.Int64
	now.Store(1_700_000_000_000)
	dir := t.TempDir()
	flags := []string{"--dir", dir, "--appendonly", "yes", "--appendfsync", "always"}
	s, stop := startWith(t, now.Load, io.Discard, nil, flags...)
	c := dial(t, s, client.Options{})
	do(t, c, split("FT.CREATE idx TEMPORARY 100 PREFIX 1 d: SCHEMA g TAG")...)
	do(t, c, split("FT.CREATE other PREFIX 1 d: SCHEMA g TAG")...)
	do(t, c, "HSET", "d:1", "g", "x")
	do(t, c, "HSET", "e:1", "g", "x")
	now.Add(99_000)
	do(t, c, "HSET", "d:2", "g", "x") // it is used
	now.Add(99_000)
	if got := foundIn(t, c, "idx", "@g:{x}"); got != "d:1 d:2" { // again
		t.Errorf("found [%s]", got)
	}
	now.Add(99_000)
	if v := do(t, c, "FT._LIST"); len(v.Elems) != 2 {
		t.Errorf("indexes %v", v)
	}
	now.Add(2_000)
	eventually(t, "the index stays", func() bool { return len(do(t, c, "FT._LIST").Elems) == 1 })
	check := func() {
		t.Helper()
		if n := do(t, c, "DBSIZE").Int; n != 1 {
			t.Errorf("%d keys are left", n)
		}
		eventually(t, "the other index finds them", func() bool { return foundIn(t, c, "other", "@g:{x}") == "" })
	}
	check()
	stop()
	s, _ = startWith(t, now.Load, io.Discard, nil, flags...)
	c = dial(t, s, client.Options{})
	check()
	if v := do(t, c, "FT._LIST"); len(v.Elems) != 1 || v.Elems[0].Str != "other" {
		t.Errorf("after a restart %v", v)
	}
	do(t, c, split("FT.CREATE idx TEMPORARY 100 PREFIX 1 e: SCHEMA g TAG")...)
	waitIndexed(t, c)
	do(t, c, "FT.DROPINDEX", "idx") // takes the documents along, too
	if n := do(t, c, "DBSIZE").Int; n != 0 {
		t.Errorf("%d keys are left", n)
	}
}
