package codec

import (
	"strings"
	"unicode/utf8"

	"github.com/nearcache/nearcache/resp/script/lua"
)

// jsonKind is a token, with the name that errors give it.
type jsonKind string

const (
	jsonObjBegin jsonKind = "T_OBJ_BEGIN"
	jsonObjEnd   jsonKind = "T_OBJ_END"
	jsonArrBegin jsonKind = "T_ARR_BEGIN"
	jsonArrEnd   jsonKind = "T_ARR_END"
	jsonString   jsonKind = "T_STRING"
	jsonNumber   jsonKind = "T_NUMBER"
	jsonBool     jsonKind = "T_BOOLEAN"
	jsonNull     jsonKind = "T_NULL"
	jsonColon    jsonKind = "T_COLON"
	jsonComma    jsonKind = "T_COMMA"
	jsonEnd      jsonKind = "T_END"
	jsonError    jsonKind = "T_ERROR"
)

type jsonToken struct {
	kind  jsonKind
	at    int
	text  string // of a string, or what is wrong
	value lua.Value
}

type jsonDecoder struct {
	l     *lua.Thread
	c     *jsonConfig
	s     string
	at    int
	depth int
	tmp   []byte
}

func jsonDecode(l *lua.Thread, c *jsonConfig) {
	if l.NArg() != 1 {
		l.ArgError(1, "expected 1 argument")
		return
	}
	s := l.CheckString(1)
	if l.Failed() {
		return
	}
	if len(s) >= 2 && (s[0] == 0 || s[1] == 0) {
		l.Errorf("JSON parser does not support UTF-16 or UTF-32")
		return
	}
	d := jsonDecoder{l: l, c: c, s: s}
	d.value(d.next(), 1, l.Push)
	if l.Failed() {
		return
	}
	if t := d.next(); t.kind != jsonEnd {
		d.expected("the end", t)
	}
}

// ch is the character at i, 0 behind the end.
func (d *jsonDecoder) ch(i int) byte {
	if i < len(d.s) {
		return d.s[i]
	}
	return 0
}

func (d *jsonDecoder) wrong(what string) jsonToken {
	return jsonToken{kind: jsonError, at: d.at, text: what}
}

func (d *jsonDecoder) next() jsonToken {
	for c := d.ch(d.at); c == ' ' || c == '\t' || c == '\n' || c == '\r'; c = d.ch(d.at) {
		d.at++
	}
	t := jsonToken{at: d.at}
	one := func(k jsonKind) jsonToken {
		d.at++
		t.kind = k
		return t
	}
	word := func(w string, k jsonKind, v lua.Value) bool {
		if !strings.HasPrefix(d.s[d.at:], w) {
			return false
		}
		d.at += len(w)
		t.kind, t.value = k, v
		return true
	}
	switch c := d.ch(d.at); {
	case c == 0:
		t.kind = jsonEnd
		return t
	case c == '{':
		return one(jsonObjBegin)
	case c == '}':
		return one(jsonObjEnd)
	case c == '[':
		return one(jsonArrBegin)
	case c == ']':
		return one(jsonArrEnd)
	case c == ',':
		return one(jsonComma)
	case c == ':':
		return one(jsonColon)
	case c == '"':
		return d.text(t)
	case c == '-' || '0' <= c && c <= '9':
		if !d.c.decodeInvalid && d.invalidNumber() {
			return d.wrong("invalid number")
		}
		return d.number(t)
	case strings.IndexByte("tfniIN+", c) < 0:
		return d.wrong("invalid token")
	case word("true", jsonBool, lua.True), word("false", jsonBool, lua.False), word("null", jsonNull, lua.Null):
		return t
	case d.c.decodeInvalid && d.invalidNumber():
		return d.number(t)
	}
	return d.wrong("invalid token")
}

// invalidNumber reports whether a number follows that C reads and JSON does not
// have: with a plus, leading zeros, in hexadecimal, infinite or none.
func (d *jsonDecoder) invalidNumber() bool {
	i := d.at
	if d.ch(i) == '+' {
		return true
	}
	if d.ch(i) == '-' {
		i++
	}
	c := d.ch(i)
	if c == '0' {
		next := d.ch(i + 1)
		return next|0x20 == 'x' || '0' <= next && next <= '9'
	}
	if c <= '9' {
		return false
	}
	w := strings.ToLower(d.s[i:min(i+3, len(d.s))])
	return w == "inf" || w == "nan"
}

func (d *jsonDecoder) number(t jsonToken) jsonToken {
	f, n := lua.NumberPrefix(d.s[d.at:])
	if n == 0 {
		return d.wrong("invalid number")
	}
	d.at += n
	t.kind, t.value = jsonNumber, lua.Number(f)
	return t
}

