package commands

import (
	"math"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/stream"
)

// Errors of consumer groups.
const (
	errGroupNeedsKey resp.Error = "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically."
	errEntriesRead   resp.Error = "ERR value for ENTRIESREAD must be positive or -1"
	errBusyGroup     resp.Error = "BUSYGROUP Consumer Group name already exists"
	errNackMode      resp.Error = "ERR mode must be SILENT, FAIL, or FATAL"
	errNackNumIDs    resp.Error = "ERR numids must be a positive integer"
	errNackMatch     resp.Error = "ERR number of IDs doesn't match numids"
	errNackRetry     resp.Error = "ERR Invalid RETRYCOUNT value, must be >= 0"
	errNackIDs       resp.Error = "ERR syntax error, expected IDS keyword"
)

// noGroupFor is the error of XGROUP and XINFO for a group that does not exist.
func noGroupFor(group, key []byte) resp.Error {
	return resp.Error("NOGROUP No such consumer group '" + cString(group) + "' for key name '" + cString(key) + "'")
}

// noKeyOrGroup is the error of the other commands.
func noKeyOrGroup(key, group []byte) resp.Error {
	return resp.Error("NOGROUP No such key '" + cString(key) + "' or consumer group '" + cString(group) + "'")
}

// findGroup finds a group of a stream for writing; nil where there is no key or
// no group.
func findGroup(c *command.Ctx, key, group []byte) (*store.Entry, *stream.Value, *stream.Group, error) {
	return groupIn(c.Tx.Find(key), group)
}

// getGroup is findGroup for those who read a group's entries: to Redis, that is a
// look-up for reading, whatever they change then.
func getGroup(c *command.Ctx, key, group []byte) (*store.Entry, *stream.Value, *stream.Group, error) {
	return groupIn(c.Tx.Get(key), group)
}

func groupIn(e *store.Entry, group []byte) (*store.Entry, *stream.Value, *stream.Group, error) {
	v, err := asStream(e)
	if v == nil {
		return nil, nil, nil, err
	}
	return e, v, v.Group(group), nil
}

var xGroupCommand = &command.Spec{
	Name: "xgroup", Arity: -2, Group: command.GroupStream, Since: "5.0.0",
	Summary: "A container for consumer groups commands.",
	Sub: []*command.Spec{
		{
			Name: "create", Arity: -5, Flags: command.Write | command.DenyOOM, Keys: command.SubKey, Group: command.GroupStream, Since: "5.0.0",
			Summary: "Creates a consumer group.",
			Args: []command.Arg{
				keyArg, groupArg, groupIDArg,
				{Name: "mkstream", Type: "pure-token", Token: "MKSTREAM", Optional: true},
				entriesReadArg,
			},
			Bind: command.Bind(parseXGroupID(true), runXGroupCreate),
		},
		{
			Name: "createconsumer", Arity: 5, Flags: command.Write | command.DenyOOM, Keys: command.SubKey, Group: command.GroupStream, Since: "6.2.0",
			Summary: "Creates a consumer in a consumer group.",
			Args:    []command.Arg{keyArg, groupArg, consumerArg},
			Bind:    command.Bind(parseTriple, runXGroupCreateConsumer),
		},
		{
			Name: "delconsumer", Arity: 5, Flags: command.Write, Keys: command.SubKey, Group: command.GroupStream, Since: "5.0.0",
			Summary: "Deletes a consumer from a consumer group.",
			Args:    []command.Arg{keyArg, groupArg, consumerArg},
			Bind:    command.Bind(parseTriple, runXGroupDelConsumer),
		},
		{
			Name: "destroy", Arity: 4, Flags: command.Write, Keys: command.SubKey, Group: command.GroupStream, Since: "5.0.0",
			Summary: "Destroys a consumer group.",
			Args:    []command.Arg{keyArg, groupArg},
			Bind:    command.Bind(parsePair, runXGroupDestroy),
		},
		{
			Name: "setid", Arity: -5, Flags: command.Write, Keys: command.SubKey, Group: command.GroupStream, Since: "5.0.0",
			Summary: "Sets the last-delivered ID of a consumer group.",
			Args:    []command.Arg{keyArg, groupArg, groupIDArg, entriesReadArg},
			Bind:    command.Bind(parseXGroupID(false), runXGroupSetID),
		},
		helpCommand(command.GroupStream, "5.0.0", "XGROUP", []string{
			"CREATE <key> <groupname> <id|$> [option]",
			"    Create a new consumer group. Options are:",
			"    * MKSTREAM",
			"      Create the empty stream if it does not exist.",
			"    * ENTRIESREAD entries_read",
			"      Set the group's entries_read counter (internal use).",
			"CREATECONSUMER <key> <groupname> <consumer>",
			"    Create a new consumer in the specified group.",
			"DELCONSUMER <key> <groupname> <consumer>",
			"    Remove the specified consumer.",
			"DESTROY <key> <groupname>",
			"    Remove the specified group.",
			"SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
			"    Set the current group ID and entries_read counter.",
		}),
	},
}

