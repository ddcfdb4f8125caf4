package attr

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"github.com/nearcache/nearcache/index"
)

// MaxTextFields is how many fields a Text can tell apart, as in RediSearch.
const MaxTextFields = 128

// Mask is a set of text fields.
type Mask [2]uint64

// AllFields holds every field.
var AllFields = Mask{^uint64(0), ^uint64(0)}

// Add puts field i into the mask.
func (m *Mask) Add(i int) { m[i>>6] |= 1 << (i & 63) }

// Has reports whether field i is in the mask.
func (m Mask) Has(i int) bool { return m[i>>6]&(1<<(i&63)) != 0 }

// And is what both hold.
func (m Mask) And(o Mask) Mask { return Mask{m[0] & o[0], m[1] & o[1]} }

// Empty reports whether no field is in the mask.
func (m Mask) Empty() bool { return m == Mask{} }

// TermID names a term, or the stem that several terms share.
type TermID uint32

// Match is a term that a word of a query stands for. Exact says that it is
// the word itself; other spellings count in stemmed fields only.
type Match struct {
	ID    TermID
	Exact bool
	Sound bool // it sounds like the word: it counts in phonetic fields, if Exact only in these
}

type posting struct {
	field uint8
	set   Set
}

type term struct {
	name     string
	docs     uint32 // documents that hold it
	refs     uint32 // of a stem: terms that have it; 0 for a word
	postings []posting
	often    []Set // documents in which it stands more than once: at least 1, 2, … maxOften times more
}

// maxOften bounds how many such sets a term has: scorers hardly tell that often from
// any number. Each has far fewer documents than the one before.
const maxOften = 12

const noTerm = ^TermID(0)

// add puts id into the field's set; true if the term was new to the document in every field.
func (t *term) add(id uint32, field uint8) bool {
	set := (*Set)(nil)
	elsewhere := false
	for i := range t.postings {
		if p := &t.postings[i]; p.field == field {
			set = &p.set
		} else {
			elsewhere = elsewhere || p.set.Contains(id)
		}
	}
	if set == nil {
		t.postings = append(t.postings, posting{field: field})
		set = &t.postings[len(t.postings)-1].set
	}
	if !set.Add(id) {
		t.again(id)
		return false
	}
	if elsewhere {
		t.again(id)
	}
	return !elsewhere
}

// again notes that the term stands once more in the document.
func (t *term) again(id uint32) {
	if len(t.often) == maxOften && t.often[maxOften-1].Contains(id) {
		return
	}
	for i := range t.often {
		if t.often[i].Add(id) {
			return
		}
	}
	if len(t.often) < maxOften {
		t.often = append(t.often, Set{})
		t.often[len(t.often)-1].Add(id)
	}
}

// remove takes id out of the field's set; true if no field holds it any more.
func (t *term) remove(id uint32, field uint8) bool {
	removed, elsewhere := false, false
	for i := range t.postings {
		if p := &t.postings[i]; p.field == field {
			removed = p.set.Remove(id)
		} else {
			elsewhere = elsewhere || p.set.Contains(id)
		}
	}
	if !removed || elsewhere {
		return false
	}
	for i := range t.often {
		if !t.often[i].Remove(id) {
			break
		}
	}
	return true
}

// Text holds the words of documents.
type Text struct {
	counts    [][2]uint32 // by field: what a word counts, and what its stem does
	stemmed   Mask        // fields that are stemmed
	sounds    sounds
	suffixes  *suffixes // of words; nil: none
	stem      Stemmer
	own       Language          // of stem
	tongues   []*tongue         // by Language less 1: others that documents are in
	spoken    []Language        // by document
	dict      map[string]TermID // words
	stems     map[string]TermID // stems that differ from their word
	sorted    ordered[string]   // words, without stems
	terms     []term
	stemOf    []TermID // by term: its stem's entry; noTerm when the word is its own stem
	free      []TermID
	forward   [][]byte // by document: {field, count, count x TermID}...
	lengths   []uint32 // by document: words
	heavy     []uint32 // by document: words, weighted; nil while every word counts once
	shortest  []uint32 // by 64 documents: the least Length of those that have words
	total     uint64   // words of all documents
	weighted  uint64   // the same, weighted
	docs      int      // documents that hold a word
	uneven    bool     // a field's words count more than once
	records   int64    // pairs of document and term
	fwdBytes  int64
	dictBytes int64
}

