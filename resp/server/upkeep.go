package server

import (
	"context"
	"time"
)

// What expires goes in short slices: other goroutines, who may have but this one
// processor, run between them. A slice grows with how late it is, so that a
// crowd of keys that are due at once is gone within about as long as they took to
// become due.
const (
	expireMin   = 256 // keys: some 100 µs
	expireMax   = 3000
	expireLate  = 200 // ms late at which a slice is at its largest
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
		t.Reset(s.expireSome())
	}
}

// expireSome deletes a slice of what is due and returns when to go on.
func (s *Server) expireSome() time.Duration {
	next, now := s.ks.NextDue(), s.ks.Now()
	if next != 0 && next <= now {
		start := time.Now()
		late := min(now-next, expireLate)
		limit := expireMin + int(late)*(expireMax-expireMin)/expireLate
		n := s.ks.ExpireDue(limit)
		s.stats.ExpireTime.Add(int64(time.Since(start)))
		if n >= limit {
			return expireRest
		}
		next = s.ks.NextDue()
	}
	if next == 0 {
		return expireEvery
	}
	return min(max(time.Duration(next-s.ks.Now())*time.Millisecond, expireSoon), expireEvery)
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
		s.env.Tracking.Sweep()
		s.env.HotKeys.Tick(s.ks.Now())
		s.measureClients()
		s.ks.Learn()
		s.ks.Maintain()
		s.gc.tune(s.ks.MaxMemory())
		s.clock.Set()
		s.stats.tick()
		s.saveTick()
	}
}
