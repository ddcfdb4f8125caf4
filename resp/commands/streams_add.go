package commands

import (
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/stream"
)

// Errors of XADD's and XTRIM's options.
const (
	errTrimBoth     resp.Error = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
	errTrimMaxLen   resp.Error = "ERR The MAXLEN argument must be >= 0."
	errTrimLimit    resp.Error = "ERR The LIMIT argument must be >= 0."
	errTrimLimitOf  resp.Error = "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"
	errTrimNone     resp.Error = "ERR syntax error, XTRIM must be called with a trimming strategy"
	errTrimExact    resp.Error = "ERR syntax error, LIMIT cannot be used without the special ~ option"
	errIdmpTwice    resp.Error = "ERR syntax error, IDMP/IDMPAUTO specified multiple times"
	errIdmpAutoPID  resp.Error = "ERR syntax error, IDMPAUTO requires a non-empty producer ID"
	errIdmpPID      resp.Error = "ERR syntax error, IDMP requires a non-empty producer ID"
	errIdmpIID      resp.Error = "ERR syntax error, IDMP requires a non-empty idempotent ID"
	errIdmpExplicit resp.Error = "ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs"
)

// defaultTrimLimit bounds what ~ removes where no LIMIT is given: 100 blocks.
const defaultTrimLimit = 100 * stream.MaxBlockEntries

var trimArgs = []command.Arg{
	{Name: "strategy", Type: "oneof", Args: []command.Arg{
		{Name: "maxlen", Type: "pure-token", Token: "MAXLEN"},
		{Name: "minid", Type: "pure-token", Token: "MINID", Since: "6.2.0"},
	}},
	{Name: "operator", Type: "oneof", Optional: true, Args: []command.Arg{
		{Name: "equal", Type: "pure-token", Token: "="},
		{Name: "approximately", Type: "pure-token", Token: "~"},
	}},
	{Name: "threshold", Type: "string"},
	{Name: "count", Type: "integer", Token: "LIMIT", Since: "6.2.0", Optional: true},
}

// addOptions are the options of XADD, of which XTRIM has some.
type addOptions struct {
	trim       stream.Trim
	trims      bool
	limited    bool // LIMIT was given
	refsGiven  bool
	noMkStream bool
	pid, iid   []byte // IDMP, IDMPAUTO
	id         stream.ID
	auto       autoID
	idAt       int // where the ID stands in the command
}

// autoID says which parts of an ID the server chooses.
type autoID uint8

const (
	explicitID autoID = iota
	autoSeq           // ms-*
	autoAll           // *
)

// parseAddOptions reads the options behind the key, of XADD up to the ID and
// with it.
func parseAddOptions(p *args.Parser, add bool) (o addOptions) {
	for p.More() {
		word := p.Peek()
		if add && len(word) == 1 && word[0] == '*' {
			o.auto, o.idAt = autoAll, p.Position()
			p.Bytes()
			break
		}
		more := p.Len() - 1
		switch {
		case more > 0 && p.Accept("maxlen"):
			o.parseThreshold(p, false)
		case more > 0 && p.Accept("minid"):
			o.parseThreshold(p, true)
		case more > 0 && p.Accept("limit"):
			if o.trim.Limit = p.Int(); o.trim.Limit < 0 {
				p.Fail(errTrimLimit)
			}
			o.limited = true
		case !o.refsGiven && o.acceptRefs(p):
		case add && p.Accept("nomkstream"):
			o.noMkStream = true
		case add && more > 0 && p.Accept("idmpauto"):
			o.parsePID(p, errIdmpAutoPID)
		case add && more > 1 && p.Accept("idmp"):
			o.parsePID(p, errIdmpPID)
			if o.iid = p.Bytes(); len(o.iid) == 0 {
				p.Fail(errIdmpIID)
			}
		case add:
			o.idAt = p.Position()
			id, auto, ok := stream.ParseAutoID(p.Bytes())
			if !ok {
				p.Fail(errStreamID)
			}
			if o.id = id; auto {
				o.auto = autoSeq
			}
			o.check(p, add)
			return o
		default:
			p.Fail(resp.ErrSyntax)
		}
	}
	o.check(p, add)
	return o
}

