package search

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/index/kinds"
	"github.com/nearcache/nearcache/index/query"
)

// TestMain lets a machine stand still for some seconds without cutting a search short.
func TestMain(m *testing.M) {
	maxLocked = time.Minute
	os.Exit(m.Run())
}

// testKinds are the real index types; BRUTE may stand in the schema of a test too.
var testKinds = append(slices.Clone(kinds.All), bruteKinds...)

const testSchema = "t TEXT s TEXT NOSTEM WEIGHT 2 SORTABLE g TAG u TAG SEPARATOR ; CASESENSITIVE SORTABLE UNF n NUMERIC m NUMERIC SORTABLE loc GEO v VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2 w VECTOR HNSW 6 TYPE FLOAT32 DIM 3 DISTANCE_METRIC L2"

func newIndex(t testing.TB, schema string) *Index {
	t.Helper()
	s, err := ParseSchema(argv(schema))
	if err != nil {
		t.Fatal(err)
	}
	ix, err := New(s, testKinds)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ix.Close(); err != nil {
			t.Error(err)
		}
	})
	return ix
}

// hash is a document: field and value in turns.
func hash(kv ...string) func(string) ([]byte, bool) {
	return func(f string) ([]byte, bool) {
		for i := 0; i < len(kv); i += 2 {
			if kv[i] == f {
				return []byte(kv[i+1]), true
			}
		}
		return nil, false
	}
}

type tester struct {
	testing.TB
	ix      *Index
	version uint64
	params  query.Params
	docs    map[string]func(string) ([]byte, bool)
	watches int // opened so far
}

func newTester(t testing.TB, schema string) *tester {
	return &tester{TB: t, ix: newIndex(t, schema), docs: map[string]func(string) ([]byte, bool){}}
}

func (t *tester) put(name string, kv ...string) {
	t.Helper()
	t.version++
	t.docs[name] = hash(kv...)
	if err := t.ix.Put(name, t.version, 0, t.docs[name]); err != nil {
		t.Fatal(name, err)
	}
}

func (t *tester) search(q string, o Options) (*Result, error) {
	p, err := query.Parse([]byte(q), query.Options{Params: t.params, StopWord: t.ix.Schema().StopWord})
	if err != nil {
		return nil, err
	}
	return t.ix.Search(p, o)
}

// want searches and compares "total: name name=distance ...".
func (t *tester) want(q string, o Options, want string) {
	t.Helper()
	if o.Num == 0 {
		o.Num = 10
	}
	res, err := t.search(q, o)
	if err != nil {
		t.Errorf("%s: %v", q, err)
		return
	}
	defer res.Release()
	got := fmt.Sprint(res.Total, ":")
	for i, r := range res.Rows {
		got += " " + r.Name
		for c := range res.Yields {
			if d, ok := res.Distance(i, c); ok {
				got += fmt.Sprintf("=%.12g", d)
			}
		}
	}
	if got != want {
		t.Errorf("%s %+v\n got %s\nwant %s", q, o, got, want)
	}
}

// wantByKey is want in the order of names where the order of relevance is beside the point.
func (t *tester) wantByKey(q string, o Options, want string) {
	t.Helper()
	o.SortBy = "__key"
	t.want(q, o, want)
}

func five(tb testing.TB) *tester {
	t := newTester(tb, testSchema)
	t.put("a", "t", "Running in the park", "s", "alpha running", "g", "Red, blue", "u", "U1", "n", "1", "m", "30", "loc", "13.361389,38.115556", "v", string(blob(0, 0)))
	t.put("b", "t", "he runs fast", "g", "blue", "u", "u1;x y", "n", "2.5", "m", "10", "loc", "15.087269,37.502669", "v", string(blob(1, 0)))
	t.put("c", "t", "a fast car in the park", "s", "beta", "g", "green", "u", "u2", "n", "-3", "v", string(blob(2, 0)))
	t.put("d", "t", "parks and cars", "s", "Gamma", "n", "inf", "m", "20", "v", string(blob(3, 0)))
	t.put("e", "other", "x", "w", string(blob(1, 2, 3)))
	t.params = query.Params{[]byte("b"), blob(0.25, 0), []byte("b3"), blob(1, 1, 1), []byte("r"), []byte("2")}
	return t
}

