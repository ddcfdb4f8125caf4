package search

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/query"
)

// A Watch is a search whose answer somebody keeps. It ends once, when a write
// has made the answer another one.
//
//	w := ix.OpenWatch(changed)           from here on no write is missed
//	res, err := ix.Search(q, Options{… Watch: w})
//	…                                    whoever changed tells is told how to hear of it
//	ix.Settle(w, name)                   or Forget
//
// What makes an answer another one, for the searches that are exact:
//
//   - a write of a document that is among its rows;
//   - KNN: a document that matches the filter and is no farther than the last row,
//     and one of the k that dies or moves away;
//   - other queries without text: a document that begins or ceases to match,
//     since replies hold the total; where the rows are a first page, also one that
//     goes on matching and moves into it.
//
// The others, and those whose scores or order of relevance depend on what all
// documents hold, are coarse: any write of the index ends them. So are those beyond
// [MaxWatches]; they share one.
//
// # Cost of a write
//
// Nothing while there is no watch. Otherwise: a look-up of the document's label;
// one range search for the document's vector among the vectors of all watched
// KNN and ranges, which is a scan of 4-bit codes; and one evaluation for each
// watched filter.
//
// # Threading
//
// A write calls changed with its document's stripe locked, after its content has
// become visible. watches.mu is taken below stripes and above Index.mu. changed
// runs with both held and must not wait. While a watch is open, writes are noted
// and looked at when it settles: the search may have seen either side of them.
type Watch struct {
	changed func()

	ended   bool
	coarse  bool
	name    string
	pending []change // while it is open
	missed  bool     // more of them than are noted

	e       *exec // the query, bound to the schema
	vector  *attribute
	blob    []byte
	limit   float64      // of the distance: the radius; KNN: that of the last row, or +Inf
	knn     bool         // KNN …
	less    bool         // … that found fewer than k
	kth     float64      // … the distance of the last of the k
	rest    *plan        // the query without the vector; nil: all match
	matched []uint32     // labels, ascending: the k, or all that match
	page    []uint32     // those among the rows
	full    bool         // there are more than the rows
	ranked  bool         // last says whether another would be among the rows
	last    item         // the last of the rows
	label   index.Label  // in watches.near
	near    *nearWatches // where it is found by its vector
}

// Limits of watches: how many an index keeps exact, and how large an answer may
// be to be one of them.
const (
	MaxWatches = 10000
	maxLoose   = 1000 // of those that every write looks at
	maxMatched = 4096
	maxPending = 32
)

// slack is how much further than a limit counts as within: two kernels may round
// a distance differently. What it lets in is at most told in vain.
func slack(limit float64) float64 {
	if math.IsInf(limit, 0) {
		return 0
	}
	return 1e-6 * max(1, math.Abs(limit))
}

// change is a write of a document.
type change struct {
	old, new uint32 // labels; noLabel: there is none
}

// watches are the searches that an index watches.
type watches struct {
	n  atomic.Int64 // of all below; 0: writes need not look
	mu struct {
		sync.Mutex
		open    map[*Watch]struct{}
		byName  map[string]*Watch
		holders map[uint32][]*Watch // by label, of those that stand in near
		loose   map[*Watch]struct{} // looked at by every write
		near    map[*attribute]*nearWatches
	}
}

// nearWatches are the watches of a vector field, found by how near a vector
// comes to theirs.
type nearWatches struct {
	vectors index.Index // FLAT, of the queries
	by      map[index.Label]*Watch
	next    index.Label
	version uint64
	radius  float64 // no limit is larger
	stale   bool    // …but perhaps all are smaller
	found   []index.Neighbor
}

// OpenWatch begins to watch for a search that is about to run. changed is called
// at most once, and not before Settle.
func (ix *Index) OpenWatch(changed func()) *Watch {
	w := &Watch{changed: changed, coarse: true}
	ws := &ix.watches
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.mu.open == nil {
		ws.mu.open = map[*Watch]struct{}{}
		ws.mu.byName = map[string]*Watch{}
		ws.mu.holders = map[uint32][]*Watch{}
		ws.mu.loose = map[*Watch]struct{}{}
		ws.mu.near = map[*attribute]*nearWatches{}
	}
	ws.mu.open[w] = struct{}{}
	ws.n.Add(1)
	return w
}

// Forget ends a watch that was not settled.
func (ix *Index) Forget(w *Watch) {
	ws := &ix.watches
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if _, ok := ws.mu.open[w]; ok {
		delete(ws.mu.open, w)
		ws.n.Add(-1)
	}
}

// Exact reports whether only writes that concern the answer end the watch. It is
// known when the search has ended.
func (w *Watch) Exact() bool { return !w.coarse }

