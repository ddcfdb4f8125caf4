package attr

import (
	"slices"
	"strings"
)

// Language is one that words are stemmed in. 0 is the index's own.
type Language uint8

// languages are the names, by Language less 1.
var languages = func() (l []string) {
	for name := range stemmers {
		l = append(l, name)
	}
	l = append(l, unstemmed...)
	slices.Sort(l)
	return l
}()

// stemmerOf are the stemmers, by Language less 1; nil for a language without one.
var stemmerOf = func() (l []Stemmer) {
	for _, name := range languages {
		stem, _ := NewStemmer(name)
		l = append(l, stem)
	}
	return l
}()

// ParseLanguage finds a language by its name, in whatever case.
func ParseLanguage(name string) (Language, bool) {
	i, ok := slices.BinarySearch(languages, strings.ToLower(name))
	return Language(i + 1), ok
}

// tongue is what a Text knows of a language that some documents are in and that is
// not its own. Stems of all languages share one space, as in RediSearch: where two
// words of two languages have the same stem, one is found with the other.
type tongue struct {
	stem Stemmer           // nil: none
	of   map[TermID]TermID // stems' entries by word; noTerm: the word is its own stem
}

// SetLanguage says which language the Text's own stemmer is of.
func (t *Text) SetLanguage(l Language) { t.own = l }

// stemmer is that of a language.
func (t *Text) stemmer(l Language) Stemmer {
	if l == 0 || l == t.own {
		return t.stem
	}
	return stemmerOf[l-1]
}

// tongueFor is that of a language, nil for the Text's own.
func (t *Text) tongueFor(l Language) *tongue {
	if l == 0 || l == t.own {
		return nil
	}
	if t.tongues == nil {
		t.tongues = make([]*tongue, len(languages))
	}
	g := t.tongues[l-1]
	if g == nil {
		g = &tongue{stem: stemmerOf[l-1], of: map[TermID]TermID{}}
		t.tongues[l-1] = g
	}
	return g
}

// tongue is that of a document, nil for the Text's own.
func (t *Text) tongue(id uint32) *tongue {
	if int(id) >= len(t.spoken) {
		return nil
	}
	return t.tongueFor(t.spoken[id])
}

// speak notes the language of a document.
func (t *Text) speak(id uint32, l Language) {
	if l == t.own {
		l = 0
	}
	if l == 0 && int(id) >= len(t.spoken) {
		return
	}
	for int(id) >= len(t.spoken) {
		t.spoken = append(t.spoken, 0)
	}
	t.spoken[id] = l
}

// stemIn is the entry of a word's stem; noTerm where the word is its own.
func (t *Text) stemIn(g *tongue, id TermID) TermID {
	if g == nil {
		return t.stemOf[id]
	}
	if s, ok := g.of[id]; ok {
		return s
	}
	return noTerm
}

// learn is stemIn for a word that a document is put with.
func (t *Text) learn(g *tongue, id TermID) TermID {
	if g == nil {
		return t.stemOf[id]
	}
	s, ok := g.of[id]
	if !ok {
		s = t.internStem(g.stem, t.terms[id].name)
		g.of[id] = s
		t.dictBytes += tongueBytes
	}
	return s
}

// tongueBytes is about what a word of a further language takes.
const tongueBytes = 24

// internStem is the entry of the word's stem, with one more word; noTerm where the
// word is its own.
func (t *Text) internStem(stem Stemmer, word string) TermID {
	if stem == nil {
		return noTerm
	}
	s := stem(word)
	if s == word || s == "" {
		return noTerm
	}
	id, ok := t.stems[s]
	if !ok {
		id = t.alloc(s)
		t.stems[s] = id
	}
	t.terms[id].refs++
	return id
}

// releaseStem takes a word from a stem's entry.
func (t *Text) releaseStem(id TermID) {
	if id == noTerm {
		return
	}
	if t.terms[id].refs--; t.terms[id].refs == 0 {
		delete(t.stems, t.terms[id].name)
		t.release(id)
	}
}

// forget drops what the languages know of a word that no document holds any more.
func (t *Text) forget(id TermID) {
	t.releaseStem(t.stemOf[id])
	for _, g := range t.tongues {
		if g == nil {
			continue
		}
		if s, ok := g.of[id]; ok {
			delete(g.of, id)
			t.dictBytes -= tongueBytes
			t.releaseStem(s)
		}
	}
}
