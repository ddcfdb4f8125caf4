package commands

import (
	"strconv"
	"strings"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
)

const (
	adminFlags    = command.Admin | command.NoScript | command.Loading | command.Stale | command.Keyless
	anytimeFlags  = command.Loading | command.Stale | command.Keyless
	anytimeFast   = anytimeFlags | command.Fast
	containerFlag = command.Keyless
)

var serverCommands = []*command.Spec{
	aclCommand,
	bgRewriteAOFCommand,
	bgSaveCommand,
	latencyCommand,
	lolwutCommand,
	monitorCommand,
	slowLogCommand,
	{
		Name: "config", Arity: -2, Flags: containerFlag,
		Group: command.GroupServer, Since: "2.0.0", Summary: "A container for server configuration commands.",
		Sub: []*command.Spec{
			{
				Name: "get", Arity: -3, Flags: adminFlags,
				Group: command.GroupServer, Since: "2.0.0", Summary: "Returns the effective values of configuration parameters.",
				Args: []command.Arg{{Name: "parameter", Type: "string", Multiple: true}},
				Bind: command.Bind((*args.Parser).Rest, runConfigGet),
			},
			helpCommand(command.GroupServer, "5.0.0", "CONFIG", []string{
				"GET <pattern>",
				"    Return parameters matching the glob-like <pattern> and their values.",
				"SET <directive> <value>",
				"    Set the configuration <directive> to <value>.",
				"RESETSTAT",
				"    Reset statistics reported by the INFO command.",
				"REWRITE",
				"    Rewrite the configuration file.",
			}),
			{
				Name: "resetstat", Arity: 2, Flags: adminFlags,
				Group: command.GroupServer, Since: "2.0.0", Summary: "Resets the server's statistics.",
				Bind: command.Bind(command.None, runConfigResetStat),
			},
			{
				Name: "rewrite", Arity: 2, Flags: adminFlags,
				Group: command.GroupServer, Since: "2.8.0", Summary: "Persists the effective configuration to file.",
				Bind: command.Bind(command.None, runConfigRewrite),
			},
			{
				Name: "set", Arity: -4, Flags: adminFlags,
				Group: command.GroupServer, Since: "2.0.0", Summary: "Sets configuration parameters in-flight.",
				Args: []command.Arg{{Name: "data", Type: "block", Multiple: true, Args: []command.Arg{
					{Name: "parameter", Type: "string"},
					{Name: "value", Type: "string"},
				}}},
				Bind: command.Bind(parseConfigSet, runConfigSet),
			},
		},
	},
	hotKeysCommand,
	{
		Name: "info", Arity: -1, Flags: anytimeFlags,
		Group: command.GroupServer, Since: "1.0.0", Summary: "Returns information and statistics about the server.",
		Args: []command.Arg{{Name: "section", Type: "string", Optional: true, Multiple: true}},
		Bind: command.Bind((*args.Parser).Rest, runInfo),
	},
	{
		Name: "lastsave", Arity: 1, Flags: anytimeFast,
		Group: command.GroupServer, Since: "1.0.0", Summary: "Returns the Unix timestamp of the last successful save to disk.",
		Bind: command.Bind(command.None, runLastSave),
	},
	{
		Name: "module", Arity: -2, Flags: containerFlag,
		Group: command.GroupServer, Since: "4.0.0", Summary: "A container for module commands.",
		Sub: []*command.Spec{
			helpCommand(command.GroupServer, "5.0.0", "MODULE", []string{
				"LIST",
				"    Return a list of loaded modules.",
			}),
			{
				Name: "list", Arity: 2, Flags: command.Admin | command.NoScript | command.Keyless,
				Group: command.GroupServer, Since: "4.0.0", Summary: "Returns all loaded modules.",
				Bind: command.Bind(command.None, runModuleList),
			},
			refusedModule("load", -3, "4.0.0", "Loads a module.",
				command.Arg{Name: "path", Type: "string"},
				command.Arg{Name: "arg", Type: "string", Optional: true, Multiple: true}),
			refusedModule("loadex", -3, "7.0.0", "Loads a module using extended parameters.",
				command.Arg{Name: "path", Type: "string"},
				command.Arg{Name: "configs", Type: "block", Token: "CONFIG", Optional: true, Multiple: true, MultipleToken: true, Args: []command.Arg{
					{Name: "name", Type: "string"},
					{Name: "value", Type: "string"},
				}},
				command.Arg{Name: "args", Type: "string", Token: "ARGS", Optional: true, Multiple: true}),
			refusedModule("unload", 3, "4.0.0", "Unloads a module.", command.Arg{Name: "name", Type: "string"}),
		},
	},
	{
		Name: "role", Arity: 1, Flags: command.NoScript | anytimeFast,
		Group: command.GroupServer, Since: "2.8.12", Summary: "Returns the replication role.",
		Bind: command.Bind(command.None, runRole),
	},
	saveCommand,
	{
		Name: "shutdown", Arity: -1, Flags: adminFlags | command.NoMulti | command.AllowBusy,
		Group: command.GroupServer, Since: "1.0.0", Summary: "Synchronously saves the database(s) to disk and shuts down the Redis server.",
		Args: []command.Arg{
			{Name: "save-selector", Type: "oneof", Optional: true, Args: []command.Arg{
				{Name: "nosave", Type: "pure-token", Token: "NOSAVE"},
				{Name: "save", Type: "pure-token", Token: "SAVE"},
			}},
			{Name: "now", Type: "pure-token", Token: "NOW", Since: "7.0.0", Optional: true},
			{Name: "force", Type: "pure-token", Token: "FORCE", Since: "7.0.0", Optional: true},
			{Name: "abort", Type: "pure-token", Token: "ABORT", Since: "7.0.0", Optional: true},
		},
		Bind: command.Bind(parseShutdown, runShutdown),
	},
	{
		Name: "time", Arity: 1, Flags: anytimeFast,
		Group: command.GroupServer, Since: "2.6.0", Summary: "Returns the server time.",
		Bind: command.Bind(command.None, runTime),
	},
	{
		Name: "wait", Arity: 3, Flags: command.Blocking | command.Keyless,
		Group: command.GroupGeneric, Since: "3.0.0", Summary: "Blocks until the asynchronous replication of all preceding write commands sent by the connection is completed.",
		Args: []command.Arg{{Name: "numreplicas", Type: "integer"}, {Name: "timeout", Type: "integer"}},
		Bind: command.Bind(parseWait, runWait),
	},
	waitAOFCommand,
}

