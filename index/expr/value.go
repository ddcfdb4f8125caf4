package expr

import (
	"cmp"
	"math"
	"strconv"
	"strings"
)

// Kind says what a [Value] is.
type Kind uint8

// The kinds of values. The numbers stand in messages, so they are RediSearch's.
const (
	Missing Kind = 0 // a row's property that it has not
	Number  Kind = 1
	Text    Kind = 2
	Null    Kind = 3
	List    Kind = 5
	Map     Kind = 8 // List() holds names and values in turns
)

// Value is a value of a row. The zero value is Missing.
type Value struct {
	kind Kind
	num  float64
	text string
	list *[]Value
}

// Num is a number.
func Num(x float64) Value { return Value{kind: Number, num: x} }

// Str is a text.
func Str(s string) Value { return Value{kind: Text, text: s} }

// Nil is NULL.
func Nil() Value { return Value{kind: Null} }

// Vals is a list, which it keeps.
func Vals(l []Value) Value { return Value{kind: List, list: &l} }

// Pairs is a map of names and values, in turns. It keeps the slice.
func Pairs(l []Value) Value { return Value{kind: Map, list: &l} }

// Shown is v with a text that replies have in its place. So it is with the values
// that a JSONPath matches: the first one is reckoned with, the reply has them all.
func Shown(v Value, text string) Value {
	v.list = &[]Value{Str(text)}
	return v
}

// Shown is the text of [Shown]; false if there is none.
func (v *Value) Shown() (string, bool) {
	if v.list == nil || v.kind == List || v.kind == Map {
		return "", false
	}
	return (*v.list)[0].text, true
}

// Kind says what the value is.
func (v *Value) Kind() Kind { return v.kind }

// IsNull reports whether it is NULL or missing.
func (v *Value) IsNull() bool { return v.kind == Null || v.kind == Missing }

// Text is a text's bytes; false for every other kind.
func (v *Value) Text() (string, bool) { return v.text, v.kind == Text }

// List is what a list or a map holds.
func (v *Value) List() []Value {
	if v.list == nil {
		return nil
	}
	return *v.list
}

// Float is the value of a number, or of a text that spells one.
func (v *Value) Float() (float64, bool) {
	switch v.kind {
	case Number:
		return v.num, true
	case Text:
		return ParseNumber(v.text)
	}
	return 0, false
}

// True is what FILTER makes of it: a number but 0, a text and a list but the empty one.
func (v *Value) True() bool {
	switch v.kind {
	case Number:
		return v.num != 0
	case Text:
		return v.text != ""
	case List, Map:
		return len(*v.list) > 0
	}
	return false
}

// Append writes the value as a reply has it, which a list has none of.
func (v *Value) Append(b []byte) []byte {
	switch v.kind {
	case Number:
		return AppendNumber(b, v.num)
	case Text:
		return append(b, v.text...)
	}
	return b
}

// String is the value as to_str() has it.
func (v *Value) String() string {
	if v.kind == Text {
		return v.text
	}
	return string(v.Append(nil))
}

// Size is the memory behind the value, itself included.
func (v *Value) Size() int {
	n := 40 + len(v.text)
	if v.list != nil {
		n += 24
		for i := range *v.list {
			n += (*v.list)[i].Size()
		}
	}
	return n
}

// Clone is a copy that shares no memory with the value.
func (v *Value) Clone() Value {
	c := *v
	c.text = strings.Clone(v.text)
	if v.list != nil {
		l := make([]Value, len(*v.list))
		for i := range l {
			l[i] = (*v.list)[i].Clone()
		}
		c.list = &l
	}
	return c
}

