package commands

import (
	"strconv"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/types/sug"
)

var suggestCommands = []*command.Spec{ftSugAddCommand, ftSugGetCommand, ftSugDelCommand, ftSugLenCommand}

const (
	errSugScore   resp.Error = "ERR invalid score"
	errSugPayload resp.Error = "Invalid payload: Expected an argument, but none provided"
	errSugLength  resp.Error = "Invalid query length"
	errSugMax     resp.Error = "MAX: Value is outside acceptable bounds"
	errSugMaxText resp.Error = "MAX: Could not convert argument to expected type"
	errSugMaxNone resp.Error = "MAX: Expected an argument, but none provided"
)

var suggestionArg = command.Arg{Name: "string", Type: "string"}

func asSuggestions(e *store.Entry) (*sug.Value, error) {
	if e == nil {
		return nil, nil
	}
	if v, ok := e.Value().(*sug.Value); ok {
		return v, nil
	}
	return nil, resp.ErrWrongType
}

var ftSugAddCommand = &command.Spec{
	Name: "ft.sugadd", Arity: -4, Flags: command.Write | command.DenyOOM | command.FromModule, Keys: command.OneKey, Group: command.GroupSuggestion,
	Since: "1.0.0", Summary: "Adds a suggestion string to an auto-complete suggestion dictionary",
	Args: []command.Arg{
		keyArg, suggestionArg,
		{Name: "score", Type: "double"},
		{Name: "increment score", Type: "oneof", Optional: true, Args: []command.Arg{flagArg("incr", "INCR")}},
		{Name: "payload", Type: "string", Token: "PAYLOAD", Optional: true},
	},
	Complexity: "O(1)",
	Bind:       command.Bind(parseFTSugAdd, runFTSugAdd),
}

type ftSugAdd struct {
	key, text []byte
	score     float64
	incr      bool
	payload   []byte
	bad       error // of the score, which is looked at after the key
}

func parseFTSugAdd(a *args.Parser) ftSugAdd {
	p := ftSugAdd{key: a.Bytes(), text: a.Bytes()}
	var ok bool
	if p.score, ok = args.ParseFloat(a.Bytes()); !ok {
		p.bad = errSugScore
	}
	for a.More() {
		switch {
		case a.Accept("INCR"):
			p.incr = true
		case a.Accept("PAYLOAD"):
			if !a.More() {
				a.Fail(errSugPayload)
				break
			}
			p.payload = a.Bytes()
		default:
			a.Fail(resp.Error("Unknown argument `" + a.String() + "`"))
		}
	}
	return p
}

func runFTSugAdd(c *command.Ctx, p ftSugAdd) error {
	e := c.Tx.Find(p.key)
	v, err := asSuggestions(e)
	switch {
	case err != nil:
		return err
	case p.bad != nil:
		return p.bad
	case !sug.Takes(p.text):
		n := 0
		if v != nil {
			n = v.Len()
		}
		c.W.Int(int64(n))
		return nil
	}
	if v == nil {
		v = sug.New()
		v.Add(p.text, p.score, p.incr, p.payload)
		e = c.Tx.Put(p.key, v, false)
	} else {
		v.Add(p.text, p.score, p.incr, p.payload)
	}
	c.W.Int(int64(v.Len()))
	c.Tx.Changed(e, store.ClassModule, "ft.sugadd")
	return nil
}

var ftSugLenCommand = &command.Spec{
	Name: "ft.suglen", Arity: 2, Flags: command.ReadOnly | command.FromModule, Keys: command.OneKey, Group: command.GroupSuggestion,
	Since: "1.0.0", Summary: "Gets the size of an auto-complete suggestion dictionary",
	Args:       []command.Arg{keyArg},
	Complexity: "O(1)",
	Bind:       command.Bind(func(a *args.Parser) []byte { return a.Bytes() }, runFTSugLen),
}

