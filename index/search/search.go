package search

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/attr"
	"github.com/nearcache/nearcache/index/kernel"
	"github.com/nearcache/nearcache/index/query"
)

// Options refine a search. Num must be set: the zero value counts only.
type Options struct {
	Offset, Num int    // LIMIT; Num 0 counts only, Num < 0 returns all
	SortBy      string // a distance's name, a field's, or ""; see [Index.Search]
	Desc        bool
	Scorer      string  // "" is BM25STD
	WithScores  bool    // fill Row.Score even where the order does not need it
	Explain     bool    // fill Row.Explain; with WithScores
	Terms       bool    // fill Result.Terms
	Tanh        float64 // of BM25STD.TANH; 0 is RediSearch's 4
	Payload     []byte  // of HAMMING

	Verbatim bool          // words without their stems
	Language attr.Language // of the words
	Expander string        // how words are expanded; see [KnownExpander]
	InOrder  bool          // the words of the query in its order
	HasSlop  bool          // at most Slop other words between them
	Slop     int

	HasInKeys bool
	InKeys    []string // only these documents
	InFields  []string // TEXT fields of words without a field of their own
	Filters   []NumericFilter
	Around    []GeoFilter

	// Load returns a field of a document, by identifier. It is only used to sort
	// by a field of which the index holds no value, and without any lock of the index.
	Load    func(doc, identifier string) ([]byte, bool)
	Profile *Profile    // filled in, unless nil
	Now     int64       // Unix milliseconds; what expires at or before it does not exist
	Watch   *Watch      // told what was found; see [Index.OpenWatch]
	Stop    func() bool // asked now and then; true ends the search early

	// For Scan: not by score, and what matches is handed over instead of rows, mu locked.
	byWrite bool
	// For tests: weigh every match, see pruner.
	everyScore bool

	take func(e *exec, bits *index.Bitmap)
}

// NumericFilter is the FILTER option.
type NumericFilter struct {
	Field            string
	Min, Max         float64
	MinExcl, MaxExcl bool
}

// GeoFilter is the GEOFILTER option.
type GeoFilter struct {
	Field            string
	Lon, Lat, Radius float64
	Unit             string // m, km, mi or ft
}

// Row is a document found.
type Row struct {
	Name    string
	Score   float64
	Explain *Explain // nil unless it was asked for

	// The value it was sorted by, if SortBy was given and the document has one.
	HasKey bool
	Number bool // the key is Key, otherwise KeyText
	Key    float64
	Text   string

	Payload string // "" is none
}

// Result is what a search found. Its memory is used again after Release.
type Result struct {
	Total    int // all matches, of which Rows is a page
	Rows     []Row
	Yields   []string // names of the distances, see Distance
	Terms    *Terms   // nil unless they were asked for, or there are no rows
	TimedOut bool     // Stop ended the search: Total and Rows may be incomplete

	dist []float64 // by row and yield; NaN for none
}

var resultPool = sync.Pool{New: func() any { return new(Result) }}

// Release gives the result's memory back. Nothing of it may be used afterwards.
func (r *Result) Release() {
	clear(r.Rows)
	*r = Result{Rows: r.Rows[:0], Yields: r.Yields[:0], dist: r.dist[:0]}
	resultPool.Put(r)
}

// Distance is a row's distance, by the position of its name in Yields. False:
// the row was found by a part of the query that yields none.
func (r *Result) Distance(row, yield int) (float64, bool) {
	d := r.dist[row*len(r.Yields)+yield]
	return d, !math.IsNaN(d)
}

// column is a distance that rows carry.
type column struct {
	name   string
	near   []index.Neighbor // ascending by label once sorted
	sorted bool
}

