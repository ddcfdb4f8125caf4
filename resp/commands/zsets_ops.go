package commands

import (
	"math"
	"slices"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store/types/zset"
)

// zOp is an operation on several sets.
type zOp uint8

const (
	zUnion zOp = iota
	zInter
	zDiff
)

// aggregate makes one score of two.
type aggregate uint8

const (
	aggregateSum aggregate = iota
	aggregateMin
	aggregateMax
	aggregateCount
)

func (g aggregate) of(a, b float64) float64 {
	switch g {
	case aggregateMin:
		if b < a {
			return b
		}
		return a
	case aggregateMax:
		if b > a {
			return b
		}
		return a
	}
	return orZero(a + b)
}

// orZero makes infinity less infinity 0.
func orZero(f float64) float64 {
	if math.IsNaN(f) {
		return 0
	}
	return f
}

const (
	errWeight    resp.Error = "ERR weight value is not a float"
	errZLimitNeg resp.Error = "ERR LIMIT can't be negative"
)

type zOpArgs struct {
	dest    []byte
	keys    [][]byte
	weights []float64 // nil for all 1
	by      aggregate
	scores  bool
	limit   int64
	err     error // of the options: a key of another type hides it
}

// zOpKind is what distinguishes the commands.
type zOpKind struct {
	name  string
	op    zOp
	store bool
	card  bool // only the number of members
}

func (k zOpKind) parse(p *args.Parser) (a zOpArgs) {
	if k.store {
		a.dest = p.Bytes()
	}
	n := p.Int()
	switch {
	case p.Err() != nil:
		return a
	case n < 1:
		p.Fail(resp.Error("ERR at least 1 input key is needed for '" + k.name + "' command"))
		return a
	case n > int64(p.Len()):
		p.Fail(resp.ErrSyntax)
		return a
	}
	rest := p.Rest()
	a.keys = rest[:n]
	var options args.Parser // skips the last key, as if it were a command's name
	options.Reset(rest[n-1:])
	k.options(&options, &a)
	a.err = options.Err()
	return a
}

func (k zOpKind) options(p *args.Parser, a *zOpArgs) {
	weighs := k.op != zDiff && !k.card
	for p.More() {
		switch {
		case weighs && p.Len() > len(a.keys) && p.Accept("WEIGHTS"):
			a.weights = make([]float64, len(a.keys))
			for i := range a.weights {
				f, ok := args.ParseFloat(p.Bytes())
				if !ok {
					p.Fail(errWeight)
					return
				}
				a.weights[i] = f
			}
		case weighs && p.Len() > 1 && p.Accept("AGGREGATE"):
			switch {
			case p.Accept("SUM"):
				a.by = aggregateSum
			case p.Accept("MIN"):
				a.by = aggregateMin
			case p.Accept("MAX"):
				a.by = aggregateMax
			case p.Accept("COUNT"):
				a.by = aggregateCount
			default:
				p.Fail(resp.ErrSyntax)
			}
		case !k.store && !k.card && p.Accept("WITHSCORES"):
			a.scores = true
		case k.card && p.Len() > 1 && p.Accept("LIMIT"):
			n, ok := resp.ParseInt(p.Bytes())
			if !ok || n < 0 {
				p.Fail(errZLimitNeg)
			}
			a.limit = n
		default:
			p.Fail(resp.ErrSyntax)
		}
	}
}

// MemberSet is what sorted sets take of a set as an input; its members have the
// score 1.
type MemberSet interface {
	Len() int
	Has(member []byte) bool
	// Each calls f with every member until it returns false.
	Each(f func(member []byte) bool)
}

// zSource is an input of an operation: a sorted set, a set, or nothing.
type zSource struct {
	z      *zset.Value
	set    MemberSet
	weight float64
	by     aggregate
}

func (s *zSource) len() int {
	switch {
	case s.z != nil:
		return s.z.Len()
	case s.set != nil:
		return s.set.Len()
	}
	return 0
}

func (s *zSource) weigh(score float64) float64 {
	if s.by == aggregateCount {
		return s.weight
	}
	return s.weight * score
}

// score is the weighed score of a member.
func (s *zSource) score(member []byte) (float64, bool) {
	if s.z != nil {
		f, ok := s.z.Score(member)
		return s.weigh(f), ok
	}
	return s.weigh(1), s.set != nil && s.set.Has(member)
}

// each calls f with every member and its weighed score, until it returns false.
func (s *zSource) each(f func(member []byte, score float64) bool) {
	if s.z != nil {
		for it := s.z.From(0, false); it.Next() && f(it.Member(), s.weigh(it.Score())); {
		}
		return
	}
	if s.set != nil {
		s.set.Each(func(m []byte) bool { return f(m, s.weigh(1)) })
	}
}

// sources finds the inputs.
func (a *zOpArgs) sources(c *command.Ctx) ([]zSource, error) {
	l := make([]zSource, len(a.keys))
	for i, key := range a.keys {
		s := &l[i]
		s.weight, s.by = 1, a.by
		if a.weights != nil {
			s.weight = a.weights[i]
		}
		e := c.Tx.Get(key)
		if e == nil {
			continue
		}
		switch v := e.Value().(type) {
		case *zset.Value:
			s.z = v
		case MemberSet:
			s.set = v
		default:
			return nil, resp.ErrWrongType
		}
	}
	return l, nil
}