func (d *jsonDecoder) text(t jsonToken) jsonToken {
	d.at++
	from, b := d.at, d.tmp[:0]
	for {
		c := d.ch(d.at)
		switch c {
		case '"':
			t.kind = jsonString
			if len(b) == 0 {
				t.text = d.s[from:d.at]
			} else {
				b = append(b, d.s[from:d.at]...)
				t.text = string(b)
			}
			d.tmp = b
			d.at++
			return t
		case 0:
			return d.wrong("unexpected end of string")
		case '\\':
			b = append(b, d.s[from:d.at]...)
			e := d.ch(d.at + 1)
			if e == 'u' {
				r, n := d.unicode(d.at)
				if n == 0 {
					return d.wrong("invalid unicode escape code")
				}
				b = utf8.AppendRune(b, r)
				d.at += n
			} else {
				i := strings.IndexByte(`"\/btnfr`, e)
				if e == 0 || i < 0 {
					return d.wrong("invalid escape code")
				}
				b = append(b, "\"\\/\b\t\n\f\r"[i])
				d.at += 2
			}
			from = d.at
		default:
			d.at++
		}
	}
}

// unicode reads an escape \uXXXX, or a pair of them; n is 0 where it is wrong.
func (d *jsonDecoder) unicode(at int) (r rune, n int) {
	r = d.hex4(at + 2)
	switch {
	case r < 0:
		return 0, 0
	case r&0xF800 != 0xD800:
		return r, 6
	case r&0x400 != 0 || d.ch(at+6) != '\\' || d.ch(at+7) != 'u':
		return 0, 0
	}
	low := d.hex4(at + 8)
	if low < 0 || low&0xFC00 != 0xDC00 {
		return 0, 0
	}
	return (r&0x3FF)<<10 | low&0x3FF + 0x10000, 12
}

func (d *jsonDecoder) hex4(at int) rune {
	r := rune(0)
	for i := range 4 {
		c := d.ch(at + i)
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

func (d *jsonDecoder) expected(what string, t jsonToken) {
	found := string(t.kind)
	if t.kind == jsonError {
		found = t.text
	}
	d.l.Errorf("Expected %s but found %s at character %d", what, found, t.at+1)
}

func (d *jsonDecoder) descend(slots int) bool {
	if d.depth++; d.depth > d.c.decodeDepth || slots > maxSlots {
		d.l.Errorf("Found too many nested data structures (%d) at character %d", d.depth, d.at)
		return false
	}
	return true
}

// value reads a value and gives it to keep, a table before it is filled, so that
// its memory counts.
func (d *jsonDecoder) value(t jsonToken, slots int, keep func(lua.Value)) {
	switch t.kind {
	case jsonString:
		if d.l.Take(len(t.text)) {
			keep(d.l.Copy(t.text))
		}
	case jsonNumber, jsonBool, jsonNull:
		keep(t.value)
	case jsonObjBegin:
		if d.descend(slots + 3) {
			o := d.l.Table(0, 0)
			keep(o.Value())
			d.object(o, slots)
			d.depth--
		}
	case jsonArrBegin:
		if d.descend(slots + 2) {
			a := d.l.Table(0, 0)
			if d.c.arrayMetatable {
				a.SetMeta(arrayMeta)
			}
			keep(a.Value())
			d.array(a, slots)
			d.depth--
		}
	default:
		d.expected("value", t)
	}
}

func (d *jsonDecoder) object(o *lua.Table, slots int) {
	t := d.next()
	if t.kind == jsonObjEnd {
		return
	}
	for {
		if t.kind != jsonString {
			d.expected("object key string", t)
			return
		}
		key := d.l.Copy(t.text)
		if t = d.next(); t.kind != jsonColon {
			d.expected("colon", t)
			return
		}
		d.value(d.next(), slots+2, func(v lua.Value) { d.l.Set(o, key, v) })
		if d.l.Failed() || !d.l.Tick(1) {
			return
		}
		if t = d.next(); t.kind == jsonObjEnd {
			return
		}
		if t.kind != jsonComma {
			d.expected("comma or object end", t)
			return
		}
		t = d.next()
	}
}

// arrayMeta marks the tables that were arrays, where the script asks for it.
var arrayMeta = lua.Library(nil, map[string]lua.Value{"__is_cjson_array": lua.True})

func (d *jsonDecoder) array(a *lua.Table, slots int) {
	t := d.next()
	if t.kind == jsonArrEnd {
		return
	}
	for i := 1; ; i++ {
		d.value(t, slots+1, func(v lua.Value) { d.l.SetInt(a, i, v) })
		if d.l.Failed() || !d.l.Tick(1) {
			return
		}
		if t = d.next(); t.kind == jsonArrEnd {
			return
		}
		if t.kind != jsonComma {
			d.expected("comma or array end", t)
			return
		}
		t = d.next()
	}
}
