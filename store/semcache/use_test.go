package semcache_test

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/nearcache/nearcache/index/kinds"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/catalog"
	"github.com/nearcache/nearcache/store/semcache"
	"github.com/nearcache/nearcache/store/types/hash"
)

// effects collects what a log would hold.
type effects struct {
	mu   sync.Mutex
	args [][]string
}

func (e *effects) Committed(c *store.Commit) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, x := range c.Effects {
		l := make([]string, len(x.Args))
		for i, a := range x.Args {
			l[i] = string(a)
		}
		e.args = append(e.args, l)
	}
}

// replayed is a world in which HSET and DEL of the effects of another were carried out, as when a log is
// loaded.
func (e *effects) replayed(t testing.TB, name string, p semcache.Params, now int64) (*world, *semcache.Namespace) {
	w := &world{TB: t}
	w.now.Store(now)
	w.ks = store.New(store.Options{Clock: w.now.Load})
	w.cat = catalog.New(w.ks, kinds.All)
	w.cache = semcache.New(w.ks, w.cat)
	t.Cleanup(func() {
		w.cache.Stop()
		w.cat.Close()
		w.ks.Close()
	})
	n := w.create(name, p)
	for _, l := range e.args {
		key := []byte(l[1])
		var tx store.Tx
		tx.Begin(w.ks, 0, 0)
		tx.LockKey(key)
		switch l[0] {
		case "HSET":
			entry := tx.Peek(key)
			h := hash.New()
			if entry != nil {
				h = entry.Value().(*hash.Value)
			}
			for i := 2; i < len(l); i += 2 {
				h.Set([]byte(l[i]), []byte(l[i+1]))
			}
			if entry == nil {
				entry = tx.Put(key, h, false)
			}
			tx.Changed(entry, store.ClassHash, "hset")
		case "DEL":
			tx.Delete(key, "del")
		}
		store.DoAll(tx.End())
	}
	w.cache.BaseLoaded()
	w.cache.Loaded()
	return w, n
}

// What an entry was used for is known after a restart: it is not that one that goes, and the figures go on.
func TestUseOutlivesARestart(t *testing.T) {
	for _, by := range []semcache.Evict{semcache.LRU, semcache.LFU, semcache.ByCost} {
		t.Run(semcache.EvictNames[by], func(t *testing.T) {
			w := newWorld(t)
			var log effects
			w.ks.Observe(&log)
			p := semcache.Defaults(2)
			p.MaxEntries, p.Evict = 40, by
			n := w.create("ns", p)
			for i := range 40 {
				w.put(n, semcache.Entry{Prompt: fmt.Append(nil, "prompt ", i), Answer: []byte("yes"), Vector: vec(float64(i)), Cost: 0.01, Tokens: 3})
				w.now.Add(1000)
			}
			used := func(n *semcache.Namespace, i int) string { return fmt.Sprint("prompt ", i*4) }
			for range 20 { // ten of them are asked for again and again
				w.now.Add(60_000)
				for i := range 10 {
					if a := w.get(n, semcache.Query{Prompt: []byte(used(n, i))}); a.Status != semcache.Exact {
						t.Fatalf("%+v", a)
					}
				}
			}
			w.get(n, semcache.Query{Prompt: []byte("nothing like it"), Vector: vec(180)})
			w.cache.Keep(w.call())
			want := n.Stats()

			w2, n2 := log.replayed(t, "ns", p, w.now.Load()+5000)
			got := n2.Stats()
			for _, s := range []*semcache.Stats{&want, &got} {
				s.Cost = math.Round(s.Cost*1e6) / 1e6
			}
			if got != want || got.Exact != 200 || got.Misses != 1 || got.Tokens != 600 {
				t.Errorf("after a restart %+v, was %+v", got, want)
			}
			for i := range 8 { // few enough that each sample has some that were not used
				w2.now.Add(1000)
				w2.put(n2, semcache.Entry{Prompt: fmt.Append(nil, "another ", i), Answer: []byte("yes"), Vector: vec(float64(100 + i)), Cost: 0.01})
			}
			if n2.Len() > 40 {
				t.Errorf("%d entries", n2.Len())
			}
			for i := range 10 {
				if a := w2.get(n2, semcache.Query{Prompt: []byte(used(n2, i)), Mode: semcache.OnlyExact}); a.Status != semcache.Exact {
					t.Errorf("%s is gone", used(n2, i))
				}
			}
		})
	}
}

// Who is asked for often is written seldom, and neither indexes nor readers hear of it.
func TestUseIsWrittenSeldom(t *testing.T) {
	w := newWorld(t)
	n := w.create("ns", semcache.Defaults(2))
	id := w.put(n, semcache.Entry{Prompt: []byte("p"), Answer: []byte("yes"), Vector: vec(0)})
	var log effects
	w.ks.Observe(&log)
	for range 1000 {
		w.now.Add(10)
		w.get(n, semcache.Query{Prompt: []byte("p")})
	}
	entry, figures := 0, 0
	for _, l := range log.args {
		switch {
		case l[0] != "HSET":
			t.Errorf("%q", l)
		case strings.HasSuffix(l[1], id):
			entry++
		default:
			figures++
		}
	}
	if entry != 10 || figures != 1 { // 1, 2, 4 … 512; 10 s
		t.Errorf("1000 hits were written %d times, the figures %d times", entry, figures)
	}
	w.now.Add(11 * 60_000)
	w.get(n, semcache.Query{Prompt: []byte("p")})
	if last := log.args[len(log.args)-2]; !strings.HasSuffix(last[1], id) {
		t.Errorf("%q", last)
	}
}
