package search

import (
	"errors"
	"math"
	"time"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/attr"
	"github.com/nearcache/nearcache/index/query"
)

// Search finds the documents that match the query. Its errors' texts go on the wire.
//
// Without SortBy, a KNN's rows are in the order of distance, others of score,
// best first, and of equal score in the order of their last writes. Rows of
// equal SortBy are in the order of their last writes, reversed if Desc; rows
// without a value stand last.
func (ix *Index) Search(q *query.Query, o Options) (*Result, error) {
	ix.life.RLock()
	defer ix.life.RUnlock()
	if ix.closed {
		return nil, ErrClosed
	}
	e := execPool.Get().(*exec)
	defer e.free()
	e.ix, e.o = ix, o
	start := e.clock()
	knn, err := e.begin(q)
	if err != nil {
		return nil, err
	}
	if o.Watch != nil {
		o.Watch.plan(e, q, knn)
	}
	if o.Profile != nil {
		o.Profile.Plan = time.Since(start)
	}
	res := resultPool.Get().(*Result)
	for _, c := range e.cols {
		res.Yields = append(res.Yields, c.name)
	}
	if q.Root == nil {
		return res, nil
	}
	gen := ix.epochs.enter()
	if err = e.narrow(); err == nil {
		err = e.run(q.KNN, knn, res)
	}
	if o.Profile != nil && err == nil {
		e.profile()
	}
	ix.epochs.leave(gen)
	if !ix.closed { // while keys were loaded
		ix.sweep()
	}
	if err != nil {
		res.Release()
		if errors.Is(err, index.ErrNotFin) {
			err = errorf("Error parsing vector similarity query: query vector holds NaN or infinity")
		}
		return nil, err
	}
	res.TimedOut = e.timedOut
	return res, nil
}

// begin binds the query to the schema, and finds out what to sort by.
func (e *exec) begin(q *query.Query) (knn *attribute, err error) {
	ix, o := e.ix, &e.o
	e.main = -1
	if o.Offset < 0 {
		return nil, errorf("Bad arguments for LIMIT: %s", errBounds)
	}
	var ok bool
	if e.scoring, ok = attr.ParseScorer(o.Scorer); !ok && o.Scorer != "" {
		return nil, errorf("No such scorer %s", o.Scorer)
	}
	e.inFields = attr.AllFields
	if len(o.InFields) > 0 {
		e.inFields = attr.Mask{}
		for _, name := range o.InFields {
			if a := ix.byName[name]; a != nil && a.text >= 0 {
				e.inFields.Add(a.text)
			}
		}
	}
	if q.Root != nil {
		if e.root, err = e.compile(q.Root); err != nil {
			return nil, err
		}
		e.root.top = true
	}
	if k := q.KNN; k != nil {
		if knn = ix.byName[k.Field]; knn == nil {
			return nil, unknown(k.Offset, k.Field)
		}
		if knn.vectors == nil {
			return nil, wrongType(k.Offset, k.Field, TypeVector)
		}
		if err := knn.checkBlob(k.Blob); err != nil {
			return nil, err
		}
		if err := knn.checkTuning(&k.Tuning); err != nil {
			return nil, err
		}
		if e.main, err = e.yield(k.As); err != nil {
			return nil, err
		}
		e.knn = true
	}
	e.order, err = e.orderOf(q.KNN != nil)
	return knn, err
}

// narrow adds INKEYS, FILTER and GEOFILTER to the root.
func (e *exec) narrow() error {
	var more []*plan
	for _, f := range e.o.Filters {
		x, err := e.compile(&query.Node{Kind: query.Numeric, Field: f.Field, Min: f.Min, Max: f.Max, MinExcl: f.MinExcl, MaxExcl: f.MaxExcl})
		if err != nil {
			return err
		}
		more = append(more, x)
	}
	for _, f := range e.o.Around {
		x, err := e.compile(&query.Node{Kind: query.Geo, Field: f.Field, Lon: f.Lon, Lat: f.Lat, Radius: f.Radius, Unit: f.Unit})
		if err != nil {
			return err
		}
		more = append(more, x)
	}
	if e.o.HasInKeys {
		e.inKeys = e.bitmap()
		more = append(more, &plan{kind: keys, col: -1, bits: e.inKeys})
	}
	if len(more) > 0 {
		e.root = &plan{kind: query.And, n: &query.Node{Kind: query.And}, kids: append(more, e.root), vector: e.root.vector, col: -1}
	}
	return nil
}

// lockMoment locks mu for reading, and looks up the labels that the documents of INKEYS have then. A write gives a document
// another label, so their stripes are held until mu is.
func (e *exec) lockMoment() {
	ix := e.ix
	var held [len(ix.stripes)]bool
	for _, name := range e.o.InKeys {
		held[ix.stripeAt(name)] = true
	}
	for i := range held { // in this order, as other searches
		if held[i] {
			ix.stripes[i].mu.Lock()
		}
	}
	for _, name := range e.o.InKeys {
		if en := ix.stripe(name).names[name]; en != nil && en.label != noLabel {
			e.inKeys.Add(index.Label(en.label))
		}
	}
	ix.mu.RLock()
	for i := range held {
		if held[i] {
			ix.stripes[i].mu.Unlock()
		}
	}
}

