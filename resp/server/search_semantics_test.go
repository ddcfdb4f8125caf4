package server

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/client"
)

// found lists the documents that a query finds in idx, sorted.
func found(t testing.TB, c *client.Conn, query string) string {
	t.Helper()
	return foundIn(t, c, "idx", query)
}

func foundIn(t testing.TB, c *client.Conn, index, query string) string {
	t.Helper()
	v := do(t, c, "FT.SEARCH", index, query, "NOCONTENT", "LIMIT", 0, 100000)
	rows, _ := v.Get("results")
	var l []string
	for _, r := range rows.Elems {
		id, _ := r.Get("id")
		l = append(l, id.Str)
	}
	if n, _ := v.Get("total_results"); n.Int != int64(len(l)) {
		t.Errorf("%s: %d results, total_results %d", query, len(l), n.Int)
	}
	slices.Sort(l)
	return strings.Join(l, " ")
}

// TestDocumentsFollowTheirKeys changes keys in every way there is and asks the
// index after each.
func TestDocumentsFollowTheirKeys(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	c := dial(t, s, client.Options{})
	createIndex(t, c)
	f := func(line, query, want string) {
		t.Helper()
		for l := range strings.SplitSeq(line, "; ") {
			do(t, c, split(l, f32(1, 0), f32(0, 1))...)
		}
		if got := found(t, c, query); got != want {
			t.Errorf("%s\n%s finds [%s], want [%s]", line, query, got, want)
		}
	}
	knn := func(want string) {
		t.Helper()
		v := do(t, c, "FT.SEARCH", "idx", "*=>[KNN 10 @v $q AS d]", "PARAMS", 2, "q", f32(1, 0), "RETURN", 1, "d")
		var l []string
		rows, _ := v.Get("results")
		for _, r := range rows.Elems {
			id, _ := r.Get("id")
			l = append(l, id.Str)
		}
		if got := strings.Join(l, " "); got != want {
			t.Errorf("KNN finds [%s], want [%s]", got, want)
		}
	}
	f("HSET d:1 user a age 1 v $1; HSET d:2 user a age 2 v $2", "@user:{a}", "d:1 d:2")
	knn("d:1 d:2")
	f("RENAME d:1 d:3", "@user:{a}", "d:2 d:3")
	knn("d:3 d:2")
	f("RENAME d:3 x:3", "@user:{a}", "d:2")
	f("RENAME x:3 d:2", "@user:{a}", "d:2")
	knn("d:2")
	f("COPY d:2 d:4", "@user:{a}", "d:2 d:4")
	f("COPY d:2 x:4; COPY d:2 d:9 DB 1", "@user:{a}", "d:2 d:4")
	f("HSET x:5 user b; COPY x:5 d:4 REPLACE", "@user:{a}", "d:2")
	f("HGET d:4 user", "@user:{b}", "d:4")
	knn("d:2") // what d:4 was had a vector, what it is has none
	f("HSET d:4 v $1", "@user:{b}", "d:4")
	knn("d:2 d:4")
	f("HGETDEL d:4 FIELDS 1 v", "@user:{b}", "d:4")
	knn("d:2")
	f("MOVE d:4 1", "*", "d:2")
	f("HSET d:4 user b v $1", "@user:{b}", "d:4")
	f("SET d:4 string", "*", "d:2")
	knn("d:2")
	f("DEL d:4; HSET d:4 user c age 4 v $2", "@user:{c} @age:[4 4]", "d:4")
	// One field changed keeps the others; HDEL takes one away.
	f("HSET d:4 age 5", "@user:{c} @age:[5 5]", "d:4")
	knn("d:2 d:4")
	f("HDEL d:4 v", "@user:{c}", "d:4")
	knn("d:2")
	f("HSET d:4 v $1", "@user:{c}", "d:4")
	f("HINCRBY d:4 age 10; HSETNX d:4 user other", "@user:{c} @age:[15 15]", "d:4")
	f("HINCRBYFLOAT d:4 age 0.5", "@age:[15.5 15.5]", "d:4")
	f("HDEL d:4 user v age", "*", "d:2") // the last field takes the key away
	// Time to live.
	f("HSET d:4 user c; PEXPIRE d:4 100000; PERSIST d:4; EXPIRE d:4 100", "*", "d:2 d:4")
	f("PEXPIREAT d:4 1", "*", "d:2")
	f("GETDEL nokey; UNLINK d:2", "*", "")
	// Only database 0 is indexed.
	f("SELECT 1; HSET d:7 user a; SELECT 0", "*", "")
	f("MULTI; HSET d:8 user a; HSET d:8 user b; EXEC", "@user:{b}", "d:8")
	f("MULTI; HSET d:8 user c; DEL d:8; HSET d:9 user c; RENAME d:9 d:10; EXEC", "*", "d:10")
	if v := do(t, c, "FT.SEARCH", "idx", "@user:{c}", "RETURN", 1, "user"); !strings.Contains(v.String(), `"d:10"`) {
		t.Errorf("%v", v)
	}
	for _, cmd := range []string{"FLUSHDB", "FLUSHALL"} {
		do(t, c, cmd)
		if v := do(t, c, "FT._LIST"); len(v.Elems) != 0 {
			t.Errorf("%s leaves %v", cmd, v)
		}
		createIndex(t, c)
		f("HSET d:1 user a", "*", "d:1")
	}
	do(t, c, "SELECT", 1)
	do(t, c, "FLUSHDB")
	do(t, c, "SELECT", 0)
	f("PING", "*", "d:1")
	// A flush inside EXEC takes what was there before it, not what comes after.
	do(t, c, "MULTI")
	do(t, c, "FLUSHALL")
	createIndex(t, c)
	do(t, c, "HSET", "d:2", "user", "a")
	do(t, c, "FT.SEARCH", "idx", "*")
	do(t, c, "EXEC")
	waitIndexed(t, c)
	f("PING", "*", "d:2")
}

