package server

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/client"
)

func f32(v ...float32) string {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return string(b)
}

func createIndex(t testing.TB, c *client.Conn) {
	t.Helper()
	do(t, c, "FT.CREATE", "idx", "ON", "HASH", "PREFIX", 1, "d:", "SCHEMA", "user", "TAG", "age", "NUMERIC",
		"v", "VECTOR", "FLAT", 6, "TYPE", "FLOAT32", "DIM", 2, "DISTANCE_METRIC", "L2")
}

func total(t testing.TB, c *client.Conn, query string, args ...any) int64 {
	t.Helper()
	v := do(t, c, append([]any{"FT.SEARCH", "idx", query, "NOCONTENT"}, args...)...)
	if n, ok := v.Get("total_results"); ok {
		return n.Int
	}
	return v.Elems[0].Int
}

func TestSearchSeesWritesOfItsOwnTransaction(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	c := dial(t, s, client.Options{})
	createIndex(t, c)
	do(t, c, "HSET", "d:1", "user", "a")
	do(t, c, "MULTI")
	do(t, c, "HSET", "d:2", "user", "a")
	do(t, c, "DEL", "d:1")
	do(t, c, "FT.SEARCH", "idx", "@user:{a}", "NOCONTENT")
	do(t, c, "HSET", "d:3", "user", "a")
	v := do(t, c, "EXEC")
	if n, _ := v.Elems[2].Get("total_results"); n.Int != 1 {
		t.Errorf("inside: %v", v.Elems[2])
	}
	if n := total(t, c, "@user:{a}"); n != 2 {
		t.Errorf("after: %d documents, want 2", n)
	}
}

func TestSearchNeverShowsTheDead(t *testing.T) {
	var mu sync.Mutex
	now := time.Now().UnixMilli()
	clock := func() int64 { mu.Lock(); defer mu.Unlock(); return now }
	s, _ := startAt(t, clock, nil, "--appendonly", "no")
	s.ks.SetActiveExpire(false)
	c := dial(t, s, client.Options{})
	createIndex(t, c)
	do(t, c, "HSET", "d:1", "user", "a")
	do(t, c, "HSET", "d:2", "user", "a")
	do(t, c, "PEXPIRE", "d:1", 1000)
	if n := total(t, c, "@user:{a}"); n != 2 {
		t.Fatalf("%d documents before expiry", n)
	}
	mu.Lock()
	now += 1000
	mu.Unlock()
	if n := total(t, c, "@user:{a}"); n != 1 {
		t.Errorf("%d documents after expiry, want 1", n)
	}
	do(t, c, "SET", "d:2", "a string now")
	if n := total(t, c, "*"); n != 0 {
		t.Errorf("%d documents after the hash became a string", n)
	}
}

