package commands

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nearcache/nearcache/index/query"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/hash"
)

// ftSearch is a parsed FT.SEARCH. Byte slices point into the arguments.
type ftSearch struct {
	index     string
	query     []byte
	dialect   int
	params    query.Params
	noContent bool
	returned  []returnField // nil: every field
	hasReturn bool
	withScore bool
	withKeys  bool // WITHSORTKEYS
	timeout   int64
	noStop    bool
	o         search.Options
}

type returnField struct{ field, as string }

// firstOption is where the options of FT.SEARCH begin, less the one that
// RediSearch numbers them from.
const firstOption = 2

// maxResults is RediSearch's MAXSEARCHRESULTS.
const maxResults = 1000000

func parseFTSearch(a *args.Parser) ftSearch {
	p := ftSearch{index: a.String(), query: a.Bytes(), dialect: 2}
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
		case a.Accept("WITHSORTKEYS"):
			p.withKeys = true
		case a.Accept("WITHPAYLOADS"): // without PAYLOAD_FIELD no document has one
		case a.Accept("INORDER"):
			p.o.InOrder = true
		case a.Accept("SLOP"):
			p.o.Slop, p.o.HasSlop = int(clamp(a.Int(), -1, math.MaxInt32)), true
		case a.Accept("TIMEOUT"):
			if p.timeout = a.Int(); p.timeout < 0 {
				a.Fail(resp.Error("TIMEOUT requires a non negative integer"))
			}
		case a.Accept("LANGUAGE"):
			if l := strings.ToLower(a.String()); !knownLanguage(l) {
				a.Fail(resp.Error("No such language `" + l + "`"))
			}
		case a.Accept("SCORER"):
			p.o.Scorer = strings.ToUpper(a.String())
		case a.Accept("INKEYS"):
			p.o.InKeys, p.o.HasInKeys = countedStrings(a, "INKEYS"), true
		case a.Accept("INFIELDS"):
			p.o.InFields = countedStrings(a, "INFIELDS")
		case a.Accept("FILTER"):
			p.o.Filters = append(p.o.Filters, parseNumericFilter(a))
		case a.Accept("RETURN"):
			p.hasReturn = true
			p.returned = parseReturn(a)
		case a.Accept("SORTBY"):
			p.o.SortBy = strings.TrimPrefix(a.String(), "@")
			if p.o.SortBy == "" {
				a.Fail(resp.Error("Bad arguments for SORTBY: Expected an argument, but none provided"))
			}
			if p.o.Desc = a.Accept("DESC"); !p.o.Desc {
				a.Accept("ASC")
			}
			a.Accept("WITHCOUNT")
		case a.Accept("LIMIT"):
			p.parseLimit(a)
		case a.Accept("PARAMS"):
			p.params = parseParams(a)
		case a.Accept("DIALECT"):
			d := a.Int()
			if a.Err() != nil || d < 1 || d > 4 {
				a.Fail(resp.Error("DIALECT requires a non negative integer >=1 and <= 4"))
			}
			p.dialect = int(d)
		case a.Accept("FORMAT"):
			if !a.Accept("STRING") {
				a.Fail(resp.Error("FORMAT " + a.String() + " is not supported"))
			}
		default:
			word := a.String()
			switch strings.ToUpper(word) {
			case "SUMMARIZE", "HIGHLIGHT", "GEOFILTER", "EXPANDER", "EXPLAINSCORE", "PAYLOAD":
				a.Fail(resp.Error("ERR FT.SEARCH does not support " + strings.ToUpper(word)))
			default:
				a.Fail(resp.Error("Unknown argument `" + word + "` at position " + strconv.Itoa(a.Position()-firstOption-1) + " for <main>"))
			}
		}
	}
	return p
}

func clamp(n, lo, hi int64) int64 { return min(max(n, lo), hi) }

func (p *ftSearch) parseLimit(a *args.Parser) {
	if a.Len() < 2 {
		a.Fail(resp.Error("LIMIT requires two valid numeric arguments"))
		return
	}
	offset, num := a.Int(), a.Int()
	switch {
	case a.Err() != nil:
	case offset < 0 || num < 0:
		a.Fail(resp.Error("LIMIT requires two valid numeric arguments"))
	case offset > maxResults:
		a.Fail(resp.Error("OFFSET exceeds maximum of " + strconv.Itoa(maxResults)))
	case num > maxResults:
		a.Fail(resp.Error("LIMIT exceeds maximum of " + strconv.Itoa(maxResults)))
	}
	p.o.Offset, p.o.Num = int(clamp(offset, 0, maxResults)), int(clamp(num, 0, maxResults))
}

