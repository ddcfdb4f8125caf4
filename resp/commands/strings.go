package commands

import (
	"math"
	"strconv"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/session"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/str"
)

var stringCommands = []*command.Spec{
	setCommand, getCommand, getDelCommand, getExCommand, mGetCommand, mSetCommand, mSetNXCommand,
	incrCommand, incrByCommand, incrByFloatCommand, decrCommand, decrByCommand,
	appendCommand, strLenCommand, getRangeCommand, subStrCommand, setRangeCommand,
	setNXCommand, setExCommand, pSetExCommand, getSetCommand,
	digestCommand, delExCommand, mSetExCommand, incrExCommand, lcsCommand,
}

// maxString is the longest string that APPEND, SETRANGE and SETBIT make:
// Redis' default proto-max-bulk-len.
const maxString = 512 << 20

// asString is the string of an entry, nil where there is no entry.
func asString(e *store.Entry) (*str.Value, error) {
	if e == nil {
		return nil, nil
	}
	if v, ok := e.Value().(*str.Value); ok {
		return v, nil
	}
	return nil, resp.ErrWrongType
}

// putString stores a copy of b under key, whose entry is e, nil where there is
// none, and leaves the time to live as it is.
func putString(c *command.Ctx, e *store.Entry, key, b []byte) *store.Entry {
	return c.Tx.PutString(e, key, b, store.KeepTTL)
}

// setString is Tx.PutString for commands that set a key whatever it holds: to
// notifications that is another value, not a changed one.
func setString(c *command.Ctx, e *store.Entry, key, b []byte, at int64) *store.Entry {
	if e == nil {
		return c.Tx.PutString(nil, key, b, at)
	}
	was := e.Type()
	e = c.Tx.PutString(e, key, b, at)
	c.Tx.Overwritten(e, was)
	return e
}

// keptTTL is the expiry of a string that is set with or without KEEPTTL.
func keptTTL(keep bool) int64 {
	if keep {
		return store.KeepTTL
	}
	return 0
}

// parseKey is the parse of commands that take one key and nothing else.
func parseKey(p *args.Parser) []byte { return p.Bytes() }

// pair is a key with one more argument.
type pair struct{ a, b []byte }

func parsePair(p *args.Parser) pair { return pair{p.Bytes(), p.Bytes()} }

func replyBulk(c *command.Ctx, v *str.Value) {
	if v == nil {
		c.W.Null()
		return
	}
	c.W.Bulk(v.B)
}

// unit says how the time of an expiry option is meant.
type unit uint8

const (
	noUnit unit = iota
	unitEX
	unitPX
	unitEXAT
	unitPXAT
)

var unitWords = [...]string{unitEX: "EX", unitPX: "PX", unitEXAT: "EXAT", unitPXAT: "PXAT"}

// expiry is an expiry option: its time is checked when it is used, because
// Redis answers other errors first.
type expiry struct {
	unit unit
	arg  []byte
}

// accept reads EX, PX, EXAT or PXAT with its time, and reports whether it did.
// The last one of a kind counts; two kinds do not go together.
func (x *expiry) accept(p *args.Parser) bool {
	for u := unitEX; u <= unitPXAT; u++ {
		if p.Accept(unitWords[u]) {
			if x.unit != noUnit && x.unit != u {
				p.Fail(resp.ErrSyntax)
			}
			x.unit, x.arg = u, p.Bytes()
			return true
		}
	}
	return false
}

// at is the time in Unix milliseconds; name is the command's, for errors.
func (x expiry) at(now int64, name string) (int64, error) {
	n, ok := resp.ParseInt(x.arg)
	if !ok {
		return 0, resp.ErrNotInt
	}
	seconds := x.unit == unitEX || x.unit == unitEXAT
	if n <= 0 || seconds && n > math.MaxInt64/1000 {
		return 0, resp.ExpireTime(name)
	}
	if seconds {
		n *= 1000
	}
	if x.unit == unitEX || x.unit == unitPX {
		if n > math.MaxInt64-now {
			return 0, resp.ExpireTime(name)
		}
		n += now
	}
	return n, nil
}

