package commands

import (
	"slices"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/types/list"
)

var moveArgSpecs = []command.Arg{{Name: "source", Type: "key"}, {Name: "destination", Type: "key"}}

var moveEndSpecs = slices.Concat(moveArgSpecs, []command.Arg{endArg("wherefrom"), endArg("whereto")})

var lMoveCommand = &command.Spec{
	Name: "lmove", Arity: 5, Flags: command.Write | command.DenyOOM, Keys: command.TwoKeys, Group: command.GroupList, Since: "6.2.0",
	Summary: "Returns an element after popping it from one list and pushing it to another. Deletes the list if the last element was moved.",
	Args:    moveEndSpecs,
	Bind:    command.Bind(parseLMove(false), runLMove),
}

var blMoveCommand = &command.Spec{
	Name: "blmove", Arity: 6, Flags: command.Write | command.DenyOOM | command.Blocking, Keys: command.TwoKeys, Group: command.GroupList, Since: "6.2.0",
	Summary: "Pops an element from a list, pushes it to another list and returns it. Blocks until an element is available otherwise. Deletes the list if the last element was moved.",
	Args:    slices.Concat(moveEndSpecs, []command.Arg{timeoutArg}),
	Bind:    command.Bind(parseLMove(true), runLMove),
}

var rPopLPushCommand = &command.Spec{
	Name: "rpoplpush", Arity: 3, Flags: command.Write | command.DenyOOM, Keys: command.TwoKeys, Group: command.GroupList, Since: "1.2.0",
	Summary: "Returns the last element of a list after removing and pushing it to another list. Deletes the list if the last element was popped.",
	Args:    moveArgSpecs,
	Bind:    command.Bind(parseRPopLPush(false), runLMove),
}

var brPopLPushCommand = &command.Spec{
	Name: "brpoplpush", Arity: 4, Flags: command.Write | command.DenyOOM | command.Blocking, Keys: command.TwoKeys, Group: command.GroupList, Since: "2.2.0",
	Summary: "Pops an element from a list, pushes it to another list and returns it. Block until an element is available otherwise. Deletes the list if the last element was popped.",
	Args:    slices.Concat(moveArgSpecs, []command.Arg{timeoutArg}),
	Bind:    command.Bind(parseRPopLPush(true), runLMove),
}

// lMoveArgs are those of the commands that move elements.
type lMoveArgs struct {
	from, to       []byte
	fromEnd, toEnd list.End
	timeout        timeout

	// Of LMOVEM.
	count   int64
	exactly bool
	byOne   bool // each is pushed as it comes, instead of all in their order
}

func parseEnd(p *args.Parser) list.End {
	if p.Accept("LEFT") {
		return list.Head
	}
	if !p.Accept("RIGHT") {
		p.Fail(resp.ErrSyntax)
	}
	return list.Tail
}

func parseLMove(waits bool) func(*args.Parser) lMoveArgs {
	return func(p *args.Parser) lMoveArgs {
		a := lMoveArgs{from: p.Bytes(), to: p.Bytes(), fromEnd: parseEnd(p), toEnd: parseEnd(p)}
		if waits {
			a.timeout = parseTimeout(p.Bytes())
		}
		return a
	}
}

func parseRPopLPush(waits bool) func(*args.Parser) lMoveArgs {
	return func(p *args.Parser) lMoveArgs {
		a := lMoveArgs{from: p.Bytes(), to: p.Bytes(), fromEnd: list.Tail, toEnd: list.Head}
		if waits {
			a.timeout = parseTimeout(p.Bytes())
		}
		return a
	}
}

var (
	wordLMove  = []byte("LMOVE")
	wordLMoveM = []byte("LMOVEM")
	wordCount  = []byte("COUNT")
	wordOBO    = []byte("OBO")
	wordBulk   = []byte("BULK")
	endWords   = [...][]byte{list.Head: []byte("LEFT"), list.Tail: []byte("RIGHT")}
)

// wait makes the client wait for the source.
func (a *lMoveArgs) wait(c *command.Ctx, ms int64) error {
	return c.Block(command.Wait{Keys: [][]byte{a.from}, Type: object.List, Timeout: ms})
}

// destination finds the list that elements go to, nil where there is none.
func (a *lMoveArgs) destination(c *command.Ctx, e *store.Entry, v *list.Value) (*store.Entry, *list.Value, error) {
	if string(a.from) == string(a.to) {
		return e, v, nil
	}
	return findList(c, a.to)
}

func runLMove(c *command.Ctx, a lMoveArgs) error {
	ms, err := a.timeout.ms(c.Tx.Now)
	if err != nil {
		return err
	}
	e, v, err := findList(c, a.from)
	if err != nil {
		return err
	}
	if v == nil {
		if a.timeout.waits && c.MayBlock() {
			return a.wait(c, ms)
		}
		c.W.Null()
		return nil
	}
	d, dest, err := a.destination(c, e, v)
	if err != nil {
		return err
	}
	var room [64]byte
	it := v.From(a.fromEnd, 0)
	it.Next()
	x := append(room[:0], it.Bytes()...)
	v.Cut(a.fromEnd, 1)
	if dest == nil {
		dest = list.New()
	}
	dest.Grow(moved(x))
	dest.Push(a.toEnd, x)
	if d == nil {
		d = c.Tx.Put(a.to, dest, false)
	}
	c.Tx.Changed(d, store.ClassList, pushEvents[a.toEnd])
	c.W.Bulk(x)
	listShrunk(c, e, v, a.from, popEvents[a.fromEnd], 1)
	if a.timeout.waits {
		c.Tx.Effect(wordLMove, a.from, a.to, endWords[a.fromEnd], endWords[a.toEnd])
	}
	return nil
}

