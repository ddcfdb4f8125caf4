package server

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/index/query"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/index/search/searchtest"
	"github.com/nearcache/nearcache/resp/client"
)

// TestAggregateOracle asks FT.AGGREGATE for the rows of random pipelines, of hashes and of JSON, at once or
// by a cursor. See [searchtest.Queries] for how to ask more.
func TestAggregateOracle(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no", "--save", "")
	g := searchtest.NewGenerator(searchtest.Seed(), 13)
	c := dial(t, s, client.Options{})
	n := searchtest.Queries(600)
	for done := 0; done < n && !t.Failed(); done += 100 {
		do(t, c, "FLUSHALL")
		testAggregateOracle(t, c, g, min(100, n-done), done%200 == 100)
	}
}

func testAggregateOracle(t *testing.T, c *client.Conn, g searchtest.Generator, queries int, onJSON bool) {
	o := createDrawn(t, c, g, onJSON)
	var order []string // of writes
	for range queries {
		for range g.IntN(6) {
			name, d := fmt.Sprint("k", g.IntN(40)), g.Doc(false)
			do(t, c, "DEL", name)
			delete(o.Docs, name)
			if order = slices.DeleteFunc(order, func(s string) bool { return s == name }); g.IntN(5) == 0 {
				continue
			}
			o.Docs[name], order = d, append(order, name)
			if onJSON {
				delete(d, "v")
				do(t, c, "JSON.SET", name, "$", one(d, o.Schema))
				continue
			}
			do(t, c, hsetOf(name, d, o.Schema)...)
		}
		o.Count()
		askPipeline(t, c, g, o, order)
		if t.Failed() {
			return
		}
	}
}

// one is a document as JSON, with an array of one value where the schema's path goes through one.
func one(d searchtest.Doc, s *search.Schema) string {
	doc := map[string]any{"other": "x"}
	for i := range s.Fields {
		f := &s.Fields[i]
		l := d[f.Name]
		if l == nil {
			continue
		}
		var v any = l[0]
		if f.Type == search.TypeNumeric {
			v = json.Number(l[0])
		}
		if strings.HasSuffix(f.Identifier, "[*]") {
			v = []any{v}
		}
		doc[f.Name] = v
	}
	b, _ := json.Marshal(doc)
	return string(b)
}

// askPipeline compares the rows of one pipeline.
func askPipeline(t *testing.T, c *client.Conn, g searchtest.Generator, o *searchtest.Oracle, order []string) {
	t.Helper()
	p, text, params := g.Pipeline(o.Schema), "*", g.Params()
	if g.IntN(2) == 0 {
		text = g.Query(o.Schema, g.IntN(3), false)
	}
	q, err := query.Parse([]byte(text), query.Options{Dialect: 2, Params: params, StopWord: o.Schema.StopWord})
	if err != nil {
		t.Fatal(text, err)
	}
	docs, names := o.Matching(q.Root, order)
	want, total, failed := p.Run(docs, names)

	args := []any{"FT.AGGREGATE", "idx", text, "DIALECT", 2, "PARAMS", len(params)}
	for _, p := range params {
		args = append(args, string(p))
	}
	for _, a := range p.Args {
		args = append(args, a)
	}
	cursor := g.IntN(3) == 0
	if cursor {
		args = append(args, "WITHCURSOR", "COUNT", 1+g.IntN(30))
	}
	var rows []client.Value
	v, err := c.Do(args...)
	for id := int64(0); err == nil; v, err = c.Do("FT.CURSOR", "READ", "idx", id) {
		if err = v.Err(); err != nil {
			break
		}
		if cursor {
			v, id = v.Elems[0], v.Elems[1].Int
		}
		l, _ := v.Get("results")
		rows = append(rows, l.Elems...)
		if n, _ := v.Get("total_results"); !cursor && p.Total && int(n.Int) != total && failed == nil {
			t.Errorf("total %d, want %d", n.Int, total)
		}
		if id == 0 {
			break
		}
	}
	var got []searchtest.Row
	for i, r := range rows {
		r, _ = r.Get("extra_attributes")
		row := searchtest.Row{}
		for k := 0; k < len(r.Elems); k += 2 {
			var like any
			if i < len(want) {
				like = want[i][r.Elems[k].Str]
			}
			row[r.Elems[k].Str] = fromWire(r.Elems[k+1], like)
		}
		got = append(got, row)
	}
	if err = searchtest.Agree(got, err, want, failed); err != nil || t.Failed() {
		t.Errorf("%q\nof %d documents: %v", args, len(docs), err)
	}
}

// fromWire is a value as it came, where one like another was expected: numbers come as texts.
func fromWire(v client.Value, like any) any {
	switch w := like.(type) {
	case float64:
		if x, err := strconv.ParseFloat(v.Str, 64); err == nil {
			return x
		}
	case []any:
		l := []any{}
		for i, e := range v.Elems {
			var like any
			if i < len(w) {
				like = w[i]
			}
			l = append(l, fromWire(e, like))
		}
		return l
	case searchtest.Row:
		r := searchtest.Row{}
		for i := 0; i+1 < len(v.Elems); i += 2 {
			r[v.Elems[i].Str] = fromWire(v.Elems[i+1], w[v.Elems[i].Str])
		}
		return r
	case searchtest.Null:
		if v.IsNull() {
			return w
		}
	}
	return v.Str
}