// Words of effects.
var (
	wordSet       = []byte("SET")
	wordDel       = []byte("DEL")
	wordPXAT      = []byte("PXAT")
	wordKeepTTL   = []byte("KEEPTTL")
	wordPExpireAt = []byte("PEXPIREAT")
	wordPersist   = []byte("PERSIST")
)

func decimal(n int64) []byte { return strconv.AppendInt(make([]byte, 0, 20), n, 10) }

// deleteExpired removes a key whose new time to live is over already.
func deleteExpired(c *command.Ctx, key []byte) {
	if c.Tx.Delete(key, "del") {
		c.Tx.Effect(wordDel, key)
	}
}

// keyArg is the argument key, which nearly every command has.
var keyArg = command.Arg{Name: "key", Type: "key"}

// keysArg is one key or more.
var keysArg = []command.Arg{{Name: "key", Type: "key", Multiple: true}}

func flagArg(name, token string) command.Arg {
	return command.Arg{Name: name, Type: "pure-token", Token: token}
}

func optional(a command.Arg) command.Arg {
	a.Optional = true
	return a
}

// expiryArg describes EX, PX, EXAT, PXAT and one word more.
func expiryArg(more command.Arg) command.Arg {
	return command.Arg{Name: "expiration", Type: "oneof", Optional: true, Args: []command.Arg{
		{Name: "seconds", Type: "integer", Token: "EX"},
		{Name: "milliseconds", Type: "integer", Token: "PX"},
		{Name: "unix-time-seconds", Type: "unix-time", Token: "EXAT"},
		{Name: "unix-time-milliseconds", Type: "unix-time", Token: "PXAT"},
		more,
	}}
}

var setCommand = &command.Spec{
	Name: "set", Arity: -3, Flags: command.Write | command.DenyOOM, Keys: command.OneKey, Group: command.GroupString, Since: "1.0.0",
	Summary: "Sets the string value of a key, ignoring its type. The key is created if it doesn't exist.",
	Args: []command.Arg{
		keyArg,
		{Name: "value", Type: "string"},
		{Name: "condition", Type: "oneof", Since: "2.6.12", Optional: true, Args: []command.Arg{
			flagArg("nx", "NX"),
			flagArg("xx", "XX"),
			{Name: "ifeq-value", Type: "string", Token: "IFEQ", Since: "8.4.0"},
			{Name: "ifne-value", Type: "string", Token: "IFNE", Since: "8.4.0"},
			{Name: "ifdeq-digest", Type: "string", Token: "IFDEQ", Since: "8.4.0"},
			{Name: "ifdne-digest", Type: "string", Token: "IFDNE", Since: "8.4.0"},
		}},
		{Name: "get", Type: "pure-token", Token: "GET", Since: "6.2.0", Optional: true},
		{Name: "expiration", Type: "oneof", Optional: true, Args: []command.Arg{
			{Name: "seconds", Type: "integer", Token: "EX", Since: "2.6.12"},
			{Name: "milliseconds", Type: "integer", Token: "PX", Since: "2.6.12"},
			{Name: "unix-time-seconds", Type: "unix-time", Token: "EXAT", Since: "6.2.0"},
			{Name: "unix-time-milliseconds", Type: "unix-time", Token: "PXAT", Since: "6.2.0"},
			{Name: "keepttl", Type: "pure-token", Token: "KEEPTTL", Since: "6.0.0"},
		}},
	},
	Bind: command.Bind(parseSet, runSet),
}

// condition says when SET sets and DELEX deletes.
type condition uint8

const (
	always condition = iota
	ifMissing
	ifThere
	ifEqual
	ifNotEqual
	ifDigest
	ifNotDigest
)

var conditionWords = [...]string{
	ifMissing: "NX", ifThere: "XX", ifEqual: "IFEQ", ifNotEqual: "IFNE", ifDigest: "IFDEQ", ifNotDigest: "IFDNE",
}

type setArgs struct {
	key, value []byte
	ttl        expiry
	keepTTL    bool
	get        bool
	cond       condition
	operand    []byte // of the IF conditions
}

