package search

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/index/query"
)

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
