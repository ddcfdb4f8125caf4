package commands

import (
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/set"
)

var setCommands = []*command.Spec{
	sAddCommand, sRemCommand, sMoveCommand, sIsMemberCommand, sMIsMemberCommand, sCardCommand, sMembersCommand,
	sPopCommand, sRandMemberCommand, sScanCommand,
	sInterCommand, sInterStoreCommand, sInterCardCommand,
	sUnionCommand, sUnionStoreCommand, sUnionCardCommand,
	sDiffCommand, sDiffStoreCommand, sDiffCardCommand,
}

// asSet is the set of an entry, nil where there is no entry.
func asSet(e *store.Entry) (*set.Value, error) {
	if e == nil {
		return nil, nil
	}
	if v, ok := e.Value().(*set.Value); ok {
		return v, nil
	}
	return nil, resp.ErrWrongType
}

// findSet finds a set for writing, nil where there is none.
func findSet(c *command.Ctx, key []byte) (*store.Entry, *set.Value, error) {
	e := c.Tx.Find(key)
	v, err := asSet(e)
	return e, v, err
}

// getSet finds a set for reading, nil where there is none.
func getSet(c *command.Ctx, key []byte) (*set.Value, error) { return asSet(c.Tx.Get(key)) }

var sAddCommand = &command.Spec{
	Name: "sadd", Arity: -3, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupSet, Since: "1.0.0",
	Summary: "Adds one or more members to a set. Creates the key if it doesn't exist.",
	Args:    []command.Arg{keyArg, membersArg},
	Bind:    command.Bind(parseKeyFields, runSAdd),
}

func runSAdd(c *command.Ctx, a keyFields) error {
	e, v, err := findSet(c, a.key)
	if err != nil {
		return err
	}
	if v == nil {
		v = set.New(a.fields[0], len(a.fields))
	}
	before := v.Encoding()
	v.Expect(len(a.fields))
	n := 0
	for _, m := range a.fields {
		if v.Add(m) {
			n++
		}
	}
	if n > 0 {
		if e == nil {
			e = c.Tx.Put(a.key, v, false)
		}
		c.Tx.Changed(e, store.ClassSet, "sadd")
		c.Tx.Count(n)
	} else if v.Encoding() != before {
		reencoded(c, e, store.ClassSet)
	}
	c.W.Int(int64(n))
	return nil
}

var sRemCommand = &command.Spec{
	Name: "srem", Arity: -3, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupSet, Since: "1.0.0",
	Summary: "Removes one or more members from a set. Deletes the set if the last member was removed.",
	Args:    []command.Arg{keyArg, membersArg},
	Bind:    command.Bind(parseKeyFields, runSRem),
}

func runSRem(c *command.Ctx, a keyFields) error {
	e, v, err := findSet(c, a.key)
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
		shrunk(c, e, v, a.key, "srem", n)
	}
	c.W.Int(int64(n))
	return nil
}

var sMoveCommand = &command.Spec{
	Name: "smove", Arity: 4, Flags: command.Write | command.Fast, Keys: command.TwoKeys, Group: command.GroupSet, Since: "1.0.0",
	Summary: "Moves a member from one set to another.",
	Args:    []command.Arg{{Name: "source", Type: "key"}, {Name: "destination", Type: "key"}, memberArg},
	Bind:    command.Bind(parseTriple, runSMove),
}

// runSMove takes a triple of source, destination and member.
func runSMove(c *command.Ctx, a triple) error {
	source, dest, member := a.key, a.field, a.value
	e, v, err := findSet(c, source)
	if err != nil {
		return err
	}
	if v == nil {
		c.W.Int(0)
		return nil
	}
	if string(source) == string(dest) {
		replyDone(c, v.Has(member))
		return nil
	}
	d, to, err := findSet(c, dest)
	if err != nil {
		return err
	}
	if !v.Remove(member) {
		c.W.Int(0)
		return nil
	}
	shrunk(c, e, v, source, "srem", 1)
	if to == nil {
		to = set.New(member, 1)
	}
	if to.Add(member) {
		if d == nil {
			d = c.Tx.Put(dest, to, false)
		}
		c.Tx.Changed(d, store.ClassSet, "sadd")
		c.Tx.Count(2)
	}
	c.W.Int(1)
	return nil
}

