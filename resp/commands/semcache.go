package commands

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/semcache"
	"github.com/nearcache/nearcache/store/semcache/judge"
)

// The semantic cache. Redis has none of these commands. They have no keys for the
// table of commands: package semcache locks what it reads, and a search or a model
// that is asked takes time.
var semanticCommands = []*command.Spec{
	semCreateCommand, semDropCommand, semListCommand, semInfoCommand, semStatsCommand,
	semGetCommand, semSetCommand, semDelCommand, semFeedbackCommand, semInvalidateCommand, semLeaseCommand, semExplainCommand,
}

const (
	semRead  = command.ReadOnly | command.FromModule
	semWrite = command.Write | command.FromModule
	semSince = "1.0.0"
)

var (
	nsArg        = command.Arg{Name: "namespace", Type: "string"}
	promptArg    = command.Arg{Name: "prompt", Type: "string"}
	vecArg       = command.Arg{Name: "vector", Type: "string", Token: "VEC", Optional: true}
	ctxArg       = command.Arg{Name: "context", Type: "string", Token: "CTX", Optional: true}
	beforeArg    = command.Arg{Name: "before", Type: "string", Token: "CTXTEXT", Optional: true}
	beforeVecArg = command.Arg{Name: "beforevector", Type: "string", Token: "CTXVEC", Optional: true}
	minSimArg    = command.Arg{Name: "minsim", Type: "double", Token: "MINSIM", Optional: true}
	wrongArg     = command.Arg{Name: "maxwrong", Type: "double", Token: "MAXWRONG", Optional: true}
	scopeArg     = command.Arg{Name: "scope", Type: "block", Token: "SCOPE", Optional: true, Args: []command.Arg{
		{Name: "pairs", Type: "integer"},
		{Name: "pair", Type: "block", Multiple: true, Args: []command.Arg{fieldArg, {Name: "value", Type: "string"}}},
	}}
)

// semCounted is a token, a count, and so many words.
func semCounted(token, word string) command.Arg {
	return command.Arg{Name: token, Type: "block", Token: token, Optional: true, Args: []command.Arg{
		{Name: "count", Type: "integer"},
		{Name: word, Type: "string", Multiple: true},
	}}
}

func semNumber(name, token, typ string) command.Arg {
	return command.Arg{Name: name, Type: typ, Token: token, Optional: true}
}

// semRun is a command of the semantic cache under way: its place for package
// semcache, and of SEM.GET what it asks and finds. It is used again.
type semRun struct {
	semcache.Call
	c     *command.Ctx
	q     semcache.Query
	a     semcache.Answer
	track bool
}

var semRuns = sync.Pool{New: func() any {
	r := new(semRun)
	r.Call = semcache.Call{
		Ctx:    context.Background(),
		After:  func(d []store.Deferred) { r.c.After(d) },
		Gone:   func() bool { return r.c.S.Killed() },
		Settle: r.settle, Look: r.look, Found: r.found,
	}
	return r
}}

// semCall is the place of a command. It must be freed.
func semCall(c *command.Ctx) *semRun {
	r := semRuns.Get().(*semRun)
	r.c, r.Tx, r.Owner, r.Locked = c, &c.Tx, c.S.ID, c.InExec
	return r
}

func (r *semRun) free() {
	r.c, r.Tx, r.Closer, r.track = nil, nil, nil, false
	r.q, r.a = semcache.Query{Scope: r.q.Scope[:0]}, semcache.Answer{}
	semRuns.Put(r)
}

// settle brings the indexes up to date with what this client has written.
func (r *semRun) settle() {
	r.c.Settle()
	if r.Tx.HoldsAll() {
		r.Tx.Preview(r.c.Catalog)
	}
}

// look is called with the shard held: pushes about what this command is going to see
// go before its reply.
func (r *semRun) look() {
	if !r.Locked {
		r.c.S.MergePushes()
	}
}

