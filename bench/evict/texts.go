package evict

import (
	"errors"
	"math"

	"github.com/nearcache/nearcache/datasets"
)

// questions is a cache of answers in front of a language model, by the wording of
// the question: real questions of bank customers (Banking77) of 77 intents, some
// of which are asked far more than others, with real long prompts of Arena-Hard
// between them that hardly repeat. An answer costs what its words take.
func (m maker) questions() (*Trace, error) {
	dir, err := datasets.Dir()
	if err != nil {
		return nil, err
	}
	all, err := datasets.Open(dir)
	if err != nil {
		return nil, err
	}
	bank, err := all.Banking77()
	if err != nil {
		return nil, err
	}
	set, err := all.Set("arena_prompts")
	if err != nil {
		return nil, err
	}
	type prompt struct {
		Prompt string `json:"prompt"`
	}
	prompts, err := datasets.LoadJSONL[prompt](set.Path(), datasets.Limits{})
	if err != nil {
		return nil, err
	}
	if len(bank) == 0 || len(prompts) == 0 {
		return nil, errors.New("bench evict: no questions in datasets")
	}
	r := m.rand()
	t := &Trace{}
	add := func(text string) uint32 {
		words := logNormal(r, 120, 0.8, 10, 2000) // of the answer
		t.Size = append(t.Size, uint32(float64(len(text))+6*words))
		t.Cost = append(t.Cost, float32(300+15*words)) // 65 words a second
		return uint32(len(t.Size) - 1)
	}
	intents := map[string][]uint32{}
	var names []string
	for _, q := range bank {
		if intents[q.Intent] == nil {
			names = append(names, q.Intent)
		}
		intents[q.Intent] = append(intents[q.Intent], add(q.Text))
	}
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	which := newZipf(len(names), 0.8)
	wording := newZipf(1000, 0.9)
	// What people ask changes over the day: the intents turn once in the trace.
	for i := range m.n {
		if r.IntN(8) == 0 { // a long prompt; one in four is one that was seen before
			if r.IntN(4) > 0 || i == 0 {
				t.IDs = append(t.IDs, add(prompts[r.IntN(len(prompts))].Prompt))
			} else {
				t.IDs = append(t.IDs, t.IDs[r.IntN(len(t.IDs))])
			}
			continue
		}
		turn := int(math.Floor(float64(i) / float64(m.n) * float64(len(names))))
		l := intents[names[(which.next(r)+turn)%len(names)]]
		t.IDs = append(t.IDs, l[wording.next(r)%len(l)])
	}
	return t, nil
}
