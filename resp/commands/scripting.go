package commands

import (
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/script"
)

const (
	evalFlags   = command.NoScript | command.SkipMonitor | command.NoMandatoryKeys | command.Stale | command.MovableKeys | command.ScriptRunner
	evalRWFlags = evalFlags | command.MayReplicate
	evalROFlags = evalFlags | command.ReadOnly
)

var scriptCommands = []*command.Spec{
	evalCommand, evalROCommand, evalSHACommand, evalSHAROCommand, scriptCommand, fcallCommand, fcallROCommand, functionCommand,
}

// Errors of scripts.
const (
	errManyKeys    resp.Error = "ERR Number of keys can't be greater than number of args"
	errNegKeys     resp.Error = "ERR Number of keys can't be negative"
	errROWrites    resp.Error = "ERR Can not execute a script with write flag using *_ro command."
	errScriptOOM   resp.Error = "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'"
	errDebugMode   resp.Error = "ERR Use SCRIPT DEBUG YES/SYNC/NO"
	errNoDebugger  resp.Error = "ERR SCRIPT DEBUG: there is no debugger of scripts"
	errScriptFlush resp.Error = "ERR SCRIPT FLUSH only support SYNC|ASYNC option"
)

// callArgs are what all commands that run a script have behind its name.
type callArgs struct{ name, keys, args [][]byte }

func evalArgs(first string) []command.Arg {
	return []command.Arg{
		{Name: first, Type: "string"},
		{Name: "numkeys", Type: "integer"},
		{Name: "key", Type: "key", Optional: true, Multiple: true},
		{Name: "arg", Type: "string", Optional: true, Multiple: true},
	}
}

func evalSpec(name, first, since, summary string, flags command.Flags, find finder) *command.Spec {
	return &command.Spec{
		Name: name, Arity: -3, Flags: flags, Keys: command.KeySpec{Find: numKeys(2)}, Group: command.GroupScripting, Since: since,
		Summary: summary, Args: evalArgs(first), Bind: command.Bind(parseCall(first), runCall(find)),
		Locks: find.locks, FlagsFor: find.flags(flags),
	}
}

var (
	evalCommand      = evalSpec("eval", "script", "2.6.0", "Executes a server-side Lua script.", evalRWFlags, findBody)
	evalROCommand    = evalSpec("eval_ro", "script", "7.0.0", "Executes a read-only server-side Lua script.", evalROFlags, findBody)
	evalSHACommand   = evalSpec("evalsha", "sha1", "2.6.0", "Executes a server-side Lua script by SHA1 digest.", evalRWFlags, findSHA)
	evalSHAROCommand = evalSpec("evalsha_ro", "sha1", "7.0.0", "Executes a read-only server-side Lua script by SHA1 digest.", evalROFlags, findSHA)
	fcallCommand     = evalSpec("fcall", "function", "7.0.0", "Invokes a function.", evalRWFlags, findFunction)
	fcallROCommand   = evalSpec("fcall_ro", "function", "7.0.0", "Invokes a read-only function.", evalROFlags, findFunction)
)

func parseCall(first string) func(*args.Parser) callArgs {
	return func(a *args.Parser) callArgs {
		p := callArgs{name: [][]byte{a.Bytes()}}
		return p.rest(a, first)
	}
}

// rest reads the keys and arguments. What is wrong with them is told after what
// is wrong with the name, where Redis looks at that first.
func (p callArgs) rest(a *args.Parser, first string) callArgs {
	number, rest := a.Bytes(), a.Rest()
	if first == "sha1" && len(p.name[0]) != shaLen {
		a.Fail(resp.ErrNoScript)
	}
	n, ok := resp.ParseInt(number)
	if first == "function" { // its name comes first: see findFunction
		if !ok || n < 0 || n > int64(len(rest)) {
			p.name = append(p.name, number)
			return p
		}
	}
	switch {
	case !ok:
		a.Fail(resp.ErrNotInt)
	case n > int64(len(rest)):
		a.Fail(errManyKeys)
	case n < 0:
		a.Fail(errNegKeys)
	default:
		p.keys, p.args = rest[:n], rest[n:]
	}
	return p
}

const shaLen = 40

// found is a script or a function, and what may be said of it before it runs.
type found struct {
	script *script.Script
	fn     *script.Func
	flags  script.Flags
	plan   *script.Plan
	err    error
}

