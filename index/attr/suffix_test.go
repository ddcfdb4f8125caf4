package attr

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestSuffixes compares what the list of endings finds with a look at all words, while
// documents come and go.
func TestSuffixes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 12))
	x := NewText([]TextField{{Weight: 1}}, nil)
	tags := NewTags(0, false, false)
	letters := []string{"a", "b", "ab", "é", "日本", "\xff", "\x80", "c"}
	word := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteString(letters[r.IntN(len(letters))])
		}
		return b.String()
	}
	listed, found := false, 0
	for round := range 3000 {
		id := uint32(r.IntN(400))
		if r.IntN(5) == 0 {
			x.Remove(id)
			tags.Remove(id)
			continue
		}
		w := word(1 + r.IntN(6))
		if r.IntN(40) == 0 {
			w = word(2 * maxSuffixed)
		}
		x.Put(id, words(w))
		tags.Put(id, []byte(w))
		if round == 1000 {
			x.ListSuffixes()
			tags.ListSuffixes()
			listed = true
		}
		if !listed || round%5 > 0 {
			continue
		}
		part, end := word(1+r.IntN(3)), r.IntN(2) == 0
		part = strings.ToLower(part)
		fits := func(w string) bool {
			return end && strings.HasSuffix(w, part) || !end && strings.Contains(w, part)
		}
		var got, want []string
		x.Words(func(w string) bool {
			if fits(w) {
				want = append(want, w)
			}
			return true
		})
		if x.Holding(part, end, func(w string) bool { got = append(got, w); return true }) {
			found++
			if !slices.Equal(got, want) {
				t.Fatalf("%q end=%t: %q, want %q", part, end, got, want)
			}
		} else if begins(part[0]) && len(x.suffixes.list.blocks) == 1 {
			t.Errorf("%q: nothing was looked for", part)
		}
		got, want = nil, nil
		tags.Each(func(tag string, _ *Set) bool {
			if fits(tag) {
				want = append(want, tag)
			}
			return true
		})
		if tags.Holding(part, end, func(w string, s *Set) bool {
			if s != tags.Find(w) {
				t.Fatal(w)
			}
			got = append(got, w)
			return true
		}) && !slices.Equal(got, want) {
			t.Fatalf("tags, %q end=%t: %q, want %q", part, end, got, want)
		}
	}
	if found < 100 {
		t.Errorf("only %d were looked up", found)
	}
	for id := range uint32(400) {
		x.Remove(id)
		tags.Remove(id)
	}
	if s := x.suffixes; s.list.n+len(s.long) > 0 {
		t.Errorf("left behind: %d and %d", s.list.n, len(s.long))
	}
	if s := tags.suffixes; s.list.n+len(s.long) > 0 {
		t.Errorf("left behind: %d and %d", s.list.n, len(s.long))
	}
}

// BenchmarkHolding is an infix among 100,000 words, and a look at all of them.
func BenchmarkHolding(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 13))
	x := NewText([]TextField{{Weight: 1}}, nil)
	for i := range 100_000 {
		x.Put(uint32(i), words(fmt.Sprintf("w%xord%x", r.Uint32(), i)))
	}
	before, _ := x.Bytes()
	x.ListSuffixes()
	after, _ := x.Bytes()
	b.Run("listed", func(b *testing.B) {
		n := 0
		for b.Loop() {
			if !x.Holding("rd7ab", false, func(string) bool { n++; return true }) {
				b.Fatal("not looked up")
			}
		}
		b.ReportMetric(float64(after-before)/100_000, "B/word")
		_ = n
	})
	b.Run("all", func(b *testing.B) {
		n := 0
		for b.Loop() {
			x.Words(func(w string) bool {
				if strings.Contains(w, "rd7ab") {
					n++
				}
				return true
			})
		}
	})
}