// exec is one search under way.
type exec struct {
	ix       *Index
	o        Options
	order    order
	root     *plan
	scoring  attr.Scorer
	inFields attr.Mask
	moment   uint64
	live     *index.Bitmap // at moment, without what expired; only where it is needed
	expired  *index.Bitmap // nil if nothing has
	used     []*index.Bitmap
	cols     []column
	main     int // the column whose distances stand in the candidates, -1 for none
	knn      bool
	cands    []index.Neighbor
	items    []item
	near     attr.NearScratch
	ticks    int
	began    time.Time // when the search began, where it is profiled
	locked   time.Time // when mu was locked last
	timedOut bool
}

var (
	execPool   = sync.Pool{New: func() any { return new(exec) }}
	bitmapPool = sync.Pool{New: func() any { return new(index.Bitmap) }}
)

func (e *exec) bitmap() *index.Bitmap {
	b := bitmapPool.Get().(*index.Bitmap)
	e.used = append(e.used, b)
	return b
}

// release gives a bitmap back before the search ends.
func (e *exec) release(b *index.Bitmap) {
	for i := len(e.used) - 1; i >= 0; i-- {
		if e.used[i] == b {
			e.used = slices.Delete(e.used, i, i+1)
			b.Reset()
			bitmapPool.Put(b)
			return
		}
	}
}

func (e *exec) free() {
	for _, b := range e.used {
		b.Reset()
		bitmapPool.Put(b)
	}
	for i := range e.cols {
		e.cols[i] = column{near: e.cols[i].near[:0]}
	}
	clear(e.used)
	clear(e.items)
	*e = exec{used: e.used[:0], cols: e.cols[:0], cands: e.cands[:0], items: e.items[:0], near: e.near}
	execPool.Put(e)
}

// maxLocked is how long one search may keep writers waiting; it is RediSearch's
// default TIMEOUT. Only a query that is made for it needs so long.
const maxLocked = 500 * time.Millisecond

// stopped asks at every 16th call whether the search is to end.
func (e *exec) stopped() bool {
	if e.timedOut {
		return true
	}
	if e.ticks++; e.ticks&15 == 0 && !e.stop() && time.Since(e.locked) > maxLocked {
		e.timedOut = true
	}
	return e.timedOut
}

// stop asks Stop.
func (e *exec) stop() bool {
	if e.o.Stop != nil && !e.timedOut && e.o.Stop() {
		e.timedOut = true
	}
	return e.timedOut
}

func (e *exec) column(name string) int {
	if i := slices.IndexFunc(e.cols, func(c column) bool { return c.name == name }); i >= 0 {
		return i
	}
	if n := len(e.cols); n < cap(e.cols) {
		e.cols = e.cols[:n+1] // with its memory
		e.cols[n].name = name
		return n
	}
	e.cols = append(e.cols, column{name: name})
	return len(e.cols) - 1
}

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
			return nil, errorf("Field `%s` at offset %d is not a VECTOR field", k.Field, k.Offset)
		}
		if err := knn.checkBlob(k.Blob); err != nil {
			return nil, err
		}
		e.main, e.knn = e.column(k.As), true
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
		x := &plan{kind: keys, col: -1, bits: e.bitmap()}
		for _, name := range e.o.InKeys {
			st := e.ix.stripe(name)
			st.mu.Lock()
			if en := st.names[name]; en != nil && en.label != noLabel {
				x.bits.Add(index.Label(en.label))
			}
			st.mu.Unlock()
		}
		more = append(more, x)
	}
	if len(more) > 0 {
		e.root = &plan{kind: query.And, n: &query.Node{Kind: query.And}, kids: append(more, e.root), vector: e.root.vector, col: -1}
	}
	return nil
}

