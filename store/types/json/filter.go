package json

import (
	"bytes"
	"cmp"
	"math"
	"regexp"
	"unicode/utf8"
)

// operand is what an expression has for one value: the values that a path has
// chosen, none, one or more, or what was computed.
type operand struct {
	one  Node
	list []Node // in place of one
	n    int
	// computed is not from a path: where it is nothing, no comparison holds.
	computed bool
	// made is a list that a function has made, not the values of a path.
	made bool
}

func (o *operand) at(i int) Node {
	if o.list != nil {
		return o.list[i]
	}
	return o.one
}

func single(n Node, computed bool) operand { return operand{one: n, n: 1, computed: computed} }

var nothing = operand{computed: true}

// test reports whether a filter holds for a value.
func (q *Query) test(e *expr, current Node) bool {
	switch e.op {
	case opNot:
		return !q.test(e.x, current)
	case opAnd:
		return q.test(e.x, current) && q.test(e.y, current)
	case opOr:
		return q.test(e.x, current) || q.test(e.y, current)
	case opPath:
		o := q.eval(e, current)
		defer q.done(&o)
		return o.n > 0
	}
	if e.logical() {
		return q.compare(e, current)
	}
	o := q.eval(e, current)
	defer q.done(&o)
	if o.n == 1 && o.computed && o.one.Valid() && o.one.Kind() == Bool {
		return o.one.Bool()
	}
	return o.n > 0
}

// eval is the value of an expression that is no condition. done must be called
// with it.
func (q *Query) eval(e *expr, current Node) operand {
	switch e.op {
	case opPath:
		from := current
		if e.fromRoot {
			from = q.root
		}
		return q.sub(e.segs, from)
	case opLiteral:
		return single(e.literal.Root(), true)
	case opCall:
		return q.callFunction(e, current)
	case opKeys:
		o := q.eval(e.x, current)
		defer q.done(&o)
		return q.keys(&o)
	case opNeg, opPlus:
		o := q.eval(e.x, current)
		defer q.done(&o)
		return q.signed(&o, e.op == opNeg)
	}
	x, y := q.eval(e.x, current), q.eval(e.y, current)
	defer q.done(&x)
	defer q.done(&y)
	return q.arithmetic(e.op, &x, &y)
}

// sub evaluates a path inside of a filter.
func (q *Query) sub(segs []segment, from Node) operand {
	n := from
	for i := range segs { // mostly there is one match at most
		s := &segs[i]
		if s.deep || s.kind != segName {
			return q.subList(segs[i:], n)
		}
		if q.visits++; q.visits > maxVisits {
			return operand{}
		}
		var ok bool
		if n, ok = n.Get(s.name); !ok {
			return operand{}
		}
	}
	return single(n, false)
}

func (q *Query) subList(segs []segment, from Node) operand {
	nodes, track, first := q.Nodes, q.track, q.first
	q.Nodes, q.track, q.first = q.take(), false, false
	q.walk(segs, from)
	o := operand{list: q.Nodes, n: len(q.Nodes)}
	q.Nodes, q.track, q.first = nodes, track, first
	if o.n <= 1 {
		if o.n == 1 {
			o.one = o.list[0]
		}
		q.give(o.list)
		o.list = nil
	}
	return o
}

func (q *Query) take() []Node {
	if n := len(q.pool); n > 0 {
		l := q.pool[n-1]
		q.pool = q.pool[:n-1]
		return l[:0]
	}
	return make([]Node, 0, 8)
}

func (q *Query) give(l []Node) {
	if l != nil && len(q.pool) < 8 {
		q.pool = append(q.pool, l)
	}
}

func (q *Query) done(o *operand) {
	q.give(o.list)
	o.list = nil
}

// compare reports whether a comparison holds: for any of the values on either side
// of it.
func (q *Query) compare(e *expr, current Node) bool {
	x, y := q.eval(e.x, current), q.eval(e.y, current)
	defer q.done(&x)
	defer q.done(&y)
	if x.computed && x.n == 0 || y.computed && y.n == 0 {
		return false
	}
	q.effort(&x, false)
	q.effort(&y, false)
	switch e.op {
	case opIn, opNin:
		return q.among(&x, &y) == (e.op == opIn)
	case opSubsetOf, opAnyOf, opNoneOf:
		holds, ok := q.relate(e.op, &x, &y)
		return ok && holds
	case opNe:
		if x.n == 0 || y.n == 0 {
			return x.n != y.n // something is not nothing
		}
	case opEq:
		if x.n == 0 && y.n == 0 {
			return false
		}
	}
	for i := range x.n {
		for j := range y.n {
			if q.visits++; q.visits > maxVisits {
				return false
			}
			if q.holds(e.op, x.at(i), y.at(j)) {
				return true
			}
		}
	}
	return false
}

