package search

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nearcache/nearcache/index/query"
)

// answer is a reply to a search: what its holder would keep.
func (t *tester) answer(q string, o Options) string {
	t.Helper()
	res, err := t.search(q, o)
	if err != nil {
		t.Fatal(q, err)
	}
	defer res.Release()
	var b strings.Builder
	fmt.Fprint(&b, res.Total)
	for i, r := range res.Rows {
		fmt.Fprint(&b, " ", r.Name)
		if r.HasKey {
			fmt.Fprint(&b, " ", r.Key)
		}
		for y := range res.Yields {
			d, ok := res.Distance(i, y)
			fmt.Fprint(&b, " ", d, ok)
		}
		for _, f := range []string{"g", "n", "m", "v", "x"} { // x is not in the schema
			if t.docs[r.Name] != nil {
				v, ok := t.docs[r.Name](f)
				fmt.Fprintf(&b, " %s=%x,%v", f, v, ok)
			}
		}
	}
	return b.String()
}

// watched is a search that is watched from its answer on.
type watched struct {
	q      string
	o      Options
	params query.Params
	answer string
	told   bool
	exact  bool
}

func (t *tester) watch(q string, o Options) *watched {
	t.Helper()
	w := &watched{q: q, o: o, params: t.params}
	x := t.ix.OpenWatch(func() { w.told = true })
	o.Watch = x
	res, err := t.search(q, o)
	if err != nil {
		t.Fatal(q, err)
	}
	res.Release()
	w.answer, w.exact = t.answer(q, w.o), x.Exact()
	// Each has a name of its own: of two with one name, whose answers are the same, only the later is told.
	t.watches++
	t.ix.Settle(x, fmt.Sprint(t.watches))
	return w
}

// TestWatchesAgainstAsking makes random writes and asks every watched search
// again after each. What has another answer must have been told; of what was told
// nearly all has another answer.
func TestWatchesAgainstAsking(t *testing.T) {
	const schema = "g TAG n NUMERIC m NUMERIC SORTABLE v VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2 loc GEO"
	told, vain, missed, exact := 0, 0, 0, 0
	for seed := range uint64(4) {
		g := rand.New(rand.NewPCG(seed, 7))
		tt := newTester(t, schema)
		vector := func() string { return string(blob(float32(g.IntN(40)), float32(g.IntN(40)))) }
		write := func() bool {
			name := fmt.Sprint("d", g.IntN(150))
			if g.IntN(6) == 0 {
				tt.version++
				delete(tt.docs, name)
				return tt.ix.Delete(name, tt.version)
			}
			kv := []string{"x", strconv.Itoa(g.IntN(1000)), "loc", fmt.Sprintf("%d,%d", g.IntN(3), g.IntN(3))}
			for _, f := range []struct{ f, v string }{
				{"g", fmt.Sprintf("g%d,h%d", g.IntN(6), g.IntN(6))},
				{"n", strconv.Itoa(g.IntN(40))},
				{"m", strconv.Itoa(g.IntN(1000))},
				{"v", vector()},
			} {
				if g.IntN(8) > 0 {
					kv = append(kv, f.f, f.v)
				}
			}
			tt.put(name, kv...)
			return true
		}
		filter := func() string {
			return []string{
				fmt.Sprintf("@g:{g%d}", g.IntN(6)),
				fmt.Sprintf("(@g:{g%d|h%d} @n:[0 %d])", g.IntN(6), g.IntN(6), g.IntN(40)),
				fmt.Sprintf("(-@g:{g%d} @n:[(%d %d])", g.IntN(6), g.IntN(20), 20+g.IntN(20)),
				fmt.Sprintf("(@g:{g%d} | @n:[%d %d])", g.IntN(6), g.IntN(20), 20+g.IntN(20)),
				fmt.Sprintf("@loc:[%d %d 100 km]", g.IntN(3), g.IntN(3)),
				"*",
			}[g.IntN(6)]
		}
		random := func() *watched {
			tt.params = query.Params{[]byte("q"), []byte(vector())}
			o := Options{Num: []int{3, 10, 1000, 0}[g.IntN(4)]}
			if g.IntN(6) == 0 {
				o.Offset = 2
			}
			switch g.IntN(3) {
			case 0:
				if o.Num == 0 && g.IntN(10) > 0 { // who asks for the nearest wants to see them
					o.Num = 10
				}
				return tt.watch(fmt.Sprintf("%s=>[KNN %d @v $q AS d]", filter(), 1+g.IntN(8)), o)
			case 1:
				o.SortBy = []string{"d", "", "m"}[g.IntN(3)]
				f := filter()
				if f == "*" {
					f = ""
				}
				return tt.watch(fmt.Sprintf("%s @v:[VECTOR_RANGE %d $q]=>{$YIELD_DISTANCE_AS: d}", f, g.IntN(150)), o)
			}
			o.SortBy, o.Desc = []string{"", "m", "n"}[g.IntN(3)], g.IntN(2) == 0
			return tt.watch(filter(), o)
		}
		for range 200 {
			write()
		}
		var list []*watched
		for range 300 {
			for len(list) < 40 {
				w := random()
				if w.exact {
					exact++
				}
				list = append(list, w)
			}
			changes := write()
			list = slices.DeleteFunc(list, func(w *watched) bool {
				tt.params = w.params
				same := tt.answer(w.q, w.o) == w.answer
				switch {
				case !w.told && !same:
					missed++
					t.Errorf("seed %d: %s %+v has another answer, and nobody was told", seed, w.q, w.o)
				case w.told && same:
					vain++
				}
				if w.told {
					told++
				}
				if w.told && !changes {
					t.Errorf("told of a write that changed nothing")
				}
				return w.told || !same
			})
		}
		if n := tt.ix.Watches(); n > len(list) {
			t.Errorf("%d watches for %d searches", n, len(list))
		}
	}
	t.Logf("%d told, %d of them in vain, %d missed, %d searches exact", told, vain, missed, exact)
	if told < 1000 || vain*20 > told || exact < 1000 {
		t.Errorf("%d told, %d of them in vain, %d exact", told, vain, exact)
	}
}

