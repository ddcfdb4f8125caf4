package commands

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/index/attr"
	"github.com/nearcache/nearcache/index/query"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store/catalog"
)

var (
	dictArg  = command.Arg{Name: "dict", Type: "string"}
	termsArg = command.Arg{Name: "term", Type: "string", Multiple: true}
)

var ftDictAddCommand = &command.Spec{
	Name: "ft.dictadd", Arity: -3, Flags: command.Write | command.DenyOOM | command.AllShards | command.FromModule, Group: command.GroupSearch,
	Since: "1.4.0", Summary: "Adds terms to a dictionary",
	Args:       []command.Arg{dictArg, termsArg},
	Complexity: "O(1)",
	Bind:       command.Bind(parseFTDict, runFTDictAdd),
}

type ftDict struct {
	name  string
	terms [][]byte
}

func parseFTDict(a *args.Parser) ftDict { return ftDict{a.String(), a.Rest()} }

func runFTDictAdd(c *command.Ctx, p ftDict) error {
	previewFlush(c)
	return changeDict(c, c.Catalog.Dicts.Add(p.name, p.terms))
}

// previewFlush has an EXEC's own flush take the dictionaries before it makes new ones.
func previewFlush(c *command.Ctx) {
	if c.InExec {
		c.Tx.Preview(c.Catalog)
	}
}

func changeDict(c *command.Ctx, n int) error {
	if n > 0 {
		c.Tx.Effect(c.Args...)
	}
	c.W.Int(int64(n))
	return nil
}

var ftDictDelCommand = &command.Spec{
	Name: "ft.dictdel", Arity: -3, Flags: command.Write | command.AllShards | command.FromModule, Group: command.GroupSearch,
	Since: "1.4.0", Summary: "Deletes terms from a dictionary",
	Args:       []command.Arg{dictArg, termsArg},
	Complexity: "O(1)",
	Bind:       command.Bind(parseFTDict, runFTDictDel),
}

func runFTDictDel(c *command.Ctx, p ftDict) error {
	previewFlush(c)
	return changeDict(c, c.Catalog.Dicts.Remove(p.name, p.terms))
}

var ftDictDumpCommand = &command.Spec{
	Name: "ft.dictdump", Arity: 2, Flags: command.ReadOnly | command.Keyless | command.FromModule, Group: command.GroupSearch,
	Since: "1.4.0", Summary: "Dumps all terms in the given dictionary",
	Args:       []command.Arg{dictArg},
	Complexity: "O(N), where N is the size of the dictionary",
	Bind:       command.Bind(parseFTInfo, runFTDictDump),
}

func runFTDictDump(c *command.Ctx, name string) error {
	words, _ := c.Catalog.Dicts.Words(name)
	c.W.Set(len(words))
	for _, w := range words {
		c.W.BulkString(w)
	}
	return nil
}

var ftSynUpdateCommand = &command.Spec{
	Name: "ft.synupdate", Arity: -4, Flags: command.Write | command.DenyOOM | command.AllShards | command.FromModule, Group: command.GroupSearch,
	Since: "1.2.0", Summary: "Creates or updates a synonym group with additional terms",
	Args:       []command.Arg{ftIndexArg, {Name: "synonym_group_id", Type: "string"}, optional(flagArg("skipinitialscan", "SKIPINITIALSCAN")), termsArg},
	Complexity: "O(1)",
	Bind:       command.Bind(parseFTSynUpdate, runFTSynUpdate),
}

type ftSynUpdate struct {
	index, group string
	terms        []string
}

func parseFTSynUpdate(a *args.Parser) ftSynUpdate {
	p := ftSynUpdate{index: a.String(), group: a.String()}
	a.Accept("SKIPINITIALSCAN") // nothing is scanned: queries look for the group's words
	for _, t := range a.Rest() {
		p.terms = append(p.terms, strings.ToLower(string(t)))
	}
	return p
}

func runFTSynUpdate(c *command.Ctx, p ftSynUpdate) error {
	ix, err := c.Catalog.Get(p.index)
	if err != nil {
		return errUnknownIndex
	}
	ix.Search().AddSynonyms(p.group, p.terms)
	c.Tx.Effect(c.Args...)
	c.W.Status("OK")
	return nil
}

