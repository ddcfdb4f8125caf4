package json

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// find is what a path matches in a document, as an array.
func find(t testing.TB, q *Query, document, path string) string {
	t.Helper()
	var p Path
	if err := p.Compile([]byte(path)); err != nil {
		return err.Error()
	}
	v := parse(t, document)
	if err := q.Find(&p, v.Root()); err != nil {
		return err.Error()
	}
	b := []byte{'['}
	for i, n := range q.Nodes {
		if i > 0 {
			b = append(b, ',')
		}
		b = n.Append(b)
	}
	if !p.Projection() {
		found := len(q.Nodes)
		if err := q.Locate(&p, v.Root()); err != nil || len(q.Matches) != found {
			t.Errorf("%s: %d matches, %d places, %v", path, found, len(q.Matches), err)
		}
		for _, m := range q.Matches {
			if n, ok := m.Resolve(v.Root()); !ok || n.at != m.Node.at {
				t.Errorf("%s: %v leads elsewhere", path, m.Steps())
			}
		}
		if p.Static() && found > 1 {
			t.Errorf("%s is static and matches %d values", path, found)
		}
	}
	q.Release()
	return string(append(b, ']'))
}

func table(t *testing.T, rows ...string) {
	t.Helper()
	var q Query
	for i := 0; i < len(rows); i += 3 {
		if got := find(t, &q, rows[i], rows[i+1]); got != rows[i+2] {
			t.Errorf("%s on %s: %s, want %s", rows[i+1], rows[i], got, rows[i+2])
		}
	}
}

// TestPaths holds what RedisJSON's own tests expect of its paths.
func TestPaths(t *testing.T) {
	const foo = `{"foo":[1,2,3]}`
	const boo = `{"foo":{"boo":[1,2,3]}}`
	table(
		t,
		foo, `$`, `[{"foo":[1,2,3]}]`,
		foo, `.`, `[{"foo":[1,2,3]}]`,
		foo, `$.foo`, `[[1,2,3]]`,
		foo, `foo`, `[[1,2,3]]`,
		foo, `.foo`, `[[1,2,3]]`,
		foo, `["foo"]`, `[[1,2,3]]`,
		foo, `$["foo"]`, `[[1,2,3]]`,
		foo, `$['foo']`, `[[1,2,3]]`,
		foo, `$ . foo [ 1 ]`, `[2]`,
		foo, `$.foo.[1]`, `[2]`,
		foo, `$["foo"].[1]`, `[2]`,
		foo, `$.foo[-1]`, `[3]`,
		foo, `$.foo[-9]`, `[1]`, // an index before the first is the first
		foo, `$.foo[3]`, `[]`,
		boo, `$.["foo"].boo`, `[[1,2,3]]`,
		boo, `$.foo.["boo"][*]`, `[1,2,3]`,
		boo, `$.foo["boo"][0,2]`, `[1,3]`,
		boo, `$.foo["boo"][-3,-1]`, `[1,3]`,
		boo, `$.foo["boo"][0,0]`, `[1,1]`,
		boo, `$.foo["boo"][0:2:1]`, `[1,2]`,
		boo, `$.foo["boo"][0:3:2]`, `[1,3]`,
		boo, `$.foo["boo"][:]`, `[1,2,3]`,
		boo, `$.foo["boo"][::2]`, `[1,3]`,
		boo, `$.foo["boo"][::]`, `[1,2,3]`,
		boo, `$.foo["boo"][:2]`, `[1,2]`,
		boo, `$.foo["boo"][1:]`, `[2,3]`,
		boo, `$.foo["boo"][-2:]`, `[2,3]`,
		boo, `$.foo["boo"][:-1]`, `[1,2]`,
		boo, `$.foo["boo"][2:1]`, `[]`,
		`{"foo1":{"boo":[1,2,3]},"foo2":{"boo":[4,5,6]}}`, `$.["foo1","foo2"].boo[0,2]`, `[1,3,4,6]`,
		`[{"foo":[1,2,3]},{"foo":[1]}]`, `$[1].foo`, `[[1]]`,
		`{"foo":{"bar1":{"val":[1]},"bar2":{"val":[2]}}}`, `$.foo.*.val`, `[[1],[2]]`,
		`{"foo":{"bar1":{"val":1},"bar2":{"val":2}},"val":3}`, `$..val`, `[3,1,2]`,
		`["s",42,{"key":"value"},[0,1]]`, `$..*`, `["s",42,{"key":"value"},[0,1],"value",0,1]`,
		`["s",42,{"key":"value"},[0,1]]`, `$..[*]`, `["s",42,{"key":"value"},[0,1],"value",0,1]`,
		`[{"code":"1"},{"code":"2"}]`, `$..*.*`, `["1","2"]`,
		`{"a":1,"b":2,"nested":{"a":3}}`, `..a`, `[1,3]`,
		`{"\\":1,"\\\\":2}`, `$["\\"]`, `[1]`,
		`{"\\":1,"\\\\":2}`, `$["\\\\"]`, `[2]`,
		`{"\"":1}`, `$["\""]`, `[1]`,
		`{"'":1}`, `$['\'']`, `[1]`,
		`{"'":1}`, `$["'"]`, `[1]`,
		`{"a b":1,"é":2,"":3}`, `$["a b","é",""]`, `[1,2,3]`,
		`{"a+1":5,"x-y":6,"$z":7,"a:b":8}`, `$.a+1`, `[5]`,
		`{"a+1":5,"x-y":6,"$z":7,"a:b":8}`, `$.x-y`, `[6]`,
		`{"a+1":5,"x-y":6,"$z":7,"a:b":8}`, `$z`, `[7]`,
		`{"a+1":5,"x-y":6,"$z":7,"a:b":8}`, `.a:b`, `[8]`,
		`{"1":{"x":1}}`, `$.1.x`, `[1]`,
		`5`, `$.a`, `[]`,
		`"abc"`, `$[0]`, `[]`,
		`{"size":1,"length":[2]}`, `$.size`, `[1]`,
		`{"size":1,"length":[2]}`, `$.length`, `[[2]]`,
	)
}

