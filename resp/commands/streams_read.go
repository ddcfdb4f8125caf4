package commands

import (
	"math"
	"slices"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/types/stream"
)

// Errors of XREAD and XREADGROUP.
const (
	errReadGroup    resp.Error = "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead."
	errReadNoAck    resp.Error = "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead."
	errReadClaim    resp.Error = "ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead."
	errReadNew      resp.Error = "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
	errReadDollar   resp.Error = "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set."
	errReadPlus     resp.Error = "ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set."
	errReadNoGroup  resp.Error = "ERR Missing GROUP option for XREADGROUP"
	errReadIdle     resp.Error = "ERR min-idle-time is not an integer or out of range"
	errReadIdleNeg  resp.Error = "ERR min-idle-time must be a positive integer"
	errReadMaxCount resp.Error = "ERR MAXCOUNT must be a positive integer"
	errReadMaxSize  resp.Error = "ERR MAXSIZE must be a positive integer"
	errReadCounts   resp.Error = "ERR MAXCOUNT must be greater than or equal to COUNT"
	errBlockNotInt  resp.Error = "ERR timeout is not an integer or out of range"
)

// maxBlock is the longest time to block, in ms: Redis refuses times that end
// after the last moment there is.
const maxBlock = math.MaxInt64 - 1<<41

var (
	readLimitArgs = []command.Arg{
		countArg,
		{Name: "maxcount", Type: "integer", Token: "MAXCOUNT", Since: "8.10.0", Optional: true},
		{Name: "maxsize", Type: "integer", Token: "MAXSIZE", Since: "8.10.0", Optional: true},
		{Name: "milliseconds", Type: "integer", Token: "BLOCK", Optional: true},
	}
	readStreamsArg = command.Arg{Name: "streams", Type: "block", Token: "STREAMS", Args: []command.Arg{
		{Name: "key", Type: "key", Multiple: true},
		{Name: "id", Type: "string", Multiple: true},
	}}
)

var xReadCommand = &command.Spec{
	Name: "xread", Arity: -4, Flags: command.ReadOnly | command.Blocking | command.MovableKeys, Keys: command.KeySpec{Find: xReadKeys}, Group: command.GroupStream, Since: "5.0.0",
	Summary: "Returns messages from multiple streams with IDs greater than the ones requested. Blocks until a message is available otherwise.",
	Args:    slices.Concat(readLimitArgs, []command.Arg{readStreamsArg}),
	Bind:    command.Bind(parseXRead(false), runXRead),
}

var xReadGroupCommand = &command.Spec{
	Name: "xreadgroup", Arity: -7, Flags: command.Write | command.Blocking | command.MovableKeys, Keys: command.KeySpec{Find: xReadKeys}, Group: command.GroupStream, Since: "5.0.0",
	Summary: "Returns new or historical messages from a stream for a consumer in a group. Blocks until a message is available otherwise.",
	Args: slices.Concat(
		[]command.Arg{{Name: "group-block", Type: "block", Token: "GROUP", Args: []command.Arg{groupArg, consumerArg}}},
		readLimitArgs,
		[]command.Arg{
			{Name: "min-idle-time", Type: "integer", Token: "CLAIM", Since: "8.4.0", Optional: true},
			{Name: "noack", Type: "pure-token", Token: "NOACK", Optional: true},
			readStreamsArg,
		}),
	Bind: command.Bind(parseXRead(true), runXRead),
}

// xReadKeys finds the keys behind STREAMS, the first half of what follows.
func xReadKeys(argv [][]byte) [][]byte {
	for i := 1; i < len(argv); i++ {
		switch word := argv[i]; {
		case args.EqualFold(word, "block"), args.EqualFold(word, "count"), args.EqualFold(word, "maxcount"),
			args.EqualFold(word, "maxsize"), args.EqualFold(word, "claim"):
			i++
		case args.EqualFold(word, "group"):
			i += 2
		case args.EqualFold(word, "noack"):
		case args.EqualFold(word, "streams"):
			rest := argv[i+1:]
			if len(rest)%2 != 0 {
				return nil
			}
			return rest[:len(rest)/2]
		default:
			return nil
		}
	}
	return nil
}

