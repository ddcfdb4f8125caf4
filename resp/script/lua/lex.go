package lua

import (
	"fmt"
	"strings"
)

// token is a character, or one of those below.
type token int

const (
	tkAnd token = iota + 257
	tkBreak
	tkDo
	tkElse
	tkElseif
	tkEnd
	tkFalse
	tkFor
	tkFunction
	tkIf
	tkIn
	tkLocal
	tkNil
	tkNot
	tkOr
	tkRepeat
	tkReturn
	tkThen
	tkTrue
	tkUntil
	tkWhile
	tkConcat
	tkDots
	tkEq
	tkGe
	tkLe
	tkNe
	tkNumber
	tkName
	tkString
	tkEOS
)

var tokenNames = [...]string{
	"and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in", "local", "nil", "not",
	"or", "repeat", "return", "then", "true", "until", "while", "..", "...", "==", ">=", "<=", "~=",
	"<number>", "<name>", "<string>", "<eof>",
}

var reserved = func() map[string]token {
	m := map[string]token{}
	for t := tkAnd; t <= tkWhile; t++ {
		m[tokenNames[t-tkAnd]] = t
	}
	return m
}()

func (t token) String() string {
	switch {
	case t >= tkAnd:
		return tokenNames[t-tkAnd]
	case t < 32 || t == 127:
		return fmt.Sprintf("char(%d)", int(t))
	}
	return string([]byte{byte(t)})
}

// lexeme is a token with what it means and where it stands.
type lexeme struct {
	token token
	num   float64
	str   string
	text  string // as the source has it, for errors
	quote byte   // of a quoted string
}

// lexer cuts a source into tokens. The first error stays, and from then on
// every token is the end of the source, so that the parser comes home.
type lexer struct {
	src   string
	at    int // of cur's successor
	cur   int // the character looked at, eoz at the end
	line  int
	last  int // line of the token before
	name  string
	t     lexeme
	ahead lexeme
	room  int // bytes that the code may still take
	err   error
}

const eoz = -1

func newLexer(src, name string) *lexer {
	x := &lexer{src: src, line: 1, last: 1, name: name}
	x.ahead.token = tkEOS
	x.step()
	return x
}

func (x *lexer) step() {
	if x.at < len(x.src) {
		x.cur = int(x.src[x.at])
	} else {
		x.cur = eoz
	}
	x.at++
}

// SyntaxError is why a chunk does not compile.
type SyntaxError string

// Error implements error.
func (e SyntaxError) Error() string { return string(e) }

func (x *lexer) fail(msg, near string) {
	if x.err != nil {
		return
	}
	msg = fmt.Sprintf("%s:%d: %s", chunkID(x.name), x.line, msg)
	if near != "" {
		msg += " near '" + near + "'"
	}
	x.err = SyntaxError(msg)
	x.t, x.ahead = lexeme{token: tkEOS}, lexeme{token: tkEOS}
	x.cur, x.at = eoz, len(x.src)+1
}

// take counts memory for code.
func (x *lexer) take(n int) {
	if x.room -= n; x.room < 0 {
		x.fail("not enough memory", "")
	}
}

// syntax reports what the parser cannot make sense of.
func (x *lexer) syntax(msg string) { x.fail(msg, x.near(x.t)) }

func (x *lexer) near(t lexeme) string {
	switch {
	case t.quote != 0:
		return cString(string(t.quote) + t.str + string(t.quote))
	case t.token == tkName || t.token == tkString || t.token == tkNumber:
		return cString(t.text)
	}
	return t.token.String()
}

// cString is what C's "%s" prints of a string: up to the first NUL.
func cString(s string) string {
	if i := strings.IndexByte(s, 0); i >= 0 {
		return s[:i]
	}
	return s
}

func (x *lexer) next() {
	x.last = x.line
	if x.ahead.token != tkEOS {
		x.t, x.ahead = x.ahead, lexeme{token: tkEOS}
		return
	}
	if t := x.scan(); x.err == nil {
		x.t = t
	}
}

func (x *lexer) peek() token {
	if t := x.scan(); x.err == nil {
		x.ahead = t
	}
	return x.ahead.token
}

func (x *lexer) isNewline() bool { return x.cur == '\n' || x.cur == '\r' }

func (x *lexer) newline() {
	old := x.cur
	x.step()
	if x.isNewline() && x.cur != old {
		x.step()
	}
	if x.line++; x.line >= 1<<31-3 {
		x.syntax("chunk has too many lines")
	}
}

func (x *lexer) scan() lexeme {
	for {
		begin := x.at - 1
		switch c := x.cur; c {
		case '\n', '\r':
			x.newline()
		case '-':
			if x.step(); x.cur != '-' {
				return lexeme{token: '-'}
			}
			x.step()
			x.comment()
		case '[':
			sep := x.separator()
			if sep >= 2 {
				s := x.long(sep, "unfinished long string")
				return lexeme{token: tkString, str: s, text: x.text(begin)}
			}
			if sep == 0 {
				x.fail("invalid long string delimiter", cString(x.text(begin)))
			}
			return lexeme{token: '['}
		case '=', '<', '>', '~':
			x.step()
			if x.cur != '=' {
				return lexeme{token: token(c)}
			}
			x.step()
			switch c {
			case '=':
				return lexeme{token: tkEq}
			case '<':
				return lexeme{token: tkLe}
			case '>':
				return lexeme{token: tkGe}
			}
			return lexeme{token: tkNe}
		case '"', '\'':
			return x.quoted(c)
		case '.':
			if x.step(); x.cur == '.' {
				if x.step(); x.cur == '.' {
					x.step()
					return lexeme{token: tkDots}
				}
				return lexeme{token: tkConcat}
			}
			if x.cur == eoz || !isDigit(byte(x.cur)) {
				return lexeme{token: '.'}
			}
			return x.numeral(begin)
		case eoz:
			return lexeme{token: tkEOS}
		default:
			switch b := byte(c); {
			case isSpace(b):
				x.step()
			case isDigit(b):
				return x.numeral(begin)
			case isAlpha(b) || b == '_':
				for x.word() {
					x.step()
				}
				s := x.text(begin)
				if t, ok := reserved[s]; ok {
					return lexeme{token: t}
				}
				return lexeme{token: tkName, str: s, text: s}
			default:
				x.step()
				return lexeme{token: token(c)}
			}
		}
	}
}

