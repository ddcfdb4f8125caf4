// Package json is the JSON document: a tree of values in one run of bytes.
//
//	┌──────┬───────┬───────────────────────────────────────────────┐
//	│ root │ waste │ blocks: strings, arrays, objects …            │
//	└──┬───┴───────┴───────────────────────────────────────────────┘
//	   └► word, eight bytes: null, a truth value, an integer of 48 bits, a float,
//	      a string of up to six bytes, or the place of a block
//
//	string  length │ bytes
//	array   length │ room │ word …
//	object  length │ room │ (key word, value word) …  │ index, where there are many
//
// Blocks are named by their offset, so the bytes may lie anywhere: in the record
// of their key while the document is small (object.Packable), on the Go heap, as
// one piece without a pointer, beyond. A change overwrites words and appends
// blocks; what nothing names any more is counted as waste, and [Value.Settle]
// writes the document anew when half of it is that. So every change costs what it
// writes, wherever in the document it is, and a document that is only read is as
// compact as the parser has made it.
//
// An object keeps the order in which its keys came. As in RedisJSON, a key that
// goes leaves its place to the last one, and a key that comes twice in a text has
// the place of the first and the value of the last.
//
// [Node] is a value in a document, for reading. [Path] is a compiled JSONPath in
// the dialect of RedisJSON, [Query] evaluates it, to nodes for who reads and to
// [Match] for who changes. Neither allocates for a path without a filter, once a
// Query is warm.
//
// A Value is guarded by its key's shard; nodes are valid until it changes. Paths
// may be shared, a Query belongs to one goroutine.
//
// No JSONPath library of Go was found to fit: those that are kept (RFC 9535 ones
// and older) walk trees of any, want them rebuilt for each query, know neither
// legacy paths nor what RedisJSON adds and leaves out, and cannot say where in a
// packed document a match lies.
package json
