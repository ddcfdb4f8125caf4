package commands

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unsafe"

	agg "github.com/nearcache/nearcache/index/aggregate"
	"github.com/nearcache/nearcache/index/expr"
	"github.com/nearcache/nearcache/index/query"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store/catalog"
)

var ftAggregateCommand = &command.Spec{
	Name: "ft.aggregate", Arity: -3, Flags: command.ReadOnly | command.FromModule, Group: command.GroupSearch,
	Since: "1.1.0", Summary: "Run a search query on an index and perform aggregate transformations on the results",
	Args:       ftAggregateArgs,
	Complexity: "O(1)",
	Bind:       command.Bind(parseFTAggregate, runFTAggregate),
}

// ftAggregate is a parsed FT.AGGREGATE. Its strings and slices point into the arguments.
type ftAggregate struct {
	index     string
	query     []byte
	dialect   int // 0: as FT.CONFIG says
	params    query.Params
	o         search.Options
	noStop    bool
	addScores bool
	noContent bool
	inexact   bool // WITHOUTCOUNT
	expand    bool // FORMAT EXPAND
	timeout   int64
	plan      agg.Plan
	profile   *agg.Profile // of FT.PROFILE

	cursor  bool
	count   int64
	maxIdle int64
}

// Limits of RediSearch's configuration.
const (
	cursorMaxIdle       = 300000
	cursorReadSize      = 1000
	maxAggregateResults = 1 << 31
)

func parseFTAggregate(a *args.Parser) *ftAggregate { return parseAggregateQuery(view(a), a) }

// parseAggregateQuery reads what stands behind the name of the index.
func parseAggregateQuery(index string, a *args.Parser) *ftAggregate {
	p := &ftAggregate{index: index, query: a.Bytes(), count: cursorReadSize, maxIdle: cursorMaxIdle}
	for a.More() && a.Err() == nil {
		switch {
		case a.Accept("VERBATIM"):
			p.o.Verbatim = true
		case a.Accept("NOSTOPWORDS"):
			p.noStop = true
		case a.Accept("INORDER"):
			p.o.InOrder = true
		case a.Accept("SLOP"):
			p.o.Slop, p.o.HasSlop = int(clamp(a.Int(), -1, math.MaxInt32)), true
		case a.Accept("ADDSCORES"):
			p.addScores, p.o.WithScores = true, true
		case a.Accept("NOCONTENT"):
			p.noContent = true
		case a.Accept("WITHCOUNT"):
			p.inexact = false
		case a.Accept("WITHOUTCOUNT"):
			p.inexact = true
		case a.Accept("SCORER"):
			p.o.Scorer = strings.ToUpper(view(a))
		case a.Accept("LANGUAGE"):
			p.o.Language = parseLanguage(a)
		case a.Accept("INKEYS"):
			p.o.InKeys, p.o.HasInKeys = countedStrings(a, "INKEYS"), true
		case a.Accept("INFIELDS"):
			p.o.InFields = countedStrings(a, "INFIELDS")
		case a.Accept("SUMMARIZE"):
			a.Fail(resp.Error("SUMMARIZE is not supported on FT.AGGREGATE"))
		case a.Accept("HIGHLIGHT"):
			a.Fail(resp.Error("HIGHLIGHT is not supported on FT.AGGREGATE"))
		case a.Accept("RETURN"):
			a.Fail(resp.Error("RETURN is not supported on FT.AGGREGATE"))
		case a.Accept("WITHCURSOR"):
			p.cursor = true
			p.count, p.maxIdle = parseWithCursor(a, p.count, p.maxIdle)
		case p.parseCommon(a):
		default:
			p.parseSteps(a)
			return p
		}
	}
	return p
}

// parseSteps reads the steps of the pipeline, between which common options may stand.
func (p *ftAggregate) parseSteps(a *args.Parser) {
	for a.More() && a.Err() == nil {
		switch {
		case a.Accept("WITHCURSOR"):
			p.cursor = true
			p.count, p.maxIdle = parseWithCursor(a, p.count, p.maxIdle)
		case p.parseCommon(a), parseStep(a, &p.plan):
		default:
			unknownOption(a)
		}
	}
}

