package server

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/client"
)

// split cuts a command line at spaces. "quoted" arguments may hold spaces, and
// $1, $2 … stand for the vectors.
func split(line string, vectors ...string) []any {
	var out []any
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " ") {
		var word string
		if line[0] == '"' {
			s, err := strconv.QuotedPrefix(line)
			if err != nil {
				panic(line)
			}
			line = line[len(s):]
			word, _ = strconv.Unquote(s)
		} else {
			word, line, _ = strings.Cut(line, " ")
		}
		if len(word) == 2 && word[0] == '$' && word[1] >= '1' && word[1] <= '9' {
			word = vectors[word[1]-'1']
		}
		out = append(out, word)
	}
	return out
}

// searchReply renders a reply of FT.SEARCH the same way in both versions of the
// protocol, "total | id score #sortkey k=v k=v | …", and fails where its shape is
// not RediSearch's. Numbers with a fraction are rounded.
func searchReply(t *testing.T, c *client.Conn, proto int, args []any) string {
	t.Helper()
	v, err := c.Do(args...)
	if err != nil {
		return "error: " + err.Error()
	}
	option := func(word string) bool { return slices.Contains(args, any(word)) }
	scores, keys, content := option("WITHSCORES"), option("WITHSORTKEYS"), !option("NOCONTENT")
	if i := slices.Index(args, any("RETURN")); i >= 0 && args[i+1] == "0" {
		content = false
	}
	is := func(v client.Value, k client.Kind) client.Value {
		t.Helper()
		if v.Kind != k {
			t.Fatalf("%v is a %c, not a %c, in the reply to %.200q", v, v.Kind, k, args)
		}
		return v
	}
	var b strings.Builder
	score := func(v client.Value, k client.Kind) {
		f, err := is(v, k).Float()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, " %.2f", f)
	}
	fields := func(l []client.Value) {
		if len(l)%2 != 0 {
			t.Fatalf("%d names and values", len(l))
		}
		for i := 0; i < len(l); i += 2 {
			name, value := is(l[i], client.Bulk).Str, is(l[i+1], client.Bulk).Str
			if f, err := strconv.ParseFloat(value, 64); err == nil && f != float64(int(f)) {
				value = strconv.FormatFloat(f, 'f', 2, 64)
			}
			fmt.Fprintf(&b, " %s=%s", name, value)
		}
	}
	if proto == 2 {
		l := is(v, client.Array).Elems
		fmt.Fprintf(&b, "%d", is(l[0], client.Int).Int)
		for l = l[1:]; len(l) > 0; {
			next := func() client.Value { x := l[0]; l = l[1:]; return x }
			fmt.Fprintf(&b, " | %s", is(next(), client.Bulk).Str)
			if scores {
				score(next(), client.Bulk)
			}
			if keys {
				if k := next(); k.IsNull() {
					b.WriteString(" nil")
				} else {
					b.WriteString(" " + k.Str)
				}
			}
			if content {
				fields(is(next(), client.Array).Elems)
			}
		}
		return b.String()
	}
	l := is(v, client.Map).Elems
	names := []string{"attributes", "format", "results", "total_results", "warning"}
	if len(l) != 2*len(names) {
		t.Fatalf("the map has %d names and values: %v", len(l), v)
	}
	for i, name := range names {
		if l[2*i].Str != name {
			t.Errorf("pair %d of the reply is %v, want %s", i, l[2*i], name)
		}
	}
	if len(is(l[1], client.Array).Elems) != 0 || is(l[3], client.Bulk).Str != "STRING" || len(is(l[9], client.Array).Elems) != 0 {
		t.Errorf("attributes, format, warning: %v %v %v", l[1], l[3], l[9])
	}
	fmt.Fprintf(&b, "%d", is(l[7], client.Int).Int)
	for _, r := range is(l[5], client.Array).Elems {
		m := is(r, client.Map).Elems
		next := func(name string) client.Value {
			if m[0].Str != name {
				t.Fatalf("%v stands where %s is expected in %v", m[0], name, r)
			}
			x := m[1]
			m = m[2:]
			return x
		}
		fmt.Fprintf(&b, " | %s", is(next("id"), client.Bulk).Str)
		if scores {
			score(next("score"), client.Double)
		}
		if keys {
			if k := next("sortkey"); k.IsNull() {
				b.WriteString(" nil")
			} else {
				b.WriteString(" " + k.Str)
			}
		}
		if content {
			fields(is(next("extra_attributes"), client.Map).Elems)
		}
		if x := is(next("values"), client.Array); len(x.Elems)+len(m) != 0 {
			t.Errorf("values and more: %v", r)
		}
	}
	return b.String()
}

