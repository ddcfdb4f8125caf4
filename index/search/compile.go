package search

import (
	"math"
	"strings"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/attr"
	"github.com/nearcache/nearcache/index/query"
)

// maxPattern bounds a wildcard pattern, whose cost is its length times the words'.
const maxPattern = 256

// keys is the kind of the node that INKEYS adds.
const keys = query.Shape + 1

// plan is a node of the query bound to the schema.
type plan struct {
	kind   query.Kind
	n      *query.Node
	kids   []*plan
	a      *attribute
	mask   attr.Mask
	top    bool    // the whole query: SLOP and INORDER apply
	vector bool    // a vector range stands in it
	lo, hi float64 // Numeric, inclusive
	col    int     // Range: its column of distances, -1 for none

	shape     *attr.Shape // Shape
	predicate attr.Predicate

	bits   *index.Bitmap // the documents, where they are known: keys, or what filter found
	terms  []attr.Match
	groups [][]attr.Match // And: words that are to stand close together, in the fields of mask
	leaves []leaf         // of text and tags: what scoring looks for
	order  []*plan        // And: the kids in the order of scoring
	near   bool           // And: scoring must look whether the words stand close together
	found  *index.Bitmap  // what scoring found for a part that has no leaves
}

func unknown(offset int, name string) error {
	if len(name) > 64 {
		name = name[:64]
	}
	return errorf("Unknown field at offset %d near %s", offset, name)
}

var errNoEmpty = errorf("Use `INDEXEMPTY` in field creation in order to index and query for empty strings")

func wrongType(offset int, name string, want FieldType) error {
	return errorf("Expected a %s field at offset %d near %s", want, offset, name)
}

// compile binds a node to the schema.
func (e *exec) compile(n *query.Node) (*plan, error) {
	x := &plan{kind: n.Kind, n: n, col: -1}
	ix := e.ix
	switch n.Kind {
	case query.And, query.Or, query.Not, query.Optional:
		for _, c := range n.Children {
			k, err := e.compile(c)
			if err != nil {
				return nil, err
			}
			x.kids = append(x.kids, k)
			x.vector = x.vector || k.vector
		}
	case query.All:
	case query.Missing:
		if x.a = ix.byName[n.Field]; x.a == nil {
			return nil, unknown(n.Offset, n.Field)
		}
		if !x.a.IndexMissing {
			return nil, errorf("'ismissing' requires field '%s' to be defined with 'INDEXMISSING'", n.Field)
		}
	case query.Tag, query.Numeric, query.Geo, query.Shape, query.Range:
		a := ix.byName[n.Field]
		if a == nil {
			return nil, unknown(n.Offset, n.Field)
		}
		want := TypeTag
		switch n.Kind {
		case query.Numeric:
			want = TypeNumeric
		case query.Geo:
			want = TypeGeo
		case query.Shape:
			want = TypeShape
		case query.Range:
			want = TypeVector
		}
		if a.Type != want {
			return nil, wrongType(n.Offset, a.Name, want)
		}
		x.a = a
		switch n.Kind {
		case query.Shape:
			var err error
			if x.shape, err = attr.ParseShape(n.Blob, !a.Flat); err != nil {
				return nil, errorf("Error querying geoshape index: %s", err)
			}
			x.predicate, _ = attr.ParsePredicate(n.Predicate)
		case query.Tag:
			for _, v := range n.Values {
				switch {
				case v.Kind == query.Wildcard && len(v.Text) > maxPattern:
					return nil, errorf("Wildcard pattern is too long")
				case v.Kind == query.Term && v.Text == "" && !a.IndexEmpty:
					return nil, errNoEmpty
				}
			}
		case query.Numeric:
			if n.Min > n.Max {
				return nil, errorf("Invalid numeric range (min > max): @%s:[%s %s]", n.Field, six(n.Min), six(n.Max))
			}
			x.lo, x.hi = n.Min, n.Max
			if n.MinExcl {
				if x.lo = math.Nextafter(n.Min, math.Inf(1)); math.IsInf(n.Min, 1) {
					x.hi = math.Inf(-1)
				}
			}
			if n.MaxExcl {
				if x.hi = math.Nextafter(n.Max, math.Inf(-1)); math.IsInf(n.Max, -1) {
					x.lo = math.Inf(1)
				}
			}
		case query.Range:
			x.vector = true
			if err := a.checkBlob(n.Blob); err != nil {
				return nil, err
			}
			if n.Attrs != nil {
				if err := a.checkTuning(&n.Attrs.Tuning); err != nil {
					return nil, err
				}
				if name := n.Attrs.YieldDistanceAs; name != "" {
					var err error
					if x.col, err = e.yield(name); err != nil {
						return nil, err
					}
				}
			}
		}
	default: // text
		if n.Kind == query.Wildcard && len(n.Text) > maxPattern {
			return nil, errorf("Wildcard pattern is too long")
		}
		empty := n.Kind != query.Term || n.Text != "" || n.Fields == nil
		for _, name := range n.Fields {
			a := ix.byName[name]
			if a == nil {
				return nil, unknown(n.Offset, name)
			}
			if a.text < 0 {
				return nil, wrongType(n.Offset, a.Name, TypeText)
			}
			x.mask.Add(a.text)
			empty = empty || a.IndexEmpty
		}
		if !empty {
			return nil, errNoEmpty
		}
		if n.Fields == nil {
			x.mask = e.inFields
		}
	}
	return x, nil
}

