package server

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/store/vfs"
)

func blob(v []float32) string {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return string(b)
}

func randomVector(rnd *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(rnd.NormFloat64())
	}
	return v
}

// logLines are what a server logs, for many goroutines.
type logLines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logLines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logLines) has(text string) bool { return strings.Contains(l.text(), text) }

// nearest is what FT.SEARCH finds, in its order.
func nearest(t *testing.T, c *client.Conn, ix, field, q string, k int) (names []string) {
	t.Helper()
	v := do(t, c, "FT.SEARCH", ix, fmt.Sprintf("*=>[KNN %d @%s $q EF_RUNTIME 400 AS d]", k, field), "PARAMS", 2, "q", q, "SORTBY", "d", "RETURN", 1, "d", "DIALECT", 2, "LIMIT", 0, k)
	for i := 1; i < len(v.Elems); i += 2 {
		names = append(names, v.Elems[i].Str)
	}
	return names
}

func unabsorbed(t *testing.T, s *Server, name string) int {
	t.Helper()
	ix, err := s.env.Catalog.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	return len(ix.Search().Unabsorbed())
}

func awaitAbsorbed(t *testing.T, s *Server, name string) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); unabsorbed(t, s, name) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d documents are still not in the graph", unabsorbed(t, s, name))
		}
	}
}

// TestGraphsAreOpenedAtTheStart restarts a server in all ways: after a clean end, after writes behind the
// saved graph, with a graph that is damaged, missing, or another index's. What is found is the same each time.
func TestGraphsAreOpenedAtTheStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rnd := rand.New(rand.NewPCG(3, 4))
	const docs, dim = 600, 24
	flags := []string{"--dir", dir, "--appendfsync", "no"}
	var logs *logLines
	start := func() (*Server, func(), *client.Conn) {
		logs = &logLines{}
		s, stop := startWith(t, nil, logs, nil, flags...)
		return s, stop, dial(t, s, client.Options{Proto: 2})
	}
	_, stop, c := start()
	for _, ix := range []string{"a", "b"} {
		do(t, c, "FT.CREATE", ix, "PREFIX", 1, ix+":", "SCHEMA", "v", "VECTOR", "HNSW", 6, "TYPE", "FLOAT32", "DIM", dim, "DISTANCE_METRIC", "COSINE",
			"w", "VECTOR", "FLAT", 6, "TYPE", "FLOAT32", "DIM", dim, "DISTANCE_METRIC", "L2", "n", "NUMERIC", "t", "TAG")
	}
	put := func(ix string, i int) {
		do(t, c, "HSET", fmt.Sprintf("%s:%d", ix, i), "v", blob(randomVector(rnd, dim)), "w", blob(randomVector(rnd, dim)), "n", i, "t", "x")
	}
	for i := range docs {
		put("a", i)
		put("b", i)
	}
	q := blob(randomVector(rnd, dim))
	found := func() string {
		t.Helper()
		var all []string
		for _, ix := range []string{"a", "b"} {
			for _, f := range []string{"v", "w"} {
				all = append(all, strings.Join(nearest(t, c, ix, f, q, 10), " "))
			}
			all = append(all, do(t, c, "FT.SEARCH", ix, "@n:[5 15]", "NOCONTENT", "LIMIT", 0, 0).String())
		}
		return strings.Join(all, "\n")
	}
	same := func(want string) {
		t.Helper()
		if got := found(); got != want {
			t.Fatalf("found\n%s\nwant\n%s", got, want)
		}
	}
	want := found()
	stop()

	var s *Server
	s, stop, c = start()
	same(want)
	if !logs.has("opened a saved graph") || logs.has("cannot be used") || unabsorbed(t, s, "a")+unabsorbed(t, s, "b") > 0 {
		t.Fatalf("after a clean end: %s", logs.b.String())
	}
	do(t, c, "SAVE") // nothing has changed: the files stay
	before, _ := filepath.Glob(filepath.Join(dir, "nearcache-graph-*"))
	// Changes behind the saved graph: the copy of the folder is one of a server that was killed.
	for i := range 40 {
		put("a", i*3)
		do(t, c, "DEL", fmt.Sprintf("a:%d", i*7+1))
		put("a", docs+i)
		do(t, c, "HSET", fmt.Sprintf("a:%d", i*5+2), "n", 1000)
		do(t, c, "HDEL", fmt.Sprintf("a:%d", i*11+2), "v")
		_, _ = c.Do("RENAME", fmt.Sprintf("a:%d", 300+i), fmt.Sprintf("a:renamed%d", i))
	}
	want = found()
	if err := s.aof.Load().Flush(); err != nil {
		t.Fatal(err)
	}
	killed := t.TempDir()
	copyDir(t, dir, killed)
	stop()
	if after, _ := filepath.Glob(filepath.Join(dir, "nearcache-graph-*")); slices.Equal(before, after) {
		t.Error("the graphs that have changed were not saved at the end")
	}

	clean := dir
	dir, flags = killed, []string{"--dir", killed, "--appendfsync", "no"}
	s, stop, c = start()
	if n := unabsorbed(t, s, "b"); n != 0 {
		t.Errorf("%d documents of the index that has not changed are put anew", n)
	}
	same(want)
	awaitAbsorbed(t, s, "a")
	same(want)
	stop()

	// A damaged page: only its index is made anew.
	for _, how := range graphDamages {
		broken := t.TempDir()
		copyDir(t, clean, broken)
		damageGraph(t, broken, how, 2, 0)
		flags = []string{"--dir", broken, "--appendfsync", "no"}
		s, stop, c = start()
		same(want)
		if !logs.has("a saved graph cannot be used") || !logs.has("opened a saved graph") {
			t.Errorf("%s: %s", how, logs.b.String())
		}
		awaitAbsorbed(t, s, "a")
		awaitAbsorbed(t, s, "b")
		same(want)
		stop()
	}
}