// Widen has any write of the index end the watch: its name is not of this search alone.
func (w *Watch) Widen() { w.coarse = true }

// Settle goes on watching under a name, which is that of the search: an older
// watch of that name goes, as it has the same answer, or where documents have
// expired since, which no write tells, ends. If the answer has become
// another one since OpenWatch, changed is called now.
func (ix *Index) Settle(w *Watch, name string) {
	ix.life.RLock()
	defer ix.life.RUnlock()
	ws := &ix.watches
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if _, ok := ws.mu.open[w]; !ok {
		return
	}
	delete(ws.mu.open, w)
	if ix.closed || w.missed || w.coarse && len(w.pending) > 0 {
		ws.n.Add(-1)
		w.changed()
		return
	}
	ix.mu.RLock()
	affected := slices.ContainsFunc(w.pending, func(c change) bool { return ix.affectsLocked(w, c) })
	ix.mu.RUnlock()
	w.pending = nil
	if affected {
		ws.n.Add(-1)
		w.changed()
		return
	}
	if old := ws.mu.byName[name]; old != nil {
		if w.coarse || slices.Equal(old.matched, w.matched) {
			ws.removeLocked(old)
		} else {
			ws.endLocked(old)
		}
	}
	w.name = name
	ws.mu.byName[name] = w
	if w.vector == nil || math.IsInf(w.limit, 1) || !ix.enterNearLocked(w) {
		w.coarse = w.coarse || len(ws.mu.loose) >= maxLoose
		ws.mu.loose[w] = struct{}{}
	}
}

// Watches is how many searches are watched.
func (ix *Index) Watches() int { return int(ix.watches.n.Load()) }

// enterNearLocked puts a watch where it is found by its vector.
func (ix *Index) enterNearLocked(w *Watch) bool {
	ws := &ix.watches
	nw := ws.mu.near[w.vector]
	if nw == nil {
		p := w.vector.Vector
		p.Quant, p.InitialCap = index.QuantAuto, 0
		v, err := ix.flat(p)
		if err != nil {
			return false
		}
		nw = &nearWatches{vectors: v, by: map[index.Label]*Watch{}, radius: math.Inf(-1)}
		ws.mu.near[w.vector] = nw
	}
	// Labels are used again, so that the index of queries stays dense.
	for nw.by[nw.next] != nil {
		nw.next = (nw.next + 1) % (2 * MaxWatches)
	}
	w.label, w.near = nw.next, nw
	nw.next = (nw.next + 1) % (2 * MaxWatches)
	nw.version++
	if err := nw.vectors.Add(w.label, nw.version, w.blob); err != nil {
		w.near = nil
		return false
	}
	nw.by[w.label] = w
	nw.radius = max(nw.radius, w.limit)
	for _, l := range w.matched {
		ws.mu.holders[l] = append(ws.mu.holders[l], w)
	}
	return true
}

func (ws *watches) removeLocked(w *Watch) {
	if w.ended {
		return
	}
	w.ended = true
	ws.n.Add(-1)
	delete(ws.mu.byName, w.name)
	delete(ws.mu.loose, w)
	if w.near == nil {
		return
	}
	w.near.version++
	w.near.vectors.Remove(w.label, w.near.version)
	delete(w.near.by, w.label)
	w.near.stale = w.near.stale || w.limit >= w.near.radius
	for _, l := range w.matched {
		ws.dropHolderLocked(l, w)
	}
}

func (ws *watches) dropHolderLocked(label uint32, w *Watch) {
	l := ws.mu.holders[label]
	if i := slices.Index(l, w); i >= 0 {
		l[i] = l[len(l)-1]
		l[len(l)-1] = nil
		l = l[:len(l)-1]
	}
	if len(l) == 0 {
		delete(ws.mu.holders, label)
	} else {
		ws.mu.holders[label] = l
	}
}

func (ws *watches) endLocked(w *Watch) {
	if !w.ended {
		ws.removeLocked(w)
		w.changed()
	}
}

// EndWatches ends every watch: the index is going.
func (ix *Index) EndWatches() {
	ws := &ix.watches
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.mu.open {
		w.missed = true
	}
	for _, w := range ws.mu.byName {
		ws.endLocked(w)
	}
	for _, nw := range ws.mu.near {
		_ = nw.vectors.Close()
	}
	clear(ws.mu.near)
}