// text is the source from begin up to the current character.
func (x *lexer) text(begin int) string { return x.src[begin:min(x.at-1, len(x.src))] }

func (x *lexer) word() bool {
	return x.cur != eoz && (isAlnum(byte(x.cur)) || x.cur == '_')
}

func (x *lexer) numeral(begin int) lexeme {
	for x.cur != eoz && (isDigit(byte(x.cur)) || x.cur == '.') {
		x.step()
	}
	if x.cur == 'e' || x.cur == 'E' {
		if x.step(); x.cur == '+' || x.cur == '-' {
			x.step()
		}
	}
	for x.word() {
		x.step()
	}
	s := x.text(begin)
	f, ok := parseNumber(s)
	if !ok {
		x.fail("malformed number", cString(s))
	}
	return lexeme{token: tkNumber, num: f, text: s}
}

// separator reads "[", some "=", and stands before what follows. It returns the
// number of "=" and 2 where that is the same bracket, else 1 without "=" and 0 with.
func (x *lexer) separator() int {
	bracket, n := x.cur, 0
	for x.step(); x.cur == '='; x.step() {
		n++
	}
	switch {
	case x.cur == bracket:
		return n + 2
	case n == 0:
		return 1
	}
	return 0
}

func (x *lexer) comment() {
	if x.cur == '[' {
		if sep := x.separator(); sep >= 2 {
			x.long(sep, "unfinished long comment")
			return
		}
	}
	for !x.isNewline() && x.cur != eoz {
		x.step()
	}
}

// long reads the rest of a long string or comment, whose second bracket is next.
func (x *lexer) long(sep int, unfinished string) string {
	x.step()
	if x.isNewline() {
		x.newline()
	}
	var b strings.Builder
	from := x.at - 1
	for {
		switch x.cur {
		case eoz:
			x.fail(unfinished, tkEOS.String())
			return ""
		case ']':
			end := x.at - 1
			if x.separator() == sep {
				x.step()
				b.WriteString(x.src[from:end])
				return b.String()
			}
		case '\n', '\r':
			b.WriteString(x.src[from : x.at-1])
			b.WriteByte('\n')
			x.newline()
			from = x.at - 1
		default:
			x.step()
		}
	}
}

func (x *lexer) quoted(del int) lexeme {
	// What an error shows is the string as it was understood up to there.
	b := []byte{byte(del)}
	for x.step(); x.cur != del; {
		switch x.cur {
		case eoz:
			x.fail("unfinished string", tkEOS.String())
			return lexeme{}
		case '\n', '\r':
			x.fail("unfinished string", cString(string(b)))
			return lexeme{}
		case '\\':
			x.step()
			b = x.escape(b)
		default:
			b = append(b, byte(x.cur))
			x.step()
		}
		if x.err != nil {
			return lexeme{}
		}
	}
	x.step()
	return lexeme{token: tkString, str: string(b[1:]), quote: byte(del)}
}

const escapes = "a\ab\bf\fn\nr\rt\tv\v"

func (x *lexer) escape(b []byte) []byte {
	switch c := x.cur; {
	case c == eoz: // the loop reports it
	case c == '\n' || c == '\r':
		b = append(b, '\n')
		x.newline()
	case isDigit(byte(c)):
		n := 0
		for i := 0; i < 3 && x.cur != eoz && isDigit(byte(x.cur)); i++ {
			n = n*10 + x.cur - '0'
			x.step()
		}
		if n > 255 {
			x.fail("escape sequence too large", cString(string(b)))
			return b
		}
		b = append(b, byte(n))
	default:
		for i := 0; i < len(escapes); i += 2 {
			if c == int(escapes[i]) {
				c = int(escapes[i+1])
				break
			}
		}
		b = append(b, byte(c))
		x.step()
	}
	return b
}

// maxID is the room for a chunk's name in messages, its NUL included.
const maxID = 60

// chunkID is how messages name a chunk: "=name" and "@name" are names, anything
// else is the source itself, of which the first line is shown.
func chunkID(name string) string {
	name = cString(name)
	if name == "" {
		return `[string ""]`
	}
	switch name[0] {
	case '=':
		return name[1:min(len(name), maxID)]
	case '@':
		name = name[1:]
		if room := maxID - len(" '...' ") - 1; len(name) > room {
			name = "..." + name[len(name)-room:]
		}
		return name
	}
	line := name
	if i := strings.IndexAny(line, "\n\r"); i >= 0 {
		line = line[:i]
	}
	room := maxID - len(` [string "..."] `) - 1
	if len(line) > room || len(line) < len(name) {
		return `[string "` + line[:min(len(line), room)] + `..."]`
	}
	return `[string "` + line + `"]`
}
