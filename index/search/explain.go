package search

import (
	"fmt"
	"strings"

	"github.com/nearcache/nearcache/index/query"
)

// Explain writes the query as a tree in RediSearch's format (src/query.c), the
// words expanded as a search would. The error is what a search would say.
func (ix *Index) Explain(q *query.Query, o Options) (string, error) {
	ix.life.RLock()
	defer ix.life.RUnlock()
	if ix.closed {
		return "", ErrClosed
	}
	e := &exec{ix: ix, o: o}
	if _, err := e.begin(q); err != nil {
		return "", err
	}
	x := &explainer{e: e, q: q}
	switch {
	case q.KNN != nil:
		x.knn(q)
	case q.Root == nil:
		x.line(0, "<empty>")
	default:
		x.narrowed(0)
	}
	return x.b.String(), nil
}

type explainer struct {
	e *exec
	q *query.Query
	b strings.Builder
}

func (x *explainer) pad(depth int) {
	for range depth {
		x.b.WriteString("  ")
	}
}

func (x *explainer) line(depth int, format string, args ...any) {
	x.pad(depth)
	fmt.Fprintf(&x.b, format, args...)
	x.b.WriteByte('\n')
}

// narrowed writes the filter with those of FILTER, GEOFILTER and INKEYS before it.
func (x *explainer) narrowed(depth int) {
	o := &x.e.o
	root := x.q.Root
	if len(o.Filters)+len(o.Around) == 0 && !o.HasInKeys {
		x.node(root, depth)
		return
	}
	x.line(depth, "INTERSECT {")
	if o.HasInKeys {
		x.line(depth+1, "IDS {%s}", strings.Join(o.InKeys, ","))
	}
	for _, f := range o.Around {
		x.node(&query.Node{Kind: query.Geo, Field: f.Field, Lon: f.Lon, Lat: f.Lat, Radius: f.Radius, Unit: f.Unit}, depth+1)
	}
	for _, f := range o.Filters {
		x.node(&query.Node{Kind: query.Numeric, Field: f.Field, Min: f.Min, Max: f.Max, MinExcl: f.MinExcl, MaxExcl: f.MaxExcl}, depth+1)
	}
	if root.Kind == query.And && root.Attrs == nil {
		x.kids(root, depth+1)
	} else {
		x.node(root, depth+1)
	}
	x.line(depth, "}")
}

func (x *explainer) knn(q *query.Query) {
	k := q.KNN
	x.b.WriteString("VECTOR {")
	o := &x.e.o
	if q.Root != nil && (q.Root.Kind != query.All || len(o.Filters)+len(o.Around) > 0 || o.HasInKeys) {
		x.b.WriteByte('\n')
		x.narrowed(1)
		x.b.WriteString("} => {")
	}
	fmt.Fprintf(&x.b, "K=%d nearest vectors to `$%s` in vector index associated with field @%s", k.K, k.BlobParam, k.Field)
	k.Each(x.tuned)
	if k.Policy != "" {
		x.b.WriteString(", HYBRID_POLICY = " + k.Policy)
	}
	if k.BatchSize != 0 {
		fmt.Fprintf(&x.b, ", BATCH_SIZE = %d", k.BatchSize)
	}
	fmt.Fprintf(&x.b, ", yields distance as `%s`}\n", k.As)
}

func (x *explainer) tuned(name, value string) { fmt.Fprintf(&x.b, ", %s = %s", name, value) }

func (x *explainer) kids(n *query.Node, depth int) {
	for _, k := range n.Children {
		x.node(k, depth)
	}
}

// block writes a node that has others in it.
func (x *explainer) block(n *query.Node, depth int, head string) {
	x.pad(depth)
	x.fields(n)
	x.b.WriteString(head + "{\n")
	x.kids(n, depth+1)
	x.pad(depth)
	x.b.WriteByte('}')
	x.attrs(n)
}

// leaf writes a node that has none.
func (x *explainer) leaf(n *query.Node, depth int, format string, args ...any) {
	x.pad(depth)
	x.fields(n)
	fmt.Fprintf(&x.b, format, args...)
	x.attrs(n)
}

func (x *explainer) fields(n *query.Node) {
	if n.Fields != nil {
		x.b.WriteString("@" + strings.Join(n.Fields, "|") + ":")
	}
}

func (x *explainer) attrs(n *query.Node) {
	if a := n.Attrs; a != nil && (a.Weight != 1 || a.HasSlop || a.InOrder) {
		x.b.WriteString(" => {")
		if a.Weight != 1 {
			fmt.Fprintf(&x.b, " $weight: %g;", a.Weight)
		}
		if a.HasSlop {
			fmt.Fprintf(&x.b, " $slop: %d;", a.Slop)
		}
		if a.HasSlop || a.InOrder {
			fmt.Fprintf(&x.b, " $inorder: %t;", a.InOrder)
		}
		x.b.WriteString(" }")
	}
	x.b.WriteByte('\n')
}

