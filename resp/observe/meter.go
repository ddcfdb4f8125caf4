package observe

import "time"

// started is what Nanos counts from.
var started = time.Now()

// Nanos is a clock that never goes back, in ns.
func Nanos() int64 { return int64(time.Since(started)) }

// Meter counts and measures the commands of one session. It belongs to the
// session's goroutine. The zero value is ready.
type Meter struct {
	at    int64 // Nanos at the last look at the clock
	fresh bool  // nothing has run since
	next  bool  // the next command is measured
	gap   int8  // commands until one is measured all the same
	dice  uint32
	slots [4]slot
}

// slot is how often a command ran since the last Flush.
type slot struct {
	row *Row
	n   int64
}

// Begin is called when a batch of commands begins, at a time of Nanos.
func (m *Meter) Begin(at int64) { m.at, m.fresh, m.next = at, true, true }

// manyArgs is from how many arguments on no command is quick.
const manyArgs = 64

// Skips reports whether the next command is only to be counted.
func (m *Meter) Skips(r *Row, args int) bool {
	m.gap--
	return !m.next && m.gap > 0 && r.quick && args < manyArgs && r.seen.Load() && r.o.mode.Load() == 0
}

// Count counts a command that was not measured.
func (m *Meter) Count(r *Row) {
	m.fresh = false
	s := &m.slots[r.id%len(m.slots)]
	if s.row != r {
		m.flush(s)
		s.row = r
	}
	s.n++
}

func (m *Meter) flush(s *slot) {
	if s.n > 0 {
		// A session stays with its stripe as long as it lives.
		if m.dice == 0 {
			m.dice = uint32(Nanos()) | 1
		}
		s.row.o.calls[m.dice%stripes][s.row.id].Add(s.n)
		s.n = 0
	}
}

// Flush makes the counts so far visible to others.
func (m *Meter) Flush() {
	for i := range m.slots {
		m.flush(&m.slots[i])
	}
}

// Start is when a command starts that is measured.
func (m *Meter) Start() int64 {
	if !m.fresh {
		m.at, m.fresh = Nanos(), true
	}
	m.next = false
	return m.at
}

// End ends the measuring of a command, and returns the time and how long it took.
// With a row it counts the command.
func (m *Meter) End(r *Row, start int64) (now, took int64) {
	now = Nanos()
	took = now - start
	if r != nil {
		m.Count(r)
		r.measured(took)
	}
	m.at, m.fresh = now, true
	// Not each sixteenth, which might always be the same command of a pattern.
	m.gap = 8 + int8(uint32(now)>>4&15)
	return now, took
}

func (r *Row) measured(took int64) {
	r.timed.Add(1)
	r.nanos.Add(took)
	if !r.seen.Load() {
		r.seen.Store(true)
	}
	if !r.o.Histograms.Load() {
		return
	}
	h := r.histogram.Load()
	if h == nil {
		h = new(Histogram)
		if !r.histogram.CompareAndSwap(nil, h) {
			h = r.histogram.Load()
		}
	}
	if h != nil {
		h.add(took)
	}
}

// Event is a command that has run and that somebody wants to know of.
type Event struct {
	Row        *Row
	Args       [][]byte
	DB         int
	Addr, Name string // of the client
	Unix       bool   // it is connected by the unix socket Addr
	Script     bool   // a script has called the command
}

// Alarm reports whether a command that took so many ns is to be told to Slowed.
func (r *Row) Alarm(took int64) bool { return took >= r.o.alarm.Load() }

// Watched reports whether commands are to be told to the Monitors.
func (r *Row) Watched() bool { return r.o.mode.Load()&monitored != 0 }

// Slowed notes a command that was slow, in the log of slow commands unless hidden.
func (o *Observer) Slowed(e *Event, took int64, hidden bool) {
	if !hidden && o.Slow.note(e, took) {
		e.Row.slow.Add(1)
		e.Row.slowNanos.Add(took)
		for longest := e.Row.slowLongest.Load(); took > longest && !e.Row.slowLongest.CompareAndSwap(longest, took); longest = e.Row.slowLongest.Load() {
		}
	}
	kind := "command"
	if e.Row.Fast {
		kind = "fast-command"
	}
	o.Spikes.Note(kind, time.Duration(took))
}
