package server

import (
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nearcache/nearcache/index/query"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/index/search/searchtest"
	"github.com/nearcache/nearcache/resp/client"
)

// TestOracle asks FT.SEARCH what index/search asks the engine: there the answers are
// right for the values that it is given, here for hashes and for JSON, whose values are
// where the schema's paths are. See [searchtest.Queries] for how to ask more.
func TestOracle(t *testing.T) {
	var now atomic.Int64
	now.Store(1_700_000_000_000)
	s, _ := startAt(t, now.Load, nil, "--appendonly", "no", "--save", "")
	g := searchtest.NewGenerator(searchtest.Seed(), 11)
	c := dial(t, s, client.Options{})
	n := searchtest.Queries(400)
	for done := 0; done < n && !t.Failed(); done += 100 {
		do(t, c, "FLUSHALL")
		testOracle(t, c, g, &now, min(100, n-done), done%200 == 0)
	}
}

// createDrawn makes the index idx of a drawn schema, and its oracle.
func createDrawn(t *testing.T, c *client.Conn, g searchtest.Generator, json bool) *searchtest.Oracle {
	t.Helper()
	schema := g.Schema(json)
	create, parse := "FT.CREATE idx SCHEMA ", search.ParseSchema
	if json {
		create, parse = "FT.CREATE idx ON JSON SCHEMA ", search.ParseJSONSchema
	}
	do(t, c, split(create+schema)...)
	var args [][]byte
	for _, s := range strings.Fields(schema) {
		args = append(args, []byte(s))
	}
	parsed, err := parse(args)
	if err != nil {
		t.Fatal(schema, err)
	}
	return searchtest.New(parsed)
}

// hsetOf is the command that makes a hash of a document, which then has one value a field.
func hsetOf(name string, d searchtest.Doc, s *search.Schema) []any {
	hset := []any{"HSET", name, "other", "x"}
	for i := range s.Fields {
		if l := d[s.Fields[i].Name]; l != nil {
			d[s.Fields[i].Name] = l[:1]
			hset = append(hset, s.Fields[i].Identifier, l[0])
		}
	}
	return hset
}

func testOracle(t *testing.T, c *client.Conn, g searchtest.Generator, now *atomic.Int64, queries int, json bool) {
	o := createDrawn(t, c, g, json)
	expires := map[string]int64{}
	for range queries {
		for range g.IntN(6) {
			name := fmt.Sprint("k", g.IntN(60))
			do(t, c, "DEL", name)
			delete(o.Docs, name)
			delete(expires, name)
			d := g.Doc(json)
			switch {
			case g.IntN(5) == 0:
				continue
			case json:
				do(t, c, "JSON.SET", name, "$", d.JSON(g, o.Schema))
			default:
				do(t, c, hsetOf(name, d, o.Schema)...)
			}
			if o.Docs[name] = d; g.IntN(3) == 0 {
				expires[name] = now.Load() + 1 + int64(g.IntN(9))
				do(t, c, "PEXPIREAT", name, expires[name])
			}
		}
		if g.IntN(20) == 0 {
			group, words := fmt.Sprint(g.IntN(3)), []string{g.Word(), g.Word()}
			do(t, c, "FT.SYNUPDATE", "idx", group, words[0], words[1])
			o.Synonyms[group] = append(o.Synonyms[group], words...)
		}
		var over []string // their time is, but nobody has asked for them since
		at := now.Add(int64(g.IntN(2)))
		for name, end := range expires {
			if end <= at {
				over = append(over, name)
				delete(o.Docs, name)
				delete(expires, name)
			}
		}
		o.Count()
		askOracle(t, c, g, o, len(over) == 0)
		for _, name := range over {
			do(t, c, "EXISTS", name)
		}
		if t.Failed() {
			return
		}
	}
}

// askOracle compares what one search finds, and the scores.
func askOracle(t *testing.T, c *client.Conn, g searchtest.Generator, o *searchtest.Oracle, scores bool) {
	t.Helper()
	text, params := g.Query(o.Schema, g.IntN(4), true), g.Params()
	args := []any{"FT.SEARCH", "idx", text, "NOCONTENT", "WITHSCORES", "LIMIT", 0, 1000, "DIALECT", 2, "PARAMS", len(params)}
	for _, p := range params {
		args = append(args, string(p))
	}
	if o.Verbatim = g.IntN(8) == 0; o.Verbatim {
		args = append(args, "VERBATIM")
	}
	q, err := query.Parse([]byte(text), query.Options{Dialect: 2, Params: params, StopWord: o.Schema.StopWord})
	if err != nil {
		t.Fatal(text, err)
	}
	got := map[string]float64{}
	v := do(t, c, args...)
	rows, _ := v.Get("results")
	for _, r := range rows.Elems {
		id, _ := r.Get("id")
		score, _ := r.Get("score")
		got[id.Str], _ = score.Float()
	}
	if total, _ := v.Get("total_results"); int(total.Int) != len(got) {
		t.Errorf("%s: total %d of %d", text, total.Int, len(got))
	}
	for name, d := range o.Docs {
		w, want := 0.0, false
		if q.Root != nil {
			w, want = o.Match(q.Root, name)
		}
		score, found := got[name]
		delete(got, name)
		if found != want || found && scores && math.Abs(score-w) > 1e-9 {
			t.Errorf("%s\n%q: found %t with %v, want %t with %v", text, d, found, score, want, w)
		}
	}
	if len(got) > 0 {
		t.Errorf("%s: these are not there any more: %v", text, got)
	}
}
