package lua

import (
	"bytes"
	"strings"
)

// Strings lists the functions of strings. There is no dump: a compiled function
// is nothing that a script could use.
var Strings = map[string]*Function{
	"byte": GoFunction(strByte), "char": GoFunction(strChar), "dump": GoFunction(strDump), "find": GoFunction(strFind),
	"format": GoFunction(strFormat), "gfind": gmatch, "gmatch": gmatch, "gsub": GoFunction(strGsub),
	"len": GoFunction(strLen), "lower": GoFunction(strLower), "match": GoFunction(strMatch), "rep": GoFunction(strRep),
	"reverse": GoFunction(strReverse), "sub": GoFunction(strSub), "upper": GoFunction(strUpper),
}

var gmatch = GoFunction(strGmatch)

func strLen(l *Thread) {
	if s := l.CheckString(1); !l.failed {
		l.Push(Number(float64(len(s))))
	}
}

// place makes a position that may count from the end one from the beginning.
func position(pos int64, n int) int64 {
	if pos < 0 {
		pos += int64(n) + 1
	}
	return max(pos, 0)
}

func strSub(l *Thread) {
	s := l.CheckString(1)
	from, to := position(l.CheckInteger(2), len(s)), position(l.OptInteger(3, -1), len(s))
	if l.failed {
		return
	}
	from, to = max(from, 1), min(to, int64(len(s)))
	if from > to {
		l.Push(emptyString)
		return
	}
	if l.Take(int(to - from)) {
		l.Push(l.Copy(s[from-1 : to]))
	}
}

var emptyString = Shared("")

// mapped is the string that f makes of the first argument, byte by byte.
func (l *Thread) mapped(f func(b []byte)) {
	s := l.CheckString(1)
	if l.failed || !l.Take(len(s)) {
		return
	}
	b := []byte(s)
	f(b)
	l.s.work(len(b))
	l.Push(l.bytes(b))
}

func strReverse(l *Thread) {
	l.mapped(func(b []byte) {
		for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
	})
}

func strLower(l *Thread) {
	l.mapped(func(b []byte) {
		for i, c := range b {
			if 'A' <= c && c <= 'Z' {
				b[i] = c | 0x20
			}
		}
	})
}

func strUpper(l *Thread) {
	l.mapped(func(b []byte) {
		for i, c := range b {
			if 'a' <= c && c <= 'z' {
				b[i] = c &^ 0x20
			}
		}
	})
}

func strRep(l *Thread) {
	s, n := l.CheckString(1), l.CheckInt(2)
	if l.failed {
		return
	}
	if n <= 0 || s == "" {
		l.Push(emptyString)
		return
	}
	if n > maxString/len(s) {
		l.Errorf("string length overflow")
		return
	}
	if l.Take(len(s) * n) {
		l.s.work(len(s) * n / 64)
		l.Push(l.bytes(bytes.Repeat([]byte(s), n)))
	}
}

func strByte(l *Thread) {
	s := l.CheckString(1)
	from := position(l.OptInteger(2, 1), len(s))
	to := position(l.OptInteger(3, from), len(s))
	if l.failed {
		return
	}
	from = max(from, 1)
	to = min(to, int64(len(s)))
	if from > to {
		return
	}
	n := int(to - from + 1)
	if !l.roomFor(n) {
		l.Errorf("stack overflow (string slice too long)")
		return
	}
	for i := from; i <= to; i++ {
		l.push(Number(float64(s[i-1])))
	}
}

func strChar(l *Thread) {
	b := make([]byte, l.NArg())
	for i := range b {
		c := l.CheckInt(i + 1)
		if l.failed {
			return
		}
		if c < 0 || c > 255 {
			l.ArgError(i+1, "invalid value")
			return
		}
		b[i] = byte(c)
	}
	l.Push(l.bytes(b))
}

func strDump(l *Thread) {
	if l.CheckFunction(1); !l.failed {
		l.Errorf("unable to dump given function")
	}
}

func strFind(l *Thread)  { l.find(true) }
func strMatch(l *Thread) { l.find(false) }

