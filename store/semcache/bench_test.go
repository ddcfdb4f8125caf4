package semcache_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nearcache/nearcache/datasets"
	"github.com/nearcache/nearcache/store/semcache"
)

// BenchmarkGet looks up real questions among real questions.
func BenchmarkGet(b *testing.B) {
	m, err := datasets.Open("")
	if err != nil {
		b.Skip(err)
	}
	e, err := m.MiniLM()
	if err != nil {
		b.Skip(err)
	}
	const entries = 5000
	w := newWorld(b)
	n := w.create("ns", semcache.Defaults(384))
	for i := range entries {
		w.put(n, semcache.Entry{Prompt: []byte(e.Texts[i]), Answer: []byte("an answer"), Vector: semcache.Blob(e.Row(i))})
	}
	r := rand.New(rand.NewPCG(1, 2))
	type ask struct{ prompt, vector []byte }
	asks := make([]ask, 512)
	for i := range asks {
		k := r.IntN(entries)
		v := slices.Clone(e.Row(k))
		for j := range v {
			v[j] += float32(r.NormFloat64() * 0.01)
		}
		asks[i] = ask{[]byte("please " + e.Texts[k]), semcache.Blob(v)}
	}
	for _, bench := range []struct {
		name string
		q    func(i int) semcache.Query
	}{
		{"exact", func(i int) semcache.Query { return semcache.Query{Prompt: []byte(e.Texts[i%entries])} }},
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