func parseSet(p *args.Parser) (a setArgs) {
	a.key, a.value = p.Bytes(), p.Bytes()
	for p.More() {
		switch {
		case a.ttl.accept(p):
		case p.Accept("KEEPTTL"):
			a.keepTTL = true
		case p.Accept("GET"):
			a.get = true
		default:
			cond := acceptCondition(p, ifMissing, ifNotDigest)
			if cond == always || a.cond != always && a.cond != cond {
				p.Fail(resp.ErrSyntax)
				return a
			}
			a.cond = cond
			if cond >= ifEqual {
				a.operand = p.Bytes()
			}
		}
		if a.keepTTL && a.ttl.unit != noUnit {
			p.Fail(resp.ErrSyntax)
		}
	}
	return a
}

// acceptCondition reads one of the words of conditions first to last; always
// where the next argument is none of them.
func acceptCondition(p *args.Parser, first, last condition) condition {
	for cond := first; cond <= last; cond++ {
		if p.Accept(conditionWords[cond]) {
			return cond
		}
	}
	return always
}

func runSet(c *command.Ctx, a setArgs) error {
	var at int64
	if a.ttl.unit != noUnit {
		var err error
		if at, err = a.ttl.at(c.Tx.Now, "set"); err != nil {
			return err
		}
	}
	if a.get { // which is a read before the write
		if _, err := asString(c.Tx.Get(a.key)); err != nil {
			return err
		}
	}
	e := c.Tx.Find(a.key)
	if e != nil && a.cond >= ifEqual { // and so is this
		c.Tx.Get(a.key)
	}
	if a.get || a.cond >= ifEqual {
		v, err := asString(e)
		if err != nil {
			return err
		}
		met, err := meets(a.cond, v, a.operand)
		if err != nil {
			return err
		}
		switch {
		case a.get:
			replyBulk(c, v)
		case !met:
			c.W.Null()
		}
		if !met {
			return nil
		}
	} else if a.cond == ifMissing && e != nil || a.cond == ifThere && e == nil {
		c.W.Null()
		return nil
	}
	switch {
	case at == 0:
		c.Tx.Changed(setString(c, e, a.key, a.value, keptTTL(a.keepTTL)), store.ClassString, "set")
	case c.Tx.Past(at):
		deleteExpired(c, a.key)
	default:
		e = setString(c, e, a.key, a.value, at)
		c.Tx.Changed(e, store.ClassString, "set")
		c.Tx.Changed(e, store.ClassGeneric, "expire")
		c.Tx.Effect(wordSet, a.key, a.value, wordPXAT, decimal(at))
	}
	if !a.get {
		c.W.Status("OK")
	}
	return nil
}

// meets reports whether a value, nil for none, meets a condition.
func meets(cond condition, v *str.Value, operand []byte) (bool, error) {
	switch cond {
	case ifMissing:
		return v == nil, nil
	case ifThere:
		return v != nil, nil
	case ifEqual:
		return v != nil && string(v.B) == string(operand), nil
	case ifNotEqual:
		return v == nil || string(v.B) != string(operand), nil
	case ifDigest, ifNotDigest:
		if v == nil {
			return cond == ifNotDigest, nil
		}
		if len(operand) != 16 {
			return false, errDigest
		}
		d := v.Digest()
		return args.EqualFold(operand, string(d[:])) == (cond == ifDigest), nil
	}
	return true, nil
}

const errDigest resp.Error = "ERR must be exactly 16 hexadecimal characters"

var getCommand = &command.Spec{
	Name: "get", Arity: 2, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupString, Since: "1.0.0",
	Summary: "Returns the string value of a key.",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind(parseKey, runGet),
}

func runGet(c *command.Ctx, key []byte) error {
	e := c.Tx.Get(key)
	v, err := asString(e)
	if err != nil {
		return err
	}
	if v == nil || len(v.B) < session.ShareFrom || !c.Share(e) {
		replyBulk(c, v)
	}
	return nil
}

var getDelCommand = &command.Spec{
	Name: "getdel", Arity: 2, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupString, Since: "6.2.0",
	Summary: "Returns the string value of a key after deleting the key.",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind(parseKey, runGetDel),
}

func runGetDel(c *command.Ctx, key []byte) error {
	if err := runGet(c, key); err != nil {
		return err
	}
	if c.Tx.Delete(key, "del") {
		c.Tx.Effect(wordDel, key)
	}
	return nil
}