// xRead is the arguments of XREAD and XREADGROUP.
type xRead struct {
	grouped         bool
	group, consumer []byte
	count           int64 // of each stream, 0 for all
	maxCount        int64 // of all together, 0 for no limit
	maxSize         int64 // bytes of the reply
	timeout         int64 // ms, 0 = for ever, -1 where the command does not wait
	idle            int64 // ms after which what is pending is claimed, -1 for never
	noAck           bool
	keys, ids       [][]byte
	idsAt           int // where the IDs begin in the command
}

func parseXRead(grouped bool) func(*args.Parser) xRead {
	return func(p *args.Parser) xRead {
		a := xRead{grouped: grouped, maxSize: maxReply, timeout: -1, idle: -1}
		hasGroup := false
		for p.More() && a.keys == nil {
			more := p.Len() - 1
			switch {
			case more > 0 && p.Accept("claim"):
				a.parseClaim(p)
			case more > 0 && p.Accept("block"):
				a.parseBlock(p)
			case more > 0 && p.Accept("count"):
				a.count = max(p.Int(), 0)
			case more > 0 && p.Accept("maxcount"):
				if a.maxCount = p.Int(); a.maxCount <= 0 {
					p.Fail(errReadMaxCount)
				}
			case more > 0 && p.Accept("maxsize"):
				n := p.Int()
				if n <= 0 {
					p.Fail(errReadMaxSize)
				}
				a.maxSize = min(n, maxReply)
			case more > 0 && p.Accept("streams"):
				a.parseStreams(p)
			case more > 1 && p.Accept("group"):
				if !grouped {
					p.Fail(errReadGroup)
				}
				a.group, a.consumer = p.Bytes(), p.Bytes()
				hasGroup = true
			case p.Accept("noack"):
				if !grouped {
					p.Fail(errReadNoAck)
				}
				a.noAck = true
			default:
				p.Fail(resp.ErrSyntax)
			}
		}
		switch {
		case a.keys == nil:
			p.Fail(resp.ErrSyntax)
		case grouped && !hasGroup:
			p.Fail(errReadNoGroup)
		case a.maxCount > 0 && a.count > a.maxCount:
			p.Fail(errReadCounts)
		}
		return a
	}
}

func (a *xRead) parseClaim(p *args.Parser) {
	if !a.grouped {
		p.Fail(errReadClaim)
	}
	n, ok := resp.ParseInt(p.Bytes())
	switch {
	case !ok:
		p.Fail(errReadIdle)
	case n < 0:
		p.Fail(errReadIdleNeg)
	}
	a.idle = n
}

func (a *xRead) parseBlock(p *args.Parser) {
	n, ok := resp.ParseInt(p.Bytes())
	switch {
	case !ok:
		p.Fail(errBlockNotInt)
	case n < 0:
		p.Fail(resp.ErrTimeoutNeg)
	case n > maxBlock:
		p.Fail(errTimeoutRange)
	}
	a.timeout = n
}

func (a *xRead) parseStreams(p *args.Parser) {
	a.idsAt = p.Position()
	rest := p.Rest()
	if len(rest)%2 != 0 {
		if a.grouped {
			p.Fail(resp.Error("ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified."))
		} else {
			p.Fail(resp.Error("ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified."))
		}
	}
	half := len(rest) / 2
	a.keys, a.ids = rest[:half], rest[half:]
	a.idsAt += half
}

// newEntries stands for >, entries that the group has not delivered.
var newEntries = stream.MaxID

