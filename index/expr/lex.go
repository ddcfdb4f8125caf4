package expr

import (
	"math"
	"strconv"
)

type tokenKind uint8

const (
	tEOF tokenKind = iota
	tNumber
	tProperty
	tSymbol
	tString
	tLP
	tRP
	tComma
	tNot
	tOr
	tAnd
	tEqual
	tNotEqual
	tLess
	tLessEqual
	tGreater
	tGreaterEqual
	tPlus
	tMinus
	tTimes
	tDivide
	tMod
	tPow
	tBad // a byte that belongs to no token
)

type token struct {
	kind tokenKind
	pos  int
	text string // of a word; of a sign what the word before it was, as messages there have it
	num  float64
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isPunct(c byte) bool {
	return c >= '!' && c <= '/' || c >= ':' && c <= '@' || c >= '[' && c <= '`' || c >= '{' && c <= '~'
}

// operand reports whether a token ends a value, so that a sign behind it is an operator.
func (k tokenKind) operand() bool {
	return k == tNumber || k == tProperty || k == tSymbol || k == tString || k == tRP
}

// next reads the token behind the last one.
func (p *parser) next() {
	s, i := p.s, p.end
	prev := p.tok
	one := func(k tokenKind, n int) {
		p.tok, p.end = token{kind: k, pos: i, text: prev.text}, i+n
	}
	for ; i < len(s); i++ {
		c, ahead := s[i], byte(0)
		if i+1 < len(s) {
			ahead = s[i+1]
		}
		switch c {
		case '(':
			one(tLP, 1)
			return
		case ')':
			one(tRP, 1)
			return
		case ',':
			one(tComma, 1)
			return
		case '*':
			one(tTimes, 1)
			return
		case '/':
			one(tDivide, 1)
			return
		case '%':
			one(tMod, 1)
			return
		case '^':
			one(tPow, 1)
			return
		case '!':
			if ahead == '=' {
				one(tNotEqual, 2)
			} else {
				one(tNot, 1)
			}
			return
		case '<':
			if ahead == '=' {
				one(tLessEqual, 2)
			} else {
				one(tLess, 1)
			}
			return
		case '>':
			if ahead == '=' {
				one(tGreaterEqual, 2)
			} else {
				one(tGreater, 1)
			}
			return
		case '=':
			if ahead == '=' {
				one(tEqual, 2)
				return
			}
		case '&':
			if ahead == '&' {
				one(tAnd, 2)
				return
			}
		case '|':
			if ahead == '|' {
				one(tOr, 2)
				return
			}
		case '+', '-':
			if !prev.kind.operand() && p.number(i) {
				return
			}
			if c == '+' {
				one(tPlus, 1)
			} else {
				one(tMinus, 1)
			}
			return
		case '"', '\'':
			if e := stringEnd(s, i); e > 0 {
				p.tok, p.end = token{kind: tString, pos: i, text: s[i:e]}, e
				return
			}
		case '@':
			if e := nameEnd(s, i+1); e > i+1 {
				p.tok, p.end = token{kind: tProperty, pos: i, text: s[i+1 : e]}, e
				return
			}
		default:
			switch {
			case isAlpha(c):
				e := i + 1
				for e < len(s) && (isAlpha(s[e]) || isDigit(s[e]) || s[e] == '_') {
					e++
				}
				if s[i:e] == "inf" {
					p.tok, p.end = token{kind: tNumber, pos: i, text: "inf", num: math.Inf(1)}, e
					return
				}
				p.tok, p.end = token{kind: tSymbol, pos: i, text: s[i:e]}, e
				return
			case isDigit(c), c == '.':
				if p.number(i) {
					return
				}
			case c >= 0x80:
				p.tok, p.end = token{kind: tBad, pos: i, text: s[i : i+1]}, i+1
				return
			}
		} // other punctuation means nothing
	}
	p.tok.kind, p.end = tEOF, len(s) // a message speaks of the last token
}

// number reads a number that may have a sign.
func (p *parser) number(i int) bool {
	s, e := p.s, i
	if s[e] == '+' || s[e] == '-' {
		e++
		if len(s) >= e+3 && s[e:e+3] == "inf" && (len(s) == e+3 || !isAlpha(s[e+3]) && !isDigit(s[e+3]) && s[e+3] != '_') {
			x := math.Inf(1)
			if s[i] == '-' {
				x = -x
			}
			p.tok, p.end = token{kind: tNumber, pos: i, text: s[i : e+3], num: x}, e+3
			return true
		}
	}
	digits := func() bool {
		start := e
		for e < len(s) && isDigit(s[e]) {
			e++
		}
		return e > start
	}
	whole := digits()
	if e+1 < len(s) && s[e] == '.' && isDigit(s[e+1]) {
		e++
		digits()
	} else if !whole {
		return false
	}
	if e < len(s) && s[e]|0x20 == 'e' {
		mark := e
		if e++; e < len(s) && (s[e] == '+' || s[e] == '-') {
			e++
		}
		if !digits() {
			e = mark
		}
	}
	x, _ := strconv.ParseFloat(s[i:e], 64) // infinity where it overflows
	p.tok, p.end = token{kind: tNumber, pos: i, text: s[i:e], num: x}, e
	return true
}

// stringEnd is the end of the quoted text that begins at i, 0 where it has none.
func stringEnd(s string, i int) int {
	escaped := 0 // behind the last escaped quote, which ends the text if no other does
	for e := i + 1; e < len(s) && s[e] != '\n'; e++ {
		switch {
		case s[e] == s[i]:
			return e + 1
		case s[e] == '\\' && e+1 < len(s) && (isPunct(s[e+1]) || isSpace(s[e+1])):
			if e++; s[e] == s[i] {
				escaped = e + 1
			}
		}
	}
	return escaped
}

// nameEnd is the end of the property's name that begins at i.
func nameEnd(s string, i int) int {
	for i < len(s) {
		switch c := s[i]; {
		case c == '_' || c > ' ' && c != 0x7f && !isPunct(c):
			i++
		case c == '\\' && i+1 < len(s) && (isPunct(s[i+1]) || isSpace(s[i+1])):
			i += 2
		default:
			return i
		}
	}
	return i
}

// unescape drops the backslashes before punctuation and spaces.
func unescape(s string) string {
	for i := range len(s) {
		if s[i] != '\\' {
			continue
		}
		b := append(make([]byte, 0, len(s)), s[:i]...)
		for ; i < len(s); i++ {
			if s[i] == '\\' && i+1 < len(s) && (isPunct(s[i+1]) || isSpace(s[i+1])) {
				i++
			}
			b = append(b, s[i])
		}
		return string(b)
	}
	return s
}