// TextField says how a field is indexed.
type TextField struct {
	Weight   float64
	NoStem   bool
	Phonetic bool // words that sound alike are found, too
}

// NewText returns an empty index of words in the given fields.
func NewText(fields []TextField, stem Stemmer) *Text {
	t := &Text{stem: stem, dict: map[string]TermID{}, stems: map[string]TermID{}, sorted: ordered[string]{cmp: strings.Compare}}
	for _, f := range fields {
		t.AddField(f)
	}
	return t
}

// AddField adds a field, and returns its number.
func (t *Text) AddField(f TextField) int {
	n := len(t.counts)
	t.counts = append(t.counts, [2]uint32{
		uint32(max(1, min(f.Weight, math.MaxInt32))),
		uint32(max(1, min(float32(f.Weight)*stemFactor, math.MaxInt32))),
	})
	if t.counts[n][0] > 1 && !t.uneven {
		t.uneven, t.heavy = true, slices.Clone(t.lengths)
	}
	if !f.NoStem {
		t.stemmed.Add(n)
	}
	if f.Phonetic {
		t.listen(n)
	}
	return n
}

// TextDoc is the words of one document, cut before any lock is taken. It may be used again after Reset.
type TextDoc struct {
	Language Language // in which its words are stemmed

	words  []byte
	ends   []uint32
	fields []struct {
		field uint8
		n     int
	}
	buf []byte
}

// Reset empties the document.
func (d *TextDoc) Reset() {
	d.words, d.ends, d.fields, d.Language = d.words[:0], d.ends[:0], d.fields[:0], 0
}

// Add cuts the value of a field, leaving out stop words.
func (d *TextDoc) Add(field int, value []byte, stop map[string]struct{}) {
	n := len(d.ends)
	d.buf = Tokens(value, d.buf, func(w []byte) {
		if _, ok := stop[string(w)]; !ok {
			d.words = append(d.words, w...)
			d.ends = append(d.ends, uint32(len(d.words)))
		}
	})
	if n = len(d.ends) - n; n > 0 {
		d.fields = append(d.fields, struct {
			field uint8
			n     int
		}{uint8(field), n})
	}
}

// AddEmpty adds a value of "", which is a word of its own.
func (d *TextDoc) AddEmpty(field int) {
	d.ends = append(d.ends, uint32(len(d.words)))
	d.fields = append(d.fields, struct {
		field uint8
		n     int
	}{uint8(field), 1})
}

func (t *Text) intern(word []byte) TermID {
	if id, ok := t.dict[string(word)]; ok {
		return id
	}
	name := string(word)
	id := t.alloc(name)
	t.dict[name] = id
	t.sorted.insert(name)
	t.sounds.add(name, id)
	if t.suffixes != nil {
		t.suffixes.add(uint32(id))
	}
	s := t.internStem(t.stem, name)
	t.stemOf[id] = s
	return id
}

func (t *Text) alloc(name string) TermID {
	id := TermID(len(t.terms))
	if n := len(t.free); n > 0 {
		id, t.free = t.free[n-1], t.free[:n-1]
	} else {
		t.terms = append(t.terms, term{})
		t.stemOf = append(t.stemOf, noTerm)
	}
	t.terms[id], t.stemOf[id] = term{name: name}, noTerm
	t.dictBytes += int64(len(name)) + 150
	return id
}

