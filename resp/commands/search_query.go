package commands

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/nearcache/nearcache/index/attr"
	"github.com/nearcache/nearcache/index/query"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/catalog"
)

// ftSearch is a parsed FT.SEARCH and what its run needs. It is used again; its
// strings and byte slices point into the arguments.
type ftSearch struct {
	index     string
	query     []byte
	dialect   int
	params    query.Params
	noContent bool
	hasReturn bool
	expand    bool // FORMAT EXPAND
	loads     bool // a row shows what only its document holds
	returned  []returnField
	sorted    *search.Field // beside a whole JSON document, what it was sorted by
	withScore bool
	withKeys  bool // WITHSORTKEYS

	withPayload bool
	timeout     int64
	noStop      bool
	shown       shown
	parsed      time.Duration // what it took to read the query, where that is told
	tracking    string        // the pseudo-key that the reply names
	o           search.Options

	ftReply
}

// returned is the value of a field in a row.
type returned struct {
	text     []byte
	ok, null bool
}

type returnField struct {
	field, as string
	yield     int    // of a distance: which, otherwise -1
	id        string // the hash field, or the path
}

var searches = sync.Pool{New: func() any {
	p := new(ftSearch)
	p.visit, p.load = p.visited, p.loaded
	return p
}}

// keepArgs is how many arguments' memory is kept for the next search.
const keepArgs = 1024

func (p *ftSearch) free() {
	if max(cap(p.params), cap(p.returned)) > keepArgs {
		return
	}
	clear(p.params)
	clear(p.returned)
	clear(p.values[:cap(p.values)])
	p.doc.Release()
	*p = ftSearch{params: p.params[:0], returned: p.returned[:0], ftReply: ftReply{
		values: p.values[:0], numbers: p.numbers[:0], doc: p.doc, visit: p.visit, load: p.load,
	}}
	searches.Put(p)
}

// view is the next argument as a string, without a copy: it is valid as long
// as the arguments are.
func view(a *args.Parser) string {
	b := a.Bytes()
	return unsafe.String(unsafe.SliceData(b), len(b))
}

const errSearchTimeout resp.Error = "Timeout limit was reached"

// firstOption is where the options of FT.SEARCH begin, less the one that
// RediSearch numbers them from.
const firstOption = 2

// maxResults is RediSearch's MAXSEARCHRESULTS.
const maxResults = 1000000

func parseFTSearch(a *args.Parser) *ftSearch { return parseFTQuery(view(a), a) }

