package commands

import (
	"math"
	"slices"
	"time"

	"github.com/nearcache/nearcache/index"
	agg "github.com/nearcache/nearcache/index/aggregate"
	"github.com/nearcache/nearcache/index/query"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store/catalog"
)

var ftHybridCommand = &command.Spec{
	Name: "ft.hybrid", Arity: -6, Flags: command.ReadOnly | command.FromModule, Group: command.GroupSearch,
	Since: "8.4.0", Summary: "Performs hybrid search combining text search and vector similarity",
	Args:       ftHybridArgs,
	Complexity: "O(N) where N is the number of documents searched by the two queries",
	Bind:       command.Bind(parseFTHybrid, runFTHybrid),
}

// The two queries of FT.HYBRID.
const (
	hybridText = iota
	hybridNear
)

func runFTHybrid(c *command.Ctx, p *ftHybrid) error {
	begun := time.Now()
	ix, err := openIndex(c, p.index)
	if err != nil {
		return noSuchIndex(p.index)
	}
	expireDue(c, ix)
	if p.cursor { // what is left of the queries outlives the command
		p = parseFTHybrid(keptArgs(c.Args))
	}
	t := trackSearch(c, ix) // any write of the index counts: the watch is given no query
	h := &ftHybridRun{ftHybrid: p, c: c, ix: ix, begun: begun, tracked: t}
	if err = h.search(); err == nil {
		if p.cursor {
			err = h.cursors()
		} else {
			err = h.reply()
		}
	}
	if err != nil {
		t.failed()
	}
	return err
}

// ftHybridRun is an FT.HYBRID under way.
type ftHybridRun struct {
	*ftHybrid
	c       *command.Ctx
	ix      *catalog.Index
	begun   time.Time
	tracked *tracked

	lists    [2][]agg.Ranked
	late     [2]bool
	explains []*search.Explain     // of the text's list; with EXPLAINSCORE
	fused    map[string]*agg.Fused // with EXPLAINSCORE

	// Of FT.PROFILE.
	profiles [2]*search.Profile
	parsed   time.Duration // what the queries took to read
	scaling  time.Duration // distances to scores
	fusing   time.Duration
	merged   int
	steps    *agg.Profile
}

// search runs the two queries. Each gives as much as the window lets in.
func (h *ftHybridRun) search() error {
	s := h.ix.Search()
	common := h.aggregate(nil)
	start := time.Now()
	text, near, err := h.queries(s, common.dialect)
	if err != nil {
		return err
	}
	h.parsed = time.Since(start)
	o := search.Options{Now: h.c.Tx.Now, Stop: common.deadline(), Num: h.fusion.Window}
	to := o
	to.SortBy, to.Desc, to.WithScores, to.Scorer, to.Explain = "__score", true, true, h.text.scorer, h.explain
	to.Profile, o.Profile = h.profiles[hybridText], h.profiles[hybridNear]
	res, err := s.Search(text, to)
	if err != nil {
		return failedSearch(h.index, err)
	}
	for i := range res.Rows {
		h.lists[hybridText] = append(h.lists[hybridText], agg.Ranked{Name: res.Rows[i].Name, Score: res.Rows[i].Score})
		h.explains = append(h.explains, res.Rows[i].Explain)
	}
	h.late[hybridText] = res.TimedOut
	res.Release()

	o.SortBy = hybridDistance
	if res, err = s.Search(near, o); err != nil {
		return failedSearch(h.index, err)
	}
	defer res.Release()
	metric := s.Schema().Field(h.near.field).Vector.Metric
	col := slices.Index(res.Yields, hybridDistance)
	start = time.Now()
	for i := range res.Rows {
		d, _ := res.Distance(i, col)
		h.lists[hybridNear] = append(h.lists[hybridNear], agg.Ranked{Name: res.Rows[i].Name, Score: nearness(metric, d)})
	}
	h.scaling, h.late[hybridNear] = time.Since(start), res.TimedOut
	return nil
}

// hybridDistance is the name that the distance has between the query and here.
const hybridDistance = "__hybrid_distance"

// nearness makes a distance a score from 0 to 1, as RediSearch documents it. (For
// inner products its code takes the distance for the product, so that what is
// farthest counts most. That is not imitated.)
func nearness(m index.Metric, d float64) float64 {
	switch m {
	case index.L2:
		return 1 / (1 + d)
	default: // d is 1 less the cosine, or the product
		return (1 + (1 - d)) / 2
	}
}

