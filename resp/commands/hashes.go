package commands

import (
	"math"
	"strconv"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/hash"
)

var hashCommands = []*command.Spec{
	hSetCommand, hSetNXCommand, hMSetCommand, hGetCommand, hMGetCommand, hGetAllCommand, hGetDelCommand,
	hKeysCommand, hValsCommand, hLenCommand, hExistsCommand, hStrLenCommand, hDelCommand,
	hIncrByCommand, hIncrByFloatCommand, hRandFieldCommand, hScanCommand,
	hExpireCommand, hPExpireCommand, hExpireAtCommand, hPExpireAtCommand, hPersistCommand,
	hTTLCommand, hPTTLCommand, hExpireTimeCommand, hPExpireTimeCommand, hGetExCommand, hSetExCommand,
}

// asHash is the hash of an entry, nil where there is no entry.
func asHash(e *store.Entry) (*hash.Value, error) {
	if e == nil {
		return nil, nil
	}
	if v, ok := e.Value().(*hash.Value); ok {
		return v, nil
	}
	return nil, resp.ErrWrongType
}

// findHash finds a hash for writing, nil where there is none. Fields that are past
// their time go before anybody looks.
func findHash(c *command.Ctx, key []byte) (*store.Entry, *hash.Value, error) {
	return liveHash(c, c.Tx.Find(key))
}

// getHash finds a hash for reading, nil where there is none.
func getHash(c *command.Ctx, key []byte) (*hash.Value, error) {
	_, v, err := liveHash(c, c.Tx.Get(key))
	return v, err
}

func liveHash(c *command.Ctx, e *store.Entry) (*store.Entry, *hash.Value, error) {
	v, err := asHash(e)
	if v != nil && v.NextExpiry() != 0 && !c.Tx.ExpireParts(e) {
		return nil, nil, nil
	}
	return e, v, err
}

// triple is a key, a field and one more argument.
type triple struct{ key, field, value []byte }

func parseTriple(p *args.Parser) triple { return triple{p.Bytes(), p.Bytes(), p.Bytes()} }

// keyFields is a key and what follows it.
type keyFields struct {
	key    []byte
	fields [][]byte
}

func parseKeyFields(p *args.Parser) keyFields { return keyFields{p.Bytes(), p.Rest()} }

var (
	fieldArg  = command.Arg{Name: "field", Type: "string"}
	fieldsArg = command.Arg{Name: "field", Type: "string", Multiple: true}
	hsetArgs  = []command.Arg{
		keyArg,
		{Name: "data", Type: "block", Multiple: true, Args: []command.Arg{fieldArg, {Name: "value", Type: "string"}}},
	}
)

var hSetCommand = &command.Spec{
	Name: "hset", Arity: -4, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupHash, Since: "2.0.0",
	Summary: "Creates or modifies the value of a field in a hash.",
	Args:    hsetArgs,
	Bind:    command.Bind(parseHSet("hset"), runHSet(false)),
}

func parseHSet(name string) func(*args.Parser) keyFields {
	return func(p *args.Parser) keyFields {
		a := parseKeyFields(p)
		if len(a.fields)%2 != 0 {
			p.Fail(resp.WrongArgs(name))
		}
		return a
	}
}

func runHSet(status bool) func(*command.Ctx, keyFields) error {
	return func(c *command.Ctx, a keyFields) error {
		e, v, err := findHash(c, a.key)
		if err != nil {
			return err
		}
		if v == nil {
			v = hash.New()
		}
		n := v.SetPairs(a.fields)
		c.Tx.Count(len(a.fields) / 2)
		if e == nil {
			e = c.Tx.Put(a.key, v, false)
		}
		c.Tx.Changed(e, store.ClassHash, "hset")
		c.Tx.Fields(a.fields, 2)
		if status {
			c.W.Status("OK")
		} else {
			c.W.Int(int64(n))
		}
		return nil
	}
}

