package commands

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	agg "github.com/nearcache/nearcache/index/aggregate"
	"github.com/nearcache/nearcache/index/query"
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
)

// ftHybrid is a parsed FT.HYBRID. Its strings and slices point into the arguments.
type ftHybrid struct {
	index   string
	text    ftHybridText
	near    ftHybridNear
	fusion  agg.Fusion
	scoreAs string

	loads   []agg.Step // of the documents, before all other steps
	plan    agg.Plan
	params  query.Params
	has     map[string]bool // the options that were given
	noSort  bool
	explain bool
	timeout int64
	expand  bool // FORMAT EXPAND
	cursor  bool
	count   int64
	maxIdle int64
}

// ftHybridText is SEARCH.
type ftHybridText struct {
	query  []byte
	scorer string
	as     string
}

// ftHybridNear is VSIM.
type ftHybridNear struct {
	field   string
	vector  []byte // $ and the name of a parameter, or a blob
	ranged  bool
	k, ef   int
	radius  float64
	epsilon float64
	filter  []byte
	as      string
}

// Defaults and limits, of RediSearch if nothing else is said.
const (
	hybridK           = 10
	hybridWindow      = 20
	hybridMaxWindow   = 100000 // of this server
	hybridConstant    = 60
	hybridMaxConstant = 100000
	hybridAlpha       = 0.3
	hybridBeta        = 0.7
)

const noHybridDialect = "DIALECT is not supported in FT.HYBRID or any of its subqueries. " +
	"Please check the documentation on search-default-dialect configuration."

func fail(a *args.Parser, format string, v ...any) {
	a.Fail(resp.Error(fmt.Sprintf(format, v...)))
}

func parseFTHybrid(a *args.Parser) *ftHybrid { return parseHybridQuery(view(a), a) }

// parseHybridQuery reads what stands behind the name of the index.
func parseHybridQuery(index string, a *args.Parser) *ftHybrid {
	p := &ftHybrid{
		index: index, count: cursorReadSize, maxIdle: cursorMaxIdle,
		fusion: agg.Fusion{Constant: hybridConstant, Window: hybridWindow},
	}
	if n, err := strconv.ParseUint(string(a.Peek()), 10, 32); err == nil { // how many queries there are
		a.Bytes()
		switch {
		case n != 2:
			fail(a, "FT.HYBRID currently supports only two subqueries")
		case !a.Accept("SEARCH"):
			fail(a, "SEARCH keyword is required")
		}
	} else if !a.Accept("SEARCH") {
		fail(a, "Invalid subqueries count: expected an unsigned integer")
	}
	p.text.parse(a)
	p.near.parse(a)
	p.parseOptions(a)
	return p
}

func (p *ftHybridText) parse(a *args.Parser) {
	if !a.More() {
		fail(a, "No query string provided for SEARCH")
		return
	}
	p.query = a.Bytes()
	for a.More() {
		switch {
		case strings.EqualFold(string(a.Peek()), "VSIM"):
			return
		case a.Accept("SCORER"):
			p.scorer = strings.ToUpper(hybridValue(a, "SCORER"))
		case a.Accept("YIELD_SCORE_AS"):
			p.as = hybridValue(a, "YIELD_SCORE_AS")
		case a.Accept("DIALECT"):
			fail(a, noHybridDialect)
		default:
			fail(a, "Unknown argument `%s` in SEARCH", a.Bytes())
		}
	}
}

// hybridValue is the argument of an option of SEARCH.
func hybridValue(a *args.Parser, option string) string {
	if !a.More() {
		fail(a, "Bad arguments for %s: %s", option, reasonNoArg)
	}
	return view(a)
}

func (p *ftHybridNear) parse(a *args.Parser) {
	p.k = hybridK
	switch {
	case a.Err() != nil:
		return
	case !a.Accept("VSIM"):
		fail(a, "VSIM argument is required")
		return
	case !a.More():
		fail(a, "Missing vector field name")
		return
	}
	if p.field = view(a); !strings.HasPrefix(p.field, "@") {
		fail(a, "Missing @ prefix for vector field name")
		return
	}
	p.field = p.field[1:]
	if !a.More() {
		fail(a, "Missing vector argument")
		return
	}
	p.vector = a.Bytes()
	switch {
	case a.Accept("KNN"):
		p.parsePairs(a, "KNN", "K")
	case a.Accept("RANGE"):
		p.ranged = true
		p.parsePairs(a, "RANGE", "RADIUS")
	}
	if a.Accept("FILTER") {
		p.parseFilter(a)
	}
	for a.Accept("YIELD_SCORE_AS") {
		p.yield(a)
	}
	if a.Accept("DIALECT") {
		fail(a, noHybridDialect)
	}
}