func TestFilters(t *testing.T) {
	const tf = `[{"t":true,"f":false,"one":1},{"t":true,"f":false,"one":3}]`
	const foobar = `[{"foo":[1,2,3],"bar":[4,5,6]}]`
	table(
		t,
		`{"foo":[1,2,3]}`, `$.foo[?@ == 1]`, `[1]`,
		`{"foo":[1,2,3]}`, `$.foo[?(@==1)]`, `[1]`,
		`[{"foo":1}]`, `$[?@.foo>=1].foo`, `[1]`,
		`{"foo":["a","b"],"bar":["c"]}`, `$.*[?@ == "a"]`, `["a"]`,
		`{"foo":[1,2],"bar":[4,1]}`, `$.*[?@ != 1]`, `[2,4]`,
		`{"foo":[1.1,2,3],"bar":[3,5,6.9]}`, `$.*[?@ < 3.9]`, `[1.1,2,3,3]`,
		`{"foo":["a","b","c"]}`, `$.*[?@ > 'a']`, `["b","c"]`,
		foobar, `$[?@.foo[0] == 1 && @foo[1] == 2].foo[0,1,2]`, `[1,2,3]`,
		foobar, `$[?@.foo[0] == 2 || @.bar[0] == 4].*[0,1,2]`, `[1,2,3,4,5,6]`,
		foobar, `$[?(@.foo[0] == 1 && @.foo[2] == 3)||(@.bar[0]==4&&@.bar[2]==6)].*[0]`, `[1,4]`,
		tf, `$[?(@.f==true || @.one==1 && @.t==false)]`, `[]`,
		tf, `$[?(@.f==true || @.one==1 && @.t==true)].*`, `[true,false,1]`,
		tf, `$[?(@.f==true && (@.t==false || @.one==1))].*`, `[]`,
		`[{"a":1},{"b":2}]`, `$[?!@.a]`, `[{"b":2}]`,
		`[{"a":1},{"b":2}]`, `$[?!!@.a]`, `[{"a":1}]`,
		`[{"a":1},{"a":2}]`, `$[?!@.a==1]`, `[{"a":2}]`,
		`[{"a":1},{"b":2},{"c":3}]`, `$[?!(@.a || @.b)]`, `[{"c":3}]`,
		`[1,2,3]`, `$[?false]`, `[]`,
		`[1,2,3]`, `$[?true]`, `[1,2,3]`,
		`[true,false]`, `$[?(@==true)]`, `[true]`,
		`[null,1]`, `$[?(@==null)]`, `[null]`,
		`[{"a":10},{"b":null},{"c":30}]`, `$[?(@.*==null)]`, `[{"b":null}]`,
		`{"foo":1,"bar":{"a":[1,2,3],"b":[4,5,6]}}`, `$.bar.*[?@ == $.foo]`, `[1]`,
		`[1,2,3]`, `$..[?@>=1]`, `[1,2,3]`,
		`{"a":[1,2,3]}`, `$..[?@>=1]`, `[1,2,3]`,
		`{"a":{"b":{"c":1}}}`, `$[?(@.b.c == 1)]`, `[{"b":{"c":1}}]`,
		`{"a":{"b":{"c":1}}}`, `$.a[?(@.b.c == 1)]`, `[]`,
		`[[{"code":1},{"code":3}],[{"mode":{"code":4}},{"code":2}],[{"code":0}]]`, `$..[?(@.code>2)].code`, `[3,4]`,
		`[[{"code":1},{"code":3}],[{"code":2}]]`, `$[?(@.*.code>2)][*].code`, `[1,3]`,
		`{"b":[{"n":"x"},{"n":"Rees"}]}`, `$[?(@[?(@.n == 'Rees')])]`, `[[{"n":"x"},{"n":"Rees"}]]`,
		`["abc","xbz","ABC"]`, `$[?(@ =~ "b")]`, `["abc","xbz"]`,
		`["abc","xbz","ABC"]`, `$[?(@ =~ "(?i)^abc$")]`, `["abc","ABC"]`,
		`["abc","(",3]`, `$[?(@ =~ "(")]`, `[]`,
		`[{"s":"carbon","p":"(?i)AR"},{"s":"x","p":"y"}]`, `$[?(@.s =~ @.p)].s`, `["carbon"]`,
		`{"a":{"x":{"i":10}},"b":{"x":{"i":20,"j":5}}}`, `$..x[?(@.i>10)]`, `[]`,
		`{"a":{"x":{"i":10}},"b":{"x":{"i":20,"j":5}}}`, `$..x[?(@>10)]`, `[20]`,
		`[{"a":1},{"b":2}]`, `$[?@.a != 2]`, `[{"a":1},{"b":2}]`,
		`[1,"1",1.0]`, `$[?@ == 1]`, `[1,1.0]`,
		`[{"k":1}]`, `$[?@.k == -1]`, `[]`,
		`{"rows":[{"x":2,"s":"(x)","a)\"b":2}]}`, `$.rows[?(@["a)\"b"]) == 2].x`, `[2]`,
		`{"rows":[{"x":2,"s":"(x)"}]}`, `$.rows[?(@.x > 1) && (@.s == '(x)')].x`, `[2]`,
		`{"in":[1],"a":2}`, `$[?@ in [2,3]]`, `[2]`,
	)
}

