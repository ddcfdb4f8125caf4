package commands

import (
	"math"
	"slices"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/session"
	"github.com/nearcache/nearcache/store"
)

// handshake are the flags of what a client may send before anything else.
const handshake = command.NoScript | command.Loading | command.Stale | command.NoAuth | command.Fast | command.AllowBusy | command.Keyless

var connectionCommands = []*command.Spec{
	{
		Name: "ping", Arity: -1, Flags: command.Fast | command.Keyless,
		Group: command.GroupConnection, Since: "1.0.0", Summary: "Returns the server's liveliness response.",
		Args: []command.Arg{{Name: "message", Type: "string", Optional: true}},
		Bind: command.Bind(parsePing, runPing),
	},
	{
		Name: "echo", Arity: 2, Flags: command.Loading | command.Stale | command.Fast | command.Keyless,
		Group: command.GroupConnection, Since: "1.0.0", Summary: "Returns the given string.",
		Args: []command.Arg{{Name: "message", Type: "string"}},
		Bind: command.Bind((*args.Parser).Bytes, runEcho),
	},
	{
		Name: "auth", Arity: -2, Flags: handshake,
		Group: command.GroupConnection, Since: "1.0.0", Summary: "Authenticates the connection.",
		Args: []command.Arg{
			{Name: "username", Type: "string", Since: "6.0.0", Optional: true},
			{Name: "password", Type: "string"},
		},
		Bind: command.Bind(parseAuth, runAuth),
	},
	{
		Name: "hello", Arity: -1, Flags: handshake,
		Group: command.GroupConnection, Since: "6.0.0", Summary: "Handshakes with the Redis server.",
		Args: []command.Arg{{Name: "arguments", Type: "block", Optional: true, Args: []command.Arg{
			{Name: "protover", Type: "integer"},
			{Name: "auth", Type: "block", Token: "AUTH", Optional: true, Args: []command.Arg{
				{Name: "username", Type: "string"},
				{Name: "password", Type: "string"},
			}},
			{Name: "clientname", Type: "string", Token: "SETNAME", Optional: true},
		}}},
		Bind: command.Bind(parseHello, runHello),
	},
	{
		Name: "select", Arity: 2, Flags: command.Loading | command.Stale | command.Fast | command.Keyless,
		Group: command.GroupConnection, Since: "1.0.0", Summary: "Changes the selected database.",
		Args: []command.Arg{{Name: "index", Type: "integer"}},
		Bind: command.Bind((*args.Parser).Int, runSelect),
	},
	{
		Name: "quit", Arity: -1, Flags: handshake,
		Group: command.GroupConnection, Since: "1.0.0", Summary: "Closes the connection.",
		Bind: command.Bind((*args.Parser).Rest, runQuit),
	},
	{
		Name: "reset", Arity: 1, Flags: handshake,
		Group: command.GroupConnection, Since: "6.2.0", Summary: "Resets the connection.",
		Bind: command.Bind(command.None, runReset),
	},
}

func parsePing(a *args.Parser) [][]byte {
	if a.Len() > 1 {
		a.Fail(resp.WrongArgs("ping"))
	}
	return a.Rest()
}

func runPing(c *command.Ctx, message [][]byte) error {
	switch {
	case c.S.InPubSub() && c.W.Proto() == 2:
		c.W.Array(2)
		c.W.BulkString("pong")
		if len(message) == 0 {
			c.W.BulkString("")
			return nil
		}
		c.W.Bulk(message[0])
	case len(message) == 0:
		c.W.Status("PONG")
	default:
		c.W.Bulk(message[0])
	}
	return nil
}

func runEcho(c *command.Ctx, message []byte) error {
	c.W.Bulk(message)
	return nil
}

// login is a user and a password; user is nil where none was given.
type login struct{ user, password []byte }

func parseAuth(a *args.Parser) login {
	switch a.Len() {
	case 1:
		return login{nil, a.Bytes()}
	case 2:
		return login{a.Bytes(), a.Bytes()}
	}
	a.Fail(resp.ErrSyntax)
	return login{}
}

func runAuth(c *command.Ctx, l login) error {
	if l.user == nil {
		if !c.Server.NeedsAuth() {
			return resp.ErrNoPassword
		}
		l.user = []byte("default")
	}
	if err := c.Server.Authenticate(l.user, l.password); err != nil {
		return err
	}
	authenticated(c, l.user)
	c.W.Status("OK")
	return nil
}

