// Package reactor runs many connections on few goroutines, on Linux. It knows
// file descriptors and turns, nothing of what is said on them.
//
//	            ┌────────────── a reactor ───────────────┐
//	sockets ──► │ epoll: who is ready?                   │
//	            │ letters: who was woken, joins, is back?│ ──► Handler.Turn ──► Wait, Again, Gone
//	            └────────────────────────────────────────┘      │ Leave │ Send
//	                                                            │       └──► when all had their turns: Handler.Send
//	                                                            └──► a goroutine: Handler.Away ──► back
//
// A connection belongs to one reactor from [Pool.Adopt] to its end. Whenever
// there may be something to do for it, it gets a turn: its [Handler] reads what
// is there, works, and returns. What it has to send goes when all that were ready
// have had their turns: each packet may wake a thread on the other side, which on
// the same machine costs more than the packet, and who is sent several in a row
// is woken once. Beside a goroutine for each connection
// that saves, per request, a read that finds nothing, two switches of goroutine
// and the scheduler's bookkeeping around each system call; and connections are
// served in the order in which they became ready, so that their p99 is that of
// a short queue. An idle connection has no stack and no buffers.
//
// Who needs more than a turn, or did the last time, or asks for the first time and
// may be anybody, waits in a queue: between two turns of these all others have theirs,
// so that a thousand that ask for much delay one that asks for little by one turn.
// Those whose client takes nothing and who go on nevertheless (Hoard) pile up what
// they have for it. They have every other of these turns, the one that began last
// until it is done: the memory is that of one of them rather than of all. And a socket
// is given no more than the network takes soon.
//
// # Threading
//
// A reactor's loop is run by one goroutine, its driver. The driver owns the
// reactor's fields and runs the turns. Others only leave letters ([Conn.Wake]),
// under a leaf lock, and ring an eventfd where the driver sleeps.
//
// Turns must not wait: for a disk, a lock that is held for long, a client that
// reads slowly. What may take time is done in [Handler.Away], after a turn that
// returned Leave or Await, by a goroutine of its own. Meanwhile the connection is away:
// the driver only notes what becomes ready, and gives it the turn when it is back.
//
// What takes long unexpectedly is noticed by the watch, which looks at all
// reactors every 10 ms. A turn that was running at the last look already has its
// driver deposed: a new driver goes on with the reactor, and the connection is
// away in the hands of the old one, which finds out when the turn ends. The word
// busy decides: the driver sets it before a turn and clears it after, the watch
// clears it to depose; whoever's compare-and-swap wins is the one. So no more
// than 20 ms of one connection's work delay another, and no command has to be
// known as a slow one.
//
// A driver with nothing to do sleeps in epoll_wait, as a thread that the Go
// scheduler sees in a system call. That costs a fraction of parking a goroutine,
// but keeps a P (a place among GOMAXPROCS) occupied for up to 10 ms if nobody
// needs it, and sometimes if somebody does, with the goroutines in its queue: give
// the process a P more for each reactor, and for each thread with work that goes
// on. Where there are several reactors a driver offers its processor to whoever
// waits for it before it sleeps: a client on the same machine would wait for the
// end of the thread's turn otherwise, a millisecond or more. The calls of a turn
// are made without telling the scheduler at all: they do not block.
//
// Descriptors are registered once, edge-triggered, for everything: no further
// epoll_ctl is needed. A handler must therefore read until nothing is left, or
// ask for another turn.
package reactor

// Handler is what a connection is for. Its methods are never called by two
// goroutines at once.
type Handler interface {
	// Turn does what there is to do, without waiting for anything, and says what
	// is next. It must read until nothing is left, or ask for another turn: who
	// was told that bytes are there is not told again.
	Turn(Ready, *Scratch) Next
	// Send is called after a turn that ended in Send, before any other. It must
	// not wait either.
	Send(*Scratch) Next
	// Away is called after a turn that ended in Leave or Await, by a goroutine that may
	// take its time.
	Away() Next
}

// Scratch is memory that is lent: In for a turn, Out until Send returns. What
// comes in and goes out is nearly always gone then, so the connections of a
// reactor share it, and it stays in the processor's cache. A turn that ends in
// Send cuts off the front of Out what it keeps; Send may replace Out by a larger
// piece.
type Scratch struct{ In, Out []byte }

// Ready says why a connection has a turn.
type Ready uint32

// The reasons.
const (
	Readable Ready = 1 << iota
	Writable
	HungUp // the other side has ended it, perhaps with bytes before the end
	Woken  // Wake was called
)

// Next is what a connection does after a turn.
type Next uint8

// What there is.
const (
	Wait  Next = iota // for something to happen
	Again             // another turn, after the others'
	Hoard             // likewise, though its client takes nothing
	Send              // Handler.Send, after the others' turns
	Leave             // go on in Away, with what takes a processor long
	Await             // likewise, to wait for something that comes soon
	Gone              // be closed
)