var hSetNXCommand = &command.Spec{
	Name: "hsetnx", Arity: 4, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupHash, Since: "2.0.0",
	Summary: "Sets the value of a field in a hash only when the field doesn't exist.",
	Args:    []command.Arg{keyArg, fieldArg, {Name: "value", Type: "string"}},
	Bind:    command.Bind(parseTriple, runHSetNX),
}

func runHSetNX(c *command.Ctx, a triple) error {
	e, v, err := findHash(c, a.key)
	if err != nil {
		return err
	}
	if v != nil {
		if _, there := v.Get(a.field); there {
			c.W.Int(0)
			return nil
		}
	}
	putField(c, e, v, a, "hset")
	c.W.Int(1)
	return nil
}

// putField sets a field of the hash, which is made where there is none.
func putField(c *command.Ctx, e *store.Entry, v *hash.Value, a triple, event string) {
	if v == nil {
		v = hash.New()
	}
	v.SetKeeping(a.field, a.value)
	if e == nil {
		e = c.Tx.Put(a.key, v, false)
	}
	c.Tx.Changed(e, store.ClassHash, event)
	c.Tx.Fields(c.Args[2:3], 1)
}

var hMSetCommand = &command.Spec{
	Name: "hmset", Arity: -4, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupHash, Since: "2.0.0",
	Summary: "Sets the values of multiple fields.",
	Args:    hsetArgs,
	Bind:    command.Bind(parseHSet("hmset"), runHSet(true)),
}

var hGetCommand = &command.Spec{
	Name: "hget", Arity: 3, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupHash, Since: "2.0.0",
	Summary: "Returns the value of a field in a hash.",
	Args:    []command.Arg{keyArg, fieldArg},
	Bind:    command.Bind(parsePair, runHGet),
}

func runHGet(c *command.Ctx, a pair) error {
	v, err := getHash(c, a.a)
	if err != nil {
		return err
	}
	replyField(c, v, a.b)
	return nil
}

func replyField(c *command.Ctx, v *hash.Value, name []byte) {
	if v != nil {
		if b, ok := v.Get(name); ok {
			c.W.Bulk(b)
			return
		}
	}
	c.W.Null()
}

var hMGetCommand = &command.Spec{
	Name: "hmget", Arity: -3, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupHash, Since: "2.0.0",
	Summary: "Returns the values of all fields in a hash.",
	Args:    []command.Arg{keyArg, fieldsArg},
	Bind:    command.Bind(parseKeyFields, runHMGet),
}

func runHMGet(c *command.Ctx, a keyFields) error {
	v, err := getHash(c, a.key)
	if err != nil {
		return err
	}
	start := c.W.Len()
	c.W.Array(len(a.fields))
	for _, name := range a.fields {
		replyField(c, v, name)
		if c.W.Len()-start > maxReply {
			c.W.Truncate(start)
			return errReplySize
		}
	}
	return nil
}

var hGetAllCommand = &command.Spec{
	Name: "hgetall", Arity: 2, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupHash, Since: "2.0.0",
	Summary: "Returns all fields and values in a hash.",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind(parseKey, runHGetAll),
}

func runHGetAll(c *command.Ctx, key []byte) error {
	v, err := getHash(c, key)
	if err != nil {
		return err
	}
	n := 0
	if v != nil {
		n = v.Len()
	}
	if c.W.Map(n); n == 0 {
		return nil
	}
	v.Each(func(name string, value []byte) bool {
		c.W.BulkString(name)
		c.W.Bulk(value)
		return true
	})
	return nil
}

var hGetDelCommand = &command.Spec{
	Name: "hgetdel", Arity: -5, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupHash, Since: "8.0.0",
	Summary: "Returns the value of a field and deletes it from the hash.",
	Args:    []command.Arg{keyArg, fieldsBlock},
	Bind:    command.Bind(parseHGetDel, runHGetDel),
}

const (
	errNoFields    resp.Error = "ERR Mandatory argument FIELDS is missing or not at the right position"
	errNumFields   resp.Error = "ERR Number of fields must be a positive integer"
	errFieldsMatch resp.Error = "ERR The `numfields` parameter must match the number of arguments"
)

type hGetDelArgs struct {
	keyFields
	err error // of what follows the key: a key of another type hides it
}

