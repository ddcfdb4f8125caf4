package commands

import (
	"strconv"
	"strings"
	"time"

	agg "github.com/nearcache/nearcache/index/aggregate"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
)

var profileCommands = []*command.Spec{
	{
		Name: "ft.profile", Arity: -5, Flags: command.ReadOnly | command.FromModule, Group: command.GroupSearch,
		Since: "2.2.0", Summary: "Performs a `FT.SEARCH` or `FT.AGGREGATE` command and collects performance information",
		Args: []command.Arg{
			ftIndexArg,
			{Name: "querytype", Type: "oneof", Args: []command.Arg{flagArg("search", "SEARCH"), flagArg("aggregate", "AGGREGATE"), flagArg("hybrid", "HYBRID")}},
			optional(flagArg("limited", "LIMITED")),
			flagArg("queryword", "QUERY"),
			{Name: "query", Type: "string"},
		},
		Complexity: "O(N)",
		Bind:       command.Bind(parseFTProfile, runFTProfile),
	},
}

// ftProfile is a query whose times are told: one of the three is set.
type ftProfile struct {
	search    *ftSearch
	aggregate *ftAggregate
	hybrid    *ftHybrid
	limited   bool
	parsing   time.Duration // of the arguments
}

func parseFTProfile(a *args.Parser) ftProfile {
	start := time.Now()
	p, name, what := ftProfile{}, view(a), 0
	for what = range profiled {
		if a.Accept(profiled[what]) {
			break
		}
		if what == len(profiled)-1 {
			a.Fail(resp.Error("No `SEARCH`, `AGGREGATE`, or `HYBRID` provided"))
		}
	}
	p.limited = a.Accept("LIMITED")
	if !a.Accept("QUERY") {
		a.Fail(resp.Error("The QUERY keyword is expected"))
	}
	cursor := false
	switch profiled[what] {
	case "SEARCH":
		p.search = parseFTQuery(name, a)
	case "AGGREGATE":
		p.aggregate = parseAggregateQuery(name, a)
		cursor = p.aggregate.cursor
	case "HYBRID":
		p.hybrid = parseHybridQuery(name, a)
		cursor = p.hybrid.cursor
	}
	if cursor {
		a.Fail(resp.Error("FT.PROFILE does not support cursor"))
	}
	p.parsing = time.Since(start)
	return p
}

var profiled = []string{"SEARCH", "AGGREGATE", "HYBRID"}

func runFTProfile(c *command.Ctx, p ftProfile) error {
	switch {
	case p.aggregate != nil:
		return p.runAggregate(c)
	case p.hybrid != nil:
		return p.runHybrid(c)
	}
	return p.runSearch(c)
}

func (p ftProfile) runSearch(c *command.Ctx) error {
	start, q := time.Now(), p.search
	defer q.free()
	ix, err := openIndex(c, q.index)
	if err != nil {
		return noSuchIndex(q.index)
	}
	q.useDialect(c)
	expireDue(c, ix)
	prof := &search.Profile{}
	q.c, q.ix, q.o.Profile = c, ix, prof
	if err := q.find(ix); err != nil {
		return err
	}
	defer q.res.Release()
	profileResults(c.W)
	loading := time.Now()
	q.reply()
	steps := q.steps(prof, time.Since(loading))
	w := c.W
	profileHead(w)
	p.part(w, ftProfilePart{
		total: p.parsing + time.Since(start), parsing: p.parsing + q.parsed, plan: prof.Plan, late: q.res.TimedOut,
		root: prof.Root, steps: steps,
	})
	profileAlone(w)
	return nil
}