func runFTSugLen(c *command.Ctx, key []byte) error {
	v, err := asSuggestions(c.Tx.Get(key))
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

var ftSugDelCommand = &command.Spec{
	Name: "ft.sugdel", Arity: 3, Flags: command.Write | command.FromModule, Keys: command.OneKey, Group: command.GroupSuggestion,
	Since: "1.0.0", Summary: "Deletes a string from a suggestion index",
	Args:       []command.Arg{keyArg, suggestionArg},
	Complexity: "O(1)",
	Bind:       command.Bind(parseFTSugDel, runFTSugDel),
}

type ftSugDel struct{ key, text []byte }

func parseFTSugDel(a *args.Parser) ftSugDel { return ftSugDel{a.Bytes(), a.Bytes()} }

func runFTSugDel(c *command.Ctx, p ftSugDel) error {
	e := c.Tx.Find(p.key)
	v, err := asSuggestions(e)
	if err != nil {
		return err
	}
	if v == nil || !v.Remove(p.text) {
		c.W.Int(0)
		return nil
	}
	c.W.Int(1)
	c.Tx.Changed(e, store.ClassModule, "ft.sugdel")
	if v.Len() == 0 {
		c.Tx.Delete(p.key, "del")
	}
	return nil
}

var ftSugGetCommand = &command.Spec{
	Name: "ft.sugget", Arity: -3, Flags: command.ReadOnly | command.FromModule, Keys: command.OneKey, Group: command.GroupSuggestion,
	Since: "1.0.0", Summary: "Gets completion suggestions for a prefix",
	Args: []command.Arg{
		keyArg,
		{Name: "prefix", Type: "string"},
		optional(flagArg("fuzzy", "FUZZY")), optional(flagArg("withscores", "WITHSCORES")),
		optional(flagArg("withpayloads", "WITHPAYLOADS")),
		{Name: "max", Type: "integer", Token: "MAX", Optional: true},
	},
	Complexity: "O(1)",
	Bind:       command.Bind(parseFTSugGet, runFTSugGet),
}

// maxSugPrefix is the length in bytes from which on RediSearch refuses a prefix.
const maxSugPrefix = 200

type ftSugGet struct {
	key                           []byte
	prefix                        string
	limit                         int
	fuzzy, trim, scores, payloads bool
}

func parseFTSugGet(a *args.Parser) ftSugGet {
	p := ftSugGet{key: a.Bytes(), prefix: a.String(), limit: 5}
	if len(p.prefix) >= maxSugPrefix {
		a.Fail(errSugLength)
	}
	for a.More() {
		switch {
		case a.Accept("FUZZY"):
			p.fuzzy = true
		case a.Accept("TRIM"):
			p.trim = true
		case a.Accept("OPTIMIZE"): // nothing else is done
		case a.Accept("WITHSCORES"):
			p.scores = true
		case a.Accept("WITHPAYLOADS"):
			p.payloads = true
		case a.Accept("MAX"):
			p.limit = parseSugMax(a)
		default:
			a.Fail(resp.Error("Unrecognized argument: " + a.String()))
		}
	}
	return p
}

func parseSugMax(a *args.Parser) int {
	if !a.More() {
		a.Fail(errSugMaxNone)
		return 0
	}
	n, err := strconv.ParseInt(a.String(), 10, 64)
	switch {
	case err != nil:
		a.Fail(errSugMaxText)
	case n < 1 || n > 1<<32-1:
		a.Fail(errSugMax)
	}
	return int(n)
}

func runFTSugGet(c *command.Ctx, p ftSugGet) error {
	v, err := asSuggestions(c.Tx.Get(p.key))
	if err != nil {
		return err
	}
	var l []sug.Suggestion
	if v != nil {
		l = v.Get(p.prefix, p.limit, p.fuzzy)
	}
	if p.trim {
		l = sug.Trim(l)
	}
	c.W.Array(len(l) * int(1+boolInt(p.scores)+boolInt(p.payloads)))
	for i := range l {
		c.W.BulkString(l[i].Text)
		if p.scores {
			c.W.Double(float64(l[i].Score))
		}
		switch {
		case !p.payloads:
		case l[i].Payload == "":
			c.W.Null()
		default:
			c.W.BulkString(l[i].Payload)
		}
	}
	return nil
}
