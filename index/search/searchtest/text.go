package searchtest

import (
	"math"
	"slices"
	"strings"

	"github.com/antzucaro/matchr"

	"github.com/nearcache/nearcache/index/attr"
	"github.com/nearcache/nearcache/index/query"
	"github.com/nearcache/nearcache/index/search"
)

// words are those of one field of a document, by value.
func (o *Oracle) words(d Doc, f *search.Field) (out [][]string) {
	for _, v := range d[f.Name] {
		var l []string
		attr.Tokens([]byte(v), nil, func(w []byte) {
			if !slices.Contains(attr.DefaultStopWords, string(w)) {
				l = append(l, string(w))
			}
		})
		if v == "" && f.IndexEmpty {
			l = []string{""}
		}
		out = append(out, l)
	}
	return out
}

// asks reports whether the node asks a TEXT field.
func (o *Oracle) asks(n *query.Node, f *search.Field) bool {
	fields := n.Fields
	if fields == nil {
		fields = o.InFields
	}
	return f.Type == search.TypeText && (fields == nil || slices.Contains(fields, f.Name))
}

// values calls fn with the words of each value of a TEXT field.
func (o *Oracle) values(d Doc, fn func(f *search.Field, words []string)) {
	for i := range o.Schema.Fields {
		if f := &o.Schema.Fields[i]; f.Type == search.TypeText {
			for _, l := range o.words(d, f) {
				fn(f, l)
			}
		}
	}
}

// spelling is one of the words that a term stands for, or +stem for all of that stem.
type spelling struct {
	word          string
	weight        float64
	stems, sounds bool // it counts in stemmed, in phonetic fields; neither: in all
}

func (s spelling) in(f *search.Field) bool {
	return !s.stems && !s.sounds || s.stems && !f.NoStem || s.sounds && f.Phonetic != ""
}

// count is how much a word of the field counts: 0 if it is another.
func (o *Oracle) count(s spelling, f *search.Field, w string) float64 {
	if stem, ok := strings.CutPrefix(s.word, "+"); ok {
		if f.NoStem || o.stem(w) == w || o.stem(w) != stem {
			return 0
		}
		return max(1, math.Floor(f.Weight*0.2))
	}
	if w != s.word {
		return 0
	}
	return max(1, math.Floor(f.Weight))
}

// spellings are the words that a term stands for.
func (o *Oracle) spellings(n *query.Node) []spelling {
	l := []spelling{{word: n.Text, weight: n.Weight()}}
	if n.Verbatim || o.Verbatim {
		return l
	}
	s := o.stem(n.Text)
	l = append(l, spelling{word: "+" + s, weight: 1, stems: true})
	if s != n.Text {
		l = append(l, spelling{word: s, weight: 1, stems: true})
	}
	for _, group := range o.Synonyms {
		for _, w := range group {
			as := spelling{word: w, weight: n.Weight()}
			if slices.Contains(group, n.Text) && w != n.Text && !slices.Contains(l, as) {
				l = append(l, as)
			}
		}
	}
	sounds := func(f search.Field) bool { return f.Phonetic != "" && o.asks(n, &f) }
	if n.Attrs != nil && n.Attrs.Phonetic == query.PhoneticOff || !slices.ContainsFunc(o.Schema.Fields, sounds) {
		return l
	}
	for k := range o.df {
		w, ok := strings.CutPrefix(k, "t")
		if !ok || w == n.Text || strings.HasPrefix(w, "+") || o.code(w) == "" || o.code(w) != o.code(n.Text) {
			continue
		}
		// What is another spelling already is none twice.
		switch i := slices.IndexFunc(l, func(s spelling) bool { return s.word == w && !s.stems }); {
		case i >= 0:
		default:
			if i = slices.IndexFunc(l, func(s spelling) bool { return s.word == w }); i >= 0 {
				l[i].sounds = true
			} else {
				l = append(l, spelling{word: w, weight: 1, sounds: true})
			}
		}
	}
	return l
}

// code is how a word sounds, "" if that is not known.
func (o *Oracle) code(w string) string {
	c, ok := o.codes[w]
	if !ok {
		c, _ = matchr.DoubleMetaphone(w)
		o.codes[w] = c
	}
	return c
}

// spelled is the weight of one spelling in a document; 0 if it stands in none of the
// fields asked.
func (o *Oracle) spelled(n *query.Node, doc string, s spelling) float64 {
	freq, in := 0.0, false
	o.values(o.Docs[doc], func(f *search.Field, words []string) {
		for _, w := range words {
			if x := o.count(s, f, w); x > 0 {
				freq += x
				in = in || o.asks(n, f) && s.in(f)
			}
		}
	})
	if !in {
		return 0
	}
	return s.weight * o.bm25(doc, "t"+s.word, freq)
}

