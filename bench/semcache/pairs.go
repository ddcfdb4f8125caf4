package semcache

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/viterin/vek/vek32"

	"github.com/nearcache/nearcache/datasets"
)

// pair is two prompts.
type pair struct {
	A      string  `json:"a"`
	B      string  `json:"b"`
	Label  int     `json:"label"` // 1: the same answer
	Kind   string  `json:"kind"`
	Cosine float64 `json:"cosine"`
	// Category is what fow_pairs calls kind.
	Category string `json:"category"`
}

// set is pairs of one origin.
type set struct {
	name  string
	pairs []pair
}

// count tells how many pairs have the same answer and how many another.
func (s set) count() (same, other int) {
	for _, p := range s.pairs {
		same += p.Label
	}
	return same, len(s.pairs) - same
}

// open reads what all sets need.
func open() (*datasets.Manifest, vectors, error) {
	m, err := datasets.Open("")
	if err != nil {
		return nil, vectors{}, err
	}
	e, err := m.MiniLM()
	if err != nil {
		return nil, vectors{}, err
	}
	v := vectors{e, make(map[string]int, len(e.Texts))}
	for i, t := range e.Texts {
		v.row[t] = i
	}
	return m, v, nil
}

// load makes the sets of datasets/. Two of them are pairs; of two others, pairs
// are made from questions that are near to each other.
func load(m *datasets.Manifest, v vectors) ([]set, error) {
	var out []set
	for _, make := range []func(*datasets.Manifest, vectors) (set, error){fow, contrast, nqOpen, hwu64} {
		s, err := make(m, v)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// vectors are embeddings by their text.
type vectors struct {
	*datasets.Embedded
	row map[string]int
}

// at is the row of a text's embedding.
func (v vectors) at(text string) (int, error) {
	i, ok := v.row[text]
	if !ok {
		return 0, fmt.Errorf("no embedding of %q", text)
	}
	return i, nil
}

func (v vectors) cosine(a, b string) (float64, error) {
	i, err := v.at(a)
	if err != nil {
		return 0, err
	}
	j, err := v.at(b)
	if err != nil {
		return 0, err
	}
	return float64(vek32.Dot(v.Row(i), v.Row(j))), nil
}

// fow is prompts written to be told apart: near repeats and paraphrases, and pairs with another number, name, scope or negation.
func fow(m *datasets.Manifest, v vectors) (set, error) {
	p, err := rows[pair](m, "fow_pairs")
	if err != nil {
		return set{}, err
	}
	for i := range p {
		p[i].Kind = p[i].Category
		if p[i].Cosine, err = v.cosine(p[i].A, p[i].B); err != nil {
			return set{}, err
		}
	}
	return set{"fow", p}, nil
}

// contrast is questions with one thing changed by rule: what keeps the answer, or what does not.
func contrast(m *datasets.Manifest, _ vectors) (set, error) {
	p, err := rows[pair](m, "contrast_pairs")
	return set{"contrast", p}, err
}

// searched is a question of nq_open.
type searched struct {
	Text    string   `json:"question"`
	Answers []string `json:"answer"`
}

// nqOpen is pairs of search questions whose answers are known.
func nqOpen(m *datasets.Manifest, v vectors) (set, error) {
	q, err := rows[searched](m, "nq_open")
	if err != nil {
		return set{}, err
	}
	texts := make([]string, len(q))
	answers := make([][]string, len(q))
	for i := range q {
		texts[i] = q[i].Text
		for _, a := range q[i].Answers {
			answers[i] = append(answers[i], plain(a))
		}
	}
	p, err := near(v, texts, 20, func(i, j int) int { return sameAnswer(answers[i], answers[j]) })
	return set{"nq", p}, err
}

// sameAnswer is 1 when one answer is in both, 0 when they share no word, -1 when that cannot be said.
func sameAnswer(a, b []string) int {
	for _, x := range a {
		if slices.Contains(b, x) {
			return 1
		}
	}
	for _, x := range a {
		for _, w := range strings.Fields(x) {
			if w == "of" || w == "and" || w == "in" || w == "de" {
				continue
			}
			for _, y := range b {
				if slices.Contains(strings.Fields(y), w) {
					return -1
				}
			}
		}
	}
	return 0
}

// plain is an answer without case, articles and signs.
func plain(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r < 128 && (r < '0' || r > '9') && (r < 'a' || r > 'z') })
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "the" || w == "a" || w == "an" }), " ")
}