var getExCommand = &command.Spec{
	Name: "getex", Arity: -2, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupString, Since: "6.2.0",
	Summary: "Returns the string value of a key after setting its expiration time.",
	Args:    []command.Arg{keyArg, expiryArg(flagArg("persist", "PERSIST"))},
	Bind:    command.Bind(parseGetEx, runGetEx),
}

type getExArgs struct {
	key     []byte
	ttl     expiry
	persist bool
}

func parseGetEx(p *args.Parser) (a getExArgs) {
	a.key = p.Bytes()
	for p.More() {
		switch {
		case a.ttl.accept(p):
		case p.Accept("PERSIST"):
			a.persist = true
		default:
			p.Fail(resp.ErrSyntax)
		}
		if a.persist && a.ttl.unit != noUnit {
			p.Fail(resp.ErrSyntax)
		}
	}
	return a
}

func runGetEx(c *command.Ctx, a getExArgs) error {
	e := c.Tx.Get(a.key)
	v, err := asString(e)
	if err != nil {
		return err
	}
	if v == nil {
		c.W.Null()
		return nil
	}
	switch {
	case a.ttl.unit != noUnit:
		at, err := a.ttl.at(c.Tx.Now, "getex")
		if err != nil {
			return err
		}
		c.W.Bulk(v.B)
		if c.Tx.Past(at) {
			deleteExpired(c, a.key)
			return nil
		}
		c.Tx.SetExpire(e, at)
		c.Tx.Changed(e, store.ClassGeneric, "expire")
		c.Tx.Effect(wordPExpireAt, a.key, decimal(at))
	case a.persist && e.ExpireAt() != 0:
		c.W.Bulk(v.B)
		c.Tx.SetExpire(e, 0)
		c.Tx.Changed(e, store.ClassGeneric, "persist")
		c.Tx.Effect(wordPersist, a.key)
	default:
		c.W.Bulk(v.B)
	}
	return nil
}

var mGetCommand = &command.Spec{
	Name: "mget", Arity: -2, Flags: command.ReadOnly | command.Fast, Keys: command.AllKeys, Group: command.GroupString, Since: "1.0.0",
	Summary: "Atomically returns the string values of one or more keys.",
	Args:    keysArg,
	Bind:    command.Bind(parseKeys, runMGet),
}

func parseKeys(p *args.Parser) [][]byte { return p.Rest() }

func runMGet(c *command.Ctx, keys [][]byte) error {
	start := c.W.Len()
	c.W.Array(len(keys))
	for _, key := range keys {
		v, _ := asString(c.Tx.Get(key)) // another type is nothing, as in Redis
		replyBulk(c, v)
		if c.W.Len()-start > maxReply {
			c.W.Truncate(start)
			return errReplySize
		}
	}
	return nil
}

// maxReply bounds what one command may ask for by naming the same large value
// again and again, in bytes. Redis has no such bound and runs out of memory.
const (
	maxReply                = 1 << 30
	errReplySize resp.Error = "ERR reply exceeds the maximum size of one reply"
)

var msetArgs = []command.Arg{{Name: "data", Type: "block", Multiple: true, Args: []command.Arg{keyArg, {Name: "value", Type: "string"}}}}

var mSetCommand = &command.Spec{
	Name: "mset", Arity: -3, Flags: command.Write | command.DenyOOM, Keys: command.KeyPairs, Group: command.GroupString, Since: "1.0.1",
	Summary: "Atomically creates or modifies the string values of one or more keys.",
	Args:    msetArgs,
	Bind:    command.Bind(parsePairs("mset"), runMSet),
}

func parsePairs(name string) func(*args.Parser) [][]byte {
	return func(p *args.Parser) [][]byte {
		if p.Len()%2 != 0 {
			p.Fail(resp.WrongArgs(name))
		}
		return p.Rest()
	}
}

func runMSet(c *command.Ctx, pairs [][]byte) error {
	mset(c, pairs)
	c.W.Status("OK")
	return nil
}

func mset(c *command.Ctx, pairs [][]byte) {
	c.Tx.Count(len(pairs) / 2)
	for i := 0; i < len(pairs); i += 2 {
		key := pairs[i]
		c.Tx.Changed(setString(c, c.Tx.Find(key), key, pairs[i+1], 0), store.ClassString, "set")
	}
}

