package slot

import (
	"math"
	"math/rand/v2"
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
	_     [64]byte // operations on other cores write their own epochs
}

// Pool keeps the contexts of operations and knows which are running. Entering
// and leaving take no lock, but when there are more operations than ever.
type Pool[T any] struct {
	New func() T

	now  atomic.Uint64 // epochs retired so far
	idle [idleContexts]struct {
		atomic.Pointer[Ctx[T]]
		_ [56]byte
	}
	mu struct {
		sync.Mutex
		all []*Ctx[T]
	}
}

// idleContexts is how many are kept for the next operation at most.
const idleContexts = 64

// idlePlaces is how many of them this machine has a use for.
var idlePlaces = uint32(min(4*runtime.GOMAXPROCS(0), idleContexts))

// Enter starts an operation. What it can reach stays until Leave.
func (p *Pool[T]) Enter() *Ctx[T] {
	c := p.take()
	if c == nil {
		c = &Ctx[T]{S: p.New()}
		p.mu.Lock()
		p.mu.all = append(p.mu.all, c)
		p.mu.Unlock()
	}
	// A slot retired between the load and the store is unreachable already.
	c.epoch.Store(p.now.Load() + 1)
	return c
}

// take gets an idle context. Where it looks first is random, so that cores seldom meet.
func (p *Pool[T]) take() *Ctx[T] {
	at := rand.Uint32()
	for i := range idlePlaces {
		if slot := &p.idle[(at+i)%idlePlaces]; slot.Load() != nil {
			if c := slot.Swap(nil); c != nil {
				return c
			}
		}
	}
	return nil
}

// Leave ends the operation.
func (p *Pool[T]) Leave(c *Ctx[T]) {
	c.epoch.Store(0)
	at := rand.Uint32()
	for i := range idlePlaces {
		if slot := &p.idle[(at+i)%idlePlaces]; slot.Load() == nil && slot.CompareAndSwap(nil, c) {
			return
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
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
