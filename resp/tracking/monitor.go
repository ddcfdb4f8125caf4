package tracking

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/session"
)

// monitors are the sessions that TRACKING.MONITOR shows what happens, a line each, as
// MONITOR shows commands:
//
//	+1339518083.107412 [7 127.0.0.1:60866] "track" "user:1"
//	+1339518083.207415 [7 127.0.0.1:60866] "invalidate" "user:1" "set"
//
// In brackets are the id and address of the client that holds the copy; the last
// word says why it has died: the event of the write, "flush", or "limit" where the
// table has no room.
type monitors struct {
	n  atomic.Int64
	mu struct {
		sync.Mutex
		on map[*session.Session]struct{}
	}
}

// Monitor shows s what happens from now on, until it closes.
func (t *Table) Monitor(s *session.Session) {
	m := &t.monitors
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, on := m.mu.on[s]; on {
		return
	}
	if m.mu.on == nil {
		m.mu.on = map[*session.Session]struct{}{}
	}
	m.mu.on[s] = struct{}{}
	m.n.Add(1)
}

// Unmonitor ends Monitor.
func (t *Table) Unmonitor(s *session.Session) {
	m := &t.monitors
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, on := m.mu.on[s]; on {
		delete(m.mu.on, s)
		m.n.Add(-1)
	}
}

// show shows what has happened to a copy of c. It costs one load where nobody looks.
func (t *Table) show(c *client, what, key, why string) {
	m := &t.monitors
	if m.n.Load() == 0 {
		return
	}
	now := time.Now()
	line := fmt.Appendf(nil, "+%d.%06d [%d %s] %q", now.Unix(), now.Nanosecond()/1000, c.s.ID, c.s.Addr, what)
	if key != "" {
		line = append(line, ' ')
		line = resp.AppendQuoted(line, key)
	}
	if why != "" {
		line = strconv.AppendQuote(append(line, ' '), why)
	}
	line = append(line, "\r\n"...)
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range m.mu.on {
		s.Push(line)
	}
}
