package commands

import (
	"fmt"
	"math"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/evict"
	"github.com/nearcache/nearcache/store/glob"
	"github.com/nearcache/nearcache/store/types/str"
)

var keyCommands = []*command.Spec{
	delCommand, unlinkCommand, existsCommand, typeCommand, touchCommand,
	ttlCommand, pttlCommand, expireTimeCommand, pExpireTimeCommand,
	expireCommand, pExpireCommand, expireAtCommand, pExpireAtCommand, persistCommand,
	renameCommand, renameNXCommand, copyCommand, moveCommand, swapCommand, sortCommand, sortROCommand, dumpCommand, restoreCommand, migrateCommand,
	keysCommand, scanCommand, randomKeyCommand, dbSizeCommand,
	objectCommand, costCommand, memoryCommand, flushDBCommand, flushAllCommand,
}

// look finds a key for reading and counts the hit or miss, but does not mark
// the key as used: what Redis calls LOOKUP_NOTOUCH.
func look(c *command.Ctx, key []byte) *store.Entry {
	was := c.Tx.NoTouch
	c.Tx.NoTouch = true
	e := c.Tx.Get(key)
	c.Tx.NoTouch = was
	return e
}

// inspect is look for OBJECT: that a key is not there is no event.
func inspect(c *command.Ctx, key []byte) *store.Entry {
	c.Tx.NoMiss = true
	e := look(c, key)
	c.Tx.NoMiss = false
	return e
}

var delCommand = &command.Spec{
	Name: "del", Arity: -2, Flags: command.Write, Keys: command.AllKeys, Group: command.GroupGeneric, Since: "1.0.0",
	Summary: "Deletes one or more keys.",
	Args:    keysArg,
	Bind:    command.Bind(parseKeys, runDel),
}

func runDel(c *command.Ctx, keys [][]byte) error {
	n := 0
	for _, key := range keys {
		if c.Tx.Delete(key, "del") {
			n++
		}
	}
	c.Tx.Count(n)
	c.W.Int(int64(n))
	return nil
}

var unlinkCommand = &command.Spec{
	Name: "unlink", Arity: -2, Flags: command.Write | command.Fast, Keys: command.AllKeys, Group: command.GroupGeneric, Since: "4.0.0",
	Summary: "Asynchronously deletes one or more keys.",
	Args:    keysArg,
	Bind:    command.Bind(parseKeys, runDel),
}

var existsCommand = &command.Spec{
	Name: "exists", Arity: -2, Flags: command.ReadOnly | command.Fast, Keys: command.AllKeys, Group: command.GroupGeneric, Since: "1.0.0",
	Summary: "Determines whether one or more keys exist.",
	Args:    keysArg,
	Bind:    command.Bind(parseKeys, runExists),
}

func runExists(c *command.Ctx, keys [][]byte) error {
	n := 0
	for _, key := range keys {
		if look(c, key) != nil {
			n++
		}
	}
	c.W.Int(int64(n))
	return nil
}

var typeCommand = &command.Spec{
	Name: "type", Arity: 2, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupGeneric, Since: "1.0.0",
	Summary: "Determines the type of value stored at a key.",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind(parseKey, runType),
}

func runType(c *command.Ctx, key []byte) error {
	if e := look(c, key); e != nil {
		c.W.Status(e.Type().Name)
	} else {
		c.W.Status("none")
	}
	return nil
}

var touchCommand = &command.Spec{
	Name: "touch", Arity: -2, Flags: command.ReadOnly | command.Fast, Keys: command.AllKeys, Group: command.GroupGeneric, Since: "3.2.1",
	Summary: "Returns the number of existing keys out of those specified after updating the time they were last accessed.",
	Args:    keysArg,
	Bind:    command.Bind(parseKeys, runTouch),
}

func runTouch(c *command.Ctx, keys [][]byte) error {
	was := c.Tx.NoTouch
	c.Tx.NoTouch = false // touching is the point, CLIENT NO-TOUCH or not
	n := 0
	for _, key := range keys {
		if c.Tx.Get(key) != nil {
			n++
		}
	}
	c.Tx.NoTouch = was
	c.W.Int(int64(n))
	return nil
}