// commands reads the commands to an assistant, and what is to be done: intent and entities.
func commands(m *datasets.Manifest) (texts, keys []string, err error) {
	type command struct {
		Text     string     `json:"text"`
		Intent   string     `json:"intent"`
		Entities [][]string `json:"entities"`
	}
	c, err := rows[command](m, "hwu64")
	for _, c := range c {
		slots := make([]string, 0, len(c.Entities))
		for _, e := range c.Entities {
			slots = append(slots, strings.Join(e, "="))
		}
		slices.Sort(slots)
		texts, keys = append(texts, c.Text), append(keys, c.Intent+" "+strings.Join(slots, " "))
	}
	return texts, keys, err
}

// hwu64 is pairs of commands: the same answer when the same is to be done.
func hwu64(m *datasets.Manifest, v vectors) (set, error) {
	texts, keys, err := commands(m)
	if err != nil {
		return set{}, err
	}
	p, err := near(v, texts, 6, func(i, j int) int {
		if keys[i] == keys[j] {
			return 1
		}
		return 0
	})
	r := rand.New(rand.NewPCG(3, 0))
	r.Shuffle(len(p), func(i, j int) { p[i], p[j] = p[j], p[i] })
	return set{"hwu", p[:min(len(p), 8000)]}, err
}

// nearest a pair may be at this cosine; below it no cache would serve.
const leastCosine = 0.6

// near pairs each text with its k nearest; label says 1, 0 or -1 for neither.
func near(v vectors, texts []string, k int, label func(i, j int) int) ([]pair, error) {
	at := make([]int, len(texts))
	for i, t := range texts {
		row, err := v.at(t)
		if err != nil {
			return nil, err
		}
		at[i] = row
	}
	type hit struct {
		j   int
		cos float64
	}
	found := make([][]hit, len(texts))
	parallel(len(texts), func(i int) {
		var h []hit
		a := v.Row(at[i])
		for j := range texts {
			if at[j] == at[i] {
				continue
			}
			if c := vek32.Dot(a, v.Row(at[j])); c >= leastCosine {
				h = append(h, hit{j, float64(c)})
			}
		}
		slices.SortFunc(h, func(x, y hit) int {
			switch {
			case x.cos > y.cos:
				return -1
			case x.cos < y.cos:
				return 1
			}
			return x.j - y.j
		})
		found[i] = h[:min(len(h), k)]
	})
	seen := map[[2]int]bool{}
	var out []pair
	for i, hits := range found {
		for _, h := range hits {
			key := [2]int{min(at[i], at[h.j]), max(at[i], at[h.j])}
			if seen[key] {
				continue
			}
			seen[key] = true
			if l := label(i, h.j); l >= 0 {
				out = append(out, pair{A: texts[i], B: texts[h.j], Label: l, Cosine: h.cos})
			}
		}
	}
	return out, nil
}

// rows loads a set and checks that it is whole.
func rows[T any](m *datasets.Manifest, name string) ([]T, error) {
	s, err := m.Set(name)
	if err != nil {
		return nil, err
	}
	r, err := datasets.LoadJSONL[T](s.Path(), datasets.Limits{})
	if err == nil && len(r) != s.Rows {
		err = fmt.Errorf("%s: %d rows, the manifest says %d", s.Path(), len(r), s.Rows)
	}
	return r, err
}
