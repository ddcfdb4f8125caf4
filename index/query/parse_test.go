package query

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func stop(w string) bool { return w == "the" || w == "and" || w == "is" }

// dump writes a tree so that its shape can be read in a test.
func dump(n *Node) string {
	if n == nil {
		return "nil"
	}
	kids := func(name string) string {
		var s []string
		for _, c := range n.Children {
			s = append(s, dump(c))
		}
		return name + "(" + strings.Join(s, " ") + ")" + attrs(n)
	}
	switch n.Kind {
	case And:
		return kids("and")
	case Or:
		return kids("or")
	case Not:
		return kids("not")
	case Optional:
		return kids("opt")
	}
	return n.String()
}

func attrs(n *Node) string {
	var b strings.Builder
	n.Attrs.print(&b)
	return b.String()
}

func TestParse(t *testing.T) {
	params := Params{[]byte("v"), []byte("\x00\x01"), []byte("k"), []byte("7"), []byte("r"), []byte("0.25"), []byte("word"), []byte("Hello"), []byte("tag"), []byte("A b|c"), []byte("stars"), []byte(`a\*b*\'c`)}
	f := func(in, want string) {
		t.Helper()
		q, err := Parse([]byte(in), Options{Params: params, StopWord: stop})
		if err != nil {
			t.Errorf("%s: %v", in, err)
			return
		}
		got := dump(q.Root)
		if q.KNN != nil {
			k := *q.KNN
			got += fmt.Sprintf(" KNN %d %s %q as %s ef %d", k.K, k.Field, k.Blob, k.As, k.EF)
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
	f("", "nil")
	f("the", "nil")
	f("*", "*")
	f("((*))", "*")
	f("Hello World", "and(hello world)")
	f("hello the world", "and(hello world)")
	f("hello world | foo bar", "or(and(hello world) and(foo bar))")
	f("hello (world | moon)", "and(hello or(world moon))")
	f("hello -world", "and(hello not(world))")
	f("hello-world", "and(hello not(world))")
	f("-a b", "and(not(a) b)")
	f("--a", "not(not(a))")
	f("~a b", "and(opt(a) b)")
	f(`hello\-world`, `hello\-world`)
	f(`u\.m`, `u\.m`)
	f(`"Hello, the World"`, `"hello world"`)
	f(`"hello"`, `"hello"`)
	f(`""`, `""`)
	f("eng*", "eng*")
	f("*eng", "*eng")
	f("*eng*", "*eng*")
	f("w'a?c*'", "w'a?c*'")
	f("w'$word'", "w'hello'")
	f("w'$stars'", `w'a\*b*\'c'`)
	f("@user:{w'$stars' | b}", `@user:{w'a\*b*\'c'|b}`)
	f(`w'\$word'`, `w'\$word'`)
	f("w'$word*'", `w'\$word*'`)
	f("%a% %%b%% %%%c%%%", "and(%a% %%b%% %%%c%%%)")
	f("$word", "hello")
	f("@f:a b", "and(@f:a b)")
	f("@f:(a b)", "and(@f:a @f:b)")
	f("@f|g:(a | -b)", "or(@f|g:a not(@f|g:b))")
	f("@f|@g:a", "@f|g:a")
	f("@f:a|b", "or(@f:a b)")
	f(`@_index_name:("lcvs")`, `@_index_name:"lcvs"`)
	f("@content:(hi) AND @session_id:{sess}", "and(@content:hi @session_id:{sess})")
	f("@user:{u1|u2}", "@user:{u1|u2}")
	f(`@user:{\*}`, `@user:{\*}`)
	f(`@user:{ New York | a\|b | "x|y" | $tag | pre* | *suf | *in* | w'a*' }`, `@user:{New\ York|a\|b|x\|y|A\ b\|c|pre*|*suf|*in*|w'a*'}`)
	f("@t:{hello-world}", `@t:{hello\-world}`)
	f(`@t:{a\ }`, `@t:{a\ }`)
	f(`@checkpoint_id:{1f1e76a3\-61c3}`, `@checkpoint_id:{1f1e76a3\-61c3}`)
	f("@n:[1 (5]", "@n:[1 (5]")
	f("@n:[(2 +inf]", "@n:[(2 inf]")
	f("@n:[-inf -1.5e-3]", "@n:[-inf -0.0015]")
	f("@n:[5]", "@n:[5 5]")
	f("@n:[$r $k]", "@n:[0.25 7]")
	f("@n==5 @n>=2 @n<$k @n!=1", "and(@n:[5 5] @n:[2 inf] @n:[-inf (7] not(@n:[1 1]))")
	f("@loc:[-110 37.5 5 km]", "@loc:[-110 37.5 5 km]")
	f("(@age:[1 3] (-@user:{u9}))", "and(@age:[1 3] not(@user:{u9}))")
	f("hello (world (foo | bar))", "and(hello world or(foo bar))")
	f("(a|b)|c", "or(a b c)")
	f("a|(b|c)", "or(a or(b c))")
	f("@f:((a b) c) d", "and(and(@f:a @f:b @f:c) d)")
	f("(a b)=>{$phonetic: false}", "and(a b)=>{$weight:1;$phonetic:false}")
	f("@g:[within $word] @g:[DISJOINT $r]", "and(@g:[WITHIN $word] @g:[DISJOINT $r])")
	f("ismissing(@f) | -ismissing(@g)", "or(ismissing(@f) not(ismissing(@g)))")
	f("ismissing (a)", "and(ismissing a)")
	f("@v:[VECTOR_RANGE $r $v]=>{$YIELD_DISTANCE_AS: d; $EPSILON: 0.01}", "@v:[VECTOR_RANGE 0.25 $v]=>{$weight:1;$yield_distance_as:d;$epsilon:0.01}")
	f("(@v:[vector_range .2 $v]=>{$yield_distance_as:d} @user:{u1})", "and(@v:[VECTOR_RANGE 2 $v]=>{$weight:1;$yield_distance_as:d} @user:{u1})")
	f("(a b)=>{$weight: 2; $slop: 1; $inorder: true;}", "and(a b)=>{$weight:2;$slop:1;$inorder:true}")
	f("*=>[KNN 3 @emb $v AS d]", `* KNN 3 emb "\x00\x01" as d ef 0`)
	f("*=>[knn $k @emb $v as score]", `* KNN 7 emb "\x00\x01" as score ef 0`)
	f("*=>[KNN 3 @emb $v]", `* KNN 3 emb "\x00\x01" as __emb_score ef 0`)
	f("*=>[KNN 3 @emb $v]=>{$YIELD_DISTANCE_AS: d; $EF_RUNTIME: $k}", `* KNN 3 emb "\x00\x01" as d ef 7`)
	f("(@user:{u1} | @age:[(2 +inf])=>[KNN 10 @emb $v EF_RUNTIME $k AS d]", `or(@user:{u1} @age:[(2 inf]) KNN 10 emb "\x00\x01" as d ef 7`)
	f("*=>[KNN 10 @emb $v HYBRID_POLICY BATCHES BATCH_SIZE 10 AS d]", `* KNN 10 emb "\x00\x01" as d ef 0`)
	f("@prefix:u*=>[KNN 2 @emb $v AS d]", `@prefix:u* KNN 2 emb "\x00\x01" as d ef 0`)
	f(`@_index_name:("lcvs")=>[KNN 2 @emb $v AS d]`, `@_index_name:"lcvs" KNN 2 emb "\x00\x01" as d ef 0`)
	f("\xff\xfe\x00*", "and(\uFFFD\uFFFD *)")
}

// The examples of the documentation of dialects, and what follows from the
// precedences of RediSearch's first grammar.
func TestParseDialect1(t *testing.T) {
	f := func(in, one, two string) {
		t.Helper()
		for d, want := range []string{one, two} {
			q, err := Parse([]byte(in), Options{Dialect: d + 1, Params: Params{[]byte("p"), []byte("X")}, StopWord: stop})
			got := fmt.Sprint(err)
			if err == nil {
				got = dump(q.Root)
			}
			if got != want {
				t.Errorf("%s in dialect %d\n got %s\nwant %s", in, d+1, got, want)
			}
		}
	}
	f("@name:James Brown", "and(@name:james @name:brown)", "and(@name:james brown)")
	f("-hello world", "not(and(hello world))", "and(not(hello) world)")
	f(`hello world | "goodbye" moon`, `and(or(and(hello world) "goodbye") moon)`, `or(and(hello world) and("goodbye" moon))`)
	f("hello -world", "and(hello not(world))", "and(hello not(world))")
	f("-a -b", "and(not(a) not(b))", "and(not(a) not(b))")
	f("~a b", "opt(and(a b))", "and(opt(a) b)")
	f("@a:x | @b:y", "or(@a:x @b:y)", "or(@a:x @b:y)")
	f("@a:x|y z", "or(@a:x and(@a:y @a:z))", "or(@a:x and(y z))")
	f("the $p the", "x", "x")
	f("(a|b) c", "and(or(a b) c)", "and(or(a b) c)")
	f("a|", "Syntax error at offset 1 near |", "Syntax error at offset 1 near |")
	f("@n:[1 2] foo @t:{x}", "and(@n:[1 2] foo @t:{x})", "and(@n:[1 2] foo @t:{x})")
}

func TestParseErrors(t *testing.T) {
	params := Params{[]byte("v"), []byte("x"), []byte("b"), []byte("\x80\x00")}
	f := func(in, want string) {
		t.Helper()
		q, err := Parse([]byte(in), Options{Params: params})
		if err == nil {
			t.Errorf("%s: no error, got %v", in, q)
		} else if err.Error() != want {
			t.Errorf("%s\n got %s\nwant %s", in, err, want)
		}
	}
	f("(a", "Syntax error at offset 1 near a")
	f("a)", "Syntax error at offset 1 near )")
	f("a |", "Syntax error at offset 2 near |")
	f("()", "Syntax error at offset 1 near )")
	f("@f", "Syntax error at offset 0 near f")
	f("@f:", "Syntax error at offset 2 near :")
	f("@f:(@g:a)", "Syntax error at offset 4 near g")
	f("@t:{a", "Syntax error at offset 4 near a")
	f("@t:{}", "Syntax error at offset 4 near ")
	f("@t:{a|}", "Syntax error at offset 6 near ")
	f("@t:{*}", "Syntax error at offset 4 near *")
	f(`"a`, `Syntax error at offset 0 near "a`)
	f("@n:[nan inf]", "Syntax error: expecting vector similarity range command at offset 4 near nan")
	f("@n:[1 nan]", "Syntax error at offset 6 near nan")
	f("@n:[]", "Syntax error at offset 4 near ]")
	f("@n:[1 2 3 4]", "Syntax error at offset 10 near 4")
	f("@n:[$b 1]", "Invalid numeric value (\x80\x00) for parameter `b`")
	f("@n:[$x 1]", "No such parameter `x`")
	f("*=>[KNN 2 @v $nope]", "No such parameter `nope`")
	f("*=>[KNN $b @v $v]", "Invalid numeric value (\x80\x00) for parameter `b`")
	f("*=>[KNN 0 @v $v]", "Error parsing vector similarity query: query KNN K parameter must be a positive integer")
	f("*=>[KNN -1 @v $v]", "Syntax error at offset 8 near -")
	f("*=>[KNN 9223372036854775807 @v $v]", "Error parsing vector similarity query: query KNN K parameter is too large, must not exceed 288230376151711744")
	f("*=>[KNN 2 @v $v]]]]]", "Syntax error at offset 16 near ]")
	f("*=>[KNN 2 @v $v", "Syntax error at offset 13 near v")
	f("*=>[FOO 2 @v $v]", "Syntax error: Expecting Vector Similarity command at offset 4 near FOO")
	for _, x := range []struct{ options, attributes, want string }{
		{"EF_RUNTIME 9223372036854775807", "", "Invalid value was given"},
		{"EF_RUNTIME -42", "", "Invalid value was given"},
		{"EF_RUNTIME 2.5", "", "Invalid value was given"},
		{"BATCH_SIZE 0", "", "Invalid value was given"},
		{"SEARCH_WINDOW_SIZE 0", "", "Invalid value was given"},
		{"USE_SEARCH_HISTORY perhaps", "", "Invalid value was given"},
		{"HYBRID_POLICY none", "", "invalid hybrid policy was given"},
		{"EPSILON 1", "", "range query attributes were sent for a non-range query"},
		{"EF_RUNTIME 1", "$ef_runtime: 1", "Parameter was specified twice"},
		{"", "$BATCH_SIZE: 1; $batch_size: 2", "Parameter was specified twice"},
		{"HYBRID_POLICY ADHOC_BF BATCH_SIZE 1", "", "'batch size' is irrelevant for 'ADHOC_BF' policy"},
		{"HYBRID_POLICY ADHOC_BF", "$EF_RUNTIME: 1", "'EF_RUNTIME' is irrelevant for 'ADHOC_BF' policy"},
	} {
		f("*=>[KNN 2 @v $v "+x.options+"]=>{"+x.attributes+"}", "Error parsing vector similarity parameters: "+x.want)
	}
	f("*=>[KNN 2 @v $v AS -a]", "Syntax error at offset 19 near -")
	f("a=>{$EF_RUNTIME: 0}", "Error parsing vector similarity parameters: Invalid value was given")
	f("*=>[KNN 2 @v $v AS a]=>{$yield_distance_as: b}", "Distance field was specified twice for vector query: a and b")
	for _, x := range []struct{ attributes, want string }{
		{"$EPSILON: -1", "Invalid value was given"},
		{"$EPSILON: 0", "Invalid value was given"},
		{"$EPSILON: 1; $epsilon: 2", "Parameter was specified twice"},
		{"$EF_RUNTIME: 10", "Invalid option"},
		{"$HYBRID_POLICY: BATCHES", "hybrid query attributes were sent for a non-hybrid query"},
	} {
		f("@v:[VECTOR_RANGE 1 $v]=>{"+x.attributes+"}", "Error parsing vector similarity parameters: "+x.want)
	}
	f("*=>[KNN 2 @v $v FOO 1]", "Error parsing vector similarity parameters: Invalid option")
	f("*=>[KNN 2 @v $v EF_RUNTIME 1 EF_RUNTIME 2]", "Error parsing vector similarity parameters: Parameter was specified twice")
	f("@a:{x} @b:{y}=>[KNN 2 @v $v]", "Syntax error at offset 15 near [")
	f("a | b=>[KNN 2 @v $v]", "Syntax error at offset 7 near [")
	f("@v:[VECTOR_RANGE -1 $v]", "Error parsing vector similarity query: negative radius (-1) given in a range query")
	f("@v:[VECTOR_RANGE nan $v]", "Syntax error at offset 17 near nan")
	f("@v:[VECTOR_RANGE 1 v]", "Syntax error at offset 19 near v")
	f("ismissing(a)", "Syntax error at offset 10 near a")
	f("a=>{$foo: 1}", "Invalid attribute foo")
	f("a=>{$weight: x}", "Invalid value (x) for `weight`")
	f("a=>{$yield_distance_as: x}", "Invalid attribute yield_distance_as")
	f("@g:[1 2 0 km]", "Invalid GeoFilter radius")
	f("@g:[1 2 3 parsec]", "Invalid GeoFilter unit")
	f(strings.Repeat("(", 129)+"a", "Parser stack overflow. Try moving nested parentheses more to the left")
}

func TestParseIsBounded(t *testing.T) {
	var many Params
	for i := range 2000 {
		many = append(many, []byte(fmt.Sprint("p", i)), []byte("x"))
	}
	for _, in := range []string{
		strings.Repeat("(", 200_000) + "*" + strings.Repeat(")", 200_000),
		strings.Repeat("-", 200_000) + "@t:{a}",
		"@t:{" + strings.Repeat("a|", 400_000) + "a}",
		"@t:{" + strings.Repeat(`"a\"|`, 200_000) + "a}",
		strings.Repeat(`w'\`, 200_000),
		strings.Repeat("$p1999 ", 200_000),
		strings.Repeat("a=>{", 200_000),
		strings.Repeat("@a|", 200_000),
		"@t:{" + strings.Repeat(`\`, 600_000) + "*}",
		strings.Repeat("*", 600_000),
		strings.Repeat("a|", 600_000) + "a",
		strings.Repeat("a ", 600_000),
		`"` + strings.Repeat("a ", 600_000) + `"`,
		"a=>{" + strings.Repeat("$weight:1;", 200_000) + "}",
		"@n:[" + strings.Repeat("-", 600_000) + "1 2]",
	} {
		start := time.Now()
		_, _ = Parse([]byte(in), Options{Params: many})
		_, _ = Parse([]byte(in), Options{Params: many, Dialect: 1})
		// Far less than a second on a quiet machine; what is not linear takes minutes. Machines stand still for seconds.
		if d := time.Since(start); d > 30*time.Second {
			t.Errorf("%.30s...: %v", in, d)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"*", "hello world | foo -bar", `@f|g:("a b" | c*) ~x=>{$weight:2}`, `@t:{a b|\*x|"q|"|$k*|w'a?'}`, "@n:[(1 -inf] @n>=3", "@l:[1 2 3 km]",
		"(@v:[VECTOR_RANGE $r $v]=>{$YIELD_DISTANCE_AS: d; $EPSILON: 0.01} @user:{u1})",
		"(@a:{x}|*)=>[KNN $k @v $v EF_RUNTIME 5 HYBRID_POLICY BATCHES BATCH_SIZE 3 AS s]=>{$yield_distance_as:d}",
		"@f:(a (b | c) -d) ~(e f)", "@g:[WITHIN $v]", "%a% %%$k%%", "ismissing(@f) ismissing (x)", "\xff\xfe\x00*", "@t:{a", "((((", `"\"`, "w'\\'", "@n:[nan inf]", "*=>[KNN 2 @v $v]]]",
	} {
		f.Add(s)
	}
	params := Params{[]byte("v"), []byte("\x00\x01 '"), []byte("k"), []byte("7"), []byte("r"), []byte("0.25")}
	f.Fuzz(func(t *testing.T, in string) {
		_, _ = Parse([]byte(in), Options{Params: params, StopWord: stop, Dialect: 1})
		q, err := Parse([]byte(in), Options{Params: params, StopWord: stop})
		if err != nil {
			return
		}
		out := q.String()
		q2, err := Parse([]byte(out), Options{Params: params})
		if err != nil {
			t.Fatalf("%q printed as %q: %v", in, out, err)
		}
		if a, b := strip(q), strip(q2); !reflect.DeepEqual(a, b) {
			t.Fatalf("%q printed as %q\n%+v\n%+v", in, out, a, b)
		}
	})
}

// strip copies the query without what printing may change: byte offsets.
func strip(q *Query) Query {
	var node func(n *Node) *Node
	node = func(n *Node) *Node {
		if n == nil {
			return nil
		}
		c := *n
		c.Offset = 0
		c.Children = nil
		for _, k := range n.Children {
			c.Children = append(c.Children, node(k))
		}
		return &c
	}
	out := Query{Root: node(q.Root)}
	if q.KNN != nil {
		k := *q.KNN
		k.Offset = 0
		out.KNN = &k
	}
	return out
}

func BenchmarkParse(b *testing.B) {
	q := []byte("(@prompt_vector:[VECTOR_RANGE $distance_threshold $vector]=>{$YIELD_DISTANCE_AS: vector_distance} @user:{u1})")
	p := Params{[]byte("vector"), make([]byte, 1536), []byte("distance_threshold"), []byte("0.2")}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(q, Options{Params: p, StopWord: stop}); err != nil {
			b.Fatal(err)
		}
	}
}
