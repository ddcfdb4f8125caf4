package search

import (
	"fmt"
	"math"
	"slices"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/attr"
	"github.com/nearcache/nearcache/index/query"
)

// maxScored is how many terms of a prefix count in the score, RediSearch's MAXEXPANSIONS.
const maxScored = 200

// defaultTanh is what BM25STD.TANH divides by, RediSearch's BM25STD_TANH_FACTOR.
const defaultTanh = 4

// Explain says how a score came about: a line, and the lines it is made of.
type Explain struct {
	Text string
	Of   []*Explain
}

func (ex *Explain) set(format string, args ...any) {
	if ex != nil {
		ex.Text = fmt.Sprintf(format, args...)
	}
}

// of adds a line below, nil if nothing is to be explained.
func (ex *Explain) of() *Explain {
	if ex == nil {
		return nil
	}
	child := &Explain{}
	ex.Of = append(ex.Of, child)
	return child
}

// scorer weighs documents as RediSearch does: the parts of the query that a
// document matches make a tree of the query's shape, whose leaves are weighed by
// attr's formulas. It is made and used under one lock of mu.
type scorer struct {
	e       *exec
	kind    attr.Scorer
	root    *plan
	corpus  attr.Corpus
	freqs   *attr.Freqs // nil without text fields
	length  float64     // of the document that is weighed
	weighed int
	best    float64 // BM25STD.NORM: the best score of all matches
	knn     bool
	pos     [][]int32
}

// leaf is a term of a text field or a tag.
type leaf struct {
	name   string
	idf    float64
	weight float64
	slot   int // of a word
	term   attr.Match
	mask   attr.Mask // of a word: the fields in which it counts
	set    *attr.Set // of a tag
	of     int       // of a tag: the value of the query that it matches
}

func (e *exec) scorer(root *plan, kind attr.Scorer) *scorer {
	s := &scorer{e: e, kind: kind, root: root, knn: e.knn}
	s.corpus = attr.Corpus{Docs: float64(e.ix.mu.live.Len()), Tanh: e.o.Tanh}
	if s.corpus.Tanh == 0 {
		s.corpus.Tanh = defaultTanh
	}
	if t := e.ix.text; t != nil {
		s.corpus.AvgLen = t.AvgLen(e.ix.mu.live.Len())
		s.freqs = t.Freqs(s.kind == attr.TFIDF, s.kind.Divides() && root != nil && s.aggregate(root))
	}
	if root != nil && s.kind.Words() {
		s.bind(root)
	}
	return s
}

// aggregate reports whether a document's match of x has parts, between whose
// words there is a distance.
func (s *scorer) aggregate(x *plan) bool {
	return x.kind == query.And || x.kind == query.Or || x.kind == query.Phrase || x.kind == query.Term
}

func (x *plan) isText() bool { return x.kind <= query.Fuzzy && x.kind != query.All }

func (x *plan) hasText() bool {
	return x.isText() || slices.ContainsFunc(x.kids, (*plan).hasText)
}

// bind looks up the terms of x and below.
func (s *scorer) bind(x *plan) {
	x.leaves = x.leaves[:0]
	switch {
	case x.isText() && s.freqs != nil:
		t := s.e.ix.text
		x.terms = s.e.expand(x)
		for _, m := range x.terms[:min(len(x.terms), maxScored)] {
			l := leaf{name: t.Name(m.ID), idf: s.kind.IDF(&s.corpus, t.Docs(m.ID)), weight: 1, slot: s.freqs.Slot(m.ID), term: m, mask: t.Where(m, x.mask)}
			if m.Exact && !m.Sound && x.kind == query.Term {
				l.weight = x.n.Weight() // stems keep 1
			}
			x.leaves = append(x.leaves, l)
		}
	case x.kind == query.Tag:
		for i, v := range x.n.Values {
			first := len(x.leaves)
			s.e.tag(x.a.tags, v, func(name string, set *attr.Set) {
				if len(x.leaves)-first == maxScored {
					return
				}
				l := leaf{name: name, idf: s.kind.IDF(&s.corpus, set.Len()), weight: x.n.Weight(), set: set, of: i}
				if v.Kind != query.Term && len(x.n.Values) == 1 {
					l.weight = 1 // it is the union's
				}
				x.leaves = append(x.leaves, l)
			})
		}
	case x.kind == query.And:
		// RediSearch sums in the order in which it intersects.
		x.order = append(x.order[:0], x.kids...)
		slop, ordered := s.e.closeness(x)
		if x.near = (slop >= 0 || ordered) && x != s.root; x.near { // the root's has been seen to
			s.e.together(x)
			x.near = len(x.groups) >= 2
		}
		if slop < 0 && !ordered {
			n := map[*plan]int{}
			for _, k := range x.kids {
				n[k] = s.e.estimate(k)
			}
			slices.SortStableFunc(x.order, func(a, b *plan) int { return n[a] - n[b] })
		}
	}
	for _, k := range x.kids {
		s.bind(k)
	}
}

