package flat

import (
	"sync"
	"sync/atomic"

	"github.com/nearcache/nearcache/index"
)

// parallelBytes is how much a scan must read for other goroutines to help: half
// a millisecond's worth. To start one takes some microseconds. Tests change it.
var parallelBytes = 8 << 20

// A scan takes chunks off a counter. Where it is long and the process has idle
// cores, helpers take chunks too. What they find goes by one bound and into
// one set of results, and what belongs into that does not depend on the order.
//
// scanning counts the goroutines of all searches that scan much; a helper is
// started only if that leaves each a core, and there are never more of them
// than cores, so many searches at once do not become more. A helper that did not run yet when its search has ended is
// called off: it may wait for a core for long, and the search does not.
var scanning atomic.Int32

// helper is a goroutine that works for a search, or the memory for one.
type helper struct {
	worker
	search *search
	state  atomic.Int32
	run    func() // here so that starting it allocates nothing
}

// The states of a helper.
const (
	started int32 = iota
	running
	calledOff
)

// idle are the helpers that nobody uses, of all that were made.
var idle struct {
	sync.Mutex
	helpers []*helper
	made    int
}

// takeHelper returns nil if there is none, at most one less than procs.
func takeHelper(procs int) *helper {
	idle.Lock()
	defer idle.Unlock()
	if n := len(idle.helpers); n > 0 {
		h := idle.helpers[n-1]
		idle.helpers = idle.helpers[:n-1]
		return h
	}
	if idle.made >= procs-1 {
		return nil
	}
	idle.made++
	h := &helper{worker: newWorker()}
	h.run = h.help
	return h
}

func (h *helper) help() {
	if h.state.CompareAndSwap(started, running) {
		s := h.search
		s.work(&h.worker, false)
		scanning.Add(-1)
		s.running.Done()
	}
	h.search = nil
	idle.Lock()
	defer idle.Unlock()
	idle.helpers = append(idle.helpers, h)
}

// scan goes by all slots.
func (s *search) scan() {
	size := s.words * 64 * s.x.space.Stride
	if s.codes {
		size = s.words * s.x.wordBytes()
	}
	if size < parallelBytes {
		s.work(&s.own, true)
		return
	}
	procs := index.Processors()
	scanning.Add(1)
	for range min(procs, (s.words+chunkWords-1)/chunkWords) - 1 {
		if scanning.Load() >= int32(procs) {
			break
		}
		h := takeHelper(procs)
		if h == nil {
			break
		}
		scanning.Add(1)
		h.search = s
		h.state.Store(started)
		s.running.Add(1)
		s.helpers = append(s.helpers, h)
		go h.run()
	}
	s.work(&s.own, true)
	scanning.Add(-1)
	for i, h := range s.helpers {
		if h.state.CompareAndSwap(started, calledOff) {
			scanning.Add(-1)
			s.running.Done()
		}
		s.helpers[i] = nil
	}
	s.helpers = s.helpers[:0]
	s.running.Wait()
}
