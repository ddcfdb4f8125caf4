package aggregate

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/nearcache/nearcache/index/expr"
)

// accumulator gathers what a reducer makes of a group's rows.
type accumulator interface {
	add(p *Pipeline, r *Row) error
	value() expr.Value
}

// reducers is the table of REDUCE: each reads its arguments and makes a maker of
// accumulators.
var reducers = map[string]func(*reduceArgs) (func() accumulator, error){
	"COUNT":             buildCount,
	"COUNT_DISTINCT":    one(func(slot int) accumulator { return &distinct{slot: slot} }),
	"COUNT_DISTINCTISH": one(func(slot int) accumulator { return &distinctish{slot: slot} }),
	"SUM":               one(func(slot int) accumulator { return &sum{slot: slot} }),
	"AVG":               one(func(slot int) accumulator { return &sum{slot: slot, average: true} }),
	"MIN":               one(func(slot int) accumulator { return &extreme{slot: slot, best: math.Inf(1)} }),
	"MAX":               one(func(slot int) accumulator { return &extreme{slot: slot, best: math.Inf(-1), most: true} }),
	"STDDEV":            one(func(slot int) accumulator { return &deviation{slot: slot} }),
	"TOLIST":            one(func(slot int) accumulator { return &toList{slot: slot} }),
	"QUANTILE":          buildQuantile,
	"FIRST_VALUE":       buildFirstValue,
	"RANDOM_SAMPLE":     buildRandomSample,
	"COLLECT":           buildCollect,
}

// The reasons of RediSearch's argument reader.
const (
	errNoArg  = "Expected an argument, but none provided"
	errParse  = "Could not convert argument to expected type"
	errBounds = "Value is outside acceptable bounds"
)

// maxSample is RediSearch's MAX_SAMPLE_SIZE.
const maxSample = 1000

// reduceArgs reads the arguments of a reducer.
type reduceArgs struct {
	name  string
	args  []string
	at    int
	b     *builder
	wants *[]Want
}

func (a *reduceArgs) more() bool { return a.at < len(a.args) }

func (a *reduceArgs) accept(word string) bool {
	if a.more() && strings.EqualFold(a.args[a.at], word) {
		a.at++
		return true
	}
	return false
}

// key reads a property.
func (a *reduceArgs) key() (int, error) {
	if !a.more() {
		return 0, errorf("Missing arguments for %s", a.name)
	}
	name, prefixed := strings.CutPrefix(a.args[a.at], "@")
	a.at++
	if a.b.prefixed && !prefixed && !strings.HasPrefix(name, "$") {
		return 0, errorf("Missing prefix: name requires '@' prefix, JSON path require '$' prefix, got: %s in %s", name, a.name)
	}
	slot, ok := a.b.slot(name, true, a.wants)
	if !ok {
		return 0, errorf("Property is not preset in document or pipeline: `%s`", name)
	}
	return slot, nil
}

// number reads a number; what names it in messages.
func (a *reduceArgs) number(what string) (float64, error) {
	if !a.more() {
		return 0, errorf("Bad arguments for %s: %s", what, errNoArg)
	}
	x, err := strconv.ParseFloat(a.args[a.at], 64)
	if err != nil {
		return 0, errorf("Bad arguments for %s: %s", what, errParse)
	}
	a.at++
	return x, nil
}

// integer reads a number that is not negative.
func (a *reduceArgs) integer(what string) (int, error) {
	if !a.more() {
		return 0, errorf("Bad arguments for %s: %s", what, errNoArg)
	}
	x, err := strconv.Atoi(a.args[a.at])
	if err != nil {
		return 0, errorf("Bad arguments for %s: %s", what, errParse)
	}
	if x < 0 {
		return 0, errorf("Bad arguments for %s: %s", what, errBounds)
	}
	a.at++
	return x, nil
}

// done checks that nothing is left.
func (a *reduceArgs) done() error {
	if a.more() {
		return errorf("Unknown argument `%s` at position %d for %s", a.args[a.at], a.at, a.name)
	}
	return nil
}

// one is a reducer of one property.
func one(f func(slot int) accumulator) func(*reduceArgs) (func() accumulator, error) {
	return func(a *reduceArgs) (func() accumulator, error) {
		slot, err := a.key()
		if err == nil {
			err = a.done()
		}
		return func() accumulator { return f(slot) }, err
	}
}

type count struct{ n int }

func buildCount(a *reduceArgs) (func() accumulator, error) {
	if a.more() {
		return nil, errorf("Count accepts 0 values only")
	}
	return func() accumulator { return new(count) }, nil
}

func (c *count) add(*Pipeline, *Row) error { c.n++; return nil }
func (c *count) value() expr.Value         { return expr.Num(float64(c.n)) }

// sum is SUM and AVG.
type sum struct {
	slot    int
	average bool
	n       int
	total   float64
}

func (s *sum) add(_ *Pipeline, r *Row) error {
	if x, ok := r.at(s.slot).Float(); ok {
		s.total += x
		s.n++
	}
	return nil
}