// TestManyArgumentsCostLittle sends options in numbers that nobody needs.
func TestManyArgumentsCostLittle(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	c := dial(t, s, client.Options{Proto: 2})
	createIndex(t, c)
	do(t, c, "HSET", "d:1", "user", "a", "age", 1)
	const n = 100000
	many := func(head ...any) []any {
		for i := range n {
			head = append(head, fmt.Sprint("f", i))
		}
		return head
	}
	f := func(want string, args ...any) {
		t.Helper()
		var took time.Duration
		for range 3 { // the machine may have stood still
			at := time.Now()
			if got := searchReply(t, c, 2, args); got != want {
				t.Errorf("%.80q: %.100s, want %s", args, got, want)
			}
			if took = time.Since(at); took < 10*time.Second { // a quadratic look takes minutes
				return
			}
		}
		t.Errorf("%.80q took %v", args, took)
	}
	f("1 | d:1", many("FT.SEARCH", "idx", "*", "RETURN", fmt.Sprint(n))...)
	f("1 | d:1", append(many("FT.SEARCH", "idx", "*", "NOCONTENT", "INKEYS", fmt.Sprint(n+1)), "d:1")...)
	f("error: Too many parameters", many("FT.SEARCH", "idx", "*", "PARAMS", fmt.Sprint(n))...)
	filters := []any{"FT.SEARCH", "idx", "*", "NOCONTENT"}
	for range n {
		filters = append(filters, "FILTER", "age", "0", "2")
	}
	f("error: Too many filters", filters...)
	f("1 | d:1", filters[:4+4*1000]...)
}