// moved is what Redis counts for an element that comes from a list: nothing for
// an integer.
func moved(x []byte) int {
	if list.IsInt(x) {
		return 0
	}
	return len(x)
}

var howManyArg = command.Arg{Name: "how-many", Type: "block", Optional: true, Args: []command.Arg{
	{Name: "selector", Type: "oneof", Args: []command.Arg{
		{Name: "count", Type: "integer", Token: "COUNT"}, {Name: "exactly", Type: "integer", Token: "EXACTLY"},
	}},
	{Name: "ordering", Type: "oneof", Args: []command.Arg{flagArg("obo", "OBO"), flagArg("bulk", "BULK")}},
}}

var lMoveMCommand = &command.Spec{
	Name: "lmovem", Arity: -5, Flags: command.Write | command.DenyOOM, Keys: command.TwoKeys, Group: command.GroupList, Since: "8.10.0",
	Summary: "Moves up to (or exactly) a number of elements from one list to another and returns them. Deletes the source list if it becomes empty.",
	Args:    slices.Concat(moveEndSpecs, []command.Arg{howManyArg}),
	Bind:    command.Bind(parseLMoveM(false), runLMoveM),
}

var blMoveMCommand = &command.Spec{
	Name: "blmovem", Arity: -6, Flags: command.Write | command.DenyOOM | command.Blocking, Keys: command.TwoKeys, Group: command.GroupList, Since: "8.10.0",
	Summary: "Moves up to (or exactly) a number of elements from one list to another and returns them. Blocks until the elements are available otherwise. Deletes the source list if it becomes empty.",
	Args:    slices.Concat(moveEndSpecs, []command.Arg{timeoutArg, howManyArg}),
	Bind:    command.Bind(parseLMoveM(true), runLMoveM),
}

func parseLMoveM(waits bool) func(*args.Parser) lMoveArgs {
	return func(p *args.Parser) lMoveArgs {
		a := parseLMove(waits)(p)
		a.count = 1
		// Redis reads a timeout that is out of range as it reads the others:
		// before what follows.
		if a.timeout.err != nil {
			p.Fail(a.timeout.err)
		}
		if !p.More() {
			return a
		}
		if p.Len() != 3 {
			p.Fail(resp.ErrSyntax)
			return a
		}
		if a.exactly = p.Accept("EXACTLY"); !a.exactly && !p.Accept("COUNT") {
			p.Fail(resp.ErrSyntax)
		}
		n, ok := resp.ParseInt(p.Bytes())
		if p.Err() == nil && (!ok || n < 1) {
			p.Fail(errMPopCount)
		}
		a.count = n
		if a.byOne = p.Accept("OBO"); !a.byOne && !p.Accept("BULK") {
			p.Fail(resp.ErrSyntax)
		}
		return a
	}
}

func runLMoveM(c *command.Ctx, a lMoveArgs) error {
	ms, err := a.timeout.ms(c.Tx.Now)
	if err != nil {
		return err
	}
	e, v, err := findList(c, a.from)
	if err != nil {
		return err
	}
	have := 0
	if v != nil {
		have = v.Len()
	}
	n := int(min(a.count, int64(have)))
	if n == 0 || a.exactly && int64(have) < a.count {
		if a.timeout.waits && c.MayBlock() {
			return a.wait(c, ms)
		}
		c.W.NullArray()
		return nil
	}
	d, dest, err := a.destination(c, e, v)
	if err != nil {
		return err
	}
	elems, bytes := a.take(v, n)
	if dest == nil {
		dest = list.New()
	}
	replyBulks(c, elems)
	dest.Grow(bytes)
	for i := range elems {
		if a.toEnd == list.Head { // the last goes first, so that they stand as in the reply
			i = n - 1 - i
		}
		dest.Push(a.toEnd, elems[i])
	}
	if d == nil {
		d = c.Tx.Put(a.to, dest, false)
	}
	if v == dest {
		c.Tx.Changed(e, store.ClassList, popEvents[a.fromEnd])
		c.Tx.Changed(e, store.ClassList, pushEvents[a.toEnd])
	} else {
		c.Tx.Changed(d, store.ClassList, pushEvents[a.toEnd])
		listShrunk(c, e, v, a.from, popEvents[a.fromEnd], 1)
	}
	order := wordBulk
	if a.byOne {
		order = wordOBO
	}
	c.Tx.Effect(wordLMoveM, a.from, a.to, endWords[a.fromEnd], endWords[a.toEnd], wordCount, decimal(int64(n)), order)
	return nil
}

// take takes n elements out of a list and returns copies of them in the order in
// which they are to stand, and what Redis counts for them.
func (a *lMoveArgs) take(v *list.Value, n int) (elems [][]byte, counted int) {
	elems = make([][]byte, 0, n)
	var all []byte
	ends := make([]int, 0, n)
	it := v.From(a.fromEnd, 0)
	for range n {
		it.Next()
		all = append(all, it.Bytes()...)
		ends = append(ends, len(all))
	}
	v.Cut(a.fromEnd, n)
	at := 0
	for _, end := range ends {
		x := all[at:end:end]
		elems = append(elems, x)
		counted += moved(x)
		at = end
	}
	if reverse := a.fromEnd; a.byOne && a.toEnd == list.Head || !a.byOne && reverse == list.Tail {
		slices.Reverse(elems)
	}
	return elems, counted
}

func replyBulks(c *command.Ctx, l [][]byte) {
	c.W.Array(len(l))
	for _, b := range l {
		c.W.Bulk(b)
	}
}
