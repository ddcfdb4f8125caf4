package expr

import (
	"math"
	"strings"

	"github.com/nearcache/nearcache/index/attr"
)

// function is a row of the table of functions.
type function struct {
	name        string
	least, most int // arguments
	run         func(c *Context, args []Value, out *Value) status
}

// functions is the table, by name in lower case.
var functions = func() map[string]*function {
	m := map[string]*function{}
	for _, f := range []function{
		{"lower", 1, 1, lower},
		{"upper", 1, 1, upper},
		{"substr", 3, 3, substr},
		{"format", 1, anyNumber, format},
		{"split", 1, 3, split},
		{"matched_terms", 0, 1, matchedTerms},
		{"to_number", 1, 1, toNumber},
		{"to_str", 1, 1, toString},
		{"exists", 1, 1, exists},
		{"case", 3, 3, nil}, // eval looks at its branches itself
		{"startswith", 2, 2, startsWith},
		{"contains", 2, 2, contains},
		{"strlen", 1, 1, length},

		{"log", 1, 1, mathematical(math.Log)},
		{"log2", 1, 1, mathematical(math.Log2)},
		{"exp", 1, 1, mathematical(math.Exp)},
		{"sqrt", 1, 1, mathematical(math.Sqrt)},
		{"abs", 1, 1, mathematical(math.Abs)},
		{"floor", 1, 1, mathematical(math.Floor)},
		{"ceil", 1, 1, mathematical(math.Ceil)},

		{"timefmt", 1, 2, timeFormat},
		{"parsetime", 2, 2, parseTime},
		{"minute", 1, 1, ofTime(func(t *moment) float64 { return float64(t.unix() - t.second) })},
		{"hour", 1, 1, ofTime(func(t *moment) float64 { return float64(t.unix() - t.minute*60 - t.second) })},
		{"day", 1, 1, ofTime(func(t *moment) float64 { return float64(t.days * daySeconds) })},
		{"month", 1, 1, ofTime(func(t *moment) float64 { return float64((t.days - t.day + 1) * daySeconds) })},
		{"year", 1, 1, ofTime(func(t *moment) float64 { return float64(t.year) })},
		{"monthofyear", 1, 1, ofTime(func(t *moment) float64 { return float64(t.month - 1) })},
		{"dayofweek", 1, 1, ofTime(func(t *moment) float64 { return float64(t.weekday()) })},
		{"dayofmonth", 1, 1, ofTime(func(t *moment) float64 { return float64(t.day) })},
		{"dayofyear", 1, 1, ofTime(func(t *moment) float64 { return float64(t.yearDay()) })},

		{"geodistance", 2, 4, geoDistance},
	} {
		m[f.name] = &f
	}
	return m
}()

const anyNumber = math.MaxUint16

// text checks that an argument is a text.
func (c *Context) text(fn string, args []Value, i int) bool {
	if args[i].kind != Text {
		c.fail("Invalid type (%d) for argument %d in function '%s'. VALIDATE_ARG__STRING(v, 0) was false.", args[i].kind, i, fn)
		return false
	}
	return true
}

// number checks that an argument is a number.
func (c *Context) number(fn string, args []Value, i int) bool {
	if args[i].kind != Number {
		c.fail("Invalid type (%d) for argument %d in function '%s'. VALIDATE_ARG__TYPE(v, RSValueType_Number) was false.", args[i].kind, i, fn)
		return false
	}
	return true
}

func lower(_ *Context, args []Value, out *Value) status { return letters(args, out, 'A', 'Z') }
func upper(_ *Context, args []Value, out *Value) status { return letters(args, out, 'a', 'z') }