var ttlCommand = &command.Spec{
	Name: "ttl", Arity: 2, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupGeneric, Since: "1.0.0",
	Summary: "Returns the expiration time in seconds of a key.",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind(parseKey, runTTL(true, false)),
}

var pttlCommand = &command.Spec{
	Name: "pttl", Arity: 2, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupGeneric, Since: "2.6.0",
	Summary: "Returns the expiration time in milliseconds of a key.",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind(parseKey, runTTL(false, false)),
}

var expireTimeCommand = &command.Spec{
	Name: "expiretime", Arity: 2, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupGeneric, Since: "7.0.0",
	Summary: "Returns the expiration time of a key as a Unix timestamp.",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind(parseKey, runTTL(true, true)),
}

var pExpireTimeCommand = &command.Spec{
	Name: "pexpiretime", Arity: 2, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupGeneric, Since: "7.0.0",
	Summary: "Returns the expiration time of a key as a Unix milliseconds timestamp.",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind(parseKey, runTTL(false, true)),
}

func runTTL(seconds, absolute bool) func(*command.Ctx, []byte) error {
	return func(c *command.Ctx, key []byte) error {
		e := look(c, key)
		if e == nil {
			c.W.Int(-2)
			return nil
		}
		n := e.ExpireAt()
		if n == 0 {
			c.W.Int(-1)
			return nil
		}
		if !absolute {
			n = max(0, n-c.Tx.Now)
		}
		if seconds {
			n = n/1000 + (n%1000+500)/1000
		}
		c.W.Int(n)
		return nil
	}
}

func expireArgs(name, typ string) []command.Arg {
	return []command.Arg{
		keyArg,
		{Name: name, Type: typ},
		{Name: "condition", Type: "oneof", Since: "7.0.0", Optional: true, Args: []command.Arg{
			flagArg("nx", "NX"), flagArg("xx", "XX"), flagArg("gt", "GT"), flagArg("lt", "LT"),
		}},
	}
}

var expireCommand = &command.Spec{
	Name: "expire", Arity: -3, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupGeneric, Since: "1.0.0",
	Summary: "Sets the expiration time of a key in seconds.",
	Args:    expireArgs("seconds", "integer"),
	Bind:    command.Bind(parseExpire, runExpire("expire", unitEX)),
}

var pExpireCommand = &command.Spec{
	Name: "pexpire", Arity: -3, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupGeneric, Since: "2.6.0",
	Summary: "Sets the expiration time of a key in milliseconds.",
	Args:    expireArgs("milliseconds", "integer"),
	Bind:    command.Bind(parseExpire, runExpire("pexpire", unitPX)),
}

var expireAtCommand = &command.Spec{
	Name: "expireat", Arity: -3, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupGeneric, Since: "1.2.0",
	Summary: "Sets the expiration time of a key to a Unix timestamp.",
	Args:    expireArgs("unix-time-seconds", "unix-time"),
	Bind:    command.Bind(parseExpire, runExpire("expireat", unitEXAT)),
}

var pExpireAtCommand = &command.Spec{
	Name: "pexpireat", Arity: -3, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupGeneric, Since: "2.6.0",
	Summary: "Sets the expiration time of a key to a Unix milliseconds timestamp.",
	Args:    expireArgs("unix-time-milliseconds", "unix-time"),
	Bind:    command.Bind(parseExpire, runExpire("pexpireat", unitPXAT)),
}

type expireOptions struct {
	key            []byte
	n              int64
	nx, xx, gt, lt bool
}

