package commands

import (
	"math"
	"strings"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/blocking"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/session"
	"github.com/nearcache/nearcache/resp/tracking"
)

const (
	clientFlags      = command.NoScript | command.Loading | command.Stale | command.Keyless
	clientAdminFlags = clientFlags | command.Admin
)

var (
	onOff    = []command.Arg{{Name: "enabled", Type: "oneof", Args: []command.Arg{{Name: "on", Type: "pure-token", Token: "ON"}, {Name: "off", Type: "pure-token", Token: "OFF"}}}}
	yesNoArg = []command.Arg{{Name: "yes", Type: "pure-token", Token: "YES"}, {Name: "no", Type: "pure-token", Token: "NO"}}
)

var clientCommands = []*command.Spec{
	{
		Name: "client", Arity: -2, Flags: command.Keyless,
		Group: command.GroupConnection, Since: "2.4.0", Summary: "A container for client connection commands.",
		Sub: []*command.Spec{
			{
				Name: "caching", Arity: 3, Flags: clientFlags,
				Group: command.GroupConnection, Since: "6.0.0", Summary: "Instructs the server whether to track the keys in the next request.",
				Args: []command.Arg{{Name: "mode", Type: "oneof", Args: yesNoArg}},
				Bind: command.Bind((*args.Parser).Bytes, runClientCaching),
			},
			{
				Name: "getname", Arity: 2, Flags: clientFlags,
				Group: command.GroupConnection, Since: "2.6.9", Summary: "Returns the name of the connection.",
				Bind: command.Bind(command.None, runClientGetName),
			},
			{
				Name: "getredir", Arity: 2, Flags: clientFlags,
				Group: command.GroupConnection, Since: "6.0.0", Summary: "Returns the client ID to which the connection's tracking notifications are redirected.",
				Bind: command.Bind(command.None, runClientGetRedir),
			},
			helpCommand(command.GroupConnection, "5.0.0", "CLIENT", clientHelp),
			{
				Name: "id", Arity: 2, Flags: clientFlags,
				Group: command.GroupConnection, Since: "5.0.0", Summary: "Returns the unique client ID of the connection.",
				Bind: command.Bind(command.None, runClientID),
			},
			{
				Name: "info", Arity: 2, Flags: clientFlags,
				Group: command.GroupConnection, Since: "6.2.0", Summary: "Returns information about the connection.",
				Bind: command.Bind(command.None, runClientInfo),
			},
			{
				Name: "kill", Arity: -3, Flags: clientAdminFlags,
				Group: command.GroupConnection, Since: "2.4.0", Summary: "Terminates open connections.",
				Args: []command.Arg{{Name: "filter", Type: "oneof", Args: []command.Arg{
					{Name: "old-format", Type: "string", Shown: "ip:port", DeprecatedSince: "2.8.12"},
					{Name: "new-format", Type: "oneof", Multiple: true, Args: []command.Arg{
						{Name: "client-id", Type: "integer", Token: "ID", Since: "2.8.12", Optional: true},
						{Name: "client-type", Type: "oneof", Token: "TYPE", Since: "2.8.12", Optional: true, Args: []command.Arg{
							{Name: "normal", Type: "pure-token", Token: "NORMAL"},
							{Name: "master", Type: "pure-token", Token: "MASTER", Since: "3.2.0"},
							{Name: "slave", Type: "pure-token", Token: "SLAVE"},
							{Name: "replica", Type: "pure-token", Token: "REPLICA", Since: "5.0.0"},
							{Name: "pubsub", Type: "pure-token", Token: "PUBSUB"},
						}},
						{Name: "username", Type: "string", Token: "USER", Optional: true},
						{Name: "addr", Type: "string", Shown: "ip:port", Token: "ADDR", Optional: true},
						{Name: "laddr", Type: "string", Shown: "ip:port", Token: "LADDR", Since: "6.2.0", Optional: true},
						{Name: "skipme", Type: "oneof", Token: "SKIPME", Optional: true, Args: yesNoArg},
						{Name: "maxage", Type: "integer", Token: "MAXAGE", Since: "7.4.0", Optional: true},
					}},
				}}},
				Bind: command.Bind(parseClientKill, runClientKill),
			},
			{
				Name: "list", Arity: -2, Flags: clientAdminFlags,
				Group: command.GroupConnection, Since: "2.4.0", Summary: "Lists open connections.",
				Args: []command.Arg{
					{Name: "client-type", Type: "oneof", Token: "TYPE", Since: "5.0.0", Optional: true, Args: []command.Arg{
						{Name: "normal", Type: "pure-token", Token: "NORMAL"},
						{Name: "master", Type: "pure-token", Token: "MASTER"},
						{Name: "replica", Type: "pure-token", Token: "REPLICA"},
						{Name: "pubsub", Type: "pure-token", Token: "PUBSUB"},
					}},
					{Name: "client-id", Type: "integer", Token: "ID", Since: "6.2.0", Optional: true, Multiple: true},
				},
				Bind: command.Bind(parseClientList, runClientList),
			},
			{
				Name: "no-evict", Arity: 3, Flags: clientAdminFlags,
				Group: command.GroupConnection, Since: "7.0.0", Summary: "Sets the client eviction mode of the connection.",
				Args: onOff,
				Bind: command.Bind(parseOnOff, runClientNoEvict),
			},
			{
				Name: "no-touch", Arity: 3, Flags: clientFlags,
				Group: command.GroupConnection, Since: "7.2.0", Summary: "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.",
				Args: onOff,
				Bind: command.Bind(parseOnOff, runClientNoTouch),
			},
			{
				Name: "pause", Arity: -3, Flags: clientAdminFlags,
				Group: command.GroupConnection, Since: "3.0.0", Summary: "Suspends commands processing.",
				Args: []command.Arg{
					{Name: "timeout", Type: "integer"},
					{Name: "mode", Type: "oneof", Since: "6.2.0", Optional: true, Args: []command.Arg{
						{Name: "write", Type: "pure-token", Token: "WRITE"},
						{Name: "all", Type: "pure-token", Token: "ALL"},
					}},
				},
				Bind: command.Bind((*args.Parser).Rest, runClientPause),
			},
			{
				Name: "reply", Arity: 3, Flags: clientFlags,
				Group: command.GroupConnection, Since: "3.2.0", Summary: "Instructs the server whether to reply to commands.",
				Args: []command.Arg{{Name: "action", Type: "oneof", Args: []command.Arg{
					{Name: "on", Type: "pure-token", Token: "ON"},
					{Name: "off", Type: "pure-token", Token: "OFF"},
					{Name: "skip", Type: "pure-token", Token: "SKIP"},
				}}},
				Bind: command.Bind(parseClientReply, runClientReply),
			},
			{
				Name: "setinfo", Arity: 4, Flags: clientFlags,
				Group: command.GroupConnection, Since: "7.2.0", Summary: "Sets information specific to the client or connection.",
				Args: []command.Arg{{Name: "attr", Type: "oneof", Args: []command.Arg{
					{Name: "libname", Type: "string", Token: "LIB-NAME"},
					{Name: "libver", Type: "string", Token: "LIB-VER"},
				}}},
				Bind: command.Bind(parseClientSetInfo, runClientSetInfo),
			},
			{
				Name: "setname", Arity: 3, Flags: clientFlags,
				Group: command.GroupConnection, Since: "2.6.9", Summary: "Sets the connection name.",
				Args: []command.Arg{{Name: "connection-name", Type: "string"}},
				Bind: command.Bind(parseClientSetName, runClientSetName),
			},
			{
				Name: "tracking", Arity: -3, Flags: clientFlags,
				Group: command.GroupConnection, Since: "6.0.0", Summary: "Controls server-assisted client-side caching for the connection.",
				Args: []command.Arg{
					{Name: "status", Type: "oneof", Args: []command.Arg{{Name: "on", Type: "pure-token", Token: "ON"}, {Name: "off", Type: "pure-token", Token: "OFF"}}},
					{Name: "client-id", Type: "integer", Token: "REDIRECT", Optional: true},
					{Name: "prefix", Type: "string", Token: "PREFIX", Optional: true, Multiple: true, MultipleToken: true},
					{Name: "bcast", Type: "pure-token", Token: "BCAST", Optional: true},
					{Name: "optin", Type: "pure-token", Token: "OPTIN", Optional: true},
					{Name: "optout", Type: "pure-token", Token: "OPTOUT", Optional: true},
					{Name: "noloop", Type: "pure-token", Token: "NOLOOP", Optional: true},
				},
				Bind: command.Bind(parseClientTracking, runClientTracking),
			},
			{
				Name: "trackinginfo", Arity: 2, Flags: clientFlags,
				Group: command.GroupConnection, Since: "6.2.0", Summary: "Returns information about server-assisted client-side caching for the connection.",
				Bind: command.Bind(command.None, runClientTrackingInfo),
			},
			{
				Name: "unblock", Arity: -3, Flags: clientAdminFlags,
				Group: command.GroupConnection, Since: "5.0.0", Summary: "Unblocks a client blocked by a blocking command from a different connection.",
				Args: []command.Arg{
					{Name: "client-id", Type: "integer"},
					{Name: "unblock-type", Type: "oneof", Optional: true, Args: []command.Arg{
						{Name: "timeout", Type: "pure-token", Token: "TIMEOUT"},
						{Name: "error", Type: "pure-token", Token: "ERROR"},
					}},
				},
				Bind: command.Bind((*args.Parser).Rest, runClientUnblock),
			},
			{
				Name: "unpause", Arity: 2, Flags: clientAdminFlags,
				Group: command.GroupConnection, Since: "6.2.0", Summary: "Resumes processing commands from paused clients.",
				Bind: command.Bind(command.None, runClientUnpause),
			},
		},
	},
}

