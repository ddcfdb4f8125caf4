// Package server is the process: listeners, sessions, settings, INFO, and the
// wiring of the keyspace to its observers.
//
//	accept → reactor: a turn reads a pipeline ─► dispatch ─► command row ─► replies ─► flush
//	                                                │
//	                                  arity, auth, memory, pub/sub mode, MULTI, pause
//
// # Threading
//
// One goroutine accepts per listener. Clients are served by reactors, one per
// core (turn.go): a client's commands run in its turns, and the rules for turns
// hold for them (package reactor). Before a pipeline runs, what its keys' look-ups
// will touch is fetched (ahead.go). What would wait leaves its reactor first:
// commands that search or look at the whole keyspace, graph insertions and, under
// appendfsync always, the disk, before replies leave. A client that waits for a
// key, or for the end of CLIENT PAUSE, or that does not read what it is sent,
// simply has no turn until that changes. Elsewhere than on Linux each client has
// a goroutine (goroutine.go), which waits itself; what both have in common is in
// conn.go. See package session for how pushes reach a client.
//
// One goroutine expires keys in short slices (upkeep.go), one looks for clients that are
// silent or slow, and the log has its own. All are started by Run, stopped by its
// context, and waited for before Run returns.
package server