func (p *ftHybridNear) yield(a *args.Parser) {
	switch {
	case p.as != "":
		fail(a, "Duplicate YIELD_SCORE_AS argument")
	case !a.More():
		fail(a, "Missing argument value for YIELD_SCORE_AS")
	default:
		p.as = view(a)
	}
}

// parsePairs reads the count and the pairs of KNN or RANGE.
func (p *ftHybridNear) parsePairs(a *args.Parser, clause, required string) {
	if !a.More() {
		fail(a, "Missing argument count")
		return
	}
	n, err := strconv.ParseUint(string(a.Bytes()), 10, 32)
	switch {
	case err != nil:
		fail(a, "Invalid argument count: expected an unsigned integer")
		return
	case n == 0 || n%2 != 0:
		fail(a, "Invalid argument count: %d (must be a positive even number for key/value pairs)", n)
		return
	}
	seen := map[string]bool{}
	for i := uint64(0); i < n && a.Err() == nil; i += 2 {
		if !a.More() {
			verb := "were"
			if i == 1 {
				verb = "was"
			}
			fail(a, "Expected arguments %d, but %d %s provided", n, i, verb)
			return
		}
		word := view(a)
		name := strings.ToUpper(word)
		set := hybridPairs[clause+" "+name]
		switch {
		case set == nil:
			fail(a, "Unknown argument `%s` in %s", word, clause)
		case seen[name]:
			fail(a, "Duplicate %s argument", name)
		case !a.More():
			fail(a, "Missing argument value for %s", name)
		case !set(p, a.String()):
			fail(a, "Invalid %s value", name)
		}
		seen[name] = true
	}
	if !seen[required] {
		fail(a, "Missing required argument %s", required)
	}
}

// hybridPairs are the arguments of KNN and RANGE; false if the value is no good.
var hybridPairs = map[string]func(p *ftHybridNear, v string) bool{
	"KNN K": func(p *ftHybridNear, v string) bool {
		return hybridInt(&p.k, v, query.MaxK)
	},
	"KNN EF_RUNTIME": func(p *ftHybridNear, v string) bool {
		return hybridInt(&p.ef, v, query.MaxEF)
	},
	// A hint for clusters.
	"KNN SHARD_K_RATIO": func(_ *ftHybridNear, v string) bool {
		x, ok := args.ParseFloat([]byte(v))
		return ok && x > 0 && x <= 1
	},
	"RANGE RADIUS": func(p *ftHybridNear, v string) (ok bool) {
		p.radius, ok = args.ParseFloat([]byte(v))
		return ok && p.radius >= 0
	},
	"RANGE EPSILON": func(p *ftHybridNear, v string) (ok bool) {
		p.epsilon, ok = args.ParseFloat([]byte(v))
		return ok && p.epsilon > 0
	},
}

func hybridInt(dst *int, v string, most int64) bool {
	n, ok := resp.ParseInt([]byte(v))
	*dst = int(n)
	return ok && n >= 1 && n <= most
}

// parseFilter reads FILTER query, or FILTER n query with POLICY and BATCH_SIZE,
// which are checked and leave the choice to the index.
func (p *ftHybridNear) parseFilter(a *args.Parser) {
	if !a.More() {
		fail(a, "Missing argument count for FILTER")
		return
	}
	n, err := strconv.ParseUint(string(a.Peek()), 10, 64)
	if err != nil {
		p.filter = a.Bytes()
		return
	}
	a.Bytes()
	switch {
	case n > uint64(a.Len()):
		fail(a, "Not enough arguments in FILTER, specified %d but provided only %d", n, a.Len())
		return
	case n == 0:
		fail(a, "Missing filter-expression for FILTER")
		return
	}
	p.filter = a.Bytes()
	policy, batch := "", 0
	for end := a.Position() + int(n) - 1; a.Position() < end && a.Err() == nil; {
		word := a.String()
		if a.Position() == end && (strings.EqualFold(word, "POLICY") || strings.EqualFold(word, "BATCH_SIZE")) {
			fail(a, "%s: %s", strings.ToUpper(word), reasonNoArg)
			return
		}
		switch strings.ToUpper(word) {
		case "POLICY":
			if policy = strings.ToUpper(a.String()); policy != "ADHOC" && policy != "BATCHES" {
				fail(a, "POLICY: Invalid value for argument")
			}
		case "BATCH_SIZE":
			if !hybridInt(&batch, a.String(), math.MaxInt64) {
				fail(a, "Invalid BATCH_SIZE value")
			}
		default:
			fail(a, "%s: Unknown argument", word)
		}
	}
	switch {
	case a.Err() != nil:
	case p.ranged && (policy != "" || batch > 0):
		fail(a, "Error parsing vector similarity parameters: hybrid query attributes were sent for a non-hybrid query")
	case policy == "ADHOC" && batch > 0:
		fail(a, "Error parsing vector similarity parameters: 'batch size' is irrelevant for 'ADHOC_BF' policy")
	}
}

