package commands

import (
	"slices"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/types/list"
)

// popWords are the commands that repeat a pop.
var popWords = [...][]byte{list.Head: []byte("LPOP"), list.Tail: []byte("RPOP")}

func pop(name string, end list.End, summary string) *command.Spec {
	return &command.Spec{
		Name: name, Arity: -2, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupList, Since: "1.0.0",
		Summary: summary,
		Args:    []command.Arg{keyArg, {Name: "count", Type: "integer", Since: "6.2.0", Optional: true}},
		Bind:    command.Bind(parsePop(name), runPop(end)),
	}
}

var (
	lPopCommand = pop("lpop", list.Head, "Returns the first elements in a list after removing it. Deletes the list if the last element was popped.")
	rPopCommand = pop("rpop", list.Tail, "Returns and removes the last elements of a list. Deletes the list if the last element was popped.")
)

// popArgs are those of a pop from one key.
type popArgs struct {
	key     []byte
	count   int64
	counted bool
}

func parsePop(name string) func(*args.Parser) popArgs {
	return func(p *args.Parser) popArgs {
		a := popArgs{key: p.Bytes(), count: 1}
		if p.Len() > 1 {
			p.Fail(resp.WrongArgs(name))
		}
		if a.counted = p.More(); a.counted {
			a.count = parseCount(p, resp.ErrNotPositive)
		}
		return a
	}
}

func runPop(end list.End) func(*command.Ctx, popArgs) error {
	return func(c *command.Ctx, a popArgs) error {
		e, v, err := findList(c, a.key)
		if err != nil {
			return err
		}
		switch {
		case v == nil && a.counted:
			c.W.NullArray()
			return nil
		case v == nil:
			c.W.Null()
			return nil
		case a.count == 0:
			c.W.Array(0)
			return nil
		}
		n := int(min(a.count, int64(v.Len())))
		if a.counted {
			replyElements(c, v, end, 0, n)
		} else {
			it := v.From(end, 0)
			it.Next()
			c.W.Bulk(it.Bytes())
		}
		v.Cut(end, n)
		listShrunk(c, e, v, a.key, popEvents[end], n)
		return nil
	}
}

// runMPop pops from the first of several lists that there is.
func runMPop(c *command.Ctx, a mPopArgs) error {
	wait, err := a.timeout.ms(c.Tx.Now)
	if err != nil {
		return err
	}
	end := list.Head
	if a.high {
		end = list.Tail
	}
	for _, key := range a.keys {
		e, v, err := findList(c, key)
		if err != nil {
			return err
		}
		if v == nil {
			continue
		}
		n := int(min(a.count, int64(v.Len())))
		c.W.Array(2)
		c.W.Bulk(key)
		if a.shape == popMulti {
			replyElements(c, v, end, 0, n)
			c.Tx.Effect(popWords[end], key, decimal(int64(n)))
		} else {
			it := v.From(end, 0)
			it.Next()
			c.W.Bulk(it.Bytes())
			c.Tx.Effect(popWords[end], key)
		}
		v.Cut(end, n)
		listShrunk(c, e, v, key, popEvents[end], n)
		return nil
	}
	if !a.timeout.waits || !c.MayBlock() {
		c.W.NullArray()
		return nil
	}
	return c.Block(command.Wait{Keys: a.keys, Type: object.List, Timeout: wait})
}

func blockingPop(name string, end list.End, which string) *command.Spec {
	return &command.Spec{
		Name: name, Arity: -3, Flags: command.Write | command.Blocking, Keys: butLast, Group: command.GroupList, Since: "2.0.0",
		Summary: "Removes and returns the " + which + " element in a list. Blocks until an element is available otherwise. Deletes the list if the last element was popped.",
		Args:    bPopArgs,
		Bind:    command.Bind(parseBPop(end == list.Tail), runMPop),
	}
}

var (
	blPopCommand = blockingPop("blpop", list.Head, "first")
	brPopCommand = blockingPop("brpop", list.Tail, "last")
)

// endArg is LEFT or RIGHT.
func endArg(name string) command.Arg {
	return command.Arg{Name: name, Type: "oneof", Args: []command.Arg{flagArg("left", "LEFT"), flagArg("right", "RIGHT")}}
}

var lMPopArgs = []command.Arg{
	{Name: "numkeys", Type: "integer"},
	{Name: "key", Type: "key", Multiple: true},
	endArg("where"),
	{Name: "count", Type: "integer", Token: "COUNT", Optional: true},
}

var lMPopCommand = &command.Spec{
	Name: "lmpop", Arity: -4, Flags: command.Write | command.MovableKeys, Keys: command.KeySpec{Find: numKeys(1)}, Group: command.GroupList, Since: "7.0.0",
	Summary: "Returns multiple elements from a list after removing them. Deletes the list if the last element was popped.",
	Args:    lMPopArgs,
	Bind:    command.Bind(parseMPop(false, "LEFT", "RIGHT"), runMPop),
}

var blMPopCommand = &command.Spec{
	Name: "blmpop", Arity: -5, Flags: command.Write | command.Blocking | command.MovableKeys, Keys: command.KeySpec{Find: numKeys(2)}, Group: command.GroupList, Since: "7.0.0",
	Summary: "Pops the first element from one of multiple lists. Blocks until an element is available otherwise. Deletes the list if the last element was popped.",
	Args:    slices.Concat([]command.Arg{timeoutArg}, lMPopArgs),
	Bind:    command.Bind(parseMPop(true, "LEFT", "RIGHT"), runMPop),
}
