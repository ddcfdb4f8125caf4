package server

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/types/vset"
)

// late is how many rows are beside the graph of a vector set.
func late(t *testing.T, s *Server, db int, key string) (n int) {
	t.Helper()
	var tx store.Tx
	tx.Begin(s.ks, db, 0)
	tx.LockKey([]byte(key))
	defer tx.End()
	e := tx.Peek([]byte(key))
	if e == nil || e.Type().ID != object.VectorSet {
		t.Fatalf("no vector set %s", key)
	}
	v := e.Value().(*vset.Value)
	if !v.HasGraph() {
		t.Fatalf("%s has no graph", key)
	}
	return v.Late()
}

// TestVectorSetsGraphsAreOpenedAtTheStart restarts a server in all ways, as TestGraphsAreOpenedAtTheStart does.
func TestVectorSetsGraphsAreOpenedAtTheStart(t *testing.T) {
	t.Parallel()
	clean := t.TempDir()
	rnd := rand.New(rand.NewPCG(3, 4))
	const n, dim = 640, 24
	var logs *logLines
	start := func(dir string) (*Server, func(), *client.Conn) {
		logs = &logLines{}
		s, stop := startWith(t, nil, logs, nil, "--dir", dir, "--appendfsync", "no")
		return s, stop, dial(t, s, client.Options{Proto: 2})
	}
	s, stop, c := start(clean)
	put := func(key string, i int) {
		args := []any{"VADD", key, "FP32", blob(randomVector(rnd, dim)), fmt.Sprint("e", i)}
		switch key {
		case "float":
			args = append(args, "NOQUANT")
		case "new":
			args = append(args, "BIN", "SETATTR", fmt.Sprintf(`{"n":%d}`, i))
		}
		do(t, c, args...)
	}
	for i := range n {
		put("float", i)
		put("eight", i)
		put("new", i)
	}
	do(t, c, "RENAME", "new", "bits") // behind the base, if there is one
	do(t, c, "SELECT", 3)
	for i := range n {
		put("eight", i)
	}
	do(t, c, "SELECT", 0)
	q := blob(randomVector(rnd, dim))
	sets := map[string]int{"float": 0, "eight": 0, "bits": 0}
	found := func(truth bool) string {
		t.Helper()
		var all []string
		ask := func(key string) {
			args := []any{"VSIM", key, "FP32", q, "WITHSCORES", "COUNT", 20, "EF", 2000}
			if truth {
				args = append(args, "TRUTH")
			}
			l := do(t, c, args...).Elems
			var some []string // equally near ones are in any order
			for i := 0; i+1 < len(l) && l[i+1].Str != l[len(l)-1].Str; i += 2 {
				some = append(some, l[i].Str+" "+l[i+1].Str)
			}
			slices.Sort(some)
			all = append(all, key+": "+strings.Join(some, " "))
		}
		for _, key := range []string{"float", "eight", "bits"} {
			ask(key)
		}
		do(t, c, "SELECT", 3)
		ask("eight")
		do(t, c, "SELECT", 0)
		var few []string
		for _, e := range do(t, c, "VSIM", "bits", "FP32", q, "FILTER", ".n < 3", "FILTER-EF", 10000, "COUNT", 3).Elems {
			few = append(few, e.Str)
		}
		slices.Sort(few)
		all = append(all, fmt.Sprint(few))
		return strings.Join(all, "\n")
	}
	same := func(want string) {
		t.Helper()
		for _, truth := range []bool{true, false} {
			if got := found(truth); got != want {
				t.Fatalf("by truth %v: found\n%s\nwant\n%s", truth, got, want)
			}
		}
	}
	beside := func() (l []int) {
		t.Helper()
		for key, db := range sets {
			l = append(l, late(t, s, db, key))
		}
		return append(l, late(t, s, 3, "eight"))
	}
	await := func() {
		t.Helper()
		for end := time.Now().Add(60 * time.Second); slices.Max(beside()) > 0; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("rows are still beside graphs: %v", beside())
			}
		}
	}
	want := found(true)
	stop()

	s, stop, c = start(clean)
	if l := beside(); slices.Max(l) > 0 || strings.Count(logs.text(), "opened a saved graph") != 4 || logs.has("cannot be used") {
		t.Fatalf("after a clean end: %v beside: %s", l, logs.text())
	}
	same(want)
	do(t, c, "SAVE") // nothing has changed: the files stay
	before, _ := filepath.Glob(filepath.Join(clean, "nearcache-graph-*"))
	do(t, c, "SAVE")
	if after, _ := filepath.Glob(filepath.Join(clean, "nearcache-graph-*")); !slices.Equal(before, after) {
		t.Errorf("saved again: %v, before %v", after, before)
	}
	for i := range 40 { // behind the saved graph: the copy of the folder is one of a server that was killed
		put("eight", 3*i)
		do(t, c, "VREM", "eight", fmt.Sprint("e", 7*i+1))
		put("eight", n+i)
		do(t, c, "VSETATTR", "float", fmt.Sprint("e", i), "{}")
	}
	changed := found(true)
	if err := s.aof.Load().Flush(); err != nil {
		t.Fatal(err)
	}
	killed := t.TempDir()
	copyDir(t, clean, killed)
	stop()

	s, stop, c = start(killed)
	if strings.Count(logs.text(), "opened a saved graph") != 4 || logs.has("cannot be used") {
		t.Errorf("after a kill: %s", logs.text())
	}
	same(changed)
	await()
	same(changed)
	stop()

	for _, how := range graphDamages {
		broken := t.TempDir()
		copyDir(t, clean, broken)
		damageGraph(t, broken, how, 4, 1)
		s, stop, c = start(broken)
		if !logs.has("a saved graph cannot be used") || strings.Count(logs.text(), "opened a saved graph") != 3 {
			t.Errorf("%s: %s", how, logs.text())
		}
		same(changed)
		await()
		same(changed)
		stop()
	}
}