func (s *sum) value() expr.Value {
	switch {
	case s.n == 0:
		return expr.Num(math.NaN())
	case s.average:
		return expr.Num(s.total / float64(s.n))
	}
	return expr.Num(s.total)
}

// extreme is MIN and MAX.
type extreme struct {
	slot int
	most bool
	best float64
}

func (e *extreme) add(_ *Pipeline, r *Row) error {
	if x, ok := r.at(e.slot).Float(); ok && (e.most && x > e.best || !e.most && x < e.best) {
		e.best = x
	}
	return nil
}

func (e *extreme) value() expr.Value { return expr.Num(e.best) }

// deviation is STDDEV, of a sample, by Welford's method.
type deviation struct {
	slot        int
	n           int
	mean, total float64
}

func (d *deviation) add(_ *Pipeline, r *Row) error {
	numbers(r.at(d.slot), func(x float64) {
		d.n++
		before := x - d.mean
		d.mean += before / float64(d.n)
		d.total += before * (x - d.mean)
	})
	return nil
}

func (d *deviation) value() expr.Value {
	if d.n < 2 {
		return expr.Num(0)
	}
	return expr.Num(math.Sqrt(d.total / float64(d.n-1)))
}

// numbers calls f with the numbers of a value, which may be a list.
func numbers(v *expr.Value, f func(float64)) {
	if v.Kind() != expr.List {
		if x, ok := v.Float(); ok {
			f(x)
		}
		return
	}
	for i := range v.List() {
		if x, ok := v.List()[i].Float(); ok {
			f(x)
		}
	}
}

// distinct is COUNT_DISTINCT. It keeps hashes of 64 bits, as RediSearch does.
type distinct struct {
	slot int
	seen map[uint64]struct{}
	key  []byte
}

func (d *distinct) add(p *Pipeline, r *Row) error {
	v := r.at(d.slot)
	if v.IsNull() {
		return nil
	}
	d.key = v.AppendKey(d.key[:0])
	if d.seen == nil {
		d.seen = map[uint64]struct{}{}
	}
	before := len(d.seen)
	d.seen[xxh3.Hash(d.key)] = struct{}{}
	return p.hold(24 * (len(d.seen) - before))
}

func (d *distinct) value() expr.Value { return expr.Num(float64(len(d.seen))) }

// toList is TOLIST: the distinct values, of a list its elements.
type toList struct {
	slot int
	seen map[string]struct{}
	list []expr.Value
	key  []byte
}

func (t *toList) add(p *Pipeline, r *Row) error {
	v := r.at(t.slot)
	switch v.Kind() {
	case expr.Missing:
		return nil
	case expr.List:
		for i := range v.List() {
			if err := t.put(p, &v.List()[i]); err != nil {
				return err
			}
		}
		return nil
	}
	return t.put(p, v)
}

func (t *toList) put(p *Pipeline, v *expr.Value) error {
	t.key = v.AppendKey(t.key[:0])
	if _, ok := t.seen[string(t.key)]; ok {
		return nil
	}
	if t.seen == nil {
		t.seen = map[string]struct{}{}
	}
	t.seen[string(t.key)] = struct{}{}
	t.list = append(t.list, v.Clone())
	return p.hold(2*v.Size() + 24)
}

func (t *toList) value() expr.Value { return expr.Vals(t.list) }

// firstValue is FIRST_VALUE.
type firstValue struct {
	slot, by int // by: -1 for none
	desc     bool
	begun    bool
	held     int
	best     expr.Value
	key      expr.Value
}

func buildFirstValue(a *reduceArgs) (func() accumulator, error) {
	f := firstValue{by: -1}
	var err error
	if f.slot, err = a.key(); err != nil {
		return nil, err
	}
	if a.accept("BY") {
		if f.by, err = a.key(); err != nil {
			return nil, err
		}
		if f.desc = a.accept("DESC"); !f.desc {
			a.accept("ASC")
		}
	}
	return func() accumulator { c := f; return &c }, a.done()
}

func (f *firstValue) add(p *Pipeline, r *Row) error {
	if f.by < 0 {
		if f.begun {
			return nil
		}
		return f.take(p, r, nil)
	}
	key := r.at(f.by)
	switch {
	case !f.begun:
	case key.IsNull():
		return nil
	case f.key.IsNull():
	default:
		c, _ := expr.Compare(key, &f.key, false)
		if f.desc {
			c = -c
		}
		if c >= 0 {
			return nil
		}
	}
	return f.take(p, r, key)
}

func (f *firstValue) take(p *Pipeline, r *Row, key *expr.Value) error {
	f.begun = true
	f.best = r.at(f.slot).Clone()
	n := f.best.Size()
	if key != nil {
		f.key = key.Clone()
		n += f.key.Size()
	}
	err := p.hold(n - f.held)
	f.held = n
	return err
}

func (f *firstValue) value() expr.Value {
	if f.best.IsNull() {
		return expr.Nil()
	}
	return f.best
}

