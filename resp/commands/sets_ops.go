package commands

import (
	"slices"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/hll"
	"github.com/nearcache/nearcache/store/types/set"
)

const (
	errSetKeys  resp.Error = "ERR Number of keys can't be greater than number of args"
	errSetLimit resp.Error = "ERR LIMIT can't be negative"
)

type sOpArgs struct {
	dest   []byte
	keys   [][]byte
	limit  int64 // of a number, 0 for none
	approx bool
}

func parseSOp(p *args.Parser) sOpArgs { return sOpArgs{keys: p.Rest()} }

func parseSOpStore(p *args.Parser) sOpArgs { return sOpArgs{dest: p.Bytes(), keys: p.Rest()} }

func parseSOpCard(union bool) func(*args.Parser) sOpArgs {
	return func(p *args.Parser) (a sOpArgs) {
		n, ok := resp.ParseInt(p.Bytes())
		switch {
		case p.Err() != nil:
			return a
		case !ok || n < 1:
			p.Fail(errMPopNumKeys)
			return a
		case n > int64(p.Len()):
			p.Fail(errSetKeys)
			return a
		}
		rest := p.Rest()
		a.keys = rest[:n]
		var options args.Parser // skips the last key, as if it were a command's name
		options.Reset(rest[n-1:])
		for options.More() {
			switch {
			case options.Len() > 1 && options.Accept("LIMIT"):
				a.limit = parseCount(&options, errSetLimit)
			case union && options.Accept("APPROX"):
				a.approx = true
			default:
				options.Fail(resp.ErrSyntax)
			}
		}
		p.Fail(options.Err())
		return a
	}
}

// sources finds the inputs, nil for what is missing.
func (a *sOpArgs) sources(c *command.Ctx) ([]*set.Value, error) {
	l := make([]*set.Value, len(a.keys))
	for i, key := range a.keys {
		v, err := getSet(c, key)
		if err != nil {
			return nil, err
		}
		l[i] = v
	}
	return l, nil
}

// sInter calls f with what is in all sets until it returns false, in the order of
// the smallest of them.
func sInter(l []*set.Value, f func(member []byte) bool) {
	if slices.Contains(l, nil) {
		return
	}
	slices.SortStableFunc(l, func(x, y *set.Value) int { return x.Len() - y.Len() })
	first, rest := l[0], l[1:]
	first.Each(func(m []byte) bool {
		for _, v := range rest {
			if v != first && !v.Has(m) {
				return true
			}
		}
		return f(m)
	})
}

// sUnion adds the members of all sets to a result until f, which is told how many
// there are, returns false.
func sUnion(result *set.Value, l []*set.Value, f func(n int) bool) {
	for _, v := range l {
		if v == nil {
			continue
		}
		more := true
		v.Each(func(m []byte) bool {
			if result.Add(m) {
				more = f(result.Len())
			}
			return more
		})
		if !more {
			return
		}
	}
}

// cheapDiff reports whether it is less work to look the members of the first set
// up in the others than to go through those. The estimate is Redis', and says
// which encoding a stored result has.
func cheapDiff(l []*set.Value) bool {
	one, two := 0, 0
	for _, v := range l {
		if v != nil {
			one += l[0].Len()
			two += v.Len()
		}
	}
	return one/2 <= two
}

// sDiff adds to a result what is in the first set and in none of the others.
func sDiff(result *set.Value, l []*set.Value) {
	first, rest := l[0], l[1:]
	if first == nil || slices.Contains(rest, first) {
		return
	}
	if cheapDiff(l) {
		eachDiff(l, func(m []byte) bool { result.Add(m); return true })
		return
	}
	first.Each(func(m []byte) bool { result.Add(m); return true })
	for _, v := range rest {
		if v != nil {
			v.Each(func(m []byte) bool { result.Remove(m); return result.Len() > 0 })
		}
	}
}

