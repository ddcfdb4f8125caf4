//go:build linux && !noepoll

package reactor

import (
	"encoding/binary"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/nearcache/nearcache/store/thread"
)

// Pool is a number of reactors that share the connections.
type Pool struct {
	reactors []*reactor
	several  bool           // there are more than one
	awaiting atomic.Int64   // connections that are away after Await
	wg       sync.WaitGroup // of these and of drivers
	watch    watch
}

// scratchSize is about what a socket holds. In front of it stand replies that
// wait, up to as much again; then they are sent.
const scratchSize = 64 << 10

// unsentMost is about how much a socket takes that cannot go onto the network yet, in
// bytes. The kernel would take megabytes, even for a client that reads nothing.
const unsentMost = 128 << 10

// batch is how many connections are taken from the kernel at once.
const batch = 128

// reactor is one loop and its connections. Who runs it, its driver, changes
// when a turn takes too long; all fields but those below the line are the driver's.
type reactor struct {
	pool    *Pool
	ep      int     // the epoll set
	bell    int     // an eventfd in it
	conns   []*Conn // by descriptor
	events  [batch]unix.EpollEvent
	n, at   int      // events fetched, and dealt with
	letters []letter // to deal with, from done on
	done    int
	long    []*Conn // that wait for a turn until all others have had theirs
	longAt  int     // the first of them
	hoards  []*Conn // likewise, after Hoard; the last comes first
	odd     bool    // whose turn it is, of the two
	turn    *Conn   // whose turn it is
	spawned bool    // a goroutine was begun that has not run yet
	seq     uint64
	scratch *Scratch
	out     []byte  // all of what Scratch.Out is the rest of
	owing   []*Conn // have something to send

	// ----
	busy    atomic.Uint64 // seq of the turn that runs, 0 between turns: who clears it is the driver from there on
	seen    uint64        // busy at the last look of the watch, which alone uses it
	asleep  atomic.Bool
	closing atomic.Bool
	load    atomic.Int32 // connections
	mail    struct {
		sync.Mutex
		letters []letter
	}
}

// letter is something to do for the driver.
type letter struct {
	c    *Conn
	what reason
}

type reason uint8

const (
	joins reason = iota // a new connection
	wakes               // Wake was called
	back                // it was away
	ended               // it was away, and is gone
)

// New starts n reactors.
func New(n int) (*Pool, error) {
	p := &Pool{several: n > 1}
	for range n {
		r, err := p.open()
		if err != nil {
			p.Close()
			return nil, err
		}
		p.reactors = append(p.reactors, r)
		p.wg.Go(r.drive)
	}
	p.watch.start(p.reactors)
	return p, nil
}

// lend makes a new scratch.
func (r *reactor) lend() {
	r.out = make([]byte, 0, 2*scratchSize)
	r.scratch = &Scratch{make([]byte, scratchSize), r.out}
}

func (p *Pool) open() (*reactor, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	r := &reactor{pool: p, ep: ep, bell: -1}
	r.lend()
	if r.bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		r.close()
		return nil, os.NewSyscallError("eventfd", err)
	}
	if err := epollAdd(ep, r.bell, unix.EPOLLIN); err != nil {
		r.close()
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	return r, nil
}

func (r *reactor) close() {
	_ = unix.Close(r.ep)
	_ = unix.Close(r.bell)
}

// Close waits until every connection is gone and stops the reactors. Nobody
// may be adopted any more.
func (p *Pool) Close() {
	for _, r := range p.reactors {
		r.closing.Store(true)
		r.ring()
	}
	p.wg.Wait()
	p.watch.stop()
	for _, r := range p.reactors {
		r.close()
	}
}