// TestExtensions holds what Redis 8.10 adds to paths, with the examples of its
// documentation.
func TestExtensions(t *testing.T) {
	const d = `{"a":2,"b":4,"arr":[1,2,3],"obj":{"x":1,"y":2},"books":[{"t":"a","price":30},{"t":"b","price":5}]}`
	table(
		t,
		d, `$.a + 1`, `[3]`,
		d, `$.a * $.b`, `[8]`,
		d, `($.a + $.b) / 2`, `[3.0]`,
		d, `-$.a`, `[-2]`,
		d, `$.arr.length()`, `[3]`,
		d, `length($.arr)`, `[3]`,
		d, `$.a / 0`, `[]`,
		d, `$.a % 0`, `[]`,
		d, `$.obj~`, `["x","y"]`,
		d, `$~`, `["a","b","arr","obj","books"]`,
		d, `$.books~`, `[]`,
		d, `$.obj.keys()`, `["x","y"]`,
		d, `$.obj.keys().count()`, `[2]`,
		d, `$.obj.keys().first()`, `["x"]`,
		d, `$.arr.append(9)`, `[1,2,3,9]`,
		d, `$.books[?(@.price >= 10)].append({"t":"X"})`, `[{"t":"a","price":30},{"t":"X"}]`,
		d, `$.nothing.append(1)`, `[1]`,
		d, `$.a.append(1)`, `[2,1]`,
		d, `$.arr.append($.arr[*])`, `[1,2,3,[1,2,3]]`,
		d, `$.arr.append($.nothing)`, `[]`,
		d, `$.arr.first().length()`, `[]`,
		d, `$.arr.index(-1 + 2)`, `[2]`,
		d, `-$.arr.length()`, `[-3]`,
		d, `($.arr)`, `[[1,2,3]]`,
		d, `(($.arr))`, `[[1,2,3]]`,
		d, `$.arr.sum()`, `[6]`,
		d, `$.arr.avg()`, `[2.0]`,
		d, `$.arr.max()`, `[3]`,
		d, `$.books[*].price.sum()`, `[35]`,
		d, `$.length`, `[]`,
		d, `(9223372036854775807 + 1)`, `[9.223372036854776e18]`,
		`{"arrs":[[1],[2],[1,2],[1,[2]]],"objs":[{"x":1},{"x":2},{"y":1}]}`, `$.arrs[?(@ == [1,[2]])]`, `[[1,[2]]]`,
		`{"arrs":[[1],[2],[1,2],[1,[2]]],"objs":[{"x":1},{"x":2},{"y":1}]}`, `$.objs[?(@ == {"x":1})]`, `[{"x":1}]`,
		`[{"a":2,"b":3},{"a":5,"b":2}]`, `$[?@.a + 1 == 3].a`, `[2]`,
		`[{"a":2,"b":3},{"a":5,"b":2}]`, `$[?@.a + @.b * 2 == 8].a`, `[2]`,
		`[{"a":2,"b":3},{"a":5,"b":2}]`, `$[?(@.a + @.b) * 2 == 10].a`, `[2]`,
		`[{"a":3},{"a":1}]`, `$[?-@.a == -3].a`, `[3]`,
		`[{"a":3},{"a":1}]`, `$[?+@.a == 3].a`, `[3]`,
		`{"a":[1,3]}`, `$.a[?(@) * 2 == 6]`, `[3]`,
		`[{"a":8},{"a":3}]`, `$[?@.a / 2 == 4].a`, `[8]`,
		`[{"a":3.5},{"a":4}]`, `$[?@.a % 2 == 1.5].a`, `[3.5]`,
		`[{"a":-9223372036854775808}]`, `$[?@.a % -1 == 0]`, `[]`,
		`[{"a":"x"}]`, `$[?@.a * 2 != 4]`, `[]`, // nothing compares with nothing
		`{"a":[1,2,3,4],"allow":[2,3]}`, `$.a[?@ in [2,4]]`, `[2,4]`,
		`{"a":[1,2,3,4],"allow":[2,3]}`, `$.a[?@ nin [2,4]]`, `[1,3]`,
		`{"a":[1,2,3,4],"allow":[2,3]}`, `$.a[?@ in $.allow]`, `[2,3]`,
		`{"a":[[1],[2],[3]]}`, `$.a[?@ in [[1],[2]]]`, `[[1],[2]]`,
		`{"items":[{"vals":[1,[4]]},{"vals":[1]}]}`, `$.items[?[4] in @.vals]`, `[{"vals":[1,[4]]}]`,
		`{"items":[{"v":2,"set":5}]}`, `$.items[?@.v nin @.set].v`, `[2]`,
		`{"items":[{"tags":["x","y"]},{"tags":["z"]}]}`, `$.items[?"x" in @.tags].tags`, `[["x","y"]]`,
		`{"a":[[1,2],[1,5],[]]}`, `$.a[?@ subsetof [1,2,3]]`, `[[1,2],[]]`,
		`{"a":[[1,9],[8,9],[]]}`, `$.a[?@ anyof [1,2,3]]`, `[[1,9]]`,
		`{"a":[[4,5],[1,9],[]]}`, `$.a[?@ noneof [1,2,3]]`, `[[4,5],[]]`,
		`{"a":[[4,5],[1],[7,8,9]]}`, `$.a[?@ sizeof 2]`, `[[4,5]]`,
		`{"a":[[4,5],[1],"ab","xé"]}`, `$.a[?@ size 2.9]`, `[[4,5],"ab","xé"]`,
		`{"a":[[4,5]]}`, `$.a[?@ sizeof "2"]`, `[]`,
		`{"a":[[],[1],"",[2,3],{},{"k":1}]}`, `$.a[?@ empty true]`, `[[],"",{}]`,
		`{"a":[[],[1],"",[2,3],{},{"k":1}]}`, `$.a[?@ empty false]`, `[[1],[2,3],{"k":1}]`,
		`{"a":[[1,2,3],[1],"abcd","x",7]}`, `$.a[?length(@) > 2]`, `[[1,2,3],"abcd"]`,
		`[{"a":1,"b":2,"c":3},{"a":1}]`, `$[?count(@.*) == 3].a`, `[1]`,
		`[{"y":1}]`, `$[?count(@.x) == 0]`, `[{"y":1}]`,
		`[{"a":1},{"a":2}]`, `$[?value(@.a) == 1]`, `[{"a":1}]`,
		`[{"a":1,"b":2}]`, `$[?value(@.*) == 1]`, `[]`,
		`{"a":["abc","xabc","a","b"]}`, `$.a[?match(@, "a.*")]`, `["abc","a"]`,
		`{"a":["abc","xyz","b"]}`, `$.a[?search(@, "b")]`, `["abc","b"]`,
		`{"a":[{"x":"a","y":"b"},{"x":"a","y":"c"},{"x":"a","y":1}]}`, `$.a[?concat(@.x, @.y) == "ab"].y`, `["b"]`,
		`{"a":[2.1,3.9,1.0]}`, `$.a[?ceiling(@) == 3]`, `[2.1]`,
		`{"a":[2.1,2.9,3.5]}`, `$.a[?floor(@) == 2]`, `[2.1,2.9]`,
		`{"a":[{"n":-5},{"n":5},{"n":-3}]}`, `$.a[?abs(@.n) == 5].n`, `[-5,5]`,
		`{"a":[{"n":[1,2]},{"n":[9,8]}]}`, `$.a[?first(@.n) == 1].n`, `[[1,2]]`,
		`{"a":[{"n":[1,2]},{"n":[9,8]}]}`, `$.a[?last(@.n) == 8].n`, `[[9,8]]`,
		`{"a":[{"n":[1,2]},{"n":[9,8]}]}`, `$.a[?index(@.n, -1) == 2].n`, `[[1,2]]`,
		`{"a":[{"n":[1,2]}]}`, `$.a[?index(@.n, 9) == 1]`, `[]`,
		`{"a":[{"n":[1,2]}]}`, `$.a[?index(@.n, "x") == 1]`, `[]`,
		`{"a":[{"n":[3,1,2]},{"n":[5,6]}]}`, `$.a[?sum(@.n) == 6].n`, `[[3,1,2]]`,
		`{"a":[{"n":[2,4,4,4,5,5,7,9]},{"n":[1,2]}]}`, `$.a[?stddev(@.n) == 2.0].n[0]`, `[2]`,
		`{"a":[{"n":[1,true,2]}]}`, `$.a[?sum(@.n) == 3]`, `[]`,
		`{"a":[{"n":[]}]}`, `$.a[?sum(@.n) == 0]`, `[]`,
		`{"a":[{"n":[1]}]}`, `$.a[?sum(@.n, 1) == 1]`, `[]`,
		`[{"a+1":5},{"a":2}]`, `$[?@.a+1]`, `[{"a+1":5}]`,
		`["trueish",true]`, `$[?@ == "trueish"]`, `["trueish"]`,
	)
}

