package semcache

import (
	"bytes"
	"math"

	"github.com/nearcache/nearcache/store/types/hash"
)

// Answers says which answers are the same: what the neighbours of an entry say of it depends on it.
type Answers uint8

// The ways. ByID, the default, goes by the id that the caller gave the answer, and by its text where
// there is none; ByMeaning by how near their embeddings are, which also sees that a model
// has said the same in other words.
const (
	ByID Answers = iota
	ByText
	ByMeaning
)

// AnswersNames is what SEM.CREATE calls them.
var AnswersNames = []string{ByID: "ID", ByText: "TEXT", ByMeaning: "EMBED"}

// answer is what tells an answer from others.
type answer struct {
	id     string
	vector []float32 // of length 1; nil but for ByMeaning
}

// sameAnswer reports whether two answers are the same.
func (n *Namespace) sameAnswer(a, b *answer) bool {
	if a.id == b.id {
		return true
	}
	return n.Answers == ByMeaning && len(a.vector) > 0 && len(a.vector) == len(b.vector) &&
		cosine(a.vector, b.vector) >= n.AnswerSim
}

// answerOf reads what tells an entry's answer; false where it has none.
func (n *Namespace) answerOf(h *hash.Value) (a answer, ok bool) {
	if id, ok := h.GetString(fieldAnswerID); ok && len(id) > 0 {
		a.id = string(id)
	} else if text, ok := h.GetString(fieldAnswer); ok {
		a.id = answerHash(text)
	} else {
		return a, false
	}
	if n.Answers == ByMeaning {
		if v, ok := h.GetString(fieldAnswerVector); ok {
			a.vector = unitOf(v, n.Dim)
		}
	}
	return a, true
}

// classes gives candidates with the same answer the same class. Meaning is not transitive: an answer is
// of the class of the first, and so nearest, that it is the same as.
func (n *Namespace) classes(l []Candidate) {
	for i := range l {
		l[i].class = i
		for k := range l[:i] {
			if l[k].class == k && n.sameAnswer(&l[k].answer, &l[i].answer) {
				l[i].class = k
				break
			}
		}
	}
}

// answersRepeat reports whether answers can be told apart here: two entries have the same. Where
// a model has written each of them anew, that two differ says nothing.
func answersRepeat(l []Candidate) bool {
	for i := range l {
		if l[i].class != i {
			return true
		}
	}
	return false
}

// doubtful reports whether what a confidence is worth depends on what was seen here: where answers can be told
// apart, and where what came before counts.
func doubtful(l []Candidate) bool {
	return len(l) > 0 && !math.IsNaN(l[0].Context) || answersRepeat(l)
}

// embedAnswer sees to it that an entry has its answer's vector, where answers are compared by them.
func (n *Namespace) embedAnswer(call *Call, e *Entry) error {
	if n.Answers != ByMeaning {
		e.AnswerVector = nil
		return nil
	}
	if err := n.checkVector(e.AnswerVector); err != nil {
		return err
	}
	if e.AnswerVector == nil {
		if call.Locked {
			return ErrNoEmbedding
		}
		v, err := n.Embed(call.Ctx, e.Answer)
		if err != nil {
			return err
		}
		e.AnswerVector = v
		call.now(n.c)
	}
	if unitOf(e.AnswerVector, n.Dim) == nil && !bytes.Equal(e.AnswerVector, make([]byte, 4*n.Dim)) {
		return paramError("the vector holds NaN or infinity")
	}
	return nil
}
