//go:build linux && !noepoll

package reactor

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// spread decides how many of the reactors serve. Each that does wakes and sleeps on its
// own, and takes a processor from who asks where both are on one machine: where one
// suffices it serves more for the same time of the processor, and in better order. So
// another joins only when those that serve are at their end, or well in use while
// processors are idle; and when the work would fit fewer, the last one leaves. The
// connections are shared anew among those that serve.
type spread struct {
	pool  *Pool
	stat  *os.File        // the system's use of its processors
	last  sample          // the last look's
	slept []time.Duration // of each reactor, likewise
	full  int             // looks in a row at which more were wanted
	slack int             // and at which fewer would have done
}

// sample is what has been used until a moment.
type sample struct {
	at   time.Duration // since the program's start
	own  time.Duration // the processor time of this process
	idle time.Duration // that nobody used, of all processors
}

const (
	spreadEvery = 100 * time.Millisecond

	atEnd  = 0.98 // how much of the time a reactor is awake that can do no more
	inUse  = 0.6  // and one that others may help, if processors are idle
	idling = 0.5  // processors

	fullLooks  = 2
	slackLooks = 4
)

func newSpread(p *Pool) *spread {
	s := &spread{pool: p, slept: make([]time.Duration, len(p.reactors))}
	s.stat, _ = os.Open("/proc/stat") // where it cannot be read none counts as idle
	return s
}

func (s *spread) close() { _ = s.stat.Close() }

// look decides, spreadEvery after it did last.
func (s *spread) look() {
	if now := sinceStart(); now-s.last.at < spreadEvery {
		return
	}
	was, now := s.last, s.sample()
	s.last = now
	long := now.at - was.at
	n := int(s.pool.serving.Load())
	busiest := 0.0
	for i, r := range s.pool.reactors {
		slept := r.sleptUntil(now.at)
		if i < n {
			busiest = max(busiest, 1-part(slept-s.slept[i], long))
		}
		s.slept[i] = slept
	}
	own := part(now.own-was.own, long)
	idle := min(part(now.idle-was.idle, long), float64(processors)-own)
	if long > 2*spreadEvery { // there was nothing to look at
		s.full, s.slack = 0, 0
	} else if want := s.want(n, busiest, own, idle); want != n {
		s.serve(want)
	}
}

// want is how many of the reactors should serve where n do, of which one was awake for
// the part busiest of the time, the process used so many processors, and so many were idle.
func (s *spread) want(n int, busiest, own, idle float64) int {
	most := inUse - 0.1 // of a processor, for a reactor where fewer serve
	if idle < idling/2 {
		most = atEnd - 0.08
	}
	fewer := max(int(own/most)+1, 1)
	s.full = again(s.full, n < len(s.slept) && (busiest > atEnd || busiest > inUse && idle > idling))
	s.slack = again(s.slack, fewer < n)
	switch {
	case s.full >= fullLooks:
		n++
	case s.slack >= slackLooks:
		n = fewer
	default:
		return n
	}
	s.full, s.slack = 0, 0
	return n
}

// part is what d is of long.
func part(d, long time.Duration) float64 { return float64(d) / float64(long) }

func again(n int, so bool) int {
	if so {
		return n + 1
	}
	return 0
}

// serve has the first n reactors serve.
func (s *spread) serve(n int) {
	s.pool.serving.Store(int32(n))
	for _, r := range s.pool.reactors {
		r.post(letter{what: shares})
	}
}

func (s *spread) sample() sample {
	now := sample{at: sinceStart()}
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) == nil {
		now.own = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	var b [256]byte
	if k, _ := s.stat.ReadAt(b[:], 0); k > 0 {
		now.idle = idleTime(b[:k])
	}
	return now
}

// idleTime reads what /proc/stat begins with: "cpu", and hundredths of a second of
// all processors in user, nice, system, idle, …
func idleTime(stat []byte) time.Duration {
	f := bytes.Fields(stat)
	if len(f) < 5 {
		return 0
	}
	n, _ := strconv.ParseInt(string(f[4]), 10, 64)
	return time.Duration(n) * (time.Second / 100)
}

var (
	started    = time.Now()
	processors = runtime.GOMAXPROCS(0) // that this process may use; a program may set more places later
)

func sinceStart() time.Duration { return time.Since(started) }

// sleptUntil is how long the reactor has slept in all.
func (r *reactor) sleptUntil(now time.Duration) time.Duration {
	d := time.Duration(r.slept.Load())
	if began := time.Duration(r.dozed.Load()); began != 0 {
		d += max(now-began, 0)
	}
	return d
}

// fewest is the reactor with the fewest connections, of those that serve.
func (p *Pool) fewest() *reactor {
	serving := p.reactors[:p.serving.Load()]
	r := serving[0]
	for _, x := range serving[1:] {
		if x.load.Load() < r.load.Load() {
			r = x
		}
	}
	return r
}

// serves reports whether the reactor is one of those that serve.
func (r *reactor) serves() bool { return r.number < int(r.pool.serving.Load()) }

// share gives connections to reactors that have fewer as long as there are such, at first
// every other one; of a reactor that does not serve, all. Those that are away, or wait for a
// turn, stay for now. After a batch those have their turns who are ready.
func (r *reactor) share() {
	r.sharing = false
	keep := r.serves()
	left := batch
	for skipped := range 2 {
		for i, c := range r.conns {
			if c == nil || i%2 == skipped || c.owes || c.queued || c.state.Load()&away != 0 {
				continue
			}
			to := r.pool.fewest()
			if to == r || keep && to.load.Load()+1 >= r.load.Load() || !r.hand(c, to) {
				return
			}
			if left--; left == 0 {
				r.sharing = true
				return
			}
		}
	}
}

// hand gives a connection to another reactor, where it has a turn first: letters that are
// under way to this one need not follow it.
func (r *reactor) hand(c *Conn, to *reactor) bool {
	to.load.Add(1)
	if to.closing.Load() || unix.EpollCtl(r.ep, unix.EPOLL_CTL_DEL, c.fd, nil) != nil {
		to.load.Add(-1)
		to.ring()
		return false
	}
	r.conns[c.fd] = nil
	to.mail.Lock()
	c.r.Store(to) // who wakes it from here on is heard after it has come
	to.mail.letters = append(to.mail.letters, letter{c, joins})
	to.mail.Unlock()
	if to.asleep.Load() {
		to.ring()
	}
	r.load.Add(-1)
	return true
}
