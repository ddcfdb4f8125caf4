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

// set changes the pause to what next makes of it, in one step: what comes meanwhile is
// neither lost nor taken for what was there before. end is called when the pause may be over.
func (p *pause) set(now int64, next func(until int64, all bool) (int64, bool), end func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	until, all := next(p.until.Load(), p.all.Load())
	p.all.Store(all)
	p.until.Store(until)
	p.lookLocked()
	if p.mu.timer != nil {
		p.mu.timer.Stop()
		p.mu.timer = nil
	}
	if until != 0 {
		// The clock may be the test's, and may jump: the end is looked for again.
		p.mu.timer = time.AfterFunc(min(time.Duration(max(until-now, 1))*time.Millisecond, time.Second), end)
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

// Pause implements command.Server. The stricter and the longer of two pauses win.
func (s *Server) Pause(until int64, all bool) {
	now := s.ks.Now()
	s.setPause(now, func(old int64, oldAll bool) (int64, bool) {
		if old > now {
			return max(until, old), all || oldAll
		}
		return until, all
	})
}

// Unpause implements command.Server.
func (s *Server) Unpause() {
	s.setPause(s.ks.Now(), func(int64, bool) (int64, bool) { return 0, false })
}

// endPause ends the pause that is over.
func (s *Server) endPause() {
	if s.stopping() {
		return
	}
	now := s.ks.Now()
	s.setPause(now, func(until int64, all bool) (int64, bool) {
		if until > now {
			return until, all
		}
		return 0, false
	})
}

func (s *Server) setPause(now int64, next func(until int64, all bool) (int64, bool)) {
	s.pause.set(now, next, s.endPause)
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
