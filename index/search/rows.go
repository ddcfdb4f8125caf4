package search

import (
	"cmp"
	"math"
	"slices"
	"time"
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/attr"
	"github.com/nearcache/nearcache/index/kernel"
)

// rows fills the result with a page of the candidates, which are bits or, if
// nil, e.cands. mu is read-locked when it is called and unlocked when it returns.
func (e *exec) rows(bits *index.Bitmap, res *Result) error {
	ix, o := e.ix, &e.order
	if e.main >= 0 || e.live != nil {
		e.locked = time.Now() // it was unlocked for the vectors
	}
	locked := true
	defer func() {
		if locked {
			ix.mu.RUnlock()
		}
	}()
	res.Total = len(e.cands)
	if bits != nil {
		res.Total = bits.Len()
	}
	if p := e.o.Profile; p != nil {
		p.Index, p.Found = time.Since(e.began), res.Total
	}
	from := min(e.o.Offset, res.Total)
	to := res.Total
	if e.o.Num >= 0 {
		to = min(to, from+min(e.o.Num, res.Total))
	}
	if from == to {
		if w := e.o.Watch; w != nil {
			w.found(e, bits, res.Total, nil, to)
		}
		return nil
	}
	direct := bits == nil && o.by == byDistance && o.col == e.main
	if direct && !o.desc && sortedByDistance(e.cands) {
		// The usual case of a semantic cache: already in order.
		e.items = e.items[:0]
		for _, c := range e.cands[from:to] {
			e.items = append(e.items, item{label: uint32(c.Label), dist: c.Distance, key: c.Distance, has: true})
		}
		if w := e.o.Watch; w != nil {
			w.found(e, bits, res.Total, e.items, to)
		}
		e.fill(res, e.items, nil)
		return nil
	}
	var sc *scorer
	if o.by == byScore || e.o.WithScores && o.by != byLoad {
		sc = e.scorerOf(bits)
	}
	start := e.clock()
	top := topN{want: to, o: o, items: e.items[:0]}
	if o.by == byLoad {
		top.want = res.Total // the keys are not known yet
	}
	add := func(label uint32, dist float64) {
		it := item{label: label, dist: dist, version: ix.mu.docs[label].version, has: true}
		switch o.by {
		case byScore:
			it.key = sc.score(label, nil)
			sc.best = max(sc.best, it.key)
			sc.weighed++
		case byDistance:
			it.key, it.has = e.distance(o.col, label, dist)
		case byNumber:
			it.key, it.has = o.a.nums.Value(label)
		case byText:
			if it.has = int(label) < len(o.a.has) && o.a.has[label]; it.has {
				it.text = o.a.sort[label]
			}
		case byName:
			it.text = ix.mu.docs[label].name
		case byLoad:
			it.text = ix.mu.docs[label].name // until it is loaded
		}
		top.push(it)
	}
	switch {
	case bits != nil && o.by == byNumber && e.walks(bits, to):
		e.walk(bits, to, add)
	case bits != nil && o.by == byScore && e.prune(bits, sc, &top, add):
	case bits != nil && o.by == byWrite:
		e.each(bits, e.tooLate(&top), add)
	case bits != nil:
		e.each(bits, nil, add)
	default:
		for _, c := range e.cands {
			add(uint32(c.Label), c.Distance)
			if e.stopped() {
				break
			}
		}
	}
	e.items = top.items
	if o.by == byLoad {
		e.loadKeys(top.items)
		if ix.closed {
			return ErrClosed
		}
		if e.o.WithScores {
			sc = e.scorerOf(bits)
		}
	}
	sorting := e.clock()
	items := top.sorted()
	if p := e.o.Profile; p != nil {
		if p.Scored = sc != nil; p.Scored {
			p.Weighed = sc.weighed
		}
		p.Score, p.Sort = sorting.Sub(start), time.Since(sorting)
	}
	to = min(to, len(items))
	from = min(from, to)
	if w := e.o.Watch; w != nil {
		w.found(e, bits, res.Total, items[from:to], to)
	}
	e.fill(res, items[from:to], sc)
	return nil
}

// loadKeys reads what to sort by from the documents. Others may hold those, and wait meanwhile
// for what waits for mu or life, so neither is held.
func (e *exec) loadKeys(items []item) {
	ix := e.ix
	ix.mu.RUnlock()
	ix.life.RUnlock()
	defer func() {
		ix.life.RLock()
		ix.mu.RLock()
		e.locked = time.Now()
	}()
	for i := range items {
		it := &items[i]
		it.has = false
		e.locked = time.Now() // it is not
		if e.o.Load != nil && !e.stopped() {
			if v, ok := e.o.Load(it.text, e.order.a.Identifier); ok {
				it.text, it.has = e.order.a.sortValue(v), true
			}
		}
	}
}

// fetchAhead is how many records are on their way from memory.
const fetchAhead = 8

