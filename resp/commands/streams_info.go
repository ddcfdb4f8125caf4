package commands

import (
	"fmt"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/stream"
)

// Errors of XCFGSET and XIDMPRECORD.
const (
	errCfgDurationTwice resp.Error = "ERR IDMP-DURATION specified multiple times"
	errCfgMaxSizeTwice  resp.Error = "ERR IDMP-MAXSIZE specified multiple times"
	errCfgNothing       resp.Error = "ERR At least one parameter must be specified"
	errRecordPID        resp.Error = "ERR producer ID must be non-empty"
	errRecordIID        resp.Error = "ERR idempotent ID must be non-empty"
	errRecordEntry      resp.Error = "ERR No such message in stream"
	errRecordOther      resp.Error = "ERR IID already exists for this producer with a different stream ID"
)

var xInfoCommand = &command.Spec{
	Name: "xinfo", Arity: -2, Group: command.GroupStream, Since: "5.0.0",
	Summary: "A container for stream introspection commands.",
	Sub: []*command.Spec{
		{
			Name: "consumers", Arity: 4, Flags: command.ReadOnly, Keys: command.SubKey, Group: command.GroupStream, Since: "5.0.0",
			Summary: "Returns a list of the consumers in a consumer group.",
			Args:    []command.Arg{keyArg, groupArg},
			Bind:    command.Bind(parsePair, runXInfoConsumers),
		},
		{
			Name: "groups", Arity: 3, Flags: command.ReadOnly, Keys: command.SubKey, Group: command.GroupStream, Since: "5.0.0",
			Summary: "Returns a list of the consumer groups of a stream.",
			Args:    []command.Arg{keyArg},
			Bind:    command.Bind(parseKey, runXInfoGroups),
		},
		{
			Name: "stream", Arity: -3, Flags: command.ReadOnly, Keys: command.SubKey, Group: command.GroupStream, Since: "5.0.0",
			Summary: "Returns information about a stream.",
			Args: []command.Arg{
				keyArg,
				{Name: "full-block", Type: "block", Optional: true, Args: []command.Arg{
					{Name: "full", Type: "pure-token", Token: "FULL"},
					countArg,
				}},
			},
			Bind: command.Bind(func(p *args.Parser) keyRest { return keyRest{p.Bytes(), p.Rest()} }, runXInfoStream),
		},
		helpCommand(command.GroupStream, "5.0.0", "XINFO", []string{
			"CONSUMERS <key> <groupname>",
			"    Show consumers of <groupname>.",
			"GROUPS <key>",
			"    Show the stream consumer groups.",
			"STREAM <key> [FULL [COUNT <count>]",
			"    Show information about the stream.",
		}),
	},
}

// keyRest is a key and arguments that are read once it is known to exist.
type keyRest struct {
	key  []byte
	rest [][]byte
}

// existingStream finds a stream for reading, or fails.
func existingStream(c *command.Ctx, key []byte) (*stream.Value, error) {
	v, err := getStream(c, key)
	if v == nil && err == nil {
		err = resp.ErrNoSuchKey
	}
	return v, err
}

func runXInfoConsumers(c *command.Ctx, a pair) error {
	v, err := existingStream(c, a.a)
	if err != nil {
		return err
	}
	g := v.Group(a.b)
	if g == nil {
		return noGroupFor(a.b, a.a)
	}
	c.W.Array(len(g.Consumers()))
	for _, consumer := range g.Consumers() {
		inactive := consumer.Active
		if inactive != -1 {
			inactive = c.Tx.Now - inactive
		}
		c.W.Map(4)
		c.W.BulkString("name")
		c.W.BulkString(consumer.Name)
		writeNumber(c.W, "pending", int64(consumer.Len()))
		writeNumber(c.W, "idle", max(c.Tx.Now-consumer.Seen, 0))
		writeNumber(c.W, "inactive", inactive)
	}
	return nil
}

func writeNumber(w *resp.Writer, name string, n int64) {
	w.BulkString(name)
	w.Int(n)
}

func writeNamedID(w *resp.Writer, name string, id stream.ID) {
	w.BulkString(name)
	writeID(w, id)
}

func runXInfoGroups(c *command.Ctx, key []byte) error {
	v, err := existingStream(c, key)
	if err != nil {
		return err
	}
	c.W.Array(len(v.Groups()))
	for _, g := range v.Groups() {
		c.W.Map(6)
		c.W.BulkString("name")
		c.W.BulkString(g.Name)
		writeNumber(c.W, "consumers", int64(len(g.Consumers())))
		writeNumber(c.W, "pending", int64(g.Len()))
		writeNamedID(c.W, "last-delivered-id", g.Last())
		writeProgress(c.W, g)
	}
	return nil
}