func TestFilters(t *testing.T) {
	x := five(t)
	x.wantByKey("*", Options{}, "5: a b c d e")
	x.want("-@n:[-inf inf]", Options{}, "1: e")
	x.want("run", Options{SortBy: "__key"}, "2: a b")
	x.want("@s:run", Options{}, "0:")
	x.want("@s:running", Options{}, "1: a")
	x.want("@t:run @g:{red}", Options{}, "1: a")
	x.want("@t|s:(run | beta)", Options{SortBy: "__key"}, "3: a b c")
	x.want("run -fast", Options{}, "1: a")
	x.want(`"fast car"`, Options{}, "1: c")
	x.want(`"car fast"`, Options{}, "0:")
	x.want(`"cars"`, Options{}, "1: d")
	x.want(`cars`, Options{SortBy: "__key"}, "2: c d")
	x.want("cars", Options{Verbatim: true}, "1: d")
	x.want("fa*", Options{SortBy: "__key"}, "2: b c")
	x.want("*ast", Options{SortBy: "__key"}, "2: b c")
	x.want("*as*", Options{SortBy: "__key"}, "2: b c")
	x.want("w'f?s*'", Options{SortBy: "__key"}, "2: b c")
	x.want("%fist%", Options{SortBy: "__key"}, "2: b c")
	x.want("%%fisk%%", Options{SortBy: "__key"}, "2: b c")
	x.want("park fast", Options{}, "1: c")
	x.want("fast park", Options{HasSlop: true, Slop: 0}, "0:")
	x.want("fast park", Options{HasSlop: true, Slop: 1}, "1: c")
	x.want("park fast", Options{InOrder: true}, "0:")
	x.want("(park fast)=>{$slop: 1}", Options{}, "1: c")
	x.want("(park fast)=>{$slop: 1; $inorder: true}", Options{}, "0:")
	x.want("fast", Options{InFields: []string{"s"}}, "0:")
	x.wantByKey("@g:{RED | green}", Options{}, "2: a c")
	x.wantByKey("@g:{b*}", Options{}, "2: a b")
	x.wantByKey("@g:{*e}", Options{}, "2: a b")
	x.wantByKey("@g:{w'?lue'}", Options{}, "2: a b")
	x.want("@u:{u1}", Options{}, "1: b")
	x.want("@u:{x y}", Options{}, "1: b")
	x.want("@n:[1 2.5]", Options{}, "2: a b")
	x.want("@n:[(1 (2.5]", Options{}, "0:")
	x.want("@n:[(1 inf]", Options{}, "2: b d")
	x.want("@n:[-inf (inf]", Options{}, "3: a b c")
	x.want("@n==1 | @n<0", Options{}, "2: a c")
	x.want("@loc:[15 37 100 km]", Options{}, "1: b")
	x.want("@loc:[15 37 200000 m]", Options{}, "2: a b")
	x.want("the", Options{}, "0:")
	x.want("~fast @g:{blue}", Options{}, "2: b a")
	x.wantByKey("*", Options{HasInKeys: true, InKeys: []string{"c", "nope", "a"}}, "2: a c")
	x.want("park", Options{HasInKeys: true}, "0:")
	x.wantByKey("*", Options{Filters: []NumericFilter{{Field: "n", Min: 1, Max: 3}}}, "2: a b")
	x.wantByKey("*", Options{Offset: 1, Num: 2}, "5: b c")
	x.want("*", Options{Offset: 9, Num: 2}, "5:")
	x.want("*", Options{Offset: math.MaxInt, Num: math.MaxInt}, "5:")
	x.wantByKey("*", Options{Offset: 3, Num: math.MaxInt}, "5: d e")
	x.wantByKey("*", Options{Num: -1}, "5: a b c d e")
	res, err := x.search("*", Options{})
	if err != nil || res.Total != 5 || len(res.Rows) != 0 {
		t.Error(res, err)
	}
}

