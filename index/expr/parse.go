package expr

import (
	"fmt"
	"math"
	"strings"
)

// Limits of an expression.
const (
	MaxDepth = 128      // nested parentheses, calls, exclamation marks and powers
	MaxNodes = 1 << 15  // values, operators and calls
	MaxText  = 16 << 20 // bytes of a text that an expression makes
	maxNear  = 64       // bytes of the expression that a message repeats
)

// Error is a mistake in an expression or in what it is asked to do; its text is
// RediSearch's.
type Error struct{ Msg string }

func (e *Error) Error() string { return e.Msg }

func errorf(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

func near(s string) string {
	if len(s) > maxNear {
		return s[:maxNear]
	}
	return s
}

// Expr is a parsed expression.
type Expr struct {
	root  *node
	names []string
	slots []int // by name: where a row has it; nil: at the name's own position
}

type nodeKind uint8

const (
	nLiteral nodeKind = iota
	nProperty
	nCall
	nCase
	nOp
	nCompare
	nAnd
	nOr
	nNot
)

type node struct {
	kind        nodeKind
	op          tokenKind // nOp, nCompare
	name        int       // nProperty: which of the names
	value       Value     // nLiteral
	fn          *function // nCall
	left, right *node
	args        []*node
}

// Parse reads an expression. The error is an [*Error].
func Parse(s string) (*Expr, error) {
	p := parser{s: s}
	p.next()
	root := p.binary(1)
	if p.err == nil && p.tok.kind != tEOF {
		p.syntax()
	}
	if p.err != nil {
		return nil, p.err
	}
	return &Expr{root: root, names: p.names}, nil
}

// Names are the properties that the expression asks for, each once, in the order
// of their first use. A row that it is evaluated with has them at these
// positions, unless Bind says otherwise.
func (e *Expr) Names() []string { return e.names }

// Bind says where rows have each property: slot returns the position of a name,
// or false for a name that no row has, which is an error.
func (e *Expr) Bind(slot func(name string) (int, bool)) error {
	e.slots = make([]int, len(e.names))
	for i, name := range e.names {
		at, ok := slot(name)
		if !ok {
			return errorf("Property not loaded nor in pipeline: `%s`", near(name))
		}
		e.slots[i] = at
	}
	return nil
}

type parser struct {
	s     string
	tok   token // the one to read
	end   int   // where the next one begins
	depth int
	nodes int
	open  []bool // the parentheses around; true: of a call, so that a comma may follow
	names []string
	at    map[string]int // of a name in names
	err   error
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = errorf(format, args...)
	}
	p.tok.kind, p.end = tEOF, len(p.s)
}

func (p *parser) syntax() {
	p.fail("Syntax error at offset %d near '%s'", p.tok.pos, near(p.tok.text))
}

// unknown fails for a reason that stands alone where what follows is good, as there.
func (p *parser) unknown(reason string) {
	good := p.tok.kind >= tOr && p.tok.kind < tBad
	switch p.tok.kind {
	case tEOF:
		good = len(p.open) == 0
	case tRP:
		good = len(p.open) > 0
	case tComma:
		good = len(p.open) > 0 && p.open[len(p.open)-1]
	}
	if good {
		p.fail("%s", reason)
		return
	}
	p.fail("Syntax error at offset %d near '%s': %s", p.tok.pos, near(p.tok.text), reason)
}

func (p *parser) enter() bool {
	if p.depth++; p.depth > MaxDepth {
		p.fail("Expression is nested too deeply")
	}
	return p.err == nil
}

func (p *parser) node(n node) *node {
	if p.nodes++; p.nodes > MaxNodes {
		p.fail("Expression is too long")
	}
	return &n
}

// precedence is the level of a binary operator, 0 for none.
func precedence(k tokenKind) int {
	switch k {
	case tOr:
		return 1
	case tAnd:
		return 2
	case tEqual, tNotEqual, tLess, tLessEqual, tGreater, tGreaterEqual:
		return levelCompare
	case tPlus, tMinus:
		return 5
	case tTimes, tDivide, tMod:
		return 6
	case tPow:
		return 7
	}
	return 0
}

// levelCompare is the level of comparisons, which do not chain. An exclamation
// mark stands between 2 and it.
const levelCompare = 4

