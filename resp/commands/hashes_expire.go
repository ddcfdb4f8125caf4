package commands

import (
	"bytes"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/hash"
)

// maxFieldTime is the latest moment at which a field can die, in Unix ms.
const maxFieldTime = 1<<46 - 1

const (
	errFieldsTwice   resp.Error = "ERR FIELDS keyword specified multiple times"
	errFieldsMissing resp.Error = "ERR missing FIELDS argument"
	errFieldsFew     resp.Error = "ERR FIELDS requires at least numfields and one field argument"
	errFieldsZero    resp.Error = "ERR Parameter `numFields` should be greater than 0"
	errFieldsCount   resp.Error = "ERR invalid number of fields"
	errFieldsArgs    resp.Error = "ERR wrong number of arguments"
	errHConditions   resp.Error = "ERR Multiple condition flags specified"
	errHSetCondition resp.Error = "ERR Only one of FXX or FNX arguments can be specified"
	errHSetExpiry    resp.Error = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
	errHGetExpiry    resp.Error = "ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified"
	errNoExpireTime  resp.Error = "ERR missing expire time"
)

// unknownArgument is the error for a word that is no option. As in C, it ends at a
// zero byte.
func unknownArgument(word []byte) error {
	word, _, _ = bytes.Cut(word, []byte{0})
	return resp.Error("ERR unknown argument: " + string(word))
}

// fieldTime reads when fields are to die, in Unix ms. name is the command's.
func fieldTime(text []byte, u unit, now int64, name string) (int64, error) {
	n, ok := resp.ParseInt(text)
	switch {
	case !ok:
		return 0, resp.ErrNotInt
	case n < 0:
		return 0, resp.ErrExpireNegative
	}
	if u == unitEX || u == unitEXAT {
		if n > maxFieldTime/1000 {
			return 0, resp.ExpireTime(name)
		}
		n *= 1000
	}
	if u == unitEXAT || u == unitPXAT {
		now = 0
	}
	if n > maxFieldTime-now {
		return 0, resp.ExpireTime(name)
	}
	return n + now, nil
}

// What became of a field, as HEXPIRE and its kin reply.
const (
	fieldMissing = -2
	fieldRefused = 0 // by a condition
	fieldSet     = 1
	fieldDeleted = 2 // its time is over
)

// Words of effects.
var (
	wordHDel       = []byte("HDEL")
	wordHSetEx     = []byte("HSETEX")
	wordHPExpireAt = []byte("HPEXPIREAT")
	wordHPersist   = []byte("HPERSIST")
	wordFields     = []byte("FIELDS")
)

// withFields appends FIELDS, their number and them.
func withFields(words [][]byte, fields [][]byte) [][]byte {
	return append(append(words, wordFields, decimal(int64(len(fields)))), fields...)
}

// hExpireArgs are those of HEXPIRE and its kin. What is wrong with them is told
// after the key's type is known.
type hExpireArgs struct {
	key, time  []byte
	conditions uint8
	fields     [][]byte
	err        error
}

// The conditions of HEXPIRE.
const (
	hexpireNX uint8 = 1 << iota
	hexpireXX
	hexpireGT
	hexpireLT
)

func parseHExpire(p *args.Parser) hExpireArgs {
	a := hExpireArgs{key: p.Bytes(), time: p.Bytes()}
	rest := p.Rest()
	given := false
	for i := 0; i < len(rest); i++ {
		switch word := rest[i]; {
		case args.EqualFold(word, "FIELDS"):
			if given {
				a.err = errFieldsTwice
				return a
			}
			if i >= len(rest)-2 {
				a.err = errFieldsFew
				return a
			}
			given = true
			n, ok := resp.ParseInt(rest[i+1])
			if !ok || n < 1 || n > maxFields {
				a.err = errFieldsZero
				return a
			}
			if n > int64(len(rest)-i-2) {
				a.err = errFieldsArgs
				return a
			}
			a.fields = rest[i+2 : i+2+int(n)]
			i += 1 + int(n)
		case args.EqualFold(word, "NX"):
			a.conditions |= hexpireNX
		case args.EqualFold(word, "XX"):
			a.conditions |= hexpireXX
		case args.EqualFold(word, "GT"):
			a.conditions |= hexpireGT
		case args.EqualFold(word, "LT"):
			a.conditions |= hexpireLT
		default:
			a.err = unknownArgument(word)
			return a
		}
	}
	switch {
	case !given:
		a.err = errFieldsMissing
	case a.conditions&(a.conditions-1) != 0:
		a.err = errHConditions
	}
	return a
}