func parseHGetDel(p *args.Parser) (a hGetDelArgs) {
	a.key = p.Bytes()
	rest := p.Rest()
	if len(rest) < 2 || !args.EqualFold(rest[0], "FIELDS") {
		a.err = errNoFields
		return a
	}
	a.fields = rest[2:]
	if n, ok := resp.ParseInt(rest[1]); !ok || n < 1 {
		a.err = errNumFields
	} else if int64(len(a.fields)) != n {
		a.err = errFieldsMatch
	}
	return a
}

func runHGetDel(c *command.Ctx, a hGetDelArgs) error {
	e, v, err := findHash(c, a.key)
	if err != nil {
		return err
	}
	if a.err != nil {
		return a.err
	}
	c.W.Array(len(a.fields))
	var room [8][]byte
	gone := room[:0]
	for _, name := range a.fields {
		replyField(c, v, name)
		if v != nil && v.Delete(name) {
			gone = append(gone, name)
		}
	}
	fieldsDeleted(c, e, v, a.key, gone)
	return nil
}

var hKeysCommand = &command.Spec{
	Name: "hkeys", Arity: 2, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupHash, Since: "2.0.0",
	Summary: "Returns all fields in a hash.",
	Args:    []command.Arg{keyArg},
	Bind: command.Bind(parseKey, runHList(func(c *command.Ctx, name string, _ []byte) {
		c.W.BulkString(name)
	})),
}

var hValsCommand = &command.Spec{
	Name: "hvals", Arity: 2, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupHash, Since: "2.0.0",
	Summary: "Returns all values in a hash.",
	Args:    []command.Arg{keyArg},
	Bind: command.Bind(parseKey, runHList(func(c *command.Ctx, _ string, value []byte) {
		c.W.Bulk(value)
	})),
}

func runHList(reply func(c *command.Ctx, name string, value []byte)) func(*command.Ctx, []byte) error {
	return func(c *command.Ctx, key []byte) error {
		v, err := getHash(c, key)
		if err != nil {
			return err
		}
		n := 0
		if v != nil {
			n = v.Len()
		}
		if c.W.Array(n); n == 0 {
			return nil
		}
		v.Each(func(name string, value []byte) bool {
			reply(c, name, value)
			return true
		})
		return nil
	}
}

var hLenCommand = &command.Spec{
	Name: "hlen", Arity: 2, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupHash, Since: "2.0.0",
	Summary: "Returns the number of fields in a hash.",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind(parseKey, runHLen),
}

func runHLen(c *command.Ctx, key []byte) error {
	v, err := getHash(c, key)
	if err != nil {
		return err
	}
	n := 0
	if v != nil {
		n = v.Len()
	}
	c.W.Int(int64(n))
	return nil
}

var hExistsCommand = &command.Spec{
	Name: "hexists", Arity: 3, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupHash, Since: "2.0.0",
	Summary: "Determines whether a field exists in a hash.",
	Args:    []command.Arg{keyArg, fieldArg},
	Bind:    command.Bind(parsePair, runHExists),
}

func runHExists(c *command.Ctx, a pair) error {
	v, err := getHash(c, a.a)
	if err != nil {
		return err
	}
	there := false
	if v != nil {
		_, there = v.Get(a.b)
	}
	replyDone(c, there)
	return nil
}

var hStrLenCommand = &command.Spec{
	Name: "hstrlen", Arity: 3, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupHash, Since: "3.2.0",
	Summary: "Returns the length of the value of a field.",
	Args:    []command.Arg{keyArg, fieldArg},
	Bind:    command.Bind(parsePair, runHStrLen),
}

func runHStrLen(c *command.Ctx, a pair) error {
	v, err := getHash(c, a.a)
	if err != nil {
		return err
	}
	n := 0
	if v != nil {
		b, _ := v.Get(a.b)
		n = len(b)
	}
	c.W.Int(int64(n))
	return nil
}