var clientHelp = []string{
	"CACHING (YES|NO)",
	"    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
	"GETREDIR",
	"    Return the client ID we are redirecting to when tracking is enabled.",
	"GETNAME",
	"    Return the name of the current connection.",
	"ID",
	"    Return the ID of the current connection.",
	"INFO",
	"    Return information about the current client connection.",
	"KILL <ip:port>",
	"    Kill connection made from <ip:port>.",
	"KILL <option> <value> [<option> <value> [...]]",
	"    Kill connections. Options are:",
	"    * ADDR (<ip:port>|<unixsocket>:0)",
	"      Kill connections made from the specified address",
	"    * LADDR (<ip:port>|<unixsocket>:0)",
	"      Kill connections made to specified local address",
	"    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
	"      Kill connections by type.",
	"    * USER <username>",
	"      Kill connections authenticated by <username>.",
	"    * SKIPME (YES|NO)",
	"      Skip killing current connection (default: yes).",
	"    * ID <client-id>",
	"      Kill connections by client id.",
	"    * MAXAGE <maxage>",
	"      Kill connections older than the specified age.",
	"LIST [options ...]",
	"    Return information about client connections. Options:",
	"    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
	"      Return clients of specified type.",
	"UNPAUSE",
	"    Stop the current client pause, resuming traffic.",
	"PAUSE <timeout> [WRITE|ALL]",
	"    Suspend all, or just write, clients for <timeout> milliseconds.",
	"REPLY (ON|OFF|SKIP)",
	"    Control the replies sent to the current connection.",
	"SETNAME <name>",
	"    Assign the name <name> to the current connection.",
	"SETINFO <option> <value>",
	"    Set client meta attr. Options are:",
	"    * LIB-NAME: the client lib name.",
	"    * LIB-VER: the client lib version.",
	"UNBLOCK <clientid> [TIMEOUT|ERROR]",
	"    Unblock the specified blocked client.",
	"TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
	"         [OPTIN] [OPTOUT] [NOLOOP]",
	"    Control server assisted client side caching.",
	"TRACKINGINFO",
	"    Report tracking status for the current connection.",
	"NO-EVICT (ON|OFF)",
	"    Protect current client connection from eviction.",
	"NO-TOUCH (ON|OFF)",
	"    Will not touch LRU/LFU stats when this mode is on.",
}

