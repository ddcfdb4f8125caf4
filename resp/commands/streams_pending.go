package commands

import (
	"math"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/stream"
)

// Errors of XCLAIM and XAUTOCLAIM.
const (
	errClaimIdle     resp.Error = "ERR Invalid min-idle-time argument for XCLAIM"
	errClaimIdleOpt  resp.Error = "ERR Invalid IDLE option argument for XCLAIM"
	errClaimTime     resp.Error = "ERR Invalid TIME option argument for XCLAIM"
	errClaimRetry    resp.Error = "ERR Invalid RETRYCOUNT option argument for XCLAIM"
	errAutoClaimIdle resp.Error = "ERR Invalid min-idle-time argument for XAUTOCLAIM"
	errAutoClaimMany resp.Error = "ERR COUNT must be > 0"
)

// xPending is the arguments of XPENDING.
type xPending struct {
	key, group  []byte
	summary     bool
	idle        int64
	from, to    stream.ID
	count       int64
	consumer    []byte
	hasConsumer bool
}

var xPendingCommand = &command.Spec{
	Name: "xpending", Arity: -3, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupStream, Since: "5.0.0",
	Summary: "Returns the information and entries from a stream consumer group's pending entries list.",
	Args: []command.Arg{
		keyArg, groupArg,
		{Name: "filters", Type: "block", Optional: true, Args: []command.Arg{
			{Name: "min-idle-time", Type: "integer", Token: "IDLE", Since: "6.2.0", Optional: true},
			{Name: "start", Type: "string"},
			{Name: "end", Type: "string"},
			{Name: "count", Type: "integer"},
			optional(consumerArg),
		}},
	},
	Bind: command.Bind(parseXPending, runXPending),
}

func parseXPending(p *args.Parser) xPending {
	a := xPending{key: p.Bytes(), group: p.Bytes()}
	n := p.Len()
	if a.summary = n == 0; a.summary {
		return a
	}
	if n < 3 || n > 6 {
		p.Fail(resp.ErrSyntax)
		return a
	}
	if p.Accept("idle") {
		if a.idle = p.Int(); n < 5 {
			p.Fail(resp.ErrSyntax)
		}
	}
	from, to := p.Bytes(), p.Bytes()
	a.count = max(p.Int(), 0)
	var err error
	a.from, err = intervalStart(from)
	p.Fail(err)
	a.to, err = intervalEnd(to)
	p.Fail(err)
	if a.hasConsumer = p.More(); a.hasConsumer {
		a.consumer = p.Bytes()
	}
	p.Rest() // without IDLE Redis does not look at what follows
	return a
}

func runXPending(c *command.Ctx, a xPending) error {
	v, err := getStream(c, a.key)
	if err != nil {
		return err
	}
	var g *stream.Group
	if v != nil {
		g = v.Group(a.group)
	}
	if g == nil {
		return noKeyOrGroup(a.key, a.group)
	}
	if a.summary {
		writePendingSummary(c.W, g)
		return nil
	}
	var consumer *stream.Consumer
	if a.hasConsumer {
		if consumer = g.Consumer(a.consumer); consumer == nil {
			c.W.Array(0)
			return nil
		}
	}
	at, n := c.W.Len(), int64(0)
	now := c.Tx.Now
	if a.count > 0 {
		g.Each(consumer, a.from, func(p stream.Pending) bool {
			if a.to.Less(p.ID) {
				return false
			}
			if p.Consumer != nil && a.idle != 0 && now-p.Time < a.idle {
				return true
			}
			n++
			c.W.Array(4)
			writeID(c.W, p.ID)
			if p.Consumer != nil {
				c.W.BulkString(p.Consumer.Name)
				c.W.Int(max(now-p.Time, 0))
			} else {
				c.W.BulkString("")
				c.W.Int(-1)
			}
			c.W.Int(p.Count)
			return n < a.count
		})
	}
	insertHead(c.W, at, int(n), false)
	return nil
}

func writePendingSummary(w *resp.Writer, g *stream.Group) {
	w.Array(4)
	w.Int(int64(g.Len()))
	if g.Len() == 0 {
		w.Null()
		w.Null()
		w.NullArray()
		return
	}
	first, last := g.Bounds()
	writeID(w, first)
	writeID(w, last)
	n := 0
	for _, consumer := range g.Consumers() {
		if consumer.Len() > 0 {
			n++
		}
	}
	w.Array(n)
	for _, consumer := range g.Consumers() {
		if consumer.Len() > 0 {
			w.Array(2)
			w.BulkString(consumer.Name)
			w.BulkInt(int64(consumer.Len()))
		}
	}
}

