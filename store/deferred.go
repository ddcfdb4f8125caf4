package store

import (
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/store/thread"
)

// Deferred is work an observer wants done after the shards are unlocked and
// before the client gets its reply.
type Deferred interface{ Do() }

// Lengthy is deferred work for which others should not have to wait: a document that comes into an index. It waits
// for no shard, and defers nothing itself.
type Lengthy interface {
	Deferred
	Lengthy()
}

// Defer hands over such work.
func (c *Commit) Defer(d Deferred) { c.deferred = append(c.deferred, d) }

// DoAll does deferred work, and waits for it. What is lengthy comes last, and after the first [thread.Turn] of it is
// left to the crew. The order of l may be another one afterwards.
func DoAll(l []Deferred) {
	n := 0
	for _, d := range l {
		if _, is := d.(Lengthy); is && len(l) > 1 {
			l[n] = d
			n++
			continue
		}
		d.Do()
	}
	if n == 0 {
		return
	}
	began := time.Now()
	for i, d := range l[:n] {
		if n-i > 1 && time.Since(began) >= thread.Turn {
			all.do(l[i:n])
			return
		}
		d.Do()
	}
}

// crew are the threads that do lengthy work, one for each processor while there is any. Whoever serves clients takes a
// processor from them at once; so they take it from nobody else, and a load does not slow down what is asked
// meanwhile by more than the processor's caches. Of what several have left to them they take a piece of everyone's in
// turn.
type crew struct {
	wake chan struct{} // holds one for each thread that has to look for work
	mu   struct {
		sync.Mutex
		threads int
		queue   []*share
	}
}

// linger is how long a thread without work stays: clients that load have work every few milliseconds.
const linger = 20 * time.Millisecond

var all = newCrew()

func newCrew() *crew { return &crew{wake: make(chan struct{}, index.Processors())} }

// share is the work of one DoAll.
type share struct {
	todo []Deferred
	left sync.WaitGroup
	fail error // of a piece that has panicked; guarded by the crew's mutex
}

// do has the crew do the work, and waits for it. It panics as the work does.
func (c *crew) do(l []Deferred) {
	s := &share{todo: l}
	s.left.Add(len(l))
	c.mu.Lock()
	c.mu.queue = append(c.mu.queue, s)
	for ; c.mu.threads < cap(c.wake); c.mu.threads++ {
		go c.work()
	}
	c.mu.Unlock()
	for range min(len(l), cap(c.wake)) {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
	s.left.Wait()
	if s.fail != nil {
		panic(s.fail)
	}
}

// work is a thread of the crew. It ends with the goroutine.
func (c *crew) work() {
	thread.Lower()
	late := time.NewTimer(linger)
	for {
		for s, d := c.take(); s != nil; s, d = c.take() {
			c.piece(s, d)
		}
		late.Reset(linger)
		select {
		case <-c.wake:
		case <-late.C:
			if c.leave() {
				return
			}
		}
	}
}

// leave takes a thread out of the crew, if there is nothing to do.
func (c *crew) leave() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mu.queue) > 0 {
		return false
	}
	c.mu.threads--
	return true
}

// take is the next piece of work, and whose it is; nil if there is none.
func (c *crew) take() (*share, Deferred) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mu.queue) == 0 {
		return nil, nil
	}
	s := c.mu.queue[0]
	d := s.todo[0]
	s.todo = s.todo[1:]
	n := copy(c.mu.queue, c.mu.queue[1:])
	if len(s.todo) > 0 {
		c.mu.queue[n] = s
	} else {
		c.mu.queue[n] = nil
		c.mu.queue = c.mu.queue[:n]
	}
	return s, d
}

func (c *crew) piece(s *share, d Deferred) {
	defer s.left.Done()
	defer func() {
		if r := recover(); r != nil {
			c.mu.Lock()
			s.fail = fmt.Errorf("%v\n%s", r, debug.Stack())
			c.mu.Unlock()
		}
	}()
	d.Do()
}