// Adopt takes a connection over, with its descriptor; nc must not be used any
// more, and is closed. handle is called with the connection before its first
// turn, which comes soon.
func (p *Pool) Adopt(nc net.Conn, handle func(*Conn) Handler) error {
	fd, err := takeOver(nc)
	if err != nil {
		return err
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentMost) // elsewhere than in TCP there is no network
	r := p.reactors[0]
	for _, x := range p.reactors[1:] {
		if x.load.Load() < r.load.Load() {
			r = x
		}
	}
	r.load.Add(1)
	c := &Conn{r: r, fd: fd, long: true}
	c.handler = handle(c)
	r.post(letter{c, joins})
	return nil
}

// takeOver makes a descriptor of its own for the connection, which the
// scheduler's poller does not know: that would wake a thread for each packet.
func takeOver(nc net.Conn) (fd int, err error) {
	defer nc.Close()
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return -1, err
	}
	if e := raw.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) }); e != nil {
		return -1, e
	}
	return fd, os.NewSyscallError("fcntl", err)
}

// post leaves a letter for the driver.
func (r *reactor) post(l letter) {
	r.mail.Lock()
	r.mail.letters = append(r.mail.letters, l)
	r.mail.Unlock()
	if r.asleep.Load() {
		r.ring()
	}
}

// ring ends the driver's sleep. The bell is never read: that it is rung once
// more is an edge too, and it counts to 2^64.
func (r *reactor) ring() {
	if r.asleep.CompareAndSwap(true, false) {
		var one [8]byte
		binary.NativeEndian.PutUint64(one[:], 1)
		_, _ = unix.Write(r.bell, one[:])
	}
}

// drive is the loop, until the reactor closes or the watch gives it to another
// goroutine. What it was at stands in r.
func (r *reactor) drive() {
	for {
		for r.at < r.n {
			ev := &r.events[r.at]
			r.at++
			if int(ev.Fd) == r.bell {
				continue
			}
			if c := r.conns[ev.Fd]; c != nil && !r.dispatch(c, readiness(ev.Events)) {
				return
			}
		}
		if r.collect(); r.over() {
			return
		}
		for r.done < len(r.letters) {
			l := r.letters[r.done]
			r.letters[r.done] = letter{}
			r.done++
			if !r.deal(l) {
				return
			}
		}
		if c := r.next(); c != nil && !r.run(c, c.noted) {
			return
		}
		r.send()
		if r.spawned || r.pool.awaiting.Load() > 0 { // who needs a processor, too
			r.spawned = false
			runtime.Gosched()
		}
		queued := len(r.long)+len(r.hoards) > 0
		if queued || r.pool.several { // these leave clients on this machine no processor of their own
			thread.GiveWay() // those who were served may need this one to ask again
		}
		if r.at, r.n = 0, 0; queued {
			r.n = epollPoll(r.ep, r.events[:])
		} else {
			r.sleep()
		}
	}
}

// enqueue has a connection wait until all others have had their turns.
func (r *reactor) enqueue(c *Conn, why Next, ready Ready) {
	c.queued, c.noted = true, ready
	if why == Hoard {
		r.hoards = append(r.hoards, c)
	} else {
		r.long = append(r.long, c)
	}
}

// next takes one of those out of their queues, of either in turn; nil if there is none.
func (r *reactor) next() (c *Conn) {
	r.odd = !r.odd
	switch k := len(r.hoards); {
	case k > 0 && (r.odd || len(r.long) == 0):
		c = r.hoards[k-1]
		r.hoards[k-1] = nil
		r.hoards = r.hoards[:k-1]
	case len(r.long) > 0:
		c = r.long[r.longAt]
		r.long[r.longAt] = nil
		if r.longAt++; 2*r.longAt >= len(r.long) {
			r.long, r.longAt = r.long[:copy(r.long, r.long[r.longAt:])], 0
		}
	default:
		return nil
	}
	c.queued = false
	return c
}

// collect takes the letters in.
func (r *reactor) collect() {
	if r.done == len(r.letters) {
		r.letters, r.done = r.letters[:0], 0
	}
	r.mail.Lock()
	r.letters = append(r.letters, r.mail.letters...)
	clear(r.mail.letters)
	r.mail.letters = r.mail.letters[:0]
	r.mail.Unlock()
}