// A small set is intersected by looking its documents up in numbers and tags.
func TestIntersectionByLookUp(t *testing.T) {
	x := newTester(t, "g TAG u TAG n NUMERIC")
	for i := range 100 {
		x.put(fmt.Sprint("d", i), "g", fmt.Sprintf("all,g%d", i%3), "u", fmt.Sprint("u", i/4), "n", fmt.Sprint(i))
	}
	x.put("without", "u", "u5")
	x.want("@u:{u5} @n:[21 90]", Options{}, "3: d21 d22 d23")
	x.want("@u:{u5} @n:[(21 inf]", Options{}, "2: d22 d23")
	x.want("@u:{u5} @n:[-inf (22]", Options{}, "2: d20 d21")
	x.want("@u:{u5} @n:[-inf 22]", Options{}, "3: d20 d21 d22")
	x.want("@u:{u5} @g:{all}", Options{}, "4: d20 d21 d22 d23")
	x.want("@u:{u5} @g:{g0|g1}", Options{}, "2: d21 d22")
	x.want("@u:{u5} -@g:{all}", Options{}, "1: without")
}

func TestMissing(t *testing.T) {
	x := newTester(t, "g TAG INDEXMISSING n NUMERIC INDEXMISSING SORTABLE NOINDEX u TAG")
	x.put("a", "g", "x")
	x.put("b", "n", "1")
	x.put("c", "g", "x", "n", "1")
	x.want("ismissing(@g)", Options{}, "1: b")
	x.want("ismissing(@n) | -ismissing(@g)", Options{}, "2: a c")
	x.put("b", "g", "y")
	x.ix.Delete("c", 99)
	x.want("ismissing(@g)", Options{}, "0:")
	x.want("ismissing(@n)", Options{}, "2: a b")
	x.want("@n:[1 1]", Options{}, "0:")
	if _, err := x.search("ismissing(@u)", Options{}); err == nil || err.Error() != "'ismissing' requires field 'u' to be defined with 'INDEXMISSING'" {
		t.Error(err)
	}
}

func TestSortBy(t *testing.T) {
	x := five(t)
	load := func(doc, f string) ([]byte, bool) { return x.docs[doc](f) }
	x.want("*", Options{SortBy: "n"}, "5: c a b d e")
	x.want("*", Options{SortBy: "n", Desc: true}, "5: d b a c e")
	x.want("*", Options{SortBy: "m", Num: 2}, "5: b d")
	x.want("*", Options{SortBy: "m", Desc: true}, "5: a d b e c")
	x.want("*", Options{SortBy: "s"}, "5: a c d b e")
	x.want("*", Options{SortBy: "s", Desc: true, Num: 2}, "5: d c")
	x.want("*", Options{SortBy: "u"}, "5: a b c d e")
	x.want("*", Options{SortBy: "t", Load: load}, "5: c b d a e")
	x.want("*", Options{SortBy: "t", Desc: true, Load: load, Offset: 1, Num: 2}, "5: d b")
	x.want("*", Options{SortBy: "g"}, "5: a b c d e")
	if _, err := x.search("*", Options{SortBy: "nope", Num: 1}); err == nil || err.Error() != "Property `nope` not loaded nor in schema" {
		t.Error(err)
	}
}