var mSetNXCommand = &command.Spec{
	Name: "msetnx", Arity: -3, Flags: command.Write | command.DenyOOM, Keys: command.KeyPairs, Group: command.GroupString, Since: "1.0.1",
	Summary: "Atomically modifies the string values of one or more keys only when all keys don't exist.",
	Args:    msetArgs,
	Bind:    command.Bind(parsePairs("msetnx"), runMSetNX),
}

func runMSetNX(c *command.Ctx, pairs [][]byte) error {
	for i := 0; i < len(pairs); i += 2 {
		if c.Tx.Find(pairs[i]) != nil {
			c.W.Int(0)
			return nil
		}
	}
	mset(c, pairs)
	c.W.Int(1)
	return nil
}

var incrCommand = &command.Spec{
	Name: "incr", Arity: 2, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupString, Since: "1.0.0",
	Summary: "Increments the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind(parseKey, func(c *command.Ctx, key []byte) error { return runIncrBy(c, keyInt{key, 1}) }),
}

var incrByCommand = &command.Spec{
	Name: "incrby", Arity: 3, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupString, Since: "1.0.0",
	Summary: "Increments the integer value of a key by a number. Uses 0 as initial value if the key doesn't exist.",
	Args:    []command.Arg{keyArg, {Name: "increment", Type: "integer"}},
	Bind:    command.Bind(parseKeyInt, runIncrBy),
}

type keyInt struct {
	key []byte
	n   int64
}

func parseKeyInt(p *args.Parser) keyInt { return keyInt{p.Bytes(), p.Int()} }

func runIncrBy(c *command.Ctx, a keyInt) error {
	e := c.Tx.Find(a.key)
	v, err := asString(e)
	if err != nil {
		return err
	}
	var n int64
	if v != nil {
		var ok bool
		if n, ok = resp.ParseInt(v.B); !ok {
			return resp.ErrNotInt
		}
	}
	if n, err = addInt(n, a.n); err != nil {
		return err
	}
	var text [20]byte
	e = putString(c, e, a.key, strconv.AppendInt(text[:0], n, 10))
	c.Tx.Changed(e, store.ClassString, "incrby")
	c.W.Int(n)
	return nil
}

func addInt(n, by int64) (int64, error) {
	if by > 0 && n > math.MaxInt64-by || by < 0 && n < math.MinInt64-by {
		return 0, resp.ErrOverflow
	}
	return n + by, nil
}

var incrByFloatCommand = &command.Spec{
	Name: "incrbyfloat", Arity: 3, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupString, Since: "2.6.0",
	Summary: "Increment the floating point value of a key by a number. Uses 0 as initial value if the key doesn't exist.",
	Args:    []command.Arg{keyArg, {Name: "increment", Type: "double"}},
	Bind:    command.Bind(parsePair, runIncrByFloat),
}

func runIncrByFloat(c *command.Ctx, a pair) error {
	e := c.Tx.Find(a.a)
	v, err := asString(e)
	if err != nil {
		return err
	}
	old := []byte("0")
	if v != nil {
		old = v.B
	}
	text, err := addLong(old, a.b, resp.ErrNotFloat)
	if err != nil {
		return err
	}
	e = putString(c, e, a.a, text)
	e.Value().(*str.Value).MarkPrinted()
	c.Tx.Changed(e, store.ClassString, "incrbyfloat")
	c.Tx.Effect(wordSet, a.a, text, wordKeepTTL)
	c.W.Bulk(text)
	return nil
}

var decrCommand = &command.Spec{
	Name: "decr", Arity: 2, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupString, Since: "1.0.0",
	Summary: "Decrements the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind(parseKey, func(c *command.Ctx, key []byte) error { return runIncrBy(c, keyInt{key, -1}) }),
}

var decrByCommand = &command.Spec{
	Name: "decrby", Arity: 3, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupString, Since: "1.0.0",
	Summary: "Decrements a number from the integer value of a key. Uses 0 as initial value if the key doesn't exist.",
	Args:    []command.Arg{keyArg, {Name: "decrement", Type: "integer"}},
	Bind:    command.Bind(parseDecrBy, runIncrBy),
}

