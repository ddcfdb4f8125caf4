package filter

import (
	"strings"
	"testing"
)

const film = ` {"year": 1984, "title":"The \"Matrix\"\n", "rating":8.7e0, "genre" : ["action", "sci-fi", 3, null, [1]], "nested":{"year":[1,{"a":"}"}]},
	"good":true, "bad":false, "none":null, "empty":"", "a-b_c":"x", "num":"12", "neg":-3, "u":"\u0041", "list":[], "last":+5}`

// TestMatch has results that Redis 8.10 gives.
func TestMatch(t *testing.T) {
	f := func(expression string, want bool) {
		t.Helper()
		p, at := Compile([]byte(expression))
		if p == nil {
			t.Fatalf("%s: wrong at %d", expression, at)
		}
		if got := p.Match([]byte(film)); got != want {
			t.Errorf("%s: %v", expression, got)
		}
	}
	f(".year >= 1980 and .rating*2 > 15 and \"sci-fi\" in .genre", true)
	f(".year == 1984", true)
	f(".year == '1984'", true)
	f(".year != 1984", false)
	f(".year", true)
	f(".nosuch == 1 or 1", false) // a field that is not there
	f("not .nosuch", false)
	f(".nested", false) // cannot be read
	f(".title == 'x' or .good", true)
	f(`"Matrix" in .title`, true)
	f("(5+2)*3 and .year > 1980 and 'foo' == 'foo'", true)
	f("2**3**2 == 512", true)
	f("-2**2 == 4", true) // the minus is the number's
	f("10 - 3 - 2 == 5", true)
	f("10-3 == 7", true)
	f("(10)-3 == 7", true)
	f("7 % 4 == 3", true)
	f("-7 % 4 == -3", true)
	f("1/0 > 1e308", true)
	f("0/0 == 0/0", false)
	f("1e400 > 1e308", true)
	f("!0", true)
	f("!(1 and 0)", true)
	f("not 1 or 1", true)
	f("1 || 0 && 0", true)
	f(".good and !.bad", true)
	f(".none == null", true)
	f("null == null", true)
	f(".none", false)
	f(".none == 0", false)
	f(".empty", false)
	f(".empty == ''", true)
	f(".a-b_c == 'x'", true)
	f(".num + 1 == 13", true)
	f(".num == 12", true)
	f("'abc' + 1 == 1", true)
	f("' 12' == 12 and '0x10' == 16 and 'inf' > 1e308 and '' == 0", true)
	f("'1_0' == 10 or '1x' == 1", false)
	f("3 in .genre and null in .genre", true)
	f("1 in [1, 'two', -3] and 'two' in [1,'two'] and -3 in [-3]", true)
	f("5 in []", false)
	f("[1] == [2]", true) // as numbers, both are 0
	f("'ell' in 'hello' and '' in 'x'", true)
	f("1 in 'x1'", false)
	f("'a' in 5", false)
	f(".list", true)
	f(".neg == -3 and .neg < 0", true)
	f(".last == 5", true)
	f(`.u == "u0041"`, true)
	f(`'it\'s' == "it\'s"`, true)
	f(".", false)
}

func TestCompileSaysWhatIsWrong(t *testing.T) {
	f := func(expression string, want int) {
		t.Helper()
		if p, at := Compile([]byte(expression)); p != nil || at != want {
			t.Errorf("%s: %v, wrong at %d, want %d", expression, p != nil, at, want)
		}
	}
	f("", 0)
	f("1 2", 0)
	f("1 .", 0)
	f("1 +", 0)
	f("(1", 0)
	f("1)", 0)
	f("!!1", 0)
	f("and", 0)
	f(".a = 1", 3+1)
	f(".a == 1 foo 2", 11)
	f("andy", 4)
	f("1e-5 == 1", 2)
	f("1.2.3", 5)
	f("[1,,2]", 3)
	f("[1 2]", 3)
	f("[.a]", 1)
	f("'open", 5)
	f("1 == \xff", 5)
	f(strings.Repeat("1", 256), 255)
	if p, _ := Compile([]byte("1\x00 2")); p == nil {
		t.Error("an expression ends at a NUL")
	}
}

func TestBrokenAttributesDoNotMatch(t *testing.T) {
	p, _ := Compile([]byte(".a == 1"))
	for _, json := range []string{
		"", "{", "{}", "[]", "x", `{"a"`, `{"a":`, `{"a": }`, `{"a":1x`, `{"b":"c`, `{"b":1 "a":1}`, `{a:1}`, `{"b":{"a":1}`, `{"b":tru,"a":1}`,
		`{"b":[1,"a":1}`, `{"a":{}}`, `{"a":[1}`, `{"a":"1`, `{"a":--1}`, `{"\`, `{"a":"\`, `{"b\":1,"a":1}`, `{"a":truex}`,
		`{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}",
	} {
		if json != `{"a":1x` && p.Match([]byte(json)) {
			t.Errorf("%.40s matches", json)
		}
	}
	if !p.Match([]byte(`{"a":1x`)) {
		t.Error("what stands behind the value is not looked at")
	}
	if p, _ := Compile([]byte("'a'")); !p.Match(nil) {
		t.Error("nothing is asked of the attributes")
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	p, _ := Compile([]byte(".year >= 1980 and .rating*2 > 15 and .good and 'The' in .title or .year in [1, 2, 3]"))
	json := []byte(`{"rating":8.7, "title":"The Matrix", "year": 1984, "good":true}`)
	if n := testing.AllocsPerRun(100, func() { p.Match(json) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzFilter(f *testing.F) {
	f.Add(".a == 1 and 'x' in .b", `{"a":1,"b":["x"]}`)
	f.Add("!(.a*-2 ** 3)", `{"a":"\u0041\\"}`)
	f.Add("[1,'a',-2] in [null", `{"a":[[[]]]}`)
	f.Add(strings.Repeat("(", 50)+"1"+strings.Repeat(")", 50), `{`)
	f.Add(".", "")
	f.Add(strings.Repeat("1+(", 40)+"1"+strings.Repeat(")", 40), film)
	f.Fuzz(func(t *testing.T, expression, json string) {
		p, at := Compile([]byte(expression))
		if p == nil {
			if at < 0 || at > len(expression) {
				t.Fatalf("wrong at %d of %d", at, len(expression))
			}
			return
		}
		first := p.Match([]byte(json))
		if again := p.Match([]byte(json)); again != first {
			t.Fatal("once so, once so")
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	p, _ := Compile([]byte(".year >= 1980 and .rating*2 > 15"))
	json := []byte(`{"title":"The Matrix", "genre":["action","sci-fi"], "year": 1984, "rating":8.7}`)
	for b.Loop() {
		p.Match(json)
	}
}
