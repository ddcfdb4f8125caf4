package semcache

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"github.com/nearcache/nearcache/index/query"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/semcache/judge"
	"github.com/nearcache/nearcache/store/types/hash"
)

// Found is an entry that answers, as Find lists them.
type Found struct {
	Answer
	Prompt string
	Scope  []Pair
}

// maxFound is how many entries Find returns at most.
const maxFound = 100

// Find lists up to limit entries that answer a prompt, those of the very prompt first, then
// the most similar. Other than Get it looks in all scopes that hold each pair of the
// query's, whatever else they hold, and in any context: the scope is a filter. Lease, Wait, Track
// and Before do not count.
func (n *Namespace) Find(call *Call, q *Query, limit int) (l []Found, err error) {
	if err := n.checkScope(q.Prompt, q.Scope, ""); err != nil {
		return nil, err
	}
	if err := n.checkVector(q.Vector); err != nil {
		return nil, err
	}
	var a Answer
	g := &getting{n: n, call: call, q: q, a: &a, vector: q.Vector, bounds: n.bounds(q)}
	limit = max(1, min(limit, maxFound))
	if q.Mode != OnlySemantic {
		// The entry of just this scope is found without any index.
		n.locate(&g.place, q.Prompt, slices.Clone(q.Scope), "", before{})
		var f Found
		if call.with(g.key, func(tx *store.Tx) {
			if h, ok := hashOf(tx.Peek(g.key)); ok && !refused(h, g.key[len(n.prefix):]) {
				f, err = n.read(tx, g.key, q.Scope)
			}
		}); f.ID != nil {
			f.Status, f.Sim, f.Confidence = Exact, 1, 1
			l = append(l, f)
		}
	}
	if len(l) < limit {
		if l, err = n.findNear(g, l, limit); err != nil {
			return nil, err
		}
	}
	for i := range l {
		key := []byte(n.prefix + string(l[i].ID))
		var saved side
		call.with(key, func(tx *store.Tx) { saved = n.served(tx, key) })
		n.stats.found(&l[i].Answer, &saved)
	}
	if len(l) == 0 {
		n.stats.miss.Add(1)
	}
	return l, nil
}

// findNear adds what the index finds.
func (n *Namespace) findNear(g *getting, l []Found, limit int) ([]Found, error) {
	if err := g.embed(); err != nil {
		return nil, err
	}
	g.call.Settle()
	k := limit + neighbours
	knn := &query.KNN{Field: fieldVector, K: k, Blob: g.vector, As: distance}
	sims := map[string]float64{}
	var keys []string
	err := g.search(query.Query{Root: scopeNode(g.q.Scope), KNN: knn}, k, nil, func(r *search.Result) {
		for i := range r.Rows {
			if d, ok := r.Distance(i, 0); ok {
				keys = append(keys, r.Rows[i].Name)
				sims[r.Rows[i].Name] = 1 - d
			}
		}
	})
	if err != nil {
		return nil, err
	}
	normal := n.normalise(nil, g.q.Prompt)
	found := make([]Found, len(keys))
	cands := make([]Candidate, 0, len(keys))
	at := make([]int, 0, len(keys)) // of each candidate in found
	for i, key := range keys {
		x := Candidate{Key: key, Sim: sims[key], near: sims[key], Context: math.NaN()}
		g.call.with([]byte(key), func(tx *store.Tx) {
			if found[i], _ = n.read(tx, []byte(key), g.q.Scope); found[i].ID == nil {
				return
			}
			h, _ := hashOf(tx.Peek([]byte(key)))
			p, _ := h.GetString(fieldPartition)
			// Feedback knows prompts by the id that they have in the entry's partition.
			if n.candidate(&x, h, p, n.idIn(p, g.q.Prompt)) {
				cands, at = append(cands, x), append(at, i)
			}
		})
	}
	n.decide(judge.Parse(string(g.q.Prompt)), nil, cands, g.bounds, g.call.Tx.Now, true)
	var more []Found
	for j := range cands {
		f := found[at[j]]
		exact := bytes.Equal(normal, n.normalise(nil, []byte(f.Prompt)))
		switch {
		case slices.ContainsFunc(l, func(x Found) bool { return bytes.Equal(x.ID, f.ID) }):
			continue
		case exact && g.q.Mode != OnlySemantic && cands[j].verdict >= 0:
			f.Status, f.Sim, f.Confidence = Exact, 1, 1
		case g.q.Mode == OnlyExact || cands[j].Reason != "":
			continue
		default:
			f.Status, f.Sim, f.Confidence = Semantic, cands[j].Sim, cands[j].Confidence
		}
		more = append(more, f)
	}
	slices.SortStableFunc(more, func(a, b Found) int { return cmp.Or(cmp.Compare(a.Status, b.Status), -cmp.Compare(a.Sim, b.Sim)) })
	if l = append(l, more...); len(l) == 0 && len(g.key) > 0 {
		n.asked(g.key, cands[:min(len(cands), neighbours)], true)
	}
	return l[:min(len(l), limit)], nil
}