// tooLate says which documents were written after all that are kept, as far as that is known of their neighbours:
// labels are mostly given in the order of writes, and what is known of all neighbours fits into the processor's cache.
func (e *exec) tooLate(top *topN) func(l index.Label) bool {
	oldest := e.ix.mu.oldest
	return func(l index.Label) bool {
		last := top.worst()
		return last != nil && oldest[l/oldestBlock] > last.version
	}
}

// each adds all of bits, or those that are not to be skipped. Of a few documents among very many no record is in the
// processor's cache, so some are fetched together.
func (e *exec) each(bits *index.Bitmap, skip func(l index.Label) bool, add func(label uint32, dist float64)) {
	var next [fetchAhead]uint32
	n, docs := 0, e.ix.mu.docs
	take := func() bool {
		for _, l := range next[:n] {
			add(l, math.NaN())
			if e.stopped() {
				return false
			}
		}
		n = 0
		return true
	}
	bits.Each(func(l index.Label) bool {
		if skip != nil && skip(l) {
			return !e.stopped()
		}
		if n == fetchAhead && !take() {
			return false
		}
		kernel.Prefetch(unsafe.Pointer(&docs[l]))
		next[n] = uint32(l)
		n++
		return true
	})
	if !e.timedOut {
		take()
	}
}

// walks reports whether the first want of the matches by number are found sooner in
// the order of all numbers than by looking at all matches.
func (e *exec) walks(bits *index.Bitmap, want int) bool {
	n := bits.Len()
	return want < n/8 && want*(e.order.a.nums.Len()/max(1, n)+1) < n/8
}

// walk adds the first want matches by number, and those of the same number as the last.
func (e *exec) walk(bits *index.Bitmap, want int, add func(label uint32, dist float64)) {
	found, last := 0, math.NaN()
	e.order.a.nums.Walk(e.order.desc, func(id uint32, x float64) bool {
		if found >= want && x != last {
			return false
		}
		if bits.Contains(index.Label(id)) {
			add(id, math.NaN())
			found, last = found+1, x
		}
		return !e.stopped()
	})
	if found >= want || e.timedOut {
		return
	}
	bits.Each(func(l index.Label) bool { // those without a number stand last
		if _, ok := e.order.a.nums.Value(uint32(l)); !ok {
			add(uint32(l), math.NaN())
		}
		return !e.stopped()
	})
}

// scorerOf is a scorer that knows the best score of the candidates, if it needs
// that and they are not all weighed anyway. mu is locked.
func (e *exec) scorerOf(bits *index.Bitmap) *scorer {
	sc := e.scorer(e.root, e.scoring)
	if sc.kind != attr.BM25STDNorm || e.order.by == byScore {
		return sc
	}
	look := func(l index.Label) bool {
		sc.best = max(sc.best, sc.score(uint32(l), nil))
		return !e.stopped()
	}
	if bits != nil {
		bits.Each(look)
	}
	for _, c := range e.cands {
		if bits != nil || !look(c.Label) {
			break
		}
	}
	return sc
}

func sortedByDistance(near []index.Neighbor) bool {
	return slices.IsSortedFunc(near, func(a, b index.Neighbor) int { return cmp.Compare(a.Distance, b.Distance) })
}

// fill writes the rows of the page. mu is locked.
func (e *exec) fill(res *Result, page []item, sc *scorer) {
	o := &e.order
	if sc == nil && e.o.WithScores {
		sc = e.scorerOf(nil)
	}
	for i := range page {
		it := &page[i]
		row := Row{Name: e.ix.mu.docs[it.label].name, Payload: e.ix.payload(it.label)}
		if o.by != byWrite && e.o.SortBy != "" {
			row.HasKey, row.Key, row.Text = it.has, it.key, it.text
			row.Number = o.by == byNumber || o.by == byDistance || o.by == byScore
		}
		if sc != nil {
			switch {
			case e.o.Explain:
				row.Explain = &Explain{}
				row.Score = sc.norm(sc.score(it.label, row.Explain))
			case o.by == byScore:
				row.Score = sc.norm(it.key)
			default:
				row.Score = sc.norm(sc.score(it.label, nil))
			}
		}
		res.Rows = append(res.Rows, row)
		for c := range e.cols {
			d, ok := e.distance(c, it.label, it.dist)
			if !ok {
				d = math.NaN()
			}
			res.dist = append(res.dist, d)
		}
	}
	if e.o.Terms { // what is rare counts as in TFIDF
		res.Terms = e.terms(e.scorer(e.root, attr.TFIDF).root)
	}
}

// distance is a label's value in a column; main is its value in the main one.
func (e *exec) distance(col int, label uint32, main float64) (float64, bool) {
	if col == e.main {
		return main, !math.IsNaN(main)
	}
	c := &e.cols[col]
	if !c.sorted {
		slices.SortFunc(c.near, func(a, b index.Neighbor) int { return cmp.Compare(a.Label, b.Label) })
		c.sorted = true
	}
	i, ok := slices.BinarySearchFunc(c.near, label, func(n index.Neighbor, l uint32) int { return cmp.Compare(n.Label, index.Label(l)) })
	if !ok {
		return 0, false
	}
	return c.near[i].Distance, true
}