// eachDiff calls f with what is in the first set, which there is, and in none of
// the others, until it returns false.
func eachDiff(l []*set.Value, f func(member []byte) bool) {
	first, rest := l[0], slices.DeleteFunc(slices.Clone(l[1:]), func(v *set.Value) bool { return v == nil })
	slices.SortStableFunc(rest, func(x, y *set.Value) int { return y.Len() - x.Len() })
	first.Each(func(m []byte) bool {
		for _, v := range rest {
			if v.Has(m) {
				return true
			}
		}
		return f(m)
	})
}

// scratch is an empty set for the result of an operation that replies with it:
// an intset where all inputs are.
func scratch(l []*set.Value) *set.Value {
	for _, v := range l {
		if v != nil && !v.IsIntset() {
			return set.NewTable()
		}
	}
	return new(set.Value)
}

func runSInter(c *command.Ctx, a sOpArgs) error {
	l, err := a.sources(c)
	if err != nil {
		return err
	}
	start, n := c.W.Len(), 0
	sInter(l, func(m []byte) bool {
		c.W.Bulk(m)
		n++
		return true
	})
	c.W.SetFrom(start, n)
	return nil
}

func runSUnion(c *command.Ctx, a sOpArgs) error {
	l, err := a.sources(c)
	if err != nil {
		return err
	}
	result := scratch(l)
	sUnion(result, l, func(int) bool { return true })
	replySet(c, result)
	return nil
}

func runSDiff(c *command.Ctx, a sOpArgs) error {
	l, err := a.sources(c)
	if err != nil {
		return err
	}
	result := scratch(l)
	sDiff(result, l)
	replySet(c, result)
	return nil
}

func runSInterStore(c *command.Ctx, a sOpArgs) error {
	l, err := a.sources(c)
	if err != nil {
		return err
	}
	result := set.NewListpack()
	sInter(l, func(m []byte) bool { result.Add(m); return true })
	result.Settle()
	storeSet(c, a.dest, result, "sinterstore")
	return nil
}

func runSUnionStore(c *command.Ctx, a sOpArgs) error {
	l, err := a.sources(c)
	if err != nil {
		return err
	}
	result := new(set.Value)
	sUnion(result, l, func(int) bool { return true })
	storeSet(c, a.dest, result, "sunionstore")
	return nil
}

func runSDiffStore(c *command.Ctx, a sOpArgs) error {
	l, err := a.sources(c)
	if err != nil {
		return err
	}
	result := new(set.Value)
	sDiff(result, l)
	storeSet(c, a.dest, result, "sdiffstore")
	return nil
}

// storeSet puts a result under a destination, which goes when it is empty, and
// replies with its length.
func storeSet(c *command.Ctx, dest []byte, v *set.Value, event string) {
	if v.Len() == 0 {
		c.Tx.Delete(dest, "del")
	} else {
		c.Tx.Changed(c.Tx.Put(dest, v, false), store.ClassSet, event)
	}
	c.W.Int(int64(v.Len()))
}

func runSInterCard(c *command.Ctx, a sOpArgs) error {
	l, err := a.sources(c)
	if err != nil {
		return err
	}
	n := int64(0)
	sInter(l, func([]byte) bool {
		n++
		return n != a.limit
	})
	c.W.Int(n)
	return nil
}

func runSUnionCard(c *command.Ctx, a sOpArgs) error {
	l, err := a.sources(c)
	if err != nil {
		return err
	}
	if a.approx {
		n := approxUnion(l, a.limit)
		if a.limit > 0 {
			n = min(n, a.limit)
		}
		c.W.Int(n)
		return nil
	}
	result := scratch(l)
	sUnion(result, l, func(n int) bool { return int64(n) != a.limit })
	c.W.Int(int64(result.Len()))
	return nil
}

// approxInterval is after how many elements at least Redis looks again whether an
// estimate has reached the limit.
const approxInterval = 1024

