package expr

import (
	"math"
	"strings"
	"testing"
	"time"
)

// evaluate parses and evaluates with a row of names and values in turns.
func evaluate(t testing.TB, s string, row ...any) (Value, error) {
	t.Helper()
	e, err := Parse(s)
	if err != nil {
		return Value{}, err
	}
	var c Context
	at := map[string]int{}
	for i := 0; i < len(row); i += 2 {
		at[row[i].(string)] = len(c.Row)
		switch x := row[i+1].(type) {
		case nil:
			c.Row = append(c.Row, Value{})
		case Value:
			c.Row = append(c.Row, x)
		case string:
			c.Row = append(c.Row, Str(x))
		case float64:
			c.Row = append(c.Row, Num(x))
		case int:
			c.Row = append(c.Row, Num(float64(x)))
		}
	}
	if err := e.Bind(func(name string) (int, bool) { i, ok := at[name]; return i, ok }); err != nil {
		return Value{}, err
	}
	return e.Eval(&c)
}

// show writes a value unmistakably.
func show(v *Value) string {
	switch v.Kind() {
	case Missing:
		return "missing"
	case Null:
		return "NULL"
	case Text:
		return "'" + v.String() + "'"
	case Number:
		return v.String()
	}
	var l []string
	for i := range v.List() {
		l = append(l, show(&v.List()[i]))
	}
	return "[" + strings.Join(l, " ") + "]"
}

func TestExpressions(t *testing.T) {
	t.Parallel()
	f := func(s, want string, row ...any) {
		t.Helper()
		v, err := evaluate(t, s, row...)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			return
		}
		if got := show(&v); got != want {
			t.Errorf("%s: %s, want %s", s, got, want)
		}
	}
	// RediSearch's own test of expressions.
	for _, x := range []string{"3", "sqrt(9)"} {
		for _, y := range []string{"3", "sqrt(9)"} {
			f(x+" + "+y, "6")
			f(x+" - "+y, "0")
			f(x+" * "+y, "9")
			f(x+" / "+y, "1")
			f(x+" % "+y, "0")
			f(x+" ^ "+y, "27")
		}
	}
	for _, zero := range []string{"0", "sqrt(0)"} {
		f(zero+" / 0", "nan")
		f(zero+" % 0", "nan")
		f(zero+" ^ 0", "1")
		f("1 / "+zero, "inf")
		f("1 % "+zero, "nan")
	}
	f("floor(log2(35) + sqrt(4) % 10) - abs(-5/20)", "6.75")
	f("(((2 + 2) * (3 / 4) + 2 % 3 - 0.43) ^ -3)", "0.0104773487421")
	f("1 + 2 * 3", "7")
	f("1 + 2 * 3 + 4", "11")
	f("1 + 2 * 3 ^ 2", "19")
	f("2 ^ 3 ^ 2", "512")
	f("7 - 2 - 1", "4")
	f("64 / 4 / 2", "8")
	f("1 + 3 * @bar", "7", "bar", 2)
	f("@bar * 3 + 1", "7", "bar", 2)
	f("1 == 1", "1")
	f("1 < 2", "1")
	f("-1 == 1", "0")
	f("1 != 'foo'", "1")
	f("1 == NULL", "0")
	f("1 != NULL", "1")
	f("NULL == NULL", "1")
	f("0 == NULL", "0")
	f("'foo' == 'foo'", "1")
	f("'foo' != 'bar'", "1")
	f("'foo' < 'goo'", "1")
	f("'10' < '9'", "1")
	f("'10' < 9", "0")
	f("@foo != NULL", "1", "foo", 1)
	f("1 == 1 && 2 ==2 ", "1")
	f("1 == 1 && 1 ==2 ", "0")
	f("1 == 3 || 1 ==2 ", "0")
	f("1 == 1 || 1 ==2 && 0", "1")
	f("!(1 == 3) || 2", "1")
	f("!1 == 2", "1")
	f("!0", "1")
	f("!!5", "5")
	f("!NULL", "1")
	f("NULL", "NULL")
	f("case(1, 42, 99)", "42")
	f("case(!NULL, 100, 200)", "100")
	f("case(NULL, 100, 200)", "200")
	f("case(0, 'outer_true', case(1, 'nested_true', 'nested_false'))", "'nested_true'")
	f("case(exists(@foo), @foo, 0)", "0", "foo", nil)
	f("case(1, 2, sqrt(@foo))", "2", "foo", nil)
	f("exists(@foo)", "0", "foo", nil)
	f("exists(@foo)", "1", "foo", 1)
	f("exists(@foo)", "1", "foo", Nil())
	f("!exists(@foo) || @foo > 2", "1", "foo", nil)
	f("exists(@foo) && @foo > 2", "0", "foo", nil)
	f("-9223372036854775808 % -1", "0")
	f("439974354 % 5", "4")
	f("-54775808 % -5", "-3")
	f("-14275897 % 5", "-2")
	f("547758.3 % 5.1", "3.00000000008")
	f(`split("hello world,  foo,,,bar,", ",", " ")`, "['hello world' 'foo' 'bar']")
	f(`split("hello world,  foo,,,bar,", " ", ",")`, "['hello' 'world' 'foo,,,bar']")
	f(`split("hello world,  foo,,,bar,", "", "")`, "['hello world,  foo,,,bar,']")
	f(`split("hello world,  foo,,,bar,")`, "['hello world' 'foo' 'bar']")
	f(`split("")`, "[]")
	f(`startswith(@t, "aa")`, "1", "t", "aaa")
	f(`startswith(@t, "aa")`, "0", "t", "a")
	f(`contains(@t, "bb")`, "2", "t", "abbabb")
	f(`contains(@t, "bb")`, "3", "t", "bbbb")
	f(`contains(@t, "aba")`, "2", "t", "ababa")
	f(`contains(@t, "")`, "5", "t", "abba")
	f("strlen(@t)", "3", "t", "aaa")
	f("strlen('')", "0")
	f("upper('aBc-é')", "'ABC-é'")
	f("lower('aBc-É')", "'abc-É'")
	f("upper(3)", "NULL")
	f("substr('hello', 1, 3)", "'ell'")
	f("substr('hello', -3, 2)", "'ll'")
	f("substr('hello', 1, -1)", "'ell'")
	f("substr('hello', 9, 2)", "''")
	f("substr('hello', 0, 1000000000000)", "'hello'")
	f(`format("%s|%s|%s|%%", @a, 3.50, NULL)`, "'x|3.5|(null)|%'", "a", "x")
	f("to_number('3.25')", "3.25")
	f("to_number('')", "0")
	f("to_str(3.25) == '3.25'", "1")
	f("to_str(10)", "'10'")
	f("matched_terms()", "NULL")
	f("log(1) + exp(0) + log2(8) + ceil(1.2) + floor(-1.2) + abs(-3)", "7")
	f("sqrt('x')", "nan")
	f("FLOOR(1.5)", "1")
	f("@a + '2'", "3", "a", "1")
	f("inf", "inf")
	f("-inf", "-inf")
	f("1e3", "1000")
	f("637387878524969984", "637387878524969984")
	f("1e19", "1e+19")
	f("1/3", "0.333333333333")
	f(`"a\"b"`, `'a"b'`)
	f(`'it\'s'`, `'it's'`)
	f(`@a\-b`, "1", "a-b", 1)
	f("5-3", "2")
	f("@a-3", "2", "a", 5)
	f(".5", "0.5")
	f("geodistance('13.361389,38.115556', '15.087269,37.502669')", "166274.26")
	f("geodistance('13.361389,38.115556', 15.087269, 37.502669)", "166274.26")
	f("geodistance(13.361389, 38.115556, 15.087269, 37.502669)", "166274.26")
	f("geodistance(13.361389, 38.115556, '15.087269,37.502669')", "166274.26")
	f("geodistance(13.361389, 38.115556, 'here')", "nan")
	f("geodistance(13.361389, 38.115556)", "nan")
}

