package catalog

import (
	"maps"
	"slices"
)

// rebuildWords is how many words a command of Rebuild holds at most.
const rebuildWords = 1000

// Rebuild calls emit with commands that make the same indexes, aliases, synonyms and
// dictionaries in an empty server. It is how a log is rewritten.
func (c *Catalog) Rebuild(emit func(args ...[]byte) error) error {
	err := c.Each(func(ix *Index) error {
		if err := emit(ix.Args...); err != nil {
			return err
		}
		for _, args := range ix.Later {
			if err := emit(args...); err != nil {
				return err
			}
		}
		for _, alias := range c.aliasesOf(ix.Name) {
			if err := emit([]byte("FT.ALIASADD"), []byte(alias), []byte(ix.Name)); err != nil {
				return err
			}
		}
		groups := ix.search.Synonyms().Groups()
		for _, id := range slices.Sorted(maps.Keys(groups)) {
			head := [][]byte{[]byte("FT.SYNUPDATE"), []byte(ix.Name), []byte(id), []byte("SKIPINITIALSCAN")}
			if err := emitWords(emit, head, groups[id]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range c.Dicts.names() {
		words, _ := c.Dicts.Words(name)
		if err := emitWords(emit, [][]byte{[]byte("FT.DICTADD"), []byte(name)}, words); err != nil {
			return err
		}
	}
	return nil
}

func emitWords(emit func(args ...[]byte) error, head [][]byte, words []string) error {
	for l := range slices.Chunk(words, rebuildWords) {
		args := slices.Clone(head)
		for _, w := range l {
			args = append(args, []byte(w))
		}
		if err := emit(args...); err != nil {
			return err
		}
	}
	return nil
}
