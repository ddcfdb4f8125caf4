package aggregate

import (
	"math/rand/v2"
	"sync"
)

// State is what a cursor keeps between two reads.
type State interface {
	Held() int // about how many bytes
	Close()
}

// MaxCursors is how many cursors an index may have, RediSearch's INDEX_CURSOR_LIMIT.
const MaxCursors = 128

// Cursors are the queries that wait for their next FT.CURSOR READ. All methods may
// be called at once; times are Unix milliseconds.
type Cursors struct {
	mu struct {
		sync.Mutex
		all     map[int64]*cursor
		byIndex map[string]int
		next    int64 // when the first of them may be idle for too long; 0: none is
		bytes   int64
	}
}

type cursor struct {
	index   string
	state   State
	idle    int64 // for how long it may be
	expires int64
	held    int64
	busy    bool // a read has it …
	gone    bool // …and it was deleted meanwhile
	dropped bool // its index was: there is no state any more
}

// Open makes a cursor that is busy: Put or Delete must follow.
func (c *Cursors) Open(index string, s State, idle, now int64) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.byIndex[index] >= MaxCursors {
		if c.sweepLocked(now); c.mu.byIndex[index] >= MaxCursors {
			return 0, errorf("INDEX_CURSOR_LIMIT of %d has been reached for an index", MaxCursors)
		}
	}
	if c.mu.all == nil {
		c.mu.all, c.mu.byIndex = map[int64]*cursor{}, map[string]int{}
	}
	id := int64(0)
	for id == 0 || c.mu.all[id] != nil {
		id = rand.Int64N(1<<31-1) + 1 // clients read it as 32 bits
	}
	c.mu.all[id] = &cursor{index: index, state: s, idle: idle, busy: true}
	c.mu.byIndex[index]++
	return id, nil
}

// Take gives a cursor to a read. False: there is none, or another read has it. A
// nil state means that the index was dropped; that cursor ends.
func (c *Cursors) Take(id, now int64) (State, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.mu.all[id]
	if x == nil || x.busy || x.expires <= now {
		return nil, false
	}
	if x.dropped {
		c.removeLocked(id, x)
		return nil, true
	}
	x.busy = true
	return x.state, true
}

// Drop takes the states of an index's cursors, which is dropped.
func (c *Cursors) Drop(index string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range c.mu.all {
		if x.index == index && !x.dropped {
			if x.dropped = true; x.busy {
				x.gone = true
				continue
			}
			x.state.Close()
			c.mu.bytes -= x.held
			x.held = 0
		}
	}
}

// Put gives a cursor back after a read that has not come to its end.
func (c *Cursors) Put(id, now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.mu.all[id]
	if x == nil {
		return
	}
	x.busy = false
	if x.gone {
		c.removeLocked(id, x)
		return
	}
	x.expires = now + x.idle
	if c.mu.next == 0 || x.expires < c.mu.next {
		c.mu.next = x.expires
	}
	held := int64(x.state.Held())
	c.mu.bytes += held - x.held
	x.held = held
}

// Delete ends a cursor; false if there is none.
func (c *Cursors) Delete(id int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.mu.all[id]
	if x == nil || x.gone {
		return false
	}
	if x.busy {
		x.gone = true
	} else {
		c.removeLocked(id, x)
	}
	return true
}

// End is Delete by the read that has the cursor.
func (c *Cursors) End(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if x := c.mu.all[id]; x != nil {
		c.removeLocked(id, x)
	}
}

func (c *Cursors) removeLocked(id int64, x *cursor) {
	delete(c.mu.all, id)
	c.mu.bytes -= x.held
	if c.mu.byIndex[x.index]--; c.mu.byIndex[x.index] == 0 {
		delete(c.mu.byIndex, x.index)
	}
	if !x.dropped || x.busy || x.gone {
		x.state.Close()
	}
}

// Sweep ends the cursors that were idle for too long, and says how many there
// were; -1 if there cannot be any.
func (c *Cursors) Sweep(now int64) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sweepLocked(now)
}

func (c *Cursors) sweepLocked(now int64) int {
	if c.mu.next == 0 || c.mu.next > now {
		return -1
	}
	n := 0
	c.mu.next = 0
	for id, x := range c.mu.all {
		switch {
		case x.busy:
		case x.expires <= now:
			c.removeLocked(id, x)
			n++
		case c.mu.next == 0 || x.expires < c.mu.next:
			c.mu.next = x.expires
		}
	}
	return n
}

// Bytes is the memory that idle cursors hold.
func (c *Cursors) Bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.bytes
}

// Len is how many cursors there are, how many of them no read has, and how many an index
// has. Those of indexes that were dropped do not count.
func (c *Cursors) Len(index string) (all, idle, of int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range c.mu.all {
		switch {
		case x.dropped:
			continue
		case !x.busy:
			idle++
		}
		if all++; x.index == index {
			of++
		}
	}
	return all, idle, of
}

// CloseAll ends all cursors but those that a read has.
func (c *Cursors) CloseAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, x := range c.mu.all {
		if x.busy {
			x.gone = true
		} else {
			c.removeLocked(id, x)
		}
	}
}