// parseFTQuery reads what stands behind the name of the index.
func parseFTQuery(index string, a *args.Parser) *ftSearch {
	p := searches.Get().(*ftSearch)
	p.index, p.query = index, a.Bytes()
	p.o.Num = 10
	for a.More() && a.Err() == nil {
		switch {
		case a.Accept("NOCONTENT"):
			p.noContent = true
		case a.Accept("VERBATIM"):
			p.o.Verbatim = true
		case a.Accept("NOSTOPWORDS"):
			p.noStop = true
		case a.Accept("WITHSCORES"):
			p.withScore, p.o.WithScores = true, true
		case a.Accept("EXPLAINSCORE"):
			p.o.Explain = true
		case a.Accept("WITHSORTKEYS"):
			p.withKeys = true
		case a.Accept("WITHPAYLOADS"):
			p.withPayload = true
		case a.Accept("INORDER"):
			p.o.InOrder = true
		case a.Accept("SLOP"):
			p.o.Slop, p.o.HasSlop = int(clamp(a.Int(), -1, math.MaxInt32)), true
		case a.Accept("TIMEOUT"):
			p.timeout = parseSearchTimeout(a)
		case a.Accept("LANGUAGE"):
			p.o.Language = parseLanguage(a)
		case a.Accept("SCORER"):
			p.o.Scorer = strings.ToUpper(view(a))
		case a.Accept("BM25STD_TANH_FACTOR"):
			n := a.Int()
			if a.Err() != nil || n < 1 || n > maxTanh {
				a.Fail(resp.Error("BM25STD_TANH_FACTOR must be between 1 and " + strconv.Itoa(maxTanh) + " inclusive"))
			}
			p.o.Tanh = float64(n)
		case a.Accept("EXPANDER"):
			p.o.Expander = strings.ToUpper(a.String())
		case a.Accept("PAYLOAD"):
			p.o.Payload = a.Bytes()
		case a.Accept("INKEYS"):
			p.o.InKeys, p.o.HasInKeys = countedStrings(a, "INKEYS"), true
		case a.Accept("INFIELDS"):
			p.o.InFields = countedStrings(a, "INFIELDS")
		case a.Accept("FILTER"):
			if len(p.o.Filters) == maxFilters {
				a.Fail(resp.Error("Too many filters"))
			}
			p.o.Filters = append(p.o.Filters, parseNumericFilter(a))
		case a.Accept("GEOFILTER"):
			if len(p.o.Around) == maxFilters {
				a.Fail(resp.Error("Too many filters"))
			}
			p.o.Around = append(p.o.Around, parseGeoFilter(a))
		case a.Accept("SUMMARIZE"):
			p.shown.parseSummarize(a)
		case a.Accept("HIGHLIGHT"):
			p.shown.parseHighlight(a)
		case a.Accept("RETURN"):
			p.hasReturn = true
			p.returned = parseReturn(p.returned[:0], a)
		case a.Accept("SORTBY"):
			p.parseSort(a)
		case a.Accept("LIMIT"):
			p.o.Offset, p.o.Num = parseLimit(a, maxResults)
		case a.Accept("PARAMS"):
			p.params = parseParams(p.params[:0], a)
		case a.Accept("DIALECT"):
			d := a.Int()
			if a.Err() != nil || d < 1 || d > 4 {
				a.Fail(resp.Error("DIALECT requires a non negative integer >=1 and <= 4"))
			}
			p.dialect = int(d)
		case a.Accept("FORMAT"):
			p.expand = parseFormat(a)
		default:
			word := a.String()
			switch strings.ToUpper(word) {
			case "ADDSCORES":
				a.Fail(resp.Error("ADDSCORES is not supported on FT.SEARCH"))
			default:
				a.Fail(resp.Error("Unknown argument `" + word + "` at position " + strconv.Itoa(a.Position()-firstOption-1) + " for <main>"))
			}
		}
	}
	if p.o.Explain && !p.withScore && a.Err() == nil {
		a.Fail(resp.Error("EXPLAINSCORE must be accompanied with WITHSCORES"))
	}
	if p.expand {
		checkExpand(a, p.dialect)
	}
	p.limit()
	return p
}

// maxTanh is RediSearch's.
const maxTanh = 10000

func clamp(n, lo, hi int64) int64 { return min(max(n, lo), hi) }

func (p *ftSearch) parseSort(a *args.Parser) {
	switch {
	case p.o.SortBy != "":
		a.Fail(resp.Error("Multiple SORTBY steps are not allowed"))
	case len(a.Peek()) == 0, string(a.Peek()) == "@":
		a.Fail(resp.Error("Bad SORTBY arguments"))
	}
	p.o.SortBy = strings.TrimPrefix(view(a), "@")
	if p.o.Desc = a.Accept("DESC"); !p.o.Desc {
		a.Accept("ASC")
	}
	if a.Accept("MAX") {
		a.Fail(resp.Error("SORTBY MAX is not supported by FT.SEARCH"))
	}
	a.Accept("WITHCOUNT")
}

// parseLimit reads the two numbers of a LIMIT, the second of which is at most most.
func parseLimit(a *args.Parser, most int64) (offset, num int) {
	if a.Len() < 2 {
		a.Fail(resp.Error("LIMIT requires two arguments"))
		return 0, 0
	}
	from, ok1 := resp.ParseInt(a.Bytes())
	n, ok2 := resp.ParseInt(a.Bytes())
	switch {
	case !ok1 || !ok2 || from < 0 || n < 0:
		a.Fail(resp.Error("LIMIT needs two numeric arguments"))
	case n == 0 && from != 0:
		a.Fail(resp.Error("The `offset` of the LIMIT must be 0 when `num` is 0"))
	case n > most:
		a.Fail(resp.Error("LIMIT exceeds maximum of " + strconv.FormatInt(most, 10)))
	case from > maxResults:
		a.Fail(resp.Error("OFFSET exceeds maximum of " + strconv.Itoa(maxResults)))
	default:
		return int(from), int(n)
	}
	return 0, 0
}