// readFrom says behind which ID to read a stream.
func (a *xRead) readFrom(v *stream.Value, b []byte) (stream.ID, error) {
	word := byte(0)
	if s := upToNUL(b); len(s) == 1 {
		word = s[0]
	}
	switch {
	case word == '$' && a.grouped:
		return stream.ID{}, errReadDollar
	case word == '$' && v != nil:
		return v.Last(), nil
	case word == '+' && a.grouped:
		return stream.ID{}, errReadPlus
	case word == '+' && v != nil && v.Len() > 0:
		id, _ := v.Top().Prev()
		return id, nil
	case word == '$', word == '+':
		return stream.ID{}, nil
	case word == '>' && !a.grouped:
		return stream.ID{}, errReadNew
	case word == '>':
		return newEntries, nil
	}
	return strictID(b, 0)
}

func runXRead(c *command.Ctx, a xRead) error {
	var few [4]stream.ID
	from := few[:0]
	for i, key := range a.keys {
		v, err := getStream(c, key)
		if err != nil {
			return err
		}
		if a.grouped && (v == nil || v.Group(a.group) == nil) {
			return resp.Error(string(noKeyOrGroup(key, a.group)) + " in XREADGROUP with GROUP option")
		}
		id, err := a.readFrom(v, a.ids[i])
		if err != nil {
			return err
		}
		from = append(from, id)
	}
	r := xReader{c: c, a: a, start: c.W.Len(), oldest: math.MaxInt64}
	for i, key := range a.keys {
		if r.full() {
			break
		}
		e := c.Tx.Get(key) // which Redis counts a second time
		v, err := asStream(e)
		if err != nil {
			return err
		}
		switch {
		case v == nil:
		case a.grouped:
			r.readGroup(e, v, key, from[i])
		case v.Len() > 0 && from[i].Less(v.Top()):
			r.read(v, key, from[i])
		}
	}
	if c.Tx.Dirty() {
		c.Tx.Count(r.changes)
		c.Tx.NoEffect() // all that has changed was named
	}
	if r.streams > 0 {
		insertHead(c.W, r.start, r.streams, true)
		return nil
	}
	if a.timeout < 0 || !c.MayBlock() {
		c.W.NullArray()
		return nil
	}
	wait := command.Wait{Keys: a.keys, Type: object.Stream, Gone: a.grouped, Timeout: a.timeout, Args: fixedIDs(c.Args, &a, from)}
	if a.idle >= 0 {
		due := a.idle
		if r.oldest != math.MaxInt64 {
			due -= c.Tx.Now - r.oldest
		}
		wait.Again = max(due, 1)
	} else if a.grouped {
		wait.Share = a.group
	}
	return c.Block(wait)
}

// fixedIDs is the command with the IDs that $ stands for now: when it runs again
// it looks at what has come since. It is nil where there is no $.
func fixedIDs(argv [][]byte, a *xRead, from []stream.ID) [][]byte {
	var fixed [][]byte
	for i, b := range a.ids {
		if cString(b) == "$" {
			if fixed == nil {
				fixed = slices.Clone(argv)
			}
			fixed[a.idsAt+i] = idBytes(from[i])
		}
	}
	return fixed
}

// xReader writes the reply to XREAD or XREADGROUP.
type xReader struct {
	c       *command.Ctx
	a       xRead
	start   int   // of the reply
	streams int   // in the reply
	total   int64 // entries in the reply
	oldest  int64 // when the entry was delivered that is claimed next
	changes int   // as Redis counts them: consumers that were made, and streams with deliveries that are none again
}

// full reports whether MAXCOUNT or MAXSIZE is reached. One entry may exceed the
// latter.
func (r *xReader) full() bool {
	return r.a.maxCount > 0 && r.total >= r.a.maxCount || r.large()
}

func (r *xReader) large() bool { return r.total > 0 && int64(r.c.W.Len()-r.start) >= r.a.maxSize }

// count is how many entries of the next stream are read, 0 for all.
func (r *xReader) count() int64 {
	n := r.a.count
	if left := r.a.maxCount - r.total; r.a.maxCount > 0 && (n == 0 || left < n) {
		n = left
	}
	return n
}

