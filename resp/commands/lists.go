package commands

import (
	"math"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/list"
)

var listCommands = []*command.Spec{
	lPushCommand, rPushCommand, lPushXCommand, rPushXCommand, lLenCommand, lRangeCommand, lIndexCommand,
	lSetCommand, lInsertCommand, lRemCommand, lTrimCommand, lPosCommand,
	lPopCommand, rPopCommand, lMPopCommand, blPopCommand, brPopCommand, blMPopCommand,
	lMoveCommand, rPopLPushCommand, lMoveMCommand, blMoveCommand, brPopLPushCommand, blMoveMCommand,
}

// Errors of lists.
const (
	errPosRank   resp.Error = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list"
	errPosCount  resp.Error = "ERR COUNT can't be negative"
	errPosMaxLen resp.Error = "ERR MAXLEN can't be negative"
)

var (
	elementArg  = command.Arg{Name: "element", Type: "string"}
	elementsArg = command.Arg{Name: "element", Type: "string", Multiple: true}
)

// asList is the list of an entry, nil where there is no entry.
func asList(e *store.Entry) (*list.Value, error) {
	if e == nil {
		return nil, nil
	}
	if v, ok := e.Value().(*list.Value); ok {
		return v, nil
	}
	return nil, resp.ErrWrongType
}

// findList finds a list for writing, nil where there is none.
func findList(c *command.Ctx, key []byte) (*store.Entry, *list.Value, error) {
	e := c.Tx.Find(key)
	v, err := asList(e)
	return e, v, err
}

// getList finds a list for reading, nil where there is none.
func getList(c *command.Ctx, key []byte) (*list.Value, error) { return asList(c.Tx.Get(key)) }

// listShrunk tells that n elements went, and the key with the last of them.
func listShrunk(c *command.Ctx, e *store.Entry, v *list.Value, key []byte, event string, n int) {
	v.Shrunk()
	shrunk(c, e, v, key, event, n)
}

func push(name string, end list.End, existing bool, since, summary string) *command.Spec {
	return &command.Spec{
		Name: name, Arity: -3, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupList, Since: since,
		Summary: summary,
		Args:    []command.Arg{keyArg, elementsArg},
		Bind:    command.Bind(parseKeyFields, runPush(end, existing)),
	}
}

var (
	lPushCommand  = push("lpush", list.Head, false, "1.0.0", "Prepends one or more elements to a list. Creates the key if it doesn't exist.")
	rPushCommand  = push("rpush", list.Tail, false, "1.0.0", "Appends one or more elements to a list. Creates the key if it doesn't exist.")
	lPushXCommand = push("lpushx", list.Head, true, "2.2.0", "Prepends one or more elements to a list only when the list exists.")
	rPushXCommand = push("rpushx", list.Tail, true, "2.2.0", "Appends an element to a list only when the list exists.")
)

// pushEvents and popEvents name what happens at an end.
var (
	pushEvents = [...]string{list.Head: "lpush", list.Tail: "rpush"}
	popEvents  = [...]string{list.Head: "lpop", list.Tail: "rpop"}
)

func runPush(end list.End, existing bool) func(*command.Ctx, keyFields) error {
	return func(c *command.Ctx, a keyFields) error {
		e, v, err := findList(c, a.key)
		if err != nil {
			return err
		}
		if v == nil {
			if existing {
				c.W.Int(0)
				return nil
			}
			v = list.New()
		}
		bytes := 0
		for _, x := range a.fields {
			bytes += len(x)
		}
		v.Grow(bytes)
		for _, x := range a.fields {
			v.Push(end, x)
		}
		if e == nil {
			e = c.Tx.Put(a.key, v, false)
		}
		c.Tx.Changed(e, store.ClassList, pushEvents[end])
		c.Tx.Count(len(a.fields))
		c.W.Int(int64(v.Len()))
		return nil
	}
}

var lLenCommand = &command.Spec{
	Name: "llen", Arity: 2, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupList, Since: "1.0.0",
	Summary: "Returns the length of a list.",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind(parseKey, runLLen),
}

func runLLen(c *command.Ctx, key []byte) error {
	v, err := getList(c, key)
	if err != nil {
		return err
	}
	n := 0
	if v != nil {
		n = v.Len()
	}
	c.W.Int(int64(n))
	return nil
}

var listRangeArgs = []command.Arg{keyArg, {Name: "start", Type: "integer"}, {Name: "stop", Type: "integer"}}

var lRangeCommand = &command.Spec{
	Name: "lrange", Arity: 4, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupList, Since: "1.0.0",
	Summary: "Returns a range of elements from a list.",
	Args:    listRangeArgs,
	Bind:    command.Bind(parseGetRange, runLRange),
}

// indexes are the first index of a range and the one behind the last, of a list
// of n elements; from is to for none.
func (a *getRangeArgs) indexes(n int) (from, to int) {
	start, end := fromEnd(a.start, int64(n)), a.end
	if end < 0 {
		end += int64(n)
	}
	if start > end || start >= int64(n) {
		return 0, 0
	}
	return int(start), int(min(end, int64(n)-1)) + 1
}

