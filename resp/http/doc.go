// Package http serves the semantic cache to clients that speak HTTP.
//
//	langcache, RedisVL ──► /v1/caches/…                    LangCache's REST API    (langcache.go)
//	openai, any LLM client ──► /v1/chat/completions, …     a caching proxy         (proxy.go)
//	                             │ known? replay            question.go: what is asked, in which scope
//	                             ▼ otherwise                record.go:   what was answered, and may it be kept
//	                           upstream, one request        replay.go:   the same again, as JSON or as a stream
//	                             for all who ask the same
//	operators ──► /health, /metrics, /openapi.json
//
// Each path is a row of the table in routes.go; from it come the handlers, the
// description in OpenAPI and the figures in /metrics.
//
// A cache of the API, and the one of the proxy, is a namespace of package semcache: what
// HTTP stores, SEM.GET finds, and the other way round.
//
// # Who may see what
//
// A Bearer key belongs to a user and has a scope (keys.go). What is stored with it gets
// the pairs of that scope, and nothing is served without them. The names of these pairs
// begin with @, which attributes of clients must not.
//
// # What is never kept
//
// Answers with another status than 200, such that end before their end, were cut
// by a limit, refused or filtered, call tools, or have several choices; requests that
// ask for more than text. A question is the last message of the user; all that is before
// it is its context, which has to be the same, or where the client says so to mean the same, and
// every parameter that could change the answer belongs to its scope. What is kept and cannot be
// replayed is asked of upstream anew.
//
// # Threading
//
// A request is one goroutine of net/http. Nothing is locked while it waits for
// upstream, for a model or for the network: package semcache holds its shard while entries
// are read or written, metrics.go has a mutex of its own, a leaf.
package http
