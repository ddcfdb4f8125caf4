package json

import (
	"bytes"
	"math"
)

// function is a function of filters and projections. With another number of
// arguments than it takes it is nothing.
type function struct {
	min, max int
	run      func(q *Query, args []operand) operand
}

// functions lists them.
var functions = map[string]*function{
	"length":   {1, 1, length},
	"count":    {1, 1, func(q *Query, a []operand) operand { return q.int(int64(a[0].n)) }},
	"value":    {1, 1, value},
	"keys":     {1, 1, func(q *Query, a []operand) operand { return q.keys(&a[0]) }},
	"match":    {2, 2, func(q *Query, a []operand) operand { return q.matches(a, true) }},
	"search":   {2, 2, func(q *Query, a []operand) operand { return q.matches(a, false) }},
	"concat":   {1, math.MaxInt, concat},
	"abs":      {1, 1, abs},
	"ceiling":  {1, 1, func(q *Query, a []operand) operand { return q.rounded(&a[0], math.Ceil) }},
	"floor":    {1, 1, func(q *Query, a []operand) operand { return q.rounded(&a[0], math.Floor) }},
	"first":    {1, 1, func(_ *Query, a []operand) operand { return element(&a[0], 0) }},
	"last":     {1, 1, func(_ *Query, a []operand) operand { return element(&a[0], -1) }},
	"index":    {2, 2, index},
	"append":   {2, math.MaxInt, appended},
	"min":      {1, 1, func(_ *Query, a []operand) operand { return extreme(&a[0], -1) }},
	"max":      {1, 1, func(_ *Query, a []operand) operand { return extreme(&a[0], 1) }},
	"sum":      {1, 1, sum},
	"avg":      {1, 1, avg},
	"stddev":   {1, 1, stddev},
	"subsetof": {2, 2, func(q *Query, a []operand) operand { return q.related(opSubsetOf, a) }},
	"anyof":    {2, 2, func(q *Query, a []operand) operand { return q.related(opAnyOf, a) }},
	"noneof":   {2, 2, func(q *Query, a []operand) operand { return q.related(opNoneOf, a) }},
}

func (q *Query) callFunction(e *expr, current Node) operand {
	if len(e.args) < e.fn.min || len(e.args) > e.fn.max {
		return nothing
	}
	if q.visits++; q.visits > maxVisits {
		return nothing
	}
	args := make([]operand, len(e.args))
	for i, a := range e.args {
		args[i] = q.eval(a, current)
		q.effort(&args[i], true)
	}
	r := e.fn.run(q, args)
	for i := range args {
		q.done(&args[i])
	}
	return r
}

// project evaluates a path that computes a value.
func (q *Query) project() error {
	o := q.eval(q.path.expr, q.root)
	for i := range o.n {
		q.Nodes = append(q.Nodes, o.at(i))
	}
	q.done(&o)
	if q.visits > maxVisits {
		return ErrEffort
	}
	return nil
}

func length(q *Query, a []operand) operand {
	o := &a[0]
	if o.made {
		return q.int(int64(o.n))
	}
	if o.n != 1 {
		return nothing
	}
	n := lengthOf(o.at(0))
	if n < 0 {
		return nothing
	}
	return q.int(int64(n))
}

func value(_ *Query, a []operand) operand {
	if a[0].n != 1 {
		return nothing
	}
	return single(a[0].at(0), true)
}

// keys are the names of the members of all objects.
func (q *Query) keys(o *operand) operand {
	r := operand{list: q.take(), computed: true, made: true}
	for i := range o.n {
		n := o.at(i)
		if n.Kind() != Object {
			continue
		}
		block := n.word().place()
		for j := range n.Len() {
			if q.visits++; q.visits > maxVisits {
				break
			}
			r.list = append(r.list, Node{n.b, block + headLen + j*entrySize})
		}
	}
	r.n = len(r.list)
	return r
}

func (q *Query) matches(a []operand, whole bool) operand {
	for i := range a[0].n {
		for j := range a[1].n {
			if q.matchRegex(a[1].at(j), a[0].at(i), whole) {
				return q.bool(true)
			}
		}
	}
	return q.bool(false)
}

func (q *Query) related(o op, a []operand) operand {
	holds, ok := q.relate(o, &a[0], &a[1])
	return q.bool(ok && holds)
}