// shapesData makes the indexes that redisvl, langchain and others make, with the
// very arguments they send, and documents for them.
func shapesData(t *testing.T, c *client.Conn) {
	t.Helper()
	for _, line := range []string{
		`FT.CREATE llmcache ON HASH PREFIX 1 llmcache SCORE 1.0 SCHEMA prompt TEXT WEIGHT 1 response TEXT WEIGHT 1 inserted_at NUMERIC updated_at NUMERIC prompt_vector VECTOR FLAT 6 TYPE FLOAT32 DIM 3 DISTANCE_METRIC COSINE user TAG SEPARATOR ,`,
		`FT.CREATE ix1 ON HASH PREFIX 1 doc SCORE 1.0 SCHEMA user TAG SEPARATOR , job TEXT WEIGHT 1 age NUMERIC SORTABLE loc GEO emb VECTOR HNSW 14 TYPE FLOAT32 DIM 3 DISTANCE_METRIC COSINE M 16 EF_CONSTRUCTION 200 EF_RUNTIME 10 EPSILON 0.01`,
		`FT.CREATE rt ON HASH PREFIX 1 rt: SCORE 1.0 SCHEMA reference_id TAG SEPARATOR , route_name TAG SEPARATOR , reference TEXT WEIGHT 1 vector VECTOR FLAT 6 TYPE FLOAT32 DIM 3 DISTANCE_METRIC COSINE`,
		`FT.CREATE lcvs ON HASH PREFIX 1 lcvs: SCORE 1.0 SCHEMA _index_name TEXT WEIGHT 1 text TEXT WEIGHT 1 _metadata_json TEXT WEIGHT 1 cat TAG SEPARATOR | embedding VECTOR FLAT 6 TYPE FLOAT32 DIM 3 DISTANCE_METRIC COSINE`,
		`FT.CREATE mh ON HASH PREFIX 1 mh SCORE 1.0 SCHEMA role TAG SEPARATOR , content TEXT WEIGHT 1 tool_call_id TAG SEPARATOR , timestamp NUMERIC session_tag TAG SEPARATOR , metadata TEXT WEIGHT 1 id TAG SEPARATOR ,`,
		`FT.CREATE gpt ON HASH PREFIX 1 gpt: SCHEMA id TAG vector VECTOR HNSW 6 TYPE FLOAT32 DIM 3 DISTANCE_METRIC L2`,
		`HSET llmcache:e1 entry_id e1 prompt "what is the capital of France" response Paris inserted_at 10 updated_at 10 prompt_vector $1 user u1`,
		`HSET llmcache:e2 entry_id e2 prompt "who wrote Hamlet" response Shakespeare inserted_at 20 updated_at 20 prompt_vector $2 user u2 metadata {}`,
		`HSET doc:1 user u1 job engineer age 1 loc -110,37 emb $1`,
		`HSET doc:2 user u2 job "senior engineers build things" age 2 loc -110.01,37.01 emb $4`,
		`HSET doc:3 user u1 job dentist age 3 emb $2`,
		`HSET doc:4 user u9 job developer age 18 loc 2.35,48.85 emb $3`,
		`HSET doc:5 user "*" job dev age 100 emb $5`,
		`HSET doc:6 user "a b, C d" age 7 emb $6`,
		`HSET rt:1 reference_id r1 route_name greet reference hello vector $1`,
		`HSET rt:2 reference_id r2 route_name bye reference goodbye vector $2`,
		`HSET lcvs:1 _index_name lcvs text foo _metadata_json {} cat a|b embedding $1`,
		`HSET lcvs:2 _index_name lcvs text bar _metadata_json {} cat b,c embedding $2`,
		`HSET lcvs:3 _index_name other text baz _metadata_json {} cat c embedding $1`,
		`HSET mh:s1:3 role user content "third words" timestamp 3.5 session_tag 01M84 id mh3`,
		`HSET mh:s1:1 role user content "first words" timestamp 1.5 session_tag 01M84 id mh1`,
		`HSET mh:s1:2 role llm content "Second words" timestamp 2.5 session_tag 01M84 id mh2`,
		`HSET mh:s2:1 role user content "an other session" timestamp 9 session_tag 02-X.y id mh4`,
		`HSET gpt:1 id 1 vector $1`,
		`HSET gpt:2 id 2 vector $2`,
	} {
		do(t, c, split(line, shapeVectors...)...)
	}
}

var shapeVectors = []string{
	f32(1, 0, 0), f32(0, 1, 0), f32(0, 0, 1), f32(1, 1, 0), f32(-1, 0, 0), f32(3, 4, 0),
}

