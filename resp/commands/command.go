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
		return l.value != "" && strings.EqualFold(l.value, moduleOf(s))
	case "aclcat":
		return slices.Contains(described(s).Categories, "@"+strings.ToLower(l.value))
	case "pattern":
		return glob.MatchFold(l.value, s.FullName())
	}
	return true
}

func runCommandList(c *command.Ctx, l commandList) error {
	var names []string
	for _, s := range c.Table.All() {
		if l.matches(s) {
			names = append(names, s.Title())
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
