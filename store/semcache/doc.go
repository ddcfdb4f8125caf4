// Package semcache is the semantic cache: it answers a prompt with the stored
// answer of a prompt that means the same.
//
//	Get ─► normalise ─► exact: one key, one look
//	          │ none
//	          ▼
//	       embed, if no vector was given ─► nearest entries of the same scope and context
//	          │                                │
//	          │                                ▼
//	          │                 judge (package judge): cosine, guards, margin, feedback, own misses → confidence
//	          │ none is sure enough            │
//	          ▼                                ▼
//	       lease: the first caller computes,  answer
//	       the others wait for what it stores
//
// # What is stored where
//
// A namespace is an FT index named sem:{ns} over hash keys sem:{ns}:<id>, and
// nothing else: FT.SEARCH and RedisVL see it, and time to live, eviction,
// persistence and client tracking are those of any key. A namespace lives as long
// as its index does. All keys of a namespace have one hash tag, and so one shard:
// a look-up and what follows from it are one step.
//
// The id is a SHA-256 of scope, context and normalised prompt. So an identical
// prompt finds its entry without any index, nobody can make a prompt that
// falls on another tenant's entry, and storing an answer again replaces it.
// Scope and context together are the entry's partition, a TAG that every
// search filters by, and that is compared once more with the entry that is read. What came before
// a prompt can instead be compared by what it means (context.go).
//
// # Threading
//
// A [Call] carries the Tx of whoever asks. It holds nothing, or all shards (in
// EXEC and scripts); then nothing is embedded and nobody waits. The shard of the
// namespace is held while entries are read or written and never while an index is
// searched, a prompt is judged or a model asked. What was judged is compared
// with what is there when the answer is read.
//
// Locks, all leaves below the shard: Namespace.leases.mu, Namespace.doubts.mu, Cache.deps.mu,
// usage.mu. Whoever waits for a lease waits on a channel, with nothing held.
package semcache