// searchShapes are queries as clients send them, and their answers.
var searchShapes = []struct{ query, want string }{
	// redisvl SemanticCache: VECTOR_RANGE over FLAT.
	{
		`FT.SEARCH llmcache "@prompt_vector:[VECTOR_RANGE $distance_threshold $vector]=>{$YIELD_DISTANCE_AS: vector_distance}" RETURN 8 entry_id prompt response inserted_at updated_at metadata user vector_distance SORTBY vector_distance ASC DIALECT 2 LIMIT 0 1 PARAMS 4 vector $1 distance_threshold 0.2`,
		`1 | llmcache:e1 entry_id=e1 prompt=what is the capital of France response=Paris inserted_at=10 updated_at=10 user=u1 vector_distance=0`,
	},
	{
		`FT.SEARCH llmcache "(@prompt_vector:[VECTOR_RANGE $distance_threshold $vector]=>{$YIELD_DISTANCE_AS: vector_distance} @user:{u1})" RETURN 2 entry_id vector_distance SORTBY vector_distance ASC DIALECT 2 LIMIT 0 5 PARAMS 4 vector $4 distance_threshold 0.3`,
		`1 | llmcache:e1 entry_id=e1 vector_distance=0.29`,
	},
	{
		`FT.SEARCH llmcache "@prompt_vector:[VECTOR_RANGE $distance_threshold $vector]=>{$YIELD_DISTANCE_AS: vector_distance; $EPSILON: 0.01}" RETURN 2 entry_id vector_distance SORTBY vector_distance ASC DIALECT 2 LIMIT 0 5 PARAMS 4 vector $6 distance_threshold 2`,
		`2 | llmcache:e2 entry_id=e2 vector_distance=0.20 | llmcache:e1 entry_id=e1 vector_distance=0.40`,
	},
	{
		`FT.SEARCH llmcache "(@user:{u3} @prompt_vector:[VECTOR_RANGE $distance_threshold $vector]=>{$YIELD_DISTANCE_AS: vector_distance})" RETURN 1 entry_id SORTBY vector_distance ASC DIALECT 2 LIMIT 0 5 PARAMS 4 vector $6 distance_threshold 2`,
		`0`,
	},
	{ // all options in another order
		`FT.SEARCH llmcache "@prompt_vector:[VECTOR_RANGE $distance_threshold $vector]=>{$YIELD_DISTANCE_AS: vector_distance}" LIMIT 0 1 PARAMS 4 vector $1 distance_threshold 0.2 DIALECT 2 SORTBY vector_distance ASC RETURN 2 response vector_distance`,
		`1 | llmcache:e1 response=Paris vector_distance=0`,
	},

	// redisvl VectorQuery: KNN over HNSW.
	{
		`FT.SEARCH ix1 "*=>[KNN 3 @emb $vector AS vector_distance]" RETURN 2 user vector_distance SORTBY vector_distance ASC DIALECT 2 LIMIT 0 3 PARAMS 2 vector $1`,
		`3 | doc:1 user=u1 vector_distance=0 | doc:2 user=u2 vector_distance=0.29 | doc:6 user=a b, C d vector_distance=0.40`,
	},
	{
		`FT.SEARCH ix1 "(@user:{u1} | @age:[(2 +inf])=>[KNN 10 @emb $vector EF_RUNTIME $EF AS vector_distance]" RETURN 2 age vector_distance SORTBY vector_distance ASC DIALECT 2 LIMIT 0 10 PARAMS 4 vector $1 EF 50`,
		`5 | doc:1 age=1 vector_distance=0 | doc:6 age=7 vector_distance=0.40 | doc:3 age=3 vector_distance=1 | doc:4 age=18 vector_distance=1 | doc:5 age=100 vector_distance=2`,
	},
	{
		`FT.SEARCH ix1 "*=>[KNN 10 @emb $vector HYBRID_POLICY BATCHES BATCH_SIZE 10 AS vector_distance]" RETURN 1 vector_distance SORTBY vector_distance ASC DIALECT 2 LIMIT 0 2 PARAMS 2 vector $1`,
		`6 | doc:1 vector_distance=0 | doc:2 vector_distance=0.29`,
	},
	{
		`FT.SEARCH ix1 "(@user:{u1})=>[KNN 10 @emb $vector HYBRID_POLICY ADHOC_BF AS vector_distance]" RETURN 1 vector_distance SORTBY vector_distance DESC DIALECT 2 LIMIT 0 2 PARAMS 2 vector $1`,
		`2 | doc:3 vector_distance=1 | doc:1 vector_distance=0`,
	},
	{ // gptcache, and the field's own name for the distance
		`FT.SEARCH gpt "*=>[KNN 5 @vector $vec as score]" RETURN 2 id score SORTBY score LIMIT 0 5 PARAMS 2 vec $1 DIALECT 2`,
		`2 | gpt:1 id=1 score=0 | gpt:2 id=2 score=2`,
	},
	{
		`FT.SEARCH gpt "*=>[KNN 1 @vector $vec]" RETURN 2 id __vector_score PARAMS 2 vec $2 DIALECT 2`,
		`1 | gpt:2 id=2 __vector_score=0`,
	},
	{ // langchain's vector store: phrase prefilter, a field returned twice
		`FT.SEARCH lcvs "@_index_name:(\"lcvs\")=>[KNN 2 @embedding $vector AS vector_distance]" RETURN 4 text _metadata_json vector_distance vector_distance SORTBY vector_distance ASC DIALECT 2 LIMIT 0 2 PARAMS 2 vector $1`,
		`2 | lcvs:1 text=foo _metadata_json={} vector_distance=0 | lcvs:2 text=bar _metadata_json={} vector_distance=1`,
	},
	{
		`FT.SEARCH rt "@vector:[VECTOR_RANGE $distance_threshold $vector]=>{$YIELD_DISTANCE_AS: vector_distance}" RETURN 2 route_name vector_distance SORTBY vector_distance DIALECT 2 PARAMS 4 vector $1 distance_threshold 0.5`,
		`1 | rt:1 route_name=greet vector_distance=0`,
	},

	// Filters.
	{`FT.SEARCH ix1 "(@age:[1 3] (-@user:{u9}))" RETURN 2 user age SORTBY age ASC DIALECT 2 LIMIT 0 10`, `3 | doc:1 user=u1 age=1 | doc:2 user=u2 age=2 | doc:3 user=u1 age=3`},
	{`FT.SEARCH ix1 "(@age:[1 3] (-@user:{u1}))" RETURN 1 age SORTBY age DESC DIALECT 2 LIMIT 0 10`, `1 | doc:2 age=2`},
	{`FT.SEARCH ix1 "@loc:[-110 37 5 km]" NOCONTENT SORTBY age`, `2 | doc:1 | doc:2`},
	{`FT.SEARCH ix1 "@job:(eng*)" NOCONTENT SORTBY age`, `2 | doc:1 | doc:2`},
	{`FT.SEARCH ix1 "@job:(eng* | dev)" NOCONTENT SORTBY age`, `3 | doc:1 | doc:2 | doc:5`},
	{`FT.SEARCH ix1 "@user:{\\*}" RETURN 1 age`, `1 | doc:5 age=100`},
	{`FT.SEARCH ix1 "@user:{c\\ d}" NOCONTENT`, `1 | doc:6`},
	{`FT.SEARCH ix1 "@user:{a b | zz}" NOCONTENT`, `1 | doc:6`},
	{`FT.SEARCH mh "@session_tag:{02\\-X\\.y}" NOCONTENT`, `1 | mh:s2:1`},
	{`FT.SEARCH lcvs "@cat:{b}" NOCONTENT`, `1 | lcvs:1`},
	{`FT.SEARCH lcvs "@cat:{b\\,c}" NOCONTENT`, `1 | lcvs:2`},
	{`FT.SEARCH ix1 "@user:{u1|u2}" NOCONTENT DIALECT 2 LIMIT 0 0`, `3`},
	{`FT.SEARCH ix1 @user:{nobody} NOCONTENT DIALECT 2 LIMIT 0 0`, `0`},
	{`FT.SEARCH ix1 "@age:[(2 +inf]" NOCONTENT SORTBY age LIMIT 1 2`, `4 | doc:6 | doc:4`},
	{`FT.SEARCH ix1 "@age:[-inf (2]" RETURN 1 age`, `1 | doc:1 age=1`},
	{`FT.SEARCH ix1 "(@age:[18 18] | @age:[(99 inf])" NOCONTENT SORTBY age`, `2 | doc:4 | doc:5`},
	{`FT.SEARCH ix1 "@job:(%enginer%)" NOCONTENT SORTBY age`, `1 | doc:1`},
	{`FT.SEARCH ix1 "@job:(\"engineers build\")" NOCONTENT`, `1 | doc:2`},
	{`FT.SEARCH ix1 "@job:(\"build engineers\")" NOCONTENT`, `0`},
	{`FT.SEARCH ix1 "@user:{u1} ~@job:(dentist)" NOCONTENT`, `2 | doc:3 | doc:1`},
	{`FT.SEARCH ix1 "-@user:{u1}" NOCONTENT LIMIT 0 0`, `4`},
	{`FT.SEARCH ix1 engineer NOCONTENT SORTBY age`, `2 | doc:1 | doc:2`},
	{`FT.SEARCH ix1 "@job:(engineer | things)" SCORER BM25STD WITHSCORES RETURN 1 age DIALECT 2 LIMIT 0 10`, `2 | doc:1 2.86 age=1 | doc:2 2.26 age=2`},
	{`FT.SEARCH mh "@content:(first) AND @session_tag:{01M84}" SCORER BM25STD WITHSCORES RETURN 1 id`, `1 | mh:s1:1 1.56 id=mh1`},

	// SORTBY on fields that are not SORTABLE.
	{`FT.SEARCH mh @session_tag:{01M84} RETURN 3 role content id SORTBY timestamp DESC DIALECT 2 LIMIT 0 3`, `3 | mh:s1:3 role=user content=third words id=mh3 | mh:s1:2 role=llm content=Second words id=mh2 | mh:s1:1 role=user content=first words id=mh1`},
	{`FT.SEARCH mh @session_tag:{01M84} RETURN 1 id SORTBY id DESC LIMIT 0 2`, `3 | mh:s1:3 id=mh3 | mh:s1:2 id=mh2`},
	{`FT.SEARCH mh @session_tag:{01M84} NOCONTENT SORTBY content`, `3 | mh:s1:1 | mh:s1:2 | mh:s1:3`},
	{`FT.SEARCH mh @session_tag:{01M84} NOCONTENT SORTBY timestamp WITHSORTKEYS`, `3 | mh:s1:1 #1.5 | mh:s1:2 #2.5 | mh:s1:3 #3.5`},
	{`FT.SEARCH mh @session_tag:{01M84} NOCONTENT SORTBY id DESC WITHSORTKEYS LIMIT 0 1`, `3 | mh:s1:3 $mh3`},
	{`FT.SEARCH mh @session_tag:{01M84} NOCONTENT SORTBY tool_call_id WITHSORTKEYS LIMIT 0 1`, `3 | mh:s1:3 nil`},

	// What a row holds.
	{`FT.SEARCH mh * RETURN 1 id DIALECT 2 LIMIT 0 500`, `4 | mh:s1:3 id=mh3 | mh:s1:1 id=mh1 | mh:s1:2 id=mh2 | mh:s2:1 id=mh4`},
	{`FT.SEARCH mh "@id:{mh1}"`, `1 | mh:s1:1 role=user content=first words timestamp=1.50 session_tag=01M84 id=mh1`},
	{`FT.SEARCH mh "@id:{mh1}" RETURN 6 id AS x role AS y`, `1 | mh:s1:1 x=mh1 y=user`},
	{`FT.SEARCH mh "@id:{mh1}" RETURN 3 id nofield id`, `1 | mh:s1:1 id=mh1`},
	{`FT.SEARCH mh "@id:{mh1}" RETURN 0`, `1 | mh:s1:1`},
	{`FT.SEARCH mh "@id:{mh1}" WITHSCORES NOCONTENT`, `1 | mh:s1:1 1.20`},
	{`FT.SEARCH mh * NOCONTENT LIMIT 3 10`, `4 | mh:s2:1`},
	{`FT.SEARCH mh * NOCONTENT LIMIT 9 10`, `4`},
	{`FT.SEARCH mh * LIMIT 0 0`, `4`},
	{`FT.SEARCH mh * INKEYS 2 mh:s1:1 nokey NOCONTENT`, `1 | mh:s1:1`},
	{`FT.SEARCH mh * FILTER timestamp 2 (3.5 NOCONTENT`, `1 | mh:s1:2`},
	{`FT.SEARCH mh words NOCONTENT VERBATIM INFIELDS 1 metadata`, `0`},
	{`FT.SEARCH mh "the" NOCONTENT`, `0`},

	// Mistakes.
	{`FT.SEARCH none *`, `error: none: no such index`},
	{`FT.SEARCH mh "@nofield:{x}"`, `error: Unknown field at offset 0 near nofield`},
	{`FT.SEARCH mh "@id:{x"`, `error: Syntax error at offset 5 near x`},
	{`FT.SEARCH mh * SORTBY nofield`, "error: Property `nofield` not loaded nor in schema"},
	{`FT.SEARCH ix1 "*=>[KNN 3 @emb $vector AS d]" PARAMS 2 vector short`, `error: Error parsing vector similarity query: query vector blob size (5) does not match index's expected size (12).`},
	{`FT.SEARCH ix1 "*=>[KNN 3 @emb $vector AS d]" PARAMS 2 other x`, "error: No such parameter `vector`"},
	{`FT.SEARCH ix1 "*=>[KNN 3 @user $vector AS d]" PARAMS 2 vector $1`, "error: Expected a VECTOR field at offset 10 near user"},
	{`FT.SEARCH ix1 * LIMIT 0`, `error: LIMIT requires two arguments`},
	{`FT.SEARCH ix1 * LIMIT 0 -1`, `error: LIMIT needs two numeric arguments`},
	{`FT.SEARCH ix1 * NONSENSE`, "error: Unknown argument `NONSENSE` at position 1 for <main>"},
	{`FT.SEARCH ix1 * PARAMS 1 x`, `error: Parameters must be specified in PARAM VALUE pairs`},
	{`FT.SEARCH ix1 * SCORER nope NOCONTENT`, `error: No such scorer NOPE`},
}

