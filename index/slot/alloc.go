package slot

import (
	"sync"
	"sync/atomic"
)

// MaxSlots is how many slots an index can have; above it, bits are free for marks.
const MaxSlots = 1 << 30

// MaxRows is how many rows of size bytes an index should reserve address space
// for: the machine's memory full of them, as more can never be stored.
func MaxRows(size int) int {
	m := memory()
	if m == 0 {
		m = 64 << 30
	}
	return int(min(max(m/uint64(size), 1<<16), MaxSlots))
}

// Alloc hands out slots. Its zero value is ready.
type Alloc struct {
	// Grow makes room for n slots; called with Alloc's lock held.
	Grow func(n int) error
	// Recycle is called before a retired slot is handed out again or joins the
	// free ones, with Alloc's lock held, when no operation can hold the slot.
	Recycle func(s uint32)
	// Empty is called when every slot is free and none can be held, just before
	// counting starts again at 0.
	Empty func()

	count atomic.Uint32 // slots ever handed out since the last Empty; readers scan below it

	mu struct {
		sync.Mutex
		free    []uint32
		retired []retired // in the order of their epochs
	}
}

type retired struct {
	epoch uint64
	slot  uint32
}

// Count is the number of slots in use or used before: all are below it.
func (a *Alloc) Count() int { return int(a.count.Load()) }

// Take returns a slot nobody holds. oldest is [Pool.Oldest].
func (a *Alloc) Take(oldest func() uint64) (uint32, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.mu.free) == 0 && len(a.mu.retired) > 0 {
		a.reclaimLocked(oldest())
	}
	if n := len(a.mu.free); n > 0 {
		s := a.mu.free[n-1]
		a.mu.free = a.mu.free[:n-1]
		return s, nil
	}
	n := a.count.Load()
	if n >= MaxSlots {
		return 0, ErrFull
	}
	if err := a.Grow(int(n) + 1); err != nil {
		return 0, err
	}
	a.count.Store(n + 1)
	return n, nil
}

// Retire takes back slots that no new operation can find. epoch is what
// [Pool.Retire] returned after they became unreachable.
func (a *Alloc) Retire(epoch uint64, slots ...uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range slots {
		a.mu.retired = append(a.mu.retired, retired{epoch, s})
	}
}

// Untake gives back a slot that was taken and never published.
func (a *Alloc) Untake(s uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.free = append(a.mu.free, s)
}

// Restore makes a new Alloc go on from a state of count slots, of which those in free are.
func (a *Alloc) Restore(count int, free []uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count.Store(uint32(count))
	a.mu.free = free
}

// Reclaim frees the retired slots that nobody holds any more. With all slots
// free it starts over with an empty index. oldest is [Pool.Oldest], which is asked
// with Alloc's lock held: what it says holds for slots retired before only.
func (a *Alloc) Reclaim(oldest func() uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	epoch := oldest()
	a.reclaimLocked(epoch)
	if n := int(a.count.Load()); n > 0 && len(a.mu.free) == n && epoch == Nobody {
		a.Empty()
		a.count.Store(0)
		a.mu.free = nil
	}
}

func (a *Alloc) reclaimLocked(oldest uint64) {
	i := 0
	for ; i < len(a.mu.retired) && a.mu.retired[i].epoch <= oldest; i++ {
		s := a.mu.retired[i].slot
		a.Recycle(s)
		a.mu.free = append(a.mu.free, s)
	}
	if i > 0 {
		a.mu.retired = a.mu.retired[:copy(a.mu.retired, a.mu.retired[i:])]
	}
}

// Unused is the number of slots that wait to be used again, and Free those of them that may be.
func (a *Alloc) Unused() (unused, free int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.mu.free) + len(a.mu.retired), len(a.mu.free)
}

// FreeSlots calls f with each slot that is free or retired.
func (a *Alloc) FreeSlots(f func(uint32)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.mu.free {
		f(s)
	}
	for _, r := range a.mu.retired {
		f(r.slot)
	}
}
