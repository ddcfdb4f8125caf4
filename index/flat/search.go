package flat

import (
	"math"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/index/quant"
	"github.com/nearcache/nearcache/index/slot"
)

const (
	// batch is how many rows a kernel gets at once.
	batch = 64
	// chunkWords is how many words of 64 slots a goroutine takes at once: about
	// 50 us of codes of 384 dimensions.
	chunkWords = 64
	// scanWords is how many words of codes are scanned by one limit.
	scanWords = 8
	// Where less than one in plainShare is allowed, or one in codedShare where
	// there are codes, to look each up is cheaper than to go by all slots.
	plainShare, codedShare = 4, 8
	// minCoded is from how many slots on codes are worth the query's encoding.
	minCoded = 512
)

// codedPerK is how many slots there must be for each of the k results, for codes
// to leave out enough: among few vectors, many are nearly as far as the k-th.
// Tests change it.
var codedPerK = 600

// search is one operation: its query in all forms, and what it found so far.
type search struct {
	x      *Index
	row    unsafe.Pointer // the query as a row
	query  unsafe.Pointer // its query form
	floats []float32      // for codes: the query, or the vector to add
	coded  unsafe.Pointer // the query's form for codes

	allow *index.Bitmap
	stop  func() bool
	k     int  // how many of the nearest; 0 for all within the bound
	codes bool // the scan goes by codes
	words int  // of slots to scan

	next    atomic.Int64  // the chunk to take next
	bound   atomic.Uint64 // bits of the distance above which nothing is a result
	stopped atomic.Bool
	own     worker
	helpers []*helper
	running sync.WaitGroup

	mu struct {
		sync.Mutex
		top   slot.Top
		found []index.Neighbor // if k is 0
	}
}

// worker is the memory of one goroutine of a search.
type worker struct {
	dist  []float64
	slots []uint32

	est   []float32
	pass  []uint64
	live  [scanWords]uint64
	limit quant.Limit
	bound float64 // that limit is of
	cands []candidate
	wait  int // how many candidates wait for each other
}

// candidate is a row that the bound cannot exclude: above, how near it may be
// (quant's Lower), so that the likely nearest sort first, below, its slot.
type candidate uint64

func newCandidate(lower float32, slot uint32) candidate {
	b := math.Float32bits(lower)
	return candidate(b^(uint32(int32(b)>>31)|1<<31))<<32 | candidate(slot)
}

func (c candidate) lower() float32 {
	b := uint32(c >> 32)
	return math.Float32frombits(b ^ (^uint32(int32(b)>>31) | 1<<31))
}

func (c candidate) slot() uint32 { return uint32(c) }

func newWorker() worker {
	return worker{dist: make([]float64, batch), slots: make([]uint32, 0, batch)}
}

// grow makes the memory that a scan of codes needs.
func (w *worker) grow() {
	if w.est == nil {
		w.est, w.pass = make([]float32, scanWords*64), make([]uint64, scanWords)
		w.cands = make([]candidate, 0, minCands+scanWords*64)
	}
}