func TestHashesOfSeveralIndexes(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	c := dial(t, s, client.Options{})
	do(t, c, split(`FT.CREATE i1 PREFIX 1 d: SCHEMA a TAG`)...)
	do(t, c, split(`FT.CREATE i2 PREFIX 1 d: SCHEMA a TEXT b NUMERIC`)...)
	do(t, c, split(`FT.CREATE i3 PREFIX 2 d:x e: SCHEMA a TAG`)...)
	do(t, c, split(`FT.CREATE i4 SCHEMA b NUMERIC`)...)
	do(t, c, "HSET", "d:1", "a", "one", "b", 1)
	do(t, c, "HSET", "d:x1", "a", "one", "b", 2)
	do(t, c, "HSET", "e:1", "a", "one", "b", "no number")
	do(t, c, "HSET", "other", "a", "one", "b", 4)
	f := func(index, query, want string) {
		t.Helper()
		if got := foundIn(t, c, index, query); got != want {
			t.Errorf("%s %s finds [%s], want [%s]", index, query, got, want)
		}
	}
	f("i1", "@a:{one}", "d:1 d:x1")
	f("i2", "one", "d:1 d:x1")
	f("i2", "@b:[2 2]", "d:x1")
	f("i3", "@a:{one}", "d:x1 e:1")
	f("i4", "*", "d:1 d:x1 other") // e:1 could not be indexed there
	do(t, c, "FT.DROPINDEX", "i1", "DD")
	f("i2", "*", "")
	f("i3", "*", "e:1")
	f("i4", "*", "other")
	do(t, c, "FT.DROPINDEX", "i4")
	if n := do(t, c, "DBSIZE").Int; n != 2 {
		t.Errorf("%d keys, want 2", n)
	}
}

// TestBrokenDocumentsAreCounted stores what cannot be indexed and reads FT.INFO.
func TestBrokenDocumentsAreCounted(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	c := dial(t, s, client.Options{})
	createIndex(t, c)
	do(t, c, "HSET", "d:1", "user", "a", "age", 1, "v", f32(1, 0))
	do(t, c, "HSET", "d:2", "user", "a", "age", 1, "v", "short")
	do(t, c, "HSET", "d:3", "user", "a", "age", "NaN", "v", f32(1, 0))
	do(t, c, "HSET", "d:1", "v", strings.Repeat("x", 1<<16)) // was indexed, and is no longer
	do(t, c, "HSET", "d:4", "user", "a", "age", strings.Repeat("1", 1000))
	if got := found(t, c, "*"); got != "" {
		t.Errorf("found [%s]", got)
	}
	v := do(t, c, "FT.INFO", "idx")
	if n, _ := v.Get("hash_indexing_failures"); n.Int != 4 {
		t.Errorf("hash_indexing_failures %v, want 4", n)
	}
	if n, _ := v.Get("num_docs"); n.Int != 0 {
		t.Errorf("num_docs %v", n)
	}
	e, _ := v.Get("Index Errors")
	if n, _ := e.Get("indexing failures"); n.Int != 4 {
		t.Errorf("Index Errors: %v", e)
	}
	if k, _ := e.Get("last indexing error key"); k.Str != "d:4" {
		t.Errorf("last indexing error key: %v", k)
	}
	fields, _ := v.Get("field statistics")
	e, _ = fields.Elems[2].Get("Index Errors")
	if m, _ := e.Get("last indexing error"); m.Str != "Could not add vector with blob size 65536 (expected size 8)" {
		t.Errorf("the error of v: %v", e)
	}
	if n, _ := e.Get("indexing failures"); n.Int != 2 {
		t.Errorf("the failures of v: %v", e)
	}
	do(t, c, "HSET", "d:1", "v", f32(0, 1)) // repaired
	if got := found(t, c, "@user:{a}"); got != "d:1" {
		t.Errorf("after the repair: [%s]", got)
	}
}

func TestDropIndexSurvivesARestart(t *testing.T) {
	for _, x := range []struct {
		drop []any
		keys int64
	}{{[]any{"FT.DROPINDEX", "idx"}, 3}, {[]any{"FT.DROPINDEX", "idx", "DD"}, 1}} {
		dir := t.TempDir()
		flags := []string{"--dir", dir, "--appendonly", "yes", "--appendfsync", "always"}
		s, stop := start(t, nil, flags...)
		c := dial(t, s, client.Options{})
		createIndex(t, c)
		do(t, c, split("FT.CREATE other PREFIX 1 o: SCHEMA user TAG")...)
		do(t, c, "HSET", "d:1", "user", "a")
		do(t, c, "HSET", "d:2", "user", "b")
		do(t, c, "HSET", "o:1", "user", "c")
		do(t, c, x.drop...)
		stop()
		s, stop = start(t, nil, flags...)
		c = dial(t, s, client.Options{})
		if v := do(t, c, "FT._LIST"); len(v.Elems) != 1 || v.Elems[0].Str != "other" {
			t.Errorf("%v: after a restart %v", x.drop, v)
		}
		if n := do(t, c, "DBSIZE").Int; n != x.keys {
			t.Errorf("%v: %d keys after a restart, want %d", x.drop, n, x.keys)
		}
		if got := foundIn(t, c, "other", "@user:{c}"); got != "o:1" {
			t.Errorf("other finds [%s]", got)
		}
		createIndex(t, c) // the name is free again
		stop()
	}
}

