package observe

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Latency keeps the spikes of latency by what they come from.
type Latency struct {
	threshold atomic.Int64 // ms; 0 for none

	mu     sync.Mutex
	events map[string]*series
}

// Sample is the longest latency of a second.
type Sample struct {
	Unix   int64
	Millis int64
}

// maxSamples is how many are kept of each event.
const maxSamples = 160

type series struct {
	samples []Sample // the newest last
	max     int64    // ms, of all ever
}

// Note keeps a latency that reaches the threshold.
func (l *Latency) Note(event string, took time.Duration) {
	if t := l.threshold.Load(); t == 0 || took.Milliseconds() < t {
		return
	}
	l.noteAt(event, took.Milliseconds(), time.Now().Unix())
}

func (l *Latency) noteAt(event string, ms, now int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.events[event]
	if s == nil {
		if l.events == nil {
			l.events = map[string]*series{}
		}
		s = &series{}
		l.events[event] = s
	}
	s.max = max(s.max, ms)
	if n := len(s.samples); n > 0 && s.samples[n-1].Unix == now {
		s.samples[n-1].Millis = max(s.samples[n-1].Millis, ms)
		return
	}
	if len(s.samples) == maxSamples {
		s.samples = s.samples[1:]
	}
	s.samples = append(s.samples, Sample{now, ms})
}

// History lists an event's samples, the oldest first.
func (l *Latency) History(event string) []Sample {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.events[event]; s != nil {
		return slices.Clone(s.samples)
	}
	return nil
}

// Latest is an event with its last sample and the longest of all.
type Latest struct {
	Event string
	Sample
	Max int64
}

// Latest lists the events by name.
func (l *Latency) Latest() []Latest {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Latest
	for name, s := range l.events {
		out = append(out, Latest{name, s.samples[len(s.samples)-1], s.max})
	}
	slices.SortFunc(out, func(a, b Latest) int { return strings.Compare(a.Event, b.Event) })
	return out
}

// Clear forgets events, all where none are named, and returns how many there were.
func (l *Latency) Clear(events ...string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(events) == 0 {
		n = len(l.events)
		l.events = nil
		return n
	}
	for _, e := range events {
		if _, ok := l.events[e]; ok {
			delete(l.events, e)
			n++
		}
	}
	return n
}
