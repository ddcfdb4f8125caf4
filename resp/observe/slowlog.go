package observe

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// SlowLog holds the last slow commands.
type SlowLog struct {
	threshold                 atomic.Int64 // µs; -1 for no log
	maxLen, maxArgs, maxBytes atomic.Int64

	mu      sync.Mutex
	entries []SlowEntry // the newest last
	nextID  int64
	figures SlowFigures
}

// SlowEntry is a slow command.
type SlowEntry struct {
	ID, Unix, Micros int64
	Args             []string // shortened
	ArgCount         int      // as they were
	Addr, Name       string
}

// SlowFigures are those of all slow commands since the last reset.
type SlowFigures struct{ Count, Nanos, Longest int64 }

// SetLimits bounds the log: how many commands it holds, how many arguments of each,
// and how many bytes of each argument.
func (l *SlowLog) SetLimits(entries, args, bytes int64) {
	l.maxLen.Store(entries)
	l.maxArgs.Store(args)
	l.maxBytes.Store(bytes)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trim()
}

func (l *SlowLog) trim() {
	if n := len(l.entries) - int(l.maxLen.Load()); n > 0 {
		l.entries = append([]SlowEntry(nil), l.entries[n:]...)
	}
}

// note adds a command if it is slow.
func (l *SlowLog) note(e *Event, took int64) bool {
	if us := l.threshold.Load(); us < 0 || took/1000 < us || l.maxLen.Load() == 0 {
		return false
	}
	x := SlowEntry{
		Unix: time.Now().Unix(), Micros: took / 1000, Args: l.shorten(Redacted(e.Row.Name, e.Args)), ArgCount: len(e.Args),
		Addr: e.Addr, Name: e.Name,
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	x.ID = l.nextID
	l.nextID++
	l.entries = append(l.entries, x)
	l.trim()
	l.figures.Count++
	l.figures.Nanos += took
	l.figures.Longest = max(l.figures.Longest, took)
	return true
}

func (l *SlowLog) shorten(args [][]byte) []string {
	n := min(len(args), int(l.maxArgs.Load()))
	limit := int(l.maxBytes.Load())
	s := make([]string, n)
	for i := range s {
		switch {
		case i == n-1 && n < len(args):
			s[i] = fmt.Sprintf("... (%d more arguments)", len(args)-n+1)
		case len(args[i]) > limit:
			s[i] = fmt.Sprintf("%s... (%d more bytes)", args[i][:limit], len(args[i])-limit)
		default:
			s[i] = string(args[i])
		}
	}
	return s
}

// Last returns up to n entries, all for -1, the newest first.
func (l *SlowLog) Last(n int) []SlowEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < 0 || n > len(l.entries) {
		n = len(l.entries)
	}
	out := make([]SlowEntry, n)
	for i := range out {
		out[i] = l.entries[len(l.entries)-1-i]
	}
	return out
}

// Len is how many there are.
func (l *SlowLog) Len() int { l.mu.Lock(); defer l.mu.Unlock(); return len(l.entries) }

// Clear forgets the entries.
func (l *SlowLog) Clear() { l.mu.Lock(); defer l.mu.Unlock(); l.entries = nil }

// Figures are those of all slow commands.
func (l *SlowLog) Figures() SlowFigures { l.mu.Lock(); defer l.mu.Unlock(); return l.figures }

func (l *SlowLog) resetFigures() { l.mu.Lock(); defer l.mu.Unlock(); l.figures = SlowFigures{} }