// found writes the reply to a hit while its shard is held, so that no invalidation
// can overtake it.
func (r *semRun) found(key []byte, a *semcache.Answer) {
	if r.track {
		r.c.Tracking.Read(r.c.S, func(f func(key []byte)) { f(key) })
	}
	w := r.c.W
	w.Map(7)
	w.BulkString("status")
	w.BulkString(a.Status.String())
	w.BulkString("id")
	w.Bulk(a.ID)
	w.BulkString("answer")
	w.Bulk(a.Answer)
	w.BulkString("sim")
	w.Double(a.Sim)
	w.BulkString("confidence")
	w.Double(a.Confidence)
	w.BulkString("pttl")
	w.Int(a.PTTL)
	w.BulkString("age")
	w.Int(a.Age)
}

// semError is the error of package semcache as it goes on the wire.
func semError(err error) error {
	if err == nil {
		return nil
	}
	var e resp.Error
	if errors.As(err, &e) {
		return err
	}
	return resp.Error("ERR " + err.Error())
}

func semNamespace(c *command.Ctx, name string) (*semcache.Namespace, error) {
	n, err := c.Semantic.Namespace(name)
	return n, semError(err)
}

// parseScope appends what it reads: n field value … One that comes twice adds to the first: none
// of its pairs may be lost.
func parseScope(l []semcache.Pair, a *args.Parser) []semcache.Pair {
	n := a.Int()
	if a.Err() == nil && (n < 0 || n > semcache.MaxWords || 2*n > int64(a.Len())) {
		a.Fail(resp.Error("ERR SCOPE wants a number of pairs and so many fields and values"))
	}
	for ; n > 0 && a.Err() == nil; n-- {
		l = append(l, semcache.Pair{Field: view(a), Value: view(a)})
	}
	return l
}

// parseWords reads n word …
func parseWords(a *args.Parser, what string) []string {
	n := a.Int()
	if a.Err() == nil && (n < 0 || n > semcache.MaxWords || n > int64(a.Len())) {
		a.Fail(resp.Error("ERR " + what + " wants a number and so many words"))
	}
	var l []string
	for ; n > 0 && a.Err() == nil; n-- {
		l = append(l, a.String())
	}
	return l
}

// parseTime reads a time in milliseconds.
func parseTime(a *args.Parser, what string) int64 {
	n := a.Int()
	if a.Err() == nil && (n <= 0 || n > math.MaxInt64/4/int64(time.Millisecond)) {
		a.Fail(resp.Error("ERR invalid " + what + " in SEM command"))
	}
	return n
}

// parseShare reads a number between two others.
func parseShare(a *args.Parser, what string, least, most float64) float64 {
	f := a.Float()
	if a.Err() == nil && (f < least || f > most) {
		a.Fail(resp.Error("ERR " + what + " is out of range"))
	}
	return f
}

// parseVec reads a vector, which is never nil.
func parseVec(a *args.Parser) []byte {
	v := a.Bytes()
	if a.Err() == nil && (len(v) == 0 || len(v)%4 != 0) {
		a.Fail(resp.Error("ERR a vector is a blob of float32 components"))
	}
	return v
}

// parseBefore reads what came before a prompt, which is never nil.
func parseBefore(a *args.Parser) []byte {
	b := a.Bytes()
	if a.Err() == nil && len(b) == 0 {
		a.Fail(resp.Error("ERR what came before a prompt is a text that is not empty"))
	}
	return b
}

var semCreateCommand = &command.Spec{
	Name: "sem.create", Arity: -4, Flags: semWrite | command.DenyOOM | command.AllShards, Group: command.GroupSearch, Since: semSince,
	Summary:    "Creates a namespace of the semantic cache.",
	Complexity: "O(1)",
	Args: []command.Arg{
		nsArg,
		{Name: "dim", Type: "integer", Token: "DIM"},
		{Name: "model", Type: "string", Token: "EMBED", Optional: true},
		minSimArg, semNumber("margin", "MARGIN", "double"),
		{Name: "guard", Type: "oneof", Token: "GUARD", Optional: true, Args: []command.Arg{flagArg("off", "OFF"), flagArg("soft", "SOFT"), flagArg("strict", "STRICT")}},
		wrongArg, semNumber("ttl", "PX", "integer"), semNumber("maxage", "MAXAGE", "integer"), semNumber("entries", "MAXENTRIES", "integer"),
		{Name: "policy", Type: "oneof", Token: "EVICT", Optional: true, Args: []command.Arg{flagArg("lru", "LRU"), flagArg("lfu", "LFU"), flagArg("cost", "COST")}},
		semCounted("REQUIRE", "field"), semCounted("WITHOUT", "guard"),
		{Name: "answers", Type: "oneof", Token: "ANSWERS", Optional: true, Args: []command.Arg{
			flagArg("id", "ID"), flagArg("text", "TEXT"), {Name: "minsim", Type: "double", Token: "EMBED"},
		}},
		optional(flagArg("case", "KEEPCASE")), optional(flagArg("space", "KEEPSPACE")),
	},
	Bind: command.Bind(parseSemCreate, runSemCreate),
}

