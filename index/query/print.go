package query

import (
	"math"
	"strconv"
	"strings"
)

// String writes the query so that parsing it, with the same parameters and no
// stop words, gives the same tree. Other parameters than vectors are written out.
func (q *Query) String() string {
	var b strings.Builder
	switch {
	case q.Root == nil:
	case q.KNN != nil && (q.Root.Kind == And || q.Root.Kind == Or || q.Root.Kind == Not || q.Root.Kind == Optional):
		b.WriteByte('(')
		q.Root.print(&b, nil)
		b.WriteByte(')')
	default:
		q.Root.print(&b, nil)
	}
	if k := q.KNN; k != nil {
		b.WriteString("=>[KNN " + strconv.Itoa(k.K) + " @")
		escape(&b, k.Field)
		b.WriteString(" $")
		escape(&b, k.BlobParam)
		k.Each(func(name, value string) { b.WriteString(" " + name + " " + value) })
		if k.Policy != "" {
			b.WriteString(" HYBRID_POLICY " + k.Policy)
		}
		if k.BatchSize != 0 {
			b.WriteString(" BATCH_SIZE " + strconv.Itoa(k.BatchSize))
		}
		b.WriteString(" AS ")
		escape(&b, k.As)
		b.WriteByte(']')
	}
	return b.String()
}

// String writes the node in the query language.
func (n *Node) String() string {
	var b strings.Builder
	n.print(&b, nil)
	return b.String()
}

func escape(b *strings.Builder, s string) {
	for i := 0; i < len(s); i++ {
		if !isWord(s[i]) {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
}

func number(b *strings.Builder, x float64) {
	switch {
	case math.IsInf(x, 1):
		b.WriteString("inf")
	case math.IsInf(x, -1):
		b.WriteString("-inf")
	default:
		b.WriteString(strconv.FormatFloat(x, 'g', -1, 64))
	}
}

func bound(b *strings.Builder, x float64, excl bool) {
	if excl {
		b.WriteByte('(')
	}
	number(b, x)
}

// fields opens the field modifier of a text leaf, unless it stands in one.
func (n *Node) fields(b *strings.Builder, in []string) {
	if in != nil {
		return
	}
	for i, f := range n.Fields {
		if i == 0 {
			b.WriteByte('@')
		} else {
			b.WriteByte('|')
		}
		escape(b, f)
	}
	if len(n.Fields) > 0 {
		b.WriteByte(':')
	}
}

// print writes the node; in are the fields of the modifier around it.
func (n *Node) print(b *strings.Builder, in []string) {
	switch n.Kind {
	case All:
		b.WriteByte('*')
	case And, Or, Not, Optional:
		n.fields(b, in)
		open := n.Attrs != nil || in == nil && n.Fields != nil
		if open {
			b.WriteByte('(')
		}
		if n.Kind == Not || n.Kind == Optional {
			b.WriteByte("-~"[n.Kind-Not])
		}
		for i, c := range n.Children {
			switch {
			case i == 0:
			case n.Kind == Or:
				b.WriteString(" | ")
			default:
				b.WriteByte(' ')
			}
			c.printChild(b, n.Fields)
		}
		if open {
			b.WriteByte(')')
		}
	case Tag:
		b.WriteByte('@')
		escape(b, n.Field)
		b.WriteString(":{")
		for i, v := range n.Values {
			if i > 0 {
				b.WriteByte('|')
			}
			v.print(b)
		}
		b.WriteByte('}')
	case Numeric:
		b.WriteByte('@')
		escape(b, n.Field)
		b.WriteString(":[")
		bound(b, n.Min, n.MinExcl)
		b.WriteByte(' ')
		bound(b, n.Max, n.MaxExcl)
		b.WriteByte(']')
	case Geo:
		b.WriteByte('@')
		escape(b, n.Field)
		b.WriteString(":[")
		for _, x := range []float64{n.Lon, n.Lat, n.Radius} {
			number(b, x)
			b.WriteByte(' ')
		}
		b.WriteString(n.Unit + "]")
	case Missing:
		b.WriteString("ismissing(@")
		escape(b, n.Field)
		b.WriteByte(')')
	case Range:
		b.WriteByte('@')
		escape(b, n.Field)
		b.WriteString(":[VECTOR_RANGE ")
		number(b, n.Radius)
		b.WriteString(" $")
		escape(b, n.BlobParam)
		b.WriteByte(']')
	case Shape:
		b.WriteByte('@')
		escape(b, n.Field)
		b.WriteString(":[" + n.Predicate + " $")
		escape(b, n.BlobParam)
		b.WriteByte(']')
	case Phrase:
		n.fields(b, in)
		for i, w := range n.Words {
			b.WriteByte("\" "[min(i, 1)])
			escape(b, w)
		}
		b.WriteByte('"')
	default:
		n.fields(b, in)
		switch {
		case n.Kind == Term && n.Verbatim:
			b.WriteByte('"')
			escape(b, n.Text)
			b.WriteByte('"')
		case n.Kind == Fuzzy:
			b.WriteString("%%%"[:n.Edits])
			escape(b, n.Text)
			b.WriteString("%%%"[:n.Edits])
		default:
			Value{n.Kind, n.Text}.print(b)
		}
	}
	n.Attrs.print(b)
}

func (n *Node) printChild(b *strings.Builder, in []string) {
	if (n.Kind == And || n.Kind == Or) && n.Attrs == nil && (in != nil || n.Fields == nil) {
		b.WriteByte('(')
		n.print(b, in)
		b.WriteByte(')')
		return
	}
	n.print(b, in)
}

func (v Value) print(b *strings.Builder) {
	switch v.Kind {
	case Wildcard:
		b.WriteString("w'")
		for i := 0; i < len(v.Text); i++ {
			if v.Text[i] == '\'' || i == 0 && v.Text[i] == '$' {
				b.WriteByte('\\')
			}
			b.WriteByte(v.Text[i])
		}
		b.WriteByte('\'')
		return
	case Suffix, Infix:
		b.WriteByte('*')
	}
	if v.Kind == Term && v.Text == "" {
		b.WriteString(`""`)
	}
	escape(b, v.Text)
	if v.Kind == Prefix || v.Kind == Infix {
		b.WriteByte('*')
	}
}

func (a *Attrs) print(b *strings.Builder) {
	if a == nil {
		return
	}
	b.WriteString("=>{$weight:")
	number(b, a.Weight)
	if a.HasSlop {
		b.WriteString(";$slop:" + strconv.Itoa(a.Slop))
	}
	if a.InOrder {
		b.WriteString(";$inorder:true")
	}
	if a.Phonetic != PhoneticDefault {
		b.WriteString(";$phonetic:" + strconv.FormatBool(a.Phonetic == PhoneticOn))
	}
	if a.YieldDistanceAs != "" {
		b.WriteString(";$yield_distance_as:")
		escape(b, a.YieldDistanceAs)
	}
	a.Each(func(name, value string) { b.WriteString(";$" + strings.ToLower(name) + ":" + value) })
	b.WriteByte('}')
}
