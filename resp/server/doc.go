// Package server is the process: listeners, sessions, settings, INFO, and the
// wiring of the keyspace to its observers.
//
//	accept → conn.serve: read a pipeline ─► dispatch ─► command row ─► replies ─► flush
//	                                           │
//	                             arity, auth, memory, pub/sub mode, MULTI, pause
//
// # Threading
//
// One goroutine accepts per listener, one serves each client, one expires keys
// ten times a second, and the log has its own. All are started by Run, stopped
// by its context, and waited for before Run returns. See package session for
// how pushes reach a client that sleeps.
package server
