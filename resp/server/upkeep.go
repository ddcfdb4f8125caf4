package server

import (
	"context"
	"time"
)

// What expires goes in short slices, with a rest after each: others, who may have but
// this one processor, run between them. A slice is longer the later it is, so that a
// crowd of keys that are due at once is gone within about as long as they took to
// become due. Turns of a reactor would be no better: a reactor that has much to do is
// one that the system makes wait for its processor.
const (
	expireKeys  = 64 // at once: some 30 µs
	expireMin   = 100 * time.Microsecond
	expireMax   = 400 * time.Microsecond
	expireLate  = 200 // ms late at which a slice is at its longest
	expireRest  = 100 * time.Microsecond
	expireEvery = 100 * time.Millisecond
	expireSoon  = 2 * time.Millisecond
)

// expireLoop deletes keys whose time has come.
func (s *Server) expireLoop(ctx context.Context) {
	t := time.NewTimer(expireEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if s.expireSlice() {
			t.Reset(expireRest)
			continue
		}
		rest := expireEvery
		if next := s.ks.NextDue(); next != 0 {
			rest = min(max(time.Duration(next-s.ks.Now())*time.Millisecond, expireSoon), expireEvery)
		}
		t.Reset(rest)
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
