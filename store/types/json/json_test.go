package json

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func parse(t testing.TB, text string) *Value {
	t.Helper()
	return New(doc(t, text))
}

func doc(t testing.TB, text string) *Doc {
	t.Helper()
	d := new(Doc)
	if err := d.Parse([]byte(text)); err != nil {
		t.Fatalf("%.200s: %v", text, err)
	}
	return d
}

func text(n Node) string { return string(n.Append(nil)) }

// check looks at the insides of a document.
func check(t testing.TB, v *Value) {
	t.Helper()
	if used := docHead + sizeOf(v.Root()); used+v.waste() != len(v.b) {
		t.Fatalf("%d bytes are used, %d wasted, of %d: %.300s", used, v.waste(), len(v.b), text(v.Root()))
	}
	checkNode(t, v.Root())
}

func checkNode(t testing.TB, n Node) {
	t.Helper()
	k := n.Kind()
	if k != Array && k != Object {
		return
	}
	block := n.word().place()
	if room := uint32At(n.b, block+4); n.Len() > room {
		t.Fatalf("%d values in room for %d", n.Len(), room)
	} else if k == Object && room > indexMin {
		there := 0
		for h := range slots(room) {
			if uint32At(n.b, indexAt(block, room)+4*h) != 0 {
				there++
			}
		}
		if there != n.Len() {
			t.Fatalf("%d keys, %d in the index", n.Len(), there)
		}
	}
	for i := range n.Len() {
		_, c := n.child(k, i)
		if k == Object {
			key, _ := n.Member(i)
			if got, ok := n.Get(key); !ok || got.at != c.at {
				t.Fatalf("%q is not found", key)
			}
		}
		checkNode(t, c)
	}
}

func TestTextsAreKept(t *testing.T) {
	for _, s := range []string{
		`null`, `true`, `false`, `0`, `-1`, `140737488355327`, `140737488355328`, `-140737488355328`, `-140737488355329`,
		`9223372036854775807`, `-9223372036854775808`, `18446744073709551615`, `1.5`, `-0.0`, `1e300`, `1.5e-7`,
		`""`, `"a"`, `"abcdef"`, `"abcdefg"`, `"é"`, `"\u0000"`, `"\u0000\u0000"`, `"\b\f\n\r\t\"\\/"`, `"` + strings.Repeat("x", 127) + `"`,
		`"` + strings.Repeat("x", 128) + `"`, `"` + strings.Repeat("x", 70000) + `"`,
		`[]`, `[[]]`, `{}`, `{"a":{}}`, `[1,"two",3.5,null,true,{"a":[1,{"b":[]}]}]`, `{"":1,"a":2,"a long key of many bytes":3}`,
		`[1512060373.222988,1.6350000000001313e308,5.960464477539062e16,100000.0,0.00001,1e-6]`,
	} {
		v := parse(t, s)
		check(t, v)
		if got := text(v.Root()); got != s {
			t.Errorf("%.200s became %.200s", s, got)
		}
		if c := v.Clone().(*Value); text(c.Root()) != s {
			t.Errorf("%.200s was cloned to %.200s", s, text(c.Root()))
		}
	}
}

func TestTextsAreRead(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		v := parse(t, in)
		check(t, v)
		if got := text(v.Root()); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	f(" [ 1 , 2 ]\n", "[1,2]")
	f("{\"a\" :\t1 , \"b\":2\r}", `{"a":1,"b":2}`)
	f(`{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`) // the place of the first, the value of the last
	f(`"\u00e9\u20ac\ud83d\ude00\/"`, `"é€😀/"`)
	f(`-0`, `-0.0`)
	f(`1E5`, `100000.0`)
	f(`1e16`, `1e16`)
	f(`123456789012345678`, `123456789012345678`)
	f(`18446744073709551616`, `1.8446744073709552e19`)
	f(`-9223372036854775809`, `-9.223372036854776e18`)
	f(`1.0`, `1.0`)
	f(`1e-400`, `0.0`)
	f(`0.1e1`, `1.0`)
	many := []string{}
	for i := range 100 {
		many = append(many, fmt.Sprintf(`"key%d":%d`, i%60, i))
	}
	v := parse(t, "{"+strings.Join(many, ",")+"}")
	if v.Root().Len() != 60 {
		t.Errorf("%d keys", v.Root().Len())
	}
	checkNode(t, v.Root())
	for i := range 60 {
		n, ok := v.Root().Get([]byte(fmt.Sprint("key", i)))
		if got, _ := n.Int(); !ok || got != int64(i+60) && i < 40 || got != int64(i) && i >= 40 {
			t.Errorf("key%d: %s", i, text(n))
		}
	}
}

