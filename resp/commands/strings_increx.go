package commands

import (
	"math"
	"math/big"
	"strconv"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/str"
)

const increxBound = "Integer when used with BYINT, floating-point when used with BYFLOAT."

var incrExCommand = &command.Spec{
	Name: "increx", Arity: -2, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupString, Since: "8.8.0",
	Summary: "Increments the numeric value of a key by a number and sets its expiration time. Uses 0 as initial value if the key doesn't exist.",
	Args: []command.Arg{
		keyArg,
		{Name: "increment", Type: "oneof", Optional: true, Args: []command.Arg{
			{Name: "float", Type: "double", Token: "BYFLOAT"}, {Name: "integer", Type: "integer", Token: "BYINT"},
		}},
		{Name: "saturate", Type: "pure-token", Token: "SATURATE", Optional: true, Summary: "Saturate the result to LBOUND/UBOUND (or the type limits when no explicit bound is given) when out of bounds. " +
			"Without this option, out-of-bounds operations are rejected and reply [current_value, 0]."},
		{Name: "lowerbound", Type: "string", Token: "LBOUND", Optional: true, Summary: increxBound},
		{Name: "upperbound", Type: "string", Token: "UBOUND", Optional: true, Summary: increxBound},
		expiryArg(flagArg("persist", "PERSIST")),
		{Name: "enx", Type: "pure-token", Token: "ENX", Optional: true, Summary: "Only set the expiration if the key currently has no TTL. Requires one of EX/PX/EXAT/PXAT; cannot be combined with PERSIST."},
	},
	Bind: command.Bind(parseIncrEx, runIncrEx),
}

type incrExArgs struct {
	key            []byte
	float          bool
	by, lower      int64
	upper          int64
	fby            *big.Float // with BYFLOAT, instead of the integers
	flower, fupper *big.Float
	saturate       bool
	ttl            expiry
	persist, enx   bool
}

const (
	errIncrementInf    resp.Error = "ERR BYFLOAT increment cannot be Infinity"
	errAppliedOverflow resp.Error = "ERR applied increment would overflow"
	errValueInf        resp.Error = "ERR value cannot be Infinity"
	errBounds          resp.Error = "ERR LBOUND can't be greater than UBOUND"
	errENX             resp.Error = "ERR ENX flag requires an expiration"
)

func parseIncrEx(p *args.Parser) (a incrExArgs) {
	a.key = p.Bytes()
	var lower, upper []byte
	a.by = 1
	given := false              // BYINT or BYFLOAT
	once := func(dst *[]byte) { // every option at most once
		if *dst != nil {
			p.Fail(resp.ErrSyntax)
		}
		*dst = p.Bytes()
	}
	flag := func(dst *bool) {
		if *dst {
			p.Fail(resp.ErrSyntax)
		}
		*dst = true
	}
	for p.More() {
		had := a.ttl.unit
		switch {
		case a.ttl.accept(p):
			if had != noUnit || a.persist {
				p.Fail(resp.ErrSyntax)
			}
		case p.Accept("BYINT"):
			flag(&given)
			a.by = boundInt(p, p.Bytes(), "Increment")
		case p.Accept("BYFLOAT"):
			flag(&given)
			a.float = true
			a.fby = boundFloat(p, p.Bytes(), "Increment")
			if a.fby.IsInf() {
				p.Fail(errIncrementInf)
			}
		case p.Accept("LBOUND"):
			once(&lower)
		case p.Accept("UBOUND"):
			once(&upper)
		case p.Accept("SATURATE"):
			flag(&a.saturate)
		case p.Accept("ENX"):
			flag(&a.enx)
		case p.Accept("PERSIST"):
			flag(&a.persist)
			if a.ttl.unit != noUnit {
				p.Fail(resp.ErrSyntax)
			}
		default:
			p.Fail(resp.ErrSyntax)
		}
	}
	if a.enx && a.persist {
		p.Fail(resp.ErrSyntax)
	}
	if a.float {
		a.flower, a.fupper = new(big.Float).Neg(longMax), longMax
		if lower != nil {
			a.flower = boundFloat(p, lower, "LBOUND")
		}
		if upper != nil {
			a.fupper = boundFloat(p, upper, "UBOUND")
		}
		if a.flower.Cmp(a.fupper) > 0 {
			p.Fail(errBounds)
		}
	} else {
		a.lower, a.upper = math.MinInt64, math.MaxInt64
		if lower != nil {
			a.lower = boundInt(p, lower, "LBOUND")
		}
		if upper != nil {
			a.upper = boundInt(p, upper, "UBOUND")
		}
		if a.lower > a.upper {
			p.Fail(errBounds)
		}
	}
	if a.enx && a.ttl.unit == noUnit {
		p.Fail(errENX)
	}
	return a
}

// longMax is the largest long double: the bounds where none are given.
var longMax = new(big.Float).SetMantExp(new(big.Float).SetPrec(longBits).SetUint64(math.MaxUint64), longMaxExp-longBits)

