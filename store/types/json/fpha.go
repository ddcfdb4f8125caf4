package json

import (
	"fmt"
	"math"
	"strconv"
)

// FloatType is a precision that arrays of numbers may be rounded to.
type FloatType struct {
	Name  string // as FPHA names it
	long  string // as errors name it
	round func(f float64) (g float64, ok bool)
}

// FloatTypes are those that JSON.SET knows.
var FloatTypes = []FloatType{
	{"BF16", "BF16", func(f float64) (float64, bool) { return round16(f, 8) }},
	{"FP16", "F16", func(f float64) (float64, bool) { return round16(f, 11) }},
	{"FP32", "F32", func(f float64) (float64, bool) {
		g := float64(float32(f))
		return g, !math.IsInf(g, 0)
	}},
	{"FP64", "F64", func(f float64) (float64, bool) { return f, true }},
}

// round16 rounds to a float of 16 bits with so many bits of precision.
func round16(f float64, precision int) (float64, bool) {
	if f == 0 {
		return f, true
	}
	maxExp, minExp := 128, -125 // of bfloat16, as math.Frexp counts
	if precision == 11 {
		maxExp, minExp = 16, -13
	}
	_, exp := math.Frexp(f)
	unit := math.Ldexp(1, max(exp, minExp)-precision)
	g := math.RoundToEven(f/unit) * unit
	_, exp = math.Frexp(g)
	return g, exp <= maxExp
}

// RoundArrays rounds the numbers of every array that holds nothing else, and at
// least one with a point or an exponent. They are kept as the shortest text that
// reads back as the same float of the type.
func (d *Doc) RoundArrays(t *FloatType) error { return d.roundIn(d.Root(), t) }

func (d *Doc) roundIn(n Node, t *FloatType) error {
	k := n.Kind()
	if k != Array && k != Object {
		return nil
	}
	numbers, floats := k == Array, false
	for i := range n.Len() {
		_, c := n.child(k, i)
		switch c.Kind() {
		case Integer:
		case Number:
			floats = true
		default:
			numbers = false
		}
		if err := d.roundIn(c, t); err != nil {
			return err
		}
	}
	if !numbers || !floats {
		return nil
	}
	for i := range n.Len() {
		c := n.Elem(i)
		f, _ := c.Float()
		g, ok := t.round(f)
		if !ok {
			return fmt.Errorf("value out of range for %s", t.long)
		}
		putWord(d.b, c.at, floatWord(t.shortest(g)))
	}
	return nil
}

// shortest is the number with the fewest digits that is rounded to f.
func (t *FloatType) shortest(f float64) float64 {
	var room [32]byte
	for digits := range 17 {
		g, err := strconv.ParseFloat(string(strconv.AppendFloat(room[:0], f, 'e', digits, 64)), 64)
		if r, ok := t.round(g); err == nil && ok && r == f {
			return g
		}
	}
	return f
}
