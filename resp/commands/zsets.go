package commands

import (
	"math"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/object"
	"github.com/nearcache/nearcache/store/types/zset"
)

var zsetCommands = []*command.Spec{
	zAddCommand, zIncrByCommand, zRemCommand, zScoreCommand, zMScoreCommand, zCardCommand, zRankCommand, zRevRankCommand,
	zCountCommand, zLexCountCommand, zRangeCommand, zRangeStoreCommand, zRangeByScoreCommand, zRangeByLexCommand,
	zRevRangeCommand, zRevRangeByScoreCommand, zRevRangeByLexCommand,
	zRemRangeByRankCommand, zRemRangeByScoreCommand, zRemRangeByLexCommand,
	zPopMinCommand, zPopMaxCommand, zMPopCommand, bzPopMinCommand, bzPopMaxCommand, bzMPopCommand,
	zRandMemberCommand, zScanCommand,
	zUnionCommand, zInterCommand, zDiffCommand, zUnionStoreCommand, zInterStoreCommand, zDiffStoreCommand, zInterCardCommand,
}

// Errors of sorted sets.
const (
	errZAddNXXX   resp.Error = "ERR XX and NX options at the same time are not compatible"
	errZAddGTLT   resp.Error = "ERR GT, LT, and/or NX options at the same time are not compatible"
	errZAddIncr   resp.Error = "ERR INCR option supports a single increment-element pair"
	errScoreNaN   resp.Error = "ERR resulting score is not a number (NaN)"
	errScoreRange resp.Error = "ERR min or max is not a float"
	errLexRange   resp.Error = "ERR min or max not valid string range item"
	errRangeLimit resp.Error = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
	errLexScores  resp.Error = "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
)

var (
	memberArg  = command.Arg{Name: "member", Type: "string"}
	membersArg = command.Arg{Name: "member", Type: "string", Multiple: true}
	minArg     = command.Arg{Name: "min", Type: "double"}
	maxArg     = command.Arg{Name: "max", Type: "double"}
	lexMinArg  = command.Arg{Name: "min", Type: "string"}
	lexMaxArg  = command.Arg{Name: "max", Type: "string"}
	withScores = optional(flagArg("withscores", "WITHSCORES"))
)

// asZSet is the sorted set of an entry, nil where there is no entry.
func asZSet(e *store.Entry) (*zset.Value, error) {
	if e == nil {
		return nil, nil
	}
	if v, ok := e.Value().(*zset.Value); ok {
		return v, nil
	}
	return nil, resp.ErrWrongType
}

// findZSet finds a sorted set for writing, nil where there is none.
func findZSet(c *command.Ctx, key []byte) (*store.Entry, *zset.Value, error) {
	e := c.Tx.Find(key)
	v, err := asZSet(e)
	return e, v, err
}

// getZSet finds a sorted set for reading, nil where there is none.
func getZSet(c *command.Ctx, key []byte) (*zset.Value, error) { return asZSet(c.Tx.Get(key)) }

// collection is a value of parts.
type collection interface {
	object.Object
	Len() int
}

// classes are the classes of events by type.
var classes = [object.IDs]store.Class{
	object.Hash: store.ClassHash, object.List: store.ClassList, object.Set: store.ClassSet, object.ZSet: store.ClassZSet,
}

// shrunk tells that n parts of a collection went, and the key with the last of them.
func shrunk(c *command.Ctx, e *store.Entry, v collection, key []byte, event string, n int) {
	c.Tx.Count(n)
	c.Tx.Changed(e, classes[v.Type().ID], event)
	if v.Len() == 0 {
		c.Tx.Delete(key, "del")
	}
}

// reencoded keeps what a command has made of a value's encoding though it changed
// nothing in it: Redis makes room before it looks whether it will be needed.
func reencoded(c *command.Ctx, e *store.Entry, class store.Class) {
	c.Tx.ChangedQuietly(e, class, "")
	c.Tx.NoEffect()
}

var zAddCommand = &command.Spec{
	Name: "zadd", Arity: -4, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "1.2.0",
	Summary: "Adds one or more members to a sorted set, or updates their scores. Creates the key if it doesn't exist.",
	Args: []command.Arg{
		keyArg,
		{Name: "condition", Type: "oneof", Since: "3.0.2", Optional: true, Args: []command.Arg{flagArg("nx", "NX"), flagArg("xx", "XX")}},
		{Name: "comparison", Type: "oneof", Since: "6.2.0", Optional: true, Args: []command.Arg{flagArg("gt", "GT"), flagArg("lt", "LT")}},
		{Name: "change", Type: "pure-token", Token: "CH", Since: "3.0.2", Optional: true},
		{Name: "increment", Type: "pure-token", Token: "INCR", Since: "3.0.2", Optional: true},
		{Name: "data", Type: "block", Multiple: true, Args: []command.Arg{{Name: "score", Type: "double"}, memberArg}},
	},
	Bind: command.Bind(parseZAdd(false), runZAdd),
}

