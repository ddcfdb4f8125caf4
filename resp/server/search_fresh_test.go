package server

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nearcache/nearcache/resp/client"
)

// TestSearchFindsNothingThatIsGone has documents go in every way that there is, hashes
// and JSON: the search that follows finds what there is then, without being asked again.
func TestSearchFindsNothingThatIsGone(t *testing.T) {
	var now atomic.Int64
	now.Store(1_700_000_000_000)
	s, _ := startAt(t, now.Load, nil, "--appendonly", "no", "--save", "")
	c := dial(t, s, client.Options{})
	set := map[string]func(key, tag string){
		"hash": func(key, tag string) { do(t, c, "HSET", key, "g", tag) },
		"json": func(key, tag string) { do(t, c, "JSON.SET", key, "$", fmt.Sprintf(`{"g":[%q]}`, tag)) },
	}
	do(t, c, split("FT.CREATE hash PREFIX 1 hash: SCHEMA g TAG")...)
	do(t, c, split("FT.CREATE json ON JSON PREFIX 1 json: SCHEMA $.g AS g TAG")...)
	for kind, set := range set {
		key := func(i int) string { return fmt.Sprintf("%s:%d", kind, i) }
		want := func(what, query, found string) {
			t.Helper()
			if got := foundIn(t, c, kind, query); got != found {
				t.Errorf("%s, %s: [%s], want [%s]", kind, what, got, found)
			}
		}
		fill := func(n int) {
			for i := range n {
				set(key(i), "x")
			}
		}
		fill(3)
		do(t, c, "PEXPIRE", key(0), 100)
		do(t, c, "PEXPIRE", key(1), 300)
		want("before it expires", "@g:{x}", key(0)+" "+key(1)+" "+key(2))
		now.Add(100)
		want("after it expired", "@g:{x}", key(1)+" "+key(2))
		do(t, c, "PERSIST", key(1))
		now.Add(300)
		want("after it was made to last", "*", key(1)+" "+key(2))
		do(t, c, "RENAME", key(1), key(7))
		want("renamed within", "@g:{x}", key(2)+" "+key(7))
		do(t, c, "RENAME", key(7), "other"+kind)
		want("renamed away", "@g:{x}", key(2))
		do(t, c, "COPY", "other"+kind, key(8))
		want("copied", "@g:{x}", key(2)+" "+key(8))
		set(key(9), "y")
		do(t, c, "RENAME", key(9), key(8))
		want("overwritten by another", "@g:{x}", key(2))
		want("overwritten by another", "@g:{y}", key(8))
		do(t, c, "SET", key(8), "text")
		want("overwritten by a string", "*", key(2))
		dump := do(t, c, "DUMP", key(2)).Str
		do(t, c, "RESTORE", key(3), 200, dump)
		want("restored", "@g:{x}", key(2)+" "+key(3))
		now.Add(200)
		want("restored with a time", "@g:{x}", key(2))
		do(t, c, "MOVE", key(2), 1)
		want("moved", "*", "")
		p := c.Pipeline()
		p.Add("MULTI")
		if kind == "hash" {
			p.Add("HSET", key(4), "g", "x")
		} else {
			p.Add("JSON.SET", key(4), "$", `{"g":"x"}`)
		}
		p.Add("DEL", key(4))
		p.Add("EXEC")
		if _, err := p.Run(); err != nil {
			t.Fatal(err)
		}
		want("made and deleted in an EXEC", "*", "")
		fill(2)
		do(t, c, "UNLINK", key(0))
		want("unlinked", "*", key(1))
		do(t, c, "EXPIREAT", key(1), 1)
		want("with a time that is over", "*", "")
	}
	do(t, c, split("HSET hash:1 g x h y")...)
	do(t, c, "HPEXPIRE", "hash:1", 100, "FIELDS", 1, "g")
	now.Add(100)
	if got := foundIn(t, c, "hash", "@g:{x}"); got != "" {
		t.Errorf("a field that expired is found in [%s]", got)
	}
	if got := foundIn(t, c, "hash", "*"); got != "hash:1" {
		t.Errorf("what is left of a hash: [%s]", got)
	}
	do(t, c, "FLUSHALL")
	if v := do(t, c, "FT._LIST"); len(v.Elems) != 0 {
		t.Errorf("after FLUSHALL %v", v)
	}
}