// writeProgress writes how much a group has read and has to read.
func writeProgress(w *resp.Writer, g *stream.Group) {
	w.BulkString("entries-read")
	writeKnown(w, g.Read(), g.Read() != stream.UnknownReads)
	w.BulkString("lag")
	lag, known := g.Lag()
	writeKnown(w, lag, known)
}

func writeKnown(w *resp.Writer, n int64, known bool) {
	if known {
		w.Int(n)
	} else {
		w.Null()
	}
}

// fullEntries is how much of each list XINFO STREAM FULL shows without COUNT.
const fullEntries = 10

func runXInfoStream(c *command.Ctx, a keyRest) error {
	v, err := existingStream(c, a.key)
	if err != nil {
		return err
	}
	full, count := len(a.rest) > 0, int64(fullEntries)
	if full {
		if len(a.rest) != 1 && len(a.rest) != 3 || !args.EqualFold(a.rest[0], "full") ||
			len(a.rest) == 3 && !args.EqualFold(a.rest[1], "count") {
			return badSubcommand(c)
		}
		if len(a.rest) == 3 {
			n, ok := resp.ParseInt(a.rest[2])
			if !ok {
				return resp.ErrNotInt
			}
			if n >= 0 {
				count = n
			}
		}
	}
	v.ExpireIIDs(c.Tx.Now)
	start := c.W.Len()
	if full {
		c.W.Map(15)
	} else {
		c.W.Map(16)
	}
	writeStreamNumbers(c.W, v)
	if !full {
		writeNumber(c.W, "groups", int64(len(v.Groups())))
		var it stream.Iter
		v.Range(&it, stream.MinID, stream.MaxID)
		c.W.BulkString("first-entry")
		writeOneEntry(c.W, &it)
		c.W.BulkString("last-entry")
		if v.Len() > 0 {
			v.Range(&it, v.Top(), stream.MaxID)
		}
		writeOneEntry(c.W, &it)
		return nil
	}
	c.W.BulkString("entries")
	n := v.Count(stream.MinID, stream.MaxID, count)
	c.W.Array(int(n))
	var it stream.Iter
	v.Range(&it, stream.MinID, stream.MaxID)
	if err := writeEntries(c, &it, n, start); err != nil {
		return err
	}
	c.W.BulkString("groups")
	c.W.Array(len(v.Groups()))
	for _, g := range v.Groups() {
		writeGroup(c.W, g, count)
		if c.W.Len()-start > maxReply {
			c.W.Truncate(start)
			return errReplySize
		}
	}
	return nil
}

func writeOneEntry(w *resp.Writer, it *stream.Iter) {
	if it.Next() {
		writeEntry(w, it)
	} else {
		w.Null()
	}
}

func writeStreamNumbers(w *resp.Writer, v *stream.Value) {
	p := v.Producers()
	writeNumber(w, "length", v.Len())
	writeNumber(w, "radix-tree-keys", int64(v.Blocks()))
	writeNumber(w, "radix-tree-nodes", int64(v.RadixNodes()))
	writeNamedID(w, "last-generated-id", v.Last())
	writeNamedID(w, "max-deleted-entry-id", v.MaxDeleted())
	writeNumber(w, "entries-added", v.Added())
	writeNamedID(w, "recorded-first-entry-id", v.First())
	writeNumber(w, "idmp-duration", p.Duration)
	writeNumber(w, "idmp-maxsize", p.MaxIIDs)
	writeNumber(w, "pids-tracked", int64(p.PIDs))
	writeNumber(w, "iids-tracked", int64(p.IIDs))
	writeNumber(w, "iids-added", p.Added)
	writeNumber(w, "iids-duplicates", p.Repeated)
}

// writeGroup writes what XINFO STREAM FULL shows of a group: count elements of
// each list, all for 0.
func writeGroup(w *resp.Writer, g *stream.Group, count int64) {
	w.Map(8)
	w.BulkString("name")
	w.BulkString(g.Name)
	writeNamedID(w, "last-delivered-id", g.Last())
	writeProgress(w, g)
	writeNumber(w, "pel-count", int64(g.Len()))
	writeNumber(w, "nacked-count", int64(g.Unowned()))
	w.BulkString("pending")
	writePendings(w, g, nil, count)
	w.BulkString("consumers")
	w.Array(len(g.Consumers()))
	for _, consumer := range g.Consumers() {
		w.Map(5)
		w.BulkString("name")
		w.BulkString(consumer.Name)
		writeNumber(w, "seen-time", consumer.Seen)
		writeNumber(w, "active-time", consumer.Active)
		writeNumber(w, "pel-count", int64(consumer.Len()))
		w.BulkString("pending")
		writePendings(w, g, consumer, count)
	}
}

