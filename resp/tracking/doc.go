// Package tracking is CLIENT TRACKING: which client holds a copy of which key,
// and who is told when it changes. See https://redis.io/docs/latest/develop/reference/client-side-caching/.
//
// Default mode: a read registers (key → client); the first change of the key
// sends that client an invalidation and forgets it. Broadcasting mode: a client
// names prefixes and hears of every change below them.
//
// # Order
//
// Read and Committed run under the shard lock of the key. So a read and its
// registration are one step: no change can fall between them. And a change's
// invalidations are queued on the clients before the writer's reply leaves.
// Database numbers are ignored, as in Redis: a key has one shard in all of them.
//
// The table's locks are leaves, taken in this order: stripe, the numbers of clients,
// the session's outbox. Broadcasting has one lock of its own beside them.
package tracking
