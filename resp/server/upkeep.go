package server

import (
	"context"
	"time"

	"github.com/nearcache/nearcache/resp/reactor"
)

// What expires goes in short slices, and whoever is served by then waits for one
// of them at most. Where there are reactors they are turns among those of the
// clients: a goroutine beside them would compete for their processors, and the
// system would give it one for milliseconds at a time. A slice grows with how late
// it is, so that a crowd of keys that are due at once is gone within about as long
// as they took to become due.
const (
	expireKeys  = 64 // at once: some 25 µs
	expireMin   = 100 * time.Microsecond
	expireMax   = 400 * time.Microsecond
	expireLate  = 200 // ms late at which a slice is at its longest
	expireRest  = 100 * time.Microsecond
	expireEvery = 100 * time.Millisecond
	expireSoon  = 2 * time.Millisecond
)

// expiry is the turns of expiry: a reactor.Handler.
type expiry struct {
	reactor.Handler // nil: it never leaves, nor sends
	s               *Server
}

// Turn implements reactor.Handler.
func (x expiry) Turn(reactor.Ready, *reactor.Scratch) reactor.Next {
	if !x.s.stopping() && x.s.expireSlice() {
		return reactor.Again
	}
	return reactor.Wait
}

// expireLoop sees that keys are deleted whose time has come.
func (s *Server) expireLoop(ctx context.Context) {
	var turns *reactor.Conn
	if s.reactors != nil {
		turns = s.reactors.Chore(expiry{s: s})
	}
	t := time.NewTimer(expireEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		switch next, now := s.ks.NextDue(), s.ks.Now(); {
		case next == 0:
			t.Reset(expireEvery)
		case next > now:
			t.Reset(min(max(time.Duration(next-now)*time.Millisecond, expireSoon), expireEvery))
		case turns != nil:
			turns.Wake()
			t.Reset(expireSoon)
		case s.expireSlice():
			t.Reset(expireRest)
		default:
			t.Reset(expireSoon)
		}
	}
}

// expireSlice deletes some of what is due, and reports whether more of it may be.
func (s *Server) expireSlice() (more bool) {
	next, now := s.ks.NextDue(), s.ks.Now()
	if next == 0 || next > now {
		return false
	}
	start := time.Now()
	took, end := time.Duration(0), expireMin+time.Duration(min(now-next, expireLate))*(expireMax-expireMin)/expireLate
	for more = true; more && took < end; took = time.Since(start) {
		more = s.ks.ExpireDue(expireKeys) >= expireKeys
	}
	s.stats.ExpireTime.Add(int64(took))
	return more
}

// upkeepEvery is how often the server looks after itself.
const upkeepEvery = 100 * time.Millisecond

func (s *Server) upkeepLoop(ctx context.Context) {
	t := time.NewTicker(upkeepEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		s.env.Catalog.Measure()
		s.env.Catalog.DropIdle()
		s.env.Tracking.Sweep()
		s.env.HotKeys.Tick(s.ks.Now())
		s.measureClients()
		s.ks.Learn()
		s.ks.Maintain()
		s.clock.Set()
		s.stats.tick()
		s.saveTick()
	}
}
