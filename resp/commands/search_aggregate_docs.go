package commands

import (
	"slices"

	"github.com/nearcache/nearcache/resp/command"
)

// The arguments of FT.AGGREGATE's steps for COMMAND DOCS, in the words of RediSearch.
var (
	ftParamsArg = command.Arg{Name: "params", Type: "block", Token: "PARAMS", Optional: true, Args: []command.Arg{
		{Name: "nargs", Type: "integer"},
		{Name: "values", Type: "block", Multiple: true, Args: []command.Arg{{Name: "name", Type: "string"}, {Name: "value", Type: "string"}}},
	}}

	ftStepArgs = []command.Arg{
		{Name: "load", Type: "block", Optional: true, Args: []command.Arg{
			{Name: "count", Type: "string", Token: "LOAD"},
			{Name: "field", Type: "string", Multiple: true},
		}},
		{Name: "groupby", Type: "block", Optional: true, Multiple: true, Args: []command.Arg{
			{Name: "nargs", Type: "integer", Token: "GROUPBY"},
			{Name: "property", Type: "string", Multiple: true},
			{Name: "reduce", Type: "block", Optional: true, Multiple: true, Args: []command.Arg{
				{Name: "function", Type: "string", Token: "REDUCE"},
				{Name: "nargs", Type: "integer"},
				{Name: "arg", Type: "string", Multiple: true},
				{Name: "name", Type: "string", Token: "AS", Optional: true},
			}},
		}},
		{Name: "sortby", Type: "block", Optional: true, Args: []command.Arg{
			{Name: "nargs", Type: "integer", Token: "SORTBY"},
			{Name: "fields", Type: "block", Optional: true, Multiple: true, Args: []command.Arg{
				{Name: "property", Type: "string"},
				{Name: "order", Type: "oneof", Args: []command.Arg{flagArg("asc", "ASC"), flagArg("desc", "DESC")}},
			}},
			{Name: "num", Type: "integer", Token: "MAX", Optional: true},
		}},
		{Name: "apply", Type: "block", Optional: true, Multiple: true, Args: []command.Arg{
			{Name: "expression", Type: "string", Token: "APPLY"},
			{Name: "name", Type: "string", Token: "AS"},
		}},
		{Name: "limit", Type: "block", Optional: true, Args: []command.Arg{
			{Name: "limit", Type: "pure-token", Token: "LIMIT"},
			{Name: "offset", Type: "integer"},
			{Name: "num", Type: "integer"},
		}},
		{Name: "filter", Type: "string", Token: "FILTER", Optional: true},
	}

	ftAggregateArgs = slices.Concat(
		[]command.Arg{
			ftIndexArg,
			{Name: "query", Type: "string"},
			optional(flagArg("verbatim", "VERBATIM")),
			{Name: "scorer", Type: "string", Token: "SCORER", Optional: true},
			optional(flagArg("addscores", "ADDSCORES")),
		},
		ftStepArgs,
		[]command.Arg{
			{Name: "cursor", Type: "block", Optional: true, Args: []command.Arg{
				{Name: "withcursor", Type: "pure-token", Token: "WITHCURSOR"},
				{Name: "read_size", Type: "integer", Token: "COUNT", Optional: true},
				{Name: "idle_time", Type: "integer", Token: "MAXIDLE", Optional: true},
			}},
			{Name: "timeout", Type: "integer", Token: "TIMEOUT", Optional: true},
			ftParamsArg,
			{Name: "dialect", Type: "integer", Token: "DIALECT", Optional: true},
		},
	)
)