// TestIndexesThatGoWhileTheLogIsRead: saved graphs are read as soon as their index is made; what the log says of it later is
// another index's, or one with other fields.
func TestIndexesThatGoWhileTheLogIsRead(t *testing.T) {
	t.Parallel()
	dir, dim := t.TempDir(), 8
	rnd := rand.New(rand.NewPCG(5, 6))
	s, stop := start(t, nil, "--dir", dir, "--appendfsync", "no")
	c := dial(t, s, client.Options{Proto: 2})
	create := func(ix string) {
		do(t, c, "FT.CREATE", ix, "PREFIX", 1, ix+":", "SCHEMA", "v", "VECTOR", "HNSW", 6, "TYPE", "FLOAT32", "DIM", dim, "DISTANCE_METRIC", "L2")
	}
	names := []string{"dropped", "altered", "again", "stays"}
	for _, ix := range names {
		create(ix)
		for i := range 50 {
			do(t, c, "HSET", fmt.Sprint(ix, ":", i), "v", blob(randomVector(rnd, dim)), "n", i)
		}
	}
	do(t, c, "SAVE")
	do(t, c, "FT.DROPINDEX", "dropped")
	do(t, c, "FT.ALTER", "altered", "SCHEMA", "ADD", "n", "NUMERIC")
	do(t, c, "FT.DROPINDEX", "again")
	do(t, c, "HSET", "again:7", "v", blob(randomVector(rnd, dim)))
	create("again")
	q := blob(randomVector(rnd, dim))
	want := map[string][]string{}
	for _, ix := range names[1:] {
		for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) { // FT.ALTER and FT.CREATE scan in the background
			if want[ix] = nearest(t, c, ix, "v", q, 50); len(want[ix]) == 50 {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s: %v", ix, want[ix])
			}
		}
	}
	if err := s.aof.Load().Flush(); err != nil {
		t.Fatal(err)
	}
	killed := t.TempDir()
	copyDir(t, dir, killed)
	stop()
	s, _ = start(t, nil, "--dir", killed, "--appendfsync", "no")
	c = dial(t, s, client.Options{Proto: 2})
	for ix, names := range want {
		if got := nearest(t, c, ix, "v", q, 50); !slices.Equal(got, names) {
			t.Errorf("%s: %v, was %v", ix, got, names)
		}
	}
	if _, err := c.Do("FT.SEARCH", "dropped", "*"); err == nil {
		t.Error("a dropped index is back")
	}
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// graphDamages are what may have befallen a saved graph.
var graphDamages = []string{"a page", "the labels", "a file is missing", "cut"}