// maxFields is the largest number of fields that may be announced.
const maxFields = 1<<31 - 1

func hExpire(name string, u unit, summary string, timeArg command.Arg) *command.Spec {
	return &command.Spec{
		Name: name, Arity: -6, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupHash, Since: "7.4.0",
		Summary: summary,
		Args: []command.Arg{
			keyArg,
			timeArg,
			{Name: "condition", Type: "oneof", Optional: true, Args: []command.Arg{
				flagArg("nx", "NX"), flagArg("xx", "XX"), flagArg("gt", "GT"), flagArg("lt", "LT"),
			}},
			fieldsBlock,
		},
		Bind: command.Bind(parseHExpire, runHExpire(name, u)),
	}
}

var (
	hExpireCommand = hExpire("hexpire", unitEX, "Set expiry for hash field using relative time to expire (seconds)",
		command.Arg{Name: "seconds", Type: "integer"})
	hPExpireCommand = hExpire("hpexpire", unitPX, "Set expiry for hash field using relative time to expire (milliseconds)",
		command.Arg{Name: "milliseconds", Type: "integer"})
	hExpireAtCommand = hExpire("hexpireat", unitEXAT, "Set expiry for hash field using an absolute Unix timestamp (seconds)",
		command.Arg{Name: "unix-time-seconds", Type: "unix-time"})
	hPExpireAtCommand = hExpire("hpexpireat", unitPXAT, "Set expiry for hash field using an absolute Unix timestamp (milliseconds)",
		command.Arg{Name: "unix-time-milliseconds", Type: "unix-time"})
)

func runHExpire(name string, u unit) func(*command.Ctx, hExpireArgs) error {
	return func(c *command.Ctx, a hExpireArgs) error {
		e, v, err := findHash(c, a.key)
		if err != nil {
			return err
		}
		at, err := fieldTime(a.time, u, c.Tx.Now, name)
		if err != nil {
			return err
		}
		if a.err != nil {
			return a.err
		}
		if v != nil {
			v.Time()
		}
		var done [][]byte
		c.W.Array(len(a.fields))
		for _, f := range a.fields {
			outcome := a.set(c, v, f, at)
			if outcome > 0 {
				done = append(done, f)
			}
			c.W.Int(int64(outcome))
		}
		fieldsTimed(c, e, v, a.key, at, done, true)
		return nil
	}
}

// set gives a field its time to live, or deletes it where the time is over.
func (a *hExpireArgs) set(c *command.Ctx, v *hash.Value, field []byte, at int64) int {
	if v == nil {
		return fieldMissing
	}
	old, there := v.Expiry(field)
	switch {
	case !there:
		return fieldMissing
	case old == 0 && a.conditions&(hexpireXX|hexpireGT) != 0,
		old != 0 && (a.conditions&hexpireNX != 0 || a.conditions&hexpireGT != 0 && old >= at || a.conditions&hexpireLT != 0 && old <= at):
		return fieldRefused
	case c.Tx.Past(at):
		v.Delete(field)
		return fieldDeleted
	}
	v.SetExpiry(field, at)
	return fieldSet
}

// fieldsTimed tells that fields got a time to live, or were deleted because it is
// over already, and names the effect.
func fieldsTimed(c *command.Ctx, e *store.Entry, v *hash.Value, key []byte, at int64, done [][]byte, effect bool) {
	switch {
	case len(done) == 0:
	case c.Tx.Past(at):
		fieldsDeleted(c, e, v, key, done)
		c.Tx.Effect(append([][]byte{wordHDel, key}, done...)...)
	default:
		c.Tx.Changed(e, store.ClassHash, "hexpire")
		c.Tx.Fields(done, 1)
		c.Tx.Count(len(done))
		if effect {
			c.Tx.Effect(withFields([][]byte{wordHPExpireAt, key, decimal(at)}, done)...)
		}
	}
}

func hTime(name, summary string, seconds, absolute bool) *command.Spec {
	return &command.Spec{
		Name: name, Arity: -5, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupHash, Since: "7.4.0",
		Summary: summary,
		Args:    []command.Arg{keyArg, fieldsBlock},
		Bind:    command.Bind(parseHGetDel, runHTime(seconds, absolute)),
	}
}

var (
	hTTLCommand         = hTime("httl", "Returns the TTL in seconds of a hash field.", true, false)
	hPTTLCommand        = hTime("hpttl", "Returns the TTL in milliseconds of a hash field.", false, false)
	hExpireTimeCommand  = hTime("hexpiretime", "Returns the expiration time of a hash field as a Unix timestamp, in seconds.", true, true)
	hPExpireTimeCommand = hTime("hpexpiretime", "Returns the expiration time of a hash field as a Unix timestamp, in msec.", false, true)
)

