package commands

import (
	"crypto/rand"
	"encoding/hex"
	"slices"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
)

// theUser is the only one: it may do everything.
const theUser = "default"

var aclCommand = &command.Spec{
	Name: "acl", Arity: -2, Flags: containerFlag,
	Group: command.GroupServer, Since: "6.0.0", Summary: "A container for Access List Control commands.",
	Sub: []*command.Spec{
		{
			Name: "cat", Arity: -2, Flags: clientFlags,
			Group: command.GroupServer, Since: "6.0.0", Summary: "Lists the ACL categories, or the commands inside a category.",
			Args: []command.Arg{{Name: "category", Type: "string", Optional: true}},
			Bind: command.Bind((*args.Parser).Rest, runACLCat),
		},
		{
			Name: "dryrun", Arity: -4, Flags: adminFlags,
			Group: command.GroupServer, Since: "7.0.0", Summary: "Simulates the execution of a command by a user, without executing the command.",
			Args: []command.Arg{
				{Name: "username", Type: "string"},
				{Name: "command", Type: "string"},
				{Name: "arg", Type: "string", Optional: true, Multiple: true},
			},
			Bind: command.Bind((*args.Parser).Rest, runACLDryRun),
		},
		{
			Name: "genpass", Arity: -2, Flags: clientFlags,
			Group: command.GroupServer, Since: "6.0.0", Summary: "Generates a pseudorandom, secure password that can be used to identify ACL users.",
			Args: []command.Arg{{Name: "bits", Type: "integer", Optional: true}},
			Bind: command.Bind((*args.Parser).Rest, runACLGenPass),
		},
		{
			Name: "getuser", Arity: 3, Flags: adminFlags,
			Group: command.GroupServer, Since: "6.0.0", Summary: "Lists the ACL rules of a user.",
			Args: []command.Arg{{Name: "username", Type: "string"}},
			Bind: command.Bind((*args.Parser).Bytes, runACLGetUser),
		},
		helpCommand(command.GroupServer, "6.0.0", "ACL", []string{
			"CAT [<category>]",
			"    List all commands that belong to <category>, or all command categories",
			"    when no category is specified.",
			"DRYRUN <username> <command> [<arg> ...]",
			"    Returns whether the user can execute the given command without executing the command.",
			"GETUSER <username>",
			"    Get the user's details.",
			"GENPASS [<bits>]",
			"    Generate a secure 256-bit user password. The optional `bits` argument can",
			"    be used to specify a different size.",
			"LIST",
			"    Show users details in config file format.",
			"USERS",
			"    List all the registered usernames.",
			"WHOAMI",
			"    Return the current connection username.",
		}),
		{
			Name: "list", Arity: 2, Flags: adminFlags,
			Group: command.GroupServer, Since: "6.0.0", Summary: "Dumps the effective rules in ACL file format.",
			Bind: command.Bind(command.None, runACLList),
		},
		{
			Name: "users", Arity: 2, Flags: adminFlags,
			Group: command.GroupServer, Since: "6.0.0", Summary: "Lists all ACL users.",
			Bind: command.Bind(command.None, func(c *command.Ctx, _ struct{}) error {
				c.W.Array(1)
				c.W.BulkString(theUser)
				return nil
			}),
		},
		{
			Name: "whoami", Arity: 2, Flags: clientFlags,
			Group: command.GroupServer, Since: "6.0.0", Summary: "Returns the authenticated username of the current connection.",
			Bind: command.Bind(command.None, runACLWhoAmI),
		},
	},
}

func runACLWhoAmI(c *command.Ctx, _ struct{}) error {
	c.W.BulkString(c.S.User())
	return nil
}

func runACLCat(c *command.Ctx, words [][]byte) error {
	switch len(words) {
	case 0:
		c.W.Array(len(aclCategories))
		for _, name := range aclCategories {
			c.W.BulkString(name)
		}
		return nil
	case 1:
	default:
		return badSubcommand(c)
	}
	category := words[0]
	if !slices.ContainsFunc(aclCategories, func(name string) bool { return args.EqualFold(category, name) }) {
		return resp.UnknownOption("Unknown category", category)
	}
	var names []string
	in := func(s *command.Spec) {
		if slices.ContainsFunc(described(s).Categories, func(name string) bool { return args.EqualFold(category, name[1:]) }) {
			names = append(names, s.FullName())
		}
	}
	for _, s := range c.Table.All() {
		in(s)
		for _, sub := range s.Sub {
			in(sub)
		}
	}
	c.W.Array(len(names))
	for _, name := range names {
		c.W.BulkString(name)
	}
	return nil
}

func runACLDryRun(c *command.Ctx, words [][]byte) error {
	if string(words[0]) != theUser {
		return resp.Error("ERR User '" + string(words[0]) + "' not found")
	}
	s := c.Table.Find(words[1])
	if s != nil && len(s.Sub) > 0 && len(words) > 2 {
		s = s.Match(words[2])
	}
	switch {
	case s == nil:
		return resp.Error("ERR Command '" + string(words[1]) + "' not found")
	case !s.ArityOK(len(words) - 1):
		return resp.WrongArgs(s.FullName())
	}
	c.W.Status("OK")
	return nil
}

const maxPasswordBits = 4096

func runACLGenPass(c *command.Ctx, words [][]byte) error {
	bits := int64(256)
	switch len(words) {
	case 0:
	case 1:
		n, ok := resp.ParseInt(words[0])
		switch {
		case !ok:
			return resp.ErrNotInt
		case n <= 0 || n > maxPasswordBits:
			return resp.Error("ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096")
		}
		bits = n
	default:
		return badSubcommand(c)
	}
	digits := (bits + 3) / 4
	b := make([]byte, digits/2+1)
	_, _ = rand.Read(b)
	c.W.BulkString(hex.EncodeToString(b)[:digits])
	return nil
}

func runACLList(c *command.Ctx, _ struct{}) error {
	login := "nopass sanitize-payload"
	if hash := c.Server.PasswordHash(); hash != "" {
		login = "sanitize-payload #" + hash
	}
	c.W.Array(1)
	c.W.BulkString("user " + theUser + " on " + login + " ~* &* +@all")
	return nil
}

func runACLGetUser(c *command.Ctx, name []byte) error {
	if string(name) != theUser {
		c.W.Null()
		return nil
	}
	hash := c.Server.PasswordHash()
	flags := []string{"on", "nopass", "sanitize-payload"}
	if hash != "" {
		flags = []string{"on", "sanitize-payload"}
	}
	c.W.Map(6)
	c.W.BulkString("flags")
	c.W.Set(len(flags))
	for _, f := range flags {
		c.W.BulkString(f)
	}
	c.W.BulkString("passwords")
	if hash == "" {
		c.W.Array(0)
	} else {
		c.W.Array(1)
		c.W.BulkString(hash)
	}
	writeText(c.W, "commands", "+@all")
	writeText(c.W, "keys", "~*")
	writeText(c.W, "channels", "&*")
	c.W.BulkString("selectors")
	c.W.Array(0)
	return nil
}