// TestSyntaxErrors holds the words and places of serde_json.
func TestSyntaxErrors(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		var d Doc
		err := d.Parse([]byte(in))
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
	}
	f(``, `EOF while parsing a value at line 1 column 0`)
	f(` `, `EOF while parsing a value at line 1 column 1`)
	f(`{`, `EOF while parsing an object at line 1 column 1`)
	f(`}`, `expected value at line 1 column 1`)
	f(`[`, `EOF while parsing a list at line 1 column 1`)
	f(`]`, `expected value at line 1 column 1`)
	f(`{]`, `key must be a string at line 1 column 2`)
	f(`[}`, `expected value at line 1 column 2`)
	f(`\`, `expected value at line 1 column 1`)
	f(`foo`, `expected ident at line 1 column 2`)
	f(`nul`, `EOF while parsing a value at line 1 column 3`)
	f(`bar`, `expected value at line 1 column 1`)
	f("[1,\n2,\n x]", `expected value at line 3 column 2`)
	f(`[1 2]`, "expected `,` or `]` at line 1 column 4")
	f(`[1,]`, `trailing comma at line 1 column 4`)
	f(`[1,`, `EOF while parsing a value at line 1 column 3`)
	f(`{"a":1,}`, `trailing comma at line 1 column 8`)
	f(`{"a":1 "b"}`, "expected `,` or `}` at line 1 column 8")
	f(`{"a" 1}`, "expected `:` at line 1 column 6")
	f(`{"a"`, `EOF while parsing an object at line 1 column 4`)
	f(`{a:1}`, `key must be a string at line 1 column 2`)
	f(`{"a":1,b}`, `key must be a string at line 1 column 8`)
	f(`"abc`, `EOF while parsing a string at line 1 column 4`)
	f("\"a\nb\"", `control character (\u0000-\u001F) found while parsing a string at line 2 column 0`)
	f(`"\x"`, `invalid escape at line 1 column 3`)
	f(`"\u12"`, `EOF while parsing a string at line 1 column 6`)
	f(`"\u12g4"`, `invalid escape at line 1 column 7`)
	f(`"\ud800"`, `unexpected end of hex escape at line 1 column 8`)
	f(`"\ude00"`, `lone leading surrogate in hex escape at line 1 column 7`)
	f(`01`, `invalid number at line 1 column 2`)
	f(`-`, `EOF while parsing a value at line 1 column 1`)
	f(`-a`, `invalid number at line 1 column 2`)
	f(`1.`, `EOF while parsing a value at line 1 column 2`)
	f(`1.a`, `invalid number at line 1 column 3`)
	f(`1e`, `EOF while parsing a value at line 1 column 2`)
	f(`1e400`, `number out of range at line 1 column 5`)
	f(`1 2`, `trailing characters at line 1 column 3`)
	f(`{"a":1}x`, `trailing characters at line 1 column 8`)
	f(strings.Repeat("[", 200), `recursion limit exceeded at line 1 column 128`)
}

func TestFloats(t *testing.T) {
	f := func(v float64, want string) {
		t.Helper()
		if got := string(AppendFloat(nil, v)); got != want {
			t.Errorf("%g: %s, want %s", v, got, want)
		}
	}
	f(1, "1.0")
	f(-1.5, "-1.5")
	f(1e15, "1000000000000000.0")
	f(1e16, "1e16")
	f(1234567890123456, "1234567890123456.0")
	f(12345678901234567, "1.2345678901234568e16")
	f(0.00001, "0.00001")
	f(0.000012345, "0.000012345")
	f(0.000001, "1e-6")
	f(1.5e-300, "1.5e-300")
	f(math.MaxFloat64, "1.7976931348623157e308")
	f(math.SmallestNonzeroFloat64, "5e-324")
	rng := rand.New(rand.NewPCG(1, 1))
	for range 20000 {
		x := math.Float64frombits(rng.Uint64())
		if math.IsNaN(x) || math.IsInf(x, 0) {
			continue
		}
		s := AppendFloat(nil, x)
		if y, err := strconv.ParseFloat(string(s), 64); err != nil || y != x {
			t.Fatalf("%g became %s", x, s)
		}
	}
}

