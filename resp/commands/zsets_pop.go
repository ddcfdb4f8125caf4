package commands

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/types/zset"
)

// popReply is the shape of the reply to a pop.
type popReply uint8

const (
	popFlat   popReply = iota // member, score, …
	popNested                 // pairs in RESP3
	popKeyed                  // key, member, score
	popMulti                  // key, pairs
)

// popMembers pops up to count members at an end of a set and replies with them.
func popMembers(c *command.Ctx, e *store.Entry, v *zset.Value, key []byte, top bool, count int64, shape popReply) {
	n := int(min(count, int64(v.Len())))
	pairs := shape == popMulti || shape == popNested && c.W.Proto() == 3
	switch {
	case shape == popKeyed:
		c.W.Array(1 + 2*n)
		c.W.Bulk(key)
	case shape == popMulti:
		c.W.Array(2)
		c.W.Bulk(key)
		c.W.Array(n)
	case pairs:
		c.W.Array(n)
	default:
		c.W.Array(2 * n)
	}
	lo, event := 0, "zpopmin"
	it := v.From(0, false)
	if top {
		lo, event = v.Len()-n, "zpopmax"
		it = v.From(v.Len()-1, true)
	}
	for i := 0; i < n && it.Next(); i++ {
		if pairs {
			c.W.Array(2)
		}
		c.W.Bulk(it.Member())
		c.W.Double(it.Score())
	}
	v.RemoveRange(lo, lo+n)
	shrunk(c, e, v, key, event, n)
}

type zPopArgs struct {
	key     []byte
	count   int64
	counted bool
}

func parseZPop(p *args.Parser) zPopArgs {
	a := zPopArgs{key: p.Bytes(), count: 1}
	if p.Len() > 1 {
		p.Fail(resp.ErrSyntax)
	}
	if p.More() {
		n, ok := resp.ParseInt(p.Bytes())
		if !ok || n < 0 {
			p.Fail(resp.ErrNotPositive)
		}
		a.count, a.counted = n, true
	}
	return a
}

func runZPop(top bool) func(*command.Ctx, zPopArgs) error {
	return func(c *command.Ctx, a zPopArgs) error {
		e, v, err := findZSet(c, a.key)
		if err != nil {
			return err
		}
		if v == nil || a.count == 0 {
			c.W.Array(0)
			return nil
		}
		shape := popFlat
		if a.counted {
			shape = popNested
		}
		popMembers(c, e, v, a.key, top, a.count, shape)
		return nil
	}
}

var zPopArgSpecs = []command.Arg{keyArg, {Name: "count", Type: "integer", Optional: true}}

var zPopMinCommand = &command.Spec{
	Name: "zpopmin", Arity: -2, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "5.0.0",
	Summary: "Returns the lowest-scoring members from a sorted set after removing them. Deletes the sorted set if the last member was popped.",
	Args:    zPopArgSpecs,
	Bind:    command.Bind(parseZPop, runZPop(false)),
}

var zPopMaxCommand = &command.Spec{
	Name: "zpopmax", Arity: -2, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "5.0.0",
	Summary: "Returns the highest-scoring members from a sorted set after removing them. Deletes the sorted set if the last member was popped.",
	Args:    zPopArgSpecs,
	Bind:    command.Bind(parseZPop, runZPop(true)),
}

func runZMPop(c *command.Ctx, a mPopArgs) error {
	wait, err := a.timeout.ms(c.Tx.Now)
	if err != nil {
		return err
	}
	for _, key := range a.keys {
		e, v, err := findZSet(c, key)
		if err != nil {
			return err
		}
		if v == nil {
			continue
		}
		n := min(a.count, int64(v.Len()))
		popMembers(c, e, v, key, a.high, a.count, a.shape)
		word := wordZPopMin
		if a.high {
			word = wordZPopMax
		}
		c.Tx.Effect(word, key, strconv.AppendInt(nil, n, 10))
		return nil
	}
	if !a.timeout.waits || !c.MayBlock() {
		c.W.NullArray()
		return nil
	}
	return c.Block(command.Wait{Keys: a.keys, Type: object.ZSet, Timeout: wait})
}

