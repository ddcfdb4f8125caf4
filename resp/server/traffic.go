package server

import "github.com/nearcache/nearcache/resp/session"

// traffic is what has gone over connections.
type traffic struct{ in, out, reads, writes, commands int64 }

func (t *traffic) add(ses *session.Session, sign int64) {
	t.in += sign * ses.NetIn.Load()
	t.out += sign * ses.NetOut.Load()
	t.reads += sign * ses.Reads.Load()
	t.writes += sign * ses.Writes.Load()
	t.commands += sign * ses.Commands.Load()
}

// traffic is all since the last CONFIG RESETSTAT: of the clients that are there
// and of those that have gone.
func (s *Server) traffic() traffic {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	t := s.stats.mu.gone
	s.env.Clients.Each(func(c *session.Session) { t.add(c, 1) })
	return t
}

// leave takes a client out of the list of those who are there, and counts what it
// has left behind.
func (s *Server) leave(ses *session.Session) {
	if ses.Overflowed() {
		s.stats.Slow.Add(1)
	}
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	s.stats.mu.gone.add(ses, 1)
	s.env.Clients.Remove(ses)
}

// resetTraffic makes traffic begin at zero again.
func (s *Server) resetTraffic() {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	s.stats.mu.gone = traffic{}
	s.env.Clients.Each(func(c *session.Session) { s.stats.mu.gone.add(c, -1) })
}