// score is the weight of a document that the query matches. ex, unless nil,
// becomes its explanation.
func (s *scorer) score(id uint32, ex *Explain) float64 {
	docScore := s.e.ix.docScore(id)
	switch s.kind {
	case attr.DOCSCORE:
		ex.set("Document's score is %.2f", docScore)
		return docScore
	case attr.HAMMING:
		return s.hamming(id, ex)
	case attr.TFIDF, attr.TFIDFDocNorm:
		if docScore == 0 {
			ex.set("Document score is 0")
			return 0
		}
	}
	s.length = 0
	if s.freqs != nil {
		s.freqs.Load(id)
		s.length = float64(s.freqs.Len)
	}
	if s.kind == attr.DISMAX {
		return s.words(id, ex)
	}
	head := ex
	if s.kind == attr.BM25STDTanh {
		head = ex.of()
	}
	words := s.words(id, head.of())
	if s.kind == attr.BM25STD && ex == nil { // what most searches ask
		return docScore * words
	}
	switch s.kind {
	case attr.BM25STD:
		ex.set("Final BM25 : words BM25 %.2f * document score %.2f", words, docScore)
	case attr.BM25STDTanh:
		head.set("Final BM25 : words BM25 %.2f * document score %.2f", words, docScore)
		ex.set("Final Normalized BM25 : tanh(stretch factor 1/%g * Final BM25 %.2f)", s.corpus.Tanh, docScore*words)
		return math.Tanh(docScore * words / s.corpus.Tanh)
	case attr.BM25STDNorm:
		if ex != nil {
			ex.set("Final BM25STD.NORM: %.2f = Original Score: %.2f / Max Score: %.2f", s.norm(docScore*words), docScore*words, s.best)
		}
	case attr.BM25:
		slop := s.slop()
		ex.set("Final BM25 : words BM25 %.2f * document score %.2f / slop %d", words, docScore, slop)
		return docScore * words / float64(slop)
	default:
		norm := 1
		if s.kind == attr.TFIDFDocNorm {
			norm = max(1, int(s.length))
		} else if s.freqs != nil {
			norm = s.freqs.Top
		}
		slop := s.slop()
		ex.set("Final TFIDF : words TFIDF %.2f * document score %.2f / norm %d / slop %d", words, docScore, norm, slop)
		return docScore * words / float64(norm) / float64(slop)
	}
	return docScore * words
}

// norm is BM25STD.NORM's last step.
func (s *scorer) norm(score float64) float64 {
	if s.kind == attr.BM25STDNorm && s.best > 0 {
		return score / s.best
	}
	return score
}

// words is the weight of what matched. A KNN stands beside it.
func (s *scorer) words(id uint32, ex *Explain) float64 {
	if s.root == nil {
		return 0
	}
	if !s.knn {
		sum, _ := s.node(s.root, id, ex)
		return sum
	}
	s.blank(1, 0, ex.of())
	sum, _ := s.node(s.root, id, ex.of())
	s.sum(1, sum, ex)
	return sum
}

// sum explains the sum of parts.
func (s *scorer) sum(weight, sum float64, ex *Explain) float64 {
	if ex == nil {
		return weight * sum
	}
	switch {
	case s.kind == attr.DISMAX:
		ex.set("%.2f = Weight %.2f * children DISMAX %.2f", weight*sum, weight, sum)
	case s.kind.Standard() || s.kind == attr.BM25:
		ex.set("(Weight %.2f * children BM25 %.2f)", weight, sum)
	default:
		ex.set("(Weight %.2f * total children TFIDF %.2f)", weight, sum)
	}
	return weight * sum
}

