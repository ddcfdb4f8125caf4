package codec

import (
	"encoding/binary"
	"math"

	"github.com/nearcache/nearcache/resp/script/lua"
)

// MsgPack is the library cmsgpack.
var MsgPack = lua.Library(map[string]*lua.Function{
	"pack": lua.GoFunction(msgPack), "unpack": lua.GoFunction(msgUnpack),
	"unpack_one": lua.GoFunction(msgUnpackOne), "unpack_limit": lua.GoFunction(msgUnpackLimit),
}, map[string]lua.Value{
	"_NAME": lua.Shared("cmsgpack"), "_VERSION": lua.Shared("lua-cmsgpack 0.4.0"),
	"_COPYRIGHT": lua.Shared("Copyright (C) 2012, Salvatore Sanfilippo"), "_DESCRIPTION": lua.Shared("MessagePack C implementation for Lua"),
})

// maxNesting is the depth at which tables become nil, so that one that contains
// itself ends.
const maxNesting = 16

type packer struct {
	l   *lua.Thread
	out []byte
}

func msgPack(l *lua.Thread) {
	if l.NArg() == 0 {
		l.ArgError(0, "MessagePack pack needs input.")
		return
	}
	p := packer{l: l}
	for i := 1; i <= l.NArg() && !l.Failed(); i++ {
		p.value(l.Arg(i), 0)
	}
	if !l.Failed() {
		l.Push(l.Bytes(p.out))
	}
}

// head appends a code and a number of n bytes.
func (p *packer) head(code byte, v uint64, n int) {
	p.out = append(p.out, code)
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	p.out = append(p.out, b[8-n:]...)
}

func (p *packer) value(v lua.Value, level int) {
	if !p.l.Tick(1) {
		return
	}
	switch v.Kind() {
	case lua.KindString:
		s, _ := v.AsString()
		p.text(s)
	case lua.KindTrue:
		p.out = append(p.out, 0xc3)
	case lua.KindFalse:
		p.out = append(p.out, 0xc2)
	case lua.KindNumber:
		f, _ := v.AsNumber()
		p.number(f)
	case lua.KindTable:
		if level < maxNesting {
			p.table(v.AsTable(), level)
			return
		}
		p.out = append(p.out, 0xc0)
	default:
		p.out = append(p.out, 0xc0)
	}
}

func (p *packer) text(s string) {
	if !p.l.Take(2 * (len(p.out) + len(s))) {
		return
	}
	switch n := uint64(len(s)); {
	case n < 32:
		p.out = append(p.out, 0xa0|byte(n))
	case n <= 0xff:
		p.head(0xd9, n, 1)
	case n <= 0xffff:
		p.head(0xda, n, 2)
	default:
		p.head(0xdb, n, 4)
	}
	p.out = append(p.out, s...)
}

func (p *packer) number(f float64) {
	if n := int64(f); f >= -(1<<63) && f < 1<<63 && float64(n) == f {
		p.integer(n)
		return
	}
	if g := float32(f); float64(g) == f {
		p.head(0xca, uint64(math.Float32bits(g)), 4)
		return
	}
	p.head(0xcb, math.Float64bits(f), 8)
}

func (p *packer) integer(n int64) {
	u := uint64(n)
	switch {
	case n >= 0 && n <= 127, n < 0 && n >= -32:
		p.out = append(p.out, byte(n))
	case n >= 0 && n <= 0xff:
		p.head(0xcc, u, 1)
	case n >= 0 && n <= 0xffff:
		p.head(0xcd, u, 2)
	case n >= 0 && n <= 0xffffffff:
		p.head(0xce, u, 4)
	case n >= 0:
		p.head(0xcf, u, 8)
	case n >= -128:
		p.head(0xd0, u, 1)
	case n >= -32768:
		p.head(0xd1, u, 2)
	case n >= -2147483648:
		p.head(0xd2, u, 4)
	default:
		p.head(0xd3, u, 8)
	}
}

