package server

import (
	"context"
	"time"

	"github.com/nearcache/nearcache/resp/session"
)

// handshakeTime is how long a client may take until it has authenticated, and
// strangerWrite how long it may refuse to read until then.
const (
	handshakeTime = 60 * time.Second
	strangerWrite = time.Second
)

// sweepEvery is how often clients are looked at that do nothing.
const sweepEvery = 500 * time.Millisecond

func (s *Server) sweepLoop(ctx context.Context) {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			s.sweep(time.Now()) // the tick may be an old one
		}
	}
}

// sweep closes clients that take too long to say who they are, are silent for
// longer than the setting timeout allows, or let too much wait for too long.
func (s *Server) sweep(now time.Time) {
	silence, ms := s.cfg.Timeout().Milliseconds(), s.ks.Now()
	s.env.Clients.Each(func(c *session.Session) {
		switch {
		case c.Replica.Load(): // see tickReplicas
		case !c.Authed.Load():
			stalled := c.StalledAt.Load()
			if now.Sub(c.Created) > handshakeTime || stalled != 0 && now.Sub(time.UnixMilli(stalled)) > strangerWrite {
				c.Kill()
			}
		case silence > 0 && ms-c.LastUse.Load() > silence && !c.InPubSub() && !c.Monitoring.Load() && !c.Blocked():
			c.Kill()
		default:
			c.Sweep(now)
		}
	})
}