func unknownOption(a *args.Parser) {
	at := a.Position() - firstOption
	a.Fail(resp.Error("Unknown argument `" + a.String() + "` at position " + strconv.Itoa(at) + " for <main>"))
}

// parseCommon reads an option that may stand anywhere; false if it is none.
func (p *ftAggregate) parseCommon(a *args.Parser) bool {
	switch {
	case a.Accept("TIMEOUT"):
		p.timeout = parseSearchTimeout(a)
	case a.Accept("PARAMS"):
		p.params = parseParams(p.params[:0], a)
	case a.Accept("DIALECT"):
		p.dialect = parseDialect(a)
	case a.Accept("FORMAT"):
		p.expand = parseFormat(a)
	default:
		return false
	}
	if p.expand {
		checkExpand(a, p.dialect)
	}
	return true
}

func parseSearchTimeout(a *args.Parser) int64 {
	if !a.More() {
		a.Fail(resp.Error("Need argument for TIMEOUT"))
		return 0
	}
	n, ok := resp.ParseInt(a.Bytes())
	if !ok || n < 0 {
		a.Fail(resp.Error("TIMEOUT requires a non negative integer"))
	}
	return n
}

func parseDialect(a *args.Parser) int {
	if !a.More() {
		a.Fail(resp.Error("Need an argument for DIALECT"))
		return 0
	}
	n, ok := resp.ParseInt(a.Bytes())
	if !ok || n < 1 || n > 4 {
		a.Fail(resp.Error("DIALECT requires a non negative integer >=1 and <= 4"))
	}
	return int(n)
}

// The reasons of RediSearch's argument reader.
const (
	reasonNoArg  = "Expected an argument, but none provided"
	reasonParse  = "Could not convert argument to expected type"
	reasonBounds = "Value is outside acceptable bounds"
)

// number reads an integer of at least a minimum; what names it in messages.
func number(a *args.Parser, what string, minimum int64) int64 {
	if !a.More() {
		a.Fail(resp.Error("Bad arguments for " + what + ": " + reasonNoArg))
		return 0
	}
	n, ok := resp.ParseInt(a.Bytes())
	switch {
	case !ok:
		a.Fail(resp.Error("Bad arguments for " + what + ": " + reasonParse))
	case n < minimum:
		a.Fail(resp.Error("Bad arguments for " + what + ": " + reasonBounds))
	}
	return n
}

// counted reads a count and that many words.
func counted(a *args.Parser, what string) []string {
	n := number(a, what, 0)
	if a.Err() != nil {
		return nil
	}
	if n > int64(a.Len()) {
		a.Fail(resp.Error("Bad arguments for " + what + ": " + reasonNoArg))
		return nil
	}
	l := make([]string, n)
	for i := range l {
		l[i] = view(a)
	}
	return l
}

// parseWithCursor reads the options of WITHCURSOR.
func parseWithCursor(a *args.Parser, count, maxIdle int64) (int64, int64) {
	for {
		switch {
		case a.Accept("COUNT"):
			count = number(a, "COUNT", 1)
		case a.Accept("MAXIDLE"):
			maxIdle = min(number(a, "MAXIDLE", 1), cursorMaxIdle)
		default:
			return count, maxIdle
		}
	}
}

