//go:build linux && !noepoll

package reactor

import (
	"sync/atomic"
	"time"
)

// watch looks from time to time whether a reactor is stuck in a turn, and if so
// gives the reactor a new driver. It sleeps while all reactors sleep.
type watch struct {
	asleep atomic.Bool
	bell   chan struct{}
	done   chan struct{}
	ended  chan struct{}
}

// lookEvery is how often. A turn that is found running twice has lasted that
// long at least, and at most twice as long.
const lookEvery = 10 * time.Millisecond

// idleLooks is after how many looks without any turn the watch sleeps.
const idleLooks = 50

func (w *watch) start(reactors []*reactor) {
	w.bell, w.done, w.ended = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	go w.run(reactors)
}

func (w *watch) stop() {
	close(w.done)
	<-w.ended
}

// wake is called by a driver that has slept, or was about to.
func (w *watch) wake() {
	if w.asleep.Load() && w.asleep.CompareAndSwap(true, false) {
		w.bell <- struct{}{}
	}
}

func (w *watch) run(reactors []*reactor) {
	defer close(w.ended)
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for idle := 0; ; {
		select {
		case <-w.done:
			return
		case <-t.C:
		}
		idle++
		for _, r := range reactors {
			if !r.look() {
				idle = 0
			}
		}
		if idle < idleLooks {
			continue
		}
		idle = 0
		t.Stop()
		w.asleep.Store(true)
		for _, r := range reactors {
			if !r.asleep.Load() { // its driver has looked before we slept
				w.wake()
			}
		}
		select {
		case <-w.done:
			return
		case <-w.bell:
		}
		t.Reset(lookEvery)
	}
}

// look deposes the driver of a turn that was running at the last look already.
// It finds out when the turn ends; until then it minds only the connection. look
// reports whether the reactor has done nothing since the last look.
func (r *reactor) look() (idle bool) {
	b := r.busy.Load()
	if b == 0 || b != r.seen {
		idle = b == 0 && r.asleep.Load()
		r.seen = b
		return idle
	}
	if r.busy.CompareAndSwap(b, 0) {
		r.turn.state.Store(away)
		r.lend()
		r.pool.wg.Go(r.drive)
	}
	return false
}
