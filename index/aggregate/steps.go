package aggregate

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/nearcache/nearcache/index/expr"
)

// Next makes the next row, which is valid until the next call. False at the end, or
// where Stop ended the query: see Late. After an error there is no more.
func (p *Pipeline) Next() (*Row, bool, error) {
	if p.ended {
		return nil, false, nil
	}
	ok, err := p.last.next(p, &p.row)
	if !ok || err != nil {
		p.ended = true
		return nil, false, err
	}
	return &p.row, true, nil
}

// Use says what documents are read with until the next call of Use.
func (p *Pipeline) Use(l Loader, stop func() bool) { p.loader, p.o.Stop = l, stop }

// Total is how many rows the last step but LIMIT makes, as far as it is known.
func (p *Pipeline) Total() int { return p.total }

// Late reports whether Stop ended the query before its end.
func (p *Pipeline) Late() bool { return p.late }

// Ended reports whether Next has come to its end.
func (p *Pipeline) Ended() bool { return p.ended }

// Held is about how many bytes the pipeline holds.
func (p *Pipeline) Held() int { return p.held + 1024 }

// Each calls f with each property that a row has, in the order of the reply.
func (p *Pipeline) Each(r *Row, f func(name string, v *expr.Value)) {
	for _, k := range p.lookup.keys {
		if k.slot < len(r.Vals) && !k.hidden && r.Vals[k.slot].Kind() != expr.Missing {
			f(k.name, &r.Vals[k.slot])
		}
	}
}

// Len is how many properties of a row Each calls f with.
func (p *Pipeline) Len(r *Row) (n int) {
	p.Each(r, func(string, *expr.Value) { n++ })
	return n
}

// hold counts bytes that stay.
func (p *Pipeline) hold(n int) error {
	if p.held += n; p.held > p.o.Budget {
		return errorf("Query holds too much memory: more than %d bytes", p.o.Budget)
	}
	return nil
}

// documents is the step that the source is.
type documents struct {
	look    *lookup
	metrics []float64
	slots   []int // of the metrics
	score   int   // -1: not wanted
	begun   bool
	ticks   int
}

func (s *documents) next(p *Pipeline, r *Row) (bool, error) {
	if !s.begun {
		s.begun = true
		p.total += p.o.Source.Total()
	}
	if s.ticks++; s.ticks&15 == 0 && p.o.Stop != nil && p.o.Stop() {
		p.late = true
	}
	if p.late || !p.o.Source.Next(&r.Doc, s.metrics) {
		return false, nil
	}
	if p.loader != nil {
		p.loader.Begin()
	}
	r.reset(s.look.width)
	p.seq++
	r.seq = p.seq
	for i, slot := range s.slots {
		if !math.IsNaN(s.metrics[i]) {
			r.Vals[slot] = expr.Num(s.metrics[i])
		}
	}
	if s.score >= 0 {
		r.Vals[s.score] = expr.Num(r.Doc.Score)
	}
	return true, nil
}

// reset makes the row one without values.
func (r *Row) reset(width int) {
	clear(r.Vals[:cap(r.Vals)])
	r.grow(width)
}

func (r *Row) grow(width int) {
	if width <= cap(r.Vals) {
		r.Vals = r.Vals[:width]
		return
	}
	r.Vals = append(r.Vals[:cap(r.Vals)], make([]expr.Value, width-cap(r.Vals))...)
}

// load reads fields.
type load struct {
	up    step
	wants []Want
	look  *lookup
	all   bool
}

// maxFields is how many properties the documents of a LOAD * may have between them.
const maxFields = 1 << 16

func (s *load) next(p *Pipeline, r *Row) (bool, error) {
	for {
		if ok, err := s.up.next(p, r); !ok || err != nil {
			return ok, err
		}
		r.grow(max(s.look.width, len(r.Vals)))
		here := true
		if len(s.wants) > 0 {
			here = p.loader.Load(r.Doc.Name, s.wants, r.Vals)
		}
		if here && s.all {
			var err error
			here = p.loader.LoadAll(r.Doc.Name, func(field string, v expr.Value) {
				k := s.look.byName[field]
				switch {
				case k == nil && s.look.width == maxFields:
					err = errorf("LOAD * of more than %d different fields", maxFields)
					return
				case k == nil:
					k = s.look.add(key{name: strings.Clone(field)})
				case k.made || k.loaded && r.Vals[k.slot].Kind() != expr.Missing:
					return
				}
				if k.numeric {
					if x, ok := v.Float(); ok {
						v = expr.Num(x)
					}
				}
				r.grow(max(len(r.Vals), k.slot+1))
				r.Vals[k.slot] = v
			})
			if err != nil {
				return false, err
			}
		}
		if here {
			return true, nil
		}
		p.total-- // it has just gone
	}
}

// apply adds a value.
type apply struct {
	up   step
	e    *expr.Expr
	slot int
	c    expr.Context
}

func (s *apply) next(p *Pipeline, r *Row) (bool, error) {
	if ok, err := s.up.next(p, r); !ok || err != nil {
		return ok, err
	}
	v, err := evaluate(p, s.e, &s.c, r)
	if err != nil {
		return false, err
	}
	r.grow(max(len(r.Vals), s.slot+1))
	r.Vals[s.slot] = v
	return true, nil
}

func evaluate(p *Pipeline, e *expr.Expr, c *expr.Context, r *Row) (expr.Value, error) {
	if c.Row = r.Vals; c.Terms == nil {
		c.Terms = func(most int) []string {
			if r.Doc.Name == "" {
				return nil
			}
			return p.o.Source.Terms(&r.Doc, most)
		}
	}
	return e.Eval(c)
}