// open begins a stream's part of the reply and returns where its entries begin.
func (r *xReader) open(key []byte) int {
	r.streams++
	if r.c.W.Proto() != 3 {
		r.c.W.Array(2)
	}
	r.c.W.Bulk(key)
	return r.c.W.Len()
}

func (r *xReader) read(v *stream.Value, key []byte, after stream.ID) {
	at, count, n := r.open(key), r.count(), int64(0)
	first, _ := after.Next()
	var it stream.Iter
	for v.Range(&it, first, stream.MaxID); (count == 0 || n < count) && !r.large() && it.Next(); n++ {
		writeEntry(r.c.W, &it)
		r.total++
	}
	insertHead(r.c.W, at, int(n), false)
}

// readGroup serves a consumer: with what it has read before, or with what is
// claimed from others and what nobody has read.
func (r *xReader) readGroup(e *store.Entry, v *stream.Value, key []byte, after stream.ID) {
	c, a := r.c, &r.a
	g := v.Group(a.group)
	now := c.Tx.Now
	claimable := false
	if a.idle >= 0 {
		g.EachOldest(func(p stream.Pending) bool {
			if !v.Has(p.ID) {
				return true
			}
			r.oldest = min(r.oldest, p.Time)
			claimable = idleFor(p, now, a.idle)
			return false
		})
	}
	consumer, created := consumerOf(c, e, g, a.consumer)
	if created {
		r.changes++
	}
	effects := deliveries{c: c, key: key, group: a.group, consumer: a.consumer}
	history := after != newEntries
	fresh := !history && v.Len() > 0 && g.Last().Less(v.Top())
	if history {
		a.idle = -1 // for the streams that follow too, as in Redis
	}
	if history || fresh || claimable {
		at, count, n := r.open(key), r.count(), int64(0)
		switch {
		case history:
			n = r.readHistory(v, g, consumer, &effects, after, count)
		default:
			if a.idle >= 0 {
				n = r.claim(v, g, consumer, &effects, count)
			}
			if fresh && (count == 0 || n < count) {
				n += r.deliver(v, g, consumer, &effects, count-n, count == 0)
			}
			if n > 0 {
				r.changes++
			}
		}
		insertHead(c.W, at, int(n), false)
	}
	if created && (a.noAck || effects.n == 0) {
		c.Tx.Effect(wordXGroup, wordCreateConsumer, key, a.group, a.consumer)
	}
	if effects.flush(); effects.n > 0 {
		c.Tx.ChangedQuietly(e, store.ClassStream, "")
	}
}

// idleFor reports whether an entry was delivered so long ago.
func idleFor(p stream.Pending, now, idle int64) bool { return uint64(now-p.Time) >= uint64(idle) }

// readHistory delivers what is pending for the consumer again.
func (r *xReader) readHistory(v *stream.Value, g *stream.Group, consumer *stream.Consumer, effects *deliveries, after stream.ID, count int64) (n int64) {
	w := r.c.W
	var it stream.Iter
	for id, ok := after.Next(); ok && (count == 0 || n < count) && !r.large(); id, ok = id.Next() {
		p, found := g.After(consumer, id)
		if !found {
			break
		}
		id = p.ID
		if it.Find(v, id) {
			writeEntry(w, &it)
			g.Set(id, consumer, r.c.Tx.Now, p.Again())
			effects.add(id, p.Again())
		} else {
			w.Array(2)
			writeID(w, id)
			w.NullArray()
		}
		n++
		r.total++
	}
	return n
}

// claim delivers what others have been delivered long ago.
func (r *xReader) claim(v *stream.Value, g *stream.Group, consumer *stream.Consumer, effects *deliveries, count int64) (n int64) {
	w, now := r.c.W, r.c.Tx.Now
	var it stream.Iter
	g.EachOldest(func(p stream.Pending) bool {
		if !idleFor(p, now, r.a.idle) || r.large() {
			return false
		}
		if !it.Find(v, p.ID) {
			return true
		}
		w.Array(4)
		writeID(w, p.ID)
		writeFields(w, &it)
		w.Int(now - p.Time)
		w.Int(p.Count)
		g.Set(p.ID, consumer, now, p.Again())
		consumer.Active = now
		effects.add(p.ID, p.Again())
		n++
		r.total++
		return count == 0 || n < count
	})
	return n
}