// TestCoarseWatchesHearOfEverything: of texts, of keys, and of too many rows.
// TestWhoKeepsWhatHasExpired: of two with one name the earlier has another answer where a
// document has expired between them, which no write tells: on a replica nobody removes it.
func TestWhoKeepsWhatHasExpired(t *testing.T) {
	tt := newTester(t, "g TAG v VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2")
	for i, at := range []int64{0, 100, 0} {
		tt.version++
		if err := tt.ix.Put(fmt.Sprint("d", i), tt.version, at, hash("g", "a", "v", string(blob(float32(i), 0)))); err != nil {
			t.Fatal(err)
		}
	}
	tt.params = query.Params{[]byte("q"), blob(0, 0)}
	for _, q := range []string{"@g:{a}", "*=>[KNN 2 @v $q]", "@v:[VECTOR_RANGE 9 $q]"} {
		told := ""
		keep := func(who string, now int64) {
			o := Options{Num: 10, Now: now, Watch: tt.ix.OpenWatch(func() { told += who })}
			res, err := tt.search(q, o)
			if err != nil {
				t.Fatal(q, err)
			}
			res.Release()
			if !o.Watch.Exact() {
				t.Fatalf("%s is not watched exactly", q)
			}
			tt.ix.Settle(o.Watch, q)
		}
		keep("a", 50)
		keep("b", 60)
		keep("c", 100)
		keep("d", 150)
		if told != "b" {
			t.Errorf("%s: told %q, want b", q, told)
		}
	}
}

func TestCoarseWatchesHearOfEverything(t *testing.T) {
	tt := newTester(t, "t TEXT g TAG n NUMERIC")
	for i := range 5000 {
		tt.put(fmt.Sprint("d", i), "t", "word", "n", strconv.Itoa(i))
	}
	for _, q := range []string{"word", "@t:wo*", "*", "@n:[0 inf]", "@g:{a*}"} {
		w := tt.watch(q, Options{Num: 10})
		if w.exact {
			t.Errorf("%s is watched exactly", q)
		}
		tt.put("other", "g", "z")
		if !w.told {
			t.Errorf("%s was not told", q)
		}
	}
	w := tt.watch("@n:[0 5]", Options{Num: 10, HasInKeys: true, InKeys: []string{"d1"}})
	tt.put("other", "g", "y")
	if !w.told {
		t.Error("INKEYS was not told")
	}
	if n := tt.ix.Watches(); n != 0 {
		t.Errorf("%d watches are left", n)
	}
}

func TestClosingAnIndexEndsItsWatches(t *testing.T) {
	s, err := ParseSchema(argv("g TAG"))
	if err != nil {
		t.Fatal(err)
	}
	ix, err := New(s, testKinds)
	if err != nil {
		t.Fatal(err)
	}
	var told atomic.Int32
	w := ix.OpenWatch(func() { told.Add(1) })
	q, _ := query.Parse([]byte("@g:{a}"), query.Options{})
	if _, err := ix.Search(q, Options{Num: 1, Watch: w}); err != nil {
		t.Fatal(err)
	}
	ix.Settle(w, "w")
	late := ix.OpenWatch(func() { told.Add(1) })
	forgotten := ix.OpenWatch(func() { t.Error("a forgotten watch was told") })
	ix.Forget(forgotten)
	if err := ix.Close(); err != nil {
		t.Fatal(err)
	}
	ix.Settle(late, "late")
	if told.Load() != 2 || ix.Watches() != 0 {
		t.Errorf("%d told, %d left", told.Load(), ix.Watches())
	}
}