func TestPathsThatAreNone(t *testing.T) {
	for _, path := range []string{
		``, ` `, "\x00", "\n", `."`, ".\x00", ".foo\n.bar", `$.`, `$[`, `$[]`, `$["a]`, `$['a"]`, `$["\n"]`, `$[1`, `$[1,]`, `$[0:3:0]`, `$[01]`,
		`$[99999999999999999999]`, `$..`, `$.a..`, `$.a b`, `$.é`, `$[?]`, `$[?()]`, `$[?(@.x]`, `$[?@.x ==]`, `$[0,'a']`, `.arr[-inf]`,
		`$.a +`, `$.a~.x`, `$.a~.length()`, `$.a~~`, `$.a.keys()~`, `$.a.keys().x`, `$.a.index(1 +)`, `$.a.length(`,
		`$.rows[?(@.x > 1) == true]`, `$.rows[?(@.x > 1) + 1]`, `$.rows[?(@.x > 1].x`, `$.rows[?(@.x))]`, `$.a == 1`, `nofunction($.a)`,
		`$[?@ == truex]`, `$[?@ = 1]`, `$[?@ == [1,]]`, `$[?@ == {"a"}]`, `$[?!]`, `$[?@ == 1 &&]`,
		`$` + strings.Repeat(`[?@`, 1000) + strings.Repeat(`]`, 1000),
		`$[?` + strings.Repeat(`(`, 100000) + `@` + strings.Repeat(`)`, 100000) + `]`,
		`$[?` + strings.Repeat(`-`, 100000) + `@]`,
		`$[?@==` + strings.Repeat(`[`, 100000) + strings.Repeat(`]`, 100000) + `]`,
	} {
		var p Path
		if err := p.Compile([]byte(path)); err == nil {
			t.Errorf("%.100q is a path", path)
		} else if _, ok := err.(*PathError); !ok || err.Error() == "" {
			t.Errorf("%.100q: %v", path, err)
		}
	}
	var p Path
	err := p.Compile([]byte(`$.foo[`))
	if want := `Error occurred on position 6, "$.foo[ <<<<----", expected one of the following: `; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v", err)
	}
	err = p.Compile([]byte(`foo bar`))
	if want := `Error occurred on position 6, "$.foo  ---->>>> bar", expected one of the following: `; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v", err)
	}
}