// effort counts the work that an operand makes; elements says that those of an
// array are looked at.
func (q *Query) effort(o *operand, elements bool) {
	for i := range o.n {
		switch n := o.at(i); {
		case n.Kind() == String:
			q.visits += n.Len() >> 8
		case elements && n.Kind() == Array:
			q.visits += n.Len()
		}
	}
}

// matchRegex matches a string with an expression.
func (q *Query) matchRegex(pattern, s Node, whole bool) bool {
	if s.Kind() != String || pattern.Kind() != String {
		return false
	}
	p := pattern.Bytes()
	q.visits += (4 + s.Len()>>2) * (1 + len(p)>>5)
	return q.visits <= maxVisits && q.regex.match(p, s.Bytes(), whole)
}

// holds compares two values.
func (q *Query) holds(o op, x, y Node) bool {
	switch o {
	case opEq:
		return q.same(x, y)
	case opNe:
		return !q.same(x, y)
	case opRegex:
		return q.matchRegex(y, x, false)
	case opSizeOf:
		n, ok := sizeArg(y)
		return ok && lengthOf(x) == n
	case opEmpty:
		n := lengthOf(x)
		return n >= 0 && y.Kind() == Bool && y.Bool() == (n == 0)
	}
	c, ok := order(x, y)
	if !ok {
		return false
	}
	switch o {
	case opLt:
		return c < 0
	case opLe:
		return c <= 0
	case opGt:
		return c > 0
	}
	return c >= 0
}

func sizeArg(n Node) (int, bool) {
	f, ok := n.Float()
	return int(f), ok && math.Abs(f) < 1<<53
}

// lengthOf is the number of characters, elements or members; -1 for other values.
func lengthOf(n Node) int {
	switch n.Kind() {
	case String:
		return utf8.RuneCount(n.Bytes())
	case Array, Object:
		return n.Len()
	}
	return -1
}

// order compares two values of one kind; integers and floats are one. Arrays and
// objects have no order.
func order(x, y Node) (c int, ok bool) {
	k, l := x.Kind(), y.Kind()
	switch {
	case k == Integer && l == Integer:
		i, ok := x.Int()
		j, ok2 := y.Int()
		if ok && ok2 {
			return cmp.Compare(i, j), true
		}
		fallthrough
	case (k == Integer || k == Number) && (l == Integer || l == Number):
		f, _ := x.Float()
		g, _ := y.Float()
		return cmp.Compare(f, g), true
	case k != l:
		return 0, false
	}
	switch k {
	case Null:
		return 0, true
	case Bool:
		return cmp.Compare(x.word(), y.word()), true
	case String:
		return bytes.Compare(x.Bytes(), y.Bytes()), true
	}
	return 0, false
}

// same reports whether two values are equal, 1 and 1.0 included.
func (q *Query) same(x, y Node) bool {
	if q.visits++; q.visits > maxVisits {
		return false
	}
	k := x.Kind()
	if k != Array && k != Object {
		c, ok := order(x, y)
		return ok && c == 0
	}
	return k == y.Kind() && equalDeep(x, y, k, q.same)
}

// elements is a list of an operand: the elements of an array, or several values.
func (o *operand) elements() (n int, at func(i int) Node, ok bool) {
	if o.n == 1 && !o.made {
		one := o.at(0)
		if one.Kind() != Array {
			return 0, nil, false
		}
		return one.Len(), one.Elem, true
	}
	return o.n, o.at, o.n > 0 || o.made
}

// among reports whether a value is in a list.
func (q *Query) among(x, y *operand) bool {
	n, at, ok := y.elements()
	if !ok {
		return false
	}
	for i := range x.n {
		for j := range n {
			if q.same(x.at(i), at(j)) {
				return true
			}
		}
	}
	return false
}