func (t *Text) release(id TermID) {
	t.dictBytes -= int64(len(t.terms[id].name)) + 150
	t.terms[id] = term{}
	t.free = append(t.free, id)
}

// Len is the number of words.
func (d *TextDoc) Len() int { return len(d.ends) }

// TextCursor is how far a long document has been put or removed. The zero value is its beginning.
type TextCursor struct {
	word, field, left int
	length            uint64
	start             uint32
	forward           []byte
	rest              fields
	started           bool
}

// Put sets the document's words.
func (t *Text) Put(id uint32, d *TextDoc) {
	t.Remove(id)
	t.PutSome(id, d, &TextCursor{}, len(d.ends))
}

// PutSome puts the next n words of a document that has none yet; true when all
// are in. Until then the document must not be searched for.
func (t *Text) PutSome(id uint32, d *TextDoc, c *TextCursor, n int) bool {
	if len(d.ends) == 0 {
		return true
	}
	if !c.started {
		c.started = true
		c.forward = make([]byte, 0, 2*len(d.ends)+2*len(d.fields)+8)
	}
	g := t.tongueFor(d.Language)
	for ; n > 0 && c.word < len(d.ends); n-- {
		if c.left == 0 {
			f := d.fields[c.field]
			c.left = f.n
			c.forward = append(c.forward, f.field)
			c.forward = binary.AppendUvarint(c.forward, uint64(f.n))
			c.field++
		}
		field := d.fields[c.field-1].field
		end := d.ends[c.word]
		tid := t.intern(d.words[c.start:end])
		c.forward = binary.AppendUvarint(c.forward, uint64(tid))
		c.word, c.left, c.start = c.word+1, c.left-1, end
		c.length += uint64(t.counts[field][0])
		t.count(tid, id, field)
		if t.stemmed.Has(int(field)) {
			if s := t.learn(g, tid); s != noTerm {
				t.count(s, id, field)
			}
		}
	}
	if c.word < len(d.ends) {
		return false
	}
	for int(id) >= len(t.forward) {
		t.forward = append(t.forward, nil)
		t.lengths = append(t.lengths, 0)
	}
	t.forward[id] = c.forward
	t.fwdBytes += int64(cap(c.forward)) + 24
	t.lengths[id] = uint32(c.word)
	t.total += uint64(c.word)
	c.length = min(c.length, math.MaxUint32)
	t.weighted += c.length
	if t.uneven {
		for int(id) >= len(t.heavy) {
			t.heavy = append(t.heavy, 0)
		}
		t.heavy[id] = uint32(c.length)
	}
	t.shorten(id)
	t.speak(id, d.Language)
	t.docs++
	return true
}

func (t *Text) count(tid TermID, id uint32, field uint8) {
	if e := &t.terms[tid]; e.add(id, field) {
		e.docs++
		t.records++
	}
}

// Remove forgets the document's words.
func (t *Text) Remove(id uint32) { t.RemoveSome(id, &TextCursor{}, t.DocLen(id)) }

// RemoveSome removes the next n words of a document; true when none are left.
// Once begun, the document must not be searched for.
func (t *Text) RemoveSome(id uint32, c *TextCursor, n int) bool {
	if int(id) >= len(t.forward) || t.forward[id] == nil {
		return true
	}
	if !c.started {
		c.started = true
		c.rest.rest = t.forward[id]
	}
	g := t.tongue(id)
	for ; n > 0; n-- {
		for c.left == 0 {
			if !c.rest.next() {
				break
			}
			c.left = c.rest.n
		}
		if c.left == 0 {
			break
		}
		c.left--
		// A word that stands twice has been removed already; its number may even
		// belong to another word now, which cannot hold this document.
		tid := c.rest.term()
		if t.stemmed.Has(int(c.rest.field)) {
			if s := t.stemIn(g, tid); s != noTerm {
				t.uncount(s, id, c.rest.field)
			}
		}
		t.uncount(tid, id, c.rest.field)
	}
	if c.left > 0 || len(c.rest.rest) > 0 {
		return false
	}
	t.total -= uint64(t.lengths[id])
	t.weighted -= uint64(t.Length(id))
	t.fwdBytes -= int64(cap(t.forward[id])) + 24
	was := t.Length(id)
	t.lengths[id], t.forward[id] = 0, nil
	if int(id) < len(t.heavy) {
		t.heavy[id] = 0
	}
	t.lengthen(id, was)
	t.speak(id, 0)
	t.docs--
	return true
}