// over reports whether the reactor closes and has no more connections.
func (r *reactor) over() bool { return r.closing.Load() && r.load.Load() == 0 }

// sleep waits until somebody is ready or rings.
func (r *reactor) sleep() {
	r.asleep.Store(true)
	r.mail.Lock()
	idle := len(r.mail.letters) == 0 && !r.over()
	r.mail.Unlock()
	if idle {
		r.n = epollWait(r.ep, r.events[:])
	}
	r.asleep.Store(false)
	r.pool.watch.wake() // behind that: it may just have taken the driver for one that sleeps
}

// dispatch gives a connection its turn, or a place in the queue. One that is away is
// told when it comes back. It returns false where the caller is the driver no longer.
func (r *reactor) dispatch(c *Conn, ready Ready) bool {
	if c.owes { // before its next turn; it may be its end
		r.send()
	}
	if c.fd >= len(r.conns) || r.conns[c.fd] != c { // it has gone, or comes only now
		return true
	}
	if c.queued { // its turn comes
		c.noted |= ready
		return true
	}
	for {
		old := c.state.Load()
		if old&away == 0 {
			break
		}
		if c.state.CompareAndSwap(old, old|uint32(ready)) {
			return true
		}
	}
	if c.long {
		r.enqueue(c, Again, ready)
		return true
	}
	return r.run(c, ready)
}

func (r *reactor) run(c *Conn, ready Ready) bool {
	if cap(r.scratch.Out) < scratchSize {
		r.send()
	}
	if ready&Readable != 0 {
		c.long = false
	}
	r.turn = c
	r.seq++
	seq, lent := r.seq, r.scratch
	r.busy.Store(seq) // from here on r may be another's
	next := c.handler.Turn(ready, lent)
	if !r.busy.CompareAndSwap(seq, 0) { // deposed
		c.finish(next)
		return false
	}
	if next == Send {
		c.owes = true
		r.owing = append(r.owing, c)
		return true
	}
	r.follow(c, next)
	return true
}

// follow does what a turn has asked for.
func (r *reactor) follow(c *Conn, next Next) {
	switch next {
	case Again, Hoard:
		c.long = true
		r.enqueue(c, next, 0)
	case Leave, Await:
		c.state.Store(away)
		// A new goroutine waits for this one's processor, which the driver keeps while it sleeps. The driver lets it
		// run; what takes long goes no further than to where any processor takes it from.
		r.spawned = true
		r.pool.wg.Go(func() {
			if next == Leave {
				runtime.Gosched()
			}
			c.finish(next)
		})
	case Gone:
		r.remove(c)
	}
}

// send has those send who have something.
func (r *reactor) send() {
	for i, c := range r.owing {
		r.owing[i] = nil
		c.owes = false
		r.follow(c, c.handler.Send(r.scratch))
	}
	r.owing = r.owing[:0]
	if cap(r.scratch.Out) > cap(r.out) {
		r.out = r.scratch.Out[:0]
	}
	r.scratch.Out = r.out
}

func (r *reactor) deal(l letter) bool {
	c := l.c
	switch l.what {
	case joins:
		for c.fd >= len(r.conns) {
			r.conns = append(r.conns, nil)
		}
		r.conns[c.fd] = c
		if err := epollAdd(r.ep, c.fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP); err != nil {
			c.Abort() // the handler sees it at its first read
			return r.run(c, Readable|HungUp)
		}
		return r.run(c, Woken)
	case wakes:
		c.woken.Store(false)
		return r.dispatch(c, Woken)
	case back:
		return r.run(c, Ready(c.state.Swap(0)&^away))
	case ended:
		r.remove(c)
	}
	return true
}

// remove closes a connection that its handler is done with.
func (r *reactor) remove(c *Conn) {
	r.conns[c.fd] = nil
	c.close()
	r.load.Add(-1)
}
