package vset

import (
	"cmp"
	"slices"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/store/types/vset/filter"
)

// Query is what VSIM asks for besides a vector.
type Query struct {
	Count   int
	EF      int // 0: SearchEF
	Epsilon float32
	Filter  *filter.Program // nil: none
	Effort  int             // how many elements the filter may be asked for
	Truth   bool            // compare with all
}

// Result is an element that was found.
type Result struct {
	Name     string
	Distance float32 // from 0 to 2
	Attr     *string // nil: none
}

// Search is a search under way, see Begin.
type Search struct {
	v      *Value
	graph  *graph // nil: few elements
	probe  *probe
	parity int
	used   uint32 // labels there were
}

// Begin makes a search for a vector of Dim components, which it uses up. ok is
// false for a vector that is none. The search must be ended. A Locked one runs
// under the key's lock, another without it.
func (v *Value) Begin(vector []float32) (s *Search, ok bool) {
	row, sc, ok := v.Quant.encode(nil, vector)
	if !ok {
		return nil, false
	}
	return &Search{v: v, graph: v.graph, probe: newProbe(v.Quant, v.Dim, row, sc), parity: v.begin(), used: v.used}, true
}

// Locked reports whether Run is for under the key's lock.
func (s *Search) Locked() bool { return s.graph == nil }

// End ends the search. It needs no lock.
func (s *Search) End() { s.v.end(s.parity) }

// Run returns the nearest, nearest first.
func (s *Search) Run(q Query) []Result {
	ef := q.EF
	if ef == 0 {
		ef = SearchEF
	}
	ef = max(ef, q.Count)
	var found []candidate
	if s.graph == nil || q.Truth {
		found = s.all(ef, q.Filter)
	} else {
		found = s.walk(ef, q)
	}
	var out []Result
	for _, c := range found {
		if len(out) == q.Count || c.distance/2 > q.Epsilon {
			break
		}
		x := c.x
		if x.state.Load() != current && slices.ContainsFunc(found, func(o candidate) bool { return o.x != x && o.x.name == x.name }) {
			continue // found with the vector that it has, too
		}
		out = append(out, Result{x.name, c.distance, x.attr.Load()})
	}
	return out
}

type candidate struct {
	x        *element
	distance float32
}

func match(f *filter.Program, x *element) bool {
	if f == nil {
		return true
	}
	a := x.attr.Load()
	return a != nil && f.Match([]byte(*a))
}

// walk asks the graph, and computes the distances of what it finds as Redis does. What is beside the graph it looks
// at first, so that what moves meanwhile is in one of both.
func (s *Search) walk(ef int, q Query) []candidate {
	var found []candidate
	if s.v.Late() > 0 {
		s.eachBeside(func(_ uint32, x *element, row []byte) { found = s.offer(found, x, row, ef, q.Filter) })
		found = cut(found, ef)
	}
	k := min(q.Count+min(s.v.unseen(), maxUnseen), s.graph.len())
	if k == 0 {
		return found
	}
	var near []index.Neighbor
	var err error
	if q.Filter == nil {
		near, err = s.graph.search(s.probe.row, k, ef)
	} else {
		pass := func(l index.Label) bool {
			x := s.v.at(uint32(l))
			return x.state.Load() != gone && match(q.Filter, x)
		}
		near, err = s.graph.searchWhere(s.probe.row, k, ef, pass, q.Effort)
	}
	if err != nil { // of a vector that encode has let pass, there is none
		return nil
	}
	beside := len(found)
	found = slices.Grow(found, len(near))
	room := make([]byte, 0, padded(len(s.probe.row)))
	for _, n := range near {
		x := s.v.at(uint32(n.Label))
		if x.state.Load() == gone || beside > 0 && slices.ContainsFunc(found[:beside], func(c candidate) bool { return c.x == x }) {
			continue
		}
		if row := s.graph.row(room, uint32(n.Label)); len(row) > 0 { // it was not removed meanwhile
			found = append(found, candidate{x, s.probe.distance(row, x.scale)})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	return found
}

// all compares with every element. Of equally near ones, those that were entered
// last are among the ef nearest, and of these the first come first: as in Redis.
func (s *Search) all(ef int, f *filter.Program) []candidate {
	v := s.v
	var found []candidate
	if s.graph == nil {
		for _, r := range v.order.runs {
			for _, l := range r {
				found = s.offer(found, v.at(l), v.row(l), ef, f)
			}
		}
	} else {
		beside := map[uint32]bool{}
		s.eachBeside(func(l uint32, x *element, row []byte) {
			beside[l] = true
			found = s.offer(found, x, row, ef, f)
		})
		s.graph.eachRow(func(l uint32, row []byte) {
			if !beside[l] {
				found = s.offer(found, v.at(l), row, ef, f)
			}
		})
	}
	found = cut(found, ef)
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.x.number, b.x.number))
	})
	return found
}

// offer appends an element, if the filter lets it pass, and now and then leaves the nearest only.
func (s *Search) offer(found []candidate, x *element, row []byte, ef int, f *filter.Program) []candidate {
	if x.state.Load() != current || !match(f, x) {
		return found
	}
	found = append(found, candidate{x, s.probe.distance(row, x.scale)})
	if len(found) >= 2*ef+1024 {
		found = cut(found, ef)
	}
	return found
}

// cut leaves the ef nearest, and of equally near ones those that were entered last.
func cut(found []candidate, ef int) []candidate {
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(b.x.number, a.x.number))
	})
	return found[:min(ef, len(found))]
}

// eachBeside calls f with what is not in the graph.
func (s *Search) eachBeside(f func(label uint32, x *element, row []byte)) {
	for l := range s.used {
		x := s.v.at(l)
		if w := x.row.Load(); w != nil {
			f(l, x, w.row)
		}
	}
}
