package search

import (
	"maps"
	"slices"

	"github.com/nearcache/nearcache/index/attr"
)

// Synonyms are groups of words that mean the same: a query for one of a group finds
// the others. They are immutable.
type Synonyms struct {
	words  map[string][]string // by group
	groups map[string][]string // by word
}

// Groups are the words of each group, sorted.
func (s *Synonyms) Groups() map[string][]string {
	if s == nil {
		return nil
	}
	return s.words
}

// Words are the groups of each word, in the order in which it came into them.
func (s *Synonyms) Words() map[string][]string {
	if s == nil {
		return nil
	}
	return s.groups
}

// with returns the synonyms with words added to a group.
func (s *Synonyms) with(group string, words []string) *Synonyms {
	n := &Synonyms{words: map[string][]string{}, groups: map[string][]string{}}
	if s != nil {
		n.words, n.groups = maps.Clone(s.words), maps.Clone(s.groups)
	}
	list := slices.Clone(n.words[group])
	for _, w := range words {
		if slices.Contains(n.groups[w], group) {
			continue
		}
		list = append(list, w)
		n.groups[w] = append(slices.Clone(n.groups[w]), group)
	}
	slices.Sort(list)
	n.words[group] = list
	return n
}

// Synonyms are those of the index, nil for none.
func (ix *Index) Synonyms() *Synonyms { return ix.synonyms.Load() }

// AddSynonyms adds words, in lower case, to a group. Calls must not overlap.
func (ix *Index) AddSynonyms(group string, words []string) {
	ix.synonyms.Store(ix.synonyms.Load().with(group, words))
}

// SetSynonyms takes over those of another index.
func (ix *Index) SetSynonyms(s *Synonyms) { ix.synonyms.Store(s) }

// expand appends the other words of a word's groups.
func (s *Synonyms) expand(t *attr.Text, dst []attr.Match, word string) []attr.Match {
	if s == nil {
		return dst
	}
	for _, g := range s.groups[word] {
		for _, w := range s.words[g] {
			id, ok := t.Term(w)
			if ok && w != word && !slices.Contains(dst, attr.Match{ID: id, Exact: true}) {
				dst = append(dst, attr.Match{ID: id, Exact: true})
			}
		}
	}
	return dst
}
