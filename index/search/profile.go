package search

import (
	"fmt"
	"time"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/query"
)

// Profile is what a search spent its time on. Make an empty one, and give it to
// [Options]; the search fills it.
type Profile struct {
	Plan    time.Duration // to bind the query to the schema
	Index   time.Duration // to find the matches, filters and vectors
	Score   time.Duration // to weigh them and keep the best
	Sort    time.Duration // to sort these
	Found   int           // matches
	Weighed int           // as many of them as had to be to find the best
	Scored  bool
	Yields  bool         // distances stand in the rows
	Root    *ProfileNode // nil: nothing could match

	nodes map[*plan]*ProfileNode
}

// ProfileNode is the part of a profile that is of one node of the query.
type ProfileNode struct {
	Type  string // INTERSECT, UNION, NOT, OPTIONAL, TEXT, TAG, NUMERIC, GEO, WILDCARD, …
	Query string // of a UNION: what it stands for
	Term  string
	Mode  string // of vectors: how they were searched
	Time  time.Duration
	Read  int // documents that it gave
	About int // as many were expected
	Of    []*ProfileNode
}

// timed lists the documents of a node and notes how long that took.
func (e *exec) timed(x *plan) *index.Bitmap {
	n := e.o.Profile.node(x)
	n.About = e.estimate(x)
	start := time.Now()
	b := e.list(x)
	n.Time += time.Since(start)
	n.Read += b.Len()
	return b
}

func (p *Profile) node(x *plan) *ProfileNode {
	if p.nodes == nil {
		p.nodes = map[*plan]*ProfileNode{}
	}
	n := p.nodes[x]
	if n == nil {
		n = &ProfileNode{}
		p.nodes[x] = n
	}
	return n
}

// term notes one of the terms of a node.
func (p *Profile) term(x *plan, kind, name string, start time.Time, docs int) {
	n := p.node(x)
	n.Of = append(n.Of, &ProfileNode{Type: kind, Term: name, Time: time.Since(start), Read: docs, About: docs})
}

// vector notes a search among vectors.
func (p *Profile) vector(x *plan, mode string, start time.Time, found int) {
	n := p.node(x)
	n.Mode = mode
	n.Time += time.Since(start)
	n.Read += found
	n.About = found
}

// profile puts the nodes together when the search has ended. The KNN, which is in
// no plan, is noted under nil.
func (e *exec) profile() {
	p := e.o.Profile
	p.Yields = len(e.cols) > 0
	if p.Root = p.tree(e.root); e.knn {
		n := p.node(nil)
		n.Type = "VECTOR"
		if n.Mode != "STANDARD_KNN" && p.Root != nil {
			n.Of = append(n.Of, p.Root)
		}
		p.Root = n
	}
	p.nodes = nil
}

func (p *Profile) tree(x *plan) *ProfileNode {
	if x == nil {
		return nil
	}
	n := p.node(x)
	for _, k := range x.kids {
		n.Of = append(n.Of, p.tree(k))
	}
	if x.kind == query.Range && n.Mode == "" {
		n.Mode = "RANGE_QUERY"
	}
	union := func(of string) {
		if len(n.Of) == 1 && x.kind != query.Or { // as RediSearch reduces it
			*n = *n.Of[0]
			return
		}
		n.Type, n.Query = "UNION", of
	}
	switch x.kind {
	case query.All:
		n.Type = "WILDCARD"
	case query.And, query.Phrase:
		n.Type = "INTERSECT"
	case query.Or:
		union("UNION")
	case query.Not:
		n.Type = "NOT"
	case query.Optional:
		n.Type = "OPTIONAL"
	case query.Term:
		union("UNION")
	case query.Prefix, query.Suffix, query.Infix:
		union("PREFIX - " + x.n.Text)
	case query.Wildcard:
		union("WILDCARD - " + x.n.Text)
	case query.Fuzzy:
		union("FUZZY - " + x.n.Text)
	case query.Tag:
		union("TAG")
	case query.Numeric:
		n.Type, n.Term = "NUMERIC", fmt.Sprintf("%g - %g", x.n.Min, x.n.Max)
	case query.Geo:
		n.Type, n.Term = "GEO", fmt.Sprintf("%g,%g - %g %s", x.n.Lon, x.n.Lat, x.n.Radius, x.n.Unit)
	case query.Missing:
		n.Type, n.Term = "MISSING", x.n.Field
	case query.Shape:
		n.Type, n.Term = "GEOSHAPE", x.n.Predicate
	case query.Range:
		n.Type = "METRIC - VECTOR DISTANCE"
	case keys:
		n.Type = "ID-LIST"
	}
	if n.Type == "UNION" && len(n.Of) == 0 {
		n.Type, n.Query = "EMPTY", ""
	}
	return n
}