// finder finds what a command's argument names.
type finder func(e *script.Engine, name []byte) found

func findBody(e *script.Engine, body []byte) found {
	s, err := e.Eval(body)
	if err != nil {
		return found{err: err}
	}
	return found{script: s, flags: s.Flags, plan: s.Plan()}
}

func findSHA(e *script.Engine, sha []byte) found {
	s := e.Find(sha)
	if s == nil {
		return found{err: resp.ErrNoScript}
	}
	return found{script: s, flags: s.Flags, plan: s.Plan()}
}

func findFunction(e *script.Engine, name []byte) found {
	f := e.FindFunc(name)
	if f == nil {
		return found{err: errNoFunction}
	}
	return found{fn: f, flags: f.Flags, plan: f.Plan()}
}

// locks implements command.Spec.Locks. In EXEC what is missing now may be
// loaded by a command before.
func (find finder) locks(c *command.Ctx, argv [][]byte, add func(key []byte)) (all bool) {
	h := hostOf(c)
	h.found = find(c.Scripts, argv[1])
	h.ready = !c.Queue.Open
	if h.found.err != nil {
		return c.Queue.Open
	}
	for _, k := range h.found.plan.Keys {
		add(k)
	}
	return h.found.plan.Wide
}

// flags implements command.Spec.FlagsFor: what a script says of itself comes in
// the place of what may be said of scripts at large.
func (find finder) flags(row command.Flags) func(*command.Ctx, [][]byte) command.Flags {
	return func(c *command.Ctx, argv [][]byte) command.Flags {
		f := find(c.Scripts, argv[1])
		if f.err != nil || f.flags&script.Compat != 0 {
			return row
		}
		flags := row &^ (command.Stale | command.MayReplicate)
		if f.flags.DeniesOOM() {
			flags |= command.DenyOOM
		}
		if f.flags.MayWrite() {
			flags |= command.Write
		}
		if f.flags&script.AllowStale != 0 {
			flags |= command.Stale
		}
		return flags
	}
}

func runCall(find finder) func(*command.Ctx, callArgs) error {
	return func(c *command.Ctx, p callArgs) error {
		h := hostOf(c)
		if !h.ready {
			h.found = find(c.Scripts, p.name[0])
		}
		f := h.found
		h.found, h.ready = found{}, false
		if f.err != nil {
			return f.err
		}
		if len(p.name) > 1 {
			return wrongKeys(p.name[1])
		}
		return h.run(f, p)
	}
}

// host runs commands for the script that a session's command has called.
type host struct {
	c     *command.Ctx
	found found // by locks, for run
	ready bool

	call     script.Call
	out      resp.Writer // replies to the script
	readOnly bool
	anyOOM   bool
}

func hostOf(c *command.Ctx) *host {
	h, ok := c.Script.(*host)
	if !ok {
		h = &host{c: c}
		h.call.Host = h
		c.Script = h
	}
	return h
}

// run checks what Redis checks before a script runs, and runs it.
func (h *host) run(f found, p callArgs) error {
	c := h.c
	ro := c.Spec.Flags&command.ReadOnly != 0
	if f.flags&script.Compat == 0 {
		if f.flags.MayWrite() {
			if err := c.Server.WriteError(); err != nil {
				return err
			}
			if ro {
				return errROWrites
			}
		}
		if c.Full && f.flags.DeniesOOM() {
			return errScriptOOM
		}
	} else if c.Server.Stale() {
		return resp.ErrMasterDown
	}
	h.readOnly = ro || f.flags&script.NoWrites != 0
	h.anyOOM = f.flags&script.AllowOOM != 0
	h.call.W, h.call.Keys, h.call.Args, h.call.Command = c.W, p.keys, p.args, c.Args

	spec, argv, w, inExec, db := c.Spec, c.Args, c.W, c.InExec, c.S.DB
	c.Show(spec, argv) // before the commands of the script
	c.InExec, c.InScript = true, true
	var err error
	if f.script != nil {
		c.Scripts.RunScript(f.script, &h.call)
	} else {
		err = c.Scripts.RunFunc(f.fn, &h.call)
	}
	c.Spec, c.Args, c.W, c.InExec, c.InScript = spec, argv, w, inExec, false
	if c.S.DB != db { // SELECT in a script is the script's
		c.S.Select(db)
	}
	c.Tx.DB = db
	h.call.Keys, h.call.Args, h.call.Command = nil, nil, nil
	h.out.Reset()
	return err
}