func runLRange(c *command.Ctx, a getRangeArgs) error {
	v, err := getList(c, a.key)
	if err != nil {
		return err
	}
	from, to := 0, 0
	if v != nil {
		from, to = a.indexes(v.Len())
	}
	replyElements(c, v, list.Head, from, to-from)
	return nil
}

// replyElements writes n elements, from the i-th on as counted from an end.
func replyElements(c *command.Ctx, v *list.Value, end list.End, i, n int) {
	c.W.Array(n)
	if n == 0 {
		return
	}
	for it := v.From(end, i); n > 0 && it.Next(); n-- {
		c.W.Bulk(it.Bytes())
	}
}

var lIndexCommand = &command.Spec{
	Name: "lindex", Arity: 3, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupList, Since: "1.0.0",
	Summary: "Returns an element from a list by its index.",
	Args:    []command.Arg{keyArg, {Name: "index", Type: "integer"}},
	Bind:    command.Bind(parsePair, runLIndex),
}

func runLIndex(c *command.Ctx, a pair) error {
	v, err := getList(c, a.a)
	if err != nil {
		return err
	}
	if v == nil {
		c.W.Null()
		return nil
	}
	i, err := listIndex(v, a.b)
	if err != nil {
		return err
	}
	if i < 0 {
		c.W.Null()
		return nil
	}
	it := v.From(list.Head, i)
	it.Next()
	c.W.Bulk(it.Bytes())
	return nil
}

// listIndex reads an index and counts it from the head; -1 where there is no
// such element. A key that is missing hides what is wrong with it.
func listIndex(v *list.Value, text []byte) (int, error) {
	i, ok := resp.ParseInt(text)
	if !ok {
		return 0, resp.ErrNotInt
	}
	if i < 0 {
		i += int64(v.Len())
	}
	if i < 0 || i >= int64(v.Len()) {
		return -1, nil
	}
	return int(i), nil
}

var lSetCommand = &command.Spec{
	Name: "lset", Arity: 4, Flags: command.Write | command.DenyOOM, Keys: command.OneKey, Group: command.GroupList, Since: "1.0.0",
	Summary: "Sets the value of an element in a list by its index.",
	Args:    []command.Arg{keyArg, {Name: "index", Type: "integer"}, elementArg},
	Bind:    command.Bind(parseTriple, runLSet),
}

func runLSet(c *command.Ctx, a triple) error {
	e, v, err := findList(c, a.key)
	if err != nil {
		return err
	}
	if v == nil {
		return resp.ErrNoSuchKey
	}
	i, err := listIndex(v, a.field)
	if err != nil {
		return err
	}
	grown := v.Grow(len(a.value))
	if i < 0 {
		if grown {
			reencoded(c, e, store.ClassList)
		}
		return resp.ErrIndexRange
	}
	v.Set(i, a.value)
	v.Shrunk()
	c.Tx.Changed(e, store.ClassList, "lset")
	c.W.Status("OK")
	return nil
}

var lInsertCommand = &command.Spec{
	Name: "linsert", Arity: 5, Flags: command.Write | command.DenyOOM, Keys: command.OneKey, Group: command.GroupList, Since: "2.2.0",
	Summary: "Inserts an element before or after another element in a list.",
	Args: []command.Arg{
		keyArg,
		{Name: "where", Type: "oneof", Args: []command.Arg{flagArg("before", "BEFORE"), flagArg("after", "AFTER")}},
		{Name: "pivot", Type: "string"},
		elementArg,
	},
	Bind: command.Bind(parseLInsert, runLInsert),
}

type lInsertArgs struct {
	key            []byte
	after          bool
	pivot, element []byte
}

func parseLInsert(p *args.Parser) lInsertArgs {
	a := lInsertArgs{key: p.Bytes()}
	if a.after = p.Accept("AFTER"); !a.after && !p.Accept("BEFORE") {
		p.Fail(resp.ErrSyntax)
	}
	a.pivot, a.element = p.Bytes(), p.Bytes()
	return a
}

func runLInsert(c *command.Ctx, a lInsertArgs) error {
	e, v, err := findList(c, a.key)
	if err != nil {
		return err
	}
	if v == nil {
		c.W.Int(0)
		return nil
	}
	grown := v.Grow(len(a.element))
	i := v.Find(a.pivot)
	if i < 0 {
		if grown {
			reencoded(c, e, store.ClassList)
		}
		c.W.Int(-1)
		return nil
	}
	v.Insert(i, a.after, a.element)
	c.Tx.Changed(e, store.ClassList, "linsert")
	c.W.Int(int64(v.Len()))
	return nil
}