// run answers the query in up to three steps: postings, vectors, rows.
func (e *exec) run(k *query.KNN, knn *attribute, res *Result) error {
	ix := e.ix
	e.began = e.clock()
	e.lockMoment()
	e.locked = time.Now()
	e.moment = ix.mu.moment
	if now := float64(e.o.Now); ix.mu.expiry.Len() > 0 && ix.mu.expiry.Estimate(math.Inf(-1), now) > 0 {
		e.expired = e.bitmap()
		ix.mu.expiry.Range(e.expired, math.Inf(-1), now)
		if e.expired.Len() == 0 {
			e.expired = nil
		}
	}
	if !e.root.vector && k == nil {
		bits := e.filter(e.root)
		e.drop(bits)
		if e.o.take != nil {
			if p := e.o.Profile; p != nil {
				p.Index, p.Found = time.Since(e.began), bits.Len()
			}
			e.o.take(e, bits)
			ix.mu.RUnlock()
			return nil
		}
		return e.rows(bits, res) // unlocks
	}
	leaf, allow := e.single(), (*index.Bitmap)(nil)
	switch {
	case k != nil && (e.root.kind == query.All || e.everything(e.root)):
	case !e.root.vector:
		allow = e.filter(e.root)
		e.drop(allow)
	case leaf != nil && k == nil:
		if leaf != e.root {
			allow = e.rest(leaf)
			e.drop(allow)
		}
	default:
		leaf = nil
		e.live = e.liveLocked()
		e.known(e.root)
	}
	ix.mu.RUnlock()

	var err error
	switch {
	case leaf != nil && k == nil:
		if allow == nil || allow.Len() > 0 {
			e.cands, err = e.ranged(leaf, e.cands, allow)
		}
		e.main = leaf.col
		if err != nil {
			return err
		}
		ix.mu.RLock()
		e.seen()
		return e.rows(nil, res)
	case e.live != nil:
		bits, err := e.mixed(e.root, e.live)
		if err != nil {
			return err
		}
		if k == nil {
			ix.mu.RLock()
			return e.rows(bits, res)
		}
		allow = bits
	}
	for {
		n := min(k.K, knn.vectors.Len()) // no more than there are: k may be huge
		if allow != nil && allow.Len() == 0 {
			n = 0 // which still says whether the query is good
		}
		start := e.clock()
		e.cands, err = knn.vectors.Search(e.cands[:0], k.Blob, n, index.SearchOptions{EF: k.Beam(), Epsilon: k.Epsilon, Allow: allow, Stop: e.stopFunc()})
		if err != nil {
			return err
		}
		if e.o.Profile != nil {
			mode := "STANDARD_KNN"
			if allow != nil {
				mode = "HYBRID_ADHOC_BF"
			}
			e.o.Profile.vector(nil, mode, start, len(e.cands))
		}
		ix.mu.RLock()
		if e.seen() && allow == nil && !e.timedOut {
			// Dead or unborn labels took places: once more without them.
			allow = e.liveLocked()
			ix.mu.RUnlock()
			continue
		}
		if o := e.o.Watch; o != nil {
			o.less = len(e.cands) < k.K
		}
		return e.rows(nil, res)
	}
}

// liveLocked copies the set of documents at this moment.
func (e *exec) liveLocked() *index.Bitmap {
	b := e.bitmap()
	b.Or(&e.ix.mu.live)
	e.moment = e.ix.mu.moment
	e.drop(b)
	return b
}

// everything reports whether a plan is one tag that all documents have: of a cache for one
// tenant, the tenant. mu is locked.
func (e *exec) everything(x *plan) bool {
	if x.kind != query.Tag || x.a.NoIndex || len(x.n.Values) != 1 || x.n.Values[0].Kind != query.Term ||
		e.ix.mu.partly > 0 || e.expired != nil || e.o.Profile != nil {
		return false
	}
	s := x.a.tags.Find(x.a.tags.Fold(x.n.Values[0].Text))
	return s != nil && s.Len() == e.ix.mu.live.Len()
}

// drop takes out what is not visible, and what expired. mu is locked.
func (e *exec) drop(b *index.Bitmap) {
	if e.ix.mu.partly > 0 {
		b.And(&e.ix.mu.live)
	}
	if e.expired != nil {
		b.AndNot(e.expired)
	}
}

// seen takes candidates out that were not visible at the moment; true if there were some.
func (e *exec) seen() bool {
	n := len(e.cands)
	keep := e.cands[:0]
	for _, c := range e.cands {
		if e.ix.visible(uint32(c.Label), e.moment, e.o.Now) {
			keep = append(keep, c)
		}
	}
	e.cands = keep
	return len(keep) < n
}