func (k zOpKind) run(c *command.Ctx, a zOpArgs) error {
	l, err := a.sources(c)
	if err != nil {
		return err
	}
	if a.err != nil {
		return a.err
	}
	if k.op != zDiff {
		slices.SortStableFunc(l, func(x, y zSource) int { return x.len() - y.len() })
	}
	if k.card {
		n := int64(0)
		intersect(l, a.by, func([]byte, float64) bool {
			n++
			return n != a.limit
		})
		c.W.Int(n)
		return nil
	}
	// While it is made a result is a skiplist, which knows -0.
	result := zset.New(0, math.MaxInt)
	switch k.op {
	case zUnion:
		unite(result, l, a.by)
	case zInter:
		intersect(l, a.by, func(m []byte, score float64) bool {
			result.Set(m, score)
			return true
		})
	case zDiff:
		subtract(result, l)
	}
	if k.store {
		result.Settle()
		storeZSet(c, a.dest, result, k.name)
		return nil
	}
	it := result.From(0, false)
	return replyMembers(c, &it, result.Len(), a.scores)
}

func unite(result *zset.Value, l []zSource, by aggregate) {
	for i := range l {
		l[i].each(func(m []byte, score float64) bool {
			score = orZero(score)
			if i > 0 {
				if old, there := result.Score(m); there {
					score = by.of(old, score)
				}
			}
			result.Set(m, score)
			return true
		})
	}
}

// intersect calls f with what is in all sources, of which the first is the
// smallest, until it returns false.
func intersect(l []zSource, by aggregate, f func(member []byte, score float64) bool) {
	l[0].each(func(m []byte, score float64) bool {
		score = orZero(score)
		for i := 1; i < len(l); i++ {
			s, there := l[i].score(m)
			if !there {
				return true
			}
			score = by.of(score, s)
		}
		return f(m, score)
	})
}

func subtract(result *zset.Value, l []zSource) {
	rest := l[1:]
	work := 0 // of looking every member up in the others; against that of their lengths
	lengths := l[0].len()
	for i := range rest {
		if l[0].z != nil && rest[i].z == l[0].z {
			return
		}
		work += l[0].len()
		lengths += rest[i].len()
	}
	if work <= 2*lengths {
		slices.SortStableFunc(rest, func(x, y zSource) int { return y.len() - x.len() })
		l[0].each(func(m []byte, score float64) bool {
			for i := range rest {
				if _, there := rest[i].score(m); there {
					return true
				}
			}
			result.Set(m, score)
			return true
		})
		return
	}
	l[0].each(func(m []byte, score float64) bool {
		result.Set(m, score)
		return true
	})
	for i := range rest {
		rest[i].each(func(m []byte, _ float64) bool {
			result.Remove(m)
			return result.Len() > 0
		})
	}
}

// destAndKeys finds the keys of a command that stores: the destination, and those
// that their number announces.
func destAndKeys(argv [][]byte) [][]byte {
	keys := numKeys(2)(argv)
	if keys == nil {
		return nil
	}
	return append([][]byte{argv[1]}, keys...)
}

func (k zOpKind) spec(since, summary string) *command.Spec {
	s := &command.Spec{
		Name: k.name, Arity: -3, Flags: command.ReadOnly | command.MovableKeys, Keys: command.KeySpec{Find: numKeys(1)},
		Group: command.GroupSortedSet, Since: since, Summary: summary,
		Bind: command.Bind(k.parse, k.run),
	}
	if k.store {
		s.Arity, s.Flags = -4, command.Write|command.DenyOOM|command.MovableKeys
		s.Keys = command.KeySpec{First: 1, Last: 1, Step: 1, Find: destAndKeys}
		s.Args = append(s.Args, command.Arg{Name: "destination", Type: "key"})
	}
	s.Args = append(s.Args, command.Arg{Name: "numkeys", Type: "integer"}, command.Arg{Name: "key", Type: "key", Multiple: true})
	if k.op != zDiff && !k.card {
		s.Args = append(s.Args,
			command.Arg{Name: "weight", Type: "integer", Token: "WEIGHTS", Optional: true, Multiple: true},
			command.Arg{Name: "aggregate", Type: "oneof", Token: "AGGREGATE", Optional: true, Args: []command.Arg{
				flagArg("sum", "SUM"), flagArg("min", "MIN"), flagArg("max", "MAX"), sinceVersion("8.8.0", flagArg("count", "COUNT")),
			}})
	}
	if k.card {
		s.Args = append(s.Args, command.Arg{Name: "limit", Type: "integer", Token: "LIMIT", Optional: true})
	} else if !k.store {
		s.Args = append(s.Args, withScores)
	}
	return s
}

var (
	zUnionCommand      = zOpKind{name: "zunion", op: zUnion}.spec("6.2.0", "Returns the union of multiple sorted sets.")
	zInterCommand      = zOpKind{name: "zinter", op: zInter}.spec("6.2.0", "Returns the intersect of multiple sorted sets.")
	zDiffCommand       = zOpKind{name: "zdiff", op: zDiff}.spec("6.2.0", "Returns the difference between multiple sorted sets.")
	zUnionStoreCommand = zOpKind{name: "zunionstore", op: zUnion, store: true}.spec("2.0.0", "Stores the union of multiple sorted sets in a key.")
	zInterStoreCommand = zOpKind{name: "zinterstore", op: zInter, store: true}.spec("2.0.0", "Stores the intersect of multiple sorted sets in a key.")
	zDiffStoreCommand  = zOpKind{name: "zdiffstore", op: zDiff, store: true}.spec("6.2.0", "Stores the difference of multiple sorted sets in a key.")
	zInterCardCommand  = zOpKind{name: "zintercard", op: zInter, card: true}.spec("7.0.0", "Returns the number of members of the intersect of multiple sorted sets.")
)
