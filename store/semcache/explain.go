package semcache

import (
	"errors"

	"github.com/nearcache/nearcache/store/semcache/judge"
)

// Explain lists the nearest entries of a prompt's partition with all that speaks for and
// against them, and the place of the one that would be served, -1 for none.
func (n *Namespace) Explain(call *Call, q *Query) (l []Candidate, serve int, exact bool, err error) {
	if err := n.checkScope(q.Prompt, q.Scope, q.Context); err != nil {
		return nil, -1, false, err
	}
	if err := errors.Join(n.checkVector(q.Vector), n.checkBefore(before{q.Before, q.BeforeVector})); err != nil {
		return nil, -1, false, err
	}
	var a Answer
	g := &getting{n: n, call: call, q: q, a: &a, bounds: n.bounds(q)}
	g.begin()
	if err := g.embed(); err != nil {
		return nil, -1, false, err
	}
	call.Settle()
	if err := g.nearest(neighbours, nil); err != nil {
		return nil, -1, false, err
	}
	call.with(g.key, g.candidates)
	serve = n.decide(judge.Parse(string(q.Prompt)), g.beforeText(), g.cands, g.bounds, call.Tx.Now, true)
	for i := range g.cands {
		if x := &g.cands[i]; x.Key == string(g.key) {
			serve, exact = i, true
			x.Reason, x.Confidence = "", 1
		}
	}
	return g.cands, serve, exact, nil
}

// ID is the id of a candidate's entry.
func (n *Namespace) ID(x *Candidate) string { return n.id(x.Key) }
