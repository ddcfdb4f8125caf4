package attr

import (
	"math"
	"strings"
)

// Scorer is a way to weigh how well a document matches. The figures are
// RediSearch's (src/ext/default.c), its single precision included.
type Scorer uint8

// The scorers, by RediSearch's names.
const (
	BM25STD      Scorer = iota // Okapi BM25, the default
	BM25STDNorm                // divided by the best score of all matches
	BM25STDTanh                // squeezed into 0..1
	BM25                       // RediSearch's older one, which takes the average for the document's length
	TFIDF                      // frequencies over that of the document's most frequent term
	TFIDFDocNorm               // frequencies over the document's length
	DISMAX                     // plain frequencies; the best alternative counts
	DOCSCORE                   // the document's own score
	HAMMING                    // how many bits of the payload are the query's
)

var scorers = [...]string{"BM25STD", "BM25STD.NORM", "BM25STD.TANH", "BM25", "TFIDF", "TFIDF.DOCNORM", "DISMAX", "DOCSCORE", "HAMMING"}

// ParseScorer finds a scorer by its name, in whatever case.
func ParseScorer(name string) (Scorer, bool) {
	for i, s := range scorers {
		if strings.EqualFold(name, s) {
			return Scorer(i), true
		}
	}
	return 0, false
}

// Standard reports whether the scorer is BM25STD or made of it.
func (s Scorer) Standard() bool { return s <= BM25STDTanh }

// Divides reports whether the scorer divides by the distance between the query's words.
func (s Scorer) Divides() bool { return s == BM25 || s == TFIDF || s == TFIDFDocNorm }

// Words reports whether the scorer looks at what matched.
func (s Scorer) Words() bool { return s < DOCSCORE }

const (
	stemFactor float32 = 0.2 // a stem counts less than the word itself

	k1Single float32 = 1.2 // RediSearch's constant is a float: it shows in the eighth digit
	bStd     float64 = 0.75
	bOld     float64 = 0.5
)

// Corpus is what a scorer knows of the whole index.
type Corpus struct {
	Docs   float64 // documents
	AvgLen float64 // their average length
	Tanh   float64 // BM25STD.TANH divides by it
}

// IDF is the weight of a term that n documents hold.
func (s Scorer) IDF(c *Corpus, n int) float64 {
	if s.Standard() {
		docs := max(c.Docs, float64(n))
		return math.Log(1 + (docs-float64(n)+0.5)/(float64(n)+0.5))
	}
	return float64(math.Ilogb(1 + (c.Docs+1)/float64(max(1, n))))
}

// Leaf is the weight of what stands freq times in a document of that length,
// the norm of the document left to Norm. idf is 1 for what is no term.
func (s Scorer) Leaf(c *Corpus, idf, freq, length float64) float64 {
	k1 := float64(k1Single)
	switch {
	case s.Standard():
		if c.AvgLen == 0 { // RediSearch: NaN
			return 0
		}
		return idf * (freq * (k1 + 1)) / (freq + k1*(1-bStd+bStd*length/c.AvgLen))
	case s == BM25:
		return idf * freq / (freq + k1*(1-bOld+bOld*c.AvgLen))
	case s == DISMAX:
		return freq
	}
	return idf * freq
}

// Freqs counts how often the terms of a query stand in a document. Make one a
// query with [Text.Freqs]; it is not safe for concurrent use, and of no use once
// the Text has changed.
type Freqs struct {
	t         *Text
	top       bool // Top is wanted
	positions bool // Positions are wanted
	slots     map[TermID]int
	ids       []TermID
	stems     bool // one of ids is a stem
	hits      []hit
	set       []int // the hits to clear
	seen      map[TermID]uint32

	Len int // the document's length: its words, weighted
	Top int // how often its most frequent term stands in it, weighted
}

type hit struct {
	freq uint32
	in   Mask
	pos  []int32
}

// Freqs returns an empty counter. top asks for [Freqs].Top, positions for
// [Freqs.Positions]; both cost time.
func (t *Text) Freqs(top, positions bool) *Freqs {
	return &Freqs{t: t, top: top, positions: positions, slots: map[TermID]int{}}
}