func authenticated(c *command.Ctx, user []byte) {
	c.S.SetUser(string(user))
	c.Server.Authenticated(c)
}

type hello struct {
	proto int // 0 where none was asked for
	auth  *login
	name  []byte // nil where none was given
}

func parseHello(a *args.Parser) hello {
	var h hello
	if !a.More() {
		return h
	}
	v, ok := resp.ParseInt(a.Bytes())
	switch {
	case !ok:
		a.Fail(resp.ErrProtoNotInt)
	case v < 2 || v > 3:
		a.Fail(resp.ErrNoProto)
	default:
		h.proto = int(v)
	}
	for a.More() {
		switch {
		case a.Len() >= 3 && a.Accept("AUTH"):
			h.auth = &login{a.Bytes(), a.Bytes()}
		case a.Len() >= 2 && a.Accept("SETNAME"):
			h.name = a.Bytes()
			if !validName(h.name) {
				a.Fail(resp.ErrClientName)
			}
		default:
			a.Fail(resp.UnknownOption("Syntax error in HELLO option", a.Bytes()))
		}
	}
	return h
}

// validName reports whether CLIENT LIST can show a name: printable ASCII
// without spaces.
func validName(name []byte) bool {
	return !slices.ContainsFunc(name, func(b byte) bool { return b < '!' || b > '~' })
}

func runHello(c *command.Ctx, h hello) error {
	if h.auth != nil {
		if err := c.Server.Authenticate(h.auth.user, h.auth.password); err != nil {
			return err
		}
		authenticated(c, h.auth.user)
	}
	if !c.S.Authed.Load() && c.Server.NeedsAuth() {
		return resp.ErrHelloNoAuth
	}
	if h.name != nil {
		c.S.SetName(string(h.name))
	}
	if h.proto != 0 {
		setProto(c, h.proto)
	}
	c.W.Map(7)
	c.W.BulkString("server")
	c.W.BulkString("redis")
	c.W.BulkString("version")
	c.W.BulkString(command.RedisVersion)
	c.W.BulkString("proto")
	c.W.Int(int64(c.W.Proto()))
	c.W.BulkString("id")
	c.W.Int(int64(c.S.ID))
	c.W.BulkString("mode")
	c.W.BulkString("standalone")
	c.W.BulkString("role")
	c.W.BulkString("master")
	c.W.BulkString("modules")
	writeModules(c)
	return nil
}

// setProto switches the protocol. Pushes in the old one go out before the reply
// that says so.
func setProto(c *command.Ctx, proto int) {
	c.S.SetProto(proto)
	if !c.InExec {
		c.S.MergePushes()
	}
}

// writeModules writes the list that HELLO and MODULE LIST hold.
func writeModules(c *command.Ctx) {
	c.W.Array(len(command.Modules))
	for _, m := range command.Modules {
		c.W.Map(4)
		c.W.BulkString("name")
		c.W.BulkString(m.Name)
		c.W.BulkString("ver")
		c.W.Int(m.Version)
		c.W.BulkString("path")
		c.W.BulkString("")
		c.W.BulkString("args")
		c.W.Array(0)
	}
}

func runSelect(c *command.Ctx, db int64) error {
	switch {
	case db < math.MinInt32 || db > math.MaxInt32:
		return resp.OutOfRange(math.MinInt32, math.MaxInt32)
	case db < 0 || db >= store.Databases:
		return resp.ErrDBIndex
	}
	c.S.Select(int(db))
	c.W.Status("OK")
	return nil
}

func runQuit(c *command.Ctx, _ [][]byte) error {
	c.W.Status("OK")
	c.S.CloseAfter = true
	return nil
}

// runReset makes the connection as it was when it was accepted. The library's
// name stays, as in Redis.
func runReset(c *command.Ctx, _ struct{}) error {
	c.Discard()
	c.Tracking.Off(c.S)
	c.Tracking.Unmonitor(c.S)
	c.PubSub.Drop(c.S)
	c.S.Monitoring.Store(false)
	c.Table.Observer.Monitor.Remove(c.S)
	c.S.Select(0)
	setProto(c, 2)
	c.S.SetName("")
	c.S.SetUser("default")
	c.S.Authed.Store(!c.Server.NeedsAuth())
	c.S.Reply = session.ReplyOn
	c.S.NoTouch = false
	c.S.NoTouchFl.Store(false)
	c.S.NoEvict.Store(false)
	c.W.Status("RESET")
	return nil
}
