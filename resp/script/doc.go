// Package script has the scripts and function libraries of a server and runs
// them: EVAL, SCRIPT, FUNCTION and FCALL, without the commands themselves.
//
//	EVALSHA sha 1 k a ── cache: sha → Script ──┐
//	FCALL f 1 k a ─── libraries: name → Func ──┤
//	                                           ▼
//	machine (pooled): lua.State ── redis.call ──► Host.Do ── the command, in the same Tx
//	                       │                                        │
//	            what it returns ──► reply        its reply (RESP) ──┘ ──► values of Lua
//
// The package knows neither keys nor the command table: a [Host] runs commands
// for it. Texts, conversions and the order of checks are Redis', letter by letter;
// a script that runs on Redis runs here.
//
// # Which keys a script may use
//
// In Redis a script may use any key, though its documentation wants all of them
// declared; Redis has one thread and does not care. Here a script that
// holds only the shards of its keys runs beside others. Whether it may is
// decided before it runs, from its code ([Plan]): where each command
// that it calls is named by a constant, and each key is an element of KEYS, or a
// constant, it takes these. Everything else takes all shards, and with them
// the time of all others, as in Redis. There is no third case: nothing is
// started again, nothing waits for a second lock while it holds the first, and
// so nothing deadlocks and nothing is seen half done. A command that would
// touch a shard which is not held after all is refused.
//
// A script is one Tx: one moment for all others, one commit, one record in the
// log, which holds the effects of its commands and not the script.
//
// # Scripts that take long
//
// The machine asks every few thousand steps whether it may go on. After
// busy-reply-threshold it lends its shards ([store.Tx.Lend]): whoever wants
// one of them is answered BUSY, and who wants others is not concerned. SCRIPT KILL and
// FUNCTION KILL end scripts that are that late and have not written. Whoever
// shuts the server down ends all of them; what they have written by then is
// neither taken back nor logged, as when Redis is told SHUTDOWN NOSAVE.
//
// All machines together may hold script-memory-limit bytes; a script that wants
// more ends with "not enough memory".
//
// # What lives how long
//
// Machines, their stacks and their tables of globals are kept for the next
// script; libraries of Lua are shared by all of them and never change. A script
// of EVAL leaves nothing behind, so its KEYS and ARGV are those of the client's
// own buffer, without a copy.
//
// A library of functions keeps what its functions share (upvalues), as in
// Redis. Where there is such a thing its calls come one after the other;
// functions that share nothing but functions and constants run beside each other.
//
// # Threading
//
// Engine.mu guards the cache and the libraries; it is held for look-ups and
// changes, never while a script runs. A library with state of its own has a mutex
// that is taken when the shards are held, and whose holder takes no lock. A run
// belongs to its session's goroutine; others see only what is atomic in it.
package script
