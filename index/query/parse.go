package query

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Limits of a query.
const (
	MaxDepth  = 128     // nested parentheses, minus and tilde signs
	MaxLeaves = 1 << 15 // words, tags and ranges
	MaxK      = 1 << 58 // RediSearch's limit of KNN's k
	MaxEF     = 1 << 20 // of EF_RUNTIME and EF_CONSTRUCTION
	maxNear   = 64      // bytes of the query that a message repeats
)

// Params are the names and values of PARAMS, in turns, as the command carries them.
type Params [][]byte

// Options refine parsing. The zero value is dialect 2 without parameters and stop words.
type Options struct {
	Dialect  int // 1 to 4, or 0 for 2; 3 and 4 read as 2 does
	Params   Params
	StopWord func(word string) bool // words that a query ignores; nil for none
}

// Error is a mistake in the query; its text is RediSearch's.
type Error struct{ Msg string }

func (e *Error) Error() string { return e.Msg }

// Errorf makes an [Error].
func Errorf(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// Parse reads a query. The error is an [*Error].
func Parse(q []byte, o Options) (*Query, error) {
	p := parser{s: string(q), o: o}
	if len(o.Params) > 32 {
		p.params = make(map[string][]byte, len(o.Params)/2)
		for i := 0; i+1 < len(o.Params); i += 2 {
			p.params[string(o.Params[i])] = o.Params[i+1]
		}
	}
	p.next()
	res := p.query()
	if p.err != nil {
		return nil, p.err
	}
	return res, nil
}

type parser struct {
	s      string
	o      Options
	params map[string][]byte
	tok    token // the one to read
	last   token // the one read before it
	depth  int
	leaves int
	fields []string // of the field modifier around
	err    error
}

func (p *parser) next() {
	p.last = p.tok
	p.tok = scan(p.s, p.tok.end)
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = Errorf(format, args...)
	}
	p.tok = token{kind: tEOF, pos: len(p.s), end: len(p.s)}
}

func near(s string) string {
	if len(s) > maxNear {
		s = s[:maxNear]
	}
	return s
}

func (p *parser) syntax() {
	t := p.tok
	if t.kind == tEOF && p.last.end > 0 {
		t = p.last
	}
	p.fail("Syntax error at offset %d near %s", t.pos, near(t.text))
}

func (p *parser) accept(k tokenKind) bool {
	if p.tok.kind != k {
		return false
	}
	p.next()
	return true
}

func (p *parser) expect(k tokenKind) {
	if !p.accept(k) {
		p.syntax()
	}
}

func (p *parser) leaf() bool {
	if p.leaves++; p.leaves > MaxLeaves {
		p.fail("Query is too complex: more than %d terms", MaxLeaves)
		return false
	}
	return true
}

func (p *parser) enter() bool {
	if p.depth++; p.depth > MaxDepth {
		p.fail("Parser stack overflow. Try moving nested parentheses more to the left")
		return false
	}
	return true
}

// param is the value of the parameter, an error when there is none.
func (p *parser) param(name string) []byte {
	if p.params != nil {
		if v, ok := p.params[name]; ok {
			return v
		}
	} else {
		for i := 0; i+1 < len(p.o.Params); i += 2 {
			if string(p.o.Params[i]) == name {
				return p.o.Params[i+1]
			}
		}
	}
	p.fail("No such parameter `%s`", near(name))
	return nil
}

func (p *parser) query() *Query {
	if p.tok.kind == tEOF {
		return &Query{}
	}
	q := &Query{Root: p.or()}
	if p.tok.kind == tArrow {
		// Only one part, or a parenthesis, may stand before the KNN.
		p.next()
		q.KNN = p.knn()
		if p.err == nil && p.tok.kind == tArrow {
			p.next()
			a := p.attributes()
			if a != nil && q.KNN != nil {
				p.knnAttributes(q.KNN, a)
			}
		}
	}
	if p.tok.kind != tEOF {
		p.syntax()
	}
	return q
}

