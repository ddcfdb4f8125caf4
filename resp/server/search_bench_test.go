package server

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/resp/client"
)

// BenchmarkSemanticCacheQuery asks, over TCP, what redisvl's SemanticCache asks,
// of 10,000 entries with vectors of 384 dimensions. Half of the questions are near
// an entry. "n=100" leaves little but the cost of the command itself.
func BenchmarkSemanticCacheQuery(b *testing.B) {
	const dim = 384
	for _, algo := range []string{"FLAT", "HNSW"} {
		for _, n := range []int{100, 10000} {
			b.Run(fmt.Sprintf("%s/n=%d", algo, n), func(b *testing.B) {
				s, _ := start(b, nil, "--appendonly", "no")
				c := dial(b, s, client.Options{Proto: 2})
				do(b, c, split("FT.CREATE cache ON HASH PREFIX 1 cache: SCORE 1.0 SCHEMA prompt TEXT WEIGHT 1 response TEXT WEIGHT 1 inserted_at NUMERIC updated_at NUMERIC prompt_vector VECTOR "+algo+" 6 TYPE FLOAT32 DIM 384 DISTANCE_METRIC COSINE user TAG SEPARATOR ,")...)
				r := rand.New(rand.NewPCG(1, 2))
				vec := func() []float32 {
					v := make([]float32, dim)
					for i := range v {
						v[i] = float32(r.NormFloat64())
					}
					return v
				}
				var queries []string
				p := c.Pipeline()
				for i := range n {
					v := vec()
					p.Add("HSET", fmt.Sprintf("cache:%d", i), "entry_id", i, "prompt", fmt.Sprintf("question number %d", i), "response", strings.Repeat("an answer ", 20), "inserted_at", i, "updated_at", i, "prompt_vector", f32(v...))
					if i < 64 {
						v[0] += 1
						queries = append(queries, f32(v...), f32(vec()...))
					}
				}
				if _, err := p.Run(); err != nil {
					b.Fatal(err)
				}
				found := 0
				b.ReportAllocs()
				b.ResetTimer()
				for i := range b.N {
					v, err := c.Do("FT.SEARCH", "cache", "@prompt_vector:[VECTOR_RANGE $distance_threshold $vector]=>{$YIELD_DISTANCE_AS: vector_distance}",
						"RETURN", "3", "entry_id", "response", "vector_distance", "SORTBY", "vector_distance", "ASC", "DIALECT", "2",
						"LIMIT", "0", "1", "PARAMS", "4", "vector", queries[i%len(queries)], "distance_threshold", "0.2")
					if err != nil {
						b.Fatal(err)
					}
					found += int(v.Elems[0].Int)
				}
				if b.N > 1000 && (found < b.N*2/5 || found > b.N*3/5) {
					b.Errorf("%d hits of %d questions", found, b.N)
				}
			})
		}
	}
}