func TestSearchShapes(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	shapesData(t, dial(t, s, client.Options{}))
	for proto := 2; proto <= 3; proto++ {
		c := dial(t, s, client.Options{Proto: proto})
		for _, x := range searchShapes {
			if got := searchReply(t, c, proto, split(x.query, shapeVectors...)); got != x.want {
				t.Errorf("RESP%d %.220s\n got %s\nwant %s", proto, x.query, got, x.want)
			}
		}
	}
}

// TestSearchShapesInTransaction asks the same inside MULTI.
func TestSearchShapesInTransaction(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	c := dial(t, s, client.Options{})
	shapesData(t, c)
	do(t, c, "MULTI")
	for _, x := range searchShapes {
		do(t, c, split(x.query, shapeVectors...)...)
	}
	v := do(t, c, "EXEC")
	for i, x := range searchShapes {
		alone, err := c.Do(split(x.query, shapeVectors...)...)
		if err != nil {
			alone = client.Value{Kind: client.ErrorKind, Str: err.Error()}
		}
		if v.Elems[i].String() != alone.String() {
			t.Errorf("%.200s\n in EXEC %v\n   alone %v", x.query, v.Elems[i], alone)
		}
	}
}

// TestCreateShapes creates indexes in every form that clients use, and in those
// that are refused, and drops them.
func TestCreateShapes(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	c := dial(t, s, client.Options{})
	f := func(line, want string) {
		t.Helper()
		v, err := c.Do(split(line)...)
		got := v.Str
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", line, got, want)
		}
		if want == "OK" && strings.HasPrefix(line, "FT.CREATE") {
			if _, err := c.Do("FT.DROPINDEX", split(line)[1]); err != nil {
				t.Errorf("FT.DROPINDEX after %s: %v", line, err)
			}
		}
	}
	const vec = " TYPE FLOAT32 DIM 3 DISTANCE_METRIC "
	for _, ok := range []string{
		`x ON HASH PREFIX 2 a: b: SCORE 1.0 SCHEMA t TEXT WEIGHT 1`,
		`x SCHEMA t TEXT`,
		`x ON HASH SCHEMA t TEXT NOSTEM SORTABLE`,
		`x ON HASH SCHEMA t TEXT WEIGHT 2.5 NOSTEM PHONETIC dm:en SORTABLE UNF NOINDEX`,
		`x ON HASH SCHEMA t TAG SEPARATOR ; CASESENSITIVE SORTABLE UNF NOINDEX`,
		`x ON HASH SCHEMA t TAG CASESENSITIVE SEPARATOR | INDEXMISSING INDEXEMPTY WITHSUFFIXTRIE n NUMERIC NOINDEX SORTABLE`,
		`x ON HASH SCHEMA long AS short TAG n AS m NUMERIC SORTABLE UNF INDEXMISSING`,
		`x ON HASH STOPWORDS 0 SCHEMA t TEXT`,
		`x ON HASH STOPWORDS 2 foo bar LANGUAGE german SCHEMA t TEXT`,
		`x ON HASH MAXTEXTFIELDS NOOFFSETS NOHL NOFIELDS NOFREQS SKIPINITIALSCAN SCHEMA t TEXT`,
		`x on hash prefix 1 d: schema v vector hnsw 6 type float32 dim 3 distance_metric cosine`,
		`x ON HASH SCHEMA v VECTOR FLAT 6` + vec + `IP`,
		`x ON HASH SCHEMA v VECTOR FLAT 10` + vec + `L2 INITIAL_CAP 1000 BLOCK_SIZE 1024`,
		`x ON HASH SCHEMA v VECTOR HNSW 16` + vec + `COSINE INITIAL_CAP 5 M 8 EF_CONSTRUCTION 100 EF_RUNTIME 20 EPSILON 0.1`,
		`x ON HASH SCHEMA v VECTOR HNSW 6 TYPE FLOAT64 DIM 3 DISTANCE_METRIC L2`,
		`x ON HASH SCHEMA v VECTOR FLAT 6 TYPE FLOAT64 DIM 3 DISTANCE_METRIC COSINE`,
		`x ON HASH SCHEMA v VECTOR FLAT 6 TYPE FLOAT16 DIM 3 DISTANCE_METRIC L2`,
		`x ON HASH SCHEMA v VECTOR HNSW 6 TYPE BFLOAT16 DIM 3 DISTANCE_METRIC L2`,
		`x ON HASH SCHEMA v VECTOR HNSW 8 TYPE FLOAT32 DIM 3 DISTANCE_METRIC L2 COMPRESSION SQ8`,
		`x ON HASH SCHEMA v VECTOR SVS-VAMANA 14 TYPE FLOAT32 DIM 8 DISTANCE_METRIC COSINE GRAPH_MAX_DEGREE 40 CONSTRUCTION_WINDOW_SIZE 250 SEARCH_WINDOW_SIZE 20 EPSILON 0.01`,
		`x ON HASH TEMPORARY 10 SCHEMA t TEXT`,
		`x ON JSON PREFIX 1 jd SCORE 1.0 SCHEMA $.user AS user TAG SEPARATOR , $.emb AS emb VECTOR FLAT 6` + vec + `COSINE`,
	} {
		f("FT.CREATE "+ok, "OK")
	}
	for refused, want := range map[string]string{
		`x ON HASH`:                     "No schema found",
		`x ON HASH SCHEMA`:              "Fields arguments are missing",
		`x ON TREE SCHEMA t TEXT`:       "Invalid rule type: TREE",
		`x ON HASH SCHEMA t`:            "Field `t` does not have a type",
		`x ON HASH SCHEMA t BLOB`:       "Invalid field type for field `t`",
		`x ON HASH SCHEMA t TEXT t TAG`: "Duplicate field in schema - t",
		`x ON HASH SCHEMA v VECTOR FLAT 4 TYPE FLOAT32 DIM 3`: "Missing mandatory parameter: cannot create FLAT index without specifying DISTANCE_METRIC argument",
		`x ON HASH SCHEMA v VECTOR FLAT 6` + vec + `HAMMING`:  "Bad arguments for vector similarity FLAT index `DISTANCE_METRIC`: Unknown argument",
	} {
		f("FT.CREATE "+refused, want)
	}
	if v := do(t, c, "FT._LIST"); len(v.Elems) != 0 {
		t.Errorf("indexes left: %v", v)
	}
	do(t, c, split("FT.CREATE twice ON HASH SCHEMA t TEXT")...)
	f("FT.CREATE twice ON HASH SCHEMA t TEXT", "Index already exists")
	f("FT.DROPINDEX twice", "OK")
	for _, line := range []string{"FT.INFO twice", "FT.DROPINDEX twice", "FT.DROPINDEX twice DD", "FT.TAGVALS twice t"} {
		_, err := c.Do(split(line)...)
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), "unknown index name") {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// TestInfoIsReadByPosition reads FT.INFO as redisvl does.
func TestInfoIsReadByPosition(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	shapesData(t, dial(t, s, client.Options{}))
	c := dial(t, s, client.Options{Proto: 2})
	do(t, c, split(`FT.CREATE opts ON HASH PREFIX 2 a: b: NOOFFSETS SCHEMA x AS y TEXT WEIGHT 2 NOSTEM SORTABLE tag TAG SEPARATOR ; CASESENSITIVE SORTABLE UNF num NUMERIC NOINDEX v VECTOR FLAT 6 TYPE FLOAT64 DIM 3 DISTANCE_METRIC L2`)...)
	info := func(name string) map[string]client.Value {
		v := do(t, c, "FT.INFO", name)
		if v.Kind != client.Array || len(v.Elems)%2 != 0 {
			t.Fatalf("FT.INFO %s: %c of %d", name, v.Kind, len(v.Elems))
		}
		m := map[string]client.Value{}
		for i := 0; i < len(v.Elems); i += 2 {
			m[v.Elems[i].Str] = v.Elems[i+1]
		}
		return m
	}
	m := info("ix1")
	if m["index_name"].Str != "ix1" {
		t.Errorf("index_name %v", m["index_name"])
	}
	f := func(got client.Value, want string) {
		t.Helper()
		if got.String() != want {
			t.Errorf("\n got %v\nwant %s", got, want)
		}
	}
	f(m["index_definition"], `*["key_type" "HASH" "prefixes" *["doc"] "default_score" "1" "indexes_all" "false"]`)
	want := []string{
		`*["identifier" "user" "attribute" "user" "type" "TAG" "SEPARATOR" ","]`,
		`*["identifier" "job" "attribute" "job" "type" "TEXT" "WEIGHT" "1"]`,
		`*["identifier" "age" "attribute" "age" "type" "NUMERIC" "SORTABLE" "UNF"]`,
		`*["identifier" "loc" "attribute" "loc" "type" "GEO"]`,
		`*["identifier" "emb" "attribute" "emb" "type" "VECTOR" "algorithm" "HNSW" "data_type" "FLOAT32" "dim" 3 "distance_metric" "COSINE" "M" 16 "ef_construction" 200]`,
	}
	for i, a := range m["attributes"].Elems {
		f(a, want[i])
	}
	for name, want := range map[string]string{
		"num_docs": "6", "percent_indexed": `"1"`, "hash_indexing_failures": "0", "indexing": "0",
	} {
		f(m[name], want)
	}
	for _, name := range strings.Fields(`num_docs num_terms max_doc_id num_records percent_indexed hash_indexing_failures
		number_of_uses bytes_per_record_avg doc_table_size_mb inverted_sz_mb key_table_size_mb offset_bits_per_record_avg
		offset_vectors_sz_mb offsets_per_term_avg records_per_doc_avg sortable_values_size_mb total_indexing_time
		total_inverted_index_blocks vector_index_sz_mb indexing`) {
		v, ok := m[name]
		if _, err := v.Float(); !ok || err != nil {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
	m = info("opts")
	f(m["index_options"], `*["NOOFFSETS"]`)
	f(m["index_definition"].Elems[3], `*["a:" "b:"]`)
	want = []string{
		`*["identifier" "x" "attribute" "y" "type" "TEXT" "WEIGHT" "2" "SORTABLE" "NOSTEM"]`,
		`*["identifier" "tag" "attribute" "tag" "type" "TAG" "SEPARATOR" ";" "CASESENSITIVE" "SORTABLE" "UNF"]`,
		`*["identifier" "num" "attribute" "num" "type" "NUMERIC" "NOINDEX"]`,
		`*["identifier" "v" "attribute" "v" "type" "VECTOR" "algorithm" "FLAT" "data_type" "FLOAT64" "dim" 3 "distance_metric" "L2"]`,
	}
	for i, a := range m["attributes"].Elems {
		f(a, want[i])
	}

	v := do(t, dial(t, s, client.Options{Proto: 3}), "FT.INFO", "opts")
	if v.Kind != client.Map {
		t.Fatalf("FT.INFO is a %c in RESP3", v.Kind)
	}
	attributes, _ := v.Get("attributes")
	for i, flags := range []string{`*["SORTABLE" "NOSTEM"]`, `*["CASESENSITIVE" "SORTABLE" "UNF"]`, `*["NOINDEX"]`, `*[]`} {
		a := attributes.Elems[i]
		got, ok := a.Get("flags")
		if a.Kind != client.Map || !ok || got.String() != flags {
			t.Errorf("attribute %d: %v", i, a)
		}
	}
	definition, _ := v.Get("index_definition")
	if p, ok := definition.Get("prefixes"); !ok || definition.Kind != client.Map || len(p.Elems) != 2 {
		t.Errorf("index_definition: %v", definition)
	}
}

func TestListsOfIndexesAndTags(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	shapesData(t, dial(t, s, client.Options{}))
	for proto, kind := range map[int]client.Kind{2: client.Array, 3: client.Set} {
		c, err := client.Dial(context.Background(), s.Addr(), client.Options{Proto: proto, Timeout: 2 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		f := func(want string, args ...any) {
			t.Helper()
			v, err := c.Do(args...)
			got := fmt.Sprint(err)
			if err == nil {
				var l []string
				for _, e := range v.Elems {
					l = append(l, e.Str)
				}
				got = strings.Join(l, " ")
				if v.Kind != kind {
					t.Errorf("%v is a %c", args, v.Kind)
				}
			}
			if got != want {
				t.Errorf("%v: %s, want %s", args, got, want)
			}
		}
		f("gpt ix1 lcvs llmcache mh rt", "FT._LIST")
		f("* a b c d u1 u2 u9", "FT.TAGVALS", "ix1", "user")
		f("a b b,c c", "FT.TAGVALS", "lcvs", "cat")
		f("Not a tag field", "FT.TAGVALS", "ix1", "job")
		f("No such field", "FT.TAGVALS", "ix1", "nofield")
		_ = c.Close()
	}
}
