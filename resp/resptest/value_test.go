package resptest

import (
	"bufio"
	"strings"
	"testing"
)

// samples are replies on the wire and as transcripts hold them.
var samples = []struct{ wire, text string }{
	{"+OK\r\n", `OK`},
	{"+Background saving started\r\n", `(status) "Background saving started"`},
	{"+\r\n", `(status) ""`},
	{"-ERR syntax error\r\n", `(error) ERR syntax error`},
	{"- ERR \r\n", `(error) " ERR "`},
	{":-5\r\n", `(int) -5`},
	{"$5\r\nhe\"lo\r\n", `"he\"lo"`},
	{"$4\r\n\x00\xff\r\n\r\n", `"\x00\xff\r\n"`},
	{"$0\r\n\r\n", `""`},
	{"$50\r\n" + strings.Repeat("x", 50) + "\r\n", `rep(x,50)`},
	{"_\r\n", `(null)`},
	{"$-1\r\n", `(null bulk)`},
	{"*-1\r\n", `(null array)`},
	{",1.5\r\n", `(double) 1.5`},
	{",inf\r\n", `(double) inf`},
	{"#t\r\n", `(bool) true`},
	{"#f\r\n", `(bool) false`},
	{"(12345678901234567890\r\n", `(big) 12345678901234567890`},
	{"=6\r\ntxt:hi\r\n", `(verbatim txt) "hi"`},
	{"!5\r\nERR x\r\n", `(bloberror) "ERR x"`},
	{"*0\r\n", `(array) []`},
	{"*3\r\n:1\r\n*1\r\n-ERR a, b\r\n+OK\r\n", `(array) [(int) 1, (array) [(error) "ERR a, b"], OK]`},
	{"%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n%0\r\n", `(map) {"a": (int) 1, "b": (map) {}}`},
	{"~1\r\n#t\r\n", `(set) [(bool) true]`},
	{">2\r\n$10\r\ninvalidate\r\n_\r\n", `(push) ["invalidate", (null)]`},
	{"|1\r\n$1\r\na\r\n,0.5\r\n:7\r\n", `(attr) {"a": (double) 0.5, (int) 7}`},
}

func read(t *testing.T, wire string, proto int) Value {
	t.Helper()
	r := bufio.NewReader(strings.NewReader(wire))
	v, err := ReadValue(r, proto)
	if err != nil {
		t.Fatalf("%q: %v", wire, err)
	}
	if r.Buffered() > 0 {
		t.Fatalf("%q: %d bytes are left", wire, r.Buffered())
	}
	return v
}

func TestValueKeepsItsText(t *testing.T) {
	var all []string
	for _, s := range samples {
		v := read(t, s.wire, 3)
		if v.String() != s.text {
			t.Errorf("%q is written %s, want %s", s.wire, v, s.text)
		}
		vs, err := ParseValues(s.text)
		if err != nil || len(vs) != 1 || !vs[0].Match(v) || vs[0].String() != s.text {
			t.Errorf("%s is read as %v, %v", s.text, vs, err)
		}
		all = append(all, s.text)
	}
	vs, err := ParseValues(strings.Join(all, "\n"))
	if err != nil || len(vs) != len(samples) {
		t.Errorf("%d values of %d, %v", len(vs), len(samples), err)
	}
	// One value never matches another one.
	for i, a := range vs {
		for j, b := range vs {
			if a.Match(b) != (i == j) {
				t.Errorf("%v matches %v: %v", a, b, i != j)
			}
		}
	}
}

func TestLongAggregateKeepsItsText(t *testing.T) {
	v := Value{Kind: Map}
	for range 3 {
		long := Value{Kind: Bulk, Text: strings.Repeat("ab", 20)}
		v.Elems = append(v.Elems, long, Value{Kind: Array, Elems: []Value{long, long, long}})
	}
	vs, err := ParseValues(v.String())
	if err != nil || len(vs) != 1 || !vs[0].Match(v) {
		t.Errorf("%s\nis read as %v, %v", v, vs, err)
	}
}

