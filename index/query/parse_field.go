package query

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// field reads what begins with a field modifier.
func (p *parser) field() *Node {
	mod := p.tok
	p.next()
	var names []string // if there are more than one
	for p.tok.kind == tOr {
		p.next()
		switch p.tok.kind {
		case tTerm, tNumber, tModifier:
			if names == nil {
				names = append(names, mod.text)
			}
			names = append(names, p.tok.text)
			p.next()
		default:
			p.syntax()
			return nil
		}
	}
	switch k := p.tok.kind; k {
	case tEqual, tNotEqual, tLess, tLessEqual, tGreater, tGreaterEqual:
		if len(names) > 1 || !p.leaf() {
			p.syntax()
			return nil
		}
		p.next()
		return p.compare(mod, k)
	}
	if p.tok.kind != tColon {
		p.syntax()
		return nil
	}
	p.next()
	switch p.tok.kind {
	case tLB, tLSQB:
		if len(names) > 1 {
			p.syntax()
			return nil
		}
		if p.tok.kind == tLB {
			return p.tags(mod)
		}
		return p.brackets(mod)
	}
	if names == nil {
		names = []string{mod.text}
	}
	p.fields = names
	var n *Node
	if p.o.Dialect == 1 {
		n = p.either()
	} else {
		n = p.unary2()
	}
	p.fields = nil
	return n
}

// unary2 is unary without attributes, which belong to the whole of @field:text.
func (p *parser) unary2() *Node {
	if p.tok.kind == tMinus || p.tok.kind == tTilde {
		return p.unary()
	}
	return p.primary()
}

func (p *parser) compare(mod token, op tokenKind) *Node {
	x := p.number()
	n := &Node{Kind: Numeric, Field: mod.text, Offset: mod.pos, Min: math.Inf(-1), Max: math.Inf(1)}
	switch op {
	case tLess, tLessEqual:
		n.Max, n.MaxExcl = x, op == tLess
	case tGreater, tGreaterEqual:
		n.Min, n.MinExcl = x, op == tGreater
	default:
		n.Min, n.Max = x, x
	}
	if op == tNotEqual {
		return &Node{Kind: Not, Children: []*Node{n}}
	}
	return n
}

// number reads a number or parameter with its sign.
func (p *parser) number() float64 {
	neg := false
	for p.tok.kind == tMinus {
		neg = !neg
		p.next()
	}
	t := p.tok
	x := t.num
	switch t.kind {
	case tNumber:
	case tAttr:
		v := p.param(t.text)
		if p.err != nil {
			return 0
		}
		x = p.paramNumber(t.text, v)
	default:
		p.syntax()
		return 0
	}
	p.next()
	if neg {
		x = -x
	}
	return x
}

func (p *parser) paramNumber(name string, v []byte) float64 {
	if len(v) <= 64 {
		if x, err := strconv.ParseFloat(string(v), 64); (err == nil || math.IsInf(x, 0)) && !math.IsNaN(x) {
			return x
		}
	}
	p.fail("Invalid numeric value (%s) for parameter `%s`", near(string(v)), near(name))
	return 0
}

// brackets reads @field:[...]: a numeric, a geographic or a vector range.
func (p *parser) brackets(mod token) *Node {
	if !p.leaf() {
		return nil
	}
	p.next()
	if p.tok.kind == tTerm {
		if t := scan(p.s, p.tok.end); t.kind == tAttr && scan(p.s, t.end).kind == tRSQB {
			return p.shape(mod)
		}
		return p.vectorRange(mod)
	}
	var x [3]float64
	var excl [3]bool
	i := 0
	for ; i < 3 && p.err == nil; i++ {
		if p.tok.kind == tRSQB || i == 2 && p.tok.kind == tTerm {
			break
		}
		excl[i] = p.accept(tLP)
		x[i] = p.number()
	}
	n := &Node{Kind: Numeric, Field: mod.text, Offset: mod.pos}
	switch i {
	case 1:
		x[1], excl[1] = x[0], excl[0]
		fallthrough
	case 2:
		n.Min, n.Max, n.MinExcl, n.MaxExcl = x[0], x[1], excl[0], excl[1]
	case 3:
		unit := p.tok.text
		switch p.tok.kind {
		case tTerm:
		case tAttr:
			unit = string(p.param(unit))
		default:
			p.syntax()
			return nil
		}
		p.next()
		unit = strings.ToLower(unit)
		switch {
		case p.err != nil:
			return nil
		case unit != "m" && unit != "km" && unit != "mi" && unit != "ft":
			p.fail("Invalid GeoFilter unit")
		case x[2] <= 0:
			p.fail("Invalid GeoFilter radius")
		case !(x[0] >= -180 && x[0] <= 180 && x[1] >= -90 && x[1] <= 90):
			p.fail("Invalid GeoFilter lat/lon")
		case excl != [3]bool{}:
			p.syntax()
		}
		n.Kind, n.Lon, n.Lat, n.Radius, n.Unit = Geo, x[0], x[1], x[2], unit
	default:
		p.syntax()
		return nil
	}
	p.expect(tRSQB)
	return n
}