func (a *attribute) checkBlob(blob []byte) error {
	if want := a.Vector.Dim * a.Vector.Element.Size(); len(blob) != want {
		return errorf("Error parsing vector similarity query: query vector blob size (%d) does not match index's expected size (%d).", len(blob), want)
	}
	return nil
}

// checkTuning refuses what the other kind of graph has. A FLAT field takes what HNSW has, and has no use for it.
func (a *attribute) checkTuning(t *query.Tuning) error {
	svs := a.Algorithm == svsVamana
	if svs && t.EF != 0 || !svs && (t.Window != 0 || t.Buffer != 0 || t.History != "") {
		return errorf("Error parsing vector similarity parameters: Invalid option")
	}
	return nil
}

// expands reports whether the search's expander does what this one does: SBSTEM
// looks for what has the same stem, SYNONYM for synonyms, PHONETIC for what sounds
// alike, DEFAULT, and "", for all of these, any other name for nothing.
func (e *exec) expands(expander string) bool {
	return e.o.Expander == "" || e.o.Expander == "DEFAULT" || e.o.Expander == expander
}

// expand finds the terms that a text leaf stands for. mu is locked.
func (e *exec) expand(x *plan) []attr.Match {
	t, n := e.ix.text, x.n
	dst := x.terms[:0]
	if t == nil {
		return nil
	}
	// each looks at the words that hold part, or end with it.
	each := func(part string, end bool, ok func(word string) bool) {
		look := func(word string) bool {
			if ok(word) {
				id, _ := t.Term(word)
				dst = append(dst, attr.Match{ID: id, Exact: true})
			}
			return !e.stopped()
		}
		if !t.Holding(part, end, look) {
			t.Words(look)
		}
	}
	switch n.Kind {
	case query.Term:
		phonetic := e.expands("PHONETIC") && t.Phonetic(x.mask) && (n.Attrs == nil || n.Attrs.Phonetic != query.PhoneticOff)
		if !n.Verbatim && !e.o.Verbatim && (e.expands("SBSTEM") || e.expands("SYNONYM") || phonetic) {
			if e.expands("SBSTEM") {
				dst = t.Expand(dst, n.Text, e.o.Language)
			} else if id, ok := t.Term(n.Text); ok {
				dst = append(dst, attr.Match{ID: id, Exact: true})
			}
			if e.expands("SYNONYM") {
				dst = e.ix.synonyms.Load().expand(t, dst, n.Text)
			}
			if phonetic {
				dst = t.Sounding(dst, n.Text)
			}
			return dst
		}
		if id, ok := t.Term(n.Text); ok {
			dst = append(dst, attr.Match{ID: id, Exact: true})
		}
	case query.Phrase: // the words one by one; filter looks at their order
		for _, w := range n.Words {
			if id, ok := t.Term(w); ok {
				dst = append(dst, attr.Match{ID: id, Exact: true})
			}
		}
	case query.Prefix:
		t.Prefix(n.Text, func(_ string, id attr.TermID) bool {
			dst = append(dst, attr.Match{ID: id, Exact: true})
			return !e.stopped()
		})
	case query.Suffix:
		each(n.Text, true, func(w string) bool { return strings.HasSuffix(w, n.Text) })
	case query.Infix:
		each(n.Text, false, func(w string) bool { return strings.Contains(w, n.Text) })
	case query.Wildcard:
		each(literal(n.Text), false, func(w string) bool { return wildcard(n.Text, w) })
	case query.Fuzzy:
		t.Fuzzy(n.Text, n.Edits, func(_ string, id attr.TermID, _ int) bool {
			dst = append(dst, attr.Match{ID: id, Exact: true})
			return !e.stopped()
		})
	}
	return dst
}

// literal is the longest text that all words have which a wildcard pattern fits.
func literal(pattern string) string {
	var best, run []byte
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '*' || c == '?':
			run = run[:0]
			continue
		case c == '\\' && i+1 < len(pattern):
			i++
		}
		if run = append(run, pattern[i]); len(run) > len(best) {
			best = append(best[:0], run...)
		}
	}
	return string(best)
}

// wildcard matches ? with one byte and * with any; a backslash escapes them.
func wildcard(pattern, s string) bool {
	star, back := -1, 0
	p, i := 0, 0
	for i < len(s) {
		if p < len(pattern) {
			switch c := pattern[p]; {
			case c == '*':
				star, back = p, i
				p++
				continue
			case c == '\\' && p+1 < len(pattern):
				if pattern[p+1] == s[i] {
					p, i = p+2, i+1
					continue
				}
			case c == '?' || c == s[i]:
				p, i = p+1, i+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		back++
		p, i = star+1, back
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