// row finds the row of a command that a script calls.
func (h *host) row(argv [][]byte, unknown, arity string) (spec *command.Spec, wrong string) {
	spec = h.c.Table.Find(argv[0])
	if spec != nil && len(spec.Sub) > 0 && len(argv) > 1 {
		spec = spec.Match(argv[1])
	}
	switch {
	case spec == nil:
		return nil, unknown
	case !spec.ArityOK(len(argv)):
		return nil, arity
	}
	return spec, ""
}

// Do implements script.Host, in the order of Redis' scriptCall.
func (h *host) Do(argv [][]byte, proto int) (reply []byte, refused string) {
	c := h.c
	spec, wrong := h.row(argv, "Unknown Redis command called from script", "Wrong number of args calling Redis command from script")
	switch {
	case wrong != "":
		return nil, wrong
	case spec.Flags&command.NoScript != 0:
		return nil, "This Redis command is not allowed from script"
	case spec.Flags&command.Stale == 0 && c.Server.Stale():
		return nil, "Can not execute the command on a stale replica"
	case h.readOnly && spec.Flags&(command.Write|command.MayReplicate) != 0:
		return nil, "Write commands are not allowed from read-only scripts."
	}
	wrote := h.call.Wrote()
	if spec.Flags&command.Write != 0 && !wrote {
		if err := c.Server.WriteError(); err != nil {
			return nil, "-" + resp.ErrorText(err)
		}
	}
	if c.Full && !h.anyOOM && !wrote && spec.Flags&command.DenyOOM != 0 {
		return nil, "-" + string(resp.ErrOOM)
	}
	if !h.holds(spec, argv) {
		return nil, "Script attempted to access a key that its code does not name"
	}
	if spec.Flags&command.Write != 0 {
		h.call.SetWrote()
	}
	h.out.Reset()
	h.out.SetProto(proto)
	c.W = &h.out
	if err := c.Run(spec, argv); err != nil {
		h.out.Error(resp.ErrorText(err))
	}
	return h.out.Bytes(), ""
}

// holds reports whether the shards are held that a command needs. Those of a
// script's plan are; this is so that a mistake in a plan is no race.
func (h *host) holds(spec *command.Spec, argv [][]byte) bool {
	tx := &h.c.Tx
	if spec.Flags&command.Keyless != 0 || tx.HoldsAll() {
		return true
	}
	if spec.NeedsAll() || spec.Locks != nil {
		return false
	}
	held := true
	spec.Keys.Each(argv, func(key []byte) { held = held && tx.Holds(key) })
	return held
}

// Allowed implements script.Host. There is one user, who may do everything.
func (h *host) Allowed(argv [][]byte) (ok bool, wrong string) {
	_, wrong = h.row(argv, "Invalid command passed to redis.acl_check_cmd()", "Wrong number of args for redis.acl_check_cmd()")
	return wrong == "", wrong
}

// Busy implements script.Host.
func (h *host) Busy(reason error) { h.c.Tx.Lend(reason) }

// Gone implements script.Host.
func (h *host) Gone() bool { return h.c.S.Killed() }

// Halted implements script.Host.
func (h *host) Halted() { h.c.Tx.Forget() }