func runClientCaching(c *command.Ctx, mode []byte) error {
	if !c.Tracking.Info(c.S).On {
		return resp.ErrCachingMode
	}
	switch {
	case args.EqualFold(mode, "yes"), args.EqualFold(mode, "no"):
		if err := c.Tracking.Caching(c.S, args.EqualFold(mode, "yes")); err != nil {
			return err
		}
	default:
		return resp.ErrSyntax
	}
	c.W.Status("OK")
	return nil
}

func runClientGetName(c *command.Ctx, _ struct{}) error {
	if name := c.S.Name(); name != "" {
		c.W.BulkString(name)
	} else {
		c.W.Null()
	}
	return nil
}

func runClientGetRedir(c *command.Ctx, _ struct{}) error {
	c.W.Int(c.Tracking.Info(c.S).Redirect)
	return nil
}

func runClientID(c *command.Ctx, _ struct{}) error {
	c.W.Int(int64(c.S.ID))
	return nil
}

// appendClient appends a client's line of CLIENT LIST.
func appendClient(c *command.Ctx, b []byte, s *session.Session) []byte {
	i := c.Tracking.Info(s)
	running := 0
	if s == c.S {
		for _, a := range c.Args {
			running += len(a)
		}
	}
	return append(s.AppendInfo(b, c.Tx.Now, i.Letters, i.Redirect, int64(running)), '\n')
}

