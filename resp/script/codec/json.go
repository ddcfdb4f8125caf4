package codec

import (
	"math"
	"strconv"

	"github.com/nearcache/nearcache/resp/script/lua"
)

// jsonConfig is what the functions of cjson that configure it set. It lasts for
// one script: in Redis it lasts until the server stops, and one script's choice
// befalls all others.
type jsonConfig struct {
	sparseConvert  bool
	sparseRatio    int
	sparseSafe     int
	encodeDepth    int
	decodeDepth    int
	encodeInvalid  int // 0 error, 1 as they print, 2 null
	precision      int
	keepBuffer     bool
	decodeInvalid  bool
	arrayMetatable bool
}

func newJSONConfig() *jsonConfig {
	return &jsonConfig{
		sparseRatio: 2, sparseSafe: 10, encodeDepth: 1000, decodeDepth: 1000,
		precision: 14, keepBuffer: true, decodeInvalid: true,
	}
}

// scriptConfig is the configuration of the script that runs.
func scriptConfig(l *lua.Thread) *jsonConfig {
	s := l.State()
	c, ok := s.Local.(*jsonConfig)
	if !ok {
		c = newJSONConfig()
		s.Local = c
	}
	return c
}

// JSON is the library cjson.
var JSON = lua.Library(jsonFunctions(scriptConfig), jsonConstants)

var jsonConstants = map[string]lua.Value{
	"null": lua.Null, "_NAME": lua.Shared("cjson"), "_VERSION": lua.Shared("2.1.0"),
}

func jsonFunctions(config func(*lua.Thread) *jsonConfig) map[string]*lua.Function {
	fns := map[string]*lua.Function{}
	add := func(name string, f func(*lua.Thread, *jsonConfig)) {
		fns[name] = lua.GoFunction(func(l *lua.Thread) { f(l, config(l)) })
	}
	add("encode", jsonEncode)
	add("decode", jsonDecode)
	add("encode_sparse_array", func(l *lua.Thread, c *jsonConfig) {
		if tooMany(l, 3) {
			return
		}
		boolOption(l, 1, &c.sparseConvert)
		intOption(l, 2, &c.sparseRatio, 0, math.MaxInt32)
		intOption(l, 3, &c.sparseSafe, 0, math.MaxInt32)
	})
	number := func(name string, field func(*jsonConfig) *int, lo, up int) {
		add(name, func(l *lua.Thread, c *jsonConfig) {
			if !tooMany(l, 1) {
				intOption(l, 1, field(c), lo, up)
			}
		})
	}
	number("encode_max_depth", func(c *jsonConfig) *int { return &c.encodeDepth }, 1, math.MaxInt32)
	number("decode_max_depth", func(c *jsonConfig) *int { return &c.decodeDepth }, 1, math.MaxInt32)
	number("encode_number_precision", func(c *jsonConfig) *int { return &c.precision }, 1, 14)
	onOff := func(name string, field func(*jsonConfig) *bool) {
		add(name, func(l *lua.Thread, c *jsonConfig) {
			if !tooMany(l, 1) {
				boolOption(l, 1, field(c))
			}
		})
	}
	onOff("encode_keep_buffer", func(c *jsonConfig) *bool { return &c.keepBuffer })
	onOff("decode_invalid_numbers", func(c *jsonConfig) *bool { return &c.decodeInvalid })
	onOff("decode_array_with_array_mt", func(c *jsonConfig) *bool { return &c.arrayMetatable })
	add("encode_invalid_numbers", func(l *lua.Thread, c *jsonConfig) {
		if tooMany(l, 1) {
			return
		}
		if v := l.Arg(1); !v.IsNil() {
			c.encodeInvalid = enumOption(l, 1, c.encodeInvalid, "off", "on", "null")
		}
		if c.encodeInvalid < 2 {
			l.Push(lua.Bool(c.encodeInvalid == 1))
		} else {
			l.Push(lua.String("null"))
		}
	})
	add("new", func(l *lua.Thread, _ *jsonConfig) {
		own := newJSONConfig()
		t := l.Table(0, 0)
		for name, f := range jsonFunctions(func(*lua.Thread) *jsonConfig { return own }) {
			l.Set(t, lua.Shared(name), f.Value())
		}
		for name, v := range jsonConstants {
			l.Set(t, lua.Shared(name), v)
		}
		l.Push(t.Value())
	})
	return fns
}

func tooMany(l *lua.Thread, n int) bool {
	if l.NArg() > n {
		l.ArgError(n+1, "found too many arguments")
		return true
	}
	return false
}

func intOption(l *lua.Thread, i int, v *int, lo, up int) {
	if !l.Arg(i).IsNil() {
		n := l.CheckInt(i)
		if l.Failed() {
			return
		}
		if n < lo || n > up {
			l.ArgError(1, "expected integer between "+strconv.Itoa(lo)+" and "+strconv.Itoa(up))
			return
		}
		*v = n
	}
	l.Push(lua.Number(float64(*v)))
}

func boolOption(l *lua.Thread, i int, v *bool) {
	if !l.Arg(i).IsNil() {
		n := 0
		if *v {
			n = 1
		}
		*v = enumOption(l, i, n, "off", "on") == 1
	}
	l.Push(lua.Bool(*v))
}

func enumOption(l *lua.Thread, i, now int, names ...string) int {
	switch l.Arg(i).Kind() {
	case lua.KindFalse:
		return 0
	case lua.KindTrue:
		return 1
	}
	s := l.CheckString(i)
	for n, name := range names {
		if s == name {
			return n
		}
	}
	l.ArgError(i, "invalid option '"+s+"'")
	return now
}