// binary reads operators of at least the level.
func (p *parser) binary(level int) *node {
	left := p.unary()
	for p.err == nil {
		op := p.tok.kind
		l := precedence(op)
		if l == 0 || l < level {
			break
		}
		p.next()
		var right *node
		if op == tPow { // from right to left
			if !p.enter() {
				return nil
			}
			right = p.binary(l)
			p.depth--
		} else {
			right = p.binary(l + 1)
		}
		if p.err != nil {
			return nil
		}
		left = p.join(op, l, left, right)
		if l == levelCompare && precedence(p.tok.kind) == levelCompare {
			p.syntax()
		}
	}
	return left
}

func (p *parser) join(op tokenKind, level int, left, right *node) *node {
	n := node{op: op, left: left, right: right}
	switch {
	case op == tOr:
		n.kind = nOr
	case op == tAnd:
		n.kind = nAnd
	case level == levelCompare:
		n.kind = nCompare
	case left.kind == nLiteral && right.kind == nLiteral && left.value.kind == Number && right.value.kind == Number:
		return p.node(node{value: Num(arithmetic(op, left.value.num, right.value.num))})
	default:
		n.kind = nOp
	}
	return p.node(n)
}

func arithmetic(op tokenKind, a, b float64) float64 {
	switch op {
	case tPlus:
		return a + b
	case tMinus:
		return a - b
	case tTimes:
		return a * b
	case tDivide:
		return a / b
	case tMod:
		return math.Mod(a, b)
	}
	return math.Pow(a, b)
}

func (p *parser) unary() *node {
	if p.tok.kind != tNot {
		return p.unit()
	}
	if !p.enter() {
		return nil
	}
	p.next()
	n := p.binary(levelCompare)
	p.depth--
	if p.err != nil {
		return nil
	}
	if n.kind == nNot {
		return n.left // twice is not at all, as there: the value itself
	}
	return p.node(node{kind: nNot, left: n})
}

func (p *parser) unit() *node {
	t := p.tok
	switch t.kind {
	case tNumber:
		p.next()
		return p.node(node{value: Num(t.num)})
	case tString:
		p.next()
		return p.node(node{value: Str(unescape(t.text[1 : len(t.text)-1]))})
	case tProperty:
		p.next()
		name := unescape(t.text)
		at, ok := p.at[name]
		if !ok {
			if at = len(p.names); at == 0 {
				p.at = map[string]int{}
			}
			p.at[name] = at
			p.names = append(p.names, name)
		}
		return p.node(node{kind: nProperty, name: at})
	case tSymbol:
		p.next()
		if p.tok.kind == tLP {
			return p.call(t)
		}
		if t.text != "NULL" {
			p.unknown("Unknown symbol '" + near(t.text) + "'")
			return nil
		}
		return p.node(node{value: Nil()})
	case tLP:
		if !p.enter() {
			return nil
		}
		p.next()
		p.open = append(p.open, false)
		n := p.binary(1)
		p.close()
		p.depth--
		return n
	}
	p.syntax()
	return nil
}

// close reads the closing parenthesis.
func (p *parser) close() {
	if p.err == nil && p.tok.kind != tRP {
		p.syntax()
	}
	p.open = p.open[:len(p.open)-1]
	p.next()
}

// call reads name(args).
func (p *parser) call(name token) *node {
	if !p.enter() {
		return nil
	}
	p.next()
	p.open = append(p.open, true)
	var args []*node
	if p.tok.kind != tRP && p.tok.kind != tComma {
		args = append(args, p.binary(1))
	}
	for p.err == nil && p.tok.kind == tComma {
		p.next()
		args = append(args, p.binary(1))
	}
	if p.err == nil && p.tok.kind == tRP {
		fn := functions[strings.ToLower(name.text)]
		switch {
		case fn == nil:
			p.fail("Unknown function name '%s'", near(name.text))
		case len(args) >= fn.least && len(args) <= fn.most:
		case fn.least == fn.most:
			p.fail("Function '%s' expects %d arguments, but got %d", name.text, fn.least, len(args))
		default:
			p.fail("Function '%s' expects between %d and %d arguments, but got %d", name.text, fn.least, fn.most, len(args))
		}
		p.close()
		p.depth--
		if p.err != nil {
			return nil
		}
		if fn.name == "case" {
			return p.node(node{kind: nCase, args: args})
		}
		return p.node(node{kind: nCall, fn: fn, args: args})
	}
	p.close()
	p.depth--
	return nil
}