// hybridOnce are the options that may stand but once.
var hybridOnce = map[string]bool{
	"LIMIT": true, "SORTBY": true, "NOSORT": true, "WITHCURSOR": true, "PARAMS": true, "TIMEOUT": true, "FORMAT": true,
	"EXPLAINSCORE": true, "COMBINE": true, "GROUPBY": true, "FILTER": true,
}

func (p *ftHybrid) parseOptions(a *args.Parser) {
	p.has = map[string]bool{}
	for a.More() {
		name := strings.ToUpper(string(a.Peek()))
		if p.has[name] && hybridOnce[name] {
			fail(a, "%s: Argument specified multiple times", name)
			return
		}
		p.has[name] = true
		switch {
		case a.Accept("COMBINE"):
			p.parseCombine(a)
		case a.Accept("LOAD"):
			p.parseLoad(a)
		case a.Accept("LIMIT"):
			p.parseLimit(a)
		case a.Accept("SORTBY"):
			p.parseSort(a)
		case a.Accept("NOSORT"):
			p.noSort = true
		case a.Accept("GROUPBY"):
			if string(a.Peek()) == "0" {
				fail(a, "GROUPBY: Invalid argument count")
			}
			parseGroupBy(a, &p.plan)
		case a.Accept("WITHCURSOR"):
			p.cursor = true
			p.count, p.maxIdle = parseWithCursor(a, p.count, p.maxIdle)
		case a.Accept("EXPLAINSCORE"):
			p.explain = true
		case a.Accept("PARAMS"):
			p.params = parseParams(nil, a)
		case a.Accept("TIMEOUT"):
			p.timeout = parseSearchTimeout(a)
		case a.Accept("FORMAT"):
			p.parseFormat(a)
		case a.Accept("DIALECT"):
			fail(a, noHybridDialect)
		case parseStep(a, &p.plan): // APPLY and FILTER
		default:
			fail(a, "%s: Unknown argument", a.Bytes())
		}
	}
	switch {
	case a.Err() != nil:
	case p.noSort && p.has["SORTBY"]:
		fail(a, "NOSORT is not allowed with SORTBY")
	case p.explain && p.has["GROUPBY"]:
		fail(a, "EXPLAINSCORE is not supported with GROUPBY")
	}
}

// parseFormat reads what stands behind FORMAT. Unlike in FT.SEARCH, EXPAND may stand where
// it changes nothing.
func (p *ftHybrid) parseFormat(a *args.Parser) {
	switch {
	case !a.More():
		fail(a, "FORMAT: %s", reasonNoArg)
	case a.Accept("STRING"):
	case a.Accept("EXPAND"):
		p.expand = true
	default:
		fail(a, "FORMAT: Invalid value for argument")
	}
}

// parseCombine reads RRF or LINEAR with their pairs.
func (p *ftHybrid) parseCombine(a *args.Parser) {
	if !a.More() {
		fail(a, "COMBINE: %s", reasonNoArg)
		return
	}
	method := strings.ToUpper(a.String())
	switch method {
	case "RRF":
	case "LINEAR":
		p.fusion.Linear = true
	default:
		fail(a, "COMBINE: Invalid value for argument")
		return
	}
	if !a.More() {
		fail(a, "Missing %s argument count", method)
		return
	}
	n, ok := resp.ParseInt(a.Bytes())
	switch {
	case !ok:
		fail(a, "Invalid %s argument count, error: %s", method, reasonParse)
		return
	case n < 0 || n > math.MaxUint32:
		fail(a, "Invalid %s argument count, error: %s", method, reasonBounds)
		return
	case n%2 != 0:
		fail(a, "%s expects pairs of key value arguments, argument count must be an even number", method)
		return
	case n > int64(a.Len()):
		fail(a, "Not enough arguments in %s, specified %d but provided only %d", method, n, a.Len())
		return
	}
	f := &p.fusion
	f.Weights = [2]float64{hybridAlpha, hybridBeta}
	seen := map[string]bool{}
	for end := a.Position() + int(n); a.Position() < end && a.Err() == nil; {
		word := a.String()
		name := strings.ToUpper(word)
		if seen[name] {
			fail(a, "%s: Argument specified multiple times", name)
			return
		}
		seen[name] = true
		switch {
		case name == "WINDOW":
			f.Window = int(hybridNumber(a, name, 1, hybridMaxWindow, true))
		case name == "CONSTANT" && !f.Linear:
			f.Constant = hybridNumber(a, name, 0, hybridMaxConstant, false)
		case name == "ALPHA" && f.Linear:
			f.Weights[0] = hybridNumber(a, name, -math.MaxFloat64, math.MaxFloat64, false)
		case name == "BETA" && f.Linear:
			f.Weights[1] = hybridNumber(a, name, -math.MaxFloat64, math.MaxFloat64, false)
		case name == "YIELD_SCORE_AS":
			p.scoreAs = view(a)
		default:
			fail(a, "%s: Unknown argument", word)
		}
	}
	switch {
	case a.Err() != nil:
	case seen["ALPHA"] && !seen["BETA"]:
		fail(a, "Missing value for BETA")
	case seen["BETA"] && !seen["ALPHA"]:
		fail(a, "Missing value for ALPHA")
	case !a.Accept("YIELD_SCORE_AS"):
	case seen["YIELD_SCORE_AS"]:
		fail(a, "YIELD_SCORE_AS specified more than once")
	case !a.More():
		fail(a, "Missing argument value for YIELD_SCORE_AS")
	default:
		p.scoreAs = view(a)
	}
}