// random makes a value for encoding/json.
func random(rng *rand.Rand, depth int) any {
	switch n := rng.IntN(10); {
	case depth > 4 || n < 5:
		switch rng.IntN(7) {
		case 0:
			return nil
		case 1:
			return rng.IntN(2) == 0
		case 2:
			return rng.Int64() >> rng.IntN(63)
		case 3:
			return rng.NormFloat64()
		}
		return strings.Repeat("é\"x\n", rng.IntN(4)) + fmt.Sprint(rng.IntN(50))
	case n < 8:
		l := []any{}
		for range rng.IntN(6) {
			l = append(l, random(rng, depth+1))
		}
		return l
	}
	m := map[string]any{}
	for range rng.IntN(30) {
		m[fmt.Sprint(rng.IntN(40), strings.Repeat("k", rng.IntN(12)))] = random(rng, depth+1)
	}
	return m
}

func marshal(t testing.TB, v any) string {
	t.Helper()
	b, err := stdjson.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func decode(t testing.TB, b []byte) any {
	t.Helper()
	d := stdjson.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %.300s", err, b)
	}
	return v
}

// TestDocumentsAreTrees makes random changes to documents and to trees of any.
func TestDocumentsAreTrees(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 7))
		model := decode(t, []byte(marshal(t, random(rng, 0))))
		v := parse(t, marshal(t, model))
		for step := range 400 {
			// A place in both.
			var keys []any
			at := model
			n := v.Root()
			put := func(x any) { model = x }
			for rng.IntN(4) != 0 {
				switch c := at.(type) {
				case []any:
					if len(c) == 0 {
						break
					}
					i := rng.IntN(len(c))
					keys = append(keys, i)
					put = func(x any) { c[i] = x }
					at, n = c[i], n.Elem(i)
					continue
				case map[string]any:
					if len(c) == 0 {
						break
					}
					names := make([]string, 0, len(c))
					for k := range c {
						names = append(names, k)
					}
					slices.Sort(names)
					k := names[rng.IntN(len(names))]
					keys = append(keys, k)
					put = func(x any) { c[k] = x }
					at = c[k]
					n, _ = n.Get([]byte(k))
					continue
				}
				break
			}
			made := decode(t, []byte(marshal(t, random(rng, len(keys)+2))))
			d := doc(t, marshal(t, made))
			switch c := at.(type) {
			case []any:
				switch i := rng.IntN(len(c) + 1); rng.IntN(4) {
				case 0, 1:
					two := decode(t, []byte(marshal(t, made)))
					v.Insert(n, i, []*Doc{d, d})
					put(slices.Insert(slices.Clone(c), i, made, two))
				case 2:
					j := i + rng.IntN(len(c)+1-i)
					v.RemoveElems(n, i, j)
					put(slices.Delete(slices.Clone(c), i, j))
				default:
					v.Clear(n)
					put([]any{})
				}
			case map[string]any:
				k := fmt.Sprint(rng.IntN(40), strings.Repeat("k", rng.IntN(12)))
				switch rng.IntN(4) {
				case 0, 1:
					v.SetMember(n, []byte(k), d.Root())
					c[k] = made
				case 2:
					for name := range c {
						k = name
						break
					}
					_, there := c[k]
					if v.RemoveMember(n, []byte(k)) != there {
						t.Fatal(k)
					}
					delete(c, k)
				default:
					v.Merge(n, d.Root())
					put(mergePatch(c, made))
				}
			case string:
				if rng.IntN(2) == 0 {
					more := strings.Repeat("y", rng.IntN(9))
					if got := v.AppendTo(n, []byte(more)); got != len(c)+len(more) {
						t.Fatal(got)
					}
					put(c + more)
					break
				}
				v.Replace(n, d.Root())
				put(made)
			case bool:
				v.SetBool(n, !c)
				put(!c)
			default:
				i := rng.Int64() >> rng.IntN(63)
				v.SetInt(n, i)
				put(stdjson.Number(fmt.Sprint(i)))
			}
			if step%7 == 0 {
				v.Settle()
			}
			if step%50 == 0 {
				b := slices.Clone(v.b)
				v.Unpack(b)
			}
			check(t, v)
			if got := decode(t, v.Root().Append(nil)); !same(got, model) {
				t.Fatalf("seed %d step %d:\n%s\nwant\n%s", seed, step, text(v.Root()), marshal(t, model))
			}
		}
	}
}

