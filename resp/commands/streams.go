package commands

import (
	"bytes"
	"math"
	"strconv"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/stream"
)

var streamCommands = []*command.Spec{
	xAddCommand, xTrimCommand, xLenCommand, xRangeCommand, xRevRangeCommand, xDelCommand, xDelExCommand, xSetIDCommand,
	xReadCommand, xReadGroupCommand,
	xGroupCommand, xAckCommand, xAckDelCommand, xNackCommand,
	xPendingCommand, xClaimCommand, xAutoClaimCommand,
	xInfoCommand, xCfgSetCommand, xIdmpRecordCommand,
}

// Errors of streams.
const (
	errStreamID       resp.Error = "ERR Invalid stream ID specified as stream command argument"
	errIntervalStart  resp.Error = "ERR invalid start ID for the interval"
	errIntervalEnd    resp.Error = "ERR invalid end ID for the interval"
	errXAddZero       resp.Error = "ERR The ID specified in XADD must be greater than 0-0"
	errXAddSmall      resp.Error = "ERR The ID specified in XADD is equal or smaller than the target stream top item"
	errXAddLarge      resp.Error = "ERR Elements are too large to be stored"
	errXAddExhausted  resp.Error = "ERR The stream has exhausted the last possible ID, unable to add more items"
	errNumIDs         resp.Error = "ERR Number of IDs must be a positive integer"
	errNumIDsMatch    resp.Error = "ERR The `numids` parameter must match the number of arguments"
	errIDsRequired    resp.Error = "ERR IDS option is required"
	errXSetIDBelowArg resp.Error = "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
	errXSetIDBelowMax resp.Error = "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
	errXSetIDBelowTop resp.Error = "ERR The ID specified in XSETID is smaller than the target stream top item"
	errXSetIDLength   resp.Error = "ERR The entries_added specified in XSETID is smaller than the target stream length"
	errXSetIDAdded    resp.Error = "ERR entries_added must be positive"
)

// asStream is the stream of an entry, nil where there is no entry.
func asStream(e *store.Entry) (*stream.Value, error) {
	if e == nil {
		return nil, nil
	}
	if v, ok := e.Value().(*stream.Value); ok {
		return v, nil
	}
	return nil, resp.ErrWrongType
}

// findStream finds a stream for writing, nil where there is none.
func findStream(c *command.Ctx, key []byte) (*store.Entry, *stream.Value, error) {
	e := c.Tx.Find(key)
	v, err := asStream(e)
	return e, v, err
}

// newStream makes a stream by the server's settings. limits is the command that tells the log and replicas of them, which
// go by the defaults: it belongs behind the one that makes the stream, and is nil where they are the same.
func newStream(c *command.Ctx, key []byte) (v *stream.Value, limits [][]byte) {
	if c.Mute {
		return stream.New(), nil
	}
	v, odd := c.Env.Streams.New()
	if p := v.Producers(); odd {
		limits = [][]byte{wordXCfgSet, key, wordIdmpDuration, intBytes(p.Duration), wordIdmpMaxSize, intBytes(p.MaxIIDs)}
	}
	return v, limits
}

// getStream finds a stream for reading, nil where there is none.
func getStream(c *command.Ctx, key []byte) (*stream.Value, error) { return asStream(c.Tx.Get(key)) }

// strictID reads an ID that is neither - nor +.
func strictID(b []byte, missing uint64) (stream.ID, error) {
	if id, ok := stream.ParseID(b, missing); ok {
		return id, nil
	}
	return stream.ID{}, errStreamID
}

