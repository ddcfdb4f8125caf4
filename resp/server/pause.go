package server

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/session"
)

// pause is CLIENT PAUSE: until when commands wait, and which. Clients whose
// next command must wait look again whenever it changes, and when it ends.
type pause struct {
	until atomic.Int64 // Unix ms, 0 = not paused
	all   atomic.Bool
	mu    struct {
		sync.Mutex
		changed chan struct{} // closed when they are to look again
		timer   *time.Timer   // for the end
	}
}

// set changes the pause; end is called when it may be over.
func (p *pause) set(until int64, all bool, left time.Duration, end func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all.Store(all)
	p.until.Store(until)
	p.lookLocked()
	if p.mu.timer != nil {
		p.mu.timer.Stop()
		p.mu.timer = nil
	}
	if until != 0 {
		p.mu.timer = time.AfterFunc(left, end)
	}
}

// look has all look again.
func (p *pause) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lookLocked()
}

func (p *pause) lookLocked() {
	if p.mu.changed != nil {
		close(p.mu.changed)
		p.mu.changed = nil
	}
}

// await waits for a change, in a goroutine that serves one client, but not for
// long: the client may be killed.
func (p *pause) await() {
	p.mu.Lock()
	if p.mu.changed == nil {
		p.mu.changed = make(chan struct{})
	}
	changed := p.mu.changed
	p.mu.Unlock()
	t := time.NewTimer(100 * time.Millisecond)
	defer t.Stop()
	select {
	case <-changed:
	case <-t.C:
	}
}

// Pause implements command.Server.
func (s *Server) Pause(until int64, all bool) {
	now := s.ks.Now()
	if old := s.pause.until.Load(); old > now { // the stricter and the longer of the two win
		until = max(until, old)
		all = all || s.pause.all.Load()
	}
	s.setPause(until, all)
}

// Unpause implements command.Server.
func (s *Server) Unpause() { s.setPause(0, false) }

func (s *Server) setPause(until int64, all bool) {
	// The clock may be the test's, and may jump: the end is looked for again.
	left := min(time.Duration(max(until-s.ks.Now(), 1))*time.Millisecond, time.Second)
	s.pause.set(until, all, left, func() {
		if s.stopping() {
			return
		}
		if s.pause.until.Load() > s.ks.Now() {
			s.setPause(s.pause.until.Load(), s.pause.all.Load())
		} else {
			s.Unpause()
		}
	})
	s.wakePaused()
}

func (s *Server) wakePaused() {
	s.env.Clients.Each(func(c *session.Session) {
		if c.Paused.Load() {
			c.Wake()
		}
	})
}

// paused reports whether CLIENT PAUSE holds a command back, or the end of the server.
func (s *Server) paused(c *command.Ctx, spec *command.Spec, argv [][]byte) bool {
	if s.ending.holds.Load() && mayWrite(c, spec, argv) {
		return true
	}
	until := s.pause.until.Load()
	if until == 0 || until <= s.ks.Now() || s.stopping() {
		return false
	}
	return (s.pause.all.Load() || mayWrite(c, spec, argv)) && spec.FullName() != "client|unpause"
}

func mayWrite(c *command.Ctx, spec *command.Spec, argv [][]byte) bool {
	const may = command.Write | command.MayReplicate
	if spec.FlagsOf(c, argv)&may != 0 {
		return true
	}
	if spec.Name == "exec" {
		for _, q := range c.Queue.Cmds {
			if q.Flags&may != 0 {
				return true
			}
		}
	}
	return false
}
