package search

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"sync"

	"github.com/nearcache/nearcache/index"
)

// brute is the simplest index of vectors: float32, squared distance.
type brute struct {
	mu      sync.RWMutex
	dim     int
	vectors map[index.Label][]float32
	version map[index.Label]uint64
}

var bruteKinds = []index.Kind{
	{Name: "FLAT", New: newBrute},
	{Name: "HNSW", New: newBrute}, // used only where a test names these kinds alone
}

func newBrute(p index.Params) (index.Index, error) {
	return &brute{dim: p.Dim, vectors: map[index.Label][]float32{}, version: map[index.Label]uint64{}}, nil
}

func floats(b []byte) []float32 {
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

func blob(x ...float32) []byte {
	var b []byte
	for _, f := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}

func finite(v []byte) bool {
	return !slices.ContainsFunc(floats(v), func(f float32) bool { return f-f != 0 })
}

func l2(a, b []float32) float64 {
	var s float32
	for i := range a {
		s += (a[i] - b[i]) * (a[i] - b[i])
	}
	return float64(s)
}

func (b *brute) Add(l index.Label, version uint64, v []byte) error {
	x := floats(v)
	if !finite(v) {
		return index.ErrNotFin
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if version > b.version[l] {
		b.version[l], b.vectors[l] = version, x
	}
	return nil
}

func (b *brute) Remove(l index.Label, version uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, had := b.vectors[l]
	if version <= b.version[l] {
		return false
	}
	b.version[l] = version
	delete(b.vectors, l)
	return had
}

func (b *brute) all(dst []index.Neighbor, q []byte, o index.SearchOptions, keep func(float64) bool) []index.Neighbor {
	b.mu.RLock()
	defer b.mu.RUnlock()
	x, n := floats(q), len(dst)
	for l, v := range b.vectors {
		if d := l2(x, v); keep(d) && (o.Allow == nil || o.Allow.Contains(l)) {
			dst = append(dst, index.Neighbor{Label: l, Distance: d})
		}
	}
	slices.SortFunc(dst[n:], func(a, b index.Neighbor) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Label, b.Label))
	})
	return dst
}

func (b *brute) Search(dst []index.Neighbor, q []byte, k int, o index.SearchOptions) ([]index.Neighbor, error) {
	if !finite(q) {
		return dst, index.ErrNotFin
	}
	n := len(dst)
	dst = b.all(dst, q, o, func(float64) bool { return true })
	return dst[:min(len(dst), n+k)], nil
}

func (b *brute) Range(dst []index.Neighbor, q []byte, radius float64, o index.SearchOptions) ([]index.Neighbor, error) {
	if !finite(q) {
		return dst, index.ErrNotFin
	}
	return b.all(dst, q, o, func(d float64) bool { return d <= radius }), nil
}

func (b *brute) Distance(q []byte, l index.Label) (float64, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	v, ok := b.vectors[l]
	if !ok {
		return 0, false
	}
	return l2(floats(q), v), true
}

func (b *brute) Has(l index.Label) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.vectors[l] != nil
}

func (b *brute) Len() int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.vectors)
}

func (b *brute) Stats() index.Stats {
	return index.Stats{Len: b.Len(), Bytes: int64(b.Len() * b.dim * 4)}
}
func (b *brute) Close() error { return nil }