var scriptCommand = &command.Spec{
	Name: "script", Arity: -2, Group: command.GroupScripting, Since: "2.6.0", Summary: "A container for Lua scripts management commands.",
	Sub: []*command.Spec{
		{
			Name: "debug", Arity: 3, Flags: command.NoScript | command.Keyless, Group: command.GroupScripting, Since: "3.2.0",
			Summary: "Sets the debug mode of server-side Lua scripts.",
			Args: []command.Arg{{Name: "mode", Type: "oneof", Args: []command.Arg{
				{Name: "yes", Type: "pure-token", Token: "YES"}, {Name: "sync", Type: "pure-token", Token: "SYNC"}, {Name: "no", Type: "pure-token", Token: "NO"},
			}}},
			Bind: command.Bind(parseScriptDebug, replyOK[struct{}]),
		},
		{
			Name: "exists", Arity: -3, Flags: command.NoScript | command.Keyless, Group: command.GroupScripting, Since: "2.6.0",
			Summary: "Determines whether server-side Lua scripts exist in the script cache.",
			Args:    []command.Arg{{Name: "sha1", Type: "string", Multiple: true}},
			Bind:    command.Bind((*args.Parser).Rest, runScriptExists),
		},
		{
			Name: "flush", Arity: -2, Flags: command.NoScript | command.Keyless, Group: command.GroupScripting, Since: "2.6.0",
			Summary: "Removes all server-side Lua scripts from the script cache.",
			Args:    []command.Arg{flushTypeArg("6.2.0")},
			Bind: command.Bind(parseFlushType(errScriptFlush, nil), func(c *command.Ctx, _ struct{}) error {
				c.Scripts.Flush()
				return replyOK(c, struct{}{})
			}),
		},
		{
			Name: "kill", Arity: 2, Flags: command.NoScript | command.AllowBusy | command.Keyless, Group: command.GroupScripting, Since: "2.6.0",
			Summary: "Terminates a server-side Lua script during execution.",
			Bind:    command.Bind(command.None, runScriptKill(true)),
		},
		{
			Name: "load", Arity: 3, Flags: command.NoScript | command.Stale | command.Keyless, Group: command.GroupScripting, Since: "2.6.0",
			Summary: "Loads a server-side Lua script to the script cache.",
			Args:    []command.Arg{{Name: "script", Type: "string"}},
			Bind:    command.Bind((*args.Parser).Bytes, runScriptLoad),
		},
		helpCommand(command.GroupScripting, "5.0.0", "SCRIPT", []string{
			"DEBUG (YES|SYNC|NO)",
			"    Set the debug mode for subsequent scripts executed.",
			"EXISTS <sha1> [<sha1> ...]",
			"    Return information about the existence of the scripts in the script cache.",
			"FLUSH [ASYNC|SYNC]",
			"    Flush the Lua scripts cache. Very dangerous on replicas.",
			"    When called without the optional mode argument, the behavior is determined by the",
			"    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
			"    * ASYNC: Asynchronously flush the scripts cache.",
			"    * SYNC: Synchronously flush the scripts cache.",
			"KILL",
			"    Kill the currently executing Lua script.",
			"LOAD <script>",
			"    Load a script into the scripts cache without executing it.",
		}),
	},
}

func replyOK[P any](c *command.Ctx, _ P) error {
	c.W.Status("OK")
	return nil
}

func parseScriptDebug(a *args.Parser) (p struct{}) {
	switch {
	case a.Accept("no"):
	case a.Accept("yes"), a.Accept("sync"):
		a.Fail(errNoDebugger)
	default:
		a.Fail(errDebugMode)
	}
	return p
}

func flushTypeArg(since string) command.Arg {
	return command.Arg{Name: "flush-type", Type: "oneof", Since: since, Optional: true, Args: []command.Arg{
		{Name: "async", Type: "pure-token", Token: "ASYNC"}, {Name: "sync", Type: "pure-token", Token: "SYNC"},
	}}
}

// parseFlushType reads ASYNC or SYNC, or nothing. Both take as long here: what
// is flushed is left to the garbage collector. many is the error of more words,
// where it is another one.
func parseFlushType(wrong error, many func(*args.Parser) resp.Error) func(*args.Parser) struct{} {
	return func(a *args.Parser) (p struct{}) {
		switch n := a.Len(); {
		case n == 0:
		case n > 1 && many != nil:
			a.Fail(many(a))
		case n > 1:
			a.Fail(wrong)
		case !a.Accept("sync") && !a.Accept("async"):
			a.Fail(wrong)
		}
		return p
	}
}

func runScriptExists(c *command.Ctx, shas [][]byte) error {
	c.W.Array(len(shas))
	for _, sha := range shas {
		n := int64(0)
		if c.Scripts.Find(sha) != nil {
			n = 1
		}
		c.W.Int(n)
	}
	return nil
}

func runScriptLoad(c *command.Ctx, body []byte) error {
	s, err := c.Scripts.Load(body)
	if err != nil {
		return err
	}
	c.W.BulkString(s.SHA)
	return nil
}

func runScriptKill(eval bool) func(*command.Ctx, struct{}) error {
	return func(c *command.Ctx, _ struct{}) error {
		if err := c.Scripts.Kill(eval); err != nil {
			return err
		}
		return replyOK(c, struct{}{})
	}
}
