package commands

import (
	"strconv"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/hll"
	"github.com/nearcache/nearcache/store/types/str"
)

var hyperLogLogCommands = []*command.Spec{pfAddCommand, pfCountCommand, pfMergeCommand, pfDebugCommand, pfSelfTestCommand}

const (
	errNotHLL     resp.Error = "WRONGTYPE Key is not a valid HyperLogLog string value."
	errCorruptHLL resp.Error = "INVALIDOBJ Corrupted HLL object detected"
	errNoHLL      resp.Error = "ERR The specified key does not exist"
	errNotSparse  resp.Error = "ERR HLL encoding is not sparse"
	errOnOff      resp.Error = "ERR Argument must be ON or OFF"
)

// asHLL is the counting string of an entry, nil where there is no entry.
func asHLL(e *store.Entry) (*str.Value, error) {
	v, err := asString(e)
	if err == nil && v != nil && !hll.Valid(v.B) {
		return nil, errNotHLL
	}
	return v, err
}

var pfAddCommand = &command.Spec{
	Name: "pfadd", Arity: -2, Flags: command.Write | command.DenyOOM | command.Fast, Keys: command.OneKey, Group: command.GroupHyperLogLog, Since: "2.8.9",
	Summary: "Adds elements to a HyperLogLog key. Creates the key if it doesn't exist.",
	Args:    []command.Arg{keyArg, {Name: "element", Type: "string", Optional: true, Multiple: true}},
	Bind:    command.Bind(parseKeyFields, runPFAdd),
}

func runPFAdd(c *command.Ctx, a keyFields) error {
	e := c.Tx.Find(a.key)
	v, err := asHLL(e)
	if err != nil {
		return err
	}
	updated := 0
	if v == nil {
		updated++ // by being made
		v = str.New(hll.New())
		e = c.Tx.Put(a.key, v, false)
	}
	v.MarkRaw()
	for _, element := range a.fields {
		b, changed, ok := hll.Add(v.B, element)
		v.B = b
		if changed {
			updated++
		}
		if !ok {
			err = errCorruptHLL
			break
		}
	}
	if updated > 0 {
		hll.Stale(v.B)
		c.Tx.Changed(e, store.ClassString, "pfadd")
		c.Tx.Count(updated)
	}
	if err != nil {
		return err
	}
	replyDone(c, updated > 0)
	return nil
}

var pfCountCommand = &command.Spec{
	Name: "pfcount", Arity: -2, Flags: command.ReadOnly | command.MayReplicate, Keys: command.AllKeys, Group: command.GroupHyperLogLog, Since: "2.8.9",
	Summary: "Returns the approximated cardinality of the set(s) observed by the HyperLogLog key(s).",
	Args:    []command.Arg{{Name: "key", Type: "key", Multiple: true}},
	Bind:    command.Bind((*args.Parser).Rest, runPFCount),
}

func runPFCount(c *command.Ctx, keys [][]byte) error {
	if len(keys) > 1 {
		var max [hll.Registers]uint8
		if _, err := raiseAll(c, keys, &max); err != nil {
			return err
		}
		c.W.Int(int64(hll.EstimateRegisters(&max)))
		return nil
	}
	e := c.Tx.Get(keys[0])
	v, err := asHLL(e)
	if err != nil {
		return err
	}
	if v == nil {
		c.W.Int(0)
		return nil
	}
	n, ok := hll.Count(v.B)
	if !ok {
		if n, ok = hll.Estimate(v.B); !ok {
			return errCorruptHLL
		}
		// The count is kept in the string, as in Redis, where it shows to GET and
		// to WATCH.
		hll.SetCount(v.B, n)
		c.Tx.Changed(e, store.ClassString, "")
	}
	c.W.Int(int64(n))
	return nil
}

// raiseAll raises registers to those of all keys that there are. It reports
// whether one of them is dense.
func raiseAll(c *command.Ctx, keys [][]byte, max *[hll.Registers]uint8) (dense bool, err error) {
	for _, key := range keys {
		v, err := asHLL(c.Tx.Get(key))
		if err != nil {
			return false, err
		}
		if v == nil {
			continue
		}
		dense = dense || hll.Encoding(v.B) == hll.Dense
		if !hll.Raise(max, v.B) {
			return false, errCorruptHLL
		}
	}
	return dense, nil
}

var pfMergeCommand = &command.Spec{
	Name: "pfmerge", Arity: -2, Flags: command.Write | command.DenyOOM, Keys: command.AllKeys, Group: command.GroupHyperLogLog, Since: "2.8.9",
	Summary: "Merges one or more HyperLogLog values into a single key.",
	Args: []command.Arg{
		{Name: "destkey", Type: "key"},
		{Name: "sourcekey", Type: "key", Optional: true, Multiple: true},
	},
	Bind: command.Bind((*args.Parser).Rest, runPFMerge),
}