// showCommand makes this command the last one in the client's own line.
func showCommand(c *command.Ctx) { c.S.LastCmd.Store(c.Spec.FullNamePtr()) }

func runClientInfo(c *command.Ctx, _ struct{}) error {
	showCommand(c)
	c.W.Verbatim("txt", string(appendClient(c, nil, c.S)))
	return nil
}

// clientType is what CLIENT LIST and KILL select by TYPE; "" is any.
type clientType string

func parseClientType(a *args.Parser) clientType {
	word := a.Bytes()
	for _, t := range []clientType{"normal", "slave", "pubsub", "master"} {
		if args.EqualFold(word, string(t)) {
			return t
		}
	}
	if args.EqualFold(word, "replica") {
		return "slave"
	}
	a.Fail(resp.UnknownOption("Unknown client type", word))
	return ""
}

func (t clientType) matches(s *session.Session) bool {
	switch t {
	case "":
		return true
	case "slave":
		return s.Replica.Load()
	case "pubsub":
		return s.InPubSub() && !s.Replica.Load()
	case "normal":
		return !s.InPubSub() && !s.Replica.Load()
	}
	return false
}

type clientFilter struct {
	old         bool // CLIENT KILL addr
	addr, laddr []byte
	user        []byte
	kind        clientType
	id          uint64
	maxAge      int64 // seconds
	skipMe      bool
}

func parseClientKill(a *args.Parser) clientFilter {
	if a.Len() == 1 {
		return clientFilter{old: true, addr: a.Bytes()}
	}
	f := clientFilter{skipMe: true}
	for a.More() {
		if a.Len() == 1 {
			a.Fail(resp.ErrSyntax)
			break
		}
		switch {
		case a.Accept("ID"):
			n, ok := resp.ParseInt(a.Bytes())
			if !ok || n < 1 {
				a.Fail(resp.Error("ERR client-id should be greater than 0"))
			}
			f.id = uint64(n)
		case a.Accept("MAXAGE"):
			n, ok := resp.ParseInt(a.Bytes())
			if !ok {
				a.Fail(resp.Error("ERR maxage is not an integer or out of range"))
			} else if n <= 0 {
				a.Fail(resp.Error("ERR maxage should be greater than 0"))
			}
			f.maxAge = n
		case a.Accept("TYPE"):
			f.kind = parseClientType(a)
		case a.Accept("ADDR"):
			f.addr = a.Bytes()
		case a.Accept("LADDR"):
			f.laddr = a.Bytes()
		case a.Accept("USER"):
			if f.user = a.Bytes(); string(f.user) != "default" {
				a.Fail(resp.UnknownOption("No such user", f.user))
			}
		case a.Accept("SKIPME"):
			switch {
			case a.Accept("yes"):
				f.skipMe = true
			case a.Accept("no"):
				f.skipMe = false
			default:
				a.Fail(resp.ErrSyntax)
			}
		default:
			a.Fail(resp.ErrSyntax)
		}
	}
	return f
}

func (f *clientFilter) matches(s *session.Session, now int64) bool {
	return (f.addr == nil || s.Addr == string(f.addr)) &&
		(f.laddr == nil || s.LAddr == string(f.laddr)) &&
		(f.user == nil || s.User() == string(f.user)) &&
		(f.id == 0 || s.ID == f.id) &&
		(f.maxAge == 0 || now/1000-s.Created.Unix() >= f.maxAge) &&
		f.kind.matches(s)
}

