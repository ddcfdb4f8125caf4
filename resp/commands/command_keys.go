package commands

import (
	"slices"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
)

// foundKey is a key in a command's arguments, and what is done with it.
type foundKey struct {
	key   []byte
	flags []string
}

var (
	keyRead   = []string{"RO", "access"}
	keyWrite  = []string{"OW", "update"}
	keyChange = []string{"RW", "access", "update"}
)

// commandKeys returns the keys of a whole command, as Redis finds them: by the
// description of the command, and where that does not tell all, by code.
func commandKeys(c *command.Ctx, argv [][]byte) ([]foundKey, error) {
	s := c.Table.Find(argv[0])
	if s != nil && len(s.Sub) > 0 && len(argv) > 1 {
		s = s.Match(argv[1])
	}
	if s == nil {
		return nil, resp.ErrBadCommand
	}
	specs := described(s).Specs
	real := func(k KeySpec) bool { return !slices.Contains(k.Flags, "not_key") }
	switch {
	case !slices.ContainsFunc(specs, real):
		return nil, resp.ErrNoKeyArgument
	case !s.ArityOK(len(argv)):
		return nil, resp.ErrBadArgCount
	}
	keys, ok := keysBySpecs(specs, argv)
	if !ok {
		keys = keysByCode(s, argv)
	}
	if len(keys) == 0 && s.Flags&command.NoMandatoryKeys == 0 {
		return nil, resp.Error("ERR Invalid arguments specified for command")
	}
	return keys, nil
}

// keysBySpecs returns false where the specs do not tell all, or where the
// arguments do not fit them.
func keysBySpecs(specs []KeySpec, argv [][]byte) (keys []foundKey, ok bool) {
	for i := range specs {
		k := &specs[i]
		if slices.Contains(k.Flags, "variable_flags") {
			return nil, false
		}
	}
	for i := range specs {
		k := &specs[i]
		if slices.Contains(k.Flags, "not_key") {
			continue
		}
		first, found := k.begin(argv)
		if !found {
			continue
		}
		first, last, ok := k.span(first, argv)
		if !ok || last >= len(argv) || last < first || slices.Contains(k.Flags, "incomplete") {
			return nil, false
		}
		for i := first; i <= last; i += k.KeyStep {
			keys = append(keys, foundKey{argv[i], k.Flags})
		}
	}
	return keys, true
}

// begin is where the search for keys begins. It is 0 where a spec does not tell,
// and not found where a keyword is missing.
func (k *KeySpec) begin(argv [][]byte) (at int, found bool) {
	switch k.Begin {
	case "index":
		return k.Index, true
	case "keyword":
		at, step := k.StartFrom, 1
		if at < 0 {
			at, step = at+len(argv), -1
		}
		for ; at >= 1 && at < len(argv); at += step {
			if args.EqualFold(argv[at], k.Keyword) {
				return at + 1, true
			}
		}
		return 0, false
	}
	return 0, true
}

// span is the first and the last of the keys whose search begins at first.
func (k *KeySpec) span(first int, argv [][]byte) (_, last int, ok bool) {
	switch {
	case first == 0 || k.KeyStep <= 0:
		return 0, 0, false
	case k.Find == "range" && k.LastKey >= 0:
		return first, first + k.LastKey, true
	case k.Find == "range" && k.Limit == 0:
		return first, len(argv) + k.LastKey, true
	case k.Find == "range":
		return first, first + (len(argv)-first)/k.Limit + k.LastKey, true
	case k.Find == "keynum" && first+k.KeyNumIdx < len(argv):
		n, ok := resp.ParseInt(argv[first+k.KeyNumIdx])
		first += k.FirstKey
		return first, first + int(min(n, int64(len(argv)))-1)*k.KeyStep, ok && n >= 0
	}
	return 0, 0, false
}

// keysByCode finds keys that no spec describes, or whose use depends on options.
func keysByCode(s *command.Spec, argv [][]byte) []foundKey {
	has := func(from int, words ...string) bool {
		return slices.ContainsFunc(argv[from:], func(arg []byte) bool {
			return slices.ContainsFunc(words, func(w string) bool { return args.EqualFold(arg, w) })
		})
	}
	switch s.Name {
	case "set":
		flags := keyWrite
		switch {
		case has(3, "get"):
			flags = keyChange
		case has(3, "ifeq", "ifne", "ifdeq", "ifdne"):
			flags = []string{"RW", "update"}
		}
		return []foundKey{{argv[1], flags}}
	case "delex":
		flags := []string{"RM", "delete"}
		if has(2, "ifeq", "ifne", "ifdeq", "ifdne") {
			flags[0] = "RW"
		}
		return []foundKey{{argv[1], flags}}
	case "bitfield":
		if bitfieldReads(argv[2:]) {
			return []foundKey{{argv[1], keyRead}}
		}
		return []foundKey{{argv[1], keyChange}}
	}
	flags := keyFlags(s)
	switch s.Name {
	case "migrate":
		flags = []string{"RW", "access", "delete"}
	case "pfmerge":
		flags = []string{"RW", "access", "insert"}
	case "sort", "sort_ro", "georadius", "georadiusbymember", "xread", "xreadgroup":
		flags = keyRead
	}
	var keys []foundKey
	s.Keys.Each(argv, func(key []byte) { keys = append(keys, foundKey{key, flags}) })
	switch s.Name {
	case "sort", "georadius", "georadiusbymember":
		if n := len(keys) - 1; n > 0 { // of several to store into the last one counts
			keys[1] = foundKey{keys[n].key, keyWrite}
			keys = keys[:2]
		}
	}
	return keys
}

// bitfieldReads reports whether BITFIELD's operations are all reads.
func bitfieldReads(ops [][]byte) bool {
	for len(ops) > 0 {
		switch {
		case args.EqualFold(ops[0], "get") && len(ops) >= 3:
			ops = ops[3:]
		case args.EqualFold(ops[0], "overflow") && len(ops) >= 2:
			ops = ops[2:]
		default:
			return false
		}
	}
	return true
}

func runCommandGetKeys(c *command.Ctx, argv [][]byte) error {
	keys, err := commandKeys(c, argv)
	if err != nil {
		return err
	}
	c.W.Array(len(keys))
	for _, k := range keys {
		c.W.Bulk(k.key)
	}
	return nil
}

func runCommandGetKeysAndFlags(c *command.Ctx, argv [][]byte) error {
	keys, err := commandKeys(c, argv)
	if err != nil {
		return err
	}
	c.W.Array(len(keys))
	for _, k := range keys {
		c.W.Array(2)
		c.W.Bulk(k.key)
		writeWords(c.W, k.flags)
	}
	return nil
}