func TestVectors(t *testing.T) {
	x := five(t)
	x.want("*=>[KNN 3 @v $b AS d]", Options{}, "3: a=0.0625 b=0.5625 c=3.0625")
	x.want("*=>[KNN 3 @v $b AS d]", Options{SortBy: "d", Desc: true}, "3: c=3.0625 b=0.5625 a=0.0625")
	x.want("*=>[KNN 3 @v $b AS d]", Options{SortBy: "d", Num: 1}, "3: a=0.0625")
	x.want("*=>[KNN 3 @v $b AS d]", Options{SortBy: "n"}, "3: c=3.0625 a=0.0625 b=0.5625")
	x.want("*=>[KNN 1000000000 @v $b]", Options{SortBy: "__v_score", Offset: 3}, "4: d=7.5625")
	x.want("@g:{blue}=>[KNN 3 @v $b]", Options{}, "2: a=0.0625 b=0.5625")
	x.want("(@n:[2 inf] | @g:{green})=>[KNN 2 @v $b]", Options{}, "2: b=0.5625 c=3.0625")
	x.want("(-@g:{blue})=>[KNN 2 @v $b]", Options{}, "2: c=3.0625 d=7.5625")
	x.want("@g:{nope}=>[KNN 2 @v $b]", Options{}, "0:")
	x.want("*=>[KNN 3 @w $b3]", Options{}, "1: e=5")
	x.want("@v:[VECTOR_RANGE $r $b]=>{$YIELD_DISTANCE_AS: d}", Options{SortBy: "d"}, "2: a=0.0625 b=0.5625")
	x.want("@v:[VECTOR_RANGE $r $b]=>{$YIELD_DISTANCE_AS: d}", Options{SortBy: "d", Desc: true}, "2: b=0.5625 a=0.0625")
	x.want("@v:[VECTOR_RANGE $r $b]=>{$YIELD_DISTANCE_AS: d}", Options{SortBy: "d", Num: 1}, "2: a=0.0625")
	x.want("@v:[VECTOR_RANGE 100 $b]", Options{SortBy: "m"}, "4: b d a c")
	x.want("(@v:[VECTOR_RANGE 100 $b]=>{$YIELD_DISTANCE_AS: d} @g:{green|red})", Options{SortBy: "d"}, "2: a=0.0625 c=3.0625")
	x.want("(@v:[VECTOR_RANGE 100 $b]=>{$YIELD_DISTANCE_AS: d} -@g:{blue})", Options{SortBy: "d"}, "2: c=3.0625 d=7.5625")
	x.want("(@v:[VECTOR_RANGE 1 $b]=>{$YIELD_DISTANCE_AS: d} | @g:{green})", Options{SortBy: "d"}, "3: a=0.0625 b=0.5625 c")
	x.want("(@v:[VECTOR_RANGE 1 $b]=>{$YIELD_DISTANCE_AS: d} | @w:[VECTOR_RANGE 9 $b3]=>{$YIELD_DISTANCE_AS: f})", Options{SortBy: "f"}, "3: e=5 a=0.0625 b=0.5625")
	x.want("-@v:[VECTOR_RANGE 1 $b]", Options{}, "3: c d e")
	x.wantByKey("@g:{blue} ~@v:[VECTOR_RANGE 0.1 $b]=>{$YIELD_DISTANCE_AS: d}", Options{}, "2: a=0.0625 b")
	x.want("(@v:[VECTOR_RANGE 1 $b]=>{$YIELD_DISTANCE_AS: d})=>[KNN 1 @v $b AS k]", Options{}, "1: a=0.0625=0.0625")
	x.want("@v:[VECTOR_RANGE 0 $b]", Options{}, "0:")
	f := func(q, want string) {
		t.Helper()
		if _, err := x.search(q, Options{Num: 1}); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", q, err, want)
		}
	}
	f("*=>[KNN 1 @w $b]", "Error parsing vector similarity query: query vector blob size (8) does not match index's expected size (12).")
	f("@w:[VECTOR_RANGE 1 $b]", "Error parsing vector similarity query: query vector blob size (8) does not match index's expected size (12).")
	x.params = append(x.params, []byte("nan"), blob(float32(math.NaN()), 0))
	f("*=>[KNN 1 @v $nan]", "Error parsing vector similarity query: query vector holds NaN or infinity")
	f("@v:[VECTOR_RANGE 1 $nan]", "Error parsing vector similarity query: query vector holds NaN or infinity")
	f("*=>[KNN 1 @nope $b]", "Unknown field at offset 10 near nope")
	f("@nope:{x}", "Unknown field at offset 0 near nope")
	f("@nope:x", "Unknown field at offset 6 near nope")
	f("@n:[5 4]", "Invalid numeric range (min > max): @n:[5.000000 4.000000]")
	f("@g:x", "Expected a TEXT field at offset 3 near g")
	f("@t:{x}", "Expected a TAG field at offset 0 near t")
}

