package search

import (
	"math"

	"github.com/nearcache/nearcache/index/attr"
)

// Extra is what a document says of itself beside its fields.
type Extra struct {
	HasScore bool
	Score    float64
	Payload  []byte // nil is none
	Language attr.Language
}

// extras are those of all documents, by label. It is guarded by Index.mu.
type extras struct {
	best     float64   // of all scores that were put
	scores   []float64 // NaN: the index's own
	payloads []string  // "" is none
}

func (x *extras) put(label uint32, e *Extra) {
	if e.HasScore {
		for int(label) >= len(x.scores) {
			x.scores = append(x.scores, math.NaN())
		}
		x.scores[label] = e.Score
		x.best = max(x.best, e.Score)
	}
	if len(e.Payload) > 0 {
		for int(label) >= len(x.payloads) {
			x.payloads = append(x.payloads, "")
		}
		x.payloads[label] = string(e.Payload)
	}
}

func (x *extras) remove(label uint32) {
	if int(label) < len(x.scores) {
		x.scores[label] = math.NaN()
	}
	if int(label) < len(x.payloads) {
		x.payloads[label] = ""
	}
}

// docScore is the document's own score.
func (ix *Index) docScore(label uint32) float64 {
	if s := ix.mu.extras.scores; int(label) < len(s) && !math.IsNaN(s[label]) {
		return s[label]
	}
	return ix.score
}

// bestScore is at least as much as docScore of any document.
func (ix *Index) bestScore() float64 { return max(ix.score, ix.mu.extras.best) }

// payload is what HAMMING compares.
func (ix *Index) payload(label uint32) string {
	if p := ix.mu.extras.payloads; int(label) < len(p) {
		return p[label]
	}
	return ""
}