func runHTime(seconds, absolute bool) func(*command.Ctx, hGetDelArgs) error {
	return func(c *command.Ctx, a hGetDelArgs) error {
		v, err := getHash(c, a.key)
		if err != nil {
			return err
		}
		if a.err != nil {
			return a.err
		}
		c.W.Array(len(a.fields))
		for _, f := range a.fields {
			at, there := int64(0), false
			if v != nil {
				at, there = v.Expiry(f)
			}
			switch {
			case !there:
				c.W.Int(fieldMissing)
				continue
			case at == 0:
				c.W.Int(-1)
				continue
			}
			if !absolute {
				at -= c.Tx.Now
			}
			if seconds {
				at = (at + 999) / 1000
			}
			c.W.Int(at)
		}
		return nil
	}
}

var hPersistCommand = &command.Spec{
	Name: "hpersist", Arity: -5, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupHash, Since: "7.4.0",
	Summary: "Removes the expiration time for each specified field",
	Args:    []command.Arg{keyArg, fieldsBlock},
	Bind:    command.Bind(parseHGetDel, runHPersist),
}

func runHPersist(c *command.Ctx, a hGetDelArgs) error {
	e, v, err := findHash(c, a.key)
	if err != nil {
		return err
	}
	if a.err != nil {
		return a.err
	}
	var done [][]byte
	c.W.Array(len(a.fields))
	for _, f := range a.fields {
		at, there := int64(0), false
		if v != nil {
			at, there = v.Expiry(f)
		}
		switch {
		case !there:
			c.W.Int(fieldMissing)
		case at == 0:
			c.W.Int(-1)
		default:
			v.SetExpiry(f, 0)
			done = append(done, f)
			c.W.Int(fieldSet)
		}
	}
	if len(done) > 0 {
		c.Tx.Changed(e, store.ClassHash, "hpersist")
		c.Tx.Fields(done, 1)
	}
	return nil
}

// fieldOptions are those of HGETEX and HSETEX, in any order.
type fieldOptions struct {
	unit     unit
	at       int64 // where unit is one
	keep     bool  // PERSIST of HGETEX, KEEPTTL of HSETEX
	fxx, fnx bool
	fields   [][]byte // with HSETEX, and values
}

// parse reads what follows the key.
func (o *fieldOptions) parse(rest [][]byte, now int64, name string, set bool) error {
	each, clash := 1, errHGetExpiry
	if set {
		each, clash = 2, errHSetExpiry
	}
	for i := 0; i < len(rest); i++ {
		word := rest[i]
		switch {
		case args.EqualFold(word, "FIELDS"):
			if o.fields != nil {
				return errFieldsTwice
			}
			if i+1 >= len(rest) {
				return resp.WrongArgs(name)
			}
			n, ok := resp.ParseInt(rest[i+1])
			if !ok || n < 1 || n > maxFields {
				return errFieldsCount
			}
			if n*int64(each) > int64(len(rest)-i-2) {
				return errFieldsArgs
			}
			end := i + 2 + int(n)*each
			o.fields = rest[i+2 : end]
			i = end - 1
			continue
		case !set && args.EqualFold(word, "PERSIST"), set && args.EqualFold(word, "KEEPTTL"):
			if o.unit != noUnit || o.keep {
				return clash
			}
			o.keep = true
			continue
		case set && (args.EqualFold(word, "FXX") || args.EqualFold(word, "FNX")):
			if o.fxx || o.fnx {
				return errHSetCondition
			}
			o.fxx = args.EqualFold(word, "FXX")
			o.fnx = !o.fxx
			continue
		}
		u := unitEX
		for u <= unitPXAT && !args.EqualFold(word, unitWords[u]) {
			u++
		}
		switch {
		case u > unitPXAT:
			return unknownArgument(word)
		case o.unit != noUnit || o.keep:
			return clash
		case i+1 >= len(rest):
			return errNoExpireTime
		}
		i++
		o.unit = u
		var err error
		if o.at, err = fieldTime(rest[i], u, now, name); err != nil {
			return err
		}
	}
	if o.fields == nil {
		return errFieldsMissing
	}
	return nil
}

var fieldsBlock = command.Arg{Name: "fields", Type: "block", Token: "FIELDS", Args: []command.Arg{{Name: "numfields", Type: "integer"}, fieldsArg}}