func TestScores(t *testing.T) {
	x := newTester(t, "t TEXT s TEXT WEIGHT 3 g TAG")
	x.put("long", "t", "apple one two three four five six seven")
	x.put("often", "t", "apple apple pear", "g", "x")
	x.put("title", "s", "apple", "t", "unrelated")
	x.put("none", "t", "pear")
	// The stem appl counts as a term of its own.
	x.want("apple", Options{}, "3: often title long")
	x.want("apple", Options{Verbatim: true}, "3: title often long")
	x.want("*", Options{}, "4: none often title long")
	x.want("apple=>{$weight: 2} | pear", Options{}, "4: often title none long")
	x.want("apple", Options{Scorer: "TFIDF"}, "3: long often title")
	x.want("apple", Options{Scorer: "docscore"}, "3: long often title")
	x.want("@g:{x} | apple", Options{Scorer: "BM25"}, "3: often title long")
	res, err := x.search("@g:{x}", Options{Num: 1, WithScores: true})
	if err != nil || math.Abs(res.Rows[0].Score-1.3411342658) > 1e-9 { // a tag is a term of the document's length
		t.Error(res, err)
	}
	if _, err := x.search("apple", Options{Scorer: "x"}); err == nil || err.Error() != "No such scorer x" {
		t.Error(err)
	}
	for _, sc := range []string{"BM25STD", "BM25", "TFIDF", "TFIDF.DOCNORM", "DISMAX"} {
		res, err := x.search("apple", Options{Num: 5, Scorer: sc})
		if err != nil || len(res.Rows) != 3 || !(res.Rows[0].Score > 0) || res.Rows[0].Score < res.Rows[1].Score {
			t.Error(sc, res, err)
		}
	}
}

func TestReplaceDeleteAndVersions(t *testing.T) {
	x := five(t)
	x.put("a", "g", "new", "v", string(blob(9, 0))) // another vector: another label
	x.want("@g:{new}", Options{}, "1: a")
	x.want("@g:{red}", Options{}, "0:")
	x.want("*=>[KNN 5 @v $b]", Options{}, "4: b=0.5625 c=3.0625 d=7.5625 a=76.5625")
	x.put("b", "g", "new", "v", string(blob(1, 0))) // the same vector: the same label
	x.want("@g:{new}", Options{}, "2: a b")
	x.want("run", Options{}, "0:")
	x.want("*=>[KNN 1 @v $b]", Options{}, "1: b=0.5625")

	if err := x.ix.Put("b", 2, 0, hash("g", "old")); err != nil {
		t.Fatal(err)
	}
	x.want("@g:{old}", Options{}, "0:")
	if !x.ix.Delete("b", 100) || x.ix.Delete("b", 99) || x.ix.Delete("nope", 100) {
		t.Error("Delete")
	}
	x.want("@g:{new}", Options{}, "1: a")
	x.want("*=>[KNN 1 @v $b]", Options{}, "1: c=3.0625")
	if err := x.ix.Put("b", 99, 0, hash("g", "late")); err != nil { // was on its way when the Delete came
		t.Fatal(err)
	}
	x.want("@g:{late}", Options{}, "0:")
	if err := x.ix.Put("b", 101, 0, hash("g", "late")); err != nil {
		t.Fatal(err)
	}
	x.want("@g:{late}", Options{}, "1: b")
	if n := x.ix.Len(); n != 5 {
		t.Error(n)
	}
	if n := len(x.ix.mu.docs); n > 7 {
		t.Errorf("%d labels for 5 documents", n)
	}
}