func parseExpire(p *args.Parser) (a expireOptions) {
	a.key = p.Bytes()
	time := p.Bytes() // its errors come after those of the options
	for p.More() {
		switch {
		case p.Accept("NX"):
			a.nx = true
		case p.Accept("XX"):
			a.xx = true
		case p.Accept("GT"):
			a.gt = true
		case p.Accept("LT"):
			a.lt = true
		default:
			p.Fail(resp.Error(fmt.Sprintf("ERR Unsupported option %s", p.Peek())))
		}
	}
	switch {
	case a.nx && (a.xx || a.gt || a.lt):
		p.Fail(resp.ErrExpireNX)
	case a.gt && a.lt:
		p.Fail(resp.ErrExpireGTLT)
	}
	var ok bool
	if a.n, ok = resp.ParseInt(time); !ok {
		p.Fail(resp.ErrNotInt)
	}
	return a
}

// allows reports whether the options let a time to live replace another; 0 is
// none.
func (a expireOptions) allows(old, at int64) bool {
	switch {
	case a.nx && old != 0, a.xx && old == 0:
		return false
	case a.gt:
		return old != 0 && at > old // no time to live is the longest
	case a.lt:
		return old == 0 || at < old
	}
	return true
}

func runExpire(name string, u unit) func(*command.Ctx, expireOptions) error {
	return func(c *command.Ctx, a expireOptions) error {
		at := a.n
		if u == unitEX || u == unitEXAT {
			if at > math.MaxInt64/1000 || at < math.MinInt64/1000 {
				return resp.ExpireTime(name)
			}
			at *= 1000
		}
		if u == unitEX || u == unitPX {
			if at > math.MaxInt64-c.Tx.Now {
				return resp.ExpireTime(name)
			}
			at += c.Tx.Now
		}
		e := c.Tx.Find(a.key)
		if e == nil || !a.allows(e.ExpireAt(), at) {
			c.W.Int(0)
			return nil
		}
		if c.Tx.Past(at) {
			deleteExpired(c, a.key)
		} else {
			c.Tx.SetExpire(e, at)
			c.Tx.Changed(e, store.ClassGeneric, "expire")
			c.Tx.Effect(wordPExpireAt, a.key, decimal(at))
		}
		c.W.Int(1)
		return nil
	}
}

var persistCommand = &command.Spec{
	Name: "persist", Arity: 2, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupGeneric, Since: "2.2.0",
	Summary: "Removes the expiration time of a key.",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind(parseKey, runPersist),
}

func runPersist(c *command.Ctx, key []byte) error {
	e := c.Tx.Find(key)
	if e == nil || e.ExpireAt() == 0 {
		c.W.Int(0)
		return nil
	}
	c.Tx.SetExpire(e, 0)
	c.Tx.Changed(e, store.ClassGeneric, "persist")
	c.W.Int(1)
	return nil
}

var renameCommand = &command.Spec{
	Name: "rename", Arity: 3, Flags: command.Write, Keys: command.TwoKeys, Group: command.GroupGeneric, Since: "1.0.0",
	Summary: "Renames a key and overwrites the destination.",
	Args:    []command.Arg{keyArg, {Name: "newkey", Type: "key"}},
	Bind:    command.Bind(parsePair, runRename(false)),
}

var renameNXCommand = &command.Spec{
	Name: "renamenx", Arity: 3, Flags: command.Write | command.Fast, Keys: command.TwoKeys, Group: command.GroupGeneric, Since: "1.0.0",
	Summary: "Renames a key only when the target key name doesn't exist.",
	Args:    []command.Arg{keyArg, {Name: "newkey", Type: "key"}},
	Bind:    command.Bind(parsePair, runRename(true)),
}

func runRename(nx bool) func(*command.Ctx, pair) error {
	return func(c *command.Ctx, a pair) error {
		e := c.Tx.Find(a.a)
		if e == nil {
			return resp.ErrNoSuchKey
		}
		free := string(a.a) != string(a.b) && (!nx || c.Tx.Find(a.b) == nil)
		if free {
			o, at := e.Value(), e.ExpireAt()
			e, was := c.Tx.PutAnew(a.b, o)
			c.Tx.Delete(a.a, "rename_from")
			c.Tx.SetExpire(e, at)
			c.Tx.Changed(e, store.ClassGeneric, "rename_to")
			c.Tx.Overwritten(e, was)
		}
		switch {
		case !nx:
			c.W.Status("OK")
		case free:
			c.W.Int(1)
		default:
			c.W.Int(0)
		}
		return nil
	}
}