func TestErrors(t *testing.T) {
	t.Parallel()
	f := func(s, want string, row ...any) {
		t.Helper()
		v, err := evaluate(t, s, row...)
		if err == nil {
			t.Errorf("%s: no error but %s", s, show(&v))
		} else if err.Error() != want {
			t.Errorf("%s: %s, want %s", s, err, want)
		}
	}
	f("", "Syntax error at offset 0 near ''")
	f("bad filter", "Syntax error at offset 4 near 'filter': Unknown symbol 'bad'")
	f("bad", "Unknown symbol 'bad'")
	f("bad + 1", "Unknown symbol 'bad'")
	f("null", "Unknown symbol 'null'")
	f("@price++", "Syntax error at offset 7 near 'price'", "price", 1)
	f("1 < 2 < 3", "Syntax error at offset 6 near '2'")
	f("(1", "Syntax error at offset 1 near '1'")
	f("1 2", "Syntax error at offset 2 near '2'")
	f("(1, 2)", "Syntax error at offset 2 near '1'")
	f("@a @b", "Syntax error at offset 3 near 'b'")
	f("banana(1, 2, 3)", "Unknown function name 'banana'")
	f("!!banana(1, 2, 3)", "Unknown function name 'banana'")
	f("sqrt()", "Function 'sqrt' expects 1 arguments, but got 0")
	f("split()", "Function 'split' expects between 1 and 3 arguments, but got 0")
	f("@foo", "Property not loaded nor in pipeline: `foo`")
	missing := "Could not find the value for a parameter name, consider using EXISTS if applicable for foo"
	f("@foo", missing, "foo", nil)
	f("@foo > 2", missing, "foo", nil)
	f("@foo > 2 || 1", missing, "foo", nil)
	f("1 + @foo", missing, "foo", nil)
	f("upper(@foo)", missing, "foo", nil)
	f("exists(@foo + 1)", missing, "foo", nil)
	f("'a' + 1", "Could not convert value to a number")
	f("NULL + 1", "Could not convert value to a number")
	f("'a' > 1", "Error converting string 'a' to number")
	f("split('a') > 1", "Error converting string '(null)' to number")
	f("strlen(5)", "Invalid type (1) for argument 0 in function 'strlen'. VALIDATE_ARG__STRING(v, 0) was false.")
	f("substr('a', 'b', 1)", "Invalid type (2) for argument 1 in function 'substr'. VALIDATE_ARG__TYPE(v, RSValueType_Number) was false.")
	f("substr(5, 1, 1)", "Invalid type for substr. Expected string")
	f("format('%')", "Bad format string!")
	f("format('%s')", "Not enough arguments for format")
	f("format('%d', 1)", "Unknown format specifier passed")
	f("to_number('x')", "to_number: cannot convert string 'x'")
	f(strings.Repeat("(", 200)+"1"+strings.Repeat(")", 200), "Expression is nested too deeply")
	f(strings.Repeat("!", 200)+"1", "Expression is nested too deeply")
	f(strings.Repeat("2^", 200)+"1", "Expression is nested too deeply")
	f(strings.Repeat("upper(", 200)+"'a'"+strings.Repeat(")", 200), "Expression is nested too deeply")
	f(strings.Repeat("@a+", MaxNodes)+"1", "Expression is too long", "a", 1)
	f("format('%s%s', @a, @a)", "format: text is too long", "a", strings.Repeat("x", MaxText/2+1))
}

