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
	usual := maxLocked
	maxLocked = 50 * time.Millisecond
	t.Cleanup(func() { maxLocked = usual })
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
	for _, c := range []struct {
		text string
		cut  bool // the search is ended
	}{
		{strings.Repeat("|w*", 5000)[1:], true},
		{strings.Repeat("|@n:[-inf +inf]", 30000)[1:], true},
		{strings.Repeat(" -@n:[-inf 5]", 30000)[1:], false}, // few numbers: as soon done as not
	} {
		q, err := query.Parse([]byte(c.text), query.Options{})
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
				if c.cut && !res.TimedOut {
					t.Errorf("%.12s… went on for %v", c.text, time.Since(start))
				}
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
				t.Logf("%.12s… took %v, the longest write %v", c.text, d, worst)
				running = false
			case <-time.After(time.Millisecond):
			}
		}
		// A machine may stand still for seconds; the first of these takes two minutes.
		if worst > 30*time.Second {
			t.Errorf("%.12s… kept a writer waiting for %v", c.text, worst)
		}
	}
}