func parseParams(a *args.Parser) query.Params {
	n := a.Int()
	switch {
	case a.Err() != nil || n < 0 || n > int64(a.Len()):
		a.Fail(resp.Error("Bad arguments for PARAMS: Expected an argument, but none provided"))
		return nil
	case n%2 != 0:
		a.Fail(resp.Error("Parameters must be specified in PARAM VALUE pairs"))
		return nil
	}
	l := make(query.Params, n)
	for i := range l {
		l[i] = a.Bytes()
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

// maxParams bounds the quadratic look for duplicates.
const maxParams = 1024

func parseReturn(a *args.Parser) []returnField {
	n := a.Int()
	if a.Err() != nil || n < 0 || n > int64(a.Len()) {
		a.Fail(resp.Error("Bad arguments for RETURN: Expected an argument, but none provided"))
		return nil
	}
	var l []returnField
	for ; n > 0 && a.Err() == nil; n-- {
		f := strings.TrimPrefix(a.String(), "@")
		r := returnField{field: f, as: f}
		if n >= 2 && a.Accept("AS") {
			if n--; n < 2 {
				a.Fail(resp.Error("RETURN path AS name - must be accompanied with NAME"))
				return nil
			}
			n--
			r.as = a.String()
		}
		if !slices.ContainsFunc(l, func(x returnField) bool { return x.as == r.as }) {
			l = append(l, r)
		}
	}
	return l
}

func parseNumericFilter(a *args.Parser) search.NumericFilter {
	f := search.NumericFilter{Field: a.String()}
	f.Min, f.MinExcl = parseBound(a)
	f.Max, f.MaxExcl = parseBound(a)
	return f
}

func parseBound(a *args.Parser) (v float64, exclusive bool) {
	s := strings.ToLower(a.String())
	if strings.HasPrefix(s, "(") {
		s, exclusive = s[1:], true
	}
	v, err := strconv.ParseFloat(s, 64)
	if a.Err() == nil && (err != nil || math.IsNaN(v)) {
		a.Fail(resp.Error("Bad lower range: " + s))
	}
	return v, exclusive
}

var bodies = sync.Pool{New: func() any { return new(resp.Writer) }}

// dueBefore bounds how many dead keys a search removes before it looks.
const dueBefore = 2000

func runFTSearch(c *command.Ctx, p ftSearch) error {
	ix, err := openIndex(c, p.index)
	if err != nil {
		return noSuchIndex(p.index)
	}
	s := ix.Search()
	if !c.Tx.HoldsAll() {
		c.Keyspace.ExpireDue(dueBefore)
	}
	qo := query.Options{Dialect: p.dialect, Params: p.params}
	if !p.noStop {
		qo.StopWord = s.Schema().StopWord
	}
	q, err := query.Parse(p.query, qo)
	if err != nil {
		return resp.Error(err.Error())
	}
	p.o.Now = c.Tx.Now
	p.o.Load = func(doc, field string) (v []byte, ok bool) {
		withHash(c, doc, func(h *hash.Value) {
			if b, found := h.GetString(field); found {
				v, ok = append([]byte(nil), b...), true
			}
		})
		return v, ok
	}
	if p.timeout > 0 {
		end := time.Now().Add(time.Duration(clamp(p.timeout, 0, math.MaxInt32)) * time.Millisecond)
		p.o.Stop = func() bool { return time.Now().After(end) }
	}
	res, err := s.Search(q, p.o)
	if err != nil {
		return resp.Error(err.Error())
	}
	defer res.Release()

	body := bodies.Get().(*resp.Writer)
	defer bodies.Put(body)
	body.Reset()
	body.SetProto(c.W.Proto())
	r := ftReply{c: c, p: &p, s: s.Schema(), res: res, w: body}
	rows := 0
	for i := range res.Rows {
		if r.row(i) {
			rows++
		}
	}
	total := max(0, res.Total-(len(res.Rows)-rows))
	if c.W.Proto() == 3 {
		c.W.Map(5)
		c.W.BulkString("attributes")
		c.W.Array(0)
		c.W.BulkString("format")
		c.W.BulkString("STRING")
		c.W.BulkString("results")
		c.W.Array(rows)
		c.W.Raw(body.Bytes())
		c.W.BulkString("total_results")
		c.W.Int(int64(total))
		c.W.BulkString("warning")
		if res.TimedOut {
			c.W.Array(1)
			c.W.BulkString("Timeout limit was reached")
		} else {
			c.W.Array(0)
		}
		return nil
	}
	c.W.Array(1 + rows*r.perRow())
	c.W.Int(int64(total))
	c.W.Raw(body.Bytes())
	return nil
}

// withHash runs f on the document's hash while its shard is held; false where
// it is gone.
func withHash(c *command.Ctx, doc string, f func(*hash.Value)) bool {
	found := false
	db := c.Tx.DB
	c.Tx.DB = 0
	c.After(c.Tx.With([]byte(doc), func(tx *store.Tx) {
		if e := tx.Peek([]byte(doc)); e != nil {
			if h, ok := e.Value().(*hash.Value); ok {
				found = true
				f(h)
			}
		}
	}))
	c.Tx.DB = db
	return found
}

// ftReply writes the rows of FT.SEARCH.
type ftReply struct {
	c   *command.Ctx
	p   *ftSearch
	s   *search.Schema
	res *search.Result
	w   *resp.Writer
	tmp [32]byte
}

// content reports whether rows carry fields. RETURN 0 is NOCONTENT.
func (r *ftReply) content() bool {
	return !r.p.noContent && !(r.p.hasReturn && len(r.p.returned) == 0)
}

// perRow is the number of elements of a row in RESP2.
func (r *ftReply) perRow() int {
	n := 1
	if r.p.withScore {
		n++
	}
	if r.p.withKeys {
		n++
	}
	if r.content() {
		n++
	}
	return n
}

// row writes one result; false where its document has just gone.
func (r *ftReply) row(i int) bool {
	row := &r.res.Rows[i]
	if !r.content() {
		r.head(row)
		if r.w.Proto() == 3 {
			r.w.BulkString("values")
			r.w.Array(0)
		}
		return true
	}
	return withHash(r.c, row.Name, func(h *hash.Value) {
		r.head(row)
		if r.w.Proto() == 3 {
			r.w.BulkString("extra_attributes")
		}
		r.fields(i, h)
		if r.w.Proto() == 3 {
			r.w.BulkString("values")
			r.w.Array(0)
		}
	})
}

func (r *ftReply) head(row *search.Row) {
	w := r.w
	if w.Proto() == 3 {
		w.Map(1 + r.perRow())
		w.BulkString("id")
		w.BulkString(row.Name)
		if r.p.withScore {
			w.BulkString("score")
			w.Double(row.Score)
		}
		if r.p.withKeys {
			w.BulkString("sortkey")
			r.sortKey(row)
		}
		return
	}
	w.BulkString(row.Name)
	if r.p.withScore {
		w.Double(row.Score)
	}
	if r.p.withKeys {
		r.sortKey(row)
	}
}

// sortKey writes what the row was sorted by: # before a number, $ before a string.
func (r *ftReply) sortKey(row *search.Row) {
	switch {
	case !row.HasKey:
		r.w.Null()
	case row.Number:
		r.w.BulkString("#" + string(appendNumber(nil, row.Key)))
	default:
		r.w.BulkString("$" + row.Text)
	}
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

// fields writes the fields of row i, distances first where all are returned.
func (r *ftReply) fields(i int, h *hash.Value) {
	n := 0
	each := func(f func(name string, value []byte)) {
		if r.p.hasReturn {
			for _, x := range r.p.returned {
				if v, ok := r.value(i, h, x.field); ok {
					f(x.as, v)
				}
			}
			return
		}
		for y, name := range r.res.Yields {
			if d, ok := r.res.Distance(i, y); ok {
				f(name, appendNumber(r.tmp[:0], d))
			}
		}
		for k := range h.Len() {
			if name, value := h.At(k); !slices.Contains(r.res.Yields, name) {
				f(name, value)
			}
		}
	}
	each(func(string, []byte) { n++ })
	if r.w.Proto() == 3 {
		r.w.Map(n)
	} else {
		r.w.Array(2 * n)
	}
	each(func(name string, v []byte) {
		r.w.BulkString(name)
		r.w.Bulk(v)
	})
}

// value is a distance, or a field of the hash by attribute name or identifier.
func (r *ftReply) value(i int, h *hash.Value, field string) ([]byte, bool) {
	for y, name := range r.res.Yields {
		if name == field {
			if d, ok := r.res.Distance(i, y); ok {
				return appendNumber(r.tmp[:0], d), true
			}
			return nil, false
		}
	}
	if f := r.s.Field(field); f != nil {
		field = f.Identifier
	}
	return h.GetString(field)
}
