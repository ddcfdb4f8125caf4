package commands

import (
	"bytes"
	"slices"
	"strings"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store/glob"
)

var (
	fullCommand  = []command.Arg{{Name: "command", Type: "string"}, {Name: "arg", Type: "string", Optional: true, Multiple: true}}
	commandNames = []command.Arg{{Name: "command-name", Type: "string", Optional: true, Multiple: true}}
)

var commandCommands = []*command.Spec{
	{
		Name: "command", Arity: -1, Flags: anytimeFlags,
		Group: command.GroupServer, Since: "2.8.13", Summary: "Returns detailed information about all commands.",
		Bind: command.Bind(command.None, runCommand),
		Sub: []*command.Spec{
			{
				Name: "count", Arity: 2, Flags: anytimeFlags,
				Group: command.GroupServer, Since: "2.8.13", Summary: "Returns a count of commands.",
				Bind: command.Bind(command.None, runCommandCount),
			},
			{
				Name: "docs", Arity: -2, Flags: anytimeFlags,
				Group: command.GroupServer, Since: "7.0.0", Summary: "Returns documentary information about one, multiple or all commands.",
				Args: commandNames,
				Bind: command.Bind((*args.Parser).Rest, runCommandDocs),
			},
			{
				Name: "getkeys", Arity: -3, Flags: anytimeFlags,
				Group: command.GroupServer, Since: "2.8.13", Summary: "Extracts the key names from an arbitrary command.",
				Args: fullCommand,
				Bind: command.Bind((*args.Parser).Rest, runCommandGetKeys),
			},
			{
				Name: "getkeysandflags", Arity: -3, Flags: anytimeFlags,
				Group: command.GroupServer, Since: "7.0.0", Summary: "Extracts the key names and access flags for an arbitrary command.",
				Args: fullCommand,
				Bind: command.Bind((*args.Parser).Rest, runCommandGetKeysAndFlags),
			},
			helpCommand(command.GroupServer, "5.0.0", "COMMAND", []string{
				"(no subcommand)",
				"    Return details about all Redis commands.",
				"COUNT",
				"    Return the total number of commands in this Redis server.",
				"LIST",
				"    Return a list of all commands in this Redis server.",
				"INFO [<command-name> ...]",
				"    Return details about multiple Redis commands.",
				"    If no command names are given, documentation details for all",
				"    commands are returned.",
				"DOCS [<command-name> ...]",
				"    Return documentation details about multiple Redis commands.",
				"    If no command names are given, documentation details for all",
				"    commands are returned.",
				"GETKEYS <full-command>",
				"    Return the keys from a full Redis command.",
				"GETKEYSANDFLAGS <full-command>",
				"    Return the keys and the access flags from a full Redis command.",
			}),
			{
				Name: "info", Arity: -2, Flags: anytimeFlags,
				Group: command.GroupServer, Since: "2.8.13", Summary: "Returns information about one, multiple or all commands.",
				Args: commandNames,
				Bind: command.Bind((*args.Parser).Rest, runCommandInfo),
			},
			{
				Name: "list", Arity: -2, Flags: anytimeFlags,
				Group: command.GroupServer, Since: "7.0.0", Summary: "Returns a list of command names.",
				Args: []command.Arg{{Name: "filterby", Type: "oneof", Token: "FILTERBY", Optional: true, Args: []command.Arg{
					{Name: "module-name", Type: "string", Token: "MODULE"},
					{Name: "category", Type: "string", Token: "ACLCAT"},
					{Name: "pattern", Type: "pattern", Token: "PATTERN"},
				}}},
				Bind: command.Bind(parseCommandList, runCommandList),
			},
		},
	},
}

func runCommand(c *command.Ctx, _ struct{}) error {
	rows := c.Table.All()
	c.W.Array(len(rows))
	for _, s := range rows {
		writeCommandInfo(c.W, s)
	}
	return nil
}

func runCommandCount(c *command.Ctx, _ struct{}) error {
	c.W.Int(int64(len(c.Table.All())))
	return nil
}

// findCommand finds the row of a full name such as get or client|id.
func findCommand(c *command.Ctx, name []byte) *command.Spec {
	container, sub, has := bytes.Cut(name, []byte("|"))
	s := c.Table.Find(container)
	if s == nil || !has {
		return s
	}
	return s.Match(sub)
}

func runCommandInfo(c *command.Ctx, names [][]byte) error {
	if len(names) == 0 {
		return runCommand(c, struct{}{})
	}
	c.W.Array(len(names))
	for _, name := range names {
		if s := findCommand(c, name); s != nil {
			writeCommandInfo(c.W, s)
		} else {
			c.W.Null()
		}
	}
	return nil
}