var hDelCommand = &command.Spec{
	Name: "hdel", Arity: -3, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupHash, Since: "2.0.0",
	Summary: "Deletes one or more fields and their values from a hash. Deletes the hash if no fields remain.",
	Args:    []command.Arg{keyArg, fieldsArg},
	Bind:    command.Bind(parseKeyFields, runHDel),
}

func runHDel(c *command.Ctx, a keyFields) error {
	e, v, err := findHash(c, a.key)
	if err != nil {
		return err
	}
	var room [8][]byte
	gone := room[:0]
	if v != nil {
		for _, name := range a.fields {
			if v.Delete(name) {
				gone = append(gone, name)
			}
		}
	}
	fieldsDeleted(c, e, v, a.key, gone)
	c.W.Int(int64(len(gone)))
	return nil
}

// fieldsDeleted tells that fields went, and the hash with the last of them.
func fieldsDeleted(c *command.Ctx, e *store.Entry, v *hash.Value, key []byte, names [][]byte) {
	if len(names) == 0 {
		return
	}
	c.Tx.Changed(e, store.ClassHash, "hdel")
	c.Tx.Fields(names, 1)
	c.Tx.Count(len(names))
	if v.Len() == 0 {
		c.Tx.Delete(key, "del")
	}
}

var hIncrByCommand = &command.Spec{
	Name: "hincrby", Arity: 4, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupHash, Since: "2.0.0",
	Summary: "Increments the integer value of a field in a hash by a number. Uses 0 as initial value if the field doesn't exist.",
	Args:    []command.Arg{keyArg, fieldArg, {Name: "increment", Type: "integer"}},
	Bind:    command.Bind(parseHIncrBy, runHIncrBy),
}

type hIncrByArgs struct {
	key, field []byte
	by         int64
}

func parseHIncrBy(p *args.Parser) hIncrByArgs { return hIncrByArgs{p.Bytes(), p.Bytes(), p.Int()} }

func runHIncrBy(c *command.Ctx, a hIncrByArgs) error {
	e, v, err := findHash(c, a.key)
	if err != nil {
		return err
	}
	var n int64
	if v != nil {
		if b, ok := v.Get(a.field); ok {
			if n, ok = resp.ParseInt(b); !ok {
				return resp.ErrHashInt
			}
		}
	}
	if n, err = addInt(n, a.by); err != nil {
		return err
	}
	var text [20]byte
	putField(c, e, v, triple{a.key, a.field, strconv.AppendInt(text[:0], n, 10)}, "hincrby")
	c.W.Int(n)
	return nil
}

var hIncrByFloatCommand = &command.Spec{
	Name: "hincrbyfloat", Arity: 4, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupHash, Since: "2.6.0",
	Summary: "Increments the floating point value of a field by a number. Uses 0 as initial value if the field doesn't exist.",
	Args:    []command.Arg{keyArg, fieldArg, {Name: "increment", Type: "double"}},
	Bind:    command.Bind(parseTriple, runHIncrByFloat),
}

func runHIncrByFloat(c *command.Ctx, a triple) error {
	by, ok := parseLong(a.value)
	switch {
	case !ok:
		return resp.ErrNotFloat
	case by.IsInf():
		return resp.ErrValueNaN
	}
	e, v, err := findHash(c, a.key)
	if err != nil {
		return err
	}
	old := []byte("0")
	if v != nil {
		if b, ok := v.Get(a.field); ok {
			old = b
		}
	}
	if a.value, err = addLong(old, a.value, resp.ErrHashFloat); err != nil {
		return err
	}
	putField(c, e, v, a, "hincrbyfloat")
	c.Tx.Effect(wordHSetEx, a.key, wordKeepTTL, wordFields, decimal(1), a.field, a.value)
	c.W.Bulk(a.value)
	return nil
}

var hRandFieldCommand = &command.Spec{
	Name: "hrandfield", Arity: -2, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupHash, Since: "6.2.0",
	Summary: "Returns one or more random fields from a hash.",
	Args: []command.Arg{
		keyArg,
		{Name: "options", Type: "block", Optional: true, Args: []command.Arg{
			{Name: "count", Type: "integer"}, optional(flagArg("withvalues", "WITHVALUES")),
		}},
	},
	Bind: command.Bind(parseHRandField, runHRandField),
}