var copyCommand = &command.Spec{
	Name: "copy", Arity: -3, Flags: command.Write | command.DenyOOM, Keys: command.TwoKeys, Group: command.GroupGeneric, Since: "6.2.0",
	Summary: "Copies the value of a key to a new key.",
	Args: []command.Arg{
		{Name: "source", Type: "key"},
		{Name: "destination", Type: "key"},
		{Name: "destination-db", Type: "integer", Token: "DB", Optional: true},
		optional(flagArg("replace", "REPLACE")),
	},
	Bind: command.Bind(parseCopy, runCopy),
}

type copyArgs struct {
	src, dst []byte
	db       int // -1: the client's
	replace  bool
}

func parseCopy(p *args.Parser) copyArgs {
	a := copyArgs{src: p.Bytes(), dst: p.Bytes(), db: -1}
	for p.More() {
		switch {
		case p.Accept("REPLACE"):
			a.replace = true
		case p.Accept("DB"):
			a.db = parseDB(p)
		default:
			p.Fail(resp.ErrSyntax)
		}
	}
	return a
}

// parseDB reads the number of a database as COPY and MOVE do.
func parseDB(p *args.Parser) int {
	n := p.Int()
	switch {
	case n < math.MinInt32 || n > math.MaxInt32:
		p.Fail(resp.OutOfRange(math.MinInt32, math.MaxInt32))
	case n < 0 || n >= store.Databases:
		p.Fail(resp.ErrDBIndex)
	}
	return int(n)
}

const errNotCopied resp.Error = "ERR not supported for this module key"

func runCopy(c *command.Ctx, a copyArgs) error {
	if a.db < 0 {
		a.db = c.Tx.DB
	}
	if a.db == c.Tx.DB && string(a.src) == string(a.dst) {
		return resp.ErrSameObject
	}
	e := c.Tx.Get(a.src)
	if e == nil {
		c.W.Int(0)
		return nil
	}
	from := c.Tx.DB
	c.Tx.DB = a.db
	done := a.replace || c.Tx.Find(a.dst) == nil
	if done {
		at, o := e.ExpireAt(), e.Value().Clone()
		if o == nil {
			c.Tx.DB = from
			return errNotCopied
		}
		e, was := c.Tx.PutAnew(a.dst, o)
		c.Tx.SetExpire(e, at)
		c.Tx.Changed(e, store.ClassGeneric, "copy_to")
		c.Tx.Overwritten(e, was)
	}
	c.Tx.DB = from
	replyDone(c, done)
	return nil
}

func replyDone(c *command.Ctx, done bool) {
	if done {
		c.W.Int(1)
	} else {
		c.W.Int(0)
	}
}

var moveCommand = &command.Spec{
	Name: "move", Arity: 3, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupGeneric, Since: "1.0.0",
	Summary: "Moves a key to another database.",
	Args:    []command.Arg{keyArg, {Name: "db", Type: "integer"}},
	Bind:    command.Bind(parseMove, runMove),
}

type moveArgs struct {
	key []byte
	db  int
}

func parseMove(p *args.Parser) moveArgs { return moveArgs{p.Bytes(), parseDB(p)} }

func runMove(c *command.Ctx, a moveArgs) error {
	from := c.Tx.DB
	if a.db == from {
		return resp.ErrSameObject
	}
	e := c.Tx.Find(a.key)
	c.Tx.DB = a.db
	done := e != nil && c.Tx.Find(a.key) == nil
	c.Tx.DB = from
	if done {
		o, at := e.Value(), e.ExpireAt()
		c.Tx.DB = a.db
		e = c.Tx.Put(a.key, o, false)
		c.Tx.DB = from
		c.Tx.Delete(a.key, "move_from")
		c.Tx.SetExpire(e, at)
		c.Tx.Changed(e, store.ClassGeneric, "move_to")
	}
	replyDone(c, done)
	return nil
}