var lRemCommand = &command.Spec{
	Name: "lrem", Arity: 4, Flags: command.Write, Keys: command.OneKey, Group: command.GroupList, Since: "1.0.0",
	Summary: "Removes elements from a list. Deletes the list if the last element was removed.",
	Args:    []command.Arg{keyArg, {Name: "count", Type: "integer"}, elementArg},
	Bind:    command.Bind(parseLRem, runLRem),
}

type lRemArgs struct {
	key     []byte
	count   int64
	element []byte
}

func parseLRem(p *args.Parser) lRemArgs { return lRemArgs{p.Bytes(), parseNegatable(p), p.Bytes()} }

// parseNegatable reads an integer of which the negative one is wanted.
func parseNegatable(p *args.Parser) int64 {
	n := p.Int()
	if n == math.MinInt64 {
		p.Fail(resp.OutOfRange(-math.MaxInt64, math.MaxInt64))
	}
	return n
}

func runLRem(c *command.Ctx, a lRemArgs) error {
	e, v, err := findList(c, a.key)
	if err != nil {
		return err
	}
	n := 0
	if v != nil {
		end, count := list.Head, a.count
		if count < 0 {
			end, count = list.Tail, -count
		}
		if n = v.Remove(end, a.element, int(count)); n > 0 {
			listShrunk(c, e, v, a.key, "lrem", n)
		}
	}
	c.W.Int(int64(n))
	return nil
}

var lTrimCommand = &command.Spec{
	Name: "ltrim", Arity: 4, Flags: command.Write, Keys: command.OneKey, Group: command.GroupList, Since: "1.0.0",
	Summary: "Removes elements from both ends a list. Deletes the list if all elements were trimmed.",
	Args:    listRangeArgs,
	Bind:    command.Bind(parseGetRange, runLTrim),
}

func runLTrim(c *command.Ctx, a getRangeArgs) error {
	e, v, err := findList(c, a.key)
	if err != nil {
		return err
	}
	if v != nil {
		n := v.Len()
		from, to := a.indexes(n)
		v.Cut(list.Tail, n-to)
		v.Cut(list.Head, from)
		listShrunk(c, e, v, a.key, "ltrim", n-(to-from))
		if to-from == n {
			c.Tx.NoEffect()
		}
	}
	c.W.Status("OK")
	return nil
}

var lPosCommand = &command.Spec{
	Name: "lpos", Arity: -3, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupList, Since: "6.0.6",
	Summary: "Returns the index of matching elements in a list.",
	Args: []command.Arg{
		keyArg,
		elementArg,
		{Name: "rank", Type: "integer", Token: "RANK", Optional: true},
		{Name: "num-matches", Type: "integer", Token: "COUNT", Optional: true},
		{Name: "len", Type: "integer", Token: "MAXLEN", Optional: true},
	},
	Bind: command.Bind(parseLPos, runLPos),
}

type lPosArgs struct {
	key, element []byte
	rank         int64
	count        int64 // -1 for one position, which is no array
	maxLen       int64 // 0 for all
}

func parseLPos(p *args.Parser) lPosArgs {
	a := lPosArgs{key: p.Bytes(), element: p.Bytes(), rank: 1, count: -1}
	for p.More() {
		switch {
		case p.Len() > 1 && p.Accept("RANK"):
			if a.rank = parseNegatable(p); a.rank == 0 {
				p.Fail(errPosRank)
			}
		case p.Len() > 1 && p.Accept("COUNT"):
			a.count = parseCount(p, errPosCount)
		case p.Len() > 1 && p.Accept("MAXLEN"):
			a.maxLen = parseCount(p, errPosMaxLen)
		default:
			p.Fail(resp.ErrSyntax)
		}
	}
	return a
}

// parseCount reads a number of things; bad is the error for what is none.
func parseCount(p *args.Parser, bad error) int64 {
	n, ok := resp.ParseInt(p.Bytes())
	if !ok || n < 0 {
		p.Fail(bad)
	}
	return n
}

func runLPos(c *command.Ctx, a lPosArgs) error {
	v, err := getList(c, a.key)
	if err != nil {
		return err
	}
	start, found := c.W.Len(), 0
	if v != nil {
		found = a.find(c, v)
	}
	switch {
	case a.count >= 0:
		c.W.ArrayFrom(start, found)
	case found == 0:
		c.W.Null()
	}
	return nil
}

// find writes the positions and returns how many there are.
func (a *lPosArgs) find(c *command.Ctx, v *list.Value) (found int) {
	end, skip := list.Head, a.rank-1
	if a.rank < 0 {
		end, skip = list.Tail, -a.rank-1
	}
	e := list.Sought(a.element)
	it := v.From(end, 0)
	for i := 0; it.Next(); i++ {
		if a.maxLen > 0 && int64(i) == a.maxLen {
			break
		}
		if !it.Is(&e) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		at := i
		if end == list.Tail {
			at = v.Len() - 1 - i
		}
		c.W.Int(int64(at))
		if found++; a.count != 0 && int64(found) >= a.count {
			break
		}
	}
	return found
}