func (t *Text) uncount(tid TermID, id uint32, field uint8) {
	e := &t.terms[tid]
	if !e.remove(id, field) {
		return
	}
	e.docs--
	t.records--
	if e.docs > 0 || e.refs > 0 {
		return // refs: a stem lives as long as its words
	}
	t.forget(tid)
	delete(t.dict, e.name)
	t.sorted.remove(e.name)
	t.sounds.remove(e.name, tid)
	if t.suffixes != nil {
		t.suffixes.remove(uint32(tid))
	}
	t.release(tid)
}

// fields walks a forward entry.
type fields struct {
	rest  []byte
	field uint8
	n     int
}

func (f *fields) next() bool {
	if len(f.rest) == 0 {
		return false
	}
	f.field = f.rest[0]
	n, w := binary.Uvarint(f.rest[1:])
	f.n, f.rest = int(n), f.rest[1+w:]
	return true
}

func (f *fields) term() TermID {
	if c := f.rest[0]; c < 0x80 {
		f.rest = f.rest[1:]
		return TermID(c)
	}
	x, w := binary.Uvarint(f.rest)
	f.rest = f.rest[w:]
	return TermID(x)
}

// Stem is the stem of a word in a language, which is the word itself where words have
// none.
func (t *Text) Stem(word string, l Language) string {
	if stem := t.stemmer(l); stem != nil {
		return stem(word)
	}
	return word
}

// Term is the id of a word; false if no document holds it.
func (t *Text) Term(word string) (TermID, bool) {
	id, ok := t.dict[word]
	return id, ok
}

// Expand appends the word's own term, and what shares its stem: the stem's
// entry, and the term that is spelled as the stem. l is the word's language.
func (t *Text) Expand(dst []Match, word string, l Language) []Match {
	if id, ok := t.dict[word]; ok {
		dst = append(dst, Match{ID: id, Exact: true})
	}
	stem := t.stemmer(l)
	if stem == nil {
		return dst
	}
	s := stem(word)
	if id, ok := t.stems[s]; ok {
		dst = append(dst, Match{ID: id})
	}
	if id, ok := t.dict[s]; ok && s != word {
		dst = append(dst, Match{ID: id})
	}
	return dst
}

// Or adds the documents that match in one of the fields to b.
func (t *Text) Or(b *index.Bitmap, w Match, m Mask) {
	m = t.Where(w, m)
	e := &t.terms[w.ID]
	for i := range e.postings {
		if m.Has(int(e.postings[i].field)) {
			e.postings[i].set.OrInto(b)
		}
	}
}

// Prefix calls f with each word that begins so, in their order, until f returns false.
func (t *Text) Prefix(prefix string, f func(word string, id TermID) bool) {
	t.sorted.from(prefix, func(name string) bool {
		return strings.HasPrefix(name, prefix) && f(name, t.dict[name])
	})
}

// Words calls f with each word, in their order, until f returns false.
func (t *Text) Words(f func(word string) bool) { t.sorted.from("", f) }

// Docs is the number of documents that hold the term in whatever field.
func (t *Text) Docs(id TermID) int { return int(t.terms[id].docs) }

// DocLen is the number of words of a document.
func (t *Text) DocLen(id uint32) int {
	if int(id) >= len(t.lengths) {
		return 0
	}
	return int(t.lengths[id])
}

