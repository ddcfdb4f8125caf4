package search

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/kinds"
	"github.com/nearcache/nearcache/index/query"
)

func unit(r *rand.Rand, dim int) []byte {
	x := make([]float32, dim)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return blob(x...)
}

// semantic is a semantic cache of n entries as RedisVL makes it.
func semantic(b *testing.B, n int) (*Index, [][]byte) {
	b.Helper()
	s, err := ParseSchema(argv("prompt TEXT WEIGHT 1 response TEXT WEIGHT 1 inserted_at NUMERIC updated_at NUMERIC prompt_vector VECTOR FLAT 6 TYPE FLOAT32 DIM 384 DISTANCE_METRIC COSINE user TAG SEPARATOR ,"))
	if err != nil {
		b.Fatal(err)
	}
	ix, err := New(s, kinds.All)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = ix.Close() })
	r := rand.New(rand.NewPCG(1, 1))
	var near [][]byte
	for i := range n {
		v := unit(r, 384)
		if i < 64 {
			near = append(near, v)
		}
		doc := hash("prompt", "what is the capital of country "+fmt.Sprint(i), "response", "it is a town with a name",
			"inserted_at", "1700000000", "updated_at", fmt.Sprint(1700000000+i), "prompt_vector", string(v), "user", fmt.Sprint("u", i%100))
		if err := ix.Put(fmt.Sprint("llmcache:", i), uint64(i+1), 0, doc); err != nil {
			b.Fatal(err)
		}
	}
	return ix, near
}

// BenchmarkSemanticLookup is RedisVL's SemanticCache.check beside the bare vector scan.
func BenchmarkSemanticLookup(b *testing.B) {
	for _, n := range []int{1000, 30_000} {
		ix, near := semantic(b, n)
		bare := func(b *testing.B, i int) {
			var err error
			if _, err = ix.vecs[0].vectors.Range(nil, near[i%len(near)], 0.2, index.SearchOptions{}); err != nil {
				b.Fatal(err)
			}
		}
		full := func(text string) func(b *testing.B, i int) {
			return func(b *testing.B, i int) {
				q, err := query.Parse([]byte(text), query.Options{
					Params: query.Params{[]byte("vector"), near[i%len(near)], []byte("distance_threshold"), []byte("0.2")}, StopWord: ix.Schema().StopWord,
				})
				if err != nil {
					b.Fatal(err)
				}
				res, err := ix.Search(q, Options{Num: 1, SortBy: "vector_distance", Now: 1})
				if err != nil || res.Total > 1 {
					b.Fatal(res, err)
				}
				res.Release()
			}
		}
		for _, c := range []struct {
			name string
			f    func(*testing.B, int)
		}{
			{"scan", bare},
			{"search", full("@prompt_vector:[VECTOR_RANGE $distance_threshold $vector]=>{$YIELD_DISTANCE_AS: vector_distance}")},
			{"tagged", full("(@prompt_vector:[VECTOR_RANGE $distance_threshold $vector]=>{$YIELD_DISTANCE_AS: vector_distance} @user:{u7})")},
			{"knn", full("*=>[KNN 1 @prompt_vector $vector AS vector_distance]")},
		} {
			b.Run(fmt.Sprintf("n=%d/%s", n, c.name), func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					c.f(b, i)
					i++
				}
			})
		}
	}
}

// BenchmarkFilters is what postings alone cost over 100,000 documents.
func BenchmarkFilters(b *testing.B) {
	s, err := ParseSchema(argv("t TEXT g TAG u TAG n NUMERIC"))
	if err != nil {
		b.Fatal(err)
	}
	ix, err := New(s, nil)
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	z := rand.NewZipf(r, 1.2, 1, 20_000)
	for i := range 100_000 {
		text := ""
		for range 20 {
			text += fmt.Sprintf("word%d ", z.Uint64())
		}
		if err := ix.Put(fmt.Sprint(i), uint64(i+1), 0, hash("t", text, "g", fmt.Sprint("g", i%10), "u", fmt.Sprint("u", i), "n", fmt.Sprint(r.IntN(1000)))); err != nil {
			b.Fatal(err)
		}
	}
	for _, c := range []struct{ q, sortBy string }{
		{"@u:{u77}", ""},
		{"@g:{g1}", ""},
		{"@g:{g1}", "n"},
		{"@n:[100 200]", ""},
		{"@n:[100 200]", "n"},
		{"@u:{u77} @n:[0 900]", ""},
		{"*", ""},
		{"*", "n"},
		{"-@g:{g1}", ""},
		{"word5", ""},
		{"word5 word9", ""},
		{"word5 | word9 | word40", ""},
		{"word700", ""},
		{"word5 @g:{g1}", "n"},
		{`"word5 word9"`, ""},
	} {
		p, err := query.Parse([]byte(c.q), query.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.q+" "+c.sortBy, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				res, err := ix.Search(p, Options{Num: 10, SortBy: c.sortBy})
				if err != nil {
					b.Fatal(err)
				}
				res.Release()
			}
		})
	}
}

// BenchmarkPut replaces documents: with the same vector, and with another one.
func BenchmarkPut(b *testing.B) {
	ix, near := semantic(b, 10_000)
	for _, same := range []bool{true, false} {
		b.Run(fmt.Sprintf("same=%v", same), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				v := near[0]
				if !same {
					v = near[i%len(near)]
				}
				_ = ix.Put("llmcache:0", uint64(1_000_000+i), 0, hash("prompt", "what is the capital of this country", "response", "a town", "prompt_vector", string(v), "user", "u1"))
			}
		})
	}
}

// BenchmarkWide asks for a tag that a quarter of many documents have and a number that few have, and the
// other way round.
func BenchmarkWide(b *testing.B) {
	s, err := ParseSchema(argv("few TAG many TAG number NUMERIC"))
	if err != nil {
		b.Fatal(err)
	}
	ix, err := New(s, nil)
	if err != nil {
		b.Fatal(err)
	}
	const docs = 500_000
	r := rand.New(rand.NewPCG(1, 1))
	for i := range docs {
		if err := ix.Put(fmt.Sprint(i), uint64(i+1), 0, hash("few", fmt.Sprint("f", r.IntN(4)), "many", fmt.Sprint("m", r.IntN(500)), "number", fmt.Sprint(r.IntN(docs)))); err != nil {
			b.Fatal(err)
		}
	}
	for _, q := range []string{"@few:{f1} @number:[1000 1500]", "@few:{f1} @number:[1000 3000]", "@many:{m7} @number:[0 100000]"} {
		p, err := query.Parse([]byte(q), query.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(q, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				res, err := ix.Search(p, Options{Num: 10})
				if err != nil {
					b.Fatal(err)
				}
				res.Release()
			}
		})
	}
}