// queries parses the text's query, and makes that of the vectors.
func (h *ftHybridRun) queries(s *search.Index, dialect int) (text, near *query.Query, err error) {
	qo := query.Options{Dialect: dialect, Params: h.params, StopWord: s.StopWord()}
	if text, err = query.Parse(h.text.query, qo); err != nil {
		return nil, nil, resp.Error(err.Error())
	}
	if text.KNN != nil || text.Root.HasVector() {
		return nil, nil, resp.Error("Vector expressions are not allowed in FT.HYBRID SEARCH")
	}
	f := s.Schema().Field(h.near.field)
	switch {
	case f == nil:
		return nil, nil, resp.Error("Unknown field `" + h.near.field + "`")
	case f.Type != search.TypeVector:
		return nil, nil, resp.Error("Expected a VECTOR field `" + h.near.field + "`")
	}
	blob, err := h.blob(f)
	if err != nil {
		return nil, nil, err
	}
	near = &query.Query{Root: &query.Node{Kind: query.All}}
	if h.near.filter != nil {
		if near, err = query.Parse(h.near.filter, qo); err != nil {
			return nil, nil, resp.Error(err.Error())
		}
		switch {
		case near.KNN != nil || near.Root.HasVector():
			return nil, nil, resp.Error("Vector expressions are not allowed in FT.HYBRID VSIM FILTER")
		case near.Root.Weighted():
			return nil, nil, resp.Error("Weight attributes are not allowed in FT.HYBRID VSIM FILTER")
		}
	}
	if !h.near.ranged {
		near.KNN = &query.KNN{Field: h.near.field, K: min(h.near.k, h.fusion.Window), Blob: blob, As: hybridDistance, Tuning: query.Tuning{EF: h.near.ef}}
		return text, near, nil
	}
	leaf := &query.Node{
		Kind: query.Range, Field: h.near.field, Blob: blob, Radius: h.near.radius,
		Attrs: &query.Attrs{Weight: 1, YieldDistanceAs: hybridDistance, Tuning: query.Tuning{Epsilon: h.near.epsilon}},
	}
	switch {
	case near.Root == nil: // nothing but stop words: nothing matches
	case near.Root.Kind == query.All:
		near.Root = leaf
	default:
		near.Root = &query.Node{Kind: query.And, Children: []*query.Node{near.Root, leaf}}
	}
	return text, near, nil
}

// blob is the vector: the parameter that VSIM names or, as the first versions of
// the command had it, what stands there itself.
func (h *ftHybridRun) blob(f *search.Field) ([]byte, error) {
	v := h.near.vector
	if len(v) == 0 || v[0] != '$' {
		return v, nil
	}
	for i := 0; i+1 < len(h.params); i += 2 {
		if string(h.params[i]) == string(v[1:]) {
			return h.params[i+1], nil
		}
	}
	if len(v) == f.Vector.Dim*f.Vector.Element.Size() { // a blob may begin with that byte too
		return v, nil
	}
	return nil, resp.Error("No such parameter `" + string(v[1:]) + "`")
}

// aggregate is the pipeline of some steps in the terms of FT.AGGREGATE.
func (h *ftHybridRun) aggregate(steps []agg.Step) *ftAggregate {
	p := &ftAggregate{
		index: h.index, query: h.text.query, timeout: h.timeout, count: h.count, maxIdle: h.maxIdle,
		plan: agg.Plan{Steps: steps, Count: h.plan.Count && !h.cursor, Prefixed: true},
	}
	p.settle(h.c)
	p.dialect = max(2, p.dialect)
	return p
}

// loaded are the steps that read the documents: those that were given or, if there
// are none, one that shows the key and the score.
func (h *ftHybridRun) loaded() []agg.Step {
	if len(h.loads) > 0 {
		return h.loads
	}
	return []agg.Step{{Load: &agg.Load{Fields: []agg.LoadField{{Path: "__key", As: "__key"}, {Path: "__score", As: "__score"}}}}}
}

// options are those of a pipeline of which the source gives these scores.
func (h *ftHybridRun) options(names ...string) agg.Options {
	o := agg.Options{Exact: true, Score: "__score", ScoreAs: h.scoreAs}
	if h.scoreAs != "" {
		o.Score = ""
	}
	for _, n := range names {
		if n != "" {
			o.Metrics = append(o.Metrics, n)
		}
	}
	return o
}

func (h *ftHybridRun) reply() error {
	r, rows, err := h.tail()
	if err != nil {
		return err
	}
	defer r.Close()
	h.write(r, rows)
	return nil
}

