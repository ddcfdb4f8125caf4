package search

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearcache/nearcache/index/query"
)

// TestSearchWhileReplacing holds that a search sees all of a document's old
// content or all of its new one, and each document exactly once.
func TestSearchWhileReplacing(t *testing.T) {
	t.Parallel()
	x := newTester(t, "g TAG t TEXT n NUMERIC v VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2")
	const docs = 40
	// Content a lies at x = 0..docs, content b at 1000 and more.
	content := func(i int, b bool) func(string) ([]byte, bool) {
		if b {
			return hash("g", "b", "t", "beta", "n", fmt.Sprint(1000+i), "v", string(blob(float32(1000+i), 0)))
		}
		return hash("g", "a", "t", "alpha", "n", fmt.Sprint(i), "v", string(blob(float32(i), 0)))
	}
	for i := range docs {
		if err := x.ix.Put(fmt.Sprint(i), 1, 0, content(i, false)); err != nil {
			t.Fatal(err)
		}
	}
	var version atomic.Uint64
	version.Store(1)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for {
				select {
				case <-stop:
					return
				default:
				}
				i := r.IntN(docs)
				v := version.Add(1)
				if err := x.ix.Put(fmt.Sprint(i), v, 0, content(i, r.IntN(2) == 0)); err != nil {
					t.Error(err)
				}
				// Documents that come and go use labels again.
				name := fmt.Sprint("t", r.IntN(5))
				if r.IntN(2) == 0 {
					_ = x.ix.Put(name, version.Add(1), 0, hash("v", string(blob(-1e6, 0))))
				} else {
					x.ix.Delete(name, version.Add(1))
				}
			}
		}()
	}
	params := query.Params{[]byte("a"), blob(0, 0), []byte("b"), blob(1000, 0)}
	deadline := time.Now().Add(1500 * time.Millisecond)
	for s := range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(uint64(s), 2))
			check := func(text string, total int, each func(name string, d float64) bool) {
				q, err := query.Parse([]byte(text), query.Options{Params: params})
				if err != nil {
					t.Error(err)
					return
				}
				res, err := x.ix.Search(q, Options{Num: -1})
				if err != nil {
					t.Error(err)
					return
				}
				defer res.Release()
				seen := map[string]bool{}
				for i, row := range res.Rows {
					d := 0.0
					if len(res.Yields) > 0 {
						d, _ = res.Distance(i, 0)
					}
					if seen[row.Name] || !each(row.Name, d) {
						t.Errorf("%s: %s at %v", text, row.Name, d)
					}
					seen[row.Name] = true
				}
				if total >= 0 && res.Total != total {
					t.Errorf("%s: %d, want %d", text, res.Total, total)
				}
			}
			any := func(string, float64) bool { return true }
			near := func(_ string, d float64) bool { return d < 1e4 }
			for time.Now().Before(deadline) && !t.Failed() {
				switch r.IntN(8) {
				case 0:
					check("@n:[0 inf]", docs, any)
				case 1:
					check("@g:{a} | beta", docs, any)
				case 2:
					check("@g:{a} beta", 0, any)
				case 3:
					check("@v:[VECTOR_RANGE 10000000 $a]", docs, any)
				case 4:
					check("@g:{a}=>[KNN 100 @v $a AS d]", -1, near)
				case 5:
					check("(@v:[VECTOR_RANGE 10000000 $b]=>{$yield_distance_as:d} @g:{b})", -1, near)
				case 6:
					check(fmt.Sprintf("*=>[KNN %d @v $b]", docs), docs, any)
				case 7:
					check("(@v:[VECTOR_RANGE 10000 $a] | @v:[VECTOR_RANGE 10000 $b])", docs, any)
				}
			}
		}()
	}
	time.Sleep(time.Until(deadline))
	close(stop)
	wg.Wait()
	x.ix.sweep()
	if n := x.ix.dead.Load(); n != 0 {
		t.Errorf("%d labels are still retired", n)
	}
	if n, free, live := len(x.ix.mu.docs), len(x.ix.mu.free), x.ix.Len(); n != free+live {
		t.Errorf("of %d labels %d are free, and %d are documents'", n, free, live)
	}
}

// TestSearchOfKeysWhileReplacing holds that INKEYS finds a document that is there all the time, whatever label it has.
func TestSearchOfKeysWhileReplacing(t *testing.T) {
	t.Parallel()
	x := newTester(t, "n NUMERIC v VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2")
	put := func(i int) {
		if err := x.ix.Put("a", uint64(i+1), 0, hash("n", "1", "v", string(blob(float32(i), 0)))); err != nil {
			t.Error(err)
		}
	}
	put(0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 20000 {
			put(i + 1)
		}
	}()
	q, err := query.Parse([]byte("@n:[1 1]"), query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for writing := true; writing; {
		select {
		case <-done:
			writing = false
		default:
		}
		res, err := x.ix.Search(q, Options{Num: 1, HasInKeys: true, InKeys: []string{"a", "b", "c", "a"}})
		if err != nil {
			t.Fatal(err)
		}
		if res.Total != 1 {
			t.Errorf("%d documents", res.Total)
			writing = false
		}
		res.Release()
	}
	<-done
}

// TestPutsOfOneNameInAnyOrder holds that the newest version wins.
func TestPutsOfOneNameInAnyOrder(t *testing.T) {
	t.Parallel()
	x := newTester(t, "g TAG v VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2")
	x.params = query.Params{[]byte("b"), blob(0, 0)}
	for round := range 50 {
		var wg sync.WaitGroup
		name := fmt.Sprint(round)
		for _, v := range rand.Perm(8) {
			wg.Add(1)
			go func() {
				defer wg.Done()
				switch {
				case v == 7 && round%2 == 0:
					x.ix.Delete(name, 100)
				default:
					_ = x.ix.Put(name, uint64(v+1), 0, hash("g", fmt.Sprint("v", v), "v", string(blob(float32(v), 0))))
				}
			}()
		}
		wg.Wait()
		if round%2 == 0 {
			x.want("*", Options{}, "0:")
			continue
		}
		x.want("@g:{v7}=>[KNN 9 @v $b]", Options{}, fmt.Sprintf("1: %s=49", name))
		x.want("*=>[KNN 9 @v $b]", Options{}, fmt.Sprintf("1: %s=49", name))
		x.ix.Delete(name, 100)
	}
}

// TestCloseWhileSearching holds that Close waits for what is under way.
func TestCloseWhileSearching(t *testing.T) {
	t.Parallel()
	x := five(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				if _, err := x.search("*=>[KNN 2 @v $b]", Options{Num: 5}); err != nil {
					return
				}
			}
		}()
	}
	time.Sleep(10 * time.Millisecond)
	if err := x.ix.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
}