// filter keeps rows.
type filter struct {
	up step
	e  *expr.Expr
	c  expr.Context
}

func (s *filter) next(p *Pipeline, r *Row) (bool, error) {
	for {
		if ok, err := s.up.next(p, r); !ok || err != nil {
			return ok, err
		}
		v, err := evaluate(p, s.e, &s.c, r)
		if err != nil {
			return false, err
		}
		if v.True() {
			return true, nil
		}
		p.total--
	}
}

// counter lets all rows pass by and hands none on.
type counter struct{ up step }

func (s *counter) next(p *Pipeline, r *Row) (bool, error) {
	for {
		if ok, err := s.up.next(p, r); !ok || err != nil {
			return false, err
		}
	}
}

// pager is LIMIT.
type pager struct {
	up         step
	skip, left int
	rest       bool // what is behind the limit is looked at too, to count it
}

func (s *pager) next(p *Pipeline, r *Row) (bool, error) {
	for ; s.skip > 0; s.skip-- {
		if ok, err := s.up.next(p, r); !ok || err != nil {
			return ok, err
		}
	}
	if s.left > 0 {
		s.left--
		return s.up.next(p, r)
	}
	for s.rest {
		ok, err := s.up.next(p, r)
		if s.rest = ok; err != nil {
			return false, err
		}
	}
	return false, nil
}

type sortSlot struct {
	slot int
	desc bool
}

// sorter is SORTBY: a heap of the rows that come first, the last of them on top.
type sorter struct {
	up     step
	keys   []sortSlot
	want   int
	rows   []Row
	sorted bool
	at     int
}

func (s *sorter) next(p *Pipeline, r *Row) (bool, error) {
	for !s.sorted {
		ok, err := s.up.next(p, r)
		if err != nil {
			return false, err
		}
		if !ok {
			slices.SortFunc(s.rows, func(a, b Row) int { return s.compare(&a, &b) })
			s.sorted = true
			break
		}
		if err := s.push(p, r); err != nil {
			return false, err
		}
	}
	if s.at == len(s.rows) {
		return false, nil
	}
	kept := s.rows[s.at]
	s.rows[s.at] = Row{}
	s.at++
	p.held -= kept.size()
	if p.loader != nil {
		p.loader.Begin()
	}
	r.reset(len(kept.Vals))
	copy(r.Vals, kept.Vals)
	p.seq++ // those behind have it come in the order it is in now
	r.Doc, r.seq = kept.Doc, p.seq
	return true, nil
}

func (r *Row) size() int {
	n := 80 + len(r.Doc.Name)
	for i := range r.Vals {
		n += r.Vals[i].Size()
	}
	return n
}

// clone is a copy that nobody else touches.
func (r *Row) clone() Row {
	n := len(r.Vals)
	for n > 0 && r.Vals[n-1].Kind() == expr.Missing {
		n--
	}
	c := Row{Vals: make([]expr.Value, n), Doc: r.Doc, seq: r.seq}
	for i := range c.Vals {
		c.Vals[i] = r.Vals[i].Clone()
	}
	return c
}

func (s *sorter) push(p *Pipeline, r *Row) error {
	if len(s.rows) < s.want {
		c := r.clone()
		s.rows = append(s.rows, c)
		for i := len(s.rows) - 1; i > 0; { // up
			above := (i - 1) / 2
			if s.compare(&s.rows[i], &s.rows[above]) <= 0 {
				break
			}
			s.rows[i], s.rows[above] = s.rows[above], s.rows[i]
			i = above
		}
		return p.hold(c.size())
	}
	if s.compare(r, &s.rows[0]) >= 0 {
		return nil
	}
	p.held -= s.rows[0].size()
	s.rows[0] = r.clone()
	err := p.hold(s.rows[0].size())
	for i := 0; ; { // down
		c := 2*i + 1
		if c >= len(s.rows) {
			return err
		}
		if c+1 < len(s.rows) && s.compare(&s.rows[c+1], &s.rows[c]) > 0 {
			c++
		}
		if s.compare(&s.rows[c], &s.rows[i]) <= 0 {
			return err
		}
		s.rows[i], s.rows[c] = s.rows[c], s.rows[i]
		i = c
	}
}

// compare orders two rows. A row without a value stands last either way, and so does
// NaN; rows that are equal stand in the order they came in, reversed if the last key
// is DESC.
func (s *sorter) compare(a, b *Row) int {
	for _, k := range s.keys {
		x, y := a.at(k.slot), b.at(k.slot)
		if last := rank(x); last > 0 || rank(y) > 0 {
			if c := last - rank(y); c != 0 {
				return c
			}
			continue
		}
		c, _ := expr.Compare(x, y, false)
		if k.desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	c := cmp.Compare(a.seq, b.seq)
	if n := len(s.keys); n > 0 && s.keys[n-1].desc {
		c = -c
	}
	return c
}

// rank tells the values that stand behind all others from those.
func rank(v *expr.Value) int {
	switch v.Kind() {
	case expr.Missing:
		return 2
	case expr.Number:
		if x, _ := v.Float(); math.IsNaN(x) {
			return 1
		}
	case expr.List:
		if l := v.List(); len(l) > 0 { // it is compared by its first element
			return rank(&l[0])
		}
	}
	return 0
}

var nothing expr.Value

func (r *Row) at(slot int) *expr.Value {
	if slot < len(r.Vals) {
		return &r.Vals[slot]
	}
	return &nothing
}