func (p *parser) or() *Node {
	if p.o.Dialect == 1 {
		return p.all(nil)
	}
	first := p.and()
	if p.tok.kind != tOr {
		return first
	}
	var kids []*Node
	if first != nil {
		kids = append(kids, first)
	}
	for p.accept(tOr) {
		if n := p.and(); n != nil {
			kids = append(kids, n)
		}
	}
	if p.tok.kind == tArrow { // it would take the last alternative only
		p.next()
		p.syntax()
	}
	return p.group(Or, kids)
}

// all reads what dialect 1 takes for an intersection, up to a token of stop that is not the first.
func (p *parser) all(stop []tokenKind) *Node {
	var kids []*Node
	for n := 0; p.err == nil; n++ {
		switch p.tok.kind {
		case tEOF, tRP, tOr:
			if n == 0 || p.tok.kind == tOr {
				p.syntax()
			}
			return p.group(And, kids)
		case tArrow:
			if n != 1 || p.depth > 0 {
				p.next()
				p.syntax()
			}
			return p.group(And, kids)
		}
		if n > 0 && slices.Contains(stop, p.tok.kind) {
			break
		}
		if k := p.either(); k != nil {
			kids = append(kids, k)
		}
	}
	return p.group(And, kids)
}

// either reads what dialect 1 takes for a union, which binds tighter than an intersection.
func (p *parser) either() *Node {
	var kids []*Node
	for {
		if k := p.unary(); k != nil {
			kids = append(kids, k)
		}
		if p.tok.kind != tOr || p.fields != nil && scan(p.s, p.tok.end).kind == tModifier {
			return p.group(Or, kids)
		}
		p.next()
	}
}

func (p *parser) and() *Node {
	var room [4]*Node
	kids := room[:0]
	for n := 0; ; n++ {
		switch p.tok.kind {
		case tEOF, tRP, tOr:
			if n == 0 {
				p.syntax()
			}
			return p.group(And, kids)
		case tArrow:
			// unary left it: =>[KNN of the whole query.
			if n != 1 || p.depth > 0 {
				p.next()
				p.syntax()
			}
			return p.group(And, kids)
		}
		if k := p.unary(); k != nil {
			kids = append(kids, k)
		}
		if p.err != nil {
			return nil
		}
	}
}

// group joins the children, folding what needs no node of its own.
func (p *parser) group(kind Kind, kids []*Node) *Node {
	switch len(kids) {
	case 0:
		return nil
	case 1:
		return kids[0]
	}
	flat := make([]*Node, 0, len(kids))
	for i, k := range kids {
		// An intersection takes in those below it, a union only one that it begins
		// with: so RediSearch's parser does.
		if k.Kind == kind && k.Attrs == nil && slices.Equal(k.Fields, p.fields) && (kind == And || i == 0) {
			flat = append(flat, k.Children...)
		} else {
			flat = append(flat, k)
		}
	}
	return &Node{Kind: kind, Fields: p.fields, Children: flat}
}

func (p *parser) unary() *Node {
	var kind Kind
	switch p.tok.kind {
	case tMinus:
		kind = Not
	case tTilde:
		kind = Optional
	default:
		n := p.primary()
		for p.err == nil && p.tok.kind == tArrow {
			if t := scan(p.s, p.tok.end); t.kind == tLSQB {
				break
			}
			p.next()
			if a := p.attributes(); a != nil && n != nil {
				p.apply(n, a)
			}
		}
		return n
	}
	if !p.enter() {
		return nil
	}
	p.next()
	var n *Node
	switch {
	case p.o.Dialect != 1:
		n = p.unary()
	case kind == Not: // dialect 1's reach over what follows
		n = p.all([]tokenKind{tMinus, tTilde, tQuote})
	default:
		n = p.all([]tokenKind{tTilde})
	}
	p.depth--
	if n == nil {
		return nil
	}
	return &Node{Kind: kind, Fields: p.fields, Children: []*Node{n}}
}