func writeCommandInfo(w *resp.Writer, s *command.Spec) {
	first, last, step := s.Keys.First, s.Keys.Last, s.Keys.Step
	w.Array(10)
	w.BulkString(s.FullName())
	w.Int(int64(s.Arity))
	flags := s.Flags.Names()
	w.Set(len(flags))
	for _, f := range flags {
		w.Status(f)
	}
	w.Int(int64(first))
	w.Int(int64(last))
	w.Int(int64(step))
	cats := categories(s)
	w.Set(len(cats))
	for _, cat := range cats {
		w.Status("@" + cat)
	}
	w.Set(0) // tips
	writeKeySpecs(w, s)
	if len(s.Sub) == 0 {
		w.Set(0)
		return
	}
	w.Array(len(s.Sub))
	for _, sub := range s.Sub {
		writeCommandInfo(w, sub)
	}
}

// keyFlags say what the command does with its keys, as far as its row tells.
func keyFlags(s *command.Spec) []string {
	if s.Flags&command.Write != 0 {
		return []string{"RW", "access", "update"}
	}
	return []string{"RO", "access"}
}

func writeKeySpecs(w *resp.Writer, s *command.Spec) {
	if s.Keys.None() {
		w.Set(0)
		return
	}
	number := func(name string, n int) {
		w.BulkString(name)
		w.Int(int64(n))
	}
	w.Set(1)
	w.Map(3)
	w.BulkString("flags")
	flags := keyFlags(s)
	if s.Keys.Find != nil {
		flags = append(flags, "incomplete")
	}
	w.Set(len(flags))
	for _, f := range flags {
		w.Status(f)
	}
	w.BulkString("begin_search")
	w.Map(2)
	w.BulkString("type")
	if s.Keys.Find != nil {
		w.BulkString("unknown")
		w.BulkString("spec")
		w.Map(0)
		w.BulkString("find_keys")
		w.Map(2)
		w.BulkString("type")
		w.BulkString("unknown")
		w.BulkString("spec")
		w.Map(0)
		return
	}
	w.BulkString("index")
	w.BulkString("spec")
	w.Map(1)
	number("index", s.Keys.First)
	w.BulkString("find_keys")
	w.Map(2)
	w.BulkString("type")
	w.BulkString("range")
	w.BulkString("spec")
	w.Map(3)
	last := s.Keys.Last
	if last >= 0 {
		last -= s.Keys.First
	}
	number("lastkey", last)
	number("keystep", s.Keys.Step)
	number("limit", 0)
}

// groupCategories are the ACL categories that come of a group.
var groupCategories = map[command.Group]string{
	command.GroupGeneric:      "keyspace",
	command.GroupString:       "string",
	command.GroupBitmap:       "bitmap",
	command.GroupHash:         "hash",
	command.GroupList:         "list",
	command.GroupSet:          "set",
	command.GroupSortedSet:    "sortedset",
	command.GroupStream:       "stream",
	command.GroupGeo:          "geo",
	command.GroupHyperLogLog:  "hyperloglog",
	command.GroupTransactions: "transaction",
	command.GroupConnection:   "connection",
	command.GroupSearch:       "search",
	command.GroupModule:       "json",
}

// explicitCategories are those that Redis gives a command by hand, by its name
// or its container's. A - in front takes one away.
var explicitCategories = map[string][]string{
	"command":  {"connection"},
	"dbsize":   {"keyspace"},
	"flushall": {"keyspace", "dangerous"},
	"flushdb":  {"keyspace", "dangerous"},
	"info":     {"dangerous"},
	"keys":     {"dangerous"},
	"lastsave": {"admin", "dangerous"},
	"role":     {"admin", "dangerous"},
	"wait":     {"connection", "-keyspace"},
}

// categories derives the ACL categories of a command from its row, in the
// order in which Redis lists them.
func categories(s *command.Spec) []string {
	has := map[string]bool{groupCategories[s.Group]: s.Bind.Exec != nil} // not of a mere container
	has["write"] = s.Flags&command.Write != 0
	has["read"] = s.Flags&command.ReadOnly != 0
	has["admin"] = s.Flags&command.Admin != 0
	has["dangerous"] = has["admin"]
	has["pubsub"] = s.Flags&command.PubSub != 0
	has["fast"] = s.Flags&command.Fast != 0
	has["slow"] = !has["fast"]
	has["blocking"] = s.Flags&command.Blocking != 0
	name, _, _ := strings.Cut(s.FullName(), "|")
	for _, cat := range explicitCategories[name] {
		bare, minus := strings.CutPrefix(cat, "-")
		has[bare] = !minus
	}
	var l []string
	for _, cat := range aclCategories {
		if has[cat] {
			l = append(l, cat)
		}
	}
	return l
}

var aclCategories = []string{
	"keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog", "geo", "stream",
	"pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction", "scripting", "search", "json",
}

func runCommandDocs(c *command.Ctx, names [][]byte) error {
	rows := c.Table.All()
	if len(names) > 0 {
		rows = nil
		for _, name := range names {
			if s := findCommand(c, name); s != nil {
				rows = append(rows, s)
			}
		}
	}
	c.W.Map(len(rows))
	for _, s := range rows {
		writeCommandDocs(c.W, s)
	}
	return nil
}