// letters turns the letters from first to last into those of the other case; no
// others than ASCII, as C does.
func letters(args []Value, out *Value, first, last byte) status {
	if args[0].kind != Text {
		*out = Nil()
		return done
	}
	s := args[0].text
	for i := range len(s) {
		if s[i] < first || s[i] > last {
			continue
		}
		b := []byte(s)
		for ; i < len(b); i++ {
			if b[i] >= first && b[i] <= last {
				b[i] ^= 0x20
			}
		}
		s = string(b)
		break
	}
	*out = Str(s)
	return done
}

func substr(c *Context, args []Value, out *Value) status {
	if !c.number("substr", args, 1) || !c.number("substr", args, 2) {
		return failed
	}
	if args[0].kind != Text {
		return c.fail("Invalid type for substr. Expected string")
	}
	s := args[0].text
	from, n := whole(args[1].num), whole(args[2].num)
	if from < 0 { // from the end
		from += len(s)
	}
	from = min(max(from, 0), len(s))
	if n < 0 { // up to so many before the end
		n = max(0, len(s)-from+n)
	}
	*out = Str(s[from : from+min(n, len(s)-from)])
	return done
}

// whole is a number as C's int.
func whole(x float64) int {
	switch {
	case math.IsNaN(x):
		return 0
	case x > math.MaxInt32:
		return math.MaxInt32
	case x < math.MinInt32:
		return math.MinInt32
	}
	return int(x)
}

func format(c *Context, args []Value, out *Value) status {
	if !c.text("format", args, 0) {
		return failed
	}
	f, next := args[0].text, 1
	b := make([]byte, 0, len(f)+32)
	for {
		i := strings.IndexByte(f, '%')
		if i < 0 {
			b = append(b, f...)
			break
		}
		if i == len(f)-1 {
			return c.fail("Bad format string!")
		}
		b = append(b, f[:i]...)
		verb := f[i+1]
		f = f[i+2:]
		if verb == '%' {
			b = append(b, '%')
			continue
		}
		if next == len(args) {
			return c.fail("Not enough arguments for format")
		}
		if verb != 's' {
			return c.fail("Unknown format specifier passed")
		}
		if a := &args[next]; a.IsNull() {
			b = append(b, "(null)"...)
		} else {
			b = a.Append(b)
		}
		next++
		if len(b) > MaxText {
			return c.tooLong()
		}
	}
	if len(b) > MaxText {
		return c.tooLong()
	}
	*out = Str(string(b))
	return done
}

func (c *Context) tooLong() status { return c.fail("format: text is too long") }

// maxParts is how many parts split() makes, as there.
const maxParts = 1024

func split(c *Context, args []Value, out *Value) status {
	cuts, strip := ",", " "
	for i := range args {
		if !c.text("split", args, i) {
			return failed
		}
	}
	if len(args) > 1 {
		cuts = args[1].text
	}
	if len(args) > 2 {
		strip = args[2].text
	}
	var cut, trim [256]bool
	for i := range len(cuts) {
		cut[cuts[i]] = true
	}
	for i := range len(strip) {
		trim[strip[i]] = true
	}
	var parts []Value
	for s := args[0].text; s != "" && len(parts) < maxParts; {
		e := 0
		for e < len(s) && !cut[s[e]] {
			e++
		}
		from, to := 0, e
		for from < to && trim[s[from]] {
			from++
		}
		for to > from && trim[s[to-1]] {
			to--
		}
		if to > from {
			parts = append(parts, Str(s[from:to]))
		}
		s = s[min(e+1, len(s)):]
	}
	*out = Vals(parts)
	return done
}

func matchedTerms(c *Context, args []Value, out *Value) status {
	most := 100
	if len(args) == 1 {
		if x, ok := args[0].Float(); ok && x >= 1 && x <= 100 {
			most = int(x)
		}
	}
	*out = Nil()
	if c.Terms == nil {
		return done
	}
	if l := c.Terms(most); len(l) > 0 {
		v := make([]Value, len(l))
		for i, s := range l {
			v[i] = Str(s)
		}
		*out = Vals(v)
	}
	return done
}

