package searchtest

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/index/aggregate"
	"github.com/nearcache/nearcache/index/search"
)

// Row is what a row of a pipeline has, by name: a float64, a string, [Null], or a []any of such; of
// COLLECT a []any of Rows. What it has not is missing.
type Row map[string]any

// Null is NULL.
type Null struct{}

// line is a row on its way.
type line struct {
	Row
	doc    Doc
	failed bool // an expression did: an error, if anybody gets to the row
}

// Pipeline is steps drawn by [Generator.Pipeline], as they are asked and as they are understood.
type Pipeline struct {
	Plan  aggregate.Plan
	Args  []string // of FT.AGGREGATE
	Total bool     // how many rows there are, LIMIT aside, is known, see Run

	steps   []func(l []line) []line
	total   int
	arrange *arrange // since the last GROUPBY
	filters bool     // a FILTER stands behind the last GROUPBY

	schema *search.Schema
	props  []prop
	rows   bool // a row is a document: fields of the schema may be loaded
	made   int  // names
}

// prop is a property that rows may have.
type prop struct {
	name string
	kind byte // 'n' a number, 't' a text, 'l' a list of texts
}

// errFailed is what an oracle knows of an error.
var errFailed = errors.New("an expression fails")

// Run makes the rows of documents that stand in the order of their writes, and counts them, LIMIT aside.
// It fails where an expression does, for a row that somebody asks for.
func (p *Pipeline) Run(docs []Doc, names []string) (rows []Row, total int, err error) {
	var l []line
	for i, d := range docs {
		l = append(l, line{Row: Row{"": names[i]}, doc: d})
	}
	p.total = len(l)
	for _, s := range p.steps {
		l = s(l)
	}
	for _, x := range l {
		if x.failed {
			return nil, 0, errFailed
		}
		delete(x.Row, "")
		rows = append(rows, x.Row)
	}
	return rows, p.total, nil
}

func (p *Pipeline) then(f func(l []line) []line) { p.steps = append(p.steps, f) }

// failing reports whether a row that is asked for fails.
func failing(l []line) bool { return slices.ContainsFunc(l, func(x line) bool { return x.failed }) }

// Pipeline draws one for a schema of hashes.
func (g Generator) Pipeline(s *search.Schema) *Pipeline {
	p := &Pipeline{schema: s, rows: true, Total: true}
	if g.IntN(5) > 0 {
		g.load(p)
	}
	for range g.IntN(6) {
		switch g.IntN(6) {
		case 0, 1:
			g.apply(p)
		case 2:
			g.filter(p)
		case 3, 4:
			g.group(p)
		case 5:
			if p.arrange == nil {
				g.arrange(p)
			}
		}
	}
	return p
}

func (p *Pipeline) step(s aggregate.Step, args ...string) {
	p.Plan.Steps = append(p.Plan.Steps, s)
	p.Args = append(p.Args, args...)
}

// set makes a property one of a kind; it may be there already.
func (p *Pipeline) set(name string, kind byte) {
	p.unset(name)
	p.props = append(p.props, prop{name, kind})
}

func (p *Pipeline) unset(name string) {
	p.props = slices.DeleteFunc(p.props, func(x prop) bool { return x.name == name })
}

func (p *Pipeline) name() string {
	p.made++
	return "p" + strconv.Itoa(p.made)
}

// fetch has a field of the schema, or the key, loaded as a property; folded is what it is sorted by.
func (p *Pipeline) fetch(field, as string, folded bool) {
	if field == "__key" {
		p.then(func(l []line) []line {
			for _, x := range l {
				x.Row[as] = x.Row[""]
			}
			return l
		})
		p.set(as, 't')
		return
	}
	f := p.schema.Field(field)
	folded = folded && f.Type != search.TypeNumeric && f.Sortable && !f.UNF
	p.then(func(l []line) []line {
		for _, x := range l {
			v, ok := x.doc[field]
			switch {
			case !ok:
			case f.Type == search.TypeNumeric:
				n, _ := strconv.ParseFloat(v[0], 64)
				x.Row[as] = n
			case folded:
				x.Row[as] = strings.ToLower(v[0])
			default:
				x.Row[as] = v[0]
			}
		}
		return l
	})
	p.set(as, p.kind(field))
}

// kind is that of a field of the schema.
func (p *Pipeline) kind(field string) byte {
	if p.schema.Field(field).Type == search.TypeNumeric {
		return 'n'
	}
	return 't'
}

func (p *Pipeline) has(name string) bool {
	return slices.ContainsFunc(p.props, func(x prop) bool { return x.name == name })
}