// TestTimes compares with what C's strftime, strptime and timegm say.
func TestTimes(t *testing.T) {
	t.Parallel()
	f := func(s, want string) {
		t.Helper()
		v, err := evaluate(t, s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
		} else if got := show(&v); got != want {
			t.Errorf("%s: %s, want %s", s, got, want)
		}
	}
	f("timefmt(1517417144)", "'2018-01-31T16:45:44Z'")
	f("timefmt(-1)", "'1969-12-31T23:59:59Z'")
	f("timefmt('x')", "NULL")
	f("timefmt(1e300)", "NULL")
	f("timefmt(0, '')", "NULL")
	f(`timefmt(1709230599, "%a %A %b %B %c %C %d %D %e")`, "'Thu Thursday Feb February Thu Feb 29 18:16:39 2024 20 29 02/29/24 29'")
	f(`timefmt(1709230599, "%F %g %G %h %H %I %j %k %l %m %M")`, "'2024-02-29 24 2024 Feb 18 06 060 18  6 02 16'")
	f(`timefmt(1709230599, "%p %P %r %R %s %S %T %u %U %V %w %W %x %X %y %Y %z %Z %%")`,
		"'PM pm 06:16:39 PM 18:16 1709230599 39 18:16:39 4 08 09 4 09 02/29/24 18:16:39 24 2024 +0000 GMT %'")
	f(`timefmt(1709230599, "%-m %_m %^a %5Y %-d %q %E")`, "'2  2 THU 02024 29 %q %E'")
	f(`parsetime("2018-01-31T16:45:44Z", "%FT%TZ")`, "1517417144")
	f(`parsetime("2018-01-31T16:45:44Z", "%Y-%m-%dT%H:%M:%SZ")`, "1517417144")
	f(`parsetime("Thu Feb 29 18:16:39 2024", "%c")`, "1709230599")
	f(`parsetime("29 february 24  6:16:39 pm", "%d %B %y %I:%M:%S %p")`, "1709230599")
	f(`parsetime("2024 060", "%Y %j")`, "1709164800")
	f(`parsetime("1709230599", "%s")`, "1709230599")
	f(`parsetime("2018", "%Y")`, "1514678400") // the 0th of January
	f(`parsetime("2018-13-01", "%F")`, "NULL")
	f(`parsetime("x", "%Y")`, "NULL")
	f("hour(-1)", "NULL")
	f("hour('x')", "NULL")
	f("day(NULL)", "NULL")

	for _, at := range []int64{1517417144, 1706294258, 1709230599, 1711478258, 951827696, 0, 4102444799, 32503680001} {
		now := time.Unix(at, 0).UTC()
		start := func(month time.Month, day, hour, minute int) float64 {
			return float64(time.Date(now.Year(), month, day, hour, minute, 0, 0, time.UTC).Unix())
		}
		for name, want := range map[string]float64{
			"minute":      start(now.Month(), now.Day(), now.Hour(), now.Minute()),
			"hour":        start(now.Month(), now.Day(), now.Hour(), 0),
			"day":         start(now.Month(), now.Day(), 0, 0),
			"month":       start(now.Month(), 1, 0, 0),
			"year":        float64(now.Year()),
			"monthofyear": float64(now.Month() - 1),
			"dayofweek":   float64(now.Weekday()),
			"dayofmonth":  float64(now.Day()),
			"dayofyear":   float64(now.YearDay() - 1),
		} {
			v, err := evaluate(t, name+"(@t)", "t", float64(at))
			if got, _ := v.Float(); err != nil || got != want {
				t.Errorf("%s(%d) = %v, %v, want %v", name, at, got, err, want)
			}
		}
		v, _ := evaluate(t, "parsetime(timefmt(@t), '%FT%TZ')", "t", float64(at))
		if got, _ := v.Float(); got != float64(at) {
			t.Errorf("%d comes back as %v", at, got)
		}
	}
}

