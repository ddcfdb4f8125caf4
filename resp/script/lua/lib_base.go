package lua

import "strings"

// The basic functions, those that Redis leaves to scripts: nothing that reads
// files, prints, or changes the environment of a function.

var nextFunction = GoFunction(baseNext)

// Base lists the basic functions. pcall is Redis', see basePcall.
var Base = map[string]*Function{
	"assert": GoFunction(baseAssert), "collectgarbage": GoFunction(baseCollect), "error": GoFunction(baseError),
	"gcinfo": GoFunction(baseGcinfo), "getmetatable": GoFunction(baseGetmeta), "ipairs": GoFunction(baseIpairs),
	"load": GoFunction(baseLoad), "loadstring": GoFunction(baseLoadstring), "next": nextFunction,
	"pairs": GoFunction(basePairs), "pcall": GoFunction(basePcall), "rawequal": GoFunction(baseRawequal),
	"rawget": GoFunction(baseRawget), "rawset": GoFunction(baseRawset), "select": GoFunction(baseSelect),
	"setmetatable": GoFunction(baseSetmeta), "tonumber": GoFunction(baseTonumber), "tostring": GoFunction(baseTostring),
	"type": GoFunction(baseType), "unpack": GoFunction(baseUnpack), "xpcall": GoFunction(baseXpcall),
}

func baseAssert(l *Thread) {
	l.CheckAny(1)
	if l.failed {
		return
	}
	if !l.Arg(1).truth() {
		if msg := l.OptString(2, "assertion failed!"); !l.failed {
			l.Errorf("%s", cString(msg))
		}
		return
	}
	l.pushAll(l.argsFrom(1))
}

func (l *Thread) option(i int, def string, opts ...string) string {
	name := l.OptString(i, def)
	for _, o := range opts {
		if o == name {
			return o
		}
	}
	l.ArgError(i, "invalid option '"+cString(name)+"'")
	return ""
}

// baseCollect answers for the one collector of the process, which scripts do
// not command.
func baseCollect(l *Thread) {
	opt := l.option(1, "collect", "stop", "restart", "collect", "count", "step", "setpause", "setstepmul")
	l.OptInt(2, 0)
	switch opt {
	case "count":
		l.Push(Number(float64(l.s.mem.used) / 1024))
	case "step":
		l.Push(False)
	default:
		l.Push(Number(0))
	}
}

func baseGcinfo(l *Thread) { l.Push(Number(float64(l.s.mem.used / 1024))) }

func baseError(l *Thread) {
	v, level := l.Arg(1), l.OptInt(2, 1)
	if l.failed {
		return
	}
	if s, ok := asString(v); ok && level > 0 {
		v = l.String(l.where(level) + s)
	}
	l.raise(v)
}

func baseGetmeta(l *Thread) {
	l.CheckAny(1)
	m := l.metatable(l.Arg(1))
	if m == nil {
		l.Push(Nil)
		return
	}
	if v := m.getStr(metaNames[metaMetatable]); !v.isNil() {
		l.Push(v)
		return
	}
	l.Push(m.value())
}

func baseSetmeta(l *Thread) {
	t := l.CheckTable(1)
	m := l.Arg(2)
	if !l.failed && !m.isTable() && (!m.isNil() || l.NArg() < 2) {
		l.ArgError(2, "nil or table expected")
	}
	if l.failed {
		return
	}
	if t.meta != nil && !t.meta.getStr(metaNames[metaMetatable]).isNil() {
		l.Errorf("cannot change a protected metatable")
		return
	}
	if t.readonly {
		l.runtimeError("Attempt to modify a readonly table")
		return
	}
	t.meta = m.AsTable()
	l.Push(t.value())
}

func baseRawequal(l *Thread) {
	l.CheckAny(1)
	l.CheckAny(2)
	l.Push(Bool(rawEqual(l.Arg(1), l.Arg(2))))
}

func baseRawget(l *Thread) {
	t := l.CheckTable(1)
	l.CheckAny(2)
	if !l.failed {
		l.Push(t.get(l.Arg(2)))
	}
}

func baseRawset(l *Thread) {
	t := l.CheckTable(1)
	l.CheckAny(2)
	l.CheckAny(3)
	if l.failed {
		return
	}
	if t.readonly {
		l.runtimeError("Attempt to modify a readonly table")
		return
	}
	if l.checkKey(l.Arg(2)) {
		t.set(l.s, l.Arg(2), l.Arg(3))
		t.absent = 0
		l.Push(t.value())
	}
}

func baseType(l *Thread) {
	l.CheckAny(1)
	l.Push(typeStrings[l.Arg(1).Kind()])
}

var typeStrings = func() (t [len(kindNames)]Value) {
	for k, n := range kindNames {
		t[k] = Shared(n)
	}
	return t
}()

func baseNext(l *Thread) {
	t := l.CheckTable(1)
	if l.failed {
		return
	}
	k, v, ok := t.next(l.Arg(2))
	if !ok {
		l.runtimeError("invalid key to 'next'")
		return
	}
	l.Push(k)
	if !k.isNil() {
		l.Push(v)
	}
}

func basePairs(l *Thread) {
	t := l.CheckTable(1)
	if l.failed {
		return
	}
	l.Push(nextFunction.value())
	l.Push(t.value())
	l.Push(Nil)
}

var ipairsNext = GoFunction(func(l *Thread) {
	i := l.CheckInt(2) + 1
	if t := l.CheckTable(1); t != nil {
		if v := t.getInt(i); !v.isNil() {
			l.Push(Number(float64(i)))
			l.Push(v)
		}
	}
})