type semCreate struct {
	name string
	p    semcache.Params
}

// parseOneOf reads one of some words, and returns its place.
func parseOneOf(a *args.Parser, words []string) int {
	for i, w := range words {
		if a.Accept(w) {
			return i
		}
	}
	a.Fail(resp.ErrSyntax)
	return 0
}

func parseSemCreate(a *args.Parser) semCreate {
	s := semCreate{name: a.String()}
	if !a.Accept("DIM") {
		a.Fail(resp.ErrSyntax)
	}
	dim := a.Int()
	s.p = semcache.Defaults(int(clamp(dim, 0, math.MaxInt32)))
	p, wrong := &s.p, false
	for a.More() {
		switch {
		case a.Accept("EMBED"):
			p.Embed = a.String()
		case a.Accept("MINSIM"):
			p.MinSim = a.Float()
		case a.Accept("MARGIN"):
			p.Margin = a.Float()
		case a.Accept("GUARD"):
			p.Guard = semcache.Guard(parseOneOf(a, semcache.GuardNames))
		case a.Accept("MAXWRONG"):
			p.MaxWrong, wrong = a.Float(), true
		case a.Accept("PX"):
			p.PX = parseTime(a, "PX")
		case a.Accept("MAXAGE"):
			p.MaxAge = parseTime(a, "MAXAGE")
		case a.Accept("MAXENTRIES"):
			p.MaxEntries = int(clamp(a.Int(), -1, math.MaxInt32))
		case a.Accept("EVICT"):
			p.Evict = semcache.Evict(parseOneOf(a, semcache.EvictNames))
		case a.Accept("REQUIRE"):
			p.Scopes = parseWords(a, "REQUIRE")
		case a.Accept("WITHOUT"):
			p.Without = parseWords(a, "WITHOUT")
		case a.Accept("ANSWERS"):
			if p.Answers = semcache.Answers(parseOneOf(a, semcache.AnswersNames)); p.Answers == semcache.ByMeaning {
				p.AnswerSim = a.Float()
			}
		case a.Accept("KEEPCASE"):
			p.KeepCase = true
		case a.Accept("KEEPSPACE"):
			p.KeepSpace = true
		default:
			a.Fail(resp.ErrSyntax)
		}
	}
	if p.Guard == semcache.Off && !wrong {
		p.MaxWrong = 1 // nothing but the cosine counts
	}
	if a.Err() == nil {
		a.Fail(semError(p.Validate()))
	}
	return s
}

func runSemCreate(c *command.Ctx, s semCreate) error {
	if c.InExec {
		c.Tx.Preview(c.Catalog)
	}
	call := semCall(c)
	defer call.free()
	if err := c.Semantic.Create(&call.Call, s.name, s.p, command.CopyArgs(c.Args)); err != nil {
		return semError(err)
	}
	c.W.Status("OK")
	return nil
}

var semDropCommand = &command.Spec{
	Name: "sem.drop", Arity: 2, Flags: semWrite | command.AllShards, Group: command.GroupSearch, Since: semSince,
	Summary:    "Removes a namespace of the semantic cache with all its entries.",
	Complexity: "O(N) with N being the number of entries",
	Args:       []command.Arg{nsArg},
	Bind:       command.Bind(parseSemName, runSemDrop),
}

func parseSemName(a *args.Parser) string { return a.String() }

func runSemDrop(c *command.Ctx, name string) error {
	call := semCall(c)
	defer call.free()
	call.Locked = true
	if err := c.Semantic.Drop(&call.Call, name); err != nil {
		return semError(err)
	}
	c.W.Status("OK")
	return nil
}

var semListCommand = &command.Spec{
	Name: "sem.list", Arity: 1, Flags: semRead | command.Keyless, Group: command.GroupSearch, Since: semSince,
	Summary:    "Lists the namespaces of the semantic cache.",
	Complexity: "O(N) with N being the number of indexes",
	Bind:       command.Bind(command.None, runSemList),
}

