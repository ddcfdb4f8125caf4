package search

import (
	"cmp"
	"slices"
	"strings"

	"github.com/nearcache/nearcache/index/attr"
	"github.com/nearcache/nearcache/index/query"
)

// by says what rows are ordered by.
type by uint8

const (
	byWrite by = iota
	byScore
	byDistance
	byNumber
	byText
	byLoad
	byName
)

type order struct {
	by   by
	desc bool
	col  int
	a    *attribute
}

// orderOf finds out what to sort by.
func (e *exec) orderOf(knn bool) (order, error) {
	name := strings.TrimPrefix(e.o.SortBy, "@")
	o := order{desc: e.o.Desc, col: -1}
	if name == "" {
		o.desc = false
		switch {
		case knn:
			o.by, o.col = byDistance, e.main
		case e.root != nil && !e.o.byWrite && e.ranks(e.root):
			o.by = byScore
		}
		return o, nil
	}
	for i, c := range e.cols {
		if c.name == name {
			o.by, o.col = byDistance, i
			return o, nil
		}
	}
	a := e.ix.byName[name]
	switch {
	case a == nil && name == "__score":
		o.by, o.desc = byScore, !e.o.Desc // best first is score's own order
		return o, nil
	case a == nil && name == "__key":
		o.by = byName
		return o, nil
	case a == nil:
		return o, errorf("Property `%s` not loaded nor in schema", name)
	case a.nums != nil:
		o.by = byNumber
	case a.Sortable && (a.Type == TypeText || a.Type == TypeTag):
		o.by = byText
	default:
		o.by = byLoad
	}
	o.a = a
	return o, nil
}

// ranks reports whether matches of x differ in their scores, so that the order
// is theirs.
func (e *exec) ranks(x *plan) bool {
	switch {
	case e.scoring == attr.DOCSCORE || e.scoring == attr.HAMMING:
		return true
	case e.scoring.Standard() && e.ix.text == nil:
		return false // without words documents have no length
	case x.isText() || x.kind == query.Tag || x.kind == query.All || x.kind == query.Optional:
		return true
	case x.kind == query.Not || len(x.kids) == 0:
		return !e.scoring.Standard()
	}
	return slices.ContainsFunc(x.kids, e.ranks)
}

// item is a match while it is sorted.
type item struct {
	label   uint32
	has     bool
	key     float64
	version uint64
	text    string
	dist    float64 // of the main column
}

// compare orders two items.
func (o *order) compare(a, b *item) int {
	c := 0
	switch {
	case o.by == byWrite:
	case a.has != b.has:
		if a.has {
			return -1
		}
		return 1
	case !a.has:
	case o.by == byText || o.by == byLoad || o.by == byName:
		c = cmp.Compare(a.text, b.text)
	case o.by == byScore:
		c = cmp.Compare(b.key, a.key)
	default:
		c = cmp.Compare(a.key, b.key)
	}
	if o.desc {
		c = -c
	}
	if c == 0 {
		if c = cmp.Compare(a.version, b.version); c == 0 {
			c = cmp.Compare(a.label, b.label)
		}
		if o.desc && o.by != byScore {
			c = -c
		}
	}
	return c
}

// topN keeps the want first items: a heap with the last of them on top.
type topN struct {
	want  int
	o     *order
	items []item
	heap  bool
}

func (t *topN) push(it item) {
	if len(t.items) < t.want {
		t.items = append(t.items, it)
		return
	}
	t.heapify()
	if t.o.compare(&it, &t.items[0]) < 0 {
		t.items[0] = it
		t.down(0)
	}
}

// worst is the last of the items that are kept; nil while there is room for more.
func (t *topN) worst() *item {
	if len(t.items) < t.want {
		return nil
	}
	t.heapify()
	return &t.items[0]
}

func (t *topN) heapify() {
	if !t.heap {
		t.heap = true
		for i := len(t.items)/2 - 1; i >= 0; i-- {
			t.down(i)
		}
	}
}

func (t *topN) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(t.items) {
			return
		}
		if c+1 < len(t.items) && t.o.compare(&t.items[c+1], &t.items[c]) > 0 {
			c++
		}
		if t.o.compare(&t.items[c], &t.items[i]) <= 0 {
			return
		}
		t.items[i], t.items[c] = t.items[c], t.items[i]
		i = c
	}
}

func (t *topN) sorted() []item {
	slices.SortFunc(t.items, func(a, b item) int { return t.o.compare(&a, &b) })
	return t.items
}