func parseParams(l query.Params, a *args.Parser) query.Params {
	n := a.Int()
	switch {
	case a.Err() != nil || n < 0 || n > int64(a.Len()):
		a.Fail(resp.Error("Bad arguments for PARAMS: Expected an argument, but none provided"))
		return nil
	case n%2 != 0:
		a.Fail(resp.Error("Parameters must be specified in PARAM VALUE pairs"))
		return nil
	}
	for range n {
		l = append(l, a.Bytes())
	}
	for i := 0; i < len(l); i += 2 {
		for k := 0; k < i; k += 2 {
			if string(l[k]) == string(l[i]) {
				a.Fail(resp.Error("Duplicate parameter `" + string(l[i]) + "`"))
				return nil
			}
		}
		if i > 2*maxParams {
			a.Fail(resp.Error("Too many parameters"))
			return nil
		}
	}
	return l
}

// maxFilters bounds the FILTER options, each of which is work at every document.
const maxFilters = 1024

// maxParams bounds the quadratic look for duplicates.
const maxParams = 1024

func parseReturn(l []returnField, a *args.Parser) []returnField {
	n := a.Int()
	if a.Err() != nil || n < 0 || n > int64(a.Len()) {
		a.Fail(resp.Error("Bad arguments for RETURN: Expected an argument, but none provided"))
		return nil
	}
	var seen map[string]struct{} // where there are too many to look through
	if n > 32 {
		seen = make(map[string]struct{}, n)
	}
	for ; n > 0 && a.Err() == nil; n-- {
		f := strings.TrimPrefix(view(a), "@")
		r := returnField{field: f, as: f}
		if n >= 2 && a.Accept("AS") {
			if n--; n < 2 {
				a.Fail(resp.Error("RETURN path AS name - must be accompanied with NAME"))
				return nil
			}
			n--
			if r.as = view(a); strings.EqualFold(r.as, "AS") {
				a.Fail(resp.Error("Alias for RETURN cannot be `AS`"))
				return nil
			}
		}
		if seen != nil {
			if _, ok := seen[r.as]; ok {
				continue
			}
			seen[r.as] = struct{}{}
		} else if slices.ContainsFunc(l, func(x returnField) bool { return x.as == r.as }) {
			continue
		}
		l = append(l, r)
	}
	return l
}

func parseNumericFilter(a *args.Parser) search.NumericFilter {
	if a.Len() < 3 {
		a.Fail(resp.Error("FILTER requires 3 arguments"))
		return search.NumericFilter{}
	}
	f := search.NumericFilter{Field: a.String()}
	f.Min, f.MinExcl = parseBound(a, "lower")
	f.Max, f.MaxExcl = parseBound(a, "upper")
	return f
}

func parseGeoFilter(a *args.Parser) search.GeoFilter {
	if a.Len() < 5 {
		a.Fail(resp.Error("GEOFILTER requires 5 arguments"))
		return search.GeoFilter{}
	}
	f := search.GeoFilter{Field: a.String()}
	for _, x := range []struct {
		name string
		to   *float64
	}{{"lon", &f.Lon}, {"lat", &f.Lat}, {"radius", &f.Radius}} {
		v, err := strconv.ParseFloat(a.String(), 64)
		if err != nil || math.IsNaN(v) {
			a.Fail(resp.Error("Bad arguments for <" + x.name + ">: Could not convert argument to expected type"))
		}
		*x.to = v
	}
	f.Unit = strings.ToLower(a.String())
	switch {
	case a.Err() != nil:
	case f.Unit != "m" && f.Unit != "km" && f.Unit != "mi" && f.Unit != "ft":
		a.Fail(resp.Error("Unknown distance unit " + f.Unit))
	case f.Radius <= 0:
		a.Fail(resp.Error("Invalid GeoFilter radius"))
	case !(math.Abs(f.Lon) <= 180 && math.Abs(f.Lat) <= 90):
		a.Fail(resp.Error("Invalid GeoFilter lat/lon"))
	}
	return f
}

