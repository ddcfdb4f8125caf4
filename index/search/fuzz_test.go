package search

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/index/attr"
	"github.com/nearcache/nearcache/index/query"
)

// naive evaluates queries by looking at every document: the truth of the property test.
type naive struct {
	docs map[string]map[string]string
	stem attr.Stemmer
}

func words(s string) (out []string) {
	attr.Tokens([]byte(s), nil, func(w []byte) {
		if !slices.Contains(attr.DefaultStopWords, string(w)) {
			out = append(out, string(w))
		}
	})
	return out
}

func (n *naive) match(q *query.Node, d map[string]string) bool {
	switch q.Kind {
	case query.All, query.Optional:
		return true
	case query.And:
		for _, c := range q.Children {
			if !n.match(c, d) {
				return false
			}
		}
		return true
	case query.Or:
		return slices.ContainsFunc(q.Children, func(c *query.Node) bool { return n.match(c, d) })
	case query.Not:
		return !n.match(q.Children[0], d)
	case query.Numeric:
		x, err := strconv.ParseFloat(d[q.Field], 64)
		return err == nil && q.InRange(x)
	case query.Tag:
		for _, tag := range strings.Split(strings.ToLower(d[q.Field]), ",") {
			for _, v := range q.Values {
				v := query.Value{Kind: v.Kind, Text: strings.ToLower(v.Text)}
				tag = strings.TrimSpace(tag)
				if tag != "" && (v.Kind == query.Term && tag == v.Text || v.Kind == query.Prefix && strings.HasPrefix(tag, v.Text) ||
					v.Kind == query.Infix && strings.Contains(tag, v.Text)) {
					return true
				}
			}
		}
		return false
	case query.Range:
		v, ok := d[q.Field]
		return ok && l2(floats([]byte(v)), floats(q.Blob)) <= q.Radius
	}
	for _, f := range []string{"t", "s"} {
		if q.Fields != nil && !slices.Contains(q.Fields, f) {
			continue
		}
		ws := words(d[f])
		switch q.Kind {
		case query.Phrase:
			if strings.Contains(" "+strings.Join(ws, " ")+" ", " "+strings.Join(q.Words, " ")+" ") {
				return true
			}
		default:
			if slices.ContainsFunc(ws, func(w string) bool {
				switch q.Kind {
				case query.Prefix:
					return strings.HasPrefix(w, q.Text)
				case query.Suffix:
					return strings.HasSuffix(w, q.Text)
				}
				return w == q.Text || f == "t" && !q.Verbatim && n.stem(w) == n.stem(q.Text)
			}) {
				return true
			}
		}
	}
	return false
}

type generator struct{ *rand.Rand }

var vocabulary = strings.Fields("run running runs fast faster park parks the car cars blue dog dogs jump jumping")

func (g generator) word() string { return vocabulary[g.IntN(len(vocabulary))] }

func (g generator) text(n int) string {
	var s []string
	for range g.IntN(n + 1) {
		s = append(s, g.word())
	}
	return strings.Join(s, " ")
}

func (g generator) doc() map[string]string {
	d := map[string]string{}
	set := func(f string, v string) {
		if g.IntN(5) > 0 {
			d[f] = v
		}
	}
	set("t", g.text(8))
	set("s", g.text(4))
	set("g", fmt.Sprintf("g%d, G%d", g.IntN(8), g.IntN(12)))
	set("n", strconv.Itoa(g.IntN(20)))
	set("m", strconv.FormatFloat(g.NormFloat64(), 'g', -1, 64))
	set("v", string(blob(float32(g.IntN(9)), float32(g.IntN(9)))))
	return d
}