// randomSample is RANDOM_SAMPLE: a reservoir.
type randomSample struct {
	slot, most int
	seen       int
	list       []expr.Value
}

func buildRandomSample(a *reduceArgs) (func() accumulator, error) {
	slot, err := a.key()
	if err != nil {
		return nil, err
	}
	most, err := a.integer("<sample size>")
	if err != nil {
		return nil, err
	}
	if most > maxSample {
		return nil, errorf("Sample size too large")
	}
	return func() accumulator { return &randomSample{slot: slot, most: most} }, a.done()
}

func (s *randomSample) add(p *Pipeline, r *Row) error {
	v := r.at(s.slot)
	if v.Kind() == expr.Missing {
		return nil
	}
	s.seen++
	if len(s.list) < s.most {
		s.list = append(s.list, v.Clone())
		return p.hold(v.Size())
	}
	if i := p.o.Random(s.seen); i < s.most {
		n := v.Size() - s.list[i].Size()
		s.list[i] = v.Clone()
		return p.hold(n)
	}
	return nil
}

func (s *randomSample) value() expr.Value { return expr.Vals(s.list) }

// collect is COLLECT: the rows of a group, of which some properties.
type collect struct {
	names []expr.Value
	slots []int
	sort  sorter
	skip  int
	limit bool
}

// errStar is RediSearch's, up to 8.10.
var errStar = errorf("COLLECT does not yet support `*` in FIELDS")

func buildCollect(a *reduceArgs) (func() accumulator, error) {
	var c collect
	if !a.accept("FIELDS") {
		return nil, errorf("Bad arguments for COLLECT: FIELDS: Required argument missing")
	}
	if a.more() && a.args[a.at] == "*" {
		return nil, errStar
	}
	n, err := a.counted("FIELDS", 1, len(a.args))
	if err != nil {
		return nil, err
	}
	for range n {
		name := a.args[a.at]
		if name == "*" {
			return nil, errStar
		}
		if !strings.HasPrefix(name, "@") {
			return nil, errorf("Missing prefix: name requires '@' prefix (%s)", name)
		}
		slot, err := a.key()
		if err != nil {
			return nil, err
		}
		c.names, c.slots = append(c.names, expr.Str(name[1:])), append(c.slots, slot)
	}
	for a.more() {
		switch {
		case a.accept("SORTBY"):
			n, err := a.counted("SORTBY", 1, 2*MaxKeys)
			if err != nil {
				return nil, err
			}
			for end := a.at + n; a.at < end; {
				if !strings.HasPrefix(a.args[a.at], "@") {
					return nil, errorf("Missing prefix: name requires '@' prefix (%s)", a.args[a.at])
				}
				if len(c.sort.keys) == MaxKeys {
					return nil, errorf("SORTBY exceeds maximum of %d fields", MaxKeys)
				}
				slot, err := a.key()
				if err != nil {
					return nil, err
				}
				k := sortSlot{slot: slot}
				if a.at < end {
					if k.desc = a.accept("DESC"); !k.desc {
						a.accept("ASC")
					}
				}
				c.sort.keys = append(c.sort.keys, k)
			}
		case a.accept("LIMIT"):
			if c.skip, err = a.integer("LIMIT"); err != nil {
				return nil, errorf("LIMIT offset must be a non-negative integer")
			}
			if c.sort.want, err = a.integer("LIMIT"); err != nil || c.sort.want == 0 {
				return nil, errorf("LIMIT count must be a positive integer")
			}
			c.limit = true
			c.sort.want += c.skip
		default:
			return nil, a.done()
		}
	}
	if !c.limit {
		c.sort.want = math.MaxInt
	}
	return func() accumulator { d := c; return &d }, nil
}

// counted reads how many of the following arguments belong together.
func (a *reduceArgs) counted(what string, least, most int) (int, error) {
	n, err := a.integer("COLLECT: " + what)
	if err != nil {
		return 0, err
	}
	if n < least || n > most {
		return 0, errorf("Bad arguments for COLLECT: %s: %s", what, errBounds)
	}
	if n > len(a.args)-a.at {
		return 0, errorf("Bad arguments for COLLECT: %s: %s", what, errNoArg)
	}
	return n, nil
}

func (c *collect) add(p *Pipeline, r *Row) error {
	if len(c.sort.keys) == 0 && len(c.sort.rows) >= c.sort.want {
		return nil
	}
	return c.sort.push(p, r)
}

func (c *collect) value() expr.Value {
	rows := c.sort.rows
	slices.SortFunc(rows, func(a, b Row) int { return c.sort.compare(&a, &b) })
	rows = rows[min(c.skip, len(rows)):]
	list := make([]expr.Value, len(rows))
	for i := range rows {
		var pairs []expr.Value
		for k, slot := range c.slots {
			if v := rows[i].at(slot); v.Kind() != expr.Missing {
				pairs = append(pairs, c.names[k], *v)
			}
		}
		list[i] = expr.Pairs(pairs)
	}
	return expr.Vals(list)
}