func parseBound(a *args.Parser, which string) (v float64, exclusive bool) {
	s := a.String()
	if strings.HasPrefix(s, "(") {
		s, exclusive = s[1:], true
	}
	v, err := strconv.ParseFloat(s, 64)
	if a.Err() == nil && (err != nil || math.IsNaN(v)) {
		a.Fail(resp.Error("Bad " + which + " range: " + s))
	}
	return v, exclusive
}

var bodies = sync.Pool{New: func() any { return new(resp.Writer) }}

// dueBefore bounds how many dead keys a search removes before it looks.
const dueBefore = 2000

// expireDue removes dead keys before a search, where documents of the index are due and shards may be taken.
func expireDue(c *command.Ctx, ix *catalog.Index) {
	if !c.Tx.HoldsAll() && ix.Expire(c.Tx.Now) {
		c.Keyspace.ExpireDue(dueBefore)
	}
}

// visitDocument calls visit while the shard of an index's document, which is in database 0, is held.
func visitDocument(c *command.Ctx, key []byte, visit func(*store.Tx)) {
	db := c.Tx.DB
	c.Tx.DB = 0
	c.After(c.Tx.With(key, visit))
	c.Tx.DB = db
}

func runFTSearch(c *command.Ctx, p *ftSearch) error {
	ix, err := openIndex(c, p.index)
	if err != nil {
		defer p.free()
		return noSuchIndex(p.index)
	}
	p.useDialect(c)
	ix.Asked(p.dialect)
	expireDue(c, ix)
	t := trackSearch(c, ix)
	if t != nil { // the query outlives the command
		dialect := p.dialect
		p.free()
		p = parseFTSearch(keptArgs(c.Args))
		p.dialect = dialect
		p.o.Watch = t.watch
	}
	defer p.free()
	p.c, p.ix = c, ix
	if err := p.find(ix); err != nil {
		t.failed()
		return err
	}
	defer p.res.Release()
	p.tracking = t.done()
	p.reply()
	return nil
}

// useDialect is the default one unless DIALECT said otherwise.
func (p *ftSearch) useDialect(c *command.Ctx) {
	if p.dialect == 0 {
		p.dialect = int(c.Catalog.Config.Int(catalog.DefaultDialect))
	}
}

// find runs the search.
func (p *ftSearch) find(ix *catalog.Index) error {
	if p.expand {
		if err := expandable(p.c, ix); err != nil {
			return err
		}
	}
	s := ix.Search()
	start := time.Time{}
	if p.o.Profile != nil {
		start = time.Now()
	}
	q, err := p.parseQuery(s)
	if err != nil {
		return err
	}
	if p.o.Profile != nil {
		p.parsed = time.Since(start)
	}
	if p.shown.on {
		p.o.Terms = true
		switch {
		case ix.JSON:
			return resp.Error("HIGHLIGHT/SUMMARIZE is not supported with JSON indexes")
		case s.Schema().NoOffsets, s.Schema().NoHL:
			return resp.Error("Cannot use HIGHLIGHT/SUMMARIZE because NOOFSETS was specified at index level")
		}
	}
	p.o.Now, p.o.Load = p.c.Tx.Now, p.load
	if p.timeout == 0 {
		if t := p.c.Catalog.Config.Int(catalog.Timeout); t != catalog.DefaultTimeout { // which holds anyway
			p.timeout = t
		}
	}
	if p.timeout > 0 {
		end := time.Now().Add(time.Duration(clamp(p.timeout, 0, math.MaxInt32)) * time.Millisecond)
		p.o.Stop = func() bool { return time.Now().After(end) }
	}
	p.res, err = s.Search(q, p.o)
	if errors.Is(err, search.ErrClosed) { // dropped since it was looked up
		return noSuchIndex(p.index)
	}
	if err != nil {
		return resp.Error(err.Error())
	}
	if p.res.TimedOut && p.c.Catalog.Config.Int(catalog.OnTimeout) == 1 {
		p.res.Release()
		return errSearchTimeout
	}
	p.loads = !p.hasReturn
	if p.loads && ix.JSON && !slices.Contains(p.res.Yields, p.o.SortBy) {
		p.sorted = s.Schema().Field(p.o.SortBy)
	}
	for i := range p.returned {
		f := &p.returned[i]
		f.yield, f.id = slices.Index(p.res.Yields, f.field), f.field
		p.loads = p.loads || f.yield < 0
		if id, ok := s.Identifier(f.field); ok {
			f.id = id
		}
	}
	return nil
}

