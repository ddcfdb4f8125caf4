package semcache

import (
	"bytes"
	"strings"

	"github.com/nearcache/nearcache/index/query"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/store/types/hash"
)

// Delete removes entries by id and returns how many there were.
func (n *Namespace) Delete(call *Call, ids []string) (removed int) {
	for _, id := range ids {
		if call.remove([]byte(n.prefix+id), nil) {
			removed++
		}
	}
	return removed
}

// Invalidate removes the entries that the target names, in all scopes, and returns
// how many there were. An answer that is being computed under a lease is refused
// if it says that it is one of them.
func (n *Namespace) Invalidate(call *Call, t *Target) (removed int, err error) {
	kind, field, word := byte(0), "", ""
	switch {
	case t.Tag != "":
		kind, field, word = byTag, fieldTags, t.Tag
	case t.Dep != "":
		kind, field, word = changedKey, fieldDeps, t.Dep
	case t.Model != "":
		kind, field, word = byModel, fieldModel, t.Model
	case t.Scope != nil:
		kind, field, word = byScope, fieldScope, t.Scope.word()
	default:
		return n.invalidateNear(call, t)
	}
	if err := checkWord(word); err != nil {
		return 0, err
	}
	// Before the look: what is stored from now on by a holder of a lease is refused.
	n.c.recent.add(kind, word)
	call.Settle()
	return n.removeAll(call, wordNode(field, word), func(h *hash.Value) bool {
		v, _ := h.GetString(field)
		return hasWord(v, word)
	})
}

// wordNode finds the entries whose field may hold a word: the index has words without the white space around them,
// and none of which nothing is left.
func wordNode(field, word string) *query.Node {
	if word = strings.Trim(word, " \t\n\v\f\r"); word == "" {
		return &query.Node{Kind: query.All}
	}
	return &query.Node{Kind: query.Tag, Field: field, Values: []query.Value{{Kind: query.Term, Text: word}}}
}

// hasWord reports whether a list holds a word, as the index sees it: without white
// space around.
func hasWord(list []byte, word string) bool {
	for len(list) > 0 {
		w, rest, _ := bytes.Cut(list, []byte{separator})
		if string(bytes.TrimSpace(w)) == string(bytes.TrimSpace([]byte(word))) {
			return true
		}
		list = rest
	}
	return false
}

func (n *Namespace) invalidateNear(call *Call, t *Target) (int, error) {
	if !(t.MinSim >= -1 && t.MinSim <= 1) {
		return 0, paramError("MINSIM is a cosine, -1 to 1")
	}
	if err := n.checkVector(t.Vector); err != nil {
		return 0, err
	}
	vector := t.Vector
	if vector == nil {
		if call.Locked {
			return 0, ErrNoEmbedding
		}
		var err error
		if vector, err = n.Embed(call.Ctx, t.Near); err != nil {
			return 0, err
		}
		call.now(n.c)
	}
	if v := unitOf(vector, n.Dim); v != nil && n.c.leases.Load() > 0 {
		n.c.recent.addNear(nearby{n: n, vector: v, least: t.MinSim})
	}
	call.Settle()
	root := &query.Node{Kind: query.Range, Field: fieldVector, Radius: 1 - t.MinSim, Blob: vector}
	return n.removeAll(call, root, nil)
}

// removeAll removes what a filter finds and ok confirms.
func (n *Namespace) removeAll(call *Call, root *query.Node, ok func(*hash.Value) bool) (removed int, err error) {
	r, err := n.search().Search(&query.Query{Root: root}, search.Options{Num: -1, Now: call.Tx.Now})
	if err != nil {
		return 0, err
	}
	defer r.Release()
	for i := range r.Rows {
		if call.remove([]byte(r.Rows[i].Name), ok) {
			removed++
		}
	}
	call.Settle()
	return removed, nil
}