func (p *parser) text(kind Kind, pos int, text string) *Node {
	if !p.leaf() {
		return nil
	}
	return &Node{Kind: kind, Text: strings.ToLower(text), Fields: p.fields, Offset: pos}
}

func (p *parser) primary() *Node {
	t := p.tok
	switch t.kind {
	case tStar:
		if !p.leaf() {
			return nil
		}
		p.next()
		return &Node{Kind: All}
	case tLP:
		if !p.enter() {
			return nil
		}
		p.next()
		n := p.or()
		p.depth--
		p.expect(tRP)
		return n
	case tTerm, tNumber:
		p.next()
		if p.tok.kind == tLP && p.tok.pos == t.end && strings.EqualFold(t.text, "ismissing") {
			return p.missing()
		}
		if p.o.Dialect == 1 {
			return p.words(t)
		}
		return p.word(t)
	case tAttr:
		p.next()
		if p.o.Dialect == 1 {
			return p.words(t)
		}
		return p.word(t)
	case tPrefix, tSuffix, tInfix, tWildcard:
		p.next()
		kind, text := Prefix+Kind(t.kind-tPrefix), t.text
		if t.param {
			if text = string(p.param(text)); p.err != nil || text == "" {
				return nil
			}
		}
		return p.text(kind, t.pos, text)
	case tPercent:
		return p.fuzzy()
	case tQuote:
		return p.phrase()
	case tModifier:
		if p.fields != nil {
			p.syntax()
			return nil
		}
		return p.field()
	}
	p.syntax()
	return nil
}

// words reads the words behind t: in dialect 1 what stands before them is for all.
func (p *parser) words(t token) *Node {
	var kids []*Node
	for p.err == nil {
		if n := p.word(t); n != nil {
			kids = append(kids, n)
		}
		t = p.tok
		if t.kind != tTerm && t.kind != tNumber && t.kind != tAttr || scan(p.s, t.end).kind == tLP && strings.EqualFold(t.text, "ismissing") {
			break
		}
		p.next()
	}
	return p.group(And, kids)
}

func (p *parser) word(t token) *Node {
	if t.kind == tAttr {
		v := string(p.param(t.text))
		if p.err != nil || v == "" {
			return nil
		}
		return p.text(Term, t.pos, v)
	}
	if p.o.StopWord != nil && p.o.StopWord(strings.ToLower(t.text)) {
		return nil
	}
	return p.text(Term, t.pos, t.text)
}

// missing reads ismissing(@field).
func (p *parser) missing() *Node {
	p.next()
	mod := p.tok
	p.expect(tModifier)
	p.expect(tRP)
	if p.err != nil || !p.leaf() {
		return nil
	}
	return &Node{Kind: Missing, Field: mod.text, Offset: mod.pos}
}

func (p *parser) fuzzy() *Node {
	pos, edits := p.tok.pos, 0
	for edits < 3 && p.accept(tPercent) {
		edits++
	}
	t := p.tok
	text := t.text
	switch t.kind {
	case tTerm, tNumber:
	case tAttr:
		text = string(p.param(t.text))
	default:
		p.syntax()
	}
	p.next()
	for range edits {
		p.expect(tPercent)
	}
	if p.err != nil || text == "" {
		return nil
	}
	n := p.text(Fuzzy, pos, text)
	if n != nil {
		n.Edits = edits
	}
	return n
}