func (p *packer) size(fixed, code byte, n int) {
	switch {
	case n <= 15:
		p.out = append(p.out, fixed|byte(n))
	case n <= 65535:
		p.head(code, uint64(n), 2)
	default:
		p.head(code+1, uint64(n), 4)
	}
}

func (p *packer) table(t *lua.Table, level int) {
	count, most, array := 0, 0.0, true
	for k, _ := t.Next(lua.Nil); !k.IsNil(); k, _ = t.Next(k) {
		if !p.l.Tick(1) {
			return
		}
		f, ok := k.AsNumber()
		if !ok || f <= 0 || f > math.MaxInt32 || math.Floor(f) != f {
			array = false
		}
		most = max(most, f)
		count++
	}
	if !p.l.Take(2 * (len(p.out) + count)) {
		return
	}
	if array && most == float64(count) {
		n := t.Len()
		p.size(0x90, 0xdc, n)
		for i := 1; i <= n && !p.l.Failed(); i++ {
			v, ok := p.l.Index(t.Value(), lua.Number(float64(i)))
			if !ok {
				return
			}
			p.value(v, level+1)
		}
		return
	}
	p.size(0x80, 0xde, count)
	for k, v := t.Next(lua.Nil); !k.IsNil() && !p.l.Failed(); k, v = t.Next(k) {
		p.value(k, level+1)
		p.value(v, level+1)
	}
}

// unpacker reads a string; bad says what is wrong with it.
type unpacker struct {
	l   *lua.Thread
	s   string
	bad string
}

const (
	tooShort = "Missing bytes in input."
	badData  = "Bad data format in input."
)

func msgUnpack(l *lua.Thread) { unpack(l, 0, 0) }

func msgUnpackOne(l *lua.Thread) {
	offset := l.OptInteger(2, 0)
	if !l.Failed() {
		unpack(l, 1, offset)
	}
}

func msgUnpackLimit(l *lua.Thread) {
	limit, offset := l.CheckInteger(2), l.OptInteger(3, 0)
	if !l.Failed() {
		unpack(l, limit, offset)
	}
}

func unpack(l *lua.Thread, limit, offset int64) {
	s := l.CheckString(1)
	if l.Failed() {
		return
	}
	all := limit == 0 && offset == 0
	switch {
	case offset < 0 || limit < 0:
		l.Errorf("Invalid request to unpack with offset of %d and limit of %d.", int32(offset), int32(len(s)))
		return
	case offset > int64(len(s)):
		l.Errorf("Start offset %d greater than input length %d.", int32(offset), int32(len(s)))
		return
	case all:
		limit = math.MaxInt32
	}
	u := unpacker{l: l, s: s[offset:]}
	if !all {
		l.Push(lua.Nil) // where to go on
	}
	for n := int64(0); n < limit && len(u.s) > 0; n++ {
		v := u.value(int(n)+1, l.Push)
		if l.Failed() {
			return
		}
		if u.bad != "" {
			l.Errorf("%s", u.bad)
			return
		}
		if v.AsTable() == nil {
			l.Push(v)
		}
	}
	if !all {
		next := -1.0
		if len(u.s) > 0 {
			next = float64(len(s) - len(u.s))
		}
		l.SetResult(1, lua.Number(next))
	}
}

// need reports whether n bytes are left.
func (u *unpacker) need(n int) bool {
	if len(u.s) < n {
		u.bad = tooShort
		return false
	}
	return true
}

// uint reads a number of n bytes behind the code.
func (u *unpacker) uint(n int) uint64 {
	if !u.need(1 + n) {
		return 0
	}
	v := uint64(0)
	for i := 1; i <= n; i++ {
		v = v<<8 | uint64(u.s[i])
	}
	u.s = u.s[1+n:]
	return v
}

func (u *unpacker) text(n uint64) lua.Value {
	if u.bad != "" || uint64(len(u.s)) < n {
		u.bad = tooShort
		return lua.Nil
	}
	if !u.l.Take(int(n)) {
		return lua.Nil
	}
	v := u.l.Copy(u.s[:n])
	u.s = u.s[n:]
	return v
}