// damageGraph does that to graph i of the n that a folder has.
func damageGraph(t *testing.T, dir, how string, n, i int) {
	t.Helper()
	graphs, err := filepath.Glob(filepath.Join(dir, "nearcache-graph-*-0"))
	if err != nil || len(graphs) != n {
		t.Fatal(graphs, err)
	}
	file := graphs[i]
	if how == "the labels" {
		file = strings.TrimSuffix(file, "-0") + ".labels"
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	switch how {
	case "a file is missing":
		err = os.Remove(file)
	case "cut":
		err = os.WriteFile(file, b[:len(b)/2], 0o600)
	default:
		b[len(b)*2/3] ^= 4
		err = os.WriteFile(file, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestGraphsAreSavedWhileServing races writes and searches with saves. At the end every document is found by its own
// vector, before and after a restart.
func TestGraphsAreSavedWhileServing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const writers, docs, dim = 3, 120, 16
	s, stop := startAt(t, nil, nil, "--dir", dir, "--appendfsync", "no")
	c := dial(t, s, client.Options{Proto: 2})
	do(t, c, "FT.CREATE", "ix", "SCHEMA", "v", "VECTOR", "HNSW", 6, "TYPE", "FLOAT32", "DIM", dim, "DISTANCE_METRIC", "L2")
	var vectors [writers][docs]string
	var wg sync.WaitGroup
	left := make(chan struct{})
	for w := range writers {
		c := dial(t, s, client.Options{Proto: 2})
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 9))
			for i := range 4 * docs {
				k := i % docs
				name := fmt.Sprintf("d%d:%d", w, k)
				if rnd.IntN(6) == 0 {
					_, _ = c.Do("DEL", name)
				}
				vectors[w][k] = blob(randomVector(rnd, dim))
				if _, err := c.Do("HSET", name, "v", vectors[w][k]); err != nil {
					t.Error(err)
					return
				}
				if got := nearest(t, c, "ix", "v", vectors[w][k], 1); len(got) != 1 || got[0] != name {
					t.Errorf("%s was written, and its vector finds %v", name, got)
					return
				}
			}
		})
	}
	go func() {
		wg.Wait()
		close(left)
	}()
	for done := false; !done; {
		select {
		case <-left:
			done = true
		default:
			if err := s.env.Catalog.Save(vfs.OS, dir); err != nil {
				t.Error(err)
			}
		}
	}
	find := func() {
		t.Helper()
		for w := range writers {
			for k := range docs {
				name := fmt.Sprintf("d%d:%d", w, k)
				if got := nearest(t, c, "ix", "v", vectors[w][k], 1); len(got) != 1 || got[0] != name {
					t.Fatalf("the vector of %s finds %v", name, got)
				}
			}
		}
	}
	find()
	awaitAbsorbed(t, s, "ix")
	find()
	stop()
	logs := &logLines{}
	s, _ = startWith(t, nil, logs, nil, "--dir", dir)
	c = dial(t, s, client.Options{Proto: 2})
	if n := unabsorbed(t, s, "ix"); n != 0 {
		t.Errorf("%d documents are put anew: %s", n, logs.b.String())
	}
	find()
}