func runSemList(c *command.Ctx, _ struct{}) error {
	l := c.Semantic.List()
	c.W.Array(len(l))
	for _, name := range l {
		c.W.BulkString(name)
	}
	return nil
}

var semInfoCommand = &command.Spec{
	Name: "sem.info", Arity: 2, Flags: semRead | command.Keyless, Group: command.GroupSearch, Since: semSince,
	Summary:    "Returns what a namespace of the semantic cache was made with.",
	Complexity: "O(1)",
	Args:       []command.Arg{nsArg},
	Bind:       command.Bind(parseSemName, runSemInfo),
}

func runSemInfo(c *command.Ctx, name string) error {
	n, err := semNamespace(c, name)
	if err != nil {
		return err
	}
	w := c.W
	w.Map(19)
	text := func(name, v string) { w.BulkString(name); w.BulkString(v) }
	count := func(name string, v int64) { w.BulkString(name); w.Int(v) }
	share := func(name string, v float64) { w.BulkString(name); w.Double(v) }
	words := func(name string, l []string) {
		w.BulkString(name)
		w.Array(len(l))
		for _, s := range l {
			w.BulkString(s)
		}
	}
	flag := func(name string, v bool) { w.BulkString(name); w.Bool(v) }
	text("name", n.Name)
	text("index", n.Index())
	count("entries", int64(n.Len()))
	count("dim", int64(n.Dim))
	text("embed", n.Params.Embed)
	share("minsim", n.MinSim)
	share("margin", n.Margin)
	text("guard", semcache.GuardNames[n.Guard])
	share("maxwrong", n.MaxWrong)
	count("px", n.PX)
	count("maxage", n.MaxAge)
	count("maxentries", int64(n.MaxEntries))
	text("evict", semcache.EvictNames[n.Evict])
	words("require", n.Scopes)
	words("without", n.Without)
	text("answers", semcache.AnswersNames[n.Answers])
	share("answersim", n.AnswerSim)
	flag("keepcase", n.KeepCase)
	flag("keepspace", n.KeepSpace)
	return nil
}

var semStatsCommand = &command.Spec{
	Name: "sem.stats", Arity: 2, Flags: semRead | command.Keyless, Group: command.GroupSearch, Since: semSince,
	Summary:    "Returns what a namespace of the semantic cache has done, and what it has saved.",
	Complexity: "O(1)",
	Args:       []command.Arg{nsArg},
	Bind:       command.Bind(parseSemName, runSemStats),
}

func runSemStats(c *command.Ctx, name string) error {
	n, err := semNamespace(c, name)
	if err != nil {
		return err
	}
	s := n.Stats()
	counts := []struct {
		name string
		n    int64
	}{
		{"entries", int64(s.Entries)},
		{"hits_exact", s.Exact},
		{"hits_semantic", s.Semantic},
		{"misses", s.Misses},
		{"leases", s.Leases},
		{"leased_to_others", s.Leased},
		{"hits_waited", s.Waited},
		{"waits_timed_out", s.Timed},
		{"sets", s.Sets},
		{"sets_stale", s.Stale},
		{"evicted", s.Evicted},
		{"feedback_good", s.Good},
		{"feedback_bad", s.Bad},
		{"tokens_saved", s.Tokens},
		{"latency_saved_ms", s.LatencyMS},
	}
	shares := []struct {
		name string
		f    float64
	}{
		{"hit_rate", s.HitRate()},
		{"wrong_expected", s.ExpectedWrong},
		{"cost_saved", s.Cost},
		{"bias", s.Bias},
		{"doubt", s.Doubt},
	}
	c.W.Map(len(counts) + len(shares))
	for _, x := range counts {
		c.W.BulkString(x.name)
		c.W.Int(x.n)
	}
	for _, x := range shares {
		c.W.BulkString(x.name)
		c.W.Double(x.f)
	}
	return nil
}