func TestWhichPathsAreWhat(t *testing.T) {
	f := func(path string, legacy, root, static, projection bool) {
		t.Helper()
		var p Path
		if err := p.Compile([]byte(path)); err != nil {
			t.Fatal(err)
		}
		if p.Legacy != legacy || p.IsRoot() != root || p.Static() != static || p.Projection() != projection {
			t.Errorf("%s: legacy %t, root %t, static %t, projection %t", path, p.Legacy, p.IsRoot(), p.Static(), p.Projection())
		}
	}
	f(`$`, false, true, true, false)
	f(`.`, true, true, true, false)
	f(`$.a.b`, false, false, true, false)
	f(`a.b`, true, false, true, false)
	f(`$a`, true, false, true, false)
	f(`$["a"][1].c`, false, false, true, false)
	f(`$["a","b"]`, false, false, false, false)
	f(`$..a`, false, false, false, false)
	f(`$.*`, false, false, false, false)
	f(`$[1:2]`, false, false, false, false)
	f(`$[?@.a]`, false, false, false, false)
	f(`$.a + 1`, false, false, false, true)
	f(`-a`, true, false, true, false)
	f(`+a`, true, false, true, false)
	f(`-$.a`, false, false, false, true)
	f(`count($..a)`, false, false, false, true)
	f(`$.a~`, false, false, false, true)
	f(`a + 1`, true, false, false, true)
}

