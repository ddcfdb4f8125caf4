package search_test

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/index/aggregate"
	"github.com/nearcache/nearcache/index/expr"
	"github.com/nearcache/nearcache/index/query"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/index/search/searchtest"
)

// TestAggregateOracle gives the rows of random pipelines over random queries, in their order.
func TestAggregateOracle(t *testing.T) {
	n := searchtest.Queries(3000)
	g := searchtest.NewGenerator(searchtest.Seed(), 12)
	for done := 0; done < n && !t.Failed(); done += 200 {
		testAggregateOracle(t, g, min(200, n-done))
	}
}

func testAggregateOracle(t *testing.T, g searchtest.Generator, queries int) {
	ix, o := newOracle(t, g.Schema(false))
	version := uint64(0)
	var order []string // of writes
	for range queries {
		for range g.IntN(4) {
			name, d := fmt.Sprint("k", g.IntN(40)), g.Doc(false)
			version++
			order = slices.DeleteFunc(order, func(s string) bool { return s == name })
			if g.IntN(5) == 0 {
				ix.Delete(name, version)
				delete(o.Docs, name)
				continue
			}
			if err := put(ix, name, version, 0, d); err != nil {
				t.Fatal(err)
			}
			o.Docs[name], order = d, append(order, name)
		}
		o.Count()
		p := g.Pipeline(o.Schema)
		text := "*"
		if g.IntN(2) == 0 {
			text = g.Query(o.Schema, g.IntN(3), false)
		}
		q, err := query.Parse([]byte(text), query.Options{Params: g.Params(), StopWord: ix.Schema().StopWord})
		if err != nil {
			t.Fatal(text, err)
		}
		docs, names := o.Matching(q.Root, order)
		want, total, failed := p.Run(docs, names)
		scan, err := ix.Scan(q, search.Options{})
		if err != nil {
			t.Fatal(text, err)
		}
		got, gotTotal, err := runPipeline(p.Plan, o, &scanned{scan}, reader{o, new([]byte)})
		scan.Close()
		err = searchtest.Agree(got, err, want, failed)
		if err == nil && failed == nil && p.Total && gotTotal != total {
			err = fmt.Errorf("total %d, want %d", gotTotal, total)
		}
		if err != nil {
			t.Fatalf("%s %s\nof %d documents: %v", text, strings.Join(p.Args, " "), len(docs), err)
		}
	}
}

func runPipeline(plan aggregate.Plan, o *searchtest.Oracle, s aggregate.Source, l aggregate.Loader) (rows []searchtest.Row, total int, err error) {
	schema := func(name string) (aggregate.Field, bool) {
		f := o.Schema.Field(name)
		if f == nil {
			return aggregate.Field{}, false
		}
		text := f.Type == search.TypeText || f.Type == search.TypeTag
		return aggregate.Field{Identifier: f.Identifier, Numeric: f.Type == search.TypeNumeric, Sortable: f.Sortable, Fold: text && f.Sortable && !f.UNF}, true
	}
	p, err := aggregate.New(plan, aggregate.Options{Schema: schema, Source: s, Exact: true})
	if err != nil {
		return nil, 0, err
	}
	p.Use(l, nil)
	for {
		r, ok, err := p.Next()
		if err != nil || !ok {
			return rows, p.Total(), err
		}
		row := searchtest.Row{}
		p.Each(r, func(name string, v *expr.Value) { row[name] = valueOf(v) })
		rows = append(rows, row)
	}
}

func valueOf(v *expr.Value) any {
	switch v.Kind() {
	case expr.Number:
		x, _ := v.Float()
		return x
	case expr.Text:
		s, _ := v.Text()
		return strings.Clone(s)
	case expr.List:
		l := []any{}
		for i := range v.List() {
			l = append(l, valueOf(&v.List()[i]))
		}
		return l
	case expr.Map:
		r, l := searchtest.Row{}, v.List()
		for i := 0; i < len(l); i += 2 {
			name, _ := l[i].Text()
			r[name] = valueOf(&l[i+1])
		}
		return r
	}
	return searchtest.Null{}
}

// scanned is a scan as a source.
type scanned struct{ *search.Scan }

func (s *scanned) Next(d *aggregate.Doc, _ []float64) (ok bool) {
	d.Name, d.Score, ok = s.Scan.Next(0, func(int, float64) {})
	return ok
}

func (s *scanned) Terms(d *aggregate.Doc, most int) []string { return s.Scan.Terms(d.Name, most) }

// reader reads the oracle's documents. A row's texts lie where the next row's will.
type reader struct {
	*searchtest.Oracle
	texts *[]byte
}

func (r reader) Begin() {
	for i := range *r.texts {
		(*r.texts)[i] = '#'
	}
}

func (r reader) Load(name string, wants []aggregate.Want, row []expr.Value) bool {
	for _, w := range wants {
		if w.Identifier == "__key" {
			row[w.Slot] = expr.Str(name)
			continue
		}
		f := slices.IndexFunc(r.Schema.Fields, func(f search.Field) bool { return f.Identifier == w.Identifier })
		v, ok := r.Docs[name].Value(&r.Schema.Fields[f])
		x, err := strconv.ParseFloat(string(v.Data), 64)
		switch {
		case !ok:
		case w.Numeric && err == nil && !math.IsNaN(x):
			row[w.Slot] = expr.Num(x)
		case w.Fold:
			row[w.Slot] = expr.Str(strings.ToLower(string(v.Data)))
		default:
			row[w.Slot] = expr.Str(string(v.Data))
		}
	}
	return r.Docs[name] != nil
}

func (reader) LoadAll(string, func(string, expr.Value)) bool { panic("not asked for") }
