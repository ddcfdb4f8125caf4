package lua

import (
	"math"
	"unsafe"
)

// Value is a value of Lua. The zero Value is nil.
//
// It is two words: p points to a mark for numbers, whose bits are in n, and to
// the object for everything with a body; n is then the kind. So a number is
// never boxed, and one comparison tells whether a value is one.
type Value struct {
	p unsafe.Pointer
	n uint64
}

// Kind is the type of a Value; false and true have one each.
type Kind uint8

// The kinds. Those up to KindTrue have no body.
const (
	KindNil Kind = iota
	KindFalse
	KindTrue
	KindNull // cjson.null, the one light userdatum
	KindString
	KindTable
	KindFunction
	KindThread
	KindNumber
)

var kindNames = [...]string{
	KindNil: "nil", KindFalse: "boolean", KindTrue: "boolean", KindNull: "userdata", KindString: "string",
	KindTable: "table", KindFunction: "function", KindThread: "thread", KindNumber: "number",
}

// String is the type's name as Lua tells it.
func (k Kind) String() string { return kindNames[k] }

// numberMark is what p of every number points to.
var numberMark byte

// Values that need no body.
var (
	Nil   = Value{}
	False = Value{n: uint64(KindFalse)}
	True  = Value{n: uint64(KindTrue)}
	Null  = Value{n: uint64(KindNull)}
)

// Number makes a number.
func Number(f float64) Value {
	return Value{unsafe.Pointer(&numberMark), math.Float64bits(f)}
}

// Bool makes a boolean.
func Bool(b bool) Value {
	if b {
		return True
	}
	return False
}

// str is the body of a string. Strings of different bodies may be equal.
type str struct {
	s      string
	hash   uint32
	hashed bool
	mark   uint32 // see memory.go
}

// sum is the string's hash, the one of Redis' Lua: what is in a table comes out
// of pairs in the same order. It is made when first asked for; a string that
// several machines share has been asked before, see share.
func (s *str) sum() uint32 {
	if !s.hashed {
		h := uint32(len(s.s))
		for i := len(s.s) - 1; i >= 0; i-- {
			h ^= h<<5 + h>>2 + uint32(s.s[i])
		}
		s.hash, s.hashed = h, true
	}
	return s.hash
}

func newStr(s string) *str { return &str{s: s} }

// shared makes a string that may be read by several machines at once.
func shared(s string) *str {
	x := &str{s: s, mark: everMarked}
	x.sum()
	return x
}

func (s *str) value() Value { return Value{unsafe.Pointer(s), uint64(KindString)} }

// String makes a string. It is not counted against any State's memory: use
// Thread.String for what a script makes.
func String(s string) Value { return newStr(s).value() }

// Shared makes a string that may be used by several States at once.
func Shared(s string) Value { return shared(s).value() }

func (t *Table) value() Value    { return Value{unsafe.Pointer(t), uint64(KindTable)} }
func (f *Function) value() Value { return Value{unsafe.Pointer(f), uint64(KindFunction)} }
func (l *Thread) value() Value   { return Value{unsafe.Pointer(l), uint64(KindThread)} }

// Value is the table as a Value.
func (t *Table) Value() Value { return t.value() }

// Value is the function as a Value.
func (f *Function) Value() Value { return f.value() }

// Kind is the value's kind.
func (v Value) Kind() Kind {
	if v.isNumber() {
		return KindNumber
	}
	return Kind(v.n)
}

// Type is the name of the value's type.
func (v Value) Type() string { return v.Kind().String() }

func (v Value) isNumber() bool   { return v.p == unsafe.Pointer(&numberMark) }
func (v Value) is(k Kind) bool   { return v.n == uint64(k) && !v.isNumber() }
func (v Value) isNil() bool      { return v.p == nil && v.n == uint64(KindNil) }
func (v Value) isString() bool   { return v.is(KindString) }
func (v Value) isTable() bool    { return v.is(KindTable) }
func (v Value) isFunction() bool { return v.is(KindFunction) }

// truth is false for nil and false only.
func (v Value) truth() bool { return v.p != nil || v.n > uint64(KindFalse) }

func (v Value) float() float64 { return math.Float64frombits(v.n) }
func (v Value) str() *str      { return (*str)(v.p) }
func (v Value) table() *Table  { return (*Table)(v.p) }
func (v Value) fn() *Function  { return (*Function)(v.p) }
func (v Value) thread() *Thread {
	return (*Thread)(v.p)
}

// IsNil reports whether the value is nil.
func (v Value) IsNil() bool { return v.isNil() }

// Truth is what a condition makes of the value.
func (v Value) Truth() bool { return v.truth() }

// AsNumber is the value of a number; strings are not converted.
func (v Value) AsNumber() (float64, bool) {
	if v.isNumber() {
		return v.float(), true
	}
	return 0, false
}

// AsString is the value of a string; numbers are not converted.
func (v Value) AsString() (string, bool) {
	if v.isString() {
		return v.str().s, true
	}
	return "", false
}

// AsTable is the table of a table, nil for others.
func (v Value) AsTable() *Table {
	if v.isTable() {
		return v.table()
	}
	return nil
}

// AsFunction is the function of a function, nil for others.
func (v Value) AsFunction() *Function {
	if v.isFunction() {
		return v.fn()
	}
	return nil
}

// rawEqual compares without metamethods.
func rawEqual(a, b Value) bool {
	if a.isNumber() {
		return b.isNumber() && a.float() == b.float()
	}
	if a == b {
		return true
	}
	return a.isString() && b.isString() && a.str().s == b.str().s
}

// toInt32 and toInteger convert as C on amd64 does: towards zero, and the
// smallest integer for what does not fit.
func toInteger(f float64) int64 {
	if f >= -9223372036854775808 && f < 9223372036854775808 {
		return int64(f)
	}
	return math.MinInt64
}

func toInt32(f float64) int {
	if f > -2147483649 && f < 2147483648 {
		return int(f)
	}
	return math.MinInt32
}