var sIsMemberCommand = &command.Spec{
	Name: "sismember", Arity: 3, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupSet, Since: "1.0.0",
	Summary: "Determines whether a member belongs to a set.",
	Args:    []command.Arg{keyArg, memberArg},
	Bind:    command.Bind(parsePair, runSIsMember),
}

func runSIsMember(c *command.Ctx, a pair) error {
	v, err := getSet(c, a.a)
	if err != nil {
		return err
	}
	replyDone(c, v != nil && v.Has(a.b))
	return nil
}

var sMIsMemberCommand = &command.Spec{
	Name: "smismember", Arity: -3, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupSet, Since: "6.2.0",
	Summary: "Determines whether multiple members belong to a set.",
	Args:    []command.Arg{keyArg, membersArg},
	Bind:    command.Bind(parseKeyFields, runSMIsMember),
}

func runSMIsMember(c *command.Ctx, a keyFields) error {
	v, err := getSet(c, a.key)
	if err != nil {
		return err
	}
	c.W.Array(len(a.fields))
	for _, m := range a.fields {
		replyDone(c, v != nil && v.Has(m))
	}
	return nil
}

var sCardCommand = &command.Spec{
	Name: "scard", Arity: 2, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupSet, Since: "1.0.0",
	Summary: "Returns the number of members in a set.",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind(parseKey, runSCard),
}