// parseStep reads a step of a pipeline; false if there is none.
func parseStep(a *args.Parser, plan *agg.Plan) bool {
	switch {
	case a.Accept("LIMIT"):
		parseAggregateLimit(a, plan)
	case a.Accept("SORTBY"):
		parseAggregateSort(a, plan)
	case a.Accept("GROUPBY"):
		parseGroupBy(a, plan)
	case a.Accept("APPLY"):
		e := parseExpression(a)
		as := e
		if a.Accept("AS") {
			if !a.More() {
				a.Fail(resp.Error("AS needs argument"))
			}
			as = view(a)
		}
		plan.Steps = append(plan.Steps, agg.Step{Apply: &agg.Apply{Expr: e, As: as}})
	case a.Accept("FILTER"):
		plan.Steps = append(plan.Steps, agg.Step{Filter: &agg.Filter{Expr: parseExpression(a)}})
	case a.Accept("LOAD"):
		parseLoad(a, plan, false)
	default:
		return false
	}
	if len(plan.Steps) > maxSteps {
		a.Fail(resp.Error("Too many steps"))
	}
	return true
}

// maxSteps bounds the pipeline, each of whose steps is work at every document.
const maxSteps = 1024

func parseExpression(a *args.Parser) string {
	if !a.More() {
		a.Fail(resp.Error("Bad arguments for APPLY/FILTER: " + reasonNoArg))
	}
	return view(a)
}

func parseAggregateLimit(a *args.Parser, plan *agg.Plan) {
	offset, num := parseLimit(a, maxAggregateResults)
	if a.Err() != nil {
		return
	}
	s := plan.Arrange()
	s.Offset, s.Limit, s.Limited = offset, num, true
	plan.Count = plan.Count || num == 0
}

func parseAggregateSort(a *args.Parser, plan *agg.Plan) {
	if string(a.Peek()) == "0" {
		a.Bytes()
		return
	}
	s := plan.Arrange()
	if s.Keys != nil {
		a.Fail(resp.Error("Multiple SORTBY steps are not allowed. Sort multiple fields in a single step"))
		return
	}
	words := counted(a, "SORTBY")
	s.Keys = []agg.SortKey{}
	for _, w := range words {
		switch {
		case strings.HasPrefix(w, "@"):
			if len(s.Keys) == agg.MaxKeys {
				a.Fail(resp.Error("Cannot sort by more than " + strconv.Itoa(agg.MaxKeys) + " fields"))
				return
			}
			s.Keys = append(s.Keys, agg.SortKey{Name: w[1:]})
		case len(s.Keys) > 0 && strings.EqualFold(w, "ASC"):
			s.Keys[len(s.Keys)-1].Desc = false
		case len(s.Keys) > 0 && strings.EqualFold(w, "DESC"):
			s.Keys[len(s.Keys)-1].Desc = true
		default:
			a.Fail(resp.Error("MISSING ASC or DESC after sort field (" + w + ")"))
			return
		}
	}
	if a.Accept("MAX") {
		s.Limit = int(min(number(a, "MAX", 0), maxAggregateResults))
	}
}

func parseGroupBy(a *args.Parser, plan *agg.Plan) {
	g := &agg.Group{}
	for _, w := range counted(a, "GROUPBY") {
		if !strings.HasPrefix(w, "@") {
			a.Fail(resp.Error("Bad arguments for GROUPBY: Unknown property `" + w + "`. Did you mean `@" + w + "`?"))
			return
		}
		g.By = append(g.By, w[1:])
	}
	for a.Accept("REDUCE") {
		if !a.More() {
			a.Fail(resp.Error("Bad arguments for REDUCE: " + reasonNoArg))
			return
		}
		r := agg.Reduce{Name: view(a)}
		r.Args = counted(a, r.Name)
		if a.Accept("AS") {
			if !a.More() {
				a.Fail(resp.Error("Bad arguments for AS: " + reasonNoArg))
				return
			}
			r.As = view(a)
		} else {
			r.As = agg.Alias(r.Name, r.Args)
		}
		if g.Reduces = append(g.Reduces, r); len(g.Reduces) > maxSteps {
			a.Fail(resp.Error("Too many reducers"))
			return
		}
	}
	plan.Steps = append(plan.Steps, agg.Step{Group: g})
}