func runClientKill(c *command.Ctx, f clientFilter) error {
	killed := 0
	for _, s := range c.Clients.All() {
		if !f.matches(s, c.Tx.Now) || f.skipMe && s == c.S {
			continue
		}
		if s == c.S {
			c.S.CloseAfter = true
		} else {
			s.Kill()
			c.Clients.Remove(s) // it is gone for whoever asks next
		}
		killed++
	}
	switch {
	case !f.old:
		c.W.Int(int64(killed))
	case killed == 0:
		return resp.ErrNoSuchClient
	default:
		c.W.Status("OK")
	}
	return nil
}

type clientList struct {
	kind clientType
	ids  []uint64
	byID bool
}

func parseClientList(a *args.Parser) clientList {
	var l clientList
	switch {
	case a.Len() == 2 && a.Accept("TYPE"):
		l.kind = parseClientType(a)
	case a.Len() >= 2 && a.Accept("ID"):
		l.byID = true
		for a.More() {
			n, ok := resp.ParseInt(a.Bytes())
			if !ok {
				a.Fail(resp.ErrClientID)
			}
			l.ids = append(l.ids, uint64(n))
		}
	}
	return l
}

func runClientList(c *command.Ctx, l clientList) error {
	showCommand(c)
	var b []byte
	if l.byID {
		for _, id := range l.ids {
			if s := c.Clients.Get(id); s != nil {
				b = appendClient(c, b, s)
			}
		}
	} else {
		for _, s := range c.Clients.All() {
			if l.kind.matches(s) {
				b = appendClient(c, b, s)
			}
		}
	}
	c.W.Verbatim("txt", string(b))
	return nil
}

func parseOnOff(a *args.Parser) bool {
	if a.Accept("on") {
		return true
	}
	if !a.Accept("off") {
		a.Fail(resp.ErrSyntax)
	}
	return false
}

// runClientNoEvict remembers the wish for CLIENT LIST. No client is ever closed
// to free memory, so nothing else comes of it.
func runClientNoEvict(c *command.Ctx, on bool) error {
	c.S.NoEvict.Store(on)
	c.W.Status("OK")
	return nil
}

func runClientNoTouch(c *command.Ctx, on bool) error {
	c.S.NoTouch = on
	c.S.NoTouchFl.Store(on)
	c.W.Status("OK")
	return nil
}

func runClientPause(c *command.Ctx, words [][]byte) error {
	all := true
	switch {
	case len(words) > 2:
		return badSubcommand(c)
	case len(words) == 2 && args.EqualFold(words[1], "write"):
		all = false
	case len(words) == 2 && !args.EqualFold(words[1], "all"):
		return resp.Error("ERR CLIENT PAUSE mode must be WRITE or ALL")
	}
	ms, ok := resp.ParseInt(words[0])
	switch {
	case !ok:
		return resp.Error("ERR timeout is not an integer or out of range")
	case ms < 0:
		return resp.ErrTimeoutNeg
	case ms > math.MaxInt64-c.Tx.Now:
		return resp.Error("ERR timeout is out of range")
	}
	c.Server.Pause(c.Tx.Now+ms, all)
	c.W.Status("OK")
	return nil
}

func runClientUnpause(c *command.Ctx, _ struct{}) error {
	c.Server.Unpause()
	c.W.Status("OK")
	return nil
}

func parseClientReply(a *args.Parser) session.ReplyMode {
	switch {
	case a.Accept("on"):
		return session.ReplyOn
	case a.Accept("off"):
		return session.ReplyOff
	case a.Accept("skip"):
		return session.ReplySkipNext
	}
	a.Fail(resp.ErrSyntax)
	return session.ReplyOn
}

func runClientReply(c *command.Ctx, m session.ReplyMode) error {
	if m == session.ReplySkipNext && c.S.Reply == session.ReplyOff {
		return nil
	}
	c.S.Reply = m
	if m == session.ReplyOn {
		c.W.Status("OK")
	}
	return nil
}

type clientInfo struct{ name, version *string }

