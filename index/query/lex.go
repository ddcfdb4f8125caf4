package query

import (
	"math"
	"strconv"
	"strings"
)

type tokenKind uint8

const (
	tEOF tokenKind = iota
	tTerm
	tNumber // num holds the value; size says that it is digits only
	tModifier
	tAttr
	tPrefix
	tSuffix
	tInfix
	tWildcard
	tQuote
	tOr
	tLP
	tRP
	tLB
	tRB
	tLSQB
	tRSQB
	tColon
	tSemicolon
	tArrow
	tMinus
	tTilde
	tStar
	tPercent
	tEqual // ==
	tNotEqual
	tLess
	tLessEqual
	tGreater
	tGreaterEqual
)

type token struct {
	kind  tokenKind
	param bool   // prefix, suffix, infix, wildcard: text is a parameter's name
	size  bool   // number without point, sign or exponent
	pos   int    // offset of its first byte
	end   int    // offset behind its last byte
	text  string // unescaped content
	num   float64
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isPunct(c byte) bool {
	return c >= '!' && c <= '/' || c >= ':' && c <= '@' || c >= '[' && c <= '`' || c >= '{' && c <= '~'
}

// isWord tells the bytes of a word: all but spaces, control characters and
// ASCII punctuation, the underscore excepted.
func isWord(c byte) bool {
	return c == '_' || c > ' ' && c != 0x7f && !isPunct(c)
}

// escapable tells the bytes that a backslash makes part of a word.
func escapable(c byte) bool { return c <= ' ' || c == 0x7f || isPunct(c) }

// wordEnd is the end of the word that begins at i; i itself where there is none.
func wordEnd(s string, i int) int {
	for i < len(s) {
		switch {
		case isWord(s[i]):
			i++
		case s[i] == '\\' && i+1 < len(s) && escapable(s[i+1]):
			i += 2
		default:
			return i
		}
	}
	return i
}

func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && escapable(s[i+1]) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// numberEnd is the end of the unsigned number at i; i itself where there is none.
func numberEnd(s string, i int) (end int, size bool) {
	start := i
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	if i == start {
		return start, false
	}
	size = true
	if i+1 < len(s) && s[i] == '.' && isDigit(s[i+1]) {
		size = false
		for i++; i < len(s) && isDigit(s[i]); i++ {
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '-' || s[j] == '+') {
			j++
		}
		if j < len(s) && isDigit(s[j]) {
			size = false
			for i = j; i < len(s) && isDigit(s[i]); i++ {
			}
		}
	}
	return i, size
}

// scan reads the token at or after i.
func scan(s string, i int) token {
	for i < len(s) {
		c := s[i]
		one := func(k tokenKind) token { return token{kind: k, pos: i, end: i + 1, text: s[i : i+1]} }
		two := func(k tokenKind) token { return token{kind: k, pos: i, end: i + 2, text: s[i : i+2]} }
		next := byte(0)
		if i+1 < len(s) {
			next = s[i+1]
		}
		switch c {
		case '"':
			return one(tQuote)
		case '|':
			return one(tOr)
		case '(':
			return one(tLP)
		case ')':
			return one(tRP)
		case '{':
			return one(tLB)
		case '}':
			return one(tRB)
		case '[':
			return one(tLSQB)
		case ']':
			return one(tRSQB)
		case ':':
			return one(tColon)
		case ';':
			return one(tSemicolon)
		case '-':
			return one(tMinus)
		case '~':
			return one(tTilde)
		case '%':
			return one(tPercent)
		case '=':
			if next == '>' {
				return two(tArrow)
			}
			if next == '=' {
				return two(tEqual)
			}
		case '!':
			if next == '=' {
				return two(tNotEqual)
			}
		case '<':
			if next == '=' {
				return two(tLessEqual)
			}
			return one(tLess)
		case '>':
			if next == '=' {
				return two(tGreaterEqual)
			}
			return one(tGreater)
		case '@':
			if e := wordEnd(s, i+1); e > i+1 {
				return token{kind: tModifier, pos: i, end: e, text: unescape(s[i+1 : e])}
			}
		case '$':
			if e := wordEnd(s, i+1); e > i+1 {
				t := token{kind: tAttr, pos: i, end: e, text: unescape(s[i+1 : e])}
				if e < len(s) && s[e] == '*' {
					t.kind, t.param, t.end = tPrefix, true, e+1
				}
				return t
			}
		case '*':
			j, param := i+1, false
			if next == '$' && wordEnd(s, i+2) > i+2 {
				j, param = i+2, true
			}
			e := wordEnd(s, j)
			if ne, _ := numberEnd(s, j); ne > e {
				e = ne
			}
			if e == j {
				return one(tStar)
			}
			t := token{kind: tSuffix, param: param, pos: i, end: e, text: unescape(s[j:e])}
			if e < len(s) && s[e] == '*' {
				t.kind, t.end = tInfix, e+1
			}
			return t
		case 'w':
			if next == '\'' {
				if t, ok := scanWildcard(s, i); ok {
					return t
				}
			}
		}
		e := wordEnd(s, i)
		ne, size := numberEnd(s, i)
		if ne > i && ne >= e {
			t := token{kind: tNumber, size: size, pos: i, end: ne, text: s[i:ne]}
			t.num, _ = strconv.ParseFloat(t.text, 64) // infinity where it overflows
			if ne < len(s) && s[ne] == '*' {
				t.kind, t.end = tPrefix, ne+1
			}
			return t
		}
		if e > i {
			t := token{kind: tTerm, pos: i, end: e, text: unescape(s[i:e])}
			if e < len(s) && s[e] == '*' {
				t.kind, t.end = tPrefix, e+1
			} else if e-i == 3 && strings.EqualFold(t.text, "inf") {
				t.kind, t.num = tNumber, math.Inf(1)
			}
			return t
		}
		i++ // a space, or punctuation that means nothing
	}
	return token{kind: tEOF, pos: len(s), end: len(s)}
}

// scanWildcard reads w'...', or w'$name'.
func scanWildcard(s string, i int) (token, bool) {
	start := i + 2
	for j := start; j < len(s); j++ {
		switch s[j] {
		case '\\':
			j++
		case '\'':
			if j == start {
				return token{}, false
			}
			t := token{kind: tWildcard, pos: i, end: j + 1}
			if raw := s[start:j]; raw[0] == '$' && len(raw) > 1 && wordEnd(raw, 1) == len(raw) {
				t.text, t.param = unescape(raw[1:]), true
			} else {
				t.text = wildcard(raw)
			}
			return t, true
		}
	}
	return token{}, false
}

// wildcard is what w'raw' asks for: a backslash escapes the quote, and stays before * and ? and itself.
func wildcard(raw string) string {
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] == '\\' && i+1 < len(raw) {
			i++
			if n := raw[i]; n == '*' || n == '?' || n == '\\' {
				b = append(b, '\\')
			}
		}
		b = append(b, raw[i])
	}
	return string(b)
}
