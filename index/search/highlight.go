package search

import (
	"slices"
	"strings"

	"github.com/nearcache/nearcache/index/attr"
	"github.com/nearcache/nearcache/index/query"
)

// Highlight puts tags around the words that a query found.
type Highlight struct{ Open, Close string }

// Summary cuts a text down to the places around the words that a query found.
type Summary struct {
	Frags     int // how many places at most, the best ones
	Len       int // words around each
	Separator string
}

// RediSearch's figures (src/fragmenter.c).
const (
	fragmentGap = 8 // matches with more words between them are two places
	wordBytes   = 6 // a word with its space, about
	maxContext  = 1 << 20
)

// Terms are the words that a query looks for, to show where they stand. They
// are valid as long as the index is not closed.
type Terms struct {
	lang  attr.Language // of the query
	ix    *Index
	ids   map[string]int // by word, and by + and stem
	score []float64      // by id: rarer words make better places
	buf   []byte
	hits  []place
}

// place is where a word of a text stands that a query looks for.
type place struct {
	start, end int // bytes
	pos        int // words before it
	id         int
}

// fragment is a part of a text in which words of the query stand close together.
type fragment struct {
	hits  []place
	words int // from the first of them to the last
	score float64
}

func (f *fragment) start() int { return f.hits[0].start }
func (f *fragment) end() int   { return f.hits[len(f.hits)-1].end }

// terms collects the words of a plan that a scorer has bound. mu is locked.
func (e *exec) terms(x *plan) *Terms {
	t := &Terms{ix: e.ix, lang: e.o.Language, ids: map[string]int{}}
	var walk func(*plan)
	walk = func(x *plan) {
		if x.kind == query.Not {
			return
		}
		if x.isText() {
			for _, l := range x.leaves {
				if _, ok := t.ids[l.name]; !ok {
					t.ids[l.name] = len(t.score)
					t.score = append(t.score, l.idf)
				}
			}
		}
		for _, k := range x.kids {
			walk(k)
		}
	}
	if x != nil {
		walk(x)
	}
	return t
}

// Show appends the text of a field as it is to be shown: summarized if s is
// given, tagged if h is. A field that is not TEXT is shown as it is.
func (t *Terms) Show(dst []byte, field string, text []byte, h *Highlight, s *Summary) []byte {
	a := t.ix.byName[field]
	if a == nil || a.Type != TypeText {
		return append(dst, text...)
	}
	frags := t.fragments(text, !a.NoStem)
	var tags Highlight
	if h != nil {
		tags = *h
	}
	switch {
	case len(frags) == 0 && s != nil && h == nil:
		return head(dst, text, s)
	case len(frags) == 0:
		return append(dst, text...)
	case s == nil:
		at := 0
		for i := range frags {
			dst, at = tags.write(dst, text, at, frags[i].hits)
		}
		return append(dst, text[at:]...)
	}
	return summarize(dst, text, frags, tags, s)
}

// write appends the text from a byte to the last of the hits, in tags.
func (h Highlight) write(dst, text []byte, at int, hits []place) ([]byte, int) {
	for _, p := range hits {
		dst = append(dst, text[at:p.start]...)
		dst = append(dst, h.Open...)
		dst = append(dst, text[p.start:p.end]...)
		dst = append(dst, h.Close...)
		at = p.end
	}
	return dst, at
}

// fragments finds the words in a text.
func (t *Terms) fragments(text []byte, stemmed bool) []fragment {
	t.hits = t.hits[:0]
	pos := 0
	t.buf = attr.TokensAt(text, t.buf, func(w []byte, start, end int) {
		if _, ok := t.ix.stop[string(w)]; ok {
			return
		}
		id, ok := t.ids[string(w)]
		if !ok && stemmed && t.ix.text != nil {
			id, ok = t.ids["+"+t.ix.text.Stem(string(w), t.lang)]
		}
		if ok {
			t.hits = append(t.hits, place{start, end, pos, id})
		}
		pos++
	})
	var frags []fragment
	for i, p := range t.hits {
		if i == 0 || p.pos-t.hits[i-1].pos > fragmentGap {
			frags = append(frags, fragment{hits: t.hits[i:i:len(t.hits)]})
		}
		f := &frags[len(frags)-1]
		if !slices.ContainsFunc(f.hits, func(o place) bool { return o.id == p.id }) {
			f.score += t.score[p.id]
		}
		f.hits = f.hits[:len(f.hits)+1]
		f.words = p.pos - f.hits[0].pos + 1
	}
	return frags
}

// summarize appends the best fragments in their order, each with what stands around it.
func summarize(dst, text []byte, frags []fragment, tags Highlight, s *Summary) []byte {
	if len(frags) > s.Frags {
		slices.SortStableFunc(frags, func(a, b fragment) int {
			switch {
			case a.score > b.score:
				return -1
			case a.score < b.score:
				return 1
			}
			return 0
		})
		frags = frags[:s.Frags]
		slices.SortFunc(frags, func(a, b fragment) int { return a.start() - b.start() })
	}
	for i := range frags {
		f := &frags[i]
		low, high := 0, len(text)
		if i > 0 {
			low = frags[i-1].end()
		}
		if i+1 < len(frags) {
			high = frags[i+1].start() + 1
		}
		from, to := f.around(text, low, high, s.Len)
		n := len(dst)
		dst, _ = tags.write(dst, text, from, f.hits)
		dst = append(dst, text[f.end():to]...)
		dst = append(dst[:n], oneSpace(dst[n:])...)
		dst = append(dst, s.Separator...)
	}
	return dst
}

// around is the fragment with so many words before and behind it, less those in it.
func (f *fragment) around(text []byte, low, high, words int) (from, to int) {
	from, to = f.start(), f.end()
	words = min(words, maxContext) - (f.words - len(f.hits))
	if words <= 0 {
		return from, to
	}
	n := words / 2 * wordBytes
	low = max(from-n, low)
	for low < from && !attr.Separates(text[low]) {
		low++
	}
	for low < from && attr.Separates(text[low]) {
		low++
	}
	last := min(to+n, high-1) // the last byte, if it is not before the fragment's end
	for last > to && !attr.Separates(text[last]) {
		last--
	}
	for last > to && attr.Separates(text[last]) {
		last--
	}
	return low, max(to, min(last+1, len(text)))
}

// head appends the beginning of a text in which no word stands.
func head(dst, text []byte, s *Summary) []byte {
	n := len(text)
	if words := min(s.Len, maxContext) * min(s.Frags, maxContext); words < n { // else the text is shorter
		n = min(n, words*wordBytes+wordBytes)
	}
	out := oneSpace(slices.Clone(text[:n]))
	for len(out) > 1 && !attr.Separates(out[len(out)-1]) {
		out = out[:len(out)-1]
	}
	return append(dst, strings.TrimRight(string(out), " \t\n\v\f\r")...)
}

// oneSpace makes runs of white space one space, in place.
func oneSpace(s []byte) []byte {
	out := s[:0]
	for i, c := range s {
		space := c == ' ' || c >= '\t' && c <= '\r'
		if space && i > 0 && len(out) > 0 && out[len(out)-1] == ' ' {
			continue
		}
		if space {
			c = ' '
		}
		out = append(out, c)
	}
	return out
}