func runPFMerge(c *command.Ctx, keys [][]byte) error {
	var max [hll.Registers]uint8
	dense, err := raiseAll(c, keys, &max)
	if err != nil {
		return err
	}
	e := c.Tx.Find(keys[0])
	v, err := asHLL(e)
	if err != nil {
		return err
	}
	if v == nil {
		v = str.New(hll.New())
		e = c.Tx.Put(keys[0], v, false)
	}
	if dense {
		v.B, _ = hll.ToDense(v.B) // its runs add up: raiseAll has seen them
	}
	v.B = hll.Put(v.B, &max)
	hll.Stale(v.B)
	v.MarkRaw()
	c.Tx.Changed(e, store.ClassString, "pfadd")
	c.W.Status("OK")
	return nil
}

var pfDebugCommand = &command.Spec{
	Name: "pfdebug", Arity: 3, Flags: command.Write | command.DenyOOM | command.Admin, Keys: command.SubKey, Group: command.GroupHyperLogLog, Since: "2.8.9",
	Summary: "Internal commands for debugging HyperLogLog values.",
	Args:    []command.Arg{{Name: "subcommand", Type: "string"}, keyArg},
	Bind:    command.Bind(parsePair, runPFDebug),
}

func runPFDebug(c *command.Ctx, a pair) error {
	if args.EqualFold(a.a, "SIMD") {
		// There is nothing to switch off; the answer is Redis' without AVX2.
		if !args.EqualFold(a.b, "ON") && !args.EqualFold(a.b, "OFF") {
			return errOnOff
		}
		c.W.Status("disabled")
		return nil
	}
	e := c.Tx.Find(a.b)
	v, err := asHLL(e)
	switch {
	case err != nil:
		return err
	case v == nil:
		return errNoHLL
	}
	sparse := hll.Encoding(v.B) == hll.Sparse
	switch {
	case args.EqualFold(a.a, "GETREG"):
		var max [hll.Registers]uint8
		if !hll.Raise(&max, v.B) {
			return errCorruptHLL
		}
		if sparse {
			pfToDense(c, e, v)
		}
		c.W.Array(hll.Registers)
		for _, n := range max {
			c.W.Int(int64(n))
		}
	case args.EqualFold(a.a, "DECODE"):
		if !sparse {
			return errNotSparse
		}
		c.W.Bulk(hll.AppendRuns(nil, v.B, func(b []byte, n int) []byte { return strconv.AppendInt(b, int64(n), 10) }))
	case args.EqualFold(a.a, "ENCODING"):
		if sparse {
			c.W.Status("sparse")
		} else {
			c.W.Status("dense")
		}
	case args.EqualFold(a.a, "TODENSE"):
		if sparse && !pfToDense(c, e, v) {
			return errCorruptHLL
		}
		replyDone(c, sparse)
	default:
		return resp.Error("ERR Unknown PFDEBUG subcommand '" + string(a.a) + "'")
	}
	return nil
}

// pfToDense makes a string dense and reports whether its runs add up.
func pfToDense(c *command.Ctx, e *store.Entry, v *str.Value) bool {
	b, ok := hll.ToDense(v.B)
	if ok {
		v.B = b
		v.MarkRaw()
		c.Tx.ChangedQuietly(e, store.ClassString, "")
	}
	return ok
}

var pfSelfTestCommand = &command.Spec{
	Name: "pfselftest", Arity: 1, Flags: command.Admin | command.Keyless, Group: command.GroupHyperLogLog, Since: "2.8.9",
	Summary: "An internal command for testing HyperLogLog values.",
	Bind:    command.Bind(command.None, runPFSelfTest),
}

// runPFSelfTest counts elements, sparse and dense, and wants an error of less than
// four times the expected.
func runPFSelfTest(c *command.Ctx, _ struct{}) error {
	b := hll.New()
	var text [20]byte
	for i, check := 1, 10; i <= 100_000; i++ {
		b, _, _ = hll.Add(b, strconv.AppendInt(text[:0], int64(i), 10))
		if i != check {
			continue
		}
		check *= 10
		n, ok := hll.Estimate(b)
		if off := max(int64(n), int64(i)) - min(int64(n), int64(i)); !ok || off > int64(i)*4*81/10_000+1 {
			return resp.Error("ERR TESTFAILED Too big error. card:" + strconv.Itoa(i) + " estimated:" + strconv.FormatUint(n, 10))
		}
	}
	c.W.Status("OK")
	return nil
}