// blank is the weight of a match that is no term.
func (s *scorer) blank(weight, freq float64, ex *Explain) float64 {
	if s.kind.Standard() {
		ex.set("Irrelevant token -> score is 0")
		return 0
	}
	w := weight * s.kind.Leaf(&s.corpus, 1, freq, s.length)
	if ex == nil {
		return w
	}
	switch {
	case s.kind == attr.DISMAX:
		ex.set("DISMAX %.2f = Weight %.2f * Frequency %.0f", w, weight, freq)
	case s.kind != attr.BM25:
		ex.set("(TFIDF %.2f = Weight %.2f * Frequency %.0f)", w, weight, freq)
	case freq == 0:
		ex.set("Frequency 0 -> value 0")
	default:
		ex.set("(%.2f = Weight %.2f * F %.0f / (F %.0f + k1 1.2 * (1 - b 0.5 + b 0.5 * Average Len %.2f)))", w, weight, freq, freq, s.corpus.AvgLen)
	}
	return w
}

// term is the weight of a term that stands freq times in the document.
func (s *scorer) term(name string, weight, idf, freq float64, ex *Explain) float64 {
	w := weight * s.kind.Leaf(&s.corpus, idf, freq, s.length)
	if ex == nil {
		return w
	}
	switch {
	case s.kind.Standard():
		ex.set("%s: (%.2f = Weight %.2f * IDF %.2f * (F %.2f * (k1 1.2 + 1)) / (F %.2f + k1 1.2 * (1 - b 0.75 + b 0.75 * Doc Len %.0f / Average Doc Len %.2f)))",
			name, w, weight, idf, freq, freq, s.length, s.corpus.AvgLen)
	case s.kind == attr.BM25:
		ex.set("(%.2f = Weight %.2f * IDF %.2f * F %.0f / (F %.0f + k1 1.2 * (1 - b 0.5 + b 0.5 * Average Len %.2f)))", w, weight, idf, freq, freq, s.corpus.AvgLen)
	case s.kind == attr.DISMAX:
		ex.set("DISMAX %.2f = Weight %.2f * Frequency %.0f", w, weight, freq)
	default:
		ex.set("(TFIDF %.2f = Weight %.2f * TF %.0f * IDF %.2f)", w, weight, freq, idf)
	}
	return w
}

// node is the weight of a part of the query, and whether it matches at all.
func (s *scorer) node(x *plan, id uint32, ex *Explain) (w float64, ok bool) {
	weight := 1.0
	if x.n != nil {
		weight = x.n.Weight()
	}
	switch x.kind {
	case query.And:
		sum := 0.0
		for _, k := range x.order {
			w, hit := s.node(k, id, ex.of())
			if !hit {
				return 0, false
			}
			sum += w
		}
		if x.near {
			slop, ordered := s.e.closeness(x)
			if !s.e.ix.text.Near(id, x.groups, x.mask, slop, ordered, &s.e.near) {
				return 0, false
			}
		}
		return s.sum(weight, sum, ex), true
	case query.Or:
		sum := 0.0
		for _, k := range x.kids {
			w, hit := s.node(k, id, ex.of())
			switch {
			case !hit:
				ex.drop()
				continue
			case s.kind == attr.DISMAX:
				sum = max(sum, w)
			default:
				sum += w
			}
			ok = true
		}
		if !ok {
			return 0, false
		}
		return s.sum(weight, sum, ex), true
	case query.Not:
		if _, hit := s.node(x.kids[0], id, nil); hit {
			return 0, false
		}
		return s.blank(weight, 0, ex), true
	case query.Optional:
		if w, hit := s.node(x.kids[0], id, ex); hit {
			return weight * w, true
		}
		ex.clear()
		return s.blank(0, 1, ex), true
	case query.All:
		if s.kind.Standard() {
			return s.term("*", weight, 1, 1, ex), true
		}
		return s.blank(weight, 1, ex), true
	case query.Tag:
		return s.any(x, id, weight, ex)
	case query.Range:
		if x.bits != nil && !x.bits.Contains(index.Label(id)) {
			return 0, false
		}
		return s.blank(weight, 0, ex), true
	case query.Numeric, query.Geo, query.Shape, query.Missing, keys:
		if x.found == nil {
			x.found = s.e.filter(x)
		}
		if !x.found.Contains(index.Label(id)) {
			return 0, false
		}
		return s.blank(weight, 1, ex), true
	case query.Phrase:
		if len(x.leaves) < len(x.n.Words) || !s.e.phrased(x, id) {
			return 0, false
		}
		sum := 0.0
		for i := range x.leaves {
			l := &x.leaves[i]
			sum += s.term(l.name, 1, l.idf, s.freqs.Freq(l.slot, x.mask, true), ex.of())
		}
		return s.sum(weight, sum, ex), true
	}
	return s.any(x, id, weight, ex)
}