// TestClientSeesItsOwnWrites races writers that search for what they have just
// written, in one pipeline and across connections.
func TestClientSeesItsOwnWrites(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	createIndex(t, dial(t, s, client.Options{}))
	var wg sync.WaitGroup
	for w := range 4 {
		c, other := dial(t, s, client.Options{}), dial(t, s, client.Options{})
		wg.Go(func() {
			for i := range 150 {
				user := fmt.Sprintf("u%dx%d", w, i)
				p := c.Pipeline()
				p.Add("HSET", fmt.Sprintf("d:%d:%d", w, i%7), "user", user, "age", i, "v", f32(float32(w), float32(i)))
				p.Add("FT.SEARCH", "idx", "@user:{"+user+"}", "NOCONTENT")
				r, err := p.Run()
				if err != nil {
					t.Error(err)
					return
				}
				if n, _ := r[1].Get("total_results"); n.Int != 1 {
					t.Errorf("%s: not found by its writer: %v", user, r[1])
					return
				}
				v, err := other.Do("FT.SEARCH", "idx", "*=>[KNN 1 @v $q]", "PARAMS", 2, "q", f32(float32(w), float32(i)), "RETURN", 1, "user")
				if err != nil {
					t.Error(err)
					return
				}
				if got := v.String(); !strings.Contains(got, user) {
					t.Errorf("%s: another client finds %s after the reply", user, got)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestIndexIsFilledFromKeysThatExist(t *testing.T) {
	dir := t.TempDir()
	s, stop := start(t, nil, "--dir", dir)
	c := dial(t, s, client.Options{})
	for i := range 1000 {
		do(t, c, "HSET", fmt.Sprintf("d:%d", i), "user", "a", "age", i, "v", f32(float32(i), 0))
	}
	do(t, c, "HSET", "elsewhere", "user", "a")
	createIndex(t, c)
	waitIndexed(t, c)
	f := func(c *client.Conn, want int64) {
		t.Helper()
		if n := total(t, c, "@age:[0 499]"); n != want {
			t.Errorf("%d documents, want %d", n, want)
		}
	}
	f(c, 500)
	do(t, c, "DEL", "d:0")
	f(c, 499)
	stop()
	s, _ = start(t, nil, "--dir", dir) // definitions and vectors come back
	c = dial(t, s, client.Options{})
	waitIndexed(t, c)
	f(c, 499)
	v := do(t, c, "FT.SEARCH", "idx", "*=>[KNN 1 @v $q]", "PARAMS", 2, "q", f32(123, 0), "RETURN", 1, "age")
	if !strings.Contains(v.String(), "123") {
		t.Errorf("KNN after a restart: %v", v)
	}
	do(t, c, "FT.DROPINDEX", "idx", "DD")
	if n := do(t, c, "DBSIZE").Int; n != 1 {
		t.Errorf("DBSIZE after DROPINDEX DD = %d, want 1", n)
	}
}

// TestDocumentsWrittenWhileTheIndexIsFilled holds that these are in the order of their writes, whenever the scan comes by.
func TestDocumentsWrittenWhileTheIndexIsFilled(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	c := dial(t, s, client.Options{})
	others := []any{"MSET"}
	for i := range 20000 {
		others = append(others, fmt.Sprint("other:", i), "")
	}
	do(t, c, others...)
	const docs = 200
	for range 50 {
		do(t, c, "HSET", "d:0", "user", "a")
		createIndex(t, c)
		for i := 1; i < docs; i++ {
			do(t, c, "HSET", fmt.Sprint("d:", i), "user", "a")
		}
		waitIndexed(t, c)
		l, _ := do(t, c, "FT.SEARCH", "idx", "*", "NOCONTENT", "LIMIT", 0, docs).Get("results")
		if len(l.Elems) != docs {
			t.Fatal(l)
		}
		for i := range l.Elems {
			if id, _ := l.Elems[i].Get("id"); id.Str != fmt.Sprint("d:", i) {
				t.Fatalf("document %d is not in its place: %v", i, l)
			}
		}
		do(t, c, "FT.DROPINDEX", "idx", "DD")
	}
}

func waitIndexed(t testing.TB, c *client.Conn) {
	t.Helper()
	eventually(t, "the index is not filled", func() bool {
		v, ok := do(t, c, "FT.INFO", "idx").Get("indexing")
		return ok && v.Int == 0
	})
}

// TestSearchWhileTheIndexIsDropped: a search finds the index or hears that
// there is none, whatever happens to it meanwhile.
func TestSearchWhileTheIndexIsDropped(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	writer := dial(t, s, client.Options{})
	do(t, writer, "HSET", "d:1", "user", "a")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		c := dial(t, s, client.Options{})
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				_, err := c.Do("FT.SEARCH", "idx", "@user:{a}", "NOCONTENT")
				if err != nil && err.Error() != "idx: no such index" {
					t.Errorf("FT.SEARCH: %v", err)
					return
				}
			}
		})
	}
	for range 300 {
		createIndex(t, writer)
		do(t, writer, "FT.DROPINDEX", "idx")
	}
	close(stop)
	wg.Wait()
}
