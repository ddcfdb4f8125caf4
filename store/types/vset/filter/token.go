package filter

import (
	"math"
	"strconv"
	"strings"
)

// kind is what a token or a value is.
type kind uint8

const (
	number kind = iota
	text
	tuple
	null
	selector
	operator
)

// value is a token of a program, or what is on its stack.
type value struct {
	kind kind
	op   op      // of an operator
	num  float64 // of a number
	str  []byte  // of a text or a selector
	list []value // of a tuple
}

// op is an operator: an index of ops.
type op uint8

const (
	opOpen op = iota
	opClose
	opNot
	opPow
	opMul
	opDiv
	opMod
	opAdd
	opSub
	opGT
	opGE
	opLT
	opLE
	opEQ
	opNE
	opIn
	opAnd
	opOr
)

// spellings are the words for operators. The longest that fits is meant.
var spellings = []struct {
	word string
	op   op
}{
	{"(", opOpen},
	{")", opClose},
	{"!", opNot},
	{"not", opNot},
	{"**", opPow},
	{"*", opMul},
	{"/", opDiv},
	{"%", opMod},
	{"+", opAdd},
	{"-", opSub},
	{">", opGT},
	{">=", opGE},
	{"<", opLT},
	{"<=", opLE},
	{"==", opEQ},
	{"!=", opNE},
	{"in", opIn},
	{"and", opAnd},
	{"&&", opAnd},
	{"or", opOr},
	{"||", opOr},
}

// ops has how strongly an operator binds, and how many values it takes.
var ops = [...]struct{ precedence, arity int }{
	opOpen: {7, 0}, opClose: {7, 0}, opNot: {6, 1}, opPow: {5, 2}, opMul: {4, 2}, opDiv: {4, 2}, opMod: {4, 2},
	opAdd: {3, 2}, opSub: {3, 2}, opGT: {2, 2}, opGE: {2, 2}, opLT: {2, 2}, opLE: {2, 2}, opEQ: {2, 2}, opNE: {2, 2},
	opIn: {2, 2}, opAnd: {1, 2}, opOr: {0, 2},
}

const signs = "+-*%/!()<>=|&"

// lexer reads tokens. Behind the text's end it reads 0.
type lexer struct {
	text []byte
	at   int
}

func (l *lexer) peek(ahead int) byte {
	if l.at+ahead < len(l.text) {
		return l.text[l.at+ahead]
	}
	return 0
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isSign(c byte) bool { return c != 0 && strings.IndexByte(signs, c) >= 0 }

func isSelector(c byte) bool { return isAlpha(c) || isDigit(c) || c == '_' || c == '-' }

func (l *lexer) spaces() {
	for isSpace(l.peek(0)) {
		l.at++
	}
}

// next reads a token; last is the one before, nil for none. At the text's end
// more is false. ok is false for what is no token: the text from at on.
func (l *lexer) next(last *value) (v value, more, ok bool) {
	l.spaces()
	c := l.peek(0)
	// A minus is a number's at the beginning and behind an operator.
	negative := last == nil || last.kind == operator && last.op != opClose
	switch {
	case c == 0:
		return v, false, true
	case isDigit(c) || negative && c == '-' && isDigit(l.peek(1)):
		v, ok = l.number()
	case c == '"' || c == '\'':
		v, ok = l.quoted()
	case c == '.' && (isSelector(l.peek(1)) || l.peek(1) == 0):
		v, ok = l.selector(), true
	case c == '[':
		v, ok = l.tuple()
	case isAlpha(c) || isSign(c):
		v, ok = l.operator()
	}
	return v, true, ok
}

// maxDigits is what a number may be long.
const maxDigits = 255

func (l *lexer) number() (value, bool) {
	from := l.at
	for c := l.peek(0); isDigit(c) || c == '.' || c == 'e' || c == 'E' || l.at == from && c == '-'; c = l.peek(0) {
		if l.at-from >= maxDigits {
			return value{}, false
		}
		l.at++
	}
	x, err := strconv.ParseFloat(string(l.text[from:l.at]), 64)
	return value{kind: number, num: x}, err == nil || math.IsInf(x, 0) || isRange(err)
}

func isRange(err error) bool {
	e, ok := err.(*strconv.NumError)
	return ok && e.Err == strconv.ErrRange
}

func (l *lexer) quoted() (value, bool) {
	quote := l.peek(0)
	l.at++
	from := l.at
	for c := l.peek(0); c != 0; c = l.peek(0) {
		switch {
		case c == '\\' && l.peek(1) != 0:
			l.at++ // what is escaped stays as it is written
		case c == quote:
			v := value{kind: text, str: l.text[from:l.at]}
			l.at++
			return v, true
		}
		l.at++
	}
	return value{}, false
}

func (l *lexer) selector() value {
	l.at++
	from := l.at
	for isSelector(l.peek(0)) {
		l.at++
	}
	return value{kind: selector, str: l.text[from:l.at]}
}

// tuple reads a list of numbers and texts.
func (l *lexer) tuple() (value, bool) {
	l.at++
	t := value{kind: tuple}
	for {
		l.spaces()
		if l.peek(0) == ']' {
			l.at++
			return t, true
		}
		var v value
		ok := false
		switch c := l.peek(0); {
		case isDigit(c) || c == '-':
			v, ok = l.number()
		case c == '"' || c == '\'':
			v, ok = l.quoted()
		}
		if !ok {
			return t, false
		}
		t.list = append(t.list, v)
		l.spaces()
		switch l.peek(0) {
		case ',':
			l.at++
		case ']':
			l.at++
			return t, true
		default:
			return t, false
		}
	}
}

// operator reads the longest operator that a word begins with, or null.
func (l *lexer) operator() (value, bool) {
	from := l.at
	for c := l.peek(0); isAlpha(c) || isSign(c); c = l.peek(0) {
		l.at++
	}
	word := string(l.text[from:l.at])
	if word == "null" {
		return value{kind: null}, true
	}
	best := -1
	for i, s := range spellings {
		if strings.HasPrefix(word, s.word) && (best < 0 || len(s.word) > len(spellings[best].word)) {
			best = i
		}
	}
	if best < 0 {
		return value{}, false
	}
	l.at = from + len(spellings[best].word)
	return value{kind: operator, op: spellings[best].op}, true
}