// query writes a random filter; vectors says whether it may hold ranges of them.
func (g generator) query(depth int, vectors bool) string {
	if depth > 0 {
		switch g.IntN(7) {
		case 0, 1:
			return "(" + g.query(depth-1, vectors) + " " + g.query(depth-1, vectors) + ")"
		case 2, 3:
			return "(" + g.query(depth-1, vectors) + " | " + g.query(depth-1, vectors) + ")"
		case 4:
			return "-" + g.query(depth-1, vectors)
		case 5:
			return "(~" + g.query(depth-1, vectors) + " " + g.query(depth-1, vectors) + ")"
		}
	}
	switch g.IntN(11) {
	case 0:
		return g.word()
	case 1:
		return "@s:" + g.word()
	case 2:
		return "@t|s:(" + g.word() + "|" + g.word() + ")"
	case 3:
		return `"` + g.word() + " " + g.word() + `"`
	case 4:
		return g.word()[:2] + "*"
	case 5:
		return fmt.Sprintf("@g:{g%d|G%d}", g.IntN(12), g.IntN(12))
	case 6:
		return fmt.Sprintf("@g:{g1*|*%d*}", g.IntN(4))
	case 7:
		return fmt.Sprintf("@n:[(%d %d]", g.IntN(20), g.IntN(20))
	case 8:
		return fmt.Sprintf("@m:[%.3f inf]", g.NormFloat64())
	case 9:
		return "*" + g.word()[2:]
	}
	if vectors {
		return fmt.Sprintf("@v:[VECTOR_RANGE %d $b]", g.IntN(40))
	}
	return "*"
}

func TestSearchAgainstNaive(t *testing.T) {
	for _, seed := range []uint64{7, 8, 9} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			testAgainstNaive(t, generator{rand.New(rand.NewPCG(seed, 7))})
		})
	}
}

func testAgainstNaive(t *testing.T, g generator) {
	stem, _ := attr.NewStemmer("english")
	ref := naive{docs: map[string]map[string]string{}, stem: stem}
	x := newTester(t, "t TEXT s TEXT NOSTEM g TAG n NUMERIC m NUMERIC SORTABLE v VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2")
	versions := map[string]uint64{}
	for round := range 1500 {
		name := fmt.Sprint("k", g.IntN(120))
		x.version++
		if g.IntN(4) == 0 {
			x.ix.Delete(name, x.version)
			delete(ref.docs, name)
		} else {
			d := g.doc()
			if old := ref.docs[name]; old != nil && g.IntN(2) == 0 { // keep the vector
				delete(d, "v")
				if v, ok := old["v"]; ok {
					d["v"] = v
				}
			}
			if err := x.ix.Put(name, x.version, 0, func(f string) ([]byte, bool) { v, ok := d[f]; return []byte(v), ok }); err != nil {
				t.Fatal(err)
			}
			ref.docs[name] = d
			versions[name] = x.version
		}
		vectors := g.IntN(3) == 0
		text := g.query(g.IntN(4), vectors)
		q := blob(float32(g.IntN(9)), float32(g.IntN(9)))
		params := query.Params{[]byte("b"), q}
		k := 0
		if g.IntN(4) == 0 {
			k = 1 + g.IntN(20)
			text = fmt.Sprintf("(%s)=>[KNN %d @v $b AS d]", text, k)
		}
		p, err := query.Parse([]byte(text), query.Options{Params: params, StopWord: x.ix.Schema().StopWord})
		if err != nil {
			t.Fatal(text, err)
		}
		var want []string
		if p.Root != nil {
			for name, d := range ref.docs {
				if _, has := d["v"]; ref.match(p.Root, d) && (k == 0 || has) {
					want = append(want, name)
				}
			}
		}
		dist := func(name string) float64 { return l2(floats([]byte(ref.docs[name]["v"])), floats(q)) }
		o := Options{Num: -1}
		byVersion := func(a, b string) int { return cmp.Compare(versions[a], versions[b]) }
		switch {
		case k > 0:
			// Of equal distance any may be among the k: compare distances.
			slices.SortFunc(want, func(a, b string) int { return cmp.Compare(dist(a), dist(b)) })
			want = want[:min(k, len(want))]
		case g.IntN(2) == 0:
			o.SortBy, o.Desc = "m", g.IntN(2) == 0
			slices.SortFunc(want, func(a, b string) int {
				x, errA := strconv.ParseFloat(ref.docs[a]["m"], 64)
				y, errB := strconv.ParseFloat(ref.docs[b]["m"], 64)
				c := cmp.Compare(x, y)
				switch {
				case errA != nil && errB == nil:
					return 1
				case errA == nil && errB != nil:
					return -1
				case c == 0 || errA != nil:
					c = byVersion(a, b)
				}
				if o.Desc {
					return -c
				}
				return c
			})
		default:
			o.SortBy = "__key"
			slices.Sort(want)
		}
		total := len(want)
		if g.IntN(3) == 0 {
			o.Offset, o.Num = g.IntN(20), 1+g.IntN(20)
			want = want[min(o.Offset, len(want)):]
			want = want[:min(o.Num, len(want))]
		}
		res, err := x.ix.Search(p, o)
		if err != nil {
			t.Fatal(text, err)
		}
		got := []string{}
		for i, r := range res.Rows {
			got = append(got, r.Name)
			if k > 0 {
				d, ok := res.Distance(i, 0)
				if i >= len(want) || !ok || d != dist(r.Name) || d != dist(want[i]) || !ref.match(p.Root, ref.docs[r.Name]) {
					t.Fatalf("%d: %s: row %d is %s at %v", round, text, i, r.Name, d)
				}
			}
		}
		if res.Total != total || k == 0 && !slices.Equal(got, want) && len(want)+len(got) > 0 || len(got) != len(want) {
			t.Fatalf("%d: %s %+v\n got %d %v\nwant %d %v", round, text, o, res.Total, got, total, want)
		}
		res.Release()
	}
}

