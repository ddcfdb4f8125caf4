package json

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// Path is a compiled JSONPath. It may be shared; it is reused by Compile.
type Path struct {
	// Legacy is a path of the old syntax, which does not begin with $: it stands
	// for the first of its matches.
	Legacy bool

	segs []segment
	expr *expr // of a path that computes a value rather than choose some

	room [4]segment
}

// segment is a step of a path.
type segment struct {
	kind   segmentKind
	deep   bool // after ..
	name   []byte
	names  [][]byte
	index  []int
	slice  slice
	filter *expr
}

type segmentKind uint8

const (
	segName segmentKind = iota
	segNames
	segIndex
	segSlice
	segAll
	segFilter
)

// slice is [from:to:step], where what was left out is marked.
type slice struct {
	from, to, step     int
	defaultTo, hasFrom bool
}

// PathError is a text that is no path, and where.
type PathError struct {
	Text     string // as it was parsed
	At       int
	Expected string
}

// Error has the form of RedisJSON's; what is expected is not told as fully.
func (e *PathError) Error() string {
	at := e.At
	for at > 0 && at < len(e.Text) && !utf8.RuneStart(e.Text[at]) {
		at--
	}
	mark := "\"" + e.Text[:at] + " ---->>>> " + e.Text[at:] + "\""
	if at == len(e.Text) {
		mark = "\"" + e.Text + " <<<<----\""
	}
	return "Error occurred on position " + strconv.Itoa(at) + ", " + mark + ", expected one of the following: " + e.Expected + "."
}

// Compile reads a path, which is valid UTF-8. Names in the path are those of the
// text where they can be: it must not change while the path is used.
func (p *Path) Compile(text []byte) error {
	*p = Path{}
	p.segs = p.room[:0]
	c := compiler{text: text}
	jsonPath := len(text) > 0 && text[0] == '$' && (len(text) == 1 || bytes.IndexByte([]byte(".[~ "), text[1]) >= 0)
	switch {
	case jsonPath:
		c.at = 1
	case len(text) > 0 && maybeExpr(text) && p.compileExpr(text):
		return nil
	default:
		p.Legacy, c.legacy = true, true
		if string(text) == "." {
			return nil
		}
	}
	var ok bool
	if p.segs, ok = c.steps(p.segs, p.Legacy); ok {
		if c.space(); c.at == len(text) && (jsonPath || len(p.segs) > 0) {
			return nil
		}
		c.want(expectStep)
	}
	legacy := p.Legacy
	if legacy {
		text = []byte(fullText(text))
	}
	if p.compileExpr(text) {
		p.Legacy = legacy
		return nil
	}
	return c.err()
}

