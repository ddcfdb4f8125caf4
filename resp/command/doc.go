// Package command is the table of commands: a row ([Spec]) says everything
// about a command, [Bind] ties it to its code, and [Ctx] is what that code sees.
//
//	Spec{Name: "get", Arity: 2, Flags: ReadOnly | Fast, Keys: OneKey, …, Bind: Bind(parseGet, runGet)}
//	                    │
//	     parse (pure) → lock the row's keys → run → track, commit → unlock
//
// COMMAND, COMMAND DOCS, arity errors, locking, logging, invalidation and
// index updates all come out of the row; a handler holds none of it.
package command
