package commands

import (
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
)

// costCommand is not Redis': a client says what a key costs to make again, for
// the policies that weigh it. Without it the time from a miss to the insertion
// of the key is taken.
var costCommand = &command.Spec{
	Name: "nc.cost", Arity: -2, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupGeneric, Since: "8.2.0",
	Summary: "Tells, or sets, what the value of a key costs to make again, in milliseconds; eviction by lhd weighs it.",
	Args:    []command.Arg{keyArg, {Name: "milliseconds", Type: "integer", Optional: true}},
	Bind:    command.Bind(parseCost, runCost),

	Complexity: "O(1)",
}

type costArgs struct {
	key []byte
	set bool
	ms  int64
}

func parseCost(p *args.Parser) (a costArgs) {
	a.key = p.Bytes()
	if p.More() {
		a.set, a.ms = true, p.Int()
		if a.ms < 0 {
			p.Fail(resp.ErrNotPositive)
		}
	}
	return a
}

// runCost answers, when it sets, 1 where the policy in force keeps the cost and 0
// where it does not; when it asks, the cost, or null where it is not known.
func runCost(c *command.Ctx, a costArgs) error {
	e := c.Tx.Peek(a.key)
	switch {
	case e == nil && a.set:
		c.W.Int(0)
	case e == nil:
		c.W.Null()
	case !a.set:
		if ms, ok := c.Keyspace.Eviction().Cost(e.Access()); ok {
			c.W.Int(ms)
		} else {
			c.W.Null()
		}
	case c.Tx.SetCost(e, a.ms):
		c.Tx.ChangedQuietly(e, store.ClassGeneric, "")
		c.W.Int(1)
	default:
		c.W.Int(0)
	}
	return nil
}
