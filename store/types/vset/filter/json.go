package filter

import (
	"bytes"
	"strconv"
)

// field finds a field of a JSON object at its top level, and reads its value:
// a text, a number, true, false, null, or a list of these. ok is false where
// there is none, or where the JSON before it is broken. What is behind it is not
// looked at. Names are compared as they are written, escapes and all.
func field(json, name []byte) (v value, ok bool) {
	j := reader{json, 0}
	if j.spaces(); j.peek() != '{' {
		return v, false
	}
	j.at++
	for {
		if j.spaces(); j.peek() != '"' {
			return v, false
		}
		from := j.at + 1
		if !j.skipText() {
			return v, false
		}
		found := bytes.Equal(json[from:j.at-1], name)
		if j.spaces(); j.peek() != ':' {
			return v, false
		}
		j.at++
		if j.spaces(); j.at >= len(json) {
			return v, false
		}
		if found {
			return j.value(0)
		}
		if !j.skip() {
			return v, false
		}
		if j.spaces(); j.peek() != ',' {
			return v, false
		}
		j.at++
	}
}

// reader reads JSON. Behind the end it reads 0.
type reader struct {
	json []byte
	at   int
}

func (j *reader) peek() byte {
	if j.at < len(j.json) {
		return j.json[j.at]
	}
	return 0
}

func (j *reader) spaces() {
	for isSpace(j.peek()) {
		j.at++
	}
}

func (j *reader) skipText() bool {
	for j.at++; j.at < len(j.json); j.at++ {
		switch j.json[j.at] {
		case '\\':
			j.at++
		case '"':
			j.at++
			return true
		}
	}
	return false
}

// skip goes over a value without looking at all of it.
func (j *reader) skip() bool {
	switch c := j.peek(); c {
	case '"':
		return j.skipText()
	case '{':
		return j.skipBrackets('{', '}')
	case '[':
		return j.skipBrackets('[', ']')
	case 't':
		return j.word("true")
	case 'f':
		return j.word("false")
	case 'n':
		return j.word("null")
	}
	from := j.at
	for isNumber(j.peek()) {
		j.at++
	}
	return j.at > from
}

func isNumber(c byte) bool {
	return isDigit(c) || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

func (j *reader) word(w string) bool {
	if !bytes.HasPrefix(j.json[j.at:], []byte(w)) {
		return false
	}
	j.at += len(w)
	return true
}

// skipBrackets counts brackets of one kind only.
func (j *reader) skipBrackets(open, shut byte) bool {
	depth := 1
	for j.at++; j.at < len(j.json) && depth > 0; {
		switch j.json[j.at] {
		case '"':
			if !j.skipText() {
				return false
			}
			continue
		case open:
			depth++
		case shut:
			depth--
		}
		j.at++
	}
	return depth == 0
}

// maxDepth is how deep lists may be nested.
const maxDepth = 1000

func (j *reader) value(depth int) (v value, ok bool) {
	if depth >= maxDepth {
		return v, false
	}
	j.spaces()
	switch c := j.peek(); {
	case c == '"':
		return j.text()
	case c == '[':
		return j.list(depth)
	case c == 't':
		return value{kind: number, num: 1}, j.literal("true")
	case c == 'f':
		return value{kind: number}, j.literal("false")
	case c == 'n':
		return value{kind: null}, j.literal("null")
	case isDigit(c) || c == '-' || c == '+':
		return j.number()
	}
	return v, false
}

// literal is a word with a delimiter behind it.
func (j *reader) literal(w string) bool {
	if !j.word(w) {
		return false
	}
	if j.at == len(j.json) {
		return true
	}
	c := j.json[j.at]
	return isSpace(c) || c == ',' || c == ']' || c == '}'
}

func (j *reader) number() (value, bool) {
	from := j.at
	for isNumber(j.peek()) && j.at-from < maxDigits {
		j.at++
	}
	x, err := strconv.ParseFloat(string(j.json[from:j.at]), 64)
	return value{kind: number, num: x}, err == nil || isRange(err)
}

// text reads a text. Without escapes, it is a part of the JSON.
func (j *reader) text() (value, bool) {
	from, escapes := j.at+1, false
	for j.at++; ; j.at++ {
		if j.at >= len(j.json) {
			return value{}, false
		}
		c := j.json[j.at]
		if c == '"' {
			break
		}
		if c == '\\' {
			escapes = true
			j.at++
		}
	}
	s := j.json[from:j.at]
	j.at++
	if escapes {
		s = unescape(s)
	}
	return value{kind: text, str: s}, true
}

// unescape knows few escapes; of others, as \u, only the backslash goes.
func unescape(s []byte) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			i++
			switch c = s[i]; c {
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			}
		}
		out = append(out, c)
	}
	return out
}

func (j *reader) list(depth int) (value, bool) {
	j.at++
	t := value{kind: tuple}
	if j.spaces(); j.peek() == ']' {
		j.at++
		return t, true
	}
	for {
		v, ok := j.value(depth + 1)
		if !ok {
			return t, false
		}
		t.list = append(t.list, v)
		j.spaces()
		switch j.peek() {
		case ',':
			j.at++
		case ']':
			j.at++
			return t, true
		default:
			return t, false
		}
	}
}
