package commands

import (
	"strconv"
	"strings"
	"time"

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
			{Name: "querytype", Type: "oneof", Args: []command.Arg{flagArg("search", "SEARCH")}},
			optional(flagArg("limited", "LIMITED")),
			flagArg("queryword", "QUERY"),
			{Name: "query", Type: "string"},
		},
		Complexity: "O(N)",
		Bind:       command.Bind(parseFTProfile, runFTProfile),
	},
}

// ftProfile is an FT.SEARCH whose times are told.
type ftProfile struct {
	*ftSearch
	limited bool
	parsing time.Duration // of the arguments
}

func parseFTProfile(a *args.Parser) ftProfile {
	start := time.Now()
	name := view(a)
	if !a.Accept("SEARCH") {
		a.Fail(resp.Error("No `SEARCH`, `AGGREGATE`, or `HYBRID` provided"))
	}
	p := ftProfile{limited: a.Accept("LIMITED")}
	if !a.Accept("QUERY") {
		a.Fail(resp.Error("The QUERY keyword is expected"))
	}
	p.ftSearch = parseFTQuery(name, a)
	p.parsing = time.Since(start)
	return p
}

func runFTProfile(c *command.Ctx, p ftProfile) error {
	start := time.Now()
	ix, err := openIndex(c, p.index)
	if err != nil {
		defer p.free()
		return noSuchIndex(p.index)
	}
	p.useDialect(c)
	expireDue(c, ix)
	defer p.free()
	prof := &search.Profile{}
	p.c, p.ix, p.o.Profile = c, ix, prof
	if err := p.find(ix); err != nil {
		return err
	}
	defer p.res.Release()
	w := c.W
	if w.Proto() == 3 {
		w.Map(2)
		w.BulkString("Results")
	} else {
		w.Array(2)
	}
	loading := time.Now()
	p.reply()
	loaded := time.Since(loading)
	if w.Proto() == 3 {
		w.BulkString("Profile")
	}
	// A list of one shard, and no coordinator.
	w.Map(2)
	w.BulkString("Shards")
	w.Array(1)
	w.Map(6)
	profileTime(w, "Total profile time", p.parsing+time.Since(start))
	profileTime(w, "Parsing time", p.parsing+p.parsed)
	profileTime(w, "Pipeline creation time", prof.Plan)
	w.BulkString("Warning")
	if p.res.TimedOut {
		w.BulkString("Timeout limit was reached")
	} else {
		w.BulkString("None")
	}
	w.BulkString("Iterators profile")
	if prof.Root == nil {
		prof.Root = &search.ProfileNode{Type: "EMPTY"}
	}
	p.iterator(w, prof.Root)
	w.BulkString("Result processors profile")
	p.processors(w, prof, loaded)
	w.BulkString("Coordinator")
	w.Map(0)
	return nil
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

// processors writes the steps behind the query, from the first to the last.
func (p ftProfile) processors(w *resp.Writer, prof *search.Profile, loaded time.Duration) {
	type step struct {
		name string
		took time.Duration
		n    int
	}
	steps := []step{{"Index", prof.Index, prof.Found}}
	if prof.Yields {
		steps = append(steps, step{"Metrics Applier", 0, prof.Found})
	}
	rows := len(p.res.Rows)
	if prof.Scored {
		steps = append(steps, step{"Scorer", prof.Score, prof.Found})
		prof.Score = 0
	}
	if p.o.Num == 0 {
		steps = append(steps, step{"Counter", 0, prof.Found})
	} else {
		steps = append(steps, step{"Sorter", prof.Score + prof.Sort, min(prof.Found, p.o.Offset+p.o.Num)})
		if p.o.Offset > 0 {
			steps = append(steps, step{"Pager/Limiter", 0, rows})
		}
		if p.hasContent() {
			steps = append(steps, step{"Loader", loaded, rows})
		}
		if p.shown.on {
			steps = append(steps, step{"Highlighter", 0, rows})
		}
	}
	w.Array(len(steps))
	for _, s := range steps {
		w.Map(3)
		w.BulkString("Type")
		w.BulkString(s.name)
		profileTime(w, "Time", s.took)
		profileCount(w, "Results processed", s.n)
	}
}
