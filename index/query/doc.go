// Package query parses the language of FT.SEARCH: text in, tree out. It knows
// no schema and no index.
//
//	query   ← or [ "=>" "[" KNN k @field $blob {option value} [AS name] "]" [attributes] ]
//	or      ← and { "|" and }
//	and     ← unary { unary }
//	unary   ← ("-" | "~") unary | primary { "=>" "{" attributes "}" }
//	primary ← "(" or ")" | word | word* | *word | *word* | %fuzzy% | "a phrase" | w'wild*card'
//	        | @field[|field]:unary | @field:{tags} | @field:[range] | @field==number | @field:[WITHIN $shape]
//	        | ismissing(@field) | *
//
// The language is that of RediSearch's dialect 2, as which 3 and 4 are read. In
// dialect 1 the alternatives bind tighter than what stands side by side, words
// side by side count as one, and a minus or tilde reaches over what follows:
//
//	and     ← or { or }
//	or      ← unary { "|" unary }
//	unary   ← "-" and | "~" and | words | primary
//
// Differences, each of them lenient where RediSearch refuses:
//
//   - Dialect 1 knows all that dialect 2 does.
//   - Tags need no escaping but for | } and a leading or trailing *; "quoted" tags are literal.
//   - Punctuation inside a quoted phrase separates words, as it does in documents.
//   - The minus before a digit negates, it is never a sign outside [ranges].
//   - * may stand anywhere, not only alone.
//   - A prefix may be one letter long.
//
// As in RediSearch, AND is a word like any other (and a stop word, so that it
// usually does nothing), and a filter of several parts must stand in
// parentheses before =>[KNN].
//
// Hostile input: parsing is linear in the input's length; nesting deeper than
// [MaxDepth] and more than [MaxLeaves] leaves are errors. NUL and invalid UTF-8
// are bytes like others.
//
// A tree is read-only once it is parsed, and may be searched with from several
// goroutines. Vectors in it alias the caller's [Params].
package query