var semGetCommand = &command.Spec{
	Name: "sem.get", Arity: -3, Flags: semRead, Group: command.GroupSearch, Since: semSince,
	Summary:    "Returns the answer of a prompt, or of one that means the same; or a lease to compute it.",
	Complexity: "O(1) for the very prompt, otherwise that of a KNN search",
	Args: []command.Arg{
		nsArg, promptArg, vecArg, ctxArg, beforeArg, beforeVecArg, scopeArg,
		{Name: "mode", Type: "oneof", Token: "MODE", Optional: true, Args: []command.Arg{flagArg("both", "BOTH"), flagArg("exact", "EXACT"), flagArg("sem", "SEM")}},
		minSimArg, wrongArg,
		{Name: "lease", Type: "block", Optional: true, Args: []command.Arg{
			{Name: "lease", Type: "integer", Token: "LEASE"}, semNumber("wait", "WAIT", "integer"),
		}},
		optional(flagArg("track", "TRACK")),
	},
	Bind:  command.Bind(parseSemGet, runSemGet),
	Quick: quickSemGet,
}

var semModes = []string{semcache.Both: "BOTH", semcache.OnlyExact: "EXACT", semcache.OnlySemantic: "SEM"}

// semGet is what SEM.GET and SEM.EXPLAIN ask; its strings point into the arguments.
type semGet struct {
	ns string
	q  semcache.Query
}

func parseSemGet(a *args.Parser) (s semGet) {
	parseSemQuery(a, &s)
	return s
}

// parseSemQuery is parseSemGet into memory that may be used again.

func parseSemQuery(a *args.Parser, s *semGet) {
	s.ns, s.q.Prompt = view(a), a.Bytes()
	q := &s.q
	for a.More() {
		switch {
		case a.Accept("VEC"):
			q.Vector = parseVec(a)
		case a.Accept("CTX"):
			q.Context = view(a)
		case a.Accept("CTXTEXT"):
			q.Before = parseBefore(a)
		case a.Accept("CTXVEC"):
			q.BeforeVector = parseVec(a)
		case a.Accept("SCOPE"):
			q.Scope = parseScope(q.Scope, a)
		case a.Accept("MODE"):
			q.Mode = semcache.Mode(parseOneOf(a, semModes))
		case a.Accept("MINSIM"):
			f := parseShare(a, "MINSIM", -1, 1)
			q.MinSim = &f
		case a.Accept("MAXWRONG"):
			f := parseShare(a, "MAXWRONG", 0, 1)
			q.MaxWrong = &f
		case a.Accept("LEASE"):
			q.Lease = time.Duration(parseTime(a, "LEASE")) * time.Millisecond
			if a.Accept("WAIT") {
				q.Wait = time.Duration(parseTime(a, "WAIT")) * time.Millisecond
			}
		case a.Accept("TRACK"):
			q.Track = true
		default:
			a.Fail(resp.ErrSyntax)
		}
	}
}

// quickSemGet is SEM.GET where there is an entry of the very prompt: one look-up, as GET.
func quickSemGet(c *command.Ctx, a *args.Parser) bool {
	call := semCall(c)
	defer call.free()
	s := semGet{q: semcache.Query{Scope: call.q.Scope}}
	parseSemQuery(a, &s)
	a.Done()
	if a.Err() != nil || s.q.Mode == semcache.OnlySemantic || s.q.Track || c.Keyspace.Lent() != nil {
		return false
	}
	n, err := c.Semantic.Namespace(s.ns)
	if err != nil {
		return false
	}
	call.q = s.q
	c.Begin()
	found := n.GetExact(&call.Call, &call.q, &call.a)
	c.Close()
	return found
}

func runSemGet(c *command.Ctx, s semGet) error {
	n, err := semNamespace(c, s.ns)
	if err != nil {
		return err
	}
	call := semCall(c)
	defer call.free()
	call.q = s.q
	if call.track = s.q.Track && c.Tracking.Wants(c.S); call.track {
		call.Closer = c.Tracking.Changed
	}
	if err := n.Get(&call.Call, &call.q, &call.a); err != nil {
		return semError(err)
	}
	a := &call.a
	if a.Status.Hit() {
		return nil // it was written while the shard was held
	}
	w := c.W
	fields := 4
	if a.Token != "" {
		fields++
	}
	w.Map(fields)
	w.BulkString("status")
	w.BulkString(a.Status.String())
	w.BulkString("sim")
	w.Double(a.Sim)
	w.BulkString("confidence")
	w.Double(a.Confidence)
	w.BulkString("reason")
	w.BulkString(a.Reason)
	if a.Token != "" {
		w.BulkString("token")
		w.BulkString(a.Token)
	}
	return nil
}

