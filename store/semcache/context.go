package semcache

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math"

	"github.com/viterin/vek/vek32"

	"github.com/nearcache/nearcache/store/semcache/judge"
	"github.com/nearcache/nearcache/store/types/hash"
)

// What came before a prompt in its conversation is a hash, which has to be the same (Query.Context), or is
// itself compared by what it means: "and on Sundays?" has the answer that it has behind questions of the same kind.
//
// Entries of the second kind stand in the index twice: where their prompt is, as all do, and between it and their
// context, at the mean of both, so that one search finds those near in both. The vectors
// themselves are what is judged; contexts whose texts are known are judged as prompts
// are, with all their words. They are in a partition of their own: one that is asked
// without a context is never served an answer with one.

// before is what came before a prompt.
type before struct {
	text   []byte
	vector []byte
}

func (b before) some() bool { return b.text != nil || b.vector != nil }

// mark is what an exact match has to share of it: in hex, nothing where there is none.
func (b before) mark() []byte {
	said := b.text
	if said == nil {
		said = b.vector
	}
	if said == nil {
		return nil
	}
	sum := sha256.Sum256(said)
	return hex.AppendEncode(nil, sum[:idSize])
}

// checkBefore reports what is wrong with it.
func (n *Namespace) checkBefore(b before) error {
	if len(b.text) > MaxPrompt {
		return paramErrorf("a context may have %d bytes", MaxPrompt)
	}
	return n.checkVector(b.vector)
}

// blended is the vectors of what came before a prompt, and of the place between both.
type blended struct {
	before, between []byte
}

// blend embeds what came before, and finds the place between it and the prompt.
func (n *Namespace) blend(call *Call, vector []byte, b before) (v blended, err error) {
	v.before = b.vector
	if v.before == nil {
		if call.Locked {
			return v, ErrNoEmbedding
		}
		if v.before, err = n.Embed(call.Ctx, b.text); err != nil {
			return v, err
		}
		call.now(n.c)
	}
	own, said := unitOf(vector, n.Dim), unitOf(v.before, n.Dim)
	if own == nil || said == nil {
		return v, paramError("a vector with a context holds neither NaN nor infinity, nor zeros alone")
	}
	v.between = Blob(vek32.Add(own, said))
	return v, nil
}

// standing is where an entry is found by those of its partition: in which field, and its vector there.
func standing(h *hash.Value) (field string, vector []byte) {
	if v, ok := h.GetString(fieldBetween); ok {
		return fieldBetween, v
	}
	v, _ := h.GetString(fieldVector)
	return fieldVector, v
}

// inContext fills in how near a candidate is in its prompt, and in what came before.
func (n *Namespace) inContext(x *Candidate, h *hash.Value, asked []byte, prompt, said []float32) bool {
	a, ok := h.GetString(fieldVector)
	b, ok2 := h.GetString(fieldBeforeVector)
	own, before := unitOf(a, n.Dim), unitOf(b, n.Dim)
	if !ok || !ok2 || own == nil || before == nil {
		return false
	}
	x.same = bytes.Equal(n.normalise(nil, []byte(x.Prompt)), n.normalise(nil, asked))
	if text, ok := h.GetString(fieldBefore); ok {
		x.before = string(text)
	}
	x.Sim, x.Context = cosine(own, prompt), cosine(before, said)
	return true
}

// contextual is the log odds of a candidate with what its context is worth. p is the text of the
// prompt's own, taken apart, nil where only its vector is known.
func (n *Namespace) contextual(odds float64, x *Candidate, p *judge.Prompt) float64 {
	if math.IsNaN(x.Context) || n.without.context {
		return odds
	}
	m := judge.Default()
	context := m.ContextLogOdds(x.Context)
	if p != nil && x.before != "" {
		judged := m.LogOdds(m.Score(judge.Compare(p, judge.Parse(x.before), x.Context, nil)))
		context = m.TextContextLogOdds(judged, x.Context)
	}
	return judge.InContext(odds, context, x.same)
}
