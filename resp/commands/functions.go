package commands

import (
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/script"
	"github.com/nearcache/nearcache/store/glob"
)

// Errors of functions.
const (
	errNoFunction    resp.Error = "ERR Function not found"
	errBadKeys       resp.Error = "ERR Bad number of keys provided"
	errNoLibrary     resp.Error = "ERR Library not found"
	errNoCode        resp.Error = "ERR Function code is missing"
	errNoLibraryName resp.Error = "ERR library name argument was not given"
	errRestorePolicy resp.Error = "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."
	errFunctionFlush resp.Error = "ERR FUNCTION FLUSH only supports SYNC|ASYNC option"
)

// wrongKeys is what FCALL says of a number of keys that is none, or too large.
func wrongKeys(number []byte) error {
	n, ok := resp.ParseInt(number)
	switch {
	case !ok:
		return errBadKeys
	case n < 0:
		return errNegKeys
	}
	return errManyKeys
}

// wrongCount is the error of a subcommand with too many arguments, as Redis
// words it where its table does not know the maximum.
func wrongCount(a *args.Parser) resp.Error {
	return resp.Error("ERR unknown subcommand or wrong number of arguments for '" + string(a.Name()) + "'. Try FUNCTION HELP.")
}

const functionWrite = command.NoScript | command.Write | command.AllShards

var functionCommand = &command.Spec{
	Name: "function", Arity: -2, Group: command.GroupScripting, Since: "7.0.0", Summary: "A container for function commands.",
	Sub: []*command.Spec{
		{
			Name: "delete", Arity: 3, Flags: functionWrite, Group: command.GroupScripting, Since: "7.0.0",
			Summary: "Deletes a library and its functions.",
			Args:    []command.Arg{{Name: "library-name", Type: "string"}},
			Bind:    command.Bind((*args.Parser).String, runFunctionDelete),
		},
		{
			Name: "dump", Arity: 2, Flags: command.NoScript | command.Keyless, Group: command.GroupScripting, Since: "7.0.0",
			Summary: "Dumps all libraries into a serialized binary payload.",
			Bind: command.Bind(command.None, func(c *command.Ctx, _ struct{}) error {
				c.W.Bulk(c.Scripts.Dump())
				return nil
			}),
		},
		{
			Name: "flush", Arity: -2, Flags: functionWrite, Group: command.GroupScripting, Since: "7.0.0",
			Summary: "Deletes all libraries and functions.",
			Args:    []command.Arg{flushTypeArg("")},
			Bind: command.Bind(parseFlushType(errFunctionFlush, wrongCount), func(c *command.Ctx, _ struct{}) error {
				c.Scripts.FlushLibraries()
				return functionChanged(c)
			}),
		},
		{
			Name: "kill", Arity: 2, Flags: command.NoScript | command.AllowBusy | command.Keyless, Group: command.GroupScripting, Since: "7.0.0",
			Summary: "Terminates a function during execution.",
			Bind:    command.Bind(command.None, runScriptKill(false)),
		},
		{
			Name: "list", Arity: -2, Flags: command.NoScript | command.Keyless, Group: command.GroupScripting, Since: "7.0.0",
			Summary: "Returns information about all libraries.",
			Args: []command.Arg{
				{Name: "library-name-pattern", Type: "string", Token: "LIBRARYNAME", Optional: true},
				{Name: "withcode", Type: "pure-token", Token: "WITHCODE", Optional: true},
			},
			Bind: command.Bind(parseFunctionList, runFunctionList),
		},
		{
			Name: "load", Arity: -3, Flags: functionWrite | command.DenyOOM, Group: command.GroupScripting, Since: "7.0.0",
			Summary: "Creates a library.",
			Args: []command.Arg{
				{Name: "replace", Type: "pure-token", Token: "REPLACE", Optional: true}, {Name: "function-code", Type: "string"},
			},
			Bind: command.Bind(parseFunctionLoad, runFunctionLoad),
		},
		{
			Name: "restore", Arity: -3, Flags: functionWrite | command.DenyOOM, Group: command.GroupScripting, Since: "7.0.0",
			Summary: "Restores all libraries from a payload.",
			Args: []command.Arg{
				{Name: "serialized-value", Type: "string"},
				{Name: "policy", Type: "oneof", Optional: true, Args: []command.Arg{
					{Name: "flush", Type: "pure-token", Token: "FLUSH"},
					{Name: "append", Type: "pure-token", Token: "APPEND"},
					{Name: "replace", Type: "pure-token", Token: "REPLACE"},
				}},
			},
			Bind: command.Bind(parseFunctionRestore, runFunctionRestore),
		},
		{
			Name: "stats", Arity: 2, Flags: command.NoScript | command.AllowBusy | command.Keyless, Group: command.GroupScripting, Since: "7.0.0",
			Summary: "Returns information about a function during execution.",
			Bind:    command.Bind(command.None, runFunctionStats),
		},
		helpCommand(command.GroupScripting, "7.0.0", "FUNCTION", []string{
			"LOAD [REPLACE] <FUNCTION CODE>",
			"    Create a new library with the given library name and code.",
			"DELETE <LIBRARY NAME>",
			"    Delete the given library.",
			"LIST [LIBRARYNAME PATTERN] [WITHCODE]",
			"    Return general information on all the libraries:",
			"    * Library name",
			"    * The engine used to run the Library",
			"    * Functions list",
			"    * Library code (if WITHCODE is given)",
			"    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
			"STATS",
			"    Return information about the current function running:",
			"    * Function name",
			"    * Command used to run the function",
			"    * Duration in MS that the function is running",
			"    If no function is running, return nil",
			"    In addition, returns a list of available engines.",
			"KILL",
			"    Kill the current running function.",
			"FLUSH [ASYNC|SYNC]",
			"    Delete all the libraries.",
			"    When called without the optional mode argument, the behavior is determined by the",
			"    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
			"    * ASYNC: Asynchronously flush the libraries.",
			"    * SYNC: Synchronously flush the libraries.",
			"DUMP",
			"    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command",
			"RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
			"    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
			"    control how to handle existing libraries (default APPEND):",
			"    * FLUSH: delete all existing libraries.",
			"    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
			"    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
			"      libraries with the new libraries (notice that even on this option there is a chance of failure",
			"      in case of functions name collision with another library).",
		}),
	},
}