// phrase reads "...". Its words are cut as a document's are.
func (p *parser) phrase() *Node {
	pos := p.tok.pos
	var words []string
	i := p.tok.end
	for {
		for i < len(p.s) && p.s[i] != '"' && wordEnd(p.s, i) == i {
			i++
		}
		if i >= len(p.s) {
			p.fail("Syntax error at offset %d near %s", pos, near(p.s[pos:]))
			return nil
		}
		if p.s[i] == '"' {
			break
		}
		e := wordEnd(p.s, i)
		w := strings.ToLower(unescape(p.s[i:e]))
		if p.o.StopWord == nil || !p.o.StopWord(w) {
			if !p.leaf() {
				return nil
			}
			words = append(words, w)
		}
		i = e
	}
	empty := i == p.tok.end // not even a stop word
	p.tok = token{kind: tQuote, pos: i, end: i + 1, text: `"`}
	p.next()
	switch len(words) {
	case 0:
		if !empty || p.o.Dialect == 1 || !p.leaf() {
			return nil
		}
		return &Node{Kind: Term, Verbatim: true, Fields: p.fields, Offset: pos}
	case 1:
		return &Node{Kind: Term, Verbatim: true, Text: words[0], Fields: p.fields, Offset: pos}
	}
	return &Node{Kind: Phrase, Words: words, Fields: p.fields, Offset: pos}
}

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

type attribute struct{ name, value string }

// attributes reads {$name: value; ...} behind an arrow.
func (p *parser) attributes() []attribute {
	p.expect(tLB)
	var out []attribute
	for p.err == nil && p.tok.kind != tRB {
		name := p.tok.text
		p.expect(tAttr)
		p.expect(tColon)
		neg := p.accept(tMinus)
		v := p.tok.text
		switch p.tok.kind {
		case tTerm, tNumber:
		case tAttr:
			v = string(p.param(v))
		default:
			p.syntax()
		}
		if neg {
			v = "-" + v
		}
		if len(out) == 64 {
			p.fail("Too many attributes")
		}
		out = append(out, attribute{name, v})
		if p.err == nil {
			p.next()
		}
		if p.tok.kind != tRB {
			p.expect(tSemicolon)
		}
	}
	p.expect(tRB)
	return out
}

func (p *parser) apply(n *Node, attrs []attribute) {
	if n.Attrs == nil {
		n.Attrs = &Attrs{Weight: 1}
	}
	a := n.Attrs
	for _, at := range attrs {
		bad := func() { p.fail("Invalid value (%s) for `%s`", near(at.value), near(at.name)) }
		vector := n.Kind == Range
		switch strings.ToLower(at.name) {
		case "weight":
			w, err := strconv.ParseFloat(at.value, 64)
			if err != nil || !(w >= 0) || math.IsInf(w, 0) {
				bad()
			}
			a.Weight = w
		case "slop":
			x, err := strconv.Atoi(at.value)
			if err != nil || x < -1 {
				bad()
			}
			a.Slop, a.HasSlop = x, x >= 0
		case "inorder":
			b, ok := parseBool(at.value)
			if !ok {
				bad()
			}
			a.InOrder = b
		case "phonetic":
			b, ok := parseBool(at.value)
			if !ok {
				bad()
			}
			if a.Phonetic = PhoneticOff; b {
				a.Phonetic = PhoneticOn
			}
		case "yield_distance_as":
			if !vector {
				p.fail("Invalid attribute %s", near(at.name))
			}
			a.YieldDistanceAs = at.value
		case "epsilon":
			x, err := strconv.ParseFloat(at.value, 64)
			if !vector || err != nil || !(x > 0) || math.IsInf(x, 0) {
				p.fail("Invalid value (%s) for `%s`: it must be above 0", near(at.value), near(at.name))
			}
			a.Epsilon = x
		case "ef_runtime":
			x, err := strconv.Atoi(at.value)
			if err != nil || x < 1 || x > MaxEF {
				p.fail("Invalid value (%s) for `%s`: it must be from 1 to %d", near(at.value), near(at.name), MaxEF)
			}
			a.EF = x
		case "hybrid_policy", "batch_size":
		default:
			p.fail("Invalid attribute %s", near(at.name))
		}
	}
}

