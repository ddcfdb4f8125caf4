package commands

import (
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
)

var memoryCommand = &command.Spec{
	Name: "memory", Arity: -2, Flags: containerFlag, Group: command.GroupServer, Since: "4.0.0",
	Summary: "A container for memory diagnostics commands.",
	Sub: []*command.Spec{
		{
			Name: "doctor", Arity: 2, Flags: command.Keyless, Group: command.GroupServer, Since: "4.0.0",
			Summary: "Outputs a memory problems report.",
			Bind: command.Bind(command.None, func(c *command.Ctx, _ struct{}) error {
				c.W.Verbatim("txt", c.Server.MemoryDoctor())
				return nil
			}),
		},
		helpCommand(command.GroupServer, "4.0.0", "MEMORY", []string{
			"DOCTOR",
			"    Return memory problems reports.",
			"MALLOC-STATS",
			"    Return internal statistics report from the memory allocator.",
			"PURGE",
			"    Attempt to purge dirty pages for reclamation by the allocator.",
			"STATS",
			"    Return information about the memory usage of the server.",
			"USAGE <key> [SAMPLES <count>]",
			"    Return memory in bytes used by <key> and its value. Nested values are",
			"    sampled up to <count> times (default: 5, 0 means sample all).",
		}),
		{
			Name: "malloc-stats", Arity: 2, Flags: command.Keyless, Group: command.GroupServer, Since: "4.0.0",
			Summary: "Returns the allocator statistics.",
			Bind: command.Bind(command.None, func(c *command.Ctx, _ struct{}) error {
				c.W.Verbatim("txt", c.Server.MallocStats())
				return nil
			}),
		},
		{
			Name: "purge", Arity: 2, Flags: command.Keyless, Group: command.GroupServer, Since: "4.0.0",
			Summary: "Asks the allocator to release memory.",
			Bind: command.Bind(command.None, func(c *command.Ctx, _ struct{}) error {
				c.Server.PurgeMemory()
				c.W.Status("OK")
				return nil
			}),
		},
		{
			Name: "stats", Arity: 2, Group: command.GroupServer, Since: "4.0.0",
			Summary: "Returns details about memory usage.",
			Bind: command.Bind(command.None, func(c *command.Ctx, _ struct{}) error {
				writeFigures(c, c.Server.MemoryStats())
				return nil
			}),
		},
		{
			Name: "usage", Arity: -3, Flags: command.ReadOnly, Keys: command.SubKey, Group: command.GroupServer, Since: "4.0.0",
			Summary: "Estimates the memory usage of a key.",
			Args:    []command.Arg{keyArg, {Name: "count", Type: "integer", Token: "SAMPLES", Optional: true}},
			Bind:    command.Bind(parseMemoryUsage, runMemoryUsage),
		},
	},
}

func writeFigures(c *command.Ctx, l []command.Figure) {
	c.W.Map(len(l))
	for _, x := range l {
		c.W.BulkString(x.Name)
		switch v := x.Value.(type) {
		case int64:
			c.W.Int(v)
		case float64:
			c.W.Double(v)
		case []command.Figure:
			writeFigures(c, v)
		}
	}
}

func parseMemoryUsage(p *args.Parser) []byte {
	key := p.Bytes()
	for p.More() {
		// Sizes are kept, not sampled: the count is only checked.
		if !p.Accept("SAMPLES") || p.Int() < 0 {
			p.Fail(resp.ErrSyntax)
		}
	}
	return key
}

func runMemoryUsage(c *command.Ctx, key []byte) error {
	if e := c.Tx.Peek(key); e != nil {
		c.W.Int(int64(e.Size()))
	} else {
		c.W.Null()
	}
	return nil
}