// TestEvictedDocumentsAreNotFound fills the memory: what is found is what there is.
func TestEvictedDocumentsAreNotFound(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no", "--save", "", "--maxmemory-policy", "allkeys-lru")
	c := dial(t, s, client.Options{})
	do(t, c, split("FT.CREATE idx ON JSON PREFIX 1 d: SCHEMA $.g AS g TAG")...)
	const keys = 4000
	p := c.Pipeline()
	for i := range keys {
		p.Add("JSON.SET", fmt.Sprintf("d:%d", i), "$", fmt.Sprintf(`{"g":"x","more":"%0200d"}`, i))
	}
	if _, err := p.Run(); err != nil {
		t.Fatal(err)
	}
	do(t, c, "CONFIG", "SET", "maxmemory", 1)
	eventually(t, "nothing is evicted", func() bool { return do(t, c, "DBSIZE").Int < keys })
	do(t, c, "CONFIG", "SET", "maxmemory", 0)
	eventually(t, "other documents are found than there are", func() bool {
		v, _ := do(t, c, "FT.SEARCH", "idx", "@g:{x}", "LIMIT", 0, 0).Get("total_results")
		return v.Int == do(t, c, "DBSIZE").Int
	})
	do(t, c, "JSON.SET", "d:new", "$", `{"g":"new"}`) // indexing goes on
	if got := foundIn(t, c, "idx", "@g:{new}"); got != "d:new" {
		t.Errorf("found [%s]", got)
	}
}

// TestPipelineFindsWhatItHasWritten has clients write documents and ask for them in the same
// pipelines, in and outside of MULTI, in runs shorter and longer than what a turn leaves the
// indexes behind: each answer counts all that its client has written before.
func TestPipelineFindsWhatItHasWritten(t *testing.T) {
	t.Parallel()
	s, _ := start(t, nil, "--appendonly", "no", "--io-threads", "2")
	do(t, dial(t, s, client.Options{}), split("FT.CREATE idx PREFIX 1 d: SCHEMA who TAG n NUMERIC")...)
	var wg sync.WaitGroup
	for who := range 4 {
		c := dial(t, s, client.Options{Proto: 2})
		r := rand.New(rand.NewPCG(8, uint64(who)))
		wg.Go(func() {
			n := 0
			for range 20 {
				p := c.Pipeline()
				want := map[int]int{} // by place in the pipeline
				for range 1 + r.IntN(6) {
					for range r.IntN(5 * unsettledMost) {
						p.Add("HSET", fmt.Sprintf("d:%d:%d", who, n), "who", fmt.Sprint("w", who), "n", n)
						n++
					}
					inMulti := r.IntN(3) == 0
					if inMulti {
						p.Add("MULTI")
					}
					if want[p.Len()] = n; inMulti {
						want[p.Len()] = -1 // QUEUED
					}
					p.Add("FT.SEARCH", "idx", fmt.Sprintf("@who:{w%d}", who), "LIMIT", 0, 0)
					if inMulti {
						want[p.Len()] = n
						p.Add("EXEC")
					}
				}
				err := p.Each(func(i int, v client.Value) {
					count, asked := want[i]
					if !asked || count < 0 {
						if v.Err() != nil {
							t.Errorf("reply %d: %v", i, v.Err())
						}
						return
					}
					if len(v.Elems) == 1 && len(v.Elems[0].Elems) == 1 { // of EXEC
						v = v.Elems[0]
					}
					if len(v.Elems) != 1 || v.Elems[0].Int != int64(count) {
						t.Errorf("reply %d: %v, want %d", i, v, count)
					}
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