type zAddArgs struct {
	key                      []byte
	nx, xx, gt, lt, ch, incr bool
	pairs                    [][]byte // score, member, …
	first                    float64  // score
	scores                   []float64
}

func (a *zAddArgs) flag(word []byte) bool {
	switch {
	case args.EqualFold(word, "NX"):
		a.nx = true
	case args.EqualFold(word, "XX"):
		a.xx = true
	case args.EqualFold(word, "CH"):
		a.ch = true
	case args.EqualFold(word, "INCR"):
		a.incr = true
	case args.EqualFold(word, "GT"):
		a.gt = true
	case args.EqualFold(word, "LT"):
		a.lt = true
	default:
		return false
	}
	return true
}

func parseZAdd(incr bool) func(*args.Parser) zAddArgs {
	return func(p *args.Parser) zAddArgs {
		a := zAddArgs{key: p.Bytes(), incr: incr}
		for p.More() && a.flag(p.Peek()) {
			p.Bytes()
		}
		a.pairs = p.Rest()
		switch {
		case len(a.pairs) == 0 || len(a.pairs)%2 != 0:
			p.Fail(resp.ErrSyntax)
		case a.nx && a.xx:
			p.Fail(errZAddNXXX)
		case a.gt && a.nx || a.lt && a.nx || a.gt && a.lt:
			p.Fail(errZAddGTLT)
		case a.incr && len(a.pairs) > 2:
			p.Fail(errZAddIncr)
		}
		if p.Err() != nil {
			return a
		}
		if len(a.pairs) > 2 {
			a.scores = make([]float64, 0, len(a.pairs)/2)
		}
		for i := 0; i < len(a.pairs); i += 2 {
			f, ok := args.ParseFloat(a.pairs[i])
			if !ok {
				p.Fail(resp.ErrNotFloat)
				return a
			}
			if a.scores == nil {
				a.first = f
			} else {
				a.scores = append(a.scores, f)
			}
		}
		return a
	}
}

func runZAdd(c *command.Ctx, a zAddArgs) error {
	e, v, err := findZSet(c, a.key)
	if err != nil {
		return err
	}
	n := len(a.pairs) / 2
	var added, updated int
	var last float64
	done := false // INCR had something to do
	if v == nil && !a.xx {
		v = zset.New(n, len(a.pairs[1]))
	}
	if v != nil {
		v.Expect(n)
		for i := range n {
			score := a.first
			if a.scores != nil {
				score = a.scores[i]
			}
			k, err := a.add(v, a.pairs[2*i+1], score, &last)
			if err != nil {
				return err
			}
			switch k {
			case zAdded:
				added++
			case zUpdated:
				updated++
			}
			done = k != zRefused
		}
	}
	if added+updated > 0 {
		if e == nil {
			e = c.Tx.Put(a.key, v, false)
		}
		event := "zadd"
		if a.incr {
			event = "zincr"
		}
		c.Tx.Changed(e, store.ClassZSet, event)
		c.Tx.Count(added + updated)
	}
	switch {
	case a.incr && done:
		c.W.Double(last)
	case a.incr:
		c.W.Null()
	case a.ch:
		c.W.Int(int64(added + updated))
	default:
		c.W.Int(int64(added))
	}
	return nil
}

// zOutcome is what became of one member.
type zOutcome uint8

const (
	zRefused zOutcome = iota // by NX, XX, GT, LT
	zSame
	zAdded
	zUpdated
)

// add does what ZADD does for one member; now becomes its score.
func (a *zAddArgs) add(v *zset.Value, member []byte, score float64, now *float64) (zOutcome, error) {
	if a.nx || a.xx || a.gt || a.lt || a.incr {
		old, there := v.Score(member)
		if there && a.nx || !there && a.xx {
			return zRefused, nil
		}
		if there && a.incr {
			if score += old; math.IsNaN(score) {
				return zRefused, errScoreNaN
			}
		}
		if there && (a.lt && score >= old || a.gt && score <= old) {
			return zRefused, nil
		}
	}
	*now = score
	switch added, updated := v.Set(member, score); {
	case added:
		return zAdded, nil
	case updated:
		return zUpdated, nil
	}
	return zSame, nil
}