// value reads a value. A table is given to keep before it is filled, so that its
// memory counts. slots is what of the C stack is in use in Redis.
func (u *unpacker) value(slots int, keep func(lua.Value)) lua.Value {
	if !u.need(1) || !u.l.Tick(1) {
		return lua.Nil
	}
	if slots+1 > maxSlots {
		u.l.Errorf("stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)")
		return lua.Nil
	}
	switch c := u.s[0]; c {
	case 0xcc, 0xcd, 0xce:
		return lua.Number(float64(u.uint(1 << (c - 0xcc))))
	case 0xcf:
		return lua.Number(float64(int64(u.uint(8)))) // as Redis has it
	case 0xd0:
		return lua.Number(float64(int8(u.uint(1))))
	case 0xd1:
		return lua.Number(float64(int16(u.uint(2))))
	case 0xd2:
		return lua.Number(float64(int32(u.uint(4))))
	case 0xd3:
		return lua.Number(float64(int64(u.uint(8))))
	case 0xc0:
		u.s = u.s[1:]
		return lua.Nil
	case 0xc2, 0xc3:
		u.s = u.s[1:]
		return lua.Bool(c == 0xc3)
	case 0xca:
		return lua.Number(float64(math.Float32frombits(uint32(u.uint(4)))))
	case 0xcb:
		return lua.Number(math.Float64frombits(u.uint(8)))
	case 0xd9, 0xda, 0xdb:
		return u.text(u.uint(1 << (c - 0xd9)))
	case 0xdc, 0xdd:
		return u.array(u.uint(2<<(c-0xdc)), slots, keep)
	case 0xde, 0xdf:
		return u.hash(u.uint(2<<(c-0xde)), slots, keep)
	default:
		switch {
		case c < 0x80:
			u.s = u.s[1:]
			return lua.Number(float64(c))
		case c >= 0xe0:
			u.s = u.s[1:]
			return lua.Number(float64(int8(c)))
		case c&0xe0 == 0xa0:
			u.s = u.s[1:]
			return u.text(uint64(c & 0x1f))
		case c&0xf0 == 0x90:
			u.s = u.s[1:]
			return u.array(uint64(c&0xf), slots, keep)
		case c&0xf0 == 0x80:
			u.s = u.s[1:]
			return u.hash(uint64(c&0xf), slots, keep)
		}
	}
	u.bad = badData
	return lua.Nil
}

func (u *unpacker) array(n uint64, slots int, keep func(lua.Value)) lua.Value {
	if slots+2 > maxSlots {
		u.l.Errorf("stack overflow (in function mp_decode_to_lua_array)")
		return lua.Nil
	}
	t := u.l.Table(0, 0)
	keep(t.Value())
	for i := 1; n > 0 && u.bad == ""; i, n = i+1, n-1 {
		set := func(v lua.Value) { u.l.SetInt(t, i, v) }
		v := u.value(slots+2, set)
		if u.bad != "" || u.l.Failed() {
			return lua.Nil
		}
		if v.AsTable() == nil {
			set(v)
		}
	}
	return t.Value()
}

func (u *unpacker) hash(n uint64, slots int, keep func(lua.Value)) lua.Value {
	t := u.l.Table(0, 0)
	keep(t.Value())
	for ; n > 0 && u.bad == ""; n-- {
		k := u.value(slots+1, u.l.Push) // a key that is a table is kept on the stack
		if u.bad != "" || u.l.Failed() {
			return lua.Nil
		}
		set := func(v lua.Value) { u.l.SetIndex(t.Value(), k, v) }
		v := u.value(slots+2, set)
		if v.AsTable() == nil && u.bad == "" && !u.l.Failed() {
			set(v)
		}
		if u.bad != "" || u.l.Failed() {
			return lua.Nil
		}
		if k.AsTable() != nil {
			u.l.Pop()
		}
	}
	return t.Value()
}
