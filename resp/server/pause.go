package server

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/resp/command"
)

// pause is CLIENT PAUSE: until when commands wait, and which.
type pause struct {
	until atomic.Int64 // Unix ms, 0 = not paused
	all   atomic.Bool
	mu    struct {
		sync.Mutex
		changed chan struct{} // closed when until or all change
	}
}

func (p *pause) set(until int64, all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all.Store(all)
	p.until.Store(until)
	if p.mu.changed != nil {
		close(p.mu.changed)
		p.mu.changed = nil
	}
}

func (p *pause) wait() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.changed == nil {
		p.mu.changed = make(chan struct{})
	}
	return p.mu.changed
}

// Pause implements command.Server.
func (s *Server) Pause(until int64, all bool) {
	if now := s.ks.Now(); s.pause.until.Load() > now { // the stricter and the longer of the two win
		until = max(until, s.pause.until.Load())
		all = all || s.pause.all.Load()
	}
	s.pause.set(until, all)
}

// Unpause implements command.Server.
func (s *Server) Unpause() { s.pause.set(0, false) }

// waitWhilePaused holds a command back as long as CLIENT PAUSE says.
func (s *Server) waitWhilePaused(c *command.Ctx, spec *command.Spec) {
	for s.pause.until.Load() != 0 {
		changed := s.pause.wait()
		left := s.pause.until.Load() - s.ks.Now()
		if left <= 0 || !s.pause.all.Load() && !mayWrite(c, spec) || s.stopping() || c.S.Killed() || spec.FullName() == "client|unpause" {
			return
		}
		c.S.Paused.Store(true)
		t := time.NewTimer(min(time.Duration(left)*time.Millisecond, 100*time.Millisecond))
		select {
		case <-changed:
		case <-t.C:
		}
		t.Stop()
		c.S.Paused.Store(false)
		c.Now = s.ks.Now()
	}
}

func mayWrite(c *command.Ctx, spec *command.Spec) bool {
	const may = command.Write
	if spec.Flags&may != 0 || spec.Name == "publish" || spec.Name == "spublish" {
		return true
	}
	if spec.Name == "exec" {
		for _, q := range c.Queue.Cmds {
			if mayWrite(c, q.Spec) && q.Spec.Name != "exec" {
				return true
			}
		}
	}
	return false
}
