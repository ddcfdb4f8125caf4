// Package lua is the Lua 5.1 that Redis has, for scripts that come from anybody:
// the same language, the same messages, the same order of pairs, and limits on
// time and memory that hold at every step.
//
//	source ── lexer ── parser + code (one pass) ──► Proto      immutable, shared by all machines
//	                                                  │
//	State: globals, budget, interrupt     Function = Proto + upvalues, or a function of Go
//	  └ Thread: stack of Values, frames ── run: one switch over the instructions
//
// The compiler and the machine follow those of PUC-Rio's Lua 5.1.5 operation by
// operation (see LICENSE in this folder), because what scripts and their tests
// rely on is how that one behaves: the registers decide what an error calls a
// variable, the growth of tables decides what pairs and # find. testdata holds
// some 800 snippets with what a real Redis answers to each.
//
// # Why not a library
//
// gopher-lua 1.1.2 was tried first (resp/resptest/compat compares the two):
//
//   - t[67108863] = 1 is one instruction to it, which allocates 5.9 GB and takes
//     23 s that no context interrupts; a pattern as short as
//     (".-"):rep(7) .. "b" is another one of 3 s. A script could end the server.
//   - Its messages, its number format (2^53 prints as 9007199254740992, in Redis
//     as 9.007199254741e+15) and the order of pairs are others; what cjson.encode
//     makes of the same table would differ from Redis'.
//   - A number is boxed: a loop of 100,000 additions takes 16.7 ms, here 1.3 ms;
//     a machine with the libraries is 782 allocations and 160 µs, here they are
//     shared and the machine is kept.
//
// # Values and memory
//
// A [Value] is two words and never boxes a number. Objects are Go's, and so is
// their collection; what a script holds is measured now and then against a
// [Budget], see memory.go. Anything that allocates by a number that a script
// chooses asks the budget first.
//
// # Errors and calls
//
// There is no panic: what fails returns false and leaves the error in the Thread,
// with all calls as they were, so that whoever catches it (pcall, or the host)
// can still see where it came from. Functions of Go ask for their arguments
// and look at Failed once. Calls of Lua by Lua do not use the stack of Go;
// metamethods, pcall and the like do, up to 200 deep, where Redis has
// "C stack overflow". A coroutine is a Thread of its own that runs on the stack
// of whoever resumes it; it yields by returning.
//
// # What may be shared
//
// A State belongs to one goroutine at a time. Protos, libraries made by
// [Library] and strings made by [Shared] belong to all: nothing ever writes to
// them, neither marks nor remembered hashes, as they are made with both.
//
// # Departures from Redis' Lua
//
//   - string.dump refuses: compiled code is nothing that a script could use.
//   - An error of the reader of load comes back as it was thrown; Redis hands it
//     through its own error handler.
//   - A pattern that backtracks deeper than 20,000 is "too complex".
//   - Strings end at 512 MB.
//   - Addresses in tostring are made up, though each object has one.
package lua
