package search

import (
	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/query"
)

// single is the vector range that alone stands beside what holds no vector; nil if there is no such.
func (e *exec) single() *plan {
	if e.root.kind == query.Range {
		return e.root
	}
	if e.root.kind != query.And {
		return nil
	}
	var leaf *plan
	for _, k := range e.root.kids {
		if k.vector {
			if k.kind != query.Range || leaf != nil {
				return nil
			}
			leaf = k
		}
	}
	return leaf
}

// rest is the set that the root matches without the leaf.
func (e *exec) rest(leaf *plan) *index.Bitmap {
	x := *e.root
	x.kids = nil
	for _, k := range e.root.kids {
		if k != leaf {
			x.kids = append(x.kids, k)
		}
	}
	return e.and(&x)
}

// known fills in the sets of the largest parts without vectors.
func (e *exec) known(x *plan) {
	if !x.vector {
		x.bits = e.filter(x)
		return
	}
	for _, k := range x.kids {
		e.known(k)
	}
}

// ranged appends what lies in the leaf's range.
func (e *exec) ranged(x *plan, dst []index.Neighbor, allow *index.Bitmap) ([]index.Neighbor, error) {
	o := index.SearchOptions{Allow: allow, Stop: e.stopFunc()}
	if a := x.n.Attrs; a != nil {
		o.Epsilon, o.EF = a.Epsilon, a.Beam()
	}
	start := e.clock()
	near, err := x.a.vectors.Range(dst, x.n.Blob, x.n.Radius, o)
	if e.o.Profile != nil {
		e.o.Profile.vector(x, "RANGE_QUERY", start, len(near)-len(dst))
	}
	return near, err
}

// mixed is the part of allow that the plan matches. Nothing is locked.
func (e *exec) mixed(x *plan, allow *index.Bitmap) (*index.Bitmap, error) {
	b := e.bitmap()
	if e.stop() {
		return b, nil
	}
	if !x.vector {
		b.Or(x.bits)
		b.And(allow)
		return b, nil
	}
	switch x.kind {
	case query.Range:
		near, err := e.ranged(x, nil, allow)
		if err != nil {
			return nil, err
		}
		for _, n := range near {
			b.Add(n.Label)
		}
		x.bits = b
		if x.col >= 0 {
			c := &e.cols[x.col]
			c.near = append(c.near, near...)
		}
	case query.Or:
		for _, k := range x.kids {
			c, err := e.mixed(k, allow)
			if err != nil {
				return nil, err
			}
			b.Or(c)
		}
	case query.Not:
		c, err := e.mixed(x.kids[0], allow)
		if err != nil {
			return nil, err
		}
		b.Or(allow)
		b.AndNot(c)
	case query.Optional:
		if _, err := e.mixed(x.kids[0], allow); err != nil { // for its distances
			return nil, err
		}
		b.Or(allow)
	case query.And:
		b.Or(allow)
		for _, k := range x.kids {
			if !k.vector {
				b.And(k.bits)
			}
		}
		for _, k := range x.kids {
			if k.vector {
				c, err := e.mixed(k, b)
				if err != nil {
					return nil, err
				}
				b = c
			}
		}
	}
	return b, nil
}
