package session

import "time"

// Limits are what may wait for a client that does not read, by what it is.
type Limits struct {
	Normal Limit // replies
	Push   Limit // messages and invalidations
	Stream Limit // of replication
}

// Limit is a row of client-output-buffer-limit: a client is closed when more
// than Hard bytes wait for it, or more than Soft for longer than For. Zero means
// no limit.
type Limit struct {
	Hard, Soft int
	For        time.Duration
}

var unlimited Limits

func (s *Session) limit() *Limits {
	if s.limits != nil {
		if l := s.limits.Load(); l != nil {
			return l
		}
	}
	return &unlimited
}

// ReplyLimit is how many bytes of replies may wait for the client, 0 for no
// limit: then no more of its commands are run until it reads.
func (s *Session) ReplyLimit() int { return s.limit().Normal.Hard }

// Sweep kills a client that is over a soft limit for too long. It is called from
// time to time, by one goroutine.
func (s *Session) Sweep(now time.Time) {
	l := s.limit()
	if s.softPush.tooLong(l.Push, s.PendingLen, now) || s.softReply.tooLong(l.Normal, s.UnsentLen, now) {
		s.Overflow()
	}
}

// overSince is since when a soft limit has been passed.
type overSince time.Time

func (o *overSince) tooLong(l Limit, size func() int, now time.Time) bool {
	if l.Soft <= 0 || size() <= l.Soft {
		*o = overSince{}
		return false
	}
	if time.Time(*o).IsZero() {
		*o = overSince(now)
	}
	return now.Sub(time.Time(*o)) > l.For
}