func concat(q *Query, a []operand) operand {
	var parts [][]byte
	for i := range a {
		if a[i].n != 1 || a[i].at(0).Kind() != String {
			return nothing
		}
		parts = append(parts, a[i].at(0).Bytes())
	}
	return q.string(bytes.Join(parts, nil))
}

func abs(q *Query, a []operand) operand {
	i, f, integer, ok := a[0].number()
	switch {
	case !ok || integer && i == math.MinInt64:
		return nothing
	case integer && i < 0:
		return q.int(-i)
	case integer:
		return q.int(i)
	}
	return q.float(math.Abs(f))
}

func (q *Query) rounded(o *operand, round func(float64) float64) operand {
	i, f, integer, ok := o.number()
	switch {
	case !ok:
		return nothing
	case integer:
		return q.int(i)
	}
	if f = round(f); math.Abs(f) >= 1<<63 {
		return nothing
	}
	return q.float(f)
}

func element(o *operand, i int) operand {
	n, at, ok := o.elements()
	if i < 0 {
		i += n
	}
	if !ok || i < 0 || i >= n {
		return nothing
	}
	return single(at(i), true)
}

func index(_ *Query, a []operand) operand {
	_, f, _, ok := a[1].number()
	if !ok || math.Abs(f) > math.MaxInt32 {
		return nothing
	}
	return element(&a[0], int(f))
}

// appended is an array, or what a path has chosen, and more.
func appended(q *Query, a []operand) operand {
	r := operand{list: q.take(), computed: true, made: true}
	o := &a[0]
	n, at, ok := o.elements()
	if !ok {
		n, at = o.n, o.at
	}
	for i := range n {
		if q.visits++; q.visits > maxVisits {
			break
		}
		r.list = append(r.list, at(i))
	}
	for i := range a[1:] {
		o := &a[1+i]
		if o.n != 1 || o.made {
			node, ok := q.array(o)
			if !ok {
				q.done(&r)
				return nothing
			}
			r.list = append(r.list, node)
			continue
		}
		r.list = append(r.list, o.at(0))
	}
	r.n = len(r.list)
	return r
}

// array makes one value of several.
func (q *Query) array(o *operand) (Node, bool) {
	if o.n == 0 && !o.made {
		return Node{}, false
	}
	v := Value{b: make([]byte, docHead)}
	var d Doc
	for i := range o.n {
		d.stack = append(d.stack, v.graft(o.at(i)))
	}
	d.b = v.b
	w, ok := d.closeArray(0)
	if !ok {
		return Node{}, false
	}
	putWord(d.b, 0, w)
	return d.Root(), true
}

// numbers calls f with each element of a list of numbers; false where there is any
// other, or none.
func (o *operand) numbers(f func(n Node, v float64)) bool {
	n, at, ok := o.elements()
	if !ok || n == 0 {
		return false
	}
	for i := range n {
		if _, ok := at(i).Float(); !ok {
			return false
		}
	}
	for i := range n {
		v, _ := at(i).Float()
		f(at(i), v)
	}
	return true
}

func extreme(o *operand, sign int) operand {
	var best Node
	ok := o.numbers(func(n Node, _ float64) {
		if !best.Valid() {
			best = n
		} else if c, _ := order(n, best); c*sign > 0 {
			best = n
		}
	})
	if !ok {
		return nothing
	}
	return single(best, true)
}

func sum(q *Query, a []operand) operand {
	var total int64
	var f float64
	integer := true
	ok := a[0].numbers(func(n Node, v float64) {
		f += v
		i, ok := n.Int()
		s := total + i
		integer = integer && ok && (s > total) == (i > 0)
		total = s
	})
	switch {
	case !ok:
		return nothing
	case integer:
		return q.int(total)
	}
	return q.float(f)
}

func mean(o *operand) (m float64, count int, ok bool) {
	ok = o.numbers(func(_ Node, v float64) {
		m += v
		count++
	})
	return m / float64(count), count, ok
}

func avg(q *Query, a []operand) operand {
	m, _, ok := mean(&a[0])
	if !ok {
		return nothing
	}
	return q.float(m)
}

func stddev(q *Query, a []operand) operand {
	m, count, ok := mean(&a[0])
	if !ok {
		return nothing
	}
	var squares float64
	a[0].numbers(func(_ Node, v float64) { squares += (v - m) * (v - m) })
	return q.float(math.Sqrt(squares / float64(count)))
}
