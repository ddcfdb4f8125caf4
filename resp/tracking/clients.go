package tracking

import (
	"sync"
	"sync/atomic"

	"github.com/nearcache/nearcache/resp/session"
)

// client is the tracking state of a session. Options change only on the
// session's own goroutine; others read them through the atomic pointer.
type client struct {
	s       *session.Session
	number  number // in the records of keys
	options atomic.Pointer[Options]
	broken  atomic.Bool // the redirect's target is gone
	caching atomic.Int32
}

func stateOf(s *session.Session) *client {
	c, _ := s.TrackingState.Load().(*client)
	return c
}

// clients gives numbers to clients. The number of one that has gone stands in
// records until a sweep has been everywhere, and only then goes to another.
type clients struct {
	byNumber atomic.Pointer[[]atomic.Pointer[client]] // replaced by a longer one under mu
	mu       struct {
		sync.Mutex
		free []number
		next number
		gone []number // since the sweep under way began
	}
	sweep struct {
		sync.Mutex
		at   int             // the next stripe, of the pass under way
		gone map[number]bool // what it looks for; nil: none is under way
		list []number
	}
}

// enter gives c a number.
func (cs *clients) enter(c *client) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if n := len(cs.mu.free); n > 0 {
		c.number = cs.mu.free[n-1]
		cs.mu.free = cs.mu.free[:n-1]
	} else {
		c.number = cs.mu.next
		cs.mu.next++
	}
	l := cs.byNumber.Load()
	if l == nil || int(c.number) >= len(*l) {
		longer := make([]atomic.Pointer[client], max(64, 2*int(c.number)))
		if l != nil {
			for i := range *l {
				longer[i].Store((*l)[i].Load())
			}
		}
		l = &longer
		cs.byNumber.Store(l)
	}
	(*l)[c.number].Store(c)
}

// get is the client of a number, nil if it has gone.
func (cs *clients) get(n number) *client { return (*cs.byNumber.Load())[n].Load() }

// leave forgets c; its number is free once it has been swept out.
func (cs *clients) leave(c *client) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	(*cs.byNumber.Load())[c.number].Store(nil)
	cs.mu.gone = append(cs.mu.gone, c.number)
}

// A Sweep looks at about sweepSlots slots of the table, and one that is smaller
// than sweepAtOnce is swept as soon as a client closes.
const (
	sweepSlots  = 1 << 16
	sweepAtOnce = 1 << 12
)

// Sweep takes clients that have closed out of the table, a part of it at each
// call. The server calls it every 100 ms or so: of a million keys nothing is left
// of a client after two seconds, however many it has read, and no client waits
// for that.
func (t *Table) Sweep() {
	cs := &t.clients
	cs.sweep.Lock()
	defer cs.sweep.Unlock()
	if cs.sweep.gone == nil {
		cs.mu.Lock()
		cs.sweep.list, cs.mu.gone = cs.mu.gone, nil
		cs.mu.Unlock()
		if len(cs.sweep.list) == 0 {
			return
		}
		cs.sweep.at, cs.sweep.gone = 0, make(map[number]bool, len(cs.sweep.list))
		for _, n := range cs.sweep.list {
			cs.sweep.gone[n] = true
		}
	}
	for slots := 0; slots < sweepSlots && cs.sweep.at < stripes; cs.sweep.at++ {
		slots += t.keys.drop(&t.keys.stripes[cs.sweep.at], func(n number) bool { return cs.sweep.gone[n] })
	}
	if cs.sweep.at < stripes {
		return
	}
	cs.mu.Lock()
	cs.mu.free = append(cs.mu.free, cs.sweep.list...)
	cs.mu.Unlock()
	cs.sweep.gone, cs.sweep.list = nil, nil
}
