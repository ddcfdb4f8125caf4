package slot

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nearcache/nearcache/index"
)

const movesKept = 1024

// Moves remembers the labels whose vector was replaced lately. The new vector
// lies in another slot, so a search that passed the new slot before the
// replacement and reaches the old one after it has seen neither; and in the
// other order both. A search compares Seq at its beginning and its end, and
// calls Settle if it differs.
type Moves struct {
	seq atomic.Uint64 // 2*replacements done, odd while one is at it
	mu  struct {
		sync.Mutex
		ring [movesKept]index.Label
	}
}

// Do runs flip, which replaces l's slot, as one replacement.
func (m *Moves) Do(l index.Label, flip func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.seq.Add(1)
	m.mu.ring[s/2%movesKept] = l
	flip()
	m.seq.Add(1)
}

// Search runs search, which appends its results to dst, nearest first and at
// most k (k < 0: any number), and corrects them: a label replaced meanwhile is
// taken out and, where distance has one for it and it fits, put in again.
func (m *Moves) Search(dst []index.Neighbor, k int, search func(dst []index.Neighbor) []index.Neighbor, distance func(index.Label) (float64, bool)) []index.Neighbor {
	since := m.seq.Load()
	n := len(dst)
	dst = search(dst)
	if since%2 == 0 && since == m.seq.Load() {
		return dst
	}
	m.mu.Lock()
	now := m.seq.Load() / 2
	first := since / 2 // a replacement that was at it when the search began counts
	if now-first > movesKept {
		defer m.mu.Unlock()
		return search(dst[:n]) // too many to remember: once more, while replacements wait
	}
	moved := make([]index.Label, 0, now-first)
	for i := first; i < now; i++ {
		moved = append(moved, m.mu.ring[i%movesKept])
	}
	m.mu.Unlock()
	slices.Sort(moved)
	moved = slices.Compact(moved)
	r := dst[n:]
	full := k >= 0 && len(r) >= k
	worst := 0.0
	if len(r) > 0 {
		worst = r[len(r)-1].Distance
	}
	r = slices.DeleteFunc(r, func(n index.Neighbor) bool {
		_, ok := slices.BinarySearch(moved, n.Label)
		return ok
	})
	for _, l := range moved {
		if d, ok := distance(l); ok && (!full || d <= worst) {
			r = append(r, index.Neighbor{Label: l, Distance: d})
		}
	}
	if full && len(r) < k { // a label that came twice has displaced another
		m.mu.Lock()
		defer m.mu.Unlock()
		return search(dst[:n])
	}
	Sort(r)
	if k >= 0 && len(r) > k {
		r = r[:k]
	}
	return append(dst[:n], r...)
}
