package commands

import (
	"errors"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/rdb"
	"github.com/nearcache/nearcache/store/types/vset"
)

// Errors of RESTORE.
const (
	errRestoreIdle    resp.Error = "ERR Invalid IDLETIME value, must be >= 0"
	errRestoreFreq    resp.Error = "ERR Invalid FREQ value, must be >= 0 and <= 255"
	errRestoreTTL     resp.Error = "ERR Invalid TTL value, must be >= 0"
	errRestorePayload resp.Error = "ERR DUMP payload version or checksum are wrong"
	errRestoreFormat  resp.Error = "ERR Bad data format"
)

var dumpCommand = &command.Spec{
	Name: "dump", Arity: 2, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupGeneric, Since: "2.6.0",
	Summary: "Returns a serialized representation of the value stored at a key.",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind(parseKey, runDump),
}

func runDump(c *command.Ctx, key []byte) error {
	e := c.Tx.Get(key)
	if e == nil {
		c.W.Null()
		return nil
	}
	b, err := rdb.Dump(nil, e.Value())
	if err != nil {
		return err
	}
	c.W.Bulk(b)
	return nil
}

var restoreCommand = &command.Spec{
	Name: "restore", Arity: -4, Flags: command.Write | command.DenyOOM, Keys: command.OneKey, Group: command.GroupGeneric, Since: "2.6.0",
	Summary: "Creates a key from the serialized representation of a value.",
	Args:    restoreArgSpecs,
	Bind:    command.Bind(parseRestore, runRestore),
}

var restoreArgSpecs = []command.Arg{
	keyArg,
	{Name: "ttl", Type: "integer"},
	{Name: "serialized-value", Type: "string"},
	{Name: "replace", Type: "pure-token", Token: "REPLACE", Since: "3.0.0", Optional: true},
	{Name: "absttl", Type: "pure-token", Token: "ABSTTL", Since: "5.0.0", Optional: true},
	{Name: "seconds", Type: "integer", Token: "IDLETIME", Since: "5.0.0", Optional: true},
	{Name: "frequency", Type: "integer", Token: "FREQ", Since: "5.0.0", Optional: true},
}

// restoreArgs are the arguments of RESTORE.
type restoreArgs struct {
	key, ttl, payload []byte // the time is read once it is known that the key may be replaced
	replace, absolute bool
	idle, frequency   int64 // -1 where not given
}

func parseRestore(p *args.Parser) restoreArgs {
	a := restoreArgs{key: p.Bytes(), ttl: p.Bytes(), payload: p.Bytes(), idle: -1, frequency: -1}
	for p.More() {
		switch {
		case p.Accept("replace"):
			a.replace = true
		case p.Accept("absttl"):
			a.absolute = true
		case p.Len() > 1 && a.frequency == -1 && p.Accept("idletime"):
			if a.idle = p.Int(); a.idle < 0 {
				p.Fail(errRestoreIdle)
			}
		case p.Len() > 1 && a.idle == -1 && p.Accept("freq"):
			if a.frequency = p.Int(); a.frequency < 0 || a.frequency > 255 {
				p.Fail(errRestoreFreq)
			}
		default:
			p.Fail(resp.ErrSyntax)
		}
	}
	return a
}

func runRestore(c *command.Ctx, a restoreArgs) error {
	if !a.replace && c.Tx.Find(a.key) != nil {
		return resp.ErrBusyKey
	}
	at, ok := resp.ParseInt(a.ttl)
	switch {
	case !ok:
		return resp.ErrNotInt
	case at < 0:
		return errRestoreTTL
	}
	o, err := rdb.Restore(a.payload)
	switch {
	case errors.Is(err, rdb.ErrChecksum):
		return errRestorePayload
	case err != nil:
		return errRestoreFormat
	}
	if at != 0 && !a.absolute {
		at += c.Tx.Now
	}
	if at != 0 && c.Tx.Past(at) { // it would be gone at once
		if c.Tx.Delete(a.key, "del") {
			c.Tx.Effect(wordDel, a.key)
		}
		c.W.Status("OK")
		return nil
	}
	if v, ok := o.(*vset.Value); ok {
		for _, job := range v.Waiting() {
			vInsert(c, job)
		}
	}
	e, was := c.Tx.PutAnew(a.key, o)
	c.Tx.SetExpire(e, at)
	c.Tx.Restored(e, a.frequency, a.idle)
	c.Tx.Changed(e, store.ClassGeneric, "restore")
	c.Tx.Overwritten(e, was)
	c.Tx.Effect(wordRestore, a.key, decimal(at), a.payload, wordReplace, wordAbsTTL)
	c.W.Status("OK")
	return nil
}

var (
	wordRestore = []byte("RESTORE")
	wordReplace = []byte("REPLACE")
	wordAbsTTL  = []byte("ABSTTL")
)
