package attr

import (
	"slices"

	"github.com/antzucaro/matchr"
)

// sounds are the words that sound alike, by the primary code of Double Metaphone.
type sounds struct {
	fields Mask // that are indexed so
	words  map[string][]TermID
}

// soundOf is the code of a word, "" for one that has none: digits, other scripts.
func soundOf(word string) string {
	if len(word) > 64 { // no word of a language
		return ""
	}
	code, _ := matchr.DoubleMetaphone(word)
	return code
}

func (s *sounds) add(word string, id TermID) {
	if code := soundOf(word); s.words != nil && code != "" {
		s.words[code] = append(s.words[code], id)
	}
}

func (s *sounds) remove(word string, id TermID) {
	if s.words == nil {
		return
	}
	code := soundOf(word)
	l := s.words[code]
	if i := slices.Index(l, id); i >= 0 {
		l[i] = l[len(l)-1]
		l = l[:len(l)-1]
	}
	if len(l) == 0 {
		delete(s.words, code)
	} else {
		s.words[code] = l
	}
}

// listen makes a field phonetic.
func (t *Text) listen(field int) {
	t.sounds.fields.Add(field)
	if t.sounds.words != nil {
		return
	}
	t.sounds.words = map[string][]TermID{}
	for word, id := range t.dict {
		t.sounds.add(word, id)
	}
}

// Phonetic reports whether one of the fields is indexed by sound.
func (t *Text) Phonetic(m Mask) bool { return !t.sounds.fields.And(m).Empty() }

// Sounding appends the words that sound as the word does, itself left out. They count
// in phonetic fields only, one that is spelled as the stem in stemmed ones too.
func (t *Text) Sounding(dst []Match, word string) []Match {
	if t.sounds.words == nil {
		return dst
	}
	code := soundOf(word)
	if code == "" {
		return dst
	}
	for _, id := range t.sounds.words[code] {
		if t.terms[id].name == word || slices.Contains(dst, Match{ID: id, Exact: true}) {
			continue
		}
		if i := slices.Index(dst, Match{ID: id}); i >= 0 {
			dst[i].Sound = true
			continue
		}
		dst = append(dst, Match{ID: id, Exact: true, Sound: true})
	}
	return dst
}

// Where are the fields in which a match counts, of those that are asked.
func (t *Text) Where(w Match, m Mask) Mask {
	switch {
	case w.Sound && w.Exact:
		return m.And(t.sounds.fields)
	case w.Sound:
		return m.And(Mask{t.stemmed[0] | t.sounds.fields[0], t.stemmed[1] | t.sounds.fields[1]})
	case !w.Exact:
		return m.And(t.stemmed)
	}
	return m
}