// TestNoWriteIsMissedWhileASearchRuns races searches against writes: an answer
// that nobody was told of is still true when all is quiet.
func TestNoWriteIsMissedWhileASearchRuns(t *testing.T) {
	tt := newTester(t, "g TAG n NUMERIC v VECTOR HNSW 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2")
	ix := tt.ix
	var version atomic.Uint64
	put := func(rng *rand.Rand, name string) {
		d := hash("g", fmt.Sprint("g", rng.IntN(3)), "n", strconv.Itoa(rng.IntN(9)), "v", string(blob(float32(rng.IntN(20)), float32(rng.IntN(20)))))
		if rng.IntN(5) == 0 {
			ix.Delete(name, version.Add(1))
		} else if err := ix.Put(name, version.Add(1), 0, d); err != nil {
			t.Error(err)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 60 {
		put(rng, fmt.Sprint("d", i))
	}
	for round := range 60 {
		var wg sync.WaitGroup
		for n := range 2 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(round), uint64(n)))
				for range 15 {
					put(rng, fmt.Sprint("d", 30*n+rng.IntN(30))) // a name has one writer
				}
			})
		}
		type held struct {
			q      *query.Query
			answer string
			told   atomic.Bool
		}
		ask := func(q *query.Query, w *Watch) string {
			res, err := ix.Search(q, Options{Num: 100, Watch: w, SortBy: "__key"})
			if err != nil {
				t.Fatal(err)
			}
			defer res.Release()
			var b strings.Builder
			for _, r := range res.Rows {
				b.WriteString(r.Name + " ")
			}
			return b.String()
		}
		var list []*held
		for i := range 12 {
			text := []string{"@g:{g1}", "@n:[2 5]", "@v:[VECTOR_RANGE 30 $q]", "@g:{g0}=>[KNN 200 @v $q]"}[i%4]
			q, err := query.Parse([]byte(text), query.Options{Params: query.Params{[]byte("q"), blob(float32(i), 7)}})
			if err != nil {
				t.Fatal(err)
			}
			h := &held{q: q}
			w := ix.OpenWatch(func() { h.told.Store(true) })
			h.answer = ask(q, w)
			ix.Settle(w, fmt.Sprint(round, i))
			list = append(list, h)
		}
		wg.Wait()
		for i, h := range list {
			if now := ask(h.q, nil); !h.told.Load() && now != h.answer {
				t.Fatalf("round %d, search %d: %q is now %q", round, i, h.answer, now)
			}
		}
		ix.EndWatches()
	}
}

// BenchmarkPutWatched is a write while so many searches are watched that it
// does not concern.
func BenchmarkPutWatched(b *testing.B) {
	const dim = 384
	rng := rand.New(rand.NewPCG(1, 2))
	vector := func() []byte {
		x := make([]float32, dim)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return blob(x...)
	}
	for _, n := range []int{0, 100, 1000, MaxWatches} {
		b.Run(fmt.Sprint("watches=", n), func(b *testing.B) {
			ix := newIndex(b, fmt.Sprintf("g TAG v VECTOR FLAT 6 TYPE FLOAT32 DIM %d DISTANCE_METRIC COSINE", dim))
			docs := make([]func(string) ([]byte, bool), 1000)
			for i := range docs {
				docs[i] = hash("g", "a", "v", string(vector()))
				if err := ix.Put(strconv.Itoa(i), uint64(i+1), 0, docs[i]); err != nil {
					b.Fatal(err)
				}
			}
			for i := range n {
				q, err := query.Parse([]byte("@v:[VECTOR_RANGE 0.2 $q]"), query.Options{Params: query.Params{[]byte("q"), vector()}})
				if err != nil {
					b.Fatal(err)
				}
				w := ix.OpenWatch(func() { b.Error("told") })
				if _, err := ix.Search(q, Options{Num: 1, Watch: w}); err != nil {
					b.Fatal(err)
				}
				ix.Settle(w, strconv.Itoa(i))
			}
			i := 0
			for b.Loop() {
				if err := ix.Put(strconv.Itoa(i%1000), uint64(i+2000), 0, docs[(i+i/1000)%1000]); err != nil {
					b.Fatal(err)
				}
				i++
			}
			b.StopTimer()
			ix.endQuietly()
		})
	}
}

func (ix *Index) endQuietly() {
	ws := &ix.watches
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.mu.byName {
		ws.removeLocked(w)
	}
}