// functionChanged tells the log of a change to the libraries: the command itself
// repeats it.
func functionChanged(c *command.Ctx) error {
	c.Tx.Effect(c.Args...)
	return replyOK(c, struct{}{})
}

func runFunctionDelete(c *command.Ctx, name string) error {
	if !c.Scripts.DeleteLibrary(name) {
		return errNoLibrary
	}
	return functionChanged(c)
}

type functionList struct {
	pattern  []byte
	filtered bool
	code     bool
}

func parseFunctionList(a *args.Parser) (p functionList) {
	for a.More() {
		switch {
		case !p.code && a.Accept("withcode"):
			p.code = true
		case !p.filtered && a.Accept("libraryname"):
			if !a.More() {
				a.Fail(errNoLibraryName)
			}
			p.pattern, p.filtered = a.Bytes(), true
		default:
			a.Fail(resp.Error("ERR Unknown argument " + a.String()))
		}
	}
	return p
}

func runFunctionList(c *command.Ctx, p functionList) error {
	libs := c.Scripts.Libraries()
	if p.filtered {
		kept := libs[:0]
		for _, lib := range libs {
			if glob.MatchFold(string(p.pattern), lib.Name) {
				kept = append(kept, lib)
			}
		}
		libs = kept
	}
	w := c.W
	w.Array(len(libs))
	for _, lib := range libs {
		n := 3
		if p.code {
			n = 4
		}
		w.Map(n)
		w.BulkString("library_name")
		w.BulkString(lib.Name)
		w.BulkString("engine")
		w.BulkString("LUA")
		w.BulkString("functions")
		w.Array(len(lib.Funcs))
		for _, f := range lib.Funcs {
			w.Map(3)
			w.BulkString("name")
			w.BulkString(f.Name)
			w.BulkString("description")
			if f.HasDesc() {
				w.BulkString(f.Desc)
			} else {
				w.Null()
			}
			w.BulkString("flags")
			flags := f.Flags.Names()
			w.Set(len(flags))
			for _, name := range flags {
				w.Status(name)
			}
		}
		if p.code {
			w.BulkString("library_code")
			w.BulkString(lib.Code)
		}
	}
	return nil
}

type functionLoad struct {
	code    []byte
	replace bool
}

func parseFunctionLoad(a *args.Parser) (p functionLoad) {
	for a.Len() > 1 {
		if !a.Accept("replace") {
			a.Fail(resp.Error("ERR Unknown option given: " + a.String()))
			return p
		}
		p.replace = true
	}
	p.code = a.Bytes()
	return p
}

func runFunctionLoad(c *command.Ctx, p functionLoad) error {
	name, err := c.Scripts.LoadLibrary(string(p.code), p.replace)
	if err != nil {
		return err
	}
	c.Tx.Effect(c.Args...)
	c.W.BulkString(name)
	return nil
}

type functionRestore struct {
	payload []byte
	policy  script.Policy
}

func parseFunctionRestore(a *args.Parser) (p functionRestore) {
	p.payload = a.Bytes()
	switch n := a.Len(); {
	case n == 0:
	case n > 1:
		a.Fail(wrongCount(a))
	case a.Accept("append"):
	case a.Accept("replace"):
		p.policy = script.Replace
	case a.Accept("flush"):
		p.policy = script.FlushFirst
	default:
		a.Fail(errRestorePolicy)
	}
	return p
}

func runFunctionRestore(c *command.Ctx, p functionRestore) error {
	if err := c.Scripts.Restore(p.payload, p.policy); err != nil {
		return err
	}
	return functionChanged(c)
}

func runFunctionStats(c *command.Ctx, _ struct{}) error {
	r, err := c.Scripts.Running()
	if err != nil {
		return err
	}
	w := c.W
	w.Map(2)
	w.BulkString("running_script")
	if r == nil {
		w.Null()
	} else {
		w.Map(3)
		w.BulkString("name")
		w.BulkString(r.Name)
		w.BulkString("command")
		w.Array(len(r.Command))
		for _, a := range r.Command {
			w.BulkString(a)
		}
		w.BulkString("duration_ms")
		w.Int(r.For.Milliseconds())
	}
	stats := c.Scripts.Stats()
	w.BulkString("engines")
	w.Map(1)
	w.BulkString("LUA")
	w.Map(2)
	w.BulkString("libraries_count")
	w.Int(int64(stats.Libraries))
	w.BulkString("functions_count")
	w.Int(int64(stats.Functions))
	return nil
}
