package flat

import (
	"errors"
	"math"
	"math/bits"
	"sync/atomic"
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/slot"
	"github.com/nearcache/nearcache/index/space"
)

// batch is how many rows a kernel gets at once.
const batch = 64

// Index is an exact vector index. It implements [index.Index].
type Index struct {
	space *space.Space

	vectors *slot.Arena // space.Stride bytes a slot
	names   *slot.Arena // 8 bytes a slot: its label
	live    *slot.Arena // a bit a slot

	labels slot.Labels
	alloc  slot.Alloc
	pool   slot.Pool[scratch]
	moves  slot.Moves
	len    atomic.Int64
}

// scratch is the memory of one operation.
type scratch struct {
	row   unsafe.Pointer // the query as a row
	query unsafe.Pointer // its query form
	dist  []float64      // batch results
	slots []uint32       // as many
	top   slot.Top
	found []index.Neighbor
}

var identity = func() (id [batch]uint32) {
	for i := range id {
		id[i] = uint32(i)
	}
	return id
}()

// New makes an empty index.
func New(p index.Params) (*Index, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	x := &Index{space: space.New(p.Dim, p.Element, p.Metric)}
	stride := x.space.Stride
	rows := slot.MaxRows(stride)
	var err error
	for _, a := range []struct {
		at   **slot.Arena
		size int
	}{{&x.vectors, rows * stride}, {&x.names, rows * 8}, {&x.live, rows/8 + 8}} {
		if *a.at, err = slot.Reserve(uintptr(a.size)); err != nil {
			return nil, errors.Join(err, x.Close())
		}
	}
	x.pool.New = func() scratch {
		mem := aligned(round(stride) + x.space.QuerySize)
		return scratch{
			row: mem, query: unsafe.Add(mem, round(stride)),
			dist: make([]float64, batch), slots: make([]uint32, 0, batch),
		}
	}
	x.alloc.Grow = func(n int) error {
		return errors.Join(
			x.vectors.Grow(uintptr(n)*uintptr(stride)),
			x.names.Grow(uintptr(n)*8),
			x.live.Grow(uintptr(n+63)/64*8))
	}
	x.alloc.Recycle = func(uint32) {}
	x.alloc.Empty = func() { x.vectors.Zero() }
	return x, nil
}

// lineSize is a cache line's.
const lineSize = 64

func round(n int) int { return (n + lineSize - 1) &^ (lineSize - 1) }

// aligned is n zero bytes that begin with a cache line.
func aligned(n int) unsafe.Pointer {
	b := make([]byte, n+lineSize)
	p := unsafe.Pointer(unsafe.SliceData(b))
	return unsafe.Add(p, -uintptr(p)&(lineSize-1))
}

func (x *Index) row(s uint32) unsafe.Pointer {
	return unsafe.Add(x.vectors.Base(), uintptr(s)*uintptr(x.space.Stride))
}

func (x *Index) name(s uint32) *uint64 {
	return (*uint64)(unsafe.Add(x.names.Base(), uintptr(s)*8))
}

func (x *Index) word(w int) *uint64 {
	return (*uint64)(unsafe.Add(x.live.Base(), w*8))
}

// load checks v and makes the query of it.
func (x *Index) load(sc *scratch, v []byte) error {
	if err := x.space.Parse(sc.row, v); err != nil {
		return err
	}
	x.space.Query(sc.query, sc.row)
	return nil
}

// Add inserts the vector or replaces the label's older one.
func (x *Index) Add(l index.Label, version uint64, v []byte) error {
	c := x.pool.Enter()
	defer x.pool.Leave(c)
	if err := x.space.Parse(c.S.row, v); err != nil {
		return err
	}
	x.labels.Lock(l)
	defer x.labels.Unlock(l)
	if !x.labels.Newer(l, version) {
		return nil
	}
	old := x.labels.Slot(l)
	row := unsafe.Slice((*byte)(c.S.row), x.space.Stride)
	if old != slot.None && string(row) == string(unsafe.Slice((*byte)(x.row(old)), len(row))) {
		x.labels.SetVersion(l, version)
		return nil
	}
	s, err := x.alloc.Take(x.pool.Oldest)
	if err != nil {
		return err
	}
	copy(unsafe.Slice((*byte)(x.row(s)), len(row)), row)
	atomic.StoreUint64(x.name(s), uint64(l))
	x.labels.SetVersion(l, version)
	if old == slot.None {
		x.labels.SetSlot(l, s)
		x.setLive(s)
		x.len.Add(1)
		return nil
	}
	x.moves.Do(l, func() {
		x.labels.SetSlot(l, s)
		x.setLive(s)
		x.clearLive(old)
	})
	x.alloc.Retire(x.pool.Retire(), old)
	return nil
}

// Remove deletes the label's vector; false where there is none or version is older.
func (x *Index) Remove(l index.Label, version uint64) bool {
	x.labels.Lock(l)
	defer x.labels.Unlock(l)
	if !x.labels.Newer(l, version) {
		return false
	}
	x.labels.SetVersion(l, version)
	s := x.labels.Slot(l)
	if s == slot.None {
		return false
	}
	x.labels.SetSlot(l, slot.None)
	x.clearLive(s)
	x.alloc.Retire(x.pool.Retire(), s)
	if x.len.Add(-1) == 0 {
		x.alloc.Reclaim(x.pool.Oldest())
	}
	return true
}

func (x *Index) setLive(s uint32) {
	atomic.OrUint64(x.word(int(s/64)), 1<<(s%64))
}

func (x *Index) clearLive(s uint32) {
	atomic.AndUint64(x.word(int(s/64)), ^(uint64(1) << (s % 64)))
}

// Len is the number of vectors.
func (x *Index) Len() int { return int(x.len.Load()) }

