package hotkeys

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Metrics say what is measured.
type Metrics uint8

// The metrics.
const (
	CPU Metrics = 1 << iota
	Net
)

// Options are those of HOTKEYS START.
type Options struct {
	Metrics  Metrics
	Count    int   // how many keys are asked for
	Duration int64 // ms; 0 until it is stopped
	Sample   int   // one command in so many is looked at
	User     time.Duration
	Sys      time.Duration // processor time of the process at the start
}

// Tracker holds the session there is, at most one. The zero value is ready.
type Tracker struct {
	active atomic.Pointer[Session]
	mu     struct {
		sync.Mutex
		last *Session // the active one, or one that has been stopped
	}
}

// Active is the session that measures now, nil if there is none.
func (t *Tracker) Active() *Session { return t.active.Load() }

// Start begins a session; false where one is active.
func (t *Tracker) Start(o Options, now int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.active.Load() != nil {
		return false
	}
	s := &Session{Options: o, Began: now}
	if o.Metrics&CPU != 0 {
		s.mu.cpu = newTop(o.Count)
	}
	if o.Metrics&Net != 0 {
		s.mu.net = newTop(o.Count)
	}
	t.mu.last = s
	t.active.Store(s)
	return true
}

// Stop ends the session; its report stays. It returns false where none is active.
func (t *Tracker) Stop(now int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stopLocked(now)
}

func (t *Tracker) stopLocked(now int64) bool {
	s := t.active.Swap(nil)
	if s == nil {
		return false
	}
	s.mu.Lock()
	s.mu.ended = now
	s.mu.Unlock()
	return true
}

// Tick ends a session whose duration is over.
func (t *Tracker) Tick(now int64) {
	if s := t.active.Load(); s != nil && s.Duration > 0 && now-s.Began >= s.Duration {
		t.Stop(now)
	}
}

// Reset forgets the session that was stopped; false where one is active.
func (t *Tracker) Reset() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.active.Load() != nil {
		return false
	}
	t.mu.last = nil
	return true
}

// Report tells what the session has measured; ok is false where there is none.
func (t *Tracker) Report(now int64) (r Report, ok bool) {
	t.Tick(now)
	t.mu.Lock()
	s := t.mu.last
	active := t.active.Load() != nil
	t.mu.Unlock()
	if s == nil {
		return r, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r = Report{Options: s.Options, Active: active, Began: s.Began, Lasted: now - s.Began, Time: s.mu.us, Bytes: s.mu.bytes, Own: s.mu.own}
	if !active {
		r.Lasted = s.mu.ended - s.Began
	}
	if s.mu.cpu != nil {
		r.ByTime = s.mu.cpu.first(s.Count)
	}
	if s.mu.net != nil {
		r.ByBytes, r.NetTotal = s.mu.net.first(s.Count), s.mu.net.total
	}
	return r, true
}

// Bytes is the memory that is held.
func (t *Tracker) Bytes() int64 {
	t.mu.Lock()
	s := t.mu.last
	t.mu.Unlock()
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, x := range []*top{s.mu.cpu, s.mu.net} {
		if x != nil {
			n += x.bytes
		}
	}
	return int64(n)
}

// Session is one run of measuring.
type Session struct {
	Options
	Began int64 // Unix ms

	mu struct {
		sync.Mutex
		cpu, net  *top
		us, bytes uint64 // of all commands with keys
		own       time.Duration
		ended     int64
	}
}

// Report is what HOTKEYS GET tells.
type Report struct {
	Options
	Active   bool
	Began    int64  // Unix ms
	Lasted   int64  // ms
	Time     uint64 // us, of all commands with keys
	Bytes    uint64 // likewise
	NetTotal uint64 // bytes of the commands looked at
	ByTime   []Key
	ByBytes  []Key
	Own      time.Duration // that measuring took
}

// Command takes in a command that has run: its time in microseconds and its
// bytes, of which each of its keys gets a part. each calls f with every key, and
// may do so more than once.
func (s *Session) Command(each func(f func(key []byte)), us, bytes uint64) {
	n := uint64(0)
	each(func([]byte) { n++ })
	if n == 0 {
		return
	}
	sampled := s.Sample <= 1 || rand.IntN(s.Sample) == 0
	start := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.us += us
	s.mu.bytes += bytes
	if !sampled {
		return
	}
	each(func(key []byte) {
		if s.mu.cpu != nil {
			s.mu.cpu.add(key, us/n)
		}
		if s.mu.net != nil {
			s.mu.net.add(key, bytes/n)
		}
	})
	s.mu.own += time.Since(start)
}