// parseLoad reads LOAD; if it is strict, names must have their @.
func parseLoad(a *args.Parser, plan *agg.Plan, strict bool) {
	l := &agg.Load{}
	plan.Steps = append(plan.Steps, agg.Step{Load: l})
	if a.More() {
		if _, ok := resp.ParseInt(a.Peek()); !ok {
			if string(a.Bytes()) != "*" {
				a.Fail(resp.Error("Bad arguments for LOAD: Expected number of fields or `*`"))
			}
			l.All = true
			return
		}
	}
	words := counted(a, "LOAD")
	for i := 0; i < len(words); i++ {
		if strict && !prefixed(a, words[i], "LOAD") {
			return
		}
		f := agg.LoadField{Path: strings.TrimPrefix(words[i], "@")}
		f.As = f.Path
		if i+1 < len(words) && strings.EqualFold(words[i+1], "AS") {
			if i += 2; i >= len(words) {
				a.Fail(resp.Error("LOAD path AS name - must be accompanied with NAME"))
				return
			}
			if f.As = words[i]; strings.EqualFold(f.As, "AS") {
				a.Fail(resp.Error("Alias for LOAD cannot be `AS`"))
				return
			}
		}
		l.Fields = append(l.Fields, f)
	}
}

func runFTAggregate(c *command.Ctx, p *ftAggregate) error {
	ix, err := openIndex(c, p.index)
	if err != nil {
		return noSuchIndex(p.index)
	}
	expireDue(c, ix)
	if p.cursor { // what is left of the query outlives the command
		p = parseFTAggregate(keptArgs(c.Args))
	}
	p.settle(c)
	ix.Asked(p.dialect)
	t := trackSearch(c, ix) // any write of the index counts: the watch is given no query
	run, err := p.open(c, ix)
	if err != nil {
		t.failed()
		return err
	}
	if p.cursor {
		err = startCursor(c, p, ix, run, t)
	} else {
		defer run.Close()
		err = run.reply(c, run.read(c, maxAggregateResults), t, -1)
	}
	if err != nil {
		t.failed()
	}
	return err
}

// settle fills in what FT.CONFIG says of a query that does not.
func (p *ftAggregate) settle(c *command.Ctx) {
	if p.dialect == 0 {
		p.dialect = int(c.Catalog.Config.Int(catalog.DefaultDialect))
	}
	if t := c.Catalog.Config.Int(catalog.Timeout); p.timeout == 0 && t != catalog.DefaultTimeout {
		p.timeout = t
	}
}

// ftSource is where the documents of an ftRun come from.
type ftSource interface {
	agg.Source
	at(now int64) // in Unix milliseconds: what is expired then is left out
	Late() bool
	Held() int
	Close()
}

// ftScan is the documents of one query.
type ftScan struct {
	*search.Scan
	now     int64
	metrics []float64
	metric  func(yield int, d float64)
}

func newScan(s *search.Scan) *ftScan {
	f := &ftScan{Scan: s}
	f.metric = func(yield int, d float64) { f.metrics[yield] = d }
	return f
}

func (f *ftScan) at(now int64) { f.now = now }

// Next implements [agg.Source].
func (f *ftScan) Next(d *agg.Doc, metrics []float64) (ok bool) {
	for i := range metrics {
		metrics[i] = math.NaN()
	}
	f.metrics = metrics
	d.Name, d.Score, ok = f.Scan.Next(f.now, f.metric)
	return ok
}

// Terms implements [agg.Source].
func (f *ftScan) Terms(d *agg.Doc, most int) []string { return f.Scan.Terms(d.Name, most) }

// ftRun is a pipeline under way: the documents, the steps, and what reads the
// documents for them. Between the reads of a cursor it rests.
type ftRun struct {
	p      *ftAggregate
	source ftSource
	pipe   *agg.Pipeline
	loader ftLoader
	bare   bool                             // a row is written as nothing but its properties …
	before func(w *resp.Writer, d *agg.Doc) // … and, if it is set, one that this writes
}