func TestMatchedTerms(t *testing.T) {
	t.Parallel()
	e, err := Parse("matched_terms(2)")
	if err != nil {
		t.Fatal(err)
	}
	c := Context{Terms: func(most int) []string { return []string{"a", "b", "c"}[:most] }}
	v, err := e.Eval(&c)
	if got := show(&v); err != nil || got != "['a' 'b']" {
		t.Fatal(got, err)
	}
}

func TestNumbersAsText(t *testing.T) {
	t.Parallel()
	f := func(x float64, want string) {
		t.Helper()
		if got := string(AppendNumber(nil, x)); got != want {
			t.Errorf("%v: %s, want %s", x, got, want)
		}
	}
	f(0, "0")
	f(math.Copysign(0, -1), "0")
	f(-3, "-3")
	f(0.1+0.2, "0.3")
	f(1e15+0.5, "1e+15")
	f(123456789.125, "123456789.125")
	f(math.MinInt64, "-9223372036854775808")
	f(math.NaN(), "nan")
}

func BenchmarkEval(b *testing.B) {
	e, err := Parse("(@route == 'greet' && @distance < 0.5) || floor(sqrt(@price)) % 10 == 3")
	if err != nil {
		b.Fatal(err)
	}
	c := Context{Row: []Value{Str("chat"), Num(0.25), Num(1024)}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Eval(&c); err != nil {
			b.Fatal(err)
		}
	}
}

func TestEvalAllocatesNothing(t *testing.T) {
	e, err := Parse("(@route == 'greet' && @distance < 0.5) || floor(sqrt(@price)) % 10 == 3")
	if err != nil {
		t.Fatal(err)
	}
	c := Context{Row: []Value{Str("chat"), Num(0.25), Num(1024)}}
	if n := testing.AllocsPerRun(100, func() { _, _ = e.Eval(&c) }); n > 0 {
		t.Fatalf("%v allocations", n)
	}
}

func FuzzEval(f *testing.F) {
	for _, s := range []string{
		"(2 - @vector_distance)/2", "0.3*@text_score + 0.7*@vector_similarity", "(@route_name == 'greet' && @distance < 0.5) || !exists(@b)",
		`format("%s|%%", upper(@a), @b)`, `split(@a, ",", " ")`, "case(@a > 3, substr(@a, -2, 9), NULL)", `timefmt(@b, "%c %5Y %G-%V %^a %#p")`,
		`parsetime(@a, "%F %T %p %j %C %y %z")`, "geodistance(@a, @b, 1)", "contains(@a, 'aa') ^ 2 ^ -inf", `"a\"b" == 'c\'`, "day(@b) + month(@b) % year(@b)",
	} {
		f.Add(s, "aa,bb", 3.5)
	}
	f.Fuzz(func(t *testing.T, s, text string, x float64) {
		e, err := Parse(s)
		if err != nil {
			if e != nil {
				t.Fatal("an expression and an error")
			}
			return
		}
		values := []Value{Str(text), Num(x), {}, Nil(), Vals([]Value{Str(text)})}
		var c Context
		for i := range e.Names() {
			c.Row = append(c.Row, values[i%len(values)])
		}
		v, err := e.Eval(&c)
		if err == nil && v.Kind() == Missing {
			t.Fatal("no value and no error")
		}
		again, err2 := e.Eval(&c)
		if (err == nil) != (err2 == nil) || string(v.AppendKey(nil)) != string(again.AppendKey(nil)) {
			t.Fatalf("%s then %s", show(&v), show(&again))
		}
		if err == nil {
			_ = v.Append(nil)
			_ = v.True()
		}
	})
}
