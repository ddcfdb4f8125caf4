package judge

import "slices"

// Guard is a reason to doubt that two prompts have the same answer, however
// close their embeddings are. Under STRICT, one that fires refuses the hit.
type Guard struct {
	Name string
	What string
	By   string // the signal that lets it fire when above 0
}

// Guards are all of them.
var Guards = []Guard{
	{"number", "another number", "numbers"},
	{"date", "another day or month", "dates"},
	{"unit", "another unit", "units"},
	{"negation", "one is negated", "negation"},
	{"opposite", "a word that excludes a word of the other", "opposites"},
	{"name", "another name", "names"},
	{"direction", "from and to are exchanged", "exchanged"},
	{"question", "another kind of answer is asked for", "question-kind"},
	{"language", "another script", "script"},
}

var guardSignals = func() []int {
	at := make([]int, len(Guards))
	for i, g := range Guards {
		at[i] = slices.IndexFunc(Signals, func(s Signal) bool { return s.Name == g.By })
	}
	return at
}()

// Fired are the names of the guards that the evidence lets fire, nil for none.
func Fired(e Evidence) (names []string) {
	for i, s := range guardSignals {
		if e[s] > 0 {
			names = append(names, Guards[i].Name)
		}
	}
	return names
}