var keysCommand = &command.Spec{
	Name: "keys", Arity: 2, Flags: command.ReadOnly, Group: command.GroupGeneric, Since: "1.0.0",
	Summary: "Returns all key names that match a pattern.",
	Args:    []command.Arg{{Name: "pattern", Type: "pattern"}},
	Bind:    command.Bind(parseKey, runKeys),
}

func runKeys(c *command.Ctx, pattern []byte) error {
	var found resp.Writer
	n := 0
	all := string(pattern) == "*"
	match := string(pattern)
	c.Tx.Each(func(e *store.Entry) bool {
		if all || glob.MatchString(match, e.Key()) {
			found.BulkString(e.Key())
			n++
		}
		return true
	})
	c.W.Array(n)
	c.W.Raw(found.Bytes())
	return nil
}

var randomKeyCommand = &command.Spec{
	Name: "randomkey", Arity: 1, Flags: command.ReadOnly, Group: command.GroupGeneric, Since: "1.0.0",
	Summary: "Returns a random key name from the database.",
	Bind:    command.Bind(command.None, runRandomKey),
}

func runRandomKey(c *command.Ctx, _ struct{}) error {
	if key, ok := c.Tx.RandomKey(); ok {
		c.W.BulkString(key)
	} else {
		c.W.Null()
	}
	return nil
}

var dbSizeCommand = &command.Spec{
	Name: "dbsize", Arity: 1, Flags: command.ReadOnly | command.Fast, Group: command.GroupServer, Since: "1.0.0",
	Summary: "Returns the number of keys in the database.",
	Bind:    command.Bind(command.None, runDBSize),
}

func runDBSize(c *command.Ctx, _ struct{}) error {
	n, _ := c.Tx.Len(c.Tx.DB)
	c.W.Int(int64(n))
	return nil
}

var objectCommand = &command.Spec{
	Name: "object", Arity: -2, Group: command.GroupGeneric, Since: "2.2.3",
	Summary: "A container for object introspection commands.",
	Sub: []*command.Spec{
		{
			Name: "encoding", Arity: 3, Flags: command.ReadOnly, Keys: command.SubKey, Group: command.GroupGeneric, Since: "2.2.3",
			Summary: "Returns the internal encoding of a Redis object.",
			Args:    []command.Arg{keyArg},
			Bind:    command.Bind(parseKey, runObjectEncoding),
		},
		{
			Name: "freq", Arity: 3, Flags: command.ReadOnly, Keys: command.SubKey, Group: command.GroupGeneric, Since: "4.0.0",
			Summary: "Returns the logarithmic access frequency counter of a Redis object.",
			Args:    []command.Arg{keyArg},
			Bind:    command.Bind(parseKey, runObjectFreq),
		},
		{
			Name: "help", Arity: 2, Flags: command.Loading | command.Stale | command.Keyless, Group: command.GroupGeneric, Since: "6.2.0",
			Summary: "Returns helpful text about the different subcommands.",
			Bind:    command.Bind(command.None, runObjectHelp),
		},
		{
			Name: "idletime", Arity: 3, Flags: command.ReadOnly, Keys: command.SubKey, Group: command.GroupGeneric, Since: "2.2.3",
			Summary: "Returns the time since the last access to a Redis object.",
			Args:    []command.Arg{keyArg},
			Bind:    command.Bind(parseKey, runObjectIdleTime),
		},
		{
			Name: "refcount", Arity: 3, Flags: command.ReadOnly, Keys: command.SubKey, Group: command.GroupGeneric, Since: "2.2.3",
			Summary: "Returns the reference count of a value of a key.",
			Args:    []command.Arg{keyArg},
			Bind:    command.Bind(parseKey, runObjectRefCount),
		},
	},
}

// maxEmbedded is how many bytes of key and string together Redis 8 keeps in one
// piece of 64 bytes.
const maxEmbedded = 41

