package commands

import (
	"math"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
)

var debugCommands = []*command.Spec{
	{
		Name: "debug", Arity: -2, Flags: adminFlags,
		Group: command.GroupServer, Since: "1.0.0", Summary: "A container for debugging commands.",
		Bind: command.Bind((*args.Parser).Rest, runDebug),
	},
}

const errDebugRefused resp.Error = "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server."

// runDebug serves the subcommands of DEBUG that tests of clients use. It is one
// row, as in Redis: without enable-debug-command nothing of it shows.
func runDebug(c *command.Ctx, words [][]byte) error {
	if !c.Server.DebugAllowed(c) {
		return errDebugRefused
	}
	word, arg := words[0], []byte(nil)
	if len(words) == 2 {
		arg = words[1]
	}
	switch {
	case args.EqualFold(word, "help") && len(words) == 1:
		return writeHelp(c, "DEBUG", []string{
			"ERROR <string>",
			"    Return a Redis protocol error with <string> as message. Useful for clients",
			"    unit tests to simulate Redis errors.",
			"PROTOCOL <type>",
			"    Reply with a test value of the specified type. <type> can be: string,",
			"    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
			"    true, false.",
			"SET-ACTIVE-EXPIRE <0|1>",
			"    Setting it to 0 disables expiring keys (and hash-fields) in background ",
			"    when they are not accessed (otherwise the Redis behavior). Setting it",
			"    to 1 reenables back the default.",
			"SLEEP <seconds>",
			"    Stop the server for <seconds>. Decimals allowed.",
		})
	case args.EqualFold(word, "sleep") && arg != nil:
		f, _ := args.ParseFloat(arg)
		debugSleep(c, f)
	case args.EqualFold(word, "set-active-expire") && arg != nil:
		n, _ := resp.ParseInt(arg)
		c.Keyspace.SetActiveExpire(n != 0)
	case args.EqualFold(word, "error") && arg != nil:
		return resp.Error(arg)
	case args.EqualFold(word, "protocol") && arg != nil:
		return debugProtocol(c, arg)
	default:
		return badSubcommand(c)
	}
	c.W.Status("OK")
	return nil
}

// maxSleep keeps a mistyped DEBUG SLEEP from being for ever.
const maxSleep = 3600

// debugSleep stops the server: others wait as under CLIENT PAUSE.
func debugSleep(c *command.Ctx, seconds float64) {
	d := time.Duration(math.Min(max(seconds, 0), maxSleep) * float64(time.Second))
	until := time.Now().Add(d)
	c.Server.Pause(c.Tx.Now+d.Milliseconds(), true)
	for left := d; left > 0 && !c.S.Killed(); left = time.Until(until) {
		time.Sleep(min(left, 20*time.Millisecond))
	}
}

func debugProtocol(c *command.Ctx, kind []byte) error {
	three := func() {
		for i := range int64(3) {
			c.W.Int(i)
		}
	}
	is := func(word string) bool { return args.EqualFold(kind, word) }
	switch {
	case is("string"):
		c.W.BulkString("Hello World")
	case is("integer"):
		c.W.Int(12345)
	case is("double"):
		c.W.Double(3.141)
	case is("null"):
		c.W.Null()
	case is("array"):
		c.W.Array(3)
		three()
	case is("set"):
		c.W.Set(3)
		three()
	case is("map"):
		c.W.Map(3)
		for i := range int64(3) {
			c.W.Int(i)
			c.W.Bool(i == 1)
		}
	case is("attrib"):
		if c.W.Attr(1) {
			c.W.BulkString("key-popularity")
			c.W.Array(2)
			c.W.BulkString("key:123")
			c.W.Int(90)
		}
		c.W.BulkString("Some real reply following the attribute")
	case is("push"):
		if c.W.Proto() == 2 {
			return resp.Error("ERR RESP2 is not supported by this command")
		}
		c.W.Push(2)
		c.W.BulkString("server-cpu-usage")
		c.W.Int(42)
		c.W.BulkString("Some real reply following the push reply")
	case is("true"):
		c.W.Bool(true)
	case is("false"):
		c.W.Bool(false)
	case is("verbatim"):
		c.W.Verbatim("txt", "This is a verbatim\nstring")
	case is("bignum"):
		c.W.BigNumber("1234567999999999999999999999999999999")
	default:
		return resp.Error("ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false")
	}
	return nil
}