// AppendKey writes bytes that are equal for equal values and only for those.
func (v *Value) AppendKey(b []byte) []byte {
	b = append(b, byte(v.kind))
	switch v.kind {
	case Number:
		x := v.num
		if x == 0 {
			x = 0 // not -0
		}
		b = appendUint(b, math.Float64bits(x))
	case Text:
		b = append(appendUint(b, uint64(len(v.text))), v.text...)
	case List, Map:
		b = appendUint(b, uint64(len(*v.list)))
		for i := range *v.list {
			b = (*v.list)[i].AppendKey(b)
		}
	}
	return b
}

func appendUint(b []byte, x uint64) []byte {
	return append(b, byte(x), byte(x>>8), byte(x>>16), byte(x>>24), byte(x>>32), byte(x>>40), byte(x>>48), byte(x>>56))
}

// AppendNumber writes a number as RediSearch does: a whole one in full, others
// as C's "%.12g".
func AppendNumber(b []byte, x float64) []byte {
	switch {
	case math.IsNaN(x):
		return append(b, "nan"...)
	case math.IsInf(x, 1):
		return append(b, "inf"...)
	case math.IsInf(x, -1):
		return append(b, "-inf"...)
	case x >= -1<<63 && x < 1<<63 && x == math.Trunc(x):
		return strconv.AppendInt(b, int64(x), 10)
	}
	return strconv.AppendFloat(b, x, 'g', 12, 64)
}

// maxDigits bounds the text that is read as a number.
const maxDigits = 400

// ParseNumber reads a number that takes up the whole text. The empty text is 0,
// as with strtod.
func ParseNumber(s string) (float64, bool) {
	if s == "" {
		return 0, true
	}
	if c := s[0]; len(s) > maxDigits || !(c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c|0x20 == 'i' || c|0x20 == 'n') || strings.ContainsAny(s, "_xX") {
		return 0, false
	}
	x, err := strconv.ParseFloat(s, 64)
	return x, err == nil
}

// Compare orders two values: NULL before all, numbers by value, texts by bytes.
// A number and a text are compared as numbers; a text that spells none is an
// error if strict, and otherwise the number is compared as its digits.
func Compare(a, b *Value, strict bool) (int, error) {
	if a.kind == b.kind {
		switch a.kind {
		case Number:
			return compareNumbers(a.num, b.num), nil
		case Text:
			return cmp.Compare(a.text, b.text), nil
		case List: // by their first elements, as there
			x, y := *a.list, *b.list
			if len(x) > 0 && len(y) > 0 {
				return Compare(&x[0], &y[0], strict)
			}
			return len(x) - len(y), nil
		}
		return 0, nil
	}
	switch {
	case a.IsNull() && b.IsNull():
		return 0, nil
	case a.IsNull():
		return -1, nil
	case b.IsNull():
		return 1, nil
	}
	if a.kind == Number || b.kind == Number {
		x, ok1 := a.Float()
		y, ok2 := b.Float()
		if ok1 && ok2 {
			return compareNumbers(x, y), nil
		}
		if strict {
			bad := a
			if ok1 {
				bad = b
			}
			s := "(null)"
			if bad.kind == Text {
				s = near(bad.text)
			}
			return 0, errorf("Error converting string '%s' to number", s)
		}
	}
	return cmp.Compare(a.loose(), b.loose()), nil
}

// loose is a value as it is compared with one of another kind.
func (v *Value) loose() string {
	if v.kind == Number {
		return strconv.FormatFloat(v.num, 'f', 6, 64)
	}
	return v.text
}

func compareNumbers(a, b float64) int {
	switch {
	case a > b:
		return 1
	case a < b:
		return -1
	}
	return 0 // NaN is equal to all
}

// Equal reports whether two values are the same; a number and the text that
// spells it are.
func Equal(a, b *Value) bool {
	if a.kind != b.kind {
		if a.IsNull() || b.IsNull() {
			return false
		}
		if a.kind == Number || b.kind == Number {
			x, ok1 := a.Float()
			y, ok2 := b.Float()
			return ok1 && ok2 && compareNumbers(x, y) == 0
		}
	}
	c, _ := Compare(a, b, false)
	return c == 0
}
