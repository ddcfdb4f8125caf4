package store

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearcache/nearcache/store/thread"
)

type short func()

func (f short) Do() { f() }

type lengthy func()

func (f lengthy) Do()      { f() }
func (f lengthy) Lengthy() {}

// TestDoAll: whoever calls finds everything done once, what is not lengthy first.
func TestDoAll(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, n := range []int{0, 1, 2, 50} {
				var shorts int
				var done atomic.Int64
				var l []Deferred
				for range n {
					l = append(l, lengthy(func() {
						if shorts != n {
							t.Error("lengthy work before other work")
						}
						for end := time.Now().Add(thread.Turn / 2); time.Now().Before(end); {
						}
						done.Add(1)
					}), short(func() { shorts++ }))
				}
				if DoAll(l); int(done.Load()) != n || shorts != n {
					t.Errorf("of %d pieces of each kind %d lengthy ones and %d others were done", n, done.Load(), shorts)
				}
			}
		})
	}
	wg.Wait()
}

// TestDoAllPanics: a panic is the caller's, which says where it was, and what else there is to do is done.
func TestDoAllPanics(t *testing.T) {
	t.Parallel()
	var done atomic.Int64
	l := []Deferred{lengthy(func() { time.Sleep(2 * thread.Turn) }), lengthy(func() { panic("broken") })}
	for range 20 {
		l = append(l, lengthy(func() { done.Add(1) }))
	}
	defer func() {
		err, _ := recover().(error)
		if err == nil || !strings.Contains(err.Error(), "broken") || !strings.Contains(err.Error(), "TestDoAllPanics") {
			t.Errorf("it panicked with %v", err)
		}
		if done.Load() != 20 {
			t.Errorf("%d of the 20 other pieces were done", done.Load())
		}
	}()
	DoAll(l)
}

// TestCrewTakesTurns: nobody waits for all the work of those who came before.
func TestCrewTakesTurns(t *testing.T) {
	t.Parallel()
	c := newCrew()
	var got strings.Builder
	for _, who := range []string{"a", "b"} {
		s := new(share)
		for range 1 + len(c.mu.queue)*2 {
			s.todo = append(s.todo, lengthy(func() { got.WriteString(who) }))
		}
		s.todo = append(s.todo, s.todo[0])
		c.mu.queue = append(c.mu.queue, s)
	}
	for range 6 {
		_, d := c.take()
		d.Do()
	}
	if got.String() != "ababbb" || len(c.mu.queue) != 0 {
		t.Errorf("the order was %s, %d are left", got.String(), len(c.mu.queue))
	}
}
