package attr

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// distanceOf is the plain table.
func distanceOf(a, b []rune) int {
	row := make([]int, len(b)+1)
	for i := range row {
		row[i] = i
	}
	for i, c := range a {
		prev := row[0]
		row[0] = i + 1
		for k, r := range b {
			cost := prev
			if r != c {
				cost = 1 + min(prev, row[k], row[k+1])
			}
			prev, row[k+1] = row[k+1], cost
		}
	}
	return row[len(b)]
}

func randomWord(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(7) {
		b.WriteRune([]rune("abcäß語")[r.IntN(6)])
	}
	return b.String()
}

func TestLevenshteinIsThatOfTheTable(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var words []string
		for range 60 {
			words = append(words, randomWord(r))
		}
		slices.Sort(words)
		words = slices.Compact(words)
		want, edits, prefix := randomWord(r), r.IntN(4), r.IntN(2) == 0
		l := NewLevenshtein(want, edits, prefix)
		for i := 0; i < len(words); i++ {
			w := []rune(words[i])
			truth := distanceOf([]rune(want), w)
			for n := range w {
				if prefix {
					truth = min(truth, distanceOf([]rune(want), w[:n]))
				}
			}
			dist, ok, dead := l.Next(words[i])
			if ok != (truth <= edits) || ok && dist != truth {
				t.Fatalf("%q of %q (prefix %v): %d, %v, want %d", words[i], want, prefix, dist, ok, truth)
			}
			for dead > 0 && i+1 < len(words) && strings.HasPrefix(words[i+1], words[i][:dead]) {
				i++
				if d := distanceOf([]rune(want), []rune(words[i])); d <= edits {
					t.Fatalf("%q was left out, which is %d from %q", words[i], d, want)
				}
			}
		}
	}
}

func TestFuzzyFindsWhatIsNear(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	x := NewText([]TextField{{Weight: 1}}, nil)
	var all []string
	for id := range uint32(3000) {
		w := randomWord(r) + randomWord(r)
		if w == "" {
			continue
		}
		all = append(all, w)
		x.Put(id, words(w))
	}
	slices.Sort(all)
	all = slices.Compact(all)
	for range 100 {
		want, edits := randomWord(r)+randomWord(r), r.IntN(4)
		var got, truth []string
		x.Fuzzy(want, edits, func(w string, id TermID, dist int) bool {
			if d := distanceOf([]rune(want), []rune(w)); d != dist {
				t.Fatalf("%q is %d from %q, not %d", w, d, want, dist)
			}
			if known, ok := x.Term(w); !ok || known != id {
				t.Fatalf("%q is not term %d", w, id)
			}
			got = append(got, w)
			return true
		})
		for _, w := range all {
			if distanceOf([]rune(want), []rune(w)) <= edits {
				truth = append(truth, w)
			}
		}
		if !slices.Equal(got, truth) {
			t.Fatalf("%q within %d: %q, want %q", want, edits, got, truth)
		}
	}
}

// TestSoundsFollowTheWords puts and removes documents: words that sound alike are those
// that there are.
func TestSoundsFollowTheWords(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	x := NewText([]TextField{{Weight: 1, Phonetic: true}, {Weight: 1}}, nil)
	vocab := []string{"john", "jon", "joan", "felix", "phelix", "smith", "smithe", "語", "12"}
	for range 2000 {
		id := uint32(r.IntN(8))
		if r.IntN(3) == 0 {
			x.Remove(id)
		} else {
			x.Put(id, words(vocab[r.IntN(len(vocab))]+" "+vocab[r.IntN(len(vocab))]))
		}
		for _, w := range vocab {
			var got, want []string
			for _, m := range x.Sounding(nil, w) {
				got = append(got, x.Name(m.ID))
			}
			for _, o := range vocab {
				if _, ok := x.Term(o); ok && o != w && soundOf(o) != "" && soundOf(o) == soundOf(w) {
					want = append(want, o)
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("%s sounds like %q, want %q", w, got, want)
			}
		}
	}
}
