package search

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/index/query"
)

// TestCostlyQueriesLetWritersIn asks what would take minutes, and writes meanwhile.
func TestCostlyQueriesLetWritersIn(t *testing.T) {
	x := newTester(t, "t TEXT n NUMERIC g TAG")
	put := func(i int) {
		t.Helper()
		if err := x.ix.Put(fmt.Sprint(i), uint64(x.ix.seq.Add(1)), 0, hash("t", fmt.Sprintf("word%d common", i%500), "n", fmt.Sprint(i), "g", "a")); err != nil {
			t.Fatal(err)
		}
	}
	const docs = 5000
	for i := range docs {
		put(i)
	}
	for _, text := range []string{
		strings.Repeat("|w*", 5000)[1:],
		strings.Repeat("|@n:[-inf +inf]", 30000)[1:],
		strings.Repeat(" -@n:[-inf 5]", 30000)[1:],
	} {
		q, err := query.Parse([]byte(text), query.Options{})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan time.Duration, 1)
		start := time.Now()
		go func() {
			res, err := x.ix.Search(q, Options{Num: 10})
			if err != nil {
				t.Error(err)
			} else {
				res.Release()
			}
			done <- time.Since(start)
		}()
		var worst time.Duration
		for running := true; running; {
			at := time.Now()
			put(docs)
			worst = max(worst, time.Since(at))
			select {
			case d := <-done:
				t.Logf("%.12s… took %v, the longest write %v", text, d, worst)
				running = false
			case <-time.After(time.Millisecond):
			}
		}
		if limit := 60 * maxLocked; worst > limit { // a machine may stall, but not for as long as these would take
			t.Errorf("%.12s… kept a writer waiting for %v", text, worst)
		}
	}
}