var (
	wordZPopMin = []byte("ZPOPMIN")
	wordZPopMax = []byte("ZPOPMAX")
)

var zMPopArgSpecs = []command.Arg{
	{Name: "numkeys", Type: "integer"},
	{Name: "key", Type: "key", Multiple: true},
	{Name: "where", Type: "oneof", Args: []command.Arg{flagArg("min", "MIN"), flagArg("max", "MAX")}},
	{Name: "count", Type: "integer", Token: "COUNT", Optional: true},
}

var zMPopCommand = &command.Spec{
	Name: "zmpop", Arity: -4, Flags: command.Write | command.MovableKeys, Keys: command.KeySpec{Find: numKeys(1)}, Group: command.GroupSortedSet, Since: "7.0.0",
	Summary: "Returns the highest- or lowest-scoring members from one or more sorted sets after removing them. Deletes the sorted set if the last member was popped.",
	Args:    zMPopArgSpecs,
	Bind:    command.Bind(parseMPop(false, "MIN", "MAX"), runZMPop),
}

var bzMPopCommand = &command.Spec{
	Name: "bzmpop", Arity: -5, Flags: command.Write | command.Blocking | command.MovableKeys, Keys: command.KeySpec{Find: numKeys(2)}, Group: command.GroupSortedSet, Since: "7.0.0",
	Summary: "Removes and returns a member by score from one or more sorted sets. Blocks until a member is available otherwise. Deletes the sorted set if the last element was popped.",
	Args:    slices.Concat([]command.Arg{timeoutArg}, zMPopArgSpecs),
	Bind:    command.Bind(parseMPop(true, "MIN", "MAX"), runZMPop),
}

var bzPopMinCommand = &command.Spec{
	Name: "bzpopmin", Arity: -3, Flags: command.Write | command.Fast | command.Blocking, Keys: butLast, Group: command.GroupSortedSet, Since: "5.0.0",
	Summary: "Removes and returns the member with the lowest score from one or more sorted sets. Blocks until a member is available otherwise. Deletes the sorted set if the last element was popped.",
	Args:    bPopArgs,
	Bind:    command.Bind(parseBPop(false), runZMPop),
}

var bzPopMaxCommand = &command.Spec{
	Name: "bzpopmax", Arity: -3, Flags: command.Write | command.Fast | command.Blocking, Keys: butLast, Group: command.GroupSortedSet, Since: "5.0.0",
	Summary: "Removes and returns the member with the highest score from one or more sorted sets. Blocks until a member available otherwise.  Deletes the sorted set if the last element was popped.",
	Args:    bPopArgs,
	Bind:    command.Bind(parseBPop(true), runZMPop),
}

var zRandMemberCommand = &command.Spec{
	Name: "zrandmember", Arity: -2, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "6.2.0",
	Summary: "Returns one or more random members from a sorted set.",
	Args: []command.Arg{
		keyArg,
		{Name: "options", Type: "block", Optional: true, Args: []command.Arg{{Name: "count", Type: "integer"}, withScores}},
	},
	Bind: command.Bind(parseZRandMember, runZRandMember),
}

type zRandArgs struct {
	key     []byte
	counted bool
	count   int64
	scores  bool
}

func parseZRandMember(p *args.Parser) zRandArgs {
	a := zRandArgs{key: p.Bytes()}
	if !p.More() {
		return a
	}
	a.counted = true
	a.count = p.Int()
	if a.count == math.MinInt64 {
		p.Fail(resp.OutOfRange(-math.MaxInt64, math.MaxInt64))
	}
	a.scores = p.Accept("WITHSCORES")
	switch {
	case p.More():
		p.Fail(resp.ErrSyntax)
	case a.scores && (a.count < -math.MaxInt64/2 || a.count > math.MaxInt64/2), a.count < -maxRepeats:
		p.Fail(resp.ErrOutOfRange)
	}
	return a
}