var hGetExCommand = &command.Spec{
	Name: "hgetex", Arity: -5, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupHash, Since: "8.0.0",
	Summary: "Get the value of one or more fields of a given hash key, and optionally set their expiration.",
	Args:    []command.Arg{keyArg, expiryArg(flagArg("persist", "PERSIST")), fieldsBlock},
	Bind:    command.Bind(parseKeyFields, runHGetEx),
}

func runHGetEx(c *command.Ctx, a keyFields) error {
	e, v, err := findHash(c, a.key)
	if err != nil {
		return err
	}
	var o fieldOptions
	if err := o.parse(a.fields, c.Tx.Now, "hgetex", false); err != nil {
		return err
	}
	if v != nil && (o.unit != noUnit || o.keep) {
		v.Time()
	}
	var done [][]byte
	start := c.W.Len()
	c.W.Array(len(o.fields))
	for _, f := range o.fields {
		replyField(c, v, f)
		if c.W.Len()-start > maxReply {
			c.W.Truncate(start)
			return errReplySize
		}
		if v == nil {
			continue
		}
		at, there := v.Expiry(f)
		switch {
		case !there:
		case o.keep && at != 0:
			v.SetExpiry(f, 0)
			done = append(done, f)
		case o.unit != noUnit && c.Tx.Past(o.at):
			v.Delete(f)
			done = append(done, f)
		case o.unit != noUnit:
			v.SetExpiry(f, o.at)
			done = append(done, f)
		}
	}
	switch {
	case len(done) == 0:
	case o.keep:
		c.Tx.Changed(e, store.ClassHash, "hpersist")
		c.Tx.Fields(done, 1)
		c.Tx.Count(len(done))
		c.Tx.Effect(withFields([][]byte{wordHPersist, a.key}, done)...)
	default:
		fieldsTimed(c, e, v, a.key, o.at, done, true)
	}
	return nil
}

var hSetExCommand = &command.Spec{
	Name: "hsetex", Arity: -6, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupHash, Since: "8.0.0",
	Summary: "Set the value of one or more fields of a given hash key, and optionally set their expiration.",
	Args: []command.Arg{
		keyArg,
		{Name: "condition", Type: "oneof", Optional: true, Args: []command.Arg{flagArg("fnx", "FNX"), flagArg("fxx", "FXX")}},
		expiryArg(flagArg("keepttl", "KEEPTTL")),
		{Name: "fields", Type: "block", Token: "FIELDS", Args: []command.Arg{
			{Name: "numfields", Type: "integer"},
			{Name: "data", Type: "block", Multiple: true, Args: []command.Arg{fieldArg, {Name: "value", Type: "string"}}},
		}},
	},
	Bind: command.Bind(parseKeyFields, runHSetEx),
}

func runHSetEx(c *command.Ctx, a keyFields) error {
	var o fieldOptions
	if err := o.parse(a.fields, c.Tx.Now, "hsetex", true); err != nil {
		return err
	}
	e, v, err := findHash(c, a.key)
	if err != nil {
		return err
	}
	if !o.met(v) {
		c.W.Int(0)
		return nil
	}
	if v == nil {
		v = hash.New()
	}
	n := len(o.fields) / 2
	v.Expect(n)
	timed := o.unit != noUnit
	if timed {
		v.Time()
	}
	var names [][]byte
	for i := range n {
		name, value := o.fields[2*i], o.fields[2*i+1]
		if timed || o.keep {
			v.SetKeeping(name, value)
		} else {
			v.Set(name, value)
		}
		switch {
		case timed && c.Tx.Past(o.at):
			v.Delete(name)
			names = append(names, name)
		case timed:
			v.SetExpiry(name, o.at)
			names = append(names, name)
		}
	}
	if e == nil {
		e = c.Tx.Put(a.key, v, false)
	}
	c.Tx.Changed(e, store.ClassHash, "hset")
	c.Tx.Fields(o.fields, 2)
	c.Tx.Count(n)
	if timed {
		fieldsTimed(c, e, v, a.key, o.at, names, false)
		if !c.Tx.Past(o.at) {
			words := append([][]byte{wordHSetEx, a.key, wordPXAT, decimal(o.at), wordFields, decimal(int64(n))}, o.fields...)
			c.Tx.Effect(words...)
		}
	}
	c.W.Int(1)
	return nil
}

// met reports whether FXX or FNX let the fields be set.
func (o *fieldOptions) met(v *hash.Value) bool {
	if !o.fxx && !o.fnx {
		return true
	}
	if v == nil {
		return o.fnx
	}
	for i := 0; i < len(o.fields); i += 2 {
		if _, there := v.Get(o.fields[i]); there == o.fnx {
			return false
		}
	}
	return true
}
