package vset

import (
	"cmp"
	"maps"
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
}

// Begin makes a search for a vector of Dim components, which it uses up. ok is
// false for a vector that is none. The search must be ended. A Locked one runs
// under the key's lock, another without it.
func (v *Value) Begin(vector []float32) (s *Search, ok bool) {
	row, sc, ok := v.Quant.encode(nil, vector)
	if !ok {
		return nil, false
	}
	return &Search{v: v, graph: v.graph, probe: newProbe(v.Quant, v.Dim, row, sc), parity: v.begin()}, true
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
		if x.stale.Load() && slices.ContainsFunc(found, func(o candidate) bool { return o.x != x && o.x.name == x.name }) {
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

// walk asks the graph, and computes the distances of what it finds as Redis does.
func (s *Search) walk(ef int, q Query) []candidate {
	k := min(q.Count, s.graph.g.Len())
	var near []index.Neighbor
	var err error
	if q.Filter == nil {
		near, err = s.graph.search(s.probe.row, k, ef)
	} else {
		pass := func(l index.Label) bool { return match(q.Filter, s.v.at(uint32(l))) }
		near, err = s.graph.searchWhere(s.probe.row, k, ef, pass, q.Effort)
	}
	if err != nil { // of a vector that encode has let pass, there is none
		return nil
	}
	found := make([]candidate, 0, len(near))
	room := make([]byte, 0, padded(len(s.probe.row)))
	for _, n := range near {
		x := s.v.at(uint32(n.Label))
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
	cut := func() {
		slices.SortFunc(found, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(b.x.number, a.x.number))
		})
		found = found[:min(ef, len(found))]
	}
	offer := func(x *element, row []byte) {
		if x.stale.Load() || !match(f, x) {
			return
		}
		found = append(found, candidate{x, s.probe.distance(row, x.scale)})
		if len(found) >= 2*ef+1024 {
			cut()
		}
	}
	if s.graph == nil {
		for _, r := range v.order.runs {
			for _, l := range r {
				offer(v.at(l), v.row(l))
			}
		}
	} else {
		m := &v.wait.mu
		m.Lock()
		waits := maps.Clone(m.rows)
		m.Unlock()
		for l, w := range waits {
			offer(v.at(l), slices.Grow(w.row, padded(len(w.row))-len(w.row)))
		}
		s.graph.eachRow(func(l uint32, row []byte) {
			if _, ok := waits[l]; !ok {
				offer(v.at(l), row)
			}
		})
	}
	cut()
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.x.number, b.x.number))
	})
	return found
}