// strictIDs reads several.
func strictIDs(l [][]byte) ([]stream.ID, error) {
	ids := make([]stream.ID, len(l))
	for i, b := range l {
		id, err := strictID(b, 0)
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	return ids, nil
}

// looseID reads an ID, or - or +.
func looseID(b []byte, missing uint64) (stream.ID, error) {
	if len(b) < 128 {
		b = upToNUL(b)
	}
	if len(b) == 1 && b[0] == '-' {
		return stream.MinID, nil
	}
	if len(b) == 1 && b[0] == '+' {
		return stream.MaxID, nil
	}
	return strictID(b, missing)
}

// intervalStart and intervalEnd read the ends of an interval, which ( leaves out.
func intervalStart(b []byte) (stream.ID, error) {
	if len(b) > 1 && b[0] == '(' {
		id, err := strictID(b[1:], 0)
		if err != nil {
			return id, err
		}
		id, ok := id.Next()
		if !ok {
			return id, errIntervalStart
		}
		return id, nil
	}
	return looseID(b, 0)
}

func intervalEnd(b []byte) (stream.ID, error) {
	if len(b) > 1 && b[0] == '(' {
		id, err := strictID(b[1:], math.MaxUint64)
		if err != nil {
			return id, err
		}
		id, ok := id.Prev()
		if !ok {
			return id, errIntervalEnd
		}
		return id, nil
	}
	return looseID(b, math.MaxUint64)
}

// writeID writes an ID as a string.
func writeID(w *resp.Writer, id stream.ID) {
	var b [48]byte
	w.Bulk(id.Append(b[:0]))
}

// idBytes is an ID as an argument of an effect.
func idBytes(id stream.ID) []byte { return id.Append(make([]byte, 0, 24)) }

// intBytes is a number as an argument of an effect.
func intBytes(n int64) []byte { return strconv.AppendInt(nil, n, 10) }

// writeEntry writes an entry: its ID, its names and values.
func writeEntry(w *resp.Writer, it *stream.Iter) {
	w.Array(2)
	writeID(w, it.ID)
	writeFields(w, it)
}

func writeFields(w *resp.Writer, it *stream.Iter) {
	w.Array(2 * it.Fields)
	for range it.Fields {
		name, value := it.Field()
		w.Bulk(name)
		w.Bulk(value)
	}
}

// insertHead puts the head of an array, or a map in RESP3, of n elements before
// what was written since from: for replies whose length shows at their end.
func insertHead(w *resp.Writer, from, n int, asMap bool) {
	at := w.Len()
	if asMap && w.Proto() == 3 {
		w.Map(n)
	} else {
		w.Array(n)
	}
	moveLast(w.Bytes()[from:], at-from)
}

// insertID writes an ID before what was written since from.
func insertID(w *resp.Writer, from int, id stream.ID) {
	at := w.Len()
	writeID(w, id)
	moveLast(w.Bytes()[from:], at-from)
}

// moveLast moves the end of b, from at on, to its beginning.
func moveLast(b []byte, at int) {
	var last [64]byte
	n := copy(last[:], b[at:])
	copy(b[n:], b[:at])
	copy(b, last[:n])
}

// upToNUL is b up to a NUL, where a string of C ends.
func upToNUL(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return b
}

func cString(b []byte) string { return string(upToNUL(b)) }

// The rows' common parts.
var (
	groupArg     = command.Arg{Name: "group", Type: "string"}
	consumerArg  = command.Arg{Name: "consumer", Type: "string"}
	streamIDsArg = command.Arg{Name: "id", Type: "string", Multiple: true}
	countArg     = command.Arg{Name: "count", Type: "integer", Token: "COUNT", Optional: true}
	refsArg      = command.Arg{Name: "condition", Type: "oneof", Optional: true, Args: []command.Arg{
		{Name: "keepref", Type: "pure-token", Token: "KEEPREF"},
		{Name: "delref", Type: "pure-token", Token: "DELREF"},
		{Name: "acked", Type: "pure-token", Token: "ACKED"},
	}}
	idsBlockArg = command.Arg{Name: "ids", Type: "block", Token: "IDS", Args: []command.Arg{
		{Name: "numids", Type: "integer"},
		{Name: "id", Type: "string", Multiple: true},
	}}
)

var xLenCommand = &command.Spec{
	Name: "xlen", Arity: 2, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupStream, Since: "5.0.0",
	Summary: "Return the number of messages in a stream.",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind(parseKey, runXLen),
}

func runXLen(c *command.Ctx, key []byte) error {
	v, err := getStream(c, key)
	if err != nil {
		return err
	}
	n := int64(0)
	if v != nil {
		n = v.Len()
	}
	c.W.Int(n)
	return nil
}

// xRange is the arguments of XRANGE and XREVRANGE.
type xRange struct {
	key      []byte
	from, to stream.ID
	count    int64 // -1 for all
}

var xRangeCommand = &command.Spec{
	Name: "xrange", Arity: -4, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupStream, Since: "5.0.0",
	Summary: "Returns the messages from a stream within a range of IDs.",
	Args:    []command.Arg{keyArg, {Name: "start", Type: "string"}, {Name: "end", Type: "string"}, countArg},
	Bind:    command.Bind(parseXRange(false), runXRange(false)),
}

var xRevRangeCommand = &command.Spec{
	Name: "xrevrange", Arity: -4, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupStream, Since: "5.0.0",
	Summary: "Returns the messages from a stream within a range of IDs in reverse order.",
	Args:    []command.Arg{keyArg, {Name: "end", Type: "string"}, {Name: "start", Type: "string"}, countArg},
	Bind:    command.Bind(parseXRange(true), runXRange(true)),
}

func parseXRange(reverse bool) func(*args.Parser) xRange {
	return func(p *args.Parser) xRange {
		r := xRange{key: p.Bytes(), count: -1}
		from, to := p.Bytes(), p.Bytes()
		if reverse {
			from, to = to, from
		}
		var err error
		r.from, err = intervalStart(from)
		p.Fail(err)
		r.to, err = intervalEnd(to)
		p.Fail(err)
		for p.More() {
			if !p.Accept("count") || !p.More() {
				p.Fail(resp.ErrSyntax)
				break
			}
			r.count = max(p.Int(), 0)
		}
		return r
	}
}

func runXRange(reverse bool) func(*command.Ctx, xRange) error {
	return func(c *command.Ctx, r xRange) error {
		v, err := getStream(c, r.key)
		switch {
		case err != nil:
			return err
		case v == nil:
			c.W.Array(0)
			return nil
		case r.count == 0:
			c.W.NullArray()
			return nil
		}
		start := c.W.Len()
		n := v.Count(r.from, r.to, r.count)
		c.W.Array(int(n))
		if reverse {
			return writeReverse(c, v, r, n, start)
		}
		var it stream.Iter
		v.Range(&it, r.from, r.to)
		return writeEntries(c, &it, n, start)
	}
}

func writeReverse(c *command.Ctx, v *stream.Value, r xRange, n int64, start int) error {
	var it stream.Reverse
	for v.Reverse(&it, r.from, r.to); n > 0 && it.Next(); n-- {
		writeEntry(c.W, &it.Iter)
		if c.W.Len()-start > maxReply {
			c.W.Truncate(start)
			return errReplySize
		}
	}
	return nil
}

func writeEntries(c *command.Ctx, it *stream.Iter, n int64, start int) error {
	for ; n > 0 && it.Next(); n-- {
		writeEntry(c.W, it)
		if c.W.Len()-start > maxReply {
			c.W.Truncate(start)
			return errReplySize
		}
	}
	return nil
}

// keyIDs is a key and IDs that have not been read.
type keyIDs struct {
	key []byte
	ids [][]byte
}

var xDelCommand = &command.Spec{
	Name: "xdel", Arity: -3, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupStream, Since: "5.0.0",
	Summary: "Returns the number of messages after removing them from a stream.",
	Args:    []command.Arg{keyArg, streamIDsArg},
	Bind:    command.Bind(func(p *args.Parser) keyIDs { return keyIDs{p.Bytes(), p.Rest()} }, runXDel),
}

func runXDel(c *command.Ctx, a keyIDs) error {
	e, v, err := findStream(c, a.key)
	if err != nil {
		return err
	}
	if v == nil {
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
		if id, _ := strictID(b, 0); v.Delete(id) {
			n++
		}
	}
	if n > 0 {
		c.Tx.Changed(e, store.ClassStream, "xdel")
		c.Tx.Count(n)
	}
	c.W.Int(int64(n))
	return nil
}

// refIDs is the arguments of XDELEX and XACKDEL.
type refIDs struct {
	key, group []byte
	refs       stream.Refs
	ids        [][]byte
	err        error // of the options, told only of a key that holds no other type
}

// parseRefIDs reads the options behind the key, or key and group.
func parseRefIDs(withGroup bool) func(*args.Parser) refIDs {
	return func(p *args.Parser) refIDs {
		a := refIDs{key: p.Bytes()}
		if withGroup {
			a.group = p.Bytes()
		}
		refsGiven, idsGiven := false, false
		fail := func(err error) refIDs {
			a.err = err
			p.Rest()
			return a
		}
		for p.More() {
			if refs, ok := acceptRefs(p); ok && !refsGiven {
				a.refs, refsGiven = refs, true
				continue
			} else if ok || !p.Accept("ids") || p.Len() == 0 {
				return fail(resp.ErrSyntax)
			}
			n, ok := resp.ParseInt(p.Bytes())
			if !ok || n < 1 {
				return fail(errNumIDs)
			}
			if n > int64(p.Len()) {
				return fail(errNumIDsMatch)
			}
			a.ids, idsGiven = make([][]byte, n), true
			for i := range a.ids {
				a.ids[i] = p.Bytes()
			}
		}
		if !idsGiven {
			return fail(errIDsRequired)
		}
		return a
	}
}

// acceptRefs reads KEEPREF, DELREF or ACKED.
func acceptRefs(p *args.Parser) (stream.Refs, bool) {
	switch {
	case p.Accept("keepref"):
		return stream.KeepRefs, true
	case p.Accept("delref"):
		return stream.DropRefs, true
	case p.Accept("acked"):
		return stream.AckedOnly, true
	}
	return 0, false
}

// What XDELEX and XACKDEL answer for an ID.
const (
	idMissing    = -1
	idDeleted    = 1
	idReferenced = 2
)

func replyMissing(c *command.Ctx, n int) error {
	c.W.Array(n)
	for range n {
		c.W.Int(idMissing)
	}
	return nil
}

var xDelExCommand = &command.Spec{
	Name: "xdelex", Arity: -5, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupStream, Since: "8.2.0",
	Summary: "Deletes one or multiple entries from the stream.",
	Args:    []command.Arg{keyArg, refsArg, idsBlockArg},
	Bind:    command.Bind(parseRefIDs(false), runXDelEx),
}

func runXDelEx(c *command.Ctx, a refIDs) error {
	e, v, err := findStream(c, a.key)
	if err != nil {
		return err
	}
	if a.err != nil {
		return a.err
	}
	if v == nil {
		return replyMissing(c, len(a.ids))
	}
	ids, err := strictIDs(a.ids)
	if err != nil {
		return err
	}
	c.W.Array(len(ids))
	changed, pending := false, groupsPending(v)
	for _, id := range ids {
		deleted, kept := v.DeleteRefs(id, a.refs)
		switch {
		case deleted:
			changed = true
			c.W.Int(idDeleted)
		case kept:
			c.W.Int(idReferenced)
		default:
			c.W.Int(idMissing)
		}
	}
	switch {
	case changed:
		c.Tx.Changed(e, store.ClassStream, "xdel")
	case groupsPending(v) != pending:
		c.Tx.ChangedQuietly(e, store.ClassStream, "")
	}
	return nil
}

// groupsPending is what is pending in all groups.
func groupsPending(v *stream.Value) int {
	n := 0
	for _, g := range v.Groups() {
		n += g.Len()
	}
	return n
}

// xSetID is the arguments of XSETID.
type xSetID struct {
	key     []byte
	id      stream.ID
	added   int64 // -1 where not given
	deleted stream.ID
}

var xSetIDCommand = &command.Spec{
	Name: "xsetid", Arity: -3, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupStream, Since: "5.0.0",
	Summary: "An internal command for replicating stream values.",
	Args: []command.Arg{
		keyArg,
		{Name: "last-id", Type: "string"},
		{Name: "entries-added", Type: "integer", Token: "ENTRIESADDED", Since: "7.0.0", Optional: true},
		{Name: "max-deleted-id", Type: "string", Token: "MAXDELETEDID", Since: "7.0.0", Optional: true},
	},
	Bind: command.Bind(parseXSetID, runXSetID),
}

func parseXSetID(p *args.Parser) xSetID {
	a := xSetID{key: p.Bytes(), added: -1}
	var err error
	a.id, err = strictID(p.Bytes(), 0)
	p.Fail(err)
	for p.More() {
		switch {
		case p.Len() > 1 && p.Accept("entriesadded"):
			if a.added = p.Int(); a.added < 0 {
				p.Fail(errXSetIDAdded)
			}
		case p.Len() > 1 && p.Accept("maxdeletedid"):
			a.deleted, err = strictID(p.Bytes(), 0)
			p.Fail(err)
			if a.id.Less(a.deleted) {
				p.Fail(errXSetIDBelowArg)
			}
		default:
			p.Fail(resp.ErrSyntax)
		}
	}
	return a
}

func runXSetID(c *command.Ctx, a xSetID) error {
	e, v, err := findStream(c, a.key)
	switch {
	case err != nil:
		return err
	case v == nil:
		return resp.ErrNoSuchKey
	case a.id.Less(v.MaxDeleted()):
		return errXSetIDBelowMax
	case v.Len() > 0 && a.id.Less(v.Top()):
		return errXSetIDBelowTop
	case v.Len() > 0 && a.added != -1 && v.Len() > a.added:
		return errXSetIDLength
	}
	v.SetIDs(a.id, a.added, a.deleted)
	c.Tx.ChangedQuietly(e, store.ClassStream, "xsetid")
	c.W.Status("OK")
	return nil
}