// A long document's postings come and go in parts; searches between see all or nothing of it.
func TestLongDocument(t *testing.T) {
	x := newTester(t, "t TEXT s TEXT g TAG v VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2")
	x.params = query.Params{[]byte("b"), blob(0, 0)}
	long := func(mark string) (string, string) {
		var words, tags strings.Builder
		for i := range 2 * longDoc {
			fmt.Fprintf(&words, "word%d running ", i%5000)
			fmt.Fprintf(&tags, "tag%d,", i)
		}
		return mark + " " + words.String() + mark, mark + "," + tags.String() + mark
	}
	x.put("short", "t", "word7", "g", "tag7", "v", string(blob(0, 0)))
	w1, g1 := long("one")
	w2, g2 := long("two")
	stop := make(chan struct{})
	searched := make(chan int)
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-stop:
				searched <- n
				return
			default:
			}
			for _, q := range []string{"one @g:{two}", "@s:one -@t:one", "@g:{one} -@s:run", "(@g:{tag7}) -word7"} {
				x.want(q, Options{}, "0:")
			}
		}
	}()
	for range 3 {
		x.put("long", "t", w1, "s", w1, "g", g1, "v", string(blob(1, 0)))
		x.want("one @s:one run @g:{tag8000}", Options{}, "1: long")
		x.want("two | @g:{two}", Options{}, "0:")
		x.put("long", "t", w2, "s", w2, "g", g2, "v", string(blob(1, 0)))
		x.want("@g:{tag8100}=>[KNN 2 @v $b]", Options{}, "1: long=1")
		x.want("one | @g:{one}", Options{}, "0:")
		x.put("long", "t", "three", "g", "three", "v", string(blob(1, 0)))
		x.want("word7", Options{}, "1: short")
		x.want("@g:{tag*}", Options{}, "1: short")
		x.version++
		x.ix.Delete("long", x.version)
	}
	close(stop)
	<-searched
	x.ix.Delete("short", 1000)
	if in := x.ix.Info(); in.NumDocs != 0 || in.NumRecords != 0 || in.NumTerms != 0 || x.ix.mu.partly != 0 || in.TextTokens != 0 || in.OffsetBytes != 0 {
		t.Errorf("left behind: %+v", in)
	}
}

// What was removed while a search ran is reclaimed with the first that is removed when none does.
func TestLabelsOfSeveralGenerationsAreReclaimed(t *testing.T) {
	x := newTester(t, "v VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2")
	for _, name := range []string{"a", "b", "c"} {
		x.put(name, "v", string(blob(1, 0)))
	}
	search := x.ix.epochs.enter()
	x.ix.Delete("a", 100)
	x.ix.Delete("b", 100)
	if n := x.ix.Info().NumRecords; n != 3 {
		t.Errorf("%d vectors while a search may look at 3", n)
	}
	x.ix.epochs.leave(search)
	x.ix.Delete("c", 100)
	if n := x.ix.Info().NumRecords; n != 0 {
		t.Errorf("%d vectors left", n)
	}
}

func TestTombsAreForgotten(t *testing.T) {
	x := newTester(t, "g TAG")
	now := time.Unix(0, 0)
	x.ix.now = func() time.Time { return now }
	for i := range 256 * 200 {
		x.ix.Delete(fmt.Sprint("k", i), 1)
	}
	now = now.Add(2 * tombAge)
	for i := range 256 * 200 {
		x.ix.Delete(fmt.Sprint("j", i), 1)
	}
	n := 0
	for i := range x.ix.stripes {
		n += len(x.ix.stripes[i].names)
	}
	if n > 256*270 {
		t.Errorf("%d names are remembered", n)
	}
}

func TestExpiry(t *testing.T) {
	x := newTester(t, "g TAG v VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2")
	x.params = query.Params{[]byte("b"), blob(0, 0)}
	for i, at := range []int64{0, 100, 200} {
		if err := x.ix.Put(string(rune('a'+i)), uint64(i+1), at, hash("g", "x", "v", string(blob(float32(i), 0)))); err != nil {
			t.Fatal(err)
		}
	}
	x.want("@g:{x}", Options{Now: 99}, "3: a b c")
	x.want("@g:{x}", Options{Now: 100}, "2: a c")
	x.want("-@g:{y}", Options{Now: 1000}, "1: a")
	x.want("*=>[KNN 2 @v $b]", Options{Now: 100}, "2: a=0 c=4")
	x.want("@g:{x}=>[KNN 2 @v $b]", Options{Now: 100}, "2: a=0 c=4")
	x.want("@v:[VECTOR_RANGE 9 $b]", Options{Now: 100}, "2: a c")
	x.want("(@v:[VECTOR_RANGE 9 $b] | @g:{x})", Options{Now: 100}, "2: a c")
	if !x.ix.Expire("b", 10, 0) || !x.ix.Expire("a", 11, 50) || x.ix.Expire("nope", 12, 0) {
		t.Error("Expire")
	}
	x.ix.Expire("b", 9, 1) // older
	x.want("@g:{x}", Options{Now: 100}, "2: b c")
	if err := x.ix.Put("a", 5, 0, hash("g", "z")); err != nil { // newer content, older than the EXPIRE
		t.Fatal(err)
	}
	x.want("@g:{z}", Options{Now: 49}, "1: a")
	x.want("@g:{z}", Options{Now: 50}, "0:")
}

