package commands

import (
	"math/bits"
	"slices"
	"strings"
	"sync"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/bitmap"
	"github.com/nearcache/nearcache/store/types/str"
)

var bitCommands = []*command.Spec{
	setBitCommand, getBitCommand, bitCountCommand, bitPosCommand, bitOpCommand, bitFieldCommand, bitFieldROCommand,
}

const (
	errBitOffset resp.Error = "ERR bit offset is not an integer or out of range"
	errBit       resp.Error = "ERR bit is not an integer or out of range"
	errBitArg    resp.Error = "ERR The bit argument must be 1 or 0."
	errBitNot    resp.Error = "ERR BITOP NOT must be called with a single source key."
)

// getBits finds a string for reading; a missing one has no bytes.
func getBits(c *command.Ctx, key []byte) (b []byte, there bool, err error) {
	v, err := asString(c.Tx.Get(key))
	if v == nil {
		return nil, false, err
	}
	return v.B, true, nil
}

var setBitCommand = &command.Spec{
	Name: "setbit", Arity: 4, Flags: command.Write | command.DenyOOM, Keys: command.OneKey, Group: command.GroupBitmap, Since: "2.2.0",
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
func parseBit(p *args.Parser) bitArgs { return bitArgs{key: p.Bytes(), offset: parseBitOffset(p)} }

func parseBitOffset(p *args.Parser) int64 {
	n, ok := resp.ParseInt(p.Bytes())
	if !ok || n < 0 || n >= maxString*8 {
		p.Fail(errBitOffset)
	}
	return n
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

// growBits makes the string under a key so long that it holds a bit, and returns
// its bytes. grown says whether it was shorter, or missing; raw, whether it was
// for OBJECT ENCODING what it is now.
func growBits(c *command.Ctx, key []byte, lastBit int64) (e *store.Entry, b []byte, grown, raw bool, err error) {
	e = c.Tx.Find(key)
	v, err := asString(e)
	if err != nil {
		return nil, nil, false, false, err
	}
	need := int(lastBit>>3) + 1
	if v == nil {
		v = str.New(make([]byte, need))
		v.MarkRaw()
		return c.Tx.Put(key, v, false), v.B, true, true, nil
	}
	grown, raw = len(v.B) < need, v.Encoding() == "raw"
	return e, v.Grow(need), grown, raw, nil
}

func runSetBit(c *command.Ctx, a bitArgs) error {
	e, b, changed, raw, err := growBits(c, a.key, a.offset)
	if err != nil {
		return err
	}
	at, mask := a.bit()
	was := b[at]&mask != 0
	if was != a.on {
		b[at] ^= mask
		changed = true
	}
	switch {
	case changed:
		c.Tx.Changed(e, store.ClassString, "setbit")
	case !raw:
		reencoded(c, e, store.ClassString)
	}
	replyDone(c, was)
	return nil
}

var getBitCommand = &command.Spec{
	Name: "getbit", Arity: 3, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupBitmap, Since: "2.2.0",
	Summary: "Returns a bit value by offset.",
	Args:    []command.Arg{keyArg, {Name: "offset", Type: "integer"}},
	Bind:    command.Bind(parseBit, runGetBit),
}

func runGetBit(c *command.Ctx, a bitArgs) error {
	b, _, err := getBits(c, a.key)
	if err != nil {
		return err
	}
	at, mask := a.bit()
	replyDone(c, at < len(b) && b[at]&mask != 0)
	return nil
}

// bitUnitArg says in what the ends of a range are counted.
var bitUnitArg = command.Arg{
	Name: "unit", Type: "oneof", Since: "7.0.0", Optional: true,
	Args: []command.Arg{flagArg("byte", "BYTE"), flagArg("bit", "BIT")},
}

var bitCountCommand = &command.Spec{
	Name: "bitcount", Arity: -2, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupBitmap, Since: "2.6.0",
	Summary: "Counts the number of set bits (population counting) in a string.",
	Args: []command.Arg{keyArg, {Name: "range", Type: "block", Optional: true, Args: []command.Arg{
		{Name: "start", Type: "integer"}, {Name: "end", Type: "integer"}, bitUnitArg,
	}}},
	Bind: command.Bind(parseBitCount, runBitCount),
}

// bitRange is a range of bytes or bits, negative ends counted from the end.
type bitRange struct {
	given, endGiven bool
	start, end      int64
	inBits          bool
}

func (r *bitRange) unit(p *args.Parser, word []byte) {
	switch {
	case args.EqualFold(word, "BIT"):
		r.inBits = true
	case !args.EqualFold(word, "BYTE"):
		p.Fail(resp.ErrSyntax)
	}
}

// bits are the first bit of the range in a string of n bytes and the one behind
// the last.
func (r *bitRange) bits(n int) (from, to int64) {
	all, unit := int64(n), int64(8)
	if r.inBits {
		all, unit = all*8, 1
	}
	start, end := int64(0), all-1
	if r.given {
		start = fromEnd(r.start, all)
	}
	if r.endGiven {
		end = min(fromEnd(r.end, all), all-1)
	}
	if start > end {
		return 0, 0
	}
	return start * unit, (end + 1) * unit
}

type bitRangeArgs struct {
	key []byte
	bitRange
	bit bool // of BITPOS
}

func parseBitCount(p *args.Parser) bitRangeArgs {
	a := bitRangeArgs{key: p.Bytes()}
	if !p.More() {
		return a
	}
	if n := p.Len(); n != 2 && n != 3 {
		p.Fail(resp.ErrSyntax)
	}
	a.given, a.endGiven = true, true
	a.start, a.end = p.Int(), p.Int()
	if p.More() {
		a.unit(p, p.Bytes())
	}
	return a
}

func runBitCount(c *command.Ctx, a bitRangeArgs) error {
	b, _, err := getBits(c, a.key)
	if err != nil {
		return err
	}
	if a.given && a.start < 0 && a.end < 0 && a.start > a.end {
		c.W.Int(0)
		return nil
	}
	from, to := a.bits(len(b))
	c.W.Int(bitmap.Count(b, from, to))
	return nil
}

var bitPosCommand = &command.Spec{
	Name: "bitpos", Arity: -3, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupBitmap, Since: "2.8.7",
	Summary: "Finds the first set (1) or clear (0) bit in a string.",
	Args: []command.Arg{
		keyArg,
		{Name: "bit", Type: "integer"},
		{Name: "range", Type: "block", Optional: true, Args: []command.Arg{
			{Name: "start", Type: "integer"},
			{Name: "end-unit-block", Type: "block", Optional: true, Args: []command.Arg{{Name: "end", Type: "integer"}, bitUnitArg}},
		}},
	},
	Bind: command.Bind(parseBitPos, runBitPos),
}

func parseBitPos(p *args.Parser) bitRangeArgs {
	a := bitRangeArgs{key: p.Bytes()}
	bit := p.Int()
	if bit != 0 && bit != 1 {
		p.Fail(errBitArg)
	}
	a.bit = bit == 1
	rest := p.Rest()
	if len(rest) == 0 {
		return a
	}
	number := func(b []byte) int64 {
		n, ok := resp.ParseInt(b)
		if !ok {
			p.Fail(resp.ErrNotInt)
		}
		return n
	}
	if len(rest) > 3 {
		p.Fail(resp.ErrSyntax)
		return a
	}
	a.given, a.start = true, number(rest[0])
	if len(rest) == 3 { // Redis reads the unit before the end
		a.unit(p, rest[2])
	}
	if len(rest) > 1 {
		a.endGiven, a.end = true, number(rest[1])
	}
	return a
}

func runBitPos(c *command.Ctx, a bitRangeArgs) error {
	b, there, err := getBits(c, a.key)
	switch {
	case err != nil:
		return err
	case !there && a.bit:
		c.W.Int(-1)
		return nil
	case !there:
		c.W.Int(0)
		return nil
	}
	from, to := a.bits(len(b))
	at := bitmap.Find(b, a.bit, from, to)
	if at < 0 && !a.bit && !a.endGiven && from < to {
		at = to // behind the end there are but zeros
	}
	c.W.Int(at)
	return nil
}

var bitOpCommand = &command.Spec{
	Name: "bitop", Arity: -4, Flags: command.Write | command.DenyOOM, Keys: command.KeySpec{First: 2, Last: -1, Step: 1}, Group: command.GroupBitmap, Since: "2.6.0",
	Summary: "Performs bitwise operations on multiple strings, and stores the result.",
	Args: []command.Arg{
		{Name: "operation", Type: "oneof", Args: []command.Arg{
			flagArg("and", "AND"), flagArg("or", "OR"), flagArg("xor", "XOR"), flagArg("not", "NOT"),
			flagArg("diff", "DIFF"), flagArg("diff1", "DIFF1"), flagArg("andor", "ANDOR"), flagArg("one", "ONE"),
		}},
		{Name: "destkey", Type: "key"},
		{Name: "key", Type: "key", Multiple: true},
	},
	Bind: command.Bind(parseBitOp, runBitOp),
}

var bitOps = []struct {
	word string
	op   bitmap.Op
}{
	{"AND", bitmap.And},
	{"OR", bitmap.Or},
	{"XOR", bitmap.Xor},
	{"NOT", bitmap.Not},
	{"DIFF", bitmap.Diff},
	{"DIFF1", bitmap.Diff1},
	{"ANDOR", bitmap.AndOr},
	{"ONE", bitmap.One},
}

type bitOpArgs struct {
	op   bitmap.Op
	dest []byte
	keys [][]byte
}

func parseBitOp(p *args.Parser) (a bitOpArgs) {
	word := ""
	for _, o := range bitOps {
		if p.Accept(o.word) {
			word, a.op = o.word, o.op
			break
		}
	}
	if word == "" {
		p.Fail(resp.ErrSyntax)
		return a
	}
	a.dest, a.keys = p.Bytes(), p.Rest()
	switch {
	case a.op == bitmap.Not && len(a.keys) != 1:
		p.Fail(errBitNot)
	case (a.op == bitmap.Diff || a.op == bitmap.Diff1 || a.op == bitmap.AndOr) && len(a.keys) < 2:
		p.Fail(resp.Error("ERR BITOP " + strings.ToUpper(word) + " must be called with at least two source keys."))
	}
	return a
}

// results is memory for results of BITOP before they are stored: what is as large
// would otherwise keep the collector busy.
var results = sync.Pool{New: func() any { return new([]byte) }}

const maxKeptResult = 4 << 20

func runBitOp(c *command.Ctx, a bitOpArgs) error {
	sources := make([][]byte, len(a.keys))
	longest := 0
	for i, key := range a.keys {
		b, _, err := getBits(c, key)
		if err != nil {
			return err
		}
		sources[i] = b
		longest = max(longest, len(b))
	}
	if longest == 0 {
		c.Tx.Delete(a.dest, "del")
		c.W.Int(0)
		return nil
	}
	room := results.Get().(*[]byte)
	*room = slices.Grow((*room)[:0], longest)[:longest]
	a.op.Apply(*room, sources)
	e := setString(c, c.Tx.Find(a.dest), a.dest, *room, 0)
	if longest <= maxKeptResult {
		results.Put(room)
	}
	e.Value().(*str.Value).MarkRaw()
	c.Tx.Changed(e, store.ClassString, "set")
	c.W.Int(int64(longest))
	return nil
}

var bitGetArgs = []command.Arg{{Name: "encoding", Type: "string"}, {Name: "offset", Type: "integer"}}

var bitFieldCommand = &command.Spec{
	Name: "bitfield", Arity: -2, Flags: command.Write | command.DenyOOM, Keys: command.OneKey, Group: command.GroupBitmap, Since: "3.2.0",
	Summary: "Performs arbitrary bitfield integer operations on strings.",
	Args: []command.Arg{
		keyArg,
		{Name: "operation", Type: "oneof", Optional: true, Multiple: true, Args: []command.Arg{
			{Name: "get-block", Type: "block", Token: "GET", Args: bitGetArgs},
			{Name: "write", Type: "block", Args: []command.Arg{
				{Name: "overflow-block", Type: "oneof", Token: "OVERFLOW", Optional: true, Args: []command.Arg{
					flagArg("wrap", "WRAP"), flagArg("sat", "SAT"), flagArg("fail", "FAIL"),
				}},
				{Name: "write-operation", Type: "oneof", Args: []command.Arg{
					{Name: "set-block", Type: "block", Token: "SET", Args: append(bitGetArgs[:2:2], command.Arg{Name: "value", Type: "integer"})},
					{Name: "incrby-block", Type: "block", Token: "INCRBY", Args: append(bitGetArgs[:2:2], command.Arg{Name: "increment", Type: "integer"})},
				}},
			}},
		}},
	},
	Bind: command.Bind(parseBitField(false), runBitField),
}

var bitFieldROCommand = &command.Spec{
	Name: "bitfield_ro", Arity: -2, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupBitmap, Since: "6.0.0",
	Summary: "Performs arbitrary read-only bitfield integer operations on strings.",
	Args:    []command.Arg{keyArg, {Name: "get-block", Type: "block", Token: "GET", Optional: true, Multiple: true, MultipleToken: true, Args: bitGetArgs}},
	Bind:    command.Bind(parseBitField(true), runBitField),
}

const (
	errBitFieldType resp.Error = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
	errBitFieldOver resp.Error = "ERR Invalid OVERFLOW type specified"
	errBitFieldRO   resp.Error = "ERR BITFIELD_RO only supports the GET subcommand"
)

type bitFieldArgs struct {
	key     []byte
	ops     []bitFieldOp
	lastBit int64 // that is written to, -1 for none
}

// bitFieldOp is one of the operations of BITFIELD.
type bitFieldOp struct {
	kind     bitFieldKind
	field    bitmap.Field
	n        int64 // what to set or to add
	overflow bitmap.Overflow
}

type bitFieldKind uint8

const (
	bitFieldGet bitFieldKind = iota
	bitFieldSet
	bitFieldIncr
)

func parseBitField(readOnly bool) func(*args.Parser) bitFieldArgs {
	return func(p *args.Parser) bitFieldArgs {
		a := bitFieldArgs{key: p.Bytes(), lastBit: -1}
		overflow := bitmap.Wrap
		for p.More() {
			o := bitFieldOp{overflow: overflow}
			switch {
			case p.Len() > 2 && p.Accept("GET"):
			case p.Len() > 3 && p.Accept("SET"):
				o.kind = bitFieldSet
			case p.Len() > 3 && p.Accept("INCRBY"):
				o.kind = bitFieldIncr
			case p.Len() > 1 && p.Accept("OVERFLOW"):
				switch {
				case p.Accept("WRAP"):
					overflow = bitmap.Wrap
				case p.Accept("SAT"):
					overflow = bitmap.Saturate
				case p.Accept("FAIL"):
					overflow = bitmap.Fail
				default:
					p.Fail(errBitFieldOver)
				}
				continue
			default:
				p.Fail(resp.ErrSyntax)
				return a
			}
			o.field = parseField(p)
			if o.kind != bitFieldGet {
				o.n = p.Int()
				a.lastBit = max(a.lastBit, o.field.Offset+int64(o.field.Bits)-1)
			}
			a.ops = append(a.ops, o)
		}
		if readOnly && a.lastBit >= 0 {
			p.Fail(errBitFieldRO)
		}
		return a
	}
}

// parseField reads a type such as u8 and an offset, which may be counted in
// fields: #3.
func parseField(p *args.Parser) (f bitmap.Field) {
	typ, at := p.Bytes(), p.Bytes()
	if p.Err() != nil {
		return f
	}
	var width int64
	ok := len(typ) > 0 && (typ[0] == 'i' || typ[0] == 'u')
	if ok {
		f.Signed = typ[0] == 'i'
		text, _, _ := strings.Cut(string(typ[1:]), "\x00") // where a C string ends
		width, ok = resp.ParseInt([]byte(text))
	}
	if !ok || width < 1 || width > 64 || width == 64 && !f.Signed {
		p.Fail(errBitFieldType)
		return f
	}
	f.Bits = uint(width)
	scale := int64(1)
	if len(at) > 0 && at[0] == '#' {
		at, scale = at[1:], width
	}
	n, ok := resp.ParseInt(at)
	if hi, lo := bits.Mul64(uint64(n), uint64(scale)); !ok || n < 0 || hi != 0 || lo >= maxString*8 {
		p.Fail(errBitOffset)
		return f
	}
	f.Offset = n * scale
	return f
}

func runBitField(c *command.Ctx, a bitFieldArgs) error {
	var e *store.Entry
	var b []byte
	var grown, raw bool
	var err error
	if a.lastBit < 0 {
		b, _, err = getBits(c, a.key)
	} else {
		e, b, grown, raw, err = growBits(c, a.key, a.lastBit)
	}
	if err != nil {
		return err
	}
	changed := 0
	c.W.Array(len(a.ops))
	for i := range a.ops {
		o := &a.ops[i]
		old := o.field.Get(b)
		if o.kind == bitFieldGet {
			c.W.Int(old)
			continue
		}
		reply := old
		n, ok := o.field.Fit(o.n, o.overflow)
		if o.kind == bitFieldIncr {
			n, ok = o.field.Add(old, o.n, o.overflow)
			reply = n
		}
		if !ok {
			c.W.Null()
			continue
		}
		c.W.Int(reply)
		o.field.Set(b, n)
		if grown || n != old {
			changed++
		}
	}
	switch {
	case changed > 0:
		c.Tx.Changed(e, store.ClassString, "setbit")
		c.Tx.Count(changed)
	case grown: // zeros that nobody has set: Redis tells nobody
		c.Tx.ChangedQuietly(e, store.ClassString, "")
	case a.lastBit >= 0 && !raw:
		reencoded(c, e, store.ClassString)
	}
	return nil
}