// deliver delivers what nobody has read, at most count entries or all.
func (r *xReader) deliver(v *stream.Value, g *stream.Group, consumer *stream.Consumer, effects *deliveries, count int64, all bool) (n int64) {
	w, now := r.c.W, r.c.Tx.Now
	first, _ := g.Last().Next()
	var it stream.Iter
	for v.Range(&it, first, stream.MaxID); (all || n < count) && !r.large() && it.Next(); n++ {
		g.Deliver(it.ID)
		if r.a.idle >= 0 {
			w.Array(4)
		} else {
			w.Array(2)
		}
		writeID(w, it.ID)
		writeFields(w, &it)
		if r.a.idle >= 0 {
			w.Int(0)
			w.Int(0)
		}
		if !r.a.noAck {
			g.Set(it.ID, consumer, now, 1)
			consumer.Active = now
			effects.add(it.ID, 1)
		}
		r.total++
	}
	if n > 0 {
		effects.flush()
		effects.n++
		r.c.Tx.Effect(wordXGroup, wordSetID, effects.key, r.a.group, idBytes(g.Last()), wordEntriesRead, intBytes(g.Read()))
	}
	return n
}

// deliveries names deliveries as effects: an XCLAIM for each run of entries that
// have been delivered equally often.
type deliveries struct {
	c                    *command.Ctx
	key, group, consumer []byte
	ids                  [][]byte
	count                int64
	n                    int // how many were added
}

// maxEffectIDs bounds the IDs of one effect.
const maxEffectIDs = 512

func (d *deliveries) add(id stream.ID, count int64) {
	if count != d.count || len(d.ids) >= maxEffectIDs {
		d.flush()
	}
	d.count = count
	d.ids = append(d.ids, idBytes(id))
	d.n++
}

func (d *deliveries) flush() {
	if len(d.ids) > 0 {
		claimEffect(d.c, d.key, d.group, d.consumer, d.ids, d.c.Tx.Now, d.count)
		d.ids = nil
	}
}

// claimEffect names that entries were delivered to a consumer.
func claimEffect(c *command.Ctx, key, group, consumer []byte, ids [][]byte, time, count int64) {
	argv := make([][]byte, 0, len(ids)+11)
	argv = append(argv, wordXClaim, key, group, consumer, wordZero)
	argv = append(argv, ids...)
	c.Tx.Effect(append(argv, wordTime, intBytes(time), wordRetryCount, intBytes(count), wordForce, wordJustID)...)
}

// Words of effects.
var (
	wordXAdd           = []byte("XADD")
	wordXIdmpRecord    = []byte("XIDMPRECORD")
	wordXCfgSet        = []byte("XCFGSET")
	wordIdmpDuration   = []byte("IDMP-DURATION")
	wordIdmpMaxSize    = []byte("IDMP-MAXSIZE")
	wordXTrim          = []byte("XTRIM")
	wordMinID          = []byte("MINID")
	wordXAck           = []byte("XACK")
	wordXClaim         = []byte("XCLAIM")
	wordXGroup         = []byte("XGROUP")
	wordSetID          = []byte("SETID")
	wordCreateConsumer = []byte("CREATECONSUMER")
	wordEntriesRead    = []byte("ENTRIESREAD")
	wordTime           = []byte("TIME")
	wordRetryCount     = []byte("RETRYCOUNT")
	wordForce          = []byte("FORCE")
	wordJustID         = []byte("JUSTID")
	wordZero           = []byte("0")

	wordsRefs = [...][]byte{stream.KeepRefs: []byte("KEEPREF"), stream.DropRefs: []byte("DELREF"), stream.AckedOnly: []byte("ACKED")}
)