// changed tells watches of a write that has become visible. p is the new content.
func (ix *Index) changed(c change, p *prepared) {
	ws := &ix.watches
	if ws.n.Load() == 0 {
		return
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.mu.open {
		if len(w.pending) < maxPending {
			w.pending = append(w.pending, c)
		} else {
			w.missed = true
		}
	}
	if len(ws.mu.byName) == 0 {
		return
	}
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	for _, w := range slices.Clone(ws.mu.holders[c.old]) {
		ix.lookLocked(w, c)
	}
	if c.new != noLabel {
		for a, nw := range ws.mu.near {
			if p.values[a.at] == nil || len(nw.by) == 0 {
				continue
			}
			reach := nw.reach()
			nw.found, _ = nw.vectors.Range(nw.found[:0], p.values[a.at], reach, index.SearchOptions{})
			for _, v := range p.others[a.at].values {
				nw.found, _ = nw.vectors.Range(nw.found, v, reach, index.SearchOptions{})
			}
			for _, n := range nw.found {
				if w := nw.by[n.Label]; w != nil && n.Distance <= w.limit+slack(w.limit) {
					ix.lookLocked(w, c)
				}
			}
		}
	}
	for w := range ws.mu.loose {
		ix.lookLocked(w, c)
	}
}

// reach is a distance that no limit exceeds.
func (nw *nearWatches) reach() float64 {
	if nw.stale {
		nw.stale, nw.radius = false, math.Inf(-1)
		for _, w := range nw.by {
			nw.radius = max(nw.radius, w.limit)
		}
	}
	return nw.radius + slack(nw.radius)
}

func (ix *Index) lookLocked(w *Watch, c change) {
	switch {
	case w.ended:
	case ix.affectsLocked(w, c):
		ix.watches.endLocked(w)
	case c.old != c.new:
		w.moved(&ix.watches, c)
	}
}

// moved follows a document that goes on matching under another label.
func (w *Watch) moved(ws *watches, c change) {
	i, ok := slices.BinarySearch(w.matched, c.old)
	if !ok {
		return
	}
	w.matched = slices.Delete(w.matched, i, i+1)
	if i, ok = slices.BinarySearch(w.matched, c.new); !ok {
		w.matched = slices.Insert(w.matched, i, c.new)
	}
	if w.near != nil {
		ws.dropHolderLocked(c.old, w)
		ws.mu.holders[c.new] = append(ws.mu.holders[c.new], w)
	}
}

// affectsLocked reports whether a write makes the answer another one. Both
// locks are held.
func (ix *Index) affectsLocked(w *Watch, c change) bool {
	if w.coarse {
		return true
	}
	_, before := slices.BinarySearch(w.matched, c.old)
	if w.knn {
		return ix.affectsNearestLocked(w, c, before)
	}
	after := c.new != noLabel && ix.within(w, c.new, w.limit) && w.e.has(w.rest, c.new)
	switch {
	case before != after:
		return true
	case !before || len(w.page) == 0:
		return false
	case !w.full || !w.ranked || slices.Contains(w.page, c.old):
		return true
	}
	o := &w.e.order
	it := item{label: c.new, version: ix.mu.docs[c.new].version, has: true}
	switch o.by {
	case byDistance:
		it.key, it.has = w.vector.vectors.Distance(w.blob, index.Label(c.new))
	case byNumber:
		it.key, it.has = o.a.nums.Value(c.new)
	}
	return o.compare(&it, &w.last) < 0
}

// affectsNearestLocked is affectsLocked for a KNN. Who is among the k but not
// among the rows matters only by their number, which is told whenever one goes.
func (ix *Index) affectsNearestLocked(w *Watch, c change, before bool) bool {
	if slices.Contains(w.page, c.old) {
		return true
	}
	matches := c.new != noLabel && w.e.has(w.rest, c.new)
	if matches && ix.within(w, c.new, w.limit) {
		return true
	}
	return before && !(matches && ix.within(w, c.new, w.kth))
}

// within reports whether a document's vector is near enough.
func (ix *Index) within(w *Watch, label uint32, limit float64) bool {
	if w.vector == nil {
		return true
	}
	d, ok := w.vector.vectors.Distance(w.blob, index.Label(label))
	return ok && d <= limit+slack(limit)
}

// plan finds out how a search can be watched, before it runs.
func (w *Watch) plan(e *exec, q *query.Query, knn *attribute) {
	ix := e.ix
	b := &exec{ix: ix, main: e.main, inFields: e.inFields}
	root := &plan{kind: query.All, col: -1}
	var err error
	if q.Root != nil {
		if root, err = b.compile(q.Root); err != nil {
			return
		}
	}
	if root.hasText() || e.o.HasInKeys || len(e.o.Filters)+len(e.o.Around) > 0 {
		return
	}
	if e.o.WithScores && e.ranks(root) || e.order.by == byScore && !e.steady(root) {
		return // every write changes what words are worth
	}
	w.rest = root
	switch leaf := (&exec{root: root}).single(); {
	case knn != nil:
		if root.vector {
			return
		}
		w.vector, w.blob, w.knn = knn, q.KNN.Blob, true
	case root.vector && leaf == nil:
		return
	case leaf != nil:
		w.vector, w.blob, w.limit = leaf.a, leaf.n.Blob, leaf.n.Radius
		rest := *root
		rest.kids = nil
		for _, k := range root.kids {
			if k != leaf {
				rest.kids = append(rest.kids, k)
			}
		}
		if w.rest = &rest; leaf == root {
			w.rest = &plan{kind: query.All, col: -1}
		}
	}
	if !known(w.rest) || ix.Watches() > MaxWatches {
		return
	}
	b.order = e.order
	w.e, w.coarse = b, false
}

// steady reports whether the order of relevance of two documents is a matter of
// these two alone: what matches weighs the same in both but for their lengths.
func (e *exec) steady(x *plan) bool {
	switch x.kind {
	case query.Or, query.Optional:
		return false
	case query.Tag:
		if len(x.n.Values) > 1 {
			return false
		}
	}
	return e.scoring.Standard() && !slices.ContainsFunc(x.kids, func(k *plan) bool { return !e.steady(k) })
}

// known reports whether has can tell of a plan.
func known(x *plan) bool {
	switch x.kind {
	case query.And:
		if a := x.n; a != nil && a.Attrs != nil && (a.Attrs.HasSlop || a.Attrs.InOrder) {
			return false
		}
	case query.All, query.Or, query.Not, query.Optional, query.Numeric, query.Missing, query.Geo, query.Shape:
	case query.Tag:
		for _, v := range x.n.Values {
			if v.Kind != query.Term {
				return false
			}
		}
	default:
		return false
	}
	for _, k := range x.kids {
		if !known(k) {
			return false
		}
	}
	return true
}

// has reports whether a visible document matches. mu is locked.
func (e *exec) has(x *plan, label uint32) bool {
	if x.a != nil && x.a.NoIndex && x.kind != query.Missing {
		return false
	}
	switch x.kind {
	case query.Not:
		return !e.has(x.kids[0], label)
	case query.Or:
		return slices.ContainsFunc(x.kids, func(k *plan) bool { return e.has(k, label) })
	case query.And:
		return !slices.ContainsFunc(x.kids, func(k *plan) bool { return k.kind != query.Optional && !e.has(k, label) })
	case query.Tag:
		return slices.ContainsFunc(x.n.Values, func(v query.Value) bool {
			s := x.a.tags.Find(x.a.tags.Fold(v.Text))
			return s != nil && s.Contains(label)
		})
	case query.Numeric:
		return x.a.nums.In(label, x.lo, x.hi)
	case query.Missing:
		return x.a.missing.Contains(index.Label(label))
	case query.Geo:
		return x.a.geo.Near(label, x.n.Lon, x.n.Lat, metres(x.n))
	case query.Shape:
		return x.a.shapes.Is(label, x.predicate, x.shape)
	}
	return true
}

// found notes what a search has found, and that it is not to be watched exactly
// where that is too much. bits are the matches, or e.cands where nil.
func (w *Watch) found(e *exec, bits *index.Bitmap, total int, page []item, to int) {
	if w.coarse {
		return
	}
	if e.timedOut || total > maxMatched {
		w.coarse = true
		return
	}
	w.matched = make([]uint32, 0, total)
	if bits != nil {
		bits.Each(func(l index.Label) bool {
			w.matched = append(w.matched, uint32(l))
			return true
		})
	} else {
		for _, c := range e.cands {
			w.matched = append(w.matched, uint32(c.Label))
		}
		slices.Sort(w.matched)
	}
	for i := range page {
		w.page = append(w.page, page[i].label)
	}
	o := &e.order
	if w.knn {
		w.limit, w.kth = math.Inf(1), math.Inf(1)
		if w.less || len(e.cands) == 0 {
			return
		}
		w.kth = slices.MaxFunc(e.cands, func(a, b index.Neighbor) int { return cmp.Compare(a.Distance, b.Distance) }).Distance
		w.limit = w.kth
		if e.o.Offset == 0 && o.by == byDistance && o.col == e.main && !o.desc && to < total {
			w.limit = math.Inf(-1)
			if len(page) > 0 {
				w.limit = page[len(page)-1].key
			}
		}
		return
	}
	w.full = total > to
	w.ranked = e.o.Offset == 0 && len(page) > 0 && (o.by == byWrite || o.by == byNumber || o.by == byDistance && w.vector != nil && o.col == e.main)
	w.full = w.full || e.o.Offset > 0
	if len(page) > 0 {
		w.last = page[len(page)-1]
	}
}
