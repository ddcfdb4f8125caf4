package commands

import (
	"math"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
)

var mSetExCommand = &command.Spec{
	Name: "msetex", Arity: -4, Flags: command.Write | command.DenyOOM | command.MovableKeys, Keys: command.KeySpec{Find: mSetExKeys}, Group: command.GroupString, Since: "8.4.0",
	Summary: "Atomically sets multiple string keys with a shared expiration in a single operation. Supports flexible argument parsing where condition and expiration flags can appear in any order.",
	Args: []command.Arg{
		{Name: "numkeys", Type: "integer"},
		{Name: "data", Type: "block", Multiple: true, Args: []command.Arg{keyArg, {Name: "value", Type: "string"}}},
		{Name: "condition", Type: "oneof", Optional: true, Args: []command.Arg{flagArg("nx", "NX"), flagArg("xx", "XX")}},
		expiryArg(flagArg("keepttl", "KEEPTTL")),
	},
	Bind: command.Bind(parseMSetEx, runMSetEx),
}

const (
	errNumKeys resp.Error = "ERR invalid numkeys value"
	errPairs   resp.Error = "ERR wrong number of key-value pairs"
)

// mSetExKeys finds the keys by their number, which argv begins with.
func mSetExKeys(argv [][]byte) (keys [][]byte) {
	n, ok := resp.ParseInt(argv[1])
	if !ok || n < 1 || n > int64(len(argv)-2)/2 {
		return nil
	}
	for i := range int(n) {
		keys = append(keys, argv[2+2*i])
	}
	return keys
}

type mSetExArgs struct {
	pairs   [][]byte
	cond    condition
	ttl     expiry
	keepTTL bool
}

func parseMSetEx(p *args.Parser) (a mSetExArgs) {
	n, ok := resp.ParseInt(p.Bytes())
	if !ok || n < 1 || n > math.MaxInt32 {
		p.Fail(errNumKeys)
		return a
	}
	if n > int64(p.Len())/2 {
		p.Fail(errPairs)
		return a
	}
	rest := p.Rest()
	a.pairs = rest[:2*n]
	var options args.Parser // skips the last value, as if it were a command's name
	options.Reset(rest[2*n-1:])
	for options.More() {
		switch {
		case a.ttl.accept(&options):
		case options.Accept("KEEPTTL"):
			a.keepTTL = true
		default:
			cond := acceptCondition(&options, ifMissing, ifThere)
			if cond == always || a.cond != always && a.cond != cond {
				options.Fail(resp.ErrSyntax)
			}
			a.cond = cond
		}
		if a.keepTTL && a.ttl.unit != noUnit {
			options.Fail(resp.ErrSyntax)
		}
	}
	p.Fail(options.Err())
	return a
}

func runMSetEx(c *command.Ctx, a mSetExArgs) error {
	var at int64
	if a.ttl.unit != noUnit {
		var err error
		if at, err = a.ttl.at(c.Tx.Now, "msetex"); err != nil {
			return err
		}
	}
	for i := 0; i < len(a.pairs) && a.cond != always; i += 2 {
		if (c.Tx.Find(a.pairs[i]) == nil) != (a.cond == ifMissing) {
			c.W.Int(0)
			return nil
		}
	}
	c.Tx.Count(len(a.pairs) / 2)
	for i := 0; i < len(a.pairs); i += 2 {
		key, value := a.pairs[i], a.pairs[i+1]
		if at == 0 {
			c.Tx.Changed(setString(c, c.Tx.Find(key), key, value, keptTTL(a.keepTTL)), store.ClassString, "set")
			continue
		}
		// The time may be over: then the key is due at once, other than by SET.
		e := setString(c, c.Tx.Find(key), key, value, at)
		c.Tx.Changed(e, store.ClassGeneric, "expire")
		c.Tx.Changed(e, store.ClassString, "set") // in this order, other than by SET
		c.Tx.Effect(wordSet, key, value, wordPXAT, decimal(at))
	}
	c.W.Int(1)
	return nil
}