// scopeNode is a filter for entries whose scope holds each of the pairs.
func scopeNode(scope []Pair) *query.Node {
	if len(scope) == 0 {
		return &query.Node{Kind: query.All}
	}
	and := &query.Node{Kind: query.And}
	for _, p := range scope {
		and.Children = append(and.Children, wordNode(fieldScope, p.word()))
	}
	if len(and.Children) == 1 {
		return and.Children[0]
	}
	return and
}

// inScope reports whether a list of field=value holds each of the pairs. What the
// index says is not enough: it leaves out white space.
func inScope(list []byte, scope []Pair) bool {
	for _, p := range scope {
		found := false
		for rest := list; len(rest) > 0 && !found; {
			var w []byte
			w, rest, _ = bytes.Cut(rest, []byte{separator})
			field, value, _ := bytes.Cut(w, []byte{'='})
			found = string(field) == p.Field && string(value) == p.Value
		}
		if !found {
			return false
		}
	}
	return true
}

// read is the entry under key, if its scope holds each of the pairs and it may be
// served; otherwise its ID is nil.
func (n *Namespace) read(tx *store.Tx, key []byte, scope []Pair) (f Found, err error) {
	e := tx.Find(key)
	h, ok := hashOf(e)
	if !ok {
		return f, nil
	}
	list, _ := h.GetString(fieldScope)
	answer, ok := h.GetString(fieldAnswer)
	prompt, _ := h.GetString(fieldPrompt)
	f.Age = max(0, tx.Now-insertedAt(h))
	if !ok || !inScope(list, scope) || n.MaxAge > 0 && f.Age >= n.MaxAge {
		return Found{}, nil
	}
	f.PTTL = -1
	if at := e.ExpireAt(); at > 0 {
		f.PTTL = at - tx.Now
	}
	f.ID = bytes.Clone(key[len(n.prefix):])
	f.Prompt, f.Answer.Answer = string(prompt), bytes.Clone(answer)
	for rest := list; len(rest) > 0; {
		var w []byte
		w, rest, _ = bytes.Cut(rest, []byte{separator})
		field, value, _ := bytes.Cut(w, []byte{'='})
		f.Scope = append(f.Scope, Pair{string(field), string(value)})
	}
	return f, nil
}

// DeleteIn removes an entry whose scope holds each of the pairs, and reports whether it has.
func (n *Namespace) DeleteIn(call *Call, id string, scope []Pair) bool {
	return call.remove([]byte(n.prefix+id), func(h *hash.Value) bool {
		list, _ := h.GetString(fieldScope)
		return inScope(list, scope)
	})
}

// Clear removes all entries whose scope holds each of the pairs, without any all
// there are, and returns how many.
func (n *Namespace) Clear(call *Call, scope []Pair) (removed int, err error) {
	for _, p := range scope {
		if err := checkWord(p.word()); err != nil {
			return 0, err
		}
	}
	// What holders of leases store from now on is refused, as by Invalidate.
	if len(scope) == 0 {
		n.c.recent.all()
	} else {
		n.c.recent.add(byScope, scope[0].word())
	}
	call.Settle()
	return n.removeAll(call, scopeNode(scope), func(h *hash.Value) bool {
		list, _ := h.GetString(fieldScope)
		return inScope(list, scope)
	})
}

// found counts an entry that Find has returned.
func (s *counters) found(a *Answer, saved *side) {
	if a.Status == Semantic {
		s.semantic.Add(1)
		addFloat(&s.confidence, a.Confidence)
	} else {
		s.exact.Add(1)
	}
	s.save(saved)
}
