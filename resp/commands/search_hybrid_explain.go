package commands

import (
	"cmp"
	"fmt"

	agg "github.com/nearcache/nearcache/index/aggregate"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/resp"
)

// explained writes the score of a document with how it came about, as the first
// property of its row.
func (h *ftHybridRun) explained(w *resp.Writer, d *agg.Doc) {
	f := h.fused[d.Name]
	w.BulkString("score")
	w.Array(2)
	w.Double(f.Score)
	explain(w, h.tree(f))
}

// tree is the explanation, in RediSearch's layout.
func (h *ftHybridRun) tree(f *agg.Fused) *search.Explain {
	var parts [2]string
	fusion := &h.fusion
	head := fmt.Sprintf("Hybrid score (RRF: window=%d, constant=%.2f)", fusion.Window, fusion.Constant)
	if fusion.Linear {
		head = fmt.Sprintf("Hybrid score (LINEAR: alpha=%.4f, beta=%.4f, window=%d)", fusion.Weights[0], fusion.Weights[1], fusion.Window)
	}
	for i, name := range []string{"text", "vector"} {
		switch {
		case f.Ranks[i] == 0:
			parts[i] = "0 [" + name + ": no match]"
		case fusion.Linear:
			parts[i] = fmt.Sprintf("%.4f * %.4f", fusion.Weights[i], f.Scores[i])
		default:
			parts[i] = fmt.Sprintf("1 / (constant %.2f + rank %d)", fusion.Constant, f.Ranks[i])
		}
	}
	return &search.Explain{
		Text: fmt.Sprintf("final score: %s + %s = %.17g", parts[0], parts[1], f.Score),
		Of:   []*search.Explain{{Text: head, Of: []*search.Explain{h.textBranch(f), h.nearBranch(f)}}},
	}
}

// share says what a list gives to the score.
func (h *ftHybridRun) share(f *agg.Fused, list int, name string) string {
	rank, weight, score := f.Ranks[list], h.fusion.Weights[list], f.Scores[list]
	switch {
	case rank == 0 && h.fusion.Linear:
		return name + " contribution = <no match>"
	case rank == 0:
		return name + " rank = <no match>"
	case h.fusion.Linear:
		return fmt.Sprintf("%s contribution = %.4f * %.4f = %.4f", name, weight, score, weight*score)
	default:
		return fmt.Sprintf("%s rank = %d", name, rank)
	}
}

func (h *ftHybridRun) textBranch(f *agg.Fused) *search.Explain {
	branch := &search.Explain{Text: h.share(f, hybridText, "text")}
	if f.Ranks[hybridText] == 0 {
		return branch
	}
	scorer := &search.Explain{Text: "Text scorer: " + cmp.Or(h.text.scorer, "BM25STD")}
	if h.fusion.Linear {
		scorer.Of = append(scorer.Of, &search.Explain{Text: fmt.Sprintf("normalized text score = %.4f", f.Scores[hybridText])})
	}
	if ex := h.explains[f.Ranks[hybridText]-1]; ex != nil {
		scorer.Of = append(scorer.Of, ex)
	}
	branch.Of = []*search.Explain{scorer}
	return branch
}

func (h *ftHybridRun) nearBranch(f *agg.Fused) *search.Explain {
	branch := &search.Explain{Text: "vector branch (KNN)"}
	found := f.Ranks[hybridNear] > 0
	if h.near.ranged {
		branch.Text = fmt.Sprintf("vector branch (RANGE: radius=%.4f", h.near.radius)
		if h.near.epsilon > 0 {
			branch.Text += fmt.Sprintf(", epsilon=%g", h.near.epsilon)
		}
		branch.Text += ")"
		branch.Of = append(branch.Of, &search.Explain{Text: fmt.Sprintf("matched within radius = %t", found)})
	}
	branch.Of = append(branch.Of, &search.Explain{Text: h.share(f, hybridNear, "vector")})
	if found && h.fusion.Linear {
		branch.Of = append(branch.Of, &search.Explain{Text: fmt.Sprintf("normalized vector score = %.4f", f.Scores[hybridNear])})
	}
	return branch
}
