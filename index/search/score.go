package search

import (
	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/attr"
	"github.com/nearcache/nearcache/index/query"
)

// maxScored is how many terms of a prefix count in the score, RediSearch's MAXEXPANSIONS.
const maxScored = 200

// scorer weighs documents. It is made and used under one lock of mu.
type scorer struct {
	e     *exec
	kind  attr.Scorer
	root  *plan
	freqs *attr.Freqs
	other float64 // of what is not text
}

func (e *exec) scorer(root *plan) *scorer {
	s := &scorer{e: e, kind: e.scoring, root: root}
	if root == nil || e.ix.text == nil || !root.hasText() || s.kind == attr.DOCSCORE {
		return s
	}
	if s.kind != attr.BM25STD && s.kind != attr.BM25 {
		s.other = 1
	}
	s.freqs = e.ix.text.Freqs(s.kind, e.ix.mu.live.Len())
	s.bind(root)
	return s
}

func (x *plan) hasText() bool {
	if x.kind <= query.Fuzzy && x.kind != query.All {
		return true
	}
	for _, k := range x.kids {
		if k.hasText() {
			return true
		}
	}
	return false
}

func (s *scorer) bind(x *plan) {
	if x.kind <= query.Fuzzy && x.kind != query.All {
		x.terms = s.e.expand(x)
		x.slots = x.slots[:0]
		for _, m := range x.terms[:min(len(x.terms), maxScored)] {
			x.slots = append(x.slots, s.freqs.Slot(m.ID))
		}
	}
	for _, k := range x.kids {
		s.bind(k)
	}
}

// score is the weight of a document that the query matches.
func (s *scorer) score(id uint32) float64 {
	if s.freqs == nil {
		return s.e.ix.score
	}
	s.freqs.Load(id)
	x, _ := s.node(s.root, id)
	return x * s.e.ix.score
}

// node is the weight of a part of the query, and whether it matches at all.
func (s *scorer) node(x *plan, id uint32) (sum float64, ok bool) {
	switch x.kind {
	case query.And:
		ok = true
		for _, k := range x.kids {
			w, hit := s.node(k, id)
			sum += w
			ok = ok && hit
		}
		if !ok {
			sum = 0
		}
	case query.Or:
		for _, k := range x.kids {
			w, hit := s.node(k, id)
			if !hit {
				continue
			}
			ok = true
			if s.kind == attr.DISMAX {
				sum = max(sum, w)
			} else {
				sum += w
			}
		}
	case query.Not:
		_, hit := s.node(x.kids[0], id)
		return 0, !hit
	case query.Optional:
		sum, _ = s.node(x.kids[0], id)
		ok = true
	case query.All:
		sum, ok = s.other, true
	case query.Tag, query.Numeric, query.Geo, query.Missing, keys:
		if x.leaves == nil {
			x.leaves = s.e.filter(x)
		}
		if ok = x.leaves.Contains(index.Label(id)); ok {
			sum = s.other
		}
	case query.Range:
		if ok = x.bits == nil || x.bits.Contains(index.Label(id)); ok {
			sum = s.other
		}
	default:
		hits := 0
		for i, slot := range x.slots {
			tf := s.freqs.Count(slot, x.mask, x.terms[i].Exact)
			if tf > 0 {
				hits++
				sum += s.freqs.Score(slot, tf)
			}
		}
		ok = hits > 0
		if x.kind == query.Phrase {
			if ok = hits == len(x.n.Words); ok {
				groups := make([][]attr.Match, len(x.terms))
				for i := range x.terms {
					groups[i] = x.terms[i : i+1]
				}
				ok = s.e.ix.text.Near(id, groups, x.mask, 0, true, &s.e.near)
			}
			if !ok {
				sum = 0
			}
		}
	}
	if x.n != nil {
		sum *= x.n.Weight()
	}
	return sum, ok
}