// newRun builds the pipeline. It takes the source, and closes it if it fails.
func newRun(p *ftAggregate, ix *catalog.Index, src ftSource, o agg.Options) (*ftRun, error) {
	r := &ftRun{p: p, source: src}
	dialect := p.dialect
	if p.expand {
		dialect = max(dialect, expandDialect)
	}
	r.loader.init(ix, dialect)
	o.Schema, o.Source = schemaOf(ix.Search().Schema()), src
	var err error
	if r.pipe, err = agg.New(p.plan, o); err != nil {
		src.Close()
		return nil, resp.Error(err.Error())
	}
	r.pipe.Use(&r.loader, p.deadline())
	return r, nil
}

// open runs the query and builds the pipeline.
func (p *ftAggregate) open(c *command.Ctx, ix *catalog.Index) (*ftRun, error) {
	if p.expand {
		if err := expandable(c, ix); err != nil {
			return nil, err
		}
	}
	s := ix.Search()
	qo := query.Options{Dialect: p.dialect, Params: p.params}
	if !p.noStop {
		qo.StopWord = s.StopWord()
	}
	q, err := query.Parse(p.query, qo)
	if err != nil {
		return nil, resp.Error(err.Error())
	}
	o := p.o
	o.Now, o.Stop = c.Tx.Now, p.deadline()
	scan, err := s.Scan(q, o)
	if err != nil {
		return nil, failedSearch(p.index, err)
	}
	ao := agg.Options{Metrics: scan.Yields, Exact: !p.inexact, Profile: p.profile}
	if p.addScores {
		ao.ScoreAs = "__score"
	}
	return newRun(p, ix, newScan(scan), ao)
}

// failedSearch is the reply where a search failed.
func failedSearch(index string, err error) error {
	if errors.Is(err, search.ErrClosed) { // dropped since it was looked up
		return noSuchIndex(index)
	}
	return resp.Error(err.Error())
}

// deadline asks whether TIMEOUT has passed; nil if there is none.
func (p *ftAggregate) deadline() func() bool {
	if p.timeout == 0 {
		return nil
	}
	end := time.Now().Add(time.Duration(clamp(p.timeout, 0, math.MaxInt32)) * time.Millisecond)
	return func() bool { return time.Now().After(end) }
}

// schemaOf tells a pipeline of an index's fields.
func schemaOf(s *search.Schema) func(string) (agg.Field, bool) {
	return func(name string) (agg.Field, bool) {
		f := s.Field(name)
		if f == nil {
			return agg.Field{}, false
		}
		text := f.Type == search.TypeText || f.Type == search.TypeTag
		return agg.Field{
			Identifier: f.Identifier, Numeric: f.Type == search.TypeNumeric, Sortable: f.Sortable, Fold: text && f.Sortable && !f.UNF,
		}, true
	}
}

// Close and Held make it an [agg.State].
func (r *ftRun) Close()    { r.source.Close() }
func (r *ftRun) Held() int { return r.pipe.Held() + r.source.Held() + len(r.p.query) + 2048 }

// ftRows are rows that were read and written.
type ftRows struct {
	body *resp.Writer
	n    int // rows
	end  bool
	err  error
}

// read makes and writes up to so many rows. The body must be given back.
func (r *ftRun) read(c *command.Ctx, most int64) ftRows {
	rows := ftRows{body: bodies.Get().(*resp.Writer)}
	rows.body.Reset()
	rows.body.SetProto(c.W.Proto())
	r.loader.c = c
	r.source.at(c.Tx.Now)
	defer func() { r.loader.c = nil }()
	for int64(rows.n) < most {
		row, ok, err := r.pipe.Next()
		if err != nil || !ok {
			rows.end, rows.err = true, err
			break
		}
		if r.writeRow(rows.body, row) {
			rows.n++
		}
		if rows.body.Len() > maxReply {
			rows.end, rows.err = true, errReplySize
			break
		}
	}
	return rows
}

