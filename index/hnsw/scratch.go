package hnsw

import (
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/kernel"
	"github.com/nearcache/nearcache/index/slot"
)

// chunk is how many rows a scan gives to the kernel at once.
const chunk = 64

// scratch is the memory of one operation.
type scratch struct {
	query unsafe.Pointer // as rows are stored
	wide  unsafe.Pointer // the same in float64, for FLOAT64
	dist  []float32      // the kernel's results
	wdist []float64
	batch []uint32 // the slots whose distances are wanted

	pool pool
	seen visited

	// of the selection of neighbours
	near  []uint64 // what an insertion found at its level
	cand  []uint64
	kept  []uint32
	cdist []float32
	cslot []uint32

	// of a search
	allow  *index.Bitmap
	evals  int
	budget int // of evals; 0: none
	one    [1]uint32
	hidden func(g *Graph, sc *scratch, s uint32) bool
	front  []uint32
	hits   []uint32
	found  []index.Neighbor
	top    slot.Top

	mem []uint64
}

func (g *Graph) newScratch() scratch {
	n := max(g.m0, chunk) + 4
	mem := make([]uint64, (g.stride+g.wideRow)/8)
	sc := scratch{
		query: unsafe.Pointer(&mem[0]),
		dist:  make([]float32, n),
		batch: make([]uint32, n),
		cdist: make([]float32, n),
		cslot: make([]uint32, 0, n),
		kept:  make([]uint32, 0, n),
		mem:   mem,
	}
	if g.wideRow > 0 {
		sc.wide = unsafe.Pointer(&mem[g.stride/8])
		sc.wdist = make([]float64, n)
	}
	return sc
}

// tooLarge for float32's squares to be summed; of FLOAT64 vectors, what is
// beyond is cut for the walk, not for the distances.
const tooLarge = 1e16

// load checks v and makes it the operation's query.
func (g *Graph) load(sc *scratch, v []byte) error {
	dim := g.params.Dim
	if len(v) != dim*g.params.Element.Size() {
		return index.ErrDim
	}
	q := unsafe.Slice((*float32)(sc.query), dim)
	if g.wideRow > 0 {
		w := unsafe.Slice((*float64)(sc.wide), dim)
		kernel.Decode64(w, v)
		if !kernel.Finite64(w) {
			return index.ErrNotFin
		}
		if g.params.Metric == index.Cosine {
			kernel.Normalize64(w)
		}
		for i, x := range w {
			q[i] = float32(min(max(x, -tooLarge), tooLarge))
		}
		return nil
	}
	kernel.Decode32(q, v)
	if !kernel.Finite32(q) {
		return index.ErrNotFin
	}
	if g.params.Metric == index.Cosine {
		kernel.Normalize32(q)
	}
	return nil
}

func (g *Graph) queryBytes(sc *scratch) []byte {
	return unsafe.Slice((*byte)(sc.query), g.stride)
}

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
