package lua

import (
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"unsafe"
)

// How memory is limited, where the garbage is Go's to collect: what a script
// allocates is added up, and now and then, when it has allocated as much as it
// is known to hold, what it can still reach is measured by walking from its
// stacks and globals. So the count is exact to a factor of two, and the walk
// costs no more than the allocations that led to it. Any one step that would
// take more than there is left fails before it takes it.

// Budget is the memory that all machines together may hold.
type Budget struct {
	limit atomic.Int64
	used  atomic.Int64
}

// SetLimit sets the limit in bytes; 0 is none.
func (b *Budget) SetLimit(n int64) { b.limit.Store(n) }

// Used is how much machines hold of it.
func (b *Budget) Used() int64 { return b.used.Load() }

func (b *Budget) take(n int64) bool {
	if limit := b.limit.Load(); b.used.Add(n) > limit && limit > 0 {
		b.used.Add(-n)
		return false
	}
	return true
}

// memory is what one machine knows of its own.
type memory struct {
	used    int // since the last measure, what was held then included
	quota   int // taken from the budget
	measure int // used at which it measures again
}

// epochs numbers the walks of all machines: an object may be seen by one after
// the other.
var epochs atomic.Uint32

const (
	quotaStep    = 1 << 20  // what is taken from the budget at least
	measureFloor = 16 << 20 // below it nothing is measured
	everMarked   = 1<<32 - 1
)

// alloc counts n bytes. Where that needs more than the quota, the next step
// asks for it, see enough.
func (s *State) alloc(n int) {
	if s == nil {
		return
	}
	if s.mem.used += n; s.mem.used > s.mem.quota {
		s.steps = -1
	}
}

// work counts steps of a library's loop.
func (s *State) work(n int) {
	if s != nil {
		s.steps -= n
	}
}

// release gives everything back. The first quota is not taken from the budget:
// most scripts need no other.
func (s *State) release() {
	m := &s.mem
	if s.Budget != nil {
		s.Budget.used.Add(-int64(max(0, m.quota-quotaStep)))
	}
	m.used, m.quota, m.measure = 0, quotaStep, measureFloor
}

// enough makes sure that the budget covers what is used and n bytes more. Where
// the budget has no more, garbage is all there is to gain; what is gained must
// be worth the walk, or the next few allocations would ask for another.
func (s *State) enough(n int) bool {
	m := &s.mem
	if s.Budget == nil {
		m.quota = max(m.quota, 2*(m.used+n))
		return true
	}
	if m.used > m.measure {
		s.measure()
	}
	if s.extend(n) {
		return true
	}
	s.measure()
	return s.extend(n + m.used/16)
}

// extend takes what n bytes more need from the budget.
func (s *State) extend(n int) bool {
	m := &s.mem
	short := m.used + n - m.quota
	if short <= 0 {
		return true
	}
	for _, k := range [...]int{max(short, quotaStep), short} {
		if s.Budget.take(int64(k)) {
			m.quota += k
			return true
		}
	}
	return false
}

// measure finds out what is held, and gives back what is not.
func (s *State) measure() {
	m := &s.mem
	w := walker{epoch: epochs.Add(1)}
	if w.epoch == everMarked {
		w.epoch = epochs.Add(2)
	}
	w.table(s.Globals)
	w.thread(s.main)
	w.thread(s.running)
	w.drain()
	m.used = w.bytes
	m.measure = max(measureFloor, 2*w.bytes)
	if over := m.quota - max(m.used, quotaStep) - measureFloor; over > 0 && s.Budget != nil {
		s.Budget.used.Add(-int64(over))
		m.quota -= over
	}
	s.work(w.steps)
}

// walker adds up what can be reached. Tables wait in a list of their own, so
// that no chain of them makes it recurse.
type walker struct {
	epoch uint32
	bytes int
	steps int
	todo  []Value
}

func (w *walker) seen(mark *uint32) bool {
	if *mark == everMarked || *mark == w.epoch {
		return true
	}
	*mark = w.epoch
	w.steps++
	return false
}

func (w *walker) value(v Value) {
	switch v.Kind() {
	case KindString:
		if s := v.str(); !w.seen(&s.mark) {
			w.bytes += int(unsafe.Sizeof(str{})) + len(s.s)
		}
	case KindTable:
		w.table(v.table())
	case KindFunction:
		if f := v.fn(); !w.seen(&f.mark) {
			w.todo = append(w.todo, v)
		}
	case KindThread:
		w.thread(v.thread())
	}
}

func (w *walker) table(t *Table) {
	if t != nil && !w.seen(&t.mark) {
		w.todo = append(w.todo, t.value())
	}
}

func (w *walker) thread(l *Thread) {
	if l != nil && !w.seen(&l.mark) {
		w.todo = append(w.todo, l.value())
	}
}

func (w *walker) drain() {
	for len(w.todo) > 0 {
		v := w.todo[len(w.todo)-1]
		w.todo = w.todo[:len(w.todo)-1]
		switch v.Kind() {
		case KindTable:
			t := v.table()
			w.bytes += tableSize + cap(t.arr)*valueSize + len(t.node)*nodeSize
			w.table(t.meta)
			for _, x := range t.arr {
				w.value(x)
			}
			for i := range t.node {
				if n := &t.node[i]; !n.val.isNil() {
					w.value(n.key)
					w.value(n.val)
				}
			}
			w.steps += len(t.arr) + len(t.node)
		case KindFunction:
			f := v.fn()
			if p := f.proto; p != nil && p.chunk != nil && !w.seen(&p.chunk.mark) {
				w.bytes += p.chunk.weight
			}
			w.bytes += int(unsafe.Sizeof(*f)) + 8*len(f.ups) + len(f.vals)*valueSize
			for _, x := range f.vals {
				w.value(x)
			}
			for _, u := range f.ups {
				if !w.seen(&u.mark) {
					w.bytes += int(unsafe.Sizeof(*u))
					w.value(*u.v)
				}
			}
		case KindThread:
			l := v.thread()
			w.bytes += int(unsafe.Sizeof(*l)) + len(l.stack)*valueSize + cap(l.frames)*int(unsafe.Sizeof(frame{}))
			end := l.top
			for i := range l.frames {
				end = max(end, l.frames[i].top)
				if f := l.frames[i].fn; f != nil {
					w.value(f.value())
				}
			}
			for _, x := range l.stack[:end] {
				w.value(x)
			}
			w.value(l.err)
			w.steps += end
		}
	}
}

// addressKey hides where objects really are from those who print them.
var addressKey = rand.Uint64()

func address(p unsafe.Pointer) string {
	x := (uint64(uintptr(p)) ^ addressKey) * 0x9e3779b97f4a7c15 & (1<<47 - 1)
	return "0x" + strconv.FormatUint(x, 16)
}