// same compares numbers as numbers: their texts differ.
func same(x, y any) bool {
	switch a := x.(type) {
	case stdjson.Number:
		b, ok := y.(stdjson.Number)
		f, _ := a.Float64()
		g, _ := b.Float64()
		return ok && f == g
	case []any:
		b, ok := y.([]any)
		return ok && slices.EqualFunc(a, b, same)
	case map[string]any:
		b, ok := y.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k := range a {
			if w, ok := b[k]; !ok || !same(a[k], w) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(x, y)
}

func mergePatch(target, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	m, ok := target.(map[string]any)
	if !ok {
		m = map[string]any{}
	}
	for k, v := range p {
		if v == nil {
			delete(m, k)
		} else {
			m[k] = mergePatch(m[k], v)
		}
	}
	return m
}

func TestARemovedKeyLeavesItsPlaceToTheLast(t *testing.T) {
	v := parse(t, `{"a":1,"b":2,"c":3,"d":4}`)
	v.RemoveMember(v.Root(), []byte("b"))
	if got := text(v.Root()); got != `{"a":1,"d":4,"c":3}` {
		t.Fatal(got)
	}
	v.SetMember(v.Root(), []byte("b"), doc(t, `5`).Root())
	if got := text(v.Root()); got != `{"a":1,"d":4,"c":3,"b":5}` {
		t.Fatal(got)
	}
}

// TestAppendingIsCheap holds that an array deep in a large document grows at the
// cost of what is added.
func TestAppendingIsCheap(t *testing.T) {
	v := parse(t, `{"a":[],"big":"`+strings.Repeat("x", 1<<20)+`"}`)
	one := []*Doc{doc(t, `1`)}
	size := len(v.b)
	for range 100000 {
		a, _ := v.Root().Get([]byte("a"))
		v.Insert(a, a.Len(), one)
		v.Settle()
	}
	check(t, v)
	if grown := len(v.b) - size; grown > 100000*8*5 {
		t.Fatalf("%d bytes for 100000 integers", grown)
	}
	for range 99000 {
		a, _ := v.Root().Get([]byte("a"))
		v.RemoveElems(a, a.Len()-1, a.Len())
		v.Settle()
	}
	check(t, v)
	if len(v.b) > 3<<20 {
		t.Fatalf("%d bytes are left", len(v.b))
	}
}

func TestPacking(t *testing.T) {
	v := parse(t, `{"a":[1,2,3],"b":"a long string"}`)
	b, ok := v.Pack()
	if !ok {
		t.Fatal("a small document does not pack")
	}
	packed := slices.Clone(b)
	u := Type.New().(*Value)
	u.Unpack(packed)
	if got := text(u.Root()); got != text(v.Root()) {
		t.Fatal(got)
	}
	a, _ := u.Root().Get([]byte("a"))
	u.SetInt(a.Elem(0), 9) // in place
	if b, _ := u.Pack(); &b[0] != &packed[0] {
		t.Fatal("a change of an integer moved the document")
	}
	a, _ = u.Root().Get([]byte("a"))
	u.Insert(a, 0, []*Doc{doc(t, `"x"`)})
	if got := text(u.Root()); got != `{"a":["x",9,2,3],"b":"a long string"}` {
		t.Fatal(got)
	}
	if _, ok := parse(t, `"`+strings.Repeat("x", maxPacked)+`"`).Pack(); ok {
		t.Fatal("a large document packs")
	}
}

// FuzzDocument compares with encoding/json.
func FuzzDocument(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,null,true,"x"],"b":{}}`, `"\ud83d\ude00"`, `[1e5,-0,18446744073709551615]`, `{"a":1,"a":2}`, "[1,\n]", `{"k":"\u00"}`, strings.Repeat("[", 130)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !utf8.Valid(b) {
			return
		}
		var d Doc
		err := d.Parse(b)
		if err != nil {
			var s *SyntaxError
			if !errors.As(err, &s) || s.Line < 1 || s.Column > len(b) {
				t.Fatal(err)
			}
			if stdjson.Valid(b) && s.What != tooDeep && s.What != "number out of range" &&
				!strings.Contains(s.What, "surrogate") && !strings.Contains(s.What, "hex escape") {
				t.Fatalf("%q: %v", b, err)
			}
			return
		}
		if !stdjson.Valid(b) {
			t.Fatalf("%q was read", b)
		}
		v := New(&d)
		check(t, v)
		out := v.Root().Append(nil)
		if !same(decode(t, out), decode(t, b)) {
			t.Fatalf("%q became %q", b, out)
		}
		if err := d.Parse(out); err != nil || !Equal(d.Root(), v.Root()) || !bytes.Equal(out, d.Root().Append(nil)) {
			t.Fatalf("%q became %q, then %v", b, out, err)
		}
		if c := v.Clone().(*Value); !Equal(c.Root(), v.Root()) || d.Depth() != depthOf(v.Root()) {
			t.Fatalf("%q: clone, depth", b)
		}
	})
}
