package commands

import (
	"errors"
	"strings"
	"time"

	"github.com/nearcache/nearcache/index/attr"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store/catalog"
)

var searchCommands = []*command.Spec{
	{
		Name: "ft.create", Arity: -4, Flags: command.Write | command.DenyOOM | command.AllShards | command.FromModule, Group: command.GroupSearch,
		Since: "1.0.0", Summary: "Creates an index with the given spec",
		Args:       ftCreateArgs,
		Complexity: "O(K) at creation where K is the number of fields, O(N) if scanning the keyspace is triggered, where N is the number of keys in the keyspace",
		Bind:       command.Bind(parseFTCreate, runFTCreate),
	},
	{
		Name: "ft.dropindex", Arity: -2, Flags: command.Write | command.AllShards | command.FromModule, Group: command.GroupSearch,
		Since: "2.0.0", Summary: "Deletes the index",
		Args:       []command.Arg{ftIndexArg, optional(flagArg("delete docs", "DD"))},
		Complexity: "O(1) or O(N) if documents are deleted, where N is the number of keys in the keyspace",
		Bind:       command.Bind(parseFTDropIndex, runFTDropIndex),
	},
	{
		Name: "ft._list", Arity: 1, Flags: command.ReadOnly | command.Keyless | command.FromModule, Group: command.GroupSearch,
		Since: "2.0.0", Summary: "Returns a list of all existing indexes",
		Complexity: "O(1)",
		Bind:       command.Bind(command.None, runFTList),
	},
	{
		Name: "ft.info", Arity: 2, Flags: command.ReadOnly | command.Keyless | command.FromModule, Group: command.GroupSearch,
		Since: "1.0.0", Summary: "Returns information and statistics on the index",
		Args:       []command.Arg{ftIndexArg},
		Complexity: "O(1)",
		Bind:       command.Bind(parseFTInfo, runFTInfo),
	},
	{
		Name: "ft.search", Arity: -3, Flags: command.ReadOnly | command.FromModule, Group: command.GroupSearch,
		Since: "1.0.0", Summary: "Searches the index with a textual query, returning either documents or just ids",
		Args:       ftSearchArgs,
		Complexity: "O(N)",
		Bind:       command.Bind(parseFTSearch, runFTSearch),
	},
	{
		Name: "ft.tagvals", Arity: 3, Flags: command.ReadOnly | command.Keyless | command.FromModule, Group: command.GroupSearch,
		Since: "1.0.0", Summary: "Returns the distinct tags indexed in a Tag field",
		Args:       []command.Arg{ftIndexArg, {Name: "field_name", Type: "string"}},
		Complexity: "O(N)",
		Bind:       command.Bind(parseFTTagVals, runFTTagVals),
	},
	ftConfigCommand, ftAlterCommand, ftAliasAddCommand, ftAliasUpdateCommand, ftAliasDelCommand,
	ftDictAddCommand, ftDictDelCommand, ftDictDumpCommand, ftSpellCheckCommand, ftSynUpdateCommand, ftSynDumpCommand,
	ftAggregateCommand,
	ftCursorCommand,
	ftHybridCommand,
}

const (
	errIndexExists  resp.Error = "Index already exists"
	errUnknownIndex resp.Error = "Unknown Index name"
	errNoSchema     resp.Error = "No schema found"
	errIndexAll     resp.Error = "Invalid argument for INDEXALL, use ENABLE/DISABLE"
)

// noSuchIndex is the error of FT.SEARCH for an index that does not exist.
func noSuchIndex(name string) resp.Error { return resp.Error(name + ": no such index") }

type ftCreate struct {
	def    catalog.Definition
	schema *search.Schema
}

func parseFTCreate(a *args.Parser) ftCreate {
	p := ftCreate{def: catalog.Definition{Name: a.String(), Score: 1, Language: "english"}}
	var stopWords []string
	hasStopWords := false
	var noOffsets, noHL, noFields, noFreqs, maxText bool
	for a.More() && a.Err() == nil {
		switch {
		case a.Accept("ON"):
			if p.def.JSON = a.Accept("JSON"); !p.def.JSON && !a.Accept("HASH") {
				a.Fail(resp.Error("Invalid rule type: " + a.String()))
			}
		case a.Accept("PREFIX"):
			p.def.Prefixes = countedStrings(a, "PREFIX")
		case a.Accept("LANGUAGE"):
			p.def.Language = strings.ToLower(a.String())
			if !knownLanguage(p.def.Language) {
				a.Fail(resp.Error("Invalid language: " + p.def.Language))
			}
		case a.Accept("SCORE"):
			if p.def.Score = a.Float(); p.def.Score < 0 || p.def.Score > 1 {
				a.Fail(resp.Error("Invalid score"))
			}
		case a.Accept("STOPWORDS"):
			stopWords, hasStopWords = countedStrings(a, "STOPWORDS"), true
		case a.Accept("MAXTEXTFIELDS"):
			maxText = true
		case a.Accept("NOOFFSETS"):
			noOffsets = true
		case a.Accept("NOHL"):
			noHL = true
		case a.Accept("NOFIELDS"):
			noFields = true
		case a.Accept("NOFREQS"):
			noFreqs = true
		case a.Accept("FILTER"):
			p.def.Filter = a.String()
		case a.Accept("LANGUAGE_FIELD"):
			p.def.LanguageField = a.String()
		case a.Accept("SCORE_FIELD"):
			p.def.ScoreField = a.String()
		case a.Accept("PAYLOAD_FIELD"):
			p.def.PayloadField = a.String()
		case a.Accept("SKIPINITIALSCAN"):
			p.def.SkipScan = true
		case a.Accept("TEMPORARY"):
			p.def.Temporary = parseTemporary(a)
		case a.Accept("INDEXALL"):
			if p.def.All = a.Accept("ENABLE"); !p.def.All && !a.Accept("DISABLE") {
				a.Fail(errIndexAll)
			}
		case a.Accept("SCHEMA"):
			parse := search.ParseSchema
			if p.def.JSON {
				parse = search.ParseJSONSchema
			}
			s, err := parse(a.Rest())
			if err != nil {
				a.Fail(resp.Error(err.Error()))
				return p
			}
			s.StopWords, s.HasStopWords = stopWords, hasStopWords
			s.Language, s.Score = p.def.Language, p.def.Score
			s.NoOffsets, s.NoHL, s.NoFields, s.NoFreqs, s.MaxTextFields = noOffsets, noHL, noFields, noFreqs, maxText
			p.schema = s
		default:
			a.Fail(resp.Error("Unknown argument `" + a.String() + "`"))
		}
	}
	if a.Err() == nil && p.schema == nil {
		a.Fail(errNoSchema)
	}
	if len(p.def.Prefixes) == 0 {
		p.def.Prefixes = []string{""}
	}
	return p
}

