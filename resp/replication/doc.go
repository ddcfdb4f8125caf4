// Package replication is the stream of a source of replication: what its replicas are
// sent, and how far each of them is. It knows no connection.
//
//	commit ── Append ──► │ block │ block │ block ── offset      Backlog
//	                        ▲               ▲
//	                     Feed of a slow   Feed of one that is up to date
//
// The stream is the commands that repeat each commit, in RESP, as Redis sends them:
// SELECT where the database changes, a commit of several commands between MULTI and
// EXEC. It is the same for all, and its bytes are counted: an offset is how many there
// were. The stream of a replica is that of its master, byte by byte (AppendRaw), and so
// a replica of the one can go on with the other.
//
// A [Backlog] keeps the last bytes for replicas that were cut off, and whatever a [Feed]
// has not been sent; one that lets more wait than it may is told to end.
//
// # Threading
//
// Append is called with shards held, so that a key's changes are in their order, and at
// a cut of the keyspace the offset is that of the cut. It takes the backlog's lock, a
// leaf, to copy at most 64 kB; larger commits are encoded before. Feeds are woken by a
// channel. A block is written at its end only, and what a Feed has been handed is kept
// until it says that it has been sent: it is read without the lock.
package replication
