package attr

import (
	"slices"
	"strings"
)

// suffixes finds words by what they end with or hold: all of their endings in one
// order, in which those that begin alike stand together. It is what RediSearch keeps
// in a trie; eight bytes for each byte of a word.
type suffixes struct {
	name func(id uint32) string
	list ordered[suffix]
	long map[uint32]struct{} // words above maxSuffixed, which are looked at one by one
}

// suffix is the end of a word from a byte on.
type suffix struct {
	id uint32
	at uint32
}

// maxSuffixed is the length of the longest word whose endings are listed: a longer
// one is no word of a language, and would cost its length in time and memory.
const maxSuffixed = 128

func newSuffixes(name func(id uint32) string) *suffixes {
	s := &suffixes{name: name, long: map[uint32]struct{}{}}
	s.list.cmp = func(a, b suffix) int {
		if c := strings.Compare(s.text(a), s.text(b)); c != 0 {
			return c
		}
		return int(a.id) - int(b.id)
	}
	return s
}

func (s *suffixes) text(x suffix) string { return s.name(x.id)[x.at:] }

// add lists the endings of a word, which name must know already.
func (s *suffixes) add(id uint32) {
	word := s.name(id)
	if len(word) > maxSuffixed {
		s.long[id] = struct{}{}
		return
	}
	for i := range len(word) {
		if begins(word[i]) {
			s.list.insert(suffix{id, uint32(i)})
		}
	}
}

// remove takes them out; name must still know the word.
func (s *suffixes) remove(id uint32) {
	word := s.name(id)
	if len(word) > maxSuffixed {
		delete(s.long, id)
		return
	}
	for i := range len(word) {
		if begins(word[i]) {
			s.list.remove(suffix{id, uint32(i)})
		}
	}
}

// begins reports whether a character can begin with the byte.
func begins(c byte) bool { return c&0xc0 != 0x80 }

// find lists the words that hold part, or end with it, in their order. False if that
// is no less work than to look at all of so many words.
func (s *suffixes) find(part string, end bool, words int) ([]uint32, bool) {
	if part == "" || !begins(part[0]) {
		return nil, false
	}
	after, ok := After(part)
	b0, _ := s.list.seekBy(func(x suffix) bool { return s.text(x) < part })
	b1, _ := s.list.seekBy(func(x suffix) bool {
		text := s.text(x)
		return text <= part || !end && (!ok || text < after)
	})
	if (b1-b0)*blockSize > words {
		return nil, false
	}
	var ids []uint32
	s.list.fromBy(func(x suffix) bool { return s.text(x) < part }, func(x suffix) bool {
		text := s.text(x)
		if !strings.HasPrefix(text, part) || end && len(text) > len(part) {
			return false // words that end so stand before those that go on
		}
		ids = append(ids, x.id)
		return true
	})
	for id := range s.long {
		if w := s.name(id); end && strings.HasSuffix(w, part) || !end && strings.Contains(w, part) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b uint32) int { return strings.Compare(s.name(a), s.name(b)) })
	return slices.Compact(ids), true
}

func (s *suffixes) bytes() int64 {
	if s == nil {
		return 0
	}
	return int64(8*(blockSize+1)*len(s.list.blocks) + 16*len(s.long))
}

// ListSuffixes makes Holding quick from now on.
func (t *Text) ListSuffixes() {
	if t.suffixes != nil {
		return
	}
	t.suffixes = newSuffixes(func(id uint32) string { return t.terms[id].name })
	for _, id := range t.dict {
		t.suffixes.add(uint32(id))
	}
}

// Holding calls f with each word that holds part, or ends with it, in their order,
// until f returns false. It returns false, and has called nothing, where it cannot
// tell without looking at all words.
func (t *Text) Holding(part string, end bool, f func(word string) bool) bool {
	if t.suffixes == nil {
		return false
	}
	ids, ok := t.suffixes.find(part, end, t.sorted.n)
	for _, id := range ids {
		if !f(t.terms[id].name) {
			break
		}
	}
	return ok
}

// ListSuffixes makes Holding quick from now on.
func (t *Tags) ListSuffixes() {
	if t.suffixes != nil {
		return
	}
	t.suffixes = newSuffixes(func(id uint32) string { return t.names[id] })
	for _, id := range t.dict {
		t.suffixes.add(id)
	}
}

// Holding calls f with each tag that holds part, or ends with it, as Text's does.
func (t *Tags) Holding(part string, end bool, f func(tag string, s *Set) bool) bool {
	if t.suffixes == nil {
		return false
	}
	ids, ok := t.suffixes.find(part, end, t.sorted.n)
	for _, id := range ids {
		if !f(t.names[id], &t.sets[id]) {
			break
		}
	}
	return ok
}