var ftSynDumpCommand = &command.Spec{
	Name: "ft.syndump", Arity: 2, Flags: command.ReadOnly | command.Keyless | command.FromModule, Group: command.GroupSearch,
	Since: "1.2.0", Summary: "Dumps the contents of a synonym group",
	Args:       []command.Arg{ftIndexArg},
	Complexity: "O(1)",
	Bind:       command.Bind(parseFTInfo, runFTSynDump),
}

func runFTSynDump(c *command.Ctx, name string) error {
	ix, err := c.Catalog.Get(name)
	if err != nil {
		return errUnknownIndex
	}
	words := ix.Search().Synonyms().Words()
	c.W.Map(len(words))
	for _, w := range sortedKeys(words) {
		c.W.BulkString(w)
		c.W.Array(len(words[w]))
		for _, g := range words[w] {
			c.W.BulkString(g)
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	l := make([]string, 0, len(m))
	for k := range m {
		l = append(l, k)
	}
	slices.Sort(l)
	return l
}

var ftSpellCheckCommand = &command.Spec{
	Name: "ft.spellcheck", Arity: -3, Flags: command.ReadOnly | command.Keyless | command.FromModule, Group: command.GroupSearch,
	Since: "1.4.0", Summary: "Performs spelling correction on a query, returning suggestions for misspelled terms",
	Args: []command.Arg{
		ftIndexArg,
		{Name: "query", Type: "string"},
		{Name: "distance", Type: "integer", Token: "DISTANCE", Optional: true},
		{Name: "terms", Type: "block", Token: "TERMS", Optional: true, Args: []command.Arg{
			oneOf("inclusion", "INCLUDE", "EXCLUDE"), {Name: "dictionary", Type: "string"}, {Name: "terms", Type: "string", Optional: true, Multiple: true},
		}},
		{Name: "dialect", Type: "integer", Token: "DIALECT", Optional: true},
	},
	Complexity: "O(1)",
	Bind:       command.Bind(parseFTSpellCheck, runFTSpellCheck),
}

// maxSpellDistance is RediSearch's.
const maxSpellDistance = 4

const (
	errSpellNoDistance resp.Error = "DISTANCE arg is given but no DISTANCE comes after"
	errSpellDistance   resp.Error = "bad distance given, distance must be a natural number between 1 to 4"
	errSpellTerms      resp.Error = "TERM arg is given but no TERM params comes after"
	errSpellFormat     resp.Error = "bad format, exclude/include operation was not given"
)

type ftSpellCheck struct {
	index            string
	query            []byte
	distance         int
	include, exclude []string
	full             bool // FULLSCOREINFO
	dialect          int
}

func parseFTSpellCheck(a *args.Parser) ftSpellCheck {
	p := ftSpellCheck{index: a.String(), query: a.Bytes(), distance: 1, dialect: 2}
	for a.More() && a.Err() == nil {
		switch {
		case a.Accept("DISTANCE"):
			if !a.More() {
				a.Fail(errSpellNoDistance)
				break
			}
			var err error
			if p.distance, err = strconv.Atoi(a.String()); err != nil || p.distance < 1 || p.distance > maxSpellDistance {
				a.Fail(errSpellDistance)
			}
		case a.Accept("TERMS"):
			if a.Len() < 2 {
				a.Fail(errSpellTerms)
				break
			}
			switch {
			case a.Accept("INCLUDE"):
				p.include = append(p.include, a.String())
			case a.Accept("EXCLUDE"):
				p.exclude = append(p.exclude, a.String())
			default:
				a.Fail(errSpellFormat)
			}
		case a.Accept("FULLSCOREINFO"):
			p.full = true
		case a.Accept("DIALECT"):
			d := a.Int()
			if a.Err() != nil || d < 1 || d > 4 {
				a.Fail(resp.Error("DIALECT requires a non negative integer >=1 and <= 4"))
			}
			p.dialect = int(d)
		default:
			a.Bytes() // RediSearch looks for its options only
		}
	}
	return p
}

func runFTSpellCheck(c *command.Ctx, p ftSpellCheck) error {
	ix, err := openIndex(c, p.index)
	if err != nil {
		return errUnknownIndex
	}
	s := ix.Search()
	q, err := query.Parse(p.query, query.Options{Dialect: p.dialect, StopWord: s.StopWord()})
	if err != nil {
		return resp.Error(err.Error())
	}
	for _, dict := range slices.Concat(p.include, p.exclude) {
		if _, ok := c.Catalog.Dicts.Words(dict); !ok {
			return resp.Error("Dict does not exist: " + dict)
		}
	}
	docs := max(1, s.Len())
	if p.full {
		docs = 1
	}
	body := bodies.Get().(*resp.Writer)
	defer bodies.Put(body)
	body.Reset()
	body.SetProto(c.W.Proto())
	n := 0
	err = eachTerm(q.Root, func(word string, fields []string) error {
		l, known, err := s.Spellings(word, p.distance, fields)
		switch {
		case err != nil:
			return err
		case known:
			if p.full {
				n++
				writeSpelledRight(body, word)
			}
			return nil
		case slices.ContainsFunc(p.exclude, func(dict string) bool { return c.Catalog.Dicts.Has(dict, word) }):
			return nil
		}
		slices.SortStableFunc(l, func(a, b search.Spelling) int { return cmp.Compare(b.Docs, a.Docs) })
		l = append(l, fromDicts(&c.Catalog.Dicts, p.include, word, p.distance, l)...)
		n++
		writeSpellings(body, word, l, docs)
		return nil
	})
	if err != nil {
		return searchError(err)
	}
	w := c.W
	resp3, more := w.Proto() == 3, int(boolInt(p.full))
	if resp3 {
		w.Map(1 + more)
	} else {
		w.Array(n + more)
	}
	if p.full {
		if resp3 {
			w.BulkString("total_docs")
		}
		w.Int(int64(s.Len()))
	}
	if resp3 {
		w.BulkString("results")
		w.Map(n)
	}
	w.Raw(body.Bytes())
	return nil
}

// eachTerm calls f with the words of a query that stand for themselves.
func eachTerm(n *query.Node, f func(word string, fields []string) error) error {
	if n == nil {
		return nil
	}
	words := n.Words
	if n.Kind == query.Term {
		words = []string{n.Text}
	}
	for _, w := range words {
		if err := f(w, n.Fields); err != nil {
			return err
		}
	}
	for _, k := range n.Children {
		if err := eachTerm(k, f); err != nil {
			return err
		}
	}
	return nil
}

// fromDicts are the words of dictionaries that are near to a word and not in l.
func fromDicts(d *catalog.Dicts, names []string, word string, distance int, l []search.Spelling) []search.Spelling {
	var more []search.Spelling
	for _, name := range names {
		words, _ := d.Words(name)
		near := attr.NewLevenshtein(word, distance, false)
		for _, w := range words {
			if _, ok, _ := near.Next(w); !ok {
				continue
			}
			same := func(s search.Spelling) bool { return s.Word == w }
			if !slices.ContainsFunc(l, same) && !slices.ContainsFunc(more, same) {
				more = append(more, search.Spelling{Word: w})
			}
		}
	}
	slices.SortFunc(more, func(a, b search.Spelling) int { return cmp.Compare(a.Word, b.Word) })
	return more
}

func writeSpellings(w *resp.Writer, word string, l []search.Spelling, docs int) {
	if w.Proto() == 3 {
		w.BulkString(word)
		w.Array(len(l))
		for _, s := range l {
			w.Map(1)
			w.BulkString(s.Word)
			w.Double(float64(s.Docs) / float64(docs))
		}
		return
	}
	w.Array(3)
	w.Status("TERM")
	w.BulkString(word)
	w.Array(len(l))
	for _, s := range l {
		w.Array(2)
		w.Double(float64(s.Docs) / float64(docs))
		w.BulkString(s.Word)
	}
}

const spelledRight = "the term exists in the index"

// writeSpelledRight tells of a word that is in the index, with FULLSCOREINFO.
func writeSpelledRight(w *resp.Writer, word string) {
	if w.Proto() == 3 {
		w.BulkString(word)
		w.Error(spelledRight)
		return
	}
	w.Array(3)
	w.Status("TERM")
	w.BulkString(word)
	w.Status(spelledRight)
}