// approxUnion estimates the number of members, or some number from the limit on.
func approxUnion(l []*set.Value, limit int64) int64 {
	h := hll.New()
	estimate := func() int64 {
		n, _ := hll.Estimate(h)
		return int64(n)
	}
	seen, check := int64(0), limit
	reached := false
	for _, v := range l {
		if v == nil || reached {
			continue
		}
		v.Each(func(m []byte) bool {
			h, _, _ = hll.Add(h, m)
			if seen++; limit > 0 && seen >= check {
				n := estimate()
				reached = n >= limit
				check = seen + max(limit-n, approxInterval)
			}
			return !reached
		})
	}
	return estimate()
}

func runSDiffCard(c *command.Ctx, a sOpArgs) error {
	l, err := a.sources(c)
	if err != nil {
		return err
	}
	first := l[0]
	n := int64(0)
	count := func([]byte) bool {
		n++
		return n != a.limit
	}
	switch {
	case first == nil || slices.Contains(l[1:], first):
	case cheapDiff(l):
		eachDiff(l, count)
	case a.limit > 0:
		others := scratch(l)
		sUnion(others, l[1:], func(int) bool { return true })
		eachDiff([]*set.Value{first, others}, count)
	default:
		result := scratch(l)
		sDiff(result, l)
		n = int64(result.Len())
	}
	c.W.Int(n)
	return nil
}

func setOp(name, since, summary string, run func(*command.Ctx, sOpArgs) error) *command.Spec {
	return &command.Spec{
		Name: name, Arity: -2, Flags: command.ReadOnly, Keys: command.AllKeys, Group: command.GroupSet, Since: since,
		Summary: summary,
		Args:    keysArg,
		Bind:    command.Bind(parseSOp, run),
	}
}

func setOpStore(name, summary string, run func(*command.Ctx, sOpArgs) error) *command.Spec {
	return &command.Spec{
		Name: name, Arity: -3, Flags: command.Write | command.DenyOOM, Keys: command.AllKeys, Group: command.GroupSet, Since: "1.0.0",
		Summary: summary,
		Args:    []command.Arg{{Name: "destination", Type: "key"}, {Name: "key", Type: "key", Multiple: true}},
		Bind:    command.Bind(parseSOpStore, run),
	}
}

func setOpCard(name, since, summary string, union bool, run func(*command.Ctx, sOpArgs) error) *command.Spec {
	s := &command.Spec{
		Name: name, Arity: -3, Flags: command.ReadOnly | command.MovableKeys, Keys: command.KeySpec{Find: numKeys(1)}, Group: command.GroupSet, Since: since,
		Summary: summary,
		Args:    []command.Arg{{Name: "numkeys", Type: "integer"}, {Name: "key", Type: "key", Multiple: true}},
		Bind:    command.Bind(parseSOpCard(union), run),
	}
	if union {
		s.Args = append(s.Args, optional(flagArg("approx", "APPROX")))
	}
	s.Args = append(s.Args, command.Arg{Name: "limit", Type: "integer", Token: "LIMIT", Optional: true})
	return s
}

var (
	sInterCommand      = setOp("sinter", "1.0.0", "Returns the intersect of multiple sets.", runSInter)
	sUnionCommand      = setOp("sunion", "1.0.0", "Returns the union of multiple sets.", runSUnion)
	sDiffCommand       = setOp("sdiff", "1.0.0", "Returns the difference of multiple sets.", runSDiff)
	sInterStoreCommand = setOpStore("sinterstore", "Stores the intersect of multiple sets in a key.", runSInterStore)
	sUnionStoreCommand = setOpStore("sunionstore", "Stores the union of multiple sets in a key.", runSUnionStore)
	sDiffStoreCommand  = setOpStore("sdiffstore", "Stores the difference of multiple sets in a key.", runSDiffStore)
	sInterCardCommand  = setOpCard("sintercard", "7.0.0", "Returns the number of members of the intersect of multiple sets.", false, runSInterCard)
	sUnionCardCommand  = setOpCard("sunioncard", "8.10.0", "Returns the number of members of the union of multiple sets.", true, runSUnionCard)
	sDiffCardCommand   = setOpCard("sdiffcard", "8.10.0", "Returns the number of members of the difference between the first set and all successive sets.", false, runSDiffCard)
)
