package commands

import (
	"fmt"
	"testing"
)

func argv(words ...string) [][]byte {
	var l [][]byte
	for _, w := range words {
		l = append(l, []byte(w))
	}
	return l
}

// semantic is a hash as a semantic cache keeps it.
func semantic(key string) [][]byte {
	return append(argv("HSET", key, "entry_id", "6f1ed002ab5595859014ebf0951522d9", "prompt", "how do I reset my password?",
		"response", string(make([]byte, 300)), "inserted_at", "1753000000.25", "prompt_vector"), make([]byte, 1536))
}

// TestReadsAndOverwritesDoNotAllocate holds the promise for the commands that
// a cache runs most.
func TestReadsAndOverwritesDoNotAllocate(t *testing.T) {
	c := newClient(t, 3)
	c.run(argv("SET", "k", "value"))
	c.run(argv("SET", "n", "1000"))
	c.run(semantic("h"))
	f := func(words ...string) {
		t.Helper()
		args := argv(words...)
		c.run(args)
		if n := testing.AllocsPerRun(100, func() { c.run(args) }); n != 0 {
			t.Errorf("%s: %v allocations", words, n)
		}
	}
	f("GET", "k")
	f("get", "missing")
	f("MGET", "k", "missing", "n")
	f("EXISTS", "k", "missing")
	f("TTL", "k")
	f("TYPE", "k")
	f("STRLEN", "k")
	f("SET", "k", "other")
	f("SETNX", "k", "other")
	f("INCR", "n")
	f("HGET", "h", "prompt")
	f("HMGET", "h", "prompt", "response", "missing")
	f("HGETALL", "h")
	f("HEXISTS", "h", "prompt")
	f("HSET", "h", "prompt", "how do I change my password")
	f("HINCRBY", "h", "hits", "1")
}

func BenchmarkRun(b *testing.B) {
	const keys = 100_000
	c := newClient(b, 3)
	strings, hashes := make([][][]byte, keys), make([][][]byte, 10_000)
	for i := range strings {
		strings[i] = argv("SET", fmt.Sprintf("key:%012d", i), "xxx")
		c.run(strings[i])
	}
	for i := range hashes {
		hashes[i] = semantic(fmt.Sprintf("llmcache:%032x", i))
		c.run(hashes[i])
	}
	bench := func(name string, f func(i int)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				f(i)
				i += 7919
			}
		})
	}
	get := argv("GET", "")
	bench("GET", func(i int) {
		get[1] = strings[i%keys][1]
		c.run(get)
	})
	missing := argv("GET", "missing")
	bench("GET-miss", func(int) { c.run(missing) })
	bench("SET-overwrite", func(i int) { c.run(strings[i%keys]) })
	ex := argv("SET", "", "xxx", "EX", "100")
	bench("SET-EX", func(i int) {
		ex[1] = strings[i%keys][1]
		c.run(ex)
	})
	del := argv("DEL", "")
	bench("SET-new+DEL", func(i int) {
		del[1] = strings[i%keys][1]
		c.run(del)
		c.run(strings[i%keys])
	})
	incr := argv("INCR", "counter")
	bench("INCR", func(int) { c.run(incr) })
	bench("HSET-overwrite", func(i int) { c.run(hashes[i%len(hashes)]) })
	hdel := argv("DEL", "")
	bench("HSET-new+DEL", func(i int) {
		hdel[1] = hashes[i%len(hashes)][1]
		c.run(hdel)
		c.run(hashes[i%len(hashes)])
	})
	hget := argv("HGET", "", "prompt")
	bench("HGET", func(i int) {
		hget[1] = hashes[i%len(hashes)][1]
		c.run(hget)
	})
	all := argv("HGETALL", "")
	bench("HGETALL", func(i int) {
		all[1] = hashes[i%len(hashes)][1]
		c.run(all)
	})
}
