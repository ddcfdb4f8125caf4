package session

// A command that finds nothing may let its client wait for a key. What the
// parts do, whoever reads the connection:
//
//	the owner    Block in the command; then it runs no command while Blocked,
//	             but goes on reading, to notice a client that hangs up
//	others       Resume, once, with the reply
//	the owner    Proceed before each command: the reply enters Out before any other
//
// Resume wakes the owner, which sends the reply itself, with the same care for
// the log as any other, and runs what has arrived meanwhile. Until Proceed has
// taken the reply, nothing that is behind it is sent.

// MayBlock reports whether there is somebody whom Resume could wake.
func (s *Session) MayBlock() bool { return s.link != nil }

// Block makes the client wait: no further command may run until Resume. Owner only.
func (s *Session) Block() { s.blocked.Store(true) }

// Blocked reports whether the client waits for a key.
func (s *Session) Blocked() bool { return s.blocked.Load() }

// Resume ends a Block with the reply, which may be empty (CLIENT REPLY OFF).
// Whoever calls it has made sure that nobody else does. Locks as for Push.
func (s *Session) Resume(reply []byte) {
	s.box.Lock()
	defer s.box.Unlock()
	if s.box.closed {
		return
	}
	s.box.pending = append(s.box.pending, reply...)
	s.box.resumed = true
	s.hasPending.Store(true)
	s.blocked.Store(false)
	s.Wake()
}

// Proceed is called before each command, and reports whether it may run: false
// while the client waits. The reply of a wait that has ended enters Out. Owner
// only.
func (s *Session) Proceed() bool {
	if s.blocked.Load() {
		return false
	}
	if s.hasPending.Load() {
		s.box.Lock()
		if s.box.resumed {
			s.box.resumed = false
			s.mergeLocked()
		}
		s.box.Unlock()
	}
	return true
}