func parseDecrBy(p *args.Parser) keyInt {
	a := parseKeyInt(p)
	if a.n == math.MinInt64 {
		p.Fail(resp.ErrDecrOverflow)
	}
	a.n = -a.n
	return a
}

var appendCommand = &command.Spec{
	Name: "append", Arity: 3, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupString, Since: "2.0.0",
	Summary: "Appends a string to the value of a key. Creates the key if it doesn't exist.",
	Args:    []command.Arg{keyArg, {Name: "value", Type: "string"}},
	Bind:    command.Bind(parsePair, runAppend),
}

func runAppend(c *command.Ctx, a pair) error {
	e := c.Tx.Find(a.a)
	v, err := asString(e)
	if err != nil {
		return err
	}
	if v == nil {
		v = str.Copy(a.b)
		e = c.Tx.Put(a.a, v, false)
	} else {
		if len(v.B)+len(a.b) > maxString {
			return resp.ErrStringSize
		}
		v.B = append(v.B, a.b...)
		v.MarkRaw()
	}
	c.Tx.Changed(e, store.ClassString, "append")
	c.W.Int(int64(len(v.B)))
	return nil
}

var strLenCommand = &command.Spec{
	Name: "strlen", Arity: 2, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupString, Since: "2.2.0",
	Summary: "Returns the length of a string value.",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind(parseKey, runStrLen),
}

func runStrLen(c *command.Ctx, key []byte) error {
	e := c.Tx.Get(key)
	switch {
	case e == nil:
		c.W.Int(0)
	case e.Type() != str.Type:
		return resp.ErrWrongType
	default:
		c.W.Int(int64(e.StringLen()))
	}
	return nil
}

var rangeArgs = []command.Arg{keyArg, {Name: "start", Type: "integer"}, {Name: "end", Type: "integer"}}

var getRangeCommand = &command.Spec{
	Name: "getrange", Arity: 4, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupString, Since: "2.4.0",
	Summary: "Returns a substring of the string stored at a key.",
	Args:    rangeArgs,
	Bind:    command.Bind(parseGetRange, runGetRange),
}

type getRangeArgs struct {
	key        []byte
	start, end int64
}

func parseGetRange(p *args.Parser) getRangeArgs {
	return getRangeArgs{p.Bytes(), p.Int(), p.Int()}
}

func runGetRange(c *command.Ctx, a getRangeArgs) error {
	v, err := asString(c.Tx.Get(a.key))
	if err != nil {
		return err
	}
	if v == nil {
		c.W.BulkString("")
		return nil
	}
	n := int64(len(v.B))
	if a.start < 0 && a.end < 0 && a.start > a.end {
		c.W.BulkString("")
		return nil
	}
	start, end := fromEnd(a.start, n), min(fromEnd(a.end, n), n-1)
	if start > end {
		c.W.BulkString("")
		return nil
	}
	c.W.Bulk(v.B[start : end+1])
	return nil
}

// fromEnd counts a negative position from the end, and stops at the start.
func fromEnd(i, n int64) int64 {
	if i < 0 {
		return max(i+n, 0)
	}
	return i
}

var subStrCommand = &command.Spec{
	Name: "substr", Arity: 4, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupString, Since: "1.0.0",
	Summary: "Returns a substring from a string value.",
	Args:    rangeArgs,
	Bind:    command.Bind(parseGetRange, runGetRange),
}

var setRangeCommand = &command.Spec{
	Name: "setrange", Arity: 4, Flags: command.Write | command.DenyOOM, Keys: command.OneKey, Group: command.GroupString, Since: "2.2.0",
	Summary: "Overwrites a part of a string value with another by an offset. Creates the key if it doesn't exist.",
	Args:    []command.Arg{keyArg, {Name: "offset", Type: "integer"}, {Name: "value", Type: "string"}},
	Bind:    command.Bind(parseSetRange, runSetRange),
}

type setRangeArgs struct {
	key    []byte
	offset int64
	value  []byte
}

func parseSetRange(p *args.Parser) setRangeArgs {
	a := setRangeArgs{p.Bytes(), p.Int(), p.Bytes()}
	if a.offset < 0 {
		p.Fail(resp.ErrOffset)
	}
	return a
}

