package search

import (
	"cmp"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nearcache/nearcache/index"
)

// buffered is a graph and, beside it, the vectors that are not in it yet: an exact
// index, which takes them as fast as memory is written. A search asks both.
//
// Mostly nothing is beside it. Vectors are while the graph is saved, so that nobody
// waits for that; and after a start, when they are of writes behind the saved graph, or of
// all documents where it could not be read. Whoever knows the values moves them into
// the graph, in the background (Index.Absorb).
//
// # Threading
//
// mode is held for reading by additions, and for writing by who switches between the two.
// A search looks beside the graph first: what moves meanwhile it finds in the graph.
// use is held by those who look, so that nobody closes what they look at.
type buffered struct {
	graph index.Index
	make  func() (index.Index, error)

	mode   sync.RWMutex
	beside bool // additions go beside the graph

	use   sync.RWMutex
	exact atomic.Pointer[index.Index] // nil: nothing is beside the graph

	wait struct {
		sync.Mutex
		versions map[index.Label]uint64 // what is beside it
	}
}

func newBuffered(graph index.Index, exact func() (index.Index, error)) *buffered {
	return &buffered{graph: graph, make: exact}
}

// turn sends additions beside the graph, or into it. Those under way have ended when it returns.
func (b *buffered) turn(beside bool) error {
	b.mode.Lock()
	defer b.mode.Unlock()
	if beside && b.exact.Load() == nil {
		x, err := b.make()
		if err != nil {
			return err
		}
		b.exact.Store(&x)
	}
	b.beside = beside
	return nil
}

// Add implements index.Index.
func (b *buffered) Add(l index.Label, version uint64, v []byte) error {
	b.mode.RLock()
	defer b.mode.RUnlock()
	if !b.beside {
		return b.graph.Add(l, version, v)
	}
	if err := (*b.exact.Load()).Add(l, version, v); err != nil {
		return err
	}
	b.wait.Lock()
	defer b.wait.Unlock()
	if b.wait.versions == nil {
		b.wait.versions = map[index.Label]uint64{}
	}
	b.wait.versions[l] = version
	return nil
}

// settle moves a label's vector into the graph; v is the one that it was added with.
func (b *buffered) settle(l index.Label, v []byte) error {
	b.wait.Lock()
	version, waits := b.wait.versions[l]
	b.wait.Unlock()
	if !waits {
		return nil
	}
	err := b.graph.Add(l, version, v) // where it was removed meanwhile that is of a later version
	if err != nil {
		return err
	}
	b.forget(l)
	return nil
}

func (b *buffered) forget(l index.Label) {
	b.use.RLock()
	defer b.use.RUnlock()
	b.wait.Lock()
	version, waits := b.wait.versions[l]
	delete(b.wait.versions, l)
	b.wait.Unlock()
	if x := b.exact.Load(); waits && x != nil {
		(*x).Remove(l, version+1)
	}
}

// waiting lists labels that are beside the graph.
func (b *buffered) waiting() []index.Label {
	b.wait.Lock()
	defer b.wait.Unlock()
	l := make([]index.Label, 0, len(b.wait.versions))
	for k := range b.wait.versions {
		l = append(l, k)
	}
	return l
}

// drop closes what is beside the graph when nothing is in it any more.
func (b *buffered) drop() error {
	b.mode.Lock()
	defer b.mode.Unlock()
	b.wait.Lock()
	empty := len(b.wait.versions) == 0
	b.wait.Unlock()
	x := b.exact.Load()
	if x == nil || b.beside || !empty {
		return nil
	}
	b.exact.Store(nil)
	b.use.Lock() // who looks at it has ended
	defer b.use.Unlock()
	return (*x).Close()
}

// Remove implements index.Index.
func (b *buffered) Remove(l index.Label, version uint64) bool {
	b.forget(l)
	return b.graph.Remove(l, version)
}

// look returns what is beside the graph, nil for nothing. done must be called.
func (b *buffered) look() (x index.Index, done func()) {
	if b.exact.Load() == nil {
		return nil, nil
	}
	b.use.RLock()
	if p := b.exact.Load(); p != nil && (*p).Len() > 0 {
		return *p, b.use.RUnlock
	}
	b.use.RUnlock()
	return nil, nil
}

// Search implements index.Index.
func (b *buffered) Search(dst []index.Neighbor, q []byte, k int, o index.SearchOptions) ([]index.Neighbor, error) {
	x, done := b.look()
	if x == nil {
		return b.graph.Search(dst, q, k, o)
	}
	defer done()
	n := len(dst)
	dst, err := x.Search(dst, q, min(k, x.Len()), o)
	if err != nil {
		return dst, err
	}
	if dst, err = b.graph.Search(dst, q, min(k, b.graph.Len()), o); err != nil {
		return dst, err
	}
	found := merged(dst[n:])
	return dst[:n+min(k, len(found))], nil
}

// Range implements index.Index.
func (b *buffered) Range(dst []index.Neighbor, q []byte, radius float64, o index.SearchOptions) ([]index.Neighbor, error) {
	x, done := b.look()
	if x == nil {
		return b.graph.Range(dst, q, radius, o)
	}
	defer done()
	n := len(dst)
	dst, err := x.Range(dst, q, radius, o)
	if err != nil {
		return dst, err
	}
	if dst, err = b.graph.Range(dst, q, radius, o); err != nil {
		return dst, err
	}
	return dst[:n+len(merged(dst[n:]))], nil
}

// merged sorts two results in one, each label once.
func merged(l []index.Neighbor) []index.Neighbor {
	slices.SortFunc(l, func(a, b index.Neighbor) int {
		return cmp.Or(cmp.Compare(a.Label, b.Label), cmp.Compare(a.Distance, b.Distance))
	})
	l = slices.CompactFunc(l, func(a, b index.Neighbor) bool { return a.Label == b.Label })
	slices.SortFunc(l, func(a, b index.Neighbor) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Label, b.Label))
	})
	return l
}

// Distance implements index.Index.
func (b *buffered) Distance(q []byte, l index.Label) (float64, bool) {
	if x, done := b.look(); x != nil {
		d, ok := x.Distance(q, l)
		done()
		if ok {
			return d, true
		}
	}
	return b.graph.Distance(q, l)
}

// Has implements index.Index.
func (b *buffered) Has(l index.Label) bool {
	if x, done := b.look(); x != nil {
		has := x.Has(l)
		done()
		if has {
			return true
		}
	}
	return b.graph.Has(l)
}

// Len implements index.Index. As a search does it looks beside the graph first: what moves meanwhile counts twice
// rather than not at all, as a search asks for no more than there are.
func (b *buffered) Len() (n int) {
	if x, done := b.look(); x != nil {
		n = x.Len()
		done()
	}
	return n + b.graph.Len()
}

// Stats implements index.Index.
func (b *buffered) Stats() index.Stats {
	s := b.graph.Stats()
	if x, done := b.look(); x != nil {
		t := x.Stats()
		done()
		s.Len += t.Len
		s.Deleted += t.Deleted
		s.Bytes += t.Bytes
	}
	return s
}

// Save writes the graph, without what is beside it. turn must have sent additions there.
func (b *buffered) Save(w io.Writer) error {
	s, ok := b.graph.(index.Saver)
	if !ok {
		return errors.ErrUnsupported
	}
	return s.Save(w)
}

// Close implements index.Index.
func (b *buffered) Close() error {
	err := b.graph.Close()
	if x := b.exact.Load(); x != nil {
		err = errors.Join(err, (*x).Close())
	}
	return err
}