var zIncrByCommand = &command.Spec{
	Name: "zincrby", Arity: 4, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "1.2.0",
	Summary: "Increments the score of a member in a sorted set.",
	Args:    []command.Arg{keyArg, {Name: "increment", Type: "integer"}, memberArg},
	Bind:    command.Bind(parseZAdd(true), runZAdd),
}

var zRemCommand = &command.Spec{
	Name: "zrem", Arity: -3, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "1.2.0",
	Summary: "Removes one or more members from a sorted set. Deletes the sorted set if all members were removed.",
	Args:    []command.Arg{keyArg, membersArg},
	Bind:    command.Bind(parseKeyFields, runZRem),
}

func runZRem(c *command.Ctx, a keyFields) error {
	e, v, err := findZSet(c, a.key)
	if err != nil {
		return err
	}
	n := 0
	if v != nil {
		for _, m := range a.fields {
			if v.Remove(m) {
				n++
			}
			if v.Len() == 0 {
				break
			}
		}
	}
	if n > 0 {
		shrunk(c, e, v, a.key, "zrem", n)
	}
	c.W.Int(int64(n))
	return nil
}

var zScoreCommand = &command.Spec{
	Name: "zscore", Arity: 3, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "1.2.0",
	Summary: "Returns the score of a member in a sorted set.",
	Args:    []command.Arg{keyArg, memberArg},
	Bind:    command.Bind(parsePair, runZScore),
}

func runZScore(c *command.Ctx, a pair) error {
	v, err := getZSet(c, a.a)
	if err != nil {
		return err
	}
	replyScore(c, v, a.b)
	return nil
}

func replyScore(c *command.Ctx, v *zset.Value, member []byte) {
	if v != nil {
		if s, ok := v.Score(member); ok {
			c.W.Double(s)
			return
		}
	}
	c.W.Null()
}

var zMScoreCommand = &command.Spec{
	Name: "zmscore", Arity: -3, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "6.2.0",
	Summary: "Returns the score of one or more members in a sorted set.",
	Args:    []command.Arg{keyArg, membersArg},
	Bind:    command.Bind(parseKeyFields, runZMScore),
}

func runZMScore(c *command.Ctx, a keyFields) error {
	v, err := getZSet(c, a.key)
	if err != nil {
		return err
	}
	c.W.Array(len(a.fields))
	for _, m := range a.fields {
		replyScore(c, v, m)
	}
	return nil
}

var zCardCommand = &command.Spec{
	Name: "zcard", Arity: 2, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "1.2.0",
	Summary: "Returns the number of members in a sorted set.",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind(parseKey, runZCard),
}

func runZCard(c *command.Ctx, key []byte) error {
	v, err := getZSet(c, key)
	if err != nil {
		return err
	}
	n := 0
	if v != nil {
		n = v.Len()
	}
	c.W.Int(int64(n))
	return nil
}

var zRankArgs = []command.Arg{keyArg, memberArg, {Name: "withscore", Type: "pure-token", Token: "WITHSCORE", Optional: true}}

var zRankCommand = &command.Spec{
	Name: "zrank", Arity: -3, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "2.0.0",
	Summary: "Returns the index of a member in a sorted set ordered by ascending scores.",
	Args:    zRankArgs,
	Bind:    command.Bind(parseZRank("zrank"), runZRank(false)),
}

var zRevRankCommand = &command.Spec{
	Name: "zrevrank", Arity: -3, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupSortedSet, Since: "2.0.0",
	Summary: "Returns the index of a member in a sorted set ordered by descending scores.",
	Args:    zRankArgs,
	Bind:    command.Bind(parseZRank("zrevrank"), runZRank(true)),
}

type rankArgs struct {
	pair
	score bool
}

func parseZRank(name string) func(*args.Parser) rankArgs {
	return func(p *args.Parser) rankArgs {
		a := rankArgs{pair: parsePair(p)}
		if p.Len() > 1 {
			p.Fail(resp.WrongArgs(name))
		}
		a.score = p.Accept("WITHSCORE")
		return a
	}
}

func runZRank(reverse bool) func(*command.Ctx, rankArgs) error {
	return func(c *command.Ctx, a rankArgs) error {
		v, err := getZSet(c, a.a)
		if err != nil {
			return err
		}
		if v != nil {
			if rank, score, ok := v.Rank(a.b); ok {
				if reverse {
					rank = v.Len() - 1 - rank
				}
				if a.score {
					c.W.Array(2)
				}
				c.W.Int(int64(rank))
				if a.score {
					c.W.Double(score)
				}
				return nil
			}
		}
		if a.score {
			c.W.NullArray()
		} else {
			c.W.Null()
		}
		return nil
	}
}
