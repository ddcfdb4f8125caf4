package commands

import (
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
)

var replicationCommands = []*command.Spec{
	replicaOf("replicaof", "5.0.0", "Configures a server as replica of another, or promotes it to a master."),
	replicaOf("slaveof", "1.0.0", "Sets a Redis server as a replica of another, or promotes it to being a master."),
}

func replicaOf(name, since, summary string) *command.Spec {
	return &command.Spec{
		Name: name, Arity: 3, Flags: command.Admin | command.NoScript | command.Stale | command.NoAsyncLoading | command.Keyless,
		Group: command.GroupServer, Since: since, Summary: summary,
		Args: []command.Arg{{Name: "args", Type: "oneof", Args: []command.Arg{
			{Name: "host-port", Type: "block", Args: []command.Arg{{Name: "host", Type: "string"}, {Name: "port", Type: "integer"}}},
			{Name: "no-one", Type: "block", Args: []command.Arg{{Name: "no", Type: "pure-token", Token: "NO"}, {Name: "one", Type: "pure-token", Token: "ONE"}}},
		}}},
		Bind: command.Bind((*args.Parser).Rest, runReplicaOf),
	}
}

const errReplicaRefused resp.Error = "ERR REPLICAOF command not allowed. If the enable-outgoing-connections option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server."

func runReplicaOf(c *command.Ctx, words [][]byte) error {
	if args.EqualFold(words[0], "no") && args.EqualFold(words[1], "one") {
		c.Server.ReplicaOf("", 0, !c.InExec)
		c.W.Status("OK")
		return nil
	}
	port, ok := resp.ParseInt(words[1])
	switch {
	case !ok || port < 0 || port > 65535:
		return resp.Error("ERR Invalid master port")
	case !c.Server.ConnectAllowed(c):
		return errReplicaRefused
	}
	if c.Server.ReplicaOf(string(words[0]), int(port), !c.InExec) {
		c.W.Status("OK Already connected to specified master")
		return nil
	}
	c.W.Status("OK")
	return nil
}
