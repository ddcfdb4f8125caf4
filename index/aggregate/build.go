package aggregate

import (
	"math/rand/v2"
	"strings"

	"github.com/nearcache/nearcache/index/expr"
)

// Pipeline is a plan bound to a schema and to the documents of one query.
type Pipeline struct {
	o      Options
	last   step
	lookup *lookup // of the rows that come out
	loader Loader
	row    Row

	total int
	held  int // bytes
	seq   int
	ended bool
	late  bool // Stop ended it
}

// Row is one row.
type Row struct {
	Vals []expr.Value // by slot; may be shorter than there are slots
	Doc  Doc
	seq  int
}

// step is a step under way: it makes the next row, false if there is none any more.
type step interface {
	next(p *Pipeline, r *Row) (bool, error)
}

// builder is New under way.
type builder struct {
	p      *Pipeline
	look   *lookup
	last   step
	source *documents
	count  bool
	since  bool // a FILTER stands behind the last GROUPBY

	prefixed bool // of the plan
}

// New binds a plan. Its errors are an [*Error] or an [*expr.Error].
func New(plan Plan, o Options) (*Pipeline, error) {
	if o.Budget == 0 {
		o.Budget = DefaultBudget
	}
	if o.Random == nil {
		o.Random = rand.IntN
	}
	p := &Pipeline{o: o}
	b := &builder{p: p, look: newLookup(), count: plan.Count, prefixed: plan.Prefixed}
	b.look.schema, b.look.first = o.Schema, true
	src := &documents{metrics: make([]float64, len(o.Metrics))}
	for _, name := range o.Metrics {
		if _, ok := b.look.field(name); ok {
			return nil, errorf("Property `%s` already exists in schema", name)
		}
		k := b.look.write(name, false)
		if k == nil {
			return nil, errorf("Property `%s` specified more than once", name)
		}
		src.slots = append(src.slots, k.slot)
	}
	src.score = -1
	if o.ScoreAs != "" {
		src.score = b.look.write(o.ScoreAs, true).slot
	}
	src.look = b.look
	b.source = src
	b.then(src, "Index")
	for i := range plan.Steps {
		if err := b.step(&plan.Steps[i]); err != nil {
			return nil, err
		}
	}
	p.last, p.lookup = b.last, b.look
	return p, nil
}

func (b *builder) step(s *Step) error {
	switch {
	case s.Load != nil:
		return b.load(s.Load)
	case s.Apply != nil:
		e, err := b.bind(s.Apply.Expr)
		if err != nil {
			return err
		}
		b.then(&apply{up: b.last, e: e, slot: b.look.write(s.Apply.As, true).slot}, "Projector - "+e.Kind())
	case s.Filter != nil:
		e, err := b.bind(s.Filter.Expr)
		if err != nil {
			return err
		}
		b.then(&filter{up: b.last, e: e}, "Filter - "+e.Kind())
		b.since = true
	case s.Group != nil:
		return b.group(s.Group)
	case s.Arrange != nil:
		return b.arrange(s.Arrange)
	}
	return nil
}

// fetch loads what a step needs before it.
func (b *builder) fetch(wants []Want) {
	if len(wants) > 0 {
		b.then(&load{up: b.last, wants: wants, look: b.look}, "Loader")
	}
}

func (b *builder) load(s *Load) error {
	if !b.look.first {
		return errorf("LOAD cannot be applied after projectors or reducers")
	}
	var wants []Want
	for _, f := range s.Fields {
		if f.Path == b.p.o.Score && f.Path != "" {
			if f.As == f.Path {
				b.source.score = b.look.write(f.As, true).slot
			}
			continue
		}
		if _, want, _ := b.look.load(f.As, f.Path, false); want != nil {
			wants = append(wants, *want)
		}
	}
	if s.All {
		b.look.all = true
		b.then(&load{up: b.last, wants: wants, look: b.look, all: true}, "Loader")
		return nil
	}
	b.fetch(wants)
	return nil
}

// bind parses an expression and finds its properties.
func (b *builder) bind(text string) (*expr.Expr, error) {
	e, err := expr.Parse(text)
	if err != nil {
		return nil, err
	}
	var wants []Want
	err = e.Bind(func(name string) (int, bool) {
		k, want := b.look.read(name)
		if k == nil {
			return 0, false
		}
		if want != nil {
			wants = append(wants, *want)
		}
		return k.slot, true
	})
	if err != nil {
		return nil, err
	}
	b.fetch(wants)
	return e, nil
}

// slot is the property that GROUPBY, a reducer or SORTBY names: it is there, or it
// is a field of the schema and loaded.
func (b *builder) slot(name string, hidden bool, wants *[]Want) (int, bool) {
	k, want := b.look.read(name)
	if k == nil {
		if _, ok := b.look.field(name); !ok {
			return 0, false
		}
		k, want, _ = b.look.load(name, name, hidden)
	}
	if want != nil {
		*wants = append(*wants, *want)
	}
	return k.slot, true
}

func (b *builder) arrange(s *Arrange) error {
	want := s.Offset + s.Limit
	if want == 0 {
		want = defaultLimit
	}
	if b.count {
		b.then(&counter{up: b.last}, "Counter")
		return nil
	}
	if s.Keys != nil {
		srt := &sorter{up: b.last, want: want}
		var wants []Want
		for _, k := range s.Keys {
			slot, ok := b.slot(k.Name, false, &wants)
			if !ok {
				return errorf("Property `%s` not loaded nor in schema", k.Name)
			}
			srt.keys = append(srt.keys, sortSlot{slot, k.Desc})
		}
		b.fetch(wants)
		srt.up = b.last
		b.then(srt, "Sorter")
	}
	if s.Offset > 0 || s.Limit > 0 && s.Keys == nil {
		b.then(&pager{up: b.last, skip: s.Offset, left: s.Limit, rest: b.p.o.Exact && b.since && s.Keys == nil}, "Pager/Limiter")
	}
	return nil
}

// defaultLimit is how many rows SORTBY gives if nothing says how many.
const defaultLimit = 10

func (b *builder) group(s *Group) error {
	g := &grouper{groups: map[string]*group{}, order: nil}
	out := newLookup()
	var wants []Want
	for _, name := range s.By {
		slot, ok := b.slot(name, false, &wants)
		if !ok {
			return errorf("No such property `%s`", name)
		}
		k := out.write(name, false)
		if k == nil {
			return errorf("Property `%s` specified more than once", name)
		}
		g.by = append(g.by, slot)
	}
	for i := range s.Reduces {
		r := &s.Reduces[i]
		build := reducers[strings.ToUpper(r.Name)]
		if build == nil {
			return errorf("No such reducer: %s", r.Name)
		}
		a := &reduceArgs{name: r.Name, args: r.Args, b: b, wants: &wants}
		make, err := build(a)
		if err != nil {
			return err
		}
		if out.write(r.As, false) == nil {
			return errorf("Property `%s` specified more than once", r.As)
		}
		g.make = append(g.make, make)
	}
	b.fetch(wants)
	g.up = b.last
	b.then(g, "Grouper")
	b.look, b.since = out, false
	return nil
}

// Alias is the name of a reducer's value that was given none.
func Alias(name string, args []string) string {
	var s strings.Builder
	s.WriteString("__generated_alias")
	s.WriteString(name)
	for i, a := range args {
		if i > 0 {
			s.WriteByte(',')
		}
		s.WriteString(strings.TrimLeft(a, "@"))
	}
	return strings.ToLower(s.String())
}