func (l *Thread) find(positions bool) {
	s, pat := l.CheckString(1), l.CheckString(2)
	init := position(l.OptInteger(3, 1), len(s)) - 1
	if l.failed {
		return
	}
	at := int(min(max(init, 0), int64(len(s))))
	if positions && (l.Arg(4).truth() || !strings.ContainsAny(cString(pat), "^$*+?.([%-")) {
		l.s.work((len(s) - at) / 16)
		i := strings.Index(s[at:], pat)
		if i < 0 {
			l.Push(Nil)
			return
		}
		l.Push(Number(float64(at + i + 1)))
		l.Push(Number(float64(at + i + len(pat))))
		return
	}
	m := &matcher{l: l, src: s, pat: cString(pat)}
	p, anchor := 0, false
	if m.p(0) == '^' {
		p, anchor = 1, true
	}
	for ; ; at++ {
		m.level = 0
		if end := m.match(at, p); end >= 0 {
			if positions {
				l.Push(Number(float64(at + 1)))
				l.Push(Number(float64(end)))
			}
			m.pushCaptures(at, end, !positions)
			return
		}
		if l.failed {
			return
		}
		if at >= len(s) || anchor {
			break
		}
	}
	l.Push(Nil)
}

func strGmatch(l *Thread) {
	s, pat := l.CheckString(1), l.CheckString(2)
	if !l.failed {
		l.Push(l.s.closure(gmatchNext, l.String(s), l.String(pat), Number(0)))
	}
}

func gmatchNext(l *Thread) {
	src, at := l.upvalue(0).str().s, l.upvalue(2)
	m := &matcher{l: l, src: src, pat: cString(l.upvalue(1).str().s)}
	for s := int(at.float()); s <= len(src); s++ {
		m.level = 0
		if e := m.match(s, 0); e >= 0 {
			next := e
			if e == s {
				next++
			}
			*at = Number(float64(next))
			m.pushCaptures(s, e, true)
			return
		}
		if l.failed {
			return
		}
	}
}

func strGsub(l *Thread) {
	src, pat := l.CheckString(1), l.CheckString(2)
	repl := l.Arg(3)
	most := l.OptInt(4, int(int32(len(src)+1)))
	if l.failed {
		return
	}
	g := gsub{m: matcher{l: l, src: src, pat: cString(pat)}, repl: repl}
	switch {
	case repl.isString() || repl.isNumber():
		g.text, _ = asString(repl)
	case repl.isTable() || repl.isFunction():
	default:
		l.ArgError(3, "string/function/table expected")
		return
	}
	m, p, anchor := &g.m, 0, false
	if m.p(0) == '^' {
		p, anchor = 1, true
	}
	s, n := 0, 0
	for n < most {
		m.level = 0
		e := m.match(s, p)
		if e >= 0 {
			n++
			g.add(s, e)
		}
		if l.failed {
			return
		}
		if e > s {
			s = e
		} else if s < len(src) {
			g.out = append(g.out, src[s])
			s++
		} else {
			break
		}
		if anchor {
			break
		}
	}
	g.out = append(g.out, src[s:]...)
	l.Push(l.bytes(g.out))
	l.Push(Number(float64(n)))
}

// gsub is a substitution that is going on.
type gsub struct {
	m    matcher
	repl Value
	text string // of repl, where it is one
	out  []byte
}

func (g *gsub) add(s, e int) {
	l, m := g.m.l, &g.m
	if !l.Take(len(g.out) + len(g.text)) {
		return
	}
	var v Value
	switch {
	case g.repl.isTable():
		key := m.capture(0, s, e)
		if l.failed {
			return
		}
		v, _ = l.index(g.repl, key, -1)
	case g.repl.isFunction():
		at := l.top
		l.Push(g.repl)
		if m.pushCaptures(s, e, true); l.failed || !l.call(at, 1) {
			return
		}
		v = l.stack[at]
		l.top = at
	default:
		g.expand(s, e)
		return
	}
	if l.failed {
		return
	}
	if !v.truth() {
		g.out = append(g.out, m.src[s:e]...)
		return
	}
	text, ok := asString(v)
	if !ok {
		l.Errorf("invalid replacement value (a %s)", v.Type())
		return
	}
	g.out = append(g.out, text...)
}

// expand adds the replacement text with its captures.
func (g *gsub) expand(s, e int) {
	for i := 0; i < len(g.text); i++ {
		c := g.text[i]
		if c != '%' {
			g.out = append(g.out, c)
			continue
		}
		i++
		if i >= len(g.text) { // C finds the NUL behind the end
			g.out = append(g.out, 0)
			return
		}
		switch c = g.text[i]; {
		case !isDigit(c):
			g.out = append(g.out, c)
		case c == '0':
			g.out = append(g.out, g.m.src[s:e]...)
		default:
			text, _ := asString(g.m.capture(int(c)-'1', s, e))
			if g.m.l.failed || !g.m.l.Take(len(g.out)+len(text)) {
				return
			}
			g.out = append(g.out, text...)
		}
	}
}