var (
	groupIDArg = command.Arg{Name: "id-selector", Type: "oneof", Args: []command.Arg{
		{Name: "id", Type: "string"},
		{Name: "new-id", Type: "pure-token", Token: "$"},
	}}
	entriesReadArg = command.Arg{Name: "entriesread", Type: "integer", Shown: "entries-read", Token: "ENTRIESREAD", Optional: true}
)

// xGroupID is the arguments of XGROUP CREATE and SETID.
type xGroupID struct {
	key, group, id []byte
	read           int64
	mkStream       bool
	odd            bool // an option it does not know, or too many
}

func parseXGroupID(create bool) func(*args.Parser) xGroupID {
	return func(p *args.Parser) xGroupID {
		a := xGroupID{key: p.Bytes(), group: p.Bytes(), id: p.Bytes(), read: stream.UnknownReads}
		n := p.Len()
		for p.More() && !a.odd {
			switch {
			case create && p.Accept("mkstream"):
				a.mkStream = true
			case p.Len() > 1 && p.Accept("entriesread"):
				if a.read = p.Int(); a.read < stream.UnknownReads {
					p.Fail(errEntriesRead)
				}
			default:
				p.Rest()
				a.odd = true
			}
		}
		a.odd = a.odd || create && n > 3 || !create && n != 0 && n != 2
		return a
	}
}

func runXGroupCreate(c *command.Ctx, a xGroupID) error {
	e, v, err := findStream(c, a.key)
	switch {
	case a.odd && (v == nil || err == nil):
		return badSubcommand(c)
	case err != nil:
		return err
	case v == nil && !a.mkStream:
		return errGroupNeedsKey
	}
	id, err := groupID(v, a.id)
	if err != nil {
		return err
	}
	fresh := v == nil
	var limits [][]byte
	if fresh {
		v, limits = newStream(c, a.key)
	}
	if v.CreateGroup(a.group, id, a.read) == nil {
		return errBusyGroup
	}
	if fresh {
		c.Tx.Changed(c.Tx.Put(a.key, v, false), store.ClassStream, "xgroup-create")
	} else {
		c.Tx.ChangedQuietly(e, store.ClassStream, "xgroup-create")
	}
	if len(a.id) == 1 && a.id[0] == '$' {
		c.Args[4] = idBytes(id)
	}
	if limits != nil {
		c.Tx.Effect(c.Args...)
		c.Tx.Effect(limits...)
	}
	c.W.Status("OK")
	return nil
}

// groupID reads an ID, or $ for the last one.
func groupID(v *stream.Value, b []byte) (stream.ID, error) {
	if len(b) == 1 && b[0] == '$' {
		if v == nil {
			return stream.ID{}, nil
		}
		return v.Last(), nil
	}
	return strictID(b, 0)
}

// groupOf finds what XGROUP's subcommands work on.
func groupOf(c *command.Ctx, key, group []byte) (*store.Entry, *stream.Group, error) {
	e, v, g, err := findGroup(c, key, group)
	switch {
	case err != nil:
		return nil, nil, err
	case v == nil:
		return nil, nil, errGroupNeedsKey
	case g == nil:
		return nil, nil, noGroupFor(group, key)
	}
	return e, g, nil
}

func runXGroupSetID(c *command.Ctx, a xGroupID) error {
	if a.odd {
		return badSubcommand(c)
	}
	e, g, err := groupOf(c, a.key, a.group)
	if err != nil {
		return err
	}
	v := e.Value().(*stream.Value)
	id := v.Last()
	if len(a.id) != 1 || a.id[0] != '$' {
		if id, err = looseID(a.id, 0); err != nil {
			return err
		}
	}
	g.SetLast(id)
	g.SetRead(a.read)
	c.Tx.ChangedQuietly(e, store.ClassStream, "xgroup-setid")
	c.Args[4] = idBytes(id)
	c.W.Status("OK")
	return nil
}

