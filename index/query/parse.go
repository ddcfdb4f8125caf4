package query

import (
	"fmt"
	"slices"
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
	}
	if p.tok.kind != tEOF {
		p.syntax()
	}
	return q
}

func (p *parser) or() *Node {
	if p.o.Dialect == 1 {
		return p.and()
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

// and reads what stands side by side, up to a token of stop that is not the first.
func (p *parser) and(stop ...tokenKind) *Node {
	var room [4]*Node
	kids := room[:0]
	for n := 0; p.err == nil; n++ {
		switch p.tok.kind {
		case tEOF, tRP, tOr:
			if n == 0 || p.tok.kind == tOr && p.o.Dialect == 1 {
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
		if n > 0 && slices.Contains(stop, p.tok.kind) {
			return p.group(And, kids)
		}
		if k := p.part(); k != nil {
			kids = append(kids, k)
		}
	}
	return nil
}

// part is one of those: in dialect 1 a union, which binds tighter than they do.
func (p *parser) part() *Node {
	if p.o.Dialect == 1 {
		return p.either()
	}
	return p.unary()
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
		n = p.and(tMinus, tTilde, tQuote)
	default:
		n = p.and(tTilde)
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
			if kind == Wildcard {
				text = wildcard(text)
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