func parseClientSetInfo(a *args.Parser) clientInfo {
	attr := a.Bytes()
	var i clientInfo
	value := a.Bytes()
	text := string(value)
	switch {
	case args.EqualFold(attr, "lib-name"):
		i.name = &text
	case args.EqualFold(attr, "lib-ver"):
		i.version = &text
	default:
		a.Fail(resp.UnknownOption("Unrecognized option", attr))
	}
	if !validName(value) {
		a.Fail(resp.Error("ERR " + string(attr) + " cannot contain spaces, newlines or special characters."))
	}
	return i
}

func runClientSetInfo(c *command.Ctx, i clientInfo) error {
	c.S.SetLib(i.name, i.version)
	c.W.Status("OK")
	return nil
}

func parseClientSetName(a *args.Parser) []byte {
	name := a.Bytes()
	if !validName(name) {
		a.Fail(resp.ErrClientName)
	}
	return name
}

func runClientSetName(c *command.Ctx, name []byte) error {
	c.S.SetName(string(name))
	c.W.Status("OK")
	return nil
}

type trackingArgs struct {
	word       []byte
	options    tracking.Options
	redirected bool
	late       error // found after REDIRECT, which is checked first
}

func parseClientTracking(a *args.Parser) trackingArgs {
	t := trackingArgs{word: a.Bytes()}
	fail := func(err error) {
		if t.redirected {
			t.late = err
			a.Rest()
			return
		}
		a.Fail(err)
	}
	o := &t.options
	for a.More() {
		switch {
		case a.Len() >= 2 && a.Accept("REDIRECT"):
			if t.redirected {
				fail(resp.ErrRedirectSingle)
				break
			}
			id, ok := resp.ParseInt(a.Bytes())
			if !ok {
				fail(resp.ErrNotInt)
				break
			}
			o.Redirect, t.redirected = uint64(id), true
		case a.Len() >= 2 && a.Accept("PREFIX"):
			o.Prefixes = append(o.Prefixes, a.String())
		case a.Accept("BCAST"):
			o.BCast = true
		case a.Accept("OPTIN"):
			o.OptIn = true
		case a.Accept("OPTOUT"):
			o.OptOut = true
		case a.Accept("NOLOOP"):
			o.NoLoop = true
		default:
			fail(resp.ErrSyntax)
		}
	}
	return t
}

func runClientTracking(c *command.Ctx, t trackingArgs) error {
	if t.redirected && c.Clients.Get(t.options.Redirect) == nil {
		return resp.ErrRedirectID
	}
	if t.late != nil {
		return t.late
	}
	switch {
	case args.EqualFold(t.word, "on"):
		if err := c.Tracking.On(c.S, t.options); err != nil {
			return err
		}
	case args.EqualFold(t.word, "off"):
		c.Tracking.Off(c.S)
	default:
		return resp.ErrSyntax
	}
	c.W.Status("OK")
	return nil
}

func runClientTrackingInfo(c *command.Ctx, _ struct{}) error {
	i := c.Tracking.Info(c.S)
	c.W.Map(3)
	c.W.BulkString("flags")
	c.W.Set(len(i.Flags))
	for _, f := range i.Flags {
		c.W.BulkString(f)
	}
	c.W.BulkString("redirect")
	c.W.Int(i.Redirect)
	c.W.BulkString("prefixes")
	c.W.Array(len(i.Prefixes))
	for _, p := range i.Prefixes {
		c.W.BulkString(p)
	}
	return nil
}

// runClientUnblock finds nobody to unblock: there are no blocking commands.
func runClientUnblock(c *command.Ctx, words [][]byte) error {
	switch {
	case len(words) > 2:
		return badSubcommand(c)
	case len(words) == 2 && !strings.EqualFold(string(words[1]), "timeout") && !strings.EqualFold(string(words[1]), "error"):
		return resp.Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
	}
	id, ok := resp.ParseInt(words[0])
	if !ok {
		return resp.ErrNotInt
	}
	how := blocking.TimedOut
	if len(words) == 2 && args.EqualFold(words[1], "error") {
		how = blocking.Unblocked
	}
	s := c.Clients.Get(uint64(id))
	replyDone(c, s != nil && c.Blocking.Release(s, how))
	return nil
}
