package search

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/attr"
	"github.com/nearcache/nearcache/index/query"
)

// pruner finds the best of very many matches without weighing them all: MaxScore
// and block-max WAND (Turtle and Flood 1995; Ding and Suel 2011) over bitmaps. The
// filter has found all matches, so their number is known. What is left out are
// those of which an upper bound tells that they are behind the worst that is kept:
//
//   - per 64 documents, by the shortest of them: words weigh more in short ones;
//   - those that have none of the terms without which the bound is not reached;
//   - a document, by its length, the terms it has and how often it has them.
//
// Those that remain are weighed as they are without it. It departs from the papers
// in that bounds hold for dense blocks of documents and for all terms, not for
// blocks of each term's postings: lengths are in memory, and one look at them costs
// less than to keep a bound in each block.
type pruner struct {
	parts  []part    // the heaviest first
	rest   []float64 // by part: what it and those behind it weigh
	once   float64   // the most that a term counts that stands in a document once
	most   float64   // the most that any counts
	docTop float64   // the best score that a document has of its own
	blocks []uint32  // see attr.Text.Shortest; nil where matches need no words
	often  *index.Bitmap

	kind    attr.Scorer
	corpus  *attr.Corpus
	need    float64 // the sum that a document needs
	longest float64 // the length above which none reaches it that has no word twice
}

// part is a term of the query, or several of which one counts.
type part struct {
	weight float64 // at most, without its frequency
	bound  attr.Bound
	docs   int
	sets   []*attr.Set // by field
	in     []uint64    // the documents that have it; nil: sets tells
	any    bool        // any document may have it
}

const (
	minPruned  = 256 // fewer matches are weighed sooner than bounds are made
	maxParts   = 16  // of more terms the lightest are taken to stand in every document
	boundSlack = 1e-9
)

// pruner returns nil where the matches must all be weighed: there are few, or the
// scorer does not look at words. mu is locked.
func (e *exec) pruner(found *index.Bitmap, sc *scorer, want int) *pruner {
	n := found.Len()
	if e.o.everyScore || e.order.desc || !sc.kind.Words() || sc.root == nil || sc.corpus.AvgLen == 0 || n < minPruned || n/4 < want {
		return nil
	}
	p := &pruner{kind: sc.kind, corpus: &sc.corpus, docTop: e.ix.bestScore()}
	if p.kind == attr.DISMAX { // which leaves it out
		p.docTop = 1
	}
	if !(p.docTop > 0) || math.IsInf(p.docTop, 0) {
		return nil
	}
	p.gather(e.ix.text, sc.root, 1)
	if len(p.parts) == 0 {
		return nil
	}
	for i := range p.parts {
		if w := p.parts[i].weight; !(w >= 0) || math.IsInf(w, 0) {
			return nil
		}
	}
	p.open(e, n)
	return p
}

// gather lists the parts of x. weight is that of what stands above it.
func (p *pruner) gather(t *attr.Text, x *plan, weight float64) {
	own := weight
	if x.n != nil {
		own *= x.n.Weight()
	}
	switch {
	case x.kind == query.Not:
		return
	case x.kind == query.All:
		p.parts = append(p.parts, part{weight: own, bound: attr.Bound{Once: 1}, any: true})
	case x.kind == query.Tag:
		for l := x.leaves; len(l) > 0; {
			n := 1
			for n < len(l) && l[n].of == l[0].of {
				n++
			}
			of := own
			if len(x.leaves) > 1 {
				of *= l[0].weight
			}
			if n == 1 {
				p.parts = append(p.parts, part{weight: of * p.idf(&l[0]), bound: attr.Bound{Once: 1}, docs: l[0].set.Len(), sets: []*attr.Set{l[0].set}})
			} else {
				p.best(t, l[:n], of)
			}
			l = l[n:]
		}
	case x.kind == query.Term || x.kind == query.Phrase:
		if x.kind == query.Term {
			own = weight // its weight is the words' own
		}
		for i := range x.leaves {
			l := &x.leaves[i]
			pt := part{weight: own * l.weight * p.idf(l), bound: t.Bound(l.term.ID), docs: t.Docs(l.term.ID)}
			t.Sets(l.term, x.mask, func(s *attr.Set) { pt.sets = append(pt.sets, s) })
			p.parts = append(p.parts, pt)
		}
	case x.isText():
		p.best(t, x.leaves, own)
	case len(x.kids) == 0 && x.kind != query.Range && !p.kind.Standard(): // the older scorers count whatever matches
		p.parts = append(p.parts, part{weight: own, bound: attr.Bound{Once: 1}, any: true})
	}
	for _, k := range x.kids {
		p.gather(t, k, own)
	}
}

// idf is a leaf's weight among all terms, as far as the scorer minds.
func (p *pruner) idf(l *leaf) float64 {
	if p.kind == attr.DISMAX {
		return 1
	}
	return l.idf
}

// best makes a part of leaves of which one counts.
func (p *pruner) best(t *attr.Text, leaves []leaf, weight float64) {
	if len(leaves) == 0 {
		return
	}
	pt := part{any: true}
	for i := range leaves {
		pt.weight = max(pt.weight, weight*p.idf(&leaves[i]))
		most := 1.0
		if leaves[i].set == nil {
			b := t.Bound(leaves[i].term.ID)
			most = b.Most()
		}
		pt.bound.Once = max(pt.bound.Once, most)
	}
	p.parts = append(p.parts, pt)
}

