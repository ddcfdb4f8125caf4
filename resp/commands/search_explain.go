package commands

import (
	"errors"
	"strings"

	"github.com/nearcache/nearcache/index/query"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/command"
)

var ftExplainArgs = []command.Arg{
	ftIndexArg,
	{Name: "query", Type: "string"},
	{Name: "dialect", Type: "integer", Token: "DIALECT", Optional: true},
}

var explainCommands = []*command.Spec{
	{
		Name: "ft.explain", Arity: -3, Flags: command.ReadOnly | command.Keyless | command.FromModule, Group: command.GroupSearch,
		Since: "1.0.0", Summary: "Returns the execution plan for a complex query",
		Args:       ftExplainArgs,
		Complexity: "O(1)",
		Bind: command.Bind(parseFTSearch, func(c *command.Ctx, p *ftSearch) error {
			tree, err := explainFTSearch(c, p)
			if err == nil {
				c.W.BulkString(tree)
			}
			return err
		}),
	},
	{
		Name: "ft.explaincli", Arity: -3, Flags: command.ReadOnly | command.Keyless | command.FromModule, Group: command.GroupSearch,
		Since: "1.0.0", Summary: "Returns the execution plan for a complex query",
		Args:       ftExplainArgs,
		Complexity: "O(1)",
		Bind: command.Bind(parseFTSearch, func(c *command.Ctx, p *ftSearch) error {
			tree, err := explainFTSearch(c, p)
			if err != nil {
				return err
			}
			lines := strings.Split(tree, "\n")
			c.W.Array(len(lines))
			for _, l := range lines {
				c.W.BulkString(l)
			}
			return nil
		}),
	},
}

// explainFTSearch is the query's tree, without a search.
func explainFTSearch(c *command.Ctx, p *ftSearch) (string, error) {
	defer p.free()
	ix, err := openIndex(c, p.index)
	if err != nil {
		return "", noSuchIndex(p.index)
	}
	p.useDialect(c)
	s := ix.Search()
	q, err := p.parseQuery(s)
	if err != nil {
		return "", err
	}
	tree, err := s.Explain(q, p.o)
	if errors.Is(err, search.ErrClosed) {
		return "", noSuchIndex(p.index)
	}
	if err != nil {
		return "", resp.Error(err.Error())
	}
	return tree, nil
}

// parseQuery reads the query.
func (p *ftSearch) parseQuery(s *search.Index) (*query.Query, error) {
	o := query.Options{Dialect: p.dialect, Params: p.params}
	if !p.noStop {
		o.StopWord = s.StopWord()
	}
	q, err := query.Parse(p.query, o)
	if err != nil {
		return nil, resp.Error(err.Error())
	}
	return q, nil
}