// predicates are how a shape may stand to another.
var predicates = []string{"WITHIN", "CONTAINS", "DISJOINT", "INTERSECTS"}

// shape reads what follows @field:[ in @field:[WITHIN $shape].
func (p *parser) shape(mod token) *Node {
	predicate := strings.ToUpper(p.tok.text)
	p.next()
	name := p.tok
	if !slices.Contains(predicates, predicate) {
		p.fail("Syntax error: Expecting a geoshape predicate at offset %d near %s", name.pos, near(name.text))
		return nil
	}
	blob := p.param(name.text)
	p.next()
	p.expect(tRSQB)
	return &Node{Kind: Shape, Field: mod.text, Offset: mod.pos, Predicate: predicate, Blob: blob, BlobParam: name.text}
}

func (p *parser) vectorRange(mod token) *Node {
	if !strings.EqualFold(p.tok.text, "VECTOR_RANGE") {
		p.fail("Syntax error: expecting vector similarity range command at offset %d near %s", p.tok.pos, near(p.tok.text))
		return nil
	}
	p.next()
	r := p.number()
	name := p.tok.text
	if p.err == nil && p.tok.kind != tAttr {
		p.syntax()
	}
	if p.err != nil {
		return nil
	}
	blob := p.param(name)
	if r < 0 || math.IsNaN(r) {
		p.fail("Error parsing vector similarity query: negative radius (%g) given in a range query", r)
	}
	p.next()
	p.expect(tRSQB)
	return &Node{Kind: Range, Field: mod.text, Offset: mod.pos, Radius: r, Blob: blob, BlobParam: name}
}

// tags reads @field:{...}, byte by byte: all but | } and the ends of a
// value stands for itself.
func (p *parser) tags(mod token) *Node {
	n := &Node{Kind: Tag, Field: mod.text, Offset: mod.pos}
	i := p.tok.end
	s := p.s
	for {
		for i < len(s) && isSpace(s[i]) {
			i++
		}
		start := i
		quoted := false
		if i < len(s) && s[i] == '"' {
			if e := quoteEnd(s, i+1); e > 0 {
				j := e + 1
				for j < len(s) && isSpace(s[j]) {
					j++
				}
				if j < len(s) && (s[j] == '|' || s[j] == '}') {
					quoted = true
					n.Values = append(n.Values, Value{Term, unescape(s[start+1 : e])})
					i = j
				}
			}
		}
		if !quoted {
			if t, ok := scanWildcardAt(s, i); ok {
				if t.param {
					if t.text = wildcard(string(p.param(t.text))); p.err != nil {
						return nil
					}
				}
				n.Values = append(n.Values, Value{Wildcard, t.text})
				for i = t.end; i < len(s) && isSpace(s[i]); i++ {
				}
			} else {
				for i < len(s) && s[i] != '|' && s[i] != '}' {
					if s[i] == '\\' {
						i++
					}
					i++
				}
				if i < len(s) {
					v, ok := p.tagValue(s[start:i])
					if !ok {
						p.fail("Syntax error at offset %d near %s", start, near(s[start:i]))
					}
					if p.err != nil {
						return nil
					}
					n.Values = append(n.Values, v)
				}
			}
		}
		if i >= len(s) || s[i] != '|' && s[i] != '}' {
			p.fail("Syntax error at offset %d near %s", start, near(s[start:]))
			return nil
		}
		if !p.leaf() {
			return nil
		}
		i++
		if s[i-1] == '}' {
			break
		}
	}
	p.tok = token{kind: tRB, pos: i - 1, end: i, text: "}"}
	p.next()
	return n
}

// quoteEnd is where the quote that was opened before i closes; 0 where it does not.
func quoteEnd(s string, i int) int {
	for ; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return 0
}

func scanWildcardAt(s string, i int) (token, bool) {
	if i+1 < len(s) && s[i] == 'w' && s[i+1] == '\'' {
		return scanWildcard(s, i)
	}
	return token{}, false
}

// tagValue reads one raw alternative.
func (p *parser) tagValue(raw string) (Value, bool) {
	end := len(raw)
	for end > 0 && isSpace(raw[end-1]) && !escapedAt(raw, end-1) {
		end--
	}
	raw = raw[:end]
	v := Value{Kind: Term}
	if strings.HasPrefix(raw, "*") {
		v.Kind, raw = Suffix, raw[1:]
	}
	if strings.HasSuffix(raw, "*") && !escapedAt(raw, len(raw)-1) {
		raw = raw[:len(raw)-1]
		if v.Kind == Suffix {
			v.Kind = Infix
		} else {
			v.Kind = Prefix
		}
	}
	if raw == "" {
		return v, false
	}
	if raw[0] == '$' && len(raw) > 1 && wordEnd(raw, 1) == len(raw) {
		v.Text = string(p.param(unescape(raw[1:])))
		return v, v.Text != "" || v.Kind == Term
	}
	v.Text = unescape(raw)
	return v, true
}

// escapedAt reports whether an odd number of backslashes stands before i.
func escapedAt(s string, i int) bool {
	n := 0
	for i > n && s[i-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}