var semSetCommand = &command.Spec{
	Name: "sem.set", Arity: -4, Flags: semWrite | command.DenyOOM, Group: command.GroupSearch, Since: semSince,
	Summary:    "Stores the answer of a prompt.",
	Complexity: "that of adding a vector to an index",
	Args: []command.Arg{
		nsArg, promptArg,
		{Name: "answer", Type: "string"},
		vecArg, ctxArg, beforeArg, beforeVecArg, semNumber("ttl", "PX", "integer"), scopeArg,
		semCounted("TAGS", "tag"), semCounted("DEPS", "key"), semNumber("answerid", "ANSWERID", "string"), semNumber("answervector", "ANSWERVEC", "string"), semNumber("model", "MODEL", "string"),
		semNumber("token", "LEASE", "string"), semNumber("usd", "COST", "double"), semNumber("count", "TOKENS", "integer"), semNumber("ms", "LATENCY", "integer"),
	},
	Bind: command.Bind(parseSemSet, runSemSet),
}

type semSet struct {
	ns string
	e  semcache.Entry
}

func parseSemSet(a *args.Parser) semSet {
	s := semSet{ns: view(a), e: semcache.Entry{Prompt: a.Bytes(), Answer: a.Bytes()}}
	e := &s.e
	for a.More() {
		switch {
		case a.Accept("VEC"):
			e.Vector = parseVec(a)
		case a.Accept("CTX"):
			e.Context = view(a)
		case a.Accept("CTXTEXT"):
			e.Before = parseBefore(a)
		case a.Accept("CTXVEC"):
			e.BeforeVector = parseVec(a)
		case a.Accept("PX"):
			e.PX = parseTime(a, "PX")
		case a.Accept("SCOPE"):
			e.Scope = parseScope(e.Scope, a)
		case a.Accept("TAGS"):
			e.Tags = append(e.Tags, parseWords(a, "TAGS")...)
		case a.Accept("DEPS"):
			e.Deps = append(e.Deps, parseWords(a, "DEPS")...)
		case a.Accept("ANSWERID"):
			e.AnswerID = a.String()
		case a.Accept("ANSWERVEC"):
			e.AnswerVector = parseVec(a)
		case a.Accept("MODEL"):
			e.Model = a.String()
		case a.Accept("LEASE"):
			if e.Lease = a.String(); e.Lease == "" {
				a.Fail(resp.ErrSyntax)
			}
		case a.Accept("COST"):
			e.Cost = parseShare(a, "COST", 0, 1e12)
		case a.Accept("TOKENS"):
			e.Tokens = int64(parseShare(a, "TOKENS", 0, 1e12))
		case a.Accept("LATENCY"):
			e.Latency = int64(parseShare(a, "LATENCY", 0, 1e12))
		default:
			a.Fail(resp.ErrSyntax)
		}
	}
	return s
}

func runSemSet(c *command.Ctx, s semSet) error {
	n, err := semNamespace(c, s.ns)
	if err != nil {
		return err
	}
	call := semCall(c)
	defer call.free()
	id, err := n.Put(&call.Call, &s.e)
	switch {
	case err != nil:
		return semError(err)
	case id == "":
		c.W.Null()
	default:
		c.W.BulkString(id)
	}
	return nil
}

var semDelCommand = &command.Spec{
	Name: "sem.del", Arity: -3, Flags: semWrite, Group: command.GroupSearch, Since: semSince,
	Summary:    "Removes entries of the semantic cache by their ids.",
	Complexity: "O(N) with N being the number of ids",
	Args:       []command.Arg{nsArg, {Name: "id", Type: "string", Multiple: true}},
	Bind:       command.Bind(parseSemDel, runSemDel),
}

type semDel struct {
	ns  string
	ids []string
}

func parseSemDel(a *args.Parser) semDel {
	s := semDel{ns: view(a)}
	for a.More() {
		s.ids = append(s.ids, a.String())
	}
	return s
}

