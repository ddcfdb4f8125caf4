package hnsw

import (
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/slot"
)

// chunk is how many rows a scan gives to the kernel at once.
const chunk = 64

// scratch is the memory of one operation.
type scratch struct {
	row     unsafe.Pointer // the vector as space stores it
	code    unsafe.Pointer // and as codec does
	query   unsafe.Pointer // the walk's query form
	exact   unsafe.Pointer // space's query form, if the walk has another
	other   unsafe.Pointer // the walk's query form of a node
	floats  []float32      // what codec gets
	decoded []float32      // what codec gives back

	dist  []float32 // the walk's results
	wdist []float64
	batch []uint32 // the slots whose distances are wanted
	after []uint32 // those that come after them
	later []uint32 // and after those

	sketchRow, sketchQuery unsafe.Pointer
	est, estAfter          []float32 // what sketches say of batch and after
	sketching              sketching

	pool pool
	seen visited

	// of the selection of neighbours
	near  []uint64 // what an insertion found at its level
	cand  []uint64
	kept  []uint32
	cdist []float32
	cslot []uint32

	// of a search
	same   uint32 // the node of an equal vector, or slot.None
	allow  *index.Bitmap
	pass   func(index.Label) bool // see SearchWhere
	asked  int                    // how many labels pass was asked for
	effort int                    // and how many it may be
	evals  int
	budget int // of evals; 0: none
	one    [1]uint32
	two    [1]uint32
	front  []uint32
	hits   []uint32
	found  []index.Neighbor
	top    slot.Top

	// of hops, see way
	hops   bool     // the walk is one
	want   int      // how many it expands at least of what is let through
	most   int      // its pool's size
	closed []uint32 // hidden neighbours of a node
	first  []uint64 // what the first walk found

	mem []uint64
}

func (g *Graph) newScratch() scratch {
	n := max(2*g.m0+hopRows, chunk) + 4
	row, floats := 0, 0
	if g.codec != nil {
		row, floats = g.codes.stride+g.codes.over, (4*g.params.Dim+63)&^63
	}
	// Each begins at a cache line, and codes may be read beyond.
	sizes := []int{g.space.Stride, row, g.rough.querySize, g.space.QuerySize, g.fine.querySize, floats, floats, g.sketches.stride + g.sketches.over, g.sketches.querySize}
	total := 64
	for i, s := range sizes {
		sizes[i] = (s + 63) &^ 63
		total += sizes[i]
	}
	mem := make([]uint64, total/8)
	at := unsafe.Add(unsafe.Pointer(&mem[0]), -uintptr(unsafe.Pointer(&mem[0]))&63)
	take := func() unsafe.Pointer {
		p := at
		at = unsafe.Add(at, sizes[0])
		sizes = sizes[1:]
		return p
	}
	sc := scratch{
		row: take(), code: take(), query: take(), exact: take(), other: take(),
		dist:   make([]float32, n),
		wdist:  make([]float64, n),
		batch:  make([]uint32, n),
		after:  make([]uint32, n),
		later:  make([]uint32, n),
		cdist:  make([]float32, n),
		cslot:  make([]uint32, 0, n),
		kept:   make([]uint32, 0, n),
		closed: make([]uint32, g.m0),
		mem:    mem,
	}
	if g.codec != nil {
		sc.floats = unsafe.Slice((*float32)(take()), floats/4)[:g.params.Dim]
		sc.est, sc.estAfter = make([]float32, n), make([]float32, n)
		sc.decoded = unsafe.Slice((*float32)(take()), floats/4)[:g.params.Dim]
		sc.sketchRow, sc.sketchQuery = take(), take()
	}
	return sc
}

func (sc *scratch) rowBytes(n int) []byte { return unsafe.Slice((*byte)(sc.row), n) }

// visited marks slots. Forgetting all marks is one addition.
type visited struct {
	mark []uint8
	tag  uint8
}

// reset forgets all marks and makes room for n slots. Slots beyond are taken
// as seen: they are newer than the operation.
func (v *visited) reset(n int) {
	if n > len(v.mark) {
		v.mark = make([]uint8, nextPow2(max(n+n/8, 1024)))
		v.tag = 0
	}
	if v.tag++; v.tag == 0 {
		clear(v.mark)
		v.tag = 1
	}
}

// add marks s and reports whether it was not marked.
func (v *visited) add(s uint32) bool {
	if int(s) >= len(v.mark) || v.mark[s] == v.tag {
		return false
	}
	v.mark[s] = v.tag
	return true
}

const (
	expanded = 1 // marks in a pool's keys
	hidden   = 2 // travelled through, but not a result: does not count
)

// pool holds the nearest nodes found, sorted, up to ef that count.
type pool struct {
	keys    []uint64
	ef      int
	hiding  int // hidden ones among keys
	next    int // none before it is left to expand
	bounded bool
	bound   float32 // nothing at or beyond it can enter, if bounded
}

func (p *pool) reset(ef int) {
	p.keys = p.keys[:0]
	p.ef, p.hiding, p.next, p.bounded = ef, 0, 0, false
	if cap(p.keys) <= ef || cap(p.keys) > 1<<16 && ef < 1<<12 {
		p.keys = make([]uint64, 0, nextPow2(ef+64))
	}
}

// nearest takes the nearest node that is left to expand.
func (p *pool) nearest() (uint32, bool) {
	for p.next < len(p.keys) {
		k := p.keys[p.next]
		p.keys[p.next] |= expanded
		p.next++
		if k&expanded == 0 {
			return keySlot(k), true
		}
	}
	return 0, false
}

// insert puts in a node that is not there yet.
func (p *pool) insert(d float32, s uint32, hide bool) {
	key := toKey(d, s)
	lo, hi := 0, len(p.keys)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if p.keys[mid] < key {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if hide {
		key |= hidden
		p.hiding++
	}
	p.keys = append(p.keys, 0)
	copy(p.keys[lo+1:], p.keys[lo:])
	p.keys[lo] = key
	p.next = min(p.next, lo)
	n := len(p.keys)
	for n-p.hiding > p.ef || n-p.hiding == p.ef && p.keys[n-1]&hidden != 0 {
		n--
		if p.keys[n]&hidden != 0 {
			p.hiding--
		}
	}
	p.keys = p.keys[:n]
	if n-p.hiding == p.ef {
		p.bounded = true
		p.bound = keyDistance(p.keys[n-1])
	}
}
