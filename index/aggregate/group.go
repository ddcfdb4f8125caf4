package aggregate

import "github.com/nearcache/nearcache/index/expr"

// grouper is GROUPBY. Groups come out in the order in which they were first met.
type grouper struct {
	up    step
	by    []int // slots
	make  []func() accumulator
	ended bool

	groups map[string]*group
	order  []*group
	at     int

	vals  []expr.Value // of the row that is looked at
	key   []byte
	pairs int // groups that it belongs to
}

// group is one group: its values, and what its reducers have gathered.
type group struct {
	vals []expr.Value
	accs []accumulator
}

// maxCombinations is to how many groups one row may belong: lists stand for each of
// their elements, several lists for each combination.
const maxCombinations = 1 << 20

func (s *grouper) next(p *Pipeline, r *Row) (bool, error) {
	for !s.ended {
		ok, err := s.up.next(p, r)
		if err != nil {
			return false, err
		}
		if !ok {
			s.ended = true
			s.groups = nil
			p.total = len(s.order)
			break
		}
		s.vals = s.vals[:0]
		for _, slot := range s.by {
			v := *r.at(slot)
			if v.Kind() == expr.Missing {
				v = expr.Nil()
			}
			s.vals = append(s.vals, v)
		}
		s.key, s.pairs = s.key[:0], 0
		if err := s.put(p, r, 0); err != nil {
			return false, err
		}
	}
	if s.at == len(s.order) {
		return false, nil
	}
	g := s.order[s.at]
	s.order[s.at] = nil
	s.at++
	p.seq++
	r.reset(len(s.by) + len(s.make))
	r.Doc, r.seq = Doc{}, p.seq
	copy(r.Vals, g.vals)
	for i, a := range g.accs {
		r.Vals[len(s.by)+i] = a.value()
	}
	return true, nil
}

// put gives the row to its groups; s.key holds the values before at.
func (s *grouper) put(p *Pipeline, r *Row, at int) error {
	if at == len(s.vals) {
		if s.pairs++; s.pairs > maxCombinations {
			return errorf("GROUPBY of lists with more than %d combinations", maxCombinations)
		}
		if s.pairs&1023 == 0 && p.o.Stop != nil && p.o.Stop() {
			p.late = true
		}
		if p.late {
			return nil
		}
		return s.add(p, r)
	}
	v := s.vals[at]
	n := len(s.key)
	if v.Kind() != expr.List {
		s.key = v.AppendKey(s.key)
		err := s.put(p, r, at+1)
		s.key = s.key[:n]
		return err
	}
	list := v.List()
	if len(list) == 0 {
		list = []expr.Value{expr.Nil()}
	}
	for i := range list {
		s.vals[at] = list[i]
		if err := s.put(p, r, at); err != nil {
			return err
		}
	}
	s.vals[at] = v
	return nil
}

func (s *grouper) add(p *Pipeline, r *Row) error {
	g := s.groups[string(s.key)]
	if g == nil {
		g = &group{vals: make([]expr.Value, len(s.vals)), accs: make([]accumulator, len(s.make))}
		size := 150 + len(s.key)
		for i := range s.vals {
			g.vals[i] = s.vals[i].Clone()
			size += g.vals[i].Size()
		}
		for i, f := range s.make {
			g.accs[i] = f()
			size += 64
		}
		s.groups[string(s.key)] = g
		s.order = append(s.order, g)
		if err := p.hold(size); err != nil {
			return err
		}
	}
	for _, a := range g.accs {
		if err := a.add(p, r); err != nil {
			return err
		}
	}
	return nil
}