// tail fuses the lists and runs the steps behind that.
func (h *ftHybridRun) tail() (*ftRun, ftRows, error) {
	start := time.Now()
	fused := h.fusion.Fuse(h.lists, h.ix.Search().Written)
	if !h.noSort { // the order of the scores, which they are in
		if s := h.plan.Arrange(); !s.Limited && s.Keys == nil {
			s.Limit = 10
		}
	}
	src := &hybridSource{rows: fused, late: h.late[hybridText] || h.late[hybridNear]}
	for i, name := range []string{h.text.as, h.near.as} {
		if name != "" {
			src.shown = append(src.shown, i)
		}
	}
	h.fusing, h.merged = time.Since(start), len(fused)
	o := h.options(h.text.as, h.near.as)
	o.Profile = h.steps
	p := h.aggregate(slices.Concat(h.loaded(), h.plan.Steps))
	p.expand = h.expand && h.c.W.Proto() == 3
	r, err := newRun(p, h.ix, src, o)
	if err != nil {
		return nil, ftRows{}, err
	}
	r.bare = true
	if h.explain {
		r.before, h.fused = h.explained, map[string]*agg.Fused{}
		for i := range fused {
			h.fused[fused[i].Name] = &fused[i]
		}
	}
	rows := r.read(h.c, maxAggregateResults)
	if err := r.failure(h.c, rows); err != nil {
		bodies.Put(rows.body)
		r.Close()
		return nil, ftRows{}, err
	}
	return r, rows, nil
}

// write replies with the rows, and gives their body back.
func (h *ftHybridRun) write(r *ftRun, rows ftRows) {
	defer bodies.Put(rows.body)
	w, name := h.c.W, h.tracked.done()
	if name == "" || w.Proto() != 3 {
		w.Map(4)
	} else {
		w.Map(5)
		w.BulkString("tracking")
		w.BulkString(name)
	}
	w.BulkString("total_results")
	w.Int(int64(r.pipe.Total()))
	w.BulkString("results")
	w.Array(rows.n)
	w.Raw(rows.body.Bytes())
	h.warnings(r.pipe.Late())
	w.BulkString("execution_time")
	w.Double(float64(time.Since(h.begun).Microseconds()) / 1000)
}

func (h *ftHybridRun) warnings(steps bool) {
	var l []string
	for _, s := range []struct {
		late bool
		what string
	}{{h.late[hybridText], "(SEARCH)"}, {h.late[hybridNear], "(VSIM)"}, {steps && !h.late[0] && !h.late[1], "(POST PROCESSING)"}} {
		if s.late {
			l = append(l, "Timeout limit was reached "+s.what)
		}
	}
	h.c.W.BulkString("warnings")
	h.c.W.Array(len(l))
	for _, s := range l {
		h.c.W.BulkString(s)
	}
}

// cursors makes a cursor of each of the two lists and replies with their ids.
func (h *ftHybridRun) cursors() error {
	names := [2]string{h.text.as, h.near.as}
	var ids [2]int64
	for i := range h.lists {
		src := &hybridSource{}
		for k, d := range h.lists[i] {
			f := agg.Fused{Name: d.Name, Score: d.Score}
			f.Ranks[i], f.Scores[i] = k+1, d.Score
			src.rows = append(src.rows, f)
		}
		if names[i] != "" {
			src.shown = []int{i}
		}
		p := h.aggregate(h.loaded())
		r, err := newRun(p, h.ix, src, h.options(names[i]))
		if err == nil {
			ids[i], err = h.c.Catalog.Cursors.Open(h.ix.Name, agg.State(r), p.maxIdle, h.c.Tx.Now)
			if err != nil {
				r.Close()
				err = resp.Error(err.Error())
			}
		}
		if err != nil {
			if i > 0 {
				h.c.Catalog.Cursors.End(ids[0])
			}
			return err
		}
	}
	h.tracked.done()
	w := h.c.W
	w.Map(3)
	for i, name := range []string{"SEARCH", "VSIM"} {
		w.BulkString(name)
		w.Int(ids[i])
		h.c.Catalog.Cursors.Put(ids[i], h.c.Tx.Now)
	}
	h.warnings(false)
	return nil
}

// hybridSource gives the documents of a list.
type hybridSource struct {
	rows  []agg.Fused
	next  int
	shown []int // the lists whose scores are shown
	late  bool
}

func (s *hybridSource) at(int64)   {}
func (s *hybridSource) Late() bool { return s.late }
func (s *hybridSource) Close()     {}
func (s *hybridSource) Held() int  { return 80 * len(s.rows) }
func (s *hybridSource) Total() int { return len(s.rows) }

// Next implements [agg.Source].
func (s *hybridSource) Next(d *agg.Doc, metrics []float64) bool {
	if s.next == len(s.rows) {
		return false
	}
	f := &s.rows[s.next]
	s.next++
	d.Name, d.Score = f.Name, f.Score
	for i, list := range s.shown {
		if metrics[i] = f.Scores[list]; f.Ranks[list] == 0 {
			metrics[i] = math.NaN()
		}
	}
	return true
}

// Terms implements [agg.Source].
func (s *hybridSource) Terms(*agg.Doc, int) []string { return nil }
