package observe

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Observer holds what is known of all commands of a server.
type Observer struct {
	Slow    SlowLog
	Spikes  Latency
	Monitor Monitors

	// Histograms says whether the times of commands are kept as histograms.
	Histograms atomic.Bool

	mode  atomic.Uint32
	alarm atomic.Int64 // ns that a command may take before somebody wants to know
	rows  []*Row
	calls [stripes][]atomic.Int64

	Errors   atomic.Int64 // error replies
	errorsMu sync.Mutex
	errors   map[string]int64 // by code
}

// stripes is how many sets of counters there are, so that sessions on different
// processors rarely meet.
const stripes = 8

// The bits of mode: reasons to look at every command.
const (
	exact     = 1 << iota // each is to be measured
	monitored             // each is to be shown
)

// Row is what is known of one command.
type Row struct {
	Name  string
	Fast  bool // Redis calls it so
	quick bool // it takes no time worth measuring each time
	seen  atomic.Bool
	id    int
	o     *Observer

	_ [64]byte // what follows is written often, and by all

	rejected, failed             atomic.Int64
	timed, nanos                 atomic.Int64 // commands measured, and what they took
	slow, slowNanos, slowLongest atomic.Int64
	histogram                    atomic.Pointer[Histogram]
}

// New makes an Observer whose settings are Redis' defaults.
func New() *Observer {
	o := &Observer{}
	o.Histograms.Store(true)
	o.Slow.threshold.Store(10_000)
	o.Slow.maxLen.Store(128)
	o.Slow.maxArgs.Store(32)
	o.Slow.maxBytes.Store(128)
	o.Monitor.o = o
	o.settled()
	return o
}

// Add makes the row of a command; all are made before any runs. quick says that it
// takes no time worth measuring each time.
func (o *Observer) Add(name string, fast, quick bool) *Row {
	r := &Row{Name: name, Fast: fast, quick: quick, id: len(o.rows), o: o}
	o.rows = append(o.rows, r)
	for i := range o.calls {
		o.calls[i] = make([]atomic.Int64, len(o.rows))
	}
	return r
}

// setMode sets or clears a bit of mode.
func (o *Observer) setMode(bit uint32, on bool) {
	if on {
		o.mode.Or(bit)
	} else {
		o.mode.And(^bit)
	}
}

// settled draws the conclusions of changed settings.
func (o *Observer) settled() {
	const never = 1 << 62
	alarm := int64(never)
	if us := o.Slow.threshold.Load(); us >= 0 {
		alarm = min(us, never/1000) * 1000
	}
	if ms := o.Spikes.threshold.Load(); ms > 0 {
		alarm = min(alarm, min(ms, never/1_000_000)*1_000_000)
	}
	o.alarm.Store(alarm)
	o.setMode(exact, alarm < 1_000_000 || o.Spikes.threshold.Load() > 0)
}

// SetSlowThreshold is from how many µs on a command is slow; -1 for none.
func (o *Observer) SetSlowThreshold(us int64) {
	o.Slow.threshold.Store(us)
	o.settled()
}

// SetSpikeThreshold is from how many ms on a latency is kept; 0 for none.
func (o *Observer) SetSpikeThreshold(ms int64) {
	o.Spikes.threshold.Store(ms)
	o.settled()
}

// maxErrorCodes bounds the error codes that are told apart, as in Redis.
const maxErrorCodes = 128

func (o *Observer) countError(text string) {
	o.Errors.Add(1)
	code, _, _ := strings.Cut(text, " ")
	o.errorsMu.Lock()
	defer o.errorsMu.Unlock()
	if o.errors == nil {
		o.errors = map[string]int64{}
	}
	if _, known := o.errors[code]; known || len(o.errors) < maxErrorCodes {
		o.errors[strings.Clone(code)]++
	}
}

// Rejected counts a command that was refused before it ran, nil for an unknown one.
func (o *Observer) Rejected(r *Row, text string) {
	o.countError(text)
	if r != nil {
		r.rejected.Add(1)
	}
}

// Failed counts the error of a command that ran.
func (r *Row) Failed(text string) {
	r.o.countError(text)
	r.failed.Add(1)
}

// Observer is what the row belongs to.
func (r *Row) Observer() *Observer { return r.o }

// ErrorCount is how often an error code was replied.
type ErrorCount struct {
	Code string
	N    int64
}

// ErrorCounts lists the error codes.
func (o *Observer) ErrorCounts() []ErrorCount {
	o.errorsMu.Lock()
	defer o.errorsMu.Unlock()
	var l []ErrorCount
	for code, n := range o.errors {
		l = append(l, ErrorCount{code, n})
	}
	slices.SortFunc(l, func(a, b ErrorCount) int { return strings.Compare(a.Code, b.Code) })
	return l
}

// Figures are those of one command.
type Figures struct {
	Name                    string
	Calls, Rejected, Failed int64
	Nanos                   int64 // all calls, where not all were measured an estimate
	Slow                    int64
	SlowNanos, SlowLongest  int64
	Histogram               *Histogram // of the calls that were measured; nil for none
}

// Figures lists the commands that were called at all.
func (o *Observer) Figures() []Figures {
	var l []Figures
	for _, r := range o.rows {
		f := Figures{
			Name: r.Name, Rejected: r.rejected.Load(), Failed: r.failed.Load(), Nanos: r.nanos.Load(), Histogram: r.histogram.Load(),
			Slow: r.slow.Load(), SlowNanos: r.slowNanos.Load(), SlowLongest: r.slowLongest.Load(),
		}
		for i := range o.calls {
			f.Calls += o.calls[i][r.id].Load()
		}
		if n := r.timed.Load(); n > 0 && n < f.Calls {
			f.Nanos = int64(float64(f.Nanos) / float64(n) * float64(f.Calls))
		}
		if f.Calls|f.Rejected|f.Failed != 0 {
			l = append(l, f)
		}
	}
	return l
}

// Reset zeroes the figures of the commands and of the errors.
func (o *Observer) Reset() {
	for _, r := range o.rows {
		for i := range o.calls {
			o.calls[i][r.id].Store(0)
		}
		for _, n := range []*atomic.Int64{&r.rejected, &r.failed, &r.timed, &r.nanos, &r.slow, &r.slowNanos, &r.slowLongest} {
			n.Store(0)
		}
		r.seen.Store(false)
		r.histogram.Store(nil)
	}
	o.Slow.resetFigures()
	o.Errors.Store(0)
	o.errorsMu.Lock()
	o.errors = nil
	o.errorsMu.Unlock()
}