// open looks up what is looked at again and again for n matches.
func (p *pruner) open(e *exec, n int) {
	slices.SortStableFunc(p.parts, func(a, b part) int { return cmp.Compare(b.weight, a.weight) })
	words := true
	p.rest = make([]float64, len(p.parts)+1)
	for i := range p.parts {
		pt := &p.parts[i]
		pt.any = pt.any || i >= maxParts
		words = words && !pt.any && pt.bound.IsTerm()
		p.once, p.most = max(p.once, pt.bound.Once), max(p.most, pt.bound.Most())
		if s := pt.bound.Often(); s != nil {
			if p.often == nil {
				p.often = e.bitmap()
			}
			s.OrInto(p.often)
		}
		if pt.any || pt.docs > 16*n {
			continue
		}
		b := e.bitmap()
		for _, s := range pt.sets {
			s.OrInto(b)
		}
		pt.in = b.Words()
	}
	for i := len(p.parts) - 1; i >= 0; i-- {
		p.rest[i] = p.rest[i+1] + p.parts[i].weight
	}
	if words {
		p.blocks = e.ix.text.Shortest()
	}
}

// raise makes the worst score that is kept the bound.
func (p *pruner) raise(score float64) {
	if p.kind == attr.BM25STDTanh { // near 1 it tells nothing
		score = p.corpus.Tanh * math.Atanh(max(0, score-1e-12))
	}
	p.need = score * (1 - boundSlack) / p.docTop
	p.longest = p.kind.Longest(p.corpus, p.once, p.need/p.rest[0])
}

// must is how many of the parts are such that a match has one of them, where what a
// part weighs is multiplied by at most factor; false if no match weighs enough.
func (p *pruner) must(factor float64) (int, bool) {
	if p.rest[0]*factor < p.need {
		return 0, false
	}
	i := len(p.parts)
	for i > 0 && p.rest[i-1]*factor < p.need {
		i--
	}
	return i, true
}

// some keeps of a block's matches those that have one of the first n parts.
func (p *pruner) some(block, n int, matches uint64) uint64 {
	if n == len(p.parts) {
		return matches // they have at least one, or need none
	}
	has := uint64(0)
	for i := range p.parts[:n] {
		has |= p.parts[i].word(block)
	}
	return matches & has
}

func (pt *part) word(block int) uint64 {
	if pt.in == nil {
		return ^uint64(0)
	}
	if block < len(pt.in) {
		return pt.in[block]
	}
	return 0
}

// each calls add with the matches that may be among the best want. add tells how
// much the worst of these weighs once there are so many, and 0 before.
func (p *pruner) each(e *exec, found *index.Bitmap, add func(label uint32) float64) {
	var often []uint64
	if p.often != nil {
		often = p.often.Words()
	}
	var lengths []uint32
	if e.ix.text != nil {
		lengths = e.ix.text.Lengths()
	}
	for block, w := range found.Words() {
		if w == 0 {
			continue
		}
		twice := uint64(0)
		if block < len(often) {
			twice = w & often[block]
		}
		once := w &^ twice
		if p.need > 0 {
			shortest := 0.0
			if block < len(p.blocks) {
				shortest = float64(p.blocks[block])
			}
			if once != 0 {
				n, ok := 0, shortest <= p.longest
				if ok {
					n, ok = p.must(p.kind.Most(p.corpus, p.once, shortest))
				}
				if !ok {
					once = 0
				} else {
					once = p.some(block, n, once)
				}
			}
			if twice != 0 {
				if n, ok := p.must(p.kind.Most(p.corpus, p.most, shortest)); !ok {
					twice = 0
				} else {
					twice = p.some(block, n, twice)
				}
			}
		}
		for w := once | twice; w != 0; w &= w - 1 {
			at := bits.TrailingZeros64(w)
			label := uint32(block<<6 + at)
			if p.need > 0 {
				length := 0.0
				if int(label) < len(lengths) {
					length = float64(lengths[label])
				}
				if !p.fits(label, length, twice>>at&1 != 0) {
					continue
				}
			}
			if worst := add(label); worst > 0 {
				p.raise(worst)
			}
			if e.stopped() {
				return
			}
		}
	}
}

// fits reports whether a document may weigh enough.
func (p *pruner) fits(label uint32, length float64, twice bool) bool {
	if !twice && length > p.longest {
		return false
	}
	sum := 0.0
	if !twice {
		factor := p.kind.Most(p.corpus, p.once, length)
		for i := range p.parts {
			if (sum+p.rest[i])*factor < p.need {
				return false
			}
			if pt := &p.parts[i]; pt.has(label) {
				sum += pt.weight
			}
		}
		return sum*factor >= p.need
	}
	most := p.kind.Most(p.corpus, p.most, length)
	for i := range p.parts {
		if sum+p.rest[i]*most < p.need {
			return false
		}
		if pt := &p.parts[i]; pt.weight > 0 && pt.has(label) { // nothing bounds how often it stands there, perhaps
			sum += pt.weight * p.kind.Most(p.corpus, pt.bound.Freq(label), length)
		}
	}
	return sum >= p.need
}

// has reports whether a document may have the part.
func (pt *part) has(label uint32) bool {
	if pt.any {
		return true
	}
	if pt.in != nil {
		w := int(label >> 6)
		return w < len(pt.in) && pt.in[w]>>(label&63)&1 != 0
	}
	return slices.ContainsFunc(pt.sets, func(s *attr.Set) bool { return s.Contains(label) })
}

// prune adds the matches that may be among the best; false if all must be weighed.
func (e *exec) prune(found *index.Bitmap, sc *scorer, top *topN, add func(label uint32, dist float64)) bool {
	p := e.pruner(found, sc, top.want)
	if p == nil {
		return false
	}
	p.each(e, found, func(label uint32) float64 {
		add(label, math.NaN())
		if worst := top.worst(); worst != nil {
			return worst.key
		}
		return 0
	})
	return true
}