func (g Generator) load(p *Pipeline) {
	l := &aggregate.Load{}
	var args []string
	for _, f := range []string{"__key", "t0", "t1", "g0", "g1", "n0", "n1", "n0"} {
		if g.IntN(2) == 0 {
			continue
		}
		as := f
		args = append(args, "@"+f)
		if g.IntN(4) == 0 {
			as = p.name()
			args = append(args, "AS", as)
		}
		l.Fields = append(l.Fields, aggregate.LoadField{Path: f, As: as})
		if !p.has(as) {
			p.fetch(f, as, false)
		}
	}
	p.step(aggregate.Step{Load: l}, append([]string{"LOAD", strconv.Itoa(len(args))}, args...)...)
}

// any is a property that GROUPBY, SORTBY and reducers may name; a field of the schema is loaded for them.
func (g Generator) any(p *Pipeline, kinds string) (prop, bool) {
	l := slices.Clone(p.props)
	if p.rows && g.IntN(3) == 0 {
		for _, f := range []string{"t0", "t1", "g0", "g1", "n0", "n1"} {
			if !p.has(f) {
				l = append(l, prop{f, p.kind(f)})
			}
		}
	}
	l = slices.DeleteFunc(l, func(x prop) bool { return strings.IndexByte(kinds, x.kind) < 0 })
	if len(l) == 0 {
		return prop{}, false
	}
	x := l[g.IntN(len(l))]
	if !p.has(x.name) {
		p.fetch(x.name, x.name, true)
	}
	return x, true
}

func (g Generator) apply(p *Pipeline) {
	kind := "nt"[g.IntN(2)]
	var e expression
	switch {
	case g.IntN(8) == 0:
		kind, e = 'l', g.list(p)
	case kind == 'n':
		e = g.number(p, 2)
	default:
		e = g.words(p, 2)
	}
	as := p.name()
	if len(p.props) > 0 && g.IntN(5) == 0 {
		as = p.props[g.IntN(len(p.props))].name
	}
	p.then(func(l []line) []line {
		for i := range l {
			if x := &l[i]; !x.failed {
				switch v := e.eval(x.Row).(type) {
				case absent, failure:
					x.failed = true
				default:
					x.Row[as] = v
				}
			}
		}
		return l
	})
	p.set(as, kind)
	p.step(aggregate.Step{Apply: &aggregate.Apply{Expr: e.text, As: as}}, "APPLY", e.text, "AS", as)
}

func (g Generator) filter(p *Pipeline) {
	e := g.truth(p, 2)
	p.filters = true
	if p.arrange != nil {
		p.Total = false
	}
	p.then(func(l []line) []line {
		var out []line
		for _, x := range l {
			if !x.failed {
				v := e.eval(x.Row)
				switch v.(type) {
				case absent, failure:
					x.failed = true
				}
				if !x.failed && !isTrue(v) {
					p.total--
					continue
				}
			}
			out = append(out, x)
		}
		return out
	})
	p.step(aggregate.Step{Filter: &aggregate.Filter{Expr: e.text}}, "FILTER", e.text)
}

// arrange is SORTBY and LIMIT.
type arrange struct {
	keys       []sortKey
	skip, most int
}

type sortKey struct {
	name string
	desc bool
}

func (g Generator) arrange(p *Pipeline) {
	a, of := &arrange{}, aggregate.Arrange{}
	var args []string
	if g.IntN(4) > 0 {
		for range 1 + g.IntN(3) {
			x, ok := g.any(p, "ntl")
			if !ok {
				break
			}
			k := sortKey{x.name, g.IntN(2) == 0}
			args = append(args, "@"+x.name)
			if k.desc {
				args = append(args, "DESC")
			} else if g.IntN(2) == 0 {
				args = append(args, "ASC")
			}
			a.keys = append(a.keys, k)
			of.Keys = append(of.Keys, aggregate.SortKey{Name: k.name, Desc: k.desc})
		}
	}
	if args != nil {
		args = append([]string{"SORTBY", strconv.Itoa(len(args))}, args...)
		if g.IntN(3) == 0 {
			a.most = g.IntN(30)
			args = append(args, "MAX", strconv.Itoa(a.most))
			of.Limit = a.most
		}
	}
	if g.IntN(3) == 0 || a.keys == nil {
		a.skip, a.most = g.IntN(6), 1+g.IntN(25)
		of.Offset, of.Limit, of.Limited = a.skip, a.most, true
		args = append(args, "LIMIT", strconv.Itoa(a.skip), strconv.Itoa(a.most))
	}
	p.arrange = a
	counted := p.filters && a.keys == nil // what FILTER drops behind the limit counts
	p.then(func(l []line) []line {
		if a.keys != nil {
			if failing(l) {
				return []line{{failed: true}}
			}
			sortRows(l, a.keys, func(x line) Row { return x.Row })
			most := a.skip + a.most
			if most == 0 {
				most = 10
			}
			l = l[:min(most, len(l))]
		}
		if a.skip == 0 && (a.most == 0 || a.keys != nil) {
			return l
		}
		if pulled := l[:min(a.skip+a.most, len(l))]; failing(pulled) || counted && failing(l) {
			return []line{{failed: true}}
		}
		l = l[min(a.skip, len(l)):]
		return l[:min(a.most, len(l))]
	})
	p.step(aggregate.Step{Arrange: &of}, args...)
}

