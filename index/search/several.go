package search

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nearcache/nearcache/index"
)

// several is a vector index of which a document may have several vectors; the
// nearest of them is where the document is. (A path of JSON may match many.)
//
// The first is under the document's label. Each other one is under a label that no
// document has, taken from the same dense numbers, and belongs to the document: what
// a search finds under it, it has found under the document's. Where no document has
// several, all that this adds to a search is a look whether one has.
//
// What belongs to a label changes only while no search can hold it: before the
// document is visible, and when its label is reclaimed together with the others.
type several struct {
	index.Index
	n  atomic.Int64 // labels that belong to others
	mu struct {
		sync.RWMutex
		of    map[index.Label][]index.Label // a document's others
		owner map[index.Label]index.Label
	}
}

// give makes labels belong to the document's.
func (s *several) give(l index.Label, others []index.Label) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.of == nil {
		s.mu.of, s.mu.owner = map[index.Label][]index.Label{}, map[index.Label]index.Label{}
	}
	s.mu.of[l] = others
	for _, o := range others {
		s.mu.owner[o] = l
	}
	s.n.Store(int64(len(s.mu.owner)))
}

// others are the labels that belong to a document's.
func (s *several) others(l index.Label) []index.Label {
	if s.n.Load() == 0 {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.of[l]
}

// owners puts documents in the place of what belongs to them.
func (s *several) owners(l []index.Label) []index.Label {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := range l {
		if o, ok := s.mu.owner[l[i]]; ok {
			l[i] = o
		}
	}
	return l
}

// Remove implements index.Index. What belongs to the label is removed by itself.
func (s *several) Remove(l index.Label, version uint64) bool {
	if s.n.Load() > 0 {
		s.mu.Lock()
		for _, o := range s.mu.of[l] {
			delete(s.mu.owner, o)
		}
		delete(s.mu.of, l)
		s.n.Store(int64(len(s.mu.owner)))
		s.mu.Unlock()
	}
	return s.Index.Remove(l, version)
}

// allowed is the set together with what belongs to its labels.
func (s *several) allowed(allow *index.Bitmap) *index.Bitmap {
	if allow == nil {
		return nil
	}
	all := &index.Bitmap{}
	all.Or(allow)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if allow.Len() < len(s.mu.owner) {
		allow.Each(func(l index.Label) bool {
			for _, o := range s.mu.of[l] {
				all.Add(o)
			}
			return true
		})
		return all
	}
	for o, l := range s.mu.owner {
		if allow.Contains(l) {
			all.Add(o)
		}
	}
	return all
}

// owned puts documents in the place of what belongs to them, each once, the nearest first.
func (s *several) owned(l []index.Neighbor) []index.Neighbor {
	s.mu.RLock()
	for i, n := range l {
		if o, ok := s.mu.owner[n.Label]; ok {
			l[i].Label = o
		}
	}
	s.mu.RUnlock()
	return merged(l)
}

// Search implements index.Index.
func (s *several) Search(dst []index.Neighbor, q []byte, k int, o index.SearchOptions) ([]index.Neighbor, error) {
	if s.n.Load() == 0 || k <= 0 {
		return s.Index.Search(dst, q, k, o)
	}
	o.Allow = s.allowed(o.Allow)
	from := len(dst)
	// The nearest vectors may be of few documents: more of them, until there are enough.
	for want := 2 * k; ; want *= 2 {
		want = min(want, max(s.Len(), k))
		var err error
		if dst, err = s.Index.Search(dst[:from], q, want, o); err != nil {
			return dst, err
		}
		all := len(dst)-from < want || want >= s.Len()
		found := s.owned(dst[from:])
		if dst = dst[:from+min(k, len(found))]; all || len(found) >= k {
			return dst, nil
		}
	}
}

// Range implements index.Index.
func (s *several) Range(dst []index.Neighbor, q []byte, radius float64, o index.SearchOptions) ([]index.Neighbor, error) {
	if s.n.Load() == 0 {
		return s.Index.Range(dst, q, radius, o)
	}
	o.Allow = s.allowed(o.Allow)
	from := len(dst)
	dst, err := s.Index.Range(dst, q, radius, o)
	if err != nil {
		return dst, err
	}
	return dst[:from+len(s.owned(dst[from:]))], nil
}

// Distance implements index.Index.
func (s *several) Distance(q []byte, l index.Label) (float64, bool) {
	d, ok := s.Index.Distance(q, l)
	for _, o := range s.others(l) {
		if x, has := s.Index.Distance(q, o); has && (!ok || x < d) {
			d, ok = x, true
		}
	}
	return d, ok
}

// Has implements index.Index.
func (s *several) Has(l index.Label) bool {
	return s.Index.Has(l) || slices.ContainsFunc(s.others(l), s.Index.Has)
}

// Stats implements index.Index.
func (s *several) Stats() index.Stats {
	st := s.Index.Stats()
	st.Bytes += 64 * s.n.Load()
	return st
}

// addVectors puts a prepared document's vectors of a field into their index.
func (ix *Index) addVectors(a *attribute, label uint32, p *prepared) error {
	if more := p.others[a.at].values; len(more) > 0 {
		others := make([]index.Label, len(more))
		ix.mu.Lock()
		for i := range others {
			l := ix.allocateLocked()
			ix.mu.docs[l].born = never
			others[i] = index.Label(l)
		}
		ix.mu.Unlock()
		a.vectors.give(index.Label(label), others)
		for i, v := range more {
			if err := ix.addVector(a, others[i], v); err != nil {
				return err
			}
		}
	}
	return ix.addVector(a, index.Label(label), p.values[a.at])
}

func (ix *Index) addVector(a *attribute, label index.Label, v []byte) error {
	err := a.vectors.Add(label, ix.seq.Add(1), v)
	if errors.Is(err, index.ErrNotFin) {
		return errorf("Could not add vector that holds NaN or infinity")
	}
	return err
}

// withOthers appends what belongs to the label in any field.
func (ix *Index) withOthers(label uint32) []uint32 {
	labels := []uint32{label}
	for _, a := range ix.vecs {
		for _, o := range a.vectors.others(index.Label(label)) {
			labels = append(labels, uint32(o))
		}
	}
	return labels
}

// single reports whether a prepared document has no field of several vectors.
func (ix *Index) single(p *prepared) bool {
	return p.others == nil || !slices.ContainsFunc(ix.vecs, func(a *attribute) bool { return len(p.others[a.at].values) > 0 })
}