// maxTemporary is in seconds: a hundred years.
const maxTemporary = 100 * 366 * 24 * 3600

func parseTemporary(a *args.Parser) time.Duration {
	if !a.More() {
		a.Fail(resp.Error("Bad arguments for TEMPORARY: Expected an argument, but none provided"))
		return 0
	}
	n, ok := resp.ParseInt(a.Bytes())
	switch {
	case !ok:
		a.Fail(resp.Error("Bad arguments for TEMPORARY: Could not convert argument to expected type"))
	case n < 1 || n > maxTemporary:
		a.Fail(resp.Error("Bad arguments for TEMPORARY: Value is outside acceptable bounds"))
	}
	return time.Duration(n) * time.Second
}

// countedStrings reads a count and that many words.
func countedStrings(a *args.Parser, what string) []string {
	n := a.Int()
	if a.Err() != nil || n < 0 || n > int64(a.Len()) {
		a.Fail(resp.Error("Bad arguments for " + what + ": Expected an argument, but none provided"))
		return nil
	}
	l := make([]string, n)
	for i := range l {
		l[i] = a.String()
	}
	return l
}

func runFTCreate(c *command.Ctx, p ftCreate) error {
	if c.S.DB != 0 {
		return resp.Error("Cannot create index on db != 0")
	}
	if c.InExec {
		c.Tx.Preview(c.Catalog)
	}
	p.def.CreatedAt = time.UnixMilli(c.Tx.Now)
	p.def.Args = cloneArgs(c.Args)
	keys, _ := c.Tx.Len(0)
	if err := c.Catalog.Create(p.def, p.schema, keys); err != nil {
		if errors.Is(err, catalog.ErrExists) {
			return errIndexExists
		}
		return searchError(err)
	}
	c.Tx.Effect(c.Args...)
	c.W.Status("OK")
	return nil
}

type ftDropIndex struct {
	name string
	docs bool
}

func parseFTDropIndex(a *args.Parser) ftDropIndex {
	p := ftDropIndex{name: a.String()}
	if a.More() {
		if p.docs = a.Accept("DD"); !p.docs {
			a.Fail(resp.Error("Unknown argument `" + a.String() + "`"))
		}
	}
	return p
}

func runFTDropIndex(c *command.Ctx, p ftDropIndex) error {
	ix, err := c.Catalog.Get(p.name)
	if err != nil {
		return errUnknownIndex
	}
	c.Settle() // documents of this pipeline belong to the index
	if c.InExec {
		c.Tx.Preview(c.Catalog)
	}
	if p.docs || ix.Temporary > 0 {
		err = c.Catalog.DropDocs(&c.Tx, ix)
	} else if err = c.Catalog.Drop(ix.Name); err == nil {
		c.Tx.Effect([]byte("FT.DROPINDEX"), []byte(ix.Name))
	}
	if err != nil {
		return errUnknownIndex
	}
	c.W.Status("OK")
	return nil
}

func runFTList(c *command.Ctx, _ struct{}) error {
	names := c.Catalog.Names()
	c.W.Set(len(names))
	for _, n := range names {
		c.W.BulkString(n)
	}
	return nil
}

type ftTagVals struct{ index, field string }

func parseFTTagVals(a *args.Parser) ftTagVals {
	return ftTagVals{index: a.String(), field: a.String()}
}

func runFTTagVals(c *command.Ctx, p ftTagVals) error {
	ix, err := openIndex(c, p.index)
	if err != nil {
		return errUnknownIndex
	}
	l, err := ix.Search().TagValues(p.field)
	if errors.Is(err, search.ErrClosed) {
		return errUnknownIndex
	}
	if err != nil {
		return resp.Error(err.Error())
	}
	c.W.Set(len(l))
	for _, v := range l {
		c.W.BulkString(v)
	}
	return nil
}

// openIndex finds an index for one command, with this client's own writes in it.
func openIndex(c *command.Ctx, name string) (*catalog.Index, error) {
	ix, err := c.Catalog.Get(name)
	if err != nil {
		return nil, err
	}
	c.Settle()
	if c.InExec {
		c.Tx.Preview(c.Catalog)
	}
	ix.Extended()
	ix.Uses.Add(1)
	ix.Touch(c.Tx.Now)
	return ix, nil
}

// knownLanguage reports whether text can be stemmed in that language.
func knownLanguage(name string) bool {
	_, ok := attr.ParseLanguage(name)
	return ok
}
