package commands

import (
	"math"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
)

const logFlags = command.Admin | command.Loading | command.Stale | command.Keyless

var slowLogCommand = &command.Spec{
	Name: "slowlog", Arity: -2, Flags: containerFlag,
	Group: command.GroupServer, Since: "2.2.12", Summary: "A container for slow log commands.",
	Sub: []*command.Spec{
		{
			Name: "get", Arity: -2, Flags: logFlags,
			Group: command.GroupServer, Since: "2.2.12", Summary: "Returns the slow log's entries.",
			Args: []command.Arg{{Name: "count", Type: "integer", Optional: true}},
			Bind: command.Bind((*args.Parser).Rest, runSlowLogGet),
		},
		{
			Name: "help", Arity: 2, Flags: anytimeFlags,
			Group: command.GroupServer, Since: "6.2.0", Summary: "Show helpful text about the different subcommands",
			Bind: command.Bind(command.None, func(c *command.Ctx, _ struct{}) error {
				return writeHelp(c, "SLOWLOG", []string{
					"GET [<count>]",
					"    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
					"    Entries are made of:",
					"    id, timestamp, time in microseconds, arguments array, client IP and port,",
					"    client name",
					"LEN",
					"    Return the length of the slowlog.",
					"RESET",
					"    Reset the slowlog.",
				})
			}),
		},
		{
			Name: "len", Arity: 2, Flags: logFlags,
			Group: command.GroupServer, Since: "2.2.12", Summary: "Returns the number of entries in the slow log.",
			Bind: command.Bind(command.None, func(c *command.Ctx, _ struct{}) error {
				c.W.Int(int64(c.Table.Observer.Slow.Len()))
				return nil
			}),
		},
		{
			Name: "reset", Arity: 2, Flags: logFlags,
			Group: command.GroupServer, Since: "2.2.12", Summary: "Clears all entries from the slow log.",
			Bind: command.Bind(command.None, func(c *command.Ctx, _ struct{}) error {
				c.Table.Observer.Slow.Clear()
				c.W.Status("OK")
				return nil
			}),
		},
	},
}

func runSlowLogGet(c *command.Ctx, words [][]byte) error {
	n := int64(10)
	switch len(words) {
	case 0:
	case 1:
		var ok bool
		if n, ok = resp.ParseInt(words[0]); !ok || n < -1 {
			return resp.Error("ERR count should be greater than or equal to -1")
		}
	default:
		return badSubcommand(c)
	}
	entries := c.Table.Observer.Slow.Last(int(min(n, math.MaxInt32)))
	c.W.Array(len(entries))
	for _, e := range entries {
		c.W.Array(7)
		c.W.Int(e.ID)
		c.W.Int(e.Unix)
		c.W.Int(e.Micros)
		c.W.Array(len(e.Args))
		for _, a := range e.Args {
			c.W.BulkString(a)
		}
		c.W.BulkString(e.Addr)
		c.W.BulkString(e.Name)
		c.W.Int(int64(e.ArgCount))
	}
	return nil
}