func baseIpairs(l *Thread) {
	t := l.CheckTable(1)
	if l.failed {
		return
	}
	l.Push(ipairsNext.value())
	l.Push(t.value())
	l.Push(Number(0))
}

// own makes the chunk and all functions in it part of a script's memory.
func (p *Proto) own(weight int) {
	var each func(q *Proto)
	each = func(q *Proto) {
		q.chunk = p
		p.weight += bytesPerInstr*len(q.code) + bytesPerConst*len(q.consts)
		for _, x := range q.protos {
			each(x)
		}
	}
	p.weight = weight
	each(p)
}

// load compiles a chunk. The bytes of a compiled function are not a chunk.
func (l *Thread) load(src, name string) {
	room := maxString
	if b := l.s.Budget; b != nil {
		if limit := b.limit.Load(); limit > 0 {
			room = int(min(limit, maxString))
		}
	}
	p, err := Compile(src, name, room)
	if err == nil {
		p.own(len(src))
		l.s.work(len(src))
		if l.s.alloc(p.weight); l.s.steps < 0 && !l.interrupt() {
			return
		}
		l.Push(l.s.NewFunction(p).value())
		return
	}
	l.Push(Nil)
	l.Push(l.String(err.Error()))
}

func baseLoadstring(l *Thread) {
	src := l.CheckString(1)
	name := l.OptString(2, src)
	if !l.failed {
		l.load(src, name)
	}
}

func baseLoad(l *Thread) {
	name := l.OptString(2, "=(load)")
	fn := l.CheckFunction(1)
	if l.failed {
		return
	}
	var b strings.Builder
	for {
		at := l.top
		l.Push(fn)
		if !l.protect(at, 1, Nil) { // an error of the reader is why the chunk does not load
			if !l.failed {
				l.top = at
				err := l.stack[at]
				l.Push(Nil)
				l.Push(err)
			}
			return
		}
		l.top = at
		piece, ok := asString(l.stack[at])
		if !ok && !l.stack[at].isNil() {
			l.Push(Nil)
			l.Push(l.String(l.where(1) + "reader function must return a string"))
			return
		}
		if piece == "" {
			break
		}
		if !l.Take(b.Len() + len(piece)) {
			return
		}
		b.WriteString(piece)
	}
	l.load(b.String(), name)
}

func baseUnpack(l *Thread) {
	t := l.CheckTable(1)
	i := l.OptInt(2, 1)
	if l.failed {
		return
	}
	var e int
	if l.Arg(3).isNil() {
		e = t.length()
	} else {
		e = l.CheckInt(3)
	}
	if l.failed || i > e {
		return
	}
	n := e - i + 1
	if n > 8000 || !l.roomFor(n) {
		l.Errorf("too many results to unpack")
		return
	}
	for ; i <= e; i++ {
		l.push(t.getInt(i))
	}
}

func baseSelect(l *Thread) {
	n := l.NArg()
	if v := l.Arg(1); v.isString() && strings.HasPrefix(v.str().s, "#") {
		l.Push(Number(float64(n - 1)))
		return
	}
	i := l.CheckInt(1)
	if i < 0 {
		i += n
	} else if i > n {
		i = n
	}
	if !l.failed && i < 1 {
		l.ArgError(1, "index out of range")
	}
	if !l.failed {
		l.pushAll(l.argsFrom(i + 1))
	}
}

// basePcall is pcall as Redis has it: of an error that is a table with a field
// "err", the caller gets the field.
func basePcall(l *Thread) {
	args := l.argsFrom(1)
	at := l.top
	l.Push(True)
	l.pushAll(args)
	if len(args) == 0 {
		l.push(True) // Redis finds its own first result where nothing is given
	}
	if l.protect(at+1, multi, Nil) {
		return
	}
	if l.failed {
		return
	}
	l.stack[at] = False
	if e := l.stack[at+1]; e.isTable() {
		v, ok := l.index(e, errKey, -1)
		if !ok {
			return
		}
		if _, ok := asString(v); ok {
			l.stack[at+1] = v
		} else {
			l.Push(v) // as Redis leaves it
		}
	}
}

var errKey = Shared("err")

func baseXpcall(l *Thread) {
	l.CheckAny(2)
	if l.failed {
		return
	}
	f, handler := l.Arg(1), l.Arg(2)
	at := l.top
	l.Push(True)
	l.Push(f)
	if !l.protect(at+1, multi, handler) && !l.failed {
		l.stack[at] = False
	}
}

func baseTonumber(l *Thread) {
	base := l.OptInt(2, 10)
	if base == 10 {
		l.CheckAny(1)
		if f, ok := toNumber(l.Arg(1)); ok {
			l.Push(Number(f))
		} else {
			l.Push(Nil)
		}
		return
	}
	s := l.CheckString(1)
	if !l.failed && (base < 2 || base > 36) {
		l.ArgError(2, "base out of range")
	}
	if f, ok := parseBase(cString(s), base); ok && !l.failed {
		l.Push(Number(f))
	} else {
		l.Push(Nil)
	}
}

func baseTostring(l *Thread) {
	l.CheckAny(1)
	if l.failed {
		return
	}
	v := l.Arg(1)
	if tm := l.metaOf(v, metaTostring); !tm.isNil() {
		if r, ok := l.Call(tm, 1, v); ok {
			l.Push(r[0])
		}
		return
	}
	if v.isString() {
		l.Push(v)
		return
	}
	l.Push(l.String(v.String()))
}
