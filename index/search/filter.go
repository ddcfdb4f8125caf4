package search

import (
	"slices"
	"strings"
	"time"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/attr"
	"github.com/nearcache/nearcache/index/query"
)

// filter is the set of documents that a plan without vectors matches, in a
// bitmap of the exec. mu is locked.
func (e *exec) filter(x *plan) *index.Bitmap {
	if e.o.Profile != nil {
		return e.timed(x)
	}
	return e.list(x)
}

func (e *exec) list(x *plan) *index.Bitmap {
	b := e.bitmap()
	ix := e.ix
	if e.stopped() || x.a != nil && x.a.NoIndex && x.kind != query.Missing {
		return b
	}
	switch x.kind {
	case query.All, query.Optional:
		b.Or(&ix.mu.live)
	case keys:
		b.Or(x.bits)
		b.And(&ix.mu.live)
	case query.Not:
		b.Or(&ix.mu.live)
		c := e.filter(x.kids[0])
		b.AndNot(c)
		e.release(c)
	case query.Or:
		for _, k := range x.kids {
			c := e.filter(k)
			b.Or(c)
			e.release(c)
		}
	case query.And:
		e.release(b)
		return e.and(x)
	case query.Tag:
		for _, v := range x.n.Values {
			e.tag(x.a.tags, v, func(tag string, s *attr.Set) {
				if e.o.Profile != nil {
					defer e.o.Profile.term(x, "TAG", tag, time.Now(), s.Len())
				}
				s.OrInto(b)
			})
		}
	case query.Numeric:
		x.a.nums.Range(b, x.lo, x.hi)
	case query.Missing:
		b.Or(&x.a.missing)
	case query.Geo:
		x.a.geo.Within(b, x.n.Lon, x.n.Lat, metres(x.n))
	case query.Shape:
		x.a.shapes.Find(b, x.predicate, x.shape, e.stopped)
	case query.Phrase:
		e.release(b)
		return e.phrase(x)
	default:
		x.terms = e.expand(x)
		for _, m := range x.terms {
			e.word(b, x, m)
		}
	}
	return b
}

// word adds the documents of a word to b.
func (e *exec) word(b *index.Bitmap, x *plan, m attr.Match) {
	if e.o.Profile != nil {
		defer e.o.Profile.term(x, "TEXT", e.ix.text.Name(m.ID), time.Now(), e.ix.text.Docs(m.ID))
	}
	e.ix.text.Or(b, m, x.mask)
}

func metres(n *query.Node) float64 {
	return n.Radius * map[string]float64{"m": 1, "km": 1000, "ft": 0.3048, "mi": 1609.34}[n.Unit]
}

// tag calls f with each tag that a value stands for and its documents.
func (e *exec) tag(t *attr.Tags, v query.Value, f func(tag string, s *attr.Set)) {
	text := t.Fold(v.Text)
	each := func(part string, end bool, ok func(tag string) bool) {
		look := func(tag string, s *attr.Set) bool {
			if ok(tag) {
				f(tag, s)
			}
			return !e.stopped()
		}
		if !t.Holding(part, end, look) {
			t.Each(look)
		}
	}
	switch v.Kind {
	case query.Term:
		if s := t.Find(text); s != nil {
			f(text, s)
		}
	case query.Prefix:
		t.Prefix(text, func(tag string, s *attr.Set) bool { f(tag, s); return !e.stopped() })
	case query.Suffix:
		each(text, true, func(tag string) bool { return strings.HasSuffix(tag, text) })
	case query.Infix:
		each(text, false, func(tag string) bool { return strings.Contains(tag, text) })
	case query.Wildcard:
		each(literal(text), false, func(tag string) bool { return wildcard(text, tag) })
	}
}

// estimate is about how many documents a plan matches.
func (e *exec) estimate(x *plan) int {
	all := e.ix.mu.live.Len()
	n := 0
	switch x.kind {
	case keys:
		return x.bits.Len()
	case query.Numeric:
		return x.a.nums.Estimate(x.lo, x.hi)
	case query.Tag:
		for _, v := range x.n.Values {
			if v.Kind != query.Term {
				return all
			}
			if s := x.a.tags.Find(x.a.tags.Fold(v.Text)); s != nil {
				n += s.Len()
			}
		}
		return n
	case query.Term:
		if t := e.ix.text; t != nil {
			for _, m := range t.Expand(nil, x.n.Text, e.o.Language) {
				n += t.Docs(m.ID)
			}
		}
		return n
	case query.And:
		n = all
		for _, k := range x.kids {
			n = min(n, e.estimate(k))
		}
		return n
	}
	return all
}