func runSetRange(c *command.Ctx, a setRangeArgs) error {
	e := c.Tx.Find(a.key)
	v, err := asString(e)
	if err != nil {
		return err
	}
	n := 0
	if v != nil {
		n = len(v.B)
	}
	if len(a.value) == 0 {
		c.W.Int(int64(n))
		return nil
	}
	if a.offset > maxString-int64(len(a.value)) {
		return resp.ErrStringSize
	}
	if v == nil {
		v = str.New(nil)
		e = c.Tx.Put(a.key, v, false)
	}
	copy(v.Grow(int(a.offset) + len(a.value))[a.offset:], a.value)
	c.Tx.Changed(e, store.ClassString, "setrange")
	c.W.Int(int64(len(v.B)))
	return nil
}

var setNXCommand = &command.Spec{
	Name: "setnx", Arity: 3, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupString, Since: "1.0.0",
	Summary: "Set the string value of a key only when the key doesn't exist.",
	Args:    []command.Arg{keyArg, {Name: "value", Type: "string"}},
	Bind:    command.Bind(parsePair, runSetNX),
}

func runSetNX(c *command.Ctx, a pair) error {
	if c.Tx.Find(a.a) != nil {
		c.W.Int(0)
		return nil
	}
	c.Tx.Changed(setString(c, nil, a.a, a.b, 0), store.ClassString, "set")
	c.W.Int(1)
	return nil
}

var setExCommand = &command.Spec{
	Name: "setex", Arity: 4, Flags: command.Write | command.DenyOOM, Keys: command.OneKey, Group: command.GroupString, Since: "2.0.0",
	Summary: "Sets the string value and expiration time of a key. Creates the key if it doesn't exist.",
	Args:    []command.Arg{keyArg, {Name: "seconds", Type: "integer"}, {Name: "value", Type: "string"}},
	Bind:    command.Bind(parseSetEx(unitEX), runSetEx("setex")),
}

var pSetExCommand = &command.Spec{
	Name: "psetex", Arity: 4, Flags: command.Write | command.DenyOOM, Keys: command.OneKey, Group: command.GroupString, Since: "2.6.0",
	Summary: "Sets both string value and expiration time in milliseconds of a key. The key is created if it doesn't exist.",
	Args:    []command.Arg{keyArg, {Name: "milliseconds", Type: "integer"}, {Name: "value", Type: "string"}},
	Bind:    command.Bind(parseSetEx(unitPX), runSetEx("psetex")),
}

type setExArgs struct {
	key   []byte
	ttl   expiry
	value []byte
}

func parseSetEx(u unit) func(*args.Parser) setExArgs {
	return func(p *args.Parser) setExArgs {
		return setExArgs{p.Bytes(), expiry{u, p.Bytes()}, p.Bytes()}
	}
}

func runSetEx(name string) func(*command.Ctx, setExArgs) error {
	return func(c *command.Ctx, a setExArgs) error {
		at, err := a.ttl.at(c.Tx.Now, name)
		if err != nil {
			return err
		}
		e := setString(c, c.Tx.Find(a.key), a.key, a.value, at)
		c.Tx.Changed(e, store.ClassString, "set")
		c.Tx.Changed(e, store.ClassGeneric, "expire")
		c.Tx.Effect(wordSet, a.key, a.value, wordPXAT, decimal(at))
		c.W.Status("OK")
		return nil
	}
}

var getSetCommand = &command.Spec{
	Name: "getset", Arity: 3, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupString, Since: "1.0.0",
	Summary: "Returns the previous string value of a key after setting it to a new value.",
	Args:    []command.Arg{keyArg, {Name: "value", Type: "string"}},
	Bind:    command.Bind(parsePair, runGetSet),
}

func runGetSet(c *command.Ctx, a pair) error {
	e := c.Tx.Get(a.a)
	v, err := asString(e)
	if err != nil {
		return err
	}
	replyBulk(c, v)
	c.Tx.Changed(setString(c, e, a.a, a.b, 0), store.ClassString, "set")
	c.Tx.Effect(wordSet, a.a, a.b)
	return nil
}