func (o *addOptions) acceptRefs(p *args.Parser) bool {
	o.trim.Refs, o.refsGiven = acceptRefs(p)
	return o.refsGiven
}

func (o *addOptions) parsePID(p *args.Parser, empty resp.Error) {
	if o.pid != nil {
		p.Fail(errIdmpTwice)
	}
	if o.pid = p.Bytes(); len(o.pid) == 0 {
		p.Fail(empty)
	}
}

func (o *addOptions) parseThreshold(p *args.Parser, byID bool) {
	if o.trims {
		p.Fail(errTrimBoth)
	}
	o.trims = true
	if p.Len() > 1 {
		if o.trim.Approx = p.Accept("~"); !o.trim.Approx {
			p.Accept("=")
		}
	}
	if o.trim.ByID = byID; byID {
		id, err := strictID(p.Bytes(), 0)
		p.Fail(err)
		o.trim.MinID = id
	} else if o.trim.MaxLen = p.Int(); o.trim.MaxLen < 0 {
		p.Fail(errTrimMaxLen)
	}
}

// check looks at what only all options together can say.
func (o *addOptions) check(p *args.Parser, add bool) {
	switch {
	case o.trim.Limit != 0 && !o.trims:
		p.Fail(errTrimLimitOf)
	case !add && !o.trims:
		p.Fail(errTrimNone)
	case o.limited && !o.trim.Approx:
		p.Fail(errTrimExact)
	case !o.limited && o.trim.Approx:
		o.trim.Limit = defaultTrimLimit
	}
}

// xAdd is the arguments of XADD.
type xAdd struct {
	addOptions
	key   []byte
	pairs [][]byte
}

var xAddCommand = &command.Spec{
	Name: "xadd", Arity: -5, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupStream, Since: "5.0.0",
	Summary: "Appends a new message to a stream. Creates the key if it doesn't exist.",
	Args: []command.Arg{
		keyArg,
		{Name: "nomkstream", Type: "pure-token", Token: "NOMKSTREAM", Since: "6.2.0", Optional: true},
		refsArg,
		{Name: "idmp", Type: "oneof", Since: "8.6.0", Optional: true, Args: []command.Arg{
			{Name: "pid", Type: "string", Token: "IDMPAUTO"},
			{Name: "idmp", Type: "block", Token: "IDMP", Args: []command.Arg{{Name: "pid", Type: "string"}, {Name: "iid", Type: "string"}}},
		}},
		{Name: "trim", Type: "block", Optional: true, Args: trimArgs},
		{Name: "id-selector", Type: "oneof", Args: []command.Arg{{Name: "auto-id", Type: "pure-token", Token: "*"}, {Name: "id", Type: "string"}}},
		{Name: "data", Type: "block", Multiple: true, Args: []command.Arg{{Name: "field", Type: "string"}, {Name: "value", Type: "string"}}},
	},
	Bind: command.Bind(parseXAdd, runXAdd),
}

func parseXAdd(p *args.Parser) xAdd {
	a := xAdd{key: p.Bytes()}
	a.addOptions = parseAddOptions(p, true)
	a.pairs = p.Rest()
	switch {
	case (len(a.pairs) < 2 || len(a.pairs)%2 != 0) && a.recorded():
		p.Fail(errIdmpExplicit)
	case len(a.pairs) < 2 || len(a.pairs)%2 != 0:
		p.Fail(resp.WrongArgs("xadd"))
	case a.auto == explicitID && a.id.IsZero() && !a.recorded():
		p.Fail(errXAddZero)
	}
	return a
}

// recorded reports whether the entry has both an idempotent ID and its own, as the log and the replicas of a Redis
// are told of one that it has added. Of one that was added before they are told as its client wrote it, with *.
func (a *xAdd) recorded() bool { return a.pid != nil && a.auto != autoAll }