func runSCard(c *command.Ctx, key []byte) error {
	v, err := getSet(c, key)
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

var sMembersCommand = &command.Spec{
	Name: "smembers", Arity: 2, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupSet, Since: "1.0.0",
	Summary: "Returns all members of a set.",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind(parseKey, runSMembers),
}

func runSMembers(c *command.Ctx, key []byte) error {
	v, err := getSet(c, key)
	if err != nil {
		return err
	}
	replySet(c, v)
	return nil
}

// replySet writes all members of a set, nil for none.
func replySet(c *command.Ctx, v *set.Value) {
	if v == nil {
		c.W.Set(0)
		return
	}
	c.W.Set(v.Len())
	v.Each(func(m []byte) bool { c.W.Bulk(m); return true })
}

// optionalCount are the arguments of SPOP and SRANDMEMBER.
func optionalCount(since string) []command.Arg {
	return []command.Arg{keyArg, {Name: "count", Type: "integer", Since: since, Optional: true}}
}

var sPopCommand = &command.Spec{
	Name: "spop", Arity: -2, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupSet, Since: "1.0.0",
	Summary: "Returns one or more random members from a set after removing them. Deletes the set if the last member was popped.",
	Args:    optionalCount("3.2.0"),
	Bind:    command.Bind(parseSPop, runSPop),
}

func parseSPop(p *args.Parser) popArgs {
	a := popArgs{key: p.Bytes(), count: 1}
	if p.Len() > 1 {
		p.Fail(resp.ErrSyntax)
	}
	if a.counted = p.More(); a.counted {
		a.count = parseCount(p, resp.ErrNotPositive)
	}
	return a
}

var wordSRem = []byte("SREM")

func runSPop(c *command.Ctx, a popArgs) error {
	e, v, err := findSet(c, a.key)
	if err != nil {
		return err
	}
	switch {
	case v == nil && !a.counted:
		c.W.Null()
	case v == nil, a.count == 0:
		c.W.Set(0)
	case !a.counted:
		m := append(make([]byte, 0, 32), v.Random()...)
		v.Remove(m)
		c.W.Bulk(m)
		shrunk(c, e, v, a.key, "spop", 1)
		c.Tx.Effect(wordSRem, a.key, m)
	case a.count >= int64(v.Len()):
		replySet(c, v)
		c.Tx.Changed(e, store.ClassSet, "spop")
		c.Tx.Delete(a.key, "del")
		c.Tx.Effect(wordDel, a.key)
		c.Tx.Count(v.Len())
	default:
		popSome(c, e, v, a)
	}
	return nil
}

// popSome pops some members of many.
func popSome(c *command.Ctx, e *store.Entry, v *set.Value, a popArgs) {
	n := int(a.count)
	left := v.Len() - n
	c.Tx.Count(n)
	c.W.Set(n)
	// What goes, or, if little stays, what stays.
	few := min(n, left)
	if left*5 > n {
		few = n
	}
	chosen := make([][]byte, 0, few+2)
	v.Sample(few, func(m []byte) bool {
		chosen = append(chosen, append([]byte(nil), m...))
		return true
	})
	if few == n {
		for _, m := range chosen {
			v.Remove(m)
			c.W.Bulk(m)
		}
		c.Tx.Changed(e, store.ClassSet, "spop")
		c.Tx.Effect(append([][]byte{wordSRem, a.key}, chosen...)...)
		return
	}
	// The few that stay make a new set, as in Redis, where it may be small again.
	kept := set.NewListpack()
	if v.IsIntset() {
		kept = set.New(chosen[0], 1)
	}
	for _, m := range chosen {
		kept.Add(m)
		v.Remove(m)
	}
	gone := append(make([][]byte, 0, n+2), wordSRem, a.key)
	v.Each(func(m []byte) bool {
		c.W.Bulk(m)
		gone = append(gone, append([]byte(nil), m...))
		return true
	})
	e = c.Tx.Put(a.key, kept, true) // the key was never away, and keeps its time to live
	c.Tx.Changed(e, store.ClassSet, "spop")
	c.Tx.Effect(gone...)
}

var sRandMemberCommand = &command.Spec{
	Name: "srandmember", Arity: -2, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupSet, Since: "1.0.0",
	Summary: "Get one or multiple random members from a set",
	Args:    optionalCount("2.6.0"),
	Bind:    command.Bind(parseSRandMember, runSRandMember),
}

func parseSRandMember(p *args.Parser) popArgs {
	a := popArgs{key: p.Bytes()}
	if p.Len() > 1 {
		p.Fail(resp.ErrSyntax)
	}
	if a.counted = p.More(); a.counted {
		if a.count = parseNegatable(p); a.count < -maxRepeats {
			p.Fail(resp.ErrOutOfRange)
		}
	}
	return a
}

func runSRandMember(c *command.Ctx, a popArgs) error {
	v, err := getSet(c, a.key)
	if err != nil {
		return err
	}
	switch {
	case v == nil && !a.counted:
		c.W.Null()
	case v == nil, a.counted && a.count == 0:
		c.W.Array(0)
	case !a.counted:
		c.W.Bulk(v.Random())
	case a.count < 0:
		start := c.W.Len()
		c.W.Array(int(-a.count))
		v.Repeat(int(-a.count), func(m []byte) bool {
			c.W.Bulk(m)
			return c.W.Len()-start <= maxRandomReply
		})
		if c.W.Len()-start > maxRandomReply {
			c.W.Truncate(start)
			return resp.ErrOutOfRange
		}
	default:
		n := int(min(a.count, int64(v.Len())))
		c.W.Array(n)
		v.Sample(n, func(m []byte) bool { c.W.Bulk(m); return true })
	}
	return nil
}

var sScanCommand = &command.Spec{
	Name: "sscan", Arity: -3, Flags: command.ReadOnly, Keys: command.OneKey, Group: command.GroupSet, Since: "2.8.0",
	Summary: "Iterates over members of a set.",
	Args: []command.Arg{
		keyArg,
		{Name: "cursor", Type: "integer"},
		{Name: "pattern", Type: "pattern", Token: "MATCH", Optional: true},
		{Name: "count", Type: "integer", Token: "COUNT", Optional: true},
	},
	Bind: command.Bind(parseZScan, runSScan),
}

func runSScan(c *command.Ctx, a scanArgs) error {
	v, err := getSet(c, a.key)
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
		next = v.Scan(a.cursor, a.count, func(m []byte) {
			if a.matches(string(m)) {
				found.Bulk(m)
				n++
			}
		})
	}
	replyScan(c, next, n, &found)
	return nil
}