// writeRow writes a row; false where a row of NOCONTENT has nothing to show.
func (r *ftRun) writeRow(w *resp.Writer, row *agg.Row) bool {
	n := r.pipe.Len(row)
	switch {
	case r.before != nil:
		w.Map(n + 1)
		r.before(w, &row.Doc)
	case r.bare:
		w.Map(n)
	case w.Proto() != 3:
		if r.p.noContent {
			return false
		}
		w.Array(2 * n)
	case r.p.noContent:
		w.Map(1)
	default:
		w.Map(2)
		w.BulkString("extra_attributes")
		w.Map(n)
	}
	if !r.p.noContent {
		r.pipe.Each(row, func(name string, v *expr.Value) {
			w.BulkString(name)
			writeValue(w, v, r.p.expand && w.Proto() == 3)
		})
	}
	if w.Proto() == 3 && !r.bare {
		w.BulkString("values")
		w.Array(0)
	}
	return true
}

// writeValue writes a property; with expand, JSON as what it says.
func writeValue(w *resp.Writer, v *expr.Value, expand bool) {
	if s, ok := v.Shown(); ok {
		if expand {
			writeJSON(w, []byte(s))
		} else {
			w.BulkString(s)
		}
		return
	}
	switch v.Kind() {
	case expr.Text:
		s, _ := v.Text()
		w.BulkString(s)
	case expr.Number:
		if expand {
			x, _ := v.Float()
			writeFigure(w, x)
			break
		}
		var room [32]byte
		w.Bulk(v.Append(room[:0]))
	case expr.List:
		l := v.List()
		w.Array(len(l))
		for i := range l {
			writeValue(w, &l[i], expand)
		}
	case expr.Map:
		l := v.List()
		if w.Proto() == 3 {
			w.Map(len(l) / 2)
		} else {
			w.Array(len(l))
		}
		for i := range l {
			writeValue(w, &l[i], expand)
		}
	default:
		w.Null()
	}
}

// reply writes what stands around the rows; t is told that the answer is known. A
// cursor's id stands behind them, unless it is negative.
func (r *ftRun) reply(c *command.Ctx, rows ftRows, t *tracked, cursor int64) error {
	defer bodies.Put(rows.body)
	if err := r.failure(c, rows); err != nil {
		return err
	}
	total := r.pipe.Total()
	if r.p.inexact && c.W.Proto() != 3 {
		total = min(1, rows.n)
	}
	r.wrap(c.W, rows, total, t.done(), cursor)
	return nil
}

func (r *ftRun) wrap(w *resp.Writer, rows ftRows, total int, tracking string, cursor int64) {
	if cursor >= 0 {
		w.Array(2)
		defer w.Int(cursor)
	}
	if w.Proto() != 3 {
		w.Array(1 + rows.n)
		w.Int(int64(total))
		w.Raw(rows.body.Bytes())
		return
	}
	if tracking == "" {
		w.Map(5)
	} else {
		w.Map(6)
		w.BulkString("tracking")
		w.BulkString(tracking)
	}
	w.BulkString("attributes")
	w.Array(0)
	w.BulkString("format")
	w.BulkString(formatName(r.p.expand))
	w.BulkString("results")
	w.Array(rows.n)
	w.Raw(rows.body.Bytes())
	w.BulkString("total_results")
	w.Int(int64(total))
	w.BulkString("warning")
	if !r.late() {
		w.Array(0)
		return
	}
	w.Array(1)
	w.BulkString("Timeout limit was reached")
}

// failure is why there is no reply; nil if there is one.
func (r *ftRun) failure(c *command.Ctx, rows ftRows) error {
	if rows.err != nil {
		return resp.Error(rows.err.Error())
	}
	if r.late() && c.Catalog.Config.Int(catalog.OnTimeout) == 1 {
		return errSearchTimeout
	}
	return nil
}

// late reports whether TIMEOUT ended the query.
func (r *ftRun) late() bool { return r.pipe.Late() || r.source.Late() }

// viewOf makes a string of bytes without a copy.
func viewOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
