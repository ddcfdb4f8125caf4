// Package store is the keyspace: sixteen databases of keys with a time to
// live, in 256 shards, and one way to change them.
//
//	Tx (one command or one EXEC)
//	 │ Lock the shards of its keys, ascending
//	 ▼
//	shard: dict of entries · expiry heap · watches      Entry → object.Object (str, hash, …)
//	 │ every change notes an Event and an effect
//	 ▼
//	Tx.End: one Commit → observers (log, search, tracking, pub/sub), then unlock
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
// Expiry is lazy (a look-up deletes what is due) and active (ExpireDue, called
// by the server's ticker); both commit an "expired" event and a DEL effect.
package store
