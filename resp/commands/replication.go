package commands

import (
	"strconv"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
)

var replicationCommands = []*command.Spec{
	replicaOf("replicaof", "5.0.0", "Configures a server as replica of another, or promotes it to a master."),
	replicaOf("slaveof", "1.0.0", "Sets a Redis server as a replica of another, or promotes it to being a master."),
	replConfCommand,
	pSyncCommand,
	syncCommand,
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

var replConfCommand = &command.Spec{
	Name: "replconf", Arity: -1, Flags: command.Admin | command.NoScript | command.Loading | command.Stale | command.AllowBusy | command.Keyless,
	Group: command.GroupServer, Since: "3.0.0", Summary: "An internal command for configuring the replication stream.",
	Bind: command.Bind((*args.Parser).Rest, runReplConf),
}

// maxHost is the longest address that a replica may give.
const maxHost = 255

// runReplConf takes what somebody says who will be a replica. What one says that is, does
// not come here.
func runReplConf(c *command.Ctx, words [][]byte) error {
	if len(words)%2 != 0 {
		return resp.ErrSyntax
	}
	p := &c.S.Peer
	for ; len(words) > 0; words = words[2:] {
		name, value := words[0], words[1]
		switch {
		case args.EqualFold(name, "listening-port"):
			n, ok := resp.ParseInt(value)
			if !ok {
				return resp.ErrNotInt
			}
			p.Port = int(n)
		case args.EqualFold(name, "ip-address"):
			if len(value) > maxHost {
				return resp.Error("ERR REPLCONF ip-address provided by replica instance is too long: " + strconv.Itoa(len(value)) + " bytes")
			}
			p.Host = string(value)
		case args.EqualFold(name, "capa"):
			p.EOF = p.EOF || args.EqualFold(value, "eof")
			p.PSync2 = p.PSync2 || args.EqualFold(value, "psync2")
		case args.EqualFold(name, "rdb-only"):
			n, ok := resp.ParseInt(value)
			switch {
			case !ok:
				return resp.ErrNotInt
			case n < 0 || n > 1:
				return resp.Error("ERR value is out of range, value must between 0 and 1")
			}
			p.CopyOne = n == 1
		case args.EqualFold(name, "ack"), args.EqualFold(name, "getack"): // which have no reply
			return nil
		default:
			return resp.Error("ERR Unrecognized REPLCONF option: " + string(name))
		}
	}
	c.W.Status("OK")
	return nil
}

const syncFlags = command.Admin | command.NoScript | command.NoAsyncLoading | command.NoMulti | command.Keyless

var pSyncCommand = &command.Spec{
	Name: "psync", Arity: -3, Flags: syncFlags, Group: command.GroupServer, Since: "2.8.0", Summary: "An internal command used in replication.",
	Args: []command.Arg{{Name: "replicationid", Type: "string"}, {Name: "offset", Type: "integer"}},
	Bind: command.Bind((*args.Parser).Rest, runPSync),
}

func runPSync(c *command.Ctx, words [][]byte) error {
	offset, ok := resp.ParseInt(words[1])
	if !ok {
		return resp.ErrNotInt
	}
	return c.Server.Sync(c, command.SyncRequest{PSync: true, ID: string(words[0]), Offset: offset})
}

var syncCommand = &command.Spec{
	Name: "sync", Arity: 1, Flags: syncFlags, Group: command.GroupServer, Since: "1.0.0", Summary: "An internal command used in replication.",
	Bind: command.Bind(command.None, runSync),
}

func runSync(c *command.Ctx, _ struct{}) error { return c.Server.Sync(c, command.SyncRequest{}) }