var xClaimCommand = &command.Spec{
	Name: "xclaim", Arity: -6, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupStream, Since: "5.0.0",
	Summary: "Changes, or acquires, ownership of a message in a consumer group, as if the message was delivered a consumer group member.",
	Args: []command.Arg{
		keyArg, groupArg, consumerArg,
		{Name: "min-idle-time", Type: "string"},
		streamIDsArg,
		{Name: "ms", Type: "integer", Token: "IDLE", Optional: true},
		{Name: "unix-time-milliseconds", Type: "unix-time", Token: "TIME", Optional: true},
		{Name: "count", Type: "integer", Token: "RETRYCOUNT", Optional: true},
		{Name: "force", Type: "pure-token", Token: "FORCE", Optional: true},
		{Name: "justid", Type: "pure-token", Token: "JUSTID", Optional: true},
		{Name: "lastid", Type: "string", Token: "LASTID", Optional: true},
	},
	Bind: command.Bind(parseKeyGroupRest, runXClaim),
}

// xClaim is the arguments of XCLAIM behind the group.
type xClaim struct {
	consumer      []byte
	idle          int64
	ids           []stream.ID
	names         [][]byte // of the IDs, as they were given
	time          int64    // of the delivery
	count         int64    // of deliveries, negative where not given
	last          stream.ID
	force, justID bool
}

// parseXClaim reads XCLAIM from its consumer on. latest is the latest time that may be given.
func parseXClaim(l [][]byte, now, latest int64) (a xClaim, err error) {
	var ok bool
	a.consumer, a.count = l[0], -1
	if a.idle, ok = resp.ParseInt(l[1]); !ok {
		return a, errClaimIdle
	}
	l = l[2:]
	a.ids = make([]stream.ID, 0, len(l))
	for _, b := range l {
		id, err := strictID(b, 0)
		if err != nil {
			break // the first option
		}
		a.ids = append(a.ids, id)
	}
	a.names = l[:len(a.ids)]
	time, given := now, false
	for i := len(a.ids); i < len(l); i++ {
		word := l[i]
		more := i+1 < len(l)
		number := func(bad resp.Error) (n int64) {
			i++
			if n, ok = resp.ParseInt(l[i]); !ok {
				err = bad
			}
			return n
		}
		switch {
		case args.EqualFold(word, "force"):
			a.force = true
		case args.EqualFold(word, "justid"):
			a.justID = true
		case more && args.EqualFold(word, "idle"):
			time = now - number(errClaimIdleOpt)
			given = time != -1
		case more && args.EqualFold(word, "time"):
			time = number(errClaimTime)
			given = time != -1
		case more && args.EqualFold(word, "retrycount"):
			a.count = number(errClaimRetry)
		case more && args.EqualFold(word, "lastid"):
			i++
			a.last, err = strictID(l[i], 0)
		default:
			err = resp.Error("ERR Unrecognized XCLAIM option '" + cString(word) + "'")
		}
		if err != nil {
			return a, err
		}
	}
	if !given || time < 0 || time > latest {
		time = now
	}
	a.time = time
	return a, nil
}

func runXClaim(c *command.Ctx, k keyGroupRest) error {
	e, v, g, err := getGroup(c, k.key, k.group)
	if err != nil {
		return err
	}
	if g == nil {
		return noKeyOrGroup(k.key, k.group)
	}
	now := c.Tx.Now
	latest := now // what clients reckon may be a bit in the future
	if c.Mute {
		latest = math.MaxInt64 // as may what a source's clock says
	}
	a, err := parseXClaim(k.rest, now, latest)
	if err != nil {
		return err
	}
	changed := g.Last().Less(a.last)
	if changed {
		g.SetLast(a.last)
		c.Tx.Effect(wordXGroup, wordSetID, k.key, k.group, idBytes(a.last), wordEntriesRead, intBytes(g.Read()))
	}
	claims := newClaims(c, e, g, k.key, k.group, a.consumer)
	at, n := c.W.Len(), 0
	for i, id := range a.ids {
		p, pending := g.Find(id)
		if !claims.it.Find(v, id) {
			if pending {
				claims.forget(id, a.names[i])
			}
			continue
		}
		if !pending {
			if !a.force {
				continue
			}
			p = stream.Pending{ID: id, Count: 1}
		}
		if p.Consumer != nil && a.idle > 0 && now-p.Time < a.idle {
			continue
		}
		count := p.Count
		switch {
		case a.count >= 0:
			count = a.count
		case !a.justID:
			count = p.Again()
		}
		claims.take(id, a.names[i], a.time, count)
		claims.write(a.justID)
		if n++; c.W.Len()-at > maxReply {
			break
		}
	}
	insertHead(c.W, at, n, false)
	claims.done(changed)
	return nil
}

// claims moves pending entries to a consumer.
type claims struct {
	c          *command.Ctx
	e          *store.Entry
	g          *stream.Group
	key, group []byte
	consumer   *stream.Consumer
	name       []byte
	created    bool
	it         stream.Iter // at the entry in question

	changes     int      // the consumer, and what was taken or forgotten
	ids         [][]byte // taken and not named as an effect yet
	time, count int64    // of those
}

// newClaims finds the consumer, or makes it.
func newClaims(c *command.Ctx, e *store.Entry, g *stream.Group, key, group, name []byte) *claims {
	x := &claims{c: c, e: e, g: g, key: key, group: group, name: name}
	if x.consumer, x.created = consumerOf(c, e, g, name); x.created {
		x.changes++
	}
	return x
}