func TestFailures(t *testing.T) {
	x := five(t)
	f := func(want string, kv ...string) {
		t.Helper()
		x.version++
		if err := x.ix.Put("a", x.version, 0, hash(kv...)); err == nil || err.Error() != want {
			t.Errorf("%v: %v, want %s", kv, err, want)
		}
		x.wantByKey("*", Options{}, "4: b c d e")
		x.want("*=>[KNN 1 @v $b]", Options{}, "1: b=0.5625")
		x.put("a", "v", string(blob(0, 0)))
		x.want("*=>[KNN 1 @v $b]", Options{}, "1: a=0.0625")
	}
	nan := float32(math.NaN())
	f("Could not add vector with blob size 5 (expected size 8)", "g", "x", "v", "12345")
	f("Could not add vector that holds NaN or infinity", "v", string(blob(nan, 0)))
	f("Could not add vector that holds NaN or infinity", "v", string(blob(5, 5)), "w", string(blob(nan, 0, 0)))
	f("Invalid numeric value: 'abc'", "n", "abc")
	f("Invalid numeric value: 'nan'", "n", "nan")
	f("Invalid numeric value: ''", "n", "")
	f("Invalid geo string", "loc", "1")
	in := x.ix.Info()
	if in.Failures != 7 || in.LastError.Last != "Invalid geo string" || in.LastError.LastKey != "a" || in.Fields[4].Failures != 3 || in.Fields[8].Failures != 1 {
		t.Errorf("%+v", in)
	}
}

func TestInfo(t *testing.T) {
	x := five(t)
	in := x.ix.Info()
	if in.NumDocs != 5 || in.NumTerms != 11 || in.TextTokens != 14 || in.VectorBytes != 4*2*4+2*0+8 && in.VectorBytes == 0 || in.InvertedBytes == 0 || in.NumericBytes == 0 {
		t.Errorf("%+v", in)
	}
	tags, err := x.ix.TagValues("g")
	if err != nil || !slices.Equal(tags, []string{"blue", "green", "red"}) {
		t.Error(tags, err)
	}
	if _, err := x.ix.TagValues("t"); err == nil {
		t.Error("no error")
	}
	for i, name := range strings.Fields("a b c d e") {
		x.ix.Delete(name, uint64(1000+i))
	}
	in = x.ix.Info()
	if in.NumDocs != 0 || in.NumTerms != 0 || in.NumRecords != 0 || in.TextTokens != 0 || in.OffsetBytes != 0 {
		t.Errorf("left behind: %+v", in)
	}
}

func TestStop(t *testing.T) {
	x := newTester(t, "g TAG")
	for i := range 5000 {
		x.put(fmt.Sprint(i), "g", "x")
	}
	res, err := x.search("*", Options{Num: 5, Stop: func() bool { return true }})
	if err != nil || !res.TimedOut {
		t.Error(res, err)
	}
}

