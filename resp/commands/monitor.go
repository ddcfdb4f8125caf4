package commands

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
)

var monitorCommand = &command.Spec{
	Name: "monitor", Arity: 1, Flags: adminFlags,
	Group: command.GroupServer, Since: "1.0.0", Summary: "Listens for all requests received by the server in real-time.",
	Bind: command.Bind(command.None, runMonitor),
}

func runMonitor(c *command.Ctx, _ struct{}) error {
	if c.InExec {
		return resp.Error("ERR MONITOR isn't allowed for DENY BLOCKING client")
	}
	c.S.Monitoring.Store(true)
	c.Table.Observer.Monitor.Add(c.S)
	c.W.Status("OK")
	return nil
}

var lolwutCommand = &command.Spec{
	Name: "lolwut", Arity: -1, Flags: command.ReadOnly | command.Fast | command.Keyless,
	Group: command.GroupServer, Since: "5.0.0", Summary: "Displays computer art and the Redis version",
	Args: []command.Arg{{Name: "version", Type: "integer", Token: "VERSION", Optional: true}},
	Bind: command.Bind(parseLolwut, runLolwut),
}

func parseLolwut(a *args.Parser) struct{} {
	if a.Len() >= 2 && a.Accept("VERSION") {
		a.Int()
	}
	a.Rest() // of Redis' own pieces
	return struct{}{}
}

// runLolwut draws a labyrinth by lots.
func runLolwut(c *command.Ctx, _ struct{}) error {
	var b strings.Builder
	for range 12 {
		for range 60 {
			b.WriteRune([]rune("╱╲")[rand.IntN(2)])
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "\nnearcache %s, Redis ver. %s\n", command.Version, command.RedisVersion)
	c.W.Verbatim("txt", b.String())
	return nil
}
