// Package blocking knows which clients wait for which keys: BLPOP and its kin,
// BZPOPMIN, XREAD BLOCK.
//
//	BLPOP k 0   finds nothing ── Ctx.Block ──► Table: k → waiters, first come first served
//	                                               │
//	RPUSH k a   run → wake: which keys of my changes are waited for?
//	              │         run BLPOP again, as the client that waits, in the same Tx
//	              │         its reply → Session.Resume
//	            commit, unlock, reply 1
//
// # How a command waits
//
// A handler that finds nothing writes no reply and ends with
//
//	if !c.MayBlock() { // in EXEC and in scripts nothing waits
//		c.W.NullArray()
//		return nil
//	}
//	return c.Block(command.Wait{Keys: keys, Type: object.List, Timeout: ms})
//
// From then on the session runs no command of its client ([session.Session.Proceed]).
// When one of the keys has a value of the type, whoever made it so runs the row
// again, with the same arguments, as the client that waits: the handler finds
// something and replies, fails (a destination of another type) and that is the
// reply, or calls Block again and goes on waiting, behind the others. It cannot
// tell the second run from the first, and names the effect for the log as ever.
//
// Nothing but the handler knows what it waits for, so everything that makes a
// key exist wakes: pushes, RENAME, COPY, MOVE, RESTORE, SORT STORE. A flush, or
// a swap of databases committed as one, looks at every key waited for. Where time
// alone can bring something (XREADGROUP CLAIM), the handler says when to look again.
//
// A wait ends once: by a reply; after Timeout ms with the null array; by CLIENT
// UNBLOCK with that or an error; or because the client is gone.
//
// # Order
//
// As in Redis: clients are served after a whole command or EXEC, keys in the
// order in which they were first changed, the clients of a key in the order in
// which they began to wait. A client that waits for several keys looks at them
// in the order of its arguments. What serving changes wakes others, after the
// keys that were ready before.
//
// Of consumers that wait for what their group has not read, one that finds nothing
// speaks for the others of its group ([command.Wait].Share): they keep their places.
//
// All of that is one moment for everybody else, because the shards stay
// locked. Shards are only taken in ascending order, so those that a waiter needs
// beside the key that wakes it must be held before the command begins: a
// command that writes takes, beside its own, the shards of the wide waiters of
// its keys ([Table.Widen]). A waiter is wide where its command names keys of
// several shards; where it names a key that it does not wait for (the
// destination of BLMOVE) it asks for all shards, since what it writes may wake
// anybody.
//
// Each waiter's changes are a commit of their own, with its client as the
// origin, behind the one that woke it.
//
// Keys can also change without a command: they expire, are evicted. Then, or
// where a shard is not held after all (a read that finds a key expired), the
// waiters are served a moment later, with all shards held ([Table.Committed]).
//
// # Threading
//
// Table.mu guards the queues and Waiter.mu the one question whether a wait has
// ended; it is held while the waiter's command runs again, so that a timeout or
// CLIENT UNBLOCK comes before or after, never in between. Order: shards,
// Waiter.mu, Table.mu, the session's outbox. A timeout is a runtime timer; no
// goroutine sleeps for a client that waits, where reactors serve them.
package blocking