// AvgLen is the average length of docs documents.
func (t *Text) AvgLen(docs int) float64 {
	if docs == 0 {
		return 0
	}
	return float64(t.weighted) / float64(docs)
}

// Slot registers a term and returns its number.
func (f *Freqs) Slot(id TermID) int {
	s, ok := f.slots[id]
	if !ok {
		s = len(f.ids)
		f.slots[id] = s
		f.ids = append(f.ids, id)
		f.hits = append(f.hits, hit{})
		f.stems = f.stems || f.t.terms[id].refs > 0
	}
	return s
}

// Load counts in the document.
func (f *Freqs) Load(id uint32) {
	t := f.t
	for _, i := range f.set {
		h := &f.hits[i]
		h.freq, h.in, h.pos = 0, Mask{}, h.pos[:0]
	}
	f.set, f.Len, f.Top = f.set[:0], t.Length(id), 1
	if len(f.ids) == 0 && !f.top || int(id) >= len(t.forward) || t.forward[id] == nil || f.once(id) {
		return
	}
	if f.top {
		if f.seen == nil {
			f.seen = map[TermID]uint32{}
		}
		clear(f.seen)
	}
	pos, g := int32(0), t.tongue(id)
	for w := (fields{rest: t.forward[id]}); w.next(); {
		field := int(w.field)
		freq, stemFreq := t.counts[field][0], t.counts[field][1]
		stemmed := (f.stems || f.top) && t.stemmed.Has(field)
		for range w.n {
			tid := w.term()
			pos++
			f.hit(tid, field, freq, pos)
			if stemmed {
				if s := t.stemIn(g, tid); s != noTerm {
					f.hit(s, field, stemFreq, pos)
				}
			}
		}
	}
	for _, n := range f.seen {
		f.Top = max(f.Top, int(n))
	}
}

// fewTerms is how many terms are looked up one by one instead of reading all words
// of a document.
const fewTerms = 8

// once counts in a document in which each of the terms stands once at most, in
// fields whose words count once; false if it is not such.
func (f *Freqs) once(id uint32) bool {
	t := f.t
	if t.uneven || f.top || f.positions || len(f.ids) > fewTerms {
		return false
	}
	for slot, tid := range f.ids {
		e := &t.terms[tid]
		h := &f.hits[slot]
		for i := range e.postings {
			if !e.postings[i].set.Contains(id) {
				continue
			}
			if len(e.often) > 0 && e.often[0].Contains(id) {
				for _, i := range f.set {
					f.hits[i].freq, f.hits[i].in = 0, Mask{}
				}
				f.set = f.set[:0]
				return false
			}
			h.freq = 1
			h.in.Add(int(e.postings[i].field))
			f.set = append(f.set, slot)
		}
	}
	return true
}

func (f *Freqs) hit(id TermID, field int, n uint32, pos int32) {
	if f.top {
		f.seen[id] += n
	}
	slot := -1
	if len(f.ids) <= fewTerms {
		for i, x := range f.ids {
			if x == id {
				slot = i
				break
			}
		}
	} else if s, ok := f.slots[id]; ok {
		slot = s
	}
	if slot < 0 {
		return
	}
	h := &f.hits[slot]
	if h.freq == 0 {
		f.set = append(f.set, slot)
	}
	h.freq += n
	h.in.Add(field)
	if f.positions {
		h.pos = append(h.pos, pos)
	}
}

// Freq is how often the term stands in the document, in whatever field, each
// time as the weight of the field: RediSearch counts so. It is 0 where it stands
// in none of the fields m. exact is as in [Match].
func (f *Freqs) Freq(slot int, m Mask, exact bool) float64 {
	if !exact {
		m = m.And(f.t.stemmed)
	}
	h := &f.hits[slot]
	if h.in.And(m).Empty() {
		return 0
	}
	return float64(h.freq)
}

// Positions are those of the term in the document, ascending, counted through all fields.
func (f *Freqs) Positions(slot int) []int32 { return f.hits[slot].pos }
