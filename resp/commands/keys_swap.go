package commands

import (
	"math"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
)

// swapCommand exchanges pointers only, but of every shard: it holds them all.
var swapCommand = &command.Spec{
	Name: "swapdb", Arity: 3, Flags: command.Write | command.Fast | command.AllShards, Group: command.GroupServer, Since: "4.0.0",
	Summary: "Swaps two Redis databases.",
	Args:    []command.Arg{{Name: "index1", Type: "integer"}, {Name: "index2", Type: "integer"}},
	Bind:    command.Bind(parseSwap, runSwap),
}

func parseSwap(p *args.Parser) (dbs [2]int) {
	for i, err := range [2]resp.Error{"ERR invalid first DB index", "ERR invalid second DB index"} {
		n, ok := resp.ParseInt(p.Bytes())
		if !ok || n < math.MinInt32 || n > math.MaxInt32 {
			p.Fail(err)
		}
		dbs[i] = int(n)
	}
	for _, n := range dbs {
		if n < 0 || n >= store.Databases {
			p.Fail(resp.ErrDBIndex)
		}
	}
	return dbs
}

func runSwap(c *command.Ctx, dbs [2]int) error {
	c.Tx.Swap(dbs[0], dbs[1])
	c.W.Status("OK")
	return nil
}