func parseBool(s string) (v, ok bool) {
	switch strings.ToLower(s) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

// knn reads [KNN k @field $blob ...].
func (p *parser) knn() *KNN {
	p.expect(tLSQB)
	if p.err == nil && p.tok.kind == tTerm && !strings.EqualFold(p.tok.text, "KNN") {
		p.fail("Syntax error: Expecting Vector Similarity command at offset %d near %s", p.tok.pos, near(p.tok.text))
	}
	p.expect(tTerm)
	k := &KNN{}
	t := p.tok
	kText := t.text
	switch {
	case p.err != nil:
		return nil
	case t.kind == tNumber && t.size:
	case t.kind == tAttr:
		kText = string(p.param(t.text))
	default:
		p.syntax()
	}
	if p.err != nil {
		return nil
	}
	n, err := strconv.ParseUint(kText, 10, 64)
	switch {
	case err != nil && t.kind == tAttr:
		p.fail("Invalid numeric value (%s) for parameter `%s`", near(kText), near(t.text))
	case n == 0:
		p.fail("Error parsing vector similarity query: query KNN K parameter must be a positive integer")
	case err != nil || n > MaxK:
		p.fail("Error parsing vector similarity query: query KNN K parameter is too large, must not exceed %d", uint64(MaxK))
	}
	k.K = int(n)
	p.next()
	k.Field, k.Offset = p.tok.text, p.tok.pos
	p.expect(tModifier)
	k.BlobParam = p.tok.text
	p.expect(tAttr)
	if p.err != nil {
		return nil
	}
	k.Blob = p.param(k.BlobParam)
	k.As = "__" + k.Field + "_score"
	var opts []attribute
	for p.err == nil && p.tok.kind != tRSQB {
		name := p.tok
		p.expect(tTerm)
		v, isParam := p.tok, p.tok.kind == tAttr
		switch v.kind {
		case tTerm, tNumber, tAttr:
		default:
			p.syntax()
			return nil
		}
		p.next()
		text := v.text
		if isParam {
			text = string(p.param(v.text))
		}
		if strings.EqualFold(name.text, "AS") {
			if text != "" {
				k.As = text
			}
			break
		}
		if len(opts) == 16 {
			p.fail("Error parsing vector similarity parameters: too many parameters")
		}
		opts = append(opts, attribute{name.text, text})
	}
	p.expect(tRSQB)
	p.knnAttributes(k, opts)
	return k
}

func (p *parser) knnAttributes(k *KNN, attrs []attribute) {
	for i, at := range attrs {
		if p.err != nil {
			return
		}
		for _, b := range attrs[:i] {
			if strings.EqualFold(at.name, b.name) {
				p.fail("Error parsing vector similarity parameters: parameter was specified twice")
			}
		}
		bad := func() {
			p.fail("Error parsing vector similarity parameters: Invalid value (%s) for %s", near(at.value), near(at.name))
		}
		switch strings.ToLower(at.name) {
		case "ef_runtime":
			x, err := strconv.Atoi(at.value)
			if err != nil || x < 1 || x > MaxEF {
				p.fail("Error parsing vector similarity parameters: Invalid value (%s) for %s: it must be from 1 to %d", near(at.value), near(at.name), MaxEF)
			}
			k.EF = x
		case "batch_size":
			x, err := strconv.Atoi(at.value)
			if err != nil || x < 1 {
				bad()
			}
			k.BatchSize = x
		case "hybrid_policy":
			k.Policy = strings.ToUpper(at.value)
			if k.Policy != "BATCHES" && k.Policy != "ADHOC_BF" {
				p.fail("Error parsing vector similarity parameters: invalid hybrid policy was given")
			}
		case "epsilon":
			p.fail("Error parsing vector similarity parameters: range query attributes were sent for a non-range query")
		case "yield_distance_as":
			if at.value != "" {
				k.As = at.value
			}
		case "weight", "slop", "inorder", "phonetic":
		default:
			p.fail("Error parsing vector similarity parameters: Invalid option")
		}
	}
}