func runSemDel(c *command.Ctx, s semDel) error {
	n, err := semNamespace(c, s.ns)
	if err != nil {
		return err
	}
	call := semCall(c)
	defer call.free()
	c.W.Int(int64(n.Delete(&call.Call, s.ids)))
	return nil
}

var semFeedbackCommand = &command.Spec{
	Name: "sem.feedback", Arity: -4, Flags: semWrite | command.DenyOOM, Group: command.GroupSearch, Since: semSince,
	Summary:    "Says whether an answer was right: thresholds around its entry move.",
	Complexity: "that of a KNN search",
	Args: []command.Arg{
		nsArg,
		{Name: "id", Type: "string"},
		{Name: "verdict", Type: "oneof", Args: []command.Arg{flagArg("good", "GOOD"), flagArg("bad", "BAD")}},
		semNumber("prompt", "QUERY", "string"),
	},
	Bind: command.Bind(parseSemFeedback, runSemFeedback),
}

type semFeedback struct {
	ns, id string
	good   bool
	prompt []byte
}

func parseSemFeedback(a *args.Parser) semFeedback {
	s := semFeedback{ns: view(a), id: a.String()}
	s.good = parseOneOf(a, []string{"BAD", "GOOD"}) == 1
	if a.More() {
		if !a.Accept("QUERY") {
			a.Fail(resp.ErrSyntax)
		}
		if s.prompt = a.Bytes(); len(s.prompt) > semcache.MaxPrompt {
			a.Fail(resp.ErrSyntax)
		}
	}
	return s
}

func runSemFeedback(c *command.Ctx, s semFeedback) error {
	n, err := semNamespace(c, s.ns)
	if err != nil {
		return err
	}
	call := semCall(c)
	defer call.free()
	if err := n.Feedback(&call.Call, s.id, s.good, s.prompt); err != nil {
		return semError(err)
	}
	c.W.Status("OK")
	return nil
}

var semInvalidateCommand = &command.Spec{
	Name: "sem.invalidate", Arity: -4, Flags: semWrite, Group: command.GroupSearch, Since: semSince,
	Summary:    "Removes entries by a tag, a key they depend on, a model, a scope, or by what they mean.",
	Complexity: "O(N) with N being the number of entries removed, beside a search for NEAR",
	Args: []command.Arg{nsArg, {Name: "target", Type: "oneof", Args: []command.Arg{
		{Name: "tag", Type: "string", Token: "TAG"},
		{Name: "key", Type: "string", Token: "DEP"},
		{Name: "near", Type: "block", Args: []command.Arg{{Name: "prompt", Type: "string", Token: "NEAR"}, {Name: "minsim", Type: "double", Token: "MINSIM"}, vecArg}},
		{Name: "model", Type: "string", Token: "MODEL"},
		{Name: "scope", Type: "block", Token: "SCOPE", Args: []command.Arg{fieldArg, {Name: "value", Type: "string"}}},
	}}},
	Bind: command.Bind(parseSemInvalidate, runSemInvalidate),
}

type semInvalidate struct {
	ns string
	t  semcache.Target
}

func parseSemInvalidate(a *args.Parser) semInvalidate {
	s := semInvalidate{ns: view(a)}
	t := &s.t
	word := func() string {
		w := a.String()
		if w == "" {
			a.Fail(resp.ErrSyntax)
		}
		return w
	}
	switch {
	case a.Accept("TAG"):
		t.Tag = word()
	case a.Accept("DEP"):
		t.Dep = word()
	case a.Accept("MODEL"):
		t.Model = word()
	case a.Accept("SCOPE"):
		t.Scope = &semcache.Pair{Field: a.String(), Value: a.String()}
	case a.Accept("NEAR"):
		t.Near = a.Bytes()
		t.MinSim = math.NaN()
		for a.More() {
			switch {
			case a.Accept("MINSIM"):
				t.MinSim = parseShare(a, "MINSIM", -1, 1)
			case a.Accept("VEC"):
				t.Vector = parseVec(a)
			default:
				a.Fail(resp.ErrSyntax)
			}
		}
		if a.Err() == nil && math.IsNaN(t.MinSim) {
			a.Fail(resp.Error("ERR NEAR wants a MINSIM"))
		}
	default:
		a.Fail(resp.ErrSyntax)
	}
	return s
}

