package searchtest

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// expression is one of APPLY and FILTER, and what it is worth.
type expression struct {
	text string
	eval func(r Row) any
}

// What an expression is worth that has no value: a property is missing; an error.
type (
	absent  struct{}
	failure struct{}
)

func isTrue(v any) bool {
	switch x := v.(type) {
	case float64:
		return x != 0
	case string:
		return x != ""
	case []any:
		return len(x) > 0
	}
	return false
}

func isNumber(v any) bool { _, ok := v.(float64); return ok }
func isText(v any) bool   { _, ok := v.(string); return ok }
func isAny(any) bool      { return true }

func toFloat(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// strict is an expression of others that must be there and be such.
func strict(f func(l []any) any, is func(any) bool, text string, of ...expression) expression {
	return expression{text, func(r Row) any {
		l := make([]any, len(of))
		for i, e := range of {
			l[i] = e.eval(r)
			switch l[i].(type) {
			case absent, failure:
				return failure{}
			}
		}
		for _, v := range l {
			if !is(v) {
				return failure{}
			}
		}
		return f(l)
	}}
}

func constant(v any) expression {
	if s, ok := v.(string); ok {
		return expression{"'" + s + "'", func(Row) any { return v }}
	}
	return expression{figure(v.(float64)), func(Row) any { return v }}
}

// property is one that rows have, or a SORTABLE field, which is then loaded. Mostly it is asked for only where it exists.
func (g Generator) property(p *Pipeline, kind byte, otherwise any) expression {
	var names []string
	for _, x := range p.props {
		if x.kind == kind {
			names = append(names, x.name)
		}
	}
	if field := map[byte]string{'n': "n0", 't': "g1"}[kind]; p.rows && field != "" && p.schema.Field(field).Sortable && g.IntN(4) == 0 {
		if !p.has(field) {
			p.fetch(field, field, true)
			names = []string{field}
		}
	}
	if names == nil {
		return constant(otherwise)
	}
	name := g.of(names...)
	e := expression{"@" + name, func(r Row) any {
		if v, ok := r[name]; ok {
			return v
		}
		return absent{}
	}}
	if g.IntN(8) == 0 {
		return e
	}
	return choice(exists(e), e, constant(otherwise))
}

func exists(e expression) expression {
	return expression{"exists(" + e.text + ")", func(r Row) any {
		switch e.eval(r).(type) {
		case failure:
			return failure{}
		case absent:
			return 0.0
		}
		return 1.0
	}}
}

func choice(test, a, b expression) expression {
	return expression{"case(" + test.text + ", " + a.text + ", " + b.text + ")", func(r Row) any {
		v := test.eval(r)
		switch v.(type) {
		case absent, failure:
			return v
		}
		if isTrue(v) {
			return a.eval(r)
		}
		return b.eval(r)
	}}
}

func (g Generator) number(p *Pipeline, depth int) expression {
	if depth == 0 || g.IntN(4) == 0 {
		if g.IntN(3) == 0 {
			return constant(float64(g.IntN(40)) / 4)
		}
		return g.property(p, 'n', float64(g.IntN(5)))
	}
	kid := func() expression { return g.number(p, depth-1) }
	switch g.IntN(7) {
	case 0:
		a, b, op := kid(), kid(), g.of("+", "-", "*", "/", "%")
		return strict(func(l []any) any {
			x, y := l[0].(float64), l[1].(float64)
			switch op {
			case "+":
				return x + y
			case "-":
				return x - y
			case "*":
				return x * y
			case "/":
				return x / y
			}
			return math.Mod(x, y)
		}, isNumber, "("+a.text+" "+op+" "+b.text+")", a, b)
	case 1:
		a, name := kid(), g.of("floor", "ceil", "abs", "sqrt")
		return strict(func(l []any) any {
			x, ok := l[0].(float64)
			if !ok {
				x = math.NaN()
			}
			return map[string]func(float64) float64{"floor": math.Floor, "ceil": math.Ceil, "abs": math.Abs, "sqrt": math.Sqrt}[name](x)
		}, isAny, name+"("+a.text+")", a)
	case 2:
		a := g.words(p, depth-1)
		return strict(func(l []any) any { return float64(len(l[0].(string))) }, isText, "strlen("+a.text+")", a)
	case 3:
		a, b := g.words(p, depth-1), constant(g.Word()[:2])
		name := g.of("contains", "startswith")
		return strict(func(l []any) any {
			if name == "contains" {
				return float64(strings.Count(l[0].(string), l[1].(string))) // of two letters that differ
			}
			return toFloat(strings.HasPrefix(l[0].(string), l[1].(string)))
		}, isText, name+"("+a.text+", "+b.text+")", a, b)
	case 4:
		return g.truth(p, depth-1)
	case 5:
		return choice(g.truth(p, depth-1), kid(), kid())
	}
	a := kid()
	return strict(func(l []any) any { return math.Pow(l[0].(float64), 2) }, isNumber, "("+a.text+"^2)", a)
}

func (g Generator) words(p *Pipeline, depth int) expression {
	if depth == 0 || g.IntN(4) == 0 {
		if g.IntN(3) == 0 {
			return constant(g.Word())
		}
		return g.property(p, 't', g.of("", "Other"))
	}
	kid := func() expression { return g.words(p, depth-1) }
	switch g.IntN(5) {
	case 0:
		a, up := kid(), g.IntN(2) == 0
		return strict(func(l []any) any {
			s, ok := l[0].(string)
			switch {
			case !ok:
				return Null{}
			case up:
				return strings.ToUpper(s)
			}
			return strings.ToLower(s)
		}, isAny, map[bool]string{true: "upper", false: "lower"}[up]+"("+a.text+")", a)
	case 1:
		a, from, n := kid(), g.IntN(9)-2, g.IntN(8)-2
		return strict(func(l []any) any {
			s, at := l[0].(string), from
			if at < 0 {
				at += len(s)
			}
			s = s[min(max(at, 0), len(s)):]
			if n < 0 {
				return s[:max(0, len(s)+n)]
			}
			return s[:min(n, len(s))]
		}, isText, fmt.Sprintf("substr(%s, %d, %d)", a.text, from, n), a)
	case 2:
		a, b := kid(), g.number(p, depth-1)
		return strict(func(l []any) any { return shown(l[0]) + "-" + shown(l[1]) }, isAny, "format('%s-%s', "+a.text+", "+b.text+")", a, b)
	case 3:
		a := g.number(p, depth-1)
		return strict(func(l []any) any { return strings.ReplaceAll(shown(l[0]), "(null)", "") }, isAny, "to_str("+a.text+")", a)
	}
	return choice(g.truth(p, depth-1), kid(), kid())
}

// shown is a value as format() has it.
func shown(v any) string {
	switch x := v.(type) {
	case float64:
		return figure(x)
	case string:
		return x
	}
	return "(null)"
}

// list is the words of a text.
func (g Generator) list(p *Pipeline) expression {
	a := g.property(p, 't', "a b")
	return strict(func(l []any) any {
		out := []any{}
		for _, w := range strings.FieldsFunc(l[0].(string), func(r rune) bool { return r == ' ' || r == ',' }) {
			out = append(out, w)
		}
		return out
	}, isText, "split("+a.text+", ' ,', '')", a)
}

func (g Generator) truth(p *Pipeline, depth int) expression {
	if depth > 0 {
		switch g.IntN(4) {
		case 0:
			a, b, and := g.truth(p, depth-1), g.truth(p, depth-1), g.IntN(2) == 0
			op := map[bool]string{true: " && ", false: " || "}[and]
			return expression{"(" + a.text + op + b.text + ")", func(r Row) any {
				for _, e := range []expression{a, b} {
					v := e.eval(r)
					switch v.(type) {
					case absent, failure:
						return failure{}
					}
					if isTrue(v) != and {
						return toFloat(!and)
					}
				}
				return toFloat(and)
			}}
		case 1:
			a := g.truth(p, depth-1)
			return strict(func(l []any) any { return toFloat(!isTrue(l[0])) }, isAny, "(!"+a.text+")", a)
		}
	}
	if len(p.props) > 0 && g.IntN(4) == 0 {
		name := p.props[g.IntN(len(p.props))].name
		return exists(expression{"@" + name, func(r Row) any {
			if v, ok := r[name]; ok {
				return v
			}
			return absent{}
		}})
	}
	var a, b expression
	if depth = max(0, depth-1); g.IntN(2) == 0 {
		a, b = g.number(p, depth), g.number(p, depth)
	} else {
		a, b = g.words(p, depth), g.words(p, depth)
	}
	op := g.of("==", "!=", "<", "<=", ">", ">=")
	return strict(func(l []any) any {
		c := compare(l[0], l[1])
		return toFloat(map[string]bool{"==": c == 0, "!=": c != 0, "<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0}[op])
	}, isAny, "("+a.text+" "+op+" "+b.text+")", a, b)
}

// numeric is the value of a number, or of a text that spells one; "" spells 0.
func numeric(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, true
	case string:
		if x == "" {
			return 0, true
		}
		n, err := strconv.ParseFloat(x, 64)
		return n, err == nil
	}
	return 0, false
}