// Length is a document's length as scorers see it: its words, each as often as
// the weight of its field says.
func (t *Text) Length(id uint32) int {
	if !t.uneven {
		return t.DocLen(id)
	}
	if int(id) >= len(t.heavy) {
		return 0
	}
	return int(t.heavy[id])
}

// Name is the spelling of a term; a stem has a + before it, as in RediSearch.
func (t *Text) Name(id TermID) string {
	if t.terms[id].refs > 0 {
		return "+" + t.terms[id].name
	}
	return t.terms[id].name
}

// Terms is the number of different words.
func (t *Text) Terms() int { return t.sorted.n }

// Tokens is the number of words of all documents.
func (t *Text) Tokens() int64 { return int64(t.total) }

// Records is the number of pairs of document and term, stems included.
func (t *Text) Records() int64 { return t.records }

// Bytes is the memory held, about: postings with the dictionary, and the documents' words.
func (t *Text) Bytes() (inverted, forward int64) {
	return t.dictBytes + 4*t.records + t.suffixes.bytes(), t.fwdBytes
}

// Near reports whether the document holds a word of each group, in one of the
// fields, with at most slop other words between them (any number if slop < 0),
// in the groups' order if ordered. pos is scratch memory.
func (t *Text) Near(id uint32, groups [][]Match, m Mask, slop int, ordered bool, s *NearScratch) bool {
	if int(id) >= len(t.forward) || t.forward[id] == nil {
		return false
	}
	tongue := t.tongue(id)
	for f := (fields{rest: t.forward[id]}); f.next(); {
		if !m.Has(int(f.field)) {
			for range f.n {
				f.term()
			}
			continue
		}
		for len(s.pos) < len(groups) {
			s.pos = append(s.pos, nil)
		}
		for g := range groups {
			s.pos[g] = s.pos[g][:0]
		}
		stemmed, phonetic := t.stemmed.Has(int(f.field)), t.sounds.fields.Has(int(f.field))
		for p := range f.n {
			tid := f.term()
			stem := noTerm
			if stemmed {
				stem = t.stemIn(tongue, tid)
			}
			for g, ids := range groups {
				for _, w := range ids {
					if w.ID == tid && (w.Exact && !w.Sound || !w.Exact && stemmed || w.Sound && phonetic) || w.ID == stem {
						s.pos[g] = append(s.pos[g], int32(p))
						break
					}
				}
			}
		}
		if near(s.pos[:len(groups)], slop, ordered) {
			return true
		}
	}
	return false
}

// NearScratch is memory of [Text.Near].
type NearScratch struct{ pos [][]int32 }

func near(pos [][]int32, slop int, ordered bool) bool {
	for _, p := range pos {
		if len(p) == 0 {
			return false
		}
	}
	fits := func(first, last int32) bool { return slop < 0 || int(last-first)-(len(pos)-1) <= slop }
	if ordered {
		// For each start the nearest end; the positions only move forward.
		var at [64]int
		next := at[:]
		if len(pos) > len(at) {
			next = make([]int, len(pos))
		}
		for _, first := range pos[0] {
			last := first
			for g := 1; g < len(pos); g++ {
				for next[g] < len(pos[g]) && pos[g][next[g]] <= last {
					next[g]++
				}
				if next[g] == len(pos[g]) {
					return false
				}
				last = pos[g][next[g]]
			}
			if fits(first, last) {
				return true
			}
		}
		return false
	}
	// The smallest window that holds one of each: move the lowest up.
	heads := make([]int, len(pos))
	for {
		low, first, last := 0, pos[0][heads[0]], pos[0][heads[0]]
		for g := 1; g < len(pos); g++ {
			if p := pos[g][heads[g]]; p < first {
				low, first = g, p
			} else if p > last {
				last = p
			}
		}
		if fits(first, last) {
			return true
		}
		if heads[low]++; heads[low] == len(pos[low]) {
			return false
		}
	}
}