// text is Match of a node of text.
func (o *Oracle) text(n *query.Node, doc string) (w float64, ok bool) {
	d, weight := o.Docs[doc], n.Weight()
	switch n.Kind {
	case query.Term:
		for _, s := range o.spellings(n) {
			w += o.spelled(n, doc, s)
		}
		return w, w != 0
	case query.Phrase:
		o.values(d, func(f *search.Field, words []string) {
			ok = ok || o.asks(n, f) && strings.Contains(" "+strings.Join(words, " ")+" ", " "+strings.Join(n.Words, " ")+" ")
		})
		if !ok {
			return 0, false
		}
		for _, x := range n.Words {
			w += o.spelled(n, doc, spelling{word: x, weight: 1})
		}
		return weight * w, true
	}
	// Patterns: the first word that fits counts.
	var l []string
	o.values(d, func(f *search.Field, words []string) {
		for _, x := range words {
			if o.asks(n, f) && fits(n.Kind, n.Text, n.Edits, x) {
				l = append(l, x)
			}
		}
	})
	if len(l) == 0 {
		return 0, false
	}
	return o.spelled(n, doc, spelling{word: slices.Min(l), weight: weight}), true
}

func fits(kind query.Kind, pattern string, edits int, w string) bool {
	switch kind {
	case query.Prefix:
		return strings.HasPrefix(w, pattern)
	case query.Suffix:
		return strings.HasSuffix(w, pattern)
	case query.Infix:
		return strings.Contains(w, pattern)
	case query.Fuzzy:
		return editsBetween(pattern, w) <= edits
	case query.Wildcard:
		if pattern == "" {
			return w == ""
		}
		if pattern[0] == '*' {
			return fits(kind, pattern[1:], 0, w) || w != "" && fits(kind, pattern, 0, w[1:])
		}
		return w != "" && (pattern[0] == '?' || pattern[0] == w[0]) && fits(kind, pattern[1:], 0, w[1:])
	}
	return w == pattern
}

// editsBetween is the table of the textbook.
func editsBetween(a, b string) int {
	row := make([][]int, len(a)+1)
	for i := range row {
		row[i] = make([]int, len(b)+1)
		for j := range row[i] {
			switch {
			case i == 0 || j == 0:
				row[i][j] = i + j
			case a[i-1] == b[j-1]:
				row[i][j] = row[i-1][j-1]
			default:
				row[i][j] = 1 + min(row[i-1][j-1], row[i-1][j], row[i][j-1])
			}
		}
	}
	return row[len(a)][len(b)]
}

// close is whether the words of an And stand close together in one of its fields.
func (o *Oracle) close(n *query.Node, d Doc) bool {
	var parts []*query.Node
	for _, c := range n.Children {
		switch c.Kind {
		case query.Term, query.Prefix, query.Suffix, query.Infix, query.Wildcard, query.Fuzzy:
			parts = append(parts, c)
		}
	}
	if len(parts) < 2 || !n.Attrs.HasSlop && !n.Attrs.InOrder {
		return true
	}
	slop, ok := -1, false
	if n.Attrs.HasSlop {
		slop = n.Attrs.Slop
	}
	o.values(d, func(f *search.Field, words []string) {
		if slices.ContainsFunc(parts, func(p *query.Node) bool { return !o.asks(p, f) }) {
			return
		}
		at := make([][]int, len(parts))
		for i, p := range parts {
			for pos, w := range words {
				if p.Kind != query.Term && fits(p.Kind, p.Text, p.Edits, w) || p.Kind == query.Term &&
					slices.ContainsFunc(o.spellings(p), func(s spelling) bool { return s.in(f) && o.count(s, f, w) > 0 }) {
					at[i] = append(at[i], pos)
				}
			}
		}
		ok = ok || within(at, nil, slop, n.Attrs.InOrder)
	})
	return ok
}

// within tries every choice of positions.
func within(at [][]int, chosen []int, slop int, ordered bool) bool {
	if len(chosen) == len(at) {
		return slop < 0 || slices.Max(chosen)-slices.Min(chosen)-(len(at)-1) <= slop
	}
	for _, p := range at[len(chosen)] {
		if ordered && len(chosen) > 0 && p <= chosen[len(chosen)-1] {
			continue
		}
		if within(at, append(chosen[:len(chosen):len(chosen)], p), slop, ordered) {
			return true
		}
	}
	return false
}