// TestNoPathStalls gives the evaluation what would take for ever.
func TestNoPathStalls(t *testing.T) {
	deep := parse(t, strings.Repeat("[", 120)+"1,2"+strings.Repeat("]", 120))
	wide := parse(t, "["+strings.Repeat(`"`+strings.Repeat("a", 200)+`",`, 5000)+"1]")
	var q Query
	for _, c := range []struct {
		v    *Value
		path string
	}{
		{deep, `$` + strings.Repeat(`..*`, 12)},
		{deep, `$..[?@` + strings.Repeat(`..*`, 12) + ` == 7]`},
		{deep, `count($` + strings.Repeat(`..[0]`, 12) + `)`},
		{wide, `$[?@ in $[?@ in $]]`},
		{wide, `$[?count($[?count($) == 2]) == 2]`},
		{wide, `$[?$ subsetof $]`},
		{wide, `$[?sum($) == 1]`},
		{wide, `$[?$[?match(@, "(a*)*b")]]`},
		{wide, `$[?$ == $]`},
		{wide, `$[` + strings.Repeat("0,", 200000) + `0][*]`},
	} {
		var p Path
		if err := p.Compile([]byte(c.path)); err != nil {
			t.Fatal(c.path, err)
		}
		start := time.Now()
		err := q.Find(&p, c.v.Root())
		if err != nil && !errors.Is(err, ErrEffort) {
			t.Fatal(err)
		}
		t.Logf("%.60s: %v, %v, %d visits", c.path, err, time.Since(start), q.visits)
		if q.visits > 2*maxVisits || len(q.Nodes) > maxVisits {
			t.Errorf("%.60s: %d visits, %d values", c.path, q.visits, len(q.Nodes))
		}
		q.Release()
	}
}

