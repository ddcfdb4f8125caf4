package sug

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestGetFindsTheBest compares with a look at everything, while suggestions come, change and go.
func TestGetFindsTheBest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	v := New()
	all := map[string]*entry{}
	word := func(n int) string {
		var b strings.Builder
		for range 1 + r.IntN(n) {
			b.WriteRune([]rune("aAbcé")[r.IntN(5)])
		}
		return b.String()
	}
	for step := range 6000 {
		w := word(8)
		switch r.IntN(5) {
		case 0:
			_, ok := all[w]
			if v.Remove([]byte(w)) != ok {
				t.Fatalf("removing %q", w)
			}
			delete(all, w)
		default:
			x, incr := float64(r.IntN(50)), r.IntN(3) == 0
			var payload []byte
			if r.IntN(3) == 0 {
				payload = []byte(w)
			}
			v.Add([]byte(w), x, incr, payload)
			e := all[w]
			if e == nil {
				e = &entry{fold: strings.ToLower(w), text: w}
				all[w] = e
			}
			if incr {
				e.score += float32(x)
			} else {
				e.score = float32(x)
			}
			if payload != nil {
				e.payload = w
			}
		}
		if v.Len() != len(all) {
			t.Fatal(v.Len(), len(all))
		}
		if step%20 > 0 {
			continue
		}
		q, limit, fuzzy := word(4), r.IntN(12), r.IntN(2) == 0
		fold := strings.ToLower(q)
		var want []Suggestion
		for _, e := range all {
			dist, ok := 0, strings.HasPrefix(e.fold, fold)
			if fuzzy {
				dist = prefixDistance([]rune(fold), []rune(e.fold))
				ok = dist <= 1
			}
			if ok {
				want = append(want, Suggestion{e.text, e.rank(fold, len(q), fuzzy, dist), e.payload})
			}
		}
		slices.SortFunc(want, func(a, b Suggestion) int {
			if better(&a, &b) {
				return -1
			}
			return 1
		})
		want = want[:min(len(want), limit)]
		if got := v.Get(q, limit, fuzzy); !slices.Equal(got, want) {
			t.Fatalf("%q, fuzzy %v: %v, want %v", q, fuzzy, got, want)
		}
	}
	size := 0
	for _, b := range v.blocks {
		for i := range b.entries {
			size += b.entries[i].size()
		}
	}
	if size != v.bytes {
		t.Errorf("%d bytes counted, there are %d", v.bytes, size)
	}
	c := New()
	v.Rebuild([]byte("k"), func(args ...[]byte) {
		var x float64
		_, _ = fmt.Sscan(string(args[3]), &x)
		var payload []byte
		if len(args) > 4 {
			payload = args[5]
		}
		c.Add(args[2], x, false, payload)
	})
	for _, o := range []*Value{c, v.Clone().(*Value)} {
		if !slices.Equal(o.Get("", v.Len(), false), v.Get("", v.Len(), false)) || o.Size() < v.n {
			t.Error("the copy holds something else")
		}
	}
}

func prefixDistance(a, b []rune) int {
	best := len(a)
	row := make([]int, len(a)+1)
	for i := range row {
		row[i] = i
	}
	for n, c := range b {
		prev := row[0]
		row[0] = n + 1
		for i, r := range a {
			cost := prev
			if r != c {
				cost = 1 + min(prev, row[i], row[i+1])
			}
			prev, row[i+1] = row[i+1], cost
		}
		best = min(best, row[len(a)])
	}
	return best
}

// TestScores has the figures of RediSearch's documentation of FT.SUGGET.
func TestScores(t *testing.T) {
	v := New()
	v.Add([]byte("hello"), 1, false, nil)
	v.Add([]byte("hell"), 1, false, nil)
	l := v.Get("hell", 3, true)
	if len(l) != 2 || l[0].Text != "hell" || l[0].Score != 2147483648 || l[1].Score != float32(math.Sqrt(0.5)) {
		t.Error(l)
	}
}

func BenchmarkGet(b *testing.B) {
	v := New()
	r := rand.New(rand.NewPCG(1, 2))
	for range 300_000 {
		v.Add(fmt.Appendf(nil, "%c%c%c %d", 'a'+r.IntN(26), 'a'+r.IntN(26), 'a'+r.IntN(26), r.IntN(1000)), float64(r.IntN(1000)), false, nil)
	}
	for _, fuzzy := range []bool{false, true} {
		for _, q := range []string{"a", "abc"} {
			b.Run(fmt.Sprintf("prefix=%s/fuzzy=%v", q, fuzzy), func(b *testing.B) {
				for b.Loop() {
					v.Get(q, 5, fuzzy)
				}
			})
		}
	}
}
