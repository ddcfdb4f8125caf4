// Package embed turns texts into vectors, for the semantic cache.
//
//	setting embed ──NewSet──► Set ──Find(name)──► Model
//	                                                │ Embed(texts)
//	                       known? ◄── cache ────────┤
//	                       asked for already? ◄─────┤ one flight for a text, whoever asks
//	                                                ▼
//	                                    queue ──batches──► Source: a row of Kinds
//	                                                        lexical   n-grams of letters, no model
//	                                                        openai    any server with /v1/embeddings
//	                                                        local     a model folder (package bert)
//
// Texts of concurrent callers travel together: while a request is under way
// those that come wait for the next one, so nobody waits for a timer.
//
// # Threading
//
// All methods may be called at any time. Model.mu guards cache, queue and
// flights and is a leaf: nothing is computed or sent under it. A Model has up to
// Options.Parallel goroutines while there is something to embed and none
// otherwise; Close ends them. A caller whose context ends goes away at once; what it
// has asked for is finished and cached all the same.
//
// The vectors that are returned are shared: they must not be changed.
package embed