func (p ftProfile) runAggregate(c *command.Ctx) error {
	start, q := time.Now(), p.aggregate
	ix, err := openIndex(c, q.index)
	if err != nil {
		return noSuchIndex(q.index)
	}
	expireDue(c, ix)
	q.settle(c)
	prof := &search.Profile{}
	q.o.Profile, q.profile = prof, &agg.Profile{}
	r, err := q.open(c, ix)
	if err != nil {
		return err
	}
	defer r.Close()
	planned := time.Since(start) - prof.Index - prof.Score - prof.Sort
	rows := r.read(c, maxAggregateResults)
	defer bodies.Put(rows.body)
	if err := r.failure(c, rows); err != nil {
		return err
	}
	w := c.W
	profileResults(w)
	total := r.pipe.Total()
	if q.inexact && w.Proto() != 3 {
		total = min(1, rows.n)
	}
	r.wrap(w, rows, total, "", -1)
	profileHead(w)
	steps := searchSteps(prof)
	steps[0].took += q.profile.Own(0)
	steps = appendSteps(steps, q.profile)
	p.part(w, ftProfilePart{
		total: p.parsing + time.Since(start), parsing: p.parsing, plan: planned, late: r.late(), root: prof.Root, steps: steps,
	})
	profileAlone(w)
	return nil
}

func (p ftProfile) runHybrid(c *command.Ctx) error {
	start, q := time.Now(), p.hybrid
	ix, err := openIndex(c, q.index)
	if err != nil {
		return noSuchIndex(q.index)
	}
	expireDue(c, ix)
	h := &ftHybridRun{ftHybrid: q, c: c, ix: ix, begun: start, steps: &agg.Profile{}}
	h.profiles = [2]*search.Profile{{}, {}}
	if err := h.search(); err != nil {
		return err
	}
	searched := time.Since(start)
	r, rows, err := h.tail()
	if err != nil {
		return err
	}
	defer r.Close()
	w := c.W
	profileResults(w)
	h.write(r, rows)
	// The two queries on one shard; the coordinator's part is what is done with their lists.
	profileHead(w)
	w.Map(2)
	for i, name := range []string{"SEARCH", "VSIM"} {
		prof := h.profiles[i]
		steps := searchSteps(prof)
		if i == hybridNear {
			steps = append(steps, ftProfileStep{"Vector Normalizer", h.scaling, len(h.lists[i])})
		} else {
			steps = append(steps, ftProfileStep{"Sorter", prof.Sort, len(h.lists[i])})
		}
		w.BulkString(name)
		p.part(w, ftProfilePart{
			total: p.parsing + searched, parsing: p.parsing + h.parsed, plan: prof.Plan, late: h.late[i], listed: true,
			root: prof.Root, steps: steps,
		})
	}
	steps := []ftProfileStep{{"Hybrid Merger", h.fusing + h.steps.Own(0), h.merged}}
	steps = appendSteps(steps, h.steps)
	w.BulkString("Coordinator")
	p.part(w, ftProfilePart{total: p.parsing + time.Since(start), parsing: p.parsing, late: r.late(), listed: true, steps: steps, tail: true})
	return nil
}

// profileResults begins the reply: what the query says stands first.
func profileResults(w *resp.Writer) {
	if w.Proto() == 3 {
		w.Map(2)
		w.BulkString("Results")
	} else {
		w.Array(2)
	}
}

// profileHead begins the profile: a list of one shard, of which the part follows, and
// then a coordinator.
func profileHead(w *resp.Writer) {
	if w.Proto() == 3 {
		w.BulkString("Profile")
	}
	w.Map(2)
	w.BulkString("Shards")
	w.Array(1)
}

// profileAlone ends the profile of what has no coordinator.
func profileAlone(w *resp.Writer) {
	w.BulkString("Coordinator")
	w.Map(0)
}

// appendSteps appends the steps of a pipeline behind its source.
func appendSteps(steps []ftProfileStep, p *agg.Profile) []ftProfileStep {
	for i := range p.Steps[1:] {
		s := &p.Steps[i+1]
		steps = append(steps, ftProfileStep{s.Name, p.Own(i + 1), s.Rows})
	}
	return steps
}

// ftProfilePart is what is told of a query.
type ftProfilePart struct {
	total, parsing, plan time.Duration
	late                 bool
	listed               bool // warnings are a list, as they are of FT.HYBRID
	tail                 bool // there is no query, only steps
	root                 *search.ProfileNode
	steps                []ftProfileStep
}

// ftProfileStep is a step behind a query.
type ftProfileStep struct {
	name string
	took time.Duration
	n    int // results that it gave
}

