package server

import (
	"context"
	"time"
)

// What expires goes in short slices, and others, who may have but this one processor,
// run between them: after a rest, or, where it is late, as soon as the system has
// had a chance to prefer them. So a crowd of keys that are due at once is gone soon
// after they have become due. Turns of a reactor would be no better: a reactor that
// has much to do is one that the system makes wait for its processor.
const (
	expireKeys  = 64 // at once: some 50 µs
	expireTime  = 100 * time.Microsecond
	expireLate  = 5 // ms, from which on there is no rest
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
		late, more := s.expireSlice()
		for more && late >= expireLate && ctx.Err() == nil {
			yield()
			late, more = s.expireSlice()
		}
		rest := expireEvery
		if more {
			rest = expireRest
		} else if next := s.ks.NextDue(); next != 0 {
			rest = min(max(time.Duration(next-s.ks.Now())*time.Millisecond, expireSoon), expireEvery)
		}
		t.Reset(rest)
	}
}

// expireSlice deletes some of what is due, and tells how late in ms, and whether more
// of it may be.
func (s *Server) expireSlice() (late int64, more bool) {
	next, now := s.ks.NextDue(), s.ks.Now()
	if next == 0 || next > now {
		return 0, false
	}
	start := time.Now()
	took := time.Duration(0)
	for more = true; more && took < expireTime; took = time.Since(start) {
		more = s.ks.ExpireDue(expireKeys) >= expireKeys
	}
	s.stats.ExpireTime.Add(int64(took))
	return now - next, more
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
		s.tickReplicas(time.Now())
		s.ks.Learn()
		s.ks.Maintain()
		s.clock.Set()
		s.stats.tick()
		s.saveTick()
	}
}
