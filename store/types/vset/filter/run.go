package filter

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// inline is how deep a stack may be without an allocation.
const inline = 16

// Match reports whether the attributes, a JSON object, pass. They do not where a
// field that the expression names is not there or cannot be read, whatever the
// expression makes of it.
func (p *Program) Match(attributes []byte) bool {
	var room [inline]value
	stack := room[:0]
	if p.depth > inline {
		stack = make([]value, 0, p.depth)
	}
	for i := range p.code {
		t := &p.code[i]
		switch t.kind {
		case selector:
			v, ok := value{}, false
			if len(t.str) > 0 {
				v, ok = field(attributes, t.str)
			}
			if !ok {
				return false
			}
			stack = append(stack, v)
		case operator:
			n := len(stack)
			b := &stack[n-1]
			if t.op == opNot {
				*b = truth(!b.isTrue())
				continue
			}
			a := &stack[n-2]
			*a = apply(t.op, a, b)
			stack = stack[:n-1]
		default:
			stack = append(stack, *t)
		}
	}
	return stack[0].isTrue()
}

func truth(b bool) value {
	if b {
		return value{kind: number, num: 1}
	}
	return value{kind: number}
}

func apply(o op, a, b *value) value {
	switch o {
	case opPow:
		return value{kind: number, num: math.Pow(a.number(), b.number())}
	case opMul:
		return value{kind: number, num: a.number() * b.number()}
	case opDiv:
		return value{kind: number, num: a.number() / b.number()}
	case opMod:
		return value{kind: number, num: math.Mod(a.number(), b.number())}
	case opAdd:
		return value{kind: number, num: a.number() + b.number()}
	case opSub:
		return value{kind: number, num: a.number() - b.number()}
	case opGT:
		return truth(a.number() > b.number())
	case opGE:
		return truth(a.number() >= b.number())
	case opLT:
		return truth(a.number() < b.number())
	case opLE:
		return truth(a.number() <= b.number())
	case opEQ:
		return truth(a.equals(b))
	case opNE:
		return truth(!a.equals(b))
	case opIn:
		return truth(a.in(b))
	case opAnd:
		return truth(a.isTrue() && b.isTrue())
	default: // opOr
		return truth(a.isTrue() || b.isTrue())
	}
}

func (v *value) isTrue() bool {
	switch v.kind {
	case number:
		return v.num != 0
	case text:
		return len(v.str) > 0
	case null:
		return false
	}
	return true
}

// number is a text's number, or 0.
func (v *value) number() float64 {
	switch {
	case v.kind == number:
		return v.num
	case v.kind == text && len(v.str) <= maxDigits:
		return parse(v.str)
	}
	return 0
}

// parse is C's strtod for a whole text, 0 where something is left.
func parse(b []byte) float64 {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	s := string(b)
	if strings.IndexByte(s, '_') >= 0 {
		return 0
	}
	digits := strings.TrimLeft(s, "+-")
	if len(digits) > 1 && digits[0] == '0' && digits[1]|0x20 == 'x' && !strings.ContainsAny(s, "pP") {
		s += "p0" // Go wants an exponent
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil && !isRange(err) {
		return 0
	}
	return x
}

func (v *value) equals(o *value) bool {
	switch {
	case v.kind == text && o.kind == text:
		return bytes.Equal(v.str, o.str)
	case v.kind == null || o.kind == null:
		return v.kind == o.kind
	}
	return v.number() == o.number()
}

// in reports whether v is an element of a list, or a part of a text.
func (v *value) in(o *value) bool {
	switch {
	case o.kind == tuple:
		for i := range o.list {
			if v.equals(&o.list[i]) {
				return true
			}
		}
		return false
	case v.kind == text && o.kind == text:
		return bytes.Contains(o.str, v.str)
	}
	return false
}
