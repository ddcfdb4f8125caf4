package commands

import "github.com/nearcache/nearcache/resp/command"

// The arguments of FT.* for COMMAND DOCS, in the words of RediSearch.
var (
	ftIndexArg = command.Arg{Name: "index", Type: "string"}

	ftCreateArgs = []command.Arg{
		ftIndexArg,
		{Name: "data_type", Type: "oneof", Token: "ON", Optional: true, Args: []command.Arg{flagArg("hash", "HASH"), flagArg("json", "JSON")}},
		ftCounted("prefix", "PREFIX"),
		{Name: "default_lang", Type: "string", Token: "LANGUAGE", Optional: true},
		{Name: "default_score", Type: "double", Token: "SCORE", Optional: true},
		optional(flagArg("maxtextfields", "MAXTEXTFIELDS")),
		{Name: "seconds", Type: "double", Token: "TEMPORARY", Optional: true},
		optional(flagArg("nooffsets", "NOOFFSETS")),
		optional(flagArg("nohl", "NOHL")),
		optional(flagArg("nofields", "NOFIELDS")),
		optional(flagArg("nofreqs", "NOFREQS")),
		ftCounted("stopword", "STOPWORDS"),
		optional(flagArg("skipinitialscan", "SKIPINITIALSCAN")),
		flagArg("schema", "SCHEMA"),
		{Name: "field", Type: "block", Multiple: true, Args: []command.Arg{
			{Name: "field_name", Type: "string"},
			{Name: "alias", Type: "string", Token: "AS", Optional: true},
			{Name: "field_type", Type: "oneof", Args: []command.Arg{
				flagArg("text", "TEXT"), flagArg("tag", "TAG"), flagArg("numeric", "NUMERIC"), flagArg("geo", "GEO"), flagArg("vector", "VECTOR"), flagArg("geoshape", "GEOSHAPE"),
			}},
			optional(flagArg("sortable", "SORTABLE")),
			optional(flagArg("noindex", "NOINDEX")),
		}},
	}

	ftSearchArgs = []command.Arg{
		ftIndexArg,
		{Name: "query", Type: "string"},
		optional(flagArg("nocontent", "NOCONTENT")),
		optional(flagArg("verbatim", "VERBATIM")),
		optional(flagArg("nostopwords", "NOSTOPWORDS")),
		optional(flagArg("withscores", "WITHSCORES")),
		optional(flagArg("withpayloads", "WITHPAYLOADS")),
		optional(flagArg("withsortkeys", "WITHSORTKEYS")),
		{Name: "filter", Type: "block", Token: "FILTER", Optional: true, Multiple: true, MultipleToken: true, Args: []command.Arg{
			{Name: "numeric_field", Type: "string"}, {Name: "min", Type: "double"}, {Name: "max", Type: "double"},
		}},
		{Name: "geo_filter", Type: "block", Token: "GEOFILTER", Optional: true, Multiple: true, MultipleToken: true, Args: []command.Arg{
			{Name: "geo_field", Type: "string"},
			{Name: "lon", Type: "double"},
			{Name: "lat", Type: "double"},
			{Name: "radius", Type: "double"},
			{Name: "radius_type", Type: "oneof", Args: []command.Arg{flagArg("m", "m"), flagArg("km", "km"), flagArg("mi", "mi"), flagArg("ft", "ft")}},
		}},
		ftCounted("key", "INKEYS"),
		ftCounted("field", "INFIELDS"),
		ftCounted("identifier", "RETURN"),
		{Name: "summarize", Type: "block", Token: "SUMMARIZE", Optional: true, Args: []command.Arg{
			ftCounted("field", "FIELDS"),
			{Name: "num", Type: "integer", Token: "FRAGS", Optional: true},
			{Name: "fragsize", Type: "integer", Token: "LEN", Optional: true},
			{Name: "separator", Type: "string", Token: "SEPARATOR", Optional: true},
		}},
		{Name: "highlight", Type: "block", Token: "HIGHLIGHT", Optional: true, Args: []command.Arg{
			ftCounted("field", "FIELDS"),
			{Name: "tags", Type: "block", Token: "TAGS", Optional: true, Args: []command.Arg{{Name: "open", Type: "string"}, {Name: "close", Type: "string"}}},
		}},
		{Name: "slop", Type: "integer", Token: "SLOP", Optional: true},
		{Name: "timeout", Type: "integer", Token: "TIMEOUT", Optional: true},
		optional(flagArg("inorder", "INORDER")),
		{Name: "language", Type: "string", Token: "LANGUAGE", Optional: true},
		{Name: "expander", Type: "string", Token: "EXPANDER", Optional: true},
		{Name: "scorer", Type: "string", Token: "SCORER", Optional: true},
		optional(flagArg("explainscore", "EXPLAINSCORE")),
		{Name: "payload", Type: "string", Token: "PAYLOAD", Optional: true},
		{Name: "sortby", Type: "block", Token: "SORTBY", Optional: true, Args: []command.Arg{
			{Name: "sortby", Type: "string"},
			{Name: "order", Type: "oneof", Optional: true, Args: []command.Arg{flagArg("asc", "ASC"), flagArg("desc", "DESC")}},
		}},
		{Name: "limit", Type: "block", Token: "LIMIT", Optional: true, Args: []command.Arg{
			{Name: "offset", Type: "integer"}, {Name: "num", Type: "integer"},
		}},
		{Name: "params", Type: "block", Token: "PARAMS", Optional: true, Args: []command.Arg{
			{Name: "nargs", Type: "integer"},
			{Name: "values", Type: "block", Multiple: true, Args: []command.Arg{{Name: "name", Type: "string"}, {Name: "value", Type: "string"}}},
		}},
		{Name: "dialect", Type: "integer", Token: "DIALECT", Optional: true},
	}
)

// ftCounted is an option with a count of words and the words.
func ftCounted(name, token string) command.Arg {
	return command.Arg{Name: name, Type: "block", Token: token, Optional: true, Args: []command.Arg{
		{Name: "count", Type: "integer"},
		{Name: name, Type: "string", Multiple: true},
	}}
}