// and intersects, the smallest set first. What is left of it is looked up in
// numbers and tags document by document when that is less work than to list
// all their documents.
func (e *exec) and(x *plan) *index.Bitmap {
	type part struct {
		*plan
		n int
	}
	var parts []part
	var not []*plan
	for _, k := range x.kids {
		switch {
		case k.kind == query.Not:
			not = append(not, k.kids[0])
		case k.kind != query.Optional:
			parts = append(parts, part{k, e.estimate(k)})
		}
	}
	slices.SortStableFunc(parts, func(a, b part) int { return a.n - b.n })
	var b *index.Bitmap
	for _, p := range parts {
		if b == nil {
			b = e.filter(p.plan)
			continue
		}
		if b.Len() == 0 {
			break
		}
		if e.lookUp(b, p.plan, p.n) {
			continue
		}
		c := e.filter(p.plan)
		b.And(c)
		e.release(c)
	}
	if b == nil {
		b = e.bitmap()
		b.Or(&e.ix.mu.live)
	}
	for _, k := range not {
		c := e.filter(k)
		b.AndNot(c)
		e.release(c)
	}
	if slop, ordered := e.closeness(x); slop >= 0 || ordered {
		e.close(b, x, slop, ordered)
	}
	return b
}

// closeness is how close the words of an And must stand (-1: anywhere), and
// whether in their order.
func (e *exec) closeness(x *plan) (slop int, ordered bool) {
	slop = -1
	if a := x.n.Attrs; a != nil {
		if a.HasSlop {
			slop = a.Slop
		}
		ordered = a.InOrder
	}
	if x.top {
		if e.o.HasSlop && slop < 0 {
			slop = e.o.Slop
		}
		ordered = ordered || e.o.InOrder
	}
	return slop, ordered
}

// lookUp keeps of b what the plan matches, document by document; false if
// listing the plan's n documents is cheaper or the plan is of another kind.
func (e *exec) lookUp(b *index.Bitmap, x *plan, n int) bool {
	if x.kind == query.Tag {
		// Many are listed 64 at a time: measured, that is as much as to look up a document in 512.
		n = min(n, len(e.ix.mu.docs)/128)
	}
	if b.Len()*4 > n || x.a == nil || x.a.NoIndex {
		return false
	}
	var has func(id uint32) bool
	switch x.kind {
	case query.Numeric:
		has = func(id uint32) bool { return x.a.nums.In(id, x.lo, x.hi) }
	case query.Tag:
		var sets []func(id uint32) bool
		for _, v := range x.n.Values {
			if v.Kind != query.Term {
				return false
			}
			e.tag(x.a.tags, v, func(_ string, s *attr.Set) { sets = append(sets, s.Ascending()) })
		}
		if len(sets) > 16 {
			return false
		}
		if has = func(id uint32) bool {
			return slices.ContainsFunc(sets, func(in func(uint32) bool) bool { return in(id) })
		}; len(sets) == 1 {
			has = sets[0]
		}
	default:
		return false
	}
	if e.o.Profile != nil {
		node, start, before := e.o.Profile.node(x), time.Now(), b.Len()
		defer func() {
			node.Time += time.Since(start)
			node.Read += before
			node.About = n
		}()
	}
	e.keep(b, has)
	return true
}

// keep takes the documents that f refuses out of b. It is asked in ascending order.
func (e *exec) keep(b *index.Bitmap, f func(id uint32) bool) {
	b.Keep(func(l index.Label) bool { return f(uint32(l)) })
}

func (e *exec) phrase(x *plan) *index.Bitmap {
	x.terms = e.expand(x)
	b := e.bitmap()
	if len(x.terms) < len(x.n.Words) {
		return b
	}
	for i := range x.terms {
		if i == 0 {
			e.word(b, x, x.terms[0])
			continue
		}
		c := e.bitmap()
		e.word(c, x, x.terms[i])
		b.And(c)
		e.release(c)
	}
	e.keep(b, func(id uint32) bool { return !e.stopped() && e.phrased(x, id) })
	return b
}

// phrased reports whether a document that holds all words of a Phrase holds it.
func (e *exec) phrased(x *plan, id uint32) bool {
	slop, ordered := 0, true
	if a := x.n.Attrs; a != nil && a.HasSlop {
		slop, ordered = a.Slop, a.InOrder
	}
	var room [8][]attr.Match
	groups := room[:0]
	for i := range x.terms {
		groups = append(groups, x.terms[i:i+1])
	}
	return e.ix.text.Near(id, groups, x.mask, slop, ordered, &e.near)
}

// close keeps of b the documents in which the words of an And stand close together.
func (e *exec) close(b *index.Bitmap, x *plan, slop int, ordered bool) {
	if e.together(x); len(x.groups) >= 2 {
		e.keep(b, func(id uint32) bool {
			return !e.stopped() && e.ix.text.Near(id, x.groups, x.mask, slop, ordered, &e.near)
		})
	}
}

// together finds the words of an And that are to stand close together, and in
// which fields. Parts that are not words do not count.
func (e *exec) together(x *plan) {
	x.groups, x.mask = nil, attr.AllFields
	for _, k := range x.kids {
		switch k.kind {
		case query.Term, query.Prefix, query.Suffix, query.Infix, query.Wildcard, query.Fuzzy:
			x.groups = append(x.groups, slices.Clone(e.expand(k)))
			x.mask = x.mask.And(k.mask)
		}
	}
}
