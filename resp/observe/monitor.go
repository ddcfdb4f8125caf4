package observe

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/resp"
)

// Watcher is a client of MONITOR.
type Watcher interface{ Push(frame []byte) }

// Monitors are the clients that watch all commands.
type Monitors struct {
	o    *Observer
	mu   sync.Mutex // of changes
	list atomic.Pointer[[]Watcher]
}

// Add lets a client watch. Twice is once.
func (m *Monitors) Add(w Watcher) { m.change(w, true) }

// Remove ends it.
func (m *Monitors) Remove(w Watcher) { m.change(w, false) }

func (m *Monitors) change(w Watcher, add bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var l []Watcher
	for _, x := range m.all() {
		if x != w {
			l = append(l, x)
		}
	}
	if add {
		l = append(l, w)
	}
	m.list.Store(&l)
	m.o.setMode(monitored, len(l) > 0)
}

func (m *Monitors) all() []Watcher {
	if l := m.list.Load(); l != nil {
		return *l
	}
	return nil
}

// Len is how many watch.
func (m *Monitors) Len() int { return len(m.all()) }

// Show shows them a command.
func (m *Monitors) Show(e *Event) {
	l := m.all()
	if len(l) == 0 {
		return
	}
	now := time.Now()
	b := fmt.Appendf(nil, "+%d.%06d [%d ", now.Unix(), now.Nanosecond()/1000, e.DB)
	switch {
	case e.Script:
		b = append(b, "lua"...)
	case e.Unix:
		b = append(append(b, "unix:"...), strings.TrimSuffix(e.Addr, ":0")...)
	default:
		b = append(b, e.Addr...)
	}
	b = append(b, ']')
	for _, arg := range Redacted(e.Row.Name, e.Args) {
		b = resp.AppendQuoted(append(b, ' '), arg)
	}
	b = append(b, "\r\n"...)
	for _, w := range l {
		w.Push(b)
	}
}