// sortRows sorts rows that stand in the order they came in: what is missing last, before it NaN. Equal ones stay in
// their order, or in the opposite one where the last key is DESC.
func sortRows[T any](l []T, keys []sortKey, of func(T) Row) {
	if len(keys) > 0 && keys[len(keys)-1].desc {
		slices.Reverse(l)
	}
	slices.SortStableFunc(l, func(a, b T) int {
		for _, k := range keys {
			x, okX := of(a)[k.name]
			y, okY := of(b)[k.name]
			c := cmp.Compare(last(x, okX), last(y, okY))
			if c == 0 && last(x, okX) == 0 {
				if c = compare(x, y); k.desc {
					c = -c
				}
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
}

func last(v any, ok bool) int {
	if l, is := v.([]any); is && len(l) > 0 {
		return last(l[0], true)
	}
	if x, is := v.(float64); is && math.IsNaN(x) {
		return 1
	}
	if !ok {
		return 2
	}
	return 0
}

// compare orders values of one kind, or NULL, which comes before all; lists by their first elements.
func compare(a, b any) int {
	if l, ok := a.([]any); ok {
		m, _ := b.([]any)
		if len(l) > 0 && len(m) > 0 {
			return compare(l[0], m[0])
		}
		return len(l) - len(m)
	}
	switch x := a.(type) {
	case float64:
		if y, ok := b.(float64); ok {
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0 // NaN is equal to all
		}
	case string:
		if y, ok := b.(string); ok {
			return cmp.Compare(x, y)
		}
	case Null:
		if _, ok := b.(Null); ok {
			return 0
		}
		return -1
	}
	return 1
}

// Show writes a value so that what is equal looks so.
func Show(v any) string {
	switch x := v.(type) {
	case float64:
		return figure(x)
	case string:
		return strconv.Quote(x)
	case []any:
		var l []string
		for _, e := range x {
			l = append(l, Show(e))
		}
		return "[" + strings.Join(l, " ") + "]"
	case Row:
		var l []string
		for k, e := range x {
			l = append(l, k+"="+Show(e))
		}
		slices.Sort(l)
		return "{" + strings.Join(l, " ") + "}"
	}
	return "NULL"
}

// same is what equal values have in common, and no others.
func same(v any) string {
	if x, ok := v.(float64); ok && x != 0 {
		return fmt.Sprintf("%x", math.Float64bits(x))
	}
	return Show(v)
}

// figure is a number as a reply has it.
func figure(x float64) string {
	switch {
	case math.IsInf(x, 0):
		return strings.TrimPrefix(strings.ToLower(fmt.Sprint(x)), "+")
	case math.IsNaN(x):
		return "nan"
	case x == math.Trunc(x) && math.Abs(x) < 1<<62:
		return strconv.FormatInt(int64(x), 10)
	}
	return strconv.FormatFloat(x, 'g', 12, 64)
}

// Agree tells whether a pipeline has failed where it had to (failed), and has given the rows that were wanted otherwise.
func Agree(got []Row, err error, want []Row, failed error) error {
	switch {
	case (err != nil) != (failed != nil):
		return fmt.Errorf("error %v, want %v", err, failed)
	case failed != nil:
		return nil
	}
	return Same(got, want)
}

// Same tells where rows that were got are others than those wanted. Sums of the same numbers in another order are the same.
func Same(got, want []Row) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d rows, want %d", len(got), len(want))
	}
	for i, w := range want {
		for name, v := range w {
			g, ok := got[i][name]
			if x, y := number(g), number(v); !ok || Show(g) != Show(v) && !(math.Abs(x-y) <= 1e-9*max(1, math.Abs(y))) {
				return fmt.Errorf("row %d: %s is %s, want %s", i, name, Show(g), Show(v))
			}
		}
		if len(got[i]) != len(w) {
			return fmt.Errorf("row %d is %s, want %s", i, Show(got[i]), Show(w))
		}
	}
	return nil
}

// number is a value that is one, or NaN.
func number(v any) float64 {
	if x, ok := v.(float64); ok {
		return x
	}
	return math.NaN()
}