// ftReply is the memory of the rows of FT.SEARCH while they are written.
type ftReply struct {
	c   *command.Ctx
	res *search.Result
	w   *resp.Writer

	ix    *catalog.Index
	key   []byte // what visit looks at
	found bool   // visit found a document of the index there
	row   int    // visit writes this row …
	field string // … or, if this is set, loads a field for SORTBY
	value []byte

	values  []returned // of a row's returned fields
	numbers []byte     // the digits of those that are numbers
	doc     catalog.Document

	visit func(*store.Tx)
	load  func(doc, field string) ([]byte, bool)
}

// open calls visit while the shard of doc is held; false where doc is gone.
func (p *ftSearch) open(doc string) bool {
	p.key, p.found = unsafe.Slice(unsafe.StringData(doc), len(doc)), false // only read
	visitDocument(p.c, p.key, p.visit)
	return p.found
}

func (p *ftSearch) visited(tx *store.Tx) {
	if p.found = p.ix.Open(&p.doc, tx.Peek(p.key)); !p.found {
		return
	}
	if p.field == "" {
		p.content()
		return
	}
	p.numbers = p.numbers[:0]
	v := p.fieldOf(p.field, 0)
	if p.found = v.ok && !v.null; p.found {
		p.value = append([]byte(nil), v.text[:min(len(v.text), maxSortKey)]...)
	}
}

// fieldOf is a field of the open document.
func (p *ftReply) fieldOf(id string, dialect int) returned {
	v, ok := p.doc.Field(id, dialect)
	if !ok {
		return returned{}
	}
	return p.written(v)
}

// written is a loaded field as it is written.
func (p *ftReply) written(v catalog.Loaded) returned {
	switch {
	case v.All != nil:
		return returned{text: v.All, ok: true}
	case v.Kind == catalog.Null:
		return returned{ok: true, null: true}
	case v.Kind == catalog.Number:
		n := len(p.numbers)
		p.numbers = appendValue(p.numbers, v.Number)
		return returned{text: p.numbers[n:], ok: true}
	}
	return returned{text: v.Text, ok: true}
}

// maxSortKey is how much of a value counts where the index holds none to sort by.
const maxSortKey = 16 << 10

// loaded is a field of a document, for SORTBY.
func (p *ftSearch) loaded(doc, field string) ([]byte, bool) {
	p.field = field
	ok := p.open(doc)
	p.field = ""
	return p.value, ok
}

// reply writes what was found. A document may have gone since it was; only
// then are the rows written apart, to count them.
func (p *ftSearch) reply() {
	w, n := p.c.W, len(p.res.Rows)
	p.w = w
	start := w.Len()
	p.begin(n, p.res.Total)
	for i := range n {
		if !p.writeRow(i) {
			w.Truncate(start)
			p.replyLess()
			return
		}
	}
	p.end(p.res.Total)
}

func (p *ftSearch) replyLess() {
	body := bodies.Get().(*resp.Writer)
	defer bodies.Put(body)
	body.Reset()
	body.SetProto(p.c.W.Proto())
	p.w = body
	rows := 0
	for i := range p.res.Rows {
		if p.writeRow(i) {
			rows++
		}
	}
	p.w = p.c.W
	total := max(0, p.res.Total-(len(p.res.Rows)-rows))
	p.begin(rows, total)
	p.w.Raw(body.Bytes())
	p.end(total)
}

// begin writes what stands before the rows, end what stands behind them.
func (p *ftSearch) begin(rows, total int) {
	w := p.w
	if w.Proto() == 3 {
		if p.tracking == "" {
			w.Map(5)
		} else {
			w.Map(6)
			w.BulkString("tracking")
			w.BulkString(p.tracking)
		}
		w.BulkString("attributes")
		w.Array(0)
		w.BulkString("format")
		w.BulkString(formatName(p.expand))
		w.BulkString("results")
		w.Array(rows)
		return
	}
	w.Array(1 + rows*p.perRow())
	w.Int(int64(total))
}

