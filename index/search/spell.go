package search

import (
	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/attr"
)

// Spelling is a word that a misspelled one may have meant.
type Spelling struct {
	Word string
	Docs int // documents that hold it
}

// Spellings are the words of documents at most so many edits away from word, in
// their order, that stand in one of the TEXT fields (nil for all). known reports
// that word itself stands in a document; then there are none.
func (ix *Index) Spellings(word string, edits int, fields []string) (l []Spelling, known bool, err error) {
	ix.life.RLock()
	defer ix.life.RUnlock()
	if ix.closed {
		return nil, false, ErrClosed
	}
	mask := attr.AllFields
	if fields != nil {
		mask = attr.Mask{}
		for _, name := range fields {
			a := ix.byName[name]
			if a == nil || a.text < 0 {
				return nil, false, errorf("Unknown field `%s`", name)
			}
			mask.Add(a.text)
		}
	}
	if ix.text == nil {
		return nil, false, nil
	}
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	if _, ok := ix.text.Term(word); ok {
		return nil, true, nil
	}
	ix.text.Fuzzy(word, edits, func(w string, id attr.TermID, _ int) bool {
		if mask != attr.AllFields {
			var b index.Bitmap
			if ix.text.Or(&b, attr.Match{ID: id, Exact: true}, mask); b.Len() == 0 {
				return true
			}
		}
		l = append(l, Spelling{w, ix.text.Docs(id)})
		return len(l) < maxSpellings
	})
	return l, false, nil
}

// maxSpellings bounds the words that are looked at for one.
const maxSpellings = 1000

// InText reports in how many documents a word stands, whatever the field.
func (ix *Index) InText(word string) int {
	ix.life.RLock()
	defer ix.life.RUnlock()
	if ix.closed || ix.text == nil {
		return 0
	}
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	if id, ok := ix.text.Term(word); ok {
		return ix.text.Docs(id)
	}
	return 0
}
