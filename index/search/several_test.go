package search

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/nearcache/nearcache/index/query"
)

// put3 puts a document of two fields: a group, and so many vectors of one dimension.
func put3(ix *Index, name string, version uint64, group string, at ...float32) error {
	return ix.PutValues(name, version, 0, Extra{}, func(i int) (Value, bool) {
		switch {
		case i == 0:
			return Value{Data: []byte(group)}, true
		case len(at) == 0:
			return Value{}, false
		}
		l := make([][]byte, len(at))
		for i, x := range at {
			l[i] = blob(x, 0)
		}
		return Value{Data: l[0], More: l[1:]}, true
	})
}

func severalIndex(t testing.TB, kind string) *Index {
	t.Helper()
	s := "g TAG v VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2"
	if kind != "FLAT" {
		s = "g TAG v VECTOR HNSW 8 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2 EF_RUNTIME 400"
	}
	return newIndex(t, s)
}

// rowsOf asks and writes name=distance for each row.
func rowsOf(t testing.TB, ix *Index, text string, at float32) string {
	t.Helper()
	q, err := query.Parse([]byte(text), query.Options{Params: query.Params{[]byte("b"), blob(at, 0)}, StopWord: ix.StopWord()})
	if err != nil {
		t.Fatal(err)
	}
	res, err := ix.Search(q, Options{Num: 100, SortBy: "d"})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Release()
	var l []string
	for i, r := range res.Rows {
		d, _ := res.Distance(i, 0)
		l = append(l, fmt.Sprintf("%s=%g", r.Name, d))
	}
	return strings.Join(l, " ")
}

func TestDocumentsOfSeveralVectors(t *testing.T) {
	for _, kind := range []string{"FLAT", "HNSW"} {
		t.Run(kind, func(t *testing.T) {
			ix := severalIndex(t, kind)
			put := func(name string, version uint64, group string, at ...float32) {
				t.Helper()
				if err := put3(ix, name, version, group, at...); err != nil {
					t.Fatal(err)
				}
			}
			want := func(text string, at float32, want string) {
				t.Helper()
				if got := rowsOf(t, ix, text, at); got != want {
					t.Errorf("%s near %v\n got %s\nwant %s", text, at, got, want)
				}
			}
			put("a", 1, "x", 0, 10, 20)
			put("b", 2, "y", 11, 12, 13, 14, 15)
			put("c", 3, "x", 30)
			want("*=>[KNN 3 @v $b AS d]", 13, "b=0 a=9 c=289")
			want("*=>[KNN 2 @v $b AS d]", 13, "b=0 a=9")
			want("@g:{x}=>[KNN 2 @v $b AS d]", 13, "a=9 c=289")
			want("@v:[VECTOR_RANGE 9 $b]=>{$YIELD_DISTANCE_AS: d}", 13, "b=0 a=9")
			want("@g:{x} @v:[VECTOR_RANGE 9 $b]=>{$YIELD_DISTANCE_AS: d}", 13, "a=9")
			put("a", 4, "y", 0, 10, 20) // the same vectors: the same label
			want("@g:{y}=>[KNN 2 @v $b AS d]", 13, "b=0 a=9")
			put("a", 5, "y", 0)
			want("*=>[KNN 3 @v $b AS d]", 13, "b=0 a=169 c=289")
			put("c", 6, "x", 13, 13, 13)
			want("@g:{x}=>[KNN 3 @v $b AS d]", 13, "c=0")
			put("c", 7, "x")
			ix.Delete("b", 8)
			want("*=>[KNN 3 @v $b AS d]", 13, "a=169")
			if n := ix.vecs[0].vectors.n.Load(); n != 0 {
				t.Errorf("%d vectors belong to documents of several", n)
			}
			// One that is wrong: nothing of the document remains.
			if put3(ix, "e", 9, "x", 1, 2, float32(math.NaN())) == nil {
				t.Error("NaN was taken")
			}
			want("*=>[KNN 3 @v $b AS d]", 2, "a=4")
			if n := ix.vecs[0].vectors.Len(); n != 1 {
				t.Errorf("%d vectors of one document", n)
			}
		})
	}
}