// TestBackfillWhileKeysChange makes an index while writers add, change and
// delete the keys it is being filled from. Afterwards it equals the keyspace.
func TestBackfillWhileKeysChange(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	c := dial(t, s, client.Options{})
	const keys, writers = 3000, 3
	key := func(i int) string { return fmt.Sprintf("d:%d", i) }
	p := c.Pipeline()
	for i := range keys {
		p.Add("HSET", key(i), "user", "old", "age", i, "v", f32(float32(i), 0))
	}
	if _, err := p.Run(); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for w := range writers {
		c := dial(t, s, client.Options{})
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for n := 0; !stop.Load(); n++ {
				i := r.IntN(keys + 100)
				var err error
				switch r.IntN(6) {
				case 0:
					_, err = c.Do("DEL", key(i))
				case 1:
					_, err = c.Do("SET", key(i), "string")
				case 2:
					_, err = c.Do("HSET", key(keys+i), "user", "new", "age", i)
				case 3:
					_, err = c.Do("RENAME", key(i), key(r.IntN(keys)))
				case 4:
					_, err = c.Do("PEXPIRE", key(i), 1+r.IntN(50))
				default:
					if _, err = c.Do("DEL", key(i)); err == nil {
						_, err = c.Do("HSET", key(i), "user", fmt.Sprintf("w%d", w), "age", n, "v", f32(float32(n), float32(w)))
					}
				}
				if err != nil && !strings.Contains(err.Error(), "no such key") && !strings.HasPrefix(err.Error(), "WRONGTYPE") {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 4 {
		createIndex(t, c)
		waitIndexed(t, c)
		do(t, c, "FT.DROPINDEX", "idx")
	}
	createIndex(t, c)
	waitIndexed(t, c)
	time.Sleep(20 * time.Millisecond)
	stop.Store(true)
	wg.Wait()
	time.Sleep(60 * time.Millisecond) // the last PEXPIRE
	indexEqualsKeyspace(t, c)
}

// indexEqualsKeyspace compares what idx holds, and returns for vectors, with all hashes.
func indexEqualsKeyspace(t *testing.T, c *client.Conn) {
	t.Helper()
	want := map[string]map[string]string{}
	for _, k := range do(t, c, "KEYS", "d:*").Elems {
		if do(t, c, "TYPE", k.Str).Str != "hash" {
			continue
		}
		m := map[string]string{}
		v := do(t, c, "HGETALL", k.Str)
		for i := 0; i < len(v.Elems); i += 2 {
			m[v.Elems[i].Str] = v.Elems[i+1].Str
		}
		want[k.Str] = m
	}
	var names []string
	for k := range want {
		names = append(names, k)
	}
	slices.Sort(names)
	if got := found(t, c, "*"); got != strings.Join(names, " ") {
		t.Errorf("the index holds %d documents, the keyspace %d", len(strings.Fields(got)), len(names))
	}
	for _, k := range names {
		m := want[k]
		if got := found(t, c, fmt.Sprintf("@user:{%s} @age:[%s %s]", m["user"], m["age"], m["age"])); !slices.Contains(strings.Fields(got), k) {
			t.Errorf("%s (%.30q) is not found by its fields", k, m)
		}
	}
	vectors := 0
	for _, m := range want {
		if m["v"] != "" {
			vectors++
		}
	}
	v := do(t, c, "FT.SEARCH", "idx", "*=>[KNN 100000 @v $q AS d]", "PARAMS", 2, "q", f32(0, 0), "RETURN", 1, "v", "LIMIT", 0, 100000)
	rows, _ := v.Get("results")
	if len(rows.Elems) != vectors {
		t.Errorf("%d vectors are found, of %d", len(rows.Elems), vectors)
	}
}

// TestEvictionTakesDocumentsOut fills a small server and compares.
func TestEvictionTakesDocumentsOut(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	c := dial(t, s, client.Options{})
	createIndex(t, c)
	do(t, c, "HSET", "d:0", "user", "a", "age", 0, "v", f32(1, 1))
	used := s.ks.Used()
	do(t, c, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", used+1<<20)
	for i := range 3000 {
		do(t, c, "HSET", fmt.Sprintf("d:%d", i), "user", "a", "age", i, "v", f32(float32(i), 0), "rest", strings.Repeat("x", 1000))
	}
	n := do(t, c, "DBSIZE").Int
	if n >= 3000 || n < 10 {
		t.Fatalf("%d keys are left of 3000", n)
	}
	do(t, c, "CONFIG", "SET", "maxmemory", 0)
	indexEqualsKeyspace(t, c)
}

// TestManyVectorsInOnePipeline sends thousands of writes and a search in one go.
func TestManyVectorsInOnePipeline(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	c := dial(t, s, client.Options{Timeout: 5 * time.Minute})
	do(t, c, split("FT.CREATE idx PREFIX 1 d: SCHEMA n NUMERIC v VECTOR HNSW 6 TYPE FLOAT32 DIM 8 DISTANCE_METRIC L2")...)
	n := 10000
	if raceEnabled {
		n = 2000
	}
	vec := func(i int) string {
		r := rand.New(rand.NewPCG(uint64(i), 7))
		v := make([]float32, 8)
		for i := range v {
			v[i] = r.Float32()
		}
		return f32(v...)
	}
	p := c.Pipeline()
	for i := range n {
		p.Add("HSET", fmt.Sprintf("d:%d", i), "n", i, "v", vec(i))
	}
	p.Add("FT.SEARCH", "idx", "*", "LIMIT", 0, 0)
	p.Add("FT.SEARCH", "idx", "*=>[KNN 1 @v $q]", "NOCONTENT", "PARAMS", 2, "q", vec(n-1))
	r, err := p.Run()
	if err != nil {
		t.Fatal(err)
	}
	if total, _ := r[n].Get("total_results"); total.Int != int64(n) {
		t.Errorf("%d documents, want %d", total.Int, n)
	}
	if got := r[n+1].String(); !strings.Contains(got, fmt.Sprintf(`"d:%d"`, n-1)) {
		t.Errorf("the last vector is not the nearest to itself: %s", got)
	}
}

func TestVectorsOfFloat64(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	c := dial(t, s, client.Options{Proto: 2})
	for _, algo := range []string{"FLAT", "HNSW"} {
		do(t, c, "FT.CREATE", algo, "PREFIX", 1, algo, "SCHEMA", "v", "VECTOR", algo, 6, "TYPE", "FLOAT64", "DIM", 2, "DISTANCE_METRIC", "L2")
		do(t, c, "HSET", algo+"1", "v", f64(3, 4))
		do(t, c, "HSET", algo+"2", "v", f64(1, 0))
		do(t, c, "HSET", algo+"3", "v", f32(1, 0))
		got := searchReply(t, c, 2, []any{"FT.SEARCH", algo, "*=>[KNN 5 @v $q AS d]", "PARAMS", "2", "q", f64(0, 0), "RETURN", "1", "d"})
		if want := fmt.Sprintf("2 | %s2 d=1 | %s1 d=25", algo, algo); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		got = searchReply(t, c, 2, []any{"FT.SEARCH", algo, "@v:[VECTOR_RANGE 1.5 $q]=>{$YIELD_DISTANCE_AS: d}", "PARAMS", "2", "q", f64(0, 0), "RETURN", "1", "d"})
		if want := fmt.Sprintf("1 | %s2 d=1", algo); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestSearchersBesideWriters has twenty clients search while others write. Every
// row must match its filter, or its document must have changed since.
func TestSearchersBesideWriters(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	c := dial(t, s, client.Options{})
	do(t, c, split("FT.CREATE idx PREFIX 1 d: SCHEMA user TAG age NUMERIC job TEXT v VECTOR HNSW 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2")...)
	const keys = 200
	var changes [keys]atomic.Int64 // odd while the key is being written
	var stop atomic.Bool
	var writers, searchers sync.WaitGroup
	for w := range 2 {
		c := dial(t, s, client.Options{})
		writers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 3))
			for n := 0; !stop.Load(); n++ {
				i := 2*r.IntN(keys/2) + w
				changes[i].Add(1)
				var err error
				if k := fmt.Sprintf("d:%d", i); r.IntN(8) == 0 {
					_, err = c.Do("DEL", k)
				} else {
					u := r.IntN(4)
					_, err = c.Do("HSET", k, "user", fmt.Sprintf("u%d", u), "age", u*10, "job", fmt.Sprintf("job%d", u), "v", f32(float32(u), float32(n)))
				}
				changes[i].Add(1)
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var rows atomic.Int64
	for w := range 20 {
		c := dial(t, s, client.Options{})
		searchers.Go(func() {
			for n := range 40 {
				u := (n + w) % 4
				query := []string{
					fmt.Sprintf("@user:{u%d}", u), fmt.Sprintf("@age:[%d %d]", u*10, u*10), fmt.Sprintf("@job:job%d", u),
					fmt.Sprintf("(@user:{u%d})=>[KNN 20 @v $q]", u),
					fmt.Sprintf("@user:{u%d} @v:[VECTOR_RANGE 1e9 $q]", u),
				}[n%5]
				var before [keys]int64
				for i := range before {
					before[i] = changes[i].Load()
				}
				v, err := c.Do("FT.SEARCH", "idx", query, "PARAMS", 2, "q", f32(1, 1), "RETURN", 2, "user", "age", "LIMIT", 0, 1000)
				if err != nil {
					t.Error(err)
					return
				}
				results, _ := v.Get("results")
				seen := map[string]bool{}
				for _, r := range results.Elems {
					id, _ := r.Get("id")
					if seen[id.Str] {
						t.Errorf("%s twice in one reply", id.Str)
					}
					seen[id.Str] = true
					fields, _ := r.Get("extra_attributes")
					user, _ := fields.Get("user")
					age, _ := fields.Get("age")
					if len(user.Str) != 2 || age.Str != strings.TrimLeft(user.Str[1:], "0")+"0" {
						t.Errorf("%s is half of one document and half of another: %v", id.Str, fields)
					}
					rows.Add(1)
					if user.Str == fmt.Sprintf("u%d", u) {
						continue
					}
					var i int
					_, _ = fmt.Sscanf(id.Str, "d:%d", &i)
					if now := changes[i].Load(); now == before[i] && now%2 == 0 {
						t.Errorf("%s: %s has user %s and did not change", query, id.Str, user.Str)
					}
				}
			}
		})
	}
	searchers.Wait()
	stop.Store(true)
	writers.Wait()
	if rows.Load() < 1000 {
		t.Errorf("only %d rows were looked at", rows.Load())
	}
}

func f64(v ...float64) string {
	b := make([]byte, 0, 8*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	return string(b)
}

// TestEmptyIsNotMissing holds for the first value that an index takes as well, and for
// the first of several.
func TestEmptyIsNotMissing(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no", "--save", "")
	c := dial(t, s, client.Options{})
	do(t, c, split("FT.CREATE hash PREFIX 1 h SCHEMA g TAG INDEXEMPTY INDEXMISSING")...)
	do(t, c, split("FT.CREATE json ON JSON PREFIX 1 j SCHEMA $.g AS g TAG INDEXEMPTY INDEXMISSING")...)
	do(t, c, "HSET", "h1", "g", "")
	do(t, c, "JSON.SET", "j1", "$", `{"g":""}`)
	do(t, c, "JSON.SET", "j2", "$", `{"g":["","x"]}`)
	for _, w := range []struct{ index, query, found string }{
		{"hash", "ismissing(@g)", ""},
		{"hash", `@g:{""}`, "h1"},
		{"json", "ismissing(@g)", ""},
		{"json", `@g:{""}`, "j1 j2"},
		{"json", "@g:{x}", "j2"},
	} {
		if got := foundIn(t, c, w.index, w.query); got != w.found {
			t.Errorf("%s %s: [%s], want [%s]", w.index, w.query, got, w.found)
		}
	}
}
