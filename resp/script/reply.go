package script

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/script/lua"
)

// line cuts the first line off what is left of a reply.
func line(b []byte) (text, rest []byte) {
	i := bytes.IndexByte(b, '\r')
	return b[:i], b[i+2:]
}

// reader makes values of a reply. Tables are given to their place before they
// are filled, so that their memory counts.
type reader struct {
	l *lua.Thread
	b []byte
}

func (r *reader) line() []byte {
	text, rest := line(r.b)
	r.b = rest
	return text
}

func (r *reader) count() int {
	text := r.line()
	n := 0
	for _, c := range text {
		if c == '-' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// value reads a reply and gives it to keep; false where the script is out of
// memory.
func (r *reader) value(keep func(lua.Value)) bool {
	l := r.l
	kind := r.b[0]
	r.b = r.b[1:]
	one := func(name lua.Value, v lua.Value) {
		t := l.Table(0, 1)
		l.Set(t, name, v)
		keep(t.Value())
	}
	switch kind {
	case ':':
		n, _ := strconv.ParseInt(string(r.line()), 10, 64)
		keep(lua.Number(float64(n)))
	case '$':
		n := r.count()
		if n < 0 {
			keep(lua.False)
			break
		}
		if !l.Take(n) {
			return false
		}
		keep(l.String(string(r.b[:n])))
		r.b = r.b[n+2:]
	case '+':
		one(nameOK, l.String(string(r.line())))
	case '-':
		t := errorTable(l, "-"+string(r.line()))
		l.Set(t, nameIgnore, lua.True)
		keep(t.Value())
	case '_':
		r.line()
		keep(lua.Nil)
	case '#':
		keep(lua.Bool(string(r.line()) == "t"))
	case ',':
		f, _ := lua.ToNumber(lua.String(string(r.line())))
		one(nameDouble, lua.Number(f))
	case '(':
		one(nameBigNumber, l.String(string(r.line())))
	case '=':
		n := r.count()
		if !l.Take(n) {
			return false
		}
		v := l.Table(0, 2)
		l.Set(v, nameString, l.String(string(r.b[4:n])))
		l.Set(v, nameFormat, l.String(string(r.b[:3])))
		r.b = r.b[n+2:]
		one(nameVerbatim, v.Value())
	case '*', '>':
		n := r.count()
		if n < 0 {
			keep(lua.False)
			break
		}
		t := l.Table(0, 0)
		keep(t.Value())
		for i := 1; i <= n; i++ {
			if !l.Tick(1) || !r.value(func(v lua.Value) { l.SetInt(t, i, v) }) {
				return false
			}
		}
	case '%':
		n, t := r.count(), l.Table(0, 0)
		one(nameMap, t.Value())
		for range n {
			var k lua.Value
			if !l.Tick(1) || !r.value(func(v lua.Value) { k = v }) || !r.value(func(v lua.Value) { r.set(t, k, v) }) {
				return false
			}
		}
	case '~':
		n, t := r.count(), l.Table(0, 0)
		one(nameSet, t.Value())
		for range n {
			if !l.Tick(1) || !r.value(func(v lua.Value) { r.set(t, v, lua.True) }) {
				return false
			}
		}
	case '|': // attributes are not for scripts
		for range 2 * r.count() {
			if !r.value(func(lua.Value) {}) {
				return false
			}
		}
		return r.value(keep)
	}
	return !l.Failed()
}

// set stores a pair whose key may be anything.
func (r *reader) set(t *lua.Table, k, v lua.Value) {
	if f, ok := k.AsNumber(); k.IsNil() || ok && f != f {
		r.l.SetIndex(t.Value(), k, v) // which fails
		return
	}
	r.l.Set(t, k, v)
}

var (
	nameDouble    = lua.Shared("double")
	nameBigNumber = lua.Shared("big_number")
	nameVerbatim  = lua.Shared("verbatim_string")
	nameString    = lua.Shared("string")
	nameFormat    = lua.Shared("format")
	nameMap       = lua.Shared("map")
	nameSet       = lua.Shared("set")
)

// maxDepth is how deep a reply may nest: Redis' Lua has a stack of 8000 values
// for it, of which each level takes one.
const maxDepth = 7990

// writer makes a reply of values.
type writer struct {
	m     *machine
	l     *lua.Thread
	w     *resp.Writer
	start int
	wrong bool
}

// reply writes a value as the script's reply. One that is larger than a script
// may be in memory is an error: it would be all there at once.
func (m *machine) reply(w *resp.Writer, v lua.Value) {
	wr := writer{m: m, l: m.state.Main(), w: w, start: w.Len()}
	wr.value(v, 0)
	if !wr.wrong {
		return
	}
	w.Truncate(wr.start)
	err := m.state.TakeError()
	w.Error(m.errorText(err))
}

// room reports whether the reply may go on.
func (w *writer) room() bool {
	if !w.wrong && w.l.Tick(1) && w.l.Take(w.w.Len()-w.start) {
		return true
	}
	w.wrong = true
	return false
}

func (w *writer) value(v lua.Value, depth int) {
	if !w.room() {
		return
	}
	if depth > maxDepth {
		w.w.Error("ERR reached lua stack limit")
		return
	}
	switch v.Kind() {
	case lua.KindString:
		s, _ := v.AsString()
		w.w.BulkString(s)
	case lua.KindNumber:
		f, _ := v.AsNumber()
		w.w.Int(lua.Integer(f))
	case lua.KindFalse, lua.KindTrue:
		switch {
		case w.m.proto == 3:
			w.w.Bool(v.Truth())
		case v.Truth():
			w.w.Int(1)
		default:
			w.w.Null()
		}
	case lua.KindTable:
		w.table(v.AsTable(), depth)
	default:
		w.w.Null()
	}
}

func (w *writer) table(t *lua.Table, depth int) {
	if _, ok := t.GetValue(nameErr).Text(); ok {
		if v := t.GetValue(nameErr); v.Kind() == lua.KindString {
			s, _ := v.AsString()
			w.w.Error(cString([]byte(s)))
			return
		}
	}
	if s, ok := t.GetValue(nameOK).AsString(); ok {
		w.w.Status(cString([]byte(s)))
		return
	}
	if f, ok := t.GetValue(nameDouble).AsNumber(); ok {
		w.w.Double(f)
		return
	}
	if s, ok := t.GetValue(nameBigNumber).AsString(); ok {
		w.w.BigNumber(strings.NewReplacer("\r", " ", "\n", " ").Replace(s))
		return
	}
	if v := t.GetValue(nameVerbatim).AsTable(); v != nil {
		format, ok := v.GetValue(nameFormat).AsString()
		text, isText := v.GetValue(nameString).AsString()
		if ok && isText {
			w.w.Verbatim(cString([]byte(format)), text)
			return
		}
	}
	if m := t.GetValue(nameMap).AsTable(); m != nil {
		n := 0
		for k, _ := m.Next(lua.Nil); !k.IsNil(); k, _ = m.Next(k) {
			n++
		}
		w.w.Map(n)
		for k, v := m.Next(lua.Nil); !k.IsNil() && !w.wrong; k, v = m.Next(k) {
			w.value(k, depth+3)
			w.value(v, depth+3)
		}
		return
	}
	if s := t.GetValue(nameSet).AsTable(); s != nil {
		n := 0
		for k, _ := s.Next(lua.Nil); !k.IsNil(); k, _ = s.Next(k) {
			n++
		}
		w.w.Set(n)
		for k, _ := s.Next(lua.Nil); !k.IsNil() && !w.wrong; k, _ = s.Next(k) {
			w.value(k, depth+3)
		}
		return
	}
	n := 0
	for !t.Index(n + 1).IsNil() {
		n++
	}
	w.w.Array(n)
	for i := 1; i <= n && !w.wrong; i++ {
		w.value(t.Index(i), depth+1)
	}
}
