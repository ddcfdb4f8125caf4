package commands

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestSortPartIsThePartOfAllSorted(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	compare := func(x, y *sortItem) int { return cmp.Or(cmp.Compare(x.score, y.score), cmp.Compare(x.at, y.at)) }
	for range 500 {
		n := 1 + rnd.IntN(300)
		items := make([]sortItem, n)
		for i := range items {
			items[i] = sortItem{at: i, score: float64(rnd.IntN(1 + rnd.IntN(200)))}
			switch n % 3 {
			case 1:
				items[i].score = float64(i)
			case 2:
				items[i].score = -float64(i / 3)
			}
		}
		want := slices.Clone(items)
		slices.SortFunc(want, func(x, y sortItem) int { return compare(&x, &y) })
		lo := rnd.IntN(n + 1)
		hi := lo + rnd.IntN(n-lo+1)
		sortPart(items, lo, hi, compare)
		for i := lo; i < hi; i++ {
			if items[i].at != want[i].at {
				t.Fatalf("%d to %d of %d: %d is at %d", lo, hi, n, items[i].at, i)
			}
		}
	}
}

// TestSortPartTakesNoSquareTime counts comparisons of inputs that are bad for
// simple pivots.
func TestSortPartTakesNoSquareTime(t *testing.T) {
	t.Parallel()
	const n = 20_000
	for name, score := range map[string]func(i int) float64{
		"ascending":  func(i int) float64 { return float64(i) },
		"descending": func(i int) float64 { return float64(-i) },
		"equal":      func(int) float64 { return 1 },
		"organ pipe": func(i int) float64 { return float64(min(i, n-i)) },
	} {
		items := make([]sortItem, n)
		for i := range items {
			items[i] = sortItem{at: i, score: score(i)}
		}
		calls := 0
		sortPart(items, 0, 10, func(x, y *sortItem) int {
			calls++
			return cmp.Or(cmp.Compare(x.score, y.score), cmp.Compare(x.at, y.at))
		})
		if calls > 20*n {
			t.Errorf("%s: %d comparisons", name, calls)
		}
	}
}

// TestEffectsOfSortRebuildItsLists: what a set is sorted by may leave the order of
// its members open, and the log must not.
func TestEffectsOfSortRebuildItsLists(t *testing.T) {
	t.Parallel()
	a, b := newClient(t, 2), newClient(t, 3)
	var log recorder
	a.Keyspace.Observe(&log)
	for i := range 2000 {
		a.run(argv("SADD", "s", fmt.Sprint("m", i)))
		if i%3 == 0 {
			a.run(argv("SET", fmt.Sprint("w_m", i), fmt.Sprint(i%7)))
		}
	}
	a.run(argv("RPUSH", "gone", "x"))
	a.run(argv("SET", "string", "x", "PX", "100000"))
	for _, line := range []string{
		"SORT s BY w_* ALPHA STORE l1", "SORT s BY w_* STORE l2", "SORT s BY w_* ALPHA DESC LIMIT 5 100 STORE l3",
		"SORT s BY nosort GET # GET w_* STORE l4", "SORT l1 BY nosort STORE l1", "SORT none STORE gone", "SORT s ALPHA STORE string",
	} {
		if reply := a.run(argv(strings.Fields(line)...)); reply[0] != ':' {
			t.Fatalf("%s: %s", line, reply)
		}
	}
	for _, e := range log.effects {
		if strings.EqualFold(string(e.Args[0]), "sort") {
			t.Fatalf("%q is in the log", e.Args)
		}
		b.S.Select(e.DB)
		if reply := b.run(e.Args); reply[0] == '-' {
			t.Fatalf("effect %q: %s", e.Args, reply)
		}
	}
	sameContents(t, a, b)
}