func runSemInvalidate(c *command.Ctx, s semInvalidate) error {
	n, err := semNamespace(c, s.ns)
	if err != nil {
		return err
	}
	call := semCall(c)
	defer call.free()
	removed, err := n.Invalidate(&call.Call, &s.t)
	if err != nil {
		return semError(err)
	}
	c.W.Int(int64(removed))
	return nil
}

var semLeaseCommand = &command.Spec{
	Name: "sem.lease", Arity: -4, Flags: semRead | command.Keyless | command.Fast, Group: command.GroupSearch, Since: semSince,
	Summary:    "Gives the holder of a lease more time, or ends the lease without an answer.",
	Complexity: "O(N) with N being the number of leases",
	Args: []command.Arg{
		{Name: "operation", Type: "oneof", Args: []command.Arg{flagArg("renew", "RENEW"), flagArg("abort", "ABORT")}},
		nsArg,
		{Name: "token", Type: "string"},
		{Name: "ms", Type: "integer", Optional: true},
	},
	Bind: command.Bind(parseSemLease, runSemLease),
}

type semLease struct {
	abort     bool
	ns, token string
	ms        int64
}

func parseSemLease(a *args.Parser) semLease {
	s := semLease{abort: parseOneOf(a, []string{"RENEW", "ABORT"}) == 1, ns: view(a), token: a.String()}
	if !s.abort && a.More() {
		s.ms = parseTime(a, "RENEW")
	}
	return s
}

func runSemLease(c *command.Ctx, s semLease) error {
	n, err := semNamespace(c, s.ns)
	if err != nil {
		return err
	}
	call := semCall(c)
	defer call.free()
	if s.abort {
		c.W.Bool(n.Abort(&call.Call, s.token))
	} else {
		c.W.Bool(n.Renew(&call.Call, s.token, min(time.Duration(s.ms)*time.Millisecond, semcache.MaxLease)))
	}
	return nil
}

var semExplainCommand = &command.Spec{
	Name: "sem.explain", Arity: -3, Flags: semRead, Group: command.GroupSearch, Since: semSince,
	Summary:    "Lists the entries that might answer a prompt, with all that speaks for and against each.",
	Complexity: "that of a KNN search",
	Args:       []command.Arg{nsArg, promptArg, vecArg, ctxArg, beforeArg, beforeVecArg, scopeArg, minSimArg, wrongArg},
	Bind:       command.Bind(parseSemGet, runSemExplain),
}

func runSemExplain(c *command.Ctx, s semGet) error {
	n, err := semNamespace(c, s.ns)
	if err != nil {
		return err
	}
	call := semCall(c)
	defer call.free()
	l, serve, exact, err := n.Explain(&call.Call, &s.q)
	if err != nil {
		return semError(err)
	}
	status := semcache.Miss
	switch {
	case exact:
		status = semcache.Exact
	case serve >= 0:
		status = semcache.Semantic
	}
	w := c.W
	w.Map(2)
	w.BulkString("status")
	w.BulkString(status.String())
	w.BulkString("candidates")
	w.Array(len(l))
	for i := range l {
		x := &l[i]
		w.Map(11)
		w.BulkString("id")
		w.BulkString(n.ID(x))
		w.BulkString("prompt")
		w.BulkString(x.Prompt)
		w.BulkString("served")
		w.Bool(i == serve)
		w.BulkString("reason")
		w.BulkString(x.Reason)
		w.BulkString("sim")
		w.Double(x.Sim)
		w.BulkString("margin")
		if math.IsNaN(x.Margin) {
			w.Null()
		} else {
			w.Double(x.Margin)
		}
		w.BulkString("context")
		if math.IsNaN(x.Context) {
			w.Null()
		} else {
			w.Double(x.Context)
		}
		w.BulkString("confidence")
		w.Double(x.Confidence)
		w.BulkString("guards")
		w.Array(len(x.Guards))
		for _, g := range x.Guards {
			w.BulkString(g)
		}
		w.BulkString("signals")
		w.Map(len(x.Evidence))
		for k, v := range x.Evidence {
			w.BulkString(judge.Signals[k].Name)
			w.Double(v)
		}
		w.BulkString("around")
		row := x.Around.Row()
		w.Map(len(row))
		for k, v := range row {
			w.BulkString(judge.Circumstances[k].Name)
			w.Double(v)
		}
	}
	return nil
}