func TestClosed(t *testing.T) {
	x := five(t)
	if err := x.ix.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := x.search("*", Options{}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := x.ix.Put("a", 1000, 0, hash()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// Few of many documents by number come from the order of all numbers: they are
// those that all matches would give.
func TestSortByNumberWalks(t *testing.T) {
	x := newTester(t, "n NUMERIC SORTABLE g TAG")
	for i := range 3000 {
		kv := []string{"g", fmt.Sprint("g", i%3)}
		if i%100 > 0 {
			kv = append(kv, "n", fmt.Sprint((i*7919)%500))
		}
		x.put(fmt.Sprint("d", i), kv...)
	}
	e := &exec{ix: x.ix, order: order{a: x.ix.byName["n"]}}
	if bits := e.bitmap(); true {
		bits.Or(&x.ix.mu.live)
		if !e.walks(bits, 10) || e.walks(bits, 2000) {
			t.Error("walks is of no use here")
		}
	}
	for _, q := range []string{"*", "@g:{g1}", "@n:[-inf 3]", "-@n:[1 inf]"} {
		for _, desc := range []bool{false, true} {
			all, err := x.search(q, Options{Num: -1, SortBy: "n", Desc: desc})
			if err != nil {
				t.Fatal(err)
			}
			few, err := x.search(q, Options{Offset: 2, Num: 9, SortBy: "n", Desc: desc})
			if err != nil || few.Total != all.Total {
				t.Fatal(err, few.Total, all.Total)
			}
			for i, r := range few.Rows {
				if want := all.Rows[i+2]; r.Name != want.Name || r.HasKey != want.HasKey || r.HasKey && r.Key != want.Key {
					t.Fatalf("%s %t row %d is %+v, want %+v", q, desc, i, r, want)
				}
			}
			all.Release()
			few.Release()
		}
	}
}

// A filter by a tag that all documents have is none, until one comes that has it not.
func TestNearestOfATagThatAllHave(t *testing.T) {
	x := newTester(t, "g TAG w VECTOR HNSW 6 TYPE FLOAT32 DIM 3 DISTANCE_METRIC L2")
	vector := func(i int) string { return string(blob(float32(i), 1, 2)) }
	for i := range 600 {
		x.put(fmt.Sprint("d", i), "g", "all", "w", vector(i))
	}
	everything := func() (is bool) {
		t.Helper()
		e := &exec{ix: x.ix}
		x.ix.mu.RLock()
		defer x.ix.mu.RUnlock()
		p, err := query.Parse([]byte("@g:{all}"), query.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if e.root, err = e.compile(p.Root); err != nil {
			t.Fatal(err)
		}
		return e.everything(e.root)
	}
	nearest := func(at int, want ...string) {
		t.Helper()
		x.params = query.Params{[]byte("q"), []byte(vector(at))}
		r, err := x.search("@g:{all}=>[KNN 3 @w $q AS d]", Options{Num: 3})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Release()
		var got []string
		for _, row := range r.Rows {
			got = append(got, row.Name)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatal(got, want)
		}
	}
	if !everything() {
		t.Fatal("the tag is not seen to be everywhere")
	}
	nearest(300, "d299", "d300", "d301")
	x.version++
	x.ix.Delete("d300", x.version)
	if !everything() {
		t.Fatal("the tag is not seen to be everywhere, without one document")
	}
	nearest(300, "d298", "d299", "d301")
	x.put("other", "g", "another", "w", vector(300))
	if everything() {
		t.Fatal("a document without the tag is not seen")
	}
	nearest(300, "d298", "d299", "d301")
	x.put("d301", "g", "another", "w", vector(301))
	nearest(300, "d298", "d299", "d302")
}

// TestStemThatSoundsLikeTheWord: park is the stem of parke, which a field without stems
// does not find, and sounds like it, which one that is phonetic does.
func TestStemThatSoundsLikeTheWord(t *testing.T) {
	x := newTester(t, "s TEXT p TEXT NOSTEM PHONETIC dm:en n TEXT NOSTEM")
	x.put("stemmed", "s", "park")
	x.put("phonetic", "p", "park")
	x.put("neither", "n", "park")
	x.want("parke", Options{}, "2: stemmed phonetic")
	x.want("@p:parke", Options{}, "1: phonetic")
	x.want("@s:parke", Options{}, "1: stemmed")
	x.want("@n:parke", Options{}, "0:")
}