// forget removes what is pending of an entry that is gone.
func (x *claims) forget(id stream.ID, name []byte) {
	x.flush()
	x.g.Ack(id)
	x.changes++
	x.c.Tx.Effect(wordXAck, x.key, x.group, name)
}

func (x *claims) take(id stream.ID, name []byte, time, count int64) {
	if len(x.ids) > 0 && (time != x.time || count != x.count || len(x.ids) >= maxEffectIDs) {
		x.flush()
	}
	x.time, x.count = time, count
	x.ids = append(x.ids, name)
	x.g.Set(id, x.consumer, time, count)
	x.consumer.Active = x.c.Tx.Now
	x.changes++
	x.created = false
}

// write writes the entry that was found last, or its ID.
func (x *claims) write(justID bool) {
	if justID {
		writeID(x.c.W, x.it.ID)
	} else {
		writeEntry(x.c.W, &x.it)
	}
}

func (x *claims) flush() {
	if len(x.ids) > 0 {
		claimEffect(x.c, x.key, x.group, x.name, x.ids, x.time, x.count)
		x.ids = nil
	}
}

// done names what is left to name.
func (x *claims) done(changed bool) {
	x.flush()
	if x.created {
		x.c.Tx.Effect(wordXGroup, wordCreateConsumer, x.key, x.group, x.name)
	}
	if x.changes > 0 || changed {
		x.c.Tx.ChangedQuietly(x.e, store.ClassStream, "")
		x.c.Tx.Count(max(x.changes, 1))
	}
}

// xAutoClaim is the arguments of XAUTOCLAIM.
type xAutoClaim struct {
	key, group, consumer []byte
	idle                 int64
	from                 stream.ID
	count                int64
	justID               bool
}

var xAutoClaimCommand = &command.Spec{
	Name: "xautoclaim", Arity: -6, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupStream, Since: "6.2.0",
	Summary: "Changes, or acquires, ownership of messages in a consumer group, as if the messages were delivered to as consumer group member.",
	Args: []command.Arg{
		keyArg, groupArg, consumerArg,
		{Name: "min-idle-time", Type: "string"},
		{Name: "start", Type: "string"},
		countArg,
		{Name: "justid", Type: "pure-token", Token: "JUSTID", Optional: true},
	},
	Bind: command.Bind(parseXAutoClaim, runXAutoClaim),
}

// claimAttempts is how many pending entries XAUTOCLAIM looks at for each one
// that it may return.
const claimAttempts = 10

func parseXAutoClaim(p *args.Parser) xAutoClaim {
	a := xAutoClaim{key: p.Bytes(), group: p.Bytes(), consumer: p.Bytes(), count: 100}
	var ok bool
	if a.idle, ok = resp.ParseInt(p.Bytes()); !ok {
		p.Fail(errAutoClaimIdle)
	}
	var err error
	a.from, err = intervalStart(p.Bytes())
	p.Fail(err)
	for p.More() {
		switch {
		case p.Len() > 1 && p.Accept("count"):
			if a.count, ok = resp.ParseInt(p.Bytes()); !ok || a.count < 1 || a.count > math.MaxInt64/16 {
				p.Fail(errAutoClaimMany)
			}
		case p.Accept("justid"):
			a.justID = true
		default:
			p.Fail(resp.ErrSyntax)
		}
	}
	return a
}

func runXAutoClaim(c *command.Ctx, a xAutoClaim) error {
	e, v, g, err := getGroup(c, a.key, a.group)
	if err != nil {
		return err
	}
	if g == nil {
		return noKeyOrGroup(a.key, a.group)
	}
	now := c.Tx.Now
	claims := newClaims(c, e, g, a.key, a.group, a.consumer)
	c.W.Array(3)
	cursor := c.W.Len() // where the ID to go on from is put
	at, n := cursor, 0
	var gone []stream.ID
	id, more := a.from, true
	for attempts := a.count * claimAttempts; attempts > 0 && a.count > 0 && more && c.W.Len()-at <= maxReply; attempts-- {
		p, found := g.After(nil, id)
		if more = found; !found {
			break
		}
		id, more = p.ID.Next()
		switch {
		case !claims.it.Find(v, p.ID):
			claims.forget(p.ID, idBytes(p.ID))
			gone = append(gone, p.ID)
			a.count--
		case p.Consumer != nil && a.idle > 0 && now-p.Time < a.idle:
		default:
			count := p.Count
			if !a.justID {
				count = p.Again()
			}
			claims.take(p.ID, idBytes(p.ID), now, count)
			claims.write(a.justID)
			n++
			a.count--
		}
	}
	insertHead(c.W, at, n, false)
	next := stream.ID{}
	if more {
		if p, found := g.After(nil, id); found {
			next = p.ID
		}
	}
	insertID(c.W, cursor, next)
	c.W.Array(len(gone))
	for _, id := range gone {
		writeID(c.W, id)
	}
	claims.done(false)
	return nil
}