func boundInt(p *args.Parser, b []byte, name string) int64 {
	n, ok := resp.ParseInt(b)
	if !ok {
		p.Fail(resp.Error("ERR " + name + " is not an integer or out of range"))
	}
	return n
}

func boundFloat(p *args.Parser, b []byte, name string) *big.Float {
	x, ok := parseLong(b)
	if !ok {
		p.Fail(resp.Error("ERR " + name + " is not a valid float"))
		return new(big.Float)
	}
	return x
}

func runIncrEx(c *command.Ctx, a incrExArgs) error {
	var at int64
	if a.ttl.unit != noUnit {
		var err error
		if at, err = a.ttl.at(c.Tx.Now, "increx"); err != nil {
			return err
		}
	}
	e := c.Tx.Find(a.key)
	v, err := asString(e)
	if err != nil {
		return err
	}
	var text []byte // the new value; nil where it is refused
	if a.float {
		text, err = a.addFloat(c, v)
	} else {
		text, err = a.addInt(c, v)
	}
	if err != nil || text == nil {
		return err
	}
	if a.enx && e != nil && e.ExpireAt() != 0 {
		at = 0
	}
	if at != 0 && c.Tx.Past(at) {
		deleteExpired(c, a.key)
		return nil
	}
	e = putString(c, e, a.key, text)
	if a.float {
		e.Value().(*str.Value).MarkPrinted()
	}
	persisted := a.persist && e.ExpireAt() != 0
	switch {
	case at != 0:
		c.Tx.SetExpire(e, at)
	case persisted:
		c.Tx.SetExpire(e, 0)
	}
	if a.float {
		c.Tx.Changed(e, store.ClassString, "incrbyfloat")
	} else {
		c.Tx.Changed(e, store.ClassString, "incrby")
	}
	switch {
	case at != 0:
		c.Tx.Changed(e, store.ClassGeneric, "expire")
	case persisted:
		c.Tx.Changed(e, store.ClassGeneric, "persist")
	}
	if at = e.ExpireAt(); at != 0 {
		c.Tx.Effect(wordSet, a.key, text, wordPXAT, decimal(at))
	} else {
		c.Tx.Effect(wordSet, a.key, text)
	}
	return nil
}

// addInt replies with the new value and by how much it grew, and returns its
// text; nil where a bound refuses it.
func (a *incrExArgs) addInt(c *command.Ctx, v *str.Value) ([]byte, error) {
	var old int64
	if v != nil {
		var ok bool
		if old, ok = resp.ParseInt(v.B); !ok {
			return nil, resp.ErrNotInt
		}
	}
	n, err := addInt(old, a.by)
	if err != nil { // past the end of the integers is past the bound there
		n = a.upper
		if a.by < 0 {
			n = a.lower
		}
	}
	if err != nil || n < a.lower || n > a.upper {
		if !a.saturate {
			c.W.Array(2)
			c.W.Int(old)
			c.W.Int(0)
			return nil, nil
		}
		n = min(max(n, a.lower), a.upper)
	}
	if n >= 0 && old < n-math.MaxInt64 || n < 0 && old > n-math.MinInt64 {
		return nil, errAppliedOverflow
	}
	c.W.Array(2)
	c.W.Int(n)
	c.W.Int(n - old)
	return strconv.AppendInt(nil, n, 10), nil
}

// addFloat is addInt for BYFLOAT.
func (a *incrExArgs) addFloat(c *command.Ctx, v *str.Value) ([]byte, error) {
	old := new(big.Float).SetPrec(longBits)
	if v != nil {
		var ok bool
		if old, ok = parseLong(v.B); !ok {
			return nil, resp.ErrNotFloat
		}
	}
	if old.IsInf() {
		return nil, errValueInf
	}
	n := new(big.Float).SetPrec(longBits).Add(old, a.fby)
	bound := n
	if n.Cmp(a.fupper) > 0 {
		bound = a.fupper
	}
	if n.Cmp(a.flower) < 0 {
		bound = a.flower
	}
	if bound != n && !a.saturate {
		c.W.Array(2)
		replyLong(c, old)
		replyLong(c, new(big.Float))
		return nil, nil
	}
	if bound.IsInf() || bound.MantExp(nil) > longMaxExp {
		return nil, resp.ErrNaNOrInf
	}
	grown := new(big.Float).SetPrec(longBits).Sub(bound, old)
	c.W.Array(2)
	replyLong(c, bound)
	replyLong(c, grown)
	return appendLong(nil, bound), nil
}

// replyLong writes a long double as Redis does: a double with the digits of
// INCRBYFLOAT.
func replyLong(c *command.Ctx, x *big.Float) {
	text := appendLong(nil, x)
	if c.W.Proto() != 3 {
		c.W.Bulk(text)
		return
	}
	b := append([]byte{','}, text...)
	c.W.Raw(append(b, "\r\n"...))
}