// TestSeveralVectorsAfterRestart: the saved graph knows documents of one vector, the
// others are put anew, and nothing is left of what they were.
func TestSeveralVectorsAfterRestart(t *testing.T) {
	ix := severalIndex(t, "HNSW")
	r := rand.New(rand.NewPCG(1, 2))
	docs := map[string][]float32{}
	for i := range 50 {
		at := []float32{float32(i) + r.Float32()} // no two are as far
		for range r.IntN(3) {
			at = append(at, 1000*r.Float32())
		}
		docs[fmt.Sprint("k", i)] = at
	}
	load := func(ix *Index) {
		for i := range 50 {
			name := fmt.Sprint("k", i)
			if err := put3(ix, name, uint64(i+1), "x", docs[name]...); err != nil {
				t.Fatal(err)
			}
		}
	}
	load(ix)
	var graph, table bytes.Buffer
	if err := ix.Save(func(string) (io.WriteCloser, error) { return closer{&graph}, nil }, &table); err != nil {
		t.Fatal(err)
	}
	again := severalIndex(t, "HNSW")
	if err := restore(again, graph.Bytes(), table.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := again.Postpone(); err != nil {
		t.Fatal(err)
	}
	load(again)
	if err := again.Restored(); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		for at := float32(0); at < 1000; at += 83 {
			for _, q := range []string{"*=>[KNN 5 @v $b AS d]", "@v:[VECTOR_RANGE 2000 $b]=>{$YIELD_DISTANCE_AS: d}"} {
				if got, want := rowsOf(t, again, q, at), rowsOf(t, ix, q, at); got != want {
					t.Errorf("%s near %v: %s, want %s", q, at, got, want)
				}
			}
		}
	}
	check()
	for _, name := range again.Unabsorbed() {
		at := docs[name]
		err := again.Absorb(name, func(i int) (Value, bool) {
			if i == 0 {
				return Value{Data: []byte("x")}, true
			}
			l := make([][]byte, len(at))
			for i, x := range at {
				l[i] = blob(x, 0)
			}
			return Value{Data: l[0], More: l[1:]}, true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := len(again.vecs[0].graph.waiting()); n != 0 {
		t.Errorf("%d vectors wait beside the graph", n)
	}
	if err := again.Absorbed(); err != nil {
		t.Fatal(err)
	}
	check()
	if a, b := again.vecs[0].vectors.Len(), ix.vecs[0].vectors.Len(); a != b {
		t.Errorf("%d vectors, %d were saved", a, b)
	}
}

// TestSearchWhileDocumentsOfSeveralVectorsChange: a document is always where one of
// its two contents is, once, and never where it was before both.
func TestSearchWhileDocumentsOfSeveralVectorsChange(t *testing.T) {
	for _, kind := range []string{"FLAT", "HNSW"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			ix := severalIndex(t, kind)
			const docs = 8
			content := func(v uint64) []float32 {
				if v%2 == 0 {
					return []float32{1, 2, 3}
				}
				return []float32{-1, -2}
			}
			for i := range docs {
				if err := put3(ix, fmt.Sprint(i), 1, "x", content(1)...); err != nil {
					t.Fatal(err)
				}
			}
			var wg sync.WaitGroup
			for w := range 2 {
				wg.Go(func() {
					for v := uint64(2); v < 150; v++ {
						for i := w; i < docs; i += 2 {
							if err := put3(ix, fmt.Sprint(i), v, "x", content(v)...); err != nil {
								t.Error(err)
							}
						}
					}
				})
			}
			for i := range 300 {
				text := []string{"*=>[KNN 8 @v $b AS d]", "@g:{x}=>[KNN 8 @v $b AS d]", "@v:[VECTOR_RANGE 30 $b]=>{$YIELD_DISTANCE_AS: d}"}[i%3]
				l := strings.Fields(rowsOf(t, ix, text, 1))
				names := map[string]bool{}
				for _, e := range l {
					name, d, _ := strings.Cut(e, "=")
					names[name] = true
					if d != "0" && d != "4" { // of {1, 2, 3}, of {-1, -2}
						t.Fatalf("%s: %s", text, e)
					}
				}
				if len(l) != docs || len(names) != docs {
					t.Fatalf("%s: %v", text, l)
				}
			}
			wg.Wait()
			want := 2 * docs
			if n := ix.vecs[0].vectors; int(n.n.Load()) < docs || len(n.mu.of) < docs || n.Len() < want {
				t.Errorf("%d vectors, %d of them belong to %d documents", n.Len(), n.n.Load(), len(n.mu.of))
			}
		})
	}
}

// TestWatchesOfDocumentsOfSeveralVectors: what comes near with any of its vectors ends the watch.
func TestWatchesOfDocumentsOfSeveralVectors(t *testing.T) {
	x := newTester(t, "g TAG v VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2")
	x.params = query.Params{[]byte("b"), blob(5, 0)}
	if err := put3(x.ix, "a", 1, "x", 4, 100); err != nil {
		t.Fatal(err)
	}
	w := x.watch("@v:[VECTOR_RANGE 4 $b]", Options{Num: 10})
	if err := put3(x.ix, "b", 2, "x", 50, 60); err != nil || w.told || !w.exact {
		t.Fatal(err, w.told, w.exact)
	}
	if err := put3(x.ix, "b", 3, "x", 50, 60, 6); err != nil || !w.told {
		t.Fatal(err, w.told)
	}
	w = x.watch("*=>[KNN 1 @v $b AS d]", Options{Num: 10})
	if err := put3(x.ix, "c", 4, "x", 7, 70); err != nil || w.told || !w.exact {
		t.Fatal(err, w.told, w.exact)
	}
	if err := put3(x.ix, "c", 5, "x", 70, 5); err != nil || !w.told {
		t.Fatal(err, w.told)
	}
}
