// Package hotkeys finds the keys that take most processor time, or most bytes on
// the wire, while somebody asks for it: HOTKEYS, as Redis 8.6 has it.
//
//	HOTKEYS START ──► Tracker ──► Session: a top per metric ──► HOTKEYS GET
//	                     ▲
//	command.Ctx.Run: one atomic load while nothing is tracked
//
// The keys of a metric are found with Space-Saving (Metwally, Agrawal and El
// Abbadi, 2005): a fixed number of counters, of which a key that has none takes
// the smallest over. A key that makes more than one part in [countersPer] times
// COUNT of the whole cannot be missed. Redis has a Cuckoo Heavy Keeper in the
// place; what is answered has the same form.
//
// A Session is guarded by a mutex of its own, a leaf: nothing is locked under it.
package hotkeys