type hRandFieldArgs struct {
	key     []byte
	counted bool
	count   int64
	values  bool
}

// A negative count asks for repetitions, as many as it says: Redis would fill
// the memory with the reply to a single short command.
const (
	maxRepeats     = 1 << 20
	maxRandomReply = 64 << 20
)

func parseHRandField(p *args.Parser) hRandFieldArgs {
	a := hRandFieldArgs{key: p.Bytes()}
	if !p.More() {
		return a
	}
	a.counted = true
	a.count = p.Int()
	if a.count == math.MinInt64 {
		p.Fail(resp.OutOfRange(-math.MaxInt64, math.MaxInt64))
	}
	a.values = p.Accept("WITHVALUES")
	switch {
	case p.More():
		p.Fail(resp.ErrSyntax)
	case a.values && (a.count < -math.MaxInt64/2 || a.count > math.MaxInt64/2), a.count < -maxRepeats:
		p.Fail(resp.ErrOutOfRange)
	}
	return a
}

func runHRandField(c *command.Ctx, a hRandFieldArgs) error {
	v, err := getHash(c, a.key)
	if err != nil {
		return err
	}
	if !a.counted {
		if v == nil {
			c.W.Null()
			return nil
		}
		name, _ := v.Random()
		c.W.BulkString(name)
		return nil
	}
	if v == nil {
		c.W.Array(0)
		return nil
	}
	size := v.Len()
	n := int(min(max(a.count, -a.count), math.MaxInt32))
	if a.count > 0 {
		n = min(n, size)
	}
	start := c.W.Len()
	switch {
	case a.values && c.W.Proto() != 3:
		c.W.Array(2 * n)
	default:
		c.W.Array(n)
	}
	reply := func(name string, value []byte) bool {
		if a.values && c.W.Proto() == 3 {
			c.W.Array(2)
		}
		c.W.BulkString(name)
		if a.values {
			c.W.Bulk(value)
		}
		return a.count > 0 || c.W.Len()-start <= maxRandomReply
	}
	if a.count >= 0 {
		v.Sample(n, reply)
		return nil
	}
	v.Repeat(n, reply)
	if c.W.Len()-start > maxRandomReply {
		c.W.Truncate(start)
		return resp.ErrOutOfRange
	}
	return nil
}

var hScanCommand = &command.Spec{
	Name: "hscan", Arity: -3, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupHash, Since: "2.8.0",
	Summary: "Iterates over fields and values of a hash.",
	Args: []command.Arg{
		keyArg,
		{Name: "cursor", Type: "integer"},
		{Name: "pattern", Type: "pattern", Token: "MATCH", Optional: true},
		{Name: "count", Type: "integer", Token: "COUNT", Optional: true},
		optional(flagArg("novalues", "NOVALUES")),
	},
	Bind: command.Bind(parseHScan, runHScan),
}

func parseHScan(p *args.Parser) scanArgs {
	a := scanArgs{key: p.Bytes()}
	rest := p.Rest()
	if len(rest) == 0 {
		p.Fail(resp.ErrSyntax)
		return a
	}
	var options args.Parser // skips the cursor, as if it were a command's name
	options.Reset(rest)
	a.options(&options, false)
	options.Done()
	a.err = options.Err() // a key that is missing hides it
	cursor, ok := parseCursor(rest[0])
	if !ok {
		p.Fail(resp.ErrCursor)
	}
	a.cursor = cursor
	return a
}

func runHScan(c *command.Ctx, a scanArgs) error {
	v, err := getHash(c, a.key)
	if err != nil {
		return err
	}
	var found resp.Writer
	var next uint64
	n := 0
	if v != nil {
		if a.err != nil {
			return a.err
		}
		next = v.Scan(a.cursor, a.count, func(name string, value []byte) {
			if !a.matches(name) {
				return
			}
			found.BulkString(name)
			n++
			if !a.noValues {
				found.Bulk(value)
				n++
			}
		})
	}
	replyScan(c, next, n, &found)
	return nil
}