// relate compares two lists as sets.
func (q *Query) relate(o op, x, y *operand) (holds, ok bool) {
	n, at, ok := x.elements()
	m, at2, ok2 := y.elements()
	if !ok || !ok2 {
		return false, false
	}
	all, any := true, false
	for i := range n {
		found := false
		for j := 0; j < m && !found; j++ {
			found = q.same(at(i), at2(j))
		}
		all, any = all && found, any || found
	}
	switch o {
	case opSubsetOf:
		return all, true
	case opAnyOf:
		return any, true
	}
	return !any, true
}

// Values that are computed lie in a document of their own.

func (q *Query) computed() *Doc {
	d := &q.values
	if len(d.b) == 0 || len(d.b) > 1<<20 { // values that are in use stand on the old one
		d.b = nil
		d.reset(256)
	}
	return d
}

// slot is a place for a word.
func (d *Doc) slot(w word) operand {
	at := len(d.b)
	d.b = grow(d.b, wordSize)
	putWord(d.b, at, w)
	return single(Node{d.b, at}, true)
}

func (q *Query) float(f float64) operand {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nothing
	}
	return q.computed().slot(floatWord(f))
}

func (q *Query) int(i int64) operand {
	d := q.computed()
	var w word
	d.b, w = putInt(d.b, i)
	return d.slot(w)
}

func (q *Query) bool(t bool) operand {
	w := word(wordFalse)
	if t {
		w = wordTrue
	}
	return q.computed().slot(w)
}

func (q *Query) string(s []byte) operand {
	d := q.computed()
	var w word
	d.b, w = putString(d.b, s)
	return d.slot(w)
}

// number is the one number of an operand.
func (o *operand) number() (i int64, f float64, integer, ok bool) {
	if o.n != 1 || o.made {
		return 0, 0, false, false
	}
	n := o.at(0)
	if i, ok = n.Int(); ok {
		return i, float64(i), true, true
	}
	f, ok = n.Float()
	return 0, f, false, ok
}

func (q *Query) signed(o *operand, negative bool) operand {
	i, f, integer, ok := o.number()
	switch {
	case !ok:
		return nothing
	case !negative:
		return single(o.at(0), true)
	case integer && i != math.MinInt64:
		return q.int(-i)
	}
	return q.float(-f)
}

func (q *Query) arithmetic(o op, x, y *operand) operand {
	i, f, integer, ok := x.number()
	j, g, integer2, ok2 := y.number()
	if !ok || !ok2 {
		return nothing
	}
	if integer && integer2 && o != opDiv {
		switch o {
		case opAdd:
			if s := i + j; (s > i) == (j > 0) {
				return q.int(s)
			}
		case opSub:
			if s := i - j; (s < i) == (j > 0) {
				return q.int(s)
			}
		case opMul:
			if p, ok := mulInt(i, j); ok {
				return q.int(p)
			}
		case opRem:
			if j == 0 || i == math.MinInt64 && j == -1 {
				return nothing
			}
			return q.int(i % j)
		}
	}
	switch o {
	case opAdd:
		return q.float(f + g)
	case opSub:
		return q.float(f - g)
	case opMul:
		return q.float(f * g)
	case opDiv:
		return q.float(f / g) // by zero: nothing
	}
	return q.float(math.Mod(f, g))
}

func mulInt(i, j int64) (int64, bool) {
	if i == 0 || j == 0 {
		return 0, true
	}
	p := i * j
	if p/j != i || i == -1 && j == math.MinInt64 || j == -1 && i == math.MinInt64 {
		return 0, false
	}
	return p, true
}

// regexes keeps the last expressions that were compiled.
type regexes struct {
	by map[string]*regexp.Regexp
}

// maxRegexes bounds what a query keeps: patterns may come from the document.
const maxRegexes = 64

// match reports whether s matches an expression, as a whole or in a part. What is
// no expression matches nothing.
func (r *regexes) match(pattern, s []byte, whole bool) bool {
	key := string(pattern)
	if whole {
		key = "^(?:" + key + ")$"
	}
	re, known := r.by[key]
	if !known {
		if len(key) <= maxPattern {
			re, _ = regexp.Compile(key)
		}
		if r.by == nil || len(r.by) >= maxRegexes {
			r.by = map[string]*regexp.Regexp{}
		}
		r.by[key] = re
	}
	return re != nil && re.Match(s)
}

// maxPattern is the longest expression: what it takes to compile and to match one
// grows with it.
const maxPattern = 1000