// maybeExpr reports whether a text that does not begin as a path could be a value
// to be computed: -$.a, ($.a + 1) * 2, length($.a).
func maybeExpr(text []byte) bool {
	if c := text[0]; c == '-' || c == '+' || c == '(' {
		return true
	}
	paren := bytes.IndexByte(text, '(')
	if paren <= 0 {
		return false
	}
	for _, c := range text[:paren] {
		if c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

func (p *Path) compileExpr(text []byte) bool {
	c := compiler{text: text}
	e, ok := c.expression()
	if !ok || c.at != len(text) || e.logical() {
		return false
	}
	if e.op == opPath && e.fromRoot { // ($.a) is a path
		p.segs = e.segs
		return true
	}
	p.expr = e
	p.Legacy = false
	return true
}

// Projection reports whether the path computes a value: then it can be read, and
// nothing can be changed by it.
func (p *Path) Projection() bool { return p.expr != nil }

// IsRoot reports whether the path is that of the whole document.
func (p *Path) IsRoot() bool { return p.expr == nil && len(p.segs) == 0 }

// Static reports whether the path has one match at most.
func (p *Path) Static() bool {
	if p.expr != nil {
		return false
	}
	for i := range p.segs {
		if !p.segs[i].static() {
			return false
		}
	}
	return true
}

func (s *segment) static() bool {
	return !s.deep && (s.kind == segName || s.kind == segNames && len(s.names) == 1 || s.kind == segIndex && len(s.index) == 1)
}

// Last is the key that a static path ends with; ok is false where it ends with an
// index.
func (p *Path) Last() (key []byte, ok bool) {
	switch s := &p.segs[len(p.segs)-1]; s.kind {
	case segName:
		return s.name, true
	case segNames:
		return s.names[0], true
	}
	return nil, false
}

// Parent is the path without its last step. It shares the steps.
func (p *Path) Parent() Path { return Path{segs: p.segs[:len(p.segs)-1]} }

// maxNested bounds filters in filters, and parentheses.
const maxNested = 64

// compiler reads a path by the grammar of RedisJSON. Spaces may stand between
// tokens.
type compiler struct {
	text     []byte
	at       int
	legacy   bool
	nested   int
	expected string // what was wanted at
	errorAt  int
}

// want notes what could have stood here; the furthest place is reported.
func (c *compiler) want(what string) bool {
	if c.at > c.errorAt || c.expected == "" {
		c.errorAt, c.expected = c.at, what
	}
	return false
}

func (c *compiler) err() error {
	text := string(c.text)
	at := c.errorAt
	if c.legacy { // the place is one in the path that it stands for
		text = fullText(c.text)
		at += len(text) - len(c.text)
	}
	return &PathError{Text: text, At: min(at, len(text)), Expected: c.expected}
}

// fullText is the JSONPath that a legacy path stands for.
func fullText(legacy []byte) string {
	if len(legacy) > 0 && legacy[0] == '.' {
		return "$" + string(legacy)
	}
	return "$." + string(legacy)
}

func (c *compiler) space() byte {
	for c.at < len(c.text) && c.text[c.at] == ' ' {
		c.at++
	}
	return c.peek()
}

func (c *compiler) peek() byte {
	if c.at < len(c.text) {
		return c.text[c.at]
	}
	return 0
}

func (c *compiler) accept(b byte) bool {
	if c.space() != b {
		return false
	}
	c.at++
	return true
}

// nameBytes are what a name without quotes may hold.
var nameBytes = func() (t [256]bool) {
	for _, r := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_`+#%$^/:" {
		t[r] = true
	}
	return t
}()

func (c *compiler) name() []byte {
	from := c.at
	for c.at < len(c.text) && nameBytes[c.text[c.at]] {
		c.at++
	}
	return c.text[from:c.at]
}

const expectStep = "'..', '.', '['"

// steps reads the steps of a path up to where there are no more. The first may be
// bare, without the point.
func (c *compiler) steps(segs []segment, bare bool) ([]segment, bool) {
	for ; ; bare = false {
		before := c.at
		b := c.space()
		if b != '.' && b != '[' && !(bare && c.at == before && (nameBytes[b] || b == '*')) {
			c.at = before
			return segs, true
		}
		var s segment
		if b == '.' {
			c.at++
			if c.peek() == '.' {
				c.at++
				s.deep = true
			}
		}
		switch b = c.space(); {
		case b == '*':
			c.at++
			s.kind = segAll
		case b == '[':
			c.at++
			if !c.bracket(&s) {
				return segs, false
			}
		case nameBytes[b]:
			s.name = c.name()
			if c.peek() == '(' { // a function of what comes before
				c.at = before
				return segs, true
			}
		default:
			return segs, c.want("<string>, '*', '['")
		}
		segs = append(segs, s)
	}
}

// bracket reads what is between [ and ].
func (c *compiler) bracket(s *segment) bool {
	switch b := c.space(); {
	case b == '*':
		c.at++
		s.kind = segAll
	case b == '?':
		c.at++
		if c.nested++; c.nested > maxNested {
			return c.want("fewer levels")
		}
		e, ok := c.expression()
		c.nested--
		if !ok {
			return false
		}
		s.kind, s.filter = segFilter, e
	case b == '"' || b == '\'':
		s.kind = segNames
		for {
			c.space()
			str, ok := c.str()
			if !ok {
				return false
			}
			s.names = append(s.names, str)
			if !c.accept(',') {
				break
			}
		}
	case b == ':' || b == '-' || '0' <= b && b <= '9':
		if !c.numbers(s) {
			return false
		}
	default:
		return c.want("'*', '<number>[,<number>,...]', ['start:end:steps'], '<string>[,<string>,...]', '[?(filter_expression)]'")
	}
	if !c.accept(']') {
		return c.want("']'")
	}
	return true
}

// numbers reads indexes, or a slice.
func (c *compiler) numbers(s *segment) bool {
	if c.peek() != ':' {
		n, ok := c.number()
		if !ok {
			return false
		}
		if c.space() != ':' {
			s.kind = segIndex
			s.index = append(s.index, n)
			for c.accept(',') {
				c.space()
				if n, ok = c.number(); !ok {
					return false
				}
				s.index = append(s.index, n)
			}
			return true
		}
		s.slice.from, s.slice.hasFrom = n, true
	}
	s.kind = segSlice
	c.at++ // :
	s.slice.step, s.slice.defaultTo = 1, true
	if b := c.space(); b == '-' || '0' <= b && b <= '9' {
		n, ok := c.number()
		if !ok {
			return false
		}
		s.slice.to, s.slice.defaultTo = n, false
	}
	if !c.accept(':') {
		return true
	}
	if b := c.space(); '1' <= b && b <= '9' {
		s.slice.step, _ = c.number()
	}
	return true
}

// number reads an index.
func (c *compiler) number() (int, bool) {
	from := c.at
	if c.peek() == '-' {
		c.at++
	}
	digits := c.at
	for '0' <= c.peek() && c.peek() <= '9' {
		c.at++
	}
	n, err := strconv.Atoi(string(c.text[from:c.at]))
	if err != nil || c.text[digits] == '0' && c.at > digits+1 {
		c.at = from
		return 0, c.want("'<number>'")
	}
	return n, true
}

// str reads a string in quotes, in which the same quote and a backslash may stand
// after a backslash, and no other.
func (c *compiler) str() ([]byte, bool) {
	quote := c.peek()
	if quote != '"' && quote != '\'' {
		return nil, c.want("<string>")
	}
	from := c.at + 1
	escaped := false
	for i := from; i < len(c.text); i++ {
		switch c.text[i] {
		case quote:
			c.at = i + 1
			s := c.text[from:i]
			if escaped {
				s = unescape(s)
			}
			return s, true
		case '\\':
			escaped = true
			if i++; i == len(c.text) || c.text[i] != quote && c.text[i] != '\\' {
				c.at = i
				return nil, c.want("string_escape")
			}
		}
	}
	c.at = len(c.text)
	return nil, c.want("string_value")
}

func unescape(s []byte) []byte {
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		}
		b = append(b, s[i])
	}
	return b
}