// run answers the query in up to three steps: postings, vectors, rows.
func (e *exec) run(k *query.KNN, knn *attribute, res *Result) error {
	ix := e.ix
	e.began = e.clock()
	ix.mu.RLock()
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
		e.cands, err = knn.vectors.Search(e.cands[:0], k.Blob, n, index.SearchOptions{EF: k.EF, Epsilon: k.Epsilon, Allow: allow, Stop: e.stopFunc()})
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

func (e *exec) stopFunc() func() bool {
	if e.o.Stop == nil {
		return nil
	}
	return e.stop
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

// single is the vector range that alone stands beside what holds no vector; nil if there is no such.
func (e *exec) single() *plan {
	if e.root.kind == query.Range {
		return e.root
	}
	if e.root.kind != query.And {
		return nil
	}
	var leaf *plan
	for _, k := range e.root.kids {
		if k.vector {
			if k.kind != query.Range || leaf != nil {
				return nil
			}
			leaf = k
		}
	}
	return leaf
}

// rest is the set that the root matches without the leaf.
func (e *exec) rest(leaf *plan) *index.Bitmap {
	x := *e.root
	x.kids = nil
	for _, k := range e.root.kids {
		if k != leaf {
			x.kids = append(x.kids, k)
		}
	}
	return e.and(&x)
}

// known fills in the sets of the largest parts without vectors.
func (e *exec) known(x *plan) {
	if !x.vector {
		x.bits = e.filter(x)
		return
	}
	for _, k := range x.kids {
		e.known(k)
	}
}

// ranged appends what lies in the leaf's range.
func (e *exec) ranged(x *plan, dst []index.Neighbor, allow *index.Bitmap) ([]index.Neighbor, error) {
	o := index.SearchOptions{Allow: allow, Stop: e.stopFunc()}
	if a := x.n.Attrs; a != nil {
		o.Epsilon, o.EF = a.Epsilon, a.EF
	}
	start := e.clock()
	near, err := x.a.vectors.Range(dst, x.n.Blob, x.n.Radius, o)
	if e.o.Profile != nil {
		e.o.Profile.vector(x, "RANGE_QUERY", start, len(near)-len(dst))
	}
	return near, err
}

// clock reads the clock where the search is profiled.
func (e *exec) clock() time.Time {
	if e.o.Profile == nil {
		return time.Time{}
	}
	return time.Now()
}

// mixed is the part of allow that the plan matches. Nothing is locked.
func (e *exec) mixed(x *plan, allow *index.Bitmap) (*index.Bitmap, error) {
	b := e.bitmap()
	if e.stop() {
		return b, nil
	}
	if !x.vector {
		b.Or(x.bits)
		b.And(allow)
		return b, nil
	}
	switch x.kind {
	case query.Range:
		near, err := e.ranged(x, nil, allow)
		if err != nil {
			return nil, err
		}
		for _, n := range near {
			b.Add(n.Label)
		}
		x.bits = b
		if x.col >= 0 {
			c := &e.cols[x.col]
			c.near = append(c.near, near...)
		}
	case query.Or:
		for _, k := range x.kids {
			c, err := e.mixed(k, allow)
			if err != nil {
				return nil, err
			}
			b.Or(c)
		}
	case query.Not:
		c, err := e.mixed(x.kids[0], allow)
		if err != nil {
			return nil, err
		}
		b.Or(allow)
		b.AndNot(c)
	case query.Optional:
		if _, err := e.mixed(x.kids[0], allow); err != nil { // for its distances
			return nil, err
		}
		b.Or(allow)
	case query.And:
		b.Or(allow)
		for _, k := range x.kids {
			if !k.vector {
				b.And(k.bits)
			}
		}
		for _, k := range x.kids {
			if k.vector {
				c, err := e.mixed(k, b)
				if err != nil {
					return nil, err
				}
				b = c
			}
		}
	}
	return b, nil
}

// by says what rows are ordered by.
type by uint8

const (
	byWrite by = iota
	byScore
	byDistance
	byNumber
	byText
	byLoad
	byName
)

type order struct {
	by   by
	desc bool
	col  int
	a    *attribute
}

// orderOf finds out what to sort by.
func (e *exec) orderOf(knn bool) (order, error) {
	name := strings.TrimPrefix(e.o.SortBy, "@")
	o := order{desc: e.o.Desc, col: -1}
	if name == "" {
		o.desc = false
		switch {
		case knn:
			o.by, o.col = byDistance, e.main
		case e.root != nil && !e.o.byWrite && e.ranks(e.root):
			o.by = byScore
		}
		return o, nil
	}
	for i, c := range e.cols {
		if c.name == name {
			o.by, o.col = byDistance, i
			return o, nil
		}
	}
	a := e.ix.byName[name]
	switch {
	case a == nil && name == "__score":
		o.by, o.desc = byScore, !e.o.Desc // best first is score's own order
		return o, nil
	case a == nil && name == "__key":
		o.by = byName
		return o, nil
	case a == nil:
		return o, errorf("Property `%s` not loaded nor in schema", name)
	case a.nums != nil:
		o.by = byNumber
	case a.Sortable && (a.Type == TypeText || a.Type == TypeTag):
		o.by = byText
	default:
		o.by = byLoad
	}
	o.a = a
	return o, nil
}

// ranks reports whether matches of x differ in their scores, so that the order
// is theirs.
func (e *exec) ranks(x *plan) bool {
	switch {
	case e.scoring == attr.DOCSCORE || e.scoring == attr.HAMMING:
		return true
	case e.scoring.Standard() && e.ix.text == nil:
		return false // without words documents have no length
	case x.isText() || x.kind == query.Tag || x.kind == query.All || x.kind == query.Optional:
		return true
	case x.kind == query.Not || len(x.kids) == 0:
		return !e.scoring.Standard()
	}
	return slices.ContainsFunc(x.kids, e.ranks)
}

// item is a match while it is sorted.
type item struct {
	label   uint32
	has     bool
	key     float64
	version uint64
	text    string
	dist    float64 // of the main column
}

// compare orders two items.
func (o *order) compare(a, b *item) int {
	c := 0
	switch {
	case o.by == byWrite:
	case a.has != b.has:
		if a.has {
			return -1
		}
		return 1
	case !a.has:
	case o.by == byText || o.by == byLoad || o.by == byName:
		c = cmp.Compare(a.text, b.text)
	case o.by == byScore:
		c = cmp.Compare(b.key, a.key)
	default:
		c = cmp.Compare(a.key, b.key)
	}
	if o.desc {
		c = -c
	}
	if c == 0 {
		if c = cmp.Compare(a.version, b.version); c == 0 {
			c = cmp.Compare(a.label, b.label)
		}
		if o.desc && o.by != byScore {
			c = -c
		}
	}
	return c
}

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

// topN keeps the want first items: a heap with the last of them on top.
type topN struct {
	want  int
	o     *order
	items []item
	heap  bool
}

func (t *topN) push(it item) {
	if len(t.items) < t.want {
		t.items = append(t.items, it)
		return
	}
	t.heapify()
	if t.o.compare(&it, &t.items[0]) < 0 {
		t.items[0] = it
		t.down(0)
	}
}

// worst is the last of the items that are kept; nil while there is room for more.
func (t *topN) worst() *item {
	if len(t.items) < t.want {
		return nil
	}
	t.heapify()
	return &t.items[0]
}

func (t *topN) heapify() {
	if !t.heap {
		t.heap = true
		for i := len(t.items)/2 - 1; i >= 0; i-- {
			t.down(i)
		}
	}
}

func (t *topN) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(t.items) {
			return
		}
		if c+1 < len(t.items) && t.o.compare(&t.items[c+1], &t.items[c]) > 0 {
			c++
		}
		if t.o.compare(&t.items[c], &t.items[i]) <= 0 {
			return
		}
		t.items[i], t.items[c] = t.items[c], t.items[i]
		i = c
	}
}

func (t *topN) sorted() []item {
	slices.SortFunc(t.items, func(a, b item) int { return t.o.compare(&a, &b) })
	return t.items
}
