package commands

import (
	"bytes"
	"errors"
	"math"
	"strconv"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/zset"
)

// rangeKind is what the ends of a range are.
type rangeKind uint8

const (
	byRank rangeKind = iota
	byScore
	byLex
)

// zRange is a range of a sorted set.
type zRange struct {
	kind       rangeKind
	start, end int64
	score      zset.ScoreRange
	lex        zset.LexRange
}

// parse reads the ends of a range whose kind is known.
func (r *zRange) parse(lo, hi []byte) error {
	var ok1, ok2 bool
	switch r.kind {
	case byRank:
		r.start, ok1 = resp.ParseInt(lo)
		r.end, ok2 = resp.ParseInt(hi)
		if !ok1 || !ok2 {
			return resp.ErrNotInt
		}
	case byScore:
		r.score.Min, r.score.MinEx, ok1 = parseScoreEnd(lo)
		r.score.Max, r.score.MaxEx, ok2 = parseScoreEnd(hi)
		if !ok1 || !ok2 {
			return errScoreRange
		}
	case byLex:
		r.lex.Min, ok1 = parseLexEnd(lo)
		r.lex.Max, ok2 = parseLexEnd(hi)
		if !ok1 || !ok2 {
			return errLexRange
		}
	}
	return nil
}

// parseScoreEnd reads an end of a range of scores, which ( leaves out, as loosely
// as Redis does: like strtod of C, an empty text being 0 and what is too large
// infinite.
func parseScoreEnd(b []byte) (f float64, ex, ok bool) {
	if len(b) > 0 && b[0] == '(' {
		b, ex = b[1:], true
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	if len(b) == 0 {
		return 0, ex, true
	}
	if f, ok = args.ParseFloat(b); ok {
		return f, ex, true
	}
	b = bytes.TrimLeft(b, " \t\n\v\f\r")
	if f, ok = args.ParseFloat(b); ok {
		return f, ex, true
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if (err == nil || errors.Is(err, strconv.ErrRange)) && !math.IsNaN(f) && bytes.IndexByte(b, '_') < 0 {
		return f, ex, true
	}
	return 0, false, false
}

func parseLexEnd(b []byte) (e zset.LexEnd, ok bool) {
	if len(b) == 0 {
		return e, false
	}
	switch b[0] {
	case '+', '-':
		e.Inf = 1
		if b[0] == '-' {
			e.Inf = -1
		}
		return e, len(b) == 1 || b[1] == 0
	case '(':
		return zset.LexEnd{Member: b[1:], Ex: true}, true
	case '[':
		return zset.LexEnd{Member: b[1:]}, true
	}
	return e, false
}

// ranks are the ranks in the range, lo to hi, hi excluded.
func (r *zRange) ranks(v *zset.Value, reverse bool) (lo, hi int) {
	switch r.kind {
	case byScore:
		return v.ScoreRange(&r.score)
	case byLex:
		return v.LexRange(&r.lex, reverse)
	}
	n := int64(v.Len())
	start, end := r.start, r.end
	if start < 0 {
		start = max(start+n, 0)
	}
	if end < 0 {
		end += n
	}
	end = min(end, n-1)
	if start > end || start >= n {
		return 0, 0
	}
	if reverse {
		return int(n - 1 - end), int(n - start)
	}
	return int(start), int(end + 1)
}

type zRangeArgs struct {
	dest, key     []byte
	zRange        zRange
	reverse       bool
	scores        bool
	offset, limit int64
}

// parseZRange reads the arguments of ZRANGE and its kin. The older commands fix
// the kind and the direction, which then are no options.
func parseZRange(kind rangeKind, reverse, fixed, store bool) func(*args.Parser) zRangeArgs {
	return func(p *args.Parser) zRangeArgs {
		a := zRangeArgs{reverse: reverse, limit: -1}
		a.zRange.kind = kind
		if store {
			a.dest = p.Bytes()
		}
		a.key = p.Bytes()
		lo, hi := p.Bytes(), p.Bytes()
		free := !fixed // the kind may still be given
		turn := !fixed
		for p.More() {
			switch {
			case !store && p.Accept("WITHSCORES"):
				a.scores = true
			case p.Len() > 2 && p.Accept("LIMIT"):
				a.offset, a.limit = p.Int(), p.Int()
			case turn && p.Accept("REV"):
				a.reverse, turn = true, false
			case free && p.Accept("BYLEX"):
				a.zRange.kind, free = byLex, false
			case free && p.Accept("BYSCORE"):
				a.zRange.kind, free = byScore, false
			default:
				p.Fail(resp.ErrSyntax)
			}
		}
		switch {
		case p.Err() != nil:
			return a
		case a.limit != -1 && a.zRange.kind == byRank:
			p.Fail(errRangeLimit)
			return a
		case a.scores && a.zRange.kind == byLex:
			p.Fail(errLexScores)
			return a
		}
		if a.reverse && a.zRange.kind != byRank {
			lo, hi = hi, lo
		}
		p.Fail(a.zRange.parse(lo, hi))
		return a
	}
}

// members are the ranks asked for: the first one, in the direction, and how many.
func (a *zRangeArgs) members(v *zset.Value) (first, n int) {
	lo, hi := a.zRange.ranks(v, a.reverse)
	if a.zRange.kind != byRank {
		all := int64(hi - lo)
		if a.offset < 0 || a.offset >= all {
			return 0, 0
		}
		if left := all - a.offset; a.limit >= 0 && a.limit < left {
			n = int(a.limit)
		} else {
			n = int(left)
		}
		if a.reverse {
			return hi - 1 - int(a.offset), n
		}
		return lo + int(a.offset), n
	}
	if a.reverse {
		return hi - 1, hi - lo
	}
	return lo, hi - lo
}

func runZRange(c *command.Ctx, a zRangeArgs) error {
	v, err := getZSet(c, a.key)
	if err != nil {
		return err
	}
	if v == nil {
		c.W.Array(0)
		return nil
	}
	first, n := a.members(v)
	it := v.From(first, a.reverse)
	return replyMembers(c, &it, n, a.scores)
}

// replyMembers writes the next n members, with their scores if asked for: pairs
// in RESP3, one flat array in RESP2.
func replyMembers(c *command.Ctx, it *zset.Iter, n int, scores bool) error {
	start := c.W.Len()
	if scores && c.W.Proto() != 3 {
		c.W.Array(2 * n)
	} else {
		c.W.Array(n)
	}
	for i := 0; i < n && it.Next(); i++ {
		replyMember(c, it.Member(), it.Score(), scores)
		if c.W.Len()-start > maxReply {
			c.W.Truncate(start)
			return errReplySize
		}
	}
	return nil
}

func replyMember(c *command.Ctx, member []byte, score float64, scores bool) {
	if !scores {
		c.W.Bulk(member)
		return
	}
	if c.W.Proto() == 3 {
		c.W.Array(2)
	}
	c.W.Bulk(member)
	c.W.Double(score)
}

var (
	zLimitArg = command.Arg{Name: "limit", Type: "block", Token: "LIMIT", Optional: true, Args: []command.Arg{
		{Name: "offset", Type: "integer"}, {Name: "count", Type: "integer"},
	}}
	zSortByArg = command.Arg{Name: "sortby", Type: "oneof", Optional: true, Args: []command.Arg{
		flagArg("byscore", "BYSCORE"), flagArg("bylex", "BYLEX"),
	}}
	zRevArg = optional(flagArg("rev", "REV"))
)

// sinceVersion is an argument that a command got later.
func sinceVersion(version string, a command.Arg) command.Arg {
	a.Since = version
	return a
}

var zRangeCommand = &command.Spec{
	Name: "zrange", Arity: -4, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "1.2.0",
	Summary: "Returns members in a sorted set within a range of indexes.",
	Args: []command.Arg{
		keyArg,
		{Name: "start", Type: "string"},
		{Name: "stop", Type: "string"},
		sinceVersion("6.2.0", zSortByArg), sinceVersion("6.2.0", zRevArg), sinceVersion("6.2.0", zLimitArg), withScores,
	},
	Bind: command.Bind(parseZRange(byRank, false, false, false), runZRange),
}

var zRevRangeCommand = &command.Spec{
	Name: "zrevrange", Arity: -4, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "1.2.0",
	Summary: "Returns members in a sorted set within a range of indexes in reverse order.",
	Args:    []command.Arg{keyArg, {Name: "start", Type: "integer"}, {Name: "stop", Type: "integer"}, withScores},
	Bind:    command.Bind(parseZRange(byRank, true, true, false), runZRange),
}

var zRangeByScoreCommand = &command.Spec{
	Name: "zrangebyscore", Arity: -4, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "1.0.5",
	Summary: "Returns members in a sorted set within a range of scores.",
	Args:    []command.Arg{keyArg, minArg, maxArg, sinceVersion("2.0.0", withScores), zLimitArg},
	Bind:    command.Bind(parseZRange(byScore, false, true, false), runZRange),
}

var zRevRangeByScoreCommand = &command.Spec{
	Name: "zrevrangebyscore", Arity: -4, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "2.2.0",
	Summary: "Returns members in a sorted set within a range of scores in reverse order.",
	Args:    []command.Arg{keyArg, maxArg, minArg, withScores, zLimitArg},
	Bind:    command.Bind(parseZRange(byScore, true, true, false), runZRange),
}

var zRangeByLexCommand = &command.Spec{
	Name: "zrangebylex", Arity: -4, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "2.8.9",
	Summary: "Returns members in a sorted set within a lexicographical range.",
	Args:    []command.Arg{keyArg, lexMinArg, lexMaxArg, zLimitArg},
	Bind:    command.Bind(parseZRange(byLex, false, true, false), runZRange),
}

var zRevRangeByLexCommand = &command.Spec{
	Name: "zrevrangebylex", Arity: -4, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "2.8.9",
	Summary: "Returns members in a sorted set within a lexicographical range in reverse order.",
	Args:    []command.Arg{keyArg, lexMaxArg, lexMinArg, zLimitArg},
	Bind:    command.Bind(parseZRange(byLex, true, true, false), runZRange),
}

var zRangeStoreCommand = &command.Spec{
	Name: "zrangestore", Arity: -5, Flags: command.Write | command.DenyOOM, Keys: command.TwoKeys, Group: command.GroupSortedSet, Since: "6.2.0",
	Summary: "Stores a range of members from sorted set in a key.",
	Args: []command.Arg{
		{Name: "dst", Type: "key"},
		{Name: "src", Type: "key"},
		{Name: "min", Type: "string"},
		{Name: "max", Type: "string"},
		zSortByArg, zRevArg, zLimitArg,
	},
	Bind: command.Bind(parseZRange(byRank, false, false, true), runZRangeStore),
}

func runZRangeStore(c *command.Ctx, a zRangeArgs) error {
	v, err := getZSet(c, a.key)
	if err != nil {
		return err
	}
	result := zset.New(0, 0)
	if v != nil {
		first, n := a.members(v)
		if a.zRange.kind == byRank {
			result.Expect(n)
		}
		it := v.From(first, a.reverse)
		for i := 0; i < n && it.Next(); i++ {
			result.Set(it.Member(), it.Score())
		}
	}
	storeZSet(c, a.dest, result, "zrangestore")
	return nil
}

// storeZSet puts a result under a destination, which goes when it is empty, and
// replies with its length.
func storeZSet(c *command.Ctx, dest []byte, v *zset.Value, event string) {
	if v.Len() == 0 {
		c.Tx.Delete(dest, "del")
	} else {
		c.Tx.Changed(c.Tx.Put(dest, v, false), store.ClassZSet, event)
	}
	c.W.Int(int64(v.Len()))
}

type keyRange struct {
	key    []byte
	zRange zRange
}

func parseKeyRange(kind rangeKind) func(*args.Parser) keyRange {
	return func(p *args.Parser) keyRange {
		a := keyRange{key: p.Bytes()}
		a.zRange.kind = kind
		lo, hi := p.Bytes(), p.Bytes()
		if p.Err() == nil {
			p.Fail(a.zRange.parse(lo, hi))
		}
		return a
	}
}

func runZCount(c *command.Ctx, a keyRange) error {
	v, err := getZSet(c, a.key)
	if err != nil {
		return err
	}
	n := 0
	if v != nil {
		lo, hi := a.zRange.ranks(v, false)
		n = hi - lo
	}
	c.W.Int(int64(n))
	return nil
}

var zCountCommand = &command.Spec{
	Name: "zcount", Arity: 4, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "2.0.0",
	Summary: "Returns the count of members in a sorted set that have scores within a range.",
	Args:    []command.Arg{keyArg, minArg, maxArg},
	Bind:    command.Bind(parseKeyRange(byScore), runZCount),
}

var zLexCountCommand = &command.Spec{
	Name: "zlexcount", Arity: 4, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "2.8.9",
	Summary: "Returns the number of members in a sorted set within a lexicographical range.",
	Args:    []command.Arg{keyArg, lexMinArg, lexMaxArg},
	Bind:    command.Bind(parseKeyRange(byLex), runZCount),
}

func runZRemRange(event string) func(*command.Ctx, keyRange) error {
	return func(c *command.Ctx, a keyRange) error {
		e, v, err := findZSet(c, a.key)
		if err != nil {
			return err
		}
		n := 0
		if v != nil {
			lo, hi := a.zRange.ranks(v, false)
			if n = hi - lo; n > 0 {
				v.RemoveRange(lo, hi)
				shrunk(c, e, v, a.key, event, n)
			}
		}
		c.W.Int(int64(n))
		return nil
	}
}

var zRemRangeByRankCommand = &command.Spec{
	Name: "zremrangebyrank", Arity: 4, Flags: command.Write, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "2.0.0",
	Summary: "Removes members in a sorted set within a range of indexes. Deletes the sorted set if all members were removed.",
	Args:    []command.Arg{keyArg, {Name: "start", Type: "integer"}, {Name: "stop", Type: "integer"}},
	Bind:    command.Bind(parseKeyRange(byRank), runZRemRange("zremrangebyrank")),
}

var zRemRangeByScoreCommand = &command.Spec{
	Name: "zremrangebyscore", Arity: 4, Flags: command.Write, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "1.2.0",
	Summary: "Removes members in a sorted set within a range of scores. Deletes the sorted set if all members were removed.",
	Args:    []command.Arg{keyArg, minArg, maxArg},
	Bind:    command.Bind(parseKeyRange(byScore), runZRemRange("zremrangebyscore")),
}

var zRemRangeByLexCommand = &command.Spec{
	Name: "zremrangebylex", Arity: 4, Flags: command.Write, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "2.8.9",
	Summary: "Removes members in a sorted set within a lexicographical range. Deletes the sorted set if all members were removed.",
	Args:    []command.Arg{keyArg, lexMinArg, lexMaxArg},
	Bind:    command.Bind(parseKeyRange(byLex), runZRemRange("zremrangebylex")),
}
