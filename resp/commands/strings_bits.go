package commands

import (
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/str"
)

var bitCommands = []*command.Spec{setBitCommand, getBitCommand}

const groupBitmap command.Group = "bitmap"

const (
	errBitOffset resp.Error = "ERR bit offset is not an integer or out of range"
	errBit       resp.Error = "ERR bit is not an integer or out of range"
)

var setBitCommand = &command.Spec{
	Name: "setbit", Arity: 4, Flags: command.Write | command.DenyOOM, Keys: command.OneKey, Group: groupBitmap, Since: "2.2.0",
	Summary: "Sets or clears the bit at offset of the string value. Creates the key if it doesn't exist.",
	Args:    []command.Arg{keyArg, {Name: "offset", Type: "integer"}, {Name: "value", Type: "integer"}},
	Bind:    command.Bind(parseSetBit, runSetBit),
}

type bitArgs struct {
	key    []byte
	offset int64
	on     bool
}

// parseBit reads a key and the place of a bit.
func parseBit(p *args.Parser) bitArgs {
	a := bitArgs{key: p.Bytes()}
	var ok bool
	if a.offset, ok = resp.ParseInt(p.Bytes()); !ok || a.offset < 0 || a.offset >= maxString*8 {
		p.Fail(errBitOffset)
	}
	return a
}

func parseSetBit(p *args.Parser) bitArgs {
	a := parseBit(p)
	bit := p.Bytes()
	a.on = string(bit) == "1"
	if !a.on && string(bit) != "0" {
		p.Fail(errBit)
	}
	return a
}

// bit finds the byte of a bit, the most significant bit first, and its mask.
func (a bitArgs) bit() (at int, mask byte) { return int(a.offset >> 3), 0x80 >> (a.offset & 7) }

func runSetBit(c *command.Ctx, a bitArgs) error {
	e := c.Tx.Find(a.key)
	v, err := asString(e)
	if err != nil {
		return err
	}
	changed := v == nil
	if v == nil {
		v = str.New(nil)
		e = c.Tx.Put(a.key, v, false)
	}
	at, mask := a.bit()
	changed = changed || at >= len(v.B)
	b := v.Grow(at + 1)
	was := b[at]&mask != 0
	if was != a.on {
		b[at] ^= mask
		changed = true
	}
	if changed {
		c.Tx.Changed(e, store.ClassString, "setbit")
	}
	replyDone(c, was)
	return nil
}

var getBitCommand = &command.Spec{
	Name: "getbit", Arity: 3, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: groupBitmap, Since: "2.2.0",
	Summary: "Returns a bit value by offset.",
	Args:    []command.Arg{keyArg, {Name: "offset", Type: "integer"}},
	Bind:    command.Bind(parseBit, runGetBit),
}

func runGetBit(c *command.Ctx, a bitArgs) error {
	v, err := asString(c.Tx.Get(a.key))
	if err != nil {
		return err
	}
	at, mask := a.bit()
	replyDone(c, v != nil && at < len(v.B) && v.B[at]&mask != 0)
	return nil
}
