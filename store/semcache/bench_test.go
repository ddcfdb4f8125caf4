package semcache_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/viterin/vek/vek32"

	"github.com/nearcache/nearcache/datasets"
	"github.com/nearcache/nearcache/store/semcache"
)

// BenchmarkGet looks up real questions among real questions; where there are not enough
// of them, their embeddings come again, moved a little.
func BenchmarkGet(b *testing.B) {
	m, err := datasets.Open("")
	if err != nil {
		b.Skip(err)
	}
	e, err := m.MiniLM()
	if err != nil {
		b.Skip(err)
	}
	for _, entries := range []int{5_000, 100_000} {
		b.Run(fmt.Sprintf("n=%dk", entries/1000), func(b *testing.B) { benchmarkGet(b, e, entries) })
	}
}

func benchmarkGet(b *testing.B, e *datasets.Embedded, entries int) {
	w := newWorld(b)
	n := w.create("ns", semcache.Defaults(384))
	r := rand.New(rand.NewPCG(1, 2))
	moved := func(row []float32, by float64) []float32 {
		v := slices.Clone(row)
		for j := range v {
			v[j] += float32(r.NormFloat64() * by)
		}
		vek32.DivNumber_Inplace(v, vek32.Norm(v))
		return v
	}
	prompts, vectors := make([]string, entries), make([][]float32, entries)
	for i := range entries {
		again, k := i/len(e.Texts), i%len(e.Texts)
		prompts[i], vectors[i] = e.Texts[k], e.Row(k)
		if again > 0 {
			prompts[i], vectors[i] = fmt.Sprintf("%s (%d)", e.Texts[k], again), moved(e.Row(k), 0.02)
		}
		w.put(n, semcache.Entry{Prompt: []byte(prompts[i]), Answer: []byte("an answer"), Vector: semcache.Blob(vectors[i])})
	}
	type ask struct{ prompt, vector []byte }
	asks := make([]ask, 512)
	for i := range asks {
		k := r.IntN(entries)
		asks[i] = ask{[]byte("please " + prompts[k]), semcache.Blob(moved(vectors[k], 0.01))}
	}
	for _, bench := range []struct {
		name string
		q    func(i int) semcache.Query
	}{
		{"exact", func(i int) semcache.Query { return semcache.Query{Prompt: []byte(prompts[i%entries])} }},
		{"semantic", func(i int) semcache.Query {
			return semcache.Query{Prompt: asks[i%512].prompt, Vector: asks[i%512].vector}
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			call := w.call()
			call.Found = func([]byte, *semcache.Answer) {}
			hits := 0
			i := 0
			for b.Loop() {
				var a semcache.Answer
				q := bench.q(i)
				if err := n.Get(call, &q, &a); err != nil {
					b.Fatal(err)
				}
				if a.Status.Hit() {
					hits++
				}
				i++
			}
			b.ReportMetric(float64(hits)/float64(i), "hits/op")
		})
	}
}