func runZRandMember(c *command.Ctx, a zRandArgs) error {
	v, err := getZSet(c, a.key)
	if err != nil {
		return err
	}
	if v == nil {
		if a.counted {
			c.W.Array(0)
		} else {
			c.W.Null()
		}
		return nil
	}
	size := v.Len()
	if !a.counted {
		it := v.From(rand.IntN(size), false)
		it.Next()
		c.W.Bulk(it.Member())
		return nil
	}
	n := int(min(max(a.count, -a.count), math.MaxInt32))
	if a.count > 0 && n >= size && size > 1 {
		it := v.From(size-1, true) // all of them, in the order of Redis
		return replyMembers(c, &it, size, a.scores)
	}
	if a.count > 0 {
		n = min(n, size)
	}
	start := c.W.Len()
	if a.scores && c.W.Proto() != 3 {
		c.W.Array(2 * n)
	} else {
		c.W.Array(n)
	}
	at := func(rank int) {
		it := v.From(rank, false)
		it.Next()
		replyMember(c, it.Member(), it.Score(), a.scores)
	}
	switch {
	case a.count < 0:
		for range n {
			at(rand.IntN(size))
			if c.W.Len()-start > maxRandomReply {
				c.W.Truncate(start)
				return resp.ErrOutOfRange
			}
		}
	case n*3 < size:
		taken := make(map[int]struct{}, n)
		for len(taken) < n {
			rank := rand.IntN(size)
			if _, twice := taken[rank]; !twice {
				taken[rank] = struct{}{}
				at(rank)
			}
		}
	default:
		// Knuth's algorithm S, as in HRANDFIELD.
		it := v.From(0, false)
		for i, left := 0, n; left > 0 && it.Next(); i++ {
			if rand.IntN(size-i) < left {
				replyMember(c, it.Member(), it.Score(), a.scores)
				left--
			}
		}
	}
	return nil
}

var zScanCommand = &command.Spec{
	Name: "zscan", Arity: -3, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "2.8.0",
	Summary: "Iterates over members and scores of a sorted set.",
	Args: []command.Arg{
		keyArg,
		{Name: "cursor", Type: "integer"},
		{Name: "pattern", Type: "pattern", Token: "MATCH", Optional: true},
		{Name: "count", Type: "integer", Token: "COUNT", Optional: true},
	},
	Bind: command.Bind(parseZScan, runZScan),
}

func parseZScan(p *args.Parser) scanArgs {
	a := parseHScan(p)
	if a.noValues && a.err == nil {
		a.err = errNoValues
	}
	return a
}

func runZScan(c *command.Ctx, a scanArgs) error {
	v, err := getZSet(c, a.key)
	if err != nil {
		return err
	}
	var found resp.Writer
	var next uint64
	n := 0
	if v != nil {
		if a.err != nil {
			return a.err
		}
		listpack := v.Encoding() == "listpack"
		next = v.Scan(a.cursor, a.count, func(member []byte, score float64) {
			if !a.matches(string(member)) {
				return
			}
			found.Bulk(member)
			var text [40]byte
			if listpack {
				found.Bulk(resp.AppendDouble(text[:0], score))
			} else {
				found.Bulk(appendLongDouble(text[:0], score))
			}
			n += 2
		})
	}
	replyScan(c, next, n, &found)
	return nil
}

// appendLongDouble appends a score as ZSCAN prints those of a skiplist: with 17
// digits.
func appendLongDouble(b []byte, f float64) []byte {
	if math.IsInf(f, 0) {
		return resp.AppendDouble(b, f)
	}
	return strconv.AppendFloat(b, f, 'g', 17, 64)
}