func writePendings(w *resp.Writer, g *stream.Group, of *stream.Consumer, count int64) {
	all := int64(g.Len())
	if of != nil {
		all = int64(of.Len())
	}
	if count == 0 || count > all {
		count = all
	}
	w.Array(int(count))
	if count == 0 {
		return
	}
	g.Each(of, stream.MinID, func(p stream.Pending) bool {
		if of != nil {
			w.Array(3)
			writeID(w, p.ID)
		} else {
			w.Array(4)
			writeID(w, p.ID)
			name := ""
			if p.Consumer != nil {
				name = p.Consumer.Name
			}
			w.BulkString(name)
		}
		w.Int(p.Time)
		w.Int(p.Count)
		count--
		return count > 0
	})
}

var xCfgSetCommand = &command.Spec{
	Name: "xcfgset", Arity: -2, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupStream, Since: "8.6.0",
	Summary: "Sets the IDMP configuration parameters for a stream.",
	Args: []command.Arg{
		keyArg,
		{Name: "idmp-duration", Type: "integer", Token: "IDMP-DURATION", Optional: true},
		{Name: "idmp-maxsize", Type: "integer", Token: "IDMP-MAXSIZE", Optional: true},
	},
	Bind: command.Bind(func(p *args.Parser) keyRest { return keyRest{p.Bytes(), p.Rest()} }, runXCfgSet),
}

// parseXCfgSet reads what to set, -1 for what stays.
func parseXCfgSet(l [][]byte) (duration, maxIIDs int64, err error) {
	duration, maxIIDs = -1, -1
	for i := 0; i < len(l); i += 2 {
		to, limit, twice := &duration, int64(stream.MaxDuration), errCfgDurationTwice
		text := "ERR IDMP-DURATION must be between 1 and %d seconds"
		switch {
		case i+1 == len(l):
			return 0, 0, resp.ErrSyntax
		case args.EqualFold(l[i], "idmp-duration"):
		case args.EqualFold(l[i], "idmp-maxsize"):
			to, limit, twice = &maxIIDs, stream.MaxMaxIIDs, errCfgMaxSizeTwice
			text = "ERR IDMP-MAXSIZE must be between 1 and %d entries"
		default:
			return 0, 0, resp.ErrSyntax
		}
		if *to != -1 {
			return 0, 0, twice
		}
		n, ok := resp.ParseInt(l[i+1])
		if !ok {
			return 0, 0, resp.ErrNotInt
		}
		if n < 1 || n > limit {
			return 0, 0, resp.Error(fmt.Sprintf(text, limit))
		}
		*to = n
	}
	if len(l) == 0 {
		return 0, 0, errCfgNothing
	}
	return duration, maxIIDs, nil
}

func runXCfgSet(c *command.Ctx, a keyRest) error {
	e, v, err := findStream(c, a.key)
	if err != nil {
		return err
	}
	if v == nil {
		return resp.ErrNoSuchKey
	}
	duration, maxIIDs, err := parseXCfgSet(a.rest)
	if err != nil {
		return err
	}
	if v.Configure(duration, maxIIDs) {
		c.Tx.ChangedQuietly(e, store.ClassStream, "")
	}
	c.W.Status("OK")
	return nil
}

// xIdmpRecord is the arguments of XIDMPRECORD.
type xIdmpRecord struct {
	key, pid, iid []byte
	id            stream.ID
}

var xIdmpRecordCommand = &command.Spec{
	Name: "xidmprecord", Arity: 5, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupStream, Since: "8.6.2",
	Summary: "An internal command for setting IDMP metadata on an existing stream message.",
	Args:    []command.Arg{keyArg, {Name: "pid", Type: "string"}, {Name: "iid", Type: "string"}, {Name: "stream-id", Type: "string"}},
	Bind:    command.Bind(parseXIdmpRecord, runXIdmpRecord),
}

func parseXIdmpRecord(p *args.Parser) xIdmpRecord {
	a := xIdmpRecord{key: p.Bytes(), pid: p.Bytes(), iid: p.Bytes()}
	var err error
	a.id, err = strictID(p.Bytes(), 0)
	p.Fail(err)
	if len(a.pid) == 0 {
		p.Fail(errRecordPID)
	}
	if len(a.iid) == 0 {
		p.Fail(errRecordIID)
	}
	return a
}

func runXIdmpRecord(c *command.Ctx, a xIdmpRecord) error {
	e, v, err := findStream(c, a.key)
	switch {
	case err != nil:
		return err
	case v == nil:
		return resp.ErrNoSuchKey
	case !v.Has(a.id):
		return errRecordEntry
	}
	if id, known := v.Lookup(a.pid, a.iid, c.Tx.Now); known && id != a.id && !c.Mute { // a source's clock may be another
		return errRecordOther
	} else if id != a.id {
		v.Remember(a.pid, a.iid, a.id, c.Tx.Now)
		c.Tx.ChangedQuietly(e, store.ClassStream, "")
	}
	c.W.Status("OK")
	return nil
}