func TestPatternMatches(t *testing.T) {
	f := func(pattern, value string, want bool) {
		t.Helper()
		p, err := ParseValues(pattern)
		if err != nil {
			t.Fatal(err)
		}
		v, err := ParseValues(value)
		if err != nil {
			t.Fatal(err)
		}
		if got := p[0].Match(v[0]); got != want {
			t.Errorf("%s matches %s: %v", p[0], v[0], got)
		}
		again, err := ParseValues(p[0].String())
		if err != nil || again[0].String() != p[0].String() {
			t.Errorf("%s is read back as %v, %v", p[0], again, err)
		}
	}
	f("(any)", "(array) [(int) 1]", true)
	f("(int) ~", "(int) 7", true)
	f("(int) ~", "(null)", false)
	f("(int) 5..10", "(int) 5", true)
	f("(int) 5..10", "(int) 10", true)
	f("(int) 5..10", "(int) 11", false)
	f("(int) -3..-1", "(int) -2", true)
	f("~`a|b`", `"b"`, true)
	f("~`a|b`", `"bc"`, false)
	f("~`a|b`", "b", false)
	f("(status) ~`a|b`", "b", true)
	f("(error) ~`ERR .*`", "(error) ERR x", true)
	f("(verbatim txt) ~`h.`", `(verbatim txt) "hi"`, true)
	f("(verbatim txt) ~`h.`", `(verbatim mkd) "hi"`, false)
	f("(array) [~, (double) ~]", `(array) ["x", (double) 1]`, true)
	f("(array) [~, (double) ~]", `(array) ["x", "1"]`, false)
	f("(map) {\"a\": (int) ~}", `(map) {"a": (int) 2}`, true)
}

func TestLowerIsWhatRESP2Says(t *testing.T) {
	f := func(resp3, resp2 string) {
		t.Helper()
		v, err := ParseValues(resp3)
		if err != nil {
			t.Fatal(err)
		}
		if got := v[0].Lower().String(); got != resp2 {
			t.Errorf("%s is lowered to %s, want %s", resp3, got, resp2)
		}
	}
	f(`(map) {"a": (double) 1.5, "b": (set) [(bool) true]}`, `(array) ["a", "1.5", "b", (array) [(int) 1]]`)
	f(`(push) ["message", (null)]`, `(array) ["message", (null)]`)
	f(`(verbatim txt) "hi"`, `"hi"`)
	f(`(big) 12`, `"12"`)
	f(`(attr) {"a": (int) 1, OK}`, `OK`)
}

func TestSortedKeepsPairs(t *testing.T) {
	f := func(value string, pairs bool, want string) {
		t.Helper()
		v, err := ParseValues(value)
		if err != nil {
			t.Fatal(err)
		}
		if got := v[0].Sorted(pairs).String(); got != want {
			t.Errorf("%s is sorted to %s, want %s", value, got, want)
		}
	}
	f(`(array) ["b", "a"]`, false, `(array) ["a", "b"]`)
	f(`(array) ["0", (array) ["b", "a"]]`, false, `(array) ["0", (array) ["a", "b"]]`)
	f(`(array) ["b", "1", "a", "2"]`, true, `(array) ["a", "2", "b", "1"]`)
	f(`(map) {"b": "1", "a": "2"}`, false, `(map) {"a": "2", "b": "1"}`)
	f(`(array) [(array) ["b", "1"], (array) ["a", "2"]]`, true, `(array) [(array) ["a", "2"], (array) ["b", "1"]]`)
	f(`(array) ["0", (array) ["b", "1", "a", "2"]]`, true, `(array) ["0", (array) ["a", "2", "b", "1"]]`)
}

func TestTranscriptKeepsItsText(t *testing.T) {
	const text = `# Strings.
SET k "a -> b" -> OK
c2> GET k      -> "a -> b"

@ours
HGETALL h
----
(map) {"f": "v"}

EXEC
----
(null)
---- resp2
(null array)

@reset

c2> @send SUBSCRIBE x
`
	tr, err := ParseTranscript(text)
	if err != nil {
		t.Fatal(err)
	}
	if got := tr.text(); got != text {
		t.Errorf("got\n%s", got)
	}
}

func TestBadTranscriptIsRefused(t *testing.T) {
	f := func(text string) {
		t.Helper()
		if _, err := ParseTranscript(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	f("GET \"k")
	f("GET 'k")
	f("GET \"k\"x")
	f("@nothing GET k")
	f("GET k -> (what) 5")
	f("GET k -> (int) 5..")
	f("GET k\n----\n(array) [")
	f("GET k\n----\n(map) {\"a\"}")
	f("GET k\n# late")
}

// FuzzReadValue checks that no bytes upset the reader and that what it reads is
// written and parsed again without loss.
func FuzzReadValue(f *testing.F) {
	for _, s := range samples {
		f.Add(s.wire)
	}
	f.Fuzz(func(t *testing.T, wire string) {
		if len(wire) > 4096 {
			return
		}
		v, err := ReadValue(bufio.NewReader(strings.NewReader(wire)), 3)
		if err != nil {
			return
		}
		vs, err := ParseValues(v.String())
		if err != nil || len(vs) != 1 || !vs[0].Match(v) {
			t.Errorf("%q is written %s and read as %v, %v", wire, v, vs, err)
		}
	})
}