func (x *explainer) node(n *query.Node, depth int) {
	switch n.Kind {
	case query.All:
		x.leaf(n, depth, "<WILDCARD>")
	case query.And:
		x.block(n, depth, "INTERSECT ")
	case query.Or:
		x.block(n, depth, "UNION ")
	case query.Not:
		x.block(n, depth, "NOT")
	case query.Optional:
		x.block(n, depth, "OPTIONAL")
	case query.Term:
		x.term(n, depth)
	case query.Phrase:
		x.pad(depth)
		x.fields(n)
		x.b.WriteString("EXACT {\n")
		for _, w := range n.Words {
			x.token(&query.Node{Text: w, Fields: n.Fields}, w, depth+1)
		}
		x.pad(depth)
		x.b.WriteByte('}')
		x.attrs(n)
	case query.Prefix:
		x.leaf(n, depth, "PREFIX{%s*}", n.Text)
	case query.Suffix:
		x.leaf(n, depth, "SUFFIX{*%s}", n.Text)
	case query.Infix:
		x.leaf(n, depth, "INFIX{*%s*}", n.Text)
	case query.Wildcard:
		x.leaf(n, depth, "WILDCARD{%s}", n.Text)
	case query.Fuzzy:
		x.leaf(n, depth, "FUZZY{%s}", n.Text)
	case query.Tag:
		x.line(depth, "TAG:@%s {", n.Field)
		for _, v := range n.Values {
			if v.Kind == query.Term {
				x.token(&query.Node{}, v.Text, depth+1)
			} else {
				x.node(&query.Node{Kind: v.Kind, Text: v.Text}, depth+1)
			}
		}
		x.pad(depth)
		x.b.WriteByte('}')
		x.attrs(n)
	case query.Numeric:
		less := func(excl bool) string {
			if excl {
				return "<"
			}
			return "<="
		}
		x.leaf(n, depth, "NUMERIC {%s %s @%s %s %s}", six(n.Min), less(n.MinExcl), n.Field, less(n.MaxExcl), six(n.Max))
	case query.Geo:
		x.leaf(n, depth, "GEO %s:{%f,%f --> %f %s}", n.Field, n.Lon, n.Lat, n.Radius, n.Unit)
	case query.Missing:
		x.leaf(n, depth, "ISMISSING{%s}", n.Field)
	case query.Shape:
		x.leaf(n, depth, "GEOSHAPE{%s %s}", n.Predicate, n.Blob)
	case query.Range:
		x.pad(depth)
		fmt.Fprintf(&x.b, "VECTOR {Vectors that are within %g distance radius from `$%s` in vector index associated with field @%s", n.Radius, n.BlobParam, n.Field)
		if a := n.Attrs; a != nil {
			a.Each(x.tuned)
			if a.YieldDistanceAs != "" {
				fmt.Fprintf(&x.b, ", yields distance as `%s`", a.YieldDistanceAs)
			}
		}
		x.b.WriteByte('}')
		x.attrs(n)
	}
}

// six is C's %f.
func six(v float64) string {
	return strings.ReplaceAll(strings.ToLower(fmt.Sprintf("%f", v)), "+", "")
}

// term writes a word, and what it is expanded to.
func (x *explainer) term(n *query.Node, depth int) {
	t := x.e.ix.text
	if n.Verbatim || x.e.o.Verbatim || t == nil || !x.e.expands("SBSTEM") || !x.e.stems(n.Fields) {
		x.token(n, n.Text, depth)
		return
	}
	x.pad(depth)
	x.fields(n)
	x.b.WriteString("UNION {\n")
	x.token(n, n.Text, depth+1)
	bare := &query.Node{Fields: n.Fields}
	stem := t.Stem(n.Text, x.e.o.Language)
	x.token(bare, "+"+stem+"(expanded)", depth+1)
	if stem != n.Text {
		x.token(bare, stem+"(expanded)", depth+1)
	}
	x.line(depth, "}")
}

// token writes one word.
func (x *explainer) token(n *query.Node, text string, depth int) {
	if text == "" {
		text = `""`
	}
	x.pad(depth)
	x.fields(n)
	x.b.WriteString(text)
	if w := n.Weight(); w != 1 {
		fmt.Fprintf(&x.b, " => {$weight: %g;}", w)
	}
	x.b.WriteByte('\n')
}

// stems reports whether words in one of the fields have stems; nil are all fields.
func (e *exec) stems(fields []string) bool {
	for _, name := range fields {
		if a := e.ix.byName[name]; a != nil && !a.NoStem {
			return true
		}
	}
	return fields == nil
}
