package search

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/index/query"
)

// topCorpus is n documents of which many have the same words, in lengths as
// sentences and paragraphs have them.
func topCorpus(tb testing.TB, schema string, n, words int, seed uint64) (*Index, *rand.Rand) {
	tb.Helper()
	ix := newIndex(tb, schema)
	r := rand.New(rand.NewPCG(seed, 3))
	z := rand.NewZipf(r, 1.3, 3, uint64(words))
	text := func(n int) string {
		var b strings.Builder
		for range n {
			fmt.Fprintf(&b, "word%d%s ", z.Uint64(), []string{"", "", "s", "ing"}[r.IntN(4)])
		}
		return b.String()
	}
	for i := range n {
		long := 3 + int(r.ExpFloat64()*40)
		doc := hash("t", text(long), "title", text(1+r.IntN(8)), "g", fmt.Sprint("g", i%7, ",h", r.IntN(40)), "n", fmt.Sprint(r.IntN(1000)))
		if err := ix.PutValues(fmt.Sprint(i), uint64(i+1), 0, Extra{HasScore: i%3 == 0, Score: r.Float64()}, func(f int) (Value, bool) {
			if r.IntN(20) == 0 {
				return Value{}, false
			}
			v, ok := doc(ix.fields[f].Identifier)
			return Value{Data: v}, ok
		}); err != nil {
			tb.Fatal(err)
		}
	}
	return ix, r
}

// TestPrunedAsWeighed holds that the best of many matches are the same, in the same
// order and of the same score, whether all are weighed or only those that can be among them.
func TestPrunedAsWeighed(t *testing.T) {
	const docs = 1000
	for seed, schema := range []string{
		"t TEXT g TAG n NUMERIC",
		"t TEXT WEIGHT 2 title TEXT WEIGHT 7.5 NOSTEM g TAG n NUMERIC",
		"t TEXT title TEXT PHONETIC dm:en g TAG n NUMERIC",
	} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			ix, r := topCorpus(t, schema, docs, 300, uint64(seed))
			z := rand.NewZipf(r, 1.3, 3, 300)
			word := func() string {
				w := fmt.Sprint("word", z.Uint64(), []string{"", "", "s"}[r.IntN(3)])
				switch r.IntN(8) {
				case 0:
					return fmt.Sprintf("(%s)=>{$weight: %g}", w, []float64{0, 0.3, 1, 3}[r.IntN(4)])
				case 1:
					return fmt.Sprintf("word%d*", r.IntN(30))
				case 2:
					return `"` + w + `"`
				}
				return w
			}
			leaf := func() string {
				switch r.IntN(10) {
				case 0:
					return fmt.Sprintf("@g:{g%d}", r.IntN(7))
				case 1:
					return fmt.Sprintf("@g:{g%d|h%d*|h3}=>{$weight: %d}", r.IntN(7), r.IntN(4), r.IntN(3))
				case 2:
					return fmt.Sprintf("@n:[%d inf]", r.IntN(400))
				case 3:
					return []string{"*", "-word9", "~word2", "-@g:{g1}", fmt.Sprintf(`"word%d word%d"`, r.IntN(4), r.IntN(4))}[r.IntN(5)]
				case 4:
					return "@t:(" + word() + ")"
				}
				return word()
			}
			pruned := 0
			queries := 100
			if n, err := strconv.Atoi(os.Getenv("NEARCACHE_ORACLE")); err == nil {
				queries = n
			}
			for i := range queries {
				if i%10 == 0 { // lengths, often and the rest are true after changes too
					for range 20 {
						name := fmt.Sprint(r.IntN(docs))
						if r.IntN(3) == 0 {
							ix.Delete(name, uint64(10_000+i))
						} else {
							_ = ix.Put(name, uint64(10_000+i), 0, hash("t", strings.Repeat(word()+" ", 1+r.IntN(9)), "g", "g1"))
						}
					}
				}
				var l []string
				for range 1 + r.IntN(4) {
					x := leaf()
					if r.IntN(5) == 0 {
						x = "(" + x + []string{" ", " | "}[r.IntN(2)] + leaf() + ")"
						if r.IntN(3) == 0 {
							x += fmt.Sprintf("=>{$weight: %d}", r.IntN(4))
						}
					}
					l = append(l, x)
				}
				text := strings.Join(l, []string{" ", " | ", " | "}[r.IntN(3)])
				q, err := query.Parse([]byte(text), query.Options{})
				if err != nil {
					t.Fatal(text, err)
				}
				o := Options{Num: 1 + r.IntN(20), Scorer: []string{"", "", "BM25STD.TANH", "BM25STD.NORM", "BM25", "TFIDF", "TFIDF.DOCNORM", "DISMAX"}[r.IntN(8)], WithScores: r.IntN(2) == 0}
				if r.IntN(4) == 0 {
					o.Offset = r.IntN(30)
				}
				var p Profile
				o.Profile = &p
				got, err := ix.Search(q, o)
				if err != nil {
					t.Fatal(text, err)
				}
				if p.Weighed < got.Total {
					pruned++
				}
				o.everyScore, o.Profile = true, nil
				want, err := ix.Search(q, o)
				if err != nil {
					t.Fatal(text, err)
				}
				if fmt.Sprint(got.Total, got.Rows) != fmt.Sprint(want.Total, want.Rows) {
					t.Fatalf("%s %+v\n%d: %v, want\n%d: %v", text, o, got.Total, got.Rows, want.Total, want.Rows)
				}
				got.Release()
				want.Release()
			}
			if pruned < 15 {
				t.Errorf("only %d searches left documents out", pruned)
			}
		})
	}
}

// BenchmarkTopK is the best ten of 100,000 documents, and what it costs to weigh all
// that match.
func BenchmarkTopK(b *testing.B) {
	ix, _ := topCorpus(b, "t TEXT title TEXT g TAG n NUMERIC", 100_000, 20_000, 1)
	for _, text := range []string{
		"word0", "word3", "word90", "word0 word3", "word3 word40", "word0 | word3 | word40", "word3s | word90 | word700s", "word0 | word1 | word2 | word3 | word4 | word5",
		"word3 @g:{g1}", "word3 @n:[100 400]", "(word3 | word9) @g:{g1}",
	} {
		q, err := query.Parse([]byte(text), query.Options{})
		if err != nil {
			b.Fatal(err)
		}
		for _, every := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/every=%v", text, every), func(b *testing.B) {
				var p Profile
				res, err := ix.Search(q, Options{Num: 10, Profile: &p, everyScore: every})
				if err != nil {
					b.Fatal(err)
				}
				total := res.Total
				res.Release()
				b.ReportAllocs()
				for b.Loop() {
					res, err := ix.Search(q, Options{Num: 10, everyScore: every})
					if err != nil {
						b.Fatal(err)
					}
					res.Release()
				}
				b.ReportMetric(float64(total), "matches")
				b.ReportMetric(float64(p.Weighed), "weighed")
			})
		}
	}
}
