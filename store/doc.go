// Package store is the keyspace: sixteen databases of keys with a time to
// live, in 256 shards, and one way to change them.
//
//	Tx (one command or one EXEC)
//	 │ Lock the shards of its keys, ascending
//	 ▼
//	shard: a space for each database · watches
//	 │       table ──► record: header, key, value      outside of the Go heap (package slab)
//	 │       wheel ──► records that have a time to live (package expire)
//	 │       objects   values that do not pack: Go objects
//	 │ every change notes an Event and an effect
//	 ▼
//	Tx.End: one Commit → observers (log, search, tracking, pub/sub), then unlock
//
// What a command sees of a record is an [Entry]. Its value is unpacked when it
// is asked for and stored when the command says that it has changed it
// ([Tx.Changed]): strings and small values of other types stand on the record's
// own bytes in between. The Go heap holds nothing for a key, so a collection does
// not grow with their number. Values that nobody reads are compressed in the
// background (compress.go).
//
// # Threading
//
// Each shard is guarded by a plain mutex. A Tx belongs to one goroutine and
// holds the mutexes of its keys' shards from Lock to End; shards are taken in
// ascending order only, so two Txs cannot deadlock. A Tx that holds all shards
// (FLUSHALL, an EXEC with a command without keys) may visit any of them.
//
// Observers run in End with those mutexes held: they copy what they need,
// queue it, and return; they take only leaf locks and do no I/O. Whatever an
// observer wants done after the unlock but before the client's reply (graph
// insertion) it hands to Commit.Defer.
//
// Memory of records is guarded by its shard, too, and the race detector does
// not see it. What a Tx has freed can be read until its End: keys of events, and
// bytes that came from a value before it was replaced. [Keyspace.Validate] walks
// over all of it.
//
// Expiry is lazy (a look-up deletes what is due) and active (ExpireDue, called
// by the server's ticker); both commit an "expired" event and a DEL effect.
package store