func toNumber(c *Context, args []Value, out *Value) status {
	x, ok := args[0].Float()
	if !ok {
		s := "(null)"
		if args[0].kind == Text {
			s = near(args[0].text)
		}
		return c.fail("to_number: cannot convert string '%s'", s)
	}
	*out = Num(x)
	return done
}

func toString(_ *Context, args []Value, out *Value) status {
	*out = Str(args[0].String())
	return done
}

func exists(_ *Context, args []Value, out *Value) status {
	*out = boolean(args[0].kind != Missing)
	return done
}

func startsWith(c *Context, args []Value, out *Value) status {
	if !c.text("startswith", args, 0) || !c.text("startswith", args, 1) {
		return failed
	}
	*out = boolean(strings.HasPrefix(args[0].text, args[1].text))
	return done
}

// contains counts how often the second text stands in the first, overlaps included.
func contains(c *Context, args []Value, out *Value) status {
	if !c.text("contains", args, 0) || !c.text("contains", args, 1) {
		return failed
	}
	s, sub := args[0].text, args[1].text
	if sub == "" {
		*out = Num(float64(len(s) + 1))
		return done
	}
	n := strings.Count(s, sub)
	if n > 0 && overlaps(sub) > 0 {
		n = occurrences(s, sub)
	}
	*out = Num(float64(n))
	return done
}

// overlaps is the length of the longest proper prefix of s that is its suffix too.
func overlaps(s string) int {
	b := borders(s)
	return b[len(b)-1]
}

// borders is the failure function of Knuth, Morris and Pratt.
func borders(s string) []int {
	b := make([]int, len(s))
	k := 0
	for i := 1; i < len(s); i++ {
		for k > 0 && s[i] != s[k] {
			k = b[k-1]
		}
		if s[i] == s[k] {
			k++
		}
		b[i] = k
	}
	return b
}

// occurrences counts overlapping ones, in time linear in the texts.
func occurrences(s, sub string) (n int) {
	b := borders(sub)
	k := 0
	for i := range len(s) {
		for k > 0 && (k == len(sub) || s[i] != sub[k]) {
			k = b[k-1]
		}
		if s[i] == sub[k] {
			k++
		}
		if k == len(sub) {
			n++
		}
	}
	return n
}

func length(c *Context, args []Value, out *Value) status {
	if !c.text("strlen", args, 0) {
		return failed
	}
	*out = Num(float64(len(args[0].text)))
	return done
}

// mathematical makes a function of numbers; of what is none it makes NaN.
func mathematical(f func(float64) float64) func(*Context, []Value, *Value) status {
	return func(_ *Context, args []Value, out *Value) status {
		x, ok := args[0].Float()
		if !ok {
			x = math.NaN()
		}
		*out = Num(f(x))
		return done
	}
}

// point reads "lon,lat" or "lon lat".
func point(s string) (lon, lat float64, ok bool) {
	x, y, ok := strings.Cut(s, ",")
	if !ok {
		x, y, ok = strings.Cut(s, " ")
	}
	lon, ok1 := ParseNumber(strings.TrimSpace(x))
	lat, ok2 := ParseNumber(strings.TrimSpace(y))
	return lon, lat, ok && ok1 && ok2
}

// geoDistance takes two places, each as "lon,lat" or as two numbers.
func geoDistance(_ *Context, args []Value, out *Value) status {
	var at [4]float64
	for i := 0; i < 4; i += 2 {
		ok := false
		if len(args) > 0 {
			at[i], ok = args[0].Float()
		}
		if ok {
			if ok = len(args) > 1; ok {
				at[i+1], ok = args[1].Float()
				args = args[2:]
			}
		} else if len(args) > 0 {
			at[i], at[i+1], ok = point(args[0].text)
			args = args[1:]
		}
		if !ok {
			*out = Num(math.NaN())
			return done
		}
	}
	*out = Num(math.Round(attr.Distance(at[0], at[1], at[2], at[3])*100) / 100)
	return done
}
