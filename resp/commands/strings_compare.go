package commands

import (
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
)

var digestCommand = &command.Spec{
	Name: "digest", Arity: 2, Flags: command.ReadOnly | command.Fast, Keys: command.OneKey, Group: command.GroupString, Since: "8.4.0",
	Summary: "Returns the XXH3 hash of a string value.",
	Args:    []command.Arg{keyArg},
	Bind:    command.Bind(parseKey, runDigest),
}

func runDigest(c *command.Ctx, key []byte) error {
	v, err := asString(c.Tx.Get(key))
	if err != nil {
		return err
	}
	if v == nil {
		c.W.Null()
		return nil
	}
	d := v.Digest()
	c.W.Bulk(d[:])
	return nil
}

var delExCommand = &command.Spec{
	Name: "delex", Arity: -2, Flags: command.Write | command.Fast, Keys: command.OneKey, Group: command.GroupString, Since: "8.4.0",
	Summary: "Conditionally removes the specified key based on value or digest comparison.",
	Args: []command.Arg{
		keyArg,
		{Name: "condition", Type: "oneof", Optional: true, Args: []command.Arg{
			{Name: "ifeq-value", Type: "string", Token: "IFEQ"},
			{Name: "ifne-value", Type: "string", Token: "IFNE"},
			{Name: "ifdeq-digest", Type: "string", Token: "IFDEQ"},
			{Name: "ifdne-digest", Type: "string", Token: "IFDNE"},
		}},
	},
	Bind: command.Bind(parseDelEx, runDelEx),
}

const (
	errCondition     resp.Error = "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"
	errNotComparable resp.Error = "ERR Key should be of string type if conditions are specified"
)

type delExArgs struct {
	key     []byte
	cond    condition
	operand []byte
	err     error // a key that is missing or of another type hides it
}

func parseDelEx(p *args.Parser) (a delExArgs) {
	a.key = p.Bytes()
	if !p.More() {
		return a
	}
	if p.Len() != 2 {
		p.Fail(resp.WrongArgs("delex"))
		return a
	}
	a.cond = acceptCondition(p, ifEqual, ifNotDigest)
	if a.cond == always {
		a.cond, a.err = ifEqual, errCondition
		p.Bytes()
	}
	a.operand = p.Bytes()
	return a
}

func runDelEx(c *command.Ctx, a delExArgs) error {
	find := c.Tx.Get
	if a.cond == always { // then it is DEL
		find = c.Tx.Find
	}
	e := find(a.key)
	if e != nil && a.cond != always {
		v, err := asString(e)
		if err != nil {
			return errNotComparable
		}
		if a.err != nil {
			return a.err
		}
		met, err := meets(a.cond, v, a.operand)
		if err != nil {
			return err
		}
		if !met {
			e = nil
		}
	}
	if e != nil {
		c.Tx.Delete(a.key, "del")
		c.Tx.Effect(wordDel, a.key)
	}
	replyDone(c, e != nil)
	return nil
}
