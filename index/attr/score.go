package attr

import (
	"math"
	"strings"
)

// Scorer is a way to weigh how well a document's words match.
type Scorer uint8

// The scorers, by RediSearch's names.
const (
	BM25STD Scorer = iota // Okapi BM25, the default
	BM25                  // RediSearch's older one, with the term's share in the document
	TFIDF
	TFIDFDocNorm
	DISMAX   // plain frequencies; the best alternative counts
	DOCSCORE // the document's own score
)

var scorers = map[string]Scorer{
	"BM25STD": BM25STD, "BM25": BM25, "TFIDF": TFIDF, "TFIDF.DOCNORM": TFIDFDocNorm, "DISMAX": DISMAX, "DOCSCORE": DOCSCORE,
}

// ParseScorer finds a scorer by its name, in whatever case.
func ParseScorer(name string) (Scorer, bool) {
	s, ok := scorers[strings.ToUpper(name)]
	return s, ok
}

const (
	bm25K1 = 1.2
	bm25B  = 0.75
)

// Freqs counts how often the terms of a query stand in a document, and weighs
// it. Make one a query with [Text.Freqs]; it is not safe for concurrent use,
// and of no use once the Text has changed.
type Freqs struct {
	t      *Text
	scorer Scorer
	docs   float64
	avg    float64 // words a document
	slots  map[TermID]int
	ids    []TermID
	idf    []float64
	stems  bool      // one of ids is a stem
	tf     []float64 // by slot and field
	set    []int     // what to clear in tf
	max    float64   // the most frequent of all the document's terms, TFIDF's divisor
	length float64   // words of the document
	seen   map[TermID]int
}

// Freqs returns an empty counter. docs is the number of all documents.
func (t *Text) Freqs(s Scorer, docs int) *Freqs {
	f := &Freqs{t: t, scorer: s, docs: float64(docs), avg: 1, slots: map[TermID]int{}}
	if t.docs > 0 {
		f.avg = float64(t.total) / float64(t.docs)
	}
	return f
}

// Slot registers a term and returns its number.
func (f *Freqs) Slot(id TermID) int {
	s, ok := f.slots[id]
	if !ok {
		s = len(f.ids)
		f.slots[id] = s
		f.ids = append(f.ids, id)
		f.tf = append(f.tf, make([]float64, len(f.t.weights))...)
		f.stems = f.stems || f.t.terms[id].refs > 0
		n, idf := float64(f.t.Docs(id)), 0.0
		if f.scorer == BM25STD {
			idf = math.Log(1 + (f.docs-n+0.5)/(n+0.5))
		} else {
			idf = math.Log2(1 + (f.docs+1)/max(1, n))
		}
		f.idf = append(f.idf, max(0, idf))
	}
	return s
}

// Load counts in the document.
func (f *Freqs) Load(id uint32) {
	t, needMax := f.t, f.scorer == TFIDF
	for _, i := range f.set {
		f.tf[i] = 0
	}
	f.set, f.max, f.length = f.set[:0], 1, float64(t.DocLen(id))
	if int(id) >= len(t.forward) || t.forward[id] == nil {
		return
	}
	if needMax {
		if f.seen == nil {
			f.seen = map[TermID]int{}
		}
		clear(f.seen)
	}
	for w := (fields{rest: t.forward[id]}); w.next(); {
		stemmed := f.stems && t.stemmed.Has(int(w.field))
		for range w.n {
			tid := w.term()
			f.hit(tid, int(w.field))
			if stemmed {
				if s := t.stemOf[tid]; s != noTerm {
					f.hit(s, int(w.field))
				}
			}
			if needMax {
				f.seen[tid]++
				f.max = max(f.max, float64(f.seen[tid]))
			}
		}
	}
}

func (f *Freqs) hit(id TermID, field int) {
	slot := -1
	if len(f.ids) <= 8 {
		for i, x := range f.ids {
			if x == id {
				slot = i
				break
			}
		}
	} else if s, ok := f.slots[id]; ok {
		slot = s
	}
	if slot >= 0 {
		i := slot*len(f.t.weights) + field
		if f.tf[i] == 0 {
			f.set = append(f.set, i)
		}
		f.tf[i] += f.t.weights[field]
	}
}

// Count is the term's frequency in the fields, weighted by the fields' weights.
// exact is as in [Match].
func (f *Freqs) Count(slot int, m Mask, exact bool) float64 {
	if !exact {
		m = m.And(f.t.stemmed)
	}
	n, row := 0.0, f.tf[slot*len(f.t.weights):][:len(f.t.weights)]
	for i, x := range row {
		if x != 0 && m.Has(i) {
			n += x
		}
	}
	return n
}

// Score is the weight of a term that stands tf times in the loaded document.
func (f *Freqs) Score(slot int, tf float64) float64 {
	if tf == 0 {
		return 0
	}
	switch idf := f.idf[slot]; f.scorer {
	case BM25STD:
		return idf * tf * (bm25K1 + 1) / (tf + bm25K1*(1-bm25B+bm25B*f.length/f.avg))
	case BM25:
		return idf * tf / (tf + bm25K1*(1-bm25B+bm25B*f.avg))
	case TFIDF:
		return tf * idf / f.max
	case TFIDFDocNorm:
		return tf * idf / max(1, f.length)
	case DISMAX:
		return tf
	}
	return 0
}
