package json

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strconv"
)

// ErrEffort is a path that visits more values than one command may.
var ErrEffort = errors.New("json: the path visits too many values")

// maxVisits is how many values one evaluation visits at most: some fifty
// milliseconds, and never more matches than that. Longer strings, and expressions
// above all, count as several.
const maxVisits = 1 << 20

// Step leads from an array or object to one of its values.
type Step struct {
	Key   []byte // nil in an array
	Index int
}

// Query evaluates paths. It is for one goroutine, and reused.
type Query struct {
	// Nodes are the matches, in the order of the document, a value as often as it
	// is matched. They are valid until the document changes, or the next query.
	Nodes []Node
	// Matches are where they lie, after Locate.
	Matches []Match

	path   *Path
	root   Node
	visits int
	track  bool
	steps  []Step // of all Matches
	trail  []Step // to where the evaluation is
	first  bool   // one match will do
	regex  regexes
	pool   [][]Node // for operands of filters
	values Doc      // computed
}

// Match is a place in a document that a path has matched.
type Match struct {
	Node Node
	q    *Query
	from int
	to   int
}

// Steps lead from the root to the match.
func (m Match) Steps() []Step { return m.q.steps[m.from:m.to] }

// Depth is the number of steps.
func (m Match) Depth() int { return m.to - m.from }

// Find evaluates a path for reading: the Nodes.
func (q *Query) Find(p *Path, root Node) error {
	q.start(p, root, false)
	if p.expr != nil {
		return q.project()
	}
	return q.run()
}

// First evaluates a path up to its first match; false where there is none.
func (q *Query) First(p *Path, root Node) (Node, bool, error) {
	q.start(p, root, false)
	q.first = true
	err := q.run()
	q.first = false
	if err != nil || len(q.Nodes) == 0 {
		return Node{}, false, err
	}
	return q.Nodes[0], true, nil
}

// Locate evaluates a path for changing what it matches: the Matches.
func (q *Query) Locate(p *Path, root Node) error {
	q.start(p, root, true)
	err := q.run()
	q.track = false
	return err
}

func (q *Query) start(p *Path, root Node, track bool) {
	q.Nodes, q.Matches, q.steps, q.trail = q.Nodes[:0], q.Matches[:0], q.steps[:0], q.trail[:0]
	q.path, q.root, q.visits, q.track = p, root, 0, track
	q.values.b = q.values.b[:0]
}

// maxKept is how many entries of a list a Query keeps for the next time.
const maxKept = 4096

// Release makes the query small, and forgets the document.
func (q *Query) Release() {
	q.root, q.path = Node{}, nil
	q.Nodes, q.Matches, q.steps, q.trail = release(q.Nodes), release(q.Matches), release(q.steps), release(q.trail)
	for i := range q.pool {
		q.pool[i] = release(q.pool[i])
	}
	q.regex = regexes{}
	if cap(q.values.b) > 64<<10 {
		q.values = Doc{}
	}
}

func release[T any](l []T) []T {
	if cap(l) > maxKept {
		return nil
	}
	clear(l)
	return l[:0]
}

func (q *Query) run() error {
	if !q.walk(q.path.segs, q.root) && !q.first {
		return ErrEffort
	}
	if q.visits > maxVisits {
		return ErrEffort
	}
	return nil
}

// walk follows the steps from a value. It returns false where the evaluation ends.
func (q *Query) walk(segs []segment, n Node) bool {
	if q.visits++; q.visits > maxVisits {
		return false
	}
	if len(segs) == 0 {
		return q.emit(n)
	}
	s := &segs[0]
	if !s.deep {
		return q.choose(s, segs[1:], n)
	}
	return q.descend(s, segs[1:], n)
}

func (q *Query) emit(n Node) bool {
	if q.track {
		from := len(q.steps)
		q.steps = append(q.steps, q.trail...)
		q.Matches = append(q.Matches, Match{n, q, from, len(q.steps)})
		return true
	}
	q.Nodes = append(q.Nodes, n)
	return !q.first
}

// descend applies a step to a value and to all below it.
func (q *Query) descend(s *segment, rest []segment, n Node) bool {
	if q.visits++; q.visits > maxVisits {
		return false
	}
	if !q.choose(s, rest, n) {
		return false
	}
	k := n.Kind()
	if k != Array && k != Object {
		return true
	}
	for i := range n.Len() {
		step, c := n.child(k, i)
		if kc := c.Kind(); kc != Array && kc != Object {
			continue // nothing can be chosen in it
		}
		q.push(step)
		ok := q.descend(s, rest, c)
		q.pop()
		if !ok {
			return false
		}
	}
	return true
}

func (q *Query) push(s Step) {
	if q.track {
		q.trail = append(q.trail, s)
	}
}