func runObjectEncoding(c *command.Ctx, key []byte) error {
	e := inspect(c, key)
	if e == nil {
		c.W.Null()
		return nil
	}
	encoding := e.Value().Encoding()
	if v, ok := e.Value().(*str.Value); ok && encoding == "embstr" && len(key)+len(v.B) > maxEmbedded {
		encoding = "raw"
	}
	c.W.BulkString(encoding)
	return nil
}

func runObjectFreq(c *command.Ctx, key []byte) error {
	e := inspect(c, key)
	if e == nil {
		c.W.Null()
		return nil
	}
	s := c.Keyspace.Eviction()
	if s.Word != evict.Counter && s.Word != evict.Density {
		return resp.ErrPolicyLRU
	}
	c.W.Int(int64(s.Frequency(e.Access(), c.Tx.Now)))
	return nil
}

func runObjectIdleTime(c *command.Ctx, key []byte) error {
	e := inspect(c, key)
	if e == nil {
		c.W.Null()
		return nil
	}
	switch c.Keyspace.Eviction().Word {
	case evict.Counter:
		return resp.ErrPolicyLFU
	case evict.Density:
		return resp.ErrPolicyLHD
	}
	c.W.Int(evict.Idle(e.Access(), c.Tx.Now))
	return nil
}

func runObjectRefCount(c *command.Ctx, key []byte) error {
	if inspect(c, key) != nil {
		c.W.Int(1) // Redis 8 shares no values any more, and neither does this
	} else {
		c.W.Null()
	}
	return nil
}

var objectHelp = []string{
	"OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
	"ENCODING <key>",
	"    Return the kind of internal representation used in order to store the value",
	"    associated with a <key>.",
	"FREQ <key>",
	"    Return the access frequency index of the <key>. The returned integer is",
	"    proportional to the logarithm of the recent access frequency of the key.",
	"IDLETIME <key>",
	"    Return the idle time of the <key>, that is the approximated number of",
	"    seconds elapsed since the last access to the key.",
	"REFCOUNT <key>",
	"    Return the number of references of the value associated with the specified",
	"    <key>.",
	"HELP",
	"    Print this help.",
}

func runObjectHelp(c *command.Ctx, _ struct{}) error {
	c.W.Array(len(objectHelp))
	for _, line := range objectHelp {
		c.W.Status(line)
	}
	return nil
}

var flushArgs = []command.Arg{{Name: "flush-type", Type: "oneof", Optional: true, Args: []command.Arg{
	{Name: "async", Type: "pure-token", Token: "ASYNC", Since: "4.0.0"},
	{Name: "sync", Type: "pure-token", Token: "SYNC", Since: "6.2.0"},
}}}

var flushDBCommand = &command.Spec{
	Name: "flushdb", Arity: -1, Flags: command.Write | command.AllShards, Group: command.GroupServer, Since: "1.0.0",
	Summary: "Remove all keys from the current database.",
	Args:    flushArgs,
	Bind: command.Bind(parseFlush, func(c *command.Ctx, _ struct{}) error {
		return flush(c, c.Tx.DB)
	}),
}

var flushAllCommand = &command.Spec{
	Name: "flushall", Arity: -1, Flags: command.Write | command.AllShards, Group: command.GroupServer, Since: "1.0.0",
	Summary: "Removes all keys from all databases.",
	Args:    flushArgs,
	Bind: command.Bind(parseFlush, func(c *command.Ctx, _ struct{}) error {
		return flush(c, -1)
	}),
}

// parseFlush accepts ASYNC and SYNC: the garbage collector frees in the
// background either way.
func parseFlush(p *args.Parser) (none struct{}) {
	if p.More() && !p.Accept("ASYNC") && !p.Accept("SYNC") {
		p.Fail(resp.ErrSyntax)
	}
	return none
}

func flush(c *command.Ctx, db int) error {
	c.Tx.Flush(db)
	c.W.Status("OK")
	return nil
}