func (p *ftSearch) end(total int) {
	w := p.w
	if w.Proto() != 3 {
		return
	}
	w.BulkString("total_results")
	w.Int(int64(total))
	w.BulkString("warning")
	if !p.res.TimedOut {
		w.Array(0)
		return
	}
	w.Array(1)
	w.BulkString("Timeout limit was reached")
}

// hasContent reports whether rows carry fields. RETURN 0 is NOCONTENT.
func (p *ftSearch) hasContent() bool {
	return !p.noContent && !(p.hasReturn && len(p.returned) == 0)
}

// perRow is the number of elements of a row in RESP2.
func (p *ftSearch) perRow() int {
	n := 1
	if p.withScore {
		n++
	}
	if p.withKeys {
		n++
	}
	if p.withPayload {
		n++
	}
	if p.hasContent() {
		n++
	}
	return n
}

// writeRow writes one result; false where its document has just gone.
func (p *ftSearch) writeRow(i int) bool {
	p.row = i
	switch {
	case !p.hasContent():
		p.head()
		p.tail()
	case p.loads:
		return p.open(p.res.Rows[i].Name)
	default: // distances alone
		p.content()
	}
	return true
}

// content writes the row of the open document, whose shard is held.
func (p *ftSearch) content() {
	p.head()
	if p.w.Proto() == 3 {
		p.w.BulkString("extra_attributes")
	}
	if p.hasReturn {
		p.returnedFields()
	} else {
		p.allFields()
	}
	p.tail()
}

func (p *ftSearch) head() {
	w, row := p.w, &p.res.Rows[p.row]
	resp3 := w.Proto() == 3
	if resp3 {
		w.Map(1 + p.perRow())
		w.BulkString("id")
	}
	w.BulkString(row.Name)
	if p.withScore {
		if resp3 {
			w.BulkString("score")
		}
		if row.Explain != nil {
			w.Array(2)
		}
		w.Double(row.Score)
		explain(w, row.Explain)
	}
	if p.withPayload {
		if resp3 {
			w.BulkString("payload")
		}
		if row.Payload == "" {
			w.Null()
		} else {
			w.BulkString(row.Payload)
		}
	}
	if p.withKeys {
		if resp3 {
			w.BulkString("sortkey")
		}
		p.sortKey(row)
	}
}

// explain writes how a score came about: a line, or a line and those below it.
func explain(w *resp.Writer, ex *search.Explain) {
	if ex == nil {
		return
	}
	if len(ex.Of) == 0 {
		w.BulkString(ex.Text)
		return
	}
	w.Array(2)
	w.BulkString(ex.Text)
	w.Array(len(ex.Of))
	for _, of := range ex.Of {
		explain(w, of)
	}
}

func (p *ftSearch) tail() {
	if p.w.Proto() == 3 {
		p.w.BulkString("values")
		p.w.Array(0)
	}
}

// sortKey writes what the row was sorted by: # before a number, $ before a string.
func (p *ftSearch) sortKey(row *search.Row) {
	switch {
	case !row.HasKey:
		p.w.Null()
	case row.Number:
		p.w.BulkString("#" + string(appendNumber(nil, row.Key)))
	default:
		p.w.BulkString("$" + row.Text)
	}
}

// pairs writes the head of a row's names and values.
func (p *ftSearch) pairs(n int) {
	if p.w.Proto() == 3 {
		p.w.Map(n)
	} else {
		p.w.Array(2 * n)
	}
}

// returnedFields writes what RETURN names and the document has.
func (p *ftSearch) returnedFields() {
	p.values, p.numbers = p.values[:0], p.numbers[:0]
	n := 0
	for i := range p.returned {
		f := &p.returned[i]
		var v returned
		if f.yield >= 0 {
			v.text, v.ok = p.distance(f.yield)
		} else {
			v = p.fieldOf(f.id, p.fieldDialect())
		}
		if v.ok {
			n++
		}
		p.values = append(p.values, v)
	}
	p.pairs(n)
	for i, v := range p.values {
		if v.ok {
			f := &p.returned[i]
			p.w.BulkString(f.as)
			switch {
			case f.yield >= 0:
				p.writeDistance(f.yield, v.text)
			default:
				p.writeField(f.field, v)
			}
		}
	}
}

