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

var ftScoreAsArg = command.Arg{Name: "yield_score_as", Type: "string", Token: "YIELD_SCORE_AS", Optional: true}

var ftHybridArgs = slices.Concat(
	[]command.Arg{
		ftIndexArg,
		{Name: "search", Type: "block", Args: []command.Arg{
			{Name: "query", Type: "string", Token: "SEARCH"},
			{Name: "scorer", Type: "string", Token: "SCORER", Optional: true},
			ftScoreAsArg,
		}},
		{Name: "vsim", Type: "block", Args: []command.Arg{
			{Name: "field", Type: "string", Token: "VSIM"},
			{Name: "vector", Type: "string"},
			{Name: "method", Type: "oneof", Optional: true, Args: []command.Arg{
				{Name: "knn", Type: "block", Args: []command.Arg{
					{Name: "count", Type: "integer", Token: "KNN"},
					{Name: "k", Type: "integer", Token: "K"},
					{Name: "ef_runtime", Type: "integer", Token: "EF_RUNTIME", Optional: true},
				}},
				{Name: "range", Type: "block", Args: []command.Arg{
					{Name: "count", Type: "integer", Token: "RANGE"},
					{Name: "radius", Type: "double", Token: "RADIUS"},
					{Name: "epsilon", Type: "double", Token: "EPSILON", Optional: true},
				}},
			}},
			{Name: "filter", Type: "string", Token: "FILTER", Optional: true},
			ftScoreAsArg,
		}},
		{Name: "combine", Type: "block", Token: "COMBINE", Optional: true, Args: []command.Arg{
			{Name: "method", Type: "oneof", Args: []command.Arg{
				{Name: "rrf", Type: "block", Args: []command.Arg{
					{Name: "count", Type: "integer", Token: "RRF"},
					{Name: "constant", Type: "double", Token: "CONSTANT", Optional: true},
					{Name: "window", Type: "integer", Token: "WINDOW", Optional: true},
				}},
				{Name: "linear", Type: "block", Args: []command.Arg{
					{Name: "count", Type: "integer", Token: "LINEAR"},
					{Name: "alpha", Type: "double", Token: "ALPHA", Optional: true},
					{Name: "beta", Type: "double", Token: "BETA", Optional: true},
					{Name: "window", Type: "integer", Token: "WINDOW", Optional: true},
				}},
			}},
			ftScoreAsArg,
		}},
	},
	ftStepArgs,
	[]command.Arg{
		optional(flagArg("nosort", "NOSORT")),
		ftParamsArg,
		{Name: "timeout", Type: "integer", Token: "TIMEOUT", Optional: true},
		{Name: "format", Type: "string", Token: "FORMAT", Optional: true},
		optional(flagArg("explainscore", "EXPLAINSCORE")),
		{Name: "cursor", Type: "block", Optional: true, Args: []command.Arg{
			{Name: "withcursor", Type: "pure-token", Token: "WITHCURSOR"},
			{Name: "read_size", Type: "integer", Token: "COUNT", Optional: true},
			{Name: "idle_time", Type: "integer", Token: "MAXIDLE", Optional: true},
		}},
	},
)
