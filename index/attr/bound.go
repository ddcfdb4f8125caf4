package attr

import "math"

// What a scorer can know of a document without reading its words: an upper bound
// of what they weigh.

// shorten notes the length of a document that was put.
func (t *Text) shorten(id uint32) {
	b := int(id >> 6)
	for b >= len(t.shortest) {
		t.shortest = append(t.shortest, math.MaxUint32)
	}
	t.shortest[b] = min(t.shortest[b], uint32(t.Length(id)))
}

// lengthen finds the shortest of the other documents when one of that length was
// removed.
func (t *Text) lengthen(id uint32, was int) {
	b := int(id >> 6)
	if uint32(was) > t.shortest[b] {
		return
	}
	least := uint32(math.MaxUint32)
	for i := uint32(b) << 6; i < uint32(b+1)<<6 && int(i) < len(t.lengths); i++ {
		if t.lengths[i] > 0 {
			least = min(least, uint32(t.Length(i)))
		}
	}
	t.shortest[b] = least
}

// Shortest is, for each 64 documents, the least length of those that have words.
func (t *Text) Shortest() []uint32 { return t.shortest }

// Lengths are the lengths of documents; those behind its end have none.
func (t *Text) Lengths() []uint32 {
	if t.uneven {
		return t.heavy
	}
	return t.lengths
}

// Bound tells how often a term can stand in a document.
type Bound struct {
	Once float64 // each time counts so much
	t    *term
}

// Bound is the term's.
func (t *Text) Bound(id TermID) Bound {
	b := Bound{t: &t.terms[id]}
	kind := 0
	if b.t.refs > 0 {
		kind = 1
	}
	for i := range b.t.postings {
		b.Once = max(b.Once, float64(t.counts[b.t.postings[i].field][kind]))
	}
	return b
}

// IsTerm reports whether the bound is a term's.
func (b *Bound) IsTerm() bool { return b.t != nil }

// Often is the set of documents in which the term stands several times;
// nil if there is none.
func (b *Bound) Often() *Set {
	if b.t == nil || len(b.t.often) == 0 {
		return nil
	}
	return &b.t.often[0]
}

// Freq is at least as much as [Freqs.Freq] of a document that holds the term.
func (b *Bound) Freq(id uint32) float64 {
	if b.t == nil {
		return b.Once
	}
	for i := range b.t.often { // few documents have many
		if !b.t.often[i].Contains(id) {
			return b.Once * float64(1+i)
		}
	}
	if n := len(b.t.often); n < maxOften {
		return b.Once * float64(1+n)
	}
	return math.Inf(1)
}

// Most is at least as much as Freq of any document.
func (b *Bound) Most() float64 {
	if b.t != nil && len(b.t.often) == maxOften {
		return math.Inf(1)
	}
	if b.t == nil {
		return b.Once
	}
	return b.Once * float64(1+len(b.t.often))
}

// Sets calls f with the documents of a word, by the fields of m.
func (t *Text) Sets(w Match, m Mask, f func(s *Set)) {
	m = t.Where(w, m)
	e := &t.terms[w.ID]
	for i := range e.postings {
		if m.Has(int(e.postings[i].field)) {
			f(&e.postings[i].set)
		}
	}
}

// Most is at least as much as a term that stands up to freq times in a document of at least that
// length adds to its score, for a weight of 1.
func (s Scorer) Most(c *Corpus, freq, length float64) float64 {
	switch s {
	case BM25:
		return saturate(freq, 1, c.old())
	case TFIDF: // which divides by how often the most frequent term stands there
		return min(freq, 1)
	case TFIDFDocNorm: // a length counts each time
		return min(freq/max(length, 1), 1)
	case DISMAX:
		return freq
	}
	return saturate(freq, saturation, c.damp(length))
}

// Longest is the length of the longest document for which Most of freq is at least x.
func (s Scorer) Longest(c *Corpus, freq, x float64) float64 {
	switch {
	case math.IsInf(freq, 1):
	case s.Standard():
		return ((freq*saturation/x-freq)/float64(k1Single) - (1 - bStd)) * c.AvgLen / bStd
	case s == TFIDFDocNorm && x <= 1:
		return max(freq/x, 1)
	}
	return math.Inf(1)
}

// saturation is what a standard scorer multiplies a term's weight by at most.
const saturation = float64(k1Single) + 1

// saturate is most * freq / (freq + damp), and its limit where nothing bounds freq.
func saturate(freq, most, damp float64) float64 {
	if math.IsInf(freq, 1) {
		return most
	}
	return freq * most / (freq + damp)
}

// damp is what the standard scorers divide by besides a term's frequency, in a
// document of that length.
func (c *Corpus) damp(length float64) float64 {
	return float64(k1Single) * (1 - bStd + bStd*length/c.AvgLen)
}

// old is the same for BM25.
func (c *Corpus) old() float64 { return float64(k1Single) * (1 - bOld + bOld*c.AvgLen) }
