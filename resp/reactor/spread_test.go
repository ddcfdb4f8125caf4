//go:build linux && !noepoll

package reactor

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestAsFewReactorsServeAsSuffice(t *testing.T) {
	type look struct {
		busiest, own, idle float64
		times, want        int
	}
	const of = 4
	for name, looks := range map[string][]look{
		"at its end, though nobody else has a processor": {{.9, .9, 0, 20, 1}, {.99, 1, 0, 1, 1}, {.99, 1, 0, 1, 2}},
		"in use, and processors are idle":                {{.5, .5, 3, 20, 1}, {.7, .7, 3, 2, 2}, {.7, 1.4, 2.5, 2, 3}, {.7, 1.9, 2, 2, 4}, {1, 4, 0, 20, 4}},
		"once is not enough":                             {{.99, 1, 0, 1, 1}, {.8, .8, 0, 1, 1}, {.99, 1, 0, 1, 1}},
		"less to do":                                     {{1, 1, 2, 2, 2}, {1, 2, 1, 2, 3}, {.4, 1.2, 2.8, 20, 3}, {.3, .9, 3, 3, 3}, {.3, .9, 3, 1, 2}, {0, 0, 4, 4, 1}},
		"one could do it all, on a machine that is full": {{.99, 1, 0, 2, 2}, {.8, .88, .1, 3, 2}, {.8, .88, .1, 1, 1}, {.93, .9, .1, 20, 1}},
	} {
		s, n := &spread{slept: make([]time.Duration, of)}, 1
		for i, l := range looks {
			for range l.times {
				n = s.want(n, l.busiest, l.own, l.idle)
			}
			if n != l.want {
				t.Errorf("%s, step %d: %d serve, want %d", name, i, n, l.want)
			}
		}
	}
}

func TestIdleTime(t *testing.T) {
	for stat, want := range map[string]time.Duration{
		"cpu  19 0 3 1234 5 0 0 0 0 0\ncpu0 9 0 1 600 5 0 0 0 0 0\n": 12340 * time.Millisecond,
		"cpu  1": 0, "": 0,
	} {
		if got := idleTime([]byte(stat)); got != want {
			t.Errorf("%q: %v, want %v", stat, got, want)
		}
	}
	p, err := New(1)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s := newSpread(p)
	defer s.close()
	if s.sample().idle == 0 {
		t.Error("the system says that its processors have never been idle")
	}
}

// Connections go where others serve: half of them to one that joins, all of one that leaves.
func TestConnectionsAreShared(t *testing.T) {
	w := newWorld(t, 3, nil)
	var conns []net.Conn
	const k = batch / 4 // more than a batch move at once
	for range 12 * k {
		conns = append(conns, w.dial())
		w.ping(conns[len(conns)-1])
	}
	s := &spread{pool: w.pool}
	for _, serve := range [][]int32{{12 * k, 0, 0}, {6 * k, 6 * k, 0}, {4 * k, 4 * k, 4 * k}, {6 * k, 6 * k, 0}, {12 * k, 0, 0}, {4 * k, 4 * k, 4 * k}} {
		n := 0
		for _, k := range serve {
			if k > 0 {
				n++
			}
		}
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			s.serve(n) // the pool itself finds that one is enough
			even := true
			var loads []int32
			for i, r := range w.pool.reactors {
				l := r.load.Load()
				loads = append(loads, l)
				even = even && l >= serve[i]-1 && l <= serve[i]+1 && (l == 0) == (serve[i] == 0)
			}
			if even {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%v have connections, want %v", loads, serve)
			}
		}
		for _, c := range conns {
			w.ping(c)
		}
	}
}

// Wakes that come while a connection moves, and after it did, are not lost.
func TestWakeFindsWhoMoves(t *testing.T) {
	var want, seen atomic.Int64
	w := newWorld(t, 2, func(e *echo) {
		e.turn = func(*echo) Next {
			seen.Store(want.Load())
			return Wait
		}
	})
	e, other := w.handler(w.dial()), w.handler(w.dial())
	s := &spread{pool: w.pool}
	until := func(so func() bool) {
		for end := time.Now().Add(10 * time.Second); !so(); runtime.Gosched() {
			if time.Now().After(end) {
				t.Fatalf("%d connections have moved, a turn has seen wake %d of %d", w.pool.reactors[1].load.Load(), seen.Load(), want.Load())
			}
		}
	}
	until(func() bool { s.serve(1); return w.pool.reactors[1].load.Load() == 0 })
	until(func() bool { s.serve(2); return w.pool.reactors[1].load.Load() == 1 })
	if other.conn.r.Load() == w.pool.reactors[1] { // it is the same one that moves each time
		e = other
	}
	moves := 0
	for n := range 3000 {
		at := e.conn.r.Load()
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := 0; i < 100 && e.conn.r.Load() == at; i++ {
				want.Add(1)
				e.conn.Wake()
			}
		})
		s.serve(1 + n%2)
		wg.Wait()
		until(func() bool { return seen.Load() == want.Load() })
		want.Add(1)
		e.conn.Wake()
		until(func() bool { return seen.Load() == want.Load() })
		if e.conn.r.Load() != at {
			moves++
		}
	}
	if moves < 1000 {
		t.Errorf("moved %d times", moves)
	}
}
