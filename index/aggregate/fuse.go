package aggregate

import (
	"cmp"
	"slices"
)

// Fusion says how FT.HYBRID makes one list of documents of two ranked ones: that of
// the text and that of the vectors.
type Fusion struct {
	Linear   bool       // the weighted sum of the scores, not that of reciprocal ranks
	Weights  [2]float64 // of Linear
	Constant float64    // of the ranks: 1/(Constant+rank)
	Window   int        // how much of each list counts
}

// Ranked is a document of a list that stands in the order of its scores.
type Ranked struct {
	Name  string
	Score float64
}

// Fused is a document of the one list.
type Fused struct {
	Name   string
	Score  float64
	Ranks  [2]int // in the two lists, from 1; 0: it is not there
	Scores [2]float64
}

// Fuse makes the list, the best first; documents with the same score stand in the
// order of their last writes.
func (f *Fusion) Fuse(lists [2][]Ranked, written func(name string) uint64) []Fused {
	type entry struct {
		Fused
		written uint64
	}
	var all []entry
	at := map[string]int{}
	for i, l := range lists {
		for rank, d := range l[:min(f.Window, len(l))] {
			k, ok := at[d.Name]
			if !ok {
				k = len(all)
				at[d.Name] = k
				all = append(all, entry{Fused{Name: d.Name}, written(d.Name)})
			}
			all[k].Ranks[i], all[k].Scores[i] = rank+1, d.Score
		}
	}
	for k := range all {
		e := &all[k]
		for i, rank := range e.Ranks {
			switch {
			case rank == 0:
			case f.Linear:
				e.Score += f.Weights[i] * e.Scores[i]
			default:
				e.Score += 1 / (f.Constant + float64(rank))
			}
		}
	}
	slices.SortStableFunc(all, func(a, b entry) int {
		if c := cmp.Compare(b.Score, a.Score); c != 0 {
			return c
		}
		return cmp.Compare(a.written, b.written)
	})
	fused := make([]Fused, len(all))
	for k := range all {
		fused[k] = all[k].Fused
	}
	return fused
}
