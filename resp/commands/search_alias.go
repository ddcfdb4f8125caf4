package commands

import (
	"errors"
	"slices"

	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store/catalog"
)

const (
	errAliasExists resp.Error = "Alias already exists"
	errNoAlias     resp.Error = "Alias does not exist"
	errAliasTarget resp.Error = "Unknown index name (or name is an alias itself)"
	errNotAlias    resp.Error = "Alias does not belong to provided spec"
	errAlterAction resp.Error = "Unknown action passed to ALTER SCHEMA"
	errAlterWhat   resp.Error = "ALTER must be followed by SCHEMA"
	errAlterNone   resp.Error = "No fields provided"
)

var aliasArg = command.Arg{Name: "alias", Type: "string"}

var ftAliasAddCommand = &command.Spec{
	Name: "ft.aliasadd", Arity: 3, Flags: command.Write | command.AllShards | command.FromModule, Group: command.GroupSearch,
	Since: "1.0.0", Summary: "Adds an alias to the index",
	Args:       []command.Arg{aliasArg, ftIndexArg},
	Complexity: "O(1)",
	Bind:       command.Bind(parseFTAlias, runFTAliasAdd),
}

type ftAlias struct{ alias, index string }

func parseFTAlias(a *args.Parser) ftAlias { return ftAlias{alias: a.String(), index: a.String()} }

func runFTAliasAdd(c *command.Ctx, p ftAlias) error { return setAlias(c, p, false) }

func setAlias(c *command.Ctx, p ftAlias, move bool) error {
	if _, err := c.Catalog.Get(p.alias); move && err == nil && !c.Catalog.IsAlias(p.alias) {
		return errNotAlias
	}
	switch err := c.Catalog.Alias(p.alias, p.index, move); {
	case errors.Is(err, catalog.ErrMissing):
		return errAliasTarget
	case errors.Is(err, catalog.ErrAlias):
		return errAliasExists
	case err != nil:
		return err
	}
	c.Tx.Effect(c.Args...)
	c.W.Status("OK")
	return nil
}

var ftAliasUpdateCommand = &command.Spec{
	Name: "ft.aliasupdate", Arity: 3, Flags: command.Write | command.AllShards | command.FromModule, Group: command.GroupSearch,
	Since: "1.0.0", Summary: "Adds or updates an alias to the index",
	Args:       []command.Arg{aliasArg, ftIndexArg},
	Complexity: "O(1)",
	Bind:       command.Bind(parseFTAlias, runFTAliasUpdate),
}

func runFTAliasUpdate(c *command.Ctx, p ftAlias) error { return setAlias(c, p, true) }

var ftAliasDelCommand = &command.Spec{
	Name: "ft.aliasdel", Arity: 2, Flags: command.Write | command.AllShards | command.FromModule, Group: command.GroupSearch,
	Since: "1.0.0", Summary: "Deletes an alias from the index",
	Args:       []command.Arg{aliasArg},
	Complexity: "O(1)",
	Bind:       command.Bind(parseFTAliasDel, runFTAliasDel),
}

func parseFTAliasDel(a *args.Parser) string { return a.String() }

func runFTAliasDel(c *command.Ctx, alias string) error {
	if c.Catalog.Unalias(alias) != nil {
		if _, err := c.Catalog.Get(alias); err == nil { // an index, which is no alias
			return errNotAlias
		}
		return errNoAlias
	}
	c.Tx.Effect(c.Args...)
	c.W.Status("OK")
	return nil
}

var ftAlterCommand = &command.Spec{
	Name: "ft.alter", Arity: -5, Flags: command.Write | command.DenyOOM | command.AllShards | command.FromModule, Group: command.GroupSearch,
	Since: "1.0.0", Summary: "Adds a new field to the index",
	Args: []command.Arg{
		ftIndexArg, optional(flagArg("skipinitialscan", "SKIPINITIALSCAN")), flagArg("schema", "SCHEMA"), flagArg("add", "ADD"),
		{Name: "field", Type: "string"},
		{Name: "options", Type: "string"},
	},
	Complexity: "O(N) where N is the number of keys in the keyspace",
	Bind:       command.Bind(parseFTAlter, runFTAlter),
}

type ftAlter struct {
	index  string
	skip   bool
	fields [][]byte
}

func parseFTAlter(a *args.Parser) ftAlter {
	p := ftAlter{index: a.String(), skip: a.Accept("SKIPINITIALSCAN")}
	switch {
	case !a.Accept("SCHEMA"):
		a.Fail(errAlterWhat)
	case !a.Accept("ADD"):
		a.Fail(errAlterAction)
	default:
		if p.fields = a.Rest(); len(p.fields) == 0 {
			a.Fail(errAlterNone)
		}
	}
	return p
}

func runFTAlter(c *command.Ctx, p ftAlter) error {
	ix, err := c.Catalog.Get(p.index)
	if err != nil {
		return errUnknownIndex
	}
	parse := search.ParseSchema
	if ix.JSON {
		parse = search.ParseJSONSchema
	}
	add, err := parse(p.fields)
	if err == nil {
		args := cloneArgs(c.Args)
		args[1] = []byte(ix.Name) // an alias may go
		err = c.Catalog.Alter(&c.Tx, ix, add, p.skip, args)
	}
	if err != nil {
		return searchError(err)
	}
	c.Tx.Effect(c.Args...)
	c.W.Status("OK")
	return nil
}

func cloneArgs(argv [][]byte) [][]byte {
	l := make([][]byte, len(argv))
	for i, a := range argv {
		l[i] = slices.Clone(a)
	}
	return l
}

// searchError is the error of the search package as it goes on the wire.
func searchError(err error) error {
	if e := (*search.Error)(nil); errors.As(err, &e) {
		return resp.Error(e.Msg)
	}
	return err
}