func runXAdd(c *command.Ctx, a xAdd) error {
	if a.recorded() && !c.Mute {
		return errIdmpExplicit
	}
	e, v, err := findStream(c, a.key)
	if err != nil {
		return err
	}
	fresh := v == nil
	var limits [][]byte
	if fresh {
		if a.noMkStream {
			c.W.Null()
			return nil
		}
		v, limits = newStream(c, a.key)
	}
	iid := a.iid
	if a.pid != nil {
		if iid == nil {
			iid = stream.AutoIID(nil, a.pairs)
		}
		switch id, ok := v.Lookup(a.pid, iid, c.Tx.Now); {
		case a.recorded(): // this clock does not say whether it is one of before
		case ok:
			v.Repeated()
			c.Tx.ChangedQuietly(e, store.ClassStream, "")
			c.Tx.NoEffect()
			writeID(c.W, id)
			return nil
		case c.Mute:
			c.Tx.NoEffect()
			c.W.Null()
			return nil
		}
	}
	if v.Last() == stream.MaxID {
		return errXAddExhausted
	}
	id, ok := a.id, true
	switch a.auto {
	case autoAll:
		id, ok = v.NextID(c.Tx.Now)
	case autoSeq:
		id, ok = v.NextSeq(a.id.Ms)
	}
	if !ok {
		return errXAddSmall
	}
	switch v.Append(id, a.pairs) {
	case stream.ErrSmallID:
		return errXAddSmall
	case stream.ErrTooLarge:
		return errXAddLarge
	}
	if a.pid != nil {
		v.Remember(a.pid, iid, id, c.Tx.Now)
	}
	if fresh {
		e = c.Tx.Put(a.key, v, false)
	}
	c.Tx.Changed(e, store.ClassStream, "xadd")
	if a.pid == nil && !a.byBlocks() && limits == nil {
		if a.trims {
			if n, _ := v.Trim(a.trim); n > 0 {
				c.Tx.Changed(e, store.ClassStream, "xtrim")
			}
		}
		if a.auto != explicitID {
			c.Args[a.idAt] = idBytes(id) // the effect names the ID that was chosen
		}
		writeID(c.W, id)
		return nil
	}
	effect := make([][]byte, 0, 3+len(a.pairs))
	c.Tx.Effect(append(append(effect, wordXAdd, a.key, idBytes(id)), a.pairs...)...)
	if limits != nil {
		c.Tx.Effect(limits...)
	}
	if a.pid != nil {
		c.Tx.Effect(wordXIdmpRecord, a.key, a.pid, iid, idBytes(id))
	}
	if a.trims {
		if n, before := v.Trim(a.trim); n > 0 {
			c.Tx.Changed(e, store.ClassStream, "xtrim")
			trimEffect(c, a.key, before, a.trim.Refs)
		}
	}
	writeID(c.W, id)
	return nil
}

// byBlocks reports whether what is trimmed depends on where blocks end, which
// is not the same in a stream that was rebuilt.
func (o *addOptions) byBlocks() bool {
	return o.trims && (o.trim.Approx || o.trim.Refs != stream.KeepRefs)
}

// trimEffect names a trimming by the ID before which everything was looked at.
func trimEffect(c *command.Ctx, key []byte, before stream.ID, refs stream.Refs) {
	c.Tx.Effect(wordXTrim, key, wordMinID, idBytes(before), wordsRefs[refs])
}

// xTrim is the arguments of XTRIM.
type xTrim struct {
	addOptions
	key []byte
}

var xTrimCommand = &command.Spec{
	Name: "xtrim", Arity: -4, Flags: command.Write, Keys: command.OneKey, Group: command.GroupStream, Since: "5.0.0",
	Summary: "Deletes messages from the beginning of a stream.",
	Args:    []command.Arg{keyArg, {Name: "trim", Type: "block", Args: append(trimArgs[:4:4], refsArg)}},
	Bind: command.Bind(func(p *args.Parser) xTrim {
		a := xTrim{key: p.Bytes()}
		a.addOptions = parseAddOptions(p, false)
		return a
	}, runXTrim),
}

func runXTrim(c *command.Ctx, a xTrim) error {
	e, v, err := findStream(c, a.key)
	if err != nil {
		return err
	}
	var n int64
	var before stream.ID
	if v != nil {
		n, before = v.Trim(a.trim)
	}
	if n > 0 {
		c.Tx.Changed(e, store.ClassStream, "xtrim")
		if a.byBlocks() {
			trimEffect(c, a.key, before, a.trim.Refs)
		}
	}
	c.W.Int(n)
	return nil
}