// writeField writes a loaded field of that name.
func (p *ftSearch) writeField(name string, v returned) {
	if v.null || p.expand {
		p.bulk(v)
	} else {
		p.w.Bulk(p.show(name, v.text))
	}
}

func (p *ftSearch) bulk(v returned) {
	switch {
	case v.null:
		p.w.Null()
	case p.expand:
		writeJSON(p.w, v.text)
	default:
		p.w.Bulk(v.text)
	}
}

// writeDistance writes a distance that the row has; digits are what distance gave.
func (p *ftSearch) writeDistance(yield int, digits []byte) {
	if p.expand {
		d, _ := p.res.Distance(p.row, yield)
		writeFigure(p.w, d)
	} else {
		p.w.Bulk(digits)
	}
}

// fieldDialect is the dialect in which fields are shown.
func (p *ftSearch) fieldDialect() int {
	if p.expand {
		return max(p.dialect, expandDialect)
	}
	return p.dialect
}

// allFields writes the distances and then the document's fields, or the document
// itself if it is JSON.
func (p *ftSearch) allFields() {
	if p.doc.JSON != nil {
		p.wholeJSON()
		return
	}
	h := p.doc.Hash
	yields := p.res.Yields
	p.numbers = p.numbers[:0]
	n := h.Len()
	for i, name := range yields {
		if _, ok := p.res.Distance(p.row, i); ok {
			n++
		}
		if _, ok := h.GetString(name); ok {
			n--
		}
	}
	p.pairs(n)
	for i, name := range yields {
		if v, ok := p.distance(i); ok {
			p.w.BulkString(name)
			p.w.Bulk(v)
		}
	}
	h.Each(func(name string, value []byte) bool {
		if !slices.Contains(yields, name) {
			p.w.BulkString(name)
			p.w.Bulk(p.show(name, value))
		}
		return true
	})
}

// wholeJSON writes the distances, what the row was sorted by, and the document, as RediSearch does.
func (p *ftSearch) wholeJSON() {
	p.numbers = p.numbers[:0]
	n := 1
	for i := range p.res.Yields {
		if _, ok := p.res.Distance(p.row, i); ok {
			n++
		}
	}
	var key returned
	if p.sorted != nil {
		if key = p.fieldOf(p.sorted.Identifier, p.fieldDialect()); key.ok {
			n++
		}
	}
	p.pairs(n)
	for i, name := range p.res.Yields {
		if v, ok := p.distance(i); ok {
			p.w.BulkString(name)
			p.writeDistance(i, v)
		}
	}
	if key.ok {
		p.w.BulkString(p.sorted.Name)
		p.writeField(p.sorted.Name, key)
	}
	p.w.BulkString("$")
	p.bulk(p.written(p.doc.Root(p.fieldDialect())))
}

// distance is the row's distance in digits, which are valid until the next row.
func (p *ftSearch) distance(yield int) ([]byte, bool) {
	d, ok := p.res.Distance(p.row, yield)
	if !ok {
		return nil, false
	}
	n := len(p.numbers)
	p.numbers = appendNumber(p.numbers, d)
	return p.numbers[n:], true
}

// appendValue formats a number as a field's value: an integer with all of its digits.
func appendValue(b []byte, f float64) []byte {
	if i := int64(f); float64(i) == f && math.Abs(f) < 1<<63 {
		return strconv.AppendInt(b, i, 10)
	}
	return appendNumber(b, f)
}

// appendNumber formats as C's "%.12g", which is how RediSearch prints numbers.
func appendNumber(b []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(b, "inf"...)
	case math.IsInf(f, -1):
		return append(b, "-inf"...)
	case math.IsNaN(f):
		return append(b, "nan"...)
	}
	return strconv.AppendFloat(b, f, 'g', 12, 64)
}

// parseLanguage reads the language of a query's words.
func parseLanguage(a *args.Parser) attr.Language {
	name := strings.ToLower(a.String())
	l, ok := attr.ParseLanguage(name)
	if !ok {
		a.Fail(resp.Error("No such language `" + name + "`"))
	}
	return l
}