func (q *Query) pop() {
	if q.track {
		q.trail = q.trail[:len(q.trail)-1]
	}
}

// to follows the rest of the steps from a child.
func (q *Query) to(step Step, rest []segment, c Node) bool {
	q.push(step)
	ok := q.walk(rest, c)
	q.pop()
	return ok
}

// choose applies a step to one value.
func (q *Query) choose(s *segment, rest []segment, n Node) bool {
	k := n.Kind()
	switch {
	case s.kind == segName:
		if c, ok := n.Get(s.name); ok {
			return q.to(Step{Key: s.name}, rest, c)
		}
	case s.kind == segNames:
		for _, name := range s.names {
			if c, ok := n.Get(name); ok && !q.to(Step{Key: name}, rest, c) {
				return false
			}
		}
	case s.kind == segAll && (k == Array || k == Object):
		for i := range n.Len() {
			if step, c := n.child(k, i); !q.to(step, rest, c) {
				return false
			}
		}
	case s.kind == segFilter && (k == Array || k == Object):
		for i := range n.Len() {
			if q.visits++; q.visits > maxVisits {
				return false
			}
			if step, c := n.child(k, i); q.test(s.filter, c) && !q.to(step, rest, c) {
				return false
			}
		}
	case s.kind == segIndex && k == Array:
		length := n.Len()
		for _, i := range s.index {
			if i < 0 {
				i = max(0, i+length)
			}
			if i < length && !q.to(Step{Index: i}, rest, n.Elem(i)) {
				return false
			}
		}
	case s.kind == segSlice && k == Array:
		from, to := s.slice.bounds(n.Len())
		for i := from; i < to; i += s.slice.step {
			if !q.to(Step{Index: i}, rest, n.Elem(i)) {
				return false
			}
		}
	}
	return true
}

func (s *slice) bounds(length int) (from, to int) {
	clamp := func(i int) int {
		if i < 0 {
			return max(0, i+length)
		}
		return min(i, length)
	}
	if s.hasFrom {
		from = clamp(s.from)
	}
	if to = length; !s.defaultTo {
		to = clamp(s.to)
	}
	return from, to
}

// Resolve finds a match again in a document that has changed since; false where it
// is gone.
func (m Match) Resolve(root Node) (Node, bool) {
	n := root
	for _, s := range m.Steps() {
		if s.Key != nil {
			c, ok := n.Get(s.Key)
			if !ok {
				return Node{}, false
			}
			n = c
			continue
		}
		if n.Kind() != Array || s.Index >= n.Len() {
			return Node{}, false
		}
		n = n.Elem(s.Index)
	}
	return n, true
}

// compareSteps orders matches so that a change at one leaves those that come after
// it where they are: what lies deeper first, later elements of an array first. The
// order among keys is RedisJSON's, which shows in where they are afterwards.
func compareSteps(x, y []Step) int {
	for i := range min(len(x), len(y)) {
		if c := compareStep(x[i], y[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(y), len(x))
}

func compareStep(x, y Step) int {
	i, ok := x.number()
	j, ok2 := y.number()
	switch {
	case ok && ok2:
		return cmp.Compare(j, i)
	case ok:
		return 1
	case ok2:
		return -1
	}
	return bytes.Compare(x.Key, y.Key)
}

// number is an index, or a key that looks like one.
func (s Step) number() (uint64, bool) {
	if s.Key == nil {
		return uint64(s.Index), true
	}
	if len(s.Key) == 0 || len(s.Key) > 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.Key), 10, 64)
	return n, err == nil
}

// InOrder returns the numbers of the matches in an order in which they may be
// changed.
func (q *Query) InOrder() []int {
	order := make([]int, len(q.Matches))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return compareSteps(q.Matches[i].Steps(), q.Matches[j].Steps()) })
	return order
}

// Outermost leaves those matches that lie in no other, each once, in an order in
// which they may be changed.
func (q *Query) Outermost() {
	if len(q.Matches) < 2 {
		return
	}
	slices.SortStableFunc(q.Matches, func(x, y Match) int { return compareSteps(x.Steps(), y.Steps()) })
	// What lies in a match stands directly before it.
	kept := len(q.Matches)
	for i := len(q.Matches) - 1; i >= 0; i-- {
		if m := q.Matches[i]; kept == len(q.Matches) || !within(m.Steps(), q.Matches[kept].Steps()) {
			kept--
			q.Matches[kept] = m
		}
	}
	q.Matches = q.Matches[:copy(q.Matches, q.Matches[kept:])]
}

// within reports whether x lies in y, or is it.
func within(x, y []Step) bool {
	if len(x) < len(y) {
		return false
	}
	for i, s := range y {
		if (s.Key == nil) != (x[i].Key == nil) || s.Index != x[i].Index || !bytes.Equal(s.Key, x[i].Key) {
			return false
		}
	}
	return true
}