func runXGroupDestroy(c *command.Ctx, a pair) error {
	e, v, g, err := findGroup(c, a.a, a.b)
	switch {
	case err != nil:
		return err
	case v == nil:
		return errGroupNeedsKey
	case g == nil:
		c.W.Int(0)
		return nil
	}
	v.DeleteGroup(g)
	c.Tx.ChangedForWaiters(e, store.ClassStream, "xgroup-destroy") // they get an error
	c.W.Int(1)
	return nil
}

func runXGroupCreateConsumer(c *command.Ctx, a triple) error {
	e, g, err := groupOf(c, a.key, a.field)
	if err != nil {
		return err
	}
	n := int64(0)
	if g.CreateConsumer(a.value, c.Tx.Now) != nil {
		n = 1
		c.Tx.ChangedQuietly(e, store.ClassStream, "xgroup-createconsumer")
	}
	c.W.Int(n)
	return nil
}

func runXGroupDelConsumer(c *command.Ctx, a triple) error {
	e, g, err := groupOf(c, a.key, a.field)
	if err != nil {
		return err
	}
	n := 0
	if consumer := g.Consumer(a.value); consumer != nil {
		n = g.DeleteConsumer(consumer)
		c.Tx.ChangedQuietly(e, store.ClassStream, "xgroup-delconsumer")
	}
	c.W.Int(int64(n))
	return nil
}

// consumerOf finds a consumer or makes it, and notes that it was seen.
func consumerOf(c *command.Ctx, e *store.Entry, g *stream.Group, name []byte) (consumer *stream.Consumer, created bool) {
	consumer = g.Consumer(name)
	if consumer == nil {
		consumer = g.CreateConsumer(name, c.Tx.Now)
		c.Tx.ChangedQuietly(e, store.ClassStream, "xgroup-createconsumer")
		created = true
	}
	consumer.Seen = c.Tx.Now
	return consumer, created
}

// groupIDs is a key, a group, and IDs that have not been read.
type groupIDs struct {
	key, group []byte
	ids        [][]byte
}

var xAckCommand = &command.Spec{
	Name: "xack", Arity: -4, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupStream, Since: "5.0.0",
	Summary: "Returns the number of messages that were successfully acknowledged by the consumer group member of a stream.",
	Args:    []command.Arg{keyArg, groupArg, streamIDsArg},
	Bind: command.Bind(func(p *args.Parser) groupIDs {
		return groupIDs{p.Bytes(), p.Bytes(), p.Rest()}
	}, runXAck),
}

func runXAck(c *command.Ctx, a groupIDs) error {
	e, _, g, err := getGroup(c, a.key, a.group)
	if err != nil {
		return err
	}
	if g == nil {
		c.W.Int(0)
		return nil
	}
	for _, b := range a.ids { // all are IDs, or nothing is done
		if _, err := strictID(b, 0); err != nil {
			return err
		}
	}
	n := 0
	for _, b := range a.ids {
		if id, _ := strictID(b, 0); g.Ack(id) {
			n++
		}
	}
	if n > 0 {
		c.Tx.ChangedQuietly(e, store.ClassStream, "")
		c.Tx.Count(n)
	}
	c.W.Int(int64(n))
	return nil
}

var xAckDelCommand = &command.Spec{
	Name: "xackdel", Arity: -6, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupStream, Since: "8.2.0",
	Summary: "Acknowledges and deletes one or multiple messages for a stream consumer group.",
	Args:    []command.Arg{keyArg, groupArg, refsArg, idsBlockArg},
	Bind:    command.Bind(parseRefIDs(true), runXAckDel),
}

func runXAckDel(c *command.Ctx, a refIDs) error {
	e, v, g, err := getGroup(c, a.key, a.group)
	if err != nil {
		return err
	}
	if a.err != nil {
		return a.err
	}
	if g == nil {
		return replyMissing(c, len(a.ids))
	}
	ids, err := strictIDs(a.ids)
	if err != nil {
		return err
	}
	c.W.Array(len(ids))
	deleted, acked := false, false
	for _, id := range ids {
		if !g.Ack(id) {
			c.W.Int(idMissing)
			continue
		}
		acked = true
		gone, kept := v.DeleteRefs(id, a.refs)
		deleted = deleted || gone
		if kept {
			c.W.Int(idReferenced)
		} else {
			c.W.Int(idDeleted)
		}
	}
	switch {
	case deleted:
		c.Tx.Changed(e, store.ClassStream, "xdel")
	case acked:
		c.Tx.ChangedQuietly(e, store.ClassStream, "")
	}
	return nil
}

