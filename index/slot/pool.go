package slot

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
)

// Nobody is what [Pool.Oldest] says when no operation is running.
const Nobody = math.MaxUint64

// Ctx is one operation's scratch memory and its place in time.
type Ctx[T any] struct {
	epoch atomic.Uint64 // 0: idle
	S     T
}

// Pool keeps the contexts of operations and knows which are running.
type Pool[T any] struct {
	New func() T

	now atomic.Uint64 // epochs retired so far
	mu  struct {
		sync.Mutex
		all  []*Ctx[T]
		idle []*Ctx[T]
	}
}

// Enter starts an operation. What it can reach stays until Leave.
func (p *Pool[T]) Enter() *Ctx[T] {
	p.mu.Lock()
	var c *Ctx[T]
	if n := len(p.mu.idle); n > 0 {
		c = p.mu.idle[n-1]
		p.mu.idle = p.mu.idle[:n-1]
	} else {
		c = &Ctx[T]{S: p.New()}
		p.mu.all = append(p.mu.all, c)
	}
	p.mu.Unlock()
	// A slot retired between the load and the store is unreachable already.
	c.epoch.Store(p.now.Load() + 1)
	return c
}

// Leave ends the operation.
func (p *Pool[T]) Leave(c *Ctx[T]) {
	c.epoch.Store(0)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.mu.idle) < 4*runtime.GOMAXPROCS(0) {
		p.mu.idle = append(p.mu.idle, c)
		return
	}
	for i, o := range p.mu.all {
		if o == c {
			last := len(p.mu.all) - 1
			p.mu.all[i], p.mu.all[last] = p.mu.all[last], nil
			p.mu.all = p.mu.all[:last]
			return
		}
	}
}

// Retire begins a new epoch and returns it. What was unreachable before the
// call is held by nobody once Oldest has reached it.
func (p *Pool[T]) Retire() uint64 { return p.now.Add(1) + 1 }

// Oldest is the epoch of the longest running operation, or Nobody.
func (p *Pool[T]) Oldest() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	oldest := uint64(Nobody)
	for _, c := range p.mu.all {
		if e := c.epoch.Load(); e != 0 {
			oldest = min(oldest, e)
		}
	}
	return oldest
}