func writeCommandDocs(w *resp.Writer, s *command.Spec) {
	text := func(name, v string) {
		w.BulkString(name)
		w.BulkString(v)
	}
	w.BulkString(s.FullName())
	n := 3
	if len(s.Args) > 0 {
		n++
	}
	if len(s.Sub) > 0 {
		n++
	}
	w.Map(n)
	text("summary", s.Summary)
	text("since", s.Since)
	text("group", string(s.Group))
	if len(s.Args) > 0 {
		w.BulkString("arguments")
		writeCommandArgs(w, s.Args)
	}
	if len(s.Sub) > 0 {
		w.BulkString("subcommands")
		w.Map(len(s.Sub))
		for _, sub := range s.Sub {
			writeCommandDocs(w, sub)
		}
	}
}

func writeCommandArgs(w *resp.Writer, l []command.Arg) {
	w.Array(len(l))
	for i := range l {
		a := &l[i]
		var flags []string
		if a.Optional {
			flags = append(flags, "optional")
		}
		if a.Multiple {
			flags = append(flags, "multiple")
		}
		if a.MultipleToken {
			flags = append(flags, "multiple_token")
		}
		shown := a.Type != "oneof" && a.Type != "block"
		n := 2
		for _, more := range []bool{shown, a.Type == "key", a.Token != "", a.Since != "", len(flags) > 0, len(a.Args) > 0} {
			if more {
				n++
			}
		}
		w.Map(n)
		w.BulkString("name")
		w.BulkString(a.Name)
		w.BulkString("type")
		w.BulkString(a.Type)
		if shown {
			w.BulkString("display_text")
			w.BulkString(a.Name)
		}
		if a.Type == "key" {
			w.BulkString("key_spec_index")
			w.Int(0)
		}
		if a.Token != "" {
			w.BulkString("token")
			w.BulkString(a.Token)
		}
		if a.Since != "" {
			w.BulkString("since")
			w.BulkString(a.Since)
		}
		if len(flags) > 0 {
			w.BulkString("flags")
			w.Set(len(flags))
			for _, f := range flags {
				w.Status(f)
			}
		}
		if len(a.Args) > 0 {
			w.BulkString("arguments")
			writeCommandArgs(w, a.Args)
		}
	}
}

// commandKeys returns the row and the keys of a whole command.
func commandKeys(c *command.Ctx, argv [][]byte) (*command.Spec, [][]byte, error) {
	s := c.Table.Find(argv[0])
	if s != nil && len(s.Sub) > 0 && len(argv) > 1 {
		s = s.Match(argv[1])
	}
	switch {
	case s == nil:
		return nil, nil, resp.ErrBadCommand
	case s.Keys.None():
		return nil, nil, resp.ErrNoKeyArgument
	case !s.ArityOK(len(argv)):
		return nil, nil, resp.ErrBadArgCount
	}
	var keys [][]byte
	s.Keys.Each(argv, func(key []byte) { keys = append(keys, key) })
	if len(keys) == 0 {
		return nil, nil, resp.Error("ERR Invalid arguments specified for command")
	}
	return s, keys, nil
}

func runCommandGetKeys(c *command.Ctx, argv [][]byte) error {
	_, keys, err := commandKeys(c, argv)
	if err != nil {
		return err
	}
	c.W.Array(len(keys))
	for _, k := range keys {
		c.W.Bulk(k)
	}
	return nil
}

func runCommandGetKeysAndFlags(c *command.Ctx, argv [][]byte) error {
	s, keys, err := commandKeys(c, argv)
	if err != nil {
		return err
	}
	flags := keyFlags(s)
	c.W.Array(len(keys))
	for _, k := range keys {
		c.W.Array(2)
		c.W.Bulk(k)
		c.W.Set(len(flags))
		for _, f := range flags {
			c.W.Status(f)
		}
	}
	return nil
}

type commandList struct{ by, value string }

func parseCommandList(a *args.Parser) commandList {
	var l commandList
	if !a.More() {
		return l
	}
	if a.Len() != 3 || !a.Accept("FILTERBY") {
		a.Fail(resp.ErrSyntax)
	}
	l.by = strings.ToLower(a.String())
	if !slices.Contains([]string{"module", "aclcat", "pattern"}, l.by) {
		a.Fail(resp.ErrSyntax)
	}
	l.value = a.String()
	return l
}

func (l commandList) matches(s *command.Spec) bool {
	switch l.by {
	case "module":
		return strings.EqualFold(l.value, "search") && s.Group == command.GroupSearch ||
			strings.EqualFold(l.value, "ReJSON") && s.Group == command.GroupModule
	case "aclcat":
		return slices.Contains(categories(s), strings.ToLower(l.value))
	case "pattern":
		return glob.MatchFold(l.value, s.FullName())
	}
	return true
}

func runCommandList(c *command.Ctx, l commandList) error {
	var names []string
	for _, s := range c.Table.All() {
		if l.matches(s) {
			names = append(names, s.FullName())
		}
		for _, sub := range s.Sub {
			if l.matches(sub) {
				names = append(names, sub.FullName())
			}
		}
	}
	c.W.Array(len(names))
	for _, name := range names {
		c.W.BulkString(name)
	}
	return nil
}
