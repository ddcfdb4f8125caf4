package flat

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/quant"
	"github.com/nearcache/nearcache/index/slot"
	"github.com/nearcache/nearcache/index/space"
)

// Index is an exact vector index. It implements [index.Index].
type Index struct {
	space *space.Space
	codes *quant.SQ4 // nil: searches compute all distances

	vectors *slot.Arena // space.Stride bytes a slot
	blocks  *slot.Arena // the codes, codes.Block bytes for 16 slots
	names   *slot.Arena // 8 bytes a slot: its label
	live    *slot.Arena // a bit a slot

	labels slot.Labels
	alloc  slot.Alloc
	pool   slot.Pool[*search]
	moves  slot.Moves
	len    atomic.Int64
	gate   sync.RWMutex // Save holds it, and every addition and removal shares it
}

// New makes an empty index.
func New(p index.Params) (*Index, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	codes := quant.NewSQ4(p.Dim, p.Metric)
	if m := minCodedDim[p.Element]; m == 0 || p.Dim < m || !codes.Fast() {
		codes = nil
	}
	return newIndex(p, codes)
}

// minCodedDim is from which dimension on codes make searches faster, by
// BenchmarkTop1; 0 where none does.
var minCodedDim = [...]int{
	index.Float32: 32, index.Float64: 16, index.Float16: 64, index.BFloat16: 64,
	index.Int8: 0, index.Uint8: 0, index.Bits: 0,
}

func newIndex(p index.Params, codes *quant.SQ4) (*Index, error) {
	x := &Index{space: space.New(p.Dim, p.Element, p.Metric), codes: codes}
	stride := x.space.Stride
	rows := slot.MaxRows(stride)
	var err error
	for _, a := range []struct {
		at   **slot.Arena
		size int
	}{{&x.vectors, rows * stride}, {&x.blocks, x.blockBytes(rows)}, {&x.names, rows * 8}, {&x.live, rows/8 + 8}} {
		if a.size == 0 {
			continue
		}
		if *a.at, err = slot.Reserve(uintptr(a.size)); err != nil {
			return nil, errors.Join(err, x.Close())
		}
	}
	x.pool.New = func() *search { return newSearch(x) }
	x.alloc.Grow = func(n int) error {
		err := errors.Join(
			x.vectors.Grow(uintptr(n)*uintptr(stride)),
			x.names.Grow(uintptr(n)*8),
			x.live.Grow(uintptr(n+63)/64*8))
		if x.codes != nil {
			err = errors.Join(err, x.blocks.Grow(uintptr(x.blockBytes(n))))
		}
		return err
	}
	x.alloc.Recycle = func(uint32) {}
	x.alloc.Empty = func() {
		x.vectors.Zero()
		if x.codes != nil {
			x.blocks.Zero()
		}
	}
	return x, nil
}

// blockBytes is the size of the codes of n slots, for whole words of live bits.
func (x *Index) blockBytes(n int) int {
	if x.codes == nil {
		return 0
	}
	return (n + 63) / 64 * x.wordBytes()
}

// wordBytes is the size of the codes of 64 slots.
func (x *Index) wordBytes() int { return 64 / quant.BlockRows * x.codes.Block }

func (x *Index) row(s uint32) unsafe.Pointer {
	return unsafe.Add(x.vectors.Base(), uintptr(s)*uintptr(x.space.Stride))
}

func (x *Index) name(s uint32) *uint64 {
	return (*uint64)(unsafe.Add(x.names.Base(), uintptr(s)*8))
}

func (x *Index) word(w int) *uint64 {
	return (*uint64)(unsafe.Add(x.live.Base(), w*8))
}

// Add inserts the vector or replaces the label's older one.
func (x *Index) Add(l index.Label, version uint64, v []byte) error {
	x.gate.RLock()
	defer x.gate.RUnlock()
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
	if x.codes != nil {
		x.space.Floats(c.S.floats, c.S.row)
		x.codes.Encode(x.blocks.Base(), s, c.S.floats)
	}
	atomic.StoreUint64(x.name(s), uint64(l))
	known := x.labels.Version(l) != 0
	x.labels.SetVersion(l, version)
	if old == slot.None {
		publish := func() {
			x.labels.SetSlot(l, s)
			x.setLive(s)
		}
		if known {
			// It was removed: a search that passed its old slot before may reach the new one.
			x.moves.Do(l, publish)
		} else {
			publish()
		}
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
	x.gate.RLock()
	defer x.gate.RUnlock()
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
		x.alloc.Reclaim(x.pool.Oldest)
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
	unused, free := x.alloc.Unused()
	return index.Stats{
		Len:     x.Len(),
		Deleted: unused - free,
		Bytes:   x.labels.Bytes() + x.bytes(),
	}
}

func (x *Index) bytes() (n int64) {
	for _, a := range x.arenas() {
		n += int64(a.Committed())
	}
	return n
}

// arenas are those that there are.
func (x *Index) arenas() []*slot.Arena {
	return slices.DeleteFunc([]*slot.Arena{x.vectors, x.blocks, x.names, x.live},
		func(a *slot.Arena) bool { return a == nil })
}

// Close returns the off-heap memory.
func (x *Index) Close() error {
	var errs []error
	for _, a := range x.arenas() {
		errs = append(errs, a.Close())
	}
	return errors.Join(errs...)
}