func (p ftProfile) part(w *resp.Writer, of ftProfilePart) {
	if of.tail {
		w.Map(3)
	} else {
		w.Map(6)
	}
	profileTime(w, "Total profile time", of.total)
	if !of.tail {
		profileTime(w, "Parsing time", of.parsing)
		profileTime(w, "Pipeline creation time", of.plan)
	}
	w.BulkString("Warning")
	if of.listed {
		w.Array(1)
	}
	if of.late {
		w.BulkString("Timeout limit was reached")
	} else {
		w.BulkString("None")
	}
	if !of.tail {
		w.BulkString("Iterators profile")
		if of.root == nil {
			of.root = &search.ProfileNode{Type: "EMPTY"}
		}
		p.iterator(w, of.root)
	}
	w.BulkString("Result processors profile")
	w.Array(len(of.steps))
	for _, s := range of.steps {
		w.Map(3)
		w.BulkString("Type")
		w.BulkString(s.name)
		profileTime(w, "Time", s.took)
		profileCount(w, "Results processed", s.n)
	}
}

func profileTime(w *resp.Writer, name string, d time.Duration) {
	w.BulkString(name)
	w.Double(float64(d) / float64(time.Millisecond))
}

func profileCount(w *resp.Writer, name string, n int) {
	w.BulkString(name)
	w.Int(int64(n))
}

// iterator writes a node of the query.
func (p ftProfile) iterator(w *resp.Writer, n *search.ProfileNode) {
	// LIMITED leaves out the words that a pattern stands for.
	pattern := strings.Contains(n.Query, " - ") && p.limited
	size := 4 // type, time, reads, expected or children
	for _, s := range []string{n.Query, n.Term, n.Mode} {
		if s != "" {
			size++
		}
	}
	w.Map(size)
	w.BulkString("Type")
	w.BulkString(n.Type)
	if n.Query != "" {
		w.BulkString("Query type")
		w.BulkString(n.Query)
	}
	if n.Term != "" {
		w.BulkString("Term")
		w.BulkString(n.Term)
	}
	profileTime(w, "Time", n.Time)
	profileCount(w, "Number of reading operations", n.Read)
	if n.Mode != "" {
		w.BulkString("Vector search mode")
		w.BulkString(n.Mode)
	}
	switch {
	case len(n.Of) == 0:
		profileCount(w, "Estimated number of matches", n.About)
	case pattern:
		w.BulkString("Child iterators")
		w.BulkString("The number of iterators in the union is " + strconv.Itoa(len(n.Of)))
	case n.Type == "NOT" || n.Type == "OPTIONAL" || n.Type == "VECTOR":
		w.BulkString("Child iterator")
		p.iterator(w, n.Of[0])
	default:
		w.BulkString("Child iterators")
		w.Array(len(n.Of))
		for _, of := range n.Of {
			p.iterator(w, of)
		}
	}
}

// searchSteps are those of finding and weighing what matches.
func searchSteps(prof *search.Profile) []ftProfileStep {
	steps := []ftProfileStep{{"Index", prof.Index, prof.Found}}
	if prof.Yields {
		steps = append(steps, ftProfileStep{"Metrics Applier", 0, prof.Found})
	}
	if prof.Scored {
		steps = append(steps, ftProfileStep{"Scorer", prof.Score, prof.Found})
	}
	return steps
}

// steps are those behind the query, from the first to the last.
func (p *ftSearch) steps(prof *search.Profile, loaded time.Duration) []ftProfileStep {
	steps := searchSteps(prof)
	rows := len(p.res.Rows)
	if p.o.Num == 0 {
		return append(steps, ftProfileStep{"Counter", 0, prof.Found})
	}
	sort := prof.Sort
	if !prof.Scored {
		sort += prof.Score
	}
	steps = append(steps, ftProfileStep{"Sorter", sort, min(prof.Found, p.o.Offset+p.o.Num)})
	if p.o.Offset > 0 {
		steps = append(steps, ftProfileStep{"Pager/Limiter", 0, rows})
	}
	if p.hasContent() {
		steps = append(steps, ftProfileStep{"Loader", loaded, rows})
	}
	if p.shown.on {
		steps = append(steps, ftProfileStep{"Highlighter", 0, rows})
	}
	return steps
}
