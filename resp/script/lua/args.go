package lua

import (
	"math"
	"strings"
	"unsafe"
)

// What functions of Go ask of their arguments. Where one is not what it has to
// be the function has failed, gets a zero, and returns when it next asks Failed.

// NArg is the number of arguments.
func (l *Thread) NArg() int {
	f := l.frame()
	return f.top - f.base
}

// Arg is the i-th argument, from 1; nil where there are fewer.
func (l *Thread) Arg(i int) Value {
	f := l.frame()
	if n := f.base + i - 1; n < f.top {
		return l.stack[n]
	}
	return Nil
}

// Push adds a result.
func (l *Thread) Push(v Value) {
	if l.top+window >= len(l.stack) {
		l.ensure(minFree)
	}
	l.push(v)
}

// pushAll adds results that are on the stack already.
func (l *Thread) pushAll(vals []Value) {
	l.ensure(len(vals))
	l.top += copy(l.stack[l.top:], vals)
}

// argsFrom are the arguments from the i-th on, until the next push.
func (l *Thread) argsFrom(i int) []Value {
	f := l.frame()
	return l.stack[min(f.base+i-1, f.top):f.top]
}

// String makes a string and counts its memory.
func (l *Thread) String(s string) Value {
	l.s.alloc(int(unsafe.Sizeof(str{})) + len(s))
	return newStr(s).value()
}

// bytes makes a string of bytes that nobody writes to any more.
func (l *Thread) bytes(b []byte) Value { return l.String(unsafe.String(unsafe.SliceData(b), len(b))) }

// Bytes makes a string of bytes that nobody writes to any more.
func (l *Thread) Bytes(b []byte) Value { return l.bytes(b) }

// Copy makes a string of a part of another, which it does not keep in memory.
func (l *Thread) Copy(s string) Value { return l.String(strings.Clone(s)) }

// Pop takes the last result back.
func (l *Thread) Pop() Value {
	l.top--
	return l.stack[l.top]
}

// Results is the number of results so far.
func (l *Thread) Results() int { return l.top - l.frame().top }

// SetResult changes a result, the first is 1.
func (l *Thread) SetResult(i int, v Value) { l.stack[l.frame().top+i-1] = v }

// Take reports whether the budget has room for a string of n bytes. If not,
// the script ends.
func (l *Thread) Take(n int) bool {
	if n > maxString {
		l.Errorf("string length overflow")
		return false
	}
	if n > quotaStep && !l.s.enough(n) {
		return l.outOfMemory()
	}
	return true
}

// Table makes a table with room and counts its memory.
func (l *Thread) Table(narr, nhash int) *Table { return newTable(l.s, narr, nhash) }

// Set stores a value in a table, raw. The key is neither nil nor NaN.
func (l *Thread) Set(t *Table, key, val Value) { t.set(l.s, key, val) }

// SetInt is Set for an integer key.
func (l *Thread) SetInt(t *Table, key int, val Value) { t.setInt(l.s, key, val) }

// ArgError makes the function fail because of its i-th argument.
func (l *Thread) ArgError(i int, msg string) {
	if l.failed {
		return
	}
	kind, name := l.calledAs()
	if kind == "method" {
		if i--; i == 0 {
			l.Errorf("calling '%s' on bad self (%s)", name, msg)
			return
		}
	}
	if name == "" {
		name = "?"
	}
	l.Errorf("bad argument #%d to '%s' (%s)", i, name, msg)
}

func (l *Thread) typeName(i int) string {
	if i > l.NArg() {
		return "no value"
	}
	return l.Arg(i).Type()
}

func (l *Thread) badType(i int, want string) {
	l.ArgError(i, want+" expected, got "+l.typeName(i))
}

// CheckAny wants an argument of any type.
func (l *Thread) CheckAny(i int) {
	if i > l.NArg() {
		l.ArgError(i, "value expected")
	}
}

// CheckString wants a string or a number.
func (l *Thread) CheckString(i int) string {
	v := l.Arg(i)
	switch {
	case v.isString():
		return v.str().s
	case v.isNumber():
		return formatNumber(v.float())
	}
	l.badType(i, "string")
	return ""
}

// OptString is CheckString with a value for nil.
func (l *Thread) OptString(i int, def string) string {
	if l.Arg(i).isNil() {
		return def
	}
	return l.CheckString(i)
}

// CheckNumber wants a number or a string that is one.
func (l *Thread) CheckNumber(i int) float64 {
	f, ok := toNumber(l.Arg(i))
	if !ok {
		l.badType(i, "number")
	}
	return f
}

// CheckInt wants a number and makes it an integer of 32 bits, as C does.
func (l *Thread) CheckInt(i int) int { return int(int32(l.CheckInteger(i))) }

// OptInt is CheckInt with a value for nil.
func (l *Thread) OptInt(i, def int) int {
	if l.Arg(i).isNil() {
		return def
	}
	return l.CheckInt(i)
}

// CheckInteger wants a number and makes it an integer of 64 bits.
func (l *Thread) CheckInteger(i int) int64 { return toInteger(l.CheckNumber(i)) }

// OptInteger is CheckInteger with a value for nil.
func (l *Thread) OptInteger(i int, def int64) int64 {
	if l.Arg(i).isNil() {
		return def
	}
	return l.CheckInteger(i)
}

// CheckTable wants a table.
func (l *Thread) CheckTable(i int) *Table {
	if v := l.Arg(i); v.isTable() {
		return v.table()
	}
	l.badType(i, "table")
	return nil
}

// CheckFunction wants a function.
func (l *Thread) CheckFunction(i int) Value {
	v := l.Arg(i)
	if !v.isFunction() {
		l.badType(i, "function")
	}
	return v
}

// checkThread wants a coroutine.
func (l *Thread) checkThread(i int) *Thread {
	if v := l.Arg(i); v.is(KindThread) {
		return v.thread()
	}
	l.ArgError(i, "coroutine expected")
	return nil
}

// upvalue is the i-th value of a closure of Go.
func (l *Thread) upvalue(i int) *Value { return &l.frame().fn.vals[i] }

// asString is the text of a string or a number.
func asString(v Value) (string, bool) {
	switch {
	case v.isString():
		return v.str().s, true
	case v.isNumber():
		return formatNumber(v.float()), true
	}
	return "", false
}

// Text is the text of a string or a number.
func (v Value) Text() (string, bool) { return asString(v) }

// Index is t[key], metamethods included; ok is false where that has failed.
func (l *Thread) Index(t, key Value) (v Value, ok bool) { return l.index(t, key, -1) }

// SetIndex is t[key] = v, metamethods included; false where that has failed.
func (l *Thread) SetIndex(t, key, v Value) bool { return l.setIndex(t, key, v, -1) }

// ToNumber converts a number, or a string that is one.
func ToNumber(v Value) (float64, bool) { return toNumber(v) }

// Integer and Unsigned convert as C on amd64 does.
func Integer(f float64) int64 { return toInteger(f) }

// Unsigned is Integer for numbers without a sign.
func Unsigned(f float64) uint64 { return toUnsigned(f) }

// AppendNumber appends a number with prec significant digits, as "%.*g" does.
func AppendNumber(b []byte, f float64, prec int) []byte {
	if prec == 14 || math.IsInf(f, 0) || f != f {
		return appendNumber(b, f)
	}
	if f < 0 || f == 0 && math.Signbit(f) {
		b = append(b, '-')
	}
	return append(b, formatG(math.Abs(f), prec, false)...)
}
