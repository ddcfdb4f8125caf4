package search

import (
	"cmp"
	"slices"
	"time"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/attr"
	"github.com/nearcache/nearcache/index/query"
)

// Scan is the documents that a query matches, handed over one after the other, so
// that they need not all be held: FT.AGGREGATE's source. It may last; a document
// that was deleted meanwhile is left out, one that is new does not come in.
//
// The order is that of the documents' last writes; of a KNN the distance. Of very
// many matches it is that of their places in the index, which is nearly the first.
//
// A Scan belongs to one goroutine at a time. It holds no lock between calls.
type Scan struct {
	Yields []string // names of the distances

	ix     *Index
	q      *query.Query
	o      Options
	total  int
	late   bool
	res    *Result // with distances or scores: all rows are known
	row    int
	moment uint64
	labels []uint32 // otherwise: these …
	bits   *index.Bitmap
	next   index.Label // … or, if there are many, those of bits from next on

	block []scanned // names that were looked up together
	at    int
	terms []scanTerm
	bound bool
}

type scanned struct {
	name  string
	label uint32
}

// scanTerm is a word of the query and the documents that have it.
type scanTerm struct {
	word string
	docs *index.Bitmap
}

const (
	maxOrdered = 1 << 16 // matches that are put in order
	scanBlock  = 256     // names looked up under one lock
	maxTerms   = 100     // words that Terms tells of
)

// Scan finds the documents that match the query. Of the options LIMIT and the order
// mean nothing.
func (ix *Index) Scan(q *query.Query, o Options) (*Scan, error) {
	s := &Scan{ix: ix, q: q, o: o}
	o.Offset, o.Num, o.SortBy, o.byWrite = 0, -1, "", true
	if !o.WithScores && q.KNN == nil && !q.Root.HasVector() {
		o.take = s.take
	}
	res, err := ix.Search(q, o)
	if err != nil {
		return nil, err
	}
	s.late = res.TimedOut
	if o.take != nil {
		res.Release()
		return s, nil
	}
	s.res, s.total, s.Yields = res, len(res.Rows), res.Yields
	return s, nil
}

// take keeps what matches. mu is locked.
func (s *Scan) take(e *exec, bits *index.Bitmap) {
	s.total, s.moment = bits.Len(), e.moment
	if s.total > maxOrdered {
		s.bits = new(index.Bitmap)
		s.bits.Or(bits)
		return
	}
	s.labels = make([]uint32, 0, s.total)
	bits.Each(func(l index.Label) bool { s.labels = append(s.labels, uint32(l)); return true })
	docs := e.ix.mu.docs
	slices.SortFunc(s.labels, func(a, b uint32) int { return cmp.Compare(docs[a].version, docs[b].version) })
}

// Total is how many documents match.
func (s *Scan) Total() int { return s.total }

// Late reports whether Options.Stop ended the search before its end.
func (s *Scan) Late() bool { return s.late }

// Held is about how many bytes the scan holds.
func (s *Scan) Held() int {
	n := 512 + 4*len(s.labels) + 24*cap(s.block)
	if s.bits != nil {
		n += s.ix.Len() / 8
	}
	if s.res != nil {
		n += len(s.res.Rows) * (64 + 8*len(s.Yields))
	}
	return n
}

// Next is the next document. dist[i] becomes its distance by Yields[i], if it has
// one, and score its weight if scores were asked for.
func (s *Scan) Next(now int64, dist func(yield int, d float64)) (name string, score float64, ok bool) {
	if s.res != nil {
		if s.row == len(s.res.Rows) {
			return "", 0, false
		}
		r := &s.res.Rows[s.row]
		for i := range s.Yields {
			if d, ok := s.res.Distance(s.row, i); ok {
				dist(i, d)
			}
		}
		s.row++
		return r.Name, r.Score, true
	}
	for s.at == len(s.block) {
		if !s.fill(now) {
			return "", 0, false
		}
	}
	s.at++
	return s.block[s.at-1].name, 0, true
}

// fill looks up the names of the next labels; false if none are left.
func (s *Scan) fill(now int64) bool {
	s.block, s.at = s.block[:0], 0
	ix := s.ix
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	n := 0
	take := func(l uint32) {
		n++
		// A label that was given to another document was born later.
		if ix.visible(l, s.moment, now) && ix.mu.docs[l].dead == 0 {
			s.block = append(s.block, scanned{ix.mu.docs[l].name, l})
		}
	}
	if s.bits == nil {
		for _, l := range s.labels[:min(scanBlock, len(s.labels))] {
			take(l)
		}
		s.labels = s.labels[n:]
		return n > 0
	}
	for n < scanBlock {
		l, ok := s.bits.Next(s.next)
		if !ok {
			break
		}
		s.next = l + 1
		take(uint32(l))
	}
	return n > 0
}

// Terms are words of the query that the document has, at most so many.
func (s *Scan) Terms(name string, most int) []string {
	s.ix.life.RLock()
	defer s.ix.life.RUnlock()
	st := s.ix.stripe(name)
	st.mu.Lock()
	label := noLabel
	if e := st.names[name]; e != nil {
		label = e.label
	}
	st.mu.Unlock()
	if label == noLabel || s.ix.text == nil {
		return nil
	}
	if !s.bound {
		s.bound = true
		s.bind()
	}
	var l []string
	for i := range s.terms {
		if len(l) < most && s.terms[i].docs.Contains(index.Label(label)) {
			l = append(l, s.terms[i].word)
		}
	}
	return l
}

// bind looks up the words of the query.
func (s *Scan) bind() {
	e := execPool.Get().(*exec)
	defer e.free()
	e.ix, e.o, e.main, e.locked = s.ix, s.o, -1, time.Now()
	e.o.Stop = nil
	e.inFields = attr.AllFields
	root, err := e.compile(s.q.Root)
	if err != nil {
		return
	}
	s.ix.mu.RLock()
	defer s.ix.mu.RUnlock()
	seen := map[string]bool{}
	var walk func(x *plan)
	walk = func(x *plan) {
		if x.kind == query.Not {
			return
		}
		for _, k := range x.kids {
			walk(k)
		}
		if x.kind > query.Fuzzy || x.kind == query.All || len(x.kids) > 0 {
			return
		}
		for _, m := range e.expand(x) {
			if word := s.ix.text.Word(m.ID); m.Exact && !seen[word] && len(s.terms) < maxTerms {
				seen[word] = true
				b := new(index.Bitmap)
				s.ix.text.Or(b, m, x.mask)
				s.terms = append(s.terms, scanTerm{word, b})
			}
		}
	}
	walk(root)
}

// Close gives the scan's memory back.
func (s *Scan) Close() {
	if s.res != nil {
		s.res.Release()
	}
	*s = Scan{}
}

// Written is when a document was written last, in an order of its own; 0 if it is
// not there.
func (ix *Index) Written(name string) uint64 {
	st := ix.stripe(name)
	st.mu.Lock()
	label := noLabel
	if e := st.names[name]; e != nil {
		label = e.label
	}
	st.mu.Unlock()
	if label == noLabel {
		return 0
	}
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	return ix.mu.docs[label].version
}