// keyGroupRest is a key, a group and arguments that are read once the group is
// known to exist.
type keyGroupRest struct {
	key, group []byte
	rest       [][]byte
}

func parseKeyGroupRest(p *args.Parser) keyGroupRest {
	return keyGroupRest{p.Bytes(), p.Bytes(), p.Rest()}
}

// nackMode says how XNACK changes the number of deliveries.
type nackMode uint8

const (
	nackSilent nackMode = iota // one less
	nackFail                   // as it is
	nackFatal                  // the greatest there is
)

func (m nackMode) count(n int64) int64 {
	switch m {
	case nackSilent:
		return max(n-1, 0)
	case nackFatal:
		return math.MaxInt64
	}
	return n
}

var xNackCommand = &command.Spec{
	Name: "xnack", Arity: -7, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupStream, Since: "8.8.0",
	Summary: "Releases claimed messages back to the group's PEL without acknowledging them, making them available for re-delivery.",
	Args: []command.Arg{
		keyArg, groupArg,
		{Name: "mode", Type: "oneof", Args: []command.Arg{
			{Name: "silent", Type: "pure-token", Token: "SILENT"},
			{Name: "fail", Type: "pure-token", Token: "FAIL"},
			{Name: "fatal", Type: "pure-token", Token: "FATAL"},
		}},
		idsBlockArg,
		{Name: "count", Type: "integer", Token: "RETRYCOUNT", Optional: true},
		{Name: "force", Type: "pure-token", Token: "FORCE", Optional: true},
	},
	Bind: command.Bind(parseKeyGroupRest, runXNack),
}

// xNack is the arguments of XNACK behind the group.
type xNack struct {
	mode  nackMode
	ids   []stream.ID
	count int64 // -1 where not given
	force bool
}

func parseXNack(l [][]byte) (a xNack, err error) {
	a.count = -1
	switch word := l[0]; {
	case args.EqualFold(word, "silent"):
		a.mode = nackSilent
	case args.EqualFold(word, "fail"):
		a.mode = nackFail
	case args.EqualFold(word, "fatal"):
		a.mode = nackFatal
	default:
		return a, errNackMode
	}
	var ids [][]byte
	for i := 1; i < len(l); i++ {
		more := i+1 < len(l)
		switch {
		case more && args.EqualFold(l[i], "ids"):
			n, ok := resp.ParseInt(l[i+1])
			if !ok || n < 1 || n > math.MaxInt32 {
				return a, errNackNumIDs
			}
			if n > int64(len(l)-i-2) {
				return a, errNackMatch
			}
			ids = l[i+2 : i+2+int(n)]
			i += 1 + int(n)
		case args.EqualFold(l[i], "force"):
			a.force = true
		case more && args.EqualFold(l[i], "retrycount"):
			i++
			n, ok := resp.ParseInt(l[i])
			if !ok {
				return a, resp.ErrNotInt
			}
			if n < 0 {
				return a, errNackRetry
			}
			a.count = n
		default:
			return a, resp.Error("ERR Unrecognized XNACK option '" + cString(l[i]) + "'")
		}
	}
	if ids == nil {
		return a, errNackIDs
	}
	a.ids, err = strictIDs(ids)
	return a, err
}

func runXNack(c *command.Ctx, k keyGroupRest) error {
	e, v, g, err := findGroup(c, k.key, k.group)
	if err != nil {
		return err
	}
	if g == nil {
		return noKeyOrGroup(k.key, k.group)
	}
	a, err := parseXNack(k.rest)
	if err != nil {
		return err
	}
	n := 0
	for _, id := range a.ids {
		p, ok := g.Find(id)
		if !ok && (!a.force || !v.Has(id)) {
			continue
		}
		count := a.count
		if count < 0 {
			count = a.mode.count(p.Count)
		}
		g.Release(id, count)
		n++
	}
	if n > 0 {
		c.Tx.ChangedForWaiters(e, store.ClassStream, "")
	}
	c.W.Int(int64(n))
	return nil
}