// TestSimplePathsDoNotAllocate holds the promise for documents that are read by
// path.
func TestSimplePathsDoNotAllocate(t *testing.T) {
	v := parse(t, `{"user":{"name":"Ada","tags":["a","b","c"],"address":{"city":"London"}},"n":[1,2,3]}`)
	var q Query
	var p Path
	var out []byte
	for _, path := range []string{`$`, `.`, `$.user.name`, `user.name`, `$.user.tags[1]`, `$..city`, `$.n[*]`, `$.user.tags[-2:]`} {
		text := []byte(path)
		f := func() {
			if err := p.Compile(text); err != nil {
				t.Fatal(err)
			}
			if err := q.Find(&p, v.Root()); err != nil {
				t.Fatal(err)
			}
			out = out[:0]
			for _, n := range q.Nodes {
				out = n.Append(out)
			}
			if err := q.Locate(&p, v.Root()); err != nil {
				t.Fatal(err)
			}
			q.Release()
		}
		f()
		if n := testing.AllocsPerRun(100, f); n > 1 || n > 0 && !strings.Contains(path, "[") {
			t.Errorf("%s: %v allocations", path, n)
		}
	}
}

func FuzzPath(f *testing.F) {
	const document = `{"a":{"b":[1,2.5,"x",null,{"c":true}],"in":1},"s":"abc","n":[3,1,2],"k k":[[1],[2,3],{}]}`
	for _, s := range []string{
		`$.a.b[0]`, `a["b"][-1:]`, `$..c`, `$.a.b[?(@.c==true || @ > 1)]`, `$.n[?@ in [1,2]]`, `$['k k'][*][?@>1]`, `($.n.first() + 1) / 2`,
		`$.a~`, `$.n.append({"x":[1]})`, `$[?match(@, "a.*")]`, `stddev($.n)`, `$.n[::2]`, `$[?@.b[?@.c]]`, `concat($.s, "x")`, `$..[?@ =~ '(']`,
		`$[?!(@ empty true) && @ sizeof 3]`, `-$.n.length()`, `$..*..*`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return
		}
		var p Path
		if err := p.Compile([]byte(text)); err != nil {
			if len(err.Error()) > 2*len(text)+400 {
				t.Fatalf("%q: %s", text, err)
			}
			return
		}
		v := parse(t, document)
		before := string(v.b)
		var q Query
		if err := q.Find(&p, v.Root()); err != nil && !errors.Is(err, ErrEffort) {
			t.Fatal(err)
		}
		for _, n := range q.Nodes {
			var d Doc
			if err := d.Parse(n.Append(nil)); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
		}
		if string(v.b) != before {
			t.Fatalf("%q changed the document", text)
		}
		if p.Projection() {
			return
		}
		found := len(q.Nodes)
		if err := q.Locate(&p, v.Root()); err == nil && len(q.Matches) != found {
			t.Fatalf("%q: %d values, %d places", text, found, len(q.Matches))
		}
		q.Outermost()
		for _, m := range q.Matches {
			if len(m.Steps()) > 0 && !m.Delete(v) {
				t.Fatalf("%q: a match is gone that lies in no other", text)
			}
		}
		check(t, v)
	})
}