// Stats returns the index's figures.
func (x *Index) Stats() index.Stats {
	_, free := x.alloc.Unused()
	unused, _ := x.alloc.Unused()
	return index.Stats{
		Len:     x.Len(),
		Deleted: unused - free,
		Bytes:   int64(x.vectors.Committed()+x.names.Committed()+x.live.Committed()) + x.labels.Bytes(),
	}
}

// Close returns the off-heap memory.
func (x *Index) Close() error {
	var errs []error
	for _, a := range []*slot.Arena{x.vectors, x.names, x.live} {
		if a != nil {
			errs = append(errs, a.Close())
		}
	}
	return errors.Join(errs...)
}

// one is the distance of the loaded query to the label's vector.
func (x *Index) one(sc *scratch, l index.Label) (float64, bool) {
	s := x.labels.Slot(l)
	if s == slot.None {
		return 0, false
	}
	sc.slots = append(sc.slots[:0], s)
	x.space.Exact(&sc.dist[0], sc.query, x.vectors.Base(), &sc.slots[0], 1)
	return sc.dist[0], true
}

// Distance is the distance from the query to the label's vector.
func (x *Index) Distance(q []byte, l index.Label) (float64, bool) {
	c := x.pool.Enter()
	defer x.pool.Leave(c)
	if x.load(&c.S, q) != nil {
		return 0, false
	}
	return x.one(&c.S, l)
}

// Search appends the k nearest to dst, nearest first.
func (x *Index) Search(dst []index.Neighbor, q []byte, k int, o index.SearchOptions) ([]index.Neighbor, error) {
	c := x.pool.Enter()
	defer x.pool.Leave(c)
	sc := &c.S
	if err := x.load(sc, q); err != nil {
		return dst, err
	}
	if k <= 0 {
		return dst, nil
	}
	return x.moves.Search(dst, k, func(dst []index.Neighbor) []index.Neighbor {
		sc.top.Reset(k)
		x.scan(sc, o, math.Inf(1), &sc.top)
		return sc.top.AppendTo(dst)
	}, x.allowed(sc, o, math.Inf(1))), nil
}

// Range appends all within radius (inclusive) to dst, nearest first.
func (x *Index) Range(dst []index.Neighbor, q []byte, radius float64, o index.SearchOptions) ([]index.Neighbor, error) {
	c := x.pool.Enter()
	defer x.pool.Leave(c)
	sc := &c.S
	if err := x.load(sc, q); err != nil {
		return dst, err
	}
	dst = x.moves.Search(dst, -1, func(dst []index.Neighbor) []index.Neighbor {
		n := len(dst)
		sc.found = sc.found[:0]
		x.scan(sc, o, radius, nil)
		dst = append(dst, sc.found...)
		slot.Sort(dst[n:])
		return dst
	}, x.allowed(sc, o, radius))
	if cap(sc.found) > 1<<16 {
		sc.found = nil
	}
	return dst, nil
}

// allowed is the distance of a label that the search may return.
func (x *Index) allowed(sc *scratch, o index.SearchOptions, radius float64) func(index.Label) (float64, bool) {
	return func(l index.Label) (float64, bool) {
		if o.Allow != nil && !o.Allow.Contains(l) {
			return 0, false
		}
		d, ok := x.one(sc, l)
		return d, ok && d <= radius
	}
}

// scan offers every allowed vector within radius to top, or collects it in sc.found.
func (x *Index) scan(sc *scratch, o index.SearchOptions, radius float64, top *slot.Top) {
	base := x.vectors.Base()
	flush := func(base unsafe.Pointer, slots *uint32, n int, first uint32) {
		x.space.Exact(&sc.dist[0], sc.query, base, slots, n)
		bound := radius
		if top != nil && top.Full() {
			bound = min(bound, top.Worst())
		}
		for i, d := range sc.dist[:n] {
			if !(d <= bound) {
				continue
			}
			s := unsafe.Slice(slots, n)[i] + first
			nb := index.Neighbor{Label: index.Label(atomic.LoadUint64(x.name(s))), Distance: d}
			if top == nil {
				sc.found = append(sc.found, nb)
				continue
			}
			top.Offer(nb)
			if top.Full() {
				bound = min(radius, top.Worst())
			}
		}
	}
	sc.slots = sc.slots[:0]
	add := func(s uint32) {
		if sc.slots = append(sc.slots, s); len(sc.slots) == batch {
			flush(base, &sc.slots[0], batch, 0)
			sc.slots = sc.slots[:0]
		}
	}
	count := x.alloc.Count()
	if o.Allow != nil && o.Allow.Len() < count/4 {
		// Few are allowed: to look each up is cheaper than to ask for every slot's label.
		n := 0
		o.Allow.Each(func(l index.Label) bool {
			if s := x.labels.Slot(l); s != slot.None {
				add(s)
			}
			n++
			return n%4096 != 0 || o.Stop == nil || !o.Stop()
		})
	} else {
		for w := range (count + 63) / 64 {
			if w%64 == 63 && o.Stop != nil && o.Stop() {
				break
			}
			live := atomic.LoadUint64(x.word(w))
			if live == math.MaxUint64 && o.Allow == nil {
				flush(unsafe.Add(base, w*batch*x.space.Stride), &identity[0], batch, uint32(w*batch))
				continue
			}
			for ; live != 0; live &= live - 1 {
				s := uint32(w*64 + bits.TrailingZeros64(live))
				if o.Allow == nil || o.Allow.Contains(index.Label(atomic.LoadUint64(x.name(s)))) {
					add(s)
				}
			}
		}
	}
	if n := len(sc.slots); n > 0 {
		flush(base, &sc.slots[0], n, 0)
	}
}
