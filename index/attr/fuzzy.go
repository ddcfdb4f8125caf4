package attr

import (
	"strings"
	"unicode/utf8"
)

// Levenshtein tells which words of a sorted list are at most so many insertions,
// deletions and replacements away from a word, or begin so. What it has computed
// for a word's beginning it uses again for the next, and it tells which beginnings
// lead nowhere, so that a list is walked as a trie would be.
type Levenshtein struct {
	want   []rune
	edits  int
	prefix bool
	last   string
	ends   []int   // by depth: the byte behind that many runes of last
	rows   [][]int // by depth
	best   []int   // by depth: the least distance of a beginning of up to that many runes
}

// NewLevenshtein looks for want; with prefix set, for words of which a beginning is near.
func NewLevenshtein(want string, edits int, prefix bool) *Levenshtein {
	l := &Levenshtein{want: []rune(want), edits: edits, prefix: prefix}
	row := make([]int, len(l.want)+1)
	for i := range row {
		row[i] = i
	}
	l.rows, l.ends, l.best = [][]int{row}, []int{0}, []int{len(l.want)}
	return l
}

// Next takes the next word of the list. dist is its distance, or that of its nearest
// beginning; ok says whether that is near enough. If not, and dead is more than 0, no
// word that begins with so many of its bytes is near.
func (l *Levenshtein) Next(word string) (dist int, ok bool, dead int) {
	depth := 0
	for depth+1 < len(l.ends) && strings.HasPrefix(word, l.last[:l.ends[depth+1]]) {
		depth++
	}
	l.last, l.ends, l.best = word, l.ends[:depth+1], l.best[:depth+1]
	for {
		row := l.rows[depth]
		at := l.ends[depth]
		if l.prefix && (l.best[depth] == 0 || least(row) >= l.best[depth]) && l.best[depth] <= l.edits {
			return l.best[depth], true, 0 // what follows brings it no nearer
		}
		if m := least(row); m > l.edits {
			if l.prefix && l.best[depth] <= l.edits {
				return l.best[depth], true, 0
			}
			return m, false, at
		}
		if at == len(word) {
			if l.prefix {
				return l.best[depth], l.best[depth] <= l.edits, 0
			}
			return row[len(l.want)], row[len(l.want)] <= l.edits, 0
		}
		c, n := utf8.DecodeRuneInString(word[at:])
		depth++
		if depth == len(l.rows) {
			l.rows = append(l.rows, make([]int, len(l.want)+1))
		}
		next := l.rows[depth]
		next[0] = depth
		for i, r := range l.want {
			cost := row[i]
			if r != c {
				cost = 1 + min(row[i], row[i+1], next[i])
			}
			next[i+1] = cost
		}
		l.ends = append(l.ends, at+n)
		l.best = append(l.best, min(l.best[depth-1], next[len(l.want)]))
	}
}

func least(row []int) int {
	m := row[0]
	for _, x := range row[1:] {
		m = min(m, x)
	}
	return m
}

// After is the first string behind all that begin with the prefix; false if there is none.
func After(prefix string) (string, bool) {
	b := []byte(prefix)
	for len(b) > 0 && b[len(b)-1] == 0xff {
		b = b[:len(b)-1]
	}
	if len(b) == 0 {
		return "", false
	}
	b[len(b)-1]++
	return string(b), true
}

// maxFuzzy is the length of the longest word that anything is near to.
const maxFuzzy = 256

// Fuzzy calls f with each word at most so many edits away from want, in their order,
// until f returns false.
func (t *Text) Fuzzy(want string, edits int, f func(word string, id TermID, dist int) bool) {
	if utf8.RuneCountInString(want) > maxFuzzy {
		return
	}
	l := NewLevenshtein(want, edits, false)
	b, i := 0, 0
	for b < len(t.sorted.blocks) {
		if i == len(t.sorted.blocks[b]) {
			b, i = b+1, 0
			continue
		}
		word := t.sorted.blocks[b][i]
		dist, ok, dead := l.Next(word)
		if ok && !f(word, t.dict[word], dist) {
			return
		}
		i++
		if dead == 0 {
			continue
		}
		to, more := After(word[:dead])
		if !more {
			return
		}
		if i == len(t.sorted.blocks[b]) || t.sorted.blocks[b][i] < to { // else the next word has left it
			b, i = t.sorted.seek(to)
		}
	}
}