// helpCommand is the HELP subcommand of a container.
func helpCommand(g command.Group, since, container string, lines []string) *command.Spec {
	return &command.Spec{
		Name: "help", Arity: 2, Flags: anytimeFlags,
		Group: g, Since: since, Summary: "Returns helpful text about the different subcommands.",
		Bind: command.Bind(command.None, func(c *command.Ctx, _ struct{}) error { return writeHelp(c, container, lines) }),
	}
}

func writeHelp(c *command.Ctx, container string, lines []string) error {
	c.W.Array(len(lines) + 3)
	c.W.Status(container + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
	for _, l := range lines {
		c.W.Status(l)
	}
	c.W.Status("HELP")
	c.W.Status("    Print this help.")
	return nil
}

// badSubcommand is the error of a subcommand that exists but was given too
// much, where its arity cannot say so.
func badSubcommand(c *command.Ctx) error {
	word := c.Args[1]
	return resp.Error("ERR unknown subcommand or wrong number of arguments for '" + string(word[:min(len(word), 128)]) +
		"'. Try " + strings.ToUpper(string(c.Args[0])) + " HELP.")
}

func runConfigGet(c *command.Ctx, patterns [][]byte) error {
	seen := map[string]bool{}
	var names, values []string
	for _, p := range patterns {
		c.Server.ConfigGet(string(p), func(name, value string) {
			if !seen[name] {
				seen[name] = true
				names, values = append(names, name), append(values, value)
			}
		})
	}
	c.W.Map(len(names))
	for i := range names {
		c.W.BulkString(names[i])
		c.W.BulkString(values[i])
	}
	return nil
}

func runConfigResetStat(c *command.Ctx, _ struct{}) error {
	c.Server.ConfigResetStat()
	c.W.Status("OK")
	return nil
}

func runConfigRewrite(c *command.Ctx, _ struct{}) error {
	if err := c.Server.ConfigRewrite(); err != nil {
		return err
	}
	c.W.Status("OK")
	return nil
}

func parseConfigSet(a *args.Parser) [][2]string {
	if a.Len()%2 != 0 {
		a.Fail(resp.ErrSyntax)
	}
	var pairs [][2]string
	for a.More() {
		pairs = append(pairs, [2]string{a.String(), a.String()})
	}
	return pairs
}

func runConfigSet(c *command.Ctx, pairs [][2]string) error {
	if err := c.Server.ConfigSet(c, pairs); err != nil {
		return err
	}
	c.W.Status("OK")
	return nil
}

func runInfo(c *command.Ctx, sections [][]byte) error {
	var names []string
	for _, s := range sections {
		names = append(names, string(s))
	}
	c.Meter.Flush()
	c.W.Verbatim("txt", c.Server.Info(names))
	return nil
}

func runLastSave(c *command.Ctx, _ struct{}) error {
	c.W.Int(c.Server.LastSave())
	return nil
}

func runModuleList(c *command.Ctx, _ struct{}) error {
	writeModules(c)
	return nil
}

func runRole(c *command.Ctx, _ struct{}) error {
	if m, ok := c.Server.Master(); ok {
		c.W.Array(5)
		c.W.BulkString("slave")
		c.W.BulkString(m.Host)
		c.W.Int(int64(m.Port))
		c.W.BulkString(m.State)
		c.W.Int(m.Offset)
		return nil
	}
	replicas, offset := c.Server.Replicas()
	c.W.Array(3)
	c.W.BulkString("master")
	c.W.Int(offset)
	c.W.Array(len(replicas))
	for _, r := range replicas {
		c.W.Array(3)
		c.W.BulkString(r.Host)
		c.W.BulkString(strconv.Itoa(r.Port))
		c.W.BulkString(strconv.FormatInt(r.Offset, 10))
	}
	return nil
}

// refusedModule is a subcommand of MODULE that is refused, as Redis refuses it
// without enable-module-command. Modules cannot be loaded at all here.
func refusedModule(name string, arity int, since, summary string, arguments ...command.Arg) *command.Spec {
	return &command.Spec{
		Name: name, Arity: arity, Flags: command.Admin | command.NoScript | command.NoAsyncLoading | command.Keyless,
		Group: command.GroupServer, Since: since, Summary: summary, Args: arguments,
		Bind: command.Bind((*args.Parser).Rest, func(*command.Ctx, [][]byte) error { return errModuleRefused }),
	}
}

const errModuleRefused resp.Error = "ERR MODULE command not allowed. If the enable-module-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server."

type shutdown struct{ save, nosave, now, force, abort bool }

func parseShutdown(a *args.Parser) shutdown {
	var s shutdown
	for a.More() {
		switch {
		case a.Accept("nosave"):
			s.nosave = true
		case a.Accept("save"):
			s.save = true
		case a.Accept("now"):
			s.now = true
		case a.Accept("force"):
			s.force = true
		case a.Accept("abort"):
			s.abort = true
		default:
			a.Fail(resp.ErrSyntax)
		}
	}
	if s.save && s.nosave || s.abort && (s.save || s.nosave || s.now || s.force) {
		a.Fail(resp.ErrSyntax)
	}
	return s
}

func runShutdown(c *command.Ctx, s shutdown) error {
	if s.abort {
		if !c.Server.AbortShutdown() {
			return resp.Error("ERR No shutdown in progress.")
		}
		c.W.Status("OK")
		return nil
	}
	how := command.Shutdown{Now: s.now, Force: s.force}
	switch {
	case s.save:
		how.Mode = command.ShutdownSave
	case s.nosave:
		how.Mode = command.ShutdownNoSave
	}
	if !c.MayBlock() {
		if !s.now {
			return resp.Error("ERR SHUTDOWN without NOW or ABORT isn't allowed for DENY BLOCKING client")
		}
		c.Server.Shutdown(how, func() {})
		c.S.CloseAfter = true // and no reply
		return nil
	}
	c.BlockFirmly(func(w *resp.Writer) {
		w.Error("ERR Errors trying to SHUTDOWN. Check logs.")
	}, func(end func()) (stop func()) {
		return c.Server.Shutdown(how, end)
	})
	return nil
}

func runTime(c *command.Ctx, _ struct{}) error {
	us := c.Tx.Now * 1000
	if now := time.Now().UnixMicro(); now/1000 == c.Tx.Now { // the keyspace's clock is the real one
		us = now
	}
	c.W.Array(2)
	c.W.BulkString(strconv.FormatInt(us/1e6, 10))
	c.W.BulkString(strconv.FormatInt(us%1e6, 10))
	return nil
}

type wait struct{ replicas, timeout int64 }

func parseWait(a *args.Parser) wait {
	return wait{replicas: a.Int(), timeout: parseMillis(a)}
}

const errWaitReplica resp.Error = "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated."

// runWait waits until replicas have what the client has written.
func runWait(c *command.Ctx, p wait) error {
	if _, ok := c.Server.Master(); ok {
		return errWaitReplica
	}
	offset := c.S.Sent.Load()
	reply := func(w *resp.Writer) { w.Int(c.Server.ReplicasAt(offset, false)) }
	if c.Server.ReplicasAt(offset, false) >= p.replicas || !c.MayBlock() {
		reply(c.W)
		return nil
	}
	c.BlockUntil(p.timeout, reply, func(end func()) (stop func()) {
		return c.Server.AwaitReplicas(offset, p.replicas, false, end)
	})
	return nil
}
