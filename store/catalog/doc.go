// Package catalog attaches search indexes to the keyspace: it holds the
// definitions that FT.CREATE has made, follows every commit, and fills a new
// index from the keys that exist already.
//
//	Commit ─► Catalog.Committed: which indexes does the key belong to?
//	            │  copy the fields the schema names (of JSON: what lies at its paths),
//	            │  under the shard lock
//	            ▼
//	          job (store.Deferred): search.Index.Put / Delete, after the unlock,
//	          before the client's reply leaves
//
// A [Document] is the other way: what a reply or an expression reads of a key.
//
// Jobs of one key may run in any order: each carries its commit's number, and
// the search index ignores what is older than what it has.
//
// # Threading
//
// The set of indexes is an immutable snapshot behind an atomic pointer; mu is
// taken to change it, and is a leaf: FT.CREATE, FT.DROPINDEX and FLUSHALL take
// it with all shards held. A dropped index is closed in the background, once
// the searches that use it have ended (search.Index.Close waits for them).
package catalog
