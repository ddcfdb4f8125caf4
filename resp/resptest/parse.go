package resptest

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// ParseValues reads replies as [Value.String] writes them, one after the other.
func ParseValues(text string) ([]Value, error) {
	p := &valueParser{text: text}
	var vs []Value
	for {
		p.space()
		if p.text == "" {
			return vs, nil
		}
		v, err := p.value(true)
		if err != nil {
			return nil, err
		}
		vs = append(vs, v)
	}
}

type valueParser struct{ text string }

func (p *valueParser) space() { p.text = strings.TrimLeft(p.text, " \t\r\n") }

func (p *valueParser) accept(prefix string) bool {
	rest, ok := strings.CutPrefix(p.text, prefix)
	if ok {
		p.text = rest
	}
	return ok
}

func (p *valueParser) fail(what string) error {
	return fmt.Errorf("%s at %.40q", what, p.text)
}

// word reads up to the end of the line or, inside an aggregate, to what may
// follow an element there.
func (p *valueParser) word(top bool) string {
	end := strings.IndexAny(p.text, ",]}: \n")
	if top {
		end = strings.IndexByte(p.text, '\n')
	}
	if end < 0 {
		end = len(p.text)
	}
	word := strings.TrimSpace(p.text[:end])
	p.text = p.text[end:]
	return word
}

func (p *valueParser) value(top bool) (Value, error) {
	p.space()
	if p.text == "" {
		return Value{}, errors.New("a value is missing")
	}
	if c := p.text[0]; c == '"' || c == '~' || strings.HasPrefix(p.text, "rep(") {
		return p.quoted(Bulk)
	}
	if p.text[0] != '(' {
		word := p.word(top)
		if !isWord(word) {
			return Value{}, p.fail(fmt.Sprintf("%q is no value", word))
		}
		return Value{Kind: Status, Text: word}, nil
	}
	name, rest, ok := strings.Cut(p.text[1:], ")")
	if !ok {
		return Value{}, p.fail("no closing )")
	}
	p.text = strings.TrimLeft(rest, " ")
	format, isVerbatim := strings.CutPrefix(name, "verbatim ")
	if isVerbatim {
		v, err := p.quoted(Verbatim)
		if len(format) != 3 {
			return Value{}, p.fail(fmt.Sprintf("verbatim format %q", format))
		}
		v.Text = format + ":" + v.Text
		return v, err
	}
	kind := Kind(0)
	for k, n := range names {
		if n == name {
			kind = k
		}
	}
	switch kind {
	case Null, NullArray, NullBulk, Closed, TimedOut, Any, Missing:
		return Value{Kind: kind}, nil
	case Status, BlobError:
		return p.quoted(kind)
	case Error:
		if p.text != "" && (p.text[0] == '"' || p.text[0] == '~') {
			return p.quoted(kind)
		}
		if !top {
			return Value{}, p.fail("an error inside an aggregate must be quoted")
		}
		return Value{Kind: Error, Text: p.word(true)}, nil
	case Int, Double, BigNumber:
		if p.accept("~") {
			return Value{Kind: kind, wildcard: true}, nil
		}
		word := p.word(top)
		if low, high, ok := strings.Cut(word, ".."); ok && kind == Int {
			v := Value{Kind: Int}
			var err, err2 error
			v.low, err = strconv.ParseInt(low, 10, 64)
			v.high, err2 = strconv.ParseInt(high, 10, 64)
			if err != nil || err2 != nil || v.high < v.low || v.high == 0 {
				return Value{}, p.fail(fmt.Sprintf("bad range %q", word))
			}
			return v, nil
		}
		return Value{Kind: kind, Text: word}, nil
	case Bool:
		switch word := p.word(top); word {
		case "true":
			return Value{Kind: Bool, Text: "t"}, nil
		case "false":
			return Value{Kind: Bool, Text: "f"}, nil
		default:
			return Value{}, p.fail(fmt.Sprintf("%q is no bool", word))
		}
	case Array, Set, Push:
		return p.aggregate(kind, "[", "]")
	case Map, Attr:
		return p.aggregate(kind, "{", "}")
	}
	return Value{}, p.fail(fmt.Sprintf("unknown type (%s)", name))
}

func (p *valueParser) aggregate(kind Kind, open, end string) (Value, error) {
	if !p.accept(open) {
		return Value{}, p.fail("no " + open)
	}
	v := Value{Kind: kind}
	for {
		p.space()
		if p.accept(end) {
			break
		}
		if len(v.Elems) > 0 {
			// A map takes the colon after each key; an Attr has its value last.
			if !p.accept(",") && !p.accept(":") {
				return Value{}, p.fail("no , or : or " + end)
			}
			if p.space(); p.accept(end) {
				break
			}
		}
		e, err := p.value(false)
		if err != nil {
			return Value{}, err
		}
		v.Elems = append(v.Elems, e)
	}
	if kind == Map && len(v.Elems)%2 != 0 {
		return Value{}, p.fail("a map with a key too many")
	}
	return v, nil
}

func (p *valueParser) quoted(kind Kind) (Value, error) {
	if p.accept("~`") {
		text, rest, ok := strings.Cut(p.text, "`")
		if !ok {
			return Value{}, p.fail("no closing `")
		}
		re, err := regexp.Compile(`^(?:` + text + `)$`)
		if err != nil {
			return Value{}, err
		}
		p.text = rest
		return Value{Kind: kind, Text: text, pattern: re}, nil
	}
	if p.accept("~") {
		return Value{Kind: kind, wildcard: true}, nil
	}
	s, rest, err := unquote(p.text)
	if err != nil {
		return Value{}, err
	}
	p.text = rest
	return Value{Kind: kind, Text: s}, nil
}

// unquote reads what quote writes from the start of text.
func unquote(text string) (s, rest string, err error) {
	if inner, ok := strings.CutPrefix(text, "rep("); ok {
		inner, rest, ok := strings.Cut(inner, ")")
		unit, count, comma := strings.Cut(inner, ",")
		n, err := strconv.Atoi(count)
		if !ok || !comma || err != nil || n < 0 || n*len(unit) > 64<<20 {
			return "", "", fmt.Errorf("bad repetition %.40q", text)
		}
		return strings.Repeat(unit, n), rest, nil
	}
	if text == "" || text[0] != '"' {
		return "", "", fmt.Errorf("no quoted string at %.40q", text)
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			return b.String(), text[i+1:], nil
		case '\\':
			i++
			if i == len(text) {
				break
			}
			switch c := text[i]; c {
			case 'n':
				b.WriteByte('\n')
			case 'r':
				b.WriteByte('\r')
			case 't':
				b.WriteByte('\t')
			case 'x':
				if i+2 >= len(text) {
					return "", "", fmt.Errorf("bad escape at %.40q", text[i-1:])
				}
				n, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
				if err != nil {
					return "", "", fmt.Errorf("bad escape at %.40q", text[i-1:])
				}
				b.WriteByte(byte(n))
				i += 2
			default:
				b.WriteByte(c)
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", "", fmt.Errorf("no closing quote after %.40q", text)
}