// hybridNumber is a number within bounds, which must be whole if it is to be.
func hybridNumber(a *args.Parser, name string, lo, hi float64, whole bool) float64 {
	x, ok := args.ParseFloat(a.Bytes())
	switch {
	case a.Err() != nil:
	case !ok || whole && x != math.Trunc(x) || math.IsNaN(x):
		fail(a, "%s: %s", name, reasonParse)
	case x < lo:
		fail(a, "%s: Value below minimum", name)
	case x > hi:
		fail(a, "%s: Value above maximum", name)
	default:
		return x
	}
	return 0
}

func (p *ftHybrid) parseLimit(a *args.Parser) {
	if a.Len() < 2 {
		fail(a, "LIMIT: Not enough arguments were provided")
		return
	}
	offset, ok1 := resp.ParseInt(a.Bytes())
	num, ok2 := resp.ParseInt(a.Bytes())
	switch {
	case !ok1 || offset < 0:
		fail(a, "LIMIT offset must be a non-negative integer")
		return
	case !ok2 || num < 0:
		fail(a, "LIMIT count must be a non-negative integer")
		return
	case num == 0 && offset != 0:
		fail(a, "The `offset` of the LIMIT must be 0 when `num` is 0")
		return
	case num > maxResults:
		fail(a, "LIMIT exceeds maximum of %d", maxResults)
		return
	case offset > maxResults:
		fail(a, "OFFSET exceeds maximum of %d", maxResults)
		return
	}
	s := p.plan.Arrange()
	s.Offset, s.Limit, s.Limited = int(offset), int(num), true
	p.plan.Count = num == 0
}

func (p *ftHybrid) parseSort(a *args.Parser) {
	if string(a.Peek()) == "0" { // no order, as NOSORT
		a.Bytes()
		p.noSort, p.has["SORTBY"] = true, false
		return
	}
	s := p.plan.Arrange()
	for _, w := range counted(a, "SORTBY") {
		switch {
		case len(s.Keys) > 0 && strings.EqualFold(w, "ASC"):
			s.Keys[len(s.Keys)-1].Desc = false
		case len(s.Keys) > 0 && strings.EqualFold(w, "DESC"):
			s.Keys[len(s.Keys)-1].Desc = true
		case !prefixed(a, w, "SORTBY"):
			return
		case len(s.Keys) == agg.MaxKeys:
			fail(a, "Cannot sort by more than %d fields", agg.MaxKeys)
			return
		default:
			s.Keys = append(s.Keys, agg.SortKey{Name: strings.TrimPrefix(w, "@")})
		}
	}
}

// prefixed reports whether a word is a property's name or a path, and fails otherwise.
func prefixed(a *args.Parser, word, where string) bool {
	if strings.HasPrefix(word, "@") || strings.HasPrefix(word, "$") {
		return true
	}
	fail(a, "Missing prefix: name requires '@' prefix, JSON path require '$' prefix, got: %s in %s", word, where)
	return false
}

// parseLoad reads LOAD, whose names must have their prefix.
func (p *ftHybrid) parseLoad(a *args.Parser) {
	var l agg.Plan
	parseLoad(a, &l, true)
	p.loads = append(p.loads, l.Steps...)
	if len(p.loads) > maxSteps {
		fail(a, "Too many steps")
	}
}