// any is the weight of a union of leaves. Of those of a pattern the first
// counts, as RediSearch looks no further.
func (s *scorer) any(x *plan, id uint32, weight float64, ex *Explain) (float64, bool) {
	if x.kind == query.Term {
		weight = 1 // it is the words' own
	}
	alone := len(x.leaves) == 1
	sum, ok, last := 0.0, false, -1
	for i := range x.leaves {
		l := &x.leaves[i]
		freq := 1.0
		if l.set != nil {
			if l.of == last || !l.set.Contains(id) {
				continue
			}
			last = l.of
		} else if freq = s.freqs.Freq(l.slot, l.mask, true); freq == 0 {
			continue
		}
		if alone {
			w := l.weight
			if x.isText() && x.kind != query.Term || x.kind == query.Tag && x.n.Values[0].Kind != query.Term {
				w = weight
			}
			return s.term(l.name, w, l.idf, freq, ex), true
		}
		w := s.term(l.name, l.weight, l.idf, freq, ex.of())
		if s.kind == attr.DISMAX {
			sum = max(sum, w)
		} else {
			sum += w
		}
		if ok = true; x.isText() && x.kind != query.Term {
			break
		}
	}
	if !ok {
		return 0, false
	}
	return s.sum(weight, sum, ex), true
}

// drop takes back what of added last.
func (ex *Explain) drop() {
	if ex != nil {
		ex.Of = ex.Of[:len(ex.Of)-1]
	}
}

func (ex *Explain) clear() {
	if ex != nil {
		*ex = Explain{}
	}
}

// hamming compares the payloads.
func (s *scorer) hamming(id uint32, ex *Explain) float64 {
	doc, want := s.e.ix.payload(id), s.e.o.Payload
	if len(doc) == 0 || len(doc) != len(want) {
		ex.set("Payloads provided to scorer vary in length")
		return 0
	}
	bits := 0
	for i, b := range want {
		for x := b ^ doc[i]; x != 0; x &= x - 1 {
			bits++
		}
	}
	w := 1 / float64(bits+1)
	ex.set("String length is %d. Bit count is %d. Result is (1 / count + 1) = %.2f", len(want), bits, w)
	return w
}

// slop is RediSearch's distance between the words of the loaded document: the
// root of the squares of the least distances between neighbours of the query.
func (s *scorer) slop() int {
	if s.freqs == nil || s.root == nil {
		return 1
	}
	parts := 0
	s.pos = s.pos[:0]
	part := func(pos []int32) {
		if parts++; len(pos) > 0 {
			s.pos = append(s.pos, pos)
		}
	}
	switch x := s.root; x.kind {
	case query.And:
		for _, k := range x.order {
			part(s.positions(k))
		}
	case query.Or:
		for _, k := range x.kids {
			if pos := s.positions(k); len(pos) > 0 {
				part(pos)
			}
		}
	case query.Term, query.Phrase:
		if len(x.leaves) > 1 {
			for i := range x.leaves {
				if pos := s.freqs.Positions(x.leaves[i].slot); len(pos) > 0 {
					part(pos)
				}
			}
		}
	}
	if parts <= 1 {
		return 1
	}
	sum := 0
	for i := 1; i < len(s.pos); i++ {
		d := distance(s.pos[i-1], s.pos[i])
		sum += d * d
	}
	if sum == 0 {
		return parts - 1
	}
	return int(math.Sqrt(float64(sum)))
}

// positions are those of all words of x in the loaded document, ascending.
func (s *scorer) positions(x *plan) []int32 {
	if x.kind == query.Not {
		return nil
	}
	if x.isText() && len(x.leaves) == 1 {
		return s.freqs.Positions(x.leaves[0].slot)
	}
	var all []int32
	if x.isText() {
		for i := range x.leaves {
			all = append(all, s.freqs.Positions(x.leaves[i].slot)...)
		}
	}
	for _, k := range x.kids {
		all = append(all, s.positions(k)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// distance is the least between two ascending lists.
func distance(a, b []int32) int {
	least := math.MaxInt32
	for i, j := 0, 0; i < len(a) && j < len(b) && least > 1; {
		d := int(a[i]) - int(b[j])
		if d < 0 {
			d = -d
			i++
		} else {
			j++
		}
		least = min(least, d)
	}
	return least
}