func newSearch(x *Index) *search {
	stride, size := round(x.space.Stride), x.space.QuerySize
	s := &search{x: x, own: newWorker()}
	if x.codes == nil {
		s.row = aligned(stride + size)
	} else {
		s.row = aligned(stride + size + x.codes.QuerySize)
		s.coded = unsafe.Add(s.row, stride+size)
		s.floats = make([]float32, x.space.Dim)
	}
	s.query = unsafe.Add(s.row, stride)
	return s
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

// load checks v and makes the query of it.
func (s *search) load(v []byte) error {
	if err := s.x.space.Parse(s.row, v); err != nil {
		return err
	}
	s.x.space.Query(s.query, s.row)
	return nil
}

var identity = func() (id [batch]uint32) {
	for i := range id {
		id[i] = uint32(i)
	}
	return id
}()

// one is the distance of the query to the label's vector.
func (s *search) one(l index.Label) (float64, bool) {
	t := s.x.labels.Slot(l)
	if t == slot.None {
		return 0, false
	}
	w := &s.own
	w.slots = append(w.slots[:0], t)
	s.x.space.Exact(&w.dist[0], s.query, s.x.vectors.Base(), &w.slots[0], 1)
	return w.dist[0], true
}

// Has implements index.Index.
func (x *Index) Has(l index.Label) bool { return x.labels.Slot(l) != slot.None }

// Distance is the distance from the query to the label's vector.
func (x *Index) Distance(q []byte, l index.Label) (float64, bool) {
	c := x.pool.Enter()
	defer x.pool.Leave(c)
	if c.S.load(q) != nil {
		return 0, false
	}
	return c.S.one(l)
}

// Search appends the k nearest to dst, nearest first.
func (x *Index) Search(dst []index.Neighbor, q []byte, k int, o index.SearchOptions) ([]index.Neighbor, error) {
	c := x.pool.Enter()
	defer x.pool.Leave(c)
	s := c.S
	if err := s.load(q); err != nil {
		return dst, err
	}
	if k <= 0 {
		return dst, nil
	}
	return x.moves.Search(dst, k, func(dst []index.Neighbor) []index.Neighbor {
		s.mu.top.Reset(k)
		s.run(o, math.Inf(1), k)
		return s.mu.top.AppendTo(dst)
	}, s.again(o, math.Inf(1))), nil
}

// Range appends all within radius (inclusive) to dst, nearest first.
func (x *Index) Range(dst []index.Neighbor, q []byte, radius float64, o index.SearchOptions) ([]index.Neighbor, error) {
	c := x.pool.Enter()
	defer x.pool.Leave(c)
	s := c.S
	if err := s.load(q); err != nil || radius != radius {
		return dst, err
	}
	dst = x.moves.Search(dst, -1, func(dst []index.Neighbor) []index.Neighbor {
		n := len(dst)
		s.mu.found = s.mu.found[:0]
		s.run(o, radius, 0)
		dst = append(dst, s.mu.found...)
		slot.Sort(dst[n:])
		return dst
	}, s.again(o, radius))
	if cap(s.mu.found) > 1<<16 {
		s.mu.found = nil
	}
	return dst, nil
}

// again is the distance of a label that the search may return.
func (s *search) again(o index.SearchOptions, radius float64) func(index.Label) (float64, bool) {
	return func(l index.Label) (float64, bool) {
		if o.Allow != nil && !o.Allow.Contains(l) {
			return 0, false
		}
		d, ok := s.one(l)
		return d, ok && d <= radius
	}
}

// run finds the k nearest within radius; with k = 0, all.
func (s *search) run(o index.SearchOptions, radius float64, k int) {
	x := s.x
	count := x.alloc.Count()
	s.allow, s.stop = o.Allow, o.Stop
	s.k = k
	s.bound.Store(math.Float64bits(radius))
	s.codes = x.codes != nil && count >= minCoded && k <= count/codedPerK
	s.words = (count + 63) / 64
	share := plainShare
	s.next.Store(0)
	s.stopped.Store(false)
	if s.codes {
		share = codedShare
	}
	if o.Allow != nil && o.Allow.Len() < count/share {
		s.lookUp()
	} else {
		if s.codes {
			x.space.Floats(s.floats, s.row)
			x.codes.Query(s.coded, s.floats)
		}
		s.scan()
	}
	s.allow, s.stop = nil, nil
}

// lookUp goes by the allowed labels.
func (s *search) lookUp() {
	w := &s.own
	w.slots = w.slots[:0]
	n := 0
	at := s.x.labels.Cursor()
	s.allow.Each(func(l index.Label) bool {
		if t := at.Slot(l); t != slot.None {
			s.add(w, t)
		}
		n++
		return n%4096 != 0 || s.stop == nil || !s.stop()
	})
	s.flush(w)
}

// work scans chunks until there are none left. Only the search's own goroutine asks Stop.
func (s *search) work(w *worker, own bool) {
	w.slots, w.cands = w.slots[:0], w.cands[:0]
	w.bound = math.NaN() // w.limit is of another search
	w.wait = max(minCands, 4*s.k)
	for first := true; ; first = false {
		if own && !first && s.stop != nil && !s.stopped.Load() && s.stop() {
			s.stopped.Store(true)
		}
		from := int(s.next.Add(1)-1) * chunkWords
		if from >= s.words || s.stopped.Load() {
			break
		}
		to := min(from+chunkWords, s.words)
		if s.codes {
			s.scanCodes(w, from, to)
		} else {
			s.scanRows(w, from, to)
		}
	}
	s.refine(w, len(w.cands))
	s.flush(w)
}

// scanRows computes the distances of all live slots of the words.
func (s *search) scanRows(w *worker, from, to int) {
	x := s.x
	stride := x.space.Stride
	for i := from; i < to; i++ {
		live := atomic.LoadUint64(x.word(i))
		if live == math.MaxUint64 && s.allow == nil {
			first := uint32(i * batch)
			x.space.Exact(&w.dist[0], s.query, unsafe.Add(x.vectors.Base(), int(first)*stride), &identity[0], batch)
			s.offer(w.dist, nil, first)
			continue
		}
		for live = s.allowed(i, live); live != 0; live &= live - 1 {
			s.add(w, uint32(i*64+bits.TrailingZeros64(live)))
		}
	}
}

// add has the slot's distance computed, with others.
func (s *search) add(w *worker, t uint32) {
	if w.slots = append(w.slots, t); len(w.slots) == batch {
		s.flush(w)
	}
}

// flush computes the distances of w.slots.
func (s *search) flush(w *worker) {
	n := len(w.slots)
	if n == 0 {
		return
	}
	s.x.space.Exact(&w.dist[0], s.query, s.x.vectors.Base(), &w.slots[0], n)
	s.offer(w.dist[:n], w.slots, 0)
	w.slots = w.slots[:0]
}

// offer takes the results among the distances of slots, or of those from first on.
func (s *search) offer(dist []float64, slots []uint32, first uint32) {
	bound := math.Float64frombits(s.bound.Load())
	locked := false
	for i, d := range dist {
		if !(d <= bound) {
			continue
		}
		if !locked {
			locked = true
			s.mu.Lock()
		}
		t := first + uint32(i)
		if slots != nil {
			t = slots[i]
		}
		n := index.Neighbor{Label: index.Label(atomic.LoadUint64(s.x.name(t))), Distance: d}
		if s.k == 0 {
			s.mu.found = append(s.mu.found, n)
			continue
		}
		s.mu.top.Offer(n)
		if s.mu.top.Full() {
			bound = s.mu.top.Worst()
		}
	}
	if locked {
		s.bound.Store(math.Float64bits(bound))
		s.mu.Unlock()
	}
}

// allowed leaves of the bits of a word's slots those whose labels the filter
// lets through. It has no branch on what it says, which would be a coin toss.
func (s *search) allowed(word int, bit uint64) uint64 {
	if s.allow == nil {
		return bit
	}
	left := uint64(0)
	if bits.OnesCount64(bit) > 32 { // all in turn is faster
		names := unsafe.Slice(s.x.name(uint32(word*64)), 64)
		for i := range names {
			left = left>>1 | s.allow.Bit(index.Label(atomic.LoadUint64(&names[i])))<<63
		}
		return left & bit
	}
	for m := bit; m != 0; m &= m - 1 {
		b := bits.TrailingZeros64(m)
		left |= s.allow.Bit(index.Label(atomic.LoadUint64(s.x.name(uint32(word*64+b))))) << b
	}
	return left
}

// limits makes w.limit that of the search's bound.
func (s *search) limits(w *worker) {
	if b := math.Float64frombits(s.bound.Load()); b != w.bound {
		w.bound, w.limit = b, s.x.codes.Limit(s.coded, b)
	}
}

// scanCodes collects the live slots of the words that cannot be excluded, and
// computes their distances once there are many.
func (s *search) scanCodes(w *worker, from, to int) {
	x := s.x
	w.grow()
	size := x.wordBytes()
	for i := from; i < to; {
		n := min(to-i, scanWords)
		s.limits(w)
		boundless := math.IsInf(w.bound, 1) // the first few give a bound to the rest
		if boundless {
			n = 1
		}
		// A slot's codes are written before its bit is set, so the bits are read first.
		for j := range n {
			w.live[j] = atomic.LoadUint64(x.word(i + j))
		}
		x.codes.Scan(&w.est[0], &w.pass[0], s.coded, &w.limit, unsafe.Add(x.blocks.Base(), i*size), n)
		for j := range n {
			for m := s.allowed(i+j, w.pass[j]&w.live[j]); m != 0; m &= m - 1 {
				b := bits.TrailingZeros64(m)
				t := uint32((i+j)*64 + b)
				w.cands = append(w.cands, newCandidate(x.codes.Lower(s.coded, w.est[j*64+b], x.blocks.Base(), t), t))
			}
		}
		if len(w.cands) >= w.wait || boundless && len(w.cands) >= max(s.k, few) {
			s.refine(w, max(s.k, few))
			w.wait = max(minCands, 4*s.k, 2*len(w.cands))
			if len(w.cands) > maxCands {
				s.refine(w, len(w.cands))
			}
		}
		i += n
	}
}

const (
	// minCands is how many candidates wait for each other, at least.
	minCands = 512
	// maxCands is how many may wait, so that their memory has a limit.
	maxCands = 1 << 14
	// few distances are computed at once: a better bound is at hand after them.
	few = 8
)

// refine computes the distances of about most candidates that the bound does
// not exclude, the likely nearest first. Those not computed stay: a better bound
// may exclude them.
func (s *search) refine(w *worker, most int) {
	rest := w.cands
	step := len(rest)
	if s.k > 0 {
		step = max(s.k, few)
	}
	for most > 0 && len(rest) > 0 {
		n := min(step, most, len(rest))
		if s.k > 0 {
			nearestFirst(rest, n)
		}
		for _, c := range rest[:n] {
			if s.limits(w); w.limit.Excludes(c.lower()) {
				continue
			}
			if w.slots = append(w.slots, c.slot()); len(w.slots) == few {
				s.flush(w)
			}
		}
		s.flush(w)
		s.limits(w)
		kept := rest[n:n]
		for _, c := range rest[n:] {
			if !w.limit.Excludes(c.lower()) {
				kept = append(kept, c)
			}
		}
		rest, most, step = kept, most-n, 4*step
	}
	w.cands = append(w.cands[:0], rest...)
}

// nearestFirst sorts the n likely nearest to the front. To sort all would take
// longer than the distances of those that are computed.
func nearestFirst(c []candidate, n int) {
	if n > len(c)/4 {
		slices.Sort(c)
		return
	}
	// c[:n] is a heap, the farthest at 0.
	h := c[:n]
	for i := n/2 - 1; i >= 0; i-- {
		sink(h, i)
	}
	for i, x := range c[n:] {
		if x < h[0] {
			c[n+i], h[0] = h[0], x
			sink(h, 0)
		}
	}
	slices.Sort(h)
}

func sink(h []candidate, i int) {
	for x := h[i]; ; {
		j := 2*i + 1
		if j >= len(h) {
			break
		}
		if j+1 < len(h) && h[j+1] > h[j] {
			j++
		}
		if h[j] <= x {
			break
		}
		h[i], h[j] = h[j], x
		i = j
	}
}