// maxSlots is the C stack that Redis' Lua gives a library: what nests deeper
// fails whatever the configuration allows.
const maxSlots = 8000

type jsonEncoder struct {
	l   *lua.Thread
	c   *jsonConfig
	out []byte
}

func jsonEncode(l *lua.Thread, c *jsonConfig) {
	if l.NArg() != 1 {
		l.ArgError(1, "expected 1 argument")
		return
	}
	e := jsonEncoder{l: l, c: c}
	e.value(l.Arg(1), 0, 1)
	if !l.Failed() {
		l.Push(l.Bytes(e.out))
	}
}

func (e *jsonEncoder) fail(v lua.Value, reason string) {
	e.l.Errorf("Cannot serialise %s: %s", v.Type(), reason)
}

// room makes sure that the output may go on, by n bytes at least.
func (e *jsonEncoder) room(n int) bool {
	return e.l.Tick(1+n/64) && e.l.Take(2*(len(e.out)+n))
}

func (e *jsonEncoder) value(v lua.Value, depth, slots int) {
	switch v.Kind() {
	case lua.KindString:
		s, _ := v.AsString()
		e.text(s)
	case lua.KindNumber:
		e.number(v)
	case lua.KindTrue:
		e.out = append(e.out, "true"...)
	case lua.KindFalse:
		e.out = append(e.out, "false"...)
	case lua.KindNil, lua.KindNull:
		e.out = append(e.out, "null"...)
	case lua.KindTable:
		e.table(v.AsTable(), depth+1, slots)
	default:
		e.fail(v, "type not supported")
	}
}

func (e *jsonEncoder) table(t *lua.Table, depth, slots int) {
	if depth > e.c.encodeDepth || slots+3 > maxSlots {
		e.l.Errorf("Cannot serialise, excessive nesting (%d)", depth)
		return
	}
	if m := t.Meta(); m != nil {
		v, ok := e.l.Index(m.Value(), arrayMark)
		if !ok {
			return
		}
		if v.Truth() {
			e.array(t, t.Len(), depth, slots)
			return
		}
	}
	n, ok := e.arrayLength(t)
	if !ok {
		return
	}
	if n > 0 {
		e.array(t, n, depth, slots)
	} else {
		e.object(t, depth, slots)
	}
}

var arrayMark = lua.Shared("__is_cjson_array")

// arrayLength is the length of a table that is an array, -1 where it is none.
func (e *jsonEncoder) arrayLength(t *lua.Table) (n int, ok bool) {
	most, items := 0.0, 0
	for k, _ := t.Next(lua.Nil); !k.IsNil(); k, _ = t.Next(k) {
		if !e.l.Tick(1) {
			return 0, false
		}
		f, isNumber := k.AsNumber()
		if !isNumber || f < 1 || math.Floor(f) != f {
			return -1, true
		}
		most = max(most, f)
		items++
	}
	if math.IsInf(most, 1) || most > math.MaxInt32 {
		most = math.MinInt32 // what C makes of it
	}
	c := e.c
	if c.sparseRatio > 0 && most > float64(items*c.sparseRatio) && most > float64(c.sparseSafe) {
		if !c.sparseConvert {
			e.fail(t.Value(), "excessively sparse array")
			return 0, false
		}
		return -1, true
	}
	return int(most), true
}

func (e *jsonEncoder) array(t *lua.Table, n, depth, slots int) {
	e.out = append(e.out, '[')
	for i := 1; i <= n; i++ {
		if i > 1 {
			e.out = append(e.out, ',')
		}
		if !e.room(16) {
			return
		}
		if e.value(t.Index(i), depth, slots+1); e.l.Failed() {
			return
		}
	}
	e.out = append(e.out, ']')
}

func (e *jsonEncoder) object(t *lua.Table, depth, slots int) {
	e.out = append(e.out, '{')
	comma := false
	for k, v := t.Next(lua.Nil); !k.IsNil(); k, v = t.Next(k) {
		if comma {
			e.out = append(e.out, ',')
		}
		comma = true
		if !e.room(16) {
			return
		}
		switch k.Kind() {
		case lua.KindNumber:
			e.out = append(e.out, '"')
			e.number(k)
			e.out = append(e.out, '"')
		case lua.KindString:
			s, _ := k.AsString()
			e.text(s)
		default:
			e.fail(k, "table key must be a number or string")
		}
		if e.l.Failed() {
			return
		}
		e.out = append(e.out, ':')
		if e.value(v, depth, slots+2); e.l.Failed() {
			return
		}
	}
	e.out = append(e.out, '}')
}

func (e *jsonEncoder) number(v lua.Value) {
	f, _ := v.AsNumber()
	if math.IsInf(f, 0) || f != f {
		switch {
		case e.c.encodeInvalid == 0:
			e.fail(v, "must not be NaN or Inf")
			return
		case e.c.encodeInvalid == 2:
			e.out = append(e.out, "null"...)
			return
		case f != f:
			e.out = append(e.out, "nan"...)
			return
		}
	}
	e.out = lua.AppendNumber(e.out, f, e.c.precision)
}

const hexDigits = "0123456789abcdef"

func (e *jsonEncoder) text(s string) {
	if !e.room(len(s)) {
		return
	}
	b := append(e.out, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c != '/' && c != 127 {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\', '/':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, `\b`...)
		case '\t':
			b = append(b, `\t`...)
		case '\n':
			b = append(b, `\n`...)
		case '\f':
			b = append(b, `\f`...)
		case '\r':
			b = append(b, `\r`...)
		default:
			b = append(b, `\u00`...)
			b = append(b, hexDigits[c>>4], hexDigits[c&15])
		}
	}
	e.out = append(append(b, s[from:]...), '"')
}