func TestWildcard(t *testing.T) {
	f := func(p, s string, want bool) {
		t.Helper()
		if wildcard(p, s) != want {
			t.Error(p, s)
		}
	}
	f("*", "", true)
	f("", "a", false)
	f("a*c", "abbc", true)
	f("a*c", "abb", false)
	f("?b*", "abc", true)
	f(`a\*c`, "abc", false)
	f(`a\*c`, "a*c", true)
	f("*a*b*", "xxaxxbxx", true)
	f(strings.Repeat("*a", 100)+"b", strings.Repeat("a", 4096), false)

	lit := func(pattern, want string) {
		t.Helper()
		if got := literal(pattern); got != want {
			t.Errorf("%s: %q", pattern, got)
		}
	}
	lit("", "")
	lit("*?", "")
	lit("ab*cde?f", "cde")
	lit(`a\*c*b`, `a*c`)
	lit(`a\`, `a\`)
}

// FuzzSearch holds that no document and no query brings the index down, and that what is deleted is gone.
func FuzzSearch(f *testing.F) {
	for _, s := range []string{
		"*", "run* -@g:{a|b*} ~x", `"a b" @n:[(1 inf]`, "(@v:[VECTOR_RANGE $r $b]=>{$YIELD_DISTANCE_AS: d} | @s:x)=>[KNN 2 @v $b AS k]",
		"@v:[VECTOR_RANGE 3 $b]=>{$YIELD_DISTANCE_AS: d}", "@loc:[1 2 3 km]", "%a% w'*?' *b*", "-@g:{x}",
	} {
		f.Add(s, "some text", "a,b", "1.5", "d", "TFIDF", -1, 5)
	}
	s, err := ParseSchema(argv(testSchema))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, words, tags, number, sortBy, scorer string, offset, num int) {
		ix, err := New(s, bruteKinds)
		if err != nil {
			t.Fatal(err)
		}
		defer ix.Close()
		for i := range 4 {
			_ = ix.Put(fmt.Sprint(i%3), uint64(i+1), 0, hash("t", words, "s", text, "g", tags, "u", tags, "n", number, "loc", number+","+number, "v", string(blob(float32(i), 1))))
		}
		params := query.Params{[]byte("b"), blob(1, 1), []byte("r"), []byte(number)}
		if q, err := query.Parse([]byte(text), query.Options{Params: params}); err == nil {
			res, err := ix.Search(q, Options{Offset: offset, Num: num, SortBy: sortBy, Scorer: scorer, WithScores: true})
			if err == nil {
				for i := range res.Rows {
					if math.IsNaN(res.Rows[i].Score) {
						t.Fatal("score is NaN")
					}
				}
				if res.Total > 3 || len(res.Rows) > res.Total {
					t.Fatal(res)
				}
				res.Release()
			}
		}
		for i := range 3 {
			ix.Delete(fmt.Sprint(i), 100)
		}
		if in := ix.Info(); in.NumDocs != 0 || in.NumRecords != 0 || in.NumTerms != 0 {
			t.Fatalf("left behind: %+v", in)
		}
	})
}
